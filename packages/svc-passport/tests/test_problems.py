"""The table of problems against SPEC 4, and against everything that can be raised."""

import json
from typing import Any

import pytest

from ron_kms import KmsError, StoreRefused, TooSoon
from ron_kms import errors as kms_errors
from svc_passport.errors import FAULT, VERDICT, Reason, Refused
from svc_passport.http.problems import PROBLEMS, problem, refusal_of
from svc_passport.telemetry import CODES

SPEC = """
400 Malformed             malformed               final
400 Malformed             reserved_claim          final
400 Malformed             ttl_too_long            final
400 Malformed             unknown_kid             retryable
400 BadAlg                bad_alg                 final
400 BadKid                bad_kid                 final
400 BadAudience           bad_aud                 final
401 Unauthorized          unauthorized            final
403 ScopeDenied           scope_denied            final
403 Forbidden             forbidden               final
404 NotFound              not_found               final
405 MethodNotAllowed      method_not_allowed      final
409 TooSoon               too_soon                retryable
413 MsgTooLarge           msg_too_large           final
413 BatchTooLarge         batch_too_large         final
413 BodyTooLarge          body_too_large          final
415 UnsupportedMediaType  unsupported_media_type  final
500 Internal              internal                retryable
503 Overloaded            overloaded              retryable
503 NotReady              not_ready               retryable
503 StoreUnavailable      store_unavailable       retryable
"""
"""The table of SPEC 4, without what comes later."""

VERDICTS = {
    "verify_failed",
    "expired",
    "nbf",
    "bad_iss",
    "bad_kid",
    "bad_aud",
    "scope_denied",
    "revoked",
    "ttl_too_long",
    "malformed",
}
"""The verdict reasons of SPEC 4."""

each_problem = pytest.mark.parametrize("reason", PROBLEMS, ids=str)


def _every(kind: type[KmsError]) -> list[type[KmsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _every(child))]


def _made(kind: type[KmsError]) -> KmsError:
    if issubclass(kind, TooSoon):
        return kind(1500)
    if issubclass(kind, StoreRefused):
        return kind("store_missing", "a sentence that nobody outside may read")
    return kind("a sentence that nobody outside may read")


# The table


def test_the_table_is_that_of_the_spec() -> None:
    rows = {
        f"{row.status} {row.code} {reason} {'retryable' if row.retryable else 'final'}"
        for reason, row in PROBLEMS.items()
    }
    assert rows == {" ".join(line.split()) for line in SPEC.strip().splitlines()}


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_every_reason_is_a_problem_or_a_verdict(reason: Reason) -> None:
    assert reason in PROBLEMS or reason in VERDICTS


def test_every_verdict_is_a_reason() -> None:
    assert set(Reason) >= VERDICTS
    assert set(Reason) - PROBLEMS.keys() == {"verify_failed", "expired", "nbf", "bad_iss", "revoked"}


@each_problem
def test_a_reason_of_its_own_is_its_code_in_snake_case(reason: Reason) -> None:
    code = PROBLEMS[reason].code
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in code)[1:]
    if code not in ("Malformed", "BadAudience"):
        assert reason == snake


@each_problem
def test_a_message_is_one_fixed_sentence(reason: Reason) -> None:
    message = PROBLEMS[reason].message
    assert message[0].isupper()
    assert message.endswith(".")
    assert message.isascii()
    assert message.isprintable()
    assert not set(message) & set("{}%<>")


def test_no_two_reasons_have_the_same_sentence() -> None:
    assert len({row.message for row in PROBLEMS.values()}) == len(PROBLEMS)


@each_problem
def test_every_status_is_counted(reason: Reason) -> None:
    assert str(PROBLEMS[reason].status) in CODES


def test_a_fault_and_a_verdict_know_which_they_are() -> None:
    assert FAULT.keys() == VERDICT.keys() == set(Reason)
    assert all(not denied.judged and denied.reason is reason for reason, denied in FAULT.items())
    assert all(denied.judged and denied.reason is reason for reason, denied in VERDICT.items())


# The answer


