"""One JSON object a line, at the level of SPEC 9; never what anybody wrote; never in anybody's way."""

import logging
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from minted import RULES, Mint, b64, members_of
from running import PASSPORT, Running, environment, running

from ron_kms.engines import choose
from svc_passport.bootstrap import make_store, open_keyring
from svc_passport.config import load
from svc_passport.log import LEVELS, LINES_WAITING_MAX, Forward, Level, Log

Event = dict[str, Any]

# The line.


class Pipe:
    """A log's pipe, read when a test says so."""

    def __init__(self) -> None:
        self.end, self.fd = os.pipe()
        os.set_blocking(self.end, False)

    def read(self) -> bytes:
        """Return what has been written."""
        read = b""
        while select.select([self.end], [], [], 0)[0] and (chunk := os.read(self.end, 65536)):
            read += chunk
        return read

    def events(self) -> list[Event]:
        return [msgspec.json.decode(line) for line in self.read().splitlines()]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for fd in (pipe.end, pipe.fd):
        os.close(fd)


def test_a_line_is_an_object_with_time_level_and_event(pipe: Pipe) -> None:
    Log("info", pipe.fd)("warning", "it rains", where="here", much=1.5, still=True, kinds=["a"], nothing=None)
    line = pipe.read()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event = msgspec.json.decode(line)
    when = event.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    assert list(event.items()) == [
        *(("level", "warning"), ("event", "it rains"), ("where", "here"), ("much", 1.5), ("still", True)),
        ("kinds", ["a"]),
    ]


def test_whatever_a_field_holds_stays_on_its_line(pipe: Pipe) -> None:
    text = 'a\nb\r\x00"\\\u2028\x1b[31m'
    Log("info", pipe.fd)("info", "x", text=text)
    line = pipe.read()
    assert line.count(b"\n") == 1
    assert b"\x1b" not in line
    assert msgspec.json.decode(line)["text"] == text


@pytest.mark.parametrize("lowest", LEVELS)
def test_levels_below_are_not_written(pipe: Pipe, lowest: Level) -> None:
    log = Log(lowest, pipe.fd)
    for level in LEVELS:
        log(level, "x")
    written = [event["level"] for event in pipe.events()]
    assert written == list(LEVELS[LEVELS.index(lowest) :])
    assert [level for level in LEVELS if log.writes(level)] == written


def test_a_long_line_is_written_whole(pipe: Pipe) -> None:
    Log("info", pipe.fd)("info", "x", text="y" * 20_000)
    (event,) = pipe.events()
    assert len(event["text"]) == 20_000


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "debug"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_libraries_words_come_through_without_a_traceback(pipe: Pipe, level: int, expected: str) -> None:
    record = logging.LogRecord("library", level, "file.py", 1, "it %s", ("broke",), None)
    record.exc_info = (ValueError, ValueError("marker-secret"), None)
    Forward(Log("debug", pipe.fd)).handle(record)
    (event,) = pipe.events()
    assert (event["level"], event["library"], event["message"]) == (
        expected,
        "library",
        "it broke",
    )
    assert "marker-secret" not in str(event)


# A reader that does not read.


def fill(log: Log, lines: int, since: int = 0) -> float:
    """Write numbered lines, and return how long it took."""
    started_s = time.perf_counter()
    for number in range(since, since + lines):
        log("info", "x", n=number, pad="x" * 60)
    return time.perf_counter() - started_s


def numbers(events: list[Event]) -> list[int]:
    return [event["n"] for event in events if "n" in event]


def test_a_reader_that_is_slow_misses_nothing(pipe: Pipe) -> None:
    log = Log("info", pipe.fd)
    fill(log, 2000)  # more than the pipe holds
    read = pipe.events()
    assert len(read) < 2000
    log("info", "x", n=2000)
    for _ in range(20):
        read += pipe.events()
        log("info", "y")
    assert numbers(read) == list(range(2001))


def test_a_reader_that_does_not_read_stops_nobody(pipe: Pipe) -> None:
    log = Log("info", pipe.fd)
    assert fill(log, 3 * LINES_WAITING_MAX) < 5


def test_what_is_dropped_is_counted_and_told_when_somebody_reads_again(pipe: Pipe) -> None:
    log = Log("info", pipe.fd)
    written = 2 * LINES_WAITING_MAX
    fill(log, written)
    read = pipe.events()
    for number in range(written, written + 200):
        log("info", "x", n=number)
        read += pipe.events()
    told = [event for event in read if event["event"] == "log lines dropped"]
    assert told, "nobody was told"
    assert {event["level"] for event in told} == {"warning"}
    kept = numbers(read)
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] == written + 199
    assert sum(event["lines"] for event in told) == written + 200 - len(kept)


def test_a_reader_that_has_gone_stops_nobody() -> None:
    pipe = Pipe()
    os.close(pipe.end)
    log = Log("info", pipe.fd)
    assert fill(log, 100) < 5
    os.close(pipe.fd)


