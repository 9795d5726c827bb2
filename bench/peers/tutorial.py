"""FastAPI as its tutorial teaches it: an uploaded file, a sync `def` handler, ONNX Runtime's default session.

FastAPI runs a sync handler on a thread pool (40 threads), as its page on concurrency advises for work that blocks. The
session has ONNX Runtime's defaults: as many threads as there are cores, which spin. Started as `uvicorn` does it: one
worker, access log on.
"""

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, UploadFile

from bench.peers.model import Answer, Pictures, peer_arguments
from shared.bundle import MODEL_FILE


def create_app(pictures: Pictures) -> FastAPI:
    """The app of a bundle."""
    session = onnxruntime.InferenceSession(pictures.path / MODEL_FILE)
    app = FastAPI()

    @app.post("/predict")
    def predict(file: UploadFile) -> Answer:
        pixels = pictures.pixels(file.file.read())
        (probabilities,) = session.run(["probabilities"], {"images": pixels[np.newaxis]})
        return pictures.answer(probabilities[0])

    return app


if __name__ == "__main__":
    given = peer_arguments(__doc__).parse_args()
    uvicorn.run(create_app(Pictures(given.bundle)), port=given.port)
