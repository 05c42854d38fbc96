"""What is signed: the claims, their canonical form (RFC 8785), and nothing about who carries them."""

import re
from typing import Annotated, Any, Final

import msgspec
import rfc8785

from svc_passport import strict_json
from svc_passport.errors import Fault, Reason, Refused
from svc_passport.strict_json import INTEGER_MAX

Integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Audience = Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1)]
Stamp = dict[str, Any]
"""Claims by name, as JSON values."""

_Scalar = str | Integer | bool | None
_Flat = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Nested = _Scalar | list[_Flat] | dict[str, _Flat]
_Plain = _Scalar | list[_Nested] | dict[str, _Nested]
"""Values without fractions, and not deep; what is not among them may still be canonical."""


class Claims(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The claims that this service reads (RFC 7519 §4.1 and our own), sorted as they are signed.

    Others are signed and passed on.
    """

    aud: Audience
    ctx: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    exp: Integer  # Unix seconds; the last second in which the token passes
    iat: Integer  # Unix seconds
    iss: str
    jti: str  # 128 random bits as base64url without padding
    kid: str
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
    claims = _known_only(message) or _with_others(message)
    if repeats(claims.aud) or not _is_token_id(claims.jti):
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS)
    return claims


def repeats(aud: list[str]) -> bool:
    """Tell whether an audience stands twice."""
    return len(aud) > 1 and len(set(aud)) != len(aud)


def canonical(claims: Stamp) -> bytes:
    """Return the message to sign: canonical JSON that ``parse`` reads back.

    Raises:
        Refused: ``MALFORMED``: ``parse`` would refuse it.
    """
    message = _encode(claims)
    try:
        parse(message)  # which finds out as well whether this form is the canonical one
    except Refused:
        message = rfc8785.dumps(claims)
        parse(message)
    return message


def _known_only(message: bytes) -> Claims | None:
    """Return the claims of a message that is plain and has no others: the quick way, and the common case."""
    try:
        claims = _decode_known_only(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return claims if _is_plain(claims, message) else None


def _with_others(message: bytes) -> Claims:
    values = _plain(message) or _judged(message)
    # Canonical members are sorted: where the first and the last begin with a lowercase letter, all do.
    if not "a" <= next(iter(values))[:1] <= next(reversed(values))[:1] <= "z":
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS)
    try:
        return msgspec.convert(values, Claims)
    except msgspec.ValidationError:
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS) from None


def _plain(message: bytes) -> Stamp | None:
    """Return what a message says if it is plain."""
    try:
        values: Stamp = _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return values if _is_plain(values, message) else None


def _is_plain(values: object, message: bytes) -> bool:
    """Tell whether msgspec's sorted form of ``values`` is the message, and surely the canonical form.

    That form and RFC 8785's differ in how they write fractions, which the decoders above do not take, and in
    the order of names beyond the basic plane. A second member of one name is lost in decoding, so a message
    that has one does not come back.
    """
    return _encode(values) == message and (message.isascii() or max(message) < _ASTRAL)


def _judged(message: bytes) -> Stamp:
    """Return what a message says, after asking ``rfc8785`` whether it is canonical."""
    values = strict_json.loads(message)
    if not isinstance(values, dict) or not values or rfc8785.dumps(values) != message:
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS)
    return values


class _KnownOnly(Claims, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Claims of which there are no others, and whose context is plain."""

    ctx: dict[str, _Nested] | msgspec.UnsetType = msgspec.UNSET


_is_token_id: Final = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]").fullmatch
"""22 characters, of which the last has four idle bits. As a type's pattern it costs twice the time."""

_ASTRAL: Final = 0xF0
"""The first byte of a character beyond the basic plane, in UTF-8."""

_decode: Final = msgspec.json.Decoder(dict[str, _Plain]).decode
_decode_known_only: Final = msgspec.json.Decoder(_KnownOnly).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
