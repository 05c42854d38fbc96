"""Live custody of one ring: one immutable snapshot, replaced whole.

Every reader takes the snapshot once and works from it, so nobody sees a new kid with an old key. A change
is one compare-and-swap of the stored ring, and then one swap of the snapshot.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nacl.bindings import crypto_sign_seed_keypair

from ron_kms import ring as rings
from ron_kms.engines import Engine, Item
from ron_kms.entropy import Entropy, system
from ron_kms.errors import GenerationMoved, SealError, StoreRefused, VerifyFailed
from ron_kms.generations import Generations
from ron_kms.jwks import KeySet
from ron_kms.kid import Kid, check_namespace
from ron_kms.ring import Ring
from ron_kms.sealed import seal, unseal
from ron_kms.sealed_ring import open_ring, open_seed, seal_ring
from ron_kms.secret import Secret
from ron_kms.snapshot import Attested, Head, Snapshot
from ron_kms.stores import Idempotency, KeyStore, Stored

UNKNOWN_KID_READ_EVERY_S = 1.0
"""How often strangers' kids can make a process read its store."""

CHANGE_WITHIN_S = 10.0
"""How long a change tries again when others were quicker. Each time, somebody got through."""

LOST_SWAP_WAIT_MS = 100
"""The longest pause after that; random, so that those who lost do not meet again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a key lives."""

    grace_ms: int  # how long a version stays published after it signed
    publish_ahead_ms: int  # how long a version is published before it may sign
    reread_ms: int = 60_000  # the longest a process goes without looking at its store


class Signed(NamedTuple):
    """A signature, and what it is over."""

    kid: str
    message: bytes
    signature: bytes  # 64 bytes, R then S (RFC 8032 §5.1.6)


