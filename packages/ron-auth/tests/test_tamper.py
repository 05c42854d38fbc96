"""No bit of an envelope may change: every one of them is tried.

Everybody has the same key here, so that it is the tag which tells, and not a key that somebody else has.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from envelopes import (
    EPOCH,
    FORMS,
    ME,
    PACKED,
    SEALED,
    SEALED_FOR_ME,
    Anybody,
    Form,
    OneKey,
    opened,
    sealed,
    signed,
    verified,
)

from ron_auth import BadTag, Malformed, Plane, Scope, from_bytes

_pack = msgspec.msgpack.encode

ENVELOPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "bare": {"plane": Plane.Node, "tenant_id": None, "scopes": (), "header": None, "payload": None},
    "empty": {"origin_svc": "", "tenant_id": "", "scopes": ("",), "header": {}, "payload": []},
    "far": {"iat": -(2**63), "exp": 2**63 - 1, "nonce": bytes(16), "payload": [2**64 - 1, -(2**63), 1.5]},
    "nested": {"header": {"a": [{"b": {}}, [[]]], "c": True}, "payload": {1: {"k": b"\x80\x90"}}},
    "long": {"tenant_id": "ü" * 20, "scopes": (Scope("a:b"), "c" * 40), "payload": "x" * 300},
}

every_envelope = pytest.mark.parametrize("changes", ENVELOPES.values(), ids=ENVELOPES.keys())
every_carrier = pytest.mark.parametrize(
    "form",
    [
        pytest.param(PACKED, id="packed"),
        pytest.param(SEALED, id="sealed"),
        pytest.param(SEALED_FOR_ME, id="sealed for me"),
    ],
)

KD = OneKey()


def refuse(form: Form, changed: Any) -> None:
    """Check that nobody believes it: as anybody's, at any time, of any length."""
    with pytest.raises((BadTag, Malformed)):
        form.believe(changed, KD, senders=Anybody(), max_lifetime_s=None)


def flips(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` with one bit changed, for every bit."""
    whole = int.from_bytes(data, "big")
    for bit in range(8 * len(data)):
        yield (whole ^ 1 << bit).to_bytes(len(data), "big")


@every_envelope
@pytest.mark.parametrize("form", FORMS)
def test_unchanged_it_is_believed(form: Form, changes: dict[str, Any]) -> None:
    carried = form.make(KD, **changes)
    env = form.believe(carried, KD, senders=Anybody(), max_lifetime_s=None)
    assert _pack(env.payload) == _pack(changes.get("payload", env.payload))


@every_carrier
@every_envelope
def test_no_bit_of_the_bytes_may_change(form: Form, changes: dict[str, Any]) -> None:
    carried = form.make(KD, **changes)
    for changed in flips(carried):
        refuse(form, changed)


@every_carrier
@every_envelope
def test_no_byte_may_be_missing_or_come_in(form: Form, changes: dict[str, Any]) -> None:
    carried = form.make(KD, **changes)
    for at in range(len(carried)):
        refuse(form, carried[:at] + carried[at + 1 :])
        for byte in (b"\x00", b"\xc0", carried[at : at + 1]):
            refuse(form, carried[:at] + byte + carried[at:])


@every_carrier
@every_envelope
def test_it_may_not_end_early_begin_late_or_go_on(form: Form, changes: dict[str, Any]) -> None:
    carried = form.make(KD, **changes)
    for at in range(1, len(carried)):
        refuse(form, carried[:at])
        refuse(form, carried[at:])
        refuse(form, carried + carried[:at])
    refuse(form, b"")


@every_carrier
def test_no_two_bytes_may_change_places(form: Form) -> None:
    carried = form.make(KD, **ENVELOPES["bare"])
    for one, other in combinations(range(len(carried)), 2):
        if carried[one] != carried[other]:
            changed = bytearray(carried)
            changed[one], changed[other] = changed[other], changed[one]
            refuse(form, bytes(changed))


@every_carrier
def test_no_parts_of_two_envelopes_make_a_third(form: Form) -> None:
    one, other = form.make(KD), form.make(KD, nonce=bytes(16), payload=["pong", 1, None, b"\x00\xff"])
    assert len(one) == len(other) or form is PACKED
    for at in range(1, min(len(one), len(other))):
        for changed in (one[:at] + other[at:], other[:at] + one[at:]):
            if changed not in {one, other}:
                refuse(form, changed)


def altered(value: Any) -> Iterator[Any]:
    """Yield a field's value with one bit changed, for every bit."""
    match value:
        case Plane():
            yield from set(Plane) - {value}
        case UUID():
            yield from (UUID(bytes=changed) for changed in flips(value.bytes))
        case str():
            yield from (changed.decode(errors="surrogateescape") for changed in flips(value.encode()))
        case bytes():
            yield from flips(value)
        case int():
            for changed in flips(value.to_bytes(8, "big", signed=True)):
                yield int.from_bytes(changed, "big", signed=True)
        case tuple():
            for at, member in enumerate(value):
                yield from ((*value[:at], other, *value[at + 1 :]) for other in altered(member))


def altered_value(value: object) -> Iterator[object]:
    """Yield what is spelled by header or payload with one bit changed, where that is MessagePack."""
    for changed in flips(_pack(value)):
        try:
            yield msgspec.msgpack.decode(changed)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


@every_envelope
def test_no_bit_of_a_field_may_change(changes: dict[str, Any]) -> None:
    env = signed(KD, **changes)
    tried = 0
    for name in env.__struct_fields__:
        value = getattr(env, name)
        for other in altered_value(value) if name in {"header", "payload"} else altered(value):
            tried += 1
            with pytest.raises((BadTag, Malformed)):
                verified(msgspec.structs.replace(env, **{name: other}), KD, senders=Anybody())
    assert tried > 8 * (16 + 16 + 32 + 8 + 8)  # instance, nonce, tag, iat and exp at the least


@every_carrier
def test_the_tag_of_one_envelope_holds_for_no_other(form: Form) -> None:
    carried = [form.make(KD, **changes) for changes in ENVELOPES.values()]
    for one, other in combinations(carried, 2):
        at_one, at_other = (it.rindex(b"\xa3tag") if form is PACKED else -32 for it in (one, other))
        refuse(form, one[:at_one] + other[at_other:])
        refuse(form, other[:at_other] + one[at_one:])


def test_a_changed_epoch_or_audience_is_not_believed_where_it_leads() -> None:
    led = set()
    for changed in flips(sealed(KD, audience=ME)):
        try:
            said = from_bytes(changed)
        except Malformed:
            continue
        led.add((said.epoch, said.audience))
        with pytest.raises(BadTag):
            opened(changed, KD, senders=Anybody(), audience=said.audience, epoch=said.epoch)
    assert {epoch for epoch, _ in led} > {EPOCH}
    assert {audience for _, audience in led} > {ME}
