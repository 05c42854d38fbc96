"""The command line. Answers are one JSON line on stdout; words for people go to stderr.

Exit 0: done. 1: refused. 2: misused.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, Protocol

import click
import msgspec

from ron_kms import AlgUnavailable, KmsError, StoreRefused, is_idempotency_key, write_private
from svc_passport.bootstrap import MEMORY, make_store
from svc_passport.capability import ADMIN, SCOPES
from svc_passport.cli.local import Local, version_here
from svc_passport.cli.remote import RefusedThere, Remote, Unreachable
from svc_passport.config import Config, ConfigError, ignored, load
from svc_passport.core import leave_no_core
from svc_passport.errors import Refused
from svc_passport.http.problems import problem, refusal_of

OPERATOR_TTL_S: Final = 7 * 86400
"""How long the first operator's capability lives: long enough to mint the next."""


class Verbs(Protocol):
    """What can be asked of a store here, or of a service there. Answers are JSON."""

    def issue(self, claims: bytes, *, compact: bool) -> bytes:
        """Return a passport with the claims of a JSON object."""
        ...

    def verify(self, token: bytes, *, aud: str | None, scopes: tuple[str, ...]) -> tuple[bool, bytes]:
        """Return whether a token passes, and the verdict with its claims or reason."""
        ...

    def keys(self) -> bytes:
        """Return the key set."""
        ...

    def rotate(self, *, force: bool, idempotency_key: str | None) -> bytes:
        """Let the next version sign."""
        ...

    def revoke(self, kid: str) -> bytes:
        """Let nothing verify under ``kid``."""
        ...


