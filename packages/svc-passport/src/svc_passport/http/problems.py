"""Every refusal as HTTP: one table (SPEC 4).

Messages are fixed sentences: nothing that a stranger sent, and nothing of ours, is echoed.
"""

from typing import Final, NamedTuple

import msgspec

from ron_kms import Busy, KmsError, NoSuchKey, StoreRefused, TooSoon
from svc_passport.errors import Fault, Reason, Refused
from svc_passport.http.exchange import JSON, Headers, Reply


class Problem(NamedTuple):
    """How a reason is answered."""

    status: int
    code: str
    message: str
    retryable: bool = False


PROBLEMS: Final = {
    Reason.MALFORMED: Problem(400, "Malformed", "The request cannot be read."),
    Reason.RESERVED_CLAIM: Problem(400, "Malformed", "The service stamps iss, iat, exp, jti and kid itself."),
    Reason.TTL_TOO_LONG: Problem(400, "Malformed", "The lifetime is longer than the service allows."),
    Reason.UNKNOWN_KID: Problem(
        400, "Malformed", "No key has this kid; a new one may not be known here yet.", True
    ),
    Reason.BAD_ALG: Problem(400, "BadAlg", "The algorithm is not Ed25519."),
    Reason.BAD_KID: Problem(400, "BadKid", "The kid is missing or has another form."),
    Reason.BAD_AUD: Problem(400, "BadAudience", "An audience is needed."),
    Reason.UNAUTHORIZED: Problem(
        401, "Unauthorized", "A valid capability is needed: of this service, in time, its key not revoked."
    ),
    Reason.SCOPE_DENIED: Problem(403, "ScopeDenied", "The scope is not granted."),
    Reason.FORBIDDEN: Problem(
        403, "Forbidden", "The development profile answers local programs only, no web pages."
    ),
    Reason.NOT_FOUND: Problem(
        404, "NotFound", "There is nothing here; administration has a plane, and so an address, of its own."
    ),
    Reason.METHOD_NOT_ALLOWED: Problem(405, "MethodNotAllowed", "This resource has other methods."),
    Reason.TOO_SOON: Problem(409, "TooSoon", "The next key has not been published for long enough.", True),
    Reason.MSG_TOO_LARGE: Problem(413, "MsgTooLarge", "The claims are too large."),
    Reason.BATCH_TOO_LARGE: Problem(413, "BatchTooLarge", "The batch has too many items."),
    Reason.BODY_TOO_LARGE: Problem(413, "BodyTooLarge", "The body is too large."),
    Reason.UNSUPPORTED_MEDIA_TYPE: Problem(415, "UnsupportedMediaType", "The body must be application/json."),
    Reason.INTERNAL: Problem(500, "Internal", "The service has failed; it has been logged.", True),
    Reason.OVERLOADED: Problem(503, "Overloaded", "Too many requests at once.", True),
    Reason.NOT_READY: Problem(503, "NotReady", "The service is not ready.", True),
    Reason.STORE_UNAVAILABLE: Problem(
        503, "StoreUnavailable", "The key store cannot be used right now.", True
    ),
}
"""Every reason that can be a request's. The others are verdicts: ``false``, or ``{"ok":false,…}``."""

MALFORMED: Final = {
    Fault.QUERY: "The query has an unknown, empty or repeated parameter, or a value that it does not take.",
    Fault.HEADER: "A header stands twice, or has another form.",
    Fault.JSON: "The body is not strict JSON (RFC 7493): syntax, UTF-8, a name twice, nesting, or a number.",
    Fault.SHAPE: "The body is JSON, but not of the shape that this route takes.",
    Fault.CLAIMS: "A claim has a wrong type, or a name that does not begin with a lowercase letter.",
    Fault.TOKEN: "This is no envelope and no compact token: a member, the base64, or the header is wrong.",
}
"""What of a ``MALFORMED`` request is, where that is known."""

_RETRY_AFTER_MS: Final = 1000
"""For 409 and 503 where nobody knows better."""


def problem(refused: Refused, headers: Headers = ()) -> Reply:
    """Return the answer to a refused request."""
    row = PROBLEMS[refused.reason]
    members: dict[str, object] = {
        "code": row.code,
        "message": _sentence(refused, row),
        "retryable": row.retryable,
        "reason": refused.reason.value,
    }
    if row.status in (409, 503):
        retry_after_ms = refused.retry_after_ms or _RETRY_AFTER_MS
        members["retry_after_ms"] = retry_after_ms
        headers = (*headers, (b"retry-after", b"%d" % -(-retry_after_ms // 1000)))
    if refused.reason is Reason.UNAUTHORIZED:
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    return Reply(msgspec.json.encode(members), status=row.status, headers=(JSON, *headers))


def _sentence(refused: Refused, row: Problem) -> str:
    if refused.reason is Reason.MALFORMED and refused.fault:
        return MALFORMED[refused.fault]
    return row.message


def refusal_of(error: KmsError) -> Refused:
    """Return what an error of custody means to whoever asked."""
    match error:
        case TooSoon():
            return Refused(Reason.TOO_SOON, error.retry_after_ms)
        case NoSuchKey():
            return Refused(Reason.UNKNOWN_KID)
        case Busy() | StoreRefused():
            return Refused(Reason.STORE_UNAVAILABLE)
        case _:
            return Refused(Reason.INTERNAL)
