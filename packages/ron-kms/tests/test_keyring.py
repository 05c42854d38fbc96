"""One ring, live: what a keyring signs, verifies, publishes and changes, alone and beside others."""

import json
import sys
import threading
import time
from array import array
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ron_kms import (
    Busy,
    Entropy,
    Expired,
    Generations,
    Keyring,
    KeyStore,
    Kid,
    NoSuchKey,
    Policy,
    Secret,
    Snapshot,
    State,
    StoreBusy,
    StoreRefused,
    TooSoon,
    VerifyFailed,
    create,
    unseal,
)
from ron_kms.engines import Item, VerifyingKey, choose
from ron_kms.engines.sodium import SodiumEngine
from ron_kms.entropy import unsafe_seeded
from ron_kms.sealed_ring import open_seed
from ron_kms.snapshot import LOADED_AHEAD
from ron_kms.stores import Idempotency, SealedRing, Stored, open_store
from ron_kms.stores.memory import MemoryStore

NOW = 1_800_000_000_000
GRACE = 60_000
KEY = Secret(bytes(range(32)))
ENGINE = choose("auto")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOW

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> KeyStore:
    """Return every kind of store in turn, with a ring of two made at ``NOW``."""
    uri = "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/store/keys.db"
    made = open_store(uri)
    create(made, KEY, "default", clock_ms=clock)
    return made


Opens = Callable[..., Keyring]


@pytest.fixture
def opened(store: KeyStore, clock: Clock) -> Opens:
    """Return what opens a keyring on the store; every call is another worker."""

    def opens(*, publish_ahead_ms: int = 0, reread_ms: int = 60_000, **options: Any) -> Keyring:
        policy = Policy(GRACE, publish_ahead_ms, reread_ms)
        return Keyring(options.pop("store", store), ENGINE, KEY, policy, clock_ms=clock, **options)

    return opens


@pytest.fixture
def keyring(opened: Opens) -> Keyring:
    return opened()


def kid(number: int) -> str:
    return f"ed25519/default/v{number}"


def said(snapshot: Snapshot) -> bytes:
    """Answer with all that a caller of rotate is told."""
    return json.dumps(snapshot.attest()).encode()


def listed(keyring: Keyring) -> list[str]:
    return [key["kid"] for key in json.loads(keyring.key_set().body)["keys"]]


def states(keyring: Keyring) -> list[str]:
    return [version["state"] for version in keyring.attest()["versions"]]


def signed(keyring: Keyring, message: bytes = b"message") -> tuple[str, bytes, bytes]:
    return keyring.sign(lambda _: message)


# Made, opened, refused


def test_a_new_ring_signs_with_version_1(keyring: Keyring) -> None:
    assert signed(keyring)[0] == kid(1)
    assert states(keyring) == ["active", "next"]
    assert listed(keyring) == [kid(1), kid(2)]
    assert keyring.current.generation == 1


def test_a_ring_is_made_once(store: KeyStore, keyring: Keyring) -> None:
    before = store.load()
    with pytest.raises(StoreRefused) as refusal:
        create(store, KEY, "default")
    assert refusal.value.name == "store_exists"
    assert store.load() == before


@pytest.mark.parametrize("namespace", ["", "Default", "a//b", "n" * 109])
def test_a_ring_without_a_namespace_is_not_made(namespace: str) -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="namespace"):
        create(store, KEY, namespace)
    with pytest.raises(StoreRefused):
        store.load()


def test_a_keyring_opens_nothing_that_is_not_there() -> None:
    with pytest.raises(StoreRefused) as refusal:
        Keyring(MemoryStore(), ENGINE, KEY, Policy(GRACE, 0))
    assert refusal.value.name == "store_missing"


def test_a_keyring_tells_whose_ring_it_is(keyring: Keyring) -> None:
    keyring.check_namespace("default")
    with pytest.raises(StoreRefused) as refusal:
        keyring.check_namespace("other")
    assert refusal.value.name == "store_foreign"


def test_a_ring_is_the_same_when_it_is_opened_again(keyring: Keyring, opened: Opens) -> None:
    for number in (1, 2, 3):
        keyring.rotate(said)
        if number == 2:
            keyring.revoke(Kid("default", 1), said)
    again = opened()
    assert again.current.ring == keyring.current.ring
    assert again.current.generation == keyring.current.generation
    assert again.key_set() == keyring.key_set()
    assert again.attest() == keyring.attest()
    again.verify(*signed(keyring))
    keyring.verify(*signed(again))


