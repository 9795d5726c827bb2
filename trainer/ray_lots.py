"""What goes to the workers of a Ray cluster and what comes back: lots of pictures, and what became of each."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from shared.preprocess import PreprocessSpec
from trainer.picture_rows import Rendering
from trainer.samples import Sample

if TYPE_CHECKING:
    import pyarrow as pa

MOST_IN_A_LOT, FEWEST_IN_A_LOT = 256, 16
_LOTS_PER_WORKER = 4


@dataclass(frozen=True)
class Plan:
    """What every worker is told.

    Attributes:
        graph: reference to the graph's bytes in Ray's object store, so that a node fetches them once.
        spec: how pixels are prepared.
        provider: where to compute.
        threads: pictures in work at once.
        what: the features depend on, as JSON; a worker that would compute others says so instead.
        cache_dir: folder of the cache, as this machine calls it.
        marker: a file in it, relative, by which a worker sees that it is the same folder.
        parts: address that is written to instead; None for the folder.
        measured: whether statistics are kept.
    """

    graph: Any
    spec: PreprocessSpec
    provider: Literal["cpu", "cuda"]
    threads: int
    what: str
    cache_dir: str
    marker: str
    parts: str | None
    measured: bool

    @property
    def key(self) -> tuple[str, str]:
        """Equal for plans that are carried out alike; another run has another marker."""
        return self.what, self.marker


@dataclass(frozen=True)
class Trouble:
    """Why a worker could not begin.

    Attributes:
        kind: what is wrong: its packages, what it sees of the disk, what it can write, its session.
        detail: of it, in JSON's terms.
    """

    kind: Literal["differs", "sees no cache", "cannot write", "session"]
    detail: Any


@dataclass(frozen=True)
class LotResult:
    """What became of a lot.

    Attributes:
        number: of the lot.
        node: the worker's, by its host name and address.
        refused: digests of pictures that cannot be used, with the reason.
        written: names of the parts that were written, relative to the cache's folder.
        trouble: why nothing was computed.
    """

    number: int
    node: str
    refused: dict[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    trouble: Trouble | None = None

    def as_table(self) -> "pa.Table":
        """A row."""
        import pyarrow as pa

        return pa.table({"result": pa.array([json.dumps(asdict(self))], pa.large_string())})


def results_in(table: "pa.Table") -> Iterator[LotResult]:
    """The results that a table of `as_table` has; several may have been joined."""
    for text in table.column("result").to_pylist():
        found = json.loads(text)
        trouble = found.pop("trouble")
        yield LotResult(**found, trouble=Trouble(**trouble) if trouble else None)


@dataclass(frozen=True)
class Lot:
    """Pictures that a worker takes at once.

    Attributes:
        number: of the lot.
        samples: their files, names and digests; labels stay at home.
        wanted: renderings to featurise, by digest.
        measured: digests of those whose statistics are known.
    """

    number: int
    samples: tuple[Sample, ...]
    wanted: Mapping[str, Sequence[Rendering]]
    measured: frozenset[str]

    def as_table(self) -> "pa.Table":
        """A row for each picture."""
        import pyarrow as pa

        return pa.table(
            {
                "lot": pa.array([self.number] * len(self.samples), pa.int64()),
                "location": pa.array([_from_anywhere(one.location) for one in self.samples], pa.binary()),
                "name": pa.array([one.name for one in self.samples], pa.string()),
                "digest": pa.array([one.digest for one in self.samples], pa.string()),
                "wanted": pa.array([self.wanted.get(one.digest, ()) for one in self.samples], pa.list_(pa.int32())),
                "measured": pa.array([one.digest in self.measured for one in self.samples], pa.bool_()),
            }
        )

    @classmethod
    def from_table(cls, table: "pa.Table") -> "Lot":
        """What `as_table` wrote.

        Raises:
            ValueError: rows of several lots; only one of them would be answered.
        """
        rows = table.to_pylist()
        if len(numbers := {row["lot"] for row in rows}) != 1:
            raise ValueError(f"lots {sorted(numbers)} came as one")
        samples = tuple(Sample(os.fsdecode(row["location"]), row["name"], "", row["digest"], None) for row in rows)
        wanted = {row["digest"]: tuple(row["wanted"]) for row in rows if row["wanted"]}
        known = frozenset(row["digest"] for row in rows if row["measured"])
        return cls(rows[0]["lot"], samples, wanted, known)


def _from_anywhere(location: str) -> bytes:
    """A path that holds wherever a worker was started; in bytes, since not every name is text."""
    return os.fsencode(os.path.abspath(location))  # noqa: PTH100 (a path object for each picture takes its time)


def lot_size(count: int, *, workers: int, renderings: int = 1) -> int:
    """Pictures of a lot: as many renderings as a part of the cache has rows, or fewer, so that no worker is long alone.

    Args:
        count: of the pictures.
        workers: that share them; each is to have several lots.
        renderings: of a picture.
    """
    most = max(FEWEST_IN_A_LOT, MOST_IN_A_LOT // renderings)
    return min(most, max(FEWEST_IN_A_LOT, -(-count // (_LOTS_PER_WORKER * workers))))


def lots_of(
    samples: Sequence[Sample],
    size: int,
    *,
    wanted: Mapping[str, Sequence[Rendering]],
    measured: Collection[str],
) -> Iterator[Lot]:
    """Lots of `size` samples, in order; the last one may have fewer."""
    for number, start in enumerate(range(0, len(samples), size)):
        some = tuple(samples[start : start + size])
        yield Lot(number, some, wanted, frozenset(one.digest for one in some if one.digest in measured))
