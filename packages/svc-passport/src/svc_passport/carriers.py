"""The two forms in which claims travel, read strictly, up to the point where a signature must decide.

Envelope (JSON):

    {"alg":"Ed25519","aud":…,"kid":…,"msg_b64":<standard base64>,"sig_b64":<standard base64>}
                                      └ the signature covers the decoded bytes

Compact (JWS, RFC 7515 §3.1):

    <header> . <payload> . <signature>       each canonical base64url without padding
    └ the signature covers this ┘            header: exactly alg, kid and typ

``alg``, ``kid`` and ``aud`` of an envelope stand outside the signature: they select or restrict, and never
grant. Everything read here is only text until the signature holds.
"""

from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from ron_kms import KID_CHARS_MAX, Kid
from svc_passport import strict_json
from svc_passport.errors import Reason, Refused

PASSPORT: Final = "passport+jwt"
CAPABILITY: Final = "passport-cap+jwt"
"""``typ`` of a compact token (RFC 7515 §4.1.9). Neither is ever read as the other."""

ENVELOPE_ALG: Final = "Ed25519"
_COMPACT_ALGS: Final = ("EdDSA", "Ed25519")  # RFC 8037; RFC 9864, accepted and never written
_HEADER_CHARS_MAX: Final = 512
"""Longest compact header read: a kid of 128 characters needs 250."""


