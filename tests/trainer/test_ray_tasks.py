"""What Ray Data is asked for, and what its errors become."""

from types import SimpleNamespace
from typing import Any

import pytest

from shared.preprocess import PreprocessSpec
from trainer.errors.clusters import NoProgress, WorkersFailed, WorkersWithoutCode
from trainer.ray_cluster import Room
from trainer.ray_lots import LotResult, Plan
from trainer.ray_settings import RayOptions
from trainer.ray_tasks import results_of

PLAN = Plan(None, PreprocessSpec(height=8, width=8, resize=8), "cpu", 1, "[]", "/cache", "mark", None, measured=True)
ON_GPUS = RayOptions(gpus_per_worker=1)


class Lots:
    """Those of Ray Data, and what was asked of them; `error` is raised after a result."""

    def __init__(self, error: Exception | None = None) -> None:
        self.context = SimpleNamespace()
        self.asked: dict[str, Any] = {}
        self.data = self
        self.exceptions = SimpleNamespace(ExecutionTimeoutError=TimeoutError)
        self._error = error

    def TaskPoolStrategy(self, size: int | None) -> int | None:  # noqa: N802 (Ray's name)
        return size

    def map_batches(self, _function: object, **asked: Any) -> "Lots":
        self.asked = asked
        return self

    def iter_batches(self, **_how: object) -> Any:
        yield LotResult(0, "node").as_table()
        if self._error is not None:
            raise self._error


def results(lots: Lots, options: RayOptions, most_gpus: float = 0.0) -> list[LotResult]:
    room = Room(nodes=2, workers=3, largest=((4.0, most_gpus),), most_gpus=most_gpus)
    return list(results_of(lots, lots, PLAN, options, 16, room))


@pytest.mark.parametrize(
    ("options", "most_gpus", "kept"),
    [(RayOptions(), 0, True), (RayOptions(), 8, True), (ON_GPUS, 1, True), (ON_GPUS, 8, False), (ON_GPUS, 0, False)],
)
def test_a_process_goes_on_to_the_next_lot_unless_that_may_be_on_another_gpu(
    options: RayOptions, most_gpus: float, *, kept: bool
) -> None:
    """Ray gives each lot a GPU, and a process stays on its first: two would share one, and another has nothing to do.

    Where no node is there yet, it may come with several.
    """
    lots = Lots()

    assert len(results(lots, options, most_gpus)) == 1

    assert lots.asked.get("max_calls") == (0 if kept else None)


def test_half_an_hour_without_progress_is_asked_for_whatever_ray_has_by_default() -> None:
    """And progress bars are off; of these lots alone, a program's own stay as they are."""
    lots = Lots()

    results(lots, RayOptions())

    assert lots.context.execution_no_progress_timeout_s == 1800
    assert not lots.context.enable_progress_bars and not lots.context.print_on_execution_start


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (TimeoutError("no progress"), NoProgress, "nothing for half an hour. 2 nodes, 3 workers of 1 CPU each"),
        (RuntimeError("trace\nModuleNotFoundError: No module named 'trainer'"), WorkersWithoutCode, "code_of_this_run"),
        (RuntimeError("trace\nthe last word.\n"), WorkersFailed, "the workers failed: the last word. What was"),
        (RuntimeError(), WorkersFailed, "the workers failed: RuntimeError. What was"),
    ],
)
def test_what_ray_raises_is_told_in_our_words(error: Exception, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as told:
        results(Lots(error), RayOptions())

    assert sentence in str(told.value)
