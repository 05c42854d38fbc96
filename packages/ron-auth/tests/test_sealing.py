"""Seal and open: whom an envelope is for, which key it needs, and what is asked of it in which order."""

import hmac
from itertools import product
from typing import Any

import msgspec
import pytest
from envelopes import (
    EPOCH,
    INSTANCE,
    KEY,
    ME,
    NOW_S,
    OTHER_INSTANCE,
    SENDER,
    Keys,
    OneKey,
    crafted,
    derivers,
    envelope,
    opened,
    sealed,
    signed,
    spoiled,
    verified,
)

import ron_auth
from ron_auth import BadTag, Expired, Malformed, Plane, Sealed, VerifyError, from_bytes, to_bytes
from ron_auth.limits import VALUES_MAX

_pack = msgspec.msgpack.encode


def decide(wire: bytes, error: type[VerifyError] | None, **expected: Any) -> None:
    """Check that the verdict is exactly this, however the keys are known and were they all the same."""
    for kd in (*derivers(), OneKey()):
        if error is None and isinstance(kd, OneKey):
            continue  # it was sealed by another
        if error is None:
            opened(wire, kd, **expected)
            continue
        with pytest.raises(VerifyError) as refusal:
            opened(wire, kd, **expected)
        assert type(refusal.value) is error


def test_a_wire_form_is_laid_out_as_documented() -> None:
    assert sealed(OneKey()) == crafted()
    assert sealed(OneKey(), audience=ME) == crafted(audience=_pack(ME))
    wire = sealed(OneKey())
    fields = msgspec.msgpack.decode(wire[1:-32])
    assert wire[0] == 1
    assert fields == [
        1, EPOCH, None, "App", SENDER, INSTANCE.bytes, "t1", ["overlay:route", "overlay:read"],
        bytes(range(0xF0, 0x100)), NOW_S, NOW_S + 60, {"route": "/x", "seq": 300},
        ["ping", 1, None, b"\x00\xff"],
    ]  # fmt: skip
    assert wire[-32:] == hmac.digest(KEY, b"ron-auth/wire/v1" + wire[:-32], "sha256")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"plane": Plane.Node, "tenant_id": None, "scopes": ()}, id="bare"),
        pytest.param({"header": None, "payload": None}, id="empty"),
        pytest.param({"origin_svc": "", "tenant_id": ""}, id="of nobody"),
        pytest.param({"iat": -(2**63), "exp": 2**63 - 1}, id="for ever"),
        pytest.param({"payload": "ü\U0001f600\0" * 500}, id="long"),
        pytest.param({"scopes": tuple(map(str, range(256)))}, id="of many scopes"),
        pytest.param({"header": {"z": 1, "a": [{}, [], "", b""]}}, id="of everything empty"),
    ],
)
def test_what_was_sealed_opens_as_it_was(changes: dict[str, Any]) -> None:
    sent = envelope(**changes)
    for kd, audience in product(derivers(), (None, ME, "")):
        env = opened(
            sealed(kd, audience=audience, **changes),
            kd,
            audience=audience,
            senders=(sent.origin_svc,),
            epoch=EPOCH,
            max_lifetime_s=None,
        )
        assert msgspec.structs.replace(env, tag=b"") == sent


# Whom it is for.


@pytest.mark.parametrize(
    ("for_whom", "who", "error"),
    [
        pytest.param(None, None, None, id="nobody's, at one without a name"),
        pytest.param(ME, ME, None, id="mine, at me"),
        pytest.param(None, ME, BadTag, id="nobody's, at me"),
        pytest.param(ME, None, BadTag, id="mine, at one without a name"),
        pytest.param("svc-other", ME, BadTag, id="another's, at me"),
        pytest.param("", "", None, id="the empty name's, at the empty name"),
        pytest.param("", None, BadTag, id="the empty name's, at one without a name"),
        pytest.param(None, "", BadTag, id="nobody's, at the empty name"),
        pytest.param("svc-ME", ME, BadTag, id="in capitals, at me"),
        pytest.param("svc-mе", ME, BadTag, id="a look-alike's, at me"),
        pytest.param("svc-me ", ME, BadTag, id="with a space behind, at me"),
        pytest.param(SENDER, ME, BadTag, id="its sender's, at me"),
        pytest.param(SENDER, SENDER, None, id="its sender's, at the sender"),
    ],
)
def test_an_envelope_opens_at_the_one_it_is_for(
    for_whom: str | None, who: str | None, error: type[VerifyError] | None
) -> None:
    decide(sealed(audience=for_whom), error, audience=who)
    if error:
        # The name is compared, not only mixed into the key.
        with pytest.raises(error):
            opened(sealed(OneKey(), audience=for_whom), OneKey(), audience=who)


