"""Each rule at both sides of its edge, in the order of SPEC 3, step 8; asking for more lets less through."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minted import NOW_S, RULES, TOKEN_ID

from svc_passport.claims import Claims
from svc_passport.errors import Reason
from svc_passport.rules import Expected, broken

SKEW_S = RULES.clock_skew_s
MAX_TTL_S = RULES.max_ttl_s
KID = "ed25519/default/v1"
CLAIMS = Claims(
    aud=["svc-a", "svc-b"],
    exp=NOW_S + 60,
    iat=NOW_S,
    iss=RULES.issuer,
    jti=TOKEN_ID,
    kid=KID,
    scopes=["read", "write"],
)


@dataclass(frozen=True)
class Case:
    """Claims, and what they are held against. As it is, it passes."""

    claims: Claims = CLAIMS
    kid: str = KID
    presented_to: str | None = "svc-a"
    expected: Expected = Expected("svc-b", ("read",))  # noqa: RUF009 - frozen

    def but(self, **claims: Any) -> "Case":
        return replace(self, claims=msgspec.structs.replace(self.claims, **claims))

    def reason(self, *, skew_s: int = SKEW_S, now_s: int = NOW_S) -> Reason | None:
        rules = replace(RULES, clock_skew_s=skew_s)
        return broken(self.claims, self.kid, self.presented_to, self.expected, rules, now_s)


def test_what_breaks_no_rule_passes() -> None:
    assert Case().reason() is None


@pytest.mark.parametrize("skew_s", [0, 1, SKEW_S])
@pytest.mark.parametrize(
    ("times", "reason"),
    [
        pytest.param(lambda s: {"iat": NOW_S + s - 1}, None, id="iat, one second inside"),
        pytest.param(lambda s: {"iat": NOW_S + s}, None, id="iat, first second"),
        pytest.param(lambda s: {"iat": NOW_S + s + 1}, Reason.NBF, id="iat, one second too early"),
        pytest.param(lambda s: {"nbf": NOW_S + s}, None, id="nbf, first second"),
        pytest.param(lambda s: {"nbf": NOW_S + s + 1}, Reason.NBF, id="nbf, one second too early"),
        pytest.param(lambda _: {"nbf": 0}, None, id="nbf, long ago"),
        pytest.param(lambda s: {"iat": NOW_S - 60, "exp": NOW_S - s}, None, id="exp, last second"),
        pytest.param(
            lambda s: {"iat": NOW_S - 60, "exp": NOW_S - s - 1}, Reason.EXPIRED, id="exp, one second late"
        ),
        pytest.param(lambda _: {"exp": NOW_S + MAX_TTL_S}, None, id="the longest lifetime"),
        pytest.param(lambda _: {"exp": NOW_S + MAX_TTL_S + 1}, Reason.TTL_TOO_LONG, id="one second too long"),
        pytest.param(
            lambda _: {"iat": NOW_S - MAX_TTL_S, "exp": NOW_S + 1},
            Reason.TTL_TOO_LONG,
            id="one second too long, from the past",
        ),
        pytest.param(lambda _: {"exp": NOW_S, "iat": NOW_S}, None, id="no lifetime at all"),
    ],
)
def test_windows_are_closed_at_both_ends(
    times: Callable[[int], dict[str, int]], reason: Reason | None, skew_s: int
) -> None:
    assert Case().but(**times(skew_s)).reason(skew_s=skew_s) is reason


@pytest.mark.parametrize(
    ("after_s", "reason"),
    [
        (-SKEW_S - 1, Reason.NBF),
        (-SKEW_S, None),
        (60 + SKEW_S, None),
        (60 + SKEW_S + 1, Reason.EXPIRED),
        (-(2**53), Reason.NBF),
        (2**53, Reason.EXPIRED),
    ],
)
def test_a_token_passes_from_its_first_to_its_last_second(after_s: int, reason: Reason | None) -> None:
    assert Case().reason(now_s=NOW_S + after_s) is reason


@pytest.mark.parametrize("iss", ["", "svc-passport ", "Svc-passport", "svc-passporт", "svc-passpor"])
def test_the_issuer_is_ours_exactly(iss: str) -> None:
    assert Case().but(iss=iss).reason() is Reason.BAD_ISS


@pytest.mark.parametrize("kid", ["", KID + "0", "ed25519/default/v2", "ED25519/default/v1"])
def test_the_kid_is_the_carriers_exactly(kid: str) -> None:
    assert Case().but(kid=kid).reason() is Reason.BAD_KID
    assert replace(Case(), kid=kid).reason() is Reason.BAD_KID


@pytest.mark.parametrize(
    ("aud", "passes"),
    [
        pytest.param("svc-a", True, id="the first"),
        pytest.param("svc-b", True, id="another"),
        pytest.param(None, True, id="nobody"),
        pytest.param("", False, id="the empty one"),
        pytest.param("svc-c", False, id="a stranger"),
        pytest.param("SVC-A", False, id="capitals"),
        pytest.param("svc-a ", False, id="a space after it"),
        pytest.param("svc-", False, id="its beginning"),
        pytest.param("svc-a,svc-b", False, id="both in one text"),
        pytest.param("svc-а", False, id="a Cyrillic look-alike"),
        pytest.param("svc\u2010a", False, id="a hyphen look-alike"),
        pytest.param("svc-a\0", False, id="NUL after it"),
    ],
)
def test_an_audience_is_a_member_of_the_signed_ones_exactly(aud: str | None, passes: bool) -> None:
    reason = None if passes else Reason.BAD_AUD
    assert replace(Case(), presented_to=aud).reason() is reason
    assert replace(Case(), expected=Expected(aud)).reason() is reason


@pytest.mark.parametrize(
    ("held", "needed", "passes"),
    [
        (["read", "write"], (), True),
        (["read", "write"], ("read",), True),
        (["read", "write"], ("write", "read"), True),
        (["read", "write"], ("read", "read"), True),
        (["read", "read"], ("read",), True),
        (["read"], ("read", "write"), False),
        (["read", "write"], ("admin",), False),
        (["read", "write"], ("rea",), False),
        (["rea"], ("read",), False),
        (["read write"], ("read",), False),
        (["read"], ("Read",), False),
        (["read"], ("",), False),
        ([""], ("",), True),
        ([], ("read",), False),
        ([], (), True),
        (msgspec.UNSET, (), True),
        (msgspec.UNSET, ("read",), False),
        (["*"], ("read",), False),
        (["read"], ("*",), False),
    ],
)
def test_every_needed_scope_is_there_exactly(held: Any, needed: tuple[str, ...], passes: bool) -> None:
    case = replace(Case(), expected=Expected(None, needed)).but(scopes=held)
    assert case.reason() is (None if passes else Reason.SCOPE_DENIED)


# The order. Each breaks one rule and heals none; together, the earliest is the reason.


def too_long(case: Case) -> Case:
    """Let it live too long, whichever end is settled already."""
    if case.claims.exp < NOW_S:
        return case.but(iat=case.claims.exp - MAX_TTL_S - 1)
    return case.but(exp=case.claims.iat + MAX_TTL_S + 1)


BREAKS: list[tuple[str, Reason, Callable[[Case], Case]]] = [
    ("iss", Reason.BAD_ISS, lambda case: case.but(iss="another")),
    ("kid", Reason.BAD_KID, lambda case: case.but(kid="ed25519/default/v2")),
    ("iat", Reason.NBF, lambda case: case.but(iat=NOW_S + SKEW_S + 1)),
    ("nbf", Reason.NBF, lambda case: case.but(nbf=NOW_S + SKEW_S + 1)),
    ("exp", Reason.EXPIRED, lambda case: case.but(exp=NOW_S - SKEW_S - 1)),
    ("ttl", Reason.TTL_TOO_LONG, too_long),
    ("the envelope's aud", Reason.BAD_AUD, lambda case: replace(case, presented_to="svc-c")),
    (
        "?aud",
        Reason.BAD_AUD,
        lambda case: replace(case, expected=Expected("svc-c", case.expected.scopes)),
    ),
    (
        "?scope",
        Reason.SCOPE_DENIED,
        lambda case: replace(case, expected=Expected(case.expected.aud, ("admin",))),
    ),
]


@pytest.mark.parametrize(("name", "reason", "break_it"), BREAKS, ids=[name for name, *_ in BREAKS])
def test_each_rule_alone_is_the_reason(name: str, reason: Reason, break_it: Callable[[Case], Case]) -> None:
    assert break_it(Case()).reason() is reason


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(a, b, id=f"{a[0]} and {b[0]}") for a, b in combinations(BREAKS, 2)],
)
def test_of_two_broken_rules_the_earlier_is_the_reason(
    first: tuple[str, Reason, Callable[[Case], Case]], second: tuple[str, Reason, Callable[[Case], Case]]
) -> None:
    assert second[2](first[2](Case())).reason() is first[1]


# Asking for more.

names = st.sampled_from(["svc-a", "svc-b", "svc-c", ""])
scopes = st.lists(st.sampled_from(["read", "write", "admin"]), max_size=3)
any_claims = st.builds(
    lambda **changed: msgspec.structs.replace(CLAIMS, **changed),
    aud=st.lists(names.filter(bool), min_size=1, max_size=3, unique=True),
    iat=st.integers(NOW_S - 200, NOW_S + 200),
    exp=st.integers(NOW_S - 200, NOW_S + 200),
    nbf=st.integers(NOW_S - 200, NOW_S + 200) | st.just(msgspec.UNSET),
    iss=st.sampled_from([RULES.issuer] * 3 + ["another"]),
    scopes=scopes | st.just(msgspec.UNSET),
)


@given(any_claims, st.none() | names, st.none() | names, scopes, scopes, st.booleans())
def test_asking_for_more_never_lets_a_token_through(
    claims: Claims,
    aud: str | None,
    presented_to: str | None,
    some: list[str],
    more: list[str],
    restrict: bool,
) -> None:
    def reason(presented_to: str | None, expected: Expected) -> Reason | None:
        return broken(claims, KID, presented_to, expected, RULES, NOW_S)

    asking_less = reason(presented_to if restrict else None, Expected(None, tuple(some)))
    asking_more = reason(presented_to, Expected(aud, (*some, *more)))
    if asking_less is not None:
        assert asking_more is not None


@given(any_claims, st.none() | names, scopes, st.integers(0, 300), st.integers(0, 300))
def test_less_skew_never_lets_a_token_through(
    claims: Claims, aud: str | None, some: list[str], skew_s: int, less_s: int
) -> None:
    case = Case(claims, KID, None, Expected(aud, tuple(some)))
    if case.reason(skew_s=skew_s) is not None:
        assert case.reason(skew_s=max(0, skew_s - less_s)) is not None


def test_a_capability_lives_longer_and_nothing_else_changes() -> None:
    rules = RULES.for_capabilities()
    assert rules == replace(RULES, max_ttl_s=RULES.capability_max_ttl_s)
    at_the_edge = msgspec.structs.replace(CLAIMS, exp=NOW_S + RULES.capability_max_ttl_s)
    beyond = msgspec.structs.replace(CLAIMS, exp=NOW_S + RULES.capability_max_ttl_s + 1)
    assert broken(at_the_edge, KID, None, Expected(), rules, NOW_S) is None
    assert broken(beyond, KID, None, Expected(), rules, NOW_S) is Reason.TTL_TOO_LONG
    assert broken(at_the_edge, KID, None, Expected(), RULES, NOW_S) is Reason.TTL_TOO_LONG
