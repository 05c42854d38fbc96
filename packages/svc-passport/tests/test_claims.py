"""Claims are signed in canonical form (RFC 8785), and nothing but that form, of the right types, is read."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st
from minted import TOKEN_ID, Mint, damaged, json_values, texts

from svc_passport import claims, strict_json
from svc_passport.claims import Claims, Stamp
from svc_passport.errors import Reason, Refused

MINT = Mint()
CLAIMS = MINT.claims()
MESSAGE = MINT.message()


def outcome(message: bytes) -> Claims | Reason:
    """What ``parse`` says; it must not raise anything else."""
    try:
        return claims.parse(message)
    except Refused as refused:
        return refused.reason


def is_claims(message: bytes) -> bool:
    """Whether ``parse`` reads it."""
    read = outcome(message)
    assert isinstance(read, Claims) or read is Reason.MALFORMED
    return isinstance(read, Claims)


# The form.

extra_claims = st.dictionaries(texts.map("x".__add__) | st.just("ctx"), json_values, max_size=4)


@given(extra_claims)
@example({"x\U00010000": 1, "x\uffff": 2, "x\ue000": 3})  # UTF-16 sorts the first before the others
@example({"x": {"\U0001f600": [], "\ufb33": {}, "\r": 0, "1": 0, "\u0080": 0, "\u00f6": 0, "\u20ac": 0}})
@example({"x": '\x00\x01\b\t\n\x0b\f\r\x1f "\\/\x7f\x80\u2028\u2029\ufeff\uffff\U0010ffff'})
@example({"x\x00": "", "x\x1f": "", "x\x7f": "", 'x"': "", "x\\": ""})
@example({"x": [1e21, 100.0, -0.0, 1.5, 1e-7]})
@example({"x": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001]})  # RFC 8785 §3.2.2
@example({"x": 1e20})
@example({"ctx": {"x": 1.5, "y": [[[[[[{}]]]]]]}})
@example({"x": 2.0**53})
@example({"x": 2.0**53 - 1})
@example({"x": True, "xy": 1, "xyz": None})
def test_the_canonical_form_is_rfc_8785s(extra: Stamp) -> None:
    stamped = CLAIMS | extra
    form = rfc8785.dumps(stamped)
    if reads_back(form) and isinstance(stamped.get("ctx", {}), dict):
        assert claims.canonical(stamped) == form
        assert claims.parse(form).ctx == stamped.get("ctx", msgspec.UNSET)
    else:
        with pytest.raises(Refused):
            claims.canonical(stamped)


def reads_back(message: bytes) -> bool:
    """Not when a fraction's canonical form is an integer that is too large, or nesting is too deep."""
    try:
        strict_json.loads(message)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("fraction", "form"),
    [
        (1e21, "1e+21"),
        (100.0, "100"),
        (-0.0, "0"),
        (0.0, "0"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e300, "1.5e+300"),
        (9007199254740991.0, "9007199254740991"),
        (-0.1, "-0.1"),
        (5e-324, "5e-324"),
    ],
)
def test_fractions_are_written_as_ecmascript_writes_them(fraction: float, form: str) -> None:
    assert b'"x":%b}' % form.encode() in claims.canonical(CLAIMS | {"x": fraction})


@pytest.mark.parametrize("fraction", [1e20, 2.0**53, -(2.0**53), 123456789012345680000.0])
def test_a_fraction_that_is_written_as_too_large_an_integer_is_refused(fraction: float) -> None:
    with pytest.raises(Refused):
        claims.canonical(CLAIMS | {"x": fraction})


@pytest.mark.parametrize("depth", [16, 17])
def test_nesting_ends_at_sixteen(depth: int) -> None:
    nested: Any = []
    for _ in range(depth - 2):  # the claims are one, the innermost array another
        nested = [nested]
    stamped = CLAIMS | {"x": nested}
    assert is_claims(rfc8785.dumps(stamped)) is (depth <= 16)
    if depth > 16:
        with pytest.raises(Refused):
            claims.canonical(stamped)


# Nothing but the form.

RICH = MINT.message(x={"b": [1, 2.5, "é😀\x1f\b/"], "a": 100})


