"""A request as it came, read on demand and strictly; a reply as it goes."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from svc_passport.errors import Fault, Reason, Refused
from svc_passport.rules import Expected

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON: Final = (b"content-type", b"application/json")


_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class Reply:
    """An answer. One that never changes is made once.

    Args:
        content: The body.
    """

    __slots__ = ("code", "content", "head", "headers", "status")

    def __init__(self, content: bytes, *, status: int = 200, headers: Headers = (JSON,)) -> None:
        if status != 304:  # noqa: PLR2004 - it has no body, and the length would be the other answer's
            headers = (*headers, (b"content-length", b"%d" % len(content)))
        self.status = status
        self.code = str(status)
        self.headers = headers
        self.content = content
        # The status line and the headers as they go over the wire (RFC 9112 §4, §5).
        self.head = _STATUS_LINES[status] + b"".join([b"%b: %b\r\n" % header for header in headers])


class Disconnected(Exception):
    """The client has left before it had sent its request."""


class Query(msgspec.Struct, frozen=True):
    """What a query string can say; each route allows some of it."""

    expected: Expected = Expected()  # ?aud=, ?scope=
    detail: bool = False
    compact: bool = False  # ?format=compact
    force: bool = False


class Request:
    """A request. What the log and the counts tell of it is noted in it on the way."""

    id: str | None = None  # made when somebody is told it
    kid: str | None = None
    reason: Reason | None = None  # the verdict on a lone token
    refused: Refused | None = None
    batch_len: int | None = None
    denied: Sequence[Reason] = ()  # the verdicts in a batch that deny

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive

    def query(self, *allowed: str) -> Query:
        """Return the query, in which only ``allowed`` parameters stand.

        Raises:
            Refused: ``MALFORMED``: a misspelt restriction must never be a check left out.
        """
        text = self.scope["query_string"]
        if not text:
            return _NO_QUERY
        return (
            _query(text, allowed)
            if len(text) <= _QUERY_CACHED_BYTES_MAX
            else _query.__wrapped__(text, allowed)
        )

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value.

        Raises:
            Refused: ``MALFORMED``: it stands twice.
        """
        value = self.headers.get(name)
        if self.repeats(name):
            raise Refused(Reason.MALFORMED, fault=Fault.HEADER)
        return value

    def repeats(self, *names: bytes) -> bool:
        """Tell whether one of these headers stands twice."""
        sent: list[tuple[bytes, bytes]] = self.scope["headers"]
        if len(self.headers) == len(sent):
            return False
        return any(sum(1 for name, _ in sent if name == asked) > 1 for asked in names)

    async def body(self, max_bytes: int, *, wanted: bool = True) -> bytes:
        """Return the body, in JSON.

        Args:
            wanted: Whether there must be one; otherwise it may be empty.

        Raises:
            Refused: ``UNSUPPORTED_MEDIA_TYPE`` or ``BODY_TOO_LARGE``.
            Disconnected: The client has left.
        """
        headers = self.headers
        declared = headers.get(b"content-length", b"0")
        if wanted or declared != b"0" or b"transfer-encoding" in headers:
            self._check_media_type()
        if len(declared) > _LENGTH_DIGITS_MAX or int(declared) > max_bytes:
            raise Refused(Reason.BODY_TOO_LARGE)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            chunks, length = [body], len(body)
            while message.get("more_body") and length <= max_bytes:
                message = await self._receive()
                chunks.append(chunk := message.get("body", b""))
                length += len(chunk)
            body = b"".join(chunks)
        if message["type"] == "http.disconnect":
            raise Disconnected
        if len(body) > max_bytes:
            raise Refused(Reason.BODY_TOO_LARGE)
        return body

    def _check_media_type(self) -> None:
        headers = self.headers
        media_type = headers.get(b"content-type", b"")
        plain = media_type == b"application/json"
        if not plain and (len(media_type) > _MEDIA_TYPE_BYTES_MAX or not _is_json(media_type)):
            raise Refused(Reason.UNSUPPORTED_MEDIA_TYPE)
        if b"content-encoding" in headers or self.repeats(b"content-type"):
            raise Refused(Reason.UNSUPPORTED_MEDIA_TYPE)


@lru_cache(maxsize=256)
def _query(text: bytes, allowed: tuple[str, ...]) -> Query:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise Refused(Reason.MALFORMED, fault=Fault.QUERY) from None
    names = [name for name, _ in pairs]
    scopes = tuple(value for name, value in pairs if name == "scope")
    values = dict(pairs)
    repeated = len(names) - len(scopes) != len(values.keys() - {"scope"})
    if repeated or not values.keys() <= set(allowed) or not all(value for _, value in pairs):
        raise Refused(Reason.MALFORMED, fault=Fault.QUERY)
    detail, form, force = (
        values.get("detail", "1"),
        values.get("format", "envelope"),
        values.get("force", "1"),
    )
    if detail != "1" or force != "1" or form not in ("envelope", "compact"):
        raise Refused(Reason.MALFORMED, fault=Fault.QUERY)
    return Query(
        expected=Expected(values.get("aud"), scopes),
        detail="detail" in values,
        compact=form == "compact",
        force="force" in values,
    )


@lru_cache(maxsize=64)
def _is_json(content_type: bytes) -> bool:
    """Tell whether a Content-Type is ``application/json``, at most with ``charset=utf-8`` (RFC 9110 §8.3)."""
    media_type, semicolon, parameter = content_type.lower().partition(b";")
    name, _, value = parameter.strip(b" \t").partition(b"=")
    plain = not semicolon or (name == b"charset" and value in (b"utf-8", b'"utf-8"'))
    return media_type.strip(b" \t") == b"application/json" and plain


_NO_QUERY: Final = Query()
_QUERY_CACHED_BYTES_MAX: Final = 512
_MEDIA_TYPE_BYTES_MAX: Final = 128
_LENGTH_DIGITS_MAX: Final = 18
