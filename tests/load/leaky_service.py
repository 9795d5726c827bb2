"""The real app with a fault made on purpose: it keeps every piece of body that it reads. Proves that tests see it."""

import json
import socket
import sys

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import create_app
from service.settings import ServiceSettings


class Leaky:
    """ASGI middleware that forgets nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_and_keep() -> Message:
            message = await receive()
            self._kept.append(message.get("body", b""))
            return message

        await self._app(scope, receive_and_keep, send)


def main() -> None:
    settings = ServiceSettings.from_command_line(sys.argv[1:], program="leaky")
    config = uvicorn.Config(Leaky(create_app(settings)), lifespan="on", log_level="error")
    with socket.create_server((settings.host, settings.port)) as listener:
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