def swapped(old: str, new: str) -> Callable[[bytes], bytes]:
    """Replace one thing, which must be there."""

    def swap(message: bytes) -> bytes:
        assert old.encode() in message
        return message.replace(old.encode(), new.encode(), 1)

    return swap


@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(swapped('":', '": '), id="a space after a colon"),
        pytest.param(swapped(",", ", "), id="a space after a comma"),
        pytest.param(lambda m: m + b"\n", id="a newline at the end"),
        pytest.param(lambda m: b" " + m, id="a space at the beginning"),
        pytest.param(lambda m: m + b"\0", id="NUL at the end"),
        pytest.param(lambda m: m + m, id="twice"),
        pytest.param(lambda m: m[:-1], id="cut"),
        pytest.param(lambda m: b"\xef\xbb\xbf" + m, id="a byte order mark"),
        pytest.param(lambda m: m.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(lambda m: b"[%b]" % m, id="in an array"),
        pytest.param(swapped('"iss"', '"\\u0069ss"'), id="a letter escaped in a name"),
        pytest.param(swapped("svc-passport", "svc\\u002dpassport"), id="a letter escaped in a value"),
        pytest.param(swapped("/v1", "\\/v1"), id="a slash escaped"),
        pytest.param(swapped("\\u001f", "\\u001F"), id="an escape in capitals"),
        pytest.param(swapped("\\b", "\\u0008"), id="the long form of a short escape"),
        pytest.param(swapped("é", "\\u00e9"), id="an escape that is not needed"),
        pytest.param(swapped("😀", "\\ud83d\\ude00"), id="a pair of escapes"),
        pytest.param(swapped("100", "100.0"), id="100.0 for 100"),
        pytest.param(swapped("100", "1e2"), id="1e2 for 100"),
        pytest.param(swapped("2.5", "2.50"), id="2.50 for 2.5"),
        pytest.param(swapped("2.5", "25e-1"), id="25e-1 for 2.5"),
        pytest.param(swapped(f'"iat":{MINT.now_s}', f'"iat":{MINT.now_s}.0'), id="a time as a fraction"),
        pytest.param(swapped(f'"iat":{MINT.now_s}', f'"iat":{MINT.now_s}e0'), id="a time with an exponent"),
        pytest.param(swapped("[1,", "[-0,"), id="minus zero"),
        pytest.param(swapped('"a":100,"b"', '"b":100,"b"'), id="a name twice inside"),
        pytest.param(swapped('{"aud"', '{"aud":["svc-a"],"aud"'), id="a claim twice, the same"),
        pytest.param(swapped('{"aud"', '{"aud":["svc-b"],"aud"'), id="a claim twice, not the same"),
        pytest.param(swapped('"exp"', '"aud":["svc-b"],"exp"'), id="a claim twice, the other last"),
        pytest.param(lambda m: reordered(m, reverse=True), id="names backwards"),
        pytest.param(lambda m: json.dumps(json.loads(m)).encode(), id="as json writes it"),
    ],
)
def test_a_message_has_one_spelling(respell: Callable[[bytes], bytes]) -> None:
    respelt = respell(RICH)
    assert is_claims(RICH)
    assert respelt != RICH
    assert not is_claims(respelt)
    assert MINT.reason(MINT.envelope(respelt)) is Reason.MALFORMED
    assert MINT.reason(MINT.compact(respelt)) is Reason.MALFORMED


def test_names_beyond_the_basic_plane_have_one_order() -> None:
    right = MINT.message(**{"x\U00010000": 1, "x\uffff": 2})
    by_code_point = swapped('"x\U00010000":1,"x\uffff":2', '"x\uffff":2,"x\U00010000":1')(right)
    assert is_claims(right)
    assert not is_claims(by_code_point)


def reordered(message: bytes, *, reverse: bool) -> bytes:
    members = sorted(json.loads(message).items(), reverse=reverse)
    return json.dumps(dict(members), ensure_ascii=False, separators=(",", ":")).encode()


nearly_canonical = damaged(
    extra_claims.map(lambda extra: rfc8785.dumps(CLAIMS | extra)),
    b'" \\ , : { } [ ] 0 .0 - e1 \\u0061 \\b \x7f \n "x":1, null 9007199254740992 '
    b"\xf0\x9f\x98\x80 \xef\xbf\xbf \xe2\x80\xa8 \xff",
)


