"""A development service on a store that the test opens too: it signs what the service never would.

``Draft`` is a token about to be presented, ``FAULTS`` everything that can be wrong with one, in the order in
which the service looks (SPEC 3, "Verify, in this order").
"""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import rfc8785
from running import Running, environment, running

from ron_kms import Kid, Signed
from svc_passport.bootstrap import make_store, open_keyring, rules_of
from svc_passport.config import MIB, load
from svc_passport.errors import Reason
from svc_passport.http.problems import PROBLEMS
from svc_passport.issuer import mint_capability

ISSUE = "/v1/passport/issue"
VERIFY = "/v1/passport/verify"
BATCH = "/v1/passport/verify_batch"
ROTATE = "/admin/rotate"
REVOKE = "/admin/revoke"

ISSUER = "svc-passport"
HERE = "svc-a"
"""The audience of every token here that names none itself."""

Headers = Iterable[tuple[str, str]]
JSON = ("content-type", "application/json")
Carrier = Literal["envelope", "compact"]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Plane:
    """One kept connection to one plane of a service."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        assert at.hostname
        self.address = (at.hostname, at.port)
        self._connection = HTTPConnection(*self.address, timeout=30)

    def ask(
        self, method: str, path: str, body: bytes | Iterable[bytes] = b"", headers: Headers = ()
    ) -> Answer:
        """Send a request, in chunks if ``body`` is in pieces, with these headers as they are."""
        connection = self._connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1"))
        if isinstance(body, bytes):
            if body or method == "POST":
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
        else:
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders(body, encode_chunked=True)
        response = connection.getresponse()
        told = response.read()
        names = [name.lower() for name, _ in response.getheaders()]
        assert len(set(names)) == len(names), "a header stands twice"
        if response.will_close:
            connection.close()
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, told)

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: bytes | Iterable[bytes], *headers: tuple[str, str]) -> Answer:
        """POST JSON, with more headers."""
        return self.ask("POST", path, body, (JSON, *headers))

    def close(self) -> None:
        self._connection.close()


class Forge(Plane):
    """The public plane of a service, and its keys.

    Attributes:
        admin: The admin plane.
        kid: The version that signs, unless somebody has rotated.
        revoked_kid: One that is revoked.
    """

    revoked_kid = "ed25519/default/v1"

    def __init__(self, service: Running, env: dict[str, str]) -> None:
        super().__init__(service.url)
        self.service = service
        self.admin = Plane(service.admin_url)
        config = load(env, development=True)
        self._keyring = open_keyring(config)
        self._rules = rules_of(config)

    @property
    def kid(self) -> str:
        self._keyring.refresh()
        return self._keyring.current.head.kid

    def sign(self, message: bytes) -> Signed:
        """Sign anything with the version that signs now."""
        self._keyring.refresh()
        return self._keyring.sign(lambda _: message)

    def capability(self, *scopes: str) -> tuple[str, str]:
        """Return an ``Authorization`` header with a capability for these scopes."""
        self._keyring.refresh()
        minted = mint_capability(list(scopes), 60, self._keyring, self._rules, int(time.time()))
        return "authorization", f"Bearer {minted}"

    def issue(self, **claims: object) -> dict[str, str]:
        """Return an envelope that the service issues."""
        answer = self.post(ISSUE, json.dumps({"aud": HERE} | claims).encode())
        assert answer.status == 200, answer
        return dict(answer.json)

    def issue_compact(self, **claims: object) -> str:
        """Return a compact token that the service issues."""
        answer = self.post(ISSUE + "?format=compact", json.dumps({"aud": HERE} | claims).encode())
        assert answer.status == 200, answer
        return str(answer.json["token"])

    def detail(self, carrier: object, query: str = "") -> Any:
        """Return what the service says of a carrier in detail."""
        answer = self.post(f"{VERIFY}?detail=1{query}", json.dumps(carrier).encode())
        assert answer.status == 200, answer
        return answer.json


@contextmanager
def forging(folder: Path, **settings: object) -> Iterator[Forge]:
    """Run a development service on a new store in ``folder``: version 1 revoked, version 2 signing."""
    env = environment(keys__store=f"sqlite:{folder.absolute()}/keys.db", **settings)
    config = load(env, development=True)
    make_store(config)
    open_keyring(config).revoke(Kid.parse(Forge.revoked_kid), lambda _: b"")
    with running("--dev", env=env) as service:
        forge = Forge(service, env)
        try:
            yield forge
        finally:
            forge.close()
            forge.admin.close()


def assert_refused(answer: Answer, reason: Reason, *, allow: str | None = None, head: bool = False) -> None:
    """Check that an answer is exactly the problem of ``reason``: status, members in order, headers."""
    row = PROBLEMS[reason]
    members: dict[str, object] = {
        "code": row.code,
        "message": row.message,
        "retryable": row.retryable,
        "reason": reason.value,
    }
    names = {"date", "content-type", "content-length", "x-request-id"}
    if row.status in (409, 503):
        retry_after_ms = answer.json["retry_after_ms"]
        members["retry_after_ms"] = retry_after_ms
        names.add("retry-after")
        assert int(answer.headers["retry-after"]) == -(-retry_after_ms // 1000) > 0
    if row.status == 401:
        names.add("www-authenticate")
        assert answer.headers["www-authenticate"] == "Bearer"
    if row.status == 405:
        names.add("allow")
        assert answer.headers["allow"] == allow
    content = json.dumps(members, separators=(",", ":")).encode()
    assert (answer.status, answer.body) == (row.status, b"" if head else content)
    assert answer.headers.keys() == names
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(content)


class Draft:
    """A token about to be presented. Change what you like, then ``present`` it.

    Attributes:
        claims: What gets signed.
        message: How the claims become the message.
        alg, kid, aud: What the carrier says; a compact token says no ``aud``.
        msg_text, sig_text: Change the two as base64, when all is signed.
        body: Change the request's body, in order.
        content_type, query: Of the request.
    """

    def __init__(self, forge: Forge, carrier: Carrier = "envelope", **claims: object) -> None:
        self.forge = forge
        self.carrier = carrier
        self.now_s = int(time.time())
        self.signing_kid = forge.kid
        self.claims: dict[str, Any] = {
            "aud": [HERE],
            "exp": self.now_s + 600,
            "iat": self.now_s,
            "iss": ISSUER,
            "jti": "A" * 22,
            "kid": self.signing_kid,
        } | claims
        self.message: Callable[[Any], bytes] = rfc8785.dumps
        self.alg: Any = "Ed25519" if carrier == "envelope" else "EdDSA"
        self.kid: Any = self.signing_kid
        self.aud: Any = HERE
        self.msg_text: Callable[[str], Any] = str
        self.sig_text: Callable[[str], Any] = str
        self.body: list[Callable[[bytes], bytes]] = []
        self.content_type = "application/json"
        self.query: list[str] = []

    def carried(self) -> dict[str, Any]:
        """Return the carrier; members that are ``...`` are left out."""
        message = self.message(self.claims)
        members = self._envelope(message) if self.carrier == "envelope" else self._compact(message)
        return {name: value for name, value in members.items() if value is not ...}

    def present(self, *query: str) -> Answer:
        """Present it at verify, and return the answer."""
        body = json.dumps(self.carried()).encode()
        for change in self.body:
            body = change(body)
        path = "?".join(filter(None, [VERIFY, "&".join([*self.query, *query])]))
        return self.forge.ask("POST", path, body, [("content-type", self.content_type)])

    def _envelope(self, message: bytes) -> dict[str, Any]:
        signature = self.forge.sign(message).signature
        return {
            "alg": self.alg,
            "aud": self.aud,
            "kid": self.kid,
            "msg_b64": self.msg_text(b64encode(message).decode()),
            "sig_b64": self.sig_text(b64encode(signature).decode()),
        }

    def _compact(self, message: bytes) -> dict[str, Any]:
        payload = b64url(message)
        honest = compact_header(kid=self.signing_kid)
        signature = self.forge.sign(f"{honest}.{payload}".encode()).signature
        said = compact_header(alg=self.alg, kid=self.kid)
        return {"token": f"{said}.{self.msg_text(payload)}.{self.sig_text(b64url(signature))}"}


def b64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact_header(**members: object) -> str:
    """Return a compact token's first segment; members that are ``...`` are left out."""
    members = {"alg": "EdDSA", "kid": Forge.revoked_kid, "typ": "passport+jwt"} | members
    return b64url(json.dumps({n: v for n, v in members.items() if v is not ...}).encode())


