"""An engine that wraps an engine: of what it accepts, one in so many is verified again by a second.

Where the two disagree the first is not asked again in this process, and the stricter verdict stands.
"""

import secrets
import threading
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from ron_kms.engines import Engine, Item, Signer, VerifyingKey
from ron_kms.secret import Secret


class CheckedEngine:
    """See ``Engine``. A refusal is not checked: it is the stricter verdict already.

    Which acceptances are looked at is drawn at random, so nobody knows which are not.

    Args:
        fast: who verifies. Its handles can be weakly referenced.
        judge: who verifies again, and everything once ``fast`` was wrong.
        every: one in so many acceptances, on average; 1 is all of them.
        disagreed: called, once, when ``fast`` has accepted what ``judge`` refuses.
    """

    def __init__(self, fast: Engine, judge: Engine, every: int, disagreed: Callable[[], None]) -> None:
        self._fast, self._judge, self._every, self._disagreed = fast, judge, every, disagreed
        self._judged: WeakKeyDictionary[VerifyingKey, VerifyingKey] = WeakKeyDictionary()
        self._trusted = True
        self._lock = threading.Lock()
        self._until_next = self._gap()

    @property
    def name(self) -> str:
        """See ``Engine``: who verifies at the moment."""
        return (self._fast if self._trusted else self._judge).name

    def load(self, public_key: bytes) -> VerifyingKey:
        """See ``Engine``."""
        key = self._fast.load(public_key)
        self._judged[key] = self._judge.load(public_key)
        return key

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """See ``Engine``."""
        if not self._trusted:
            return self._judge_all(items)
        verdicts = self._fast.verify_many(items)
        drawn = self._drawn(sum(verdicts))
        if not drawn:
            return verdicts
        accepted = [item for item, verdict in zip(items, verdicts, strict=True) if verdict]
        if all(self._judge_all([accepted[i] for i in drawn])):
            return verdicts
        with self._lock:
            first, self._trusted = self._trusted, False
        if first:
            self._disagreed()
        return bytes(map(min, verdicts, self._judge_all(items)))

    def signer(self, seed: Secret) -> Signer:
        """See ``Engine``. What is signed is not checked, but for the self-test."""
        return (self._fast if self._trusted else self._judge).signer(seed)

    def _drawn(self, accepted: int) -> list[int]:
        """Return which of so many accepted items have their turn, and draw whose it is next."""
        drawn = []
        with self._lock:
            while self._until_next <= accepted:
                drawn.append(self._until_next - 1)
                self._until_next += self._gap()
            self._until_next -= accepted
        return drawn

    def _judge_all(self, items: Sequence[Item]) -> Sequence[int]:
        return self._judge.verify_many([(self._judged[key], message, sig) for key, message, sig in items])

    def _gap(self) -> int:
        """Return how far it is to the next: ``every`` on average."""
        return 1 + secrets.randbelow(2 * self._every - 1)