def test_the_keys_of_a_seed_are_always_the_same() -> None:
    rings = []
    for _ in range(2):
        store, entropy = MemoryStore(), unsafe_seeded(b"seed")
        create(store, KEY, "default", clock_ms=Clock(), entropy=entropy)
        made = Keyring(store, ENGINE, KEY, Policy(GRACE, 0), clock_ms=Clock(), entropy=entropy)
        made.rotate(said)
        rings.append(store.load())
    assert rings[0] == rings[1]


# Signing and verifying


def test_what_is_signed_verifies(keyring: Keyring) -> None:
    made = keyring.sign(lambda name: b"for " + name.encode())
    assert made.kid == kid(1)
    assert made.message == b"for " + kid(1).encode()
    assert len(made.signature) == 64
    keyring.verify(*made)


@pytest.mark.parametrize("message", [b"", b"\0", b"m" * 100_000])
def test_a_message_of_any_length_is_signed(keyring: Keyring, message: bytes) -> None:
    keyring.verify(*signed(keyring, message))


@pytest.mark.parametrize(
    "name",
    ["", "default", "v1", kid(3), kid(0), "ed25519/default/v01", "ED25519/default/v1", "ed25519/other/v1"],
)
def test_a_kid_that_nobody_has_is_no_key(keyring: Keyring, name: str) -> None:
    _, message, signature = signed(keyring)
    with pytest.raises(NoSuchKey):
        keyring.verify(name, message, signature)


def test_what_does_not_hold_is_refused(keyring: Keyring) -> None:
    name, message, signature = signed(keyring)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    for forged in (
        (name, message + b"x", signature),
        (name, b"", signature),
        (name, message, flipped),
        (name, message, signature[:63]),
        (name, message, signature + b"\0"),
        (name, message, b""),
        (kid(2), message, signature),
    ):
        with pytest.raises(VerifyFailed):
            keyring.verify(*forged)


def test_every_version_but_a_revoked_one_verifies(keyring: Keyring, clock: Clock) -> None:
    by = {}
    for number in range(1, 6):
        by[number] = signed(keyring)
        keyring.rotate(said)
        if number == 1:
            clock.now_ms += GRACE
    by[6] = signed(keyring)
    keyring.revoke(Kid("default", 3), said)
    assert states(keyring) == ["retired", "retiring", "revoked", "retiring", "retiring", "active", "next"]
    for number, made in by.items():
        assert made[0] == kid(number)
        if number == 3:
            with pytest.raises(Expired):
                keyring.verify(*made)
        else:
            keyring.verify(*made)


def test_verify_many_gives_each_its_own_verdict(keyring: Keyring) -> None:
    first = signed(keyring, b"first")
    keyring.rotate(said)
    second = signed(keyring, b"second")
    key = {name: keyring.current.verifying_key(name) for name in (kid(1), kid(2), kid(3))}
    items = [
        (key[kid(1)], b"first", first[2]),
        (key[kid(2)], b"first", first[2]),
        (key[kid(2)], b"second", second[2]),
        (key[kid(3)], b"second", second[2]),
        (key[kid(2)], b"second", b""),
        (key[kid(1)], b"first", first[2]),
    ]
    assert list(keyring.verify_many(items)) == [1, 0, 1, 0, 0, 1]
    assert list(keyring.verify_many(items[::-1])) == [1, 0, 0, 1, 0, 1]
    assert list(keyring.verify_many([])) == []


class Counting(SodiumEngine):
    """Counts what is loaded."""

    name = "counting"

    def __init__(self) -> None:
        self.loaded: list[bytes] = []

    def load(self, public_key: bytes) -> VerifyingKey:
        self.loaded.append(public_key)
        return ENGINE.load(public_key)

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        return ENGINE.verify_many(items)


def test_a_public_key_is_loaded_once(opened: Opens, store: KeyStore, clock: Clock) -> None:
    engine = Counting()
    counted = Keyring(store, engine, KEY, Policy(GRACE, publish_ahead_ms=0), clock_ms=clock)
    counted.rotate(said)
    opened().rotate(said)
    counted.refresh()
    counted.revoke(Kid("default", 1), said)
    assert engine.loaded == [v.public_key for v in counted.current.ring.versions]


def test_an_old_versions_key_is_loaded_when_it_is_asked_for(
    opened: Opens, store: KeyStore, clock: Clock
) -> None:
    signed = opened().sign(lambda kid: kid.encode())
    for _ in range(LOADED_AHEAD):
        opened().rotate(said)
    engine = Counting()
    counted = Keyring(store, engine, KEY, Policy(GRACE, publish_ahead_ms=0), clock_ms=clock)
    first, *_ = versions = counted.current.ring.versions
    assert engine.loaded == [v.public_key for v in versions[-LOADED_AHEAD:]]
    for _ in range(2):
        counted.verify(*signed)
    assert engine.loaded[LOADED_AHEAD:] == [first.public_key]