@given(nearly_canonical | json_values.map(rfc8785.dumps) | st.binary(max_size=40))
@example(MINT.message(x=1e21))
@example(MINT.message(ctx={"x": 1.5}))
@example(MINT.message(ctx={"x": [[[[[[{"x": 1}]]]]]]}))
@example(MINT.message(x="").replace(b'"x":""', b'"x":100000000000000000000'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":18446744073709551616'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":-9223372036854775809'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":9007199254740992'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":-0'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":"\\ud800"'))
@example(MINT.message(x="").replace(b'"x":""', b'"x":"\x7f"'))
@example(MINT.message(ctx={"\U00010000": 1, "\uffff": 2}))
def test_the_quick_way_says_what_the_judge_says(message: bytes) -> None:
    values = judged(message)
    assert is_claims(message) is (values is not None)
    if values is not None:
        read = claims.parse(message)
        assert {name: getattr(read, name) for name in CLAIMS} == {name: values[name] for name in CLAIMS}


def judged(message: bytes) -> Stamp | None:
    """The slow way, by the book: strict JSON, RFC 8785 as its judge knows it, names, types."""
    try:
        values = strict_json.loads(message)
    except Refused:
        return None
    if not isinstance(values, dict) or rfc8785.dumps(values) != message:
        return None
    names = all("a" <= name[:1] <= "z" for name in values)
    whole = values.keys() >= CLAIMS.keys()
    types = all(TYPES[name](values[name]) for name in values.keys() & TYPES.keys())
    return values if names and whole and types else None


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_integer(value: object) -> bool:
    return type(value) is int


def are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


TYPES: dict[str, Callable[[Any], object]] = {
    "aud": lambda v: are_texts(v) and v and all(v) and len(set(v)) == len(v),
    "ctx": lambda v: isinstance(v, dict),
    "exp": is_integer,
    "iat": is_integer,
    "iss": is_text,
    "jti": lambda v: is_text(v) and re.fullmatch("[A-Za-z0-9_-]{21}[AQgw]", v),
    "kid": is_text,
    "nbf": is_integer,
    "nonce": is_text,
    "scopes": are_texts,
    "sub": is_text,
}


@given(nearly_canonical | st.binary(max_size=40))
def test_what_is_read_is_canonical(message: bytes) -> None:
    if is_claims(message):
        assert rfc8785.dumps(json.loads(message)) == message


@pytest.mark.parametrize("message", [b"null", b"1", b'"a"', b"[]", b"{}", b"true", b"", b"{", b'{"a":1}'])
def test_what_is_no_object_of_claims_is_refused(message: bytes) -> None:
    assert not is_claims(message)


# The claims.

NOT_INTEGERS: list[Any] = [None, True, 1.5, "1", [], {}]
NOT_TEXTS: list[Any] = [None, True, 1, [], {}]
WRONG: dict[str, list[Any]] = {
    "aud": [None, "svc-a", 1, {}, [], [""], ["svc-a", ""], [1], [None], ["svc-a", "svc-a"], ["a", "b", "a"]],
    "exp": NOT_INTEGERS,
    "iat": NOT_INTEGERS,
    "iss": NOT_TEXTS,
    "jti": [*NOT_TEXTS, ""],
    "kid": NOT_TEXTS,
    "ctx": [None, True, 1, "", []],
    "nbf": NOT_INTEGERS,
    "nonce": NOT_TEXTS,
    "scopes": [None, True, "read", {}, [1], [None], ["read", 1], [["read"]]],
    "sub": NOT_TEXTS,
}
RIGHT: dict[str, list[Any]] = {
    "aud": [["a"], ["a", "b"], ["a", "A"], [" "], ["\u00e9", "e\u0301"], [str(i) for i in range(100)]],
    "exp": [0, -1, 2**53 - 1, -(2**53) + 1],
    "iat": [0, -1, 2**53 - 1],
    "iss": ["", "another"],
    "kid": ["", "not a kid"],  # whose it must be, the rules say
    "ctx": [{}, {"tenant": "t1"}, {"": None}, {"x": 1.5}, {"x": [1e300]}, {"😀": [[[[[[{"x": 1}]]]]]]}],
    "nbf": [0, -1],
    "nonce": ["", "n"],
    "scopes": [[], ["read", "read"], [""]],
    "sub": ["", "alice"],
}
REQUIRED = ("aud", "exp", "iat", "iss", "jti", "kid")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_claim_of_the_wrong_type_is_refused(name: str, value: Any) -> None:
    assert not is_claims(MINT.message(**{name: value}))
    with pytest.raises(Refused):
        claims.canonical(MINT.claims(**{name: value}))


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]])
def test_a_claim_of_the_right_type_is_read(name: str, value: Any) -> None:
    message = claims.canonical(MINT.claims(**{name: value}))
    assert getattr(claims.parse(message), name) == value


