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
        headers = {"authorization": f"Bearer {capability}"} if capability else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

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
        key = {"idempotency-key": idempotency_key} if idempotency_key else None
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
        asked = {name: value for name, value in query.items() if value}
        try:
            answer = self._client.request(
                method, path, content=sent, params=asked, headers=media | (headers or {})
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._client.base_url} ({type(error).__name__})") from error
        if answer.status_code >= 400:  # noqa: PLR2004 - the first status of a refusal
            raise RefusedThere(answer.content)
        return answer.content
