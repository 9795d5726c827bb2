"""The metrics of several workers as one page: every sample says whose it is.

The texts are ours, so they are not parsed and written anew: each line is looked at and given its worker, in a thirtieth
of the time. A service of many models and labels tells thousands of lines.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? ([+-]?(?:[0-9.]+(?:e[+-]?[0-9]+)?|Inf)|NaN)")
_HELP = "# HELP "
_UP = "# HELP finial_worker_up Whether a worker told its metrics.\n# TYPE finial_worker_up gauge"


@dataclass
class _Family:
    """Samples under the comments that say what they are."""

    head: list[str]
    samples: list[str] = field(default_factory=list)


def join_workers(texts: Mapping[str, bytes | None]) -> bytes:
    """One text of many, each family once, with the label `worker` in every sample.

    Args:
        texts: what each worker answered, by its name; None for one that did not. `finial_worker_up` counts them, and
            those whose text is none.
    """
    families: dict[str, _Family] = {}
    up = [_UP]
    for worker, text in texts.items():
        told = _families_in(text, worker)
        up.append(f'finial_worker_up{{worker="{worker}"}} {float(told is not None)}')
        for family in told or []:
            families.setdefault(family.head[0], _Family(family.head)).samples.extend(family.samples)
    lines = (line for family in families.values() for line in (*family.head, *family.samples))
    return ("\n".join([*up, *lines]) + "\n").encode()


def _families_in(text: bytes | None, worker: str) -> list[_Family] | None:
    """The families of one worker, its samples named; None where it is silent, or talks nonsense."""
    try:
        return None if text is None else list(_parts(text.decode(), f'worker="{worker}"'))
    except ValueError:  # one worker's mistake must not hide what the others say
        return None


def _parts(text: str, label: str) -> Iterator[_Family]:
    family: _Family | None = None
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith(_HELP):
            if family is not None:
                yield family
            family = _Family([line])
        elif family is None:
            raise ValueError(f"{line[:80]!r} belongs to no metric")
        elif line.startswith("#"):
            family.head.append(line)
        else:
            family.samples.append(_labelled(line, label))
    if family is not None:
        yield family


def _labelled(line: str, label: str) -> str:
    found = _SAMPLE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line[:80]!r} is no sample")
    name, labels, value = found.groups()
    return f"{name}{{{labels},{label}}} {value}" if labels else f"{name}{{{label}}} {value}"