def test_a_service_whose_log_nobody_reads_answers() -> None:
    with subprocess.Popen(
        [*PASSPORT, "serve", "--dev"],
        env=environment(log__level="debug"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().split(" on ")[1].strip()
            with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
                for _ in range(600):  # a line each: twice what the pipe holds
                    assert client.get("/healthz").status_code == 200
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert process.returncode == 0


# What the service tells, at which level, and what it never tells.


class House:
    """A development service on a store that the test opens too, telling everything."""

    def __init__(self, service: Running, env: dict[str, str], client: httpx.Client) -> None:
        self.service = service
        self.client = client
        self.mint = Mint(keyring=open_keyring(load(env)), now_s=int(time.time()))

    def told(self, act: Callable[[], httpx.Response]) -> tuple[httpx.Response, list[Event]]:
        """Return what a request is answered, and what the log says of it."""
        before = len(self.service.events())
        response = act()
        return response, self.service.events()[before:]

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("store")
    env = environment(keys__store=f"sqlite:{folder}/new/keys.db", log__level="debug")
    make_store(load(env))
    with running("--dev", env=env) as service, service.client(verify=False) as client:
        yield House(service, env, client)


ENGINE = choose("auto").name
ISSUE, VERIFY, BATCH = "/v1/passport/issue", "/v1/passport/verify", "/v1/passport/verify_batch"
SAID: list[tuple[str, Callable[[House], httpx.Response], Event]] = [
    (
        "a good verification",
        lambda h: h.post(VERIFY, members_of(h.mint.passport())),
        {"level": "debug", "op": "verify", "result": "ok", "status": 200, "verify_path": ENGINE},
    ),
    (
        "a good batch",
        lambda h: h.post(BATCH, [members_of(h.mint.passport())] * 3),
        {"level": "debug", "op": "verify_batch", "result": "ok", "batch_len": 3, "verify_path": ENGINE},
    ),
    ("reading keys", lambda h: h.client.get("/v1/keys"), {"level": "debug", "op": "keys", "result": "ok"}),
    ("health", lambda h: h.client.get("/healthz"), {"level": "debug", "route": "/healthz"}),
    (
        "issue",
        lambda h: h.post(ISSUE, {"sub": "alice"}),
        {"level": "info", "op": "issue", "result": "ok", "status": 200},
    ),
    (
        "a refusal to issue",
        lambda h: h.post(ISSUE, {"iss": "x"}),
        {"level": "info", "op": "issue", "result": "fail", "reason": "reserved_claim", "status": 400},
    ),
    (
        "a verdict that denies",
        lambda h: h.post(VERIFY, members_of(h.mint.envelope(h.mint.message(), sig_b64=b64(bytes(64))))),
        {"level": "info", "op": "verify", "result": "fail", "reason": "verify_failed", "status": 200},
    ),
    (
        "a fault",
        lambda h: h.post(VERIFY, {"alg": "none"}),
        {"level": "info", "op": "verify", "result": "fail", "reason": "bad_alg", "status": 400},
    ),
    (
        "a fault in detail",
        lambda h: h.post(f"{VERIFY}?detail=1", {"alg": "none"}),
        {"level": "info", "op": "verify", "result": "fail", "reason": "bad_alg", "status": 200},
    ),
    (
        "a batch with a refusal",
        lambda h: h.post(BATCH, [members_of(h.mint.passport()), {}]),
        {"level": "info", "op": "verify_batch", "batch_len": 2},
    ),
    (
        "a batch that is too large",
        lambda h: h.post(BATCH, [{}] * 513),
        {"level": "info", "op": "verify_batch", "result": "fail", "reason": "batch_too_large"},
    ),
    (
        "a stranger at a door",
        lambda h: h.client.get("/admin/attest", headers={"authorization": "Bearer x"}),
        {"level": "info", "op": "attest", "result": "fail", "reason": "unauthorized", "status": 401},
    ),
    (
        "a rotation",
        lambda h: h.client.post("/admin/rotate?force=1"),
        {"level": "info", "op": "rotate", "result": "ok", "status": 200},
    ),
    (
        "a revocation of nothing",
        lambda h: h.post("/admin/revoke", {"kid": "ed25519/default/v99"}),
        {"level": "info", "op": "revoke", "reason": "unknown_kid", "kid": "ed25519/default/v99"},
    ),
]


@pytest.mark.parametrize(
    ("act", "expected"), [pytest.param(act, expected, id=name) for name, act, expected in SAID]
)
def test_each_decision_is_one_line_at_its_level(
    house: House, act: Callable[[House], httpx.Response], expected: Event
) -> None:
    _, events = house.told(lambda: act(house))
    (event,) = events
    assert {name: event.get(name) for name in expected} == expected
    assert event["event"] == "request"
    assert event["peer"] == "127.0.0.1"
    assert event["request_id"]


def test_a_refusal_and_its_line_have_one_id(house: House) -> None:
    answers = [house.told(lambda: house.post(ISSUE, {"iss": "x"})) for _ in range(3)]
    ids = [response.headers["x-request-id"] for response, _ in answers]
    assert [event["request_id"] for _, (event,) in answers] == ids
    assert len(set(ids)) == 3


def test_an_issue_names_its_key(house: House) -> None:
    response, (event,) = house.told(lambda: house.post(ISSUE, {"sub": "alice"}))
    assert event["kid"] == response.json()["kid"]


def test_a_kid_that_a_stranger_wrote_is_not_told(house: House) -> None:
    forged = members_of(house.mint.envelope(b"{}", kid="ed25519/marker-namespace/v7"))
    _, (event,) = house.told(lambda: house.post(VERIFY, forged))
    assert "kid" not in event


def test_the_start_tells_what_is_in_force(house: House) -> None:
    start = next(event for event in house.service.events() if event["event"] == "start")
    expected = {"level": "info", "profile": "development", "max_msg_bytes": 4096, "max_batch": 512}
    expected |= {"max_body_bytes": 1024 * 1024, "max_batch_body_bytes": 3_059_712}
    expected |= {"verify_concurrency": 64, "batch_concurrency": 16}
    assert {name: start[name] for name in expected} == expected


MARK = "marker-"


def test_the_log_never_says_what_anybody_wrote(house: House) -> None:
    mint, said = house.mint, []
    asked = {
        "sub": f"{MARK}subject",
        "aud": f"{MARK}audience",
        "nonce": f"{MARK}nonce",
        "scopes": [f"{MARK}scope"],
        "ctx": {f"{MARK}member": f"{MARK}tenant"},
        f"x{MARK}claim": f"{MARK}value",
    }
    for path in (ISSUE, f"{ISSUE}?format=compact"):
        body = house.post(path, asked).json()
        said += [text for text in body.values() if len(text) > 40]
        for query in ("", f"?aud={MARK}query", f"?scope={MARK}query", "?detail=1", f"?{MARK}parameter=1"):
            house.post(f"{VERIFY}{query}", body)
            house.post(f"{BATCH}{query}", [body, {f"{MARK}item": 1}])
    for capability in (mint.capability("passport:issue"), mint.capability(f"{MARK}scope"), f"{MARK}token"):
        said.append(capability)
        house.post(ISSUE, asked, authorization=f"Bearer {capability}")
    bad = mint.envelope(
        mint.message(sub=f"{MARK}subject"), alg=f"{MARK}alg", kid=f"{MARK}kid", aud=f"{MARK}aud"
    )
    house.post(VERIFY, members_of(bad))
    house.post(ISSUE, asked | {f"{MARK.upper()}NAME": 1})
    house.post("/admin/revoke", {"kid": f"{MARK}kid"})
    house.client.post("/admin/rotate?force=1", headers={"idempotency-key": f"{MARK}key"})
    house.client.get(f"/{MARK}path?{MARK}query", headers={"user-agent": f"{MARK}agent"})
    house.client.post(
        VERIFY, content=f'{{"{MARK}broken'.encode(), headers={"content-type": "application/json"}
    )
    house.client.post(
        VERIFY, content=b"{}", headers={"content-type": f"{MARK}type", "cookie": f"{MARK}cookie"}
    )
    house.client.get("/healthz", headers={"origin": f"https://{MARK}origin", "host": f"{MARK}host"})
    text = house.service.log.read_text()
    assert len(house.service.events()) > 25
    assert MARK not in text.lower()
    assert [token for token in said if token in text] == []
    assert "eyJ" not in text  # how every compact token begins
    assert "Bearer" not in text


def test_every_line_is_an_event(house: House) -> None:
    house.client.get("/healthz")
    lines = house.service.log.read_bytes().splitlines()
    events = [line for line in lines if line.startswith(b"{")]
    for line in events:
        event = msgspec.json.decode(line)
        assert {"time", "level", "event"} <= event.keys()
        assert event["level"] in LEVELS
    assert not re.search(rb"http://\S+:\d", b"\n".join(events))


def test_at_info_good_verifications_are_not_told() -> None:
    with running("--dev") as service, service.client(verify=False) as client:
        body = client.post(ISSUE, json={"aud": RULES.issuer}).json()
        assert client.post(VERIFY, json=body).json() is True
        assert client.post(BATCH, json=[body]).json() == [True]
        client.get("/v1/keys")
        client.get("/healthz")
        assert client.post(f"{VERIFY}?aud=x", json=body).json() is False
        told = [(e["op"], e["result"]) for e in service.events() if e["event"] == "request"]
        assert told == [("issue", "ok"), ("verify", "fail")]
        assert service.end() == 0
        assert service.events()[-1]["event"] == "draining"
