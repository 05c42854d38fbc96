"""``POST /v1/passport/issue``: which claims it signs, what it refuses, and in which order."""

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from forge import HERE, ISSUE, ISSUER, JSON, Answer, Forge, Headers, assert_refused, forging

from svc_passport.config import MIB
from svc_passport.errors import Reason

MAX_TTL_S = 86400
LARGEST = 2**53 - 1


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("issue")) as forge:
        yield forge


def asked(forge: Forge, claims: object, query: str = "") -> Answer:
    return forge.post(ISSUE + query, json.dumps(claims).encode())


def signed(envelope: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads(b64decode(envelope["msg_b64"])))


# The order


class Wrong(NamedTuple):
    """Something that is wrong with a request, as a change of it."""

    name: str
    reason: Reason
    claims: Mapping[str, Any] = MappingProxyType({})
    headers: Callable[[Forge], Headers] = lambda _: []
    media_type: str = "application/json"
    body: Callable[[bytes], bytes] = bytes

    def __str__(self) -> str:
        return self.name


ORDER = [
    [
        Wrong("no capability", Reason.UNAUTHORIZED, headers=lambda _: [("authorization", "Bearer x")]),
        Wrong("another capability", Reason.SCOPE_DENIED, headers=lambda f: [f.capability("passport:rotate")]),
    ],
    [Wrong("media type", Reason.UNSUPPORTED_MEDIA_TYPE, media_type="text/plain")],
    [Wrong("body cap", Reason.BODY_TOO_LARGE, body=lambda body: body + b" " * MIB)],
    [
        Wrong("JSON", Reason.MALFORMED, body=lambda body: body.rstrip() + b"}"),
        Wrong("no object", Reason.MALFORMED, body=lambda body: b"[%b]" % body),
    ],
    [Wrong("reserved claim", Reason.RESERVED_CLAIM, {"iss": 1})],
    [
        Wrong("type", Reason.MALFORMED, {"sub": 1}),
        Wrong("name", Reason.MALFORMED, {"X": 1}),
        Wrong("audiences", Reason.MALFORMED, {"aud": ["a", "a"]}),
    ],
    [Wrong("ttl", Reason.TTL_TOO_LONG, {"ttl_s": MAX_TTL_S + 1})],
    [Wrong("reserved scope", Reason.SCOPE_DENIED, {"scopes": ["passport:issue"]})],
    [Wrong("size", Reason.MSG_TOO_LARGE, {"pad": "x" * 5000})],
]
"""What can be wrong, in the order in which it is looked at (SPEC 3)."""


def refused(forge: Forge, *wrongs: Wrong) -> Answer:
    claims: dict[str, Any] = {"sub": "alice"}
    headers: list[tuple[str, str]] = []
    media_type = "application/json"
    for wrong in wrongs:
        claims |= wrong.claims
        headers += wrong.headers(forge)
        if wrong.media_type != "application/json":
            media_type = wrong.media_type
    body = json.dumps(claims).encode()
    for wrong in reversed(wrongs):
        body = wrong.body(body)
    return forge.ask("POST", ISSUE, body, [("content-type", media_type), *headers])


@pytest.mark.parametrize("wrong", [wrong for step in ORDER for wrong in step], ids=str)
def test_each_fault_alone_has_its_reason(forge: Forge, wrong: Wrong) -> None:
    assert_refused(refused(forge, wrong), wrong.reason)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, id=f"{first} before {second}")
        for i, step in enumerate(ORDER)
        for first in step
        for later in ORDER[i + 1 :]
        for second in later
    ],
)
def test_of_two_faults_the_earlier_is_told(forge: Forge, first: Wrong, second: Wrong) -> None:
    assert_refused(refused(forge, first, second), first.reason)


def test_everything_wrong_at_once_is_told_step_by_step(forge: Forge) -> None:
    firsts = [step[0] for step in ORDER]
    for i, first in enumerate(firsts):
        assert_refused(refused(forge, *firsts[i:]), first.reason)


# Types and names


