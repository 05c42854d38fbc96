"""The keys under which services sign envelopes, by HKDF-SHA256 (RFC 5869; empty salt, 32 bytes out).

    info         = parts, each: length, u16 big-endian ‖ bytes
    origin key   = HKDF(root secret,  "ron-auth/origin/v1",   service, instance, epoch)
    pair secret  = HKDF(root secret,  "ron-auth/pair/v1",     service, audience)
    pair key     = HKDF(pair secret,  "ron-auth/pair-key/v1", "HMAC-SHA256", instance, epoch)

service and audience are UTF-8, instance is 16 bytes, epoch is a u64, big-endian. Who holds the root secret
can speak for everybody; who holds a pair secret, for that service to that audience alone.

Both classes here are what ``ron_auth`` calls a ``KeyDeriver``. They keep no derived key;
``ron_auth.KeyCache`` does.
"""

from collections.abc import Mapping
from typing import Final, final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ron_kms.secret import Secret

ROOT_BYTES: Final = 32
KEY_BYTES: Final = 32
MAC: Final = b"HMAC-SHA256"


@final
class OriginKeys:
    """Every key of a cluster, from its root secret: for custody and for services trusted with all of it.

    Args:
        root: at least 32 random bytes.
    """

    def __init__(self, root: Secret) -> None:
        if not isinstance(root, Secret):
            raise TypeError("a root secret is a Secret")
        if len(root) < ROOT_BYTES:
            raise ValueError("a root secret has at least 32 bytes")
        self._root = root

    def derive_origin_key(self, svc: str, instance: UUID, epoch: int, /) -> bytes:
        """Return the 32-byte key of one instance of a service in one epoch.

        Raises:
            OverflowError: a name of more than 65,535 bytes, or an epoch that is no u64.
        """
        return _hkdf(self._root, b"ron-auth/origin/v1", svc.encode(), instance.bytes, _u64(epoch))

    def derive_pair_key(self, svc: str, instance: UUID, audience: str, epoch: int, /) -> bytes:
        """Return the 32-byte key of one instance of a service, for one audience, in one epoch."""
        return _pair_key(self.pair_secret(svc, audience), instance, epoch)

    def pair_secret(self, svc: str, audience: str) -> Secret:
        """Return the secret of a pair, to be handed to ``svc`` and to ``audience`` and to nobody else."""
        return Secret(_hkdf(self._root, b"ron-auth/pair/v1", svc.encode(), audience.encode()))


@final
class PairKeys:
    """The keys of one service: of those it may speak to, and of those that may speak to it.

    It holds pair secrets only, so it can forge for no third party, and verifies no envelope without audience.

    Args:
        secrets: by (service, audience), what ``OriginKeys.pair_secret`` returned.
    """

    def __init__(self, secrets: Mapping[tuple[str, str], Secret]) -> None:
        if not all(isinstance(secret, Secret) for secret in secrets.values()):
            raise TypeError("a pair secret is a Secret")
        self._secrets = dict(secrets)

    def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> bytes:
        """Refuse: no origin key is known here.

        Raises:
            LookupError: always.
        """
        raise LookupError("no origin key is known here")

    def derive_pair_key(self, svc: str, instance: UUID, audience: str, epoch: int, /) -> bytes:
        """Return the 32-byte key of one instance of ``svc``, for ``audience``, in one epoch.

        Raises:
            LookupError: no secret of that pair is held here.
        """
        secret = self._secrets.get((svc, audience))
        if secret is None:
            raise LookupError("no secret of that pair is held here")
        return _pair_key(secret, instance, epoch)


def _pair_key(secret: Secret, instance: UUID, epoch: int) -> bytes:
    return _hkdf(secret, b"ron-auth/pair-key/v1", MAC, instance.bytes, _u64(epoch))


def _hkdf(secret: Secret, *parts: bytes) -> bytes:
    info = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret.reveal())


def _u64(epoch: int) -> bytes:
    return epoch.to_bytes(8, "big")
