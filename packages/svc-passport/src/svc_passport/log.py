"""One JSON object a line, on stderr.

    {"time":…,"level":…,"event":…, then whatever the event knows of: request_id, peer, op, kid, …}

Never a token, message, signature, key or claim. A reader that stops reading does not stop the service:
lines wait here, and when too many wait, new ones are dropped and counted.
"""

import logging
import os
import select
import time
from collections import deque
from functools import lru_cache
from typing import Final, Literal

import msgspec

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")

LINES_WAITING_MAX: Final = 4096
"""Lines kept for a reader that does not read."""


class Log:
    """Writes events of a level and above.

    Args:
        level: The lowest level written.
        fd: Where to; stderr.
    """

    def __init__(self, level: Level = "info", fd: int = 2) -> None:
        self._written = frozenset(LEVELS[LEVELS.index(level) :])
        self._fd = fd
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._writable = select.poll()
        self._writable.register(fd, select.POLLOUT)

    def writes(self, level: Level) -> bool:
        """Tell whether events of this level are written, so that nobody gathers one for nothing."""
        return level in self._written

    def __call__(self, level: Level, event: str, /, **fields: str | float | bool | list[str] | None) -> None:
        """Write an event. Fields that are None are left out."""
        if not self.writes(level):
            return
        known = {name: value for name, value in fields.items() if value is not None}
        self._write(_encode({"time": _now(), "level": level, "event": event} | known) + b"\n")

    def _write(self, line: bytes) -> None:
        self._flush()
        if len(self._waiting) >= LINES_WAITING_MAX:
            self._dropped += 1
            return
        if self._dropped:
            told = {"level": "warning", "event": "log lines dropped", "lines": self._dropped}
            self._waiting.append(_encode(told) + b"\n")
            self._dropped = 0
        self._waiting.append(line)
        self._flush()

    def _flush(self) -> None:
        while self._waiting and self._ready():
            # A pipe that is ready takes at least PIPE_BUF (4,096) bytes without blocking.
            line = self._waiting[0]
            try:
                written = os.write(self._fd, line[: select.PIPE_BUF])
            except OSError:
                return
            if written == len(line):
                self._waiting.popleft()
            else:
                self._waiting[0] = line[written:]

    def _ready(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._writable.poll(0))


def _now() -> str:
    """Return the time in UTC, to the millisecond (RFC 3339)."""
    second, ms = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_to_the_second(second)}.{ms:03}Z"


@lru_cache(maxsize=1)
def _to_the_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class Forward(logging.Handler):
    """Hands what libraries log to a ``Log``: their words, at their level, without a traceback's values."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        level: Level = (
            "error"
            if record.levelno >= logging.ERROR
            else "warning"
            if record.levelno >= logging.WARNING
            else "debug"
        )
        self._log(level, "library", library=record.name, message=record.getMessage())


_encode = msgspec.json.encode
