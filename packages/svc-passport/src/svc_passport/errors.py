"""Why something was refused: one closed set of reasons, and the exception that carries one.

A reason is a verdict (the token does not pass) or a fault (it, or the request, cannot be judged). Which of
the two it is depends on where it arose, so ``Denied`` says it.
"""

from enum import Enum, StrEnum, auto
from typing import Final

import msgspec


class Reason(StrEnum):
    """Every reason there is, with the label that counts it in ``passport_failures_total``."""

    label: str

    def __new__(cls, value: str, label: str) -> "Reason":
        """Make a member from its text and its label."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    # The request, or the token in it, cannot be judged.
    MALFORMED = "malformed", "malformed"
    RESERVED_CLAIM = "reserved_claim", "malformed"
    TTL_TOO_LONG = "ttl_too_long", "ttl"
    UNKNOWN_KID = "unknown_kid", "unknown"
    BAD_ALG = "bad_alg", "alg"
    BAD_KID = "bad_kid", "kid"
    BAD_AUD = "bad_aud", "aud"
    UNAUTHORIZED = "unauthorized", "unauthorized"
    SCOPE_DENIED = "scope_denied", "scope"
    FORBIDDEN = "forbidden", "unauthorized"
    NOT_FOUND = "not_found", "malformed"
    METHOD_NOT_ALLOWED = "method_not_allowed", "malformed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", "malformed"
    TOO_SOON = "too_soon", "nbf"
    MSG_TOO_LARGE = "msg_too_large", "too_large"
    BATCH_TOO_LARGE = "batch_too_large", "too_large"
    BODY_TOO_LARGE = "body_too_large", "too_large"
    OVERLOADED = "overloaded", "internal"
    NOT_READY = "not_ready", "internal"
    STORE_UNAVAILABLE = "store_unavailable", "internal"
    INTERNAL = "internal", "internal"
    # The token was judged, and does not pass.
    VERIFY_FAILED = "verify_failed", "verify"
    EXPIRED = "expired", "expired"
    NBF = "nbf", "nbf"
    BAD_ISS = "bad_iss", "iss"
    REVOKED = "revoked", "revoked"


class Fault(Enum):
    """What of a malformed request is, so that its author knows where to look."""

    QUERY = auto()  # the query string
    HEADER = auto()  # a header
    JSON = auto()  # the body, as JSON
    SHAPE = auto()  # what the body says, for this route
    CLAIMS = auto()  # a claim to be issued
    TOKEN = auto()  # the token to be verified


class Refused(Exception):
    """A request is refused.

    Attributes:
        reason: Why; it alone decides the answer's status and code.
        retry_after_ms: When the same request may succeed, where that is known.
        fault: What of the request is malformed, where that is known; it chooses the answer's sentence.
    """

    def __init__(
        self, reason: Reason, retry_after_ms: int | None = None, *, fault: Fault | None = None
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_ms = retry_after_ms
        self.fault = fault


class Denied(msgspec.Struct, frozen=True):
    """The verdict on a token that does not pass."""

    reason: Reason
    judged: bool
    """Whether its signature or claims were looked at; if not, a lone token is a bad request."""


FAULT: Final = {reason: Denied(reason, judged=False) for reason in Reason}
VERDICT: Final = {reason: Denied(reason, judged=True) for reason in Reason}
