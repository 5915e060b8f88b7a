"""`radrelay access release-rule`: tried, made, listed and deleted without the pages."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from radrelay import access
from radrelay.access import Conditions
from radrelay.app.commands import open_command
from radrelay.app.rule_commands import Asked, add_command, delete_command, list_command
from radrelay.app.work import catch_up_rules
from radrelay.errors import Invalid, NotFound
from tests.app.house import settings_in


def test_a_rule_is_made_by_names_listed_and_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_in(tmp_path)
    core, prepared = open_command(settings)
    with core.database.write() as session:
        access.create_group(session, prepared.organisation_id, "Ward 3", now=core.clock.now())
    core.close()
    asked = Asked("knees", "ward 3", "dicom", Conditions(body_part="KNEE"), True, False, 30, True)
    assert add_command(settings, asked, dry_run=True) == 0
    assert capsys.readouterr().out == "0 of the 0 studies that arrived last fit\n"
    assert add_command(settings, asked, dry_run=False) == 0
    made = capsys.readouterr().out.strip()
    list_command(settings)
    assert capsys.readouterr().out == f"{made}  knees  to Ward 3  0 releases  being applied\n"
    core, _ = open_command(settings)
    catch_up_rules(core, threading.Event())
    core.close()
    list_command(settings)
    assert capsys.readouterr().out == f"{made}  knees  to Ward 3  0 releases\n"
    for wrong, error in (
        (Asked("x", "Ward 4", "", Conditions(body_part="KNEE"), False, False, None, False), NotFound),
        (Asked("x", "Ward 3", "nowhere", Conditions(), False, False, None, False), NotFound),
        (Asked("x", "Ward 3", "", Conditions(), False, False, None, False), Invalid),
    ):
        with pytest.raises(error):
            add_command(settings, wrong, dry_run=False)
    assert delete_command(settings, made, None) == 0
    list_command(settings)
    assert capsys.readouterr().out == "0 releases ended\n"
