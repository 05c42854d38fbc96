"""The form that Rust and Python share, in memory."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from envelopes import (
    EPOCH,
    INSTANCE,
    LOOK_ALIKES,
    NOW_S,
    OTHER_INSTANCE,
    SENDER,
    Keys,
    OneKey,
    derivers,
    envelope,
    signed,
    verified,
)

import ron_auth
from ron_auth import (
    BadTag,
    Envelope,
    Expired,
    Malformed,
    MissingScope,
    Plane,
    Scope,
    Sealed,
    VerifyError,
    WrongOrigin,
    named,
)


def changed(env: Envelope, **changes: Any) -> Envelope:
    return msgspec.structs.replace(env, **changes)


def test_verify_returns_the_envelope_it_was_given() -> None:
    env = signed()
    for kd in derivers():
        assert verified(env, kd) is env


def test_signing_changes_the_tag_alone() -> None:
    before = envelope(tag=b"whatever was there")
    after = ron_auth.sign_envelope(Keys(), SENDER, INSTANCE, EPOCH, before)
    assert changed(after, tag=before.tag) == before
    assert after == signed()


@pytest.mark.parametrize(
    ("sender", "scopes", "now_s", "error"),
    [
        pytest.param(SENDER, (), NOW_S, None, id="accepted"),
        pytest.param(SENDER, (), NOW_S - 1, Expired, id="expired"),
        pytest.param("other", (), NOW_S, WrongOrigin, id="wrong origin"),
        pytest.param("", (), NOW_S, WrongOrigin, id="nobody"),
        pytest.param(SENDER[:-1], (), NOW_S, WrongOrigin, id="a prefix"),
        pytest.param(SENDER, ("write",), NOW_S, MissingScope, id="missing scope"),
    ],
)
def test_one_expected_sender_is_any_of_one(
    sender: str, scopes: tuple[str, ...], now_s: int, error: type[VerifyError] | None
) -> None:
    env = signed()
    for kd in derivers():
        if error is None:
            assert ron_auth.verify_envelope(kd, sender, EPOCH, scopes, env, now_s=now_s) is env
            assert verified(env, kd, senders=(sender,), scopes=scopes, now_s=now_s) is env
            continue
        with pytest.raises(error):
            ron_auth.verify_envelope(kd, sender, EPOCH, scopes, env, now_s=now_s)
        with pytest.raises(error):
            verified(env, kd, senders=(sender,), scopes=scopes, now_s=now_s)


SIGNED: dict[str, Any] = {
    "origin_svc": "svc-a",
    "tenant_id": "svc-a",
    "scopes": ("svc-a", "b"),
    "header": 1,
    "payload": "é",
}

AFTERWARDS = [
    pytest.param({"plane": Plane.Node}, id="the other plane"),
    pytest.param({"origin_svc": "svc-b"}, id="another service"),
    pytest.param({"origin_instance": OTHER_INSTANCE}, id="another instance"),
    pytest.param({"tenant_id": None}, id="no tenant"),
    pytest.param({"tenant_id": ""}, id="an empty tenant"),
    pytest.param({"scopes": ("svc-a", "b", "c")}, id="a scope added"),
    pytest.param({"scopes": ("svc-a",)}, id="a scope removed"),
    pytest.param({"scopes": ()}, id="all scopes removed"),
    pytest.param({"scopes": ("b", "svc-a")}, id="scopes in another order"),
    pytest.param({"scopes": ("svc-a", "b", "b")}, id="a scope twice"),
    pytest.param({"scopes": ("svc-ab",)}, id="two scopes made one"),
    pytest.param({"scopes": ("svc-a", "b", "")}, id="an empty scope added"),
    pytest.param({"nonce": bytes(16)}, id="another nonce"),
    pytest.param({"iat": NOW_S - 1}, id="a second earlier"),
    pytest.param({"exp": NOW_S + 61}, id="a second longer"),
    pytest.param({"iat": NOW_S + 60, "exp": NOW_S}, id="times exchanged"),
    pytest.param({"header": 1.0}, id="a float for an integer"),
    pytest.param({"header": True}, id="true for 1"),
    pytest.param({"header": "é", "payload": 1}, id="header and payload exchanged"),
    pytest.param({"payload": "é".encode()}, id="bytes for text"),
    pytest.param({"payload": "e\u0301"}, id="text in another normal form"),
    pytest.param({"payload": ["é"]}, id="a list around it"),
]


@pytest.mark.parametrize("changes", AFTERWARDS)
def test_nothing_may_change_after_signing(changes: dict[str, Any]) -> None:
    env = signed(OneKey(), **SIGNED)
    assert verified(env, OneKey(), senders=("svc-a",)) is env
    with pytest.raises(BadTag):
        verified(changed(env, **changes), OneKey(), senders=("svc-a",))


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_no_look_alike_takes_a_place_after_signing(text: str) -> None:
    env = signed(OneKey(), **SIGNED)
    for changes in ({"origin_svc": text}, {"tenant_id": text}, {"scopes": (text, "b")}):
        with pytest.raises(BadTag):
            verified(changed(env, **changes), OneKey(), senders=("svc-a", text))


@pytest.mark.parametrize("tag", [b"", b"\0", bytes(31), bytes(32), bytes(33), bytes(64)], ids=len)
def test_no_other_tag_holds(tag: bytes) -> None:
    for kd in derivers():
        with pytest.raises(BadTag):
            verified(changed(signed(), tag=tag), kd)


@pytest.mark.parametrize("cut", [0, 1, 16, 31], ids=str)
def test_no_part_of_a_tag_holds_and_nothing_is_added(cut: int) -> None:
    tag = signed().tag
    for kd in derivers():
        for other in (tag[:cut], tag[32 - cut :], tag + bytes(cut + 1)):
            with pytest.raises(BadTag):
                verified(changed(signed(), tag=other), kd)


# Epochs.


@pytest.mark.parametrize(
    ("signed_in", "alone", "with_neighbours"),
    [
        pytest.param(EPOCH - 2, BadTag, BadTag, id="two before"),
        pytest.param(EPOCH - 1, BadTag, None, id="the one before"),
        pytest.param(EPOCH, None, None, id="the current one"),
        pytest.param(EPOCH + 1, BadTag, None, id="the next"),
        pytest.param(EPOCH + 2, BadTag, BadTag, id="two after"),
    ],
)
def test_neighbours_of_an_epoch_are_tried_when_asked_for(
    signed_in: int, alone: type[VerifyError] | None, with_neighbours: type[VerifyError] | None
) -> None:
    env = signed(epoch=signed_in)
    for adjacent, error in ((False, alone), (True, with_neighbours)):
        for kd in derivers():
            if error is None:
                assert verified(env, kd, adjacent=adjacent) is env
            else:
                with pytest.raises(error):
                    verified(env, kd, adjacent=adjacent)


@pytest.mark.parametrize("adjacent", [False, True])
def test_the_deriver_is_asked_for_these_epochs_and_no_others(adjacent: bool) -> None:
    kd = Keys()
    with pytest.raises(BadTag):
        verified(changed(signed(), tag=bytes(32)), kd, adjacent=adjacent)
    asked = [epoch for _, _, _, epoch in kd.asked]
    assert sorted(asked) == ([EPOCH - 1, EPOCH, EPOCH + 1] if adjacent else [EPOCH])
    assert {name[:3] for name in kd.asked} == {(SENDER, INSTANCE, None)}


def test_a_tag_that_holds_at_once_needs_no_neighbour() -> None:
    kd = Keys()
    verified(signed(), kd, adjacent=True)
    assert kd.asked == [(SENDER, INSTANCE, None, EPOCH)]


@pytest.mark.parametrize("epoch", [0, 2**64 - 1], ids=["before the first", "after the last"])
def test_beyond_the_epochs_there_is_none(epoch: int) -> None:
    kd = Keys()
    with pytest.raises(BadTag):
        verified(changed(signed(), tag=bytes(32)), kd, epoch=epoch, adjacent=True)
    assert all(0 <= asked < 2**64 for _, _, _, asked in kd.asked)


@pytest.mark.parametrize(
    ("changes", "expected", "error"),
    [
        pytest.param({}, {"now_s": NOW_S - 1}, Expired, id="expired"),
        pytest.param({}, {"senders": ()}, WrongOrigin, id="wrong origin"),
        pytest.param({}, {"scopes": ("x",)}, MissingScope, id="missing scope"),
    ],
)
def test_a_neighbours_envelope_is_held_to_the_same_rules(
    changes: dict[str, Any], expected: dict[str, Any], error: type[VerifyError]
) -> None:
    with pytest.raises(error) as refusal:
        verified(signed(epoch=EPOCH - 1, **changes), adjacent=True, **expected)
    assert refusal.value.origin == SENDER


@pytest.mark.parametrize("epoch", [None, True, float(EPOCH), str(EPOCH)], ids=repr)
def test_an_epoch_is_an_int(epoch: Any) -> None:
    for kd in derivers():
        with pytest.raises(TypeError, match="epoch"):
            verified(signed(), kd, epoch=epoch)


# What may be signed.


class IntPlane(enum.IntEnum):
    App = 1


WRONG = [
    pytest.param({"plane": "App"}, "plane", id="plane as text"),
    pytest.param({"plane": None}, "plane", id="no plane"),
    pytest.param({"plane": IntPlane.App}, "plane", id="another enum's plane"),
    pytest.param({"origin_svc": b"svc-overlay"}, "origin_svc", id="service as bytes"),
    pytest.param({"origin_svc": None}, "origin_svc", id="no service"),
    pytest.param({"origin_svc": ["svc-overlay"]}, "origin_svc", id="service as a list"),
    pytest.param({"origin_instance": str(INSTANCE)}, "origin_instance", id="instance as text"),
    pytest.param({"origin_instance": INSTANCE.bytes}, "origin_instance", id="instance as bytes"),
    pytest.param({"origin_instance": None}, "origin_instance", id="no instance"),
    pytest.param({"tenant_id": 1}, "tenant_id", id="tenant as a number"),
    pytest.param({"tenant_id": b""}, "tenant_id", id="tenant as bytes"),
    pytest.param({"scopes": "read"}, "scopes", id="scopes as one text"),
    pytest.param({"scopes": ["read"]}, "scopes", id="scopes as a list"),
    pytest.param({"scopes": {"read"}}, "scopes", id="scopes as a set"),
    pytest.param({"scopes": None}, "scopes", id="no scopes"),
    pytest.param({"scopes": (b"read",)}, "scopes", id="a scope as bytes"),
    pytest.param({"scopes": ("read", None)}, "scopes", id="a scope that is none"),
    pytest.param({"nonce": bytes(15)}, "nonce", id="15 bytes of nonce"),
    pytest.param({"nonce": bytes(17)}, "nonce", id="17 bytes of nonce"),
    pytest.param({"nonce": b""}, "nonce", id="no bytes of nonce"),
    pytest.param({"nonce": bytearray(16)}, "nonce", id="nonce as a bytearray"),
    pytest.param({"nonce": tuple(bytes(16))}, "nonce", id="nonce as numbers"),
    pytest.param({"nonce": "0" * 16}, "nonce", id="nonce as text"),
    *(
        pytest.param({name: value}, "iat or exp", id=f"{name} {value!r}")
        for name in ("iat", "exp")
        for value in (2**63, -(2**63) - 1, True, 1.0, "1", None)
    ),
]


@pytest.mark.parametrize(("changes", "detail"), WRONG)
def test_a_wrong_field_is_not_signed_and_nobody_is_asked_for_a_key(
    changes: dict[str, Any], detail: str
) -> None:
    kd = Keys()
    env = envelope(**changes)
    for use in (
        lambda: ron_auth.sign_envelope(kd, SENDER, INSTANCE, EPOCH, env),
        lambda: ron_auth.seal(kd, env),
        lambda: ron_auth.seal(kd, env, audience="svc-me"),
    ):
        with pytest.raises(Malformed, match=detail):
            use()
    assert kd.asked == []


def test_a_wrong_field_is_not_written() -> None:
    for row in WRONG:
        wrong: Any = row.values[0]
        env = envelope(**wrong, tag=bytes(32))
        with pytest.raises(Malformed):
            ron_auth.pack(env)
        with pytest.raises(Malformed):
            ron_auth.to_bytes(Sealed(EPOCH, None, env))


@pytest.mark.parametrize("tag", [b"", bytes(31), bytes(33)], ids=len)
def test_an_envelope_without_a_tag_is_not_written(tag: bytes) -> None:
    env = changed(signed(), tag=tag)
    with pytest.raises(Malformed, match="tag"):
        ron_auth.pack(env)
    with pytest.raises(Malformed, match="tag"):
        ron_auth.to_bytes(Sealed(EPOCH, None, env))


@pytest.mark.parametrize("tag", [None, 32, "0" * 32, [0] * 32], ids=type)
def test_a_tag_is_bytes(tag: Any) -> None:
    env = changed(signed(), tag=tag)
    for kd in derivers():
        with pytest.raises((Malformed, BadTag)):
            verified(env, kd)
    for write in (ron_auth.pack, lambda env: ron_auth.to_bytes(Sealed(EPOCH, None, env))):
        with pytest.raises(Malformed):
            write(env)


@pytest.mark.parametrize(("changes", "detail"), WRONG)
def test_a_wrong_field_is_not_believed_and_nothing_else_escapes(changes: dict[str, Any], detail: str) -> None:
    for tag in (bytes(32), signed().tag):
        for kd in derivers():
            for adjacent in (False, True):
                with pytest.raises((Malformed, BadTag)):
                    verified(envelope(**changes, tag=tag), kd, adjacent=adjacent)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iat": -(2**63), "exp": 2**63 - 1}, id="all of time"),
        pytest.param({"iat": 2**63 - 1, "exp": 2**63 - 1}, id="the last second"),
        pytest.param({"iat": -(2**63), "exp": -(2**63)}, id="the first second"),
        pytest.param({"origin_svc": ""}, id="an empty service"),
        pytest.param({"tenant_id": None}, id="no tenant"),
        pytest.param({"tenant_id": ""}, id="an empty tenant"),
        pytest.param({"scopes": ()}, id="no scopes"),
        pytest.param({"scopes": ("", "")}, id="empty scopes"),
        pytest.param({"nonce": bytes(16)}, id="a nonce of zeros"),
        pytest.param({"scopes": tuple(str(n) for n in range(256))}, id="many scopes"),
        pytest.param({"tenant_id": "\U0010ffff\0"}, id="the last character and the first"),
    ],
)
def test_every_value_in_range_is_signed_and_verified(changes: dict[str, Any]) -> None:
    env = signed(**changes)
    assert verified(env, senders=(env.origin_svc,), now_s=env.iat) is env


def test_only_its_own_origin_signs_an_envelope() -> None:
    for svc, instance in ((SENDER, OTHER_INSTANCE), ("svc-other", INSTANCE), ("", INSTANCE)):
        kd = Keys()
        with pytest.raises(WrongOrigin):
            ron_auth.sign_envelope(kd, svc, instance, EPOCH, envelope())
        assert kd.asked == []


# Header and payload.


class Route(msgspec.Struct):
    to: str
    hops: int
    via: str | None = None


class Point(msgspec.Struct, array_like=True):
    x: int
    y: int


@dataclass
class Data:
    b: int
    a: int


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


CARRIED = [
    pytest.param(Route("/x", 3), {"to": "/x", "hops": 3, "via": None}, id="a struct"),
    pytest.param([Route("/x", 3, "y")], [{"to": "/x", "hops": 3, "via": "y"}], id="a struct in a list"),
    pytest.param(Point(1, 2), [1, 2], id="a struct like an array"),
    pytest.param(Data(1, 2), {"b": 1, "a": 2}, id="a dataclass"),
    pytest.param(Colour.RED, "red", id="an enum"),
    pytest.param(Level.HIGH, 3, id="an enum of numbers"),
    pytest.param(Word.YES, "yes", id="an enum of texts"),
    pytest.param(Scope("a:b"), "a:b", id="a scope"),
    pytest.param({Scope("a:b"): Scope("c")}, {"a:b": "c"}, id="scopes in a map"),
    pytest.param((1, (2,)), [1, [2]], id="tuples"),
    pytest.param(INSTANCE, INSTANCE.bytes, id="a UUID"),
    pytest.param(
        {1: 2, None: 3, b"k": 4, 1.5: 5}, {1: 2, None: 3, b"k": 4, 1.5: 5}, id="keys of other types"
    ),
]


@pytest.mark.parametrize(("value", "plain"), CARRIED)
def test_a_value_is_signed_as_rust_would_write_it(value: object, plain: object) -> None:
    env = signed(header=value, payload=[value])
    assert verified(env) is env
    assert env.tag == signed(header=plain, payload=[plain]).tag
    arrived = verified(ron_auth.unpack(ron_auth.pack(env)))
    assert (arrived.header, arrived.payload) == (plain, [plain])


class Named(str):
    """A text that shows as another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "shown"


