"""The shortest way to a prediction: from the connection to a lane and back, past the app.

An app is a task for each request, a scope and messages that pass through a dozen layers, and an answer that is taken
apart on its way out: three quarters of what the event loop does for a picture, on a core that is to compute. So what
most clients ask (one picture as the body, no parameters) is answered without it. Only that: whatever else becomes of
such a request, a failure, a slow body, a client that goes, is the app's business, which is told what was found so far.
"""

from starlette.types import Scope

from service.direct_prediction import DirectPrediction
from service.errors import ServiceError
from service.polite_close import SHORT_BODY_BYTES
from service.quick_path import plainly_asked
from service.refusals import refusal_of
from service.runtime import Runtime
from service.uploads import announces_picture

MAX_BYTES = SHORT_BODY_BYTES
"""Larger bodies are the app's: it takes them at its own pace, their connections may not fill the memory, and who sends
them was not asked by the gate whether there is a place."""


class ShortWay:
    """Says which requests may be answered without the app.

    Args:
        runtime: where they are to be answered.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def is_draining(self) -> bool:
        """Whether connections are to be closed after each answer."""
        return self._runtime.lifecycle.draining

    def take(self, scope: Scope) -> DirectPrediction | None:
        """The request with this head, if it is one of them. Whoever gets it ends it."""
        asked = plainly_asked(scope)
        if asked is None or self.is_draining or refusal_of(scope):
            return None
        if self._runtime.access.guard.refusal(scope):  # whoever comes past the gate does not come past the keys
            return None
        length = _length_of_picture(scope)
        if not 0 < length <= min(MAX_BYTES, self._runtime.settings.max_upload) or not self._has_room(length):
            return None
        route, name = asked
        try:
            model = self._runtime.registry.choose(name)
            if self._runtime.registry.require(model).batches:
                return None
        except ServiceError:
            return None
        scope["route"] = route
        return DirectPrediction(self._runtime, scope, model, length)

    def _has_room(self, length: int) -> bool:
        settings, held = self._runtime.settings, self._runtime.held
        return held.bytes + held.expected + length <= max(settings.max_uploads, settings.max_upload)


def _length_of_picture(scope: Scope) -> int:
    """How long a body is that is announced as a picture; 0 where it is not, or its length is not known."""
    kind: bytes | None = None
    length = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value if kind is None else kind
        elif name == b"content-length":
            length = value
    if not length.isdigit() or len(length) > 9 or not announces_picture((kind or b"").decode("latin-1")):
        return 0
    return int(length)
