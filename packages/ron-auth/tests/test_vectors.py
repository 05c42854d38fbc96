"""Byte for byte what real Rust writes: rmp-serde 1.3.0 and HMAC-SHA256 under a key of 32 times 7."""

import enum
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from envelopes import INSTANCE, KEY, OneKey, crafted, opened, verified

import ron_auth
from ron_auth import Envelope, Expired, Malformed, Plane, mac, named, values

FILE = Path(__file__).parents[4] / "shared" / "vectors" / "ron_auth_rust.txt"
if not FILE.exists():
    pytest.skip(
        "../shared/vectors/ron_auth_rust.txt is not beside the project: Rust's bytes cannot be compared",
        allow_module_level=True,
    )


class Vectors(NamedTuple):
    cases: dict[str, dict[str, bytes]]
    prims: dict[str, bytes]


def read() -> Vectors:
    vectors = Vectors({}, {})
    case = ""
    for line in FILE.read_text().splitlines():
        name, _, written = line.strip().rpartition(" ")
        if line.startswith("case "):
            case = line.split()[1]
            vectors.cases[case] = {}
        elif line.startswith("prim "):
            assert name not in vectors.prims
            vectors.prims[name.removeprefix("prim ")] = bytes.fromhex(written)
        else:
            vectors.cases[case][name] = bytes.fromhex(written)
    return vectors


CASES, PRIMS = read()

# Envelopes.


class Header(msgspec.Struct):
    route: str
    seq: int
    opt: int | None
    neg: int


ENVELOPES = {
    "A": Envelope(
        plane=Plane.Node,
        origin_svc="svc-overlay",
        origin_instance=INSTANCE,
        tenant_id=None,
        scopes=("overlay:route",),
        nonce=INSTANCE.bytes,
        iat=1_757_800_000,
        exp=1_757_800_060,
        header=None,
        payload=("ping", 1),
    ),
    "B": Envelope(
        plane=Plane.App,
        origin_svc="svc-overlay",
        origin_instance=INSTANCE,
        tenant_id="t1",
        scopes=("a", "b", "c", "d", "e"),
        nonce=bytes(16),
        iat=0,
        exp=-1,
        header=Header("/x", 300, None, -33),
        payload=[1, 200, 3],
    ),
    "C": Envelope(
        plane=Plane.App,
        origin_svc="svc-overlay",
        origin_instance=INSTANCE,
        tenant_id="",
        scopes=(),
        nonce=b"\xff" * 16,
        iat=2**32,
        exp=2**63 - 1,
        header={"a": -129, "z": 1},
        payload="é",
    ),
}

each_case = pytest.mark.parametrize("case", sorted(CASES))


def sign(case: str) -> Envelope:
    env = ENVELOPES[case]
    return ron_auth.sign_envelope(OneKey(), env.origin_svc, env.origin_instance, 0, env)


def test_every_case_of_the_file_is_tested() -> None:
    assert CASES.keys() == ENVELOPES.keys()


@each_case
def test_the_mac_input_is_what_rust_writes(case: str) -> None:
    assert named.mac_input(ENVELOPES[case]).hex() == CASES[case]["mac_input"].hex()


@each_case
def test_the_tag_is_what_rust_computes(case: str) -> None:
    assert sign(case).tag.hex() == CASES[case]["tag"].hex()
    assert mac.tag(KEY, CASES[case]["mac_input"]) == CASES[case]["tag"]


@each_case
def test_a_packed_envelope_is_what_rust_writes(case: str) -> None:
    assert ron_auth.pack(sign(case)).hex() == CASES[case]["envelope_named"].hex()


@each_case
def test_what_rust_packed_is_read_and_its_tag_holds(case: str) -> None:
    env = ron_auth.unpack(CASES[case]["envelope_named"])
    assert ron_auth.pack(env) == CASES[case]["envelope_named"]
    ends_before_it_begins = case == "B"
    with pytest.raises(Expired) if ends_before_it_begins else nullcontext():
        assert verified(env, OneKey(), epoch=0, scopes=env.scopes, now_s=env.iat) is env


# Values.


class NothingSkipped(msgspec.Struct):
    a: int | None = None
    b: int = 1


class NoneSkipped(msgspec.Struct, omit_defaults=True):
    a: int | None = None
    b: int = msgspec.field(default_factory=lambda: 1)


class Pair(msgspec.Struct, array_like=True):
    first: int
    second: int


class Empty(msgspec.Struct, array_like=True):
    pass


class Duration(msgspec.Struct):
    secs: int
    nanos: int


class Variant(enum.Enum):
    Unit = "Unit"


