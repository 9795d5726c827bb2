"""What every request with pictures begins with: it is let in for a model, its body comes, it has until then."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request

from service.access_log import note_model
from service.pool import in_seconds
from service.runtime import Runtime
from service.stage_times import StageTimes, stage_times_of

Body = TypeVar("Body")


@dataclass(frozen=True)
class Admitted(Generic[Body]):
    """A request that was let in, and has come whole.

    Attributes:
        model: name of the model that it means.
        body: what was read of it.
        begun: when its body began to be read, by the clock of `in_seconds`.
        deadline: until when it is to be answered, by the same clock.
        times: goes through its stages.
    """

    model: str
    body: Body
    begun: float
    deadline: float
    times: StageTimes


async def let_in(
    request: Request,
    runtime: Runtime,
    model: str | None,
    client_deadline: float,
    read: Callable[[Request], Awaitable[Body]],
    *,
    check: Callable[[str], None] | None = None,
) -> Admitted[Body]:
    """Refuse it before its body is read, or read the body.

    Args:
        request: its head has come.
        runtime: where it is to be answered.
        model: the one that it names; None for the default.
        client_deadline: until when its client waits.
        read: takes the body, and refuses it.
        check: refuses what else can be refused before that, given the model's name.

    Raises:
        ServiceError: it is refused.
    """
    begun = in_seconds(0)
    name = runtime.admission.admit(model, patience_s=client_deadline - begun)
    if check is not None:
        check(name)
    note_model(request.scope, name)
    times = stage_times_of(request.scope)
    times.go_on("receive")
    body = await read(request)
    times.end()
    deadline = min(client_deadline, in_seconds(runtime.settings.request_timeout_s))
    return Admitted(name, body, begun, deadline, times)
