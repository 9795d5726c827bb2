"""Workers ask one another over sockets in a folder."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import siblings
from service.siblings import Siblings, Texts
from service.workers import private_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


async def ask(folder: Path, *, answering: int, count: int) -> Texts:
    """What the first of `count` hears when so many others answer."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(1, answering + 1):
            other = Siblings(folder, own=number, count=count)
            await stack.enter_async_context(other.answering(f"I am {number}".encode))
        return await Siblings(folder, own=0, count=count).texts(b"I am 0")


def test_everybody_is_heard_in_order(folder: Path) -> None:
    told = asyncio.run(ask(folder, answering=2, count=3))

    assert list(told.items()) == [("0", b"I am 0"), ("1", b"I am 1"), ("2", b"I am 2")]


def test_one_who_is_not_there_says_nothing(folder: Path) -> None:
    told = asyncio.run(ask(folder, answering=1, count=3))

    assert told == {"0": b"I am 0", "1": b"I am 1", "2": None}


def test_one_who_does_not_answer_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "ANSWER_WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(folder / "1.socket"))
        hanging.listen()
        assert asyncio.run(ask(folder, answering=0, count=2))["1"] is None


def test_one_who_dies_while_he_tells_says_nothing(folder: Path) -> None:
    """Half a text is not a text: the counts that it lacks would look like counts that went back."""

    async def die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"finial_lanes 2.0\nfinial_in_fli")
        writer.close()

    async def ask_who_dies() -> Texts:
        async with await asyncio.start_unix_server(die, folder / "1.socket"):
            return await Siblings(folder, own=0, count=2).texts(b"I am 0")

    assert asyncio.run(ask_who_dies()) == {"0": b"I am 0", "1": None}


def test_one_who_fails_to_tell_hangs_up(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Else whoever asks would wait for as long as it may."""

    def text() -> bytes:
        raise ZeroDivisionError

    async def ask_in_vain() -> bytes:
        async with Siblings(folder, own=1, count=2).answering(text), asyncio.timeout(20):
            reader, writer = await asyncio.open_unix_connection(folder / "1.socket")
            told = await reader.read()
            writer.close()
            return told

    assert asyncio.run(ask_in_vain()) == b""
    assert "ZeroDivisionError" in caplog.text


def test_the_socket_of_one_who_died_is_taken_over(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "1.socket"))

    assert asyncio.run(ask(folder, answering=1, count=2))["1"] == b"I am 1"


def test_a_long_text_arrives_whole(folder: Path) -> None:
    async def ask_for_much() -> Texts:
        async with Siblings(folder, own=1, count=2).answering(lambda: b"x" * 3_000_000):
            return await Siblings(folder, own=0, count=2).texts(b"")

    assert len(asyncio.run(ask_for_much())["1"] or b"") == 3_000_000
