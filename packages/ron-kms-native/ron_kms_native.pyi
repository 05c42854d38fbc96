"""Strict Ed25519 verification for few, long-lived keys. Only ``ron_kms.engines.native`` imports this."""

from collections.abc import Sequence
from typing import final

__all__ = ["Key", "Signer", "load", "path", "paths", "signer", "verify_many", "verify_one"]

@final
class Key:
    """A loaded public key. It cannot be made but by ``load``, nor pickled. Threads may share it."""

    @property
    def table_bytes(self) -> int:
        """Bytes that its tables take now."""

def load(public_key: bytes, /, *, width: int | None = None) -> Key:
    """Load a public key: about a millisecond. What the rule refuses loads as a key that refuses everything.

    Args:
        public_key: Of any length.
        width: Fixes the table's width, 4 to 12, for tests and measurements; by default a policy chooses.

    Raises:
        TypeError: ``public_key`` is not ``bytes``.
        ValueError: There is no such width.
        OverflowError: It is not even a byte.
    """

def verify_many(
    items: Sequence[tuple[Key, bytes, bytes]],
    /,
    *,
    path: str | None = None,
    threads: int | None = None,
) -> bytes:
    """Return 1 or 0 for each (key, message, signature), in order: the verdict it has alone.

    The GIL is free meanwhile.

    Args:
        path: One of ``paths()``, for tests; by default the fastest.
        threads: At most so many; by default ``RAYON_NUM_THREADS``, or the processors there are.

    Raises:
        TypeError: An item is not a tuple of those types.
        ValueError: An item has not three parts, or the path does not work here.
        OverflowError: ``threads`` is negative, or beyond every machine.
    """

def verify_one(key: Key, message: bytes, signature: bytes, /, *, path: str | None = None) -> bool:
    """Return whether the signature is valid. Raises as ``verify_many`` does."""

def path() -> str:
    """Return the name of the fastest path on this machine, which is the one taken."""

def paths() -> list[str]:
    """Return the names of all paths that work on this machine, the fastest first."""

@final
class Signer:
    """A private key, expanded once. It cannot be made but by ``signer``, shows nothing, and is never pickled.

    What it holds is overwritten when it goes.
    """

    def sign(self, message: bytes, /) -> bytes:
        """Return the 64 bytes of R and S (RFC 8032 §5.1.6), in a time that tells nothing of the secret."""

def signer(seed: bytes, /) -> Signer | None:
    """Return who signs with the private key of this seed (RFC 8032 §5.1.5).

    Args:
        seed: 32 bytes. The caller's copy of them stays the caller's to overwrite.

    Returns:
        None where the processor lacks what it takes: ADX, AVX2, BMI, AES, CLMUL; or NEON, AES, SHA-2.

    Raises:
        TypeError: ``seed`` is not ``bytes``.
        ValueError: It is not 32 of them.
    """
