"""What the model says about the pictures of an inference request -> tensors, in JSON or after it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.answers import Computed
from service.open_inference.request import LABEL, Inference, WantedOutput
from service.open_inference.schemas import InferAnswer, InferOutput
from shared.bundle import NOVELTY, PROBABILITIES

FP32, BYTES = "FP32", "BYTES"

OWN = (PROBABILITIES, NOVELTY, LABEL)
"""Outputs that are there without being asked for; all others are asked of the graph."""


@dataclass(frozen=True)
class Written:
    """The body of an answer.

    Attributes:
        json_bytes: how many of its bytes are JSON; None where all are.
    """

    body: bytes
    json_bytes: int | None


def write_answer(inference: Inference, wanted: Sequence[WantedOutput], computed: Sequence[Computed]) -> Written:
    """Put the answer of all pictures, by one version, into the protocol's words.

    Args:
        inference: what was asked.
        wanted: the outputs to tell.
        computed: by picture, at least one.
    """
    tensors = [_tensor_of(each, computed) for each in wanted]
    binaries = [tensor.binary() if each.binary else None for each, tensor in zip(wanted, tensors, strict=True)]
    answer = InferAnswer(
        model_name=computed[0].answer.model,
        model_version=computed[0].answer.version,
        id=inference.id,
        outputs=[
            tensor.told(each.name, binary) for each, tensor, binary in zip(wanted, tensors, binaries, strict=True)
        ],
    )
    text = answer.model_dump_json(exclude_none=True).encode()
    if not any(each.binary for each in wanted):
        return Written(text, None)
    return Written(b"".join((text, *(binary for binary in binaries if binary is not None))), len(text))


@dataclass(frozen=True)
class _Tensor:
    """float32 of any shape, or (as objects) strings, (N,) or (N, k)."""

    values: NDArray[np.float32] | NDArray[np.object_]

    def told(self, name: str, binary: bytes | None) -> InferOutput:
        return InferOutput(
            name=name,
            datatype=FP32 if self._is_float else BYTES,
            shape=list(self.values.shape),
            parameters=None if binary is None else {"binary_data_size": len(binary)},
            data=self.values.ravel().tolist() if binary is None else None,
        )

    def binary(self) -> bytes:
        if self._is_float:
            return self.values.astype("<f4").tobytes()
        texts = [str(text).encode() for text in self.values.ravel().tolist()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)

    @property
    def _is_float(self) -> bool:
        return self.values.dtype.kind == "f"


def _tensor_of(wanted: WantedOutput, computed: Sequence[Computed]) -> _Tensor:
    if wanted.name == LABEL:
        return _Tensor(np.array([each.answer.predictions[0].label for each in computed], np.object_))
    rows = np.stack([_row_of(wanted.name, each) for each in computed])
    if not wanted.class_count:
        return _Tensor(rows)
    labels = computed[0].labels
    return _Tensor(np.array([_best_of(row, labels, wanted.class_count) for row in rows], np.object_))


def _row_of(name: str, computed: Computed) -> NDArray[np.float32]:
    if name == PROBABILITIES:
        return computed.outputs.probabilities
    if name == NOVELTY:
        return np.asarray(computed.outputs.novelty, np.float32)
    return computed.outputs.also[name]


def _best_of(values: NDArray[np.float32], labels: Sequence[str], count: int) -> list[str]:
    """The highest values, highest first; at equal ones the order of the labels.

    Source: Triton's classification extension: value:index:label.
    """
    order = np.argsort(-values, kind="stable")[:count]
    return [f"{values[index]:f}:{index}:{labels[index]}" for index in order]
