"""``make smoke`` works on a service of its own, and on one that runs."""

import os
import subprocess
from pathlib import Path

import pytest
from running import Running, environment, passport, running
from service import Line, operator

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/smoke_passport.sh"


def smoke(**settings: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines of the smoke test."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PASSPORT_")}
    done = subprocess.run(
        [str(SCRIPT)], env=inherited | settings, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout.splitlines()


def of_kind(kind: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(kind)]


def test_a_service_of_its_own_passes_every_check() -> None:
    code, lines = smoke()

    assert of_kind("FAIL", lines) == []
    assert of_kind("skip", lines) == []
    assert len(of_kind("ok", lines)) == len(lines) > 80
    assert code == 0


def at(service: Running, store: Path) -> dict[str, str]:
    return {
        "PASSPORT_URL": service.url,
        "PASSPORT_ADMIN_URL": service.admin_url,
        "PASSPORT_CAPABILITY_FILE": str(store / "operator.cap"),
    }


@pytest.mark.parametrize(
    ("asked", "signs"),
    [
        pytest.param({}, "ed25519/default/v1", id="and keeps its keys"),
        pytest.param({"SMOKE_ROTATE": "force"}, "ed25519/default/v2", id="and is rotated"),
    ],
)
def test_a_closed_service_that_runs_passes_and_changes_only_as_asked(
    asked: dict[str, str], signs: str, tmp_path: Path
) -> None:
    env = environment(keys__store=f"sqlite:{tmp_path}/store/keys.db")
    assert passport("init", env=env).returncode == 0
    with running(env=env) as service:
        code, lines = smoke(**at(service, tmp_path / "store"), **asked)

        assert of_kind("FAIL", lines) == []
        assert of_kind("skip rotation", lines) == (
            [] if asked else ["skip rotation: SMOKE_ROTATE=1 asks for it"]
        )
        assert code == 0
        with Line(service.admin_url, operator(env)) as admin:
            versions = admin.get("/admin/attest").json["versions"]
        assert [v["kid"] for v in versions if v["state"] == "active"] == [signs]
        assert "revoked" not in [v["state"] for v in versions]
        assert service.end() == 0


def test_a_service_that_is_not_there_fails() -> None:
    code, lines = smoke(PASSPORT_URL="http://127.0.0.1:9")

    assert lines == ["FAIL http://127.0.0.1:9 answers"]
    assert code == 1
