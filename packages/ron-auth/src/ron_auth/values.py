"""Header and payload: any MessagePack value, in its one canonical form.

Canonical means: shortest integers and lengths, floats of 64 bits, no map key twice and none NaN, no extension
type (timestamps are one). Map order is the sender's. It is told by writing the value again and comparing,
once its nesting and size are known to be harmless.
"""

from typing import Any

import msgspec

from ron_auth.errors import Malformed
from ron_auth.limits import DEPTH_MAX, VALUES_MAX

_MAPS = bytes([*range(0x80, 0x90), 0xDE, 0xDF])
_CONTAINERS = bytes([*_MAPS, *range(0x90, 0xA0), 0xDC, 0xDD])  # and arrays
_EXTENSIONS = bytes([0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8])
_HEADS = _CONTAINERS + _EXTENSIONS
_LEAVES = frozenset(bytes([head]) for head in range(256) if head not in _HEADS)
"""First bytes of values with nothing in them."""

_FLOAT = b"\xcb"

_COUNTED = dict.fromkeys(range(0x80, 0xA0), 0)  # in the head itself
"""Bytes of the length or count that follows the head of a text, a binary or a container."""
_COUNTED.update({0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4})

_SIZES = [0 if head in _EXTENSIONS or head in _COUNTED else 1 for head in range(256)]
"""Bytes of a value whose head tells its size; 0 where it does not."""
for _head, _size in {
    0xCA: 5,
    0xCB: 9,
    0xCC: 2,
    0xCD: 3,
    0xCE: 5,
    0xCF: 9,
    0xD0: 2,
    0xD1: 3,
    0xD2: 5,
    0xD3: 9,
}.items():
    _SIZES[_head] = _size
for _length in range(32):
    _SIZES[0xA0 | _length] = 1 + _length


def _write_plainly(value: object) -> str:
    """Write a ``Scope``, or any other kind of str, as the text it is."""
    if isinstance(value, str):
        return str.__str__(value)  # whatever its own ``__str__`` says
    raise TypeError(f"objects of type {type(value).__name__} cannot be carried")


encode = msgspec.msgpack.Encoder(enc_hook=_write_plainly, uuid_format="bytes").encode
"""MessagePack as ``rmp_serde`` writes it. Foreign errors leave through ``UNWRITABLE``."""

UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What ``encode`` raises for what cannot be carried; text that is no Unicode is a ValueError."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for what is not MessagePack, or not of the type."""

_decode = msgspec.msgpack.Decoder().decode


def read(raw: bytes) -> Any:
    """Return the value that ``raw`` spells.

    Raises:
        Malformed: not one MessagePack value, not canonical, or what ``_walk`` refuses.
    """
    is_leaf = raw[:1] in _LEAVES
    if not (is_leaf or _is_flat(raw)):
        _walk(raw)
    try:
        value = _decode(raw)
    except UNREADABLE as error:
        raise Malformed("not MessagePack") from error
    if encode(value) != raw:
        raise Malformed("not canonical")
    if not is_leaf and _FLOAT in raw:
        _check_keys(value)
    return value


def write(value: object) -> bytes:
    """Return the value's canonical bytes.

    Raises:
        Malformed: MessagePack does not carry it, or ``read`` would refuse it.
    """
    try:
        raw = encode(value)
    except RecursionError as error:
        raise Malformed("nested too deep") from error
    except UNWRITABLE as error:
        raise Malformed("a value that MessagePack does not carry") from error
    read(raw)
    return raw


def _is_flat(raw: bytes) -> bool:
    """Tell from the bytes alone, at C speed, that a container has neither containers nor extensions in it."""
    return (
        0 < len(raw) <= VALUES_MAX
        and raw[0] in _CONTAINERS
        and len(raw.translate(None, _HEADS)) == len(raw) - 1
    )


def _check_keys(value: object) -> None:
    """Return only if no map has NaN among its keys: it equals nothing, so a map may have it twice."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key != key:  # noqa: PLR0124 - what NaN is
                raise Malformed("NaN as a key")
            _check_keys(entry)
    elif isinstance(value, list):
        for entry in value:
            _check_keys(entry)


def _walk(raw: bytes) -> None:
    """Go from head to head, building nothing. What is cut short is for the decoder to say.

    Raises:
        Malformed: nested deeper than ``DEPTH_MAX``, more than ``VALUES_MAX`` values, an extension type, or a
            container as a key. Many of these have equal hashes, and a map of such takes long to build.
    """
    at, left, values, in_map = 0, 1, 1, False
    outer: list[tuple[int, bool]] = []  # of the open containers but the innermost: left, in_map
    while left and at < len(raw):
        left -= 1
        head = raw[at]
        if size := _SIZES[head]:
            at += size
        elif (width := _COUNTED.get(head)) is None:
            raise Malformed("an extension type, such as a timestamp")
        else:
            count = int.from_bytes(raw[at + 1 : at + 1 + width], "big") if width else head & 0x0F
            at += 1 + width
            if head not in _CONTAINERS:
                at += count
            else:
                if in_map and left % 2:
                    raise Malformed("a container as a key")
                if len(outer) == DEPTH_MAX:
                    raise Malformed("nested too deep")
                is_map = head in _MAPS
                count *= 1 + is_map
                values += count
                if values > VALUES_MAX:
                    raise Malformed("too many values")
                if count:
                    outer.append((left, in_map))
                    left, in_map = count, is_map
        while not left and outer:
            left, in_map = outer.pop()
