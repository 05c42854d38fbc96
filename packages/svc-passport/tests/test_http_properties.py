"""Whatever is sent: an answer from the table, no token that was changed, one reading of every body."""

import json
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from drafts import CARRIERS, Carrier
from forge import BATCH, ISSUE, REVOKE, ROTATE, VERIFY, Answer, Forge, assert_refused, forging
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minted import damaged, json_values

from svc_passport import strict_json
from svc_passport.carriers import Carrier as Read
from svc_passport.carriers import carrier_of
from svc_passport.errors import FAULT, Denied, Reason, Refused
from svc_passport.http import body
from svc_passport.http.problems import PROBLEMS


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("properties"), keys__publish_ahead_s=86400) as forge:
        yield forge


# No body is answered 5xx

PIECES = (
    b'{ } [ ] : , " \\ \\u0061 \\ud800 null true 0 -1 1e400 9007199254740992 NaN \xff \xef\xbb\xbf \x00 '
    b'"alg":"Ed25519" "aud":"svc-a" "aud":null "kid":"ed25519/default/v2" "kid":"ed25519/default/v1" '
    b'"msg_b64":"" "sig_b64":"" "token":"a.b.c" "items":[] "sub":"a" "ttl_s":1 "iss":1 "X":1 '
)
BODIES = [
    b"{}",
    b"[]",
    b'{"sub":"a","aud":["a","b"],"ttl_s":60,"ctx":{"t":1},"scopes":["read"],"nbf":0,"x":1.5}',
    b'{"kid":"ed25519/default/v1"}',
    b'{"token":"eyJhbGciOiJFZERTQSJ9.e30.AAAA"}',
    b'{"alg":"Ed25519","aud":"a","kid":"ed25519/default/v1","msg_b64":"AAAA","sig_b64":"AAAA"}',
    b'[{"token":"a.b.c"},{"alg":"Ed25519","aud":"a","kid":"ed25519/a/v9","msg_b64":"","sig_b64":""}]',
    b'{"items":[{"token":"a.b.c"},0]}',
]
bodies = (
    st.binary(max_size=64)
    | damaged(st.sampled_from(BODIES), PIECES)
    | json_values.map(lambda value: json.dumps(value).encode())
)


def assert_from_the_table(answer: Answer, is_good: Callable[[Answer], bool]) -> None:
    """Check that an answer is one of the two kinds that there are."""
    if answer.status == 200:
        assert is_good(answer), answer
    else:
        reason = next(reason for reason in PROBLEMS if reason.value == answer.json["reason"])
        assert PROBLEMS[reason].status < 500
        assert_refused(answer, reason)


@pytest.mark.parametrize(
    ("path", "is_good"),
    [
        pytest.param(ISSUE, lambda a: set(a.json) == {"alg", "aud", "kid", "msg_b64", "sig_b64"}, id="issue"),
        pytest.param(f"{ISSUE}?format=compact", lambda a: set(a.json) == {"token"}, id="issue, compact"),
        pytest.param(VERIFY, lambda a: a.body == b"false", id="verify"),
        pytest.param(f"{VERIFY}?detail=1", lambda a: a.json["ok"] is False, id="verify, in detail"),
        pytest.param(BATCH, lambda a: not any(a.json) and isinstance(a.json, list), id="batch"),
        pytest.param(
            f"{BATCH}?detail=1",
            lambda a: isinstance(a.json, list) and not any(item["ok"] for item in a.json),
            id="batch, in detail",
        ),
        pytest.param(ROTATE, lambda _: False, id="rotate"),
        pytest.param(REVOKE, lambda a: "attest" in a.json and b"ed25519/default/v1" in a.body, id="revoke"),
    ],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_body_has_an_answer_from_the_table(
    forge: Forge, path: str, is_good: Callable[[Answer], bool], data: st.DataObject
) -> None:
    sent = data.draw(bodies)
    if path == REVOKE and b"v2" in sent:
        return  # it would be done
    assert_from_the_table(forge.post(path, sent), is_good)


# What was changed does not verify

edits = st.lists(
    st.tuples(
        st.integers(0, 800),
        st.integers(0, 4),
        st.binary(max_size=2) | st.text("+/-_=.AQgw \\n\\u\"'", max_size=3).map(str.encode),
    ),
    min_size=1,
    max_size=3,
)


def _edited(text: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, put in changes:
        start = at % (len(text) + 1)
        text = text[:start] + put + text[start + length :]
    return text


@pytest.fixture(scope="module")
def carried(forge: Forge) -> dict[Carrier, dict[str, str]]:
    claims = {"sub": "alice", "scopes": ["read"]}
    return {"envelope": forge.issue(**claims), "compact": {"token": forge.issue_compact(**claims)}}


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=200, deadline=None)
@given(changes=edits)
@example(changes=[(0, 0, b" ")])
@example(changes=[(-1, 0, b"\n\t ")])
def test_a_token_that_was_changed_verifies_only_if_it_still_says_the_same(
    forge: Forge,
    carried: dict[Carrier, dict[str, str]],
    carrier: Carrier,
    changes: list[tuple[int, int, bytes]],
) -> None:
    whole = json.dumps(carried[carrier]).encode()
    sent = _edited(whole, changes)
    answer = forge.post(VERIFY, sent)
    assert_from_the_table(answer, lambda a: a.body in (b"true", b"false"))
    assert (answer.body == b"true") == (_meaning(sent) == carried[carrier])
    assert forge.post(BATCH, b"[%b]" % whole).json == [True]


def _meaning(sent: bytes) -> object:
    try:
        return strict_json.loads(sent)
    except Refused:
        return None


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=150, deadline=None)
@given(changes=edits, member=st.integers(0, 4))
def test_no_member_can_be_changed(
    forge: Forge,
    carried: dict[Carrier, dict[str, str]],
    carrier: Carrier,
    member: int,
    changes: list[tuple[int, int, bytes]],
) -> None:
    right = carried[carrier]
    name = list(right)[member % len(right)]
    value = _edited(right[name].encode(), changes).decode("utf-8", "replace")
    told = forge.detail(right | {name: value})
    assert told["ok"] == (value == right[name])


