"""The fingerprint of features: everything that can change them, so that a cache never gives another's."""

import hashlib
import json

import PIL
from PIL import features

from shared.decode import DECODER_REVISION
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec
from trainer.feature_cache import PLAIN_VIEW

_CODECS = ("jpg", "libjpeg_turbo", "zlib", "zlib_ng", "webp", "libtiff", "jpg_2000")


def fingerprint(
    graph: bytes, spec: PreprocessSpec, *, engine: str, view: str = PLAIN_VIEW, precision: str = "float32"
) -> str:
    """SHA-256 over what a row of features depends on besides the picture's bytes.

    Args:
        graph: the backbone's canonical graph; it stands for architecture, weights, taps and normalisation.
        spec: how pixels are prepared.
        engine: an engine's `identity`: name, version and execution provider.
        view: the definition of the view.
        precision: what the graph computes in.

    The decoder's revision and the versions of Pillow and its codecs belong to it as well. Threads do not: a picture is
    computed on one. Nor does the kind of CPU: float32 features agree across CPUs within the parity gate.
    """
    what = {
        "graph": sha256_of(graph),
        "spec": spec.model_dump(mode="json"),
        "engine": engine,
        "view": view,
        "precision": precision,
        "decoder": DECODER_REVISION,
        "pillow": PIL.__version__,
        "codecs": {codec: _version(codec) for codec in _CODECS},
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _version(codec: str) -> str | None:
    return features.version(codec)
