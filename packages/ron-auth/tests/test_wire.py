"""There is one way to write an envelope as bytes, and every other is refused, whoever signed it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any

import msgspec
import pytest
from envelopes import (
    EPOCH,
    FIELDS,
    INSTANCE,
    ME,
    NONCE,
    NOW_S,
    SENDER,
    OneKey,
    crafted,
    crafted_named,
    envelope,
    misspelt,
    opened,
    sealed,
    signed,
    spoiled,
    tagged,
    verified,
)

import ron_auth
from ron_auth import BadTag, Envelope, Malformed, Plane, Sealed, from_bytes, to_bytes
from ron_auth.limits import DEPTH_MAX, SCOPES_MAX, VALUES_MAX, WIRE_BYTES_MAX

_pack = msgspec.msgpack.encode


def refuse(wire: bytes, **expected: Any) -> None:
    """Check that a wire form is malformed, though its tag holds."""
    with pytest.raises(Malformed):
        opened(wire, OneKey(), **expected)
    with pytest.raises(Malformed):
        from_bytes(wire)


def accept(wire: bytes, **expected: Any) -> Envelope:
    """Check that a wire form is the one of what it says."""
    assert to_bytes(from_bytes(wire)) == wire
    return opened(wire, OneKey(), **expected)


# Bytes and values.


@pytest.mark.parametrize("audience", [None, ME, ""], ids=repr)
@pytest.mark.parametrize("epoch", [0, 1, EPOCH, 2**32, 2**64 - 1], ids=str)
def test_to_bytes_and_from_bytes_are_inverse(audience: str | None, epoch: int) -> None:
    value = Sealed(epoch, audience, signed())
    wire = to_bytes(value)
    assert from_bytes(wire) == value
    assert to_bytes(from_bytes(wire)) == wire


def test_from_bytes_says_what_stands_there_and_proves_nothing() -> None:
    wire = spoiled(sealed(audience="svc-other", epoch=5, iat=10, exp=5))
    said = from_bytes(wire)
    assert (said.epoch, said.audience, said.mac) == (5, "svc-other", 1)
    assert said.claimed == envelope(iat=10, exp=5, tag=wire[-32:])


@pytest.mark.parametrize("mac", [0, 2, -1, 255])
def test_no_other_mac_algorithm_is_written_or_read(mac: int) -> None:
    with pytest.raises(Malformed):
        to_bytes(Sealed(EPOCH, None, signed(), mac))
    refuse(crafted(mac=_pack(mac)))


@pytest.mark.parametrize("version", [b"\x00", b"\x02", b"\xff", b"1", b"\x81"], ids=bytes.hex)
def test_no_other_version_is_read(version: bytes) -> None:
    refuse(crafted(version=version))


def test_without_a_version_nothing_is_read() -> None:
    refuse(crafted(version=b""))
    refuse(crafted(version=b"\x01\x01"))


# Size.


def filled(size: int, write: Callable[..., bytes]) -> Envelope:
    """Return an envelope whose written form has just so many bytes."""
    around = len(write(envelope(payload=bytes(60_000), tag=bytes(32)))) - 60_000
    return envelope(payload=bytes(size - around), tag=bytes(32))


SEALERS = [
    pytest.param(lambda env: ron_auth.seal(OneKey(), env), from_bytes, id="seal"),
    pytest.param(lambda env: to_bytes(Sealed(EPOCH, None, env)), from_bytes, id="to_bytes"),
    pytest.param(ron_auth.pack, ron_auth.unpack, id="pack"),
]


@pytest.mark.parametrize(("write", "read"), SEALERS)
def test_64_kib_are_written_and_read_and_a_byte_more_is_not(
    write: Callable[[Envelope], bytes], read: Callable[[bytes], object]
) -> None:
    assert WIRE_BYTES_MAX == 65_536
    whole = write(filled(WIRE_BYTES_MAX, write))
    assert len(whole) == WIRE_BYTES_MAX
    read(whole)
    with pytest.raises(Malformed, match="64 KiB"):
        write(filled(WIRE_BYTES_MAX + 1, write))
    with pytest.raises(Malformed, match="64 KiB"):
        read(whole + b"\0")


def test_a_wire_form_of_64_kib_opens_and_one_of_a_byte_more_does_not() -> None:
    around = len(crafted(payload=b"\xc5" + (60_000).to_bytes(2, "big") + bytes(60_000))) - 60_000
    for extra in (0, 1):
        size = WIRE_BYTES_MAX - around + extra
        wire = crafted(payload=b"\xc5" + size.to_bytes(2, "big") + bytes(size))
        assert len(wire) == WIRE_BYTES_MAX + extra
        refuse(wire) if extra else accept(wire)


@pytest.mark.parametrize("size", [*range(40), 60])
def test_what_is_too_short_for_an_envelope_is_malformed(size: int) -> None:
    for data in (bytes(size), (b"\x01" + bytes(size))[:size], (b"\x01\x9d" + b"\xff" * size)[:size]):
        refuse(data)
        refuse(tagged(data))
        with pytest.raises(Malformed):
            ron_auth.unpack(data)


# Nesting and number.


def in_lists(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def in_maps(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = {"k": value}
    return value


def in_both(depth: int) -> object:
    value: object = 0
    for level in range(depth):
        value = [1, value, "x" * 40] if level % 2 else {"a": None, "k": value}
    return value


def behind_many(depth: int) -> object:
    return [[], [[]], {}, *[0] * 50, *(in_lists(depth - 1) for _ in range(3))]


def at_the_end(depth: int) -> object:
    value: object = []
    for _ in range(depth - 1):
        value = [1, {}, value]
    return value


nestings = pytest.mark.parametrize("nest", [in_lists, in_maps, in_both, behind_many, at_the_end])
WRITERS: list[Callable[[Envelope], bytes]] = [
    lambda env: ron_auth.seal(OneKey(), env),
    lambda env: to_bytes(Sealed(EPOCH, None, env)),
    ron_auth.pack,
]
PLACES = ("header", "payload")


def is_read(spelled: bytes) -> None:
    """Check that a value is read wherever it may stand."""
    for place in PLACES:
        in_wire, in_named = crafted(**{place: spelled}), crafted_named(**{place: spelled})
        for env in (accept(in_wire), ron_auth.unpack(in_named)):
            assert _pack(getattr(env, place)) == spelled


def is_not_read(spelled: bytes) -> None:
    """Check that a value is malformed wherever it may stand."""
    for place in PLACES:
        refuse(crafted(**{place: spelled}))
        with pytest.raises(Malformed):
            ron_auth.unpack(crafted_named(**{place: spelled}))


def is_carried(value: object) -> None:
    """Check that a value is written and read wherever it may stand."""
    for place, write in product(PLACES, WRITERS):
        write(envelope(**{place: value}, tag=bytes(32)))
    is_read(_pack(value))


def is_not_carried(value: object) -> None:
    """Check that a value is neither written nor read wherever it may stand."""
    for place, write in product(PLACES, WRITERS):
        with pytest.raises(Malformed):
            write(envelope(**{place: value}, tag=bytes(32)))
    is_not_read(_pack(value))


@nestings
def test_a_value_nests_eight_deep_and_no_deeper(nest: Callable[[int], object]) -> None:
    assert DEPTH_MAX == 8
    is_carried(nest(8))
    is_not_carried(nest(9))


@pytest.mark.parametrize("depth", [10, 100, 1000, 20_000])
@pytest.mark.parametrize("head", [b"\x91", b"\x81\x01", b"\xdc\x00\x01", b"\x92\x00"], ids=bytes.hex)
def test_no_depth_overflows_anything(head: bytes, depth: int) -> None:
    value = head * min(depth, 60_000 // len(head)) + b"\x00"
    is_not_read(value)
    for place in PLACES:
        with pytest.raises((Malformed, BadTag)):
            opened(spoiled(crafted(**{place: value})), OneKey())


def test_depth_is_counted_in_each_place_by_itself() -> None:
    accept(crafted(header=_pack(in_lists(8)), payload=_pack(in_maps(8))))


MANY: list[Callable[[int], object]] = [
    lambda count: [0] * (count - 1),
    lambda count: ["a" * 10] * (count - 1),
    lambda count: [[] for _ in range(count - 1)],
    lambda count: [*({i: 0} for i in range((count - 1) // 3)), *[0] * ((count - 1) % 3)],
    lambda count: [dict.fromkeys(range((count - 2) // 2), 0), *[0] * (count % 2)],
]


@pytest.mark.parametrize("many", MANY, ids=["numbers", "texts", "lists", "maps", "one map"])
def test_a_value_holds_so_many_values_and_no_more(many: Callable[[int], object]) -> None:
    is_carried(many(VALUES_MAX))
    is_not_carried(many(VALUES_MAX + 1))


@pytest.mark.parametrize(
    "long",
    [
        pytest.param(b"\xc5\xc3\x50" + b"\x91" * 50_000, id="bytes"),
        pytest.param(b"\xda\xc3\x50" + b"a" * 50_000, id="text"),
    ],
)
def test_bytes_and_texts_of_any_length_are_one_value(long: bytes) -> None:
    is_read(long)
    is_read(b"\x91" * DEPTH_MAX + long)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\xdc\xff\xff", id="an array of 2^16-1"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="an array of 2^32-1"),
        pytest.param(b"\xde\xff\xff", id="a map of 2^16-1"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="a map of 2^32-1"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="2^32-1 bytes"),
        pytest.param(b"\xdb\xff\xff\xff\xff", id="a text of 2^32-1"),
        pytest.param(b"\xc9\xff\xff\xff\xff\x01", id="an extension of 2^32-1"),
    ],
)
def test_a_length_that_lies_costs_nothing(head: bytes) -> None:
    for field in FIELDS:
        refuse(crafted(**{field: head}))
        refuse(crafted(**{field: head + b"\x00" * 100}))


def test_an_envelope_holds_256_scopes_and_no_more() -> None:
    held, too_many = ("",) * SCOPES_MAX, ("",) * (SCOPES_MAX + 1)
    assert SCOPES_MAX == 256
    assert opened(sealed(scopes=held)).scopes == verified(signed(scopes=held)).scopes == held
    assert accept(crafted(scopes=_pack(held))).scopes == held
    assert ron_auth.unpack(crafted_named(scopes=_pack(held))).scopes == held
    for sign in (signed, sealed):
        with pytest.raises(Malformed, match="scopes"):
            sign(scopes=too_many)
    refuse(crafted(scopes=_pack(too_many)))
    with pytest.raises(Malformed):
        ron_auth.unpack(crafted_named(scopes=_pack(too_many)))


# One spelling.

VALUES: dict[str, Any] = {
    "mac": 1,
    "epoch": EPOCH,
    "audience": ME,
    "plane": "App",
    "origin_svc": SENDER,
    "origin_instance": INSTANCE.bytes,
    "tenant_id": "t1",
    "scopes": ["overlay:route", "overlay:read"],
    "nonce": NONCE,
    "iat": NOW_S,
    "exp": NOW_S + 60,
    "header": {"route": "/x", "seq": 300},
    "payload": ["ping", 1, None, b"\x00\xff"],
}


def test_the_values_below_are_the_fields() -> None:
    assert {name: _pack(value) for name, value in VALUES.items()} == FIELDS | {"audience": _pack(ME)}


@pytest.mark.parametrize("field", VALUES)
def test_no_field_is_misspelt(field: str) -> None:
    audience = ME if field == "audience" else None
    accept(crafted(**{field: _pack(VALUES[field])}), audience=audience)
    for spelled in misspelt(VALUES[field]):
        refuse(crafted(**{field: spelled}), audience=audience)
        with pytest.raises(BadTag):
            opened(spoiled(crafted(**{field: spelled})), OneKey(), audience=audience)


SCALARS: list[Any] = [
    0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1,
    -1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, -(2**63),
    "", "a", "a" * 31, "a" * 32, "a" * 255, "a" * 256, b"", b"a" * 255, b"a" * 256,
    [], [1] * 15, [1] * 16, {}, dict.fromkeys(range(15), 0), dict.fromkeys(range(16), 0),
]  # fmt: skip


def misspelt_values() -> Iterator[bytes]:
    """Yield every other spelling of many values, bare, inside a list, as a map's value and as its key."""
    for value in SCALARS:
        for spelled in misspelt(value):
            yield spelled
            yield b"\x92\x01" + spelled
            yield b"\x81\xa1k" + spelled
            yield b"\x81" + spelled + b"\x01"