def test_a_snapshot_stays_what_it_was(keyring: Keyring) -> None:
    before = keyring.current
    key_set, attested = before.key_set, before.attest()
    keyring.rotate(said)
    keyring.revoke(Kid("default", 1), said)
    assert (before.key_set, before.attest(), before.head.kid) == (key_set, attested, kid(1))
    before.verifying_key(kid(1))
    with pytest.raises(Expired):
        keyring.current.verifying_key(kid(1))


# Rotating


def test_a_rotation_lets_next_sign_and_publishes_another(keyring: Keyring) -> None:
    public = {v["kid"]: v["vk_b64"] for v in keyring.attest()["versions"]}
    answer = keyring.rotate(said)
    assert json.loads(answer) == keyring.attest()
    assert keyring.attest()["current_kid"] == kid(2) == signed(keyring)[0]
    assert keyring.attest()["next_kid"] == kid(3)
    assert keyring.attest()["previous_kids"] == [kid(1)]
    assert listed(keyring) == [kid(1), kid(2), kid(3)]
    after = {v["kid"]: v["vk_b64"] for v in keyring.attest()["versions"]}
    assert public.items() <= after.items()
    assert keyring.current.generation == 2


def test_the_attestation_has_these_members_and_no_secret(keyring: Keyring, store: KeyStore) -> None:
    keyring.rotate(said)
    attested = keyring.attest()
    assert list(attested) == ["current_kid", "next_kid", "previous_kids", "versions"]
    for version, held in zip(attested["versions"], keyring.current.ring.versions, strict=True):
        assert version == {
            "kid": str(held.kid),
            "alg": "Ed25519",
            "vk_b64": version["vk_b64"],
            "state": held.state.value,
            "created_ms": NOW,
        }
        assert b64decode(version["vk_b64"]) == held.public_key
    stored = store.load()
    told = said(keyring.current) + keyring.key_set().body + repr(keyring.current).encode()
    for row in stored.ring.versions:
        if row.state in ("active", "next"):
            seed = open_seed(row, KEY).reveal()
            assert seed not in told
            assert seed.hex().encode() not in told


@pytest.mark.parametrize(
    ("after_ms", "retry_after_ms"),
    [
        pytest.param(-5, 1_005, id="the clock went back"),
        pytest.param(0, 1_000, id="at once"),
        pytest.param(999, 1, id="one millisecond too soon"),
        pytest.param(1_000, None, id="first moment"),
        pytest.param(10**9, None, id="long after"),
    ],
)
def test_a_rotation_waits_until_next_was_published_for_long_enough(
    opened: Opens, clock: Clock, store: KeyStore, after_ms: int, retry_after_ms: int | None
) -> None:
    keyring = opened(publish_ahead_ms=1_000)
    clock.now_ms += after_ms
    if retry_after_ms is None:
        keyring.rotate(said)
        assert signed(keyring)[0] == kid(2)
    else:
        before = store.load()
        with pytest.raises(TooSoon) as refusal:
            keyring.rotate(said, idempotency_key="early")
        assert refusal.value.retry_after_ms == retry_after_ms
        assert store.load() == before
        assert store.recall("early") is None
        assert signed(keyring)[0] == kid(1)


def test_each_next_version_waits_anew(opened: Opens, clock: Clock) -> None:
    keyring = opened(publish_ahead_ms=1_000)
    for number in (2, 3):
        clock.now_ms += 1_000
        keyring.rotate(said)
        assert signed(keyring)[0] == kid(number)
        with pytest.raises(TooSoon) as refusal:
            keyring.rotate(said)
        assert refusal.value.retry_after_ms == 1_000


def test_force_does_not_wait(opened: Opens) -> None:
    keyring = opened(publish_ahead_ms=1_000)
    keyring.rotate(said, force=True)
    keyring.rotate(said, force=True)
    assert signed(keyring)[0] == kid(3)


def test_without_a_key_every_call_rotates(keyring: Keyring) -> None:
    for number in (2, 3, 4):
        keyring.rotate(said)
        assert signed(keyring)[0] == kid(number)


def test_the_same_key_gets_the_same_answer_and_rotates_once(opened: Opens) -> None:
    keyring, another = opened(publish_ahead_ms=1_000), opened(publish_ahead_ms=1_000)
    first = keyring.rotate(said, idempotency_key="key", force=True)

    def again(asked: Keyring, *, force: bool) -> None:
        generation = keyring.current.generation
        assert asked.rotate(lambda _: b"another answer", idempotency_key="key", force=force) == first
        assert asked.current.generation == generation
        assert signed(asked)[0] == signed(keyring)[0]

    for force in (False, True):  # not too soon either: nothing is to be rotated
        for asked in (keyring, another, opened()):
            again(asked, force=force)
    for _ in range(3):
        keyring.rotate(said, force=True)
    keyring.revoke(Kid("default", 2), said)
    for asked in (keyring, another, opened()):
        again(asked, force=False)


