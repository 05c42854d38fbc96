"""A development service on a store that the test opens too: it signs what the service never would."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from running import Running, environment, running

from ron_kms import Kid, Signed
from svc_passport.bootstrap import make_store, open_keyring, rules_of
from svc_passport.config import load
from svc_passport.errors import Reason
from svc_passport.http.problems import MALFORMED, PROBLEMS
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
        try:
            return self._asked(method, path, body, headers)
        except (HTTPException, OSError):
            self.close()  # the next test has a connection of its own
            raise

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: bytes | Iterable[bytes], *headers: tuple[str, str]) -> Answer:
        """POST JSON, with more headers."""
        return self.ask("POST", path, body, (JSON, *headers))

    def close(self) -> None:
        self._connection.close()

    def _asked(self, method: str, path: str, body: bytes | Iterable[bytes], headers: Headers) -> Answer:
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
        return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, told)


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
        """Sign anything with the version that signed when ``kid`` was last asked for."""
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
        "message": row.message if head else answer.json["message"],
        "retryable": row.retryable,
        "reason": reason.value,
    }
    known = {row.message} | (set(MALFORMED.values()) if reason is Reason.MALFORMED else set())
    assert members["message"] in known
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
    contents = [json.dumps(members | {"message": m}, separators=(",", ":")).encode() for m in known]
    content = answer.body or next(c for c in contents if len(c) == int(answer.headers["content-length"]))
    assert content in contents
    assert (answer.status, answer.body) == (row.status, b"" if head else content)
    assert answer.headers.keys() == names
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(content)