@pytest.mark.parametrize("name", REQUIRED)
def test_a_stamped_claim_is_never_missing(name: str) -> None:
    assert not is_claims(MINT.message(**{name: ...}))


def test_the_others_may_be_missing() -> None:
    read = claims.parse(MESSAGE)
    assert all(getattr(read, name) is msgspec.UNSET for name in WRONG if name not in REQUIRED)


@pytest.mark.parametrize(
    ("jti", "passes"),
    [
        pytest.param(TOKEN_ID, True, id="as the service makes it"),
        pytest.param("-_" * 10 + "zg", True, id="all of its alphabet"),
        pytest.param(TOKEN_ID[:-1], False, id="21 characters"),
        pytest.param(TOKEN_ID + "A", False, id="23 characters"),
        pytest.param(TOKEN_ID[:-1] + "x", False, id="idle bits that are not idle"),
        pytest.param(TOKEN_ID[:-1] + "B", False, id="one idle bit set"),
        pytest.param("+" + TOKEN_ID[1:], False, id="the other base64: +"),
        pytest.param("/" + TOKEN_ID[1:], False, id="the other base64: /"),
        pytest.param(TOKEN_ID + "==", False, id="padded"),
        pytest.param("１" + TOKEN_ID[1:], False, id="a wide digit"),
        pytest.param(TOKEN_ID + "\n", False, id="a newline after it"),
        pytest.param("\n" + TOKEN_ID, False, id="a newline before it"),
    ],
)
def test_a_token_id_is_128_bits_in_one_spelling(jti: str, passes: bool) -> None:
    assert is_claims(MINT.message(jti=jti)) is passes


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        pytest.param("a", True, id="the first letter"),
        pytest.param("z", True, id="the last letter"),
        pytest.param("xA0 é😀", True, id="anything after the first letter"),
        pytest.param("x\0", True, id="NUL after the first letter"),
        pytest.param("", False, id="no letter"),
        pytest.param("A", False, id="a capital"),
        pytest.param("Z", False, id="the last capital"),
        pytest.param("`", False, id="what stands before a"),
        pytest.param("{", False, id="what stands after z"),
        pytest.param("0", False, id="a digit"),
        pytest.param("_x", False, id="an underscore"),
        pytest.param(" x", False, id="a space"),
        pytest.param("\0x", False, id="NUL"),
        pytest.param("ä", False, id="a letter with a mark"),
        pytest.param("а", False, id="a Cyrillic look-alike"),
        pytest.param("ａ", False, id="a wide one"),
        pytest.param("ª", False, id="what normalises to a"),
        pytest.param("😀", False, id="beyond the basic plane"),
        pytest.param("ICB7ImFsZyI6IkVkRFNBIn0", False, id="base64 of a JOSE header"),
    ],
)
def test_names_begin_with_a_lowercase_letter(name: str, passes: bool) -> None:
    assert is_claims(MINT.message(**{name: 1})) is passes
    if passes:
        claims.canonical(MINT.claims(**{name: 1}))
    else:
        with pytest.raises(Refused):
            claims.canonical(MINT.claims(**{name: 1}))
        assert MINT.reason(MINT.passport(**{name: 1})) is Reason.MALFORMED


def test_names_deeper_inside_are_free() -> None:
    assert is_claims(MINT.message(ctx={"": 1, "A": {"😀": 1}}, x=[{"_": 1}]))


@given(extra_claims)
def test_every_message_begins_with_a_brace_a_quote_and_an_a(extra: Stamp) -> None:
    try:
        message = claims.canonical(CLAIMS | extra | {"aud": ["x"]})
    except Refused:
        return
    assert message.startswith(b'{"a')
