"""The arguments that measurements on labelled pictures share."""

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
