"""What a refusal says, and to whom: exact, closed, and fit to be carried to another process."""

import copy
import pickle
from typing import NamedTuple

import pytest

import ron_auth
from ron_auth import (
    BadTag,
    Crypto,
    Expired,
    Forgotten,
    GuardDown,
    GuardFull,
    Malformed,
    MissingScope,
    Replayed,
    VerifyError,
    WrongOrigin,
)


class Row(NamedTuple):
    error: VerifyError
    reason: str
    retryable: bool
    text: str


TABLE = [
    Row(Malformed("nonce is not 16 bytes"), "malformed", False, "malformed envelope: nonce is not 16 bytes"),
    Row(BadTag(), "bad_tag", False, "bad tag"),
    Row(Expired(), "expired", True, "expired or not yet valid"),
    Row(WrongOrigin(), "wrong_origin", False, "wrong origin service"),
    Row(MissingScope("Overlay:route"), "missing_scope", False, "missing scope Overlay:route"),
    Row(Replayed(), "replayed", False, "replayed"),
    Row(Forgotten(), "forgotten", True, "older than the replay guard's memory"),
    Row(GuardFull(), "guard_full", True, "replay guard full"),
    Row(GuardDown(), "guard_down", True, "replay guard out of reach"),
    Row(Crypto(), "crypto", True, "crypto error"),
]

every_error = pytest.mark.parametrize("row", [pytest.param(row, id=row.reason) for row in TABLE])


def test_the_table_has_every_error() -> None:
    assert {type(row.error) for row in TABLE} == set(VerifyError.__subclasses__())
    assert all(not type(row.error).__subclasses__() for row in TABLE)


def test_every_error_is_public() -> None:
    assert {type(row.error).__name__ for row in TABLE} | {"VerifyError"} <= set(ron_auth.__all__)


def test_no_two_errors_share_a_reason() -> None:
    assert len({row.reason for row in TABLE}) == len(TABLE)


@every_error
def test_an_error_says_exactly_this(row: Row) -> None:
    assert (row.error.reason, row.error.retryable, str(row.error)) == row[1:]


@every_error
def test_an_error_names_no_sender_until_told(row: Row) -> None:
    assert row.error.origin is None


@every_error
def test_a_scope_and_a_detail_can_be_asked_for(row: Row) -> None:
    asked = {name: getattr(row.error, name) for name in ("scope", "detail") if hasattr(row.error, name)}
    match row.error:
        case MissingScope():
            assert asked == {"scope": "Overlay:route"}
        case Malformed():
            assert asked == {"detail": "nonce is not 16 bytes"}
        case _:
            assert asked == {}


@pytest.mark.parametrize("origin", [None, "svc-a"])
@pytest.mark.parametrize(
    "carry",
    [
        *(
            pytest.param(lambda e, p=p: pickle.loads(pickle.dumps(e, p)), id=f"pickle {p}")  # noqa: S301
            for p in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
def test_an_error_arrives_whole_in_another_process(carry: object, origin: str | None) -> None:
    assert callable(carry)
    for row in TABLE:
        sent = copy.copy(row.error)
        sent.origin = origin
        arrived = carry(sent)
        assert type(arrived) is type(sent)
        assert (arrived.reason, arrived.retryable, str(arrived)) == row[1:]
        assert (arrived.args, vars(arrived)) == (sent.args, vars(sent))
        assert arrived.origin == origin
