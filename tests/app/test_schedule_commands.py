"""`radrelay schedule`: made from a file, tried, run, switched, looked up and removed without the pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radrelay.app import schedule_commands as commands
from radrelay.app.commands import opened
from radrelay.intake.sources import list_sources
from radrelay.retrieve import nodes
from radrelay.retrieve.errors import RetrieveOff, ScheduleInvalid, ScheduleNotFound
from radrelay.retrieve.nodes import PacsDraft
from tests.app.house import settings_in

PLAN = {"name": "Night CTs", "pacs": ["main pacs"], "times": "30 5 * * 1-5", "last_hours": 12, "most_bytes": 10**10}


def test_a_schedule_is_made_from_a_file_tried_run_switched_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = settings_in(tmp_path)
    settings = off.model_copy(update={"retrieve": off.retrieve.model_copy(update={"enabled": True})})
    with opened(settings) as (core, prepared), core.database.write() as session:
        door = next(one for one in list_sources(session, prepared.organisation_id) if one.kind == "dicom")
        nobody = PacsDraft("Main PACS", "PACS", "127.0.0.1", 1, door.id)  # nothing listens there
        nodes.create_pacs(session, core.clock, prepared.organisation_id, nobody)
    for wrong in ("{", "[]", json.dumps(PLAN | {"pacs": ["another"]}), json.dumps(PLAN | {"times": "at night"})):
        with pytest.raises(ScheduleInvalid):
            commands.add_command(settings, wrong)
    commands.add_command(settings, json.dumps(PLAN))
    made = capsys.readouterr().out.strip()
    commands.show_command(settings, "night cts")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["last_hours"], shown["most_bytes"], shown["enabled"]) == (12, 10**10, True)
    assert commands.run_command(settings, made, "", dry_run=True) == 1, "the PACS does not answer"
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "0 of 0 would be fetched"
    assert told[1].startswith("Main PACS: ")
    commands.run_command(settings, "Night CTs", "", dry_run=False)
    capsys.readouterr()
    commands.history_command(settings, made)
    assert "  hand  waiting  0 found, 0 here, 0 fetched (0 MB), 0 failed" in capsys.readouterr().out
    commands.switch_command(settings, made, enabled=False)
    commands.list_command(settings)
    assert capsys.readouterr().out == f"{made}  Night CTs  timed  off  last waiting, 0 fetched\n"
    with pytest.raises(RetrieveOff):
        commands.run_command(off, made, "", dry_run=True)
    commands.remove_command(settings, made)
    with pytest.raises(ScheduleNotFound):
        commands.show_command(settings, made)
