"""Two workers are one service: what one does is in force in both, they live and end together."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import pytest
from running import PASSPORT, Running, environment, running
from service import (
    Answer,
    Line,
    asked_once,
    batch,
    children,
    is_alive,
    line_to_each,
    local,
    prepared,
    until,
    version_of,
    workers_of,
)

from svc_passport.cli.serving import _TAKEN

ISSUE, VERIFY, KEYS = "/v1/passport/issue", "/v1/passport/verify", "/v1/keys"


class Pair(NamedTuple):
    """A service of two workers in the development profile, and its environment."""

    service: Running
    env: dict[str, str]

    @property
    def url(self) -> str:
        return self.service.url


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One service for all tests that leave it running."""
    env = prepared(tmp_path_factory.mktemp("pair"), server__workers=2, keys__publish_ahead_s=0)
    with running("--dev", env=env) as service:
        yield Pair(service, env)
        below = children(service.process.pid)
        assert service.end() == 0
        until(lambda: not any(is_alive(pid) for pid in below), within_s=2)


@pytest.fixture
def each(pair: Pair) -> Iterator[list[Line]]:
    """A connection to each of its workers."""
    with line_to_each(pair.url) as lines:
        yield lines


def kid_of_new_token(line: Line) -> str:
    return str(line.post(ISSUE, b"{}").json["kid"])


# What one has changed is in force in all


def test_a_revocation_is_in_force_in_every_worker_when_it_is_answered(pair: Pair, each: list[Line]) -> None:
    for admin, other in [*zip(each, reversed(each), strict=True)] * 8:
        token = other.post(ISSUE, b"{}")
        assert other.post(VERIFY, token.body).body == b"true"

        revoked = admin.post("/admin/revoke", b'{"kid":"%b"}' % token.json["kid"].encode())

        assert revoked.status == 200
        assert other.post(VERIFY, token.body).body == b"false"
        assert admin.post(VERIFY, token.body).body == b"false"
        fresh = [asked_once(pair.url, "POST", f"{VERIFY}?detail=1", token.body) for _ in range(6)]
        assert {answer.body for answer in fresh} == {b'{"ok":false,"reason":"revoked"}'}
        assert token.json["kid"] not in other.get(KEYS).body.decode()


def test_a_rotation_is_in_force_in_every_worker_when_it_is_answered(pair: Pair, each: list[Line]) -> None:
    for admin, other in [*zip(each, reversed(each), strict=True)] * 8:
        rotated = admin.post("/admin/rotate").json

        assert kid_of_new_token(other) == rotated["current_kid"]
        assert kid_of_new_token(admin) == rotated["current_kid"]
        fresh = [asked_once(pair.url, "POST", ISSUE, b"{}").json["kid"] for _ in range(6)]
        assert set(fresh) == {rotated["current_kid"]}


def test_the_key_set_is_the_same_in_every_worker_when_a_rotation_is_answered(each: list[Line]) -> None:
    for admin, other in [*zip(each, reversed(each), strict=True)] * 4:
        told = admin.post("/admin/rotate").json

        sets = [other.get(KEYS), admin.get(KEYS)]

        assert sets[0].body == sets[1].body
        assert sets[0].headers["etag"] == sets[1].headers["etag"]
        assert told["next_kid"].encode() in sets[0].body


def test_a_token_verifies_in_the_worker_that_did_not_sign_it(each: list[Line]) -> None:
    for signing, other in [*zip(each, reversed(each), strict=True)] * 4:
        signing.post("/admin/rotate")
        token = signing.post(ISSUE, b"{}").body

        assert other.post("/v1/passport/verify_batch", batch([token] * 3)).body == b"[true,true,true]"


def test_an_idempotency_key_gets_the_same_answer_from_every_worker(each: list[Line]) -> None:
    first, other = each

    answers = [line.post("/admin/rotate", idempotency_key="once") for line in (first, other, first)]

    assert {answer.body for answer in answers} == {answers[0].body}


# Metrics


def series(answer: Answer, name: str, *labels: str) -> float:
    """Return the sum of a metric's series that have these labels."""
    lines = [line for line in answer.body.decode().splitlines() if re.match(rf"{name}[ {{]", line)]
    return sum(float(line.split()[-1]) for line in lines if all(label in line for label in labels))


