"""Seal an envelope into bytes, and open bytes that somebody sent: the form for everything new.

bounds and shape → audience, epoch → tag → canonical form → window, sender, scopes → guard
"""

import time
from collections.abc import Collection
from functools import partial

from ron_auth import keys
from ron_auth.envelope import Envelope, check_fields, epoch_of
from ron_auth.errors import BadTag
from ron_auth.keys import KeyDeriver
from ron_auth.limits import LIFETIME_S_MAX, TAG_BYTES
from ron_auth.observe import Observer, observed
from ron_auth.policy import Expectations
from ron_auth.replay import ReplayGuard
from ron_auth.wire import LABEL, parse, read, write


def seal(kd: KeyDeriver, env: Envelope, *, audience: str | None = None, epoch: int | None = None) -> bytes:
    """Return ``env`` as bytes that ``open`` accepts, signed by its own origin.

    Args:
        audience: the one service that may read it. The key is then the pair's, so that the reader cannot
            forge for a third. None: whoever knows the origin key.
        epoch: the key epoch; the day of ``iat`` when None.

    Raises:
        Malformed: a field is not what ``Envelope`` says or cannot be carried; too long, too deep, too many.
        BadTag: the deriver knows no such name.
        Crypto: the deriver failed, or gave no 32 bytes.
    """
    check_fields(env)
    if epoch is None:
        epoch = epoch_of(env.iat)
    signed = write(env, epoch, audience)
    return signed + keys.tag(kd, env.origin_svc, env.origin_instance, audience, epoch, LABEL + signed)


def open(  # noqa: A001 - it opens what ``seal`` sealed; say ``ron_auth.open``
    kd: KeyDeriver,
    wire: bytes,
    *,
    senders: Collection[str],
    scopes: Collection[str] = (),
    audience: str | None = None,
    epoch: int | None = None,
    now_s: int | None = None,
    max_clock_skew_s: int = 0,
    max_lifetime_s: int | None = LIFETIME_S_MAX,
    guard: ReplayGuard | None = None,
    observe: Observer | None = None,
) -> Envelope:
    """Return what ``wire`` holds only if one of ``senders`` sealed it for us, it holds now and may do this.

    Before the tag has held nothing of header and payload is read, and nothing but ``Malformed``, ``BadTag``
    or ``Crypto`` is said.

    Args:
        senders: the services that may send this.
        scopes: all of them must be there; more are fine.
        audience: our own name. With one, an envelope for nobody in particular is refused like one for
            another; without, one that is for somebody.
        epoch: the current key epoch; the day of ``now_s`` when None. The epoch that an envelope names is
            taken when it is this one, the one before or the one after, so that midnight loses nothing.
        now_s: our clock in seconds since the Unix epoch; the system's when None.
        max_clock_skew_s: how far the sender's clock may be from ours, either way.
        max_lifetime_s: longest ``exp - iat``; None for no bound.
        guard: who remembers nonces; asked last.
        observe: who is told of the verdict.

    Raises:
        Malformed: not a wire form, or not canonical; too long, too deep, too many values.
        BadTag: the tag does not match, another audience, or an epoch that is neither current nor next to it.
        Crypto: the deriver failed, or gave no 32 bytes.
        Expired, WrongOrigin, MissingScope: in this order, see ``Expectations.check``.
        Replayed, Forgotten, GuardFull, GuardDown: see ``ReplayGuard.admit``.
        TypeError: ``wire`` is not bytes-like, ``senders`` or ``scopes`` no collection of strings,
            ``audience`` no str, a number no int.
        ValueError: a negative skew.
    """
    if not isinstance(wire, bytes):
        wire = bytes(memoryview(wire))
    if not (audience is None or isinstance(audience, str)):
        raise TypeError("audience is a str or None")
    if now_s is None:
        now_s = int(time.time())
    if epoch is None:
        epoch = epoch_of(now_s)
    expected = Expectations(senders, scopes, now_s, max_clock_skew_s, max_lifetime_s, guard)
    if observe is not None:
        return observed(observe, partial(_open, kd, wire, audience, epoch, expected))
    return _open(kd, wire, audience, epoch, expected)


def _open(kd: KeyDeriver, wire: bytes, audience: str | None, epoch: int, expected: Expectations) -> Envelope:
    claim = parse(wire)
    if claim.audience != audience or not epoch - 1 <= claim.epoch <= epoch + 1:
        raise BadTag
    keys.check(
        kd,
        claim.origin_svc,
        claim.origin_instance,
        claim.audience,
        claim.epoch,
        LABEL + wire[:-TAG_BYTES],
        wire[-TAG_BYTES:],
    )
    env = read(wire, claim)
    expected.check(env)
    return env
