"""Fingerprints of features and statistics: everything that can change them, so that a cache never gives another's."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import PIL
from PIL import features

from shared.cpu_features import Cpu
from shared.decode import DECODER_REVISION
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec
from trainer.feature_cache import PLAIN_VIEW
from trainer.picture_statistics import STATISTICS_REVISION

_CODECS = ("jpg", "libjpeg_turbo", "zlib", "zlib_ng", "webp", "libtiff", "jpg_2000")


def what_features_depend_on(
    graph: bytes, spec: PreprocessSpec, *, engine: str, view: str = PLAIN_VIEW, precision: str = "float32"
) -> dict[str, Any]:
    """What a row of features depends on besides the picture's bytes, in JSON's terms.

    Args:
        graph: the backbone's canonical graph; it stands for architecture, weights, taps and normalisation.
        spec: how pixels are prepared.
        engine: an engine's `identity`: name, version and execution provider.
        view: the definition of the view.
        precision: what the graph computes in.

    The decoder's revision and the versions of Pillow and its codecs belong to it as well. Threads do not: a picture is
    computed on one. Nor does the kind of CPU for float32, whose features agree across CPUs within the parity gate; for
    int8 it is part of the precision, see `int8_on`.
    """
    return {
        "graph": sha256_of(graph),
        "spec": spec.model_dump(mode="json"),
        "engine": engine,
        "view": view,
        "precision": precision,
        **what_decoding_depends_on(),
    }


def int8_on(cpu: Cpu) -> str:
    """The precision of int8 features that a CPU computes: others round their sums elsewhere."""
    return f"int8 on {cpu.instruction_class}"


def what_statistics_depend_on(spec: PreprocessSpec) -> dict[str, Any]:
    """What a picture's statistics depend on besides its bytes: how it is decoded, and how they are measured."""
    return {
        "statistics": STATISTICS_REVISION,
        "decode_at_least": list(spec.decode_at_least),
        **what_decoding_depends_on(),
    }


def fingerprint_of(what: Mapping[str, Any]) -> str:
    """SHA-256 over what something depends on."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def what_decoding_depends_on() -> dict[str, Any]:
    """What the pixels of a picture depend on besides its bytes."""
    codecs = {codec: features.version(codec) for codec in _CODECS}
    return {"decoder": DECODER_REVISION, "pillow": PIL.__version__, "codecs": codecs}
