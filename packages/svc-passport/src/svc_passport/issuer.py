"""Issue: the caller's claims, checked and stamped, signed by the version that signs now."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from ron_kms import Keyring
from svc_passport import claims
from svc_passport.carriers import CAPABILITY, PASSPORT, compact_signed, write_compact, write_envelope
from svc_passport.claims import Audience, Integer, Stamp
from svc_passport.errors import Fault, Reason, Refused
from svc_passport.rules import Rules

RESERVED_SCOPE: Final = "passport:"
"""Scopes that begin so are capabilities of this service; no passport carries one."""

_STAMPED: Final = frozenset({"iss", "iat", "exp", "jti", "kid"})


class _Asked(msgspec.Struct, frozen=True):
    """The types of what a caller may bring. Anything else goes into the claims as it is."""

    aud: Annotated[str, msgspec.Meta(min_length=1)] | Audience | msgspec.UnsetType = msgspec.UNSET
    ctx: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    nbf: Integer | msgspec.UnsetType = msgspec.UNSET
    nonce: str | msgspec.UnsetType = msgspec.UNSET
    scopes: list[str] | msgspec.UnsetType = msgspec.UNSET
    sub: str | msgspec.UnsetType = msgspec.UNSET
    ttl_s: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET


class Issued(NamedTuple):
    """A token, as the JSON that its caller gets."""

    body: bytes
    kid: str


def new_token_id() -> str:
    """Return 128 random bits as the 22 characters of a ``jti``."""
    return secrets.token_urlsafe(16)


def issue(
    asked: object,
    keyring: Keyring,
    rules: Rules,
    now_s: int,
    *,
    compact: bool = False,
    token_id: Callable[[], str] = new_token_id,
) -> Issued:
    """Return a passport with the asked claims.

    Args:
        asked: What the request's body says.
        now_s: Unix seconds.
        compact: ``{"token": …}`` instead of an envelope.
        token_id: Makes the ``jti``.

    Raises:
        Refused: In this order: ``RESERVED_CLAIM``, ``MALFORMED``, ``TTL_TOO_LONG``, ``SCOPE_DENIED`` (a
            reserved scope), ``MSG_TOO_LARGE``.
    """
    if not isinstance(asked, dict):
        raise Refused(Reason.MALFORMED, fault=Fault.SHAPE)
    known = _checked(asked, rules)
    ttl_s = known.ttl_s or rules.default_ttl_s
    aud = known.aud or rules.issuer
    audience = [aud] if isinstance(aud, str) else aud
    brought = {name: value for name, value in asked.items() if name != "ttl_s"} | {"aud": audience}

    def message_for(kid: str) -> bytes:
        return _message(brought, kid, rules, now_s, ttl_s, token_id())

    if compact:
        token, kid = _compact(keyring, message_for, PASSPORT)
        return Issued(msgspec.json.encode({"token": token}), kid)
    signed = keyring.sign(message_for)
    presented_to = audience[0] if rules.require_aud else None
    return Issued(write_envelope(signed.kid, signed.message, signed.signature, presented_to), signed.kid)


def mint_capability(scopes: list[str], ttl_s: int, keyring: Keyring, rules: Rules, now_s: int) -> str:
    """Return a capability: a compact token of our own, for our own doors (SPEC 5).

    Args:
        scopes: What it may do, such as ``passport:issue``.
        ttl_s: Its lifetime in seconds.
        now_s: Unix seconds.

    Raises:
        Refused: ``TTL_TOO_LONG``: longer than ``capability_max_ttl_s``.
    """
    if ttl_s > rules.capability_max_ttl_s:
        raise Refused(Reason.TTL_TOO_LONG)
    brought: Stamp = {"aud": [rules.issuer], "scopes": scopes}
    return _compact(
        keyring, lambda kid: _message(brought, kid, rules, now_s, ttl_s, new_token_id()), CAPABILITY
    )[0]


def _checked(asked: Stamp, rules: Rules) -> _Asked:
    """Return the claims that are ours to understand, refusing in the order of SPEC 3."""
    if not _STAMPED.isdisjoint(asked):
        raise Refused(Reason.RESERVED_CLAIM)
    try:
        known = msgspec.convert(asked, _Asked)
    except msgspec.ValidationError:
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS) from None
    # Claim names are looked at again when the message is read back; here they come before the lifetime.
    if not all("a" <= name[:1] <= "z" for name in asked) or (
        isinstance(known.aud, list) and claims.repeats(known.aud)
    ):
        raise Refused(Reason.MALFORMED, fault=Fault.CLAIMS)
    if (known.ttl_s or 0) > rules.max_ttl_s:
        raise Refused(Reason.TTL_TOO_LONG)
    if any(scope.startswith(RESERVED_SCOPE) for scope in known.scopes or ()):
        raise Refused(Reason.SCOPE_DENIED)
    return known


def _message(brought: Stamp, kid: str, rules: Rules, now_s: int, ttl_s: int, jti: str) -> bytes:
    """Return the claims, stamped, as the message to sign."""
    message = claims.canonical(
        brought
        | {
            "iss": rules.issuer,
            "iat": now_s,
            "exp": now_s + ttl_s,
            "jti": jti,
            "kid": kid,
        }
    )
    if len(message) > rules.max_msg_bytes:
        raise Refused(Reason.MSG_TOO_LARGE)
    return message


def _compact(keyring: Keyring, message_for: Callable[[str], bytes], typ: str) -> tuple[str, str]:
    signed = keyring.sign(lambda kid: compact_signed(kid, typ, message_for(kid)))
    return write_compact(signed.message, signed.signature), signed.kid