def test_another_key_rotates_again(keyring: Keyring) -> None:
    answers = {keyring.rotate(said, idempotency_key=name) for name in ("key", "Key", "key2", "k" * 128, "!~")}
    assert len(answers) == 5
    assert signed(keyring)[0] == kid(6)


def test_a_recalled_answer_brings_the_keyring_up_to_date(opened: Opens) -> None:
    first, second = opened(), opened()
    first.rotate(said, idempotency_key="key")
    assert signed(second)[0] == kid(1)
    second.rotate(said, idempotency_key="key")
    assert signed(second)[0] == kid(2)


def test_an_answer_rests_sealed(keyring: Keyring, store: KeyStore) -> None:
    answer = keyring.rotate(said, idempotency_key="key")
    resting = store.recall("key")
    assert resting is not None
    assert answer not in resting
    assert unseal(KEY, resting, b"ron-kms/answer/v1\0key") == answer


def test_one_key_at_once_from_many_threads_rotates_once(opened: Opens) -> None:
    keyrings = [opened(), opened()]
    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(lambda n: keyrings[n % 2].rotate(said, idempotency_key="key"), range(8)),
        )
    assert len(set(answers)) == 1
    assert opened().current.generation == 2


class Meddled:
    """A store that lets a test do something as it is read."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.before_load: Callable[[], object] = lambda: None
        self.after_recall: Callable[[], object] = lambda: None
        self.before_replace: Callable[[], object] = lambda: None

    def load(self) -> Stored:
        """See ``KeyStore``."""
        self.before_load()
        return self._store.load()

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        """See ``KeyStore``."""
        self.before_replace()
        self._store.replace(expected_generation, ring, idempotency)

    def recall(self, key: str) -> bytes | None:
        """See ``KeyStore``."""
        found = self._store.recall(key)
        self.after_recall()
        return found


def once(act: Callable[[], object]) -> Callable[[], object]:
    """Return what does ``act`` the first time, and nothing after."""
    acts = [act]
    return lambda: acts.pop()() if acts else None


@pytest.mark.parametrize("moment", ["before_load", "after_recall", "before_replace"])
def test_one_key_at_once_gets_one_answer_whenever_the_other_was_quicker(
    opened: Opens, store: KeyStore, clock: Clock, moment: str
) -> None:
    meddled = Meddled(store)
    slow, quick = opened(store=meddled, publish_ahead_ms=1_000), opened(publish_ahead_ms=1_000)
    clock.now_ms += 1_000
    answers = []
    setattr(meddled, moment, once(lambda: answers.append(quick.rotate(said, idempotency_key="key"))))
    answers.append(slow.rotate(said, idempotency_key="key"))
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert opened().current.generation == 2


@pytest.mark.parametrize("moment", ["before_load", "before_replace"])
def test_a_change_is_built_on_the_newest_ring(opened: Opens, store: KeyStore, moment: str) -> None:
    meddled = Meddled(store)
    slow, quick = opened(store=meddled), opened()
    setattr(meddled, moment, once(lambda: quick.rotate(said)))
    slow.rotate(said)
    assert slow.current.generation == 3
    assert signed(slow)[0] == kid(3)
    slow.verify(*signed(quick))


def test_a_change_that_is_always_too_late_gives_up(
    opened: Opens, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ron_kms.keyring.CHANGE_WITHIN_S", 0.2)
    meddled = Meddled(store)
    slow, quick = opened(store=meddled), opened()
    meddled.before_replace = lambda: quick.rotate(said)
    with pytest.raises(Busy) as refusal:
        slow.rotate(said)
    assert refusal.value.retryable


def changes(keyring: Keyring) -> list[Callable[[], bytes]]:
    return [lambda: keyring.rotate(said), lambda: keyring.revoke(Kid("default", 1), said)]


def failing(error: Exception) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


@pytest.mark.parametrize("moment", ["before_load", "before_replace"])
def test_a_change_that_cannot_be_stored_is_not_shown(opened: Opens, store: KeyStore, moment: str) -> None:
    meddled = Meddled(store)
    keyring = opened(store=meddled)
    before = keyring.current
    setattr(meddled, moment, failing(StoreBusy("not now")))
    for change in changes(keyring):
        with pytest.raises(StoreBusy):
            change()
        assert keyring.current is before
    assert opened().current.generation == 1


def test_a_rotation_whose_answer_fails_is_none(keyring: Keyring, opened: Opens) -> None:
    def fails(_: Snapshot) -> bytes:
        raise LookupError

    before = keyring.current
    with pytest.raises(LookupError):
        keyring.rotate(fails, idempotency_key="key")
    assert keyring.current is before
    assert opened().current.generation == 1


def test_without_randomness_nothing_is_changed(store: KeyStore, opened: Opens) -> None:
    def none(_: int) -> bytes:
        raise Entropy("none")

    keyring, before = opened(entropy=none), store.load()
    for change in changes(keyring):
        with pytest.raises(Entropy):
            change()
    assert store.load() == before
    assert signed(keyring)[0] == kid(1)


def test_without_randomness_nothing_is_made() -> None:
    store = MemoryStore()
    taken = unsafe_seeded(b"")

    def soon_none(size: int) -> bytes:
        if size != 32:  # the nonce of the first blob
            raise Entropy("none")
        return taken(size)

    with pytest.raises(Entropy):
        create(store, KEY, "default", entropy=soon_none)
    with pytest.raises(StoreRefused):
        store.load()


# The private key that signed before


def test_a_rotation_destroys_the_private_key_that_signed_before(keyring: Keyring, store: KeyStore) -> None:
    def sealed() -> dict[int, bytes]:
        """What every version's blob seals, by the documented layout."""
        stored = store.load()
        opens = {}
        for row in stored.ring.versions:
            fields = (
                row.kid.encode(),
                row.algorithm.encode(),
                row.number.to_bytes(8, "big"),
                row.public_key,
                row.state.encode(),
                row.created_ms.to_bytes(8, "big"),
                b"" if row.retire_at_ms is None else row.retire_at_ms.to_bytes(8, "big"),
            )
            aad = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
            opens[row.number] = unseal(KEY, row.blob, aad)
        return opens

    first = sealed()
    assert [len(seed) for seed in first.values()] == [32, 32]
    keyring.rotate(said)
    second = sealed()
    assert second[1] == b""
    assert second[2] == first[2]
    assert len(second[3]) == 32
    keyring.revoke(Kid("default", 3), said)
    assert [len(seed) for seed in sealed().values()] == [0, 32, 0, 32]
    keyring.revoke(Kid("default", 2), said)
    assert [len(seed) for seed in sealed().values()] == [0, 0, 0, 32, 32]


