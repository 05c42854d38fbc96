"""uvicorn's HTTP protocol, where it would answer in its own words."""

from typing import Final

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
    """HTTP/1.1 by httptools, with problems for answers."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for it
        """Answer bytes that are not HTTP."""
        self.transport.write(_MALFORMED)
        self.transport.close()
