"""`radrelay request`, `incident` and `consent`: the officer's registers at the command line, each step on record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from radrelay import access, audit, cli
from radrelay.access import Principal, Target, WantedLink
from radrelay.access.link_keys import LinkKeys
from radrelay.access.models import ShareLink
from radrelay.app import consent_commands, incident_commands, request_commands
from radrelay.app.consent_commands import Agreed
from radrelay.app.incident_commands import Noticed
from radrelay.app.request_commands import AskedFor
from radrelay.app.sweeping import forget_accesses
from radrelay.archive.models import Study
from radrelay.archive.naming import study_named
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from radrelay.errors import Invalid, NotFound
from radrelay.identity import sessions
from radrelay.identity.models import Session as Login
from radrelay.identity.values import LoginTry
from radrelay.privacy import incidents
from radrelay.privacy.exposure import exposure
from radrelay.privacy.incidents import IncidentDraft
from radrelay.privacy.models import PrivacyIncident, PrivacyRequest
from radrelay.privacy.requests import RequestInvalid
from radrelay.privacy.suspects import Suspect
from radrelay.settings import Settings
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("registers"))


@pytest.fixture(scope="module")
def there(settings: Settings) -> Iterator[House]:
    with house(settings) as made:
        core = made.core
        audit.install(core.database, "web", core.clock, core.keyring.metadata_key, study_named)
        made.land(ct_file("1.2.3.4.1"))
        yield made


def actions(there: House, family: str) -> list[str]:
    with there.core.database.read() as session:
        rows = sa.select(AuditEvent.action).where(AuditEvent.action.like(f"{family}.%")).order_by(AuditEvent.at)
        return list(session.scalars(rows))


def test_a_request_is_entered_listed_and_shown_with_what_is_held(
    there: House, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert request_commands.list_command(settings) == 0
    came = datetime.now(UTC) - timedelta(days=31)
    asked = AskedFor("access", "1CT1", "", "", "Cora\x1b[2J [her son]", "", "by post", f"{came:%Y-%m-%d}")
    assert request_commands.add_command(settings, asked) == 0
    made = capsys.readouterr().out.splitlines()[-1]
    assert made.endswith(f"due {came + timedelta(days=30):%Y-%m-%d}")
    assert request_commands.list_command(settings) == 1, "it is late"
    told = capsys.readouterr().out
    assert "Cora?[2J [her son]" in told, "nothing in it steers the terminal"
    assert "late" in told
    assert request_commands.show_command(settings, made.split()[0]) == 0
    told = capsys.readouterr().out
    for words in ("nobody has noted yet how the requester proved", "held: studies 1, of people 1", "note: by post"):
        assert words in told
    with there.core.database.read() as session:
        assert session.scalars(sa.select(Study.study_uid)).one() in told
        assert session.scalars(sa.select(PrivacyRequest.created_by)).one().endswith("command")
    assert actions(there, "request") == ["request.list", "request.enter", "request.list", "request.find"]
    for wrong, error in ((replace(asked, requester=" "), RequestInvalid), (replace(asked, received="soon"), Invalid),
                         (replace(asked, patient="", account="nobody"), NotFound)):  # fmt: skip
        with pytest.raises(error):
            request_commands.add_command(settings, wrong)
    with pytest.raises(NotFound):
        request_commands.show_command(settings, "nonsense")


def test_an_incident_of_a_token_is_entered_by_its_name_and_its_report_names_the_patients(
    there: House, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared, now = there.prepared, there.core.clock.now()
    with there.core.database.write() as session:
        token = prepared.identity.create_token(session, prepared.organisation_id, name="archive sync").token
        who = Principal("token", str(token.id), token.name, prepared.organisation_id)
        study = session.scalars(sa.select(Study.id)).one()
        for action in ("study.download", "study.forward"):
            event = audit.AuditRecord(action, who, "study", study, patient=("", "1CT1", "Doe^Jane"))
            audit.record(session, event)
    began = (now - timedelta(hours=1)).isoformat()
    soon = (now + timedelta(minutes=1)).isoformat()
    noticed = Noticed("a key in a public repository", "token", "archive sync", began, soon, "", "")
    assert incident_commands.list_command(settings) == 0
    assert incident_commands.add_command(settings, noticed) == 0
    made = capsys.readouterr().out.splitlines()[-1].split()[0]
    assert incident_commands.report_command(settings, made, "touched", "csv") == 0
    report = capsys.readouterr()
    (line,) = csv.DictReader(io.StringIO(report.out.removeprefix("\ufeff")))
    assert (line["patient_id"], line["left"], line["actions"]) == ("1CT1", "2", "study.download 1, study.forward 1")
    assert "token archive sync" in report.err
    assert "patients touched 1" in report.err
    with there.core.database.write() as session:
        session.execute(sa.update(PrivacyIncident).values(noticed_at=now - timedelta(hours=73)))
    assert incident_commands.list_command(settings) == 1, "the authority was not told in time"
    told = capsys.readouterr().out
    for words in ("late, ", "running, ", "archive"):
        assert words in told
    assert actions(there, "incident") == ["incident.list", "incident.open", "incident.report", "incident.list"]
    for unknown in (replace(noticed, subject="unknown"), replace(noticed, kind="link"),
                    replace(noticed, kind="account", subject="nobody")):  # fmt: skip
        with pytest.raises(NotFound):
            incident_commands.add_command(settings, unknown)
    with pytest.raises(Invalid):
        incident_commands.add_command(settings, replace(noticed, began=""))


def test_a_consent_is_entered_and_withdrawn_only_when_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.land(ct_file("1.2.3.4.1"))
        agreed = Agreed("1CT1", "", "DICOM", "Cora Compressed", "patient", "written", "transfer 3", "", "")
        with pytest.raises(NotFound):
            consent_commands.add_command(settings, replace(agreed, source="Upload"))
        assert consent_commands.add_command(settings, agreed) == 0
        made = capsys.readouterr().out.splitlines()[-1].split()[0]
        assert consent_commands.withdraw_command(settings, made, "by telephone, herself", sure=False) == 1
        assert len(there.studies()) == 1
        capsys.readouterr()
        assert consent_commands.list_command(settings) == 0
        assert "stands" in capsys.readouterr().out
        assert consent_commands.withdraw_command(settings, made, "by telephone, herself", sure=True) == 0
        assert "studies erased 1, held 0" in capsys.readouterr().out
        assert there.studies() == []
        consent_commands.list_command(settings)
        assert "withdrawn" in capsys.readouterr().out
        assert actions(there, "consent") == ["consent.enter", "consent.list", "consent.withdraw", "consent.list"]


def test_the_commands_say_what_they_take_and_for_which_organisation() -> None:
    runner = CliRunner()
    for command, option in ((["request", "add"], "--requester"), (["incident", "add"], "--subject"),
                            (["incident", "report"], "--part"), (["consent", "withdraw"], "--yes")):  # fmt: skip
        told = runner.invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"}).output
        assert option in told, command
        assert "--organisation" in told, command
    both = ["request", "add", "access", "--requester", "Cora", "--patient", "1", "--account", "cora"]
    assert runner.invoke(cli.app, both).exit_code == 2


def test_the_login_and_the_link_of_an_incident_are_still_there_when_its_patients_are_to_be_told(
    tmp_path: Path,
) -> None:
    settings, clock = settings_in(tmp_path), FixedClock(datetime.now(UTC))
    with house(settings, clock=clock) as there:
        there.land(ct_file("1.2.3.4.1"))
        identity, organisation_id, now = there.prepared.identity, there.prepared.organisation_id, clock.now()
        with there.core.database.write() as session:
            anna = identity.create_account(
                session, organisation_id, username="anna", full_name="", role="user", encoded="x"
            )  # fmt: skip
            tried = LoginTry("anna", "203.0.113.9", "a browser")
            logins = [sessions.start(session, anna, tried, settings.web, now).id for _ in range(2)]
            target = Target("study", session.scalars(sa.select(Study.id)).one())
            maker = Principal("account", str(anna.id), "anna", organisation_id)
            wanted = WantedLink((target,), now + timedelta(days=1))
            links = [access.make_link(session, LinkKeys(bytes(32)), maker, wanted, now).link.id for _ in range(2)]
            for suspect in (Suspect("session", str(logins[0])), Suspect("link", str(links[0]))):
                draft = IncidentDraft("lost", "", suspect, now - timedelta(days=1), now, now)
                incidents.open_incident(session, organisation_id, draft, by="dora", now=now)
        clock.advance(timedelta(days=400))
        forget_accesses(there.core)
        with there.core.database.read() as session:
            assert session.scalars(sa.select(Login.id)).all() == [logins[0]], "of what no incident names nothing stays"
            assert session.scalars(sa.select(ShareLink.id)).all() == [links[0]]
            found = incidents.incidents(session, organisation_id)
        for one in found:
            told = exposure(there.core.database, organisation_id, one, clock.now())
            assert told.suspect.name == "anna", one.suspect.kind
