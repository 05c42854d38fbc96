"""How the service starts to talk, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from running import PASSPORT, Running, environment, running
from service import (
    Line,
    asked_once,
    is_alive,
    kill_wholly,
    line_to_each,
    operator,
    prepared,
    until,
    workers_of,
)

ISSUE, VERIFY = "/v1/passport/issue", "/v1/passport/verify"
READY = (200, b'{"ready":true}')
DRAINING = (503, b'{"ready":false,"missing":["draining"]}')

both = pytest.mark.parametrize(
    "workers", [pytest.param(1, id="one worker"), pytest.param(2, id="two workers")]
)


class Slow:
    """A request whose body is still on its way."""

    def __init__(self, url: str, path: str, body: bytes) -> None:
        at = urlsplit(url)
        self._rest = body[len(body) // 2 :]
        self._socket = socket.create_connection((at.hostname, at.port), timeout=20)
        head = f"POST {path} HTTP/1.1\r\nhost: {at.netloc}\r\ncontent-type: application/json\r\n"
        self._socket.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def finish(self) -> tuple[int, bytes]:
        """Send the rest, and return status and body of the answer."""
        self._socket.sendall(self._rest)
        return self.answer()

    def answer(self) -> tuple[int, bytes]:
        with HTTPResponse(self._socket, method="POST") as response:
            response.begin()
            return response.status, response.read()


@contextmanager
def service_of(workers: int, folder: Path, **settings: object) -> Iterator[Running]:
    env = prepared(folder, server__workers=workers, **settings)
    with running("--dev", env=env) as service:
        try:
            yield service
        finally:
            kill_wholly(service)


def readiness(line: Line) -> tuple[int, bytes]:
    answer = line.get("/readyz")
    return answer.status, answer.body


def errors(service: Running) -> list[dict[str, Any]]:
    return [event for event in service.events() if event["level"] == "error"]


# Ending


@both
def test_requests_under_way_are_finished_and_the_exit_code_is_0(workers: int, tmp_path: Path) -> None:
    with service_of(workers, tmp_path) as service:
        token = asked_once(service.url, "POST", ISSUE, b"{}").body
        slow = [Slow(service.url, VERIFY, token) for _ in range(6)]
        time.sleep(0.2)  # so that they have been accepted

        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)

        assert service.process.poll() is None
        for request in slow:
            with request:
                assert request.finish() == (200, b"true")
        assert service.process.wait(timeout=10) == 0
        assert errors(service) == []


@both
def test_it_is_not_ready_first_and_answers_until_the_delay_is_over(workers: int, tmp_path: Path) -> None:
    with service_of(workers, tmp_path, server__drain_delay_s=2) as service:
        token = asked_once(service.url, "POST", ISSUE, b"{}").body
        with line_to_each(service.url, workers) as lines, line_to_each(service.admin_url, workers) as admins:
            assert {readiness(line) for line in (*lines, *admins)} == {READY}

            service.process.send_signal(signal.SIGTERM)
            began = time.monotonic()

            for line in (*lines, *admins):
                until(lambda line=line: readiness(line) == DRAINING, within_s=1.5)
                assert line.get("/readyz").headers["retry-after"] == "1"
            assert asked_once(service.url, "POST", VERIFY, token).body == b"true"  # over a new connection
            assert [line.post(VERIFY, token).body for line in lines] == [b"true"] * workers
            assert time.monotonic() - began < 2
        assert service.process.wait(timeout=10) == 0
        assert 2 <= time.monotonic() - began < 8
        with pytest.raises(ConnectionRefusedError):
            asked_once(service.url, "GET", "/healthz")


def test_what_does_not_finish_is_given_up_after_the_timeout(tmp_path: Path) -> None:
    with (
        service_of(1, tmp_path, server__drain_timeout_s=1) as service,
        Slow(service.url, VERIFY, b"{}"),
    ):
        time.sleep(0.2)
        began = time.monotonic()

        assert service.end() == 0

        assert 1 <= time.monotonic() - began < 8
        assert b"Traceback" not in service.log.read_bytes()


@both
def test_a_second_signal_ends_it_at_once(workers: int, tmp_path: Path) -> None:
    with (
        service_of(workers, tmp_path, server__drain_delay_s=60, server__drain_timeout_s=60) as service,
        Slow(service.url, VERIFY, b"{}"),
    ):
        below = workers_of(service)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert service.process.poll() is None

        service.process.send_signal(signal.SIGTERM)

        service.process.wait(timeout=4)
        until(lambda: not any(is_alive(pid) for pid in below), within_s=1)


def test_one_signal_to_all_of_its_processes_is_one_signal(tmp_path: Path) -> None:
    """Ctrl-C in a terminal, and systemd's control group, reach the supervisor and its workers alike."""
    with service_of(2, tmp_path, server__drain_timeout_s=60) as service:
        token = asked_once(service.url, "POST", ISSUE, b"{}").body
        with Slow(service.url, VERIFY, token) as slow:
            time.sleep(0.2)

            for pid in (*workers_of(service), service.process.pid):
                os.kill(pid, signal.SIGINT)
            time.sleep(1)

            assert slow.finish() == (200, b"true")
        assert service.process.wait(timeout=10) == 0
        assert errors(service) == []


