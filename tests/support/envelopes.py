"""Envelopes for tests: valid ones, and wire forms written by hand as ``ron_auth`` never would."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import pytest

import ron_auth
from ron_auth import Envelope, KeyCache, KeyDeriver, Plane

NOW_S: Final = 1_760_500_000
EPOCH: Final = 20_376
"""The day of ``NOW_S``."""

SENDER: Final = "svc-overlay"
ME: Final = "svc-me"
INSTANCE: Final = UUID("00112233-4455-6677-8899-aabbccddeeff")
OTHER_INSTANCE: Final = UUID("ffeeddcc-bbaa-9988-7766-554433221100")
NONCE: Final = bytes(range(0xF0, 0x100))
KEY: Final = bytes([7]) * 32

Name = tuple[str, UUID, str | None, int]
"""What a key is of: service, instance, audience, epoch."""


class Keys:
    """A deriver with a key for every name, and no two alike.

    Attributes:
        asked: The names it was asked for, in order.
    """

    def __init__(self) -> None:
        self.asked: list[Name] = []

    def derive_origin_key(self, svc: str, instance: UUID, epoch: int, /) -> bytes:
        return self._key(svc, instance, None, epoch)

    def derive_pair_key(self, svc: str, instance: UUID, audience: str, epoch: int, /) -> bytes:
        return self._key(svc, instance, audience, epoch)

    def _key(self, *name: *Name) -> bytes:
        self.asked.append(name)
        return hashlib.sha256(repr(name).encode()).digest()


class OneKey:
    """A deriver with one key for everybody, so that whatever stands in an envelope, a tag can hold."""

    def derive_origin_key(self, _svc: str, _instance: UUID, _epoch: int, /) -> bytes:
        return KEY

    def derive_pair_key(self, _svc: str, _instance: UUID, _audience: str, _epoch: int, /) -> bytes:
        return KEY


class Anybody(frozenset[str]):
    """Every sender there is."""

    def __contains__(self, _: object) -> bool:
        return True


def envelope(**changes: Any) -> Envelope:
    """Return a valid envelope without a tag, but for what is changed."""
    valid = Envelope(
        plane=Plane.App,
        origin_svc=SENDER,
        origin_instance=INSTANCE,
        tenant_id="t1",
        scopes=("overlay:route", "overlay:read"),
        nonce=NONCE,
        iat=NOW_S,
        exp=NOW_S + 60,
        header={"route": "/x", "seq": 300},
        payload=["ping", 1, None, b"\x00\xff"],
    )
    return msgspec.structs.replace(valid, **changes)


def signed(kd: KeyDeriver | None = None, *, epoch: int = EPOCH, **changes: Any) -> Envelope:
    """Return an envelope signed by its own origin."""
    env = envelope(**changes)
    return ron_auth.sign_envelope(_known(kd), env.origin_svc, env.origin_instance, epoch, env)


def packed(kd: KeyDeriver | None = None, **changes: Any) -> bytes:
    """Return a signed envelope as it travels."""
    return ron_auth.pack(signed(kd, **changes))


def sealed(
    kd: KeyDeriver | None = None, *, audience: str | None = None, epoch: int | None = EPOCH, **changes: Any
) -> bytes:
    """Return the wire form of an envelope."""
    return ron_auth.seal(_known(kd), envelope(**changes), audience=audience, epoch=epoch)


def verified(
    env: Envelope,
    kd: KeyDeriver | None = None,
    *,
    senders: Collection[str] = (SENDER,),
    epoch: int = EPOCH,
    scopes: Collection[str] = (),
    now_s: int = NOW_S,
    **expected: Any,
) -> Envelope:
    """Verify, as a receiver whom a valid envelope satisfies."""
    return ron_auth.verify_envelope_from_any(_known(kd), senders, epoch, scopes, env, now_s=now_s, **expected)


def opened(
    wire: bytes,
    kd: KeyDeriver | None = None,
    *,
    senders: Collection[str] = (SENDER,),
    now_s: int = NOW_S,
    **expected: Any,
) -> Envelope:
    """Open, as a receiver whom a valid envelope satisfies."""
    return ron_auth.open(_known(kd), wire, senders=senders, now_s=now_s, **expected)


def _known(kd: KeyDeriver | None) -> KeyDeriver:
    return Keys() if kd is None else kd  # an empty cache is false


class Form(NamedTuple):
    """A way for an envelope to reach a verifier."""

    make: Callable[..., Any]
    """``(kd, **changes)``: the envelope as it travels."""

    believe: Callable[..., Envelope]
    """``(it, kd, **expected)``: what the verifier returns, or raises."""


SIGNED: Final = Form(signed, verified)
PACKED: Final = Form(packed, lambda data, *kd, **expected: verified(ron_auth.unpack(data), *kd, **expected))
SEALED: Final = Form(sealed, opened)
SEALED_FOR_ME: Final = Form(partial(sealed, audience=ME), partial(opened, audience=ME))

FORMS: Final = [
    pytest.param(SIGNED, id="signed"),
    pytest.param(PACKED, id="packed"),
    pytest.param(SEALED, id="sealed"),
    pytest.param(SEALED_FOR_ME, id="sealed for me"),
]


def warm() -> KeyCache:
    """Return a cache that holds the sender's keys already."""
    cache = KeyCache(Keys())
    for form in (SIGNED, SEALED, SEALED_FOR_ME):
        form.believe(form.make(), cache)
    return cache


