"""A process with everything it has started: its time of the processor, its memory; it can be frozen and ended.

Source: proc(5). What has started what is told by `/proc/PID/task/TID/children`, which not every kernel has.
"""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

MAIN = "main"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def tells_children(proc: Path = _PROC) -> bool:
    """Whether it can be known what a process has started."""
    return any(proc.glob("self/task/*/children"))


def tree(pid: int, proc: Path = _PROC) -> list[int]:
    """The process and all that come from it, parents first; those that have ended are left out."""
    found = [pid]
    for parent in found:
        found += children(parent, proc)
    return found


def children(pid: int, proc: Path = _PROC) -> list[int]:
    """What the process itself has started; nothing of one that has ended."""
    found = []
    with contextlib.suppress(OSError):  # of one that ends while its folder is read
        for task in proc.glob(f"{pid}/task/*/children"):
            with contextlib.suppress(OSError):  # and of a thread
                found += [int(child) for child in task.read_text().split()]
    return found


def processor_s(pids: Iterable[int], proc: Path = _PROC) -> float:
    """Time of the processor that processes have used so far, with that of children that have ended."""
    return sum(sum(_times_s(proc / f"{pid}/stat")) for pid in pids)


def own_processor_s() -> float:
    """The same of this process and of those that it has waited for, in finer steps than the ticks of /proc."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def threads_s(pid: int, proc: Path = _PROC) -> dict[str, float]:
    """The same of one process's threads that still run, by name; `main` is the first one, where an event loop runs.

    The others have the process's name, if nobody gives them one of their own.
    """
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):  # as above
        for task in proc.glob(f"{pid}/task/*/stat"):
            if (name := _name_of(task)) is not None:
                name = MAIN if task.parent.name == str(pid) else name
                found[name] = found.get(name, 0.0) + sum(_times_s(task)[:2])
    return found


def _name_of(stat: Path) -> str | None:
    with contextlib.suppress(OSError):
        return stat.read_text().partition("(")[2].rpartition(")")[0]
    return None


def _times_s(stat: Path) -> list[float]:
    """Its own time as user and system, and that of children that it has waited for; nothing if it has ended."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [int(ticks) / _TICKS for ticks in fields[11:15]]


def memory_mb(pids: Iterable[int], proc: Path = _PROC) -> float:
    """Resident memory in 10^6 bytes, 0 of those that have ended; what processes share counts for each of them."""
    return sum(_resident_pages(proc / f"{pid}/statm") for pid in pids) * _PAGE_BYTES / 1e6


def _resident_pages(statm: Path) -> int:
    with contextlib.suppress(OSError):
        return int(statm.read_text().split()[1])
    return 0


def freeze(pids: Iterable[int]) -> None:
    """Stop processes where they are."""
    _tell(pids, signal.SIGSTOP)


def thaw(pids: Iterable[int]) -> None:
    """Let them go on."""
    _tell(pids, signal.SIGCONT)


def ask_to_end(pids: Sequence[int]) -> None:
    """SIGTERM to the first, frozen or not."""
    thaw(pids)
    _tell(pids[:1], signal.SIGTERM)


def end(pid: int, *, known: Iterable[int] = (), within_s: float = 5.0) -> None:
    """SIGTERM to the first; what is left of the tree after a while is killed.

    Args:
        pid: of the first.
        known: of what came from it before; once a parent has ended nothing tells of its children.
        within_s: how long they have.
    """
    pids = list(dict.fromkeys([*tree(pid), *known]))
    ask_to_end(pids)
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
