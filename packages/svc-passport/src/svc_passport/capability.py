"""A capability: what lets a caller through a door of this service."""

from dataclasses import dataclass
from typing import Final

from ron_kms import Keyring
from svc_passport.carriers import CAPABILITY, Compact
from svc_passport.errors import Reason, Refused
from svc_passport.rules import Expected, Rules
from svc_passport.verifier import Ask, Verified, verify_many

ISSUE: Final = "passport:issue"
ROTATE: Final = "passport:rotate"
REVOKE: Final = "passport:revoke"
ATTEST: Final = "passport:attest"
ADMIN: Final = "passport:admin"
"""Stands for all of them."""

SCOPES: Final = (ISSUE, ROTATE, REVOKE, ATTEST, ADMIN)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in, and what for."""

    scopes: frozenset[str]

    def check(self, scope: str) -> None:
        """Return if the caller may do ``scope``.

        Raises:
            Refused: ``SCOPE_DENIED``.
        """
        if scope not in self.scopes and ADMIN not in self.scopes:
            raise Refused(Reason.SCOPE_DENIED)


ANONYMOUS_IN_DEVELOPMENT: Final = Caller(frozenset({ISSUE, ROTATE, REVOKE, ATTEST}))


def caller_of(authorization: str, keyring: Keyring, rules: Rules, now_s: int) -> Caller:
    """Return who presents an ``Authorization`` header (RFC 6750 §2.1).

    The token must be a capability of ours, under any version not revoked, whose audience is this service
    alone.

    Args:
        now_s: Unix seconds.

    Raises:
        Refused: ``UNAUTHORIZED``, whatever is wrong with it.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(Reason.UNAUTHORIZED)
    ask = Ask(Compact(token.strip(" ")), Expected(), CAPABILITY)
    (verdict,) = verify_many([ask], keyring, rules.for_capabilities(), now_s)
    if not isinstance(verdict, Verified) or verdict.claims.aud != [rules.issuer]:
        raise Refused(Reason.UNAUTHORIZED)
    return Caller(frozenset(verdict.claims.scopes or ()))
