"""One worker: two listeners on one event loop, until it is told to end."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
import uvloop

from ron_kms import Generations, KmsError
from svc_passport.bootstrap import build
from svc_passport.config import Config
from svc_passport.http.app import App
from svc_passport.log import Forward, Log
from svc_passport.serve.protocol import Protocol
from svc_passport.telemetry import Telemetry

STORE_LOOK_EVERY_S: Final = 0.5
"""How often the store is looked at for what other programs wrote: they are followed within one second."""

HURRY: Final = signal.SIGUSR1
"""How a supervisor tells its workers to end without waiting."""

KEEP_ALIVE_S: Final = 75
"""How long an idle connection is kept: longer than proxies in front keep theirs."""


GARBAGE_AFTER: Final = 10_000
"""Containers that live at once before the collector looks for cycles among them: some hundred requests'."""


class Worker:
    """Serves both planes on one event loop.

    Args:
        all_ready: Tells whether every worker of the service has both its listeners.
        ready: Called with True when this one has, and with False when it begins to end.

    Raises:
        StoreRefused, StoreBusy, AlgUnavailable: As for ``bootstrap.open_keyring``.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        telemetry: Telemetry,
        generations: Generations,
        *,
        all_ready: Callable[[], bool],
        ready: Callable[[bool], None],
    ) -> None:
        self._config = config
        self._log = log
        self._all_ready = all_ready
        self._ready = ready
        self._ending = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._store_trouble: str | None = None
        service = build(config, log, telemetry, generations, is_lone=self._is_lone, missing=self._missing)
        self._keyring = service.keyring
        self.engine = service.keyring.engine.name
        self._servers = [_Server(app, config) for app in (service.public, service.admin)]

    def run(self, sockets: Sequence[socket.socket], *, parent: int | None = None) -> None:
        """Serve until SIGTERM or SIGINT, then finish what is in flight.

        Args:
            sockets: The public plane's and the admin plane's, listening.
            parent: A file descriptor that becomes readable when the supervisor is gone.
        """
        _hand_over_library_logs(self._log)
        gc.collect()
        gc.freeze()  # what is loaded stays; from here on only requests make garbage,
        gc.set_threshold(GARBAGE_AFTER)  # most of which goes by itself
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(sockets, parent))

    async def _serve(self, sockets: Sequence[socket.socket], parent: int | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # A signal to a whole process group reaches a worker twice, the second time by its supervisor.
            loop.add_signal_handler(number, self._end if parent is None else self._ending.set)
        loop.add_signal_handler(HURRY, self._hurry)
        if parent is not None:
            loop.add_reader(parent, self._orphaned, parent)
        serving = [asyncio.create_task(s.serve([own])) for s, own in zip(self._servers, sockets, strict=True)]
        await asyncio.gather(*(server.listening.wait() for server in self._servers))
        following = asyncio.create_task(self._follow_store())
        self._ready(True)
        await self._ending.wait()
        self._ready(False)
        self._log("info", "draining")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurrying.wait(), self._config.server.drain_delay_s)
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*serving)
        following.cancel()

    def _orphaned(self, parent: int) -> None:
        """Begin to end: the supervisor is gone, and its descriptor stays readable for ever."""
        asyncio.get_running_loop().remove_reader(parent)
        self._ending.set()

    def _end(self) -> None:
        """Begin to end; the second time, end without waiting."""
        if self._ending.is_set():
            self._hurry()
        self._ending.set()

    def _hurry(self) -> None:
        self._ending.set()
        self._hurrying.set()
        for server in self._servers:
            server.force_exit = True

    def _is_lone(self) -> bool:
        public, admin = self._servers
        return len(public.server_state.tasks) + len(admin.server_state.tasks) <= 1

    def _missing(self) -> list[str]:
        """Return what is missing before the service is ready."""
        told = []
        if self._ending.is_set():
            told.append("draining")
        elif not self._all_ready():
            told.append("workers")
        if self._store_trouble:
            told.append("store")
        return told

    async def _follow_store(self) -> None:
        while True:
            await asyncio.sleep(STORE_LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self._keyring.refresh)
                trouble = None
            except KmsError as error:
                trouble = str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may do
                trouble = f"{type(error).__name__}, a fault of this program"
            if trouble != self._store_trouble:
                self._log("error" if trouble else "info", "store", trouble=trouble or "none any more")
            self._store_trouble = trouble


class _Server(uvicorn.Server):
    """uvicorn's server, of which there are two in a process: the worker has the signals."""

    def __init__(self, app: App, config: Config) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=config.server.drain_timeout_s,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See ``uvicorn.Server``."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _hand_over_library_logs(log: Log) -> None:
    root = logging.getLogger()
    root.handlers = [Forward(log)]
    root.setLevel(logging.WARNING)
