"""Sign an envelope, and decide whether to believe one: the form that Rust and Python share.

write the MAC input → tag → window, sender, scopes → guard
"""

import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from uuid import UUID

from ron_auth import keys, named
from ron_auth.envelope import Envelope, check_fields
from ron_auth.errors import BadTag, WrongOrigin
from ron_auth.keys import KeyDeriver
from ron_auth.limits import EPOCH_MAX
from ron_auth.observe import Observer, observed
from ron_auth.policy import Expectations
from ron_auth.replay import ReplayGuard


def sign_envelope(kd: KeyDeriver, svc: str, instance: UUID, epoch: int, env: Envelope) -> Envelope:
    """Return ``env`` with the tag of service ``svc``, instance ``instance``, in ``epoch``.

    Raises:
        Malformed: a field is not what ``Envelope`` says, or cannot be carried.
        WrongOrigin: the envelope names another service or instance; no verifier would find the key.
        BadTag: the deriver knows no such name.
        Crypto: the deriver failed, or gave no 32 bytes.
    """
    check_fields(env)
    if env.origin_svc != svc or env.origin_instance != instance:
        raise WrongOrigin
    tag = keys.tag(kd, svc, instance, None, epoch, named.mac_input(env))
    return Envelope(
        env.plane,
        env.origin_svc,
        env.origin_instance,
        env.tenant_id,
        env.scopes,
        env.nonce,
        env.iat,
        env.exp,
        env.header,
        env.payload,
        tag,
    )


def verify_envelope(
    kd: KeyDeriver,
    expected_svc: str,
    epoch: int,
    required_scopes: Collection[str],
    env: Envelope,
    *,
    now_s: int | None = None,
    max_clock_skew_s: int = 0,
    max_lifetime_s: int | None = None,
    adjacent: bool = False,
    guard: ReplayGuard | None = None,
    observe: Observer | None = None,
) -> Envelope:
    """Return ``env`` only if service ``expected_svc`` signed it. See ``verify_envelope_from_any``."""
    now_s = int(time.time()) if now_s is None else now_s
    expected = Expectations((expected_svc,), required_scopes, now_s, max_clock_skew_s, max_lifetime_s, guard)
    if observe is not None:
        return observed(observe, partial(_verify, kd, epoch, adjacent, expected, env))
    return _verify(kd, epoch, adjacent, expected, env)


def verify_envelope_from_any(
    kd: KeyDeriver,
    allowed_senders: Collection[str],
    epoch: int,
    required_scopes: Collection[str],
    env: Envelope,
    *,
    now_s: int | None = None,
    max_clock_skew_s: int = 0,
    max_lifetime_s: int | None = None,
    adjacent: bool = False,
    guard: ReplayGuard | None = None,
    observe: Observer | None = None,
) -> Envelope:
    """Return ``env`` only if one of ``allowed_senders`` signed it, it holds now, and may do what is asked.

    The tag is checked first; before it has held, nothing but ``BadTag``, ``Malformed`` or ``Crypto`` is said.

    Args:
        epoch: the key epoch; ``epoch_of(now_s)`` where the cluster uses days.
        required_scopes: all of them must be there; more are fine.
        now_s: our clock in seconds since the Unix epoch; the system's when None.
        max_clock_skew_s: how far the sender's clock may be from ours, either way.
        max_lifetime_s: longest ``exp - iat``; None for no bound.
        adjacent: also try the epoch before and the one after, so that midnight loses nothing. A wrong tag
            then costs three keys; an envelope for ``open`` says which one it needs.
        guard: who remembers nonces; asked last.
        observe: who is told of the verdict.

    Raises:
        Malformed: a field cannot be carried.
        BadTag: the tag does not match.
        Crypto: the deriver failed, or gave no 32 bytes.
        Expired, WrongOrigin, MissingScope: in this order, see ``Expectations.check``.
        Replayed, Forgotten, GuardFull, GuardDown: see ``ReplayGuard.admit``.
        TypeError: ``allowed_senders`` or ``required_scopes`` is no collection of strings, a number no int.
        ValueError: a negative skew.
    """
    now_s = int(time.time()) if now_s is None else now_s
    expected = Expectations(allowed_senders, required_scopes, now_s, max_clock_skew_s, max_lifetime_s, guard)
    if observe is not None:
        return observed(observe, partial(_verify, kd, epoch, adjacent, expected, env))
    return _verify(kd, epoch, adjacent, expected, env)


def _verify(kd: KeyDeriver, epoch: int, adjacent: bool, expected: Expectations, env: Envelope) -> Envelope:
    if type(epoch) is not int:
        raise TypeError("epoch is an int")
    message = named.mac_input(env)
    try:
        keys.check(kd, env.origin_svc, env.origin_instance, None, epoch, message, env.tag)
    except BadTag:
        if not adjacent:
            raise
        _check_adjacent(kd, epoch, env, message)
    expected.check(env)
    return env


def _check_adjacent(kd: KeyDeriver, epoch: int, env: Envelope, message: bytes) -> None:
    for near in (max(epoch - 1, 0), min(epoch + 1, EPOCH_MAX)):
        with suppress(BadTag):
            return keys.check(kd, env.origin_svc, env.origin_instance, None, near, message, env.tag)
    raise BadTag