def test_a_text_is_signed_as_what_it_compares_as() -> None:
    assert signed(scopes=(Scope("a"), Word.YES)).tag == signed(scopes=("a", "yes")).tag


def test_a_text_that_shows_as_another_is_signed_as_what_it_holds() -> None:
    assert signed(scopes=(Named("a"),), payload=Named("b")).tag == signed(scopes=("a",), payload="b").tag


def ring() -> list[object]:
    """Return a list that holds itself."""
    made: list[object] = []
    made.append(made)
    return made


NOT_CARRIED = [
    pytest.param(object(), id="an object"),
    pytest.param(1j, id="a complex number"),
    pytest.param(2**64, id="2^64"),
    pytest.param(-(2**63) - 1, id="-2^63-1"),
    pytest.param("\ud800", id="half a character"),
    pytest.param({"\udfff": 1}, id="half a character as a key"),
    pytest.param(Route, id="a class"),
    pytest.param(len, id="a function"),
    pytest.param(iter([]), id="an iterator"),
    pytest.param(range(3), id="a range"),
    pytest.param(ring(), id="a list that holds itself"),
    pytest.param([{"a": (object(),)}], id="an object, deep inside"),
]


@pytest.mark.parametrize("value", NOT_CARRIED)
def test_what_messagepack_does_not_carry_is_malformed_on_both_sides(value: object) -> None:
    kd = Keys()
    uses: list[Callable[[Envelope], object]] = [
        lambda env: ron_auth.sign_envelope(kd, SENDER, INSTANCE, EPOCH, env),
        lambda env: verified(env, kd),
        lambda env: ron_auth.seal(kd, env),
        ron_auth.pack,
    ]
    for use in uses:
        for env in (envelope(header=value, tag=bytes(32)), envelope(payload=value, tag=bytes(32))):
            with pytest.raises(Malformed):
                use(env)
    assert kd.asked == []


@pytest.mark.parametrize("field", ["origin_svc", "tenant_id", "scopes"])
def test_half_a_character_is_malformed_in_every_text(field: str) -> None:
    text: Any = ("\ud800",) if field == "scopes" else "\ud800"
    env = envelope(**{field: text})
    for use in (
        lambda: ron_auth.sign_envelope(Keys(), env.origin_svc, INSTANCE, EPOCH, env),
        lambda: verified(env),
        lambda: ron_auth.seal(Keys(), env),
    ):
        with pytest.raises(Malformed):
            use()


def test_the_mac_input_is_a_map_of_ten_and_begins_as_no_wire_form_does() -> None:
    written = named.mac_input(envelope())
    assert written[0] == 0x8A
    assert list(msgspec.msgpack.decode(written)) == list(Envelope.__struct_fields__[:-1])
    assert not written.startswith(b"ron-auth")
