"""What is signed: the claims, their canonical form (RFC 8785), and nothing about who carries them."""

import re
from typing import Annotated, Any, Final

import msgspec
import rfc8785

from svc_passport import strict_json
from svc_passport.errors import Reason, Refused
from svc_passport.strict_json import DEPTH_MAX, INTEGER_MAX

Integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Audience = Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1)]
TokenId = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{21}[AQgw]$")]
"""128 random bits as base64url without padding: 22 characters, of which the last has four idle bits."""

Stamp = dict[str, Any]
"""Claims by name, as JSON values."""


class Claims(msgspec.Struct, frozen=True, gc=False):
    """The claims that this service reads (RFC 7519 §4.1 and our own). Others are signed and passed on."""

    aud: Audience
    exp: Integer  # Unix seconds; the last second in which the token passes
    iat: Integer  # Unix seconds
    iss: str
    jti: TokenId
    kid: str
    ctx: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    nbf: Integer | msgspec.UnsetType = msgspec.UNSET  # Unix seconds
    nonce: str | msgspec.UnsetType = msgspec.UNSET
    scopes: list[str] | msgspec.UnsetType = msgspec.UNSET
    sub: str | msgspec.UnsetType = msgspec.UNSET


def parse(message: bytes) -> Claims:
    """Read a signed message.

    Raises:
        Refused: ``MALFORMED``: it is not the canonical JSON of an object with claims of these types whose
            names all begin with a lowercase letter.
    """
    values = _canonical_object(message)
    if not all("a" <= name[:1] <= "z" for name in values):
        raise Refused(Reason.MALFORMED)
    try:
        claims = msgspec.convert(values, Claims)
    except msgspec.ValidationError:
        raise Refused(Reason.MALFORMED) from None
    if len(claims.aud) > 1 and len(set(claims.aud)) != len(claims.aud):
        raise Refused(Reason.MALFORMED)
    return claims


def canonical(claims: Stamp) -> bytes:
    """Return the message to sign: canonical JSON that ``parse`` reads back.

    Raises:
        Refused: ``MALFORMED``: ``parse`` would refuse it.
    """
    message = _encode(claims)
    if not _is_plain(claims, message):
        message = rfc8785.dumps(claims)
    parse(message)
    return message


def _canonical_object(message: bytes) -> Stamp:
    """Return the object, quickly where msgspec's sorted form is surely the canonical one."""
    try:
        values = _decode(message)
        if _encode(values) == message and _is_plain(values, message):
            return values
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _NotPlain):
        pass
    values = strict_json.loads(message)
    if not isinstance(values, dict) or rfc8785.dumps(values) != message:
        raise Refused(Reason.MALFORMED)
    return values


class _NotPlain(Exception):
    """A value whose canonical form is for ``rfc8785`` to say."""


def _refuse_fraction(_: str) -> float:
    raise _NotPlain


def _is_plain(values: Stamp, encoded: bytes) -> bool:
    """Tell whether msgspec's sorted encoding of ``values`` is RFC 8785's.

    The two differ in how they write fractions, and in the order of names beyond the basic plane.
    """
    return (encoded.isascii() or not _has_astral(encoded)) and _is_exact(values, DEPTH_MAX)


def _is_exact(value: object, depth: int) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -INTEGER_MAX <= value <= INTEGER_MAX  # type: ignore[operator]
    if kind is dict:
        return depth > 0 and all(_is_exact(v, depth - 1) for v in value.values())  # type: ignore[attr-defined]
    return kind is list and depth > 0 and all(_is_exact(v, depth - 1) for v in value)  # type: ignore[attr-defined]


_has_astral: Final = re.compile(rb"[\xf0-\xf4]").search
_decode: Final = msgspec.json.Decoder(Stamp, float_hook=_refuse_fraction).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode
