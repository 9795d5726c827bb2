"""How fast things are beside each other: measured in one run, in turn, so that a busy machine slows all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from shared.decode import TRAINER_LIMITS, decode
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import CPU, Provider, Session, open_session

Key = TypeVar("Key")

ROUNDS = 24
"""Of which the medians are taken; a second or two for most backbones."""


BUSY = 1.5
"""Times the fastest of the same work: on a quiet machine the upper quartile is a few percent slower."""


class Times(dict[Key, float]):
    """Median seconds by key.

    Attributes:
        scatter: how many times the fastest of the same work a quarter of it takes, of the key where that is most.
    """

    def __init__(self, taken: Mapping[Key, Sequence[float]], *, kinds: int = 1) -> None:
        """Seconds by key in the order of the rounds; `kinds` different pieces of work take turns in them."""
        super().__init__({key: median(seconds) for key, seconds in taken.items()})
        self.scatter = max((_scatter(seconds, kinds) for seconds in taken.values()), default=1.0)

    @property
    def is_busy(self) -> bool:
        """Whether something else took so much of the machine that the times say little about a quiet one."""
        return self.scatter > BUSY


def time_in_turn(
    jobs: Mapping[Key, Callable[[int], object]],
    *,
    rounds: int = ROUNDS,
    kinds: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Times[Key]:
    """Median seconds of each job, done once in every round.

    Args:
        jobs: called with the number of the round; a round before the first one warms up, and is not timed.
        rounds: at least 1.
        kinds: after so many rounds a job does the same again; what it does in between may take longer by itself.
        clock: seconds from any fixed moment.
    """
    taken: dict[Key, list[float]] = {key: [] for key in jobs}
    for number in range(-1, rounds):
        for key, job in jobs.items():
            started = clock()
            job(max(number, 0))
            if number >= 0:
                taken[key].append(clock() - started)
    return Times(taken, kinds=kinds)


def _scatter(seconds: Sequence[float], kinds: int) -> float:
    fastest = [min(seconds[kind::kinds]) for kind in range(min(kinds, len(seconds)))]
    slower = sorted(one / max(fastest[number % kinds], 1e-9) for number, one in enumerate(seconds))
    return slower[-1 - len(slower) // 4]


def time_single_requests(
    graphs: Mapping[Key, tuple[bytes, PreprocessSpec]],
    pictures: Sequence[bytes],
    *,
    threads: int = 1,
    provider: Provider = "cpu",
    rounds: int = ROUNDS,
) -> Times[Key]:
    """Median seconds from a picture's bytes to a graph's answers, one picture at a time, as a service computes it.

    Args:
        graphs: with how their pictures are prepared.
        pictures: encoded, at least one; taken in turn, the same one for all graphs.
        threads: of a run.
        provider: where to compute.
        rounds: as in `time_in_turn`.

    On a single thread of the CPU it is the thread's own time, which programs beside it change little.
    """
    sessions = {key: open_session(graph, provider=provider, threads=threads) for key, (graph, _) in graphs.items()}

    def job_of(session: Session, spec: PreprocessSpec) -> Callable[[int], object]:
        def answer(number: int) -> object:
            data = pictures[number % len(pictures)]
            image = decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
            return session.run(preprocess(image, spec)[None], session.output_names)

        return answer

    jobs = {key: job_of(sessions[key], spec) for key, (_, spec) in graphs.items()}
    alone = threads == 1 and all(session.provider == CPU for session in sessions.values())
    clock = time.thread_time if alone else time.perf_counter
    return time_in_turn(jobs, rounds=rounds, kinds=len(pictures), clock=clock)
