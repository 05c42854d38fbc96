"""Both replay guards keep the same promises; the Redis one also keeps them between verifiers and lives."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Protocol
from uuid import UUID

import pytest
import redis
from envelopes import INSTANCE, KEY, OTHER_INSTANCE, Keys, OneKey
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot
from redis_server import RedisServer, redis_server

import ron_auth
from ron_auth import (
    BadTag,
    Envelope,
    Expired,
    Forgotten,
    GuardFull,
    MemoryGuard,
    MissingScope,
    Plane,
    Replayed,
    ReplayGuard,
    VerifyError,
    WrongOrigin,
    seal,
    sign_envelope,
    verify_envelope,
)
from ron_auth.replay.redis import RedisGuard

NOW_S = 1_800_000_000
BEGAN_S = NOW_S - 1000
"""When the memory of every guard here begins, unless the test says otherwise."""

STRANGERS = int(os.environ.get("RON_AUTH_STRANGERS", "20000"))
"""Unauthenticated envelopes that a guard must not notice. RON_AUTH_STRANGERS=1000000 takes a minute."""


def envelope(
    nonce: int = 0,
    origin: str = "gateway",
    instance: UUID = INSTANCE,
    iat: int = NOW_S,
    exp: int = NOW_S + 60,
) -> Envelope:
    """Return what has passed every other check."""
    return Envelope(
        Plane.App, origin, instance, None, ("route",), nonce.to_bytes(16, "big"), iat, exp, None, None
    )


class Counted:
    """A guard, and how many nonces it remembers."""

    def __init__(self, guard: ReplayGuard, count: Callable[[], int]) -> None:
        self.guard = guard
        self._count = count

    def admit(self, env: Envelope, now_s: int = NOW_S, skew_s: int = 0) -> None:
        self.guard.admit(env, now_s, skew_s)

    def __len__(self) -> int:
        return self._count()


class Opens(Protocol):
    def __call__(self, *, began_s: int = ..., capacity: int = ..., per_origin: int = ...) -> Counted: ...


_names = (f"guard-{number}" for number in itertools.count())


def primed(guard: RedisGuard, began_s: int) -> RedisGuard:
    """Return a guard whose memory begins at ``began_s``: with the first envelope it is asked about."""
    with pytest.raises(Forgotten):
        guard.admit(envelope(iat=began_s), began_s, 0)
    return guard


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Return a server that no test stops, empties or sets up anew."""
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module", params=["memory", "redis"])
def opens(request: pytest.FixtureRequest) -> Opens:
    """Return what makes a new guard of each kind in turn."""
    if request.param == "memory":

        def in_memory(*, began_s: int = BEGAN_S, capacity: int = 1000, per_origin: int = 100) -> Counted:
            guard = MemoryGuard(capacity=capacity, per_origin=per_origin, started_s=began_s)
            return Counted(guard, guard.__len__)

        return in_memory

    client: redis.Redis = request.getfixturevalue("server").client()

    def in_redis(*, began_s: int = BEGAN_S, capacity: int = 1000, per_origin: int = 100) -> Counted:
        name = next(_names)
        guard = RedisGuard(client, name=name, capacity=capacity, per_origin=per_origin)
        return Counted(primed(guard, began_s), lambda: nonces_in(client, name))

    return in_redis


def nonces_in(client: redis.Redis, name: str) -> int:
    """Return how many nonces a Redis guard remembers, once its own count of each origin's has agreed."""
    remembered: Any = client.zrange(f"ron-auth:{{{name}}}:nonces", 0, -1)
    counted: Any = client.hgetall(f"ron-auth:{{{name}}}:origins")
    origins = [member[32:] for member in remembered]
    assert {origin: int(count) for origin, count in counted.items()} == {
        origin: origins.count(origin) for origin in origins
    }
    return len(origins)


# What is new, and what is not


def test_the_first_is_admitted_and_the_second_replayed(opens: Opens) -> None:
    guard = opens()
    guard.admit(envelope())
    for _ in range(2):
        with pytest.raises(Replayed):
            guard.admit(envelope())
    assert len(guard) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(envelope(nonce=1), id="another nonce"),
        pytest.param(envelope(instance=OTHER_INSTANCE), id="another instance"),
        pytest.param(envelope(origin="gateway-2"), id="another origin"),
        pytest.param(envelope(origin=""), id="an origin without a name"),
        pytest.param(envelope(origin="ｇateway"), id="an origin that looks alike"),
    ],
)
def test_another_nonce_instance_or_origin_is_new(opens: Opens, other: Envelope) -> None:
    guard = opens()
    guard.admit(envelope())
    guard.admit(other)
    for seen in (envelope(), other):
        with pytest.raises(Replayed):
            guard.admit(seen)
    assert len(guard) == 2