def test_nothing_in_a_value_is_misspelt() -> None:
    spellings = list(misspelt_values())
    assert len(spellings) == 400
    for spelled in spellings:
        is_not_read(spelled)


def test_the_one_spelling_of_each_is_read() -> None:
    for value in SCALARS:
        for spelled in (_pack(value), b"\x92\x01" + _pack(value), b"\x81\xa1k" + _pack(value)):
            is_read(spelled)


REFUSED = [
    pytest.param(b"\xca\x3f\xc0\x00\x00", id="a float of 32 bits"),
    pytest.param(b"\xca\x00\x00\x00\x00", id="a zero of 32 bits"),
    pytest.param(b"\xca\x7f\xc0\x00\x00", id="a NaN of 32 bits"),
    pytest.param(b"\xc1", id="the head that does not exist"),
    pytest.param(b"\xd4\x01\x00", id="fixext 1"),
    pytest.param(b"\xd5\x01\x00\x00", id="fixext 2"),
    pytest.param(b"\xd6\x01" + bytes(4), id="fixext 4"),
    pytest.param(b"\xd7\x01" + bytes(8), id="fixext 8"),
    pytest.param(b"\xd8\x01" + bytes(16), id="fixext 16"),
    pytest.param(b"\xc7\x00\x01", id="ext 8, empty"),
    pytest.param(b"\xc7\x03\x01" + bytes(3), id="ext 8"),
    pytest.param(b"\xc8\x00\x03\x01" + bytes(3), id="ext 16"),
    pytest.param(b"\xc9\x00\x00\x00\x03\x01" + bytes(3), id="ext 32"),
    pytest.param(b"\xd6\xff" + bytes(4), id="a timestamp of 32 bits"),
    pytest.param(b"\xd7\xff" + bytes(8), id="a timestamp of 64 bits"),
    pytest.param(b"\xc7\x0c\xff" + bytes(12), id="a timestamp of 96 bits"),
    pytest.param(b"\x82\xa1a\x01\xa1a\x01", id="a key twice, with the same value"),
    pytest.param(b"\x82\xa1a\x01\xa1a\x02", id="a key twice"),
    pytest.param(b"\x82\x01\x01\x01\x02", id="a number as key twice"),
    pytest.param(b"\x82\xc0\x01\xc0\x02", id="nil as key twice"),
    pytest.param(b"\x82\xc4\x01a\x01\xc4\x01a\x02", id="bytes as key twice"),
    pytest.param(b"\x82\x90\x01\x90\x02", id="a list as key twice"),
    pytest.param(b"\x83\xa1a\x01\xa1b\x02\xa1a\x01", id="a key twice with one between"),
    pytest.param(b"\x82\x01\x01\xc3\x02", id="1 and true as keys"),
    pytest.param(b"\x82\x01\x01\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x02", id="1 and 1.0 as keys"),
    pytest.param(b"\x82" + (b"\xcb" + bytes(8) + b"\x01") * 2, id="0.0 as key twice"),
    pytest.param(b"\x82" + (b"\xcb\x7f\xf8" + bytes(6) + b"\x01") * 2, id="NaN as key twice"),
    pytest.param(b"\x81\x90\x01", id="a list as key"),
    pytest.param(b"\x81\x91\x01\x01", id="a list of one as key"),
    pytest.param(b"\x82\x01\x01\x92\x01\x02\x01", id="a list as the second key"),
    pytest.param(b"\x81\xdc\x00\x10" + bytes(16) + b"\x01", id="a long list as key"),
    pytest.param(b"\x81\xcb\x7f\xf8" + bytes(6) + b"\x01", id="NaN as key"),
    pytest.param(b"\x81\xcb\xff\xf8" + bytes(5) + b"\x01\x01", id="another NaN as key"),
    pytest.param(b"\x81\x80\x01", id="a map as key"),
    pytest.param(b"\x81\x91\x80\x01", id="a map inside a key"),
    pytest.param(b"\xa1\xff", id="text that is not UTF-8"),
    pytest.param(b"\xa3\xed\xa0\x80", id="half a character"),
    pytest.param(b"\xa2\xc0\x80", id="an overlong zero"),
    pytest.param(b"\x81\xa1\xff\x01", id="a key that is not UTF-8"),
    pytest.param(b"", id="nothing"),
    pytest.param(b"\x01\x02", id="two values"),
    pytest.param(b"\x92\x01", id="a list that ends early"),
    pytest.param(b"\x91\x01\x02", id="a list that goes on"),
    pytest.param(b"\xa2a", id="a text that ends early"),
]