# Talking


def told_by(args: list[str], env: dict[str, str], folder: Path) -> tuple[str, str]:
    """Return stdout and stderr of a service that has heard all kinds of things."""
    out, err = folder / "out", folder / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen([*PASSPORT, "serve", *args], env=env, stdout=stdout, stderr=stderr)
        try:
            until(lambda: out.read_bytes().endswith(b"\n") or process.poll() is not None, within_s=30)
            url = out.read_text().split(" on ")[1].strip()
            admin = "http://" + re.findall('"admin_bind":"([^"]+)"', err.read_text())[0]
            hear_all_kinds_of_things(url, admin)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return out.read_text(), err.read_text()


def hear_all_kinds_of_things(url: str, admin: str) -> None:
    for plane in (url, admin):
        at = urlsplit(plane)
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET http://10.0.0.1:80/ HTTP/1.1\r\n\r\n", b"GET"):
            with socket.create_connection((at.hostname, at.port), timeout=5) as raw:
                raw.sendall(noise)
                raw.shutdown(socket.SHUT_WR)
                raw.recv(4096)
        for path in ("/healthz", "/readyz", "/v1/keys", "/metrics", "/admin/attest", "/http://10.0.0.1:80"):
            asked_once(plane, "GET", path)
        asked_once(plane, "POST", ISSUE, b'{"sub":"http://10.0.0.1:80"}')
        asked_once(plane, "POST", VERIFY, b'{"token":"http://10.0.0.1:80"}')
        asked_once(plane, "POST", "/admin/rotate?force=1")


@pytest.mark.parametrize(
    ("args", "workers"),
    [pytest.param([], 2, id="closed, two workers"), pytest.param(["--dev"], 1, id="development, one worker")],
)
def test_stdout_is_one_line_and_nothing_else_looks_like_an_address(
    args: list[str], workers: int, tmp_path: Path
) -> None:
    out, err = told_by(args, prepared(tmp_path, server__workers=workers, log__level="debug"), tmp_path)

    assert re.fullmatch(r"svc-passport: listening on http://127\.0\.0\.1:[1-9][0-9]*\n", out)
    url = out.split(" on ")[1].strip()
    assert set(re.findall(r"https?://[0-9.]+:[0-9]+", out + err)) == {url}
    assert err.count('"event":"request"') > 10
    assert "Traceback" not in err


def test_an_address_of_ipv6_stands_in_brackets(tmp_path: Path) -> None:
    env = environment(server__bind="[::1]:0", server__admin_bind="[::1]:0")
    with running("--dev", env=env) as service:
        assert re.fullmatch(r"http://\[::1\]:[1-9][0-9]*", service.url)
        assert asked_once(service.url, "GET", "/readyz").body == b'{"ready":true}'
        assert service.end() == 0


def test_neither_a_token_nor_a_capability_is_in_the_log_at_any_level(tmp_path: Path) -> None:
    env = prepared(tmp_path, log__level="debug", keys__publish_ahead_s=0)
    capability = operator(env)
    with running(env=env) as service:
        with Line(service.url, capability) as public, Line(service.admin_url, capability) as admin:
            envelope = public.post(ISSUE, b'{"sub":"a-subject-of-its-own"}')
            compact = public.post(f"{ISSUE}?format=compact", b'{"sub":"a-subject-of-its-own"}')
            for token in (envelope, compact):
                assert public.post(VERIFY, token.body).body == b"true"
                public.post(f"{VERIFY}?aud=elsewhere", token.body)
                public.post(f"{VERIFY}?aud=elsewhere", token.body[:-40])
            admin.post("/admin/rotate", idempotency_key="a-key-of-its-own")
        assert service.end() == 0
        told = service.log.read_text()

    secrets = [capability, compact.json["token"], envelope.json["msg_b64"], envelope.json["sig_b64"]]
    for secret in [*secrets, "a-subject-of-its-own", "a-key-of-its-own"]:
        for start in range(0, max(1, len(secret) - 20), 20):
            assert secret[start : start + 20] not in told
