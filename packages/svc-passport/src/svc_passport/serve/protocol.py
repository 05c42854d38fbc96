"""uvicorn's HTTP protocol, where it would answer in its own words or write twice for one answer."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from svc_passport.errors import Reason, Refused
from svc_passport.http.problems import problem

_REPLY: Final = problem(Refused(Reason.MALFORMED))
_MALFORMED: Final = b"".join(
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        *(b"%b: %b\r\n" % header for header in _REPLY.headers),
        b"connection: close\r\n\r\n",
        _REPLY.content,
    ]
)


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, with problems for answers, each written at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._corked = _Corked(cast("asyncio.Transport", transport))
        super().connection_made(cast("asyncio.Transport", self._corked))

    def on_response_complete(self) -> None:
        """See ``HttpToolsProtocol``."""
        self._corked.flush()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for it
        """Answer bytes that are not HTTP."""
        self.transport.write(_MALFORMED)
        self.transport.close()


class _Corked:
    """A transport that keeps an answer's head until its body comes.

    uvicorn writes the two one after the other, and uvloop makes a system call of each: a quarter of what a
    small answer costs.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """See ``asyncio.WriteTransport``."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        elif data.endswith(b"\r\n\r\n") and not data.startswith(
            b"HTTP/1.1 1"
        ):  # a head, of no interim answer
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write a head that has no body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """See ``asyncio.BaseTransport``."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)
