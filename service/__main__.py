"""`python -m service`: serve every model of a folder.

Exit codes: 0 stopped by a signal, 1 a worker cannot start or hangs at the end, 2 usage or settings,
3 the app failed to start, 130 interrupted before it could serve.
"""

import gc
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.early_signals import EarlySignals
from shared.errors import FinialError

if TYPE_CHECKING:
    from service.settings import ServiceSettings

PROGRAM = "python -m service"
EXIT_DONE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 2, 130


def main(arguments: Sequence[str]) -> int:
    """Read the settings and serve. Returns the exit code."""
    gc.disable()  # what is imported stays: there is nothing to collect
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looked for in every installed package, else
    try:
        with EarlySignals() as early:
            return _run(arguments, early)
    except KeyboardInterrupt:  # once it serves, a signal is its ordinary end
        sys.stderr.write(f"{PROGRAM}: interrupted before it could serve.\n")
        return EXIT_INTERRUPTED
    finally:
        gc.enable()


def _run(arguments: Sequence[str], early: EarlySignals) -> int:
    # Imported here, so that an interrupt meanwhile is answered by `main`, and --help need not wait for the server.
    from service.settings import ServiceSettings

    settings = ServiceSettings.from_command_line(arguments, program=PROGRAM)
    from service.listener import announce, open_listener
    from service.logs import configure_logging

    try:
        _require_what_is_named(settings)
        listener = open_listener(settings.host, settings.port)
    except FinialError as error:
        return _usage_error(str(error))
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        where = f"{settings.host} port {settings.port}"
        reason = getattr(error, "strerror", None) or error
        return _usage_error(f"cannot listen on {where} ({reason}); choose others by --host, --port.")
    configure_logging()
    with listener:
        announce(listener)
        return _serve(settings, listener, early)


def _require_what_is_named(settings: "ServiceSettings") -> None:
    """Read once what nothing can be served without.

    Raises:
        FinialError: two ONNX Runtimes, no OpenTelemetry though it is asked for, or a file of keys that is of no use.
    """
    from shared.session import require_one_runtime

    require_one_runtime()
    if settings.otlp_endpoint:
        from service.tracing import require_opentelemetry

        require_opentelemetry()
    if settings.api_keys:
        from service.key_file import read_keys

        read_keys(settings.api_keys)


def _serve(settings: "ServiceSettings", listener: socket.socket, early: EarlySignals) -> int:
    if settings.workers > 1:
        from service.workers import supervise

        return supervise(settings, listener, was_signalled=lambda: early.came)
    from service.start import serve

    serve(settings, listener, was_signalled=lambda: early.came)
    return EXIT_DONE


def _usage_error(message: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
