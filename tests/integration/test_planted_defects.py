"""The audit on real pictures with planted defects: what it finds, what it misses, and what it makes up.

Each set is audited without the defects first: some hold near duplicates of their own, which are no mistake.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import pytest

from tests.integration.planted_defects import Planted, lay_out, plant
from trainer.auditing import audit_data
from trainer.data_audit import DataAudit
from trainer.findings import Kind
from trainer.progress import Quiet
from trainer.settings import AuditSettings

COPIES = (Kind.EXACT_DUPLICATES, Kind.NEAR_DUPLICATES, Kind.CONFLICTING, Kind.ALIKE_TWO_LABELS, Kind.ALIKE_TOO_MANY)
WEIGHTS = "mobilenet_v2_qnnpack_dequantized-32413124.pth"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def in_class_folders(folder: Path, *, every: int = 1) -> list[tuple[Path, str]]:
    pictures = sorted(path for path in folder.glob("*/*") if path.suffix.lower() == ".jpg")
    return [(path, path.parent.name) for path in pictures[::every]]


def by_prefix(folder: Path) -> list[tuple[Path, str]]:
    return [(path, path.name.split(".")[0]) for path in folder.glob("*.jpg")]


def audited(folder: Path, shared_data: Path, cache: Path) -> DataAudit:
    weights = shared_data / "weights" / WEIGHTS
    settings = {"data": folder, "labels": "folder", "weights": weights, "cache_dir": cache, "threads": 1}
    return audit_data(AuditSettings.model_validate(settings), Quiet())


def names_of(audit: DataAudit, kind: Kind) -> set[str]:
    return {name for one in audit.findings if one.kind is kind for mention in one.mentions for name in mention.names}


def pairs_of(audit: DataAudit, kinds: Iterable[Kind]) -> set[frozenset[str]]:
    """Every two pictures that the audit says are one."""
    sets = [mention.names for one in audit.findings if one.kind in kinds for mention in one.mentions]
    return {frozenset(pair) for names in sets for pair in combinations(names, 2)}


def own_numbers(pairs: Iterable[frozenset[str]]) -> set[frozenset[str]]:
    """Pairs by the numbers that `lay_out` gave: a flipped picture keeps its own."""
    return {frozenset(name.rpartition("/")[2][:4] for name in pair) for pair in pairs}


def prepare(pictures: Sequence[tuple[Path, str]], tmp_path: Path) -> Planted:
    lay_out(pictures, tmp_path / "clean")
    return plant(tmp_path / "clean", tmp_path / "planted")


@pytest.mark.parametrize(("name", "every"), [("sdnet2018-decks", 1), ("sign-digits", 2), ("flower-photos-small", 1)])
def test_copies_and_broken_files_are_found_and_hardly_any_made_up(
    name: str, every: int, shared_data: Path, tmp_path: Path, cache: Path
) -> None:
    """At least 95 % of the planted ones, and at most 1 % of the reported pairs false."""
    planted = prepare(in_class_folders(shared_data / "datasets" / name, every=every), tmp_path)
    own = own_numbers(pairs_of(audited(tmp_path / "clean", shared_data, cache), COPIES))

    audit = audited(planted.folder, shared_data, cache)

    reported = pairs_of(audit, COPIES)
    wanted = planted.exact | planted.near
    made_up = {pair for pair in reported - wanted if not own_numbers([pair]) <= own}
    told = (
        f"own pairs {len(own)}, found {len(reported & wanted)} of {len(wanted)}, made up {sorted(map(sorted, made_up))}"
    )
    assert len(reported & planted.exact) >= 0.95 * len(planted.exact), told
    assert len(reported & planted.near) >= 0.95 * len(planted.near), told
    assert len(made_up) <= 0.01 * len(reported), told
    assert names_of(audit, Kind.UNREADABLE) == planted.broken
    across = {pair for pair in wanted if len({one.partition("/")[0] for one in pair}) > 1}
    assert len(pairs_of(audit, [Kind.ACROSS_SPLITS]) & across) >= 0.95 * len(across)


def test_flipped_labels_of_an_easy_set_are_found(shared_data: Path, tmp_path: Path, cache: Path) -> None:
    """At least 70 % of them, and at least every second suspicion true."""
    planted = prepare(by_prefix(shared_data / "datasets" / "cats-dogs"), tmp_path)

    suspected = names_of(audited(planted.folder, shared_data, cache), Kind.LABEL_ERRORS)

    found = len(suspected & planted.flipped)
    told = f"{found} of {len(planted.flipped)} flips among {len(suspected)} suspected"
    assert found >= 0.7 * len(planted.flipped), told
    assert found >= 0.5 * len(suspected), told
