"""Claims and expectations at a moment: the first thing that is wrong, or nothing."""

from dataclasses import dataclass, replace

import msgspec

from svc_passport.claims import Claims
from svc_passport.errors import Reason


@dataclass(frozen=True, slots=True)
class Rules:
    """What this service issues and accepts. Lifetimes and skew in seconds."""

    issuer: str
    default_ttl_s: int
    max_ttl_s: int
    clock_skew_s: int
    capability_max_ttl_s: int
    max_msg_bytes: int
    require_aud: bool

    def for_capabilities(self) -> "Rules":
        """Return the same rules with a capability's lifetime."""
        return replace(self, max_ttl_s=self.capability_max_ttl_s)


class Expected(msgspec.Struct, frozen=True, gc=False):
    """What a verifier asks of a token beyond its being ours and in time."""

    aud: str | None = None  # its own audience
    scopes: tuple[str, ...] = ()  # what it needs


def broken(
    claims: Claims, kid: str, presented_to: str | None, expected: Expected, rules: Rules, now_s: int
) -> Reason | None:
    """Return the first rule that the claims break (SPEC 3, step 8), or None.

    Args:
        kid: The carrier's.
        presented_to: The envelope's audience, if it names one.
        now_s: Unix seconds. Both ends of every window are inside it.
    """
    skew = rules.clock_skew_s
    if claims.iss != rules.issuer:
        return Reason.BAD_ISS
    if claims.kid != kid:
        return Reason.BAD_KID
    if claims.iat > now_s + skew or (claims.nbf is not msgspec.UNSET and claims.nbf > now_s + skew):
        return Reason.NBF
    if now_s > claims.exp + skew:
        return Reason.EXPIRED
    if claims.exp - claims.iat > rules.max_ttl_s:
        return Reason.TTL_TOO_LONG
    if presented_to is not None and presented_to not in claims.aud:
        return Reason.BAD_AUD
    if expected.aud is not None and expected.aud not in claims.aud:
        return Reason.BAD_AUD
    if expected.scopes and not set(expected.scopes) <= set(claims.scopes or ()):
        return Reason.SCOPE_DENIED
    return None
