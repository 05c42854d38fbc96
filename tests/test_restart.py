"""What was acknowledged survives kill -9. The long form is ``make campaign-restart``."""

from pathlib import Path

from restart_campaign import campaign


def test_killed_amid_rotations_it_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    outcome = campaign(tmp_path, kills=6)

    assert outcome.kills == 6
    assert outcome.rotations > 0
    assert outcome.replays >= outcome.rotations
