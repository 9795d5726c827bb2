"""From a backbone to features: which of its stages and sizes, its graph, its int8 form, its pictures."""

from collections.abc import Sequence

from trainer.errors import BadData, GateFailed, TrainerError, UsageError


class SizeRefused(UsageError):
    """The backbone cannot take pictures of this size."""

    def __init__(self, backbone: str, side_px: int, *, takes: str) -> None:
        super().__init__(
            f"--image-size {side_px}: {backbone} takes {takes}. Leave --image-size out, or name another backbone."
        )


class NoMiddleStage(UsageError):
    """The backbone has no middle stage that could be read beside the penultimate features."""

    def __init__(self, backbone: str) -> None:
        super().__init__(
            f"--taps middle: {backbone} has no middle stage to be read. Use --taps none, or name another backbone."
        )


class TapUnusable(UsageError):
    """A stage that was named is not there, or what it gives are no maps."""

    def __init__(self, backbone: str, stage: str, detail: str) -> None:
        super().__init__(
            f"--taps {stage}: {detail} in {backbone}. Name a module whose output are maps (C, H, W), "
            "or use --taps middle or none."
        )


class FeaturesTooLarge(UsageError):
    """Features do not fit into memory, and what was asked for needs them there."""

    def __init__(self, needed: str, because: str, flags: Sequence[str]) -> None:
        super().__init__(
            f"the features take {needed}, {because}, so they would stay on disk, where {', '.join(flags)} cannot be "
            "done. Leave that out, allow more with --feature-memory, or hold them in memory anyway with "
            "--features-in memory."
        )


class PictureNoLongerUsable(BadData):
    """A picture that was featurised at the start of this run cannot be featurised again."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}. It could be used when this run began; leave the pictures alone meanwhile.")


class ExportFailed(TrainerError):
    """A backbone could not be written as one self-contained ONNX graph."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the backbone cannot be exported to ONNX: {detail}. Choose another backbone or image size.")


class QuantisationFailed(UsageError):
    """The backbone's graph has no int8 form."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"--precision int8: this backbone cannot be quantised: {detail}. Use --precision float32.")


class ParityFailed(GateFailed):
    """PyTorch and ONNX Runtime do not agree on what a backbone gives."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"PyTorch and ONNX Runtime disagree: {detail}. Nothing was published. The weights or the versions of torch,"
            " onnx and onnxruntime do not go together; install the tested versions (requirements/tested.txt)."
        )
