"""Rotation under load, in its short form. The long one is ``make campaign-rotation``."""

from pathlib import Path

import pytest
from rotation_campaign import campaign


@pytest.mark.parametrize("workers", [pytest.param(1, id="one worker"), pytest.param(2, id="two workers")])
def test_rotating_under_load_gives_no_wrong_verdict(workers: int, tmp_path: Path) -> None:
    outcome = campaign(tmp_path, seconds=3, workers=workers)

    assert outcome.rotations > 10
    assert outcome.issued > 100
    assert outcome.batches > 10
