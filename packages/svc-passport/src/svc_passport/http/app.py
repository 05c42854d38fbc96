"""The ASGI application: finds the route, answers or refuses, counts and logs, in one place."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ron_kms import Engine, KmsError
from svc_passport.errors import Reason, Refused
from svc_passport.http.exchange import Disconnected, Headers, Receive, Reply, Request, Scope, Send
from svc_passport.http.guard import check_is_no_page
from svc_passport.http.handlers import Handlers
from svc_passport.http.problems import problem, refusal_of
from svc_passport.log import Level, Log
from svc_passport.telemetry import (
    FAILURES,
    INFLIGHT,
    METHODS,
    OP_LATENCY,
    OPS,
    OPS_TOTAL,
    OTHER,
    REQUESTS,
    Telemetry,
)

Handler = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One path, and what its methods do."""

    path: str
    handlers: dict[str, Handler]  # by method
    op: str | None = None  # what it is counted as, if it is an operation
    alg: str = "n/a"

    @property
    def allow(self) -> Headers:
        """The header that tells its methods (RFC 9110 §10.2.1)."""
        return ((b"allow", ", ".join(self.handlers).encode()),)


def public_routes(handlers: Handlers) -> list[Route]:
    """Return the routes of the public plane."""
    h = handlers
    return [
        Route("/v1/passport/issue", {"POST": h.issue}, "issue", "Ed25519"),
        Route("/v1/passport/verify", {"POST": h.verify}, "verify", "Ed25519"),
        Route("/v1/passport/verify_batch", {"POST": h.verify_batch}, "verify_batch", "Ed25519"),
        Route("/v1/keys", _get(h.keys), "keys"),
        *_health_routes(handlers),
    ]


def admin_routes(handlers: Handlers) -> list[Route]:
    """Return the routes of the admin plane."""
    h = handlers
    return [
        Route("/admin/rotate", {"POST": h.rotate}, "rotate", "Ed25519"),
        Route("/admin/revoke", {"POST": h.revoke}, "revoke", "Ed25519"),
        Route("/admin/attest", _get(h.attest), "attest"),
        Route("/metrics", _get(h.metrics)),
        Route("/openapi.json", _get(h.openapi)),
        *_health_routes(handlers),
    ]


def _health_routes(handlers: Handlers) -> list[Route]:
    return [
        Route("/healthz", _get(handlers.healthz)),
        Route("/readyz", _get(handlers.readyz)),
        Route("/version", _get(handlers.version)),
    ]


class App:
    """One plane.

    Args:
        development: Whether web pages are kept away.
    """

    def __init__(
        self, routes: list[Route], telemetry: Telemetry, log: Log, engine: Engine, *, development: bool
    ) -> None:
        self._routes = {route.path.encode(): route for route in routes}
        self._telemetry = telemetry
        self._log = log
        self._engine = engine
        self._development = development
        self._request_ids = map(f"{os.urandom(4).hex()}-{{:x}}".format, itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI: for servers that know no shorter way to ``answer``."""
        reply = await self.answer(scope, receive)
        if reply:
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.content})

    async def answer(self, scope: Scope, receive: Receive) -> Reply | None:
        """Return the answer to a request, or None if the client has left.

        Args:
            scope: ASGI's, of an ``http`` request.
            receive: ASGI's.
        """
        started_s = time.perf_counter()
        route = self._routes.get(scope["raw_path"], _UNMATCHED)
        request = Request(scope, receive)
        counts, inflight = self._telemetry.counts, _INFLIGHT.get(route.op)
        if inflight is not None:
            counts[inflight] += 1
        try:
            reply = await self._answer(route, request)
        except Disconnected:
            return None
        finally:
            if inflight is not None:
                counts[inflight] -= 1
        self._tell(route, request, reply, time.perf_counter() - started_s)
        return reply

    async def _answer(self, route: Route, request: Request) -> Reply:
        """Return the handler's answer, or the problem in its place."""
        headers: Headers = ()
        try:
            if self._development:
                check_is_no_page(request)
            handler = route.handlers.get(request.scope["method"])
            if route is _UNMATCHED:
                raise Refused(Reason.NOT_FOUND)
            if handler is None:
                headers = route.allow
                raise Refused(Reason.METHOD_NOT_ALLOWED)
            return await handler(request)
        except Refused as refused:
            request.refused = refused
        except KmsError as error:
            request.refused = refusal_of(error)
            if request.refused.reason in (Reason.STORE_UNAVAILABLE, Reason.INTERNAL):
                self._log("error", "custody", trouble=str(error), kind=type(error).__name__, op=route.op)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 - nothing that a stranger sends may show as a traceback
            request.refused = Refused(Reason.INTERNAL)
            self._log("error", "internal", kind=type(error).__name__, where=_where(error), op=route.op)
        request.id = next(self._request_ids)
        return problem(request.refused, (*headers, (b"x-request-id", request.id.encode())))

    def _tell(self, route: Route, request: Request, reply: Reply, elapsed_s: float) -> None:
        """Count the request and log it."""
        counts = self._telemetry.counts
        reason = request.refused.reason if request.refused else request.reason
        for place in _places(route, request.scope["method"], reply.code, reason):
            counts[place] += 1
        for denied in request.denied:
            counts[_FAILURES[denied]] += 1
        if route.op:
            self._telemetry.observe(OP_LATENCY, _LATENCY[route.op], elapsed_s)
        quiet = reason is None and not request.denied and route.op in _QUIET
        level: Level = "debug" if quiet else "info"
        if self._log.writes(level):
            self._log_request(level, route, request, reply, reason)

    def _log_request(
        self, level: Level, route: Route, request: Request, reply: Reply, reason: Reason | None
    ) -> None:
        client = request.scope["client"]
        self._log(
            level,
            "request",
            request_id=request.id or next(self._request_ids),
            peer=client[0] if client else None,
            route=route.path,
            op=route.op,
            kid=request.kid,
            status=int(reply.code),
            result="fail" if reason else "ok",
            reason=reason,
            batch_len=request.batch_len,
            denied=len(request.denied) or None,
            verify_path=self._engine.name if route.op in _VERIFYING else None,
        )


@lru_cache(maxsize=1024)
def _places(route: Route, method: str, code: str, reason: Reason | None) -> tuple[int, ...]:
    """Return where a request with this outcome is counted."""
    places = [REQUESTS.place(route.path, method if method in METHODS else OTHER, code)]
    if reason:
        places.append(_FAILURES[reason])
    if route.op:
        result = "fail" if reason else "not_modified" if code == "304" else "ok"
        places.append(OPS_TOTAL.place(route.op, result, route.alg))
    return tuple(places)


def _get(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}


def _where(error: BaseException) -> str | None:
    """Return file and line of a fault of ours; its message might quote a stranger."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else None


_UNMATCHED: Final = Route(OTHER, {})
_QUIET: Final = frozenset({None, "verify", "verify_batch", "keys"})
_VERIFYING: Final = frozenset({"verify", "verify_batch"})
_INFLIGHT: Final[dict[str | None, int]] = {op: INFLIGHT.place(op) for op in OPS}
_LATENCY: Final = {op: OP_LATENCY.place(op) for op in OPS}
_FAILURES: Final = {reason: FAILURES.place(reason.label) for reason in Reason}
