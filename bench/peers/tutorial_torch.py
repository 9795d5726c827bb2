"""FastAPI as it is often written first: an `async def` handler that runs the PyTorch model itself.

The backbone is torchvision's, eager, in inference mode, with PyTorch's default threads; the head is the bundle's. While
it computes, the event loop stands still, so there is one request at a time. Only for float32 and linear heads on a
backbone without taps, whose weights file is named.
"""

import json
from pathlib import Path

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from numpy.typing import NDArray

from bench.peers.model import Answer, Pictures, peer_arguments
from shared.bundle import read_bundle
from trainer.backbones import build_backbone
from trainer.catalogue import get_entry
from trainer.head import read_head
from trainer.weights import find_weights


class Network(torch.nn.Module):
    """Normalised picture -> probabilities: the backbone, the bundle's head, its temperature."""

    def __init__(self, bundle: Path, weights: Path) -> None:
        super().__init__()
        metadata = read_bundle(bundle).metadata
        entry = get_entry(metadata.backbone.name)
        self.backbone = build_backbone(entry, find_weights(entry, weights, download=False))
        self.head = read_head(bundle / "head.safetensors")
        self.temperature: float = json.loads((bundle / "metrics.json").read_text())["head"]["temperature"]
        self.channel_mean = torch.tensor(metadata.spec.mean).view(3, 1, 1)
        self.channel_std = torch.tensor(metadata.spec.std).view(3, 1, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (H, W, 3) -> (K,)."""
        normalised = (pixels.permute(2, 0, 1) / 255 - self.channel_mean) / self.channel_std
        features = self.backbone(normalised[None])
        rows = (features - torch.from_numpy(self.head.mean)) / torch.from_numpy(self.head.std)
        logits = rows @ torch.from_numpy(self.head.weight) + torch.from_numpy(self.head.bias)
        return torch.softmax(logits / self.temperature, dim=1)[0]


def create_app(pictures: Pictures, network: Network) -> FastAPI:
    """The app of a bundle."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(file: UploadFile) -> Answer:
        pixels = pictures.pixels(await file.read())
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = network(torch.from_numpy(pixels)).numpy()
        return pictures.answer(probabilities)

    return app


if __name__ == "__main__":
    parser = peer_arguments(__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    given = parser.parse_args()
    uvicorn.run(create_app(Pictures(given.bundle), Network(given.bundle, given.weights)), port=given.port)
