"""Bodies to carriers: quickly where the quick way is surely the strict one, otherwise strictly.

msgspec keeps the last of two members of one name, and reads base64 whose last character has idle bits, in
silence. But what is lost in reading is not there when it is written again: so the quick way holds for a body
that comes back, white space aside.
"""

from typing import Final

import msgspec

from svc_passport import strict_json
from svc_passport.carriers import Carrier, Compact, Envelope, carrier_of
from svc_passport.errors import FAULT, Denied, Fault, Reason, Refused


def one(body: bytes) -> Carrier | Denied:
    """Return the carrier that a body is, or its denial.

    Raises:
        Refused: ``MALFORMED``: the body as a whole cannot be read.
    """
    try:
        carrier: Carrier = _compact(body) if body.startswith(b'{"token"') else _envelope(body)
        if _comes_back(carrier, body):
            return carrier
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return _carrier_or_denial(strict_json.loads(body))


def many(body: bytes, max_batch: int) -> list[Carrier | Denied]:
    """Return the carriers of a batch, or their denials, in order.

    Raises:
        Refused: ``MALFORMED``: the body as a whole cannot be read. ``BATCH_TOO_LARGE``.
    """
    try:
        asked = _envelopes(body) if body.startswith(b"[") else _items(body)
        if _comes_back(asked, body):
            items = asked if isinstance(asked, list) else asked.items
            if len(items) > max_batch:
                raise Refused(Reason.BATCH_TOO_LARGE)
            return items  # type: ignore[return-value] # a list of envelopes is a list of carriers
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return _strictly(body, max_batch)


def kid_to_revoke(body: bytes) -> object:
    """Return the ``kid`` of ``{"kid": …}``, of any type.

    Raises:
        Refused: ``MALFORMED``: the body is something else.
    """
    asked = strict_json.loads(body)
    if not isinstance(asked, dict) or asked.keys() - {"kid"}:
        raise Refused(Reason.MALFORMED, fault=Fault.SHAPE)
    return asked.get("kid")


def check_is_nothing(body: bytes) -> None:
    """Return if a body that asks for nothing is empty, or an empty JSON object.

    Raises:
        Refused: ``MALFORMED``.
    """
    if body and strict_json.loads(body) != {}:
        raise Refused(Reason.MALFORMED, fault=Fault.SHAPE)


def _comes_back(read: object, body: bytes) -> bool:
    written = _encode(read)
    # No raw white space but blanks stands within JSON's strings, and none within base64 that msgspec reads.
    return written == body or written.translate(None, _WHITE) == body.translate(None, _WHITE)


def _strictly(body: bytes, max_batch: int) -> list[Carrier | Denied]:
    asked = strict_json.loads(body, _VALUES_AN_ITEM * max_batch, Reason.BATCH_TOO_LARGE)
    if isinstance(asked, dict) and asked.keys() == {"items"}:
        asked = asked["items"]
    if not isinstance(asked, list):
        raise Refused(Reason.MALFORMED, fault=Fault.SHAPE)
    if len(asked) > max_batch:
        raise Refused(Reason.BATCH_TOO_LARGE)
    return [_carrier_or_denial(item) for item in asked]


def _carrier_or_denial(value: object) -> Carrier | Denied:
    try:
        return carrier_of(value)
    except Refused as refused:
        return FAULT[refused.reason]


class _Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: list[Envelope]


_VALUES_AN_ITEM: Final = 32
"""An envelope has six; its audience may have commas."""

_WHITE: Final = b" \t\n\r"
_compact: Final = msgspec.json.Decoder(Compact).decode
_envelope: Final = msgspec.json.Decoder(Envelope).decode
_envelopes: Final = msgspec.json.Decoder(list[Envelope]).decode
_items: Final = msgspec.json.Decoder(_Items).decode
_encode: Final = msgspec.json.Encoder().encode
