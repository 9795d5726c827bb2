"""What may go wrong between a request and the lane that answers it."""

from service.errors import ServiceError


class PoolError(ServiceError):
    """A lane cannot be leased."""


class TooManyWaiting(PoolError):
    """The line is full, so the caller is refused at once instead of being kept waiting."""

    def __init__(self, *, waiting: int, lanes: int, device_is_full: bool = False) -> None:
        found = "the device has as many pictures as it takes" if device_is_full else f"all {lanes} lanes are leased"
        super().__init__(f"{found} and {waiting} requests are waiting already. Try again shortly.")


class WaitTooLong(TooManyWaiting):
    """The line moves so slowly that the caller's time would pass in it, so that it is refused at once."""

    def __init__(self, *, waiting: int) -> None:
        ServiceError.__init__(
            self,
            f"{waiting} requests are waiting already, and as fast as they are answered now, the time of this one would "
            "pass before its turn. Try again shortly.",
        )


class PoolTimeout(PoolError):
    """The deadline passed before there was an answer; what has not begun to run costs nothing more."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail}, so the picture was dropped. Try again, or allow more time: X-Request-Timeout-Ms in the "
            "request, up to the operator's --request-timeout-s."
        )


class PoolClosed(PoolError):
    """The service is shutting down and gives no new leases."""

    def __init__(self) -> None:
        super().__init__(
            "the service is shutting down and takes no new work. Send the request again; another one will answer."
        )


class RunnerBroken(ServiceError):
    """What computes has ended for good; the process is to be replaced."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail}. The service must be restarted; /health/live says so too. Send the request again.")