def test_the_same_nonce_with_other_times_is_not_new(opens: Opens) -> None:
    guard = opens()
    guard.admit(envelope())
    for again in (envelope(exp=NOW_S + 3600), envelope(iat=NOW_S - 1), envelope(exp=NOW_S)):
        with pytest.raises(Replayed):
            guard.admit(again)
    assert len(guard) == 1


# How long it is remembered


@pytest.mark.parametrize("skew_s", [0, 30])
def test_a_nonce_lives_until_exp_and_skew_and_not_a_second_longer(opens: Opens, skew_s: int) -> None:
    guard = opens()
    guard.admit(envelope(exp=NOW_S + 60), NOW_S, skew_s)
    last_s = NOW_S + 60 + skew_s
    with pytest.raises(Replayed):
        guard.admit(envelope(exp=NOW_S + 60), last_s, skew_s)
    guard.admit(envelope(1, exp=NOW_S + 500), last_s, skew_s)
    assert len(guard) == 2

    with pytest.raises(Forgotten):
        guard.admit(envelope(exp=NOW_S + 60), last_s + 1, skew_s)
    assert len(guard) == 1
    with pytest.raises(Replayed):
        guard.admit(envelope(1, exp=NOW_S + 500), last_s + 1, skew_s)


@pytest.mark.parametrize("back_s", [1, 10, 500])
def test_what_was_forgotten_stays_refused_when_the_clock_steps_back(opens: Opens, back_s: int) -> None:
    guard = opens()
    guard.admit(envelope(exp=NOW_S + 60))
    guard.admit(envelope(1, iat=NOW_S + 61, exp=NOW_S + 90), NOW_S + 61)
    assert len(guard) == 1

    now_s = NOW_S + 61 - back_s
    with pytest.raises(Forgotten):
        guard.admit(envelope(exp=NOW_S + 60), now_s)
    with pytest.raises(Forgotten):  # it might have been there
        guard.admit(envelope(2, exp=NOW_S + 60), now_s)
    guard.admit(envelope(3, exp=NOW_S + 61), now_s)
    with pytest.raises(Replayed):
        guard.admit(envelope(1, iat=NOW_S + 61, exp=NOW_S + 90), now_s)


def test_a_smaller_skew_that_forgets_sooner_admits_nothing_twice(opens: Opens) -> None:
    guard = opens()
    guard.admit(envelope(exp=NOW_S + 60), NOW_S, 30)
    with pytest.raises(Forgotten):
        guard.admit(envelope(exp=NOW_S + 60), NOW_S + 61, 0)
    with pytest.raises(Forgotten):
        guard.admit(envelope(exp=NOW_S + 60), NOW_S + 61, 30)


@pytest.mark.parametrize("skew_s", [0, 30])
def test_what_may_be_older_than_the_memory_is_forgotten(opens: Opens, skew_s: int) -> None:
    guard = opens(began_s=NOW_S)
    for number, iat in enumerate((NOW_S - 500, NOW_S - 1, NOW_S, NOW_S + skew_s)):
        with pytest.raises(Forgotten):
            guard.admit(envelope(number, iat=iat, exp=NOW_S + 60), NOW_S + 40, skew_s)
    assert len(guard) == 0
    guard.admit(envelope(9, iat=NOW_S + skew_s + 1, exp=NOW_S + 60), NOW_S + 40, skew_s)
    assert len(guard) == 1


def test_the_far_future_and_the_far_past_are_moments_too(opens: Opens) -> None:
    guard = opens(began_s=-1000)
    last = envelope(0, iat=-5, exp=2**63 - 1)
    near = envelope(1, iat=-5, exp=2**63 - 2)
    early = envelope(2, iat=-999, exp=-2)
    for env in (last, near, early):
        guard.admit(env, -5)
    assert len(guard) == 3
    for now_s in (-4, 0, NOW_S, 2**40):
        for env in (last, near):
            with pytest.raises(Replayed):
                guard.admit(env, now_s)
    with pytest.raises(Forgotten):
        guard.admit(early, 0)
    with pytest.raises(Forgotten):
        guard.admit(envelope(3, iat=-(2**63), exp=2**63 - 1), 0)
    assert len(guard) == 2


