"""`radrelay analysis`: listed, switched, started and cancelled without the pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from radrelay.analysis.errors import AnalysisOff, AnalysisRunNotFound, AnalysisUnknown, ParametersInvalid
from radrelay.app import analysis_commands as commands
from radrelay.archive.errors import StudyNotFound
from radrelay.errors import Misconfigured
from tests.app.house import house, settings_in

STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


def test_an_analysis_is_switched_on_started_listed_and_cancelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    with house(settings) as made:
        made.land(Path(path).read_bytes())
    commands.list_command(settings)
    assert "perfusion  0.1.0  off  called PERFUSION  0 waiting, 0 running" in capsys.readouterr().out
    with pytest.raises(AnalysisOff):
        commands.run_command(settings, "perfusion", STUDY, "")
    commands.switch_command(settings, "perfusion", enabled=True)
    for wrong, error in ((("another", STUDY, ""), AnalysisUnknown), (("perfusion", "1.2", ""), StudyNotFound),
                         (("perfusion", STUDY, '{"method": "guess"}'), ParametersInvalid),
                         (("perfusion", STUDY, "[1"), Misconfigured),
                         (("perfusion", STUDY, "[1]"), Misconfigured)):  # fmt: skip
        with pytest.raises(error):
            commands.run_command(settings, *wrong)
    commands.run_command(settings, "perfusion", STUDY, '{"correct_motion": false}')
    run = capsys.readouterr().out.strip()
    commands.runs_command(settings, "")
    assert capsys.readouterr().out.split()[0::5][0] == run
    with pytest.raises(AnalysisRunNotFound):
        commands.cancel_command(settings, "nonsense")
    commands.cancel_command(settings, run)
    commands.runs_command(settings, "cancelled")
    assert run in capsys.readouterr().out
