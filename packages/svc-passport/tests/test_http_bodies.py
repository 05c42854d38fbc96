"""Every body that is read: media type, cap, strict JSON, in this order, on every route that has one."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from forge import (
    BATCH,
    HERE,
    ISSUE,
    JSON,
    REVOKE,
    ROTATE,
    VERIFY,
    Answer,
    Forge,
    Plane,
    assert_refused,
    forging,
)

from svc_passport.config import MIB
from svc_passport.errors import Reason

BATCH_CAP = 512 * (4 * 1366 + 512)
"""max_batch × (4·⌈max_msg_bytes/3⌉ + 512), which is more than 1 MiB."""

CAPS = {ISSUE: MIB, VERIFY: MIB, BATCH: BATCH_CAP, REVOKE: MIB}
ROUTES = tuple(CAPS)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("bodies")) as forge:
        yield forge


def read(path: str) -> bytes:
    """Return a body that its route reads, and answers without changing anything."""
    return {ISSUE: b'{"sub":"a"}', VERIFY: b'{"alg":""}', BATCH: b"[0]", REVOKE: b'{"kid":""}'}[path]


def assert_read(path: str, answer: Answer) -> None:
    """Check that the body was read: what follows is about its content."""
    if path == ISSUE:
        assert answer.status == 200
        assert answer.json.keys() == {"alg", "aud", "kid", "msg_b64", "sig_b64"}
    elif path == VERIFY:
        assert_refused(answer, Reason.BAD_ALG)
    elif path == BATCH:
        assert (answer.status, answer.json) == (200, [False])
    else:
        assert_refused(answer, Reason.BAD_KID)


# Media type


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/JSON",
        "Application/Json",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        "application/json ; charset=UTF-8",
        "application/json;CHARSET=Utf-8",
        'application/json; charset="utf-8"',
    ],
)
def test_a_body_is_json(forge: Forge, media_type: str) -> None:
    for path in ROUTES:
        assert_read(path, forge.ask("POST", path, read(path), [("content-type", media_type)]))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        *(
            pytest.param([("content-type", media_type)], id=media_type or "empty")
            for media_type in [
                "",
                "json",
                "text/json",
                "text/plain",
                "text/plain; application/json",
                "application/jsonp",
                "application/json-patch+json",
                "application/jwk-set+json",
                "application/problem+json",
                "application/x-www-form-urlencoded",
                "application/octet-stream",
                "multipart/form-data; boundary=application/json",
                "*/*",
                "application/*",
                "application /json",
                "application/json, application/json",
                "application/json, text/plain",
                "application/json;",
                "application/json; charset=latin-1",
                "application/json; charset=iso-8859-1",
                "application/json; charset=utf-16",
                "application/json; charset=utf8",
                "application/json; charset=",
                "application/json; charset",
                "application/json; charset='utf-8'",
                "application/json; charset=utf-8; charset=utf-8",
                "application/json; charset=utf-8;",
                "application/json; version=1",
                "application/json; charset=utf-8; version=1",
                "application/json\xa0",
                "\xff",
            ]
        ),
        pytest.param(
            [("content-type", "application/json" + " " * 120 + "; charset=utf-16")], id="far behind"
        ),
        pytest.param([("content-type", "application/json;" + "x" * 5000)], id="very long"),
        pytest.param([JSON, JSON], id="twice"),
        pytest.param([JSON, ("content-type", "text/plain")], id="and another"),
        pytest.param([("content-type", "text/plain"), JSON], id="another first"),
        pytest.param([JSON, ("content-encoding", "gzip")], id="gzip"),
        pytest.param([JSON, ("content-encoding", "identity")], id="identity"),
        pytest.param([JSON, ("content-encoding", "")], id="an empty content-encoding"),
        pytest.param([JSON, ("content-encoding", "br"), ("content-encoding", "gzip")], id="two encodings"),
    ],
)
def test_a_body_is_nothing_else(forge: Forge, headers: list[tuple[str, str]]) -> None:
    for path in ROUTES:
        assert_refused(forge.ask("POST", path, read(path), headers), Reason.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("path", ROUTES)
def test_the_media_type_comes_before_the_cap_and_the_cap_before_the_syntax(forge: Forge, path: str) -> None:
    over = b"{" * (CAPS[path] + 1)
    assert_refused(
        forge.ask("POST", path, over, [("content-type", "text/plain")]), Reason.UNSUPPORTED_MEDIA_TYPE
    )
    assert_refused(forge.post(path, over), Reason.BODY_TOO_LARGE)
    assert_refused(forge.post(path, b"{".ljust(CAPS[path])), Reason.MALFORMED)


VALUES_MAX = {ISSUE: 4096, VERIFY: 4096, BATCH: 32 * 512, REVOKE: 4096}
TOO_MANY = {
    ISSUE: Reason.MSG_TOO_LARGE,
    VERIFY: Reason.MALFORMED,
    BATCH: Reason.BATCH_TOO_LARGE,
    REVOKE: Reason.MALFORMED,
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "opens", [b"[", b"{},", b'{"a":', b","], ids=["lists", "objects", "nested", "commas"]
)
def test_more_values_than_anybody_needs_are_refused_before_they_are_read(
    forge: Forge, path: str, opens: bytes
) -> None:
    values = sum(map(opens.count, (b"[", b"{", b",")))
    most = VALUES_MAX[path] // values
    assert_refused(forge.post(path, opens * most), Reason.MALFORMED)
    assert_refused(forge.post(path, opens * (most + 1)), TOO_MANY[path])


@pytest.mark.parametrize("path", ROUTES)
def test_a_media_type_is_needed_for_an_empty_body_too(forge: Forge, path: str) -> None:
    assert_refused(forge.ask("POST", path, b""), Reason.UNSUPPORTED_MEDIA_TYPE)


# Caps


def _padded(path: str, length: int) -> bytes:
    return read(path).ljust(length)


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_of_the_cap_is_read_and_no_longer_one(forge: Forge, path: str) -> None:
    cap = CAPS[path]
    assert_read(path, forge.post(path, _padded(path, cap)))
    assert_refused(forge.post(path, _padded(path, cap + 1)), Reason.BODY_TOO_LARGE)
    assert_read(path, forge.post(path, read(path)))  # on the same connection


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("pieces", [1, 7])
def test_the_cap_holds_for_a_body_in_chunks(forge: Forge, path: str, pieces: int) -> None:
    def chunks(length: int) -> list[bytes]:
        body, step = _padded(path, length), -(-length // pieces)
        return [body[start : start + step] for start in range(0, length, step)]

    cap = CAPS[path]
    assert_read(path, forge.post(path, chunks(cap)))
    assert_refused(forge.post(path, chunks(cap + 1)), Reason.BODY_TOO_LARGE)
    assert_read(path, forge.post(path, chunks(20)))


@pytest.mark.parametrize("path", ROUTES)
def test_a_declared_length_is_refused_before_its_body_is_sent(forge: Forge, path: str) -> None:
    for length in (CAPS[path] + 1, 10**17, 2**64 - 1):
        with socket.create_connection(forge.address, timeout=10) as connection:
            connection.sendall(
                b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (path.encode(), length)
            )
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("cap", [64, 3_000_000])
def test_a_cap_that_is_set_rules_on_every_route(tmp_path: Any, cap: int) -> None:
    with forging(tmp_path, limits__max_body_bytes=cap) as forge:
        for path in ROUTES:
            assert_read(path, forge.post(path, _padded(path, cap)))
            assert_refused(forge.post(path, _padded(path, cap + 1)), Reason.BODY_TOO_LARGE)


# Rotate has no body


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        pytest.param(b"[]", [JSON], Reason.MALFORMED, id="a list"),
        pytest.param(b"null", [JSON], Reason.MALFORMED, id="null"),
        pytest.param(b'{"force":1}', [JSON], Reason.MALFORMED, id="a member"),
        pytest.param(b"{", [JSON], Reason.MALFORMED, id="no JSON"),
        pytest.param(b"\xff", [JSON], Reason.MALFORMED, id="not UTF-8"),
        pytest.param(b"{}", [], Reason.UNSUPPORTED_MEDIA_TYPE, id="no media type"),
        pytest.param(b"{}", [("content-type", "text/plain")], Reason.UNSUPPORTED_MEDIA_TYPE, id="text"),
        pytest.param(
            b"{}", [JSON, ("content-encoding", "gzip")], Reason.UNSUPPORTED_MEDIA_TYPE, id="content-encoding"
        ),
        pytest.param(b" " * 65, [JSON], Reason.BODY_TOO_LARGE, id="65 bytes"),
    ],
)
def test_rotate_has_no_body(
    forge: Forge, body: bytes, headers: list[tuple[str, str]], reason: Reason
) -> None:
    before = forge.kid
    assert_refused(forge.ask("POST", ROTATE, body, headers), reason)
    assert_refused(forge.ask("POST", ROTATE, [body], headers), reason)
    assert forge.kid == before


# Strict JSON

HOLES = {
    ISSUE: [b"%b", b'{"x":%b}', b'{"x":[{"y":%b}]}'],
    VERIFY: [b"%b", b'{"alg":%b}', b'{"token":%b}', b'{"unknown":[%b]}'],
    BATCH: [b"%b", b"[%b]", b'{"items":[%b]}', b'[{"token":%b}]'],
    REVOKE: [b"%b", b'{"kid":%b}'],
}
"""Where in a body a value may stand."""


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b'"\xc0\xaf"', id="an overlong form"),
        pytest.param(b'"\xe2\x82"', id="half a character"),
        pytest.param(b'"\xf4\x90\x80\x80"', id="beyond U+10FFFF"),
        pytest.param(b'"\xed\xa0\x80"', id="a raw lone surrogate"),
        pytest.param(b'"\xed\xa0\xbd\xed\xb8\x80"', id="a raw pair of surrogates"),
        pytest.param(b'"\\ud800"', id="an escaped high surrogate"),
        pytest.param(b'"\\uDFFF"', id="an escaped low surrogate"),
        pytest.param(b'"\\ude00\\ud83d"', id="a pair the wrong way round"),
        pytest.param(b'"\\ud83d \\ude00"', id="a pair with a space between"),
        pytest.param(b'{"\\ud800":1}', id="a lone surrogate in a name"),
        pytest.param(b"\xef\xbb\xbf0", id="a BOM"),
        pytest.param(b"0\xef\xbb\xbf", id="a BOM behind"),
        pytest.param(b'{"a":1,"a":1}', id="a name twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="a name twice, once escaped"),
        pytest.param(b'{"":1,"":2}', id="an empty name twice"),
        pytest.param(b'[[{"b":{"a":[],"c":0,"a":[]}}]]', id="a name twice, deep down"),
        pytest.param(b"9007199254740992", id="2^53"),
        pytest.param(b"-9007199254740992", id="-2^53"),
        pytest.param(b"18446744073709551616", id="2^64"),
        pytest.param(b"1" + b"0" * 5000, id="5001 digits"),
        pytest.param(b"1e400", id="an overflow"),
        pytest.param(b"-1E+400", id="a negative overflow"),
        pytest.param(b"1" * 400 + b".0", id="an overflow in digits"),
        pytest.param(b"1e99999999999999999999", id="a huge exponent"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b"-NaN", id="-NaN"),
        pytest.param(b"nan", id="nan"),
        pytest.param(b"Infinity", id="Infinity"),
        pytest.param(b"-Infinity", id="-Infinity"),
        pytest.param(b"[" * 17 + b"]" * 17, id="17 lists"),
        pytest.param(b'{"a":' * 17 + b"0" + b"}" * 17, id="17 objects"),
        pytest.param(b"[" * 3_000 + b"]" * 3_000, id="3,000 lists"),
        pytest.param(b"[" * 3_000, id="3,000 brackets"),
        pytest.param(b'{"a":' * 3_000, id="3,000 open objects"),
        pytest.param(b"01", id="a leading zero"),
        pytest.param(b"+1", id="a plus"),
        pytest.param(b".5", id="no digit before the point"),
        pytest.param(b"1.", id="no digit after the point"),
        pytest.param(b"1e", id="no exponent"),
        pytest.param(b"0x10", id="hexadecimal"),
        pytest.param(b"1_000", id="an underscore"),
        pytest.param("１".encode(), id="a full-width digit"),
        pytest.param('"\\u００４１"'.encode(), id="an escape of full-width digits"),
        pytest.param(b"True", id="True"),
        pytest.param(b"None", id="None"),
        pytest.param(b"undefined", id="undefined"),
        pytest.param(b"'a'", id="single quotes"),
        pytest.param(b'"a', id="no end of a string"),
        pytest.param(b'"\x00"', id="a raw NUL"),
        pytest.param(b'"\n"', id="a raw newline"),
        pytest.param(b'"\x1f"', id="a raw control character"),
        pytest.param(b'"\\x41"', id="another escape"),
        pytest.param(b'"\\u12"', id="half an escape"),
        pytest.param(b'"\\u+041"', id="a sign in an escape"),
        pytest.param(b"[1,]", id="a comma behind"),
        pytest.param(b"[1 1]", id="no comma"),
        pytest.param(b'{"a":1,}', id="a comma behind a member"),
        pytest.param(b"{a:1}", id="a name without quotes"),
        pytest.param(b'{"a"}', id="a name without a value"),
        pytest.param(b"{1:1}", id="a number for a name"),
        pytest.param(b"0 // comment", id="a comment"),
        pytest.param(b"/**/0", id="a comment in front"),
        pytest.param(b"\x0c0", id="a form feed"),
        pytest.param(b"\xc2\xa00", id="a no-break space"),
        pytest.param(b"0 0", id="two values"),
        pytest.param(b"0}", id="a brace behind"),
        pytest.param(b"\x1e0\n", id="RFC 7464's separator"),
        pytest.param(json.dumps({"a": 1}).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps({"a": 1}).encode("utf-32-le"), id="UTF-32"),
    ],
)
def test_a_body_that_means_nothing_or_two_things_is_malformed(forge: Forge, value: bytes) -> None:
    for path, holes in HOLES.items():
        for hole in holes:
            assert_refused(forge.post(path, hole % value), Reason.MALFORMED)
            if path in (VERIFY, BATCH):
                assert_refused(forge.post(path + "?detail=1", hole % value), Reason.MALFORMED)


@pytest.mark.parametrize(
    "value",
    [
        b"9007199254740991",
        b"-9007199254740991",
        b"-0",
        b"0.1",
        b"1.7976931348623157e308",
        b"5e-324",
        b"1e-400",
        b"0.1000000000000000055511151231257827021181583404541015625",
        b"1e21",
        pytest.param(b"0." + b"1" * 5000, id="5000 digits behind the point"),
        pytest.param(b"[" * 13 + b"]" * 13, id="16 levels with what is around them"),
        pytest.param(b'"\\ud83d\\ude00"', id="an escaped pair of surrogates"),
        pytest.param('"\U0001f600\uffff\ufdd0"'.encode(), id="astral, and no characters"),
        pytest.param(b'"\\u0000\\/\\b\\f"', id="escapes"),
        pytest.param('"\ufeff"'.encode(), id="a BOM in a string"),
        pytest.param(b'{"":1}', id="an empty name"),
        pytest.param(b'{"a":1,"A":1}', id="names that differ in case"),
        pytest.param('{"é":1,"e\u0301":1}'.encode(), id="names that differ in normal form"),
        pytest.param(b" \t\r\n0 \t\r\n", id="every space"),
        b"true",
        b"null",
        b"[]",
        b"{}",
    ],
)
def test_a_body_up_to_every_limit_is_read(forge: Forge, value: bytes) -> None:
    for path, hole in {
        ISSUE: b'{"x":[{"y":%b}]}',
        VERIFY: b'{"alg":[%b]}',
        BATCH: b'{"items":[%b]}',
        REVOKE: b'{"kid":[[%b]]}',
    }.items():
        assert_read(path, forge.post(path, hole % value))


@pytest.mark.parametrize("path", ROUTES)
def test_16_levels_are_read_and_17_are_not(forge: Forge, path: str) -> None:
    around = {ISSUE: b'{"x":%b}', VERIFY: b'{"alg":%b}', BATCH: b"[%b]", REVOKE: b'{"kid":%b}'}[path]
    for level in (b"[%b]", b'{"a":%b}'):
        value = b"0"
        for _ in range(15):
            value = level % value
        assert_read(path, forge.post(path, around % value))
        assert_refused(forge.post(path, around % (level % value)), Reason.MALFORMED)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", [pytest.param(b"", id="nothing"), pytest.param(b" \n", id="spaces")])
def test_an_empty_body_is_malformed(forge: Forge, path: str, body: bytes) -> None:
    assert_refused(forge.post(path, body), Reason.MALFORMED)
    assert_refused(forge.post(path, iter([body])), Reason.MALFORMED)


@pytest.mark.parametrize("path", [ISSUE, REVOKE])
@pytest.mark.parametrize("body", [b"null", b"true", b"0", b'""', b"[]", b'[{"sub":"a"}]'])
def test_what_must_be_an_object_is_malformed_otherwise(forge: Forge, path: str, body: bytes) -> None:
    assert_refused(forge.post(path, body), Reason.MALFORMED)


@pytest.mark.parametrize("more", ['"":1', '"Kid":1', '"force":1', '"reason":"lost"'])
def test_revoke_has_no_other_member(forge: Forge, more: str) -> None:
    body = f'{{"kid":"{forge.kid}",{more}}}'.encode()
    assert_refused(forge.post(REVOKE, body), Reason.MALFORMED)
    assert forge.detail(forge.issue())["ok"], "nothing was revoked"


# What is not JSON but HTTP


@pytest.mark.parametrize(
    "body",
    [pytest.param(b'{"aud":"svc-a"}', id="at once"), pytest.param([b'{"aud":', b'"svc-a"}'], id="in chunks")],
)
def test_an_offer_to_speak_http_2_is_ignored(forge: Forge, body: bytes | list[bytes]) -> None:
    # Java's HttpClient makes it with every first request in the clear (RFC 9110 §7.8: it may be ignored).
    offer = [
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
    ]
    with closing(Plane(forge.service.url)) as plane:
        for headers in (offer, offer, []):
            answer = plane.ask("POST", ISSUE, body, [JSON, *headers])
            assert (answer.status, answer.json.get("aud")) == (200, HERE), answer


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"MARKER /v1/keys HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a method nobody knows"),
        pytest.param(b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a path beyond ASCII"),
        pytest.param(b"GET /?\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a query beyond ASCII"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nA : b\r\n\r\n", id="a space before a colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: \x00\r\n\r\n", id="a NUL in a header"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            id="a length that is no number",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            id="a chunk without a length",
        ),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"\x00" * 64, id="zeros"),
    ],
)
def test_what_is_not_http_is_answered_with_a_problem_and_the_end(forge: Forge, sent: bytes) -> None:
    with socket.create_connection(forge.address, timeout=10) as connection:
        connection.sendall(sent)
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"
    assert b"connection: close" in headers
    assert b"content-type: application/json" in headers
    assert json.loads(body) == {
        "code": "Malformed",
        "message": "The request cannot be read.",
        "retryable": False,
        "reason": "malformed",
    }