# What is full


def test_an_origin_that_used_up_its_quota_disturbs_nobody_else(opens: Opens) -> None:
    guard = opens(per_origin=3)
    guard.admit(envelope(origin="overlay"))
    for nonce in range(3):
        guard.admit(envelope(nonce))
    for instance in (INSTANCE, OTHER_INSTANCE):
        with pytest.raises(GuardFull):
            guard.admit(envelope(3, instance=instance))
    assert len(guard) == 4

    for seen in (envelope(origin="overlay"), envelope(0), envelope(2)):
        with pytest.raises(Replayed):
            guard.admit(seen)
    guard.admit(envelope(1, origin="overlay"))
    guard.admit(envelope(origin="worker"))
    for seen in (envelope(1, origin="overlay"), envelope(origin="worker")):
        with pytest.raises(Replayed):
            guard.admit(seen)
    assert len(guard) == 6


def test_a_full_guard_refuses_and_forgets_nothing_that_lives(opens: Opens) -> None:
    guard = opens(capacity=4, per_origin=4)
    known = [
        envelope(nonce, origin, exp=NOW_S + 60) for nonce in range(2) for origin in ("gateway", "overlay")
    ]
    for env in known:
        guard.admit(env)
    for now_s in (NOW_S, NOW_S + 60):
        for stranger in (envelope(9, exp=NOW_S + 500), envelope(origin="worker", exp=NOW_S + 500)):
            with pytest.raises(GuardFull):
                guard.admit(stranger, now_s)
        for env in known:
            with pytest.raises(Replayed):
                guard.admit(env, now_s)
    assert len(guard) == 4


@pytest.mark.parametrize(
    ("capacity", "per_origin"), [pytest.param(100, 3, id="quota"), pytest.param(3, 3, id="capacity")]
)
def test_there_is_room_again_once_nonces_have_expired(opens: Opens, capacity: int, per_origin: int) -> None:
    guard = opens(capacity=capacity, per_origin=per_origin)
    for nonce in range(3):
        guard.admit(envelope(nonce, exp=NOW_S + nonce))
    for nonce in range(3):
        now_s = NOW_S + nonce
        with pytest.raises(GuardFull):
            guard.admit(envelope(10 + nonce, exp=NOW_S + 60), now_s)
        guard.admit(envelope(10 + nonce, exp=NOW_S + 60), now_s + 1)
        assert len(guard) == 3
    with pytest.raises(GuardFull):
        guard.admit(envelope(13, exp=NOW_S + 60), NOW_S + 60)


def test_a_thousand_that_expire_at_once_make_room_for_a_thousand(opens: Opens) -> None:
    guard = opens(capacity=1000, per_origin=1000)
    for nonce in range(1000):
        guard.admit(envelope(nonce))
    for nonce in range(1000):
        guard.admit(envelope(nonce, iat=NOW_S + 61, exp=NOW_S + 90), NOW_S + 61)
    assert len(guard) == 1000


# Who makes it remember


def opened(guard: ReplayGuard, wire: bytes, **asked: Any) -> Envelope:
    expected: dict[str, Any] = {"senders": ("gateway",), "scopes": ("route",), "now_s": NOW_S}
    return ron_auth.open(OneKey(), wire, guard=guard, **expected | asked)


def strange() -> Iterator[bytes]:
    """Return envelopes of nobody: all different, none with a tag that holds."""
    before, after = seal(Keys(), envelope()).split(bytes(16))
    return (before + nonce.to_bytes(16, "big") + after for nonce in range(STRANGERS))


def test_strangers_fill_nothing(opens: Opens) -> None:
    guard = opens(capacity=2)
    opened(guard.guard, seal(OneKey(), envelope()))
    for wire in strange():
        with pytest.raises(BadTag):
            opened(guard.guard, wire)
    assert len(guard) == 1
    opened(guard.guard, seal(OneKey(), envelope(1)))


def test_strangers_leave_nothing_in_redis(server: RedisServer) -> None:
    client = server.client()
    before = client.dbsize()
    guard = RedisGuard(client, name=next(_names))
    for wire in itertools.islice(strange(), 100):
        with pytest.raises(BadTag):
            opened(guard, wire)
    assert client.dbsize() == before