class Envelope(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """An envelope as somebody presents it. Of what is no canonical base64, None is left."""

    alg: str
    aud: str | None = None
    kid: str
    message: bytes | None = msgspec.field(name="msg_b64")
    signature: bytes | None = msgspec.field(name="sig_b64")


class Compact(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A compact token as somebody presents it."""

    token: str


Carrier = Envelope | Compact


class Unverified(msgspec.Struct, frozen=True, gc=False):
    """What a carrier says. Nothing of it is true yet."""

    kid: str
    signed: bytes  # what the signature covers
    signature: bytes
    message: bytes  # the claims
    aud: str | None  # the audience that the carrier is presented to


class Header(NamedTuple):
    """A compact token's header."""

    kid: str
    typ: str


def carrier_of(value: object) -> Carrier:
    """Return the carrier that a JSON value is; its members may still be of any type.

    Raises:
        Refused: ``MALFORMED``: it is neither, or both, or has members that neither has.
    """
    if isinstance(value, dict):
        if value.keys() == {"token"}:
            return Compact(value["token"])
        if value.keys() <= _ENVELOPE_MEMBERS:
            member = value.get
            return Envelope(
                alg=member("alg"),  # type: ignore[arg-type]
                aud=member("aud"),
                kid=member("kid"),  # type: ignore[arg-type]
                message=_from_b64(member("msg_b64")),
                signature=_from_b64(member("sig_b64")),
            )
    raise Refused(Reason.MALFORMED)


def read(carrier: Carrier, typ: str, *, require_aud: bool, max_msg_bytes: int) -> Unverified:
    """Take a carrier apart, refusing cheap faults first (SPEC 3, steps 2 to 5).

    Args:
        typ: What a compact token must be.
        require_aud: Whether an envelope must name its audience.

    Raises:
        Refused: ``BAD_ALG``, ``BAD_KID``, ``BAD_AUD``, ``MALFORMED`` or ``MSG_TOO_LARGE``, in this order.
    """
    if isinstance(carrier, Compact):
        return _read_compact(carrier.token, typ, max_msg_bytes)
    return _read_envelope(carrier, max_msg_bytes, require_aud=require_aud)


def write_envelope(kid: str, message: bytes, signature: bytes, aud: str | None) -> bytes:
    """Return an envelope as JSON; without ``aud`` if that is None."""
    return msgspec.json.encode(
        Envelope(alg=ENVELOPE_ALG, aud=aud, kid=kid, message=message, signature=signature)
    )


def compact_signed(kid: str, typ: str, message: bytes) -> bytes:
    """Return what the signature of a compact token covers (RFC 7515 §5.1)."""
    return b"%b.%b" % (_header(kid, typ), _b64url(message))


def write_compact(signed: bytes, signature: bytes) -> str:
    """Return a compact token."""
    return (b"%b.%b" % (signed, _b64url(signature))).decode()


def _read_envelope(envelope: Envelope, max_msg_bytes: int, *, require_aud: bool) -> Unverified:
    if envelope.alg != ENVELOPE_ALG:
        raise Refused(Reason.BAD_ALG)
    if not is_kid(envelope.kid):
        raise Refused(Reason.BAD_KID)
    aud, message, signature = envelope.aud, envelope.message, envelope.signature
    if require_aud and not aud:
        raise Refused(Reason.BAD_AUD)
    if aud is not None and not isinstance(aud, str):  # as a stranger wrote it
        raise Refused(Reason.BAD_AUD)
    if message is None or signature is None:
        raise Refused(Reason.MALFORMED)
    if len(message) > max_msg_bytes:
        raise Refused(Reason.MSG_TOO_LARGE)
    return Unverified(envelope.kid, message, signature, message, aud)


def _read_compact(token: str, typ: str, max_msg_bytes: int) -> Unverified:
    try:
        signed, _, last = token.encode("ascii").rpartition(b".")
        first, _, payload = signed.partition(b".")
    except (ValueError, AttributeError):
        raise Refused(Reason.MALFORMED) from None
    if not (first and payload and last):
        raise Refused(Reason.MALFORMED)
    header = _read_header(first)
    if header.typ != typ:
        raise Refused(Reason.MALFORMED)
    message = _from_b64url(payload)
    signature = _from_b64url(last)
    if len(message) > max_msg_bytes:
        raise Refused(Reason.MSG_TOO_LARGE)
    return Unverified(header.kid, signed, signature, message, None)


@lru_cache(maxsize=256)
def _read_header(segment: bytes) -> Header:
    """Read a header; the few that our own keys write are read once."""
    if len(segment) > _HEADER_CHARS_MAX:
        raise Refused(Reason.MALFORMED)
    members = strict_json.loads(_from_b64url(segment))
    if not isinstance(members, dict) or members.keys() - {"alg", "kid", "typ"}:
        raise Refused(Reason.MALFORMED)
    if members.get("alg") not in _COMPACT_ALGS:
        raise Refused(Reason.BAD_ALG)
    if not is_kid(members.get("kid")):
        raise Refused(Reason.BAD_KID)
    if not isinstance(members.get("typ"), str):
        raise Refused(Reason.MALFORMED)
    return Header(members["kid"], members["typ"])


def is_kid(text: Any) -> bool:
    """Tell whether ``text`` is the one text form of a key id."""
    return isinstance(text, str) and len(text) <= KID_CHARS_MAX and _is_kid(text)


@lru_cache(maxsize=1024)
def _is_kid(text: str) -> bool:
    try:
        Kid.parse(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=64)
def _header(kid: str, typ: str) -> bytes:
    return _b64url(msgspec.json.encode({"alg": _COMPACT_ALGS[0], "kid": kid, "typ": typ}))


def _from_b64(text: Any) -> bytes | None:
    """Decode standard, padded base64, and only its canonical form (RFC 4648 §3.5)."""
    try:
        decoded = a2b_base64(text)
    except (ValueError, TypeError):
        return None
    return decoded if b2a_base64(decoded, newline=False).decode() == text else None


def _from_b64url(text: bytes) -> bytes:
    """Decode unpadded base64url, and only its canonical form (RFC 7515 §2)."""
    try:
        decoded = a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    except ValueError:
        raise Refused(Reason.MALFORMED) from None
    if _b64url(decoded) != text:
        raise Refused(Reason.MALFORMED)
    return decoded


def _b64url(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_TO_URL, b"=")


_ENVELOPE_MEMBERS: Final = frozenset(Envelope.__struct_encode_fields__)
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
