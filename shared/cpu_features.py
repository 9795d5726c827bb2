"""What this machine's CPU can do, as far as an int8 model depends on it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import RequirementMissing

VNNI = "vnni"
"""8-bit products are summed in 32 bits. Without it, x86 kernels sum two of them in 16 bits, which full 8-bit weights
overflow without a sign of it."""

# Names that Linux gives to instructions; any one of them is enough. Those of ARM sum in 32 bits as well.
_PROVIDED_BY = {VNNI: frozenset({"avx512_vnni", "avx_vnni", "asimddp"})}
_CLASSES = ("avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp", "asimd")


@dataclass(frozen=True)
class Cpu:
    """A CPU.

    Attributes:
        machine: its architecture, e.g. "x86_64".
        flags: instructions by the names that Linux gives them; None where the system does not tell.
    """

    machine: str
    flags: frozenset[str] | None

    def has(self, requirement: str) -> bool:
        """Whether it is known to meet a requirement; one that this version does not know is not met."""
        return bool(_PROVIDED_BY.get(requirement, frozenset()) & (self.flags or frozenset()))

    @property
    def instruction_class(self) -> str:
        """What int8 results may depend on: the best of the instructions that choose a kernel."""
        if self.flags is None:
            return f"{self.machine} unknown"
        return " ".join([self.machine, *(name for name in _CLASSES if name in self.flags)][:3])

    def require(self, requirements: Sequence[str], *, path: Path) -> None:
        """Refuse a bundle that this CPU would compute wrongly.

        Raises:
            RequirementMissing: one of the requirements is not met, not known, or cannot be looked up here.
        """
        if missing := [requirement for requirement in requirements if not self.has(requirement)]:
            raise RequirementMissing(path, missing=missing, found=self.instruction_class)


def read_cpu(root: Path = Path("/")) -> Cpu:
    """The CPU of this machine; on systems without /proc/cpuinfo its instructions are unknown.

    Args:
        root: where /proc is looked for.
    """
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Cpu(platform.machine(), None)
    named = (line.partition(":") for line in text.splitlines())
    flags = next((value for name, _, value in named if name.strip() in ("flags", "Features")), None)
    return Cpu(platform.machine(), None if flags is None else frozenset(flags.split()))
