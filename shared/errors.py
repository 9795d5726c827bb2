"""Every error that `shared` raises on purpose. All of Finial's errors descend from FinialError."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal


class FinialError(Exception):
    """Root of the family: its message says what was found, what was expected and what to do."""


class ConfigInvalid(FinialError):
    """The TOML file of options cannot be read, or says what no option is."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"--config {path}: {detail}. Mend the file, or leave --config and FINIAL_CONFIG out.")


class AddressError(FinialError):
    """An address of files elsewhere cannot be used at all."""


class PackageMissing(AddressError):
    """fsspec reads such addresses by a package that is not installed."""

    def __init__(self, address: str, package: str) -> None:
        self.package = package
        super().__init__(f"{address}: reading it needs the package {package}. Install it: pip install {package}.")


class AddressUnusable(AddressError):
    """Nobody knows such addresses, or this one is not well-formed."""

    def __init__(self, address: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"{address}: it cannot be read from ({detail}). Write scheme://place/folder, e.g. s3://bucket/models."
        )


class PictureError(FinialError):
    """A picture that cannot be used. `reason` is a stable slug for tables and metrics."""

    reason: ClassVar[str] = "picture"


class PictureTooLarge(PictureError):
    """More bytes than the limit allows."""

    reason = "too-large"

    def __init__(self, *, found_bytes: int, max_bytes: int) -> None:
        super().__init__(
            f"the picture has {found_bytes:,} bytes; at most {max_bytes:,} are accepted. "
            "Scale it down or raise the limit."
        )


class TooManyPixels(PictureError):
    """The header announces more pixels, or a longer side, than the limit allows; no pixel was decoded."""

    reason = "too-many-pixels"

    def __init__(self, *, width: int, height: int, max_pixels: int, max_side_px: int = 65_535) -> None:
        super().__init__(
            f"the picture is {width} x {height} = {width * height:,} pixels; at most {max_pixels:,} are accepted, "
            f"and {max_side_px:,} on a side. Scale it down or raise the limit."
        )


class UnknownFormat(PictureError):
    """The first bytes are not those of an accepted picture format."""

    reason = "unknown-format"

    def __init__(self, *, found: str, accepted: Sequence[str]) -> None:
        super().__init__(
            f"the data looks like {found}, expected one of {', '.join(accepted)}. "
            "Give the picture file itself, unchanged."
        )


class PictureCorrupt(PictureError):
    """The format is accepted, but the data is truncated, damaged or of an unsupported kind."""

    reason = "corrupt"

    def __init__(self, *, picture_format: str, detail: str) -> None:
        super().__init__(
            f"this {picture_format} cannot be decoded ({detail}). It is truncated, damaged or of an unsupported kind; "
            "copy it again, or open it in an image viewer and save it as JPEG or PNG."
        )


class SessionError(FinialError):
    """ONNX Runtime cannot be used as asked."""


class RuntimeConflict(SessionError):
    """Several builds of ONNX Runtime, or none, are installed; which one is imported would be chance."""

    def __init__(self, found: Sequence[str]) -> None:
        all_of_them = "both" if len(found) == 2 else "all of them"
        super().__init__(
            f"found {' and '.join(found) or 'no ONNX Runtime'}, expected exactly one of onnxruntime, onnxruntime-gpu, "
            f"onnxruntime-openvino. {f'Uninstall {all_of_them}, then install' if found else 'Install'} the one that "
            "fits this machine."
        )


NoGpu = Literal["provider-missing", "library-not-loadable", "no-device", "device-failed"]
"""Why a GPU, or OpenVINO, is not used: the build of ONNX Runtime, the libraries it needs, no device or driver, or what
it answers."""


class ProviderUnavailable(SessionError):
    """The execution provider that was asked for was not obtained. `reason` is a stable slug for tables and metrics."""

    _ADVICE: ClassVar[Mapping[NoGpu, str]] = {
        "provider-missing": "Install onnxruntime-gpu instead of onnxruntime",
        "library-not-loadable": "Install the CUDA and cuDNN libraries of this build (the extras `cuda` and `cudnn` of "
        "onnxruntime-gpu have them)",
        "no-device": "Look whether `nvidia-smi` lists a GPU (a container needs `--gpus all`)",
        "device-failed": "Look whether `nvidia-smi` lists a GPU with free memory",
    }

    _ADVICE_ON_OPENVINO: ClassVar[Mapping[NoGpu, str]] = {
        "provider-missing": "Install onnxruntime-openvino, and no other build of ONNX Runtime",
        "library-not-loadable": "Install the build of onnxruntime-openvino for this system again, it brings its "
        "libraries",
        "no-device": "Look whether OpenVINO supports this processor",
        "device-failed": "Look whether OpenVINO supports this processor and has memory enough",
    }

    def __init__(self, *, wanted: str, obtained: Sequence[str], reason: NoGpu, detail: str = "") -> None:
        self.reason: NoGpu = reason
        why = f" ({detail})" if detail else ""
        advice = (self._ADVICE_ON_OPENVINO if "OpenVINO" in wanted else self._ADVICE)[reason]
        super().__init__(
            f"{wanted} was asked for, the session obtained {', '.join(obtained)}: {reason}{why}. "
            f"{advice}, or ask for the CPU."
        )


