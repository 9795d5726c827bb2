"""The arguments that measurements share: those on labelled pictures, and those of the service."""

import argparse
from pathlib import Path


def data_arguments(description: str | None) -> argparse.ArgumentParser:
    """DATA..., --backbone, --weights, --cache-dir and --threads; a script adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--backbone")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=2)
    return parser


def service_arguments(description: str | None) -> argparse.ArgumentParser:
    """--picture, and --options for the service, which stands last; a script adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="what is asked about; default: a drawn JPEG of 320 x 240")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of the service; stands last")
    return parser