def test_for_another_audience_no_key_is_asked_for() -> None:
    kd = Keys()
    for for_whom, who in ((None, ME), (ME, None), ("svc-other", ME)):
        with pytest.raises(BadTag):
            opened(sealed(audience=for_whom), kd, audience=who)
    assert kd.asked == []


def test_with_an_audience_the_key_is_the_pairs() -> None:
    kd = Keys()
    sealed(kd, audience=ME)
    sealed(kd)
    assert kd.asked == [(SENDER, INSTANCE, ME, EPOCH), (SENDER, INSTANCE, None, EPOCH)]


def test_an_audience_cannot_be_put_in_taken_out_or_changed() -> None:
    for before, after in ((None, ME), (ME, None), ("svc-x", ME)):
        tag = sealed(OneKey(), audience=before)[-32:]
        wire = crafted(audience=_pack(after))[:-32] + tag
        with pytest.raises(BadTag):
            opened(wire, OneKey(), audience=after)


# Which key it needs.


@pytest.mark.parametrize(
    ("sealed_in", "now", "error"),
    [
        pytest.param(EPOCH - 2, EPOCH, BadTag, id="two before"),
        pytest.param(EPOCH - 1, EPOCH, None, id="the one before"),
        pytest.param(EPOCH, EPOCH, None, id="the current one"),
        pytest.param(EPOCH + 1, EPOCH, None, id="the next"),
        pytest.param(EPOCH + 2, EPOCH, BadTag, id="two after"),
        pytest.param(0, EPOCH, BadTag, id="the first, long ago"),
        pytest.param(2**64 - 1, EPOCH, BadTag, id="the last, far away"),
        pytest.param(0, 0, None, id="the first, in it"),
        pytest.param(1, 0, None, id="the second, in the first"),
        pytest.param(0, 1, None, id="the first, in the second"),
        pytest.param(0, -1, None, id="the first, a day before it"),
        pytest.param(2**64 - 1, 0, BadTag, id="the last, in the first"),
        pytest.param(0, 2**64 - 1, BadTag, id="the first, in the last"),
        pytest.param(2**64 - 1, 2**64 - 1, None, id="the last, in it"),
        pytest.param(2**64 - 2, 2**64 - 1, None, id="the one before the last, in the last"),
        pytest.param(2**64 - 1, 2**64, None, id="the last, a day after it"),
    ],
)
def test_the_current_epoch_and_its_neighbours_open(
    sealed_in: int, now: int, error: type[VerifyError] | None
) -> None:
    for audience in (None, ME):
        decide(sealed(epoch=sealed_in, audience=audience), error, epoch=now, audience=audience)


@pytest.mark.parametrize("far", [EPOCH - 2, EPOCH + 2, 0, 2**64 - 1], ids=str)
def test_for_an_epoch_that_is_far_no_key_is_asked_for(far: int) -> None:
    kd = Keys()
    with pytest.raises(BadTag):
        opened(sealed(epoch=far), kd)
    assert kd.asked == []


def test_of_a_near_epoch_one_key_is_asked_for_and_that_is_the_one_it_names() -> None:
    kd = Keys()
    for near in (EPOCH - 1, EPOCH, EPOCH + 1):
        with pytest.raises(BadTag):
            opened(spoiled(sealed(epoch=near)), kd)
    assert [epoch for _, _, _, epoch in kd.asked] == [EPOCH - 1, EPOCH, EPOCH + 1]


