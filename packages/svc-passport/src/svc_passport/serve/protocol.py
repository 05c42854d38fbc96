"""uvicorn's HTTP protocol, where it would answer in its own words, or slowly."""

from typing import Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from svc_passport.errors import Reason, Refused
from svc_passport.http.app import App
from svc_passport.http.exchange import Receive, Scope
from svc_passport.http.problems import problem


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools and uvicorn's rules of connections, answered by ``App.answer`` in one write.

    ASGI's two messages for an answer cost two system calls and a check of every header: for an answer of
    four bytes, as much as reading the request.
    """

    app: App

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: object) -> None:  # noqa: ARG002 - ours it is
        task = self.loop.create_task(self._answer(cycle))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, cycle: RequestResponseCycle) -> None:
        try:
            reply = await self.app.answer(cast("Scope", cycle.scope), cast("Receive", cycle.receive))
            if self.flow.write_paused:
                await self.flow.drain()
        except BaseException:
            self.transport.close()  # cancelled, because draining took too long
            raise
        if reply is None or cycle.disconnected:
            self.transport.close()
            return
        date = b"date: %b\r\n" % self.server_state.default_headers[0][1]
        closing = b"" if cycle.keep_alive else b"connection: close\r\n"
        content = reply.content if cycle.scope["method"] != "HEAD" else b""
        self.transport.write(b"".join([reply.head, date, closing, b"\r\n", content]))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    # An offer to speak another protocol is ignored (RFC 9110 §7.8), which llhttp does not do: it ends at the
    # head of such a request, and its body is lost. Java's HttpClient makes one with every first request.

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as offer:
                data = self._without_offer(data[offer.args[0] :])
            except httptools.HttpParserError:
                self.send_400_response("")
                data = b""

    def on_headers_complete(self) -> None:
        """See ``HttpToolsProtocol``."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """See ``HttpToolsProtocol``."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _without_offer(self, rest: bytes) -> bytes:
        """Return the request whose head was read, for a new parser: without its offer, and with the rest."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("")
            return b""
        version = self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        offer = (b"upgrade", b"connection")
        headers = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in offer]
        return b"".join([b"%b %b HTTP/%b\r\n" % (method, self.url, version), *headers, b"\r\n", rest])

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for it
        """Answer bytes that are not HTTP."""
        self.transport.write(b"%bconnection: close\r\n\r\n%b" % (_NO_HTTP.head, _NO_HTTP.content))
        self.transport.close()


_NO_HTTP: Final = problem(Refused(Reason.MALFORMED))
