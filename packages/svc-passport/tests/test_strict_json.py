"""Strict JSON reads what ``json`` reads, but for the faults of SPEC 2, and those it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minted import damaged, json_values

from svc_passport import strict_json
from svc_passport.errors import Reason, Refused
from svc_passport.strict_json import DEPTH_MAX, INTEGER_MAX


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b'"\xc0\xaf"', id="overlong UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', id="a surrogate in UTF-8"),
        pytest.param('"é"'.encode("latin-1"), id="Latin-1"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b'"\\ud800"', id="half a pair, the first"),
        pytest.param(b'"\\udc00"', id="half a pair, the second"),
        pytest.param(b'"\\udc00\\ud800"', id="a pair the wrong way round"),
        pytest.param(b'{"\\ud83d":1}', id="half a pair in a name"),
        pytest.param(b'[[{"a":["\\uDBFF"]}]]', id="half a pair deep inside"),
        pytest.param(b'{"a":1,"a":1}', id="a name twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="a name twice, once escaped"),
        pytest.param(b'[{"a":{"b":1,"c":2,"b":3}}]', id="a name twice deep inside"),
        pytest.param(b'{"":1,"":1}', id="an empty name twice"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="minus infinity"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b"1e309", id="overflows a double"),
        pytest.param(b"-1e309", id="overflows a double downwards"),
        pytest.param(b"1" + b"0" * 308 + b".0e1", id="overflows a double, written long"),
        pytest.param(b"%d" % (INTEGER_MAX + 1), id="one more than the largest integer"),
        pytest.param(b"%d" % (-INTEGER_MAX - 1), id="one less than the smallest integer"),
        pytest.param(b'{"a":[%d]}' % 2**64, id="an integer of 65 bits"),
        pytest.param(b"9" * 100_000, id="an integer of 100,000 digits"),
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"{}{}", id="two values"),
        pytest.param(b"{} x", id="something after it"),
        pytest.param(b"{}\0", id="NUL after it"),
        pytest.param(b"\xc2\xa0{}", id="a space that is none of JSON's"),
        pytest.param(b"\x0c{}", id="a form feed before it"),
        pytest.param(b'{"a":1,}', id="a comma too many in an object"),
        pytest.param(b"[1,]", id="a comma too many in an array"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"{a:1}", id="a name without quotes"),
        pytest.param(b'{"a"}', id="a name without a value"),
        pytest.param(b"{1:1}", id="a number for a name"),
        pytest.param(b"/**/{}", id="a comment"),
        pytest.param(b"True", id="Python's true"),
        pytest.param(b"01", id="a leading zero"),
        pytest.param(b"+1", id="a plus sign"),
        pytest.param(b".5", id="nothing before the point"),
        pytest.param(b"5.", id="nothing after the point"),
        pytest.param(b"1e", id="no exponent"),
        pytest.param(b"0x10", id="hexadecimal"),
        pytest.param(b"1_000", id="Python's thousands"),
        pytest.param("١".encode(), id="an Arabic digit"),
        pytest.param("-１".encode(), id="a wide digit"),
        pytest.param(b'"a\nb"', id="a control character in a text"),
        pytest.param(b'"a', id="a text that does not end"),
        pytest.param(b'"\\x41"', id="an escape that is none"),
        pytest.param(b'"\\u00g0"', id="an escape that is not hexadecimal"),
        pytest.param(b'"\\u+041"', id="an escape with a sign"),
        pytest.param(b"[" * 100_000, id="100,000 open arrays"),
        pytest.param(b'{"a":' * 100_000, id="100,000 open objects"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100,000 arrays"),
    ],
)
def test_each_fault_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        strict_json.loads(body)
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"%d" % INTEGER_MAX, INTEGER_MAX, id="the largest integer"),
        pytest.param(b"%d" % -INTEGER_MAX, -INTEGER_MAX, id="the smallest integer"),
        pytest.param(b"-0", 0, id="minus zero as an integer"),
        pytest.param(b"-0.0", -0.0, id="minus zero as a fraction"),
        pytest.param(b"0.1", 0.1, id="rounds to the nearest double"),
        pytest.param(b"9007199254740993.0", 9007199254740992.0, id="a fraction may be large, and rounds"),
        pytest.param(b"1E+2", 100.0, id="an exponent"),
        pytest.param(b"1.7976931348623157e308", 1.7976931348623157e308, id="the largest double"),
        pytest.param(b"5e-324", 5e-324, id="the smallest double"),
        pytest.param(b"1e-400", 0.0, id="below the smallest double"),
        pytest.param(b"true", True, id="a boolean"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b" \t\r\n{ } \n", {}, id="JSON's own spaces"),
        pytest.param(b'"\\ud83d\\ude00"', "😀", id="a pair in escapes"),
        pytest.param('"😀"'.encode(), "😀", id="beyond the basic plane in UTF-8"),
        pytest.param(b'"\\u0000\\u001f\\/"', "\0\x1f/", id="control characters in escapes"),
        pytest.param(b'"\x7f\xc2\x80\xe2\x80\xa8"', "\x7f\x80\u2028", id="what needs no escape"),
        pytest.param(b'"\xef\xbb\xbf"', "\ufeff", id="a byte order mark inside a text"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="a backslash, and then letters"),
        pytest.param(b'{"a":1,"A":2}', {"a": 1, "A": 2}, id="names that differ by case"),
        pytest.param(
            '{"\u00e9":1,"e\u0301":2}'.encode(),
            {"\u00e9": 1, "e\u0301": 2},
            id="names that look the same",
        ),
    ],
)
def test_what_has_no_fault_is_read(body: bytes, value: object) -> None:
    assert same(strict_json.loads(body), value)


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_nesting_ends_at_sixteen(opens: bytes, closes: bytes) -> None:
    within = opens * (DEPTH_MAX - 1) + b"[]" + closes * (DEPTH_MAX - 1)
    beyond = opens * DEPTH_MAX + b"[]" + closes * DEPTH_MAX
    assert DEPTH_MAX == 16
    assert same(strict_json.loads(within), json.loads(within))
    with pytest.raises(Refused):
        strict_json.loads(beyond)


def test_values_are_counted_before_they_are_read() -> None:
    most = b"[%b]" % b",".join([b"0"] * strict_json.VALUES_MAX)
    assert len(strict_json.loads(most)) == strict_json.VALUES_MAX
    assert strict_json.loads(b'["a,b"]', 2) == ["a,b"]
    for body, values_max in [(b"[0," + most[1:], strict_json.VALUES_MAX), (b'["a,b"]', 1)]:
        with pytest.raises(Refused) as refused:
            strict_json.loads(body, values_max, Reason.MSG_TOO_LARGE)
        assert refused.value.reason is Reason.MSG_TOO_LARGE


def test_nesting_is_counted_on_every_branch() -> None:
    deep = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    with pytest.raises(Refused):
        strict_json.loads(b'[1,{"a":2},%b]' % deep)


@given(json_values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_every_spelling_of_a_value_is_that_value(value: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert same(strict_json.loads(body), value)


PIECES = (
    b'{ } [ ] " : , 0 1 - + . e E9 \\ \\u d83d a null true NaN Infinity 1e400 9007199254740993 "a":1, '
    b"\n \x00 \xff \xef\xbb\xbf \xe2\x80\xa8 \xed\xa0\x80"
)
almost_json = (
    st.binary(max_size=40)
    | st.lists(st.sampled_from(PIECES.split(b" ")), max_size=24).map(b"".join)
    | damaged(json_values.map(json.dumps).map(str.encode), PIECES)
)


@given(almost_json)
def test_any_bytes_are_refused_or_read_as_json_reads_them(body: bytes) -> None:
    read = outcome(body)
    assert read is Reason.MALFORMED or same(read, json.loads(body))


def outcome(body: bytes) -> Any:
    try:
        return strict_json.loads(body)
    except Refused as refused:
        return refused.reason


def same(left: object, right: object) -> bool:
    """Equal in kind too: 1 is not 1.0, nor True, and -0.0 is not 0.0."""
    return repr(left) == repr(right)
