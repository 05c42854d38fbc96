"""Whatever is signed is verified as it was, and whatever else comes is refused in one way only."""

import math
import struct
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from envelopes import (
    FIELDS,
    NAMED,
    Anybody,
    OneKey,
    crafted,
    crafted_named,
    envelope,
    opened,
    packed,
    sealed,
    tagged,
    verified,
)
from hypothesis import example, given, settings

import ron_auth
from ron_auth import (
    BadTag,
    Envelope,
    KeyCache,
    Malformed,
    Plane,
    Sealed,
    VerifyError,
    from_bytes,
    pack,
    to_bytes,
    unpack,
)
from ron_auth.limits import DEPTH_MAX, VALUES_MAX

_pack = msgspec.msgpack.encode

KD = OneKey()

few = settings(deadline=None, max_examples=40)
some = settings(deadline=None)
plenty = settings(deadline=None, max_examples=200)

# Envelopes of every shape.

integers = st.integers(-(2**63), 2**64 - 1)
keys = st.text(max_size=8) | integers | st.binary(max_size=8) | st.none() | st.booleans()
scalars = keys | st.floats() | st.text(max_size=40) | st.binary(max_size=300)
bodies = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
seconds = st.integers(-(2**63), 2**63 - 1)
texts = st.text(max_size=20)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    iat, exp = sorted((draw(seconds), draw(seconds)))
    return Envelope(
        plane=draw(st.sampled_from(Plane)),
        origin_svc=draw(texts),
        origin_instance=draw(st.uuids()),
        tenant_id=draw(st.none() | texts),
        scopes=tuple(draw(st.lists(texts, max_size=5))),
        nonce=draw(st.binary(min_size=16, max_size=16)),
        iat=iat,
        exp=exp,
        header=draw(bodies),
        payload=draw(bodies),
    )


epochs = st.integers(0, 2**64 - 1)
audiences = st.none() | texts


def same(one: Envelope, other: Envelope) -> bool:
    """Tell whether two envelopes are equal, a NaN being equal to itself."""
    return _pack(one) == _pack(other)


def depth(value: object) -> int:
    match value:
        case list():
            return 1 + max(map(depth, value), default=0)
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
    return 0


shallow = envelopes().filter(lambda env: depth(env.header) <= DEPTH_MAX and depth(env.payload) <= DEPTH_MAX)


@some
@given(envelopes(), epochs)
def test_what_was_signed_is_verified(env: Envelope, epoch: int) -> None:
    done = ron_auth.sign_envelope(KD, env.origin_svc, env.origin_instance, epoch, env)
    for kd in (KD, KeyCache(KD)):
        for now_s in (env.iat, env.exp):
            believed = ron_auth.verify_envelope(kd, env.origin_svc, epoch, env.scopes, done, now_s=now_s)
            assert believed is done
    assert same(msgspec.structs.replace(done, tag=b""), env)


@some
@given(shallow, epochs, audiences)
def test_what_was_sealed_opens(env: Envelope, epoch: int, audience: str | None) -> None:
    wire = ron_auth.seal(KD, env, audience=audience, epoch=epoch)
    believed = opened(
        wire,
        KD,
        senders=(env.origin_svc,),
        scopes=env.scopes,
        audience=audience,
        epoch=epoch,
        now_s=env.exp,
        max_lifetime_s=None,
    )
    assert same(msgspec.structs.replace(believed, tag=b""), env)
    assert believed.tag == wire[-32:]
    said = from_bytes(wire)
    assert (said.epoch, said.audience, said.mac) == (epoch, audience, 1)
    assert same(said.claimed, believed)


@some
@given(shallow, st.binary(min_size=32, max_size=32), epochs, audiences)
def test_bytes_and_values_are_inverse(env: Envelope, tag: bytes, epoch: int, audience: str | None) -> None:
    env = msgspec.structs.replace(env, tag=tag)
    assert same(unpack(pack(env)), env)
    assert pack(unpack(pack(env))) == pack(env)
    value = Sealed(epoch, audience, env)
    assert same(from_bytes(to_bytes(value)).claimed, env)
    assert to_bytes(from_bytes(to_bytes(value))) == to_bytes(value)


@few
@given(envelopes(), envelopes(), epochs)
def test_a_tag_holds_for_its_envelope_alone(one: Envelope, other: Envelope, epoch: int) -> None:
    tag = ron_auth.sign_envelope(KD, one.origin_svc, one.origin_instance, epoch, one).tag
    if same(one, other):
        return
    with pytest.raises(BadTag):
        verified(msgspec.structs.replace(other, tag=tag), KD, senders=Anybody(), epoch=epoch)


