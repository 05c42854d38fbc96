"""Known-answer vectors: everything that this service signs, seals and publishes, made from a seed.

The same seed gives the same bytes, on every machine and with every version of this program that has not
changed the contract: other implementations, and our own next release, compare themselves with them.
"""

import base64
from typing import Any, Final

import msgspec

from ron_kms import Keyring, Secret, seal
from ron_kms.entropy import unsafe_seeded
from svc_passport.answers import detail
from svc_passport.bootstrap import keyring_in_memory, rules_of
from svc_passport.config import Config
from svc_passport.http import body
from svc_passport.issuer import issue
from svc_passport.rules import Expected
from svc_passport.verifier import Ask, verify_many

NOW_S: Final = 1_767_225_600
"""2026-01-01T00:00:00Z: the vectors' clock stands still."""

_RULES: Final = rules_of(Config())
_CLAIMS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"sub": "alice", "aud": "svc-a", "scopes": ["read", "write"]},
    {
        "sub": "zoë 😀",
        "aud": ["svc-a", "svc-b"],
        "nbf": NOW_S,
        "ttl_s": 60,
        "ctx": {"tenant": "t1", "€": [1.5, 1e21, None]},
    },
)


def vectors(seed: bytes) -> bytes:
    """Return the vectors of a seed as one line of JSON."""
    stream = unsafe_seeded(seed)

    def clock_ms() -> int:
        return NOW_S * 1000

    def token_id() -> str:
        return base64.urlsafe_b64encode(stream(16)).rstrip(b"=").decode()

    keyring = keyring_in_memory(clock_ms, stream)

    first_key_set = _key_set(keyring)
    tokens = [
        {"claims": claims, "compact": compact, "body": body_of.decode()}
        for claims in _CLAIMS
        for compact in (False, True)
        for body_of in [issue(claims, keyring, _RULES, NOW_S, compact=compact, token_id=token_id).body]
    ]
    keyring.rotate(lambda _: b"")
    plaintext, aad, key = stream(32), stream(16), stream(32)
    blob = seal(Secret(key), plaintext, aad, now_ms=clock_ms(), entropy=stream)
    return msgspec.json.encode(
        {
            "seed": seed.hex(),
            "now_s": NOW_S,
            "key_set": first_key_set,
            "tokens": tokens,
            "verdicts": [_verdict(keyring, *case) for case in _cases([token["body"] for token in tokens])],
            "key_set_after_rotation": _key_set(keyring),
            "sealed": {"key": key.hex(), "aad": aad.hex(), "plaintext": plaintext.hex(), "blob": blob.hex()},
        }
    )


def _cases(bodies: list[Any]) -> list[tuple[str, int, Expected]]:
    """Return what to judge, when, and with which expectations: every time edge, and faults by name."""
    plain, _, envelope, compact, late, _ = bodies
    return [
        *((plain, NOW_S + after_s, Expected()) for after_s in (-121, -120, 3720, 3721)),
        *((late, NOW_S + after_s, Expected()) for after_s in (-121, -120, 180, 181)),
        *((envelope, NOW_S, Expected(aud)) for aud in ("svc-a", "svc-b")),
        *((compact, NOW_S, Expected("svc-a", scopes)) for scopes in (("read", "write"), ("admin",))),
        (envelope.replace('"svc-a"', '"svc-b"'), NOW_S, Expected()),
        (envelope.replace("/v1", "/v2"), NOW_S, Expected()),
        (envelope.replace("/v1", "/v9"), NOW_S, Expected()),
        (envelope.replace('"Ed25519"', '"none"'), NOW_S, Expected()),
        (envelope.replace('"sig_b64":"', '"sig_b64":"AAAA'), NOW_S, Expected()),
    ]


def _verdict(keyring: Keyring, sent: str, at_s: int, expected: Expected) -> dict[str, Any]:
    (verdict,) = verify_many([Ask(body.one(sent.encode()), expected)], keyring, _RULES, at_s)
    asked = {"sent": sent, "at_s": at_s, "aud": expected.aud, "scopes": expected.scopes}
    return asked | {"detail": msgspec.Raw(detail(verdict))}


def _key_set(keyring: Keyring) -> dict[str, str]:
    key_set = keyring.key_set()
    return {"body": key_set.body.decode(), "etag": key_set.etag}
