"""`python -m trainer VERB ...`: finds the verb, reads its settings, and turns errors into exit codes.

0 done, 2 usage or settings, 3 bad data, 4 a gate failed and nothing was published, 130 interrupted.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from shared.errors import FinialError, ModelMissing
from trainer.torch_ahead import is_importing
from trainer.visible import visible

PROGRAM = "python -m trainer"
EXIT_DONE, EXIT_USAGE, EXIT_BAD_DATA, EXIT_INTERRUPTED = 0, 2, 3, 130

# Verb -> function of trainer.commands and what it does; commands import their heavy libraries themselves.
VERBS = {
    "train": "train on labelled pictures and publish a bundle",
    "audit": "look through labelled pictures for what would spoil a training",
    "compare": "compare backbones and precisions on labelled pictures: accuracy, speed, latency, size",
    "evaluate": "measure a published bundle on labelled pictures",
    "predict": "predict the labels of pictures, a few or whole folders",
    "backbones": "list backbones, fetch their weights, verify real weights",
    "cache": "see what is kept, check that it is whole, remove what is damaged or old",
    "rollback": "serve an earlier version again",
    "sample": "write procedural pictures of concrete for a first run",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except FinialError as error:
        _complain(str(error))
        # A model or version that is not there is a slip in the command, as a path that is not there.
        return getattr(error, "exit_code", EXIT_USAGE if isinstance(error, ModelMissing) else EXIT_BAD_DATA)
    except KeyboardInterrupt:
        _complain("interrupted; the cache keeps what was done, the same command goes on from there.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; point stdout elsewhere so that Python's own flush at exit stays silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        _complain(_what_the_system_refused(error))
        return EXIT_USAGE


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(), flush=True)  # noqa: T201
        return EXIT_DONE if arguments else EXIT_USAGE
    verb, *rest = arguments
    if verb not in VERBS:
        _complain(f"unknown verb {verb!r}; choose one of {', '.join(VERBS)}.")
        return EXIT_USAGE
    command: Callable[[list[str], str], None] = getattr(importlib.import_module("trainer.commands"), verb)
    command(rest, f"{PROGRAM} {verb}")
    return EXIT_DONE


def _overview() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {what}" for verb, what in VERBS.items())
    return f"usage: {PROGRAM} VERB ...\n\n{verbs}\n\n`{PROGRAM} VERB --help` lists a verb's options."


def _what_the_system_refused(error: OSError) -> str:
    """One sentence about a path that cannot be read or written; most are wrong in the command."""
    paths = " -> ".join(
        os.fsdecode(path) for path in (error.filename, error.filename2) if isinstance(path, str | bytes)
    )
    where = f"{paths}: " if paths else ""
    return f"{where}{error.strerror or error}. Name another path, or see to its permissions and the space on its disk."


def _complain(message: str) -> None:
    shown = "\n".join(map(visible, message.split("\n")))  # names of files are in it, and some messages have lines
    print(f"{PROGRAM}: {shown}", file=sys.stderr)  # noqa: T201


def _end(code: int) -> NoReturn:
    """End the process; without waiting for torch, whose import takes seconds and which nobody needs any more."""
    if not is_importing():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main())
