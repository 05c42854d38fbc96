"""Tokens of a keyring in memory: valid ones, and whatever else its key can be made to sign."""

import base64
from typing import Any, Final

import msgspec
import rfc8785
from hypothesis import strategies as st

from ron_kms import Keyring, Kid
from ron_kms.entropy import unsafe_seeded
from svc_passport.bootstrap import keyring_in_memory
from svc_passport.capability import Caller, caller_of
from svc_passport.carriers import CAPABILITY, PASSPORT, Carrier, Compact, Envelope, carrier_of
from svc_passport.claims import Stamp
from svc_passport.errors import Denied, Reason
from svc_passport.rules import Expected, Rules
from svc_passport.strict_json import INTEGER_MAX
from svc_passport.verifier import Ask, Verdict, verify_many

NOW_S: Final = 1_800_000_000
"""What a mint's clock says unless told."""

RULES: Final = Rules(
    issuer="svc-passport",
    default_ttl_s=3600,
    max_ttl_s=86400,
    clock_skew_s=120,
    capability_max_ttl_s=7776000,
    max_msg_bytes=4096,
    require_aud=True,
)
TOKEN_ID: Final = "AAECAwQFBgcICQoLDA0ODw"  # noqa: S105 - no password
PRESENTED_TO: Final = "svc-a"
"""The audience of a mint's passports."""

NOTHING_MORE: Final = Expected()


class Mint:
    """A keyring in memory with a clock that stands still, and what it signs.

    Claims are given by name; one that is ``...`` is left out.

    Attributes:
        now_s: What its clock says, Unix seconds.
    """

    def __init__(
        self, *, seed: bytes = b"minted", now_s: int = NOW_S, keyring: Keyring | None = None
    ) -> None:
        self.now_s = now_s
        self.keyring = keyring or keyring_in_memory(lambda: self.now_s * 1000, unsafe_seeded(seed))

    @property
    def kid(self) -> str:
        """The version that signs."""
        return self.keyring.current.head.kid

    def claims(self, **changed: Any) -> Stamp:
        """Return claims that pass now, but for what is changed."""
        valid: Stamp = {
            "aud": [PRESENTED_TO],
            "exp": self.now_s + RULES.default_ttl_s,
            "iat": self.now_s,
            "iss": RULES.issuer,
            "jti": TOKEN_ID,
            "kid": self.kid,
        }
        return {name: value for name, value in (valid | changed).items() if value is not ...}

    def message(self, **changed: Any) -> bytes:
        """Return such claims in canonical form, whether or not they are claims."""
        return rfc8785.dumps(self.claims(**changed))

    def envelope(self, message: bytes, **members: Any) -> Envelope:
        """Return an envelope over any bytes; ``members`` stand in place of the right ones."""
        signed = self.keyring.sign(lambda _: message)
        right = {
            "alg": "Ed25519",
            "aud": PRESENTED_TO,
            "kid": signed.kid,
            "msg_b64": b64(message),
            "sig_b64": b64(signed.signature),
        }
        envelope = carrier_of(right | members)
        assert isinstance(envelope, Envelope)
        return envelope

    def compact(self, payload: bytes, typ: str = PASSPORT, **header: Any) -> Compact:
        """Return a compact token over any payload; ``header`` changes its header."""
        right = {"alg": "EdDSA", "kid": self.kid, "typ": typ}
        left = {name: value for name, value in (right | header).items() if value is not ...}
        return self.compact_of(f"{b64url(rfc8785.dumps(left))}.{b64url(payload)}")

    def compact_of(self, signed: str) -> Compact:
        """Return a compact token whose signature covers any text."""
        return Compact(f"{signed}.{b64url(self.keyring.sign(lambda _: signed.encode()).signature)}")

    def passport(self, **changed: Any) -> Envelope:
        """Return a passport as an envelope."""
        return self.envelope(self.message(**changed))

    def compact_passport(self, **changed: Any) -> Compact:
        """Return a passport as a compact token."""
        return self.compact(self.message(**changed))

    def capability(self, *scopes: str, **changed: Any) -> str:
        """Return a capability's token."""
        right = {"aud": [RULES.issuer], "scopes": list(scopes)}
        return self.compact(self.message(**(right | changed)), CAPABILITY).token

    def verdict(
        self,
        carrier: Carrier,
        expected: Expected = NOTHING_MORE,
        *,
        rules: Rules = RULES,
        typ: str = PASSPORT,
    ) -> Verdict:
        """Return the verdict on a carrier, alone and now."""
        return verify_many([Ask(carrier, expected, typ)], self.keyring, rules, self.now_s)[0]

    def reason(
        self, carrier: Carrier, expected: Expected = NOTHING_MORE, *, rules: Rules = RULES
    ) -> Reason | None:
        """Return why a carrier does not pass now, or None."""
        verdict = self.verdict(carrier, expected, rules=rules)
        return verdict.reason if isinstance(verdict, Denied) else None

    def caller(self, token: str) -> Caller:
        """Return whom a capability lets in now."""
        return caller_of(f"Bearer {token}", self.keyring, RULES, self.now_s)

    def rotate(self) -> str:
        """Let the next version sign, and return its kid."""
        self.keyring.rotate(lambda _: b"")
        return self.kid

    def revoke(self, kid: str) -> None:
        """Let nothing verify under a kid."""
        self.keyring.revoke(Kid.parse(kid), lambda _: b"")


def b64(raw: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(raw).decode()


def b64url(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


texts: Final = st.text(st.characters(codec="utf-8"), max_size=12)
"""Any text that UTF-8 can write, astral and control characters included."""

integers: Final = st.integers(-INTEGER_MAX, INTEGER_MAX)
fractions: Final = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [1e21, 1e20, 100.0, -0.0, 1e-6, 1e-7, 5e-324, 2.0**53, 2.0**53 - 1]
)
json_values: Final = st.recursive(
    st.none() | st.booleans() | integers | fractions | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value, without a fault of SPEC 2 but depth."""


def damaged(whole: st.SearchStrategy[bytes], pieces: bytes) -> st.SearchStrategy[bytes]:
    """Return such bytes with a little cut out, or ``pieces`` (between spaces) put in, or both, or neither."""

    def damage(drawn: tuple[bytes, int, int, list[bytes]]) -> bytes:
        before, at, length, put = drawn
        return before[:at] + b"".join(put) + before[at + length :]

    put = st.lists(st.sampled_from([*pieces.split(b" "), b" "]), max_size=3)
    return st.tuples(whole, st.integers(0, 400), st.integers(0, 3), put).map(damage)


def members_of(carrier: Carrier) -> dict[str, Any]:
    """Return a carrier as the JSON object that it is."""
    members: dict[str, Any] = msgspec.to_builtins(carrier)
    return members


def but(envelope: Envelope, **members: Any) -> Envelope:
    """Return an envelope with members as a stranger may write them."""
    changed = carrier_of(members_of(envelope) | members)
    assert isinstance(changed, Envelope)
    return changed
