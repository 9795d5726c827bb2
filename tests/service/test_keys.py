"""`python -m service.keys`: makes keys, lists them and takes them out."""

import os
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from service.key_file import entry_of, read_keys, with_key
from service.key_ring import KeyRing
from service.keys import main
from tests.service.running import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_a_key_is_shown_once_and_only_its_hash_is_kept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--api-keys", str(path), "--name", "inspector", "--per-minute", "600"]) == 0
    key = capsys.readouterr().out.strip()

    assert key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = KeyRing(read_keys(path)).find(key.encode())
    assert found is not None
    assert (found.name, found.rights, found.per_minute) == ("inspector", {"predict"}, 600)


def test_keys_are_listed_by_what_they_may_and_removed_by_name(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "--api-keys", str(path), "--name", "b"])
    main(["new", "--api-keys", str(path), "--name", "a", "--admin", "--expires", "9999-01-31"])
    path.write_text(with_key(path, path.read_text(), "c", entry_of("c", expires=date(2020, 1, 1))))
    capsys.readouterr()

    main(["list", "--api-keys", str(path)])
    assert (
        capsys.readouterr().out
        == "a  admin+predict, until 9999-01-31\nb  predict\nc  predict, until 2020-01-01 EXPIRED\n"
    )

    assert main(["remove", "--api-keys", str(path), "--name", "a"]) == 0
    assert list(read_keys(path)) == ["b", "c"]


def test_the_file_stays_as_open_as_its_owner_made_it(path: Path) -> None:
    """A service under another user may have to read it."""
    main(["new", "--api-keys", str(path), "--name", "a"])
    path.chmod(0o640)
    main(["new", "--api-keys", str(path), "--name", "b"])

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    main(["new", "--api-keys", str(link), "--name", "a"])

    assert link.is_symlink()
    assert list(read_keys(path)) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["new", "--name", "taken"], "already"),
        (["remove", "--name", "other"], "it has taken"),
        (["new", "--name", "a b"], "--name"),
        (["new", "--name", "a", "--per-minute", "0"], "--per-minute"),
        (["new", "--name", "a", "--expires", "2020-01-01"], "is over"),
        (["new"], "--name NAME"),
        (["rename"], "new | list | remove"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    arguments: list[str], complaint: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["new", "--api-keys", str(path), "--name", "taken"])
    before = path.read_text()

    try:
        code = main([*arguments, "--api-keys", str(path)])
    except SystemExit as ended:
        code = int(str(ended.code))

    assert code == 2
    assert complaint in capsys.readouterr().err
    assert path.read_text() == before


@pytest.mark.parametrize("is_first", [True, False])
def test_a_key_that_cannot_be_shown_is_not_kept(path: Path, *, is_first: bool) -> None:
    """Nobody would ever know it, and its name would be taken."""
    if not is_first:
        main(["new", "--api-keys", str(path), "--name", "b"])
    before = path.read_text() if path.exists() else ""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "service.keys", "new", "--api-keys", str(path), "--name", "a"]
        ended = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (ended.returncode, path.read_text()) == (2, before)
    assert "cannot be shown (No space left on device), so nothing was added" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_keys_that_are_made_at_once_are_all_there(path: Path) -> None:
    """The file is read, changed and replaced; without a lock, who comes second takes the first one's key away."""
    environment = {**os.environ, "FINIAL_API_KEYS": str(path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "service.keys", "new", "--name", f"k{number}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(4)
    ]

    assert [process.wait(60) for process in processes] == [0] * 4
    assert sorted(read_keys(path)) == ["k0", "k1", "k2", "k3"]
