"""Where a picture's pixels come from: its file, or whatever else gives them on a lane's thread."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.generation import Generation
from shared.decode import DecodeLimits, decode
from shared.preprocess import preprocess

Source = Callable[[Generation, DecodeLimits], NDArray[np.uint8]]
"""Gives a picture's pixels (H, W, 3) as a generation takes them; called on a lane's thread, maybe more than once."""


def decoded_file(data: bytes | memoryview) -> Source:
    """What gives the pixels of a picture file; its errors are PictureErrors."""
    return partial(_decode, data)


def _decode(data: bytes | memoryview, generation: Generation, limits: DecodeLimits) -> NDArray[np.uint8]:
    spec = generation.bundle.metadata.spec
    return preprocess(decode(bytes(data), at_least=spec.decode_at_least, limits=limits), spec)