def test_a_destroyed_private_key_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store" / "keys.db"
    store = open_store(f"sqlite:{path}")
    create(store, KEY, "default")
    keyring = Keyring(store, ENGINE, KEY, Policy(GRACE, 0))
    for _ in range(5):
        stored = store.load()
        (blob,) = (row.blob for row in stored.ring.versions if row.state == "active")
        assert blob in path.read_bytes()
        keyring.rotate(said, idempotency_key=str(stored.generation))
        left = path.read_bytes()
        # 25 bytes of header say nothing of the key; every piece of the ciphertext would.
        assert not any(blob[at : at + 8] in left for at in range(25, len(blob) - 7))


# Revoking


@pytest.mark.parametrize(
    ("number", "after", "signs"),
    [
        pytest.param(1, ["revoked", "retiring", "active", "next"], 3, id="retired"),
        pytest.param(2, ["retired", "revoked", "active", "next"], 3, id="retiring"),
        pytest.param(3, ["retired", "retiring", "revoked", "active", "next"], 4, id="active"),
        pytest.param(4, ["retired", "retiring", "active", "revoked", "next"], 3, id="next"),
    ],
)
def test_a_version_is_revoked_in_any_state(
    keyring: Keyring, opened: Opens, clock: Clock, number: int, after: list[str], signs: int
) -> None:
    keyring.rotate(said)
    clock.now_ms += GRACE
    keyring.rotate(said)
    assert states(keyring) == ["retired", "retiring", "active", "next"]
    generation = keyring.current.generation
    answer = keyring.revoke(Kid("default", number), said)
    for worker in (keyring, opened()):
        assert states(worker) == after
        assert json.loads(answer) == worker.attest()
        assert worker.current.generation == generation + 1
        assert kid(number) not in listed(worker)
        assert signed(worker)[0] == kid(signs)
        worker.verify(*signed(worker))
        with pytest.raises(Expired):
            worker.verify(kid(number), b"", bytes(64))


def test_revoking_the_active_version_does_not_wait_for_next(opened: Opens) -> None:
    keyring = opened(publish_ahead_ms=10**9)
    stolen = signed(keyring)
    keyring.revoke(Kid("default", 1), said)
    assert signed(keyring)[0] == kid(2)
    with pytest.raises(Expired):
        keyring.verify(*stolen)
    with pytest.raises(TooSoon):
        keyring.rotate(said)


def test_revoking_again_changes_nothing_and_says_how_it_is(keyring: Keyring, store: KeyStore) -> None:
    keyring.rotate(said)
    first = keyring.revoke(Kid("default", 1), said)
    before = store.load()
    assert keyring.revoke(Kid("default", 1), said) == first
    assert store.load() == before


