"""The file of keys: what may stand in it, and how a line is added and taken out."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from service.access_errors import KeyFileInvalid, KeyNameTaken, KeyNameUnknown
from service.key_file import MAX_FILE_BYTES, MAX_KEYS, entry_of, new_key, parse_keys, read_keys, with_key, without_key

PATH = Path("keys.toml")
HASH = "ab" * 32


def test_a_key_has_at_least_128_bits_and_is_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith("finial_") and len(key) >= len("finial_") + 128 / 6 for key in keys)


def test_a_line_says_all_that_is_known_of_a_key_but_not_the_key() -> None:
    key = new_key()
    entry = entry_of(key, rights=["predict", "admin"], per_minute=600, expires=date(2027, 1, 31))

    text = with_key(PATH, "", "inspector", entry)

    assert parse_keys(PATH, text) == {"inspector": entry}
    assert key not in text
    assert text.count("\n") == 1


def test_what_stands_there_already_stays_as_it_is() -> None:
    text = f'# of the hall\na = {{ sha256 = "{HASH}" }}  # Anna'

    longer = with_key(PATH, text, "b", entry_of("x"))

    assert longer.startswith(text + "\n")
    assert without_key(PATH, longer, "b") == text + "\n"


def test_a_key_is_added_before_the_first_table() -> None:
    """Behind it, the line would be part of the table."""
    text = f'[a]\nsha256 = "{HASH}"\n'

    assert list(parse_keys(PATH, with_key(PATH, text, "b", entry_of("x")))) == ["b", "a"]


def test_two_keys_cannot_have_one_name() -> None:
    text = with_key(PATH, "", "a", entry_of("x"))

    with pytest.raises(KeyNameTaken, match="'a' already"):
        with_key(PATH, text, "a", entry_of("y"))


def test_only_what_is_there_is_taken_out() -> None:
    text = with_key(PATH, with_key(PATH, "", "a", entry_of("x")), "a-b", entry_of("y"))

    assert list(parse_keys(PATH, without_key(PATH, text, "a"))) == ["a-b"]
    with pytest.raises(KeyNameUnknown, match="it has a, a-b"):
        without_key(PATH, text, "c")


def test_an_entry_that_is_not_one_line_is_left_to_a_person() -> None:
    with pytest.raises(KeyFileInvalid, match="by hand"):
        without_key(PATH, f'[a]\nsha256 = "{HASH}"\n', "a")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = ", "not TOML"),
        ('a = "finial_secret"', "a: "),
        ('a = { sha256 = "finial_secret" }', "a.sha256: "),
        (f'a = {{ sha256 = "{HASH}", rights = ["root"] }}', "a.rights: "),
        (f'a = {{ sha256 = "{HASH}", rights = [] }}', "a.rights: "),
        (f'a = {{ sha256 = "{HASH}", per_minute = 0 }}', "a.per_minute: "),
        (f'a = {{ sha256 = "{HASH}", expires = "soon" }}', "a.expires: "),
        (f'a = {{ sha256 = "{HASH}", expire = 2027-01-31 }}', "a.expire: "),
        (f'"a b" = {{ sha256 = "{HASH}" }}', "a b: "),
        (f'a = {{ sha256 = "{HASH}" }}\nb = {{ sha256 = "{HASH}" }}', "a and b are the same key"),
    ],
)
def test_what_makes_no_sense_is_refused_and_values_are_not_repeated(text: str, complaint: str) -> None:
    """Somebody may have put the key itself there, and this is going to be logged."""
    with pytest.raises(KeyFileInvalid, match=complaint) as caught:
        parse_keys(PATH, text)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)


def test_the_number_of_keys_is_bounded_since_each_request_is_compared_with_all() -> None:
    lines = [f'k{number} = {{ sha256 = "{number:064x}" }}\n' for number in range(MAX_KEYS + 1)]

    assert len(parse_keys(PATH, "".join(lines[1:]))) == MAX_KEYS
    with pytest.raises(KeyFileInvalid, match="1,001 keys"):
        parse_keys(PATH, "".join(lines))


def test_a_file_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(KeyFileInvalid, match="not UTF-8"):
        read_keys(tmp_path / "keys.toml")
    with pytest.raises(KeyFileInvalid, match="No such file"):
        read_keys(tmp_path / "none.toml")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to would keep the follower for ever, and nobody who is removed would be out."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(KeyFileInvalid, match="no regular file"):
            read_keys(path)


def test_a_file_that_is_too_large_or_too_deep_for_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KeyFileInvalid, match="more than 1,048,576 bytes"):
        read_keys(tmp_path / "large")

    with pytest.raises(KeyFileInvalid, match=r"too deep|not TOML"):
        parse_keys(PATH, "a = " + "[" * 100_000)


def test_the_last_day_of_a_key_counts() -> None:
    entry = entry_of("x", expires=date(2027, 1, 31))

    assert entry.is_valid(datetime(2027, 1, 31, 23, 59, tzinfo=UTC))
    assert not entry.is_valid(datetime(2027, 2, 1, 0, 0, tzinfo=UTC))
