"""What may be set, from where, in which order; and that a mistake stops the start with its name (SPEC 6)."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_passport.config import MIB, Address, Config, ConfigError, address, load

HOME = {"HOME": "/home/alice"}


def toml(text: str, *, development: bool = False, **environ: str) -> Config:
    return load(HOME | {"PASSPORT_CONFIG": text} | environ, development=development)


def mistake(environ: dict[str, str], *, development: bool = False) -> str | None:
    """What is wrong, or None."""
    try:
        load(HOME | environ, development=development)
    except ConfigError as error:
        return str(error)
    return None


def wrong(text: str, *, development: bool = False) -> str | None:
    return mistake({"PASSPORT_CONFIG": text}, development=development)


# Every key there is.


class Key(NamedTuple):
    """A key, and what it may be."""

    section: str
    name: str
    kind: msgspec.inspect.Type
    optional: bool

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        return f"PASSPORT_{self.section}__{self.name}".upper()

    def of(self, config: Config) -> Any:
        return getattr(getattr(config, self.section), self.name)


def keys() -> Iterator[Key]:
    for section in msgspec.structs.fields(Config):
        for field in msgspec.structs.fields(section.type) if section.name != "development" else ():
            kind = msgspec.inspect.type_info(field.type)
            kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
            (what,) = [k for k in kinds if not isinstance(k, msgspec.inspect.NoneType)]
            yield Key(section.name, field.name, what, len(kinds) > 1)


KEYS = list(keys())
NUMBERS = [key for key in KEYS if isinstance(key.kind, msgspec.inspect.IntType)]
SWITCHES = [key for key in KEYS if isinstance(key.kind, msgspec.inspect.BoolType)]
TEXTS = [key for key in KEYS if isinstance(key.kind, msgspec.inspect.StrType)]
CHOICES = [key for key in KEYS if isinstance(key.kind, msgspec.inspect.LiteralType)]


def by_path(key: Key) -> str:
    return key.path


DEFAULT = {
    "server": {
        "bind": "127.0.0.1:5307",
        "admin_bind": "127.0.0.1:5308",
        "admin_public": False,
        "workers": 1,
        "drain_delay_s": 0,
        "drain_timeout_s": 10,
    },
    "passport": {
        "issuer": "svc-passport",
        "default_ttl_s": 3600,
        "max_ttl_s": 86400,
        "clock_skew_s": 120,
        "namespace": "default",
    },
    "keys": {
        "store": "sqlite:/home/alice/.local/state/svc-passport/keys.db",
        "engine": "auto",
        "crosscheck_every": 1024,
        "grace_s": 86580,
        "publish_ahead_s": 60,
    },
    "seal": {"key_file": "/home/alice/.local/state/svc-passport/seal.key"},
    "verify": {"target_batch": 64, "max_batch": 256, "max_wait_us": 500},
    "cache": {"vk_ttl_s": 60, "jwks_ttl_s": 60},
    "limits": {
        "max_msg_bytes": 4096,
        "max_batch": 512,
        "max_body_bytes": None,
        "verify_concurrency": 64,
        "batch_concurrency": 16,
    },
    "security": {"require_aud": True, "capability_max_ttl_s": 7776000},
    "log": {"level": "info", "format": "json"},
    "development": False,
}


def test_the_defaults_are_the_contracts() -> None:
    assert msgspec.to_builtins(load(HOME)) == DEFAULT


def test_the_development_profile_has_its_own() -> None:
    config = load(HOME, development=True)
    assert config.development
    assert config.server.admin_public
    assert (config.keys.store, config.keys.publish_ahead_s, config.publish_ahead_s) == ("memory:", 0, 0)
    changed = {"server", "keys", "seal", "development"}
    assert {k: v for k, v in msgspec.to_builtins(config).items() if k not in changed} == {
        k: v for k, v in DEFAULT.items() if k not in changed
    }


def test_the_development_profile_can_be_told_otherwise() -> None:
    text = '[server]\nadmin_public=false\n[keys]\nstore="sqlite:/k/keys.db"\npublish_ahead_s=7'
    config = toml(text, development=True)
    assert not config.server.admin_public
    assert (config.keys.store, config.publish_ahead_s) == ("sqlite:/k/keys.db", 7)


# Ranges.

LONGEST_S = 10 * 365 * 86400
ROOMY = {
    "passport": {"default_ttl_s": 1, "max_ttl_s": 1, "clock_skew_s": 0},
    "keys": {"grace_s": LONGEST_S},
    "cache": {"jwks_ttl_s": 0},
}
"""Settings beside which every key has its whole range."""

NEVER_ALONE = {("keys.grace_s", 0), ("cache.jwks_ttl_s", LONGEST_S)}
"""In range, but no other setting leaves room for them."""


def set_to(key: Key, value: Any) -> str:
    settings = {section: dict(values) for section, values in ROOMY.items()}
    settings.setdefault(key.section, {})[key.name] = value
    if key.path == "passport.default_ttl_s":
        settings["passport"]["max_ttl_s"] = value
    lines = []
    for section, values in settings.items():
        lines += [f"[{section}]", *(f"{name}={number}" for name, number in values.items())]
    return "\n".join(lines)


@pytest.mark.parametrize("key", NUMBERS, ids=by_path)
def test_every_number_has_a_range_and_both_its_ends(key: Key) -> None:
    assert isinstance(key.kind, msgspec.inspect.IntType)
    assert key.kind.ge is not None
    assert key.kind.le is not None
    for value in (key.kind.ge, key.kind.le):
        text = set_to(key, value)
        if (key.path, value) in NEVER_ALONE:
            assert str(wrong(text)).startswith("keys.grace_s: ")
        else:
            assert key.of(toml(text)) == value
    for value in (key.kind.ge - 1, key.kind.le + 1, 2**70):
        assert str(wrong(set_to(key, value))).startswith(f"{key.path}: ")
        assert str(mistake({key.variable: str(value)})).startswith(f"{key.variable}: ")


@pytest.mark.parametrize("key", KEYS, ids=by_path)
def test_a_value_of_the_wrong_type_is_named(key: Key) -> None:
    values: list[Any] = [[], {}, 1.5]
    values += [1] if key not in NUMBERS else ["1", True, 1.0]
    values += [True, "true"] if key not in SWITCHES else ["true", 0]
    if key in TEXTS:
        values.remove("true")
    for value in values:
        text = f"[{key.section}]\n{key.name}={msgspec.json.encode(value).decode()}"
        assert str(wrong(text)).startswith(f"{key.path}: "), value


@pytest.mark.parametrize("key", NUMBERS, ids=by_path)
@pytest.mark.parametrize("text", ["x", "1.5", "true", " 1", "1 ", "0x10", "1_0", "١", "∞", "1s"])
def test_a_number_in_the_environment_is_digits(key: Key, text: str) -> None:
    assert str(mistake({key.variable: text})).startswith(f"{key.variable}: ")


@pytest.mark.parametrize("key", SWITCHES, ids=by_path)
def test_a_switch_in_the_environment_is_true_or_false(key: Key) -> None:
    for text, value in (("true", True), ("1", True), ("false", False), ("0", False)):
        assert key.of(load(HOME | {key.variable: text})) is value
    for text in ("yes", "on", "2", "tru", "t"):
        assert str(mistake({key.variable: text})).startswith(f"{key.variable}: ")


@pytest.mark.parametrize("key", CHOICES, ids=by_path)
def test_a_choice_is_one_of_its_values(key: Key) -> None:
    assert isinstance(key.kind, msgspec.inspect.LiteralType)
    for value in key.kind.values:
        assert key.of(toml(f'[{key.section}]\n{key.name}="{value}"')) == value
    for value in ("", "other", str(key.kind.values[0]).upper()):
        assert str(wrong(f'[{key.section}]\n{key.name}="{value}"')).startswith(f"{key.path}: ")


@pytest.mark.parametrize(
    ("issuer", "passes"), [("", False), ("i", True), ("i" * 256, True), ("i" * 257, False), ("é 😀", True)]
)
def test_an_issuer_has_1_to_256_characters(issuer: str, passes: bool) -> None:
    said = wrong(f'[passport]\nissuer="{issuer}"')
    assert (said is None) is passes
    assert passes or str(said).startswith("passport.issuer: ")


def test_an_issuer_is_text_that_can_be_signed() -> None:
    # An environment variable that is not UTF-8 reaches Python so; no token could ever carry it.
    assert "issuer" in str(mistake({"PASSPORT_PASSPORT__ISSUER": "\udcff"})).lower()


@pytest.mark.parametrize(
    ("namespace", "passes"),
    [
        ("default", True),
        ("a/b.c/d_e-f", True),
        ("0", True),
        ("", False),
        ("Default", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("-a", False),
        ("a b", False),
        ("..", False),
        ("a\\n", False),
        ("a" * 128, False),
    ],
)
def test_a_namespace_makes_key_ids(namespace: str, passes: bool) -> None:
    said = wrong(f'[passport]\nnamespace="{namespace}"')
    assert (said is None) is passes
    assert passes or str(said).startswith("passport.namespace: ")


# What no key alone decides.


@pytest.mark.parametrize(("grace_s", "passes"), [(86580, True), (86579, False)])
def test_a_key_outlives_its_tokens_by_the_grace(grace_s: int, passes: bool) -> None:
    assert (wrong(f"[keys]\ngrace_s={grace_s}") is None) is passes


@pytest.mark.parametrize(
    "grown", ["[passport]\nmax_ttl_s=86401", "[passport]\nclock_skew_s=121", "[cache]\njwks_ttl_s=61"]
)
def test_each_part_of_the_grace_counts(grown: str) -> None:
    assert wrong(f"{grown}\n[keys]\ngrace_s=86581") is None
    assert str(wrong(f"{grown}\n[keys]\ngrace_s=86580")).startswith("keys.grace_s: ")


def test_a_default_lifetime_is_within_the_longest() -> None:
    assert wrong("[passport]\ndefault_ttl_s=60\nmax_ttl_s=60") is None
    assert str(wrong("[passport]\ndefault_ttl_s=61\nmax_ttl_s=60")).startswith("passport.default_ttl_s: ")


@pytest.mark.parametrize("development", [False, True])
def test_keys_in_memory_are_one_workers(development: bool) -> None:
    memory = '[keys]\nstore="memory:"\n[server]\nworkers='
    assert wrong(f"{memory}1", development=development) is None
    assert str(wrong(f"{memory}2", development=development)).startswith("server.workers: ")
    assert wrong('[keys]\nstore="sqlite:/k/keys.db"\n[server]\nworkers=2', development=development) is None


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [
        ("127.0.0.1:0", True),
        ("127.8.8.8:5307", True),
        ("[::1]:5307", True),
        ("localhost:5307", True),
        ("0.0.0.0:5307", False),
        ("[::]:5307", False),
        ("192.168.1.10:5307", False),
        ("10.0.0.1:5307", False),
        ("[fe80::1]:5307", False),
        ("example.com:5307", False),
        ("localhost.example.com:5307", False),
        ("127.0.0.1.example.com:5307", False),
        ("1.127.0.0:5307", False),
        ("127.1:5307", False),
        ("2130706433:5307", False),
    ],
)
@pytest.mark.parametrize("name", ["bind", "admin_bind"])
def test_development_listens_on_loopback_only(name: str, bind: str, loopback: bool) -> None:
    text = f'[server]\n{name}="{bind}"'
    assert wrong(text) is None
    said = wrong(text, development=True)
    assert (said is None) is loopback
    assert loopback or str(said).startswith(f"server.{name}: ")
    variable = {f"PASSPORT_SERVER__{name}".upper(): bind}
    assert (mistake(variable, development=True) is None) is loopback


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("127.0.0.1:5307", Address("127.0.0.1", 5307)),
        ("[::1]:0", Address("::1", 0)),
        ("host.example:65535", Address("host.example", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, where: Address) -> None:
    assert address(text) == where
    assert str(where) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "5307",
        ":5307",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "::1:5307",
        "[::1]",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:1 ",
        "127.0.0.1:１",
        "127.0.0.1:" + "9" * 5000,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_address_is_named(text: str) -> None:
    assert str(wrong(f'[server]\nbind="{text}"')).startswith("server.bind: ")
    with pytest.raises(ValueError, match=r"."):
        address(text)


# Sources.


def test_inline_wins_over_a_file_and_each_environment_over_what_stands_before_it(tmp_path: Path) -> None:
    file = tmp_path / "passport.toml"
    file.write_text("[limits]\nmax_batch=1\n[server]\nworkers=3")
    environ = HOME | {"PASSPORT_CONFIG_FILE": str(file)}
    found = [load(environ)]
    for more in (
        {"PASSPORT_CONFIG": "[limits]\nmax_batch=2"},
        {"PASSPORT_LIMITS__MAX_BATCH": "3"},
        {"PASSPORT_MAX_BATCH": "4"},
    ):
        environ |= more
        found.append(load(environ))
        assert load(dict(reversed(environ.items()))) == found[-1]
    assert [config.limits.max_batch for config in found] == [1, 2, 3, 4]
    assert [config.server.workers for config in found] == [3, 1, 1, 1]


def test_what_is_empty_is_not_set(tmp_path: Path) -> None:
    file = tmp_path / "passport.toml"
    file.write_text("[limits]\nmax_batch=1")
    everything = {key.variable: "" for key in KEYS} | dict.fromkeys(SHORT, "")
    assert load(HOME | everything | {"PASSPORT_CONFIG": "", "PASSPORT_CONFIG_FILE": ""}) == load(HOME)
    file_only = {"PASSPORT_CONFIG": "", "PASSPORT_CONFIG_FILE": str(file), "XDG_STATE_HOME": ""}
    assert load(HOME | everything | file_only).limits.max_batch == 1


def test_a_file_that_is_not_needed_is_not_read() -> None:
    config = toml("[limits]\nmax_batch=2", PASSPORT_CONFIG_FILE="/nowhere/passport.toml")
    assert config.limits.max_batch == 2


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "passport.toml"
    file.write_bytes(b"")
    assert load(HOME | {"PASSPORT_CONFIG_FILE": str(file)}) == load(HOME)


SHORT = {
    "PASSPORT_MAX_MSG_BYTES": "limits.max_body_bytes",
    "PASSPORT_MAX_BATCH": "limits.max_batch",
    "PASSPORT_VERIFY_CONCURRENCY": "limits.verify_concurrency",
    "PASSPORT_VERIFY_BATCH_CONCURRENCY": "limits.batch_concurrency",
}


@pytest.mark.parametrize(("variable", "path"), SHORT.items())
def test_a_short_name_wins_over_the_long(variable: str, path: str) -> None:
    (key,) = [key for key in KEYS if key.path == path]
    text = f"[{key.section}]\n{key.name}=100"
    assert key.of(toml(text)) == 100
    environ = HOME | {"PASSPORT_CONFIG": text, key.variable: "200"}
    assert key.of(load(environ)) == 200
    assert key.of(load(environ | {variable: "300"})) == 300
    assert key.of(load({variable: "300"} | environ)) == 300
    for value in ("0", "x", "-1"):
        assert str(mistake({variable: value})).startswith(f"{variable}: ")


@pytest.mark.parametrize("key", KEYS, ids=by_path)
def test_every_key_has_its_variable(key: Key) -> None:
    value: Any
    match key.kind:
        case msgspec.inspect.IntType():
            value = 86_999 if key.path == "keys.grace_s" else 61 if key.path == "cache.jwks_ttl_s" else 100
        case msgspec.inspect.BoolType():
            value = not DEFAULT[key.section][key.name]  # type: ignore[index]
        case msgspec.inspect.LiteralType():
            value = key.kind.values[-1]
        case _:
            value = {"store": "sqlite:/k/keys.db", "key_file": "/k/seal"}.get(key.name, "127.0.0.1:99")
            value = {"namespace": "a/b", "issuer": "svc-b"}.get(key.name, value)
    roomy = {"PASSPORT_KEYS__GRACE_S": "90000", "PASSPORT_PASSPORT__DEFAULT_TTL_S": "1"}
    config = load(HOME | roomy | {key.variable: str(value).lower() if key in SWITCHES else str(value)})
    assert key.of(config) == value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[server]\nbindd='x'", "bindd"),
        ("[limits]\nmax_msg_byte=1", "max_msg_byte"),
        ("[passport]\nMAX_TTL_S=1", "MAX_TTL_S"),
        ("[sever]\nworkers=1", "sever"),
        ("development=true", "development"),
        ("[development]", "development"),
        ("workers=1", "workers"),
        ("[server.workers]\nx=1", "server.workers"),
        ("server=1", "server"),
        ("[[server]]\nworkers=1", "server"),
    ],
)
def test_an_unknown_key_or_section_is_named(text: str, name: str) -> None:
    assert name in str(wrong(text))


@pytest.mark.parametrize("key", ["SERVER__BINDD", "SERVER__", "SERVER__BIND__X", "LIMITS___MAX_BATCH"])
def test_an_unknown_key_in_the_environment_is_named(key: str) -> None:
    assert f"PASSPORT_{key}" in str(mistake({f"PASSPORT_{key}": "1"}))


def test_other_variables_are_ignored() -> None:
    kubernetes = {
        "PASSPORT_PORT": "tcp://10.0.0.1:5307",
        "PASSPORT_PORT_5307_TCP": "tcp://10.0.0.1:5307",
        "PASSPORT_PORT_5307_TCP_ADDR": "10.0.0.1",
        "PASSPORT_PORT_5307_TCP_PORT": "5307",
        "PASSPORT_PORT_5307_TCP_PROTO": "tcp",
        "PASSPORT_SERVICE_HOST": "10.0.0.1",
        "PASSPORT_SERVICE_PORT": "5307",
        "PASSPORT_SERVER_PORT": "tcp://10.0.0.2:80",
        "PASSPORT_KEYS_SERVICE_HOST": "10.0.0.2",
    }
    others = {
        "PASSPORT_": "x",
        "PASSPORT___": "x",
        "PASSPORT_FOO__BAR": "x",
        "PASSPORT": "x",
        "SERVER__WORKERS": "9",
        "MY_PASSPORT_SERVER__WORKERS": "9",
        "XPASSPORT_SERVER__WORKERS": "9",
    }
    assert load(HOME | kubernetes | others) == load(HOME)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"PASSPORT_CONFIG": "="}, "PASSPORT_CONFIG: "),
        ({"PASSPORT_CONFIG": "[server"}, "PASSPORT_CONFIG: "),
        ({"PASSPORT_CONFIG": "[server]\nworkers=1\nworkers=2"}, "PASSPORT_CONFIG: "),
        ({"PASSPORT_CONFIG": "a=" + "[" * 10_000}, "PASSPORT_CONFIG: "),
        ({"PASSPORT_CONFIG_FILE": "/nowhere/passport.toml"}, "PASSPORT_CONFIG_FILE: "),
        ({"PASSPORT_CONFIG_FILE": "/"}, "PASSPORT_CONFIG_FILE: "),
    ],
    ids=["no TOML", "cut", "a key twice", "10,000 deep", "no file", "a folder"],
)
def test_a_source_that_cannot_be_read_is_named(environ: dict[str, str], name: str) -> None:
    assert str(mistake(environ)).startswith(name)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "passport.toml"
    file.write_bytes(b"[server]\nbind='\xff'")
    assert str(mistake({"PASSPORT_CONFIG_FILE": str(file)})).startswith("PASSPORT_CONFIG_FILE: ")


variables = st.sampled_from([*(key.variable for key in KEYS), *SHORT, "PASSPORT_CONFIG", "PASSPORT_LOG__X"])
telling = [
    "1",
    "0",
    "-1",
    "9" * 20,
    "true",
    "null",
    "memory:",
    "[server]\nworkers=2",
    "[a]\n",
    "1e999",
    "nan",
]
values = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(telling)


@given(st.dictionaries(variables, values, max_size=4), st.booleans())
def test_whatever_the_environment_says_it_is_a_configuration_or_a_mistake(
    environ: dict[str, str], development: bool
) -> None:
    said = mistake(environ, development=development)
    assert said is None or said


# Earlier files.

RUST = """
# svc-passport
[server]
bind = "127.0.0.1:5307"
admin_bind = "127.0.0.1:5308"