def entry() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    leave_no_core()
    try:
        return _passport.main(list(argv), prog_name="passport", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        usage = (
            error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx else "passport --help"
        )
        return _fail(2, error.format_message(), usage)
    except ConfigError as error:
        return _fail(2, str(error), "the configuration is TOML and PASSPORT_<SECTION>__<KEY>; see RUNBOOK.md")
    except (click.Abort, KeyboardInterrupt):
        return _fail(1, "interrupted")
    except Refused as refused:
        return _refused(problem(refused).content)
    except RefusedThere as refused:
        return _refused(refused.problem)
    except StoreRefused as error:
        return _fail(1, str(error), _hint(error.name))
    except AlgUnavailable as error:
        return _fail(1, str(error), "keys.engine = auto takes the best that is here")
    except KmsError as error:
        return _refused(problem(refusal_of(error)).content)
    except Unreachable as error:
        return _fail(
            1, f"the service does not answer ({error})", "is it running, and is --url the right plane's?"
        )
    except OSError as error:
        return _fail(1, f"{error.strerror}: {error.filename}" if error.filename else str(error))


def _hint(name: str) -> str | None:
    """Return what may help against a refused store, and where it was looked for."""
    config = _config()
    where = f"the store is {config.keys.store}, its seal key {config.seal.key_file}"
    return f"{_HINTS[name]}; {where}" if name in _HINTS else where


_HINTS: Final = {
    "store_missing": "passport init makes one, PASSPORT_KEYS__STORE says where",
    "store_exists": "it is kept as it is",
    "store_exposed": "chmod 600 the store and chmod 700 its directory, and ask who has read it",
    "store_newer": "run the newer passport",
    "seal_key_missing": "put it back: without it the store cannot be opened, and it is never made anew",
    "seal_key_exposed": "chmod 600 the seal key, and ask who has read it",
    "seal_key_wrong": "the seal key belongs to another store; PASSPORT_SEAL__KEY_FILE says which is read",
    "store_changed": "restore the store from a backup, and find out who wrote it",
}


def _refused(told: bytes) -> int:
    _answer(told)
    try:
        return _fail(1, msgspec.json.decode(told)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return _fail(1, "the service refused")


def _fail(code: int, sentence: str, hint: str | None = None) -> int:
    click.echo(f"passport: error: {sentence}", err=True)
    if hint:
        click.echo(f"passport: hint: {hint}", err=True)
    return code


def _answer(told: bytes) -> None:
    sys.stdout.buffer.write(told + b"\n")
    sys.stdout.buffer.flush()


def _config(*, development: bool = False) -> Config:
    return load(os.environ, development=development)


def _epilog(example: str) -> str:
    return f"\b\nExample:\n  {example}"


def _where(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that choose between the local store and a running service."""
    command = click.option(
        "--capability-file",
        type=click.Path(path_type=Path),
        help="A file that holds a capability, for --url.",
    )(command)
    return click.option("--url", help="Ask the service there, instead of the local store.")(command)


def _capability_in(file: Path) -> str:
    text = file.read_bytes().strip()
    if not text.isascii() or not text.decode().isprintable() or b" " in text:
        raise click.BadParameter("holds no capability", param_hint="--capability-file")
    return text.decode()


def _verbs(url: str | None, capability_file: Path | None) -> Verbs:
    if url is None:
        if capability_file:
            raise click.UsageError("--capability-file goes with --url; the local store needs none")
        return Local(_config())
    return _remote(url, capability_file)


def _remote(url: str, capability_file: Path | None) -> Remote:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("begins with http:// or https://", param_hint="--url")
    return Remote(url, _capability_in(capability_file) if capability_file else None)


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
def _passport() -> None:
    """Issue, verify and rotate short-lived Ed25519 tokens.

    Configuration comes from PASSPORT_CONFIG or PASSPORT_CONFIG_FILE (TOML), and from
    PASSPORT_<SECTION>__<KEY> for every key.
    """


@_passport.command("serve", epilog=_epilog("passport serve --dev"))
@click.option(
    "--dev", is_flag=True, help="The development profile: no capabilities, keys in memory, loopback only."
)
def _serve(dev: bool) -> int:
    """Run the service until SIGTERM or SIGINT."""
    from svc_passport.cli.serving import serve_and_tell  # noqa: PLC0415 - other commands need no server

    return serve_and_tell(_config(development=dev), _fail)


@_passport.command("init", epilog=_epilog("passport init"))
def _init() -> int:
    """Make the store, the seal key, and the first operator's capability (7 days, mode 0600) beside them."""
    config = _config()
    if config.keys.store == MEMORY:
        raise ConfigError("keys.store: memory: is made anew at every start, and needs no init")
    make_store(config)
    file = Path(config.keys.store.partition(":")[2]).with_name("operator.cap")
    file.unlink(missing_ok=True)  # of a store that is no more: it opens nothing
    _write_capability(file, Local(config).mint((ADMIN,), OPERATOR_TTL_S))
    made = {"store": config.keys.store, "seal_key": config.seal.key_file, "capability_file": str(file)}
    _answer(msgspec.json.encode(made | {"expires": int(time.time()) + OPERATOR_TTL_S}))
    return 0


@_passport.command("issue", epilog=_epilog("""passport issue '{"sub":"alice","aud":"svc-a"}'"""))
@click.argument("claims", default="-")
@click.option("--compact", is_flag=True, help="A compact token (JWS) instead of an envelope.")
@_where
def _issue(claims: str, compact: bool, url: str | None, capability_file: Path | None) -> int:
    """Issue a passport with CLAIMS, a JSON object (- for stdin)."""
    sent = sys.stdin.buffer.read() if claims == "-" else claims.encode("utf-8", "surrogateescape")
    _answer(_verbs(url, capability_file).issue(sent, compact=compact))
    return 0


@_passport.command("verify", epilog=_epilog("passport verify --aud svc-a passport.json"))
@click.argument("token", type=click.File("rb"), default="-")
@click.option("--aud", help="Your own audience: without it, a pass says nothing about whom the token is for.")
@click.option("--scope", "scopes", multiple=True, help="A scope that you need.")
@_where
def _verify(
    token: BinaryIO,
    aud: str | None,
    scopes: tuple[str, ...],
    url: str | None,
    capability_file: Path | None,
) -> int:
    """Verify the token in the file TOKEN (- for stdin): an envelope, {"token":…}, or a bare compact token."""
    text: bytes = token.read().strip()
    sent = text if text.startswith(b"{") else msgspec.json.encode({"token": text.decode("utf-8", "replace")})
    passes, told = _verbs(url, capability_file).verify(sent, aud=aud, scopes=scopes)
    _answer(told)
    return 0 if passes else _fail(1, f"the token does not pass: {msgspec.json.decode(told)['reason']}")


@_passport.command("keys", epilog=_epilog("passport keys"))
@_where
def _keys(url: str | None, capability_file: Path | None) -> int:
    """Print the key set."""
    _answer(_verbs(url, capability_file).keys())
    return 0


@_passport.command("rotate", epilog=_epilog("passport rotate --idempotency-key 2026-11-22"))
@click.option("--force", is_flag=True, help="Even if the next key has not been published for long enough.")
@click.option("--idempotency-key", help="The same key rotates once, and gets the same answer.")
@_where
def _rotate(force: bool, idempotency_key: str | None, url: str | None, capability_file: Path | None) -> int:
    """Let the next key sign, and publish a new next one."""
    if idempotency_key is not None and not is_idempotency_key(idempotency_key):
        raise click.BadParameter("is 1 to 128 visible ASCII characters", param_hint="--idempotency-key")
    _answer(_verbs(url, capability_file).rotate(force=force, idempotency_key=idempotency_key))
    return 0


@_passport.command("revoke", epilog=_epilog("passport revoke ed25519/default/v1"))
@click.argument("kid")
@_where
def _revoke(kid: str, url: str | None, capability_file: Path | None) -> int:
    """Let nothing verify under KID any more: no token, and no capability either. There is no way back.

    The operator's capability may be among them; `passport capability mint` on the host makes another.
    """
    _answer(_verbs(url, capability_file).revoke(kid))
    return 0


@_passport.group("capability")
def _capability() -> None:
    """What lets callers through the service's doors."""


@_capability.command("mint", epilog=_epilog("passport capability mint --scope passport:issue --out app.cap"))
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="What it may do."
)
@click.option(
    "--ttl-s", type=click.IntRange(min=1), default=86400, show_default=True, help="Its lifetime, in seconds."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="A new file of mode 0600 for it, instead of stdout."
)
def _mint(scopes: tuple[str, ...], ttl_s: int, out: Path | None) -> int:
    """Mint a capability. Needs the store and the seal key, nothing else."""
    token = Local(_config()).mint(scopes, ttl_s)
    told = {"scopes": scopes, "expires": int(time.time()) + ttl_s}
    if out:
        _write_capability(out, token)
    _answer(msgspec.json.encode({"capability_file": str(out), **told} if out else {"token": token, **told}))
    return 0


@_passport.group("config")
def _config_group() -> None:
    """The configuration."""


@_config_group.command("check", epilog=_epilog("PASSPORT_SERVER__WORKERS=2 passport config check"))
@click.option("--dev", is_flag=True, help="Of the development profile.")
def _check(dev: bool) -> int:
    """Print the configuration that is in force."""
    _answer(msgspec.json.encode(_config(development=dev)))
    for name in ignored(os.environ):
        click.echo(f"passport: hint: {name} sets nothing", err=True)
    return 0


@_passport.command("kat", epilog=_epilog("passport kat --seed 00"))
@click.option("--seed", default="00", show_default=True, help="Any bytes, in hex.")
def _kat(seed: str) -> int:
    """Print known-answer vectors made from a seed, byte for byte the same everywhere."""
    from svc_passport.cli.kat import vectors  # noqa: PLC0415 - nothing else needs it

    try:
        _answer(vectors(bytes.fromhex(seed)))
    except ValueError as error:
        raise click.BadParameter("not hex", param_hint="--seed") from error
    return 0


@_passport.command("version", epilog=_epilog("passport version"))
@click.option("--url", help="Ask the service there.")
def _version(url: str | None) -> int:
    """Print what this program, or the service there, is."""
    _answer(version_here(_config()) if url is None else _remote(url, None).version())
    return 0


def _write_capability(file: Path, token: str) -> None:
    try:
        write_private(file, token.encode() + b"\n")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
