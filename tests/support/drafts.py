"""A token about to be presented, and everything that can be wrong with one."""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from itertools import combinations
from typing import Any, Literal, NamedTuple

import rfc8785
from forge import BATCH, HERE, ISSUER, VERIFY, Answer, Forge, assert_refused

from svc_passport.config import MIB
from svc_passport.errors import Reason

Carrier = Literal["envelope", "compact"]
CARRIERS: tuple[Carrier, ...] = ("envelope", "compact")


class Draft:
    """A token about to be presented. Change what you like, then ``present`` it.

    Attributes:
        claims: What gets signed.
        message: How the claims become the message.
        alg, kid, aud: What the carrier says; a compact token says no ``aud``.
        msg_text, sig_text: Change the two as base64, when all is signed.
        body: Change the request's body, in order.
        content_type, query: Of the request.
    """

    def __init__(self, forge: Forge, carrier: Carrier = "envelope", **claims: object) -> None:
        self.forge = forge
        self.carrier = carrier
        self.now_s = int(time.time())
        self.signing_kid = forge.kid
        self.claims: dict[str, Any] = {
            "aud": [HERE],
            "exp": self.now_s + 600,
            "iat": self.now_s,
            "iss": ISSUER,
            "jti": "A" * 22,
            "kid": self.signing_kid,
        } | claims
        self.message: Callable[[Any], bytes] = rfc8785.dumps
        self.alg: Any = "Ed25519" if carrier == "envelope" else "EdDSA"
        self.kid: Any = self.signing_kid
        self.aud: Any = HERE
        self.msg_text: Callable[[str], Any] = str
        self.sig_text: Callable[[str], Any] = str
        self.body: list[Callable[[bytes], bytes]] = []
        self.content_type = "application/json"
        self.query: list[str] = []

    def carried(self) -> dict[str, Any]:
        """Return the carrier; members that are ``...`` are left out."""
        message = self.message(self.claims)
        members = self._envelope(message) if self.carrier == "envelope" else self._compact(message)
        return {name: value for name, value in members.items() if value is not ...}

    def present(self, *query: str) -> Answer:
        """Present it at verify, and return the answer."""
        body = json.dumps(self.carried()).encode()
        for change in self.body:
            body = change(body)
        path = "?".join(filter(None, [VERIFY, "&".join([*self.query, *query])]))
        return self.forge.ask("POST", path, body, [("content-type", self.content_type)])

    def _envelope(self, message: bytes) -> dict[str, Any]:
        signature = self.forge.sign(message).signature
        return {
            "alg": self.alg,
            "aud": self.aud,
            "kid": self.kid,
            "msg_b64": self.msg_text(b64encode(message).decode()),
            "sig_b64": self.sig_text(b64encode(signature).decode()),
        }

    def _compact(self, message: bytes) -> dict[str, Any]:
        payload = b64url(message)
        honest = compact_header(kid=self.signing_kid)
        signature = self.forge.sign(f"{honest}.{payload}".encode()).signature
        said = compact_header(alg=self.alg, kid=self.kid)
        return {"token": f"{said}.{self.msg_text(payload)}.{self.sig_text(b64url(signature))}"}


def b64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact_header(**members: object) -> str:
    """Return a compact token's first segment; members that are ``...`` are left out."""
    members = {"alg": "EdDSA", "kid": Forge.revoked_kid, "typ": "passport+jwt"} | members
    return b64url(json.dumps({n: v for n, v in members.items() if v is not ...}).encode())


def assert_faulty(draft: Draft, reason: Reason) -> None:
    """Check a fault of the token: a problem for a lone one, told with ``detail=1``, ``false`` in a batch."""
    assert_refused(draft.present(), reason)
    told = draft.present("detail=1")
    assert (told.status, told.body) == (200, b'{"ok":false,"reason":"%b"}' % reason.encode())
    batch = draft.forge.post(BATCH, json.dumps([draft.carried()]).encode())
    assert (batch.status, batch.body) == (200, b"[false]")


