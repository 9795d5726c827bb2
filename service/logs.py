"""Log lines: one JSON object each on stderr, with whatever fields the event brought."""

import functools
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TextIO

from service.line_writer import LineWriter, write_to

OF_REQUEST: ContextVar[Mapping[str, object]] = ContextVar("OF_REQUEST", default=MappingProxyType({}))
"""Fields of every line that is logged while a request is served."""

FLUSH_S = 2.0
"""How long the end of the process waits for a reader of its log."""

_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)

# What a viewer may take for a command or the end of a line, beyond what JSON escapes: DEL and C1, line separators,
# marks that turn the direction of writing, halves of characters.
_DEL = "\x7f"
_TREACHEROUS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, event, then its request's and its `extra` fields.

    Args:
        always: fields of every line.
    """

    def __init__(self, always: Mapping[str, object] = MappingProxyType({})) -> None:
        super().__init__()
        self._always = dict(always)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        fields = {name: value for name, value in record.__dict__.items() if name not in _STANDARD_FIELDS}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return self.line(record.created, record.levelname, record.name, record.getMessage(), fields)

    def line(self, created_s: float, level: str, logger: str, event: str, fields: Mapping[str, object]) -> str:
        """The same without a record; `created_s` is Unix time."""
        second = int(created_s)
        told = {
            "time": f"{_text_of(second)}.{int((created_s - second) * 1000):03d}+00:00",
            "level": level.lower(),
            "logger": logger,
            "event": event,
            **self._always,
            **OF_REQUEST.get(),
            **fields,
        }
        line = _ENCODER.encode(told)
        return line if line.isascii() and _DEL not in line else _TREACHEROUS.sub(_escaped, line)


class LogHandler(logging.Handler):
    """Hands lines to a writer, so that whoever logs never waits for whoever reads the log.

    Args:
        writer: where they go.
        lines: makes them.
    """

    def __init__(self, writer: LineWriter, lines: JsonLines) -> None:
        super().__init__()
        self.setFormatter(lines)
        self._writer, self._lines = writer, lines

    def handle(self, record: logging.LogRecord) -> bool:
        """As every handler's, but without its lock, which who logs within a finaliser might wait for, for ever."""
        is_wanted = bool(self.filter(record))
        if is_wanted:
            self.emit(record)
        return is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line over."""
        try:
            self._writer.put(self.format(record))
        except Exception:
            self.handleError(record)

    def write(self, logger: str, event: str, fields: Mapping[str, object]) -> None:
        """Hand over a line of level info for which there is no record."""
        self._writer.put(self._lines.line(time.time(), "info", logger, event, fields))

    def flush(self) -> None:
        """Wait until what was handed over is written, for a bounded time; called at the end of the process."""
        self._writer.flush(FLUSH_S)


def configure_logging(**always: object) -> None:
    """Send every logger's lines to stderr; called once, by the program and never by an import.

    Args:
        always: fields of every line.
    """
    handler = _handler_for(sys.stderr, JsonLines(always))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # each bad form is told its client already


def _handler_for(stream: TextIO | None, lines: JsonLines) -> logging.Handler:
    if stream is None:  # closed by whoever started the program: its number may be another file's by now
        return logging.NullHandler()
    try:
        descriptor = stream.fileno()
    except OSError:  # somebody's stand-in, with no file behind it
        handler = logging.StreamHandler(stream)
        handler.setFormatter(lines)
        return handler
    return LogHandler(LineWriter(partial(write_to, descriptor), of_lost=partial(_line_of_lost, lines)), lines)


def log_line(logger: logging.Logger, event: str, fields: Mapping[str, object]) -> None:
    """As `logger.info(event, extra=fields)` in less than half of the time, for what is logged with each request."""
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(handlers[0], LogHandler) and not logger.handlers:
        handlers[0].write(logger.name, event, fields)
    else:  # somebody else listens, and expects a record
        logger.info(event, extra=dict(fields))


def _line_of_lost(formatter: logging.Formatter, count: int) -> str:
    told = {"name": __name__, "levelname": "WARNING", "msg": "log lines lost: nobody read them", "lines": count}
    return formatter.format(logging.makeLogRecord(told))


@functools.lru_cache(maxsize=1)
def _text_of(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _escaped(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"
