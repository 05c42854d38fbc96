"""Who computes Ed25519: the port, the choice, and the self-test that every choice must pass."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NewType, Protocol

from ron_kms.errors import AlgUnavailable
from ron_kms.secret import Secret

VerifyingKey = NewType("VerifyingKey", object)
"""An engine's own handle for a public key. Only the engine that made it can read it."""

Item = tuple[VerifyingKey, bytes, bytes]
"""(verifying key, message, signature)."""


class Signer(Protocol):
    """A private key that signs. It shows nothing of itself."""

    def sign(self, message: bytes, /) -> bytes:
        """Return the 64 bytes of R and S (RFC 8032 §5.1.6)."""
        ...


class Engine(Protocol):
    """Who computes Ed25519. Every engine gives the same verdicts; some are faster.

    The rule is strict and cofactorless: 64 bytes with S < L; a public key that is the canonical encoding
    of a point not of small order; R not of small order; encode(S·B − k·A) equal to R byte for byte
    (RFC 8032 §5.1.7 without its cofactored alternative; ed25519-dalek's ``verify_strict``).
    """

    @property
    def name(self) -> str:
        """What ``/version`` and attestations call it, such as ``sodium 1.0.20``."""
        ...

    def load(self, public_key: bytes) -> VerifyingKey:
        """Return a handle for 32 bytes; a key the rule refuses loads as one that refuses everything."""
        ...

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """Return 1 or 0 for each item, in order: the verdict it has alone. Never raises for a bad item."""
        ...

    def signer(self, seed: Secret) -> Signer:
        """Return who signs with the private key of these 32 bytes (RFC 8032 §5.1.5)."""
        ...


def choose(name: str) -> Engine:
    """Return the engine called ``name`` after its self-test: ``native``, ``sodium``, or ``auto``.

    ``auto`` is the native one where its extension is installed and passes, else libsodium.

    Raises:
        AlgUnavailable: There is no such engine here, or it failed.
    """
    from ron_kms.engines.selftest import check  # noqa: PLC0415 - the vectors are needed once
    from ron_kms.engines.sodium import SodiumEngine  # noqa: PLC0415 - an engine is imported when chosen

    if name == "auto":
        with suppress(AlgUnavailable):
            return choose("native")
        return choose("sodium")
    engine: Any
    if name == "native":
        engine = _native()
    elif name == "sodium":
        engine = SodiumEngine()
    else:
        raise AlgUnavailable("there is no engine of that name here")
    check(engine)
    return engine  # type: ignore[no-any-return]


def _native() -> Any:
    try:
        from ron_kms.engines.native import NativeEngine  # noqa: PLC0415 - it is not everywhere
    except ImportError as error:
        raise AlgUnavailable("the native engine is not installed here") from error
    return NativeEngine()