# The quick way is the strict way

T = TypeVar("T")
VALUES = [
    b'"x"',
    b'"eA=="',  # base64; then with idle bits, with a blank, unpadded, and of the other alphabet
    b'"eB=="',
    b'"e A=="',
    b'"eA"',
    b'"-_=="',
    b'""',
    b"null",
    b"1",
    b"[]",
    b"{}",
    b'"\\u0078"',
    b'"\\""',
    b'"\xc3\xa9"',
    b'"\xff"',
    b'"\x00"',
]
names = st.sampled_from(
    [b"alg", b"aud", b"aud", b"kid", b"msg_b64", b"sig_b64", b"token", b"items", b"\\u0061ud"]
)
values = st.sampled_from(VALUES) | st.sampled_from(VALUES[:3])
members = st.tuples(names, values).map(b'"%b":%b'.__mod__)
IN_ORDER = [b'"alg":"Ed25519"', b'"aud":"a b"', b'"kid":"k"', b'"msg_b64":"bQ=="', b'"sig_b64":"cw=="']
whole_envelope = st.just(IN_ORDER) | st.permutations(IN_ORDER)


@st.composite
def carriers(draw: st.DrawFn) -> bytes:
    """Return something like a carrier: whole, or with members more or fewer, once or twice."""
    said = draw(whole_envelope | st.just([b'"token":"a.b.c"']) | st.just([]))
    said = [member for member in said if draw(st.integers(0, 9))]
    for more in draw(st.lists(members, max_size=3)):
        said.insert(draw(st.integers(0, len(said))), more)
    return b"{%b}" % draw(st.sampled_from([b",", b", ", b" ,\n\t\r"])).join(said)


batches = st.lists(carriers() | st.sampled_from(VALUES), max_size=4).map(b",".join).map(b"[%b]".__mod__)
wrapped = st.lists(batches, min_size=1, max_size=2).map(
    lambda inner: b"{%b}" % b",".join(b'"items":%b' % items for items in inner)
)
SMALL = b'{ } [ ] : , " \\ \\u0061 null "aud":null "aud":"a" \xff \xef\xbb\xbf \x00 \n '
NULL_AUD = b'{"alg":"a","aud":null,"kid":"k","msg_b64":"m","sig_b64":"s"}'
TWICE = b'{"aud":null,"alg":"a","aud":"b","kid":"k","msg_b64":"m","sig_b64":"s"}'


def outcome(read: Callable[[], T]) -> T | Reason:
    """Return what was read, or why it was not; nothing else may be raised."""
    try:
        return read()
    except Refused as refused:
        return refused.reason


def strictly(value: object) -> Read | Denied:
    try:
        return carrier_of(value)
    except Refused as refused:
        return FAULT[refused.reason]


def strictly_many(sent: bytes, max_batch: int) -> list[Read | Denied]:
    asked = strict_json.loads(sent)
    items = asked["items"] if isinstance(asked, dict) and list(asked) == ["items"] else asked
    if not isinstance(items, list):
        raise Refused(Reason.MALFORMED)
    if len(items) > max_batch:
        raise Refused(Reason.BATCH_TOO_LARGE)
    return [strictly(item) for item in items]


@settings(max_examples=300, deadline=None)
@given(carriers() | damaged(carriers(), SMALL) | bodies)
@example(NULL_AUD.replace(b'"aud":null', b'"aud":null,"aud":null'))
@example(TWICE)
@example(b"{%b}" % b",".join(IN_ORDER).replace(b"bQ==", b"bR=="))
@example(b"{%b}" % b",".join(IN_ORDER).replace(b"bQ==", b"b Q=="))
@example(b"{%b}" % b" , ".join(IN_ORDER))
def test_the_quick_way_reads_a_carrier_as_the_strict_way(sent: bytes) -> None:
    assert outcome(lambda: body.one(sent)) == outcome(lambda: strictly(strict_json.loads(sent)))


@settings(max_examples=300, deadline=None)
@given(batches | wrapped | damaged(batches | wrapped, SMALL) | bodies)
@example(b"[%b,%b]" % (NULL_AUD, TWICE))
@example(b'{"items":[],"items":[%b]}' % NULL_AUD)
def test_the_quick_way_reads_a_batch_as_the_strict_way(sent: bytes) -> None:
    assert outcome(lambda: body.many(sent, 3)) == outcome(lambda: strictly_many(sent, 3))