@pytest.mark.parametrize("epoch", [-1, 2**64, -(2**63)], ids=str)
def test_what_is_no_unsigned_epoch_of_64_bits_is_not_written(epoch: int) -> None:
    with pytest.raises(Malformed):
        sealed(epoch=epoch)
    with pytest.raises(Malformed):
        to_bytes(Sealed(epoch, None, signed()))


@pytest.mark.parametrize(
    "epoch",
    [_pack(-1), b"\xd3" + b"\xff" * 8, _pack(1.0), b"\xc0", b"\xc3", _pack("1"), b"\xcb" + bytes(8)],
    ids=bytes.hex,
)
def test_what_is_no_unsigned_epoch_of_64_bits_is_not_read(epoch: bytes) -> None:
    for now in (-1, 0, 1, EPOCH):
        with pytest.raises(Malformed):
            opened(crafted(epoch=epoch), OneKey(), epoch=now)


MIDNIGHT_S = (EPOCH + 1) * 86_400


@pytest.mark.parametrize(
    ("iat", "now_s"),
    [
        pytest.param(MIDNIGHT_S - 1, MIDNIGHT_S - 1, id="before midnight"),
        pytest.param(MIDNIGHT_S - 1, MIDNIGHT_S, id="across midnight"),
        pytest.param(MIDNIGHT_S, MIDNIGHT_S - 1, id="from a clock that is ahead"),
        pytest.param(MIDNIGHT_S, MIDNIGHT_S, id="after midnight"),
    ],
)
def test_midnight_loses_nothing(iat: int, now_s: int) -> None:
    wire = sealed(iat=iat, exp=iat + 60, epoch=None)
    assert from_bytes(wire).epoch == iat // 86_400
    decide(wire, None, now_s=now_s, max_clock_skew_s=1)


# What is asked of it.


@pytest.mark.parametrize(
    ("lifetime_s", "expected", "error"),
    [
        pytest.param(3600, {}, None, id="an hour"),
        pytest.param(3601, {}, Expired, id="an hour and a second"),
        pytest.param(3601, {"max_lifetime_s": 3601}, None, id="as long as the receiver says"),
        pytest.param(3602, {"max_lifetime_s": 3601}, Expired, id="longer than the receiver says"),
        pytest.param(2**62, {"max_lifetime_s": None}, None, id="unbounded"),
        pytest.param(3601, {"max_clock_skew_s": 60}, Expired, id="an hour and a second, with skew"),
    ],
)
def test_a_life_is_an_hour_at_most_unless_the_receiver_says_otherwise(
    lifetime_s: int, expected: dict[str, Any], error: type[VerifyError] | None
) -> None:
    wire = sealed(exp=NOW_S + lifetime_s)
    for kd in derivers():
        if error is None:
            opened(wire, kd, **expected)
        else:
            with pytest.raises(error):
                opened(wire, kd, **expected)


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x00"


UNREAD = [
    pytest.param(b"\xcc\x01", id="a long integer"),
    pytest.param(b"\xca\x3f\xc0\x00\x00", id="a float of 32 bits"),
    pytest.param(b"\xa1\xff", id="text that is not UTF-8"),
    pytest.param(b"\xd4\x01\x00", id="an extension"),
    pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="a timestamp"),
    pytest.param(b"\x82\xa1a\x01\xa1a\x02", id="a key twice"),
    pytest.param(b"\x81\x80\x01", id="a map as a key"),
    pytest.param(nested(9), id="nesting of 9"),
    pytest.param(nested(200), id="nesting of 200"),
    pytest.param(b"\xdc" + VALUES_MAX.to_bytes(2, "big") + bytes(VALUES_MAX), id="too many values"),
]