@pytest.mark.parametrize("spelled", REFUSED)
def test_what_is_not_canonical_messagepack_is_refused_at_any_depth(spelled: bytes) -> None:
    for around in (spelled, b"\x91" + spelled, b"\x81\xa1k" + spelled, b"\x92" + spelled + b"\x01"):
        is_not_read(around)


class Key(msgspec.Struct, frozen=True):
    name: str = "k"


UNREADABLE = [
    pytest.param({Plane.Node: 1, "Node": 2}, id="a key twice, once as an enum"),
    pytest.param({INSTANCE: 1, INSTANCE.bytes: 2}, id="a key twice, once as a UUID"),
    pytest.param({(): 1}, id="a tuple as key"),
    pytest.param({frozenset({1}): 1}, id="a set as key"),
    pytest.param({float("nan"): 1}, id="NaN as key"),
    pytest.param({Key(): 1}, id="a struct as key"),
    pytest.param(datetime.fromtimestamp(NOW_S, UTC), id="a moment"),
    pytest.param(msgspec.msgpack.Ext(1, b""), id="an extension"),
    pytest.param(msgspec.Raw(b"\xcc\x01"), id="bytes that are not canonical"),
    pytest.param(msgspec.Raw(b"\x01\x02"), id="bytes of two values"),
    pytest.param(msgspec.Raw(b"\xc1"), id="bytes of no value"),
    pytest.param(msgspec.Raw(b""), id="no bytes"),
    pytest.param(msgspec.UNSET, id="an unset field"),
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_nothing_is_written_that_would_not_be_read(value: object) -> None:
    for place, write in product(PLACES, WRITERS):
        with pytest.raises(Malformed):
            write(envelope(**{place: value}, tag=bytes(32)))
        with pytest.raises(Malformed):
            write(envelope(**{place: [value]}, tag=bytes(32)))


FLOATS = [
    "3ff8000000000000", "0000000000000000", "8000000000000000", "7ff0000000000000", "fff0000000000000",
    "0000000000000001", "7fefffffffffffff", "7ff8000000000000", "fff8000000000000", "7ff8000000000001",
]  # fmt: skip


@pytest.mark.parametrize("bits", FLOATS)
def test_every_float_of_64_bits_keeps_its_bits(bits: str) -> None:
    is_read(b"\xcb" + bytes.fromhex(bits))


WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "mac": (None, "1", 1.0, True, -1, [1]),
    "audience": (1, True, b"svc-me", ["svc-me"]),
    "plane": (None, "", "app", "NODE", "Both", 0, 1, b"App", ["App"]),
    "origin_svc": (None, 1, b"svc-overlay", ["svc-overlay"]),
    "origin_instance": (None, 0, b"", bytes(15), bytes(17), str(INSTANCE), INSTANCE.hex, list(bytes(16))),
    "tenant_id": (1, False, b"t1", [], {}),
    "scopes": (None, "read", b"read", {"read": 1}, [1], [None], [b"read"], [["read"]]),
    "nonce": (None, b"", bytes(15), bytes(17), "0" * 16, list(bytes(16))),
    "iat": (None, True, "1", float(NOW_S), 2**63, 2**64 - 1, [], b"1"),
    "exp": (None, True, "1", float(NOW_S), 2**63, 2**64 - 1, [], b"1"),
}


