"""The README is a test: its session runs, and its table names every refusal."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

import ron_kms

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_session_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session = ModuleType("session")
    for block in BLOCKS:
        # Blank lines before it, so that an error names the README's line.
        line = README[: README.index(block)].count("\n")
        exec(compile("\n" * line + block, "README.md", "exec"), session.__dict__)  # noqa: S102 - our own page
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"print\(refusal\)  # (.+)", README)
    assert [printed[0], printed[2]] == promised
    assert printed[1] == session.__dict__["key_set"].etag
    assert len(printed) == 3
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["keys.db", "seal.key"]


def test_the_session_shows_every_verb() -> None:
    shown = "".join(BLOCKS)
    for verb in ("create(", ".sign(", ".verify(", ".rotate(", ".revoke(", ".key_set(", ".attest("):
        assert verb in shown


def names_raised() -> set[str]:
    """Return the first argument of every ``StoreRefused(…)`` in the package."""
    calls = (
        node
        for path in (PACKAGE / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "StoreRefused"
    )
    return {ast.literal_eval(call.args[0]) for call in calls}


def test_the_table_names_every_refusal_and_no_other() -> None:
    assert set(re.findall(r"^\| `((?:store|seal|key)_\w+)` \|", README, re.MULTILINE)) == names_raised()


def test_every_name_the_readme_imports_is_public() -> None:
    imported = [
        name.name
        for block in BLOCKS
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "ron_kms"
        for name in node.names
    ]
    assert imported
    assert set(imported) <= set(ron_kms.__all__)
