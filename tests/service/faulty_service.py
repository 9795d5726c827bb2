"""The real service with a fault made on purpose: every picture that it runs meets an error that nobody expected."""

import sys
from typing import NoReturn

from service.__main__ import main
from service.generation import Generation


def fail(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError("made on purpose")


if __name__ == "__main__":
    Generation.run = fail  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
