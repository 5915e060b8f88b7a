"""`radrelay rule`: made from a file, tried, changed, switched, listed and deleted without the pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from radrelay.app import routing_rule_commands as commands
from radrelay.app.core import open_core
from radrelay.archive import indexing
from radrelay.clock import FixedClock
from radrelay.errors import NotFound
from radrelay.routing.rules.errors import RuleInvalid
from tests.app.house import House, settings_in
from tests.archive.house import made

RULE = {"name": "Night CT", "when": [{"field": "Modality", "test": "is", "values": ["CT"]}],
        "actions": [{"kind": "hold", "days": 7}]}  # fmt: skip


def test_a_trial_names_studies_why_they_are_met_and_what_would_become_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, clock = settings_in(tmp_path), FixedClock(datetime.now(UTC) - timedelta(hours=1))
    core = open_core(settings, clock)
    house = House(core)
    house.land(made("CT_small.dcm", StudyInstanceUID="1.2.3", AccessionNumber="", StudyDescription="Knie"))
    clock.advance(timedelta(minutes=5))
    with core.database.write() as session:
        indexing.complete_quiet(session, clock.now())
    house.close()
    core.close()
    values = {"accession_number": "N-{accession_number}", "description": "{description} (extern)"}
    rule = RULE | {"actions": [{"kind": "hold", "days": 7}, {"kind": "coerce", "values": values}]}
    commands.add_command(settings, json.dumps(rule), try_only=True)
    assert capsys.readouterr().out.splitlines() == [
        "1 of the 1 studies that came last would be met",
        "1.2.3",
        "  + Modality is CT: CT",
        "  hold: would be done",
        "  coerce: would be done (empty-placeholder-in-part)",
        "    description: 'Knie' -> 'Knie (extern)'",
    ]


def test_a_rule_is_made_from_a_file_changed_switched_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    commands.add_command(settings, json.dumps(RULE), try_only=True)
    assert capsys.readouterr().out == "0 of the 0 studies that came last would be met\n"
    commands.add_command(settings, json.dumps(RULE), try_only=False)
    made = capsys.readouterr().out.strip()
    commands.show_command(settings, "night ct")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["when"], shown["actions"]) == (RULE["when"], [{"kind": "hold", "days": 7, "reason": ""}])
    commands.change_command(settings, made, json.dumps(shown | {"name": "All CT"}))
    assert capsys.readouterr().out == "revision 2\n"
    commands.switch_command(settings, "All CT", enabled=False)
    commands.list_command(settings)
    assert capsys.readouterr().out == f"{made}  All CT  hold  met 0  off\n"
    for wrong in ("{", "[]", json.dumps(RULE | {"whn": []}), json.dumps(RULE | {"actions": "hold"})):
        with pytest.raises(RuleInvalid):
            commands.add_command(settings, wrong, try_only=False)
    commands.delete_command(settings, made)
    for gone in (commands.show_command, commands.met_command):
        with pytest.raises(NotFound):
            gone(settings, made)