def derivers() -> list[KeyDeriver]:
    """Return every way of knowing the same keys: no verdict depends on which."""
    return [Keys(), KeyCache(Keys()), warm()]


def spoiled(carried: Any) -> Any:
    """Return an envelope, in whatever form, with the last bit of its tag changed."""
    if isinstance(carried, bytes):
        return carried[:-1] + bytes([carried[-1] ^ 1])
    return msgspec.structs.replace(carried, tag=spoiled(carried.tag))


LOOK_ALIKES: Final = [
    pytest.param("svc-а", id="Cyrillic"),
    pytest.param("svc-a\u200b", id="an invisible space"),
    pytest.param("svc\u2010a", id="another hyphen"),
    pytest.param("svc-\uff41", id="full width"),
    pytest.param("svc-a ", id="a space behind"),
    pytest.param("svc-a\0", id="a zero behind"),
    pytest.param("SVC-A", id="capitals"),
    pytest.param("svc-a\u0301", id="an accent, combined"),
    pytest.param("svc-á", id="an accent, composed"),
    pytest.param("\ufeffsvc-a", id="a byte order mark"),
]
"""What a reader may take for ``svc-a``."""

# By hand.

_pack = msgspec.msgpack.encode

FIELDS: Final[dict[str, bytes]] = {
    "mac": _pack(1),
    "epoch": _pack(EPOCH),
    "audience": _pack(None),
    "plane": _pack("App"),
    "origin_svc": _pack(SENDER),
    "origin_instance": _pack(INSTANCE.bytes),
    "tenant_id": _pack("t1"),
    "scopes": _pack(["overlay:route", "overlay:read"]),
    "nonce": _pack(NONCE),
    "iat": _pack(NOW_S),
    "exp": _pack(NOW_S + 60),
    "header": _pack({"route": "/x", "seq": 300}),
    "payload": _pack(["ping", 1, None, b"\x00\xff"]),
}
"""The array of ``sealed()``, element by element as MessagePack."""


def crafted(
    *, version: bytes = b"\x01", head: bytes = b"\x9d", behind: bytes = b"", **fields: bytes
) -> bytes:
    """Return a wire form with these fields spelled as given, under a tag that holds for ``OneKey``."""
    assert fields.keys() <= FIELDS.keys()
    return tagged(version + head + b"".join((FIELDS | fields).values()) + behind)


def tagged(covered: bytes) -> bytes:
    """Return ``covered`` under the tag of ``OneKey``."""
    return covered + hmac.digest(KEY, b"ron-auth/wire/v1" + covered, "sha256")


NAMED: Final[dict[str, bytes]] = {name: FIELDS[name] for name in Envelope.__struct_fields__[:-1]} | {
    "nonce": _pack(list(NONCE)),
    "tag": _pack(list(signed(OneKey()).tag)),
}
"""The map of ``packed()``, entry by entry as MessagePack."""


def crafted_named(*, head: bytes = b"\x8b", behind: bytes = b"", **fields: bytes) -> bytes:
    """Return a packed envelope with these entries spelled as given, or put behind the others."""
    return head + b"".join(_pack(name) + value for name, value in (NAMED | fields).items()) + behind


def misspelt(value: int | str | bytes | Sequence[Any] | dict[Any, Any]) -> list[bytes]:
    """Return every way to write a value in MessagePack but the canonical one: longer, or as signed."""
    return [spelled for spelled in _written(value) if spelled != _pack(value)]


def _written(value: int | str | bytes | Sequence[Any] | dict[Any, Any]) -> Iterator[bytes]:
    match value:
        case int():
            for head, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
                if 0 <= value < 256**width:
                    yield bytes([head]) + value.to_bytes(width, "big")
            for head, width in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
                if -(256**width) // 2 <= value < 256**width // 2:
                    yield bytes([head]) + value.to_bytes(width, "big", signed=True)
        case str():
            yield from _counted({0xD9: 1, 0xDA: 2, 0xDB: 4}, len(value.encode()), value.encode())
        case bytes():
            yield from _counted({0xC4: 1, 0xC5: 2, 0xC6: 4}, len(value), value)
        case dict():
            pairs = b"".join(_pack(part) for pair in value.items() for part in pair)
            yield from _counted({0xDE: 2, 0xDF: 4}, len(value), pairs)
        case _:
            yield from _counted({0xDC: 2, 0xDD: 4}, len(value), b"".join(map(_pack, value)))


def _counted(heads: dict[int, int], count: int, content: bytes) -> Iterator[bytes]:
    for head, width in heads.items():
        if count < 256**width:
            yield bytes([head]) + count.to_bytes(width, "big") + content
