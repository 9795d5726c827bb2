"""A log line is one JSON object, whatever is in it."""

import contextlib
import json
import logging
import sys
import threading

from service.line_writer import LineWriter
from service.logs import JsonLines, LogHandler


def line_of(message: str, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "service.watcher", "levelname": "ERROR", "msg": message, **extra})
    text = JsonLines().format(record)
    assert "\n" not in text
    parsed: dict[str, object] = json.loads(text)
    return parsed


def test_fields_that_an_event_brings_are_in_its_line() -> None:
    line = line_of("load failed", model="cats", attempts=2)

    assert line.pop("time")
    expected = {"level": "error", "logger": "service.watcher", "event": "load failed", "model": "cats", "attempts": 2}
    assert line == expected


def test_a_traceback_stays_on_one_line() -> None:
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        line = line_of("poll failed", exc_info=sys.exc_info())

    assert "ValueError: broken" in str(line["traceback"])


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert line_of("odd", thing={1, 2}.__class__)["thing"] == "<class 'set'>"


def test_who_logs_waits_for_nobody_who_logs() -> None:
    """A finaliser may be run, and log, while the writer's lock is held; each would wait for the other's."""
    written: list[bytes] = []
    handler = LogHandler(LineWriter(written.append, of_lost=str), JsonLines())
    with contextlib.ExitStack() as held:
        handler.acquire()
        held.callback(handler.release)
        other = threading.Thread(target=handler.handle, args=(logging.makeLogRecord({"msg": "went on"}),), daemon=True)
        other.start()
        other.join(5)
        is_stuck = other.is_alive()

    handler.flush()
    assert not is_stuck
    assert b"went on" in b"".join(written)