def listed(table: dict[str, list[object]]) -> list[Any]:
    """Return a parameter for each value in a table, with its name."""
    return [pytest.param(name, v, id=f"{name}: {json.dumps(v)}") for name, vs in table.items() for v in vs]


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "jti", "kid"])
@pytest.mark.parametrize("value", [None, 1, "x", ISSUER, [], {}], ids=json.dumps)
def test_what_the_service_stamps_nobody_brings(forge: Forge, name: str, value: object) -> None:
    assert_refused(asked(forge, {name: value}), Reason.RESERVED_CLAIM)


@pytest.mark.parametrize("name", ["Iss", "ISS", "\uff49ss", "iss ".upper()])
def test_a_reserved_name_in_another_form_is_a_bad_name(forge: Forge, name: str) -> None:
    assert_refused(asked(forge, {name: "x"}), Reason.MALFORMED)


@pytest.mark.parametrize(
    "name", ["issuer", "iss2", "iss ", "iss\x00", "kids", "alg", "typ", "token", "msg_b64"]
)
def test_a_claim_that_only_looks_reserved_is_signed_as_it_is(forge: Forge, name: str) -> None:
    assert signed(forge.issue(**{name: ["x"]}))[name] == ["x"]


WRONG_TYPES: dict[str, list[object]] = {
    "aud": [
        None,
        1,
        True,
        {},
        "",
        [],
        [""],
        [1],
        ["a", None],
        ["a", ["b"]],
        ["a", "b", "a"],
        {"a": 1},
    ],
    "nbf": [None, "1", 1.5, 1.0, 1e300, True, False, [1], {}],
    "nonce": [None, 1, True, [], {}],
    "scopes": [None, "read", "read write", 1, {"read": 1}, [1], [None], ["read", ["write"]]],
    "sub": [None, 1, 1.5, False, [], ["alice"], {"id": 1}],
    "ctx": [None, "t1", 1, True, [], [["tenant", "t1"]]],
    "ttl_s": [None, "60", 0, -1, 1.0, 1.5, 60.0, True, False, [60], {}, -LARGEST],
}


@pytest.mark.parametrize(("name", "value"), listed(WRONG_TYPES))
def test_a_claim_of_another_type_is_malformed(forge: Forge, name: str, value: object) -> None:
    assert_refused(asked(forge, {name: value}), Reason.MALFORMED)


RIGHT_TYPES: dict[str, list[object]] = {
    "aud": [["a"], ["a", "b"], [" "], ["b", "a"]],
    "nbf": [0, -1, 1, LARGEST, -LARGEST],
    "nonce": ["", "n", "\x00"],
    "scopes": [[], [""], ["read"], ["read", "read"], ["b", "a"]],
    "sub": ["", "alice", "null"],
    "ctx": [{}, {"": 1}, {"iss": 1, "X": [None]}],
    "x": [None, True, 0, -0.5, "", [], {}, [{}]],
}


@pytest.mark.parametrize(("name", "value"), listed(RIGHT_TYPES))
def test_a_claim_of_the_right_type_is_signed_as_it_is(forge: Forge, name: str, value: object) -> None:
    claims = signed(forge.issue(**{name: value}))
    assert (type(claims[name]), claims[name]) == (type(value), value)


def test_an_audience_alone_becomes_a_list_and_none_is_the_issuer(forge: Forge) -> None:
    envelope = forge.issue(aud="svc-b")
    assert (envelope["aud"], signed(envelope)["aud"]) == ("svc-b", ["svc-b"])
    envelope = forge.issue(aud=["svc-c", "svc-b"])
    assert (envelope["aud"], signed(envelope)["aud"]) == ("svc-c", ["svc-c", "svc-b"])
    envelope = asked(forge, {}).json
    assert (envelope["aud"], signed(envelope)["aud"]) == (ISSUER, [ISSUER])