class Fault(NamedTuple):
    """Something that is wrong with a draft."""

    name: str
    reason: Reason
    by: Literal["request", "token", "verdict"]  # whose fault it is
    touches: str  # what it changes: two faults that change the same cannot be had together
    spoil: Callable[[Draft], None]

    def __str__(self) -> str:
        return self.name


def _no_audience(draft: Draft) -> None:
    draft.aud = ...


def _flipped(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


def _set(name: str, value: object) -> Callable[[Draft], None]:
    return lambda draft: setattr(draft, name, value)


def _claim(name: str, value: object) -> Callable[[Draft], None]:
    return lambda draft: draft.claims.__setitem__(name, value)


def _time(name: str, offset_s: int) -> Callable[[Draft], None]:
    return lambda draft: draft.claims.__setitem__(name, draft.now_s + offset_s)


def _asking(query: str) -> Callable[[Draft], None]:
    return lambda draft: draft.query.append(query)


def _sent(change: Callable[[bytes], bytes]) -> Callable[[Draft], None]:
    return lambda draft: draft.body.append(change)


R = Reason
FAULTS = (
    Fault("media type", R.UNSUPPORTED_MEDIA_TYPE, "request", "media", _set("content_type", "text/plain")),
    Fault("body cap", R.BODY_TOO_LARGE, "request", "length", _sent(lambda b: b + b" " * MIB)),
    Fault("JSON", R.MALFORMED, "request", "syntax", _sent(lambda b: b + b"}")),
    Fault("alg", R.BAD_ALG, "token", "alg", _set("alg", "none")),
    Fault("kid form", R.BAD_KID, "token", "kid", _set("kid", "v1")),
    Fault("no aud", R.BAD_AUD, "token", "aud", _no_audience),
    Fault("base64", R.MALFORMED, "token", "base64", _set("sig_text", lambda text: text + "\n")),
    Fault("msg cap", R.MSG_TOO_LARGE, "token", "pad", _claim("pad", "x" * 5000)),
    Fault("unknown kid", R.UNKNOWN_KID, "token", "kid", _set("kid", "ed25519/default/v999")),
    Fault("revoked kid", R.REVOKED, "verdict", "kid", _set("kid", Forge.revoked_kid)),
    Fault("signature", R.VERIFY_FAILED, "verdict", "base64", _set("sig_text", _flipped)),
    Fault("claim name", R.MALFORMED, "verdict", "name", _claim("X", 1)),
    Fault("iss", R.BAD_ISS, "verdict", "iss", _claim("iss", "another")),
    Fault("signed kid", R.BAD_KID, "verdict", "signed kid", _claim("kid", "ed25519/default/v999")),
    Fault("iat", R.NBF, "verdict", "iat", _time("iat", 1000)),
    Fault("nbf", R.NBF, "verdict", "nbf", _time("nbf", 1000)),
    Fault("expired", R.EXPIRED, "verdict", "exp", _time("exp", -1000)),
    Fault("ttl", R.TTL_TOO_LONG, "verdict", "iat", _time("iat", -200_000)),
    Fault("presented to another", R.BAD_AUD, "verdict", "aud", _set("aud", "svc-b")),
    Fault("asked by another", R.BAD_AUD, "verdict", "?aud", _asking("aud=svc-b")),
    Fault("scope", R.SCOPE_DENIED, "verdict", "?scope", _asking("scope=read")),
)
"""Everything that can be wrong with a token, in the order of SPEC 3."""

PAIRS = [(one, other) for one, other in combinations(FAULTS, 2) if one.touches != other.touches]


def faults_of(carrier: Carrier) -> list[Fault]:
    """Return the faults that a carrier can have."""
    return [fault for fault in FAULTS if carrier == "envelope" or fault.touches != "aud"]
