"""An engine other than libsodium is watched as configured; found out, it is counted and switched off."""

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest

from ron_kms.engines import Engine, Item, VerifyingKey, choose
from ron_kms.engines.sodium import SodiumEngine
from svc_passport import bootstrap
from svc_passport.config import ConfigError, load
from svc_passport.log import Log
from svc_passport.telemetry import KMS_DISAGREEMENTS, Telemetry


class Key:
    """A handle."""


class Credulous(SodiumEngine):
    """An engine that accepts everything."""

    name = "credulous"

    def load(self, _public_key: bytes) -> VerifyingKey:
        return VerifyingKey(Key())

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        return bytes([1] * len(items))


def watched(engine: Engine, telemetry: Telemetry, log: Log, every: int) -> Engine:
    config = load({"PASSPORT_KEYS__CROSSCHECK_EVERY": str(every)}, development=True)
    return bootstrap._watched(engine, config, telemetry, log)


def forged(engine: Engine) -> list[Item]:
    return [(engine.load(bytes(32)), b"message", bytes(64))]


def test_an_engine_that_accepts_what_libsodium_refuses_is_switched_off() -> None:
    read, write = os.pipe()
    telemetry = Telemetry()
    engine = watched(Credulous(), telemetry, Log(fd=write), 1)
    assert engine.name == "credulous"
    assert list(engine.verify_many(forged(engine))) == [0]
    assert engine.name == "sodium"
    assert list(engine.verify_many(forged(engine))) == [0]
    os.close(write)
    with os.fdopen(read) as lines:
        told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [(line["level"], line["engine"]) for line in told] == [("error", "credulous")]
    assert telemetry.counts[KMS_DISAGREEMENTS.place()] == 1


def test_without_a_crosscheck_nobody_looks() -> None:
    engine = watched(Credulous(), Telemetry(), Log(), 0)
    assert list(engine.verify_many(forged(engine))) == [1]


def test_libsodium_is_not_checked_by_itself() -> None:
    sodium = choose("sodium")
    assert watched(sodium, Telemetry(), Log(), 1) is sodium


@pytest.mark.parametrize("every", ["-1", "1.5", "often"])
def test_what_is_no_count_is_refused(every: str) -> None:
    with pytest.raises(ConfigError, match="CROSSCHECK_EVERY"):
        load({"PASSPORT_KEYS__CROSSCHECK_EVERY": every}, development=True)