SAME: dict[str, object] = {
    "unit": None,
    "none": None,
    "some": 5,
    "true": True,
    "u8 127": 127,
    "u8 128": 128,
    "u8 255": 255,
    "u16 256": 256,
    "u32 65536": 65536,
    "u64 2^32": 2**32,
    "u64 max": 2**64 - 1,
    "i64 0": 0,
    "i64 127": 127,
    "i64 128": 128,
    "i64 255": 255,
    "i64 256": 256,
    "i64 65535": 65535,
    "i64 65536": 65536,
    "i64 2^31": 2**31,
    "i64 2^32-1": 2**32 - 1,
    "i64 2^32": 2**32,
    "i64 max": 2**63 - 1,
    "i64 -1": -1,
    "i64 -32": -32,
    "i64 -33": -33,
    "i64 -128": -128,
    "i64 -129": -129,
    "i64 -32768": -32768,
    "i64 -32769": -32769,
    "i64 -2^31": -(2**31),
    "i64 -2^31-1": -(2**31) - 1,
    "i64 min": -(2**63),
    "i8 -1": -1,
    "f64 1.5": 1.5,
    "f64 1.0": 1.0,
    "f64 nan": float("nan"),
    "char": "A",
    "E::Unit": Variant.Unit,
    "E::New": {"New": 5},
    "E::Tup": {"Tup": (5, "x")},
    "E::St": {"St": {"a": -1}},
    "NT": 300,
    "TS": Pair(1, 2),
    "US": Empty(),
    "Opt skip": NoneSkipped(),
    "Opt": NothingSkipped(a=1),
    "vec u8": [1, 2, 3],
    "slice 20 u8": [1] * 20,
    "str 31": "a" * 31,
    "str 32": "a" * 32,
    "str 256": "a" * 256,
    "arr16 u8": [255] * 16,
    "arr15 u8": [255] * 15,
    "vec str": ["a", "b"],
    "plane": Plane.Node,
    "uuid": UUID(int=0),
    "dur": Duration(1, 500_000_000),
}
"""What Python writes as Rust does."""


class Other(NamedTuple):
    """What Rust writes and Python does not."""

    nearest: object  # what a Python programmer would write for it
    read: Callable[[object], bool] | None  # what it reads as; None where it is refused


OTHER: dict[str, Other] = {
    "f32 1.5": Other(1.5, None),  # floats have 64 bits, or there were two ways to write one
    "i128 1": Other(1, (1).to_bytes(16, "big").__eq__),  # 16 bytes, and never a number
    "u128 1": Other(1, (1).to_bytes(16, "big").__eq__),
}

BYTES = {"vec u8": b"\1\2\3", "slice 20 u8": b"\1" * 20, "arr16 u8": b"\xff" * 16, "arr15 u8": b"\xff" * 15}
"""Rust writes bytes as an array of numbers unless told otherwise (``serde_bytes``); Python never does."""


def test_every_value_of_the_file_is_in_one_table() -> None:
    assert SAME.keys().isdisjoint(OTHER)
    assert SAME.keys() | OTHER.keys() == PRIMS.keys()


def test_python_writes_what_rust_writes() -> None:
    assert {name: values.encode(value) for name, value in SAME.items()} == {
        name: PRIMS[name] for name in SAME
    }


def test_what_rust_writes_is_read() -> None:
    for name in SAME:
        read = opened(crafted(header=PRIMS[name]), OneKey()).header
        assert msgspec.msgpack.encode(read) == PRIMS[name], name


@pytest.mark.parametrize("name", OTHER)
def test_python_writes_another_value(name: str) -> None:
    assert values.encode(OTHER[name].nearest) != PRIMS[name]


@pytest.mark.parametrize("name", OTHER)
def test_what_only_rust_writes_is_read_as_what_it_is_or_refused(name: str) -> None:
    wire = crafted(header=PRIMS[name])
    expected = OTHER[name].read
    if expected is None:
        with pytest.raises(Malformed):
            opened(wire, OneKey())
    else:
        assert expected(opened(wire, OneKey()).header)


@pytest.mark.parametrize("name", BYTES)
def test_rusts_bytes_are_a_list_of_numbers_here(name: str) -> None:
    assert values.encode(BYTES[name]) != PRIMS[name]
    assert opened(crafted(header=PRIMS[name]), OneKey()).header == list(BYTES[name])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(2**64, id="2^64"),
        pytest.param(-(2**63) - 1, id="-2^63-1"),
        pytest.param(2**127, id="2^127"),
    ],
)
def test_no_integer_of_more_than_64_bits_is_signed(value: Any) -> None:
    env = msgspec.structs.replace(ENVELOPES["A"], payload=value)
    with pytest.raises(Malformed):
        ron_auth.sign_envelope(OneKey(), env.origin_svc, env.origin_instance, 0, env)


def test_a_map_keeps_its_senders_order() -> None:
    # A HashMap of Rust has a new order each time: what it signed is verified as it was sent.
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert values.encode(one) != values.encode(other)
    for header in (one, other):
        read = opened(crafted(header=values.encode(header)), OneKey()).header
        assert list(read) == list(header)
