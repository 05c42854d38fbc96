"""No web page reaches the development profile, on any route of either plane."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from running import Running, environment, running

from svc_passport.bootstrap import make_store
from svc_passport.config import load

Headers = list[tuple[str, str]]
LOCAL: Headers = [("Host", "127.0.0.1")]


@pytest.fixture(scope="module")
def development() -> Iterator[Running]:
    with running("--dev") as service:
        yield service


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("store")
    env = environment(keys__store=f"sqlite:{folder}/new/keys.db")
    make_store(load(env))
    with running(env=env) as service:
        yield service


def ask(url: str, method: str, path: str, headers: Headers, version: str = "1.1") -> tuple[int, bytes]:
    """Send exactly this, and return status and body."""
    at = urlsplit(url)
    assert at.hostname
    fields = [*headers, ("Connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/{version}\r\n{head}\r\n".encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split(b" ")[1]), body


def is_forbidden(answer: tuple[int, bytes]) -> bool:
    status, body = answer
    if status != 403:
        return False
    told = msgspec.json.decode(body)
    assert list(told) == ["code", "message", "retryable", "reason"]
    assert (told["code"], told["retryable"], told["reason"]) == ("Forbidden", False, "forbidden")
    return True


HOSTS: list[tuple[str, Headers, bool]] = [
    ("an address", [("Host", "127.0.0.1")], True),
    ("an address and a port", [("Host", "127.0.0.1:5307")], True),
    ("another's port", [("Host", "127.0.0.1:1")], True),
    ("IPv6", [("Host", "[::1]")], True),
    ("IPv6 and a port", [("Host", "[::1]:5307")], True),
    ("a name", [("Host", "localhost")], True),
    ("a name and a port", [("Host", "localhost:65535")], True),
    ("capitals", [("Host", "LocalHost:5307")], True),
    ("another case of the field", [("hOsT", "localhost")], True),
    ("spaces before it", [("Host", "  localhost")], True),
    ("none", [], False),
    ("an empty one", [("Host", "")], False),
    ("two", [("Host", "127.0.0.1"), ("Host", "127.0.0.1")], False),
    ("two, the foreign first", [("Host", "evil.example"), ("Host", "localhost")], False),
    ("two, the foreign last", [("Host", "localhost"), ("Host", "evil.example")], False),
    ("two in one", [("Host", "localhost, evil.example")], False),
    ("a trailing dot", [("Host", "localhost.")], False),
    ("a trailing dot and a port", [("Host", "localhost.:5307")], False),
    ("an address with a trailing dot", [("Host", "127.0.0.1.")], False),
    ("a foreign name", [("Host", "evil.example")], False),
    ("a rebound name", [("Host", "127.0.0.1.evil.example")], False),
    ("a rebound name of ours", [("Host", "localhost.evil.example")], False),
    ("a foreign name that ends in ours", [("Host", "evil-localhost")], False),
    ("a subdomain of ours", [("Host", "evil.localhost")], False),
    ("a user part", [("Host", "localhost@evil.example")], False),
    ("a user part before ours", [("Host", "evil.example@localhost")], False),
    ("a colon and no port", [("Host", "localhost:")], False),
    ("six digits of port", [("Host", "localhost:530700")], False),
    ("a port that is none", [("Host", "localhost:evil")], False),
    ("two ports", [("Host", "localhost:1:2")], False),
    ("a path", [("Host", "localhost/evil.example")], False),
    ("any address", [("Host", "0.0.0.0")], False),  # noqa: S104 - nobody binds
    ("another loopback address", [("Host", "127.0.0.2")], False),
    ("a short address", [("Host", "127.1")], False),
    ("an address in decimal", [("Host", "2130706433")], False),
    ("an address in octal", [("Host", "0177.0.0.1")], False),
    ("a long IPv6", [("Host", "[0:0:0:0:0:0:0:1]")], False),
    ("a mapped address", [("Host", "[::ffff:127.0.0.1]")], False),
    ("IPv6 without brackets", [("Host", "::1")], False),
    ("a wildcard service", [("Host", "127.0.0.1.nip.io")], False),
    ("a neighbour", [("Host", "192.168.1.10")], False),
    ("bytes beyond ASCII", [("Host", "localhost\xe9")], False),
    ("a long one", [("Host", "localhost" + "x" * 5000)], False),
    ("a long one that begins well", [("Host", "localhost:" + "1" * 5000)], False),
]
PAGES: list[tuple[str, Headers, bool]] = [
    ("Origin: ours", [*LOCAL, ("Origin", "http://127.0.0.1:5307")], False),
    ("Origin: localhost", [*LOCAL, ("Origin", "http://localhost")], False),
    ("Origin: foreign", [*LOCAL, ("Origin", "https://evil.example")], False),
    ("Origin: null", [*LOCAL, ("Origin", "null")], False),
    ("Origin: empty", [*LOCAL, ("Origin", "")], False),
    ("origin in capitals", [*LOCAL, ("ORIGIN", "x")], False),
    ("two Origins", [*LOCAL, ("Origin", "x"), ("Origin", "y")], False),
    ("Sec-Fetch-Site: none", [*LOCAL, ("Sec-Fetch-Site", "none")], True),
    ("Sec-Fetch-Site: same-origin", [*LOCAL, ("Sec-Fetch-Site", "same-origin")], True),
    ("Sec-Fetch-Site: same-site", [*LOCAL, ("Sec-Fetch-Site", "same-site")], False),
    ("Sec-Fetch-Site: cross-site", [*LOCAL, ("Sec-Fetch-Site", "cross-site")], False),
    ("Sec-Fetch-Site: empty", [*LOCAL, ("Sec-Fetch-Site", "")], False),
    ("Sec-Fetch-Site: unknown", [*LOCAL, ("Sec-Fetch-Site", "same-originx")], False),
    ("two Sec-Fetch-Sites", [*LOCAL, ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], False),
    ("two good Sec-Fetch-Sites", [*LOCAL, ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "none")], False),
    ("both", [*LOCAL, ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://127.0.0.1")], False),
    ("a good Host and other headers", [*LOCAL, ("Referer", "https://evil.example"), ("X-Origin", "x")], True),
    ("a good site, a foreign Host", [("Host", "evil.example"), ("Sec-Fetch-Site", "same-origin")], False),
    ("a forwarded host", [*LOCAL, ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=x")], True),
    ("a forwarded host of ours", [("Host", "evil.example"), ("X-Forwarded-Host", "localhost")], False),
]
CASES = [pytest.param(headers, passes, id=name) for name, headers, passes in HOSTS + PAGES]


@pytest.mark.parametrize(("headers", "passes"), CASES)
def test_who_asks_decides(development: Running, headers: Headers, passes: bool) -> None:
    answer = ask(development.url, "GET", "/healthz", headers)
    assert is_forbidden(answer) is not passes
    assert answer == (200, b'{"ok":true}') or not passes


@pytest.mark.parametrize(("headers", "passes"), CASES)
def test_the_default_profile_asks_for_capabilities_instead(
    closed: Running, headers: Headers, passes: bool
) -> None:
    assert ask(closed.url, "GET", "/healthz", headers) == (200, b'{"ok":true}')


ROUTES = [
    ("POST", "/v1/passport/issue"),
    ("POST", "/v1/passport/verify"),
    ("POST", "/v1/passport/verify_batch"),
    ("GET", "/v1/keys"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/version"),
    ("POST", "/admin/rotate"),
    ("POST", "/admin/rotate?force=1"),
    ("POST", "/admin/revoke"),
    ("GET", "/admin/attest"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/v1/passport/issue"),
    ("HEAD", "/v1/keys"),
    ("DELETE", "/healthz"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_of_either_plane_answers_a_page(development: Running, method: str, path: str) -> None:
    pages: list[Headers] = [
        [*LOCAL, ("Origin", "https://evil.example")],
        [("Host", "evil.example")],
        [*LOCAL, ("Sec-Fetch-Site", "cross-site")],
    ]
    for url in (development.url, development.admin_url):
        for headers in pages:
            answer = ask(url, method, path, headers)
            assert answer == (403, b"") if method == "HEAD" else is_forbidden(answer)
        assert ask(url, method, path, LOCAL)[0] != 403


def test_a_page_changes_nothing(development: Running) -> None:
    before = ask(development.url, "GET", "/v1/keys", LOCAL)
    for path in ("/admin/rotate?force=1", "/admin/revoke"):
        assert is_forbidden(ask(development.url, "POST", path, [*LOCAL, ("Origin", "null")]))
    assert ask(development.url, "GET", "/v1/keys", LOCAL) == before


def test_an_old_client_names_no_host_and_is_refused(development: Running, closed: Running) -> None:
    assert is_forbidden(ask(development.url, "GET", "/healthz", [], "1.0"))
    assert ask(development.url, "GET", "/healthz", LOCAL, "1.0")[0] == 200
    assert ask(closed.url, "GET", "/healthz", [], "1.0")[0] == 200


def test_a_page_is_told_nothing_by_cors_headers(development: Running) -> None:
    with development.client(verify=False) as client:
        for origin in ("https://evil.example", "null"):
            refused = client.options("/v1/keys", headers={"origin": origin})
            assert refused.status_code == 403
            assert [name for name in refused.headers if name.startswith("access-control")] == []