@pytest.mark.parametrize(
    ("env", "asked", "refusal"),
    [
        pytest.param(envelope(iat=NOW_S - 60, exp=NOW_S - 1), {}, Expired, id="expired"),
        pytest.param(envelope(iat=NOW_S + 1), {}, Expired, id="not yet valid"),
        pytest.param(envelope(exp=NOW_S + 3601), {}, Expired, id="too long"),
        pytest.param(envelope(origin="worker"), {}, WrongOrigin, id="wrong origin"),
        pytest.param(envelope(), {"scopes": ("route", "admin")}, MissingScope, id="missing scope"),
        pytest.param(envelope(), {"audience": "overlay"}, BadTag, id="for nobody in particular"),
        pytest.param(envelope(), {"now_s": NOW_S + 5 * 86_400}, BadTag, id="of another epoch"),
    ],
)
def test_what_is_refused_is_not_remembered(
    opens: Opens, env: Envelope, asked: dict[str, Any], refusal: type[VerifyError]
) -> None:
    guard = opens()
    with pytest.raises(refusal):
        opened(guard.guard, seal(OneKey(), env), **asked)
    assert len(guard) == 0


def test_the_form_that_rust_shares_asks_the_guard_too(opens: Opens) -> None:
    guard = opens()

    def verified(env: Envelope, scope: str = "route") -> None:
        verify_envelope(OneKey(), "gateway", 1, [scope], env, now_s=NOW_S, guard=guard.guard)

    signed = sign_envelope(OneKey(), "gateway", INSTANCE, 1, envelope())
    with pytest.raises(MissingScope):
        verified(signed, "admin")
    with pytest.raises(BadTag):
        verified(sign_envelope(Keys(), "gateway", INSTANCE, 1, envelope()))
    assert len(guard) == 0
    verified(signed)
    with pytest.raises(Replayed) as refused:
        verified(signed)
    assert refused.value.origin == "gateway"
    assert len(guard) == 1


# Several at once


def verdict(guard: ReplayGuard, env: Envelope, now_s: int = NOW_S) -> str:
    try:
        guard.admit(env, now_s, 0)
    except VerifyError as refused:
        return refused.reason
    return "admitted"


def test_of_eight_threads_with_one_envelope_one_is_believed(opens: Opens) -> None:
    guard = opens()
    barrier = Barrier(8)

    def race(env: Envelope) -> str:
        barrier.wait(timeout=60)
        return verdict(guard.guard, env)

    with ThreadPoolExecutor(8) as threads:
        for nonce in range(25):
            verdicts = list(threads.map(race, [envelope(nonce)] * 8))
            assert sorted(verdicts) == ["admitted", *["replayed"] * 7]
    assert len(guard) == 25


def test_a_replay_at_a_second_verifier_is_refused(server: RedisServer) -> None:
    name = next(_names)
    first = primed(RedisGuard(server.client(), name=name), BEGAN_S)
    second = RedisGuard(server.client(), name=name)
    first.admit(envelope(0), NOW_S, 0)
    second.admit(envelope(1), NOW_S, 0)
    assert [verdict(first, envelope(1)), verdict(second, envelope(0))] == ["replayed", "replayed"]


VERIFIER = """
import sys, redis, ron_auth
from ron_auth.replay.redis import RedisGuard

class Deriver:
    def derive_origin_key(self, *_):
        return bytes.fromhex(key)

key, socket, name, now_s, *wires = sys.argv[1:]
guard = RedisGuard(redis.Redis(unix_socket_path=socket, socket_timeout=30), name=name)
for wire in wires:
    try:
        ron_auth.open(Deriver(), bytes.fromhex(wire), senders=["gateway"], now_s=int(now_s), guard=guard)
        print("admitted")
    except ron_auth.VerifyError as refused:
        print(refused.reason)
"""


