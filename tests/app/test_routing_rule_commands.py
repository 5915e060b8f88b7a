"""`radrelay rule`: made from a file, tried, changed, switched, listed and deleted without the pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radrelay.app import routing_rule_commands as commands
from radrelay.errors import NotFound
from radrelay.routing.rules.errors import RuleInvalid
from tests.app.house import settings_in

RULE = {"name": "Night CT", "when": [{"field": "Modality", "test": "is", "values": ["CT"]}],
        "actions": [{"kind": "hold", "days": 7}]}  # fmt: skip


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