@pytest.mark.parametrize("field", WRONG_TYPES)
def test_a_field_of_another_type_is_malformed(field: str) -> None:
    for value in WRONG_TYPES[field]:
        refuse(crafted(**{field: _pack(value)}), audience=ME if field == "audience" else None)


@pytest.mark.parametrize("field", FIELDS)
def test_an_extension_is_no_field(field: str) -> None:
    for spelled in (b"\xd6\xff" + bytes(4), b"\xd8\x01" + INSTANCE.bytes, b"\xc1", b"\xca" + bytes(4)):
        refuse(crafted(**{field: spelled}))


@pytest.mark.parametrize("field", FIELDS)
def test_no_element_may_be_missing(field: str) -> None:
    refuse(crafted(head=b"\x9c", **{field: b""}))
    refuse(crafted(**{field: b""}))


@pytest.mark.parametrize(
    ("head", "behind"),
    [
        pytest.param(b"\x9e", b"\xc0", id="one more element"),
        pytest.param(b"\x9f", b"\x01\x01", id="two more elements"),
        pytest.param(b"\x9c", b"", id="one fewer announced"),
        pytest.param(b"\x9e", b"", id="one more announced"),
        pytest.param(b"\x9d", b"\x00", id="a byte behind the array"),
        pytest.param(b"\x9d", b"\xc0" * 32, id="32 bytes behind the array"),
        pytest.param(b"\x9d", b"\xc1", id="a byte behind the array that is nothing"),
        pytest.param(b"\x8d", b"", id="a map instead"),
        pytest.param(b"\x91\x9d", b"", id="the array in an array"),
        pytest.param(b"\x00\x9d", b"", id="a byte before the array"),
        pytest.param(b"", b"", id="no array"),
    ],
)
def test_the_array_stands_alone_and_has_13_elements(head: bytes, behind: bytes) -> None:
    accept(crafted())
    wire = crafted(head=head, behind=behind)
    refuse(wire)
    with pytest.raises(Malformed):
        opened(spoiled(wire), OneKey())


