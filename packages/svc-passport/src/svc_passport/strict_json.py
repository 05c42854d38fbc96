"""JSON that means one thing to every reader (RFC 8259, as narrowed by I-JSON, RFC 7493).

Refused: what is not UTF-8, a byte order mark, a lone surrogate, duplicate member names, nesting over 16,
NaN and infinities, integers beyond ±(2^53 - 1), and numbers that overflow a double. And more values than
anybody needs, before they are read: a megabyte of ``{},{},…`` would take a quarter of a second.
"""

import json
import math
from typing import Any, Final, NoReturn

from svc_passport.errors import Fault, Reason, Refused

DEPTH_MAX: Final = 16
VALUES_MAX: Final = 4096
INTEGER_MAX: Final = 2**53 - 1
"""The largest integer that a double, and so JSON's common reader, holds exactly (RFC 7493 §2.2)."""

_INTEGER_CHARS_MAX = len(str(-INTEGER_MAX))


def loads(body: bytes, values_max: int = VALUES_MAX, too_many: Reason = Reason.MALFORMED) -> Any:
    """Return what ``body`` says.

    Args:
        values_max: How many values it may hold; commas and brackets in strings count as well.
        too_many: What it is if it holds more.

    Raises:
        Refused: ``MALFORMED``, for each of the faults above and for anything that is not JSON; ``too_many``.
    """
    if sum(map(body.count, (b",", b"{", b"["))) > values_max:
        raise Refused(too_many, fault=Fault.JSON)
    try:
        text = body.decode("utf-8")
        value = _decode(text)
        if "\\u" in text:
            # An escape can spell half a surrogate pair, which no UTF-8 can.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused(Reason.MALFORMED, fault=Fault.JSON) from None
    # With no more brackets than levels, of which some may stand in strings, nothing is too deep.
    if text.count("[") + text.count("{") > DEPTH_MAX and not _fits(value, DEPTH_MAX):
        raise Refused(Reason.MALFORMED, fault=Fault.JSON)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name stands twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_CHARS_MAX or abs(number := int(digits)) > INTEGER_MAX:
        raise ValueError("an integer that a double cannot hold")
    return number


def _fraction(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError("a number that overflows a double")
    return number


def _constant(_: str) -> NoReturn:
    raise ValueError("no number")


def _fits(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_fits(v, depth - 1) for v in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_fits(v, depth - 1) for v in value)
    return True


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
).decode
