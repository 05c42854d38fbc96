"""From a configuration to wired objects: the one place that names concrete parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ron_kms import (
    Engine,
    Generations,
    Keyring,
    Policy,
    Secret,
    StoreRefused,
    create,
    make_seal_key,
    read_seal_key,
)
from ron_kms.engines import choose
from ron_kms.engines.checked import CheckedEngine
from ron_kms.entropy import Entropy, system
from ron_kms.sealed import SEAL_KEY_BYTES
from ron_kms.stores import KeyStore, open_store
from svc_passport.coalesce import Coalescer, Gathering
from svc_passport.config import Config
from svc_passport.http.app import App, Route, admin_routes, public_routes
from svc_passport.http.handlers import Handlers, Limits
from svc_passport.log import Log
from svc_passport.rules import Rules
from svc_passport.telemetry import KMS_DISAGREEMENTS, MeasuredEngine, MeasuredKeyring, Telemetry

MEMORY = "memory:"


@dataclass(frozen=True, slots=True)
class Service:
    """One worker's parts: the two planes, and what keeps them current."""

    keyring: MeasuredKeyring
    public: App
    admin: App


def make_store(config: Config) -> None:
    """Make the seal key, where there is none, and the store with its first keys.

    Raises:
        StoreRefused: There is a store already, or what is there is not to be used.
        StoreBusy, OSError: It cannot be written.
    """
    store = open_store(config.keys.store)
    try:
        store.load()
    except StoreRefused as refused:
        if refused.name != "store_missing":
            raise
    else:
        # Before there could be another seal key: the one that is missing is never made anew.
        raise StoreRefused("store_exists", "there is a store already")
    create(store, make_seal_key(Path(config.seal.key_file)), config.passport.namespace)


def open_keyring(
    config: Config,
    telemetry: Telemetry | None = None,
    generations: Generations | None = None,
    log: Log | None = None,
) -> MeasuredKeyring:
    """Open the configured store. A store in memory is made on the way.

    Raises:
        StoreRefused, StoreBusy: The store or its seal key is not to be used (by name).
        AlgUnavailable: The engine is not here, or its self-test failed.
    """
    telemetry = telemetry or Telemetry()
    engine = MeasuredEngine(_watched(engine_of(config), config, telemetry, log or Log()), telemetry)
    store = open_store(config.keys.store)
    policy = Policy(
        grace_ms=1000 * config.grace_s,
        publish_ahead_ms=1000 * config.publish_ahead_s,
        reread_ms=1000 * config.cache.vk_ttl_s,
    )
    seal_key = _seal_key(config, store)
    keyring = MeasuredKeyring(store, engine, seal_key, policy, generations=generations, telemetry=telemetry)
    keyring.check_namespace(config.passport.namespace)
    return keyring


def keyring_in_memory(clock_ms: Callable[[], int], source: Entropy) -> Keyring:
    """Return a keyring of known-answer vectors: a given clock, a given source of randomness."""
    store, seal_key = open_store(MEMORY), Secret(source(SEAL_KEY_BYTES))
    create(store, seal_key, "default", clock_ms=clock_ms, entropy=source)
    policy = Policy(grace_ms=86_580_000, publish_ahead_ms=0)
    return Keyring(store, choose("auto"), seal_key, policy, clock_ms=clock_ms, entropy=source)


def engine_of(config: Config) -> Engine:
    """Return the configured engine, after its self-test.

    Raises:
        AlgUnavailable: It is not here, or gave a wrong verdict.
    """
    return choose(config.keys.engine)


def _watched(engine: Engine, config: Config, telemetry: Telemetry, log: Log) -> Engine:
    """Return the engine; one that is not libsodium is checked by it now and then."""
    if engine.name == "sodium" or not config.keys.crosscheck_every:
        return engine

    def disagreed() -> None:
        telemetry.counts[KMS_DISAGREEMENTS.place()] += 1
        log("error", "engine switched off: it accepted what libsodium refuses", engine=engine.name)

    return CheckedEngine(engine, choose("sodium"), config.keys.crosscheck_every, disagreed)


def rules_of(config: Config) -> Rules:
    """Return what is issued and accepted."""
    return Rules(
        issuer=config.passport.issuer,
        default_ttl_s=config.passport.default_ttl_s,
        max_ttl_s=config.passport.max_ttl_s,
        clock_skew_s=config.passport.clock_skew_s,
        capability_max_ttl_s=config.security.capability_max_ttl_s,
        max_msg_bytes=config.limits.max_msg_bytes,
        require_aud=config.security.require_aud,
    )


def build(
    config: Config,
    log: Log,
    telemetry: Telemetry,
    generations: Generations,
    *,
    is_lone: Callable[[], bool],
    missing: Callable[[], list[str]],
) -> Service:
    """Return a worker's parts, wired.

    Args:
        is_lone: Tells whether the request that asks is the only one under way.
        missing: Says what is missing before the service is ready.

    Raises:
        StoreRefused, StoreBusy, AlgUnavailable: As for ``open_keyring``.
    """
    keyring = open_keyring(config, telemetry, generations, log)
    rules = rules_of(config)
    gathering = Gathering(
        config.verify.target_batch, config.verify.max_batch, together=config.verify.max_wait_us > 0
    )
    handlers = Handlers(
        keyring,
        rules,
        Coalescer(keyring, rules, gathering, telemetry, is_lone),
        telemetry,
        Limits(
            max_body_bytes=config.max_body_bytes(),
            max_batch_body_bytes=config.max_body_bytes(batch=True),
            max_batch=config.limits.max_batch,
            verify_concurrency=config.limits.verify_concurrency,
            batch_concurrency=config.limits.batch_concurrency,
        ),
        development=config.development,
        jwks_ttl_s=config.cache.jwks_ttl_s,
        missing=missing,
    )
    public, admin = public_routes(handlers), admin_routes(handlers)
    if config.server.admin_public:
        public += admin

    def plane(routes: list[Route]) -> App:
        return App(routes, telemetry, log, keyring.engine, development=config.development)

    return Service(keyring, plane(public), plane(admin))


def _seal_key(config: Config, store: KeyStore) -> Secret:
    if config.keys.store == MEMORY:
        seal_key = Secret(system(SEAL_KEY_BYTES))
        create(store, seal_key, config.passport.namespace)
        return seal_key
    try:
        return read_seal_key(Path(config.seal.key_file))
    except StoreRefused:
        store.load()  # a missing store is a better word than the missing seal key that comes with it
        raise