def test_revoking_again_says_how_it_is_now(keyring: Keyring, clock: Clock) -> None:
    keyring.rotate(said)
    keyring.rotate(said)
    keyring.revoke(Kid("default", 1), said)
    clock.now_ms += GRACE  # version 2 has retired since, by time alone
    assert json.loads(keyring.revoke(Kid("default", 1), said)) == keyring.attest()


@pytest.mark.parametrize("name", [Kid("default", 3), Kid("other", 1), Kid("default", 0)])
def test_a_kid_that_nobody_has_is_not_revoked(keyring: Keyring, store: KeyStore, name: Kid) -> None:
    before = store.load()
    with pytest.raises(NoSuchKey):
        keyring.revoke(name, said)
    assert store.load() == before


def test_a_version_that_another_worker_made_can_be_revoked(opened: Opens) -> None:
    first, second = opened(), opened()
    first.rotate(said)
    second.revoke(Kid("default", 3), said)
    assert states(second) == ["retiring", "active", "revoked", "next"]


# Time alone


def test_grace_ends_by_itself_without_a_write(keyring: Keyring, store: KeyStore, clock: Clock) -> None:
    old = signed(keyring)
    keyring.rotate(said)
    before, key_set = store.load(), keyring.key_set()
    clock.now_ms += GRACE - 1
    assert listed(keyring) == [kid(1), kid(2), kid(3)]
    assert keyring.key_set() is key_set
    clock.now_ms += 1
    assert listed(keyring) == [kid(2), kid(3)]
    assert states(keyring) == ["retired", "active", "next"]
    assert keyring.attest()["previous_kids"] == []
    assert keyring.key_set().etag != key_set.etag
    assert store.load() == before
    keyring.verify(*old)


def test_versions_retire_one_after_the_other(keyring: Keyring, clock: Clock) -> None:
    for _ in range(3):
        keyring.rotate(said)
        clock.now_ms += 10
    clock.now_ms = NOW
    for after_ms, first in ((GRACE - 1, 1), (GRACE, 2), (GRACE + 9, 2), (GRACE + 10, 3), (GRACE + 20, 4)):
        clock.now_ms = NOW + after_ms
        assert listed(keyring)[0] == kid(first)


def test_the_next_change_stores_what_time_has_done(keyring: Keyring, store: KeyStore, clock: Clock) -> None:
    keyring.rotate(said)
    clock.now_ms += GRACE
    keyring.rotate(said)
    stored = store.load()
    assert [row.state for row in stored.ring.versions] == ["retired", "retiring", "active", "next"]


def test_a_retired_version_does_not_come_back_with_the_clock(keyring: Keyring, clock: Clock) -> None:
    keyring.rotate(said)
    clock.now_ms += GRACE
    assert listed(keyring) == [kid(2), kid(3)]
    clock.now_ms -= GRACE
    assert listed(keyring) == [kid(2), kid(3)]


def test_reading_does_not_wait_for_a_change(opened: Opens, store: KeyStore, clock: Clock) -> None:
    # An event loop reads the key set; a rotation in a thread may wait seconds for another process's commit.
    meddled = Meddled(store)
    keyring = opened(store=meddled)
    keyring.rotate(said)
    waiting, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        waiting.set()
        go_on.wait(10)

    meddled.before_load = once(wait)
    with ThreadPoolExecutor(2) as threads:
        rotation = threads.submit(keyring.rotate, said)
        assert waiting.wait(5)
        clock.now_ms += GRACE  # time alone changes the key set meanwhile
        try:
            keys = threads.submit(listed, keyring).result(timeout=3)
        finally:
            go_on.set()
        rotation.result()
    assert keys == [kid(2), kid(3)]


# Beside others


def test_what_one_worker_changed_makes_the_others_look(opened: Opens) -> None:
    places = array("Q", [0, 0, 0])
    first, second, third = (opened(generations=Generations(places, n)) for n in range(3))
    assert all(worker.is_current() for worker in (first, second, third))
    old = signed(first)
    first.rotate(said)
    assert first.is_current()
    assert not second.is_current()
    second.refresh()
    assert second.is_current()
    assert signed(second)[0] == kid(2)
    second.revoke(Kid("default", 1), said)
    assert not first.is_current()
    assert not third.is_current()
    third.refresh()
    with pytest.raises(Expired):
        third.verify(*old)
    assert list(places) == [2, 3, 3]


def test_a_worker_that_starts_later_is_no_reason_to_look(opened: Opens) -> None:
    places = array("Q", [0, 0])
    first = opened(generations=Generations(places, 0))
    first.rotate(said)
    opened(generations=Generations(places, 1))
    assert first.is_current()


