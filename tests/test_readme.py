"""The README is a test: its commands are run as they stand, and what they print is what it shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Running, environment, running

README = (Path(__file__).parents[1] / "README.md").read_text()
PUBLIC, ADMIN = "http://127.0.0.1:5307", "http://127.0.0.1:5308"


def session(heading: str) -> Iterator[tuple[str, str]]:
    """Yield each command below a heading, and what is shown to come of it."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:.*\\\n)*.*", step)
            assert command
            yield command[0], step[command.end() :].strip()


def shell(command: str, service: Running | None, folder: Path, env: dict[str, str]) -> str:
    if service:
        command = command.replace(PUBLIC, service.url).replace(ADMIN, service.admin_url)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip()


def assert_shows(shown: str, printed: str, command: str) -> None:
    """An ellipsis in what is shown stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    assert re.fullmatch(pattern, printed, re.DOTALL), f"{command}\nshows {shown!r}\nprints {printed!r}"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return environment() | {"HOME": str(tmp_path), "PATH": path}


def test_the_first_minute_in_development(tmp_path: Path, env: dict[str, str]) -> None:
    with running("--dev", env=env) as service:
        steps = list(session("The first minute, in development"))
        assert len(steps) == 5
        for command, shown in steps:
            assert_shows(shown, shell(command, service, tmp_path, env), command)


def test_the_first_minute_in_production_and_its_tokens(tmp_path: Path, env: dict[str, str]) -> None:
    steps = list(session("The first minute, in production"))
    _, (export, _), (init, made), (serve, _), *served = steps
    assert (export, serve) == (
        'export PASSPORT_KEYS__STORE="sqlite:$HOME/passport/keys.db"',
        "passport serve &",
    )
    env["PASSPORT_KEYS__STORE"] = f"sqlite:{tmp_path}/passport/keys.db"
    assert_shows(made, shell(init, None, tmp_path, env), init)
    with running(env=env) as service:
        for command, shown in [*served, *session("Tokens")]:
            assert_shows(shown, shell(command, service, tmp_path, env), command)