def test_a_replay_in_a_second_process_is_refused(server: RedisServer) -> None:
    name = next(_names)
    guard = primed(RedisGuard(server.client(), name=name), BEGAN_S)
    guard.admit(envelope(0), NOW_S, 0)

    wires = [seal(OneKey(), envelope(nonce)).hex() for nonce in (0, 1)]
    told = subprocess.run(
        [sys.executable, "-c", VERIFIER, KEY.hex(), server.socket, name, str(NOW_S), *wires],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.split() == [b"replayed", b"admitted"]
    assert verdict(guard, envelope(1)) == "replayed"


def test_guards_of_two_names_know_nothing_of_each_other(server: RedisServer) -> None:
    client, limits = server.client(), {"capacity": 1, "per_origin": 1}
    for name in (next(_names), next(_names)):
        guard = primed(RedisGuard(client, name=name, **limits), BEGAN_S)
        assert [verdict(guard, envelope(nonce)) for nonce in (0, 0, 1)] == [
            "admitted",
            "replayed",
            "guard_full",
        ]


def test_a_client_that_reads_text_works_too(server: RedisServer) -> None:
    guard = RedisGuard(server.client(decode_responses=True), name=next(_names))
    assert verdict(guard, envelope()) == "forgotten"
    for nonce in (2**127 + 0xFF, 2**127 + 0xFE):  # no UTF-8
        env = envelope(nonce, iat=NOW_S + 1, origin="gâteway")
        assert [verdict(guard, env, NOW_S + 1) for _ in range(2)] == ["admitted", "replayed"]
    env = envelope(1, iat=NOW_S + 200, exp=NOW_S + 200)
    assert [verdict(guard, env, NOW_S + 200) for _ in range(2)] == ["admitted", "replayed"]


# A Redis that lost its memory


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """Return a server for one test."""
    with redis_server() as running:
        yield running


def assert_began_anew(guard: ReplayGuard, now_s: int, *seen: Envelope) -> None:
    """Check that a guard admits nothing issued until ``now_s``, neither ``seen`` nor new, and all after."""
    assert {verdict(guard, env, now_s) for env in seen} == {"forgotten"}
    assert verdict(guard, envelope(100, iat=now_s), now_s) == "forgotten"
    younger = envelope(100, iat=now_s + 1)
    assert [verdict(guard, younger, now_s + 1) for _ in range(2)] == ["admitted", "replayed"]
    assert {verdict(guard, env, now_s + 1) for env in seen} == {"forgotten"}


def test_after_a_restart_without_a_file_older_envelopes_are_forgotten(own_server: RedisServer) -> None:
    guard = primed(RedisGuard(own_server.client()), BEGAN_S)
    guard.admit(envelope(0), NOW_S, 0)
    own_server.restart()
    assert_began_anew(guard, NOW_S + 5, envelope(0))


def test_after_a_restart_with_an_older_file_what_it_lacks_is_forgotten(own_server: RedisServer) -> None:
    client = own_server.client()
    guard = primed(RedisGuard(client), BEGAN_S)
    guard.admit(envelope(0), NOW_S, 0)
    client.save()
    guard.admit(envelope(1), NOW_S, 0)
    own_server.restart()

    assert verdict(guard, envelope(0), NOW_S + 5) == "replayed"
    assert_began_anew(guard, NOW_S + 5, envelope(1))
    assert nonces_in(client, "default") == 2


def test_a_guard_made_after_the_restart_knows_of_it(own_server: RedisServer) -> None:
    primed(RedisGuard(own_server.client()), BEGAN_S).admit(envelope(0), NOW_S, 0)
    own_server.client().save()
    own_server.restart()
    guard = RedisGuard(own_server.client())
    assert verdict(guard, envelope(1), NOW_S + 5) == "forgotten"


def test_after_everything_is_flushed_older_envelopes_are_forgotten(own_server: RedisServer) -> None:
    client = own_server.client()
    guard = primed(RedisGuard(client), BEGAN_S)
    guard.admit(envelope(0), NOW_S, 0)
    client.flushall()
    assert_began_anew(guard, NOW_S + 5, envelope(0))


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(("nonces", "origins", "memory"), id="all keys"),
        pytest.param(("nonces",), id="nonces"),
        pytest.param(("nonces", "origins"), id="nonces and origins"),
        pytest.param(("nonces", "memory"), id="nonces and memory"),
        pytest.param(("memory",), id="memory"),
    ],
)
def test_after_keys_were_deleted_nothing_is_admitted_twice(
    server: RedisServer, lost: tuple[str, ...]
) -> None:
    client, name = server.client(), next(_names)
    guard = primed(RedisGuard(client, name=name), BEGAN_S)
    guard.admit(envelope(0), NOW_S, 0)
    client.delete(*(f"ron-auth:{{{name}}}:{key}" for key in lost))
    assert verdict(guard, envelope(0), NOW_S + 5) in {"forgotten", "replayed"}
    assert verdict(guard, envelope(0), NOW_S + 6) in {"forgotten", "replayed"}
    younger = envelope(1, iat=NOW_S + 6)
    assert [verdict(guard, younger, NOW_S + 6) for _ in range(2)] == ["admitted", "replayed"]


