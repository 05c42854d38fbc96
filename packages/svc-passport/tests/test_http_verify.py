"""``POST /v1/passport/verify``: the order in which faults are told, an envelope's members, details."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from drafts import CARRIERS, FAULTS, PAIRS, Carrier, Draft, Fault, assert_faulty, assert_verdict, faults_of
from forge import BATCH, HERE, VERIFY, Forge, assert_refused, forging

from svc_passport.errors import Reason


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("verify")) as forge:
        yield forge


# The order


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_token_without_a_fault_verifies(forge: Forge, carrier: Carrier) -> None:
    assert_verdict(Draft(forge, carrier), None)


@pytest.mark.parametrize(
    ("carrier", "fault"),
    [pytest.param(c, f, id=f"{c}: {f}") for c in CARRIERS for f in faults_of(c)],
)
def test_each_fault_alone_has_its_reason(forge: Forge, carrier: Carrier, fault: Fault) -> None:
    draft = Draft(forge, carrier)
    fault.spoil(draft)
    if fault.by == "verdict":
        assert_verdict(draft, fault.reason)
    elif fault.by == "token":
        assert_faulty(draft, fault.reason)
    else:
        assert_refused(draft.present(), fault.reason)
        assert_refused(draft.present("detail=1"), fault.reason)


@pytest.mark.parametrize("first", FAULTS[:-1], ids=str)
def test_of_two_faults_the_earlier_is_told(forge: Forge, first: Fault) -> None:
    for one, other in PAIRS:
        if one is not first:
            continue
        for carrier in CARRIERS:
            if not {one, other} <= set(faults_of(carrier)):
                continue
            draft = Draft(forge, carrier)
            one.spoil(draft)
            other.spoil(draft)
            answer = draft.present("detail=1")
            if one.by == "request":
                assert_refused(answer, one.reason)
            else:
                assert answer.json == {"ok": False, "reason": one.reason}, (carrier, other.name)


def test_a_revoked_kid_is_a_verdict_whatever_the_signature_says(forge: Forge) -> None:
    draft = Draft(forge)
    draft.kid, draft.sig_text = Forge.revoked_kid, lambda _: ""
    assert_verdict(draft, Reason.REVOKED)


# Members of an envelope


@pytest.mark.parametrize(
    "alg",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param(1, id="a number"),
        pytest.param(True, id="a boolean"),
        pytest.param(["Ed25519"], id="a list"),
        pytest.param({"Ed25519": 1}, id="an object"),
        "",
        "none",
        "ed25519",
        "ED25519",
        "EdDSA",
        "Ed448",
        "HS256",
        pytest.param("Ed25519 ", id="a space behind"),
        pytest.param("Ed25519\x00", id="a NUL behind"),
        pytest.param("Еd25519", id="a Cyrillic E"),
        pytest.param("Ｅｄ２５５１９", id="full width"),
    ],
)
def test_an_envelope_with_another_alg_is_bad_alg(forge: Forge, alg: object) -> None:
    draft = Draft(forge)
    draft.alg = alg
    assert_faulty(draft, Reason.BAD_ALG)


@pytest.mark.parametrize(
    "aud",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(1, id="a number"),
        pytest.param(False, id="a boolean"),
        pytest.param([HERE], id="a list"),
        pytest.param({}, id="an object"),
    ],
)
def test_an_envelope_without_an_audience_is_bad_aud(forge: Forge, aud: object) -> None:
    draft = Draft(forge)
    draft.aud = aud
    assert_faulty(draft, Reason.BAD_AUD)


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("lenient"), security__require_aud="false") as forge:
        yield forge


@pytest.mark.parametrize("aud", [pytest.param(..., id="missing"), pytest.param(None, id="null")])
def test_an_audience_that_is_not_required_may_be_left_out(lenient: Forge, aud: object) -> None:
    draft = Draft(lenient)
    draft.aud = aud
    assert_verdict(draft, None)
    assert_verdict(draft, Reason.BAD_AUD, "aud=svc-b")


def test_an_audience_that_is_not_required_still_restricts(lenient: Forge) -> None:
    draft = Draft(lenient)
    for draft.aud in ("svc-b", ""):
        assert_verdict(draft, Reason.BAD_AUD)
    for draft.aud in (1, [HERE]):
        assert_faulty(draft, Reason.BAD_AUD)


def test_an_envelope_is_issued_without_an_audience_that_is_not_required(lenient: Forge) -> None:
    assert lenient.issue().keys() == {"alg", "kid", "msg_b64", "sig_b64"}


def test_two_null_audiences_are_a_member_that_stands_twice(lenient: Forge) -> None:
    body = json.dumps(Draft(lenient).carried()).replace(f'"aud": "{HERE}"', '"aud":null,"aud":null').encode()
    assert body.count(b"null") == 2
    assert_refused(lenient.post(VERIFY, body), Reason.MALFORMED)
    assert_refused(lenient.post(VERIFY + "?detail=1", body), Reason.MALFORMED)


SOME: dict[str, Any] = {
    "alg": "Ed25519",
    "aud": HERE,
    "kid": "ed25519/default/v999",
    "msg_b64": "",
    "sig_b64": "",
}


@pytest.mark.parametrize(
    "carrier",
    [
        pytest.param(None, id="null"),
        pytest.param(True, id="a boolean"),
        pytest.param(0, id="a number"),
        pytest.param("", id="a string"),
        pytest.param("a.b.c", id="a bare token"),
        pytest.param([], id="a list"),
        pytest.param([SOME], id="an envelope in a list"),
        pytest.param({"items": []}, id="a batch"),
        pytest.param(SOME | {"typ": "passport"}, id="an unknown member"),
        pytest.param(SOME | {"Alg": "Ed25519"}, id="a member in another case"),
        pytest.param(SOME | {"": 1}, id="a member without a name"),
        pytest.param(SOME | {"token": "a.b.c"}, id="both carriers in one"),
        pytest.param({"token": "a.b.c", "kid": "ed25519/a/v9"}, id="a compact token with a kid beside it"),
        pytest.param({"Token": "a.b.c"}, id="a token in another case"),
    ],
)
def test_what_is_no_carrier_is_malformed(forge: Forge, carrier: object) -> None:
    body = json.dumps(carrier).encode()
    assert_refused(forge.post(VERIFY, body), Reason.MALFORMED)
    assert forge.post(VERIFY + "?detail=1", body).json == {"ok": False, "reason": "malformed"}
    assert forge.post(BATCH, b"[%b]" % body).json == [False]


def test_an_empty_object_is_an_envelope_without_an_alg(forge: Forge) -> None:
    assert_refused(forge.post(VERIFY, b"{}"), Reason.BAD_ALG)


# Detail


def test_detail_tells_the_claims_as_they_were_signed(forge: Forge) -> None:
    envelope = forge.issue(sub="alice", x={"b": 1, "a": [True, None, 1.5]})
    answer = forge.post(VERIFY + "?detail=1", json.dumps(envelope).encode())
    assert answer.body == b'{"ok":true,"claims":%b}' % b64decode(envelope["msg_b64"])


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("", True),
        ("?scope=read", True),
        ("?scope=read&scope=write", True),
        ("?scope=write&scope=write", True),
        ("?scope=read&scope=admin", False),
        ("?scope=rea", False),
        ("?scope=read%20write", False),
        ("?scope=read,write", False),
        ("?aud=svc-a&scope=read", True),
        ("?aud=svc-b&scope=read", True),
        ("?aud=svc-c&scope=read", False),
    ],
)
def test_every_restriction_asked_for_is_checked(forge: Forge, query: str, verdict: bool) -> None:
    token = forge.issue_compact(aud=["svc-a", "svc-b"], scopes=["read", "write"])
    answer = forge.post(VERIFY + query, json.dumps({"token": token}).encode())
    assert (answer.status, answer.json) == (200, verdict)