class ModelRefused(SessionError):
    """The bytes are not an ONNX model that may be run."""


class RunFailed(SessionError):
    """A session cannot compute a batch."""

    def __init__(self, shape: Sequence[int], *, detail: str) -> None:
        super().__init__(
            f"the model cannot compute a batch of shape {tuple(shape)} ({detail}). "
            "Give it uint8 (N, H, W, 3) of the size in its metadata."
        )


class BundleError(FinialError):
    """A bundle, or the folder of a model's versions, is not as it must be."""


class ModelMissing(BundleError):
    """There is no such model, version or `current` file."""

    def __init__(self, path: Path | str, *, choices: Sequence[str] = ()) -> None:
        known = f"; there is {', '.join(choices)}" if choices else ""
        super().__init__(
            f"{path}: no bundle here{known}. Name models/NAME (its current version) or models/NAME/VERSION, "
            "or train one with `python -m trainer train DATA`."
        )


class CurrentMissing(ModelMissing):
    """A model has versions, but no `current` that names one of them."""

    def __init__(self, folder: Path, *, versions: Sequence[str]) -> None:
        super(ModelMissing, self).__init__(
            f"{folder}: there is no file `current` in it, so none of its versions is the current one; there is "
            f"{', '.join(versions)}. Name one, {folder.name}/VERSION, or make one current: "
            f"python -m trainer rollback {folder.name} VERSION."
        )


class NothingToRollBack(ModelMissing):
    """There is no such model, or it has no such version."""

    def __init__(self, folder: Path, *, version: str | None = None, choices: Sequence[str]) -> None:
        what = "no such model" if version is None else f"no version {version[:80]!r}"
        known = f"there is {', '.join(choices)}" if choices else "there is none"
        how = "NAME, without a folder before it" if version is None else f"{folder.name} VERSION"
        super(ModelMissing, self).__init__(f"{folder}: {what}; {known}. Say python -m trainer rollback {how}.")


class NoEarlierVersion(ModelMissing):
    """There is nothing to roll back to without naming it."""

    def __init__(self, folder: Path, *, current: str, versions: Sequence[str]) -> None:
        super(ModelMissing, self).__init__(
            f"{folder}: no version is older than the current one, {current}. There is {', '.join(versions)}; name "
            f"the one to serve: python -m trainer rollback {folder.name} VERSION."
        )


class BundleIncomplete(BundleError):
    """A file that bundle.json lists is missing, cut or not a plain file."""

    def __init__(self, path: Path | str, *, detail: str) -> None:
        super().__init__(f"{path}: {detail}. The copy was probably interrupted; re-copy the whole folder.")


class BundleCorrupted(BundleError):
    """A file is not the one that bundle.json describes."""

    def __init__(self, path: Path | str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{path}: SHA-256 starts {found[:12]}, bundle.json says {expected[:12]}. "
            "The copy was probably interrupted; publish again or re-copy the whole folder."
        )


class BundleInvalid(BundleError):
    """bundle.json cannot be understood, or the model does not keep what it promises."""

    def __init__(self, path: Path | str, *, detail: str) -> None:
        super().__init__(f"{path}: {detail}. Publish the model again with this version of Finial.")


class CurrentInvalid(BundleInvalid):
    """The file `current` holds something else than a version."""

    def __init__(self, where: Path | str, *, found: str) -> None:
        what = f"{found[:80]!r} is not a version" if found else "it is empty, which is not a version"
        super(BundleInvalid, self).__init__(
            f"{where}: {what}. Make one current, with python -m trainer rollback NAME VERSION, or publish again."
        )


class GoldenMismatch(BundleError):
    """The model does not give the answers that were stored with it."""

    def __init__(self, path: Path, *, detail: str) -> None:
        super().__init__(
            f"{path}: golden check failed: {detail}. The model is not served; "
            "publish it again on a machine of this kind."
        )


class RequirementMissing(BundleError):
    """The CPU of this machine lacks what the model needs to give its answers."""

    def __init__(self, path: Path, *, missing: Sequence[str], found: str) -> None:
        super().__init__(
            f"{path}: the model requires a CPU with {', '.join(missing)}, found {found}; elsewhere its int8 sums may "
            "overflow. Serve it on such a machine, or train again with --precision float32, or on a machine like this."
        )


class PublishConflict(BundleError):
    """Another program holds this model's publishing lock."""

    def __init__(self, path: Path, *, waited_s: float) -> None:
        super().__init__(
            f"{path} has been locked by another program for {waited_s:.0f} s. "
            "Wait for the other training to end, then publish again."
        )
