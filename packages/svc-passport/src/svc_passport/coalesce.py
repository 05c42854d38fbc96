"""Verifications that arrive in one turn of the event loop go to ``verify_many`` together.

A lone one is checked at once, where it stands. Otherwise a turn's asks wait for its end (some hundred
microseconds: shorter than any timer of the loop), or until ``target_batch`` of them are pending. Large
batches go to a thread: the engine lets go of the GIL.

Before anything is checked, the keyring is brought up to date if another worker has changed it; afterwards a
kid that nobody knows makes it look at the store once.
"""

import asyncio
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ron_kms import Keyring, KmsError
from svc_passport.errors import FAULT, Reason, Refused
from svc_passport.rules import Rules
from svc_passport.telemetry import BATCH, Telemetry
from svc_passport.verifier import Ask, Verdict, verify_many

INLINE_MAX: Final = 64
"""Asks checked on the event loop. More would keep others waiting for longer than a thread costs."""

WAIT_S_MAX: Final = 1.0
"""How long a request over the concurrency limit waits for a place."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How asks are gathered."""

    target_batch: int  # pending asks that are not kept waiting for more
    max_batch: int  # asks in one call of the engine
    together: bool  # whether to gather at all


class Coalescer:
    """The asynchronous way to ``verify_many``, for all requests of one worker.

    Args:
        is_lone: Tells whether the request that asks is the only one under way.
    """

    def __init__(
        self,
        keyring: Keyring,
        rules: Rules,
        gathering: Gathering,
        telemetry: Telemetry,
        is_lone: Callable[[], bool],
    ) -> None:
        self._keyring = keyring
        self._rules = rules
        self._gathering = gathering
        self._telemetry = telemetry
        self._is_lone = is_lone
        self._pending: list[Ask] = []
        self._waiting: list[tuple[int, Future[list[Verdict]]]] = []
        self._loop: asyncio.AbstractEventLoop
        self._looking: Future[bool] | None = None

    async def verify(self, asks: list[Ask]) -> list[Verdict]:
        """Return a verdict for each ask, in order.

        Raises:
            StoreBusy, StoreRefused: Another worker has changed the store, and it cannot be read.
        """
        if not self._keyring.is_current():
            await asyncio.to_thread(self._keyring.catch_up)
        if len(asks) > INLINE_MAX:
            verdicts = await asyncio.to_thread(self._check, asks)
        elif not self._gathering.together or self._is_lone():
            verdicts = self._check(asks)
        else:
            verdicts = await self._gathered(asks)
        if _UNKNOWN in verdicts and (self._looking or self._keyring.may_look_again()):
            await self._look_again(asks, verdicts)
        return verdicts

    async def _look_again(self, asks: list[Ask], verdicts: list[Verdict]) -> None:
        """Replace the verdicts of kids that nobody knew, if the store knows them by now.

        Whoever comes while the keyring looks waits for what it finds.
        """
        if self._looking is None:
            self._looking = asyncio.ensure_future(asyncio.to_thread(self._keyring.look_again))
            self._looking.add_done_callback(self._looked)
        with suppress(KmsError):  # then they stay unknown, and the answer says that a retry may help
            await asyncio.shield(self._looking)
        unknown = [i for i, verdict in enumerate(verdicts) if verdict == _UNKNOWN]
        again = await asyncio.to_thread(self._check, [asks[i] for i in unknown])
        for i, verdict in zip(unknown, again, strict=True):
            verdicts[i] = verdict

    def _looked(self, look: Future[bool]) -> None:
        self._looking = None
        if not look.cancelled():
            look.exception()  # told to those who waited, if any still did

    def _gathered(self, asks: list[Ask]) -> Future[list[Verdict]]:
        """Leave ``asks`` for the end of this turn."""
        if not self._waiting:
            # Once a turn: before Python 3.12 it asks the system for the process's id, 3 µs here.
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._flush)
        future: Future[list[Verdict]] = self._loop.create_future()
        self._pending += asks
        self._waiting.append((len(asks), future))
        if len(self._pending) >= self._gathering.target_batch:
            self._flush()
        return future

    def _flush(self) -> None:
        """Check what is pending, and give every request its part."""
        asks, waiting = self._pending, self._waiting
        self._pending, self._waiting = [], []
        if not waiting:
            return
        try:
            verdicts = self._check(asks)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, whatever it is
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        start = 0
        for length, future in waiting:
            if not future.done():
                future.set_result(verdicts[start : start + length])
            start += length

    def _check(self, asks: Sequence[Ask]) -> list[Verdict]:
        self._telemetry.observe(BATCH, _BATCH_PLACE, len(asks))
        now_s, step = int(time.time()), self._gathering.max_batch
        verdicts: list[Verdict] = []
        for start in range(0, len(asks), step):
            verdicts += verify_many(asks[start : start + step], self._keyring, self._rules, now_s)
        return verdicts


class Gate:
    """So many at once, four times as many waiting for a second at most, and no more.

    Args:
        places: How many at once.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Future[None]] = deque()
        self._waiting_max = 4 * places

    async def enter(self) -> None:
        """Take a place; whoever does leaves it again.

        Raises:
            Refused: ``OVERLOADED``.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait()

    def leave(self) -> None:
        """Give the place to the next who waits."""
        while self._waiting:
            successor = self._waiting.popleft()
            if not successor.done():
                successor.set_result(None)
                return
        self._free += 1

    async def _wait(self) -> None:
        if len(self._waiting) >= self._waiting_max:
            raise Refused(Reason.OVERLOADED, _RETRY_AFTER_MS)
        loop = asyncio.get_running_loop()
        turn: Future[None] = loop.create_future()
        self._waiting.append(turn)
        patience = loop.call_later(WAIT_S_MAX, _give_up, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place came just as its receiver left
            raise
        finally:
            patience.cancel()
            with suppress(ValueError):
                self._waiting.remove(turn)


def _give_up(turn: Future[None]) -> None:
    if not turn.done():
        turn.set_exception(Refused(Reason.OVERLOADED, _RETRY_AFTER_MS))


_RETRY_AFTER_MS: Final = 1000
_UNKNOWN: Final = FAULT[Reason.UNKNOWN_KID]
_BATCH_PLACE: Final = BATCH.place()
