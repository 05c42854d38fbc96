"""Asks of one turn are checked together, a lone one at once; whom the gate keeps out waits for a second."""

import asyncio
import selectors
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minted import RULES, Mint, b64

from ron_kms import (
    Engine,
    Generations,
    Item,
    Keyring,
    KeyStore,
    Kid,
    Policy,
    Secret,
    StoreBusy,
    VerifyingKey,
    create,
)
from ron_kms.engines import choose
from ron_kms.engines.sodium import SodiumEngine
from ron_kms.stores import Idempotency, SealedRing, Stored, open_store
from svc_passport.carriers import Carrier
from svc_passport.coalesce import INLINE_MAX, Coalescer, Gate, Gathering
from svc_passport.errors import FAULT, VERDICT, Reason, Refused
from svc_passport.rules import Expected
from svc_passport.telemetry import BATCH, Telemetry
from svc_passport.verifier import Ask, Verdict, Verified, verify_many

Answer = TypeVar("Answer")


class Recording(SodiumEngine):
    """An engine that notes how many it checked together, and where. See ``Engine``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name
        self.batches: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.trouble: Exception | None = None

    def load(self, public_key: bytes) -> VerifyingKey:
        return self._engine.load(public_key)

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        self.batches.append(len(items))
        self.threads.add(threading.current_thread())
        if self.trouble:
            raise self.trouble
        return self._engine.verify_many(items)


class Watched:
    """A store that counts how often it is read, and can be in trouble. See ``KeyStore``."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.loads = 0
        self.pause_s = 0.0
        self.trouble: Exception | None = None

    def load(self) -> Stored:
        self.loads += 1
        time.sleep(self.pause_s)
        if self.trouble:
            raise self.trouble
        return self._store.load()

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        self._store.replace(expected_generation, ring, idempotency)

    def recall(self, key: str) -> bytes | None:
        return self._store.recall(key)


ENGINE = choose("auto")
SEAL_KEY = bytes(32)
POLICY = Policy(grace_ms=86_580_000, publish_ahead_ms=0)


class Bench:
    """A coalescer with everything around it in sight."""

    def __init__(
        self,
        *,
        lone: bool = False,
        target_batch: int = 64,
        max_batch: int = 256,
        together: bool = True,
    ) -> None:
        self.engine = Recording(ENGINE)
        memory = open_store("memory:")
        create(memory, Secret(SEAL_KEY), "default")
        self.store = Watched(memory)
        places = array("Q", [0, 0])
        self.keyring = Keyring(
            self.store, self.engine, Secret(SEAL_KEY), POLICY, generations=Generations(places, 0)
        )
        self.beside = Keyring(memory, ENGINE, Secret(SEAL_KEY), POLICY, generations=Generations(places, 1))
        self.stranger = Keyring(memory, ENGINE, Secret(SEAL_KEY), POLICY)
        self.mint = Mint(keyring=self.keyring, now_s=int(time.time()))
        self.telemetry = Telemetry()
        gathering = Gathering(target_batch, max_batch, together)
        self.coalescer = Coalescer(self.keyring, RULES, gathering, self.telemetry, lambda: lone)
        self.store.loads = 0

    def ask(self, **claims: Any) -> Ask:
        return Ask(self.mint.compact_passport(**claims), Expected())

    async def verify(self, *asks: Ask) -> list[Verdict]:
        return await self.coalescer.verify(list(asks))

    @property
    def observed(self) -> tuple[int, int]:
        """How many batches there were, and how many asks in all of them."""
        series = self.telemetry.counts[BATCH.place() :][: BATCH.width]
        return int(sum(series[:-1])), int(series[-1])


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(coroutine)


