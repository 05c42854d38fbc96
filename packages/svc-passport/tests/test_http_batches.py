"""``POST /v1/passport/verify_batch``: each item has the verdict it has alone; nothing else is looked at."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from drafts import CARRIERS, Carrier, Draft, Fault, faults_of
from forge import BATCH, VERIFY, Forge, assert_refused, forging

from svc_passport.errors import Reason

MAX_BATCH = 512


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    # An engine that takes 7 at once: nothing here may tell.
    with forging(tmp_path_factory.mktemp("batches"), verify__max_batch=7) as forge:
        yield forge


def verdicts(forge: Forge, items: object, query: str = "") -> Any:
    """Return the answer to a batch, which is the same in both forms."""
    bare = forge.post(BATCH + query, json.dumps(items).encode())
    in_object = forge.post(BATCH + query, json.dumps({"items": items}).encode())
    assert bare.status == in_object.status == 200
    assert bare.body == in_object.body
    return bare.json


def assert_both_refused(forge: Forge, items: object, reason: Reason) -> None:
    for query in ("", "?detail=1"):
        assert_refused(forge.post(BATCH + query, json.dumps(items).encode()), reason)
        assert_refused(forge.post(BATCH + query, json.dumps({"items": items}).encode()), reason)


# Its form


@pytest.mark.parametrize("body", [b"[]", b'{"items":[]}', b' {\n"items" : [ ] } '], ids=str)
def test_an_empty_batch_has_an_empty_answer(forge: Forge, body: bytes) -> None:
    for query in ("", "?detail=1", "?aud=svc-a&scope=read"):
        answer = forge.post(BATCH + query, body)
        assert (answer.status, answer.body) == (200, b"[]")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"item":[]}',
        b'{"Items":[]}',
        b'{"items":null}',
        b'{"items":{}}',
        b'{"items":"[]"}',
        b'{"items":0}',
        b'{"items":[],"more":1}',
        b'{"items":[],"detail":1}',
        b'{"items":[],"items":[]}',
        b'{"items":[0],"items":[]}',
        b'{"token":"a.b.c"}',
        b"null",
        b"true",
        b"0",
        b'"[]"',
        b"[][]",
        b"[",
        b"[]]",
    ],
    ids=str,
)
def test_what_is_no_batch_is_malformed(forge: Forge, body: bytes) -> None:
    for query in ("", "?detail=1"):
        assert_refused(forge.post(BATCH + query, body), Reason.MALFORMED)


def test_a_lone_carrier_is_no_batch(forge: Forge) -> None:
    for carrier in (forge.issue(), {"token": forge.issue_compact()}):
        assert_refused(forge.post(BATCH, json.dumps(carrier).encode()), Reason.MALFORMED)


def test_a_name_twice_in_one_item_is_a_fault_of_the_whole(forge: Forge) -> None:
    good = json.dumps(forge.issue())
    for name, twice in [("alg", '"Ed25519"'), ("aud", "null"), ("aud", '"svc-a"'), ("unknown", "0")]:
        bad = "{" + f'"{name}":{twice},"{name}":{twice},' + good[1:]
        assert_refused(forge.post(BATCH, f"[{good},{bad},{good}]".encode()), Reason.MALFORMED)


def test_a_name_twice_is_seen_beside_a_null_audience(forge: Forge) -> None:
    envelope = forge.issue()
    good, null = json.dumps(envelope), json.dumps(envelope | {"aud": None})
    twice = "{" + '"aud":null,' + good[1:]
    for body in (f"[{null},{twice}]", f"[{twice},{null}]", f'{{"items":[],"items":[{null}]}}'):
        assert_refused(forge.post(BATCH, body.encode()), Reason.MALFORMED)


# Its length


def test_max_batch_items_are_verified_and_no_more(forge: Forge) -> None:
    good, bad = forge.issue(), forge.issue() | {"aud": "svc-b"}
    items = [good, bad] * (MAX_BATCH // 2)
    assert verdicts(forge, items) == [True, False] * (MAX_BATCH // 2)
    assert_both_refused(forge, [*items, good], Reason.BATCH_TOO_LARGE)


@pytest.mark.parametrize("item", [None, 0, {}, {"token": 1}, {"alg": "Ed25519"}, []], ids=json.dumps)
def test_a_batch_is_counted_before_any_item_is_looked_at(forge: Forge, item: object) -> None:
    assert verdicts(forge, [item] * MAX_BATCH) == [False] * MAX_BATCH
    assert_both_refused(forge, [item] * (MAX_BATCH + 1), Reason.BATCH_TOO_LARGE)


def test_a_batch_too_long_and_unreadable_is_unreadable(forge: Forge) -> None:
    body = b"[" + b"0," * MAX_BATCH + b'{"a":1,"a":1}]'
    assert_refused(forge.post(BATCH, body), Reason.MALFORMED)


def test_a_batch_too_long_in_compact_tokens_is_refused(forge: Forge) -> None:
    token = {"token": forge.issue_compact()}
    assert verdicts(forge, [token] * MAX_BATCH) == [True] * MAX_BATCH
    assert_both_refused(forge, [token] * (MAX_BATCH + 1), Reason.BATCH_TOO_LARGE)


def test_a_batch_of_one_is_the_longest_where_that_is_set(tmp_path: Any) -> None:
    with forging(tmp_path, limits__max_batch=1, verify__max_batch=1, verify__max_wait_us=0) as forge:
        good = forge.issue()
        assert verdicts(forge, [good]) == [True]
        assert_both_refused(forge, [good, good], Reason.BATCH_TOO_LARGE)


# Its items


ODD_ITEMS: list[object] = [
    None,
    True,
    0,
    "",
    "a.b.c",
    [],
    [[]],
    {},
    {"items": []},
    {"token": None},
    {"token": "a.b.c"},
    {"token": "a.b.c", "alg": "Ed25519"},
    {"unknown": 1},
    {"alg": [], "aud": {}, "kid": 1, "msg_b64": None, "sig_b64": True},
]


@pytest.mark.parametrize("odd", ODD_ITEMS, ids=json.dumps)
def test_an_item_that_is_no_carrier_is_false_and_disturbs_no_neighbour(forge: Forge, odd: object) -> None:
    envelope, token = forge.issue(), {"token": forge.issue_compact()}
    assert verdicts(forge, [envelope, odd, token, odd, envelope]) == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("carrier", "fault"),
    [pytest.param(c, f, id=f"{c}: {f}") for c in CARRIERS for f in faults_of(c) if f.by != "request"],
)
def test_an_item_with_a_fault_is_false_and_disturbs_no_neighbour(
    forge: Forge, carrier: Carrier, fault: Fault
) -> None:
    wrong, right = Draft(forge, carrier), Draft(forge, carrier)
    fault.spoil(wrong)
    right.claims |= {"aud": ["svc-a", "svc-b"], "scopes": ["read"]}
    good, bad = right.carried(), wrong.carried()
    query = "&".join(["", *wrong.query])
    assert verdicts(forge, [good, bad, good], f"?{query[1:]}") == [True, False, True]
    told = verdicts(forge, [bad, good, bad], f"?detail=1{query}")
    assert [item.get("reason") for item in told] == [fault.reason, None, fault.reason]
    assert told[1] == {"ok": True, "claims": right.claims}


def test_a_batch_of_every_fault_in_any_order_has_the_verdicts_of_each_alone(forge: Forge) -> None:
    items: list[object] = [*ODD_ITEMS]
    for carrier in CARRIERS:
        items.append(Draft(forge, carrier).carried())
        for fault in faults_of(carrier):
            if fault.by != "request":
                draft = Draft(forge, carrier)
                fault.spoil(draft)
                items.append(draft.carried())
    alone = [forge.detail(item) for item in items]
    shuffle = random.Random(3)  # noqa: S311 - any order will do
    for _ in range(5):
        order = shuffle.choices(range(len(items)), k=200)
        told = verdicts(forge, [items[i] for i in order], "?detail=1")
        assert told == [alone[i] for i in order]
        plain = verdicts(forge, [items[i] for i in order])
        assert plain == [alone[i]["ok"] for i in order]


def test_restrictions_hold_for_every_item(forge: Forge) -> None:
    items = [
        forge.issue(aud=["svc-a", "svc-b"], scopes=["read", "write"]),
        forge.issue(aud=["svc-a"], scopes=["read", "write"]),
        forge.issue(aud=["svc-b"], scopes=["read"]),
    ]
    assert verdicts(forge, items) == [True, True, True]
    assert verdicts(forge, items, "?aud=svc-b") == [True, False, True]
    assert verdicts(forge, items, "?scope=read&scope=write") == [True, True, False]
    assert verdicts(forge, items, "?aud=svc-b&scope=write") == [True, False, False]
    told = verdicts(forge, items, "?detail=1&aud=svc-b&scope=write")
    assert [item.get("reason") for item in told] == [None, "bad_aud", "scope_denied"]


def test_a_batch_of_one_says_what_verify_says(forge: Forge) -> None:
    for item in [*ODD_ITEMS, forge.issue(), {"token": forge.issue_compact()}]:
        body = json.dumps(item).encode()
        lone = forge.post(VERIFY + "?detail=1", body)
        assert forge.post(BATCH + "?detail=1", b"[%b]" % body).body == b"[%b]" % lone.body
