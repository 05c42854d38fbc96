"""A passport service as its own process, started and ended by a test."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

PASSPORT = [sys.executable, "-m", "svc_passport"]
START_S = 30


class Running:
    """A service that listens.

    Attributes:
        url: The public plane.
        admin_url: The admin plane.
        log: The file that has its stderr.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log
        self.admin_url = f"http://{next(e['admin_bind'] for e in self.events() if e['event'] == 'start')}"

    def events(self) -> list[dict[str, Any]]:
        """Return what it has logged."""
        return [
            msgspec.json.decode(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")
        ]

    def client(self, **options: Any) -> httpx.Client:
        """Return a client of the public plane."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, **options)

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of a passport program: ours, free ports, and ``SECTION__KEY`` settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PASSPORT_")}
    free = {"PASSPORT_SERVER__BIND": "127.0.0.1:0", "PASSPORT_SERVER__ADMIN_BIND": "127.0.0.1:0"}
    return inherited | free | {f"PASSPORT_{name.upper()}": str(value) for name, value in settings.items()}


def passport(*args: str, env: Mapping[str, str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run(
        [*PASSPORT, *args], env=dict(env), input=stdin, capture_output=True, timeout=60, check=False
    )


@contextmanager
def running(*args: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run ``passport serve *args`` until the block ends, and end it."""
    with tempfile.TemporaryDirectory(prefix="passport-log-") as folder:
        log = Path(folder) / "stderr"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*PASSPORT, "serve", *args],
                env=dict(env or environment()),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        try:
            patience = threading.Timer(START_S, process.kill)
            patience.start()
            assert process.stdout is not None
            line = process.stdout.readline()
            patience.cancel()
            assert line.startswith("svc-passport: listening on "), f"{line!r}: {log.read_text()}"
            yield Running(process, line.split(" on ")[1].strip(), log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