def test_metrics_answer_for_all_workers_whoever_is_asked(pair: Pair, each: list[Line]) -> None:
    token = each[0].post(ISSUE, b"{}").body
    asked = 'route="/v1/passport/verify"'
    before = each[0].get("/metrics")

    good = [asked_once(pair.url, "POST", VERIFY, token) for _ in range(25)]
    bad = [asked_once(pair.url, "POST", VERIFY, b"?") for _ in range(25)]

    assert {answer.body for answer in good} == {b"true"}
    assert len({answer.headers["x-request-id"].partition("-")[0] for answer in bad}) == 2  # both have served
    for line in each:
        now = line.get("/metrics")
        for name, labels, more in (
            ("passport_requests_total", (asked, 'method="POST"', 'code="200"'), 25),
            ("passport_requests_total", (asked, 'method="POST"', 'code="400"'), 25),
            ("passport_ops_total", ('op="verify"', 'result="ok"'), 25),
            ("passport_ops_total", ('op="verify"', 'result="fail"'), 25),
            ("passport_failures_total", ('reason="malformed"',), 25),
            ("passport_op_latency_seconds_count", ('op="verify"',), 50),
            ("kms_ops_total", ('op="verify"',), 25),
        ):
            assert series(now, name, *labels) - series(before, name, *labels) == more, (name, labels)


def test_metrics_tell_a_rotation_by_another_worker_at_once(each: list[Line]) -> None:
    admin, other = each
    before = other.get("/metrics")

    admin.post("/admin/rotate")

    now = other.get("/metrics")
    assert series(now, "passport_rotations_total") == series(before, "passport_rotations_total") + 1
    assert series(now, "passport_active_keys") == len(other.get(KEYS).json["keys"])


# Other programs on the same store


def followed_within_s(lines: list[Line], kid: str) -> float:
    return until(lambda: {kid_of_new_token(line) for line in lines} == {kid}, within_s=10)


def test_a_rotation_by_the_command_line_is_followed_within_a_second(pair: Pair, each: list[Line]) -> None:
    for _ in range(2):
        done = subprocess.run(
            [*PASSPORT, "rotate"], env=pair.env, capture_output=True, check=True, timeout=60
        )
        kid = re.search(rb'"current_kid":"([^"]+)"', done.stdout)
        assert kid
        assert followed_within_s(each, kid[1].decode()) <= 1.0


def test_a_revocation_by_the_command_line_is_followed_within_a_second(pair: Pair, each: list[Line]) -> None:
    token = each[0].post(ISSUE, b"{}")
    done = subprocess.run(
        [*PASSPORT, "revoke", token.json["kid"]], env=pair.env, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.count(b"\n") == 1

    took_s = until(lambda: {line.post(VERIFY, token.body).body for line in each} == {b"false"}, within_s=10)

    assert took_s <= 1.0


ROTATE = """
import os, sys
from svc_passport.cli.local import Local
from svc_passport.config import load
store = Local(load(os.environ))
print("here", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(store.rotate(force=True, idempotency_key=None) + b"\\n")
"""


def test_rotations_by_several_processes_at_once_follow_one_another(pair: Pair, each: list[Line]) -> None:
    before = version_of(each[0].get("/admin/attest").json["current_kid"])
    rotations = 15
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ROTATE, str(rotations)],
            env=pair.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for program in programs:
            assert program.stdout
            assert program.stdout.readline() == "here\n"
        with ThreadPoolExecutor(4) as pool:
            told = [pool.submit(program.communicate, "go\n", 60) for program in programs]
            over_http = [
                pool.submit(lambda line: [line.post("/admin/rotate") for _ in range(rotations)], line)
                for line in each
            ]
            lines = [line for one in told for line in one.result()[0].splitlines()]
            answers = [answer for one in over_http for answer in one.result()]
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
                program.communicate()
    assert [program.returncode for program in programs] == [0, 0]
    assert {answer.status for answer in answers} == {200}

    kids = re.findall(r'\{"current_kid":"([^"]+)"', "\n".join([*lines, *(a.body.decode() for a in answers)]))
    made = sorted(map(version_of, kids))
    assert made == list(range(before + 1, before + 4 * rotations + 1))  # each of them once
    states = [version["state"] for version in each[0].get("/admin/attest").json["versions"]]
    assert (states.count("active"), states.count("next")) == (1, 1)
    assert len(local(pair.env).keys()) == len(each[1].get(KEYS).body)