def now_ms() -> int:
    """Return Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def create(
    store: KeyStore,
    seal_key: Secret,
    namespace: str,
    *,
    clock_ms: Callable[[], int] = now_ms,
    entropy: Entropy = system,
) -> None:
    """Make the store's first ring: version 1 signs, version 2 is published as the next.

    Raises:
        ValueError: ``namespace`` is none.
        StoreRefused: There is a ring already (``store_exists``).
        StoreBusy: It could not be written.
        Entropy: There was no randomness.
    """
    check_namespace(namespace)
    now = clock_ms()
    (first_seed, first), (second_seed, second) = _pair(entropy), _pair(entropy)
    ring = rings.create(namespace, first, second, now)
    seeds = {ring.active.kid: first_seed, ring.next.kid: second_seed}
    store.replace(0, seal_ring(ring, seeds, {}, key=seal_key, generation=1, now_ms=now, entropy=entropy))


class Keyring:
    """The versions of one key, live: sign, verify, rotate, revoke, attest.

    Safe to share between threads. What reads the store (``refresh``, ``look_again``) or writes it
    (``rotate``, ``revoke``) may wait for another process, so an event loop calls it in a thread.

    Args:
        store: Where the ring rests; ``create`` made it.
        engine: Who verifies.
        seal_key: 32 bytes that open the store.
        generations: Shared by all workers on this store, so that each sees the others' changes at once.

    Raises:
        StoreRefused: The store or its seal key is not to be used (by name).
        StoreBusy: It cannot be read at the moment.
    """

    def __init__(
        self,
        store: KeyStore,
        engine: Engine,
        seal_key: Secret,
        policy: Policy,
        *,
        generations: Generations | None = None,
        clock_ms: Callable[[], int] = now_ms,
        entropy: Entropy = system,
    ) -> None:
        self.engine = engine
        self._store = store
        self._seal_key = seal_key
        self._policy = policy
        self._generations = generations or Generations()
        self._clock_ms = clock_ms
        self._entropy = entropy
        self._changing = threading.RLock()
        self._looked_for_unknown_s = float("-inf")
        self._snapshot = self._opened(self._loaded(0), before=None)
        self._looked_s = time.monotonic()
        self._generations.saw(self._snapshot.generation)

    def check_namespace(self, namespace: str) -> None:
        """Return if the ring's versions are named under ``namespace``.

        Raises:
            StoreRefused: ``store_foreign``: they are another service's.
        """
        if self._snapshot.ring.active.kid.namespace != namespace:
            raise StoreRefused("store_foreign", "the store's keys are of another namespace")

    # Reading

    @property
    def current(self) -> Snapshot:
        """The newest generation this process has seen. Take it once, and work from it."""
        return self._snapshot

    def at_now(self) -> Snapshot:
        """Return the current snapshot as it is at this moment: what is over by time alone has retired."""
        snapshot = self._snapshot
        shown = snapshot.at(self._clock_ms())
        if shown is not snapshot and self._changing.acquire(blocking=False):
            try:
                if self._snapshot is snapshot:
                    self._snapshot = shown
            finally:
                self._changing.release()
        return shown

    def is_current(self) -> bool:
        """Tell whether no worker has seen a newer generation, and the store was looked at lately."""
        seen = self._generations.newest() <= self._snapshot.generation
        return seen and time.monotonic() - self._looked_s < self._policy.reread_ms / 1000

    def refresh(self) -> None:
        """Take over what other processes wrote. Reads the store.

        Raises:
            StoreRefused, StoreBusy: As for ``Keyring``; the snapshot stays as it was.
        """
        with self._changing:
            held = self._snapshot
            stored = self._loaded(held.generation)
            if stored != held.stored:
                after = self._opened(stored, before=held)
                if stored.generation == held.generation or not rings.follows(after.ring, held.rested):
                    raise StoreRefused("store_rolled_back", "the store has another history than this process")
                self._install(after)
            self._looked_s = time.monotonic()

    def catch_up(self) -> None:
        """Refresh, unless another thread has done so meanwhile.

        Raises:
            StoreRefused, StoreBusy: As for ``refresh``.
        """
        with self._changing:
            if not self.is_current():
                self.refresh()

    def may_look_again(self) -> bool:
        """Tell whether ``look_again`` would read the store."""
        return time.monotonic() - self._looked_for_unknown_s >= UNKNOWN_KID_READ_EVERY_S

    def look_again(self) -> bool:
        """Refresh for a kid that nobody knows, unless that was done less than a second ago.

        Returns:
            Whether the store was read.

        Raises:
            StoreRefused, StoreBusy: As for ``refresh``.
        """
        with self._changing:
            if not self.may_look_again():
                return False
            self._looked_for_unknown_s = time.monotonic()
            self.refresh()
            return True

    def sign(self, message_for: Callable[[str], bytes]) -> Signed:
        """Sign with the version that signs now.

        Args:
            message_for: Makes the message for that version's kid: the two are of one generation.
        """
        head = self._snapshot.head
        message = message_for(head.kid)
        return Signed(head.kid, message, head.signer.sign(message))

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """Return 1 or 0 for each (verifying key, message, signature), in order. See ``Engine``."""
        return self.engine.verify_many(items)

    def verify(self, kid: str, message: bytes, signature: bytes) -> None:
        """Return only if version ``kid`` made ``signature`` over ``message``.

        Raises:
            NoSuchKey: No version has that kid.
            Expired: The version was revoked.
            VerifyFailed: It did not.
        """
        key = self._snapshot.verifying_key(kid)
        if not self.verify_many([(key, message, signature)])[0]:
            raise VerifyFailed("the signature does not hold")

    def key_set(self) -> KeySet:
        """Return the public keys as they are published now."""
        return self.at_now().key_set

    def attest(self) -> Attested:
        """Return what the keyring is now, without a secret in it."""
        return self.at_now().attest()

    # Changing

    def rotate(
        self, answer: Callable[[Snapshot], bytes], *, idempotency_key: str | None = None, force: bool = False
    ) -> bytes:
        """Let the next version sign, and publish a new next one. Durable when it returns.

        Args:
            answer: Renders what the caller is told; what it gives is stored with the rotation.
            idempotency_key: The same key gets the same answer, byte for byte, and rotates once.
            force: Rotate even if the next version has not been published for long enough.

        Raises:
            TooSoon: It has not.
            Busy, StoreRefused: The store could not be changed.
        """

        def change(ring: Ring, fresh: bytes, now: int) -> Ring:
            if not force:
                rings.check_published_for(ring, self._policy.publish_ahead_ms, now)
            return rings.rotate(ring, fresh, grace_ms=self._policy.grace_ms, now_ms=now)

        return self._change(change, answer, idempotency_key)

    def revoke(self, kid: Kid, answer: Callable[[Snapshot], bytes]) -> bytes:
        """Let nothing verify under ``kid`` any more. Durable when it returns.

        Revoking the active version rotates, revoking the next makes another, in the same change. Revoking
        a version again changes nothing.

        Raises:
            NoSuchKey: No version has that kid.
            Busy, StoreRefused: The store could not be changed.
        """
        return self._change(lambda ring, fresh, now: rings.revoke(ring, kid, fresh, now_ms=now), answer)

    def _change(
        self,
        change: Callable[[Ring, bytes, int], Ring],
        answer: Callable[[Snapshot], bytes],
        idempotency_key: str | None = None,
    ) -> bytes:
        give_up_s = time.monotonic() + CHANGE_WITHIN_S
        while True:
            try:
                with self._changing:
                    self.refresh()
                    # After the ring: what is not known by now was not yet done in the ring that was read.
                    given = None if idempotency_key is None else self._store.recall(idempotency_key)
                    if idempotency_key is not None and given is not None:
                        self.refresh()
                        return self._given(idempotency_key, given)
                    return self._changed(change, answer, idempotency_key)
            except GenerationMoved:
                if time.monotonic() >= give_up_s:
                    raise
            time.sleep(secrets.randbelow(LOST_SWAP_WAIT_MS) / 1000)  # without the lock: readers go on

    def _changed(
        self,
        change: Callable[[Ring, bytes, int], Ring],
        answer: Callable[[Snapshot], bytes],
        idempotency_key: str | None,
    ) -> bytes:
        """Change the ring once: build the whole next generation, store it, and only then show it."""
        now, before = self._clock_ms(), self._snapshot
        fresh_seed, fresh = _pair(self._entropy)
        was = rings.at(before.ring, now)
        ring = change(was, fresh, now)
        if ring == was:
            return answer(before.at(now))
        rows = {version: row for row, version in before.resting.items()}
        # The last wins: where there is no new next version, ``fresh`` is not used.
        seeds = {ring.next.kid: fresh_seed, was.next.kid: open_seed(rows[was.next], self._seal_key)}
        generation = before.generation + 1
        sealed = seal_ring(
            ring,
            seeds,
            before.resting,
            key=self._seal_key,
            generation=generation,
            now_ms=now,
            entropy=self._entropy,
        )
        head = before.head
        if ring.active != was.active:
            head = Head(str(ring.active.kid), self.engine.signer(seeds[ring.active.kid]))
        after = Snapshot.of(Stored(generation, sealed), ring, head, self.engine, before)
        said = answer(after)
        self._store.replace(before.generation, sealed, self._idempotency(idempotency_key, after, said, now))
        self._install(after)
        return said

    def _idempotency(self, key: str | None, after: Snapshot, said: bytes, now: int) -> Idempotency | None:
        if key is None:
            return None
        sealed = seal(self._seal_key, said, _answer_aad(key), now_ms=now, entropy=self._entropy)
        return Idempotency(key, after.head.kid, sealed)

    def _given(self, key: str, sealed: bytes) -> bytes:
        try:
            return unseal(self._seal_key, sealed, _answer_aad(key))
        except SealError:
            raise StoreRefused(
                "store_changed", "an answer was changed by a hand without the seal key"
            ) from None

    def _loaded(self, generation: int) -> Stored:
        """Return what is stored, of no earlier generation than ``generation`` or any worker has seen."""
        oldest = max(generation, self._generations.newest())
        stored = self._store.load()
        if stored.generation < oldest:
            raise StoreRefused("store_rolled_back", "the store went back to an earlier generation")
        return stored

    def _opened(self, stored: Stored, before: Snapshot | None) -> Snapshot:
        ring = open_ring(stored, before.resting if before else {}, key=self._seal_key)
        if before and before.ring.active == ring.active:
            head = before.head
        else:
            rows = dict(zip(ring.versions, stored.ring.versions, strict=True))
            seed = open_seed(rows[ring.active], self._seal_key)
            head = Head(str(ring.active.kid), self.engine.signer(seed))
        return Snapshot.of(stored, ring, head, self.engine, before)

    def _install(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._looked_s = time.monotonic()
        self._generations.saw(snapshot.generation)


def _pair(entropy: Entropy) -> tuple[Secret, bytes]:
    """Return a new private key's seed and its public key."""
    seed = entropy(32)
    return Secret(seed), crypto_sign_seed_keypair(seed)[0]


def _answer_aad(idempotency_key: str) -> bytes:
    return b"ron-kms/answer/v1\0" + idempotency_key.encode()
