"""What each route does, a few lines each: read, ask the one who knows, answer."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from ron_kms import Keyring, KeySet, Kid, KmsError, is_idempotency_key
from svc_passport import strict_json
from svc_passport.answers import Answers, detail
from svc_passport.capability import ANONYMOUS_IN_DEVELOPMENT, ATTEST, ISSUE, REVOKE, ROTATE, Caller, caller_of
from svc_passport.carriers import Carrier, is_kid
from svc_passport.coalesce import Coalescer, Gate
from svc_passport.errors import Denied, Fault, Reason, Refused
from svc_passport.http import body, openapi
from svc_passport.http.exchange import JSON, Query, Reply, Request
from svc_passport.issuer import issue
from svc_passport.rules import Rules
from svc_passport.telemetry import Gauge, Telemetry
from svc_passport.verifier import Ask, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What the routes read at most, and how much at once."""

    max_body_bytes: int
    max_batch_body_bytes: int
    max_batch: int
    verify_concurrency: int
    batch_concurrency: int


class Handlers:
    """Every route's handler.

    Args:
        development: Whether nobody needs a capability.
        jwks_ttl_s: How long others may keep the key set.
        missing: Says what is missing before the service is ready.
    """

    def __init__(
        self,
        keyring: Keyring,
        rules: Rules,
        coalescer: Coalescer,
        telemetry: Telemetry,
        limits: Limits,
        *,
        development: bool,
        jwks_ttl_s: int,
        missing: Callable[[], list[str]],
    ) -> None:
        self._keyring = keyring
        self._rules = rules
        self._coalescer = coalescer
        self._telemetry = telemetry
        self._limits = limits
        self._development = development
        self._jwks_ttl_s = jwks_ttl_s
        self._missing = missing
        self._verify_gate = Gate(limits.verify_concurrency)
        self._batch_gate = Gate(limits.batch_concurrency)
        self._change_gate = Gate(_CHANGES_AT_ONCE)
        self._key_set_answer: tuple[KeySet, Reply, Reply] | None = None
        self._answers = Answers(keyring, rules, development=development)
        self._version = Reply(self._answers.version())

    # Passports

    async def issue(self, request: Request) -> Reply:
        """``POST /v1/passport/issue``."""
        await self._check(request, ISSUE)
        query = request.query("format")
        sent = await request.body(self._limits.max_body_bytes)
        # Each comma and bracket stands in the claims that are signed.
        asked = strict_json.loads(sent, self._rules.max_msg_bytes, Reason.MSG_TOO_LARGE)
        await self._be_current()  # the body may have been long in coming
        issued = issue(asked, self._keyring, self._rules, int(time.time()), compact=query.compact)
        request.kid = issued.kid
        return Reply(issued.body)

    async def verify(self, request: Request) -> Reply:
        """``POST /v1/passport/verify``."""
        query = request.query("aud", "scope", "detail")
        carrier = body.one(await request.body(self._limits.max_body_bytes))
        await self._verify_gate.enter()
        try:
            (verdict,) = await self._coalescer.verify([Ask(carrier, query.expected)])
        finally:
            self._verify_gate.leave()
        return self._told(request, verdict, query)

    async def verify_batch(self, request: Request) -> Reply:
        """``POST /v1/passport/verify_batch``."""
        query = request.query("aud", "scope", "detail")
        sent = await request.body(self._limits.max_batch_body_bytes)
        carriers: list[Carrier | Denied] = body.many(sent, self._limits.max_batch)
        request.batch_len = len(carriers)
        await self._batch_gate.enter()
        try:
            verdicts = await self._coalescer.verify([Ask(carrier, query.expected) for carrier in carriers])
        finally:
            self._batch_gate.leave()
        return self._told_many(request, verdicts, query)

    async def keys(self, request: Request) -> Reply:
        """``GET /v1/keys``."""
        request.query()
        await self._be_current()
        key_set = self._keyring.key_set()
        if self._key_set_answer is None or self._key_set_answer[0] is not key_set:
            self._key_set_answer = (key_set, *self._key_set_replies(key_set))
        _, whole, not_modified = self._key_set_answer
        return not_modified if _matches(request, key_set.etag) else whole

    # Health

    async def healthz(self, request: Request) -> Reply:
        """``GET /healthz``."""
        request.query()
        return _ALIVE

    async def readyz(self, request: Request) -> Reply:
        """``GET /readyz``."""
        request.query()
        missing = self._missing()
        if not missing:
            return _READY
        told = _json({"ready": False, "missing": missing})
        return Reply(told, status=503, headers=(JSON, (b"retry-after", b"1")))

    async def version(self, request: Request) -> Reply:
        """``GET /version``."""
        request.query()
        return self._version

    # Administration

    async def rotate(self, request: Request) -> Reply:
        """``POST /admin/rotate``."""
        await self._check(request, ROTATE)
        force, key = request.query("force").force, _idempotency_key(request)
        body.check_is_nothing(await request.body(_NO_BODY_BYTES_MAX, wanted=False))
        return await self._changed(
            partial(self._keyring.rotate, self._answers.changed, idempotency_key=key, force=force)
        )

    async def revoke(self, request: Request) -> Reply:
        """``POST /admin/revoke``."""
        await self._check(request, REVOKE)
        request.query()
        kid = body.kid_to_revoke(await request.body(self._limits.max_body_bytes))
        if not is_kid(kid):
            raise Refused(Reason.BAD_KID)
        request.kid = str(kid)
        return await self._changed(
            partial(self._keyring.revoke, Kid.parse(request.kid), self._answers.changed)
        )

    async def attest(self, request: Request) -> Reply:
        """``GET /admin/attest``."""
        await self._check(request, ATTEST)
        request.query()
        return Reply(self._answers.attest())

    async def metrics(self, request: Request) -> Reply:
        """``GET /metrics``."""
        request.query()
        with suppress(KmsError):  # a store that cannot be read is for /readyz to tell
            await self._be_current()
        told = self._telemetry.exposition(self._gauges())
        return Reply(told, headers=((b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()),))

    async def openapi(self, request: Request) -> Reply:
        """``GET /openapi.json``."""
        request.query()
        return Reply(openapi.document())

    # Helpers, in the order of their first use

    async def _check(self, request: Request, scope: str) -> None:
        """Return if whoever asks may do ``scope``."""
        await self._be_current()
        self._caller(request).check(scope)

    async def _changed(self, change: Callable[[], bytes]) -> Reply:
        """Change the keyring in a thread: there are few of those, and a change may try for seconds."""
        await self._change_gate.enter()
        try:
            return Reply(await asyncio.to_thread(change))
        finally:
            self._change_gate.leave()

    async def _be_current(self) -> None:
        if not self._keyring.is_current():
            await asyncio.to_thread(self._keyring.catch_up)

    def _caller(self, request: Request) -> Caller:
        if b"authorization" not in request.headers:
            if self._development:
                return ANONYMOUS_IN_DEVELOPMENT
            raise Refused(Reason.UNAUTHORIZED)
        authorization = request.header(b"authorization") or b""
        return caller_of(authorization.decode("latin-1"), self._keyring, self._rules, int(time.time()))

    def _told(self, request: Request, verdict: Verdict, query: Query) -> Reply:
        if isinstance(verdict, Denied):
            request.reason = verdict.reason
            if query.detail:
                return Reply(detail(verdict))
            if not verdict.judged:
                raise Refused(verdict.reason, fault=Fault.TOKEN)
            return _FALSE
        request.kid = verdict.kid
        return Reply(detail(verdict)) if query.detail else _TRUE

    def _told_many(self, request: Request, verdicts: list[Verdict], query: Query) -> Reply:
        denied = [verdict.reason for verdict in verdicts if isinstance(verdict, Denied)]
        request.denied = denied
        if query.detail:
            told = [detail(verdict) for verdict in verdicts]
        else:
            told = [b"false" if isinstance(verdict, Denied) else b"true" for verdict in verdicts]
        return Reply(b"[%b]" % b",".join(told))

    def _key_set_replies(self, key_set: KeySet) -> tuple[Reply, Reply]:
        headers = (
            (b"content-type", b"application/jwk-set+json"),
            (b"cache-control", b"public, max-age=%d" % self._jwks_ttl_s),
            (b"etag", key_set.etag.encode()),
        )
        return Reply(key_set.body, headers=headers), Reply(b"", status=304, headers=headers)

    def _gauges(self) -> list[Gauge]:
        snapshot = self._keyring.at_now()
        kept = {"vk": len(snapshot.verifying), "jwks": float(self._key_set_answer is not None)}
        age_s = time.time() - snapshot.ring.active.created_ms / 1000
        return [
            Gauge("passport_active_keys", "Published versions.", len(snapshot.ring.published)),
            Gauge("passport_key_age_seconds", "Since the version that signs was made.", max(0.0, age_s)),
            Gauge("passport_ready", "Whether /readyz says so.", not self._missing()),
            Gauge("passport_cache_items", "Things kept.", kept, "kind"),
        ]