# Life and death


def test_a_killed_worker_is_replaced_and_the_service_is_not_ready_meanwhile(tmp_path: Path) -> None:
    env = prepared(tmp_path, server__workers=2)
    with running("--dev", env=env) as service:
        before = workers_of(service)
        assert len(before) == 2
        token = asked_once(service.url, "POST", ISSUE, b"{}").body

        os.kill(before[0], signal.SIGKILL)

        until(lambda: readiness(service) == (503, b'{"ready":false,"missing":["workers"]}'), within_s=3)
        assert asked_once(service.url, "POST", VERIFY, token).body == b"true"
        until(lambda: readiness(service) == (200, b'{"ready":true}'), within_s=15)
        after = workers_of(service)
        assert before[1] in after
        assert before[0] not in after
        assert len(after) == 2
        with line_to_each(service.url) as lines:
            assert [line.post(VERIFY, token).body for line in lines] == [b"true", b"true"]
            kid = lines[0].post("/admin/rotate?force=1").json["current_kid"]
            assert [kid_of_new_token(line) for line in lines] == [kid, kid]
        assert [event["event"] for event in service.events() if event["level"] == "error"] == ["worker died"]
        assert service.end() == 0


def readiness(service: Running) -> tuple[int, bytes]:
    try:
        answer = asked_once(service.url, "GET", "/readyz")
    except (OSError, HTTPException):
        return 0, b""  # it was in the hands of the worker that died
    return answer.status, answer.body


def test_workers_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with running("--dev", env=prepared(tmp_path, server__workers=2)) as service:
        below = children(service.process.pid)
        assert len(workers_of(service)) == 2

        service.process.kill()
        service.process.wait()

        until(lambda: not any(is_alive(pid) for pid in below), within_s=5)
        with pytest.raises(ConnectionRefusedError):
            asked_once(service.url, "GET", "/healthz")


# Addresses that are taken


def refused(env: dict[str, str], **settings: object) -> tuple[int, bytes, list[str]]:
    """Return how ``passport serve --dev`` ends that should not have started."""
    more = {f"PASSPORT_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [*PASSPORT, "serve", "--dev"], env=env | more, capture_output=True, timeout=15, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode().splitlines()


@pytest.mark.parametrize(("setting", "workers"), [("bind", 1), ("bind", 2), ("admin_bind", 2)])
def test_an_address_that_is_taken_is_refused_by_name(setting: str, workers: int, tmp_path: Path) -> None:
    env = prepared(tmp_path, server__workers=workers)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = refused(env, **{f"server__{setting}": address})

    assert told == (
        1,
        b"",
        [
            f"passport: error: server.{setting}: {address}: Address already in use",
            f"passport: hint: {_TAKEN}",
        ],
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_another_passport_does_not_join_in_on_the_same_address(
    workers: int, pair: Pair, tmp_path: Path
) -> None:
    address = pair.url.removeprefix("http://")

    code, out, words = refused(prepared(tmp_path, server__workers=workers), server__bind=address)

    assert (code, out) == (1, b"")
    assert words[0] == f"passport: error: server.bind: {address}: Address already in use"


def test_two_passports_started_at_once_on_one_address_are_never_both_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"server__bind": address, "server__workers": 2}
    started = [
        subprocess.Popen(
            [*PASSPORT, "serve", "--dev"],
            env=environment(**settings, keys__store=prepared(tmp_path / name)["PASSPORT_KEYS__STORE"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for name in ("one", "other")
    ]
    try:
        until(lambda: any(process.poll() is not None for process in started), within_s=8)
        assert sorted(str(process.poll()) for process in started) == ["1", "None"]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate(timeout=30)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_planes_cannot_share_an_address(workers: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"

    code, out, words = refused(
        prepared(tmp_path, server__workers=workers), server__bind=address, server__admin_bind=address
    )

    assert code in (1, 2)
    assert out == b""
    assert "server.admin_bind" in words[0]
