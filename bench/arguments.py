"""The arguments that measurements share: those on labelled pictures, and those of the service."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from bench.machine import as_line, describe


def data_arguments(description: str | None) -> argparse.ArgumentParser:
    """DATA..., --backbone, --weights, --cache-dir and --threads; a script adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--backbone")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=2)
    return parser


def told_arguments(description: str | None, *, quick: str) -> argparse.ArgumentParser:
    """--quick and --json, which `tell` writes to; a script adds its own.

    Args:
        description: of the script.
        quick: what a quick round is.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    return parser


def service_arguments(description: str | None) -> argparse.ArgumentParser:
    """--picture, --quick, --json, where made models are kept, and --options for the service, which stands last."""
    parser = told_arguments(description, quick="a short round, to see that it works")
    parser.add_argument("--picture", type=Path, help="what is asked about; default: a drawn JPEG of 320 x 240")
    parser.add_argument("--folder", type=Path, default=Path("cache/bench-models"), help="where models are made")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"), help="the trainer's, for making them")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of the service; stands last")
    return parser


def parse(parser: argparse.ArgumentParser, **when_quick: object) -> argparse.Namespace:
    """What the command line says; these values instead with --quick."""
    given = parser.parse_args()
    if given.quick:
        vars(given).update(when_quick)
    return given


def tell(figures: Mapping[str, object], arguments: argparse.Namespace, *packages: str) -> None:
    """Print the machine and one JSON object with it and the figures, which goes into the file that was named, too.

    Args:
        figures: what was measured.
        arguments: whose `json` is that file, or None.
        packages: names of further distributions whose versions matter.
    """
    machine = describe(*packages)
    print(as_line(machine))
    tell_json({**figures, "machine": machine}, arguments)


def tell_json(found: Mapping[str, object], arguments: argparse.Namespace) -> None:
    """Print one JSON object, which goes into the file that was named, too; see `tell`."""
    text = json.dumps(found)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