# A Redis that cannot be relied upon


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-ttl"])
def test_a_redis_that_evicts_is_not_used(policy: str) -> None:
    with redis_server("--maxmemory", "50mb", "--maxmemory-policy", policy) as server:
        client = server.client()
        assert verdict(RedisGuard(client), envelope()) == "guard_down"
        assert client.dbsize() == 0


def test_a_redis_without_a_bound_does_not_evict_whatever_its_policy() -> None:
    with redis_server("--maxmemory", "0", "--maxmemory-policy", "allkeys-lru") as server:
        primed(RedisGuard(server.client()), BEGAN_S).admit(envelope(), NOW_S, 0)


def test_a_redis_that_is_told_to_evict_later_on_admits_nothing_twice(own_server: RedisServer) -> None:
    client = own_server.client()
    guard = primed(RedisGuard(client), BEGAN_S)
    for nonce in range(2000):
        guard.admit(envelope(nonce), NOW_S, 0)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]))
    for number in itertools.count():
        client.set(f"ballast-{number}", bytes(10_000))
        if not client.exists("ron-auth:{default}:nonces"):
            break
    assert "admitted" not in {verdict(guard, envelope(nonce), NOW_S) for nonce in range(2000)}


def fill(client: redis.Redis) -> None:
    """Leave the server no memory: what it has is more than it may have, and it evicts nothing."""
    client.config_set("maxmemory", 1)


def test_a_redis_without_memory_is_full_and_forgets_nothing(own_server: RedisServer) -> None:
    client = own_server.client()
    guard = primed(RedisGuard(client), BEGAN_S)
    for nonce in range(10):
        guard.admit(envelope(nonce), NOW_S, 0)
    fill(client)
    assert verdict(guard, envelope(10)) == "guard_full"
    assert {verdict(guard, envelope(nonce), NOW_S + 60) for nonce in range(10)} == {"replayed"}
    assert nonces_in(client, "default") == 10


def test_a_redis_without_memory_has_no_room_for_a_new_guard(own_server: RedisServer) -> None:
    client = own_server.client()
    fill(client)
    assert verdict(RedisGuard(client), envelope()) == "guard_full"


def test_a_redis_without_memory_has_room_again_once_nonces_expired(own_server: RedisServer) -> None:
    client = own_server.client()
    guard = primed(RedisGuard(client), BEGAN_S)
    for nonce in range(10):
        guard.admit(envelope(nonce), NOW_S, 0)
    fill(client)
    assert verdict(guard, envelope(10)) == "guard_full"
    later = envelope(0, iat=NOW_S + 61, exp=NOW_S + 90)
    assert [verdict(guard, later, NOW_S + 61) for _ in range(2)] == ["admitted", "replayed"]
    assert nonces_in(client, "default") == 1
    assert verdict(guard, envelope(0), NOW_S) == "replayed"
    assert verdict(guard, envelope(1), NOW_S) == "forgotten"


def test_a_redis_that_was_stopped_is_down_until_it_is_back(own_server: RedisServer) -> None:
    guard = primed(RedisGuard(own_server.client()), BEGAN_S)
    own_server.stop()
    assert [verdict(guard, envelope(nonce)) for nonce in range(2)] == ["guard_down"] * 2
    own_server.start()
    assert verdict(guard, envelope(0, iat=NOW_S + 1), NOW_S + 1) == "forgotten"
    assert verdict(guard, envelope(0, iat=NOW_S + 2), NOW_S + 2) == "admitted"


def test_a_redis_that_does_not_answer_in_time_is_down(own_server: RedisServer) -> None:
    guard = primed(RedisGuard(own_server.client(socket_timeout=0.05)), BEGAN_S)
    with own_server.frozen():
        assert verdict(guard, envelope()) == "guard_down"
    patient = RedisGuard(own_server.client())
    assert verdict(patient, envelope()) in {"admitted", "replayed"}  # it may have read the question
    assert verdict(patient, envelope()) == "replayed"