@some
@given(
    iat=seconds,
    exp=seconds,
    now_s=seconds,
    skew_s=st.integers(0, 2**63),
    max_lifetime_s=st.none() | st.integers(0, 2**64),
)
def test_the_window_is_what_the_contract_says(
    iat: int, exp: int, now_s: int, skew_s: int, max_lifetime_s: int | None
) -> None:
    inside = iat <= exp and iat - skew_s <= now_s <= exp + skew_s
    short = max_lifetime_s is None or exp - iat <= max_lifetime_s
    wire = sealed(KD, iat=iat, exp=exp, epoch=0)
    with nullcontext() if inside and short else pytest.raises(ron_auth.Expired):
        opened(wire, KD, now_s=now_s, epoch=0, max_clock_skew_s=skew_s, max_lifetime_s=max_lifetime_s)


scopes = st.lists(st.sampled_from(["a", "b", "c", "ab", ""]), max_size=4)


@some
@given(scopes, scopes)
def test_scopes_are_a_matter_of_sets(held: list[str], required: list[str]) -> None:
    wire = sealed(KD, scopes=tuple(held))
    if set(required) <= set(held):
        opened(wire, KD, scopes=required)
        return
    with pytest.raises(ron_auth.MissingScope) as refusal:
        opened(wire, KD, scopes=required)
    assert refusal.value.scope in set(required) - set(held)


# Whatever else comes.


def believe(wire: bytes) -> Envelope | None:
    """Return what anybody would be believed to have said, or None; nothing but ``VerifyError`` escapes."""
    try:
        epoch, audience = (said := from_bytes(wire)).epoch, said.audience
    except VerifyError:
        epoch, audience = 0, None
    try:
        return opened(
            wire,
            KD,
            senders=Anybody(),
            epoch=epoch,
            audience=audience,
            max_lifetime_s=None,
            max_clock_skew_s=2**64,
        )
    except VerifyError:
        return None


def read(data: bytes) -> Envelope | None:
    """Return what a packed envelope says, or None; nothing but ``VerifyError`` escapes."""
    try:
        return unpack(data)
    except VerifyError:
        return None


HEADS = [bytes([head]) for head in range(0x80, 0x100)]
messagepack = st.lists(
    st.sampled_from([b"\x00", b"\x7f", b"a", *HEADS]) | st.binary(max_size=4), max_size=30
).map(b"".join)
"""Bytes that look like MessagePack more than noise does."""

noise = st.binary(max_size=300) | messagepack


@plenty
@given(noise)
@example(b"")
@example(b"\x01")
@example(b"\x8b")
def test_noise_is_refused_and_nothing_else_escapes(data: bytes) -> None:
    for wire in (data, b"\x01" + data, b"\x01\x9d" + data, tagged(data), tagged(b"\x01\x9d" + data)):
        assert believe(wire) is None
    for named in (data, b"\x8b" + data, b"\x8b\xa5plane\xa3App" + data):
        assert read(named) is None


@plenty
@given(st.dictionaries(st.sampled_from(list(FIELDS)), messagepack, max_size=3))
def test_of_fields_that_are_anything_only_one_spelling_is_believed(fields: dict[str, bytes]) -> None:
    wire = crafted(**fields)
    if believe(wire) is not None:
        assert to_bytes(from_bytes(wire)) == wire
    data = crafted_named(**{name: value for name, value in fields.items() if name in NAMED})
    if (env := read(data)) is not None:
        assert pack(env) == data


Change = tuple[str, int, int, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "insert", "cut", "copy", "flip"]),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
        st.sampled_from([b"\x00", b"\x01", *HEADS]) | st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=4,
)


def changed(data: bytes, steps: list[Change]) -> bytes:
    made = bytearray(data)
    for kind, at, to, piece in steps:
        at %= len(made) + 1  # noqa: PLW2901 - wherever it falls
        end = at + to % 20
        match kind:
            case "put":
                made[at : at + len(piece)] = piece
            case "insert":
                made[at:at] = piece
            case "cut":
                del made[at:end]
            case "copy":
                made[at:at] = made[at:end]
            case "flip" if at < len(made):
                made[at] ^= 1 << to % 8
    return bytes(made)


