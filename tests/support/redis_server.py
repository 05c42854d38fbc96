"""A redis-server as its own process, started and ended by a test, on a socket in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_S = 30
TIMEOUT_S = 10
"""How long a client waits unless told: far longer than any answer takes, far shorter than for ever."""


class RedisServer:
    """A server that can be stopped, started again and frozen. It keeps a file only when it is told to.

    Attributes:
        socket: The path that it listens on, and nowhere else.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder: Final = folder
        self._options: Final = options
        self._clients: list[redis.Redis] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.socket: Final = str(folder / "redis.sock")  # short: a socket's path has 107 bytes

    def start(self) -> None:
        """Start it, with the file that it kept last if there is one, and return when it answers."""
        command = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", str(self._folder)]
        command += ["--save", "", "--logfile", str(self._folder / "log"), *self._options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        client, patience = self.client(), time.monotonic() + START_S
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                alive = self._process.poll() is None and time.monotonic() < patience
                assert alive, (self._folder / "log").read_text()
                time.sleep(0.002)
            else:
                return

    def stop(self) -> None:
        """Kill it: what it has not kept is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            Path(self.socket).unlink(missing_ok=True)
            self._process = None

    def restart(self) -> None:
        """Stop it and start it: another run id, and what it had kept."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept connections and answer nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:
        """Return a new client, which asks once, and is closed with the server."""
        asked: dict[str, Any] = {"socket_timeout": TIMEOUT_S, "retry": Retry(NoBackoff(), 0)} | options
        client = redis.Redis(unix_socket_path=self.socket, **asked)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """End it and its clients."""
        for client in self._clients:
            with suppress(redis.RedisError):
                client.close()
        self.stop()


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Run a server until the block ends, and leave nothing behind. Where there is none, skip the test.

    Args:
        options: Of redis-server, such as ``--maxmemory``, ``4mb``.
    """
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: scripts/need.sh redis-server")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder), *options)
        try:
            server.start()
            yield server
        finally:
            server.close()