@each_problem
def test_an_answer_has_its_members_in_order_and_its_headers(reason: Reason) -> None:
    row, reply = PROBLEMS[reason], problem(Refused(reason))
    members: list[tuple[str, Any]] = [
        ("code", row.code),
        ("message", row.message),
        ("retryable", row.retryable),
        ("reason", reason.value),
    ]
    headers = {b"content-type": b"application/json", b"content-length": str(len(reply.content)).encode()}
    if row.status in (409, 503):
        members.append(("retry_after_ms", 1000))
        headers[b"retry-after"] = b"1"
    if row.status == 401:
        headers[b"www-authenticate"] = b"Bearer"
    assert reply.content == json.dumps(dict(members), separators=(",", ":")).encode()
    assert dict(reply.headers) == headers
    assert len(reply.headers) == len(headers)
    assert reply.code == str(row.status)


@each_problem
def test_a_header_that_is_given_stands_beside_them(reason: Reason) -> None:
    assert (b"x-request-id", b"7") in problem(Refused(reason), ((b"x-request-id", b"7"),)).headers


@pytest.mark.parametrize(
    ("retry_after_ms", "seconds"),
    [
        pytest.param(1, b"1", id="a millisecond"),
        pytest.param(999, b"1", id="less than a second"),
        pytest.param(1000, b"1", id="a second"),
        pytest.param(1001, b"2", id="more than a second"),
        pytest.param(59_999, b"60", id="less than a minute"),
        pytest.param(None, b"1", id="nobody knows"),
    ],
)
@pytest.mark.parametrize("reason", [Reason.TOO_SOON, Reason.OVERLOADED], ids=str)
def test_retry_after_is_in_whole_seconds_and_never_too_early(
    reason: Reason, retry_after_ms: int | None, seconds: bytes
) -> None:
    reply = problem(Refused(reason, retry_after_ms))
    assert dict(reply.headers)[b"retry-after"] == seconds
    assert json.loads(reply.content)["retry_after_ms"] == retry_after_ms or 1000


# Custody's errors


def test_custody_s_errors_are_those_of_its_tree() -> None:
    named = {
        kind for kind in vars(kms_errors).values() if isinstance(kind, type) and issubclass(kind, KmsError)
    }
    assert set(_every(KmsError)) >= named


@pytest.mark.parametrize("kind", _every(KmsError), ids=lambda kind: kind.__name__)
def test_every_error_of_custody_is_a_problem(kind: type[KmsError]) -> None:
    refused = refusal_of(_made(kind))
    row = PROBLEMS[refused.reason]
    assert row.retryable or not kind.retryable
    assert b"nobody outside" not in problem(refused).content


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (kms_errors.NoSuchKey, Reason.UNKNOWN_KID),
        (kms_errors.TooSoon, Reason.TOO_SOON),
        (kms_errors.Busy, Reason.STORE_UNAVAILABLE),
        (kms_errors.StoreBusy, Reason.STORE_UNAVAILABLE),
        (kms_errors.GenerationMoved, Reason.STORE_UNAVAILABLE),
        (kms_errors.StoreRefused, Reason.STORE_UNAVAILABLE),
        (kms_errors.AlgUnavailable, Reason.INTERNAL),
        (kms_errors.Expired, Reason.INTERNAL),
        (kms_errors.Entropy, Reason.INTERNAL),
        (kms_errors.VerifyFailed, Reason.INTERNAL),
        (kms_errors.CapabilityMissing, Reason.INTERNAL),
        (kms_errors.BadPublicKey, Reason.INTERNAL),
        (kms_errors.SealFormat, Reason.INTERNAL),
        (kms_errors.SealAuth, Reason.INTERNAL),
        (kms_errors.Internal, Reason.INTERNAL),
    ],
)
def test_an_error_of_custody_is_told_as(kind: type[KmsError], reason: Reason) -> None:
    assert refusal_of(_made(kind)).reason is reason


def test_a_rotation_too_soon_says_when() -> None:
    assert refusal_of(TooSoon(1500)).retry_after_ms == 1500
