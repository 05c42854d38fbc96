"""Envelopes that services trust: sign a message, and decide at a boundary whether to believe one.

``seal`` and ``open`` are bytes to bytes, for everything new. ``sign_envelope`` and ``verify_envelope`` are
the form that Rust services share; ``pack`` and ``unpack`` carry it. Nothing here logs, reads the
environment or opens a socket.
"""

from ron_auth.envelope import Envelope, Plane, Scope, epoch_of, generate_nonce
from ron_auth.errors import (
    BadTag,
    Crypto,
    Expired,
    Forgotten,
    GuardDown,
    GuardFull,
    Malformed,
    MissingScope,
    Replayed,
    VerifyError,
    WrongOrigin,
)
from ron_auth.keys import KeyCache, KeyDeriver, PairKeyDeriver
from ron_auth.named import pack, unpack
from ron_auth.observe import Observer
from ron_auth.replay import MemoryGuard, ReplayGuard
from ron_auth.sealed import open, seal  # noqa: A004 - it opens what ``seal`` sealed
from ron_auth.signed import sign_envelope, verify_envelope, verify_envelope_from_any
from ron_auth.wire import Sealed, from_bytes, to_bytes

__all__ = [
    "BadTag",
    "Crypto",
    "Envelope",
    "Expired",
    "Forgotten",
    "GuardDown",
    "GuardFull",
    "KeyCache",
    "KeyDeriver",
    "Malformed",
    "MemoryGuard",
    "MissingScope",
    "Observer",
    "PairKeyDeriver",
    "Plane",
    "ReplayGuard",
    "Replayed",
    "Scope",
    "Sealed",
    "VerifyError",
    "WrongOrigin",
    "epoch_of",
    "from_bytes",
    "generate_nonce",
    "open",
    "pack",
    "seal",
    "sign_envelope",
    "to_bytes",
    "unpack",
    "verify_envelope",
    "verify_envelope_from_any",
]
