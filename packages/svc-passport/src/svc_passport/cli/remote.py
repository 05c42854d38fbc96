"""The verbs on a running service, over HTTP."""

from typing import Any

import httpx
import msgspec


class Unreachable(Exception):
    """The service did not answer."""


class RefusedThere(Exception):
    """The service refused.

    Attributes:
        problem: Its answer, as it came.
    """

    def __init__(self, problem: bytes) -> None:
        super().__init__("the service refused")
        self.problem = problem


class Remote:
    """See ``Verbs``.

    Args:
        url: Of the plane that has the verb, such as ``http://127.0.0.1:5307``.
        capability: A compact token, for the verbs that need one.
    """

    def __init__(self, url: str, capability: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {capability}"} if capability else {}

    def issue(self, claims: bytes, *, compact: bool) -> bytes:
        """See ``Verbs``."""
        return self._call("POST", "/v1/passport/issue", claims, format="compact" if compact else None)

    def verify(self, token: bytes, *, aud: str | None, scopes: tuple[str, ...]) -> tuple[bool, bytes]:
        """See ``Verbs``."""
        told = self._call("POST", "/v1/passport/verify", token, detail="1", aud=aud, scope=scopes)
        return msgspec.json.decode(told)["ok"] is True, told

    def keys(self) -> bytes:
        """See ``Verbs``."""
        return self._call("GET", "/v1/keys")

    def rotate(self, *, force: bool, idempotency_key: str | None) -> bytes:
        """See ``Verbs``."""
        key = None if idempotency_key is None else {"idempotency-key": idempotency_key}
        return self._call("POST", "/admin/rotate", headers=key, force="1" if force else None)

    def revoke(self, kid: str) -> bytes:
        """See ``Verbs``."""
        return self._call("POST", "/admin/revoke", msgspec.json.encode({"kid": kid}))

    def version(self) -> bytes:
        """Return what the service is."""
        return self._call("GET", "/version")

    def _call(
        self,
        method: str,
        path: str,
        sent: bytes | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> bytes:
        media = {"content-type": "application/json"} if sent is not None else {}
        # An empty restriction is sent, and refused there: it must never be a check left out.
        asked = {name: value for name, value in query.items() if value is not None}
        said = self._headers | media | (headers or {})
        try:
            with httpx.Client(timeout=30, trust_env=False) as client:
                answer = client.request(method, self._url + path, content=sent, params=asked, headers=said)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self._url} ({type(error).__name__})") from error
        if answer.status_code >= 400:  # noqa: PLR2004 - the first status of a refusal
            raise RefusedThere(answer.content)
        return answer.content
