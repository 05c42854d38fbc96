"""A request as it came, read on demand and strictly; a reply as it goes."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from svc_passport.errors import Reason, Refused
from svc_passport.rules import Expected

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON: Final = (b"content-type", b"application/json")


class Reply:
    """An answer, as the two messages that ASGI wants. One that never changes is made once."""

    __slots__ = ("body", "code", "content", "headers", "start")

    def __init__(self, content: bytes, *, status: int = 200, headers: Headers = (JSON,)) -> None:
        if status != 304:  # noqa: PLR2004 - it has no body, and the length would be the other answer's
            headers = (*headers, (b"content-length", b"%d" % len(content)))
        self.code = str(status)
        self.headers = headers
        self.content = content
        self.start = {"type": "http.response.start", "status": status, "headers": headers}
        self.body = {"type": "http.response.body", "body": content}


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

    __slots__ = ("_receive", "batch_len", "denied", "headers", "id", "kid", "reason", "refused", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self.kid: str | None = None
        self.id: str | None = None  # made when somebody is told it
        self.reason: Reason | None = None  # the verdict on a lone token
        self.refused: Refused | None = None
        self.batch_len: int | None = None
        self.denied: list[Reason] = []  # the verdicts in a batch that deny

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
            raise Refused(Reason.MALFORMED)
        return value

    def repeats(self, *names: bytes) -> bool:
        """Tell whether one of these headers stands twice."""
        sent: list[tuple[bytes, bytes]] = self.scope["headers"]
        if len(self.headers) == len(sent):
            return False
        return any(sum(1 for name, _ in sent if name == asked) > 1 for asked in names)

    async def body(self, max_bytes: int) -> bytes:
        """Return the body of a request that must have one, in JSON.

        Raises:
            Refused: ``UNSUPPORTED_MEDIA_TYPE`` or ``BODY_TOO_LARGE``.
            Disconnected: The client has left.
        """
        self._check_media_type()
        return await self._read(max_bytes)

    async def no_body(self) -> None:
        """Return if the request has no body, or an empty JSON object.

        Raises:
            Refused: ``UNSUPPORTED_MEDIA_TYPE``, ``BODY_TOO_LARGE`` or ``MALFORMED``.
            Disconnected: The client has left.
        """
        body = await self._read(_NO_BODY_BYTES_MAX)
        if body:
            self._check_media_type()
            if body.strip() != b"{}":
                raise Refused(Reason.MALFORMED)

    def _check_media_type(self) -> None:
        headers = self.headers
        if (
            not _is_json(headers.get(b"content-type", b"")[:_MEDIA_TYPE_BYTES_MAX])
            or b"content-encoding" in headers
        ):
            raise Refused(Reason.UNSUPPORTED_MEDIA_TYPE)
        if self.repeats(b"content-type"):
            raise Refused(Reason.UNSUPPORTED_MEDIA_TYPE)

    async def _read(self, max_bytes: int) -> bytes:
        declared = self.headers.get(b"content-length", b"0")
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


@lru_cache(maxsize=256)
def _query(text: bytes, allowed: tuple[str, ...]) -> Query:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise Refused(Reason.MALFORMED) from None
    names = [name for name, _ in pairs]
    scopes = tuple(value for name, value in pairs if name == "scope")
    values = dict(pairs)
    repeated = len(names) - len(scopes) != len(values.keys() - {"scope"})
    if repeated or not values.keys() <= set(allowed) or not all(value for _, value in pairs):
        raise Refused(Reason.MALFORMED)
    detail, form, force = (
        values.get("detail", "1"),
        values.get("format", "envelope"),
        values.get("force", "1"),
    )
    if detail != "1" or force != "1" or form not in ("envelope", "compact"):
        raise Refused(Reason.MALFORMED)
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
_NO_BODY_BYTES_MAX: Final = 64
_LENGTH_DIGITS_MAX: Final = 18
