"""The README is a test: its session runs, and its table has every error as it is."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

import ron_auth
from ron_auth import VerifyError

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_session_runs_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    session = ModuleType("session")
    for block in BLOCKS:
        # Blank lines before it, so that an error names the README's line.
        line = README[: README.index(block)].count("\n")
        exec(compile("\n" * line + block, "README.md", "exec"), session.__dict__)  # noqa: S102 - our own page
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(refusal.*\)  # (.+)", README)


def test_the_table_of_refusals_is_true() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (yes|no) \|$", README, re.MULTILINE)
    told = {name: (text, retryable == "yes") for name, text, retryable in rows}
    texts = {"Malformed": "malformed envelope: …", "MissingScope": "missing scope X"}
    assert told == {
        error.__name__: (texts.get(error.__name__, error.text), error.retryable)
        for error in VerifyError.__subclasses__()
    }


def test_every_name_the_readme_imports_is_public() -> None:
    imported = {
        name.name
        for block in BLOCKS
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "ron_auth"
        for name in node.names
    }
    assert imported <= set(ron_auth.__all__)
