"""``openapi.json`` is valid, says what the routes and the table of problems say, and real answers fit it."""

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, cast

import pytest
from forge import BATCH, ISSUE, JSON, REVOKE, ROTATE, VERIFY, Answer, Forge, Headers, Plane, forging
from nacl.signing import VerifyKey
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from svc_passport import __version__
from svc_passport.config import MIB
from svc_passport.errors import Reason
from svc_passport.http.app import Route, admin_routes, public_routes
from svc_passport.http.handlers import Handlers
from svc_passport.http.openapi import document
from svc_passport.http.problems import PROBLEMS

DOCUMENT: dict[str, Any] = json.loads(document())
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "servers"
}
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
EVERYWHERE = {"date", "content-type", "content-length"}
"""Headers that OpenAPI leaves to HTTP."""


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("openapi"), keys__publish_ahead_s=3600) as forge:
        yield forge


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference refers to, or the value itself."""
    while "$ref" in value:
        found: Any = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def _closed(value: Any) -> Any:
    """Return schemas in which an object has no members but those that are described."""
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    closed = {name: _closed(item) for name, item in value.items()}
    return (
        {"additionalProperties": False} | closed
        if value.get("type") == "object" and "properties" in value
        else closed
    )


@cache
def _components() -> dict[str, Any]:
    return {"schemas": {name: _closed(schema) for name, schema in SCHEMAS.items()}}


def assert_fits(value: object, schema: dict[str, Any]) -> None:
    """Check that a value is what a schema describes, and has no member that it does not."""
    whole = OAS31Validator(schema | {"components": _components()})
    faults = [f"{fault.json_path}: {fault.message}" for fault in whole.iter_errors(value)]
    assert not faults, faults


def fits(value: object, schema: dict[str, Any]) -> bool:
    return bool(OAS31Validator(schema | {"components": _components()}).is_valid(value))


# The document


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [fault.message for fault in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_document_is_of_this_version() -> None:
    assert DOCUMENT["info"]["version"] == __version__


class _Handlers:
    """Stands for handlers whose routes are only looked at."""

    def __getattr__(self, name: str) -> str:
        return name


def _operations(routes: list[Route]) -> set[tuple[str, str]]:
    return {(method, route.path) for route in routes for method in route.handlers}


def test_the_document_has_exactly_the_routes_that_are_served() -> None:
    handlers = cast("Handlers", _Handlers())
    assert set(OPERATIONS) == _operations([*public_routes(handlers), *admin_routes(handlers)])


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_each_path_says_on_which_plane_it_is(path: str) -> None:
    handlers = cast("Handlers", _Handlers())
    on_public = path in {route.path for route in public_routes(handlers)}
    on_admin = path in {route.path for route in admin_routes(handlers)}
    item = DOCUMENT["paths"][path]
    told = next(item[method]["description"] for method in ("get", "post") if method in item)
    ports = [server["url"][-4:] for server in item.get("servers", DOCUMENT["servers"])]
    if on_public and on_admin:
        assert told.startswith("On both planes.")
        assert ports == ["5307", "5308"]
    elif on_admin:
        assert told.startswith("On the admin plane; on the public one too if")
        assert ports == ["5308", "5307"]
    else:
        assert told.startswith("On the public plane.")
        assert ports == ["5307"]


def test_codes_and_reasons_are_those_of_the_table() -> None:
    problems, verdicts = SCHEMAS["ProblemReason"]["enum"], SCHEMAS["VerdictReason"]["enum"]
    assert problems == [reason.value for reason in PROBLEMS]
    assert SCHEMAS["ProblemCode"]["enum"] == list(dict.fromkeys(row.code for row in PROBLEMS.values()))
    assert {*problems, *verdicts} == {reason.value for reason in Reason}


@pytest.mark.parametrize("name", DOCUMENT["components"]["responses"])
def test_a_problem_has_one_status_and_the_codes_of_its_reasons(name: str) -> None:
    response = DOCUMENT["components"]["responses"][name]
    content = response["content"]["application/json"]
    said = content["schema"]["allOf"][1]["properties"]
    rows = [row for reason, row in PROBLEMS.items() if reason.value in said["reason"]["enum"]]
    (status,) = {row.status for row in rows}
    assert said["code"]["enum"] == list(dict.fromkeys(row.code for row in rows))
    assert list(content["examples"]) == said["reason"]["enum"]
    assert ("Retry-After" in response["headers"]) == (status in (409, 503))
    assert ("WWW-Authenticate" in response["headers"]) == (status == 401)
    assert "X-Request-Id" in response["headers"]
    for operation in OPERATIONS.values():
        for code, used in operation["responses"].items():
            assert used.get("$ref") != f"#/components/responses/{name}" or code == str(status)


def test_every_component_is_used() -> None:
    text = document().decode()
    for kind in ("schemas", "parameters", "headers", "responses", "examples"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, (kind, name)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", [path for method, path in OPERATIONS if method == "HEAD"])
def test_head_is_described_as_get(path: str) -> None:
    head, get = OPERATIONS["HEAD", path], OPERATIONS["GET", path]
    for said in ("parameters", "security", "tags"):
        assert head.get(said) == get.get(said)
    assert head["responses"].keys() == get["responses"].keys()
    for status, response in get["responses"].items():
        assert head["responses"][status].get("headers") == response.get("headers")


# Its examples


def _examples() -> Iterator[Any]:
    for (method, path), operation in OPERATIONS.items():
        bodies = {f"{method} {path}": operation.get("requestBody", {})} | {
            f"{method} {path} {status}": resolved(response)
            for status, response in operation["responses"].items()
        }
        for where, body in bodies.items():
            for media in body.get("content", {}).values():
                for name, example in media.get("examples", {}).items():
                    yield pytest.param(resolved(example)["value"], media["schema"], id=f"{where} {name}")


@pytest.mark.parametrize(("value", "schema"), list(_examples()))
def test_an_example_fits_its_schema(value: object, schema: dict[str, Any]) -> None:
    assert_fits(value, schema)


@pytest.mark.parametrize(
    "reason", [r for r in PROBLEMS if r.value in DOCUMENT["components"]["examples"]], ids=str
)
def test_the_example_of_a_problem_is_the_problem(reason: Reason) -> None:
    row, example = PROBLEMS[reason], dict(DOCUMENT["components"]["examples"][reason.value]["value"])
    example.pop("retry_after_ms", None)
    expected = {"code": row.code, "message": row.message, "retryable": row.retryable, "reason": reason.value}
    assert list(example.items()) == list(expected.items())


def test_the_example_tokens_verify_under_the_example_key_set(forge: Forge) -> None:
    examples = {name: e["value"] for name, e in DOCUMENT["components"]["examples"].items()}
    keys = {key["kid"]: VerifyKey(urlsafe_b64decode(key["x"] + "=")) for key in examples["keySet"]["keys"]}
    envelope = examples["envelope"]
    keys[envelope["kid"]].verify(b64decode(envelope["msg_b64"]), b64decode(envelope["sig_b64"]))
    signed, _, signature = examples["compact"]["token"].rpartition(".")
    header = json.loads(urlsafe_b64decode(signed.partition(".")[0] + "=="))
    keys[header["kid"]].verify(signed.encode(), urlsafe_b64decode(signature + "=="))
    for carrier in (envelope, examples["compact"]):
        assert forge.detail(carrier)["ok"] is False, "it is of another service"


# Its requests


BODIES: dict[str, list[tuple[object, str | None]]] = {
    ISSUE: [
        ({}, None),
        ({"aud": "a", "sub": "b", "x": {"Y": [None]}}, None),
        ({"aud": ["a", "b"], "scopes": [], "nbf": -1, "nonce": "", "ctx": {}, "ttl_s": 1}, None),
        ([], "malformed"),
        ({"aud": []}, "malformed"),
        ({"aud": ["a", "a"]}, "malformed"),
        ({"aud": ""}, "malformed"),
        ({"sub": 1}, "malformed"),
        ({"nbf": 1.5}, "malformed"),
        ({"nbf": True}, "malformed"),
        ({"ttl_s": 0}, "malformed"),
        ({"scopes": "read"}, "malformed"),
        ({"ctx": []}, "malformed"),
        ({"X": 1}, "malformed"),
        ({"": 1}, "malformed"),
        ({"iss": "x"}, "reserved_claim"),
        ({"kid": "x"}, "reserved_claim"),
        ({"scopes": ["passport:issue"]}, "scope_denied"),
    ],
    VERIFY: [
        (None, "malformed"),
        ({"token": "a.b"}, "malformed"),
        ({"token": "a.b.c", "alg": "Ed25519"}, "malformed"),
        ({"alg": "none", "aud": "a", "kid": "ed25519/a/v1", "msg_b64": "", "sig_b64": ""}, "bad_alg"),
        ({"alg": "Ed25519", "aud": "a", "kid": "v1", "msg_b64": "", "sig_b64": ""}, "bad_kid"),
        (
            {"alg": "Ed25519", "aud": "", "kid": "ed25519/a/v1", "msg_b64": "", "sig_b64": ""},
            "bad_aud",
        ),
        (
            {"alg": "Ed25519", "aud": "a", "kid": "ed25519/a/v1", "msg_b64": "QR==", "sig_b64": ""},
            "malformed",
        ),
    ],
    REVOKE: [
        ({}, "bad_kid"),
        ({"kid": "ed25519/default/v01"}, "bad_kid"),
        ({"kid": "ed25519/default/v1", "force": 1}, "malformed"),
        ({"kid": "ed25519/default/v1"}, None),
    ],
}


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        pytest.param(path, body, reason, id=f"{path} {json.dumps(body)[:60]}")
        for path, table in BODIES.items()
        for body, reason in table
    ],
)
def test_a_request_that_does_not_fit_is_refused(
    forge: Forge, path: str, body: object, reason: str | None
) -> None:
    schema = OPERATIONS["POST", path]["requestBody"]["content"]["application/json"]["schema"]
    answer = forge.post(path, json.dumps(body).encode())
    assert fits(body, schema) == (reason is None)
    assert (answer.json.get("reason"), answer.status == 200) == (reason, reason is None)


# Its answers


class Asked(NamedTuple):
    """A request, and the status that it gets."""

    status: int
    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Headers = (JSON,)

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path}{self.query} {self.body[:30]!r}"


GETS = ("/v1/keys", "/healthz", "/readyz", "/version", "/admin/attest", "/metrics", "/openapi.json")
NOBODY = (("authorization", "Bearer x"),)
A_PAGE = (("origin", "http://localhost"),)
TOO_LONG = b" " * (MIB + 1)
REQUESTS = [
    *(Asked(200, method, path, headers=()) for path in GETS for method in ("GET", "HEAD")),
    *(Asked(400, method, path, "?x=1", headers=()) for path in GETS for method in ("GET", "HEAD")),
    *(Asked(403, method, path, headers=A_PAGE) for path in GETS for method in ("GET", "HEAD")),
    *(Asked(304, method, "/v1/keys", headers=(("if-none-match", "*"),)) for method in ("GET", "HEAD")),
    *(Asked(401, method, "/admin/attest", headers=NOBODY) for method in ("GET", "HEAD")),
    *(Asked(403, "POST", path, headers=A_PAGE) for path in (ISSUE, VERIFY, BATCH, ROTATE, REVOKE)),
    *(Asked(401, "POST", path, headers=NOBODY) for path in (ISSUE, ROTATE, REVOKE)),
    *(Asked(415, "POST", path, body=b"{}", headers=()) for path in (ISSUE, VERIFY, BATCH, ROTATE, REVOKE)),
    *(Asked(413, "POST", path, body=TOO_LONG * 3) for path in (ISSUE, VERIFY, BATCH, ROTATE, REVOKE)),
    *(Asked(400, "POST", path, body=b"{") for path in (ISSUE, VERIFY, BATCH, ROTATE, REVOKE)),
    Asked(200, "POST", ISSUE, body=b'{"sub":"alice"}'),
    Asked(200, "POST", ISSUE, "?format=compact", b'{"aud":["a","b"]}'),
    Asked(400, "POST", ISSUE, body=b'{"iss":1}'),
    Asked(400, "POST", ISSUE, body=b'{"ttl_s":100000}'),
    Asked(403, "POST", ISSUE, body=b'{"scopes":["passport:x"]}'),
    Asked(413, "POST", ISSUE, body=b'{"x":"%b"}' % (b"x" * 5000)),
    Asked(400, "POST", VERIFY, body=b"{}"),
    Asked(400, "POST", VERIFY, body=b'{"alg":"Ed25519"}'),
    Asked(400, "POST", VERIFY, body=b'{"alg":"Ed25519","kid":"ed25519/a/v1"}'),
    Asked(
        400,
        "POST",
        VERIFY,
        body=b'{"alg":"Ed25519","aud":"a","kid":"ed25519/a/v1","msg_b64":"","sig_b64":""}',
    ),
    Asked(200, "POST", VERIFY, "?detail=1", b"{}"),
    Asked(200, "POST", BATCH, body=b"[]"),
    Asked(200, "POST", BATCH, body=b'{"items":[0]}'),
    Asked(200, "POST", BATCH, "?detail=1", b"[0,{}]"),
    Asked(413, "POST", BATCH, body=b"[%b0]" % (b"0," * 512)),
    Asked(409, "POST", ROTATE, headers=()),
    Asked(200, "POST", ROTATE, "?force=1", headers=(("idempotency-key", "once"),)),
    Asked(400, "POST", ROTATE, headers=(("idempotency-key", "a b"),)),
    Asked(200, "POST", REVOKE, body=b'{"kid":"ed25519/default/v1"}'),
    Asked(400, "POST", REVOKE, body=b'{"kid":"v1"}'),
    Asked(400, "POST", REVOKE, body=b'{"kid":"ed25519/default/v999"}'),
]


def assert_described(method: str, path: str, answer: Answer) -> None:
    """Check that an answer is one that the document describes: its status, its headers, its body."""
    responses = OPERATIONS[method, path]["responses"]
    assert str(answer.status) in responses
    response = resolved(responses[str(answer.status)])
    headers = {name.lower(): resolved(header) for name, header in response.get("headers", {}).items()}
    assert answer.headers.keys() - EVERYWHERE == headers.keys()
    for name, header in headers.items():
        numeric = header["schema"].get("type") == "integer"
        assert_fits(int(answer.headers[name]) if numeric else answer.headers[name], header["schema"])
    if method == "HEAD" or answer.status == 304:
        assert answer.body == b""
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = response["content"][media_type]["schema"]
    assert_fits(answer.body.decode() if media_type.startswith("text/") else answer.json, schema)


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_a_real_answer_is_as_it_is_described(forge: Forge, asked: Asked) -> None:
    answer = forge.ask(asked.method, asked.path + asked.query, asked.body, asked.headers)
    assert answer.status == asked.status
    assert_described(asked.method, asked.path, answer)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ISSUE), ("POST", ROTATE), ("POST", REVOKE), ("GET", "/admin/attest")]
)
def test_a_capability_for_another_door_is_answered_as_described(forge: Forge, method: str, path: str) -> None:
    answer = forge.ask(method, path, headers=[forge.capability("passport:nothing")])
    assert answer.status == 403
    assert_described(method, path, answer)


def test_every_verdict_is_as_it_is_described(forge: Forge) -> None:
    envelope, token = (
        forge.issue(sub="alice", scopes=["read"], nbf=0, ctx={}, nonce="n", x=1),
        forge.issue_compact(),
    )
    for query in ("", "?detail=1", "?aud=svc-b", "?aud=svc-b&detail=1", "?scope=write&detail=1"):
        for carrier in (envelope, {"token": token}, envelope | {"kid": Forge.revoked_kid}):
            assert_described("POST", VERIFY, forge.post(VERIFY + query, json.dumps(carrier).encode()))
        batch = json.dumps([envelope, {"token": token}, 0]).encode()
        assert_described("POST", BATCH, forge.post(BATCH + query, batch))


def test_each_status_below_500_that_is_described_is_shown_here() -> None:
    described = {
        (method, path, int(status))
        for (method, path), operation in OPERATIONS.items()
        for status in operation["responses"]
        if int(status) < 500
    }
    assert described == {(asked.method, asked.path, asked.status) for asked in REQUESTS}


def test_what_is_served_is_the_document(forge: Forge) -> None:
    for plane in (forge, forge.admin):
        assert plane.get("/openapi.json").body == document()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
def test_both_planes_answer_as_described(forge: Forge, path: str) -> None:
    planes: tuple[Plane, ...] = (forge, forge.admin)
    for plane in planes:
        assert_described("GET", path, plane.get(path))
