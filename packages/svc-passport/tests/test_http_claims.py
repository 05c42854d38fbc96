"""What a signed message must be, and that text in it is its code points."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from drafts import CARRIERS, Carrier, Draft, assert_verdict
from forge import HERE, Forge, forging

from svc_passport.errors import Reason


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("claims")) as forge:
        yield forge


def _lax(text: str) -> Any:
    return lambda claims: text.encode() % json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()


def _backwards(claims: dict[str, Any]) -> bytes:
    return json.dumps(dict(sorted(claims.items(), reverse=True)), separators=(",", ":")).encode()


def _replaced(old: bytes, new: bytes) -> Any:
    def message(claims: object) -> bytes:
        canonical = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
        assert old in canonical
        return canonical.replace(old, new)

    return message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(lambda c: json.dumps(c, sort_keys=True).encode(), id="spaces"),
        pytest.param(_backwards, id="not sorted"),
        pytest.param(_lax(" %b"), id="a space in front"),
        pytest.param(_lax("%b\n"), id="a newline behind"),
        pytest.param(_lax("\ufeff%b"), id="a BOM"),
        pytest.param(_lax("[%b]"), id="in a list"),
        pytest.param(_lax("%b{}"), id="two objects"),
        pytest.param(lambda _: b"null", id="null"),
        pytest.param(lambda _: b'"text"', id="a string"),
        pytest.param(lambda _: b"{}", id="no claims"),
        pytest.param(lambda _: b"\xff", id="not UTF-8"),
        pytest.param(lambda _: b"[" * 4096, id="4096 brackets"),
        pytest.param(lambda _: b'{"a":' * 800, id="800 objects"),
        pytest.param(_replaced(b'"svc-a"', b'"svc\\u002da"'), id="an escape that is not needed"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\\u001F"'), id="an escape in uppercase"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\\ud800"'), id="a lone surrogate"),
        pytest.param(_replaced(b'"svc-a"', b'"svc-a","x\xed\xa0\x80"'), id="a raw lone surrogate"),
        pytest.param(_replaced(b'{"aud"', b'{"aud":["svc-a"],"aud"'), id="aud twice"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1.0,"aud"'), id="1.0"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1e2,"aud"'), id="1e2"),
        pytest.param(_replaced(b'{"aud"', b'{"a":-0,"aud"'), id="-0"),
        pytest.param(_replaced(b'{"aud"', b'{"a":9007199254740992,"aud"'), id="2^53"),
        pytest.param(_replaced(b'{"aud"', b'{"a":1e400,"aud"'), id="an overflow"),
        pytest.param(_replaced(b'{"aud"', b'{"a":NaN,"aud"'), id="NaN"),
        pytest.param(
            _replaced(b'{"aud"', b'{"a":%b%b,"aud"' % (b"[" * 16, b"]" * 16)), id="17 levels of nesting"
        ),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_signed_message_that_is_not_canonical_is_no_passport(
    forge: Forge, carrier: Carrier, message: Any
) -> None:
    draft = Draft(forge, carrier)
    draft.message = message
    assert_verdict(draft, Reason.MALFORMED)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"a": [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}, id="16 levels of nesting"),
        pytest.param({"a": 2**53 - 1, "b": 1 - 2**53}, id="the largest integers"),
        pytest.param({"a": 0.1, "b": 1e21, "c": 5e-324}, id="fractions"),
        pytest.param({"a": "\u0000\u001f\u007f\u2028\U0001f600", "z\U0001f600": 1, "z\uffff": 1}, id="text"),
        pytest.param({"a": None, "b": True, "c": [], "d": {}}, id="other values"),
        pytest.param({"ctx": {"": {"X": 1}, "tenant": "t1"}}, id="any name below the top"),
        pytest.param({"nbf": 0, "sub": "", "nonce": "", "scopes": [], "ctx": {}}, id="empty optional ones"),
        pytest.param({"aud": [HERE, "svc-b"]}, id="two audiences"),
    ],
)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_claims_up_to_every_limit_verify(forge: Forge, carrier: Carrier, claims: dict[str, Any]) -> None:
    assert_verdict(Draft(forge, carrier, **claims), None)


# Text is its code points


LOOK_ALIKES = [
    pytest.param("svc-a", "ｓvc-a", id="full width"),
    pytest.param("svc-a", "svс-a", id="a Cyrillic c"),
    pytest.param("svc-a", "SVC-A", id="uppercase"),
    pytest.param("svc-a", "svc‐a", id="another hyphen"),
    pytest.param("svc-a", "svc-a ", id="a space behind"),
    pytest.param("svc-a", "svc-a\u200b", id="a zero-width space"),
    pytest.param("svc-a", "svc-a\x00", id="a NUL behind"),
    pytest.param("caf\u00e9", "cafe\u0301", id="NFC and NFD"),
    pytest.param("\u212b", "\u00c5", id="Angstrom sign and letter"),
    pytest.param("ﬁ", "fi", id="a ligature"),
    pytest.param("straße", "strasse", id="case folding"),
    pytest.param("ı", "i", id="a dotless i"),
    pytest.param("\U0001f600", "\U0001f601", id="astral"),
]


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
@pytest.mark.parametrize("swap", [False, True], ids=["", "swapped"])
def test_look_alike_audiences_are_different(forge: Forge, one: str, other: str, swap: bool) -> None:
    if swap:
        one, other = other, one
    envelope = forge.issue(aud=one)
    assert envelope["aud"] == one
    assert forge.detail(envelope, f"&aud={_quoted(one)}")["claims"]["aud"] == [one]
    assert forge.detail(envelope, f"&aud={_quoted(other)}") == {"ok": False, "reason": "bad_aud"}
    assert forge.detail(envelope | {"aud": other}) == {"ok": False, "reason": "bad_aud"}
    both = forge.issue(aud=[one, other])
    assert forge.detail(both)["claims"]["aud"] == [one, other]


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_text_comes_back_as_it_was_sent(forge: Forge, one: str, other: str) -> None:
    for text in (one, other):
        told = forge.detail(forge.issue(sub=text, scopes=[text], ctx={text: text}, x=text))["claims"]
        assert [told["sub"], *told["scopes"], *told["ctx"], *told["ctx"].values(), told["x"]] == [text] * 5


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_look_alike_scopes_are_different(forge: Forge, one: str, other: str) -> None:
    envelope = forge.issue(scopes=[one])
    assert forge.detail(envelope, f"&scope={_quoted(one)}")["ok"]
    assert forge.detail(envelope, f"&scope={_quoted(other)}") == {"ok": False, "reason": "scope_denied"}


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())
