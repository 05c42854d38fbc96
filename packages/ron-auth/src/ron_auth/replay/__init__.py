"""Whether an envelope was accepted before: the port, and a guard for one process.

A guard is asked last, when everything else about an envelope has held, so nobody but a trusted sender makes
it remember anything. It never forgets a nonce that could still be accepted: when it is full it refuses.
"""

import heapq
import threading
import time
from typing import Protocol, final

from ron_auth.envelope import Envelope
from ron_auth.errors import Forgotten, GuardFull, Replayed

CAPACITY = 1_000_000
"""Nonces that a guard remembers at most: some 240 MB in this process, 160 MB in Redis."""

FORGOTTEN_AT_ONCE = 256
"""Expired nonces that one admission clears away at most, so that none waits for a million."""


def limits(capacity: int, per_origin: int | None) -> tuple[int, int]:
    """Return a guard's limits. An origin has a tenth of all if not told: no peer uses up another's share.

    Raises:
        ValueError: one is below 1.
    """
    if per_origin is None:
        per_origin = max(1, capacity // 10)
    if capacity < 1 or per_origin < 1:
        raise ValueError("capacity and per_origin are at least 1")
    return capacity, per_origin


_NOTHING: frozenset[bytes] = frozenset()


class ReplayGuard(Protocol):
    """Who remembers the envelopes that were accepted, by origin, instance and nonce."""

    def admit(self, env: Envelope, now_s: int, max_clock_skew_s: int) -> None:
        """Remember an authentic envelope until ``exp`` + skew, or refuse it.

        Args:
            env: what has passed every other check.
            now_s: seconds since the Unix epoch.
            max_clock_skew_s: with which it was checked.

        Raises:
            Replayed: it was admitted before.
            Forgotten: the guard cannot know, its memory begins later.
            GuardFull: there is no room, in all or for this origin.
            GuardDown: the guard's store does not answer, or is set up to forget.
        """
        ...


@final
class MemoryGuard:
    """A ``ReplayGuard`` for one process, safe from several threads.

    What the process accepted before it was started last is gone with it. What may have been issued before
    ``started_s`` is therefore refused as ``Forgotten``, and its sender signs anew.

    Args:
        capacity: nonces remembered at most.
        per_origin: nonces of one origin service at most; a tenth of ``capacity`` when None.
        started_s: when this memory begins, seconds since the Unix epoch; now when None, 0 where nothing was
            ever accepted before.
    """

    def __init__(
        self, *, capacity: int = CAPACITY, per_origin: int | None = None, started_s: int | None = None
    ) -> None:
        self._capacity, self._per_origin = limits(capacity, per_origin)
        self._started_s = int(time.time()) if started_s is None else started_s
        self._forgotten_s = -(2**63) - 1  # latest ``exp`` of a nonce that is remembered no longer
        self._seen: dict[str, set[bytes]] = {}  # by origin: instance ‖ nonce
        self._next: list[tuple[int, str, bytes]] = []  # a heap, earliest ``exp`` first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._next)

    def admit(self, env: Envelope, now_s: int, max_clock_skew_s: int) -> None:
        """See ``ReplayGuard.admit``."""
        name = env.origin_instance.bytes + env.nonce
        with self._lock:
            self._forget(now_s - max_clock_skew_s)
            seen = self._seen.get(env.origin_svc, _NOTHING)
            if name in seen:
                raise Replayed
            if env.iat <= self._started_s + max_clock_skew_s or env.exp <= self._forgotten_s:
                raise Forgotten
            if len(seen) >= self._per_origin or len(self._next) >= self._capacity:
                raise GuardFull
            self._seen.setdefault(env.origin_svc, set()).add(name)
            heapq.heappush(self._next, (env.exp, env.origin_svc, name))

    def _forget(self, before_s: int) -> None:
        """Forget what expired before ``before_s``, and remember that: a clock may step back."""
        for _ in range(FORGOTTEN_AT_ONCE):
            if not self._next or self._next[0][0] >= before_s:
                break
            self._forgotten_s, origin, name = heapq.heappop(self._next)
            self._seen[origin].remove(name)
            if not self._seen[origin]:
                del self._seen[origin]
