"""Custody of versioned Ed25519 keys: keys go in, signatures come out.

Open a ``Keyring`` on a ``KeyStore`` with an ``Engine`` and a seal key; ``create`` makes the first ring.
"""

from ron_kms.engines import Engine, Item, Signer, VerifyingKey
from ron_kms.errors import (
    AlgUnavailable,
    BadPublicKey,
    Busy,
    CapabilityMissing,
    Entropy,
    Expired,
    Internal,
    KmsError,
    NoSuchKey,
    SealAuth,
    SealError,
    SealFormat,
    StoreBusy,
    StoreRefused,
    TooSoon,
    VerifyFailed,
)
from ron_kms.generations import Generations
from ron_kms.jwks import KeySet
from ron_kms.keyring import Keyring, Policy, Signed, create
from ron_kms.kid import KID_CHARS_MAX, Kid, check_namespace
from ron_kms.private_file import write_private
from ron_kms.publickey import import_public_key
from ron_kms.ring import State
from ron_kms.seal_key import make_seal_key, read_seal_key
from ron_kms.sealed import seal, unseal
from ron_kms.secret import Secret
from ron_kms.snapshot import Attested, Snapshot
from ron_kms.stores import KeyStore, is_idempotency_key

__all__ = [
    "KID_CHARS_MAX",
    "AlgUnavailable",
    "Attested",
    "BadPublicKey",
    "Busy",
    "CapabilityMissing",
    "Engine",
    "Entropy",
    "Expired",
    "Generations",
    "Internal",
    "Item",
    "KeySet",
    "KeyStore",
    "Keyring",
    "Kid",
    "KmsError",
    "NoSuchKey",
    "Policy",
    "SealAuth",
    "SealError",
    "SealFormat",
    "Secret",
    "Signed",
    "Signer",
    "Snapshot",
    "State",
    "StoreBusy",
    "StoreRefused",
    "TooSoon",
    "VerifyFailed",
    "VerifyingKey",
    "check_namespace",
    "create",
    "import_public_key",
    "is_idempotency_key",
    "make_seal_key",
    "read_seal_key",
    "seal",
    "unseal",
    "write_private",
]
