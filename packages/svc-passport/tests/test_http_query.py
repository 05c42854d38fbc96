"""Query strings: a parameter that is unknown, empty, repeated or misspelt is refused, on every route."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from forge import BATCH, ISSUE, JSON, REVOKE, ROTATE, VERIFY, Answer, Forge, assert_refused, forging

from svc_passport.errors import Reason


class Route(NamedTuple):
    """A route, with a body that it answers with 200, and what its query may say."""

    method: str
    path: str
    body: bytes = b""
    allowed: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = (
    Route("POST", ISSUE, b"{}", frozenset({"format"})),
    Route("POST", VERIFY, b"", frozenset({"aud", "scope", "detail"})),
    Route("POST", BATCH, b"[]", frozenset({"aud", "scope", "detail"})),
    Route("GET", "/v1/keys"),
    Route("GET", "/healthz"),
    Route("GET", "/readyz"),
    Route("GET", "/version"),
    Route("POST", ROTATE, b"", frozenset({"force"})),
    Route("POST", REVOKE, b'{"kid":"ed25519/default/v1"}'),
    Route("GET", "/admin/attest"),
    Route("GET", "/metrics"),
    Route("GET", "/openapi.json"),
)
GOOD = {"aud": "svc-a", "scope": "read", "detail": "1", "format": "compact", "force": "1"}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("query")) as forge:
        yield forge


def asked(forge: Forge, route: Route, query: str, method: str | None = None) -> Answer:
    body = route.body
    if route.path == VERIFY:
        body = json.dumps(forge.issue(scopes=["read"])).encode()
    return forge.ask(method or route.method, f"{route.path}{query}", body, [JSON] if body else [])


each_route = pytest.mark.parametrize("route", ROUTES, ids=str)


@each_route
def test_no_query_and_an_empty_one_are_the_same(forge: Forge, route: Route) -> None:
    assert asked(forge, route, "").status == 200
    assert asked(forge, route, "?").status == 200


@each_route
@pytest.mark.parametrize("name", GOOD)
def test_a_route_knows_its_own_parameters_only(forge: Forge, route: Route, name: str) -> None:
    answer = asked(forge, route, f"?{name}={GOOD[name]}")
    if name in route.allowed:
        assert answer.status == 200
    else:
        assert_refused(answer, Reason.MALFORMED)


@pytest.mark.parametrize(
    "query",
    [
        "x=1",
        "x=",
        "x",
        "=",
        "=1",
        "&",
        "%20=1",
        "%00=1",
        "%ff=1",
        "auds=svc-a",
        "Aud=svc-a",
        "aud%20=svc-a",
        "aud[]=svc-a",
        "audience=svc-a",
        "scopes=read",
        "SCOPE=read",
        "details=1",
        "Detail=1",
        "force%00=1",
        "kid=ed25519/default/v1",
        "access_token=x",
    ],
)
def test_a_parameter_that_nobody_knows_is_malformed(forge: Forge, query: str) -> None:
    for route in ROUTES:
        assert_refused(asked(forge, route, f"?{query}"), Reason.MALFORMED)
        if route.method == "GET":
            assert_refused(asked(forge, route, f"?{query}", "HEAD"), Reason.MALFORMED, head=True)


KNOWN = [pytest.param(r, n, id=f"{r.path} {n}") for r in ROUTES for n in sorted(r.allowed)]


@pytest.mark.parametrize(("route", "name"), KNOWN)
def test_an_unknown_parameter_beside_a_known_one_is_malformed(forge: Forge, route: Route, name: str) -> None:
    good = f"{name}={GOOD[name]}"
    for query in (f"{good}&x=1", f"x=1&{good}", f"{good}&", f"&{good}", f"{good}&&", f"{good}&x"):
        assert_refused(asked(forge, route, f"?{query}"), Reason.MALFORMED)


@pytest.mark.parametrize(("route", "name"), KNOWN)
def test_an_empty_parameter_is_malformed(forge: Forge, route: Route, name: str) -> None:
    for query in (name, f"{name}=", f"{name}=&{name}={GOOD[name]}", f"{name}={GOOD[name]}&{name}="):
        assert_refused(asked(forge, route, f"?{query}"), Reason.MALFORMED)


@pytest.mark.parametrize(("route", "name"), KNOWN)
def test_only_scope_stands_more_than_once(forge: Forge, route: Route, name: str) -> None:
    good = f"{name}={GOOD[name]}"
    for query in (f"{good}&{good}", f"{good}&{name}=other"):
        answer = asked(forge, route, f"?{query}")
        if name == "scope":
            assert answer.status == 200
        else:
            assert_refused(answer, Reason.MALFORMED)


@pytest.mark.parametrize(("route", "name"), [p for p in KNOWN if p.values[1] in ("detail", "force")])
@pytest.mark.parametrize(
    "value", ["0", "01", "1.0", "+1", "2", "11", "true", "yes", "on", "1;", "%EF%BC%91", "%001"]
)
def test_a_switch_is_1_or_not_there(forge: Forge, route: Route, name: str, value: str) -> None:
    assert_refused(asked(forge, route, f"?{name}={value}"), Reason.MALFORMED)
    assert asked(forge, route, f"?{name}=%31").status == 200


@pytest.mark.parametrize(
    "value", ["xml", "json", "Compact", "compact%20", "jwt", "envelope,compact", "%00", "1"]
)
def test_a_format_is_envelope_or_compact(forge: Forge, value: str) -> None:
    assert_refused(forge.post(f"{ISSUE}?format={value}", b"{}"), Reason.MALFORMED)
    assert forge.post(f"{ISSUE}?format=envelope", b"{}").json.keys() == forge.issue().keys()
    assert forge.post(f"{ISSUE}?format=compact", b"{}").json.keys() == {"token"}


@pytest.mark.parametrize(
    "query", ["aud=%ff", "aud=%C0%AF", "scope=%ED%A0%80", "aud=svc-a;scope=read", "aud=a&;"]
)
def test_a_restriction_that_cannot_be_read_is_no_restriction_left_out(forge: Forge, query: str) -> None:
    answer = forge.post(f"{VERIFY}?{query}", json.dumps(forge.issue()).encode())
    if answer.status == 200:
        assert answer.json is False
    else:
        assert_refused(answer, Reason.MALFORMED)


@pytest.mark.parametrize("length", [400, 600, 5000])
def test_a_long_query_means_what_a_short_one_means(forge: Forge, length: int) -> None:
    long = "x" * length
    body = json.dumps(forge.issue(aud=["svc-a", long[:3000]], scopes=["read"])).encode()
    more = "&scope=read" * (length // 10)
    assert forge.post(f"{VERIFY}?aud={long}", body).json is (length <= 3000)
    assert forge.post(f"{VERIFY}?aud={long}y", body).json is False
    assert forge.post(f"{VERIFY}?aud=svc-a{more}", body).json is True
    assert forge.post(f"{VERIFY}?aud=svc-a{more}&scope=write", body).json is False
    assert_refused(forge.post(f"{VERIFY}?aud={long}&aud={long}", body), Reason.MALFORMED)


def test_a_query_is_read_as_forms_are(forge: Forge) -> None:
    body = json.dumps(forge.issue(aud=["a b", "a+b", "a&b=c", "é"])).encode()
    for query in ("aud=a+b", "aud=a%20b", "aud=a%2Bb", "aud=a%26b%3Dc", "%61ud=%C3%A9", "aud=%c3%a9"):
        assert forge.post(f"{VERIFY}?{query}", body).json is True
    for query in ("aud=a%2520b", "aud=a", "aud=%E9".replace("E9", "65%CC%81")):
        assert forge.post(f"{VERIFY}?{query}", body).json is False


def test_a_query_that_is_refused_changes_nothing(forge: Forge) -> None:
    before = forge.kid
    for query in ("?force=0", "?force=1&force=1", "?x=1"):
        assert_refused(forge.ask("POST", f"{ROTATE}{query}"), Reason.MALFORMED)
        assert_refused(forge.post(f"{REVOKE}{query}", json.dumps({"kid": before}).encode()), Reason.MALFORMED)
    assert forge.kid == before
