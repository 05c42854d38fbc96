"""Starting and ending the service: one worker in this process, or several in their own."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any, Final, cast

from ron_kms import Generations, KmsError
from svc_passport import __version__
from svc_passport.bootstrap import open_keyring
from svc_passport.config import Config
from svc_passport.core import leave_no_core
from svc_passport.log import Log
from svc_passport.serve.sockets import Addresses, CannotListen, Held, listening_beside
from svc_passport.serve.worker import HURRY, Worker
from svc_passport.telemetry import PLACES, Telemetry

RESPAWN_AFTER_S: Final = 1.0
"""How long a worker's place stays empty after it died, so that one that cannot start does not spin."""

KILL_AFTER_S: Final = 5.0
"""How much longer than its drain may take a worker has before it is killed."""


class WorkerFailed(Exception):
    """A worker ended before it was ready; its log says why."""


def serve(config: Config, announce: Callable[[Addresses], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        announce: Called once, when every worker has both its listeners.

    Raises:
        StoreRefused, StoreBusy, AlgUnavailable: The store or the engine is not to be used.
        CannotListen: An address is not to be had.
        WorkerFailed: One of several workers did not start.
    """
    leave_no_core()
    log = Log(config.log.level)
    with Held(config) as held:
        if config.server.workers == 1:
            _serve_alone(config, log, held, announce)
        else:
            # What is wrong with the store is said once, before there are workers.
            engine = open_keyring(config).engine.name
            _Several(config, log, engine, held.addresses, announce).run()


def _serve_alone(config: Config, log: Log, held: Held, announce: Callable[[Addresses], None]) -> None:
    def ready(is_ready: bool) -> None:
        if is_ready:
            _tell_start(config, log, held.addresses, worker.engine)
            announce(held.addresses)

    worker = Worker(config, log, Telemetry(), Generations(), all_ready=lambda: True, ready=ready)
    worker.run(held.sockets)


class _Shared:
    """What the workers of one service share in memory. Each writes only in its own place."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.ready: Any = RawArray("B", workers)
        self.generations: Any = RawArray("Q", workers)
        self.counts: Any = RawArray("d", workers * PLACES)

    def telemetry(self, mine: int) -> Telemetry:
        """Return the counts of all, to which worker ``mine`` adds."""
        flat = memoryview(self.counts).cast("B").cast("d")
        each = [flat[i * PLACES : (i + 1) * PLACES] for i in range(self.workers)]
        return Telemetry(cast("list[MutableSequence[float]]", each), mine)

    def generations_of(self, mine: int) -> Generations:
        """Return the generations that all have seen, of which worker ``mine`` writes its own."""
        places = memoryview(self.generations).cast("B").cast("Q")
        return Generations(cast("MutableSequence[int]", places), mine)


class _Several:
    """Several workers, and the one who starts, watches and ends them."""

    def __init__(
        self,
        config: Config,
        log: Log,
        engine: str,
        addresses: Addresses,
        announce: Callable[[Addresses], None],
    ) -> None:
        self._config = config
        self._log = log
        self._engine = engine
        self._addresses = addresses
        self._announce = announce
        self._shared = _Shared(config.server.workers)
        self._workers: list[SpawnProcess] = []
        self._ending = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._workers += [self._spawned(mine) for mine in range(self._config.server.workers)]
        try:
            self._wait_until_ready(self._workers)
            while not self._ending:
                self._watch(self._workers)
        finally:
            self._drain(self._workers)

    def _end(self, *_: object) -> None:
        """Begin to end; the second time, end without waiting."""
        if self._ending:
            for worker in self._workers:
                with suppress(ProcessLookupError):
                    os.kill(cast("int", worker.pid), HURRY)
        self._ending = True

    def _spawned(self, mine: int) -> SpawnProcess:
        worker = multiprocessing.get_context("spawn").Process(
            target=_work, args=(self._config, self._shared, self._addresses, mine), name=f"worker-{mine}"
        )
        worker.start()
        return worker

    def _wait_until_ready(self, workers: list[SpawnProcess]) -> None:
        while not all(self._shared.ready) and not self._ending:
            if any(not worker.is_alive() for worker in workers):
                raise WorkerFailed("a worker did not start")
            time.sleep(0.01)
        if not self._ending:
            _tell_start(self._config, self._log, self._addresses, self._engine)
            self._announce(self._addresses)

    def _watch(self, workers: list[SpawnProcess]) -> None:
        """Wait a moment, and put a new worker in the place of one that died."""
        connection.wait([worker.sentinel for worker in workers], timeout=0.2)
        for mine, worker in enumerate(workers):
            if not worker.is_alive() and not self._ending:
                self._shared.ready[mine] = 0
                self._log("error", "worker died", worker=mine, exitcode=worker.exitcode)
                time.sleep(RESPAWN_AFTER_S)
                workers[mine] = self._spawned(mine)

    def _drain(self, workers: list[SpawnProcess]) -> None:
        server = self._config.server
        until_s = time.monotonic() + server.drain_delay_s + server.drain_timeout_s + KILL_AFTER_S
        for worker in workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        for worker in workers:
            worker.join(max(0.0, until_s - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()


def _work(config: Config, shared: _Shared, addresses: Addresses, mine: int) -> None:
    """Run worker ``mine`` in this process."""
    leave_no_core()
    log = Log(config.log.level)
    parent = parent_process()

    def ready(is_ready: bool) -> None:
        shared.ready[mine] = is_ready

    try:
        worker = Worker(
            config,
            log,
            shared.telemetry(mine),
            shared.generations_of(mine),
            all_ready=lambda: all(shared.ready),
            ready=ready,
        )
        worker.run(listening_beside(addresses), parent=parent.sentinel if parent else None)
    except (KmsError, CannotListen) as error:
        log("error", "worker cannot start", worker=mine, reason=str(error))
        raise SystemExit(1) from None


def _tell_start(config: Config, log: Log, addresses: Addresses, engine: str) -> None:
    """Log what is in force. No line names an address as a URL but the one on stdout."""
    log(
        "info",
        "start",
        version=__version__,
        profile="development" if config.development else "default",
        bind=str(addresses.public),
        admin_bind=str(addresses.admin),
        workers=config.server.workers,
        engine=engine,
        store=config.keys.store,
        max_msg_bytes=config.limits.max_msg_bytes,
        max_batch=config.limits.max_batch,
        max_body_bytes=config.max_body_bytes(),
        max_batch_body_bytes=config.max_body_bytes(batch=True),
        verify_concurrency=config.limits.verify_concurrency,
        batch_concurrency=config.limits.batch_concurrency,
    )
    if not addresses.admin.is_loopback or (config.server.admin_public and not config.development):
        log(
            "warning",
            "admin plane open to others",
            without_capability=["/metrics", "/openapi.json", "/healthz", "/readyz", "/version"],
        )
    if config.development:
        log(
            "warning",
            "development profile",
            issue_and_admin="open to every program on this machine, without a capability",
            keys="in memory: they end with this process" if config.keys.store == "memory:" else "kept",
            admin_plane="also on the public address" if config.server.admin_public else "separate",
        )