def test_another_process_is_followed_by_looking(opened: Opens) -> None:
    here, there = opened(), opened()
    there.rotate(said)
    assert here.is_current()  # it cannot know
    here.refresh()
    assert here.current.ring == there.current.ring
    here.refresh()
    assert here.current.generation == 2


def test_a_look_that_finds_nothing_keeps_the_snapshot(keyring: Keyring) -> None:
    before = keyring.current
    keyring.refresh()
    assert keyring.current is before


def test_of_many_threads_that_catch_up_one_reads(opened: Opens, store: KeyStore) -> None:
    meddled = Meddled(store)
    places = array("Q", [0, 0])
    here, there = opened(store=meddled, generations=Generations(places, 0)), opened()
    reads: list[None] = []
    meddled.before_load = lambda: reads.append(None)
    here.catch_up()
    assert reads == []  # nothing to catch up with
    there.rotate(said)
    Generations(places, 1).saw(2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: here.catch_up(), range(32)))
    assert len(reads) == 1
    assert here.is_current()
    assert signed(here)[0] == kid(2)


@pytest.mark.parametrize("store", ["memory"], indirect=True)  # it has to wait for the clock
def test_a_keyring_that_has_not_looked_for_reread_ms_is_not_current(opened: Opens) -> None:
    assert not opened(reread_ms=0).is_current()
    keyring = opened(reread_ms=300)
    assert keyring.is_current()
    time.sleep(0.31)
    assert not keyring.is_current()
    keyring.refresh()
    assert keyring.is_current()
    time.sleep(0.31)
    keyring.rotate(said)
    assert keyring.is_current()


@pytest.mark.parametrize("store", ["memory"], indirect=True)  # it has to wait for the clock
def test_a_kid_that_nobody_knows_is_looked_for_at_most_once_a_second(opened: Opens) -> None:
    here, there = opened(), opened()
    there.rotate(said)
    new = signed(there)
    assert here.may_look_again()
    assert here.look_again()
    here.verify(*new)
    for _ in range(3):
        assert not here.may_look_again()
        assert not here.look_again()
    time.sleep(1.01)
    assert here.may_look_again()
    assert here.look_again()


def test_a_look_that_failed_counts_as_one(opened: Opens, store: KeyStore) -> None:
    meddled = Meddled(store)
    keyring = opened(store=meddled)
    meddled.before_load = failing(StoreBusy("not now"))
    with pytest.raises(StoreBusy):
        keyring.look_again()
    assert not keyring.look_again()


def test_many_threads_look_once(opened: Opens, store: KeyStore) -> None:
    meddled = Meddled(store)
    keyring = opened(store=meddled)
    reads: list[None] = []
    meddled.before_load = lambda: reads.append(None)
    with ThreadPoolExecutor(8) as threads:
        looked = list(threads.map(lambda _: keyring.look_again(), range(32)))
    assert looked.count(True) == len(reads) == 1


@contextmanager
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_no_reader_sees_a_new_kid_with_an_old_key() -> None:
    store, clock = MemoryStore(), Clock()
    create(store, KEY, "default", clock_ms=clock)
    keyring = Keyring(store, ENGINE, KEY, Policy(GRACE, publish_ahead_ms=0), clock_ms=clock)
    done = threading.Event()

    def read() -> int:
        rounds = 0
        while not done.is_set():
            made = keyring.sign(lambda name: name.encode())
            keys = json.loads(keyring.key_set().body)["keys"]
            assert len({key["kid"] for key in keys}) == len(keys)
            (x,) = (key["x"] for key in keys if key["kid"] == made.kid)
            key = ENGINE.load(urlsafe_b64decode(x + "="))
            assert made.message == made.kid.encode()
            assert list(ENGINE.verify_many([(key, made.message, made.signature)])) == [1]
            keyring.verify(*made)
            snapshot = keyring.current
            assert snapshot.head.kid == str(snapshot.ring.active.kid)
            assert snapshot.head.kid in snapshot.verifying
            rounds += 1
        return rounds

    with hasty_threads(), ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        try:
            for _ in range(200):
                keyring.rotate(said)
                time.sleep(0)
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert signed(keyring)[0] == kid(201)


def test_changes_from_many_threads_are_all_made() -> None:
    store = MemoryStore()
    create(store, KEY, "default")
    keyrings = [Keyring(store, ENGINE, KEY, Policy(GRACE, publish_ahead_ms=0)) for _ in range(2)]
    with hasty_threads(), ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(lambda n: keyrings[n % 2].rotate(lambda s: s.head.kid.encode()).decode(), range(40)),
        )
    assert sorted(answers) == sorted(kid(number) for number in range(2, 42))


