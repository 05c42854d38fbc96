"""What tests of a whole service share: a prepared store, connections, processes, campaign records."""

import os
import platform
import signal
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec
from running import Running, environment

from svc_passport.bootstrap import make_store
from svc_passport.capability import ADMIN
from svc_passport.cli.local import Local
from svc_passport.config import load

JSON = {"content-type": "application/json"}


def prepared(folder: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a service with a new store in ``folder``."""
    env = environment(keys__store=f"sqlite:{folder.absolute()}/store/keys.db", **settings)
    make_store(load(env))
    return env


def local(env: Mapping[str, str]) -> Local:
    """Return the verbs on that service's store, in this process."""
    return Local(load(env))


def operator(env: Mapping[str, str]) -> str:
    """Return a capability for everything on that service."""
    return local(env).mint((ADMIN,), 86400)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Line:
    """One connection that is kept: all of it is answered by one worker.

    Args:
        url: Of a plane.
        capability: Sent with every request, if there is one.
    """

    def __init__(self, url: str, capability: str | None = None) -> None:
        at = urlsplit(url)
        assert at.hostname
        self._connection = HTTPConnection(at.hostname, at.port, timeout=30)
        self._headers = {"authorization": f"Bearer {capability}"} if capability else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer, whatever it says.

        Raises:
            OSError, HTTPException: None came.
        """
        media = JSON if body is not None else {}
        self._connection.request(method, path, body, {**self._headers, **media, **(headers or {})})
        response = self._connection.getresponse()
        told = response.read()
        return Answer(response.status, {name.lower(): text for name, text in response.getheaders()}, told)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """POST; ``idempotency_key="x"`` is a header."""
        return self.ask("POST", path, body, {name.replace("_", "-"): text for name, text in headers.items()})

    def worker(self) -> str:
        """Return who answers here: request ids begin with what names the worker and the plane."""
        return self.get("/nowhere").headers["x-request-id"].partition("-")[0]


def asked_once(url: str, method: str, path: str, body: bytes | None = None) -> Answer:
    """Ask over a connection of its own: any worker may answer."""
    with Line(url) as line:
        return line.ask(method, path, body)


@contextmanager
def line_to_each(url: str, workers: int = 2) -> Iterator[list[Line]]:
    """Return one kept connection to each worker of a service."""
    found: dict[str, Line] = {}
    try:
        for _ in range(200):
            line = Line(url)
            if found.setdefault(line.worker(), line) is not line:
                line.close()
            if len(found) == workers:
                break
        assert len(found) == workers, "not every worker answers"
        yield list(found.values())
    finally:
        for line in found.values():
            line.close()


def batch(tokens: list[bytes]) -> bytes:
    """Return the body that asks about all of these."""
    return b"[%b]" % b",".join(tokens)


def version_of(kid: str) -> int:
    """Return the N of a kid's ``vN``."""
    return int(kid.rpartition("/v")[2])


def workers_of(service: Running) -> list[int]:
    """Return the process ids of a supervisor's workers."""
    return [pid for pid in children(service.process.pid) if b"spawn_main" in _command(pid)]


def children(pid: int) -> list[int]:
    """Return the ids of the processes that ``pid`` has started and that live."""
    living = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [child for child in living if is_alive(child) and int(_stat(child)[1]) == pid]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs: one that has ended and was not waited for does not."""
    found = _stat(pid)
    return bool(found) and found[0] not in ("Z", "X")


def kill_wholly(service: Running) -> None:
    """Kill -9 a service, with all its workers."""
    below = children(service.process.pid)
    service.process.kill()
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has followed its parent already
    service.process.wait()


def _stat(pid: int) -> list[str]:
    """Return what follows the command's name, state and parent first; nothing if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def until(is_so: Any, *, within_s: float) -> float:
    """Wait until ``is_so()``, and return how long that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_s, f"not so within {within_s} s"
        time.sleep(0.01)
    return time.monotonic() - began


def machine() -> str:
    """Return what a campaign ran on, in a line."""
    model = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} × {model}, Linux {platform.release()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def record(file: Path, head: str, columns: tuple[str, ...], row: tuple[object, ...]) -> None:
    """Append a row to a campaign's record; its first row makes the file."""
    columns = ("date", *columns, "machine")
    cells = (datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), *row, machine())
    append(
        file,
        f"{head}\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n",
        f"| {' | '.join(map(str, cells))} |\n",
    )


def append(file: Path, head: str, text: str) -> None:
    """Append to a campaign's record; what comes first makes the file, with its head."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(head)
    with file.open("a") as record:
        record.write(text)