def assert_verdict(draft: Draft, reason: Reason | None, *query: str) -> None:
    """Check a verdict: true or false, and with ``detail=1`` why."""
    plain, told = draft.present(*query), draft.present("detail=1", *query)
    assert (plain.status, plain.body) == (200, b"false" if reason else b"true")
    assert told.status == 200
    if reason:
        assert told.body == b'{"ok":false,"reason":"%b"}' % reason.encode()
    else:
        assert told.json == {"ok": True, "claims": draft.claims}


class Fault(NamedTuple):
    """Something that is wrong with a draft."""

    name: str
    reason: Reason
    by: Literal["request", "token", "verdict"]  # whose fault it is
    touches: str  # what it changes: two faults that change the same cannot be had together
    spoil: Callable[[Draft], None]

    def __str__(self) -> str:
        return self.name


def _no_audience(draft: Draft) -> None:
    draft.aud = ...


def _flipped(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


def _set(name: str, value: object) -> Callable[[Draft], None]:
    return lambda draft: setattr(draft, name, value)


def _claim(name: str, value: object) -> Callable[[Draft], None]:
    return lambda draft: draft.claims.__setitem__(name, value)


def _time(name: str, offset_s: int) -> Callable[[Draft], None]:
    return lambda draft: draft.claims.__setitem__(name, draft.now_s + offset_s)


def _asking(query: str) -> Callable[[Draft], None]:
    return lambda draft: draft.query.append(query)


def _sent(change: Callable[[bytes], bytes]) -> Callable[[Draft], None]:
    return lambda draft: draft.body.append(change)


R = Reason
FAULTS = (
    Fault("media type", R.UNSUPPORTED_MEDIA_TYPE, "request", "media", _set("content_type", "text/plain")),
    Fault("body cap", R.BODY_TOO_LARGE, "request", "length", _sent(lambda b: b + b" " * MIB)),
    Fault("JSON", R.MALFORMED, "request", "syntax", _sent(lambda b: b + b"}")),
    Fault("alg", R.BAD_ALG, "token", "alg", _set("alg", "none")),
    Fault("kid form", R.BAD_KID, "token", "kid", _set("kid", "v1")),
    Fault("no aud", R.BAD_AUD, "token", "aud", _no_audience),
    Fault("base64", R.MALFORMED, "token", "base64", _set("sig_text", lambda text: text + "\n")),
    Fault("msg cap", R.MSG_TOO_LARGE, "token", "pad", _claim("pad", "x" * 5000)),
    Fault("unknown kid", R.UNKNOWN_KID, "token", "kid", _set("kid", "ed25519/default/v999")),
    Fault("revoked kid", R.REVOKED, "verdict", "kid", _set("kid", Forge.revoked_kid)),
    Fault("signature", R.VERIFY_FAILED, "verdict", "base64", _set("sig_text", _flipped)),
    Fault("claim name", R.MALFORMED, "verdict", "name", _claim("X", 1)),
    Fault("iss", R.BAD_ISS, "verdict", "iss", _claim("iss", "another")),
    Fault("signed kid", R.BAD_KID, "verdict", "signed kid", _claim("kid", "ed25519/default/v999")),
    Fault("iat", R.NBF, "verdict", "iat", _time("iat", 1000)),
    Fault("nbf", R.NBF, "verdict", "nbf", _time("nbf", 1000)),
    Fault("expired", R.EXPIRED, "verdict", "exp", _time("exp", -1000)),
    Fault("ttl", R.TTL_TOO_LONG, "verdict", "iat", _time("iat", -200_000)),
    Fault("presented to another", R.BAD_AUD, "verdict", "aud", _set("aud", "svc-b")),
    Fault("asked by another", R.BAD_AUD, "verdict", "?aud", _asking("aud=svc-b")),
    Fault("scope", R.SCOPE_DENIED, "verdict", "?scope", _asking("scope=read")),
)
"""Everything that can be wrong with a token, in the order of SPEC 3."""

PAIRS = [(one, other) for one, other in combinations(FAULTS, 2) if one.touches != other.touches]


def faults_of(carrier: Carrier) -> list[Fault]:
    """Return the faults that a carrier can have."""
    return [fault for fault in FAULTS if carrier == "envelope" or fault.touches != "aud"]
