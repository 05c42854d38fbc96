"""Who knows the keys, and the derived keys that are kept.

A key is named by the sender's service and instance and by the epoch; with an audience, by that too.
"""

import threading
from typing import Protocol, cast, final
from uuid import UUID

from ron_auth import mac
from ron_auth.errors import BadTag, Crypto
from ron_auth.limits import KEY_BYTES
from ron_auth.mac import Mac

_Name = tuple[str, int, str | None, int]
"""Service, instance, audience, epoch."""


class KeyDeriver(Protocol):
    """Who knows the key of every sender. ``ron_kms.origin_keys`` has two."""

    def derive_origin_key(self, svc: str, instance: UUID, epoch: int, /) -> bytes:
        """Return the sender's key, 32 bytes.

        Raises:
            LookupError: no key is known for that name. It becomes ``BadTag``, any other error ``Crypto``.
        """
        ...


class PairKeyDeriver(KeyDeriver, Protocol):
    """One that also knows keys between a sender and one audience."""

    def derive_pair_key(self, svc: str, instance: UUID, audience: str, epoch: int, /) -> bytes:
        """Return the pair's key, 32 bytes. Errors as ``derive_origin_key``."""
        ...


def tag(kd: KeyDeriver, svc: str, instance: UUID, audience: str | None, epoch: int, message: bytes) -> bytes:
    """Return the sender's tag of ``message``, 32 bytes.

    Raises:
        BadTag: the deriver knows no such name.
        Crypto: the deriver failed.
    """
    if isinstance(kd, KeyCache):
        return kd.tag(svc, instance, audience, epoch, message)
    return mac.tag(_derive(kd, svc, instance, audience, epoch), message)


def check(
    kd: KeyDeriver,
    svc: str,
    instance: UUID,
    audience: str | None,
    epoch: int,
    message: bytes,
    received: bytes,
) -> None:
    """Return only if ``received`` is the sender's tag of ``message``.

    Raises:
        BadTag: it is not, or the deriver knows no such name.
        Crypto: the deriver failed.
    """
    if isinstance(kd, KeyCache):
        kd.check(svc, instance, audience, epoch, message, received)
    else:
        mac.check(_derive(kd, svc, instance, audience, epoch), message, received)


@final
class KeyCache:
    """A deriver whose keys are kept, to be given wherever a deriver is.

    A key is kept only after a tag has held under it, so strangers cannot fill the cache. Of more than
    ``capacity`` keys the oldest goes. ``clear`` forgets all; call it when the deriver's secret changes.

    What is kept is not the key but two SHA-256 states made from it, which forge as well as the key does.
    OpenSSL overwrites a state when it is dropped. The 32 bytes the deriver returned are dropped too, but
    Python overwrites no bytes: traces of a key may stay in this process's memory until it is used for
    something else.
    """

    def __init__(self, deriver: KeyDeriver, *, capacity: int = 1024) -> None:
        if capacity < 1:
            raise ValueError("capacity is at least 1")
        self._deriver = deriver
        self._capacity = capacity
        self._kept: dict[_Name, Mac] = {}  # replaced when it is cleared
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget every key, also of verifications under way."""
        self._kept = {}

    def tag(self, svc: str, instance: UUID, audience: str | None, epoch: int, message: bytes) -> bytes:
        """See ``tag`` of this module; a signer's own key is kept."""
        name, keys = (svc, instance.int, audience, epoch), self._kept
        kept = keys.get(name)
        if kept is None:
            kept = Mac(_derive(self._deriver, svc, instance, audience, epoch))
            self._keep(keys, name, kept)
        return kept.tag(message)

    def check(
        self, svc: str, instance: UUID, audience: str | None, epoch: int, message: bytes, received: bytes
    ) -> None:
        """See ``check`` of this module."""
        name, keys = (svc, instance.int, audience, epoch), self._kept
        kept = keys.get(name)
        if kept is None:
            made = Mac(_derive(self._deriver, svc, instance, audience, epoch))
            made.check(message, received)
            self._keep(keys, name, made)
        else:
            kept.check(message, received)

    def derive_origin_key(self, svc: str, instance: UUID, epoch: int, /) -> bytes:
        """See ``KeyDeriver.derive_origin_key``. Nothing is kept."""
        return self._deriver.derive_origin_key(svc, instance, epoch)

    def _keep(self, keys: dict[_Name, Mac], name: _Name, kept: Mac) -> None:
        with self._lock:
            if len(keys) >= self._capacity:
                del keys[next(iter(keys))]
            keys[name] = kept


def _derive(kd: KeyDeriver, svc: str, instance: UUID, audience: str | None, epoch: int) -> bytes:
    try:
        if audience is None:
            key = kd.derive_origin_key(svc, instance, epoch)
        else:
            key = cast("PairKeyDeriver", kd).derive_pair_key(svc, instance, audience, epoch)
    except LookupError as error:
        raise BadTag from error
    except Exception as error:  # whatever a deriver of the caller's raises, there is no verdict
        raise Crypto from error
    if type(key) is not bytes or len(key) != KEY_BYTES:
        raise Crypto
    return key
