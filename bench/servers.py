"""Servers under measurement: started on free ports, pinned, their CPU and memory read, ended by id."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
RIVAL = ROOT / "bench/rivals/axum"

SERVER_CORE = 0
LOAD_CORE = 1
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something that is measured did not start, or did not answer as it must."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    address: str
    pid: int
    started_in_s: float

    def cpu_s(self) -> float:
        """User and system time so far, of the process and all below it."""
        ticks = 0
        for pid in _tree(self.pid):
            # The command's name may hold blanks; the numbers start after its bracket.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks * _TICK_S

    def crypto_s(self) -> float:
        """Time so far in the keyring's own calls, as our service counts it; 0 of any other."""
        if not self.name.startswith("svc-passport"):
            return 0.0
        told = self.ask("GET", "/metrics").decode().splitlines()
        return sum(float(line.split()[-1]) for line in told if line.startswith("kms_op_latency_seconds_sum"))

    def rss_mib(self) -> float:
        """Resident memory, of the process and all below it."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _tree(self.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of a 2xx answer.

        Raises:
            BenchError: another status.
        """
        return asking(self, [(method, path, body)])[0]


def asking(server: Server, requests: Sequence[tuple[str, str, bytes | None]]) -> list[bytes]:
    """Ask many times over one connection. See ``Server.ask``."""
    connection = HTTPConnection(server.address, timeout=30)
    answers = []
    try:
        for method, path, body in requests:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = response.read()
            if response.status // 100 != 2:
                raise BenchError(f"{server.name}: {method} {path} answers {response.status} {answer[:200]!r}")
            answers.append(answer)
    finally:
        connection.close()
    return answers


@contextmanager
def running(
    name: str,
    argv: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    core: int | None = SERVER_CORE,
) -> Iterator[Server]:
    """Start ``argv`` on one core (``None``: on all); wait until it prints its address; end it at the close.

    The environment is closed: ``PATH``, an own ``HOME``, and ``environ``. Its stderr goes to a file.

    Raises:
        BenchError: no address within 60 s.
    """
    pinned = list(argv) if core is None else ["taskset", "-c", str(core), *argv]
    with tempfile.TemporaryDirectory(prefix="bench-") as home, (Path(home) / "stderr").open("w+b") as stderr:
        closed = {"PATH": os.environ["PATH"], "HOME": home, **(environ or {})}
        began = time.monotonic()
        with subprocess.Popen(pinned, env=closed, stdout=subprocess.PIPE, stderr=stderr) as process:
            try:
                address = _address(process)
                if address is None:
                    stderr.seek(0)
                    raise BenchError(
                        f"{name} does not start: {stderr.read()[-2000:].decode(errors='replace')}"
                    )
                yield Server(name, address, process.pid, time.monotonic() - began)
            finally:
                _stop(process)


@contextmanager
def passport(
    program: Path, *, core: int | None = SERVER_CORE, name: str = "svc-passport", **settings: str | int
) -> Iterator[Server]:
    """Start our service in the development profile; ``settings`` are ``SECTION__KEY=value``."""
    environ = {
        "PASSPORT_SERVER__BIND": "127.0.0.1:0",
        "PASSPORT_SERVER__ADMIN_BIND": "127.0.0.1:0",
        **{f"PASSPORT_{key}": str(value) for key, value in settings.items()},
    }
    with running(name, [str(program), "serve", "--dev"], environ=environ, core=core) as server:
        yield server


def init(program: Path, store: Path) -> None:
    """Create a store and its seal key with `passport init`.

    Raises:
        BenchError: it was refused.
    """
    store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    closed = {
        "PATH": os.environ["PATH"],
        "HOME": str(store.parent),
        "PASSPORT_KEYS__STORE": f"sqlite:{store}",
    }
    made = subprocess.run([str(program), "init"], env=closed, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BenchError(f"passport init: {made.stderr[-2000:]}")


@contextmanager
def bare(*, core: int | None = SERVER_CORE) -> Iterator[Server]:
    """Start the bare ASGI app."""
    with running("bare", [sys.executable, str(ROOT / "bench/rivals/bare.py")], core=core) as server:
        yield server


@contextmanager
def axum(key_set: bytes, *, core: int | None = SERVER_CORE) -> Iterator[Server | None]:
    """Build and start the Rust rival with our service's key set; ``None``, said aloud, without cargo."""
    program = built(RIVAL, "rival")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        jwks = Path(home) / "jwks.json"
        jwks.write_bytes(key_set)
        with running("axum", [str(program), str(jwks)], core=core) as server:
            yield server


def built(crate: Path, program: str) -> Path | None:
    """Build a crate and return its program; ``None``, said aloud, without cargo."""
    name, cargo = crate.relative_to(ROOT), shutil.which("cargo")
    if cargo is None:
        note(f"{name} is not measured: there is no cargo on the PATH")
        return None
    note(f"building {name} ...")
    subprocess.run([cargo, "build", "--release", "--locked", "--quiet"], cwd=crate, check=True)
    return crate / "target/release" / program


def core_s(core: int = SERVER_CORE) -> float:
    """Time that a core has spent so far on all processes, and that the host took from it."""
    line = Path("/proc/stat").read_text().splitlines()[1 + core].split()
    assert line[0] == f"cpu{core}"
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, line[1:9])
    return (user + nice + system + steal) * _TICK_S


def note(words: str) -> None:
    """Words for people, beside the tables."""
    print(f"bench: {words}", file=sys.stderr, flush=True)


def _address(process: subprocess.Popen[bytes]) -> str | None:
    """Return what follows `http://` in the first line, or None when the process ends or dawdles."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline().decode() if ready else ""
    return line.partition("listening on http://")[2].strip() or None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end; after a while, make it and its children."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        note(f"process {process.pid} does not end at SIGTERM")
        for pid in reversed(_tree(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tree(pid: int) -> list[int]:
    """Return the process and all below it that still live."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except FileNotFoundError:
        return []
    return [pid, *(below for child in children for below in _tree(child))]