def test_a_redis_that_refuses_to_answer_is_down(own_server: RedisServer) -> None:
    guard = primed(RedisGuard(own_server.client()), BEGAN_S)
    own_server.client().config_set("min-replicas-to-write", 1)
    assert verdict(guard, envelope()) == "guard_down"


def test_keys_of_another_kind_are_nothing_to_rely_upon(server: RedisServer) -> None:
    client, name = server.client(), next(_names)
    client.set(f"ron-auth:{{{name}}}:nonces", "somebody else's")
    assert verdict(RedisGuard(client, name=name), envelope()) == "guard_down"


# How it is made


@pytest.mark.parametrize("limit", ["capacity", "per_origin"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_guard_has_room_for_one_at_least(limit: str, number: int) -> None:
    limits: dict[str, Any] = {limit: number}
    with pytest.raises(ValueError, match="at least 1"):
        MemoryGuard(**limits)
    with pytest.raises(ValueError, match="at least 1"):
        RedisGuard(redis.Redis(), **limits)


@pytest.mark.parametrize("name", ["", "{", "}", "a{b}c"])
def test_a_name_is_one_hash_tag(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        RedisGuard(redis.Redis(), name=name)


def test_making_a_guard_asks_nobody() -> None:
    RedisGuard(redis.Redis(unix_socket_path="/nowhere"))


def test_a_guards_keys_are_in_one_slot_of_a_cluster(own_server: RedisServer) -> None:
    client = own_server.client()
    primed(RedisGuard(client, name="edge"), BEGAN_S).admit(envelope(), NOW_S, 0)
    keys: Any = client.keys()
    assert sorted(keys) == [b"ron-auth:{edge}:memory", b"ron-auth:{edge}:nonces", b"ron-auth:{edge}:origins"]
    assert len({key_slot(key) for key in keys}) == 1


def test_a_guard_in_memory_begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW_S + 0.9)
    guard = MemoryGuard()
    assert verdict(guard, envelope(iat=NOW_S)) == "forgotten"
    assert verdict(guard, envelope(iat=NOW_S + 1), NOW_S + 1) == "admitted"


# Whatever happens


class Model:
    """What a guard is to do, as plainly as it can be said."""

    def __init__(self, began_s: int, capacity: int, per_origin: int) -> None:
        self.began_s, self.capacity, self.per_origin = began_s, capacity, per_origin
        self.forgotten_s: float = float("-inf")
        self.known: dict[tuple[str, bytes], int] = {}

    def verdict(self, env: Envelope, now_s: int, skew_s: int) -> str:
        for name, exp in list(self.known.items()):
            if exp + skew_s < now_s:
                del self.known[name]
                self.forgotten_s = max(self.forgotten_s, exp)
        if (env.origin_svc, env.nonce) in self.known:
            return "replayed"
        if env.iat - skew_s <= self.began_s or env.exp <= self.forgotten_s:
            return "forgotten"
        origins = [origin for origin, _ in self.known]
        if len(origins) >= self.capacity or origins.count(env.origin_svc) >= self.per_origin:
            return "guard_full"
        self.known[env.origin_svc, env.nonce] = env.exp
        return "admitted"


moments = st.integers(0, 40)
asked_of_a_guard = st.tuples(
    st.builds(envelope, st.integers(0, 5), st.sampled_from("abc"), iat=moments, exp=moments),
    st.integers(-10, 50),
    st.sampled_from([0, 0, 1, 7]),
)


@settings(deadline=None)
@given(st.lists(asked_of_a_guard, max_size=40), st.integers(1, 6), st.integers(1, 4))
def test_nothing_is_admitted_twice_and_the_counts_are_right(
    opens: Opens, asked: list[tuple[Envelope, int, int]], capacity: int, per_origin: int
) -> None:
    guard = opens(began_s=5, capacity=capacity, per_origin=per_origin)
    model = Model(5, capacity, per_origin)
    admitted = set()
    for env, now_s, skew_s in asked:
        try:
            guard.admit(env, now_s, skew_s)
            said = "admitted"
        except VerifyError as refused:
            said = refused.reason
        assert said == model.verdict(env, now_s, skew_s)
        assert len(guard) == len(model.known) <= capacity
        if said == "admitted":
            sent = (env.origin_svc, env.nonce, env.iat, env.exp)
            assert sent not in admitted
            admitted.add(sent)
