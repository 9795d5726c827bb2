"""`python -m service`: serve every model of a folder. Exit codes: 0 stopped by a signal, 2 usage or settings."""

import sys
from collections.abc import Sequence

from service.settings import ServiceSettings
from shared.errors import RuntimeConflict
from shared.session import require_one_runtime
from shared.settings import EXIT_USAGE

PROGRAM = "python -m service"


def main(arguments: Sequence[str]) -> int:
    """Read the settings and serve. Returns the exit code."""
    settings = ServiceSettings.from_command_line(arguments, program=PROGRAM)
    from service.logs import configure_logging
    from service.server import announce, open_listener, serve  # heavy; --help and usage errors need not wait for it

    configure_logging()
    try:
        require_one_runtime()
        listener = open_listener(settings.host, settings.port)
    except RuntimeConflict as error:
        return _usage_error(str(error))
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        return _usage_error(f"cannot listen on {where} ({error.strerror or error}); choose others by --host, --port.")
    with listener:
        announce(listener)
        serve(settings, listener)
    return 0


def _usage_error(message: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
