"""The real service with two changes: pictures are held while a file is there, and its app cannot predict plainly.

Started with that file, how long a body may take before the app is asked, and the service's arguments.
"""

import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from service import direct_connection, predict_routes
from service.__main__ import main
from service.generation import Generation
from service.runner import Outputs

_run = Generation.run


def hold_while(held: Path) -> None:
    """Let runs wait until the file is gone."""

    def run(generation: Generation, *args: Any, **kwargs: Any) -> Outputs:
        held.with_suffix(".run").touch()
        while held.exists():
            time.sleep(0.001)
        return _run(generation, *args, **kwargs)

    Generation.run = run  # type: ignore[method-assign]


async def fail(*_: object) -> NoReturn:
    raise ZeroDivisionError("the app was asked")


if __name__ == "__main__":
    hold_while(Path(sys.argv[1]))
    direct_connection.WHOLE_S = float(sys.argv[2])
    predict_routes.predict_plainly = fail
    sys.exit(main(sys.argv[3:]))
