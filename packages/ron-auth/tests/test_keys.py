"""Whoever knows the keys: what its answers become, and what a cache may keep of them."""

import sys
import threading
from collections.abc import Callable, Iterator
from itertools import product
from random import Random
from typing import Any
from uuid import UUID

import pytest
from envelopes import (
    EPOCH,
    INSTANCE,
    KEY,
    ME,
    OTHER_INSTANCE,
    SENDER,
    Keys,
    OneKey,
    envelope,
    opened,
    sealed,
    signed,
    spoiled,
    verified,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import ron_auth
from ron_auth import BadTag, Crypto, KeyCache, KeyDeriver, Malformed, VerifyError

# Derivers.


class Answers:
    """A deriver with one answer to everything; an exception it raises."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    def derive_pair_key(self, _svc: str, _instance: UUID, _audience: str, _epoch: int, /) -> Any:
        return self.derive_origin_key(_svc, _instance, _epoch)


USES: list[Callable[[KeyDeriver], object]] = [
    lambda kd: ron_auth.sign_envelope(kd, SENDER, INSTANCE, EPOCH, envelope()),
    lambda kd: verified(signed(OneKey()), kd),
    lambda kd: ron_auth.seal(kd, envelope()),
    lambda kd: ron_auth.seal(kd, envelope(), audience=ME),
    lambda kd: opened(sealed(OneKey()), kd),
    lambda kd: opened(sealed(OneKey(), audience=ME), kd, audience=ME),
]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(KEY, None, id="32 bytes"),
        pytest.param(KEY[:31], Crypto, id="31 bytes"),
        pytest.param(KEY + b"\7", Crypto, id="33 bytes"),
        pytest.param(b"", Crypto, id="no bytes"),
        pytest.param(KEY * 2, Crypto, id="64 bytes"),
        pytest.param("7" * 32, Crypto, id="text"),
        pytest.param(bytearray(KEY), Crypto, id="a bytearray"),
        pytest.param(memoryview(KEY), Crypto, id="a memoryview"),
        pytest.param(list(KEY), Crypto, id="a list"),
        pytest.param(32, Crypto, id="a number"),
        pytest.param(None, Crypto, id="none"),
        pytest.param(LookupError("who?"), BadTag, id="LookupError"),
        pytest.param(KeyError(SENDER), BadTag, id="KeyError"),
        pytest.param(IndexError(), BadTag, id="IndexError"),
        pytest.param(ValueError(), Crypto, id="ValueError"),
        pytest.param(TypeError(), Crypto, id="TypeError"),
        pytest.param(OverflowError(), Crypto, id="OverflowError"),
        pytest.param(TimeoutError(), Crypto, id="TimeoutError"),
        pytest.param(MemoryError(), Crypto, id="MemoryError"),
        pytest.param(StopIteration(), Crypto, id="StopIteration"),
        pytest.param(Malformed("x"), Crypto, id="an error of ours"),
        pytest.param(BadTag(), Crypto, id="a verdict of ours"),
    ],
)
def test_a_deriver_gives_32_bytes_or_there_is_no_verdict(
    answer: object, error: type[VerifyError] | None
) -> None:
    derivers: list[KeyDeriver] = [Answers(answer), KeyCache(Answers(answer))]
    for use, kd in product(USES, derivers):
        if error is None:
            use(kd)
            continue
        with pytest.raises(VerifyError) as refusal:
            use(kd)
        assert type(refusal.value) is error
        assert refusal.value.origin is None
        if isinstance(answer, Exception):
            assert refusal.value.__cause__ is answer
        if isinstance(kd, KeyCache):
            assert len(kd) == 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit], ids=lambda stop: stop.__name__)
def test_a_deriver_that_is_told_to_stop_stops(stop: type[BaseException]) -> None:
    derivers: list[KeyDeriver] = [Answers(stop()), KeyCache(Answers(stop()))]
    for use, kd in product(USES, derivers):
        with pytest.raises(stop):
            use(kd)


class OriginOnly:
    """A deriver that knows no pairs."""

    def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> bytes:
        return KEY


def test_a_deriver_that_knows_no_pairs_has_no_verdict_on_them() -> None:
    for kd in (OriginOnly(), KeyCache(OriginOnly())):
        assert opened(sealed(kd), kd).origin_svc == SENDER
        with pytest.raises(Crypto):
            sealed(kd, audience=ME)
        with pytest.raises(Crypto):
            opened(sealed(OneKey(), audience=ME), kd, audience=ME)


def test_a_deriver_is_asked_by_the_senders_own_words() -> None:
    kd = Keys()
    verified(signed(), kd)
    opened(sealed(), kd)
    opened(sealed(audience=ME), kd, audience=ME)
    opened(sealed(audience=ME, epoch=EPOCH + 1), kd, audience=ME)
    assert kd.asked == [
        (SENDER, INSTANCE, None, EPOCH),
        (SENDER, INSTANCE, None, EPOCH),
        (SENDER, INSTANCE, ME, EPOCH),
        (SENDER, INSTANCE, ME, EPOCH + 1),
    ]


# The cache.


def test_a_kept_key_is_not_derived_again() -> None:
    kd = Keys()
    cache = KeyCache(kd)
    for _ in range(3):
        verified(signed(), cache)
        opened(sealed(), cache)
        opened(sealed(audience=ME), cache, audience=ME)
    assert len(kd.asked) == len(cache) == 2


def test_a_signers_own_key_is_kept() -> None:
    kd = Keys()
    cache = KeyCache(kd)
    tags = {signed(cache).tag for _ in range(3)} | {signed().tag}
    assert len(tags) == len(kd.asked) == len(cache) == 1
    assert len({sealed(cache) for _ in range(3)} | {sealed()}) == 1
    assert len(cache) == 1


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda kd, env: verified(env, kd), id="signed"),
        pytest.param(lambda kd, env: verified(env, kd, adjacent=True), id="signed, with neighbours"),
        pytest.param(
            lambda kd, env: opened(ron_auth.to_bytes(ron_auth.Sealed(EPOCH, None, env)), kd), id="sealed"
        ),
        pytest.param(
            lambda kd, env: opened(ron_auth.to_bytes(ron_auth.Sealed(EPOCH, ME, env)), kd, audience=ME),
            id="sealed for me",
        ),
    ],
)
def test_strangers_leave_nothing_in_the_cache(form: Callable[[KeyDeriver, object], object]) -> None:
    cache = KeyCache(Keys(), capacity=100_000)
    for number in range(2000):
        env = envelope(origin_svc=f"stranger-{number}", origin_instance=UUID(int=number), tag=bytes(32))
        with pytest.raises(BadTag):
            form(cache, env)
    assert len(cache) == 0


def test_what_is_refused_after_its_tag_held_may_be_kept_and_what_is_refused_before_is_not() -> None:
    cache = KeyCache(Keys())
    with pytest.raises(BadTag):
        verified(spoiled(signed()), cache)
    assert len(cache) == 0
    verified(signed(), cache)
    with pytest.raises(BadTag):
        verified(spoiled(signed()), cache)
    assert len(cache) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"origin_svc": "svc-other"}, id="service"),
        pytest.param({"origin_instance": OTHER_INSTANCE}, id="instance"),
        pytest.param({"epoch": EPOCH + 1}, id="epoch"),
        pytest.param({"audience": ME}, id="audience"),
        pytest.param({"audience": ""}, id="the empty audience"),
    ],
)
def test_a_kept_key_is_nobody_elses(other: dict[str, Any]) -> None:
    cache = KeyCache(Keys())
    opened(sealed(), cache)
    expected: dict[str, Any] = {"audience": other.get("audience"), "senders": (SENDER, "svc-other")}
    with pytest.raises(BadTag):
        opened(sealed(OneKey(), **other), cache, **expected)
    assert len(cache) == 1
    opened(sealed(**other), cache, **expected)
    assert len(cache) == 2


def test_of_more_than_the_capacity_the_oldest_goes() -> None:
    kd = Keys()
    cache = KeyCache(kd, capacity=3)
    names = ["a", "b", "c", "d"]
    for name in names:
        verified(signed(origin_svc=name), cache, senders=names)
    assert len(cache) == 3
    kd.asked.clear()
    for name in ("b", "c", "d", "a"):
        verified(signed(origin_svc=name), cache, senders=names)
    assert [svc for svc, *_ in kd.asked] == ["a"]
    assert len(cache) == 3


def test_a_cache_of_one_still_gives_every_verdict() -> None:
    cache = KeyCache(Keys(), capacity=1)
    for name in ("a", "b", "a", "b"):
        env = signed(origin_svc=name)
        assert verified(env, cache, senders=(name,)) is env
        with pytest.raises(BadTag):
            verified(spoiled(env), cache, senders=(name,))
        assert len(cache) == 1


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_cache_holds_at_least_one(capacity: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        KeyCache(Keys(), capacity=capacity)


def test_a_cleared_cache_has_forgotten_every_key() -> None:
    kd = Keys()
    cache = KeyCache(kd)
    verified(signed(), cache)
    cache.clear()
    assert len(cache) == 0
    verified(signed(), cache)
    assert len(kd.asked) == 2


class Turning:
    """A deriver whose secret changes while it is at work, and who then clears the cache."""

    cache: KeyCache
    turned = False

    def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> bytes:
        key = bytes(32) if self.turned else KEY
        if not self.turned:
            self.turned = True
            self.cache.clear()
        return key


def test_a_key_derived_before_the_cache_was_cleared_is_not_kept_after() -> None:
    kd = Turning()
    kd.cache = KeyCache(kd)
    verified(signed(OneKey()), kd.cache)
    with pytest.raises(BadTag):
        verified(signed(OneKey()), kd.cache)


def test_a_cache_gives_what_its_deriver_gives_and_keeps_nothing_of_it() -> None:
    cache = KeyCache(Keys())
    assert cache.derive_origin_key(SENDER, INSTANCE, EPOCH) == Keys().derive_origin_key(
        SENDER, INSTANCE, EPOCH
    )
    assert len(cache) == 0


def test_a_cache_shows_no_key() -> None:
    cache = KeyCache(OneKey())
    verified(signed(OneKey()), cache)
    kept = next(iter(cache._kept.values()))
    for shown in (repr(cache), repr(vars(cache)), repr(kept)):
        assert "\\x07" not in shown
        assert KEY.hex() not in shown


services = st.sampled_from(["a", "b", "c", ""])
senders = st.tuples(
    services,
    st.sampled_from([INSTANCE, OTHER_INSTANCE]),
    st.sampled_from([None, "", "a", "b"]),
    st.integers(EPOCH - 1, EPOCH + 1),
)


@settings(deadline=None)
@given(st.lists(st.tuples(senders, st.booleans(), st.booleans())), st.integers(1, 5))
def test_a_cache_never_changes_a_verdict(
    asked: list[tuple[tuple[str, UUID, str | None, int], bool, bool]], capacity: int
) -> None:
    kd = Keys()
    cache = KeyCache(kd, capacity=capacity)
    for (svc, instance, audience, epoch), true, clear in asked:
        wire = sealed(origin_svc=svc, origin_instance=instance, audience=audience, epoch=epoch)
        if clear:
            cache.clear()
        if true:
            assert opened(wire, cache, senders=(svc,), audience=audience).origin_svc == svc
        else:
            with pytest.raises(BadTag):
                opened(spoiled(wire), cache, senders=(svc,), audience=audience)
        assert len(cache) <= capacity


# Threads.


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize("capacity", [1, 5, 1000])
def test_eight_threads_with_one_cache_each_get_the_right_verdicts(capacity: int) -> None:
    cache = KeyCache(Keys(), capacity=capacity)
    names = [f"svc-{number}" for number in range(12)]
    wires = [sealed(origin_svc=name) for name in names]
    start = threading.Barrier(8)
    wrong: list[object] = []

    def work(seed: int) -> None:
        random = Random(seed)  # noqa: S311 - the same sequence every time
        start.wait()
        for _ in range(150):
            pick = random.randrange(12)
            name, wire = names[pick], wires[pick]
            try:
                if opened(wire, cache, senders=names).origin_svc != name:
                    wrong.append(name)
                if sealed(cache, origin_svc=name) != wire:
                    wrong.append((name, "sealed otherwise"))
                opened(spoiled(wire), cache, senders=names)
                wrong.append((name, "a wrong tag held"))
            except BadTag:
                pass
            except BaseException as error:  # noqa: BLE001 - a thread's error would be lost
                wrong.append(error)
            if random.random() < 0.02:
                cache.clear()
            if len(cache) > capacity:
                wrong.append(len(cache))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= capacity
