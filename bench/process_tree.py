"""A process with everything it has started: its time of the processor, its memory; it can be frozen and ended."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from bench.serving import resident_mb

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that come from it, parents first; those that have ended are left out."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def processor_s(pids: Iterable[int]) -> float:
    """Time of the processor that processes have used so far, with that of children that have ended."""
    return sum(map(_used_s, pids))


def _used_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def memory_mb(pids: Iterable[int]) -> float:
    """Resident memory in 10^6 bytes; what processes share counts for each of them."""
    return sum(map(resident_mb, pids))


def freeze(pids: Iterable[int]) -> None:
    """Stop processes where they are."""
    _tell(pids, signal.SIGSTOP)


def thaw(pids: Iterable[int]) -> None:
    """Let them go on."""
    _tell(pids, signal.SIGCONT)


def end(pid: int, *, within_s: float = 5.0) -> None:
    """SIGTERM to the first; what is left of the tree after a while is killed."""
    pids = tree(pid)
    thaw(pids)
    _tell(pids[:1], signal.SIGTERM)
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up and any(map(_runs, pids)):
        time.sleep(0.05)
    _tell([each for each in pids if _runs(each)], signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _tell(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