def _idempotency_key(request: Request) -> str | None:
    key = request.header(b"idempotency-key")
    if key is None:
        return None
    text = key.decode("latin-1")
    if not is_idempotency_key(text):
        raise Refused(Reason.MALFORMED, fault=Fault.HEADER)
    return text


def _matches(request: Request, etag: str) -> bool:
    """Evaluate If-None-Match by weak comparison (RFC 9110 §13.1.2, §8.8.3.2)."""
    if b"if-none-match" not in request.headers:
        return False
    wanted = b", ".join(value for name, value in request.scope["headers"] if name == b"if-none-match").strip()
    tags = _entity_tags(wanted) if _is_entity_tags(wanted) else ()
    return wanted == b"*" or etag.encode() in tags


_NO_BODY_BYTES_MAX: Final = 64
_CHANGES_AT_ONCE: Final = 2
_TRUE: Final = Reply(b"true")
_FALSE: Final = Reply(b"false")
_ALIVE: Final = Reply(b'{"ok":true}')
_READY: Final = Reply(b'{"ready":true}')
_ENTITY_TAG: Final = rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_entity_tags: Final = re.compile(_ENTITY_TAG).findall
_is_entity_tags: Final = re.compile(
    rb"[ \t,]*%b(?:[ \t]*,(?:[ \t]*%b)?)*" % (_ENTITY_TAG, _ENTITY_TAG)
).fullmatch
_json: Final = msgspec.json.encode
