"""Where rings rest: the port, and the choice by URI.

A store sees sealed blobs only. It neither opens them nor knows what they hold.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ron_kms.errors import StoreRefused


@dataclass(frozen=True, slots=True)
class SealedVersion:
    """A version at rest. The blob's authenticated data binds every other field."""

    kid: str
    algorithm: str
    number: int
    public_key: bytes
    state: str
    created_ms: int
    retire_at_ms: int | None
    blob: bytes  # the private key's seed, or nothing where it is gone


@dataclass(frozen=True, slots=True)
class SealedRing:
    """All versions, oldest first, and the blob that binds them together with the generation."""

    versions: tuple[SealedVersion, ...]
    manifest: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A ring and its generation: 1 for the first, one more with every change."""

    generation: int
    ring: SealedRing


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key for one change, and the sealed answer it got."""

    key: str  # 1 to 128 visible ASCII characters
    kid: str  # the version that the change made active: the answer is kept as long as it
    answer: bytes  # sealed


_is_idempotency_key = re.compile(r"[\x21-\x7e]{1,128}").fullmatch


def is_idempotency_key(text: str) -> bool:
    """Tell whether ``text`` is 1 to 128 visible ASCII characters."""
    return _is_idempotency_key(text) is not None


class KeyStore(Protocol):
    """Where one ring rests."""

    def load(self) -> Stored:
        """Return what is stored.

        Raises:
            StoreRefused: It is missing, or is not to be used (by name).
            StoreBusy: It cannot be read at the moment.
        """
        ...

    def replace(
        self, expected_generation: int, ring: SealedRing, idempotency: Idempotency | None = None
    ) -> None:
        """Put ``ring`` in the place of the one with ``expected_generation``, durably, or change nothing.

        The new generation is one more. Expecting generation 0 makes the store.

        Raises:
            GenerationMoved: Another ring rests there by now.
            StoreRefused: It is not to be used, or, expecting 0, exists already (by name).
            StoreBusy: It cannot be written at the moment, or did not give back what was written.
        """
        ...

    def recall(self, key: str) -> bytes | None:
        """Return the sealed answer stored with that idempotency key, or None."""
        ...


def open_store(uri: str) -> KeyStore:
    """Return the store at ``memory:`` or ``sqlite:/path``; nothing is opened or made yet.

    Raises:
        StoreRefused: No store has such a URI (``store_unknown``).
    """
    from ron_kms.stores.memory import MemoryStore  # noqa: PLC0415 - a store is imported when chosen
    from ron_kms.stores.sqlite import SqliteStore  # noqa: PLC0415

    scheme, _, path = uri.partition(":")
    if uri == "memory:":
        return MemoryStore()
    if scheme == "sqlite" and Path(path).is_absolute():
        return SqliteStore(Path(path))
    raise StoreRefused("store_unknown", "the store is memory: or sqlite: with an absolute path")
