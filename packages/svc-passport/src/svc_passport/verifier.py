"""The one verb that decides: asks in, verdicts out.

``verify`` is ``verify_many``'s first verdict, so a batch and a lone token are equal by construction.
"""

from collections.abc import Sequence

import msgspec

from ron_kms import Expired, Item, Keyring, NoSuchKey, Snapshot, VerifyingKey
from svc_passport import carriers, claims
from svc_passport.carriers import PASSPORT, Carrier, Unverified
from svc_passport.claims import Claims
from svc_passport.errors import FAULT, VERDICT, Denied, Reason, Refused
from svc_passport.rules import Expected, Rules, broken


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One carrier, and what is expected of it. What could not be read as a carrier is its own denial."""

    carrier: Carrier | Denied
    expected: Expected
    typ: str = PASSPORT  # what a compact token must be


class Verified(msgspec.Struct, frozen=True, gc=False):
    """A token that passes. Only ``verify_many`` makes one."""

    kid: str
    claims: Claims
    message: bytes  # the claims as they were signed: canonical JSON


Verdict = Verified | Denied


def verify_many(asks: Sequence[Ask], keyring: Keyring, rules: Rules, now_s: int) -> list[Verdict]:
    """Return the verdict that each ask has alone, in order. Faults are verdicts; nothing is raised.

    Args:
        now_s: Unix seconds.
    """
    snapshot = keyring.current
    read = [_read(ask, snapshot, rules) for ask in asks]
    items: list[Item] = [(r.key, r.said.signed, r.said.signature) for r in read if isinstance(r, _Read)]
    holds = iter(keyring.verify_many(items) if items else ())
    return [
        r if isinstance(r, Denied) else _judge(r.said, ask, rules, now_s) if next(holds) else _FORGED
        for r, ask in zip(read, asks, strict=True)
    ]


_FORGED = VERDICT[Reason.VERIFY_FAILED]


class _Read(msgspec.Struct, frozen=True, gc=False):
    key: VerifyingKey
    said: Unverified


def _read(ask: Ask, snapshot: Snapshot, rules: Rules) -> _Read | Denied:
    """Take the carrier apart and find its key: everything before the signature."""
    carrier = ask.carrier
    if isinstance(carrier, Denied):
        return carrier
    try:
        said = carriers.read(
            carrier, ask.typ, require_aud=rules.require_aud, max_msg_bytes=rules.max_msg_bytes
        )
        return _Read(snapshot.verifying_key(said.kid), said)
    except Refused as refused:
        return FAULT[refused.reason]
    except NoSuchKey:
        return FAULT[Reason.UNKNOWN_KID]
    except Expired:
        return VERDICT[Reason.REVOKED]


def _judge(said: Unverified, ask: Ask, rules: Rules, now_s: int) -> Verdict:
    """Give the claims their meaning: everything after the signature."""
    try:
        signed = claims.parse(said.message)
    except Refused as refused:
        return VERDICT[refused.reason]
    reason = broken(signed, said.kid, said.aud, ask.expected, rules, now_s)
    return VERDICT[reason] if reason else Verified(said.kid, signed, said.message)
