"""Lots given to the tasks of Ray Data, and their results as they come."""

from collections.abc import Generator
from typing import Any

from trainer.errors.clusters import NoProgress, WorkersFailed, WorkersWithoutCode
from trainer.ray_cluster import Room
from trainer.ray_lots import LotResult, Plan, results_in
from trainer.ray_settings import RayOptions

_GIVES_UP_AFTER_S = 1800.0  # half an hour, as its error says
_KEPT = {"max_calls": 0}


def results_of(
    ray: Any, lots: Any, plan: Plan, options: RayOptions, size: int, room: Room
) -> Generator[LotResult, None, None]:
    """Results as they come, in any order. Ray spreads the lots, and gives out again what a lost node had.

    A picture that ends every process that opens it is given out until Ray sees no progress for half an hour.

    Workers are tasks, not actors: an actor whose node is lost waits for room to be started again, and what was given to
    it waits with it, for ever where there is no other room. A process keeps its session from task to task all the same.

    Args:
        ray: the package, connected.
        lots: Ray Data's, a block each.
        plan: what every worker is told.
        options: what a worker takes.
        size: pictures of a lot.
        room: what there was when work began.

    Raises:
        NoProgress, WorkersWithoutCode, WorkersFailed: Ray gave up.
    """
    from trainer.ray_work import featurize_lot

    _settle(lots.context)
    results = lots.map_batches(
        featurize_lot,
        batch_size=size,
        batch_format="pyarrow",
        fn_kwargs={"plan": plan},
        compute=ray.data.TaskPoolStrategy(size=options.workers),
        num_cpus=options.cpus_per_worker,
        num_gpus=options.gpus_per_worker or None,
        **(_KEPT if may_keep_process(options, room) else {}),
    )
    try:
        for batch in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from results_in(batch)
    except Exception as error:  # of Ray, and of what ran in it
        raise _explained(ray, error, options, room) from error


def may_keep_process(options: RayOptions, room: Room) -> bool:
    """Whether a process may take one lot after the other, with its session open.

    Not where nodes have several GPUs: Ray gives each task one of them, and a process stays on the one it began with.
    There Ray ends a process on a GPU with its lot.
    """
    return not options.gpus_per_worker or room.most_gpus == 1


def _settle(context: Any) -> None:
    """Of these lots alone: what a program has set for itself stays. Progress bars would be in the midst of ours."""
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = _GIVES_UP_AFTER_S


def _explained(ray: Any, error: Exception, options: RayOptions, room: Room) -> Exception:
    if isinstance(error, ray.data.exceptions.ExecutionTimeoutError):
        return NoProgress(room.in_words(options))
    if "No module named 'trainer'" in str(error):
        return WorkersWithoutCode()
    return WorkersFailed(_last_line(error))


def _last_line(error: Exception) -> str:
    """What was raised on a worker is the last line of what Ray makes of it."""
    lines = str(error).strip().splitlines()
    return lines[-1].rstrip(".") if lines else type(error).__name__
