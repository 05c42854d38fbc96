"""Whether an authentic envelope is acceptable here and now: window, sender, scopes, newness."""

from collections.abc import Collection

import msgspec

from ron_auth.envelope import Envelope
from ron_auth.errors import Expired, MissingScope, VerifyError, WrongOrigin
from ron_auth.replay import ReplayGuard

_COLLECTIONS = frozenset({tuple, list, set, frozenset})


class Expectations(msgspec.Struct, frozen=True, gc=False):
    """What a verifier asks of an envelope whose tag has held.

    Raises:
        TypeError: something else than a collection of strings where one belongs (one string would be searched
            for substrings, an iterator would ask nothing the second time), or than an int.
        ValueError: a negative skew.
    """

    senders: Collection[str]  # the services that may send this
    scopes: Collection[str]  # what it must be allowed; more is fine
    now_s: int  # our clock, seconds since the Unix epoch
    max_clock_skew_s: int  # how far the sender's clock may be from ours, either way
    max_lifetime_s: int | None  # longest ``exp - iat``; None for no bound
    guard: ReplayGuard | None  # who remembers nonces

    def __post_init__(self) -> None:
        if not (_is_collection(self.senders) and _is_collection(self.scopes)):
            raise TypeError("senders and scopes are collections of strings")
        if type(self.now_s) is not int or type(self.max_clock_skew_s) is not int:
            raise TypeError("now_s and max_clock_skew_s are ints")
        if self.max_lifetime_s is not None and type(self.max_lifetime_s) is not int:
            raise TypeError("max_lifetime_s is an int or None")
        if self.max_clock_skew_s < 0:
            raise ValueError("max_clock_skew_s is negative")

    def check(self, env: Envelope) -> None:
        """Return only if an authentic ``env`` is acceptable. Errors carry its sender's name.

        Raises:
            Expired: outside the window (both ends are inside), a window that ends before it begins, or one
                that is too long.
            WrongOrigin: of somebody else.
            MissingScope: one of ``scopes`` is not there.
            Replayed, Forgotten, GuardFull, GuardDown: see ``ReplayGuard.admit``.
        """
        try:
            lifetime_s = env.exp - env.iat
            if lifetime_s < 0 or (self.max_lifetime_s is not None and lifetime_s > self.max_lifetime_s):
                raise Expired
            if not env.iat - self.max_clock_skew_s <= self.now_s <= env.exp + self.max_clock_skew_s:
                raise Expired
            if env.origin_svc not in self.senders:
                raise WrongOrigin
            for scope in self.scopes:
                if scope not in env.scopes:
                    raise MissingScope(scope)
            if self.guard is not None:
                self.guard.admit(env, self.now_s, self.max_clock_skew_s)
        except VerifyError as refused:
            refused.origin = env.origin_svc
            raise


def _is_collection(names: object) -> bool:
    return type(names) in _COLLECTIONS or (
        isinstance(names, Collection) and not isinstance(names, str | bytes | bytearray)
    )
