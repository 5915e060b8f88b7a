"""`radrelay audit` on either database: proves the record, finds tampering, tells who saw what and where it went."""

from __future__ import annotations

import csv
import io
import json
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.app.audit_commands import (
    Sought,
    disclosures_command,
    export_command,
    search_command,
    seen_command,
    verify_command,
)
from radrelay.app.backup import write_backup
from radrelay.app.commands import command_principal, open_command
from radrelay.app.record_keeping import record_findings
from radrelay.app.restore import restore
from radrelay.audit.models import AuditEvent
from radrelay.clock import SystemClock
from radrelay.errors import Invalid
from radrelay.settings import Settings
from radrelay.storage import append_only
from tests.app.house import settings_in
from tests.backends import BACKENDS

STUDY = uuid.UUID(int=11)


@pytest.fixture(params=["embedded", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    made = settings_in(tmp_path) if request.param == "embedded" else request.getfixturevalue("on_postgres")
    assert isinstance(made, Settings)
    core, prepared = open_command(made)
    who = command_principal(prepared)
    patient = ("clinic", "4711", "Meier^Anna")
    with core.database.write() as session:
        for action in ("study.view", "study.download"):
            audit.record(session, audit.AuditRecord(action, who, "study", STUDY, patient=patient))
    core.close()
    return made


def tamper(settings: Settings) -> None:
    core, _ = open_command(settings)
    with core.database.write() as session:
        append_only.lift(session.connection())
        changed = sa.update(AuditEvent).where(AuditEvent.action == "study.download").values(action="study.view")
        session.execute(changed)
        append_only.hold(session.connection())
    core.close()


def test_verify_says_what_was_changed_and_where(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_command(settings) == 0
    assert capsys.readouterr().out.startswith("whole: ")
    tamper(settings)
    assert verify_command(settings) == 1
    told = capsys.readouterr().out
    assert ".p at 2: was changed after it was written" in told
    assert "BROKEN in 1 place;" in told
    core, _ = open_command(settings)
    (found,) = record_findings(settings, core.database, SystemClock().now())
    core.close()
    assert (found.state, "was changed" in found.text) == ("bad", True)


def test_searches_and_reports_are_written_and_on_record(
    settings: Settings, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert export_command(settings, Sought(patient="4711"), "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode("utf-8-sig"))))
    assert [row["action"] for row in rows] == ["audit.export", "study.download", "study.view"]
    assert {row["patient_name"] for row in rows} == {"Meier^Anna"}
    assert disclosures_command(settings, "4711", None, "jsonl") == 0
    (went,) = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert (went["kind"], went["patient_id"]) == ("download", "4711")
    assert seen_command(settings, str(STUDY), "jsonl") == 0
    seen = [json.loads(line)["action"] for line in capfdbinary.readouterr().out.splitlines()]
    assert seen == ["study.download", "study.view"]
    assert search_command(settings, Sought(patient="4711")) == 0
    capfdbinary.readouterr()
    assert search_command(settings, Sought(action="audit.view", patient="4711", limit=1)) == 0
    assert "4711 Meier^Anna" in capfdbinary.readouterr().out.decode(), "after whom somebody looked is on record"
    assert search_command(settings, Sought(action="audit.disclosures")) == 0
    assert "4711 Meier^Anna" in capfdbinary.readouterr().out.decode()


def test_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="--since"):
        search_command(settings_in(tmp_path), Sought(since="yesterday"))


def test_the_record_comes_back_with_a_backup_whole_and_held_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = settings_in(tmp_path)
    core, prepared = open_command(made)
    with core.database.write() as session:
        audit.record(session, audit.AuditRecord("login", command_principal(prepared)))
    write_backup(core, tmp_path / "backup")
    core.close()
    assert verify_command(made) == 0, "which notes heads that the backup does not know"
    BACKENDS.lose(made.data_dir)
    assert restore(made, tmp_path / "backup", check=False) == 0
    assert verify_command(made) == 0
    assert search_command(made, Sought()) == 0
    told = capsys.readouterr().out
    assert "installation.restore" in told
    assert "login" in told
    core, _ = open_command(made)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), core.database.write() as session:
        session.execute(sa.delete(AuditEvent))
    core.close()
