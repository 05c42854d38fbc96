"""A signed envelope as Rust writes it: one spelling, and what is refused beside it."""

from itertools import combinations, permutations
from typing import Any

import msgspec
import pytest
from envelopes import (
    EPOCH,
    INSTANCE,
    NAMED,
    NONCE,
    NOW_S,
    SENDER,
    OneKey,
    crafted_named,
    envelope,
    misspelt,
    packed,
    signed,
    verified,
)

from ron_auth import Envelope, Malformed, pack, unpack

_pack = msgspec.msgpack.encode


def refuse(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data)


def test_a_packed_envelope_is_laid_out_as_documented() -> None:
    assert packed(OneKey()) == crafted_named()
    assert list(NAMED) == list(Envelope.__struct_fields__)


def test_pack_and_unpack_are_inverse() -> None:
    env = signed(OneKey())
    assert unpack(pack(env)) == env
    assert pack(unpack(crafted_named())) == crafted_named()
    assert verified(unpack(crafted_named()), OneKey()) == env


def test_unpack_proves_nothing() -> None:
    assert unpack(crafted_named(tag=_pack([0] * 32), exp=_pack(0))).tag == bytes(32)


VALUES: dict[str, Any] = {
    "plane": "App",
    "origin_svc": SENDER,
    "origin_instance": INSTANCE.bytes,
    "tenant_id": "t1",
    "scopes": ["overlay:route", "overlay:read"],
    "nonce": list(NONCE),
    "iat": NOW_S,
    "exp": NOW_S + 60,
    "header": {"route": "/x", "seq": 300},
    "payload": ["ping", 1, None, b"\x00\xff"],
    "tag": list(signed(OneKey()).tag),
}


def test_the_values_above_are_the_fields() -> None:
    assert {name: _pack(value) for name, value in VALUES.items()} == NAMED


@pytest.mark.parametrize("field", VALUES)
def test_no_field_is_misspelt(field: str) -> None:
    for spelled in misspelt(VALUES[field]):
        refuse(crafted_named(**{field: spelled}))


@pytest.mark.parametrize("field", ["nonce", "tag"])
def test_no_byte_of_nonce_and_tag_is_misspelt(field: str) -> None:
    count = len(VALUES[field])
    for at in range(count):
        for spelled in misspelt(VALUES[field][at]):
            parts = [_pack(value) for value in VALUES[field]]
            parts[at] = spelled
            refuse(crafted_named(**{field: b"\xdc" + count.to_bytes(2, "big") + b"".join(parts)}))


WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "plane": (None, "", "app", "Both", 0, b"App"),
    "origin_svc": (None, 1, b"svc-overlay"),
    "origin_instance": (None, bytes(15), bytes(17), str(INSTANCE), list(INSTANCE.bytes)),
    "tenant_id": (1, False, b"t1", []),
    "scopes": (None, "read", {"read": 1}, [1], [None]),
    "nonce": (None, NONCE, "0" * 16, [0] * 15, [0] * 17, [*[0] * 15, 256], [*[0] * 15, -1], [*[0] * 15, 0.0]),
    "iat": (None, True, "1", float(NOW_S), 2**63, 2**64 - 1),
    "exp": (None, True, "1", float(NOW_S), 2**63, 2**64 - 1),
    "tag": (None, bytes(32), "0" * 32, [0] * 31, [0] * 33, [], [*[0] * 31, 256], [*[0] * 31, None]),
}


@pytest.mark.parametrize("field", WRONG_TYPES)
def test_a_field_of_another_type_is_malformed(field: str) -> None:
    for value in WRONG_TYPES[field]:
        refuse(crafted_named(**{field: _pack(value)}))


@pytest.mark.parametrize(
    ("head", "behind"),
    [
        pytest.param(b"\x8c", b"\xa1x\x00", id="one more"),
        pytest.param(b"\x8c", b"\xa3tag" + NAMED["tag"], id="the tag twice"),
        pytest.param(b"\x8c", b"\xa5plane\xa3App", id="the plane twice"),
        pytest.param(b"\x8c", b"\x01\x00", id="one more under a number"),
        pytest.param(b"\x8c", b"\xc0\xc0", id="one more under nil"),
        pytest.param(b"\x8c", b"", id="one more announced"),
        pytest.param(b"\x8a", b"", id="one fewer announced"),
        pytest.param(b"\x8b", b"\x00", id="a byte behind"),
        pytest.param(b"\xde\x00\x0b", b"", id="the map with a long head"),
        pytest.param(b"\xdf\x00\x00\x00\x0b", b"", id="the map with a longer head"),
        pytest.param(b"\x91\x8b", b"", id="the map in an array"),
        pytest.param(b"\x9b", b"", id="an array instead"),
        pytest.param(b"", b"", id="no map"),
    ],
)
def test_the_map_stands_alone_and_has_eleven_entries(head: bytes, behind: bytes) -> None:
    refuse(crafted_named(head=head, behind=behind))


def entries(names: Any) -> bytes:
    return b"".join(_pack(name) + NAMED[name] for name in names)


@pytest.mark.parametrize("field", NAMED)
def test_no_entry_may_be_missing_and_none_has_another_name(field: str) -> None:
    others = [name for name in NAMED if name != field]
    refuse(b"\x8a" + entries(others))
    refuse(b"\x8b" + entries(others) + _pack(field.upper()) + NAMED[field])
    refuse(b"\x8b" + entries(others) + _pack(field.encode()) + NAMED[field])


def test_entries_stand_in_their_order() -> None:
    assert b"\x8b" + entries(NAMED) == crafted_named()
    for one, other in combinations(range(len(NAMED)), 2):
        names = list(NAMED)
        names[one], names[other] = names[other], names[one]
        refuse(b"\x8b" + entries(names))
    for last in permutations(list(NAMED)[-3:]):
        if list(last) != list(NAMED)[-3:]:
            refuse(b"\x8b" + entries([*list(NAMED)[:-3], *last]))


@pytest.mark.parametrize("name", NAMED)
def test_no_name_is_misspelt(name: str) -> None:
    for spelled in misspelt(name):
        refuse(crafted_named().replace(_pack(name) + NAMED[name], spelled + NAMED[name]))


def test_an_envelope_without_a_tag_is_not_packed() -> None:
    with pytest.raises(Malformed, match="tag"):
        pack(envelope())


def test_what_was_packed_says_no_epoch() -> None:
    # The receiver knows the epoch, or tries its neighbours.
    assert packed(epoch=EPOCH + 1) != packed()
    verified(unpack(packed(epoch=EPOCH + 1)), adjacent=True)
