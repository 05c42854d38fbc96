"""The engine that is always there: libsodium, through PyNaCl.

libsodium 1.0.18 to 1.0.22 decides exactly as the strict rule says: it refuses S ≥ L, keys that are not
canonical or of small order and R of small order, and compares the encoding of S·B − k·A with R.
"""

from collections.abc import Sequence
from typing import cast

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from ron_kms.engines import Item, Signer, VerifyingKey
from ron_kms.secret import Secret

_REFUSES_EVERYTHING = bytes(32)
"""y = 0 is a point of order 4: libsodium refuses every signature under it."""


class SodiumEngine:
    """See ``Engine``. A handle is the 32 bytes themselves: libsodium decompresses them every time."""

    name = "sodium"

    def load(self, public_key: bytes) -> VerifyingKey:
        """See ``Engine``."""
        return VerifyingKey(public_key if len(public_key) == 32 else _REFUSES_EVERYTHING)  # noqa: PLR2004

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """See ``Engine``. libsodium lets go of the GIL for every signature."""
        return bytes(_holds(cast("bytes", key), message, signature) for key, message, signature in items)

    def signer(self, seed: Secret) -> Signer:
        """See ``Engine``."""
        return SodiumSigner(seed)


class SodiumSigner:
    """See ``Signer``. libsodium expands the seed anew for every signature."""

    def __init__(self, seed: Secret) -> None:
        # libsodium's form of a private key: the seed, then the public key (64 bytes).
        self._private = Secret(crypto_sign_seed_keypair(seed.reveal())[1])

    def sign(self, message: bytes, /) -> bytes:
        """See ``Signer``."""
        return crypto_sign(message, self._private.reveal())[:64]


def _holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 64:  # noqa: PLR2004 - R and S, RFC 8032 §5.1.6
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True