sources = st.sampled_from(
    [
        envelope(),
        envelope(plane=Plane.Node, tenant_id=None, scopes=(), header=None, payload=None),
        envelope(header={"a": [{"b": {}}, [[]]], 1: True}, payload=[1.5, -200, 70_000, "x" * 40, b"y" * 20]),
    ]
)


@plenty
@given(sources, audiences, changes)
def test_what_was_changed_is_not_believed(env: Envelope, audience: str | None, steps: list[Change]) -> None:
    wire = ron_auth.seal(KD, env, audience=audience)
    if (other := changed(wire, steps)) != wire:
        assert believe(other) is None


@plenty
@given(sources, audiences, changes)
def test_what_was_changed_and_signed_anew_is_believed_in_its_one_spelling_only(
    env: Envelope, audience: str | None, steps: list[Change]
) -> None:
    wire = tagged(changed(ron_auth.seal(KD, env, audience=audience)[:-32], steps))
    if (believed := believe(wire)) is not None:
        assert to_bytes(from_bytes(wire)) == wire
        assert believed.tag == wire[-32:]


@plenty
@given(sources, changes)
def test_what_was_changed_after_packing_is_read_in_its_one_spelling_only(
    env: Envelope, steps: list[Change]
) -> None:
    data = changed(packed(KD, **msgspec.structs.asdict(env)), steps)
    if (said := read(data)) is not None:
        assert pack(said) == data


# A walker of one's own.


class Bad(Exception):
    """Not canonical MessagePack, or beyond the limits."""


