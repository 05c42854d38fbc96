"""What every refusal looks like, and that nothing which was sent is ever told again."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from forge import BATCH, ISSUE, JSON, REVOKE, ROTATE, VERIFY, Forge, Plane, assert_refused, forging

from svc_passport.errors import Reason

MARKER = "mArKeR-x7Qz"
PUBLIC = {
    ISSUE: "POST",
    VERIFY: "POST",
    BATCH: "POST",
    "/v1/keys": "GET, HEAD",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/version": "GET, HEAD",
}
ADMIN = {
    ROTATE: "POST",
    REVOKE: "POST",
    "/admin/attest": "GET, HEAD",
    "/metrics": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/version": "GET, HEAD",
}
"""Each path of a plane, and its methods."""


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    settings = {"server__admin_public": "false", "log__level": "debug", "keys__publish_ahead_s": 3600}
    with forging(tmp_path_factory.mktemp("problems"), **settings) as forge:
        yield forge


# Where there is nothing, and what is not done there


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v1/passport",
        "/v1/passport/",
        "/v1/passport/issue/",
        "/v1/passport/Issue",
        "/V1/keys",
        "//v1/keys",
        "/v1//keys",
        "/v1/./keys",
        "/v1/x/../keys",
        "/v1%2Fkeys",
        "/v1/%6beys",
        "/v1/keys%00",
        "/v1/keys%20",
        "/v1/keys;x=1",
        "/v1/keys.json",
        "/v2/keys",
        "/admin",
        "/.well-known/jwks.json",
        "/favicon.ico",
        "/docs",
    ],
)
def test_where_there_is_nothing_every_method_is_not_found(forge: Forge, path: str) -> None:
    for plane in (forge, forge.admin):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            assert_refused(plane.ask(method, path), Reason.NOT_FOUND)
        assert_refused(plane.ask("HEAD", path), Reason.NOT_FOUND, head=True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_neither_plane_has_the_other_s_routes(forge: Forge, method: str) -> None:
    for path in ADMIN.keys() - PUBLIC.keys():
        assert_refused(forge.ask(method, path), Reason.NOT_FOUND)
    for path in PUBLIC.keys() - ADMIN.keys():
        assert_refused(forge.admin.ask(method, path), Reason.NOT_FOUND)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]
)
def test_a_method_that_a_route_does_not_have_is_told_with_those_it_has(forge: Forge, method: str) -> None:
    for plane, routes in ((forge, PUBLIC), (forge.admin, ADMIN)):
        for path, allow in routes.items():
            if method not in allow.split(", "):
                answer = plane.ask(method, path)
                assert_refused(answer, Reason.METHOD_NOT_ALLOWED, allow=allow, head=method == "HEAD")


@pytest.mark.parametrize("path", ["/v1/keys", "/healthz", "/readyz", "/version"])
def test_head_is_get_without_the_body(forge: Forge, path: str) -> None:
    told, head = forge.get(path), forge.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers | {"date": ""} == told.headers | {"date": ""}
    assert int(head.headers["content-length"]) == len(told.body)


@pytest.mark.parametrize("path", ["/admin/attest", "/openapi.json", "/metrics"])
def test_head_is_get_without_the_body_on_the_admin_plane(forge: Forge, path: str) -> None:
    told, head = forge.admin.get(path), forge.admin.ask("HEAD", path)
    assert (head.status, head.body, head.headers.keys()) == (200, b"", told.headers.keys())


def test_request_ids_are_all_different(forge: Forge) -> None:
    ids = [plane.get("/nowhere").headers["x-request-id"] for plane in (forge, forge.admin) for _ in range(50)]
    assert len(set(ids)) == 100


# Problems of single routes


def test_a_rotation_too_soon_says_when(forge: Forge) -> None:
    answer = forge.admin.ask("POST", ROTATE)
    assert_refused(answer, Reason.TOO_SOON)
    assert 0 < answer.json["retry_after_ms"] <= 3_600_000


@pytest.mark.parametrize("key", ["k", "~" * 128, "!", "a/b:c=d,e;f"])
def test_an_idempotency_key_is_1_to_128_visible_characters(forge: Forge, key: str) -> None:
    assert_refused(forge.admin.ask("POST", ROTATE, headers=[("idempotency-key", key)]), Reason.TOO_SOON)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([""], id="empty"),
        pytest.param(["k" * 129], id="129 characters"),
        pytest.param(["a b"], id="a space"),
        pytest.param(["a\tb"], id="a tab"),
        pytest.param(["é"], id="beyond ASCII"),
        pytest.param(["a", "a"], id="twice"),
        pytest.param(["a", "b"], id="two"),
    ],
)
def test_any_other_idempotency_key_is_malformed(forge: Forge, keys: list[str]) -> None:
    headers = [("idempotency-key", key) for key in keys]
    assert_refused(forge.admin.ask("POST", f"{ROTATE}?force=1", headers=headers), Reason.MALFORMED)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [("POST", ROTATE, "rotate"), ("POST", REVOKE, "revoke"), ("GET", "/admin/attest", "attest")],
)
def test_an_admin_route_looks_at_its_caller_first(forge: Forge, method: str, path: str, scope: str) -> None:
    others = {"issue", "rotate", "revoke", "attest"} - {scope}
    for query in ("", "?x=1"):
        bad = forge.admin.ask(method, path + query, b"{", [("authorization", "Bearer x")])
        assert_refused(bad, Reason.UNAUTHORIZED)
        other = forge.capability(*(f"passport:{other}" for other in others))
        assert_refused(forge.admin.ask(method, path + query, b"{", [other]), Reason.SCOPE_DENIED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("origin", "http://127.0.0.1"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", ""),
        ("host", "example.com"),
    ],
)
def test_a_web_page_is_forbidden_everything_in_development(forge: Forge, name: str, value: str) -> None:
    for plane, routes in ((forge, PUBLIC), (forge.admin, ADMIN)):
        for path in [*routes, "/nowhere"]:
            for method in ("GET", "POST", "OPTIONS"):
                assert_refused(plane.ask(method, path, headers=[(name, value)]), Reason.FORBIDDEN)


# If-None-Match


@pytest.mark.parametrize(
    ("form", "matches"),
    [
        pytest.param([b"%b"], True, id="the tag"),
        pytest.param([b"W/%b"], True, id="weak"),
        pytest.param([b"*"], True, id="a star"),
        pytest.param([b" \t%b \t"], True, id="spaces around"),
        pytest.param([b'"a", %b'], True, id="last of two"),
        pytest.param([b'%b,"a"'], True, id="first of two"),
        pytest.param([b'"a" ,\tW/"b",W/%b , ""'], True, id="among several"),
        pytest.param([b",, %b ,"], True, id="empty elements"),
        pytest.param([b'"a,b", %b'], True, id="a comma in another tag"),
        pytest.param([b'"a\xff", %b'], True, id="obs-text in another tag"),
        pytest.param([b'"a"', b"%b"], True, id="in a second header"),
        pytest.param([b"%b", b'"a"'], True, id="in a first header"),
        pytest.param([b'"a"'], False, id="another tag"),
        pytest.param([b'""'], False, id="an empty tag"),
        pytest.param([b""], False, id="empty"),
        pytest.param([b","], False, id="a comma"),
        pytest.param([b"x%b"], False, id="something in front"),
        pytest.param([b"%bx"], False, id="something behind"),
        pytest.param([b"w/%b"], False, id="weak in lowercase"),
        pytest.param([b"W/ %b"], False, id="weak with a space"),
        pytest.param([b"W%b"], False, id="weak without a slash"),
        pytest.param([b"'%b'"], False, id="in single quotes"),
        pytest.param([b"%b %b"], False, id="no comma"),
        pytest.param([b"%b;%b"], False, id="a semicolon"),
        pytest.param([b"a, %b"], False, id="a token in the list"),
        pytest.param([b'"a, %b'], False, id="an open quote"),
        pytest.param([b"*, %b"], False, id="a star in a list"),
        pytest.param([b"*", b"*"], False, id="two stars"),
        pytest.param([b'"*"'], False, id="a star as a tag"),
        pytest.param([b"**"], False, id="a star too many"),
        pytest.param([b"W/*"], False, id="a weak star"),
        pytest.param([b'"a b", %b'], False, id="a space in a tag"),
    ],
)
def test_if_none_match_is_read_as_rfc_9110_says(forge: Forge, form: list[bytes], matches: bool) -> None:
    whole = forge.get("/v1/keys")
    etag = whole.headers["etag"].encode()
    values = [f.replace(b"%b", etag).decode("latin-1") for f in form]
    headers = [("if-none-match", value) for value in values]
    for method in ("GET", "HEAD"):
        answer = forge.ask(method, "/v1/keys", headers=headers)
        same = {name: answer.headers[name] for name in ("content-type", "cache-control", "etag")}
        assert same.items() <= whole.headers.items()
        if matches:
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers.keys() == {"date", "content-type", "cache-control", "etag"}
        else:
            assert (answer.status, answer.body) == (200, whole.body if method == "GET" else b"")


def test_an_etag_without_its_quotes_or_in_uppercase_does_not_match(forge: Forge) -> None:
    etag = forge.get("/v1/keys").headers["etag"]
    for value in (etag.strip('"'), etag.upper(), etag[:-2] + '"', etag[:-1]):
        assert forge.get("/v1/keys", ("if-none-match", value)).status == 200


def test_a_very_long_if_none_match_is_read_in_no_time(forge: Forge) -> None:
    for value in (" ,\t" * 15_000, '"a",' * 15_000, '"' * 60_000, "W/" * 30_000, ", " * 30_000 + "x"):
        assert forge.get("/v1/keys", ("if-none-match", value)).status == 200


# Nothing is echoed


def _nested(value: Any) -> list[Any]:
    return [value, [value], {"a": value}, {"items": [value]}]


MARKED_BODIES = [
    MARKER.encode(),
    *(
        json.dumps(body).encode()
        for value in (MARKER, {MARKER: MARKER}, {"token": MARKER}, {"token": f"{MARKER}.{MARKER}.{MARKER}"})
        for body in _nested(value)
    ),
    *(
        json.dumps(
            {"alg": "Ed25519", "aud": "a", "kid": "ed25519/a/v9", "msg_b64": "", "sig_b64": ""} | more
        ).encode()
        for more in (
            {"alg": MARKER},
            {"kid": MARKER},
            {"kid": f"ed25519/{MARKER.lower()}/v1"},
            {"aud": MARKER},
            {"msg_b64": MARKER},
            {"sig_b64": MARKER},
            {MARKER: 1},
        )
    ),
    json.dumps({"kid": MARKER, MARKER: [MARKER]}).encode(),
    json.dumps({"sub": MARKER, "scopes": ["passport:" + MARKER]}).encode(),
    json.dumps({"sub": MARKER, "ttl_s": MARKER}).encode(),
    json.dumps({"sub": MARKER, "pad": "x" * 5000}).encode(),
    f'{{"a":"{MARKER}","a":"{MARKER}"}}'.encode(),
    f'{{"a":"{MARKER}'.encode(),
    MARKER.encode("utf-16"),
    MARKER.encode() + b"\xff",
]


def _assert_silent(forge: Forge, *told: bytes) -> None:
    for text in (*told, forge.service.log.read_bytes()):
        for form in (MARKER, MARKER.lower()):
            assert form.encode() not in text
            assert form.encode("utf-16-le") not in text


@pytest.mark.parametrize("path", [ISSUE, VERIFY, BATCH, ROTATE, REVOKE])
def test_no_body_is_echoed_or_logged(forge: Forge, path: str) -> None:
    plane: Plane = forge.admin if path in ADMIN else forge
    for body in MARKED_BODIES:
        for headers in ([JSON], [], [("content-type", "text/plain")]):
            answer = plane.ask("POST", path, body, headers)
            assert answer.status < 500
            _assert_silent(forge, answer.body, str(answer.headers).encode())


def test_no_path_method_or_query_is_echoed_or_logged(forge: Forge) -> None:
    for plane, routes in ((forge, PUBLIC), (forge.admin, ADMIN)):
        for path in (*routes, f"/{MARKER}", f"/v1/{MARKER}/keys", f"/%00{MARKER}"):
            for query in (
                f"?{MARKER}=1",
                f"?aud={MARKER}",
                f"?detail={MARKER}",
                f"?format={MARKER}",
                f"?{MARKER}",
            ):
                for method in ("GET", "POST", "PUT"):
                    answer = plane.ask(method, path + query)
                    assert 400 <= answer.status < 500
                    _assert_silent(forge, answer.body, str(answer.headers).encode())


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "authorization",
        "content-encoding",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "idempotency-key",
        "if-none-match",
        "origin",
        "referer",
        "sec-fetch-site",
        "traceparent",
        "user-agent",
        "x-forwarded-for",
        "x-request-id",
        MARKER,
    ],
)
def test_no_header_is_echoed_or_logged(forge: Forge, name: str) -> None:
    for plane, routes in ((forge, PUBLIC), (forge.admin, ADMIN)):
        for path, allow in routes.items():
            for value in (MARKER, f"Bearer {MARKER}", f'"{MARKER}"', f"{MARKER}\xff"):
                answer = plane.ask(allow.partition(",")[0], path, headers=[(name, value)])
                assert answer.status < 500
                _assert_silent(forge, answer.body, str(answer.headers).encode())


def test_what_is_not_http_is_neither_echoed_nor_logged(forge: Forge) -> None:
    for sent in (f"{MARKER} / HTTP/1.1\r\n\r\n", f"GET {MARKER} HTTP/1.1\r\n\r\n", f"GET / {MARKER}\r\n\r\n"):
        with socket.create_connection(forge.address, timeout=10) as connection:
            connection.sendall(sent.encode())
            _assert_silent(forge, b"".join(iter(lambda: connection.recv(65536), b"")))


def test_what_is_issued_and_verified_is_not_logged(forge: Forge) -> None:
    envelope = forge.issue(
        sub=MARKER, aud=MARKER, scopes=[MARKER], nonce=MARKER, ctx={MARKER: MARKER}, x=MARKER
    )
    token = forge.issue_compact(sub=MARKER)
    for query in (f"&aud={MARKER}&scope={MARKER}", f"&aud={MARKER}x", f"&scope={MARKER}x"):
        forge.detail(envelope, query)
        forge.post(f"{BATCH}?detail=1{query}", json.dumps([envelope, {"token": token}]).encode())
    _assert_silent(forge)
    log = forge.service.log.read_bytes()
    for secret in (*token.split("."), envelope["msg_b64"], envelope["sig_b64"]):
        assert secret.encode() not in log
