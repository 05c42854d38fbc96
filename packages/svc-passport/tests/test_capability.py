"""A capability opens the doors that its scopes name, and nothing else opens any (SPEC 5)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from minted import NOW_S, RULES, Mint
from running import Running, environment, running

from svc_passport.bootstrap import make_store, open_keyring
from svc_passport.capability import (
    ADMIN,
    ANONYMOUS_IN_DEVELOPMENT,
    ATTEST,
    ISSUE,
    REVOKE,
    ROTATE,
    SCOPES,
    Caller,
    caller_of,
)
from svc_passport.carriers import CAPABILITY, PASSPORT
from svc_passport.config import load
from svc_passport.errors import Reason, Refused
from svc_passport.issuer import issue, mint_capability

MINT = Mint()
DAY_S = 86400
LONGEST_S = RULES.capability_max_ttl_s
SKEW_S = RULES.clock_skew_s


def refusal(act: Callable[[], object]) -> Reason | None:
    try:
        act()
    except Refused as refused:
        return refused.reason
    return None


# What it may do.


@pytest.mark.parametrize(
    ("held", "opens"),
    [
        ([], set()),
        ([ISSUE], {ISSUE}),
        ([ROTATE, REVOKE], {ROTATE, REVOKE}),
        ([ADMIN], set(SCOPES)),
        ([ADMIN, ISSUE], set(SCOPES)),
        (["passport"], set()),
        (["passport:"], set()),
        (["passport:*"], set()),
        (["passport:ISSUE"], set()),
        (["passport:issue "], set()),
        (["passport:issue passport:rotate"], set()),
        (["read"], set()),
    ],
    ids=lambda scopes: "+".join(sorted(scopes)) or "nothing",
)
def test_scopes_open_their_doors_and_admin_opens_all(held: list[str], opens: set[str]) -> None:
    caller = MINT.caller(MINT.capability(*held))
    assert {scope for scope in SCOPES if refusal(lambda: caller.check(scope)) is None} == opens  # noqa: B023
    assert {refusal(lambda: caller.check(scope)) for scope in SCOPES} <= {None, Reason.SCOPE_DENIED}  # noqa: B023


def test_a_capability_without_scopes_opens_nothing() -> None:
    assert MINT.caller(MINT.capability(scopes=...)) == Caller(frozenset())


def test_nobody_in_development_is_an_admin() -> None:
    assert ANONYMOUS_IN_DEVELOPMENT.scopes == {ISSUE, ROTATE, REVOKE, ATTEST}
    assert refusal(lambda: ANONYMOUS_IN_DEVELOPMENT.check(ADMIN)) is Reason.SCOPE_DENIED


# Who presents one.


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_is_bearer_in_any_case(scheme: str) -> None:
    token = MINT.capability(ISSUE)
    assert caller_of(scheme + token, MINT.keyring, RULES, NOW_S) == Caller(frozenset({ISSUE}))


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "Bearer", id="no token"),
        pytest.param(lambda _: "Bearer ", id="an empty token"),
        pytest.param(lambda token: token, id="no scheme"),
        pytest.param(lambda token: f"Basic {token}", id="another scheme"),
        pytest.param(lambda token: f"Bearer{token}", id="no space"),
        pytest.param(lambda token: f"Bearer\t{token}", id="a tab"),
        pytest.param(lambda token: f"Bearer {token} {token}", id="two tokens"),
        pytest.param(lambda token: f"Bearer {token},", id="a comma after it"),
        pytest.param(lambda token: f'Bearer "{token}"', id="quotes"),
        pytest.param(lambda token: f"Bearer {token}\xa0", id="a space that is none of HTTP's"),
        pytest.param(lambda token: f"Bearer {token}=", id="padding"),
        pytest.param(lambda token: f"Bearer \xff{token}", id="a byte beyond ASCII"),
        pytest.param(lambda token: f'Bearer {{"token":"{token}"}}', id="as JSON"),
    ],
)
def test_anything_else_in_the_header_is_unauthorized(wrap: Callable[[str], str]) -> None:
    header = wrap(MINT.capability(ADMIN))
    assert refusal(lambda: caller_of(header, MINT.keyring, RULES, NOW_S)) is Reason.UNAUTHORIZED


@pytest.mark.parametrize(
    ("aud", "passes"),
    [
        (["svc-passport"], True),
        (["svc-passport", "svc-a"], False),
        (["svc-a", "svc-passport"], False),
        (["svc-passport", "svc-passport"], False),
        (["svc-a"], False),
        (["SVC-PASSPORT"], False),
        (["svc-passport "], False),
        ("svc-passport", False),
        ([], False),
    ],
    ids=str,
)
def test_its_audience_is_this_service_alone(aud: Any, passes: bool) -> None:
    token = MINT.capability(ADMIN, aud=aud)
    assert refusal(lambda: MINT.caller(token)) is (None if passes else Reason.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("claims", "passes"),
    [
        pytest.param({"exp": NOW_S + LONGEST_S}, True, id="the longest life"),
        pytest.param({"exp": NOW_S + LONGEST_S + 1}, False, id="one second too long"),
        pytest.param({"exp": NOW_S + DAY_S + 1}, True, id="longer than a passport"),
        pytest.param({"iat": NOW_S - 60, "exp": NOW_S - SKEW_S}, True, id="its last second"),
        pytest.param({"iat": NOW_S - 60, "exp": NOW_S - SKEW_S - 1}, False, id="one second late"),
        pytest.param({"iat": NOW_S + SKEW_S}, True, id="its first second"),
        pytest.param({"iat": NOW_S + SKEW_S + 1}, False, id="one second early"),
        pytest.param({"nbf": NOW_S + SKEW_S + 1}, False, id="for later"),
        pytest.param({"iss": "another"}, False, id="of another issuer"),
        pytest.param({"kid": "ed25519/default/v2"}, False, id="with another kid inside"),
        pytest.param({"scopes": "passport:admin"}, False, id="scopes that are no array"),
        pytest.param({"scopes": [1]}, False, id="a scope that is no text"),
        pytest.param({"jti": "short"}, False, id="no token id"),
        pytest.param({"Admin": True}, False, id="a name that we never sign"),
    ],
)
def test_its_claims_are_checked_as_a_passports(claims: dict[str, Any], passes: bool) -> None:
    token = MINT.capability(ADMIN, **claims)
    assert refusal(lambda: MINT.caller(token)) is (None if passes else Reason.UNAUTHORIZED)


STRANGERS: list[tuple[str, Callable[[Mint], str]]] = [
    ("a passport", lambda m: m.compact_passport(aud=[RULES.issuer], scopes=[ADMIN]).token),
    ("another kind", lambda m: m.compact(m.message(aud=[RULES.issuer], scopes=[ADMIN]), "JWT").token),
    ("another's keys", lambda _: Mint(seed=b"another's keys").capability(ADMIN)),
    ("an unknown kid", lambda m: m.compact(m.message(aud=[RULES.issuer]), CAPABILITY, kid=f"{m.kid}9").token),
    ("no algorithm", lambda m: m.compact(m.message(aud=[RULES.issuer]), CAPABILITY, alg="none").token),
    ("changed", lambda m: m.capability(ADMIN)[:-2] + "AA"),
    ("not canonical", lambda m: m.compact(m.message(aud=[RULES.issuer]) + b" ", CAPABILITY).token),
    ("too large", lambda m: m.capability(ADMIN, x="x" * 5000)),
]


@pytest.mark.parametrize(
    "token_of", [token_of for _, token_of in STRANGERS], ids=[name for name, _ in STRANGERS]
)
def test_whatever_else_is_shown_is_unauthorized(token_of: Callable[[Mint], str]) -> None:
    token = token_of(MINT)
    assert refusal(lambda: MINT.caller(token)) is Reason.UNAUTHORIZED


def test_under_a_retired_version_it_passes_and_under_a_revoked_one_not() -> None:
    mint = Mint()
    kid = mint.kid
    token = mint.capability(ADMIN, exp=mint.now_s + LONGEST_S)
    mint.rotate()
    assert refusal(lambda: mint.caller(token)) is None
    mint.now_s += 2 * DAY_S
    mint.rotate()
    assert kid.encode() not in mint.keyring.key_set().body
    assert refusal(lambda: mint.caller(token)) is None
    mint.revoke(kid)
    assert refusal(lambda: mint.caller(token)) is Reason.UNAUTHORIZED


# Who makes one.


def test_a_minted_one_passes_for_as_long_as_it_says() -> None:
    mint = Mint()
    token = mint_capability([ISSUE, ATTEST], 60, mint.keyring, RULES, mint.now_s)
    assert mint.caller(token).scopes == {ISSUE, ATTEST}
    mint.now_s += 60 + SKEW_S
    assert mint.caller(token).scopes == {ISSUE, ATTEST}
    mint.now_s += 1
    assert refusal(lambda: mint.caller(token)) is Reason.UNAUTHORIZED


@pytest.mark.parametrize(
    ("ttl_s", "reason"), [(1, None), (LONGEST_S, None), (LONGEST_S + 1, Reason.TTL_TOO_LONG)]
)
def test_none_is_minted_for_longer_than_is_allowed(ttl_s: int, reason: Reason | None) -> None:
    minted: list[str] = []

    def mint() -> None:
        minted.append(mint_capability([ADMIN], ttl_s, MINT.keyring, RULES, NOW_S))

    assert refusal(mint) is reason
    assert [MINT.caller(token).scopes for token in minted] == [{ADMIN}] * (reason is None)


@pytest.mark.parametrize("scope", [*SCOPES, "passport:", "passport::", "passport:any", "passport: issue"])
def test_no_passport_carries_a_reserved_scope(scope: str) -> None:
    for scopes in ([scope], ["read", scope]):
        asked = {"aud": [RULES.issuer], "scopes": scopes}
        assert refusal(lambda: issue(asked, MINT.keyring, RULES, NOW_S)) is Reason.SCOPE_DENIED  # noqa: B023
        asked["ttl_s"] = DAY_S + 1  # type: ignore[assignment]
        assert refusal(lambda: issue(asked, MINT.keyring, RULES, NOW_S)) is Reason.TTL_TOO_LONG  # noqa: B023


@pytest.mark.parametrize(
    "scope",
    [
        *(
            "passport",
            "Passport:issue",
            "PASSPORT:ADMIN",
            " passport:issue",
            "my-passport:issue",
            ":passport:",
        ),
        pytest.param("passport\uff1aissue", id="a wide colon"),
        pytest.param("\u0440assport:issue", id="a Cyrillic look-alike"),
        pytest.param("passport\u200b:issue", id="a space that nobody sees"),
        pytest.param("passpo\u0301rt:issue", id="an accent"),
    ],
)
def test_what_only_looks_reserved_is_ordinary_and_opens_nothing(scope: str) -> None:
    assert refusal(lambda: issue({"scopes": [scope]}, MINT.keyring, RULES, NOW_S)) is None
    caller = MINT.caller(MINT.capability(scope))
    assert {refusal(lambda: caller.check(door)) for door in SCOPES} == {Reason.SCOPE_DENIED}  # noqa: B023


# Over HTTP, in both profiles, on one store.


class Door(NamedTuple):
    """A route that asks for a capability, and what it answers behind it."""

    scope: str
    method: str
    path: str
    behind: int
    body: Any = None


DOORS = [
    Door(ISSUE, "POST", "/v1/passport/issue", 200, {"sub": "alice"}),
    Door(ROTATE, "POST", "/admin/rotate?force=2", 400),
    Door(REVOKE, "POST", "/admin/revoke", 400, {"kid": "ed25519/default/v99"}),
    Door(ATTEST, "GET", "/admin/attest", 200),
]
every_door = pytest.mark.parametrize("door", DOORS, ids=[door.scope for door in DOORS])


class House(NamedTuple):
    """A service, and a mint with its keys."""

    service: Running
    mint: Mint
    client: httpx.Client

    def knock(self, door: Door, *authorization: str) -> httpx.Response:
        """Ask for a route on its own plane, with these Authorization headers."""
        base = self.service.url if door.path.startswith("/v1") else self.service.admin_url
        headers = [("authorization", value) for value in authorization]
        return self.client.request(door.method, base + door.path, headers=headers, json=door.body)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("store")
    env = environment(keys__store=f"sqlite:{folder}/new/keys.db")
    make_store(load(env))
    return env


@pytest.fixture(scope="module")
def mint(env: dict[str, str]) -> Mint:
    return Mint(keyring=open_keyring(load(env)), now_s=int(time.time()))


@pytest.fixture(scope="module")
def closed(env: dict[str, str], mint: Mint) -> Iterator[House]:
    with running(env=env) as service, service.client(verify=False) as client:
        yield House(service, mint, client)


@pytest.fixture(scope="module")
def development(env: dict[str, str], mint: Mint) -> Iterator[House]:
    with running("--dev", env=env) as service, service.client(verify=False) as client:
        yield House(service, mint, client)


def problem(response: httpx.Response) -> tuple[int, str]:
    told = msgspec.json.decode(response.content)
    return response.status_code, told["code"]


@every_door
def test_a_closed_door_opens_with_its_scope_only(closed: House, door: Door) -> None:
    for scope in SCOPES:
        response = closed.knock(door, f"Bearer {closed.mint.capability(scope)}")
        if scope in (door.scope, ADMIN):
            assert response.status_code == door.behind
        else:
            assert problem(response) == (403, "ScopeDenied")


@every_door
def test_without_a_capability_a_closed_door_asks_for_one(closed: House, door: Door) -> None:
    refused = closed.knock(door)
    assert problem(refused) == (401, "Unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"


@every_door
@pytest.mark.parametrize("house", ["closed", "development"])
def test_a_capability_that_is_sent_is_checked(house: str, door: Door, request: pytest.FixtureRequest) -> None:
    here: House = request.getfixturevalue(house)
    mint = here.mint
    bad = [
        "",
        "Bearer",
        "Bearer x",
        "Basic x",
        f"Bearer {mint.compact_passport(aud=[RULES.issuer], scopes=[ADMIN]).token}",
        f"Bearer {mint.capability(ADMIN, exp=mint.now_s - 1000, iat=mint.now_s - 2000)}",
        f"Bearer {mint.capability(ADMIN, aud=[RULES.issuer, 'svc-a'])}",
        f"Bearer {mint.compact(mint.message(aud=[RULES.issuer]), PASSPORT, kid='ed25519/default/v77').token}",
    ]
    for authorization in bad:
        assert problem(here.knock(door, authorization)) == (401, "Unauthorized"), authorization
    other = next(scope for scope in SCOPES if scope != door.scope)
    assert problem(here.knock(door, f"Bearer {mint.capability(other)}")) == (403, "ScopeDenied")
    assert here.knock(door, f"bearer {mint.capability(door.scope)}").status_code == door.behind


@every_door
def test_two_capabilities_are_none(closed: House, door: Door) -> None:
    good = f"Bearer {closed.mint.capability(ADMIN)}"
    assert closed.knock(door, good).status_code == door.behind
    for pair in ((good, good), (good, "Bearer x"), ("Bearer x", good)):
        assert closed.knock(door, *pair).status_code in (400, 401)


@every_door
def test_in_development_nobody_needs_one(development: House, door: Door) -> None:
    assert development.knock(door).status_code == door.behind


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"", "application/json"), (b"{", "application/json"), (b"{}", "text/plain"), (b" " * 2**21, "x/y")],
    ids=["nothing", "no JSON", "another media type", "too much"],
)
def test_a_refused_caller_learns_nothing_of_the_request(
    closed: House, content: bytes, media_type: str
) -> None:
    refused = closed.client.post(
        "/v1/passport/issue?nonsense", content=content, headers={"content-type": media_type}
    )
    assert problem(refused) == (401, "Unauthorized")


def test_verifying_and_reading_keys_need_none(closed: House) -> None:
    passport, capability = closed.mint.compact_passport().token, closed.mint.capability(ADMIN)
    assert closed.client.post("/v1/passport/verify", json={"token": passport}).json() is True
    assert closed.client.post("/v1/passport/verify", json={"token": capability}).status_code == 400
    assert closed.client.get("/v1/keys").status_code == 200