BAD_NAMES = [
    pytest.param("", id="empty"),
    pytest.param("A", id="uppercase"),
    pytest.param("Sub", id="uppercase first"),
    pytest.param("0", id="a digit"),
    pytest.param("1st", id="a digit first"),
    pytest.param("_x", id="an underscore"),
    pytest.param("-x", id="a hyphen"),
    pytest.param("$ref", id="a dollar"),
    pytest.param("@id", id="an at sign"),
    pytest.param("`", id="the character before a"),
    pytest.param("{", id="the character after z"),
    pytest.param(" x", id="a space"),
    pytest.param("\x00x", id="a NUL"),
    pytest.param('"', id="a quotation mark"),
    pytest.param("http://x".upper(), id="a URL in uppercase"),
    pytest.param("é", id="e with an accent"),
    pytest.param("\u0301x", id="a combining accent"),
    pytest.param("ａ", id="a full-width a"),
    pytest.param("а", id="a Cyrillic a"),
    pytest.param("ß", id="sharp s"),
    pytest.param("\u200bx", id="a zero-width space"),
    pytest.param("\ufeffx", id="a BOM"),
    pytest.param("\U0001f600", id="astral"),
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_claim_name_begins_with_a_lowercase_letter(forge: Forge, name: str) -> None:
    assert_refused(asked(forge, {name: 1}), Reason.MALFORMED)
    assert_refused(asked(forge, {"a": 1, name: 1, "z": 1}), Reason.MALFORMED)
    assert signed(forge.issue(**{f"a{name}": 1}))[f"a{name}"] == 1
    assert signed(forge.issue(ctx={name: 1}))["ctx"] == {name: 1}


@pytest.mark.parametrize("name", ["a", "z", "aZ", "a1", "http://example.com/claim", "a\U0001f600", "z\uffff"])
def test_any_other_claim_name_is_signed(forge: Forge, name: str) -> None:
    assert signed(forge.issue(**{name: 1}))[name] == 1


# Numbers


@pytest.mark.parametrize(
    ("sent", "is_signed_as"),
    [
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E15", "1000000000000000"),
        ("9007199254740991.0", "9007199254740991"),
        ("0.10", "0.1"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("1e21", "1e+21"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
    ],
)
def test_a_number_is_signed_in_its_canonical_form(forge: Forge, sent: str, is_signed_as: str) -> None:
    answer = forge.post(ISSUE, f'{{"aud":"{HERE}","zzz":[{sent}]}}'.encode())
    assert answer.status == 200
    assert b64decode(answer.json["msg_b64"]).endswith(f'"zzz":[{is_signed_as}]}}'.encode())
    assert forge.detail(answer.json)["ok"]


@pytest.mark.parametrize("sent", ["9007199254740992.0", "-9007199254740992.0", "1e16", "1e20", "9.9e20"])
def test_a_fraction_whose_canonical_form_is_too_large_an_integer_is_refused(forge: Forge, sent: str) -> None:
    # RFC 8785 writes it as digits alone, and verify would refuse those.
    assert_refused(forge.post(ISSUE, b'{"x":%b}' % sent.encode()), Reason.MALFORMED)


# Lifetimes


@pytest.mark.parametrize("ttl_s", [1, 60, MAX_TTL_S - 1, MAX_TTL_S])
def test_a_lifetime_up_to_the_longest_is_given(forge: Forge, ttl_s: int) -> None:
    claims = signed(forge.issue(ttl_s=ttl_s))
    assert claims["exp"] - claims["iat"] == ttl_s
    assert "ttl_s" not in claims


@pytest.mark.parametrize("ttl_s", [MAX_TTL_S + 1, 2**31, LARGEST])
def test_a_longer_lifetime_is_refused_not_clamped(forge: Forge, ttl_s: int) -> None:
    assert_refused(asked(forge, {"ttl_s": ttl_s}), Reason.TTL_TOO_LONG)


@pytest.mark.parametrize("name", ["ttl", "ttl_S", "ttl_ms", "ttlS"])
def test_a_lifetime_under_another_name_is_a_claim_and_no_lifetime(forge: Forge, name: str) -> None:
    claims = signed(forge.issue(**{name: 1}))
    assert claims["exp"] - claims["iat"] == 3600
    assert claims[name] == 1


# Scopes


@pytest.mark.parametrize(
    "scopes",
    [
        ["passport:"],
        ["passport:issue"],
        ["passport:admin"],
        ["passport:whatever"],
        ["passport:\x00"],
        ["read", "passport:rotate"],
    ],
    ids=str,
)
def test_a_passport_never_carries_a_reserved_scope(forge: Forge, scopes: list[str]) -> None:
    for query in ("", "?format=compact"):
        assert_refused(asked(forge, {"scopes": scopes}, query), Reason.SCOPE_DENIED)
    operator = forge.capability("passport:admin")
    answer = forge.post(ISSUE, json.dumps({"scopes": scopes}).encode(), operator)
    assert_refused(answer, Reason.SCOPE_DENIED)


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param("passport", id="no colon"),
        pytest.param("Passport:issue", id="uppercase"),
        pytest.param(" passport:issue", id="a space in front"),
        pytest.param("passport：issue", id="a full-width colon"),
        pytest.param("pаssport:issue", id="a Cyrillic a"),
        pytest.param("pass\u200bport:issue", id="a zero-width space"),
        pytest.param("passports:issue", id="a letter more"),
        pytest.param("x passport:issue", id="behind another"),
    ],
)
def test_a_look_alike_of_a_reserved_scope_is_a_scope_like_any_other(forge: Forge, scope: str) -> None:
    assert signed(forge.issue(scopes=[scope]))["scopes"] == [scope]


# Size


@pytest.mark.parametrize("letter", ["x", "é", "€", "\U0001f600", "\n", "\x1f", '"'], ids=ascii)
@pytest.mark.parametrize("query", ["", "?format=compact"], ids=["envelope", "compact"])
def test_claims_up_to_max_msg_bytes_are_signed_and_no_more(forge: Forge, query: str, letter: str) -> None:
    def message(answer: Answer) -> bytes:
        if query:
            payload = answer.json["token"].split(".")[1]
            return urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return b64decode(answer.json["msg_b64"])

    empty = len(message(asked(forge, {"pad": ""}, query)))
    each = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    letters, rest = divmod(4096 - empty, each)
    pad = letter * letters + "x" * rest
    whole = asked(forge, {"pad": pad}, query)
    assert (whole.status, len(message(whole))) == (200, 4096)
    assert forge.detail(whole.json)["claims"]["pad"] == pad
    assert_refused(asked(forge, {"pad": pad + "x"}, query), Reason.MSG_TOO_LARGE)


# Callers


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Basic YTpi",
        "Digest x",
        "Bearer é",
        "Bearer null",
    ],
)
def test_a_capability_that_is_sent_is_checked_in_development_too(forge: Forge, authorization: str) -> None:
    answer = forge.post(ISSUE, b"{}", ("authorization", authorization))
    assert_refused(answer, Reason.UNAUTHORIZED)


def test_a_passport_is_no_capability(forge: Forge) -> None:
    token = forge.issue_compact(aud=ISSUER, scopes=["admin"])
    assert_refused(forge.post(ISSUE, b"{}", ("authorization", f"Bearer {token}")), Reason.UNAUTHORIZED)


def test_two_capabilities_are_malformed(forge: Forge) -> None:
    good = forge.capability("passport:issue")
    assert_refused(forge.post(ISSUE, b"{}", good, good), Reason.MALFORMED)


@pytest.mark.parametrize("scope", ["passport:issue", "passport:admin"])
def test_a_capability_to_issue_issues(forge: Forge, scope: str) -> None:
    assert forge.post(ISSUE, b"{}", forge.capability(scope)).status == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_in_any_case(forge: Forge, scheme: str) -> None:
    _, authorization = forge.capability("passport:issue")
    token = authorization.removeprefix("Bearer ")
    answer = forge.ask("POST", ISSUE, b"{}", [JSON, ("authorization", f"{scheme} {token}")])
    assert answer.status == 200
