"""ONNX Runtime as it is on machines with a GPU, or built with OpenVINO, played by small classes."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from shared.openvino import OPENVINO
from shared.session import CPU, CUDA


class FakeSession:
    def __init__(self, providers: list[str], *, run_raises: str, shape: Sequence[int | str | None] = (None,)) -> None:
        self.providers, self.run_raises, self.shape = providers, run_raises, list(shape)

    def run(self, _outputs: list[str], _inputs: object) -> list[object]:
        if self.run_raises:
            raise RuntimeError(self.run_raises)
        return []

    def get_providers(self) -> list[str]:
        return self.providers

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="images", shape=self.shape)]

    def get_outputs(self) -> list[SimpleNamespace]:
        return []

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={})


class FakeOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, name: str, value: str) -> None:
        self.entries[name] = value


class FakeRuntime:
    """ONNX Runtime on a machine whose GPU works, is not there, or makes opening fail."""

    SessionOptions = FakeOptions

    def __init__(
        self,
        *,
        gpu_build: bool = True,
        gpu_works: bool = True,
        gpu_raises: str = "",
        run_raises: str = "",
        package: Path | None = None,
        openvino: bool = False,
        openvino_raises: str = "",
        shape: Sequence[int | str | None] = ("N", 4, 6, 3),
    ) -> None:
        self.gpu_build, self.gpu_works, self.gpu_raises, self.run_raises = gpu_build, gpu_works, gpu_raises, run_raises
        self.opened: list[FakeOptions] = []
        self.cuda_options: dict[str, str] = {}
        self.openvino, self.openvino_raises, self.shape = openvino, openvino_raises, shape
        self.openvino_options: dict[str, str] = {}
        if package is not None:
            self.__file__ = str(package / "__init__.py")

    def get_available_providers(self) -> list[str]:
        return [*([OPENVINO] if self.openvino else []), *([CUDA] if self.gpu_build else []), CPU]

    def preload_dlls(self) -> None:
        print("Failed to load libcudnn.so")  # noqa: T201 - as the real one does

    def InferenceSession(  # noqa: N802 - its name there
        self,
        _model: bytes,
        options: FakeOptions,
        *,
        providers: Sequence[str | tuple[str, dict[str, str]]],
        enable_fallback: int,
    ) -> FakeSession:
        assert enable_fallback == 0
        self.opened.append(options)
        wanted = dict(each if isinstance(each, tuple) else (each, {}) for each in providers)
        self.cuda_options |= wanted.get(CUDA, {})
        self.openvino_options |= wanted.get(OPENVINO, {})
        if OPENVINO in wanted:
            if self.openvino_raises:
                raise RuntimeError(self.openvino_raises)
            return FakeSession([*wanted, CPU], run_raises=self.run_raises, shape=self.shape)
        if CUDA in wanted and self.gpu_raises:
            raise RuntimeError(self.gpu_raises)
        return FakeSession([*wanted] if self.gpu_works else [CPU], run_raises=self.run_raises, shape=self.shape)
