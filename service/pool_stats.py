"""What a pool tells of itself."""

from collections.abc import Mapping
from typing import NamedTuple


class PoolStats(NamedTuple):
    """What a pool is doing, and what it did since it was made, read at one moment; so the counts add up.

    `asked_total` is `granted_total + refused_total + timed_out_total + gave_up_total + dismissed_total + waiting`.

    Attributes:
        lanes: cores of the budget.
        leased: leases that are out, each of one core, or of all that were free while it is wide.
        wide: of these, how many are wide now: 0 or 1.
        waiting: callers in the line.
        waiting_by_model: the same by queue; none where nobody waits.
        asked_total: who asked for a lane, or would have after an upload.
        granted_total: who got one.
        refused_total: who was refused at once, because the queue was full.
        timed_out_total: whose deadline passed in the line.
        gave_up_total: who left the line before the deadline.
        dismissed_total: who was sent away because the pool is closed.
        expired_total: of those granted, how many were dropped before their run: past the deadline, or left by their
            client.
        wide_runs_total: runs on all cores that were free.
        narrow_runs_total: runs on one core.
        waited_s: the waits that ended in a lane, added up.
    """

    lanes: int
    leased: int
    wide: int
    waiting: int
    waiting_by_model: Mapping[str, int]
    asked_total: int
    granted_total: int
    refused_total: int
    timed_out_total: int
    gave_up_total: int
    dismissed_total: int
    expired_total: int
    wide_runs_total: int
    narrow_runs_total: int
    waited_s: float
