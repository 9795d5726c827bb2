"""An interrupt at a moment that a test can choose."""

from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class InterruptsImport(MetaPathFinder):
    """Put first into sys.meta_path, it is a Ctrl-C at the moment when `module` is looked for."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self._module:
            raise KeyboardInterrupt
        return None
