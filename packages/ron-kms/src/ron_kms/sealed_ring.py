"""A ring as it rests: every version a sealed blob, and one more that binds them together.

The blob of a version seals its private key's seed (nothing where that is gone) and authenticates every
field of the row. The manifest seals nothing and authenticates the generation and all the blobs: a row of an
earlier day, put back where its version has been revoked since, does not open.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace

from blake3 import blake3
from nacl.bindings import crypto_sign_seed_keypair

from ron_kms.entropy import Entropy
from ron_kms.errors import BadPublicKey, SealError, StoreRefused
from ron_kms.kid import ALGORITHM, Kid
from ron_kms.publickey import import_public_key
from ron_kms.ring import SIGNS_SOMEDAY, Ring, State, Version
from ron_kms.sealed import seal, unseal
from ron_kms.secret import Secret
from ron_kms.stores import SealedRing, SealedVersion, Stored

Resting = Mapping[SealedVersion, Version]
"""Rows known to open, and what is in them: they need not be sealed or opened again."""


def seal_ring(
    ring: Ring,
    seeds: Mapping[Kid, Secret],
    resting: Resting,
    *,
    key: Secret,
    generation: int,
    now_ms: int,
    entropy: Entropy,
) -> SealedRing:
    """Return ``ring`` sealed as ``generation``.

    Args:
        seeds: The private keys of the versions that have one and are not in ``resting`` as they are.
    """
    unchanged = {version: row for row, version in resting.items()}

    def sealed(v: Version) -> SealedVersion:
        row = SealedVersion(
            str(v.kid), ALGORITHM, v.kid.number, v.public_key, v.state, v.created_ms, v.retire_at_ms, b""
        )
        seed = seeds[v.kid].reveal() if v.state in SIGNS_SOMEDAY else b""
        return replace(row, blob=seal(key, seed, _version_aad(row), now_ms=now_ms, entropy=entropy))

    versions = tuple(unchanged.get(v) or sealed(v) for v in ring.versions)
    aad = _manifest_aad(generation, versions)
    return SealedRing(versions, seal(key, b"", aad, now_ms=now_ms, entropy=entropy))


def open_ring(stored: Stored, resting: Resting, *, key: Secret) -> Ring:
    """Return the ring that ``seal_ring`` was given.

    Raises:
        StoreRefused: ``seal_key_wrong``: no blob opens. ``store_changed``: one does not, or they do not
            belong together. ``store_damaged``: what opens is no ring.
    """
    rows = stored.ring.versions
    try:
        unseal(key, stored.ring.manifest, _manifest_aad(stored.generation, rows))
    except SealError:
        if rows and not any(_opens(row, key) for row in rows):
            raise StoreRefused("seal_key_wrong", "the seal key does not open this store") from None
        raise _changed() from None
    return _checked(Ring(tuple(resting.get(row) or _open_version(row, key) for row in rows)))


def open_seed(row: SealedVersion, key: Secret) -> Secret:
    """Return the private key's seed of a row that holds one.

    Raises:
        StoreRefused: ``store_changed``: it does not open, or holds none.
    """
    try:
        seed = unseal(key, row.blob, _version_aad(row))
        if crypto_sign_seed_keypair(seed)[0] != row.public_key:
            raise StoreRefused("key_mismatch", "a private key does not give its public key")
    except (SealError, ValueError, TypeError):
        raise _changed() from None
    return Secret(seed)


def _open_version(row: SealedVersion, key: Secret) -> Version:
    try:
        kid = Kid.parse(row.kid)
        state = State(row.state)
        if state in SIGNS_SOMEDAY:
            open_seed(row, key)
        elif unseal(key, row.blob, _version_aad(row)):
            raise StoreRefused("store_damaged", "a private key rests where it should have been destroyed")
        if row.algorithm != ALGORITHM or row.number != kid.number:
            raise StoreRefused("store_damaged", "a version is not of this program's kind")
        public_key = import_public_key(row.public_key)
    except (SealError, BadPublicKey, ValueError, TypeError, struct.error):
        raise _changed() from None
    return Version(kid, public_key, state, row.created_ms, row.retire_at_ms)


def _checked(ring: Ring) -> Ring:
    states = [v.state for v in ring.versions]
    kids = [v.kid for v in ring.versions]
    counted = kids and kids == [Kid(kids[0].namespace, n) for n in range(1, len(kids) + 1)]
    if not counted or states.count(State.ACTIVE) != 1 or states.count(State.NEXT) != 1:
        raise StoreRefused("store_damaged", "the versions do not make a ring")
    return ring


def _opens(row: SealedVersion, key: Secret) -> bool:
    try:
        unseal(key, row.blob, _version_aad(row))
    except (SealError, TypeError, struct.error, AttributeError):
        return False
    return True


def _version_aad(row: SealedVersion) -> bytes:
    return _length_prefixed(
        row.kid.encode(),
        row.algorithm.encode(),
        _u64(row.number),
        row.public_key,
        row.state.encode(),
        _u64(row.created_ms),
        b"" if row.retire_at_ms is None else _u64(row.retire_at_ms),
    )


def _manifest_aad(generation: int, rows: Iterable[SealedVersion]) -> bytes:
    blobs = blake3(_length_prefixed(*(row.blob for row in rows))).digest()
    return _length_prefixed(b"ron-kms/ring/v1", _u64(generation), blobs)


def _length_prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _u64(number: int) -> bytes:
    return struct.pack(">Q", number)


def _changed() -> StoreRefused:
    return StoreRefused("store_changed", "the store was changed by a hand without the seal key")
