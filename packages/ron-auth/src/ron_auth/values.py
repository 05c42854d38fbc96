"""Header and payload: any MessagePack value, in its one canonical form.

Canonical means: shortest integers and lengths, floats of 64 bits, no map key twice, no extension type
(timestamps are one). Map order is the sender's. It is told by writing the value again and comparing, once
its nesting and size are known to be harmless.
"""

from typing import Any, NoReturn

import msgspec

from ron_auth.errors import Malformed
from ron_auth.limits import DEPTH_MAX, VALUES_MAX

_MAPS = bytes([*range(0x80, 0x90), 0xDE, 0xDF])
_CONTAINERS = bytes([*_MAPS, *range(0x90, 0xA0), 0xDC, 0xDD])  # and arrays
_EXTENSIONS = bytes([0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8])
_SCALARS = bytes(head for head in range(256) if head not in _CONTAINERS + _EXTENSIONS)

_FIXED = dict.fromkeys(range(256), 1)  # nil, bools and small integers are one byte
"""Bytes of a value whose head tells its size."""
_FIXED.update({0xA0 | length: 1 + length for length in range(32)})
_FIXED.update({0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9})

_COUNTED = dict.fromkeys(range(0x80, 0xA0), 0)  # the count is in the head
"""Bytes of the length or count that follows the head."""
_COUNTED.update({0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4})


def _refuse_extension(_code: int, _data: memoryview) -> NoReturn:
    raise Malformed("an extension type")


def _write_plainly(value: object) -> str:
    """Write a ``Scope``, or any other kind of str, as the text it is."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"objects of type {type(value).__name__} cannot be carried")


encode = msgspec.msgpack.Encoder(enc_hook=_write_plainly, uuid_format="bytes").encode
"""MessagePack as ``rmp_serde`` writes it. Foreign errors leave through ``UNWRITABLE``."""

UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What ``encode`` raises for what cannot be carried; text that is no Unicode is a ValueError."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for what is not MessagePack, or not of the type."""

_decode = msgspec.msgpack.Decoder(tuple[Any, Any], ext_hook=_refuse_extension).decode


def read(body: bytes) -> tuple[Any, Any]:
    """Return the header and payload that ``body``, an array of these two, spells.

    Raises:
        Malformed: not MessagePack, not canonical, or more than ``check_nesting`` lets pass.
    """
    check_nesting(body)
    try:
        header, payload = both = _decode(body)
    except UNREADABLE as error:
        raise Malformed("not MessagePack") from error
    if encode(both) != body:
        raise Malformed("not canonical")
    return header, payload


def write(header: object, payload: object) -> bytes:
    """Return the canonical bytes of the array of the two.

    Raises:
        Malformed: MessagePack does not carry them, or ``read`` would refuse them.
    """
    try:
        body = encode((header, payload))
    except UNWRITABLE as error:
        raise Malformed("a value that MessagePack does not carry") from error
    check_nesting(body)
    return body


def check_nesting(body: bytes) -> None:
    """Return only if decoding ``body`` is harmless. What else may be wrong with it is for the decoder to say.

    Most bodies are seen to be harmless from their bytes alone, at C speed: nine bytes that could be heads of
    containers nest nine deep at most, and there are no more values than bytes.

    Raises:
        Malformed: nested deeper than ``DEPTH_MAX``, more than ``VALUES_MAX`` values, or an extension type.
    """
    heads = body.translate(None, _SCALARS)
    if len(heads) > 1 + DEPTH_MAX or len(body) > VALUES_MAX or heads.translate(None, _CONTAINERS):
        _walk(body)


def _walk(body: bytes) -> None:
    at = values = 0
    lacking: list[int] = []  # of each open container, how many values are still to come
    while at < len(body):
        head = body[at]
        values += 1
        if values > VALUES_MAX:
            raise Malformed("too many values")
        if head in _EXTENSIONS:
            raise Malformed("an extension type")
        if lacking:
            lacking[-1] -= 1
        width = _COUNTED.get(head)
        if width is None:
            at += _FIXED[head]
        else:
            count = int.from_bytes(body[at + 1 : at + 1 + width], "big") if width else head & 0x0F
            at += 1 + width
            if head not in _CONTAINERS:
                at += count
            elif len(lacking) > DEPTH_MAX:
                raise Malformed("nested too deep")
            else:
                lacking.append(count * (2 if head in _MAPS else 1))
        while lacking and not lacking[-1]:
            lacking.pop()
