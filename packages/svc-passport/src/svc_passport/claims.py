"""What is signed: the claims, their canonical form (RFC 8785), and nothing about who carries them."""

from typing import Annotated, Any, Final

import msgspec
import rfc8785

from svc_passport import strict_json
from svc_passport.errors import Reason, Refused
from svc_passport.strict_json import INTEGER_MAX

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
    values = _plain(message) or _judged(message)
    try:
        claims = msgspec.convert(values, Claims)
    except msgspec.ValidationError:
        raise Refused(Reason.MALFORMED) from None
    # Canonical members are sorted: where the first and the last begin with a lowercase letter, all do.
    if not "a" <= next(iter(values))[:1] <= next(reversed(values))[:1] <= "z":
        raise Refused(Reason.MALFORMED)
    if len(claims.aud) > 1 and len(set(claims.aud)) != len(claims.aud):
        raise Refused(Reason.MALFORMED)
    return claims


def canonical(claims: Stamp) -> bytes:
    """Return the message to sign: canonical JSON that ``parse`` reads back.

    Raises:
        Refused: ``MALFORMED``: ``parse`` would refuse it.
    """
    message = _encode(claims)
    if _plain(message) is None:
        message = rfc8785.dumps(claims)
    parse(message)
    return message


def _plain(message: bytes) -> Stamp | None:
    """Return what a message says if it is so plain that msgspec's sorted form is surely the canonical one.

    That form and RFC 8785's differ in how they write fractions, and in the order of names beyond the basic
    plane. A second member of one name is lost in decoding, so the message does not come back.
    """
    try:
        values: Stamp = _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if _encode(values) != message or not (message.isascii() or _has_no_astral(message)):
        return None
    return values


def _judged(message: bytes) -> Stamp:
    """Return what a message says, after asking ``rfc8785`` whether it is canonical."""
    values = strict_json.loads(message)
    if not isinstance(values, dict) or not values or rfc8785.dumps(values) != message:
        raise Refused(Reason.MALFORMED)
    return values


def _has_no_astral(message: bytes) -> bool:
    return max(message) < 0xF0  # noqa: PLR2004 - the first byte of a character beyond the basic plane


_Scalar = str | Integer | bool | None
_Flat = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Nested = _Scalar | list[_Flat] | dict[str, _Flat]
_Plain = _Scalar | list[_Nested] | dict[str, _Nested]
"""Values without fractions, and not deep; what is not among them may still be canonical."""

_decode: Final = msgspec.json.Decoder(dict[str, _Plain]).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode
