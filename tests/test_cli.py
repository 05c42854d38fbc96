"""The command line: one JSON line on stdout, words on stderr, exit 0 done, 1 refused, 2 misused."""

import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from running import Running, environment, passport, running
from service import Line

from svc_passport.cli import main

COMMANDS = (
    "serve", "init", "issue", "verify", "keys", "rotate", "revoke", "capability mint", "config check", "kat",
    "version",
)  # fmt: skip
OPTIONS = {
    "--dev", "--compact", "--aud", "--scope", "--force", "--idempotency-key", "--ttl-s", "--out", "--seed",
    "--url", "--capability-file", "--help", "-h",
}  # fmt: skip
KAT_00 = "f2639f0bf3143e73c5915b65fbbe0672b6a1cbed8f3ad512de4e47569fba1b21"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """What stdout says: one line of JSON, and nothing else."""
        assert self.out.endswith(b"\n")
        assert self.out.count(b"\n") == 1
        return msgspec.json.decode(self.out)

    @property
    def words(self) -> list[str]:
        """What stderr says; nothing of it looks like an accident."""
        assert "Traceback" not in self.err
        return self.err.splitlines()


Cli = Callable[..., Done]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Cli:
    """Runs commands in this process, on a store of its own that is not made yet."""
    for name in [*os.environ]:
        if name.startswith("PASSPORT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PASSPORT_KEYS__STORE", f"sqlite:{tmp_path}/store/keys.db")
    monkeypatch.chdir(tmp_path)

    def run(*args: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(args)
        out, err = capsysbinary.readouterr()
        return Done(code, out, err.decode())

    return run


@pytest.fixture
def store(cli: Cli, tmp_path: Path) -> Path:
    """The folder of that store, made."""
    assert cli("init").code == 0
    return tmp_path / "store"


class Closed(NamedTuple):
    """A closed service, and the options that let a command in."""

    service: Running
    env: dict[str, str]
    public: tuple[str, ...]
    admin: tuple[str, ...]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """One service in the closed profile, for all tests."""
    folder = tmp_path_factory.mktemp("closed")
    env = environment(keys__store=f"sqlite:{folder}/keys.db")
    assert passport("init", env=env).returncode == 0
    with running(env=env) as service:
        let_in = ("--capability-file", str(folder / "operator.cap"))
        yield Closed(service, env, ("--url", service.url, *let_in), ("--url", service.admin_url, *let_in))
        assert service.end() == 0


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return every file's bytes, mode and time of change."""
    return {
        str(file): (file.read_bytes(), file.stat().st_mode, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def is_refused(done: Done, reason: str) -> None:
    """Check a refusal: a problem on stdout, its sentence on stderr, exit 1."""
    assert done.code == 1
    assert done.json["reason"] == reason
    assert done.words == [f"passport: error: {done.json['message']}"]


def is_misused(done: Done, *parts: str) -> None:
    assert (done.code, done.out) == (2, b"")
    assert done.words[0].startswith("passport: error: ")
    assert done.words[-1].startswith("passport: hint: ")
    assert all(part in done.words[0] for part in parts)


def ends_with(done: Done, *sentence: str) -> None:
    """Check a refusal in words only, exit 1."""
    assert (done.code, done.out) == (1, b"")
    assert done.words[0].startswith("passport: error: ")
    assert all(part in done.words[0] for part in sentence)


def test_an_engine_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "ron_kms_native.py").write_text("raise ImportError('not here')")
    env = environment(keys__engine="native") | {"PYTHONPATH": str(tmp_path)}
    for command in ("version", "serve"):
        done = passport(command, *(["--dev"] if command == "serve" else []), env=env)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().splitlines() == [
            "passport: error: the native engine is not installed here",
            "passport: hint: keys.engine = auto takes the best that is here",
        ]
    assert b'"engine":"sodium"' in passport("version", env=env | environment(keys__engine="auto")).stdout


# On the local store


def test_issue_and_verify(cli: Cli, store: Path) -> None:
    envelope = cli("issue", '{"sub":"alice","aud":"svc-a"}')
    compact = cli("issue", "--compact", stdin=b'{"sub":"alice","aud":"svc-a","scopes":["read"]}')

    assert (envelope.code, envelope.words) == (compact.code, compact.words) == (0, [])
    assert envelope.json["kid"] == "ed25519/default/v1"
    bare = compact.json["token"].encode()
    for token in (envelope.out, compact.out, bare, b"\n " + bare + b"\n"):
        (store / "token").write_bytes(token)
        for done in (
            cli("verify", str(store / "token")),
            cli("verify", stdin=token),
            cli("verify", "-", "--aud", "svc-a", stdin=token),
        ):
            assert (done.code, done.words) == (0, [])
            assert done.json["ok"] is True
            assert done.json["claims"]["sub"] == "alice"
    assert cli("verify", "--scope", "read", stdin=bare).code == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(["--aud", "svc-b"], "bad_aud", id="another audience"),
        pytest.param(["--scope", "read", "--scope", "write"], "scope_denied", id="a scope that it has not"),
    ],
)
def test_a_token_that_does_not_do_is_refused_with_its_reason(
    options: list[str], reason: str, cli: Cli, store: Path
) -> None:
    token = cli("issue", '{"aud":"svc-a","scopes":["read"]}').out

    done = cli("verify", *options, stdin=token)

    assert (done.code, done.json) == (1, {"ok": False, "reason": reason})
    assert done.words == [f"passport: error: the token does not pass: {reason}"]


@pytest.mark.parametrize("option", ["--aud", "--scope"])
def test_an_empty_restriction_is_no_check_left_out(
    option: str, cli: Cli, store: Path, closed: Closed
) -> None:
    """``--aud "$AUD"`` with a variable that is not set must not pass what is for somebody else."""
    here, there = cli("issue", '{"aud":"svc-a"}').out, cli("issue", '{"aud":"svc-a"}', *closed.public).out

    assert cli("verify", option, "", stdin=here).code in (1, 2)
    assert cli("verify", option, "", "--url", closed.service.url, stdin=there).code in (1, 2)


@pytest.mark.parametrize("noise", [b"", b"x", b"\xff", b"{}", b'{"token":1}', b"..", b"[]"])
def test_what_is_no_token_is_refused(noise: bytes, cli: Cli, store: Path) -> None:
    done = cli("verify", stdin=noise)

    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.json["reason"] in ("malformed", "bad_alg", "bad_kid")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ('{"iss":"me"}', "reserved_claim"),
        ('{"ttl_s":86401}', "ttl_too_long"),
        ('{"scopes":["passport:admin"]}', "scope_denied"),
        ("[]", "malformed"),
        ("", "malformed"),
        ('{"sub":"a","sub":"b"}', "malformed"),
        ('{"sub":"\udcff"}', "malformed"),
    ],
)
def test_claims_that_are_refused_give_the_problem_that_the_service_gives(
    claims: str, reason: str, cli: Cli, store: Path, closed: Closed
) -> None:
    here, there = cli("issue", claims), cli("issue", claims, *closed.public)

    is_refused(here, reason)
    is_refused(there, reason)
    assert here.out == there.out


def test_keys_rotate_and_revoke(cli: Cli, store: Path) -> None:
    token = cli("issue", "{}").out
    assert [key["kid"][-2:] for key in cli("keys").json["keys"]] == ["v1", "v2"]

    rotated = cli("rotate", "--force")

    assert (rotated.code, rotated.words) == (0, [])
    assert rotated.json["current_kid"] == "ed25519/default/v2"
    assert cli("verify", stdin=token).code == 0
    assert [key["kid"][-2:] for key in cli("keys").json["keys"]] == ["v1", "v2", "v3"]

    revoked = cli("revoke", "ed25519/default/v1")

    assert (revoked.code, revoked.words) == (0, [])
    assert cli("verify", stdin=token).json == {"ok": False, "reason": "revoked"}
    assert [key["kid"][-2:] for key in cli("keys").json["keys"]] == ["v2", "v3"]


def test_rotating_before_the_next_key_was_published_for_long_enough_is_refused(cli: Cli, store: Path) -> None:
    done = cli("rotate")

    is_refused(done, "too_soon")
    assert 0 < done.json["retry_after_ms"] <= 60_000


def test_an_idempotency_key_rotates_once(cli: Cli, store: Path) -> None:
    first, again, other = (cli("rotate", "--force", "--idempotency-key", key) for key in ("a", "a", "b"))

    assert first.out == again.out
    assert other.json["previous_kid"] == first.json["current_kid"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 129, "é", "\udcff", "a\n"])
def test_what_is_no_idempotency_key_is_refused_here_as_there(
    key: str, cli: Cli, store: Path, closed: Closed
) -> None:
    before = contents(store)
    there = cli("keys", "--url", closed.service.url).out

    for where in ((), closed.admin):
        done = cli("rotate", "--force", "--idempotency-key", key, *where)
        assert done.code in (1, 2)
        assert done.words[0].startswith("passport: error: ")

    assert contents(store) == before
    assert cli("keys", "--url", closed.service.url).out == there


@pytest.mark.parametrize(
    ("kid", "reason"), [("ed25519/default/v9", "unknown_kid"), ("v1", "bad_kid"), ("", "bad_kid")]
)
def test_a_kid_that_is_none_is_not_revoked(
    kid: str, reason: str, cli: Cli, store: Path, closed: Closed
) -> None:
    before = contents(store)

    is_refused(cli("revoke", kid), reason)
    is_refused(cli("revoke", kid, *closed.admin), reason)

    assert contents(store) == before


def test_version_and_kat_and_config_need_no_store(cli: Cli, tmp_path: Path) -> None:
    for command in ("version", "kat", "config check"):
        done = cli(*command.split())
        assert (done.code, done.words) == (0, [])
        assert done.json
    assert contents(tmp_path) == {}


# On a running service


def test_every_verb_works_on_a_running_service(cli: Cli, closed: Closed) -> None:
    token = cli("issue", '{"sub":"alice","aud":"svc-a"}', *closed.public)
    compact = cli("issue", "--compact", '{"aud":"svc-a"}', *closed.public)
    there = ("--url", closed.service.url)
    current = token.json["kid"]

    rotated = cli("rotate", "--force", "--idempotency-key", "once", *closed.admin)
    again = cli("rotate", "--force", "--idempotency-key", "once", *closed.admin)
    keys = cli("keys", *there)
    verified = [cli("verify", "--aud", "svc-a", *there, stdin=one.out) for one in (token, compact)]
    denied = cli("verify", "--aud", "svc-b", *there, stdin=token.out)
    revoked = cli("revoke", rotated.json["next_kid"], *closed.admin)  # what signs, signed the capability
    version = cli("version", *there)

    for done in (token, compact, rotated, again, keys, *verified, revoked, version):
        assert (done.code, done.words) == (0, [])
        assert done.json
    assert rotated.out == again.out
    assert rotated.json["previous_kid"] == current
    assert rotated.json["next_kid"] in [key["kid"] for key in keys.json["keys"]]
    assert (denied.code, denied.json) == (1, {"ok": False, "reason": "bad_aud"})
    assert revoked.json["next_kid"] != rotated.json["next_kid"]
    assert version.json["service"] == "svc-passport"


def test_without_a_capability_the_service_refuses(cli: Cli, closed: Closed) -> None:
    is_refused(cli("issue", "{}", "--url", closed.service.url), "unauthorized")
    for command in (["rotate"], ["revoke", "ed25519/default/v1"]):
        is_refused(cli(*command, "--url", closed.service.admin_url), "unauthorized")


def test_too_soon_is_refused_by_a_running_service_too(cli: Cli, closed: Closed) -> None:
    cli("rotate", "--force", *closed.admin)

    is_refused(cli("rotate", *closed.admin), "too_soon")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9", "nonsense", "", "http://[bad", "http://127.0.0.1:99999", "ftp://127.0.0.1",
        "http://a\x01b", "http://x y",
    ],
)  # fmt: skip
def test_a_service_that_does_not_answer_is_said_in_words(url: str, cli: Cli, store: Path) -> None:
    for command in (["keys"], ["issue", "{}"], ["rotate"], ["version"]):
        done = cli(*command, "--url", url)
        assert done.code in (1, 2)
        assert done.out == b""
        assert done.words[0].startswith("passport: error: ")
        assert done.words[1].startswith("passport: hint: ")


def test_the_wrong_plane_is_said_in_words(cli: Cli, closed: Closed) -> None:
    is_refused(cli("rotate", "--url", closed.service.url), "not_found")


@pytest.mark.parametrize("held", [b"", b"\xff\xfe", b"a\nb", b"a\x00b"])
def test_a_file_that_holds_no_capability_is_refused(
    held: bytes, cli: Cli, closed: Closed, tmp_path: Path
) -> None:
    (tmp_path / "no.cap").write_bytes(held)

    done = cli("rotate", "--url", closed.service.admin_url, "--capability-file", str(tmp_path / "no.cap"))

    assert done.code in (1, 2)
    assert done.words[0].startswith("passport: error: ")


def test_a_capability_file_that_is_not_there_is_refused_by_name(cli: Cli, closed: Closed) -> None:
    done = cli("rotate", "--url", closed.service.admin_url, "--capability-file", "nowhere.cap")

    assert done.code in (1, 2)
    assert "nowhere.cap" in done.words[0]


# Misuse


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ([], "Missing command"),
        (["nonsense"], "nonsense"),
        (["keys", "--nonsense"], "--nonsense"),
        (["revoke"], "KID"),
        (["issue", "{}", "{}"], "extra argument"),
        (["verify", "nowhere"], "nowhere"),
        (["verify", "."], "."),
        (["capability", "mint"], "--scope"),
        (["capability", "mint", "--scope", "passport:all"], "passport:all"),
        (["capability", "mint", "--scope", "passport:issue", "--ttl-s", "0"], "--ttl-s"),
        (["kat", "--seed", "0"], "--seed"),
        (["kat", "--seed", "zz"], "--seed"),
    ],
)
def test_misuse_is_told_with_the_name_of_what_is_wrong(
    args: list[str], part: str, cli: Cli, store: Path
) -> None:
    is_misused(cli(*args), part)


@pytest.mark.parametrize("group", ["capability", "config"])
def test_half_a_command_is_told_the_other_half(group: str, cli: Cli) -> None:
    done = cli(group)

    assert (done.code, done.out) == (2, b"")
    assert "Commands:" in done.words


def test_a_capability_is_for_a_service_and_not_for_the_store(cli: Cli, store: Path) -> None:
    is_misused(cli("keys", "--capability-file", str(store / "operator.cap")), "--capability-file")


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("PASSPORT_SERVER__WORKERS", "0", "PASSPORT_SERVER__WORKERS"),
        ("PASSPORT_SERVER__NOPE", "1", "PASSPORT_SERVER__NOPE"),
        ("PASSPORT_CONFIG", "[server]\nnope=1", "nope"),
        ("PASSPORT_CONFIG", "[nope]", "nope"),
        ("PASSPORT_CONFIG", "[", "PASSPORT_CONFIG"),
        ("PASSPORT_CONFIG_FILE", "/nowhere", "PASSPORT_CONFIG_FILE"),
        ("PASSPORT_KEYS__GRACE_S", "60", "keys.grace_s"),
    ],
)
def test_a_bad_configuration_stops_every_command_with_its_name(
    name: str, text: str, part: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)

    for command in ("serve", "init", "keys", "rotate", "config check"):
        is_misused(cli(*command.split()), part)


def test_development_on_any_bind_but_loopback_does_not_start(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSPORT_SERVER__BIND", "0.0.0.0:0")

    is_misused(cli("serve", "--dev"), "server.bind")


# init


def test_init_makes_private_files_and_says_where(cli: Cli, tmp_path: Path) -> None:
    was = os.umask(0)
    try:
        done = cli("init")
    finally:
        os.umask(was)

    store = tmp_path / "store"
    assert (done.code, done.words) == (0, [])
    assert done.json["store"] == f"sqlite:{store}/keys.db"
    assert done.json["seal_key"] == str(store / "seal.key")
    assert done.json["capability_file"] == str(store / "operator.cap")
    assert abs(done.json["expires"] - time.time() - 7 * 86400) < 60
    assert mode_of(store) == 0o700
    assert {file.name: mode_of(file) for file in store.iterdir()} == {
        "keys.db": 0o600,
        "seal.key": 0o600,
        "operator.cap": 0o600,
    }
    assert (store / "operator.cap").read_bytes() not in done.out


def test_init_twice_is_refused_and_changes_nothing(cli: Cli, store: Path) -> None:
    before = contents(store)

    done = cli("init")

    ends_with(done, "store_exists")
    assert done.words[1].startswith("passport: hint: it is kept as it is")
    assert contents(store) == before


def test_init_in_memory_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PASSPORT_KEYS__STORE", "memory:")

    done = cli("init")

    assert done.code in (1, 2)
    assert done.words[0].startswith("passport: error: ")
    assert contents(tmp_path) == {}


def test_init_keeps_a_seal_key_that_is_there(cli: Cli, store: Path) -> None:
    (store / "keys.db").unlink()
    seal_key = (store / "seal.key").read_bytes()

    assert cli("init").code == 0

    assert (store / "seal.key").read_bytes() == seal_key
    assert cli("keys").code == 0


@pytest.mark.parametrize("command", ["issue {}", "keys", "rotate", "revoke v1", "serve",
                                     "capability mint --scope passport:issue"])  # fmt: skip
def test_without_a_store_nothing_is_made(command: str, cli: Cli, tmp_path: Path) -> None:
    done = cli(*command.split())

    ends_with(done, "store_missing")
    assert "passport init" in done.words[1]
    assert contents(tmp_path) == {}


def test_a_store_without_its_seal_key_is_refused_and_no_key_is_made(cli: Cli, store: Path) -> None:
    (store / "seal.key").unlink()

    for command in ("keys", "rotate", "serve"):
        ends_with(cli(command), "seal_key_missing")

    assert not (store / "seal.key").exists()


# Capabilities


def test_mint_writes_a_private_file(cli: Cli, store: Path) -> None:
    was = os.umask(0)
    try:
        done = cli(
            "capability", "mint", "--scope", "passport:issue", "--scope", "passport:attest",
            "--ttl-s", "60", "--out", "app.cap",
        )  # fmt: skip
    finally:
        os.umask(was)

    file = Path("app.cap")
    assert (done.code, done.words) == (0, [])
    assert done.json["capability_file"] == "app.cap"
    assert done.json["scopes"] == ["passport:issue", "passport:attest"]
    assert abs(done.json["expires"] - time.time() - 60) < 30
    assert mode_of(file) == 0o600
    assert re.fullmatch(rb"[\w-]+\.[\w-]+\.[\w-]+\n", file.read_bytes())
    assert file.read_bytes().strip() not in done.out


def test_mint_without_a_file_prints_the_capability(cli: Cli, store: Path) -> None:
    done = cli("capability", "mint", "--scope", "passport:issue")

    assert (done.code, done.words) == (0, [])
    assert done.json["token"].count(".") == 2


def test_a_capability_is_no_passport(cli: Cli, store: Path) -> None:
    done = cli("verify", str(store / "operator.cap"))

    assert (done.code, done.json) == (1, {"ok": False, "reason": "malformed"})


def test_mint_replaces_no_file(cli: Cli, store: Path) -> None:
    before = contents(store)

    done = cli("capability", "mint", "--scope", "passport:issue", "--out", str(store / "operator.cap"))

    assert done.code in (1, 2)
    assert done.out == b""
    assert "operator.cap" in done.words[0]
    assert contents(store) == before


def test_a_lifetime_too_long_is_refused_and_no_file_is_made(cli: Cli, store: Path) -> None:
    done = cli("capability", "mint", "--scope", "passport:issue", "--ttl-s", "7776001", "--out", "app.cap")

    is_refused(done, "ttl_too_long")
    assert not Path("app.cap").exists()


# Configuration


def test_config_check_prints_what_is_in_force(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PASSPORT_CONFIG", '[server]\nworkers=2\n[limits]\nmax_batch=7\n[passport]\nissuer="me"'
    )
    monkeypatch.setenv("PASSPORT_SERVER__WORKERS", "3")
    monkeypatch.setenv("PASSPORT_MAX_BATCH", "9")
    monkeypatch.setenv("PASSPORT_SERVICE_HOST", "10.0.0.1")  # Kubernetes

    done = cli("config", "check")

    assert (done.code, done.words) == (0, ["passport: hint: PASSPORT_SERVICE_HOST sets nothing"])
    assert done.json["server"]["workers"] == 3
    assert done.json["limits"]["max_batch"] == 9
    assert done.json["passport"]["issuer"] == "me"
    assert done.json["keys"]["publish_ahead_s"] == 60


def test_config_check_of_the_development_profile(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSPORT_KEYS__STORE")

    told = cli("config", "check", "--dev").json

    assert (told["keys"]["store"], told["server"]["admin_public"]) == ("memory:", True)
    assert told["keys"]["publish_ahead_s"] == 0


def test_config_check_shows_no_secret(cli: Cli, store: Path) -> None:
    done = cli("config", "check")

    for file in ("seal.key", "operator.cap"):
        held = (store / file).read_bytes().strip()
        assert held not in done.out
        assert held.hex().encode() not in done.out


# Known answers


def test_the_known_answers_are_the_same_bytes_for_ever(cli: Cli) -> None:
    """If the contract is changed on purpose, change the digest with it, and say so in CHANGELOG.md."""
    done = cli("kat", "--seed", "00")

    assert hashlib.sha256(done.out).hexdigest() == KAT_00
    assert cli("kat").out == done.out


def test_another_seed_gives_other_answers(cli: Cli) -> None:
    assert cli("kat", "--seed", "01").out != cli("kat", "--seed", "00").out


# Help


def test_help_lists_every_command(cli: Cli) -> None:
    done = cli("--help")

    assert done.code == 0
    listed = re.findall(r"^  ([a-z]+)  ", done.out.decode().partition("Commands:")[2], re.MULTILINE)
    assert sorted(listed) == sorted({command.split()[0] for command in COMMANDS})


def test_no_option_takes_a_secret(cli: Cli) -> None:
    """Arguments are for all on this machine to read: capabilities and tokens come in files, or on stdin."""
    named = set()
    for command in COMMANDS:
        told = cli(*command.split(), "--help").out.decode()
        named |= set(re.findall(r"^ +(?:(-h), )?(--[a-z-]+)", told, re.MULTILINE))

    assert {name for pair in named for name in pair if name} == OPTIONS


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "serve"])
def test_the_example_that_ends_the_help_works(
    command: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PASSPORT_KEYS__PUBLISH_AHEAD_S", "0")
    if command != "init":
        assert cli("init").code == 0
    if command == "verify":
        (tmp_path / "passport.json").write_bytes(cli("issue", '{"aud":"svc-a"}').out)
    words = shlex.split(example_of(command, cli))
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    assert words.pop(0) == "passport"

    done = cli(*words)

    assert (done.code, done.words) == (0, [])
    assert done.json


def test_the_example_that_ends_the_help_of_serve_works(cli: Cli) -> None:
    program, command, *args = example_of("serve", cli).split()
    assert (program, command) == ("passport", "serve")

    with running(*args) as service, Line(service.url) as line:
        assert line.get("/readyz").status == 200
        assert service.end() == 0


def example_of(command: str, cli: Cli) -> str:
    """Return the one line of example at the end of a command's help."""
    done = cli(*command.split(), "--help")
    assert done.code == 0
    found = re.search(r"\n  Example:\n    ([^\n]+)\n\Z", done.out.decode())
    assert found, f"the help of {command} does not end in an example"
    assert f"passport {command}" in found[1]
    return found[1]


# The program


def test_it_runs_as_a_module_and_by_its_name(tmp_path: Path) -> None:
    env = environment(keys__store=f"sqlite:{tmp_path}/keys.db")
    by_name = subprocess.run(
        [str(Path(sys.executable).with_name("passport")), "version"],
        env=env,
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert passport("version", env=env).stdout == by_name.stdout


def test_an_answer_that_cannot_be_written_is_no_accident() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "svc_passport", "kat"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


# The closed profile, from nothing


def test_the_closed_profile_from_nothing_to_a_revoked_token(tmp_path: Path) -> None:
    env = environment(keys__store=f"sqlite:{tmp_path}/passport/keys.db")

    def cli(*args: str, stdin: bytes = b"") -> Done:
        done = passport(*args, env=env, stdin=stdin)
        return Done(done.returncode, done.stdout, done.stderr.decode())

    operator = tmp_path / "passport/operator.cap"
    app = tmp_path / "app.cap"
    assert cli("init").code == 0
    with running(env=env) as service:
        minted = cli("capability", "mint", "--scope", "passport:issue", "--out", str(app))
        assert minted.code == 0
        with (
            Line(service.url) as anybody,
            Line(service.url, app.read_text().strip()) as application,
            Line(service.admin_url, app.read_text().strip()) as curious,
            Line(service.admin_url, operator.read_text().strip()) as admin,
        ):
            refused = anybody.post("/v1/passport/issue", b"{}")
            assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
            token = application.post("/v1/passport/issue", b'{"sub":"alice","aud":"svc-a"}')
            assert token.status == 200
            assert anybody.post("/v1/passport/verify?aud=svc-a", token.body).body == b"true"
            assert anybody.post("/v1/passport/verify?aud=svc-b", token.body).body == b"false"

            for verb in ("rotate", "attest", "revoke"):
                asked = curious.ask(
                    "GET" if verb == "attest" else "POST",
                    f"/admin/{verb}",
                    b'{"kid":"ed25519/default/v1"}' if verb == "revoke" else None,
                )
                assert (asked.status, asked.json["reason"]) == (403, "scope_denied")

            too_soon = admin.post("/admin/rotate")
            assert (too_soon.status, too_soon.json["reason"]) == (409, "too_soon")
            assert int(too_soon.headers["retry-after"]) * 1000 >= too_soon.json["retry_after_ms"] > 0
            assert admin.post("/admin/rotate?force=1").json["current_kid"] == "ed25519/default/v2"
            assert anybody.post("/v1/passport/verify?aud=svc-a", token.body).body == b"true"
            assert application.post("/v1/passport/issue", b"{}").json["kid"] == "ed25519/default/v2"

            revoked = cli(
                "revoke", "ed25519/default/v1", "--url", service.admin_url, "--capability-file", str(operator)
            )
            assert revoked.code == 0
            assert anybody.post("/v1/passport/verify?aud=svc-a", token.body).body == b"false"
            # The capabilities were signed by the version that is revoked now: they open nothing any more.
            assert application.post("/v1/passport/issue", b"{}").status == 401
            assert admin.get("/admin/attest").status == 401
        assert service.end() == 0