class TwoWorkers(RuleBasedStateMachine):
    """Two keyrings on one SQLite file, with the generation shared in memory, and a third party that reads.

    The third party keeps every key set there was: what is signed must be in one of an earlier moment.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.clock = Clock()
        places = array("Q", [0, 0])
        store = open_store(f"sqlite:{self.directory.name}/store/keys.db")
        create(store, KEY, "default", clock_ms=self.clock)
        self.workers = [
            Keyring(
                open_store(f"sqlite:{self.directory.name}/store/keys.db"),
                ENGINE,
                KEY,
                Policy(grace_ms=100, publish_ahead_ms=50),
                generations=Generations(places, n),
                clock_ms=self.clock,
            )
            for n in range(2)
        ]
        self.public: dict[str, str] = {}  # every key that was ever published, by kid
        self.signatures: dict[str, tuple[str, bytes, bytes]] = {}  # one by every version that has signed
        self.revoked: set[str] = set()
        self.rotations: dict[str, bytes] = {}
        self.generation = 1

    def teardown(self) -> None:
        self.directory.cleanup()

    def worker(self, number: int) -> Keyring:
        """Return a worker as the service uses it: current, or made so."""
        if not self.workers[number].is_current():
            self.workers[number].refresh()
        return self.workers[number]

    def published(self) -> None:
        """Read the key set, and hold it to all that were read before."""
        key_sets = {self.worker(n).key_set() for n in range(2)}
        assert len(key_sets) == 1
        keys = json.loads(key_sets.pop().body)["keys"]
        for key in keys:
            assert self.public.setdefault(key["kid"], key["x"]) == key["x"]
            assert key["kid"] not in self.revoked
        assert len({key["kid"] for key in keys}) == len(keys)

    @initialize()
    def first(self) -> None:
        self.published()

    @rule(n=st.integers(0, 1), force=st.booleans(), key=st.none() | st.sampled_from("abcdef"))
    def rotate(self, n: int, force: bool, key: str | None) -> None:
        worker = self.worker(n)
        known = set(self.public)
        before = worker.attest()
        age_ms = self.clock.now_ms - before["versions"][-1]["created_ms"]
        try:
            answer = worker.rotate(said, idempotency_key=key, force=force)
        except TooSoon as refusal:
            retry_after_ms = refusal.retry_after_ms
            assert not force
            assert key not in self.rotations
            assert retry_after_ms == 50 - age_ms > 0
            assert worker.attest() == before
            return
        if key in self.rotations:
            assert answer == self.rotations[key]
            assert worker.attest() == before
            return
        assert force or age_ms >= 50
        if key:
            self.rotations[key] = answer
        self.generation += 1
        assert json.loads(answer) == worker.attest()
        assert worker.attest()["current_kid"] == before["next_kid"]
        assert worker.attest()["current_kid"] in known
        assert worker.attest()["next_kid"] not in known

    @rule(n=st.integers(0, 1), data=st.data())
    def revoke(self, n: int, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(self.worker(n).attest()["versions"]))
        self.worker(n).revoke(Kid.parse(version["kid"]), said)
        self.generation += version["state"] != State.REVOKED
        self.revoked.add(version["kid"])

    @rule(n=st.integers(0, 1))
    def sign(self, n: int) -> None:
        made = self.worker(n).sign(lambda name: name.encode())
        assert made.kid in self.public
        x = urlsafe_b64decode(self.public[made.kid] + "=")
        assert list(ENGINE.verify_many([(ENGINE.load(x), made.message, made.signature)])) == [1]
        self.signatures[made.kid] = made

    @rule(ms=st.integers(1, 60))
    def wait(self, ms: int) -> None:
        self.clock.now_ms += ms

    @rule(n=st.integers(0, 1))
    def look(self, n: int) -> None:
        self.workers[n].refresh()

    @invariant()
    @precondition(lambda self: self.public)
    def every_kid_is_listed_before_its_first_use(self) -> None:
        self.published()
        for n in range(2):
            attested = self.worker(n).attest()
            assert attested["current_kid"] in self.public
            assert attested["next_kid"] in self.public
            found = [version["state"] for version in attested["versions"]]
            assert (found.count("active"), found.count("next")) == (1, 1)
            assert {v["kid"] for v in attested["versions"] if v["state"] == "revoked"} == self.revoked
            assert self.worker(n).current.generation == self.generation

    @invariant()
    def every_signature_verifies_unless_it_was_revoked(self) -> None:
        for n in range(2):
            for name, made in self.signatures.items():
                if name in self.revoked:
                    with pytest.raises(Expired):
                        self.worker(n).verify(*made)
                else:
                    self.worker(n).verify(*made)


TestTwoWorkers = TwoWorkers.TestCase
TestTwoWorkers.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