@pytest.mark.parametrize("head", [b"\xdc\x00\x0d", b"\xdd\x00\x00\x00\x0d"], ids=bytes.hex)
def test_the_array_itself_is_not_misspelt(head: bytes) -> None:
    refuse(crafted(head=head))
    with pytest.raises(BadTag):
        opened(spoiled(crafted(head=head)), OneKey())


@pytest.mark.parametrize("behind", [b"\0", b"\xc0", b"\n", bytes(32)], ids=bytes.hex)
def test_nothing_follows_the_tag(behind: bytes) -> None:
    for wire in (crafted(), sealed(OneKey(), audience=ME)):
        with pytest.raises(Malformed):
            opened(wire + behind, OneKey())
        with pytest.raises(Malformed):
            from_bytes(wire + behind)


ALIKE = [
    {"epoch", "iat"}, {"epoch", "exp"}, {"iat", "exp"}, {"audience", "tenant_id"},
    {"origin_svc", "tenant_id"}, {"origin_instance", "nonce"}, {"header", "payload"},
]  # fmt: skip
"""What could be read in one another's place, and is told apart by the tag."""


def test_elements_stand_in_their_order() -> None:
    for one, other in combinations(FIELDS, 2):
        exchanged = crafted(**{one: FIELDS[other], other: FIELDS[one]})
        if {one, other} not in ALIKE:
            refuse(exchanged)
            continue
        assert from_bytes(exchanged).claimed != from_bytes(crafted()).claimed
        with pytest.raises(BadTag):
            opened(exchanged[:-32] + crafted()[-32:], OneKey())