@pytest.mark.parametrize("value", UNREAD)
def test_nothing_of_header_and_payload_is_read_before_the_tag_has_held(value: bytes) -> None:
    for wire in (crafted(header=value), crafted(payload=value)):
        with pytest.raises(Malformed):
            opened(wire, OneKey())
        with pytest.raises(BadTag):
            opened(spoiled(wire), OneKey())


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param({"now_s": 0, "epoch": EPOCH}, id="expired"),
        pytest.param({"senders": ()}, id="of another sender"),
        pytest.param({"scopes": ("write",)}, id="lacking a scope"),
    ],
)
def test_what_is_not_canonical_is_malformed_before_anything_else_is_asked(expected: dict[str, Any]) -> None:
    for field in ("header", "payload"):
        with pytest.raises(Malformed) as refusal:
            opened(crafted(**{field: b"\xcc\x01"}), OneKey(), **expected)
        assert refusal.value.origin is None


def test_a_sender_without_a_key_is_a_bad_tag() -> None:
    class Known:
        def derive_origin_key(self, svc: str, _instance: object, _epoch: int, /) -> bytes:
            return {SENDER: KEY}[svc]

    opened(sealed(Known()), Known())
    with pytest.raises(BadTag):
        opened(sealed(OneKey(), origin_svc="svc-other"), Known(), senders=("svc-other",))
    with pytest.raises(BadTag):
        ron_auth.seal(Known(), envelope(origin_svc="svc-other"))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"origin_svc": "svc-other"}, id="service"),
        pytest.param({"origin_instance": OTHER_INSTANCE}, id="instance"),
        pytest.param({"epoch": EPOCH + 1}, id="epoch"),
        pytest.param({"audience": ME}, id="audience"),
    ],
)
def test_the_tag_of_one_name_does_not_hold_for_another(other: dict[str, Any]) -> None:
    tag = sealed()[-32:]
    with pytest.raises(BadTag):
        opened(
            sealed(**other)[:-32] + tag,
            senders=(SENDER, "svc-other"),
            audience=other.get("audience"),
        )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_come_in_any_buffer(kind: type) -> None:
    env = opened(kind(sealed()))
    assert env == opened(sealed())
    assert type(env.tag) is bytes
    with pytest.raises(BadTag):
        opened(kind(spoiled(sealed())))


@pytest.mark.parametrize("wire", [None, 1, "text", [1, 2], sealed().hex()], ids=type)
def test_what_is_no_buffer_is_a_mistake_of_the_caller(wire: Any) -> None:
    with pytest.raises(TypeError):
        opened(wire)


@pytest.mark.parametrize("audience", [1, True, ME.encode(), [ME]], ids=repr)
def test_who_opens_has_a_name_or_none(audience: Any) -> None:
    with pytest.raises(TypeError):
        opened(sealed(audience=ME), audience=audience)


@pytest.mark.parametrize("audience", [1, True, ME.encode(), [ME]], ids=repr)
def test_an_envelope_is_for_a_name_or_none(audience: Any) -> None:
    with pytest.raises((Malformed, TypeError)):
        sealed(OneKey(), audience=audience)


# Between the forms.


def test_the_tag_of_a_wire_form_does_not_hold_for_the_signed_form() -> None:
    claimed = from_bytes(sealed(OneKey())).claimed
    assert claimed.tag != signed(OneKey()).tag
    with pytest.raises(BadTag):
        verified(claimed, OneKey())


def test_the_tag_of_the_signed_form_does_not_hold_for_a_wire_form() -> None:
    with pytest.raises(BadTag):
        opened(to_bytes(Sealed(EPOCH, None, signed(OneKey()))), OneKey())


@pytest.mark.parametrize(
    "label", [b"", b"ron-auth/wire/v2", b"ron-auth/wire/v1\0", b"RON-AUTH/WIRE/V1"], ids=repr
)
def test_a_tag_without_the_label_does_not_hold(label: bytes) -> None:
    covered = sealed(OneKey())[:-32]
    with pytest.raises(BadTag):
        opened(covered + hmac.digest(KEY, label + covered, "sha256"), OneKey())


def test_an_envelopes_own_tag_plays_no_part_in_sealing() -> None:
    assert ron_auth.seal(Keys(), signed()) == sealed()
    assert ron_auth.seal(Keys(), envelope(tag=b"anything")) == sealed()