class Walker:
    """Reads one value of canonical MessagePack, the slow way: what the specification says, byte by byte.

    Attributes:
        count: values seen.
        deepest: containers around the deepest value, or the depth of the deepest container.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self.count = 0
        self.deepest = 0

    def all(self) -> Any:
        """Read it all."""
        value = self._value(0)
        if self._at != len(self._raw):
            raise Bad
        return value

    def _take(self, size: int) -> bytes:
        piece = self._raw[self._at : self._at + size]
        if len(piece) != size:
            raise Bad
        self._at += size
        return piece

    def _uint(self, size: int, least: int) -> int:
        number = int.from_bytes(self._take(size), "big")
        if number < least:
            raise Bad
        return number

    def _sint(self, size: int, most: int) -> int:
        number = int.from_bytes(self._take(size), "big", signed=True)
        if number > most:
            raise Bad
        return number

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise Bad from None

    def _array(self, depth: int, size: int) -> tuple[Any, ...]:
        self.deepest = max(self.deepest, depth + 1)
        return tuple(self._value(depth + 1) for _ in range(min(size, len(self._raw) + 1)))

    def _map(self, depth: int, size: int) -> "Map":
        self.deepest = max(self.deepest, depth + 1)
        seen: set[Any] = set()
        for _ in range(min(size, len(self._raw) + 1)):
            key = self._value(depth + 1)
            if not may_be_key(key) or key in seen:
                raise Bad
            seen.add(key)
            self._value(depth + 1)
        return Map()

    def _value(self, depth: int) -> Any:
        self.count += 1
        head = self._take(1)[0]
        if head < 0x80 or head >= 0xE0:
            return head if head < 0x80 else head - 256
        if head < 0x90:
            return self._map(depth, head & 15)
        if head < 0xA0:
            return self._array(depth, head & 15)
        if head < 0xC0:
            return self._text(head & 31)
        known: dict[int, Callable[[], Any]] = {
            0xC0: lambda: None,
            0xC2: lambda: False,
            0xC3: lambda: True,
            0xC4: lambda: self._take(self._uint(1, 0)),
            0xC5: lambda: self._take(self._uint(2, 2**8)),
            0xC6: lambda: self._take(self._uint(4, 2**16)),
            0xCB: lambda: struct.unpack(">d", self._take(8))[0],
            0xCC: lambda: self._uint(1, 128),
            0xCD: lambda: self._uint(2, 2**8),
            0xCE: lambda: self._uint(4, 2**16),
            0xCF: lambda: self._uint(8, 2**32),
            0xD0: lambda: self._sint(1, -33),
            0xD1: lambda: self._sint(2, -(2**7) - 1),
            0xD2: lambda: self._sint(4, -(2**15) - 1),
            0xD3: lambda: self._sint(8, -(2**31) - 1),
            0xD9: lambda: self._text(self._uint(1, 32)),
            0xDA: lambda: self._text(self._uint(2, 2**8)),
            0xDB: lambda: self._text(self._uint(4, 2**16)),
            0xDC: lambda: self._array(depth, self._uint(2, 16)),
            0xDD: lambda: self._array(depth, self._uint(4, 2**16)),
            0xDE: lambda: self._map(depth, self._uint(2, 16)),
            0xDF: lambda: self._map(depth, self._uint(4, 2**16)),
        }
        if head not in known:  # extensions, floats of 32 bits, and the head that is none
            raise Bad
        return known[head]()


class Map:
    """That there was a map."""


def may_be_key(key: object) -> bool:
    """Tell whether a key is a single value that equals itself."""
    return not (isinstance(key, tuple | Map) or (isinstance(key, float) and math.isnan(key)))


def fits(raw: bytes) -> bool:
    """Tell whether ``raw`` may stand as header or payload."""
    walker = Walker(raw)
    try:
        walker.all()
    except (Bad, RecursionError):
        return False
    return walker.deepest <= DEPTH_MAX and walker.count <= VALUES_MAX


def is_read(raw: bytes, field: str) -> bool:
    verdicts = set()
    for reader, data in (
        (from_bytes, crafted(**{field: raw})),
        (unpack, crafted_named(**{field: raw})),
    ):
        try:
            reader(data)
            verdicts.add(True)
        except Malformed:
            verdicts.add(False)
    assert len(verdicts) == 1
    return verdicts.pop()


leaves = scalars.map(_pack) | st.sampled_from(
    [
        b"\xcc\x01",
        b"\xd0\x01",
        b"\xcd\x00\xff",
        b"\xd9\x01a",
        b"\xca\x00\x00\x00\x00",
        b"\xc1",
        b"\xd4\x01\x00",
        b"\xa1\xff",
    ]
)


Pieces = st.SearchStrategy[bytes]


def containers(head: int, long_head: bytes, members: Pieces, most: int) -> Pieces:
    """Draw an array or a map of few members; one of ten has a head that is longer than it need be."""

    def write(pieces: list[bytes], tenth: int) -> bytes:
        count = len(pieces)
        first = bytes([head | count]) if tenth else long_head + count.to_bytes(2, "big")
        return first + b"".join(pieces)

    return st.builds(write, st.lists(members, max_size=most), st.integers(0, 9))


def arrays(members: Pieces) -> Pieces:
    return containers(0x90, b"\xdc", members, 6)


def maps(members: Pieces) -> Pieces:
    entries = st.tuples(leaves | leaves | arrays(leaves), members).map(b"".join)
    return containers(0x80, b"\xde", entries, 4)


trees = st.recursive(leaves, lambda inner: arrays(inner) | maps(inner), max_leaves=15)


@st.composite
def towers(draw: st.DrawFn) -> bytes:
    """Draw a value that nests about as deep as is allowed."""
    value = draw(trees)
    for _ in range(draw(st.integers(0, DEPTH_MAX + 1))):
        value = draw(st.sampled_from([b"\x91" + value, b"\x81\xa1k" + value, b"\x92" + value + b"\x90"]))
    return value


@plenty
@given(
    # What ends too early would go on with what stands behind it, so it stands last.
    st.tuples(trees | towers(), st.sampled_from(["header", "payload"]))
    | st.tuples(messagepack, st.just("payload"))
)
@example((b"\x91" * DEPTH_MAX + b"\x00", "header"))
@example((b"\x91" * (DEPTH_MAX + 1) + b"\x00", "header"))
def test_a_value_is_read_exactly_when_a_plain_walker_finds_it_canonical_and_small(
    value: tuple[bytes, str],
) -> None:
    raw, field = value
    assert is_read(raw, field) == fits(raw)


@few
@given(
    st.integers(VALUES_MAX - 3, VALUES_MAX + 3),
    st.lists(
        st.sampled_from([b"\x90", b"\x80", b"\x00", b"\xa1a", b"\x91\x00", b"\x81\x00\x00"]),
        min_size=1,
        max_size=5,
    ),
)
def test_values_are_counted_as_a_plain_walker_counts_them(count: int, pattern: list[bytes]) -> None:
    pieces: list[bytes] = []
    seen = 1
    while seen < count:
        piece = pattern[len(pieces) % len(pattern)]
        pieces.append(piece)
        seen += {0x91: 2, 0x81: 3}.get(piece[0], 1)
    raw = b"\xdc" + len(pieces).to_bytes(2, "big") + b"".join(pieces)
    walker = Walker(raw)
    walker.all()
    assert walker.count == seen
    assert is_read(raw, "payload") == (seen <= VALUES_MAX) == fits(raw)
