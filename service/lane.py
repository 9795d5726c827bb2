"""What a lease is used through: one core of the budget, narrow until it is widened."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from service.waiting_line import Waiter


class LaneOwner(Protocol):
    """What a lane asks of the pool that it is leased from."""

    def widen(self, waiter: Waiter, *, useful: bool) -> bool:
        """Let the lease have all free cores, if these are most."""

    def narrow(self, waiter: Waiter) -> None:
        """Give back what `widen` took."""

    def hand_over(self, waiter: Waiter) -> None:
        """Give the core back before the lease ends."""

    def check_deadline(self, waiter: Waiter, before: str) -> None:
        """Raise PoolTimeout where the deadline has passed."""

    def abandon(self, waiter: Waiter) -> None:
        """Let the deadline have passed."""


class Lane:
    """The right to run one request at a time, until the lease ends."""

    def __init__(self, owner: LaneOwner, waiter: Waiter) -> None:
        self._owner, self._waiter = owner, waiter

    @contextlib.contextmanager
    def widen(self, *, useful: bool = True) -> Iterator[bool]:
        """For the length of a `with` block, around a run: all free cores, if these are most; alone, it has all of them.

        Who comes meanwhile waits for the end of the block only.

        Args:
            useful: whether more cores would make the run faster; if not, it stays narrow.

        Yields:
            Whether there are more cores than one.
        """
        wide = self._owner.widen(self._waiter, useful=useful)
        try:
            yield wide
        finally:
            self._owner.narrow(self._waiter)

    def hand_over(self) -> None:
        """Give the core back for good, since a device does the rest; until the lease ends its room there is taken."""
        self._owner.hand_over(self._waiter)

    def check_deadline(self, before: str) -> None:
        """Drop expired work before more is spent on it.

        Args:
            before: what would be next, e.g. "it was decoded".

        Raises:
            PoolTimeout: the deadline has passed.
        """
        self._owner.check_deadline(self._waiter, before)

    def abandon(self) -> None:
        """Nobody waits for the result any more: at the next check the work is dropped."""
        self._owner.abandon(self._waiter)