[passport]
issuer = "svc-passport"
default_ttl_s = 3600
max_ttl_s = {max_ttl_s}
clock_skew_s = 120

[verify]
target_batch = 64
max_batch = 256
max_wait_us = 500

[cache]
vk_ttl_s = 60
jwks_ttl_s = 60

[limits]
max_msg_bytes = 4096
max_batch = 512

[security]
require_aud = true
"""


def test_a_file_of_the_rust_service_is_valid_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "default.toml"
    file.write_text(RUST.format(max_ttl_s=86400))
    assert load(HOME | {"PASSPORT_CONFIG_FILE": str(file)}) == load(HOME)


def test_so_is_one_with_longer_lifetimes() -> None:
    # It could not name keys.grace_s, which that service did not have.
    assert wrong(RUST.format(max_ttl_s=7 * 86400)) is None


# What follows from it.


@pytest.mark.parametrize(
    ("environ", "rests"),
    [
        ({"HOME": "/home/bob"}, "/home/bob/.local/state/svc-passport"),
        ({"HOME": "/home/bob", "XDG_STATE_HOME": ""}, "/home/bob/.local/state/svc-passport"),
        ({"HOME": "/home/bob", "XDG_STATE_HOME": "/var/state"}, "/var/state/svc-passport"),
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/svc-passport"),
        ({"PASSPORT_KEYS__STORE": "sqlite:/srv/k/keys.db"}, "/srv/k"),
    ],
)
def test_the_store_rests_where_state_does_and_the_seal_key_beside_it(
    environ: dict[str, str], rests: str
) -> None:
    config = load(environ)
    assert config.keys.store == f"sqlite:{rests}/keys.db"
    assert config.seal.key_file == f"{rests}/seal.key"


def test_a_seal_key_may_be_elsewhere() -> None:
    assert toml('[seal]\nkey_file="/run/secrets/seal"').seal.key_file == "/run/secrets/seal"


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = toml('[keys]\nstore="sqlite:k.db"\n[seal]\nkey_file="s.key"')
    assert config.keys.store == f"sqlite:{tmp_path}/k.db"
    assert config.seal.key_file == f"{tmp_path}/s.key"


def test_keys_in_memory_have_no_paths() -> None:
    config = toml('[keys]\nstore="memory:"')
    assert (config.keys.store, config.seal.key_file) == ("memory:", "")


@pytest.mark.parametrize(
    ("text", "publish_ahead_s"),
    [
        ("", 60),
        ("[cache]\njwks_ttl_s=30", 30),
        ("[keys]\npublish_ahead_s=0", 0),
        ("[keys]\npublish_ahead_s=7\n[cache]\njwks_ttl_s=30", 7),
    ],
)
def test_a_key_is_published_ahead_for_as_long_as_key_sets_are_kept(text: str, publish_ahead_s: int) -> None:
    config = toml(text)
    assert config.publish_ahead_s == config.keys.publish_ahead_s == publish_ahead_s


@pytest.mark.parametrize("max_msg_bytes", [64, 4096, 4097, 4098, MIB])
@pytest.mark.parametrize("max_batch", [1, 64, 512, 65536])
def test_a_body_is_as_long_as_its_batch_can_be(max_msg_bytes: int, max_batch: int) -> None:
    limits = toml(f"[limits]\nmax_msg_bytes={max_msg_bytes}\nmax_batch={max_batch}")
    assert limits.max_body_bytes() == 1024 * 1024
    formula = max_batch * (4 * math.ceil(max_msg_bytes / 3) + 512)
    assert limits.max_body_bytes(batch=True) == max(1024 * 1024, formula)
    assert load(HOME).max_body_bytes(batch=True) == 3_059_712


@pytest.mark.parametrize("max_body_bytes", [64, 1000, 2**30])
def test_a_body_limit_that_is_set_rules_everywhere(max_body_bytes: int) -> None:
    config = load(HOME | {"PASSPORT_MAX_MSG_BYTES": str(max_body_bytes)})
    assert config.max_body_bytes() == config.max_body_bytes(batch=True) == max_body_bytes
    assert config.limits.max_msg_bytes == 4096


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load(HOME).limits.max_batch = 1  # type: ignore[misc]
