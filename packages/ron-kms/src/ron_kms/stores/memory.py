"""A store that ends with the process."""

import threading

from ron_kms.errors import GenerationMoved, StoreRefused
from ron_kms.stores import Idempotency, SealedRing, Stored


class MemoryStore:
    """See ``KeyStore``."""

    def __init__(self) -> None:
        self._stored: Stored | None = None
        self._answers: dict[str, bytes] = {}
        self._changing = threading.Lock()

    def load(self) -> Stored:
        """See ``KeyStore``."""
        if self._stored is None:
            raise StoreRefused("store_missing", "there is no ring in this store yet")
        return self._stored

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        """See ``KeyStore``."""
        with self._changing:
            generation = self._stored.generation if self._stored else 0
            if expected_generation == 0 and generation:
                raise StoreRefused("store_exists", "there is a ring in this store already")
            if generation != expected_generation or (idempotency and idempotency.key in self._answers):
                raise GenerationMoved("the ring was changed by somebody else")
            self._stored = Stored(generation + 1, ring)
            if idempotency:
                self._answers[idempotency.key] = idempotency.answer

    def recall(self, key: str) -> bytes | None:
        """See ``KeyStore``."""
        return self._answers.get(key)