def at_once(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine returns without ever waiting."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    coroutine.close()
    raise AssertionError("it waits")


def passes(verdict: Verdict) -> bool:
    return isinstance(verdict, Verified)


# Together, or at once.


def test_a_lone_ask_is_checked_where_it_stands() -> None:
    bench = Bench(lone=True)
    (verdict,) = at_once(bench.verify(bench.ask()))
    assert passes(verdict)
    assert bench.engine.batches == [1]
    assert bench.observed == (1, 1)


def test_asks_of_one_turn_are_checked_together() -> None:
    bench = Bench()

    async def turn() -> list[list[Verdict]]:
        asks = [bench.ask(jti=f"{i:021}A") for i in range(10)]
        return await asyncio.gather(*(bench.verify(ask) for ask in asks))

    verdicts = run(turn())
    assert all(passes(verdict) for (verdict,) in verdicts)
    assert bench.engine.batches == [10]
    assert bench.observed == (1, 10)


def test_everybody_gets_their_own_verdicts() -> None:
    bench = Bench()
    asks = [bench.ask(sub=str(i)) if i % 3 else bench.ask(exp=0) for i in range(20)]
    alone = verify_many(asks, bench.keyring, RULES, bench.mint.now_s)
    bench.engine.batches.clear()
    lengths = [1, 4, 0, 2, 7, 1, 5]

    async def turn() -> list[list[Verdict]]:
        starts = [sum(lengths[:i]) for i in range(len(lengths))]
        parts = [asks[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        return await asyncio.gather(*(bench.verify(*part) for part in parts))

    verdicts = run(turn())
    assert [len(part) for part in verdicts] == lengths
    assert [verdict for part in verdicts for verdict in part] == alone
    assert bench.engine.batches == [20]


def test_the_next_turn_is_another_batch() -> None:
    bench = Bench()

    async def turns() -> None:
        for together in (3, 2):
            await asyncio.gather(*(bench.verify(bench.ask()) for _ in range(together)))

    run(turns())
    assert bench.engine.batches == [3, 2]
    assert bench.observed == (2, 5)


def test_an_ask_waits_for_this_turns_end_and_no_longer() -> None:
    bench = Bench()

    async def turn() -> None:
        first = asyncio.create_task(bench.verify(bench.ask()))
        await asyncio.sleep(0)  # it has asked
        second = asyncio.create_task(bench.verify(bench.ask()))
        await asyncio.sleep(0)  # the turn in which it asked has ended
        assert bench.engine.batches
        await asyncio.gather(first, second)

    run(turn())
    assert sum(bench.engine.batches) == 2


@pytest.mark.parametrize(("asks", "batches"), [(3, [3]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (11, [4, 4, 3])])
def test_nobody_waits_once_the_target_is_reached(asks: int, batches: list[int]) -> None:
    bench = Bench(target_batch=4)

    async def turn() -> None:
        await asyncio.gather(*(bench.verify(bench.ask()) for _ in range(asks)))

    run(turn())
    assert bench.engine.batches == batches
    assert bench.observed == (len(batches), asks)


def test_the_target_counts_asks_not_requests() -> None:
    bench = Bench(target_batch=4)

    async def turn() -> None:
        await asyncio.gather(*(bench.verify(bench.ask(), bench.ask(), bench.ask()) for _ in range(3)))

    run(turn())
    assert bench.engine.batches == [6, 3]


def test_switched_off_each_is_checked_by_itself_and_at_once() -> None:
    bench = Bench(together=False)
    for _ in range(3):
        at_once(bench.verify(bench.ask()))
    assert bench.engine.batches == [1, 1, 1]
    assert bench.observed == (3, 3)


@pytest.mark.parametrize(("asks", "elsewhere"), [(INLINE_MAX, False), (INLINE_MAX + 1, True)])
@pytest.mark.parametrize("lone", [False, True])
def test_large_batches_leave_the_event_loop_alone(asks: int, elsewhere: bool, lone: bool) -> None:
    bench = Bench(lone=lone)
    verdicts = run(bench.verify(*[bench.ask()] * asks))
    assert [passes(verdict) for verdict in verdicts] == [True] * asks
    assert (bench.engine.threads != {threading.main_thread()}) is elsewhere


@pytest.mark.parametrize(("asks", "batches"), [(50, [50]), (51, [50, 1]), (130, [50, 50, 30])])
def test_the_engine_gets_so_many_at_most(asks: int, batches: list[int]) -> None:
    bench = Bench(max_batch=50)
    several = [bench.ask(sub=str(i)) if i % 7 else bench.ask(iss="x") for i in range(asks)]
    alone = verify_many(several, bench.keyring, RULES, bench.mint.now_s)
    bench.engine.batches.clear()
    assert run(bench.verify(*several)) == alone
    assert bench.engine.batches == batches
    assert bench.observed == (1, asks)


def test_no_asks_have_no_verdicts() -> None:
    bench = Bench()
    assert run(bench.verify()) == []
    assert bench.engine.batches == []


sorts = st.sampled_from(["good", "expired", "forged", "malformed", "unknown"])


@given(st.lists(st.lists(sorts, max_size=5), max_size=6), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_however_they_are_gathered_the_verdicts_are_the_same(
    requests: list[list[str]], target_batch: int, max_batch: int, together: bool
) -> None:
    bench = Bench(target_batch=target_batch, max_batch=max_batch, together=together)
    mint = bench.mint
    carriers: dict[str, Carrier] = {
        "good": mint.passport(),
        "expired": mint.compact_passport(exp=0, iat=0),
        "forged": mint.envelope(mint.message(), sig_b64=b64(bytes(64))),
        "malformed": mint.envelope(b"{}"),
        "unknown": mint.envelope(mint.message(), kid="ed25519/default/v99"),
    }
    asks = [[Ask(carriers[sort], Expected()) for sort in request] for request in requests]
    assert bench.keyring.look_again()  # once a second; nobody looks in this test

    async def turn() -> list[list[Verdict]]:
        return await asyncio.gather(*(bench.verify(*request) for request in asks))

    assert run(turn()) == [verify_many(request, bench.keyring, RULES, mint.now_s) for request in asks]


# When something goes wrong.


def test_an_exception_reaches_everybody_who_waits_and_nobody_else() -> None:
    bench = Bench()

    async def turns() -> None:
        bench.engine.trouble = RuntimeError("the engine fails")
        together = await asyncio.gather(
            *(bench.verify(bench.ask()) for _ in range(3)), return_exceptions=True
        )
        assert [str(error) for error in together] == ["the engine fails"] * 3
        bench.engine.trouble = None
        (verdict,) = await bench.verify(bench.ask())
        assert passes(verdict)

    run(turns())
    assert bench.engine.batches == [3, 1]


@pytest.mark.parametrize("lone", [True, False])
def test_an_exception_alone_is_its_own(lone: bool) -> None:
    bench = Bench(lone=lone)
    bench.engine.trouble = RuntimeError("the engine fails")
    with pytest.raises(RuntimeError):
        run(bench.verify(bench.ask()))


@pytest.mark.parametrize("leaving", [[0], [1], [3], [0, 1], [0, 1, 2, 3]])
def test_who_leaves_early_disturbs_nobody(leaving: list[int]) -> None:
    bench = Bench()

    async def turn() -> None:
        tasks = [asyncio.create_task(bench.verify(bench.ask(sub=str(i)))) for i in range(4)]
        asyncio.get_running_loop().call_soon(lambda: [tasks[i].cancel() for i in leaving])
        done = await asyncio.gather(*tasks, return_exceptions=True)
        for i, answer in enumerate(done):
            if i in leaving:
                assert isinstance(answer, asyncio.CancelledError)
            else:
                assert not isinstance(answer, BaseException)
                (verdict,) = answer
                assert isinstance(verdict, Verified)
                assert verdict.claims.sub == str(i)
        (verdict,) = await bench.verify(bench.ask())
        assert passes(verdict)

    run(turn())


# Keys that others change.


def fresh_token(bench: Bench, rotations: int) -> Ask:
    """A token of a version that the bench's keyring has never seen, made through another program."""
    for _ in range(rotations):
        bench.stranger.rotate(lambda _: b"")
    mint = Mint(keyring=bench.stranger, now_s=bench.mint.now_s)
    return Ask(mint.compact_passport(), Expected())


@pytest.mark.parametrize("lone", [True, False])
def test_a_kid_that_nobody_knows_is_looked_for_in_the_store_and_asked_again(lone: bool) -> None:
    bench = Bench(lone=lone)
    known, unknown = bench.ask(), fresh_token(bench, rotations=2)
    assert [passes(verdict) for verdict in run(bench.verify(known, unknown, known))] == [True, True, True]
    assert bench.store.loads == 1


def test_the_key_that_will_sign_next_is_known_without_looking() -> None:
    bench = Bench(lone=True)
    (verdict,) = at_once(bench.verify(fresh_token(bench, rotations=1)))
    assert passes(verdict)
    assert bench.store.loads == 0


def test_strangers_kids_make_it_look_once_a_second() -> None:
    bench = Bench(lone=True)
    stranger = Ask(bench.mint.envelope(b"{}", kid="ed25519/default/v99"), Expected())

    async def ask_often() -> None:
        for _ in range(20):
            assert await bench.verify(stranger) == [FAULT[Reason.UNKNOWN_KID]]
        together = await asyncio.gather(*(bench.verify(stranger) for _ in range(20)))
        assert together == [[FAULT[Reason.UNKNOWN_KID]]] * 20

    run(ask_often())
    assert bench.store.loads == 1
    late = fresh_token(bench, rotations=2)
    assert run(bench.verify(late)) == [FAULT[Reason.UNKNOWN_KID]]
    time.sleep(1.01)
    assert passes(run(bench.verify(late))[0])
    assert bench.store.loads == 2


def test_who_asks_while_it_looks_waits_for_what_it_finds() -> None:
    bench = Bench(lone=True)
    late = fresh_token(bench, rotations=2)
    bench.store.pause_s = 0.1

    async def scene() -> list[list[Verdict]]:
        first = asyncio.create_task(bench.verify(late))
        await asyncio.sleep(0.03)
        assert bench.store.loads == 1
        return await asyncio.gather(first, *(bench.verify(late) for _ in range(5)))

    assert [passes(verdict) for (verdict,) in run(scene())] == [True] * 6
    assert bench.store.loads == 1


def test_while_the_store_cannot_be_read_an_unknown_kid_stays_unknown() -> None:
    bench = Bench(lone=True)
    late = fresh_token(bench, rotations=2)
    bench.store.trouble = StoreBusy("locked")
    known = bench.ask()
    first, second = run(bench.verify(late, known))
    assert first == FAULT[Reason.UNKNOWN_KID]
    assert passes(second)


@pytest.mark.parametrize("lone", [True, False])
def test_what_another_worker_revoked_is_revoked_here(lone: bool) -> None:
    bench = Bench(lone=lone)
    token = bench.ask()
    assert passes(run(bench.verify(token))[0])
    bench.beside.revoke(Kid("default", 1), lambda _: b"")
    assert run(bench.verify(token)) == [VERDICT[Reason.REVOKED]]
    assert bench.store.loads == 1


def test_what_another_worker_rotated_verifies_here() -> None:
    bench = Bench(lone=True)
    for _ in range(3):
        bench.beside.rotate(lambda _: b"")
    beside = Mint(keyring=bench.beside, now_s=bench.mint.now_s)
    assert passes(run(bench.verify(Ask(beside.passport(), Expected())))[0])


def test_a_change_that_cannot_be_read_is_no_verdict() -> None:
    bench = Bench()
    token = bench.ask()
    bench.beside.revoke(Kid("default", 1), lambda _: b"")
    bench.store.trouble = StoreBusy("locked")
    with pytest.raises(StoreBusy):
        run(bench.verify(token))
    bench.store.trouble = None
    assert run(bench.verify(token)) == [VERDICT[Reason.REVOKED]]


# The gate, on a clock that never makes anybody wait.


class Skipping(selectors.SelectSelector):
    """Instead of waiting for a timer, moves the clock on to it."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout else timeout)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop on that clock."""

    def __init__(self) -> None:
        self._skipping = Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


def on_the_clock(scene: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        await scene()

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(play())


def now_s() -> float:
    return asyncio.get_running_loop().time()


Waiter = asyncio.Task[tuple[str, float]]


async def try_to_enter(gate: Gate) -> tuple[str, float]:
    """Say what came of it, and when."""
    told = "in"
    try:
        await gate.enter()
    except Refused as refused:
        told = refused.reason.value
    return told, round(now_s(), 3)


async def queued(gate: Gate, many: int) -> list[Waiter]:
    """So many who try, in this order, until each waits or has its answer."""
    waiters = [asyncio.create_task(try_to_enter(gate)) for _ in range(many)]
    await asyncio.sleep(0)
    return waiters


async def answers(waiters: list[Waiter]) -> list[tuple[str, float]]:
    return list(await asyncio.gather(*waiters))


def test_so_many_enter_without_waiting() -> None:
    gate = Gate(3)
    for _ in range(3):
        at_once(gate.enter())
    with pytest.raises(AssertionError, match="waits"):
        asyncio.run(held_at(gate))


async def held_at(gate: Gate) -> None:
    at_once(gate.enter())


def test_a_place_that_is_left_is_free_again() -> None:
    gate = Gate(1)
    for _ in range(3):
        at_once(gate.enter())
        gate.leave()


def test_whom_the_gate_refuses_it_tells_when_to_come_again() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        await queued(gate, 4)
        with pytest.raises(Refused) as refused:
            await gate.enter()
        assert (refused.value.reason, refused.value.retry_after_ms) == (Reason.OVERLOADED, 1000)

    on_the_clock(scene)


def test_who_waits_is_refused_after_a_second() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        first = await queued(gate, 1)
        await asyncio.sleep(0.4)
        second = await queued(gate, 1)
        assert await answers(first + second) == [("overloaded", 1.0), ("overloaded", 1.4)]

    on_the_clock(scene)


def test_who_waits_gets_the_place_in_time() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        waiters = await queued(gate, 1)
        await asyncio.sleep(0.999)
        gate.leave()
        assert await answers(waiters) == [("in", 0.999)]
        await asyncio.sleep(5)  # its patience ended with its wait

    on_the_clock(scene)


def test_places_go_from_hand_to_hand_in_order() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        waiters = await queued(gate, 3)
        arrived: list[int] = []
        for i, waiter in enumerate(waiters):
            waiter.add_done_callback(lambda _, i=i: arrived.append(i))  # type: ignore[misc]
        for turn in range(3):
            gate.leave()
            late = asyncio.create_task(try_to_enter(gate))  # who comes now does not push in
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert arrived == list(range(turn + 1))
            assert not late.done()
            late.cancel()
            await asyncio.sleep(0)

    on_the_clock(scene)


@pytest.mark.parametrize("places", [1, 3])
def test_four_times_as_many_wait_and_no_more(places: int) -> None:
    async def scene() -> None:
        gate = Gate(places)
        for _ in range(places):
            await gate.enter()
        waiters = await queued(gate, 4 * places + 2)
        await asyncio.sleep(0.5)
        assert [waiter.done() for waiter in waiters] == [False] * (4 * places) + [True] * 2
        assert await answers(waiters[-2:]) == [("overloaded", 0.0)] * 2
        for _ in range(4 * places):
            gate.leave()
        assert await answers(waiters[:-2]) == [("in", 0.5)] * (4 * places)

    on_the_clock(scene)


def test_who_gave_up_no_longer_stands_in_the_queue() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        assert await answers(await queued(gate, 4)) == [("overloaded", 1.0)] * 4
        waiters = await queued(gate, 4)
        await asyncio.sleep(0.5)
        gate.leave()
        assert await answers(waiters) == [("in", 1.5)] + [("overloaded", 2.0)] * 3

    on_the_clock(scene)


def test_who_has_left_no_longer_stands_in_the_queue() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        for waiter in await queued(gate, 4):
            waiter.cancel()
        await asyncio.sleep(0)
        waiters = await queued(gate, 1)
        await asyncio.sleep(0.5)
        gate.leave()
        assert await answers(waiters) == [("in", 0.5)]

    on_the_clock(scene)


def test_a_place_is_not_lost_on_somebody_who_has_left() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        first, second = await queued(gate, 2)
        first.cancel()
        await asyncio.sleep(0)
        gate.leave()
        assert await answers([second]) == [("in", 0.0)]

    on_the_clock(scene)


def test_a_place_is_not_lost_on_somebody_who_leaves_as_it_comes() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        first, second = await queued(gate, 2)
        gate.leave()
        first.cancel()  # it has the place, and has not yet heard of it
        assert await answers([second]) == [("in", 0.0)]
        assert first.cancelled()
        gate.leave()
        at_once(gate.enter())

    on_the_clock(scene)


def test_who_leaves_as_its_patience_ends_leaves_no_place_behind() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        (waiter,) = await queued(gate, 1)
        asyncio.get_running_loop().call_later(1, waiter.cancel)  # in the turn in which it is refused
        await asyncio.sleep(2)
        assert waiter.cancelled()
        with pytest.raises(AssertionError, match="it waits"):
            at_once(gate.enter())

    on_the_clock(scene)


def test_a_place_is_not_lost_on_somebody_whose_patience_ends() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter()
        waiters = await queued(gate, 2)
        await asyncio.sleep(1)
        gate.leave()
        told = await answers(waiters)
        assert {how for how, _ in told} <= {"in", "overloaded"}
        if told == [("overloaded", 1.0)] * 2:
            at_once(gate.enter())  # the place is free

    on_the_clock(scene)


steps = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "cancel", "wait"]), st.integers(0, 30)), max_size=40
)


@given(st.integers(1, 3), steps)
def test_there_are_never_more_inside_than_places_and_none_is_lost(
    places: int, story: list[tuple[str, int]]
) -> None:
    async def scene() -> None:
        gate, inside = Gate(places), 0
        guests: list[asyncio.Task[None]] = []
        doors: list[asyncio.Event] = []

        async def visit(door: asyncio.Event) -> None:
            nonlocal inside
            await gate.enter()
            inside += 1
            assert inside <= places
            try:
                await door.wait()
            finally:
                inside -= 1
                gate.leave()

        for what, which in story:
            match what:
                case "come":
                    doors.append(asyncio.Event())
                    guests.append(asyncio.create_task(visit(doors[-1])))
                case "leave" if doors:
                    doors[which % len(doors)].set()
                case "cancel" if guests:
                    guests[which % len(guests)].cancel()
                case "wait":
                    await asyncio.sleep(which / 20)
            if which % 2:
                await asyncio.sleep(0)
        for guest in guests:
            guest.cancel()
        for ending in await asyncio.gather(*guests, return_exceptions=True):
            assert ending is None or isinstance(ending, asyncio.CancelledError | Refused)
        for _ in range(places):
            at_once(gate.enter())

    on_the_clock(scene)
