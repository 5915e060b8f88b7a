"""`radrelay organisation`: made by who runs the machine, with its people, doors and agreements, on its own record."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from radrelay import cli
from radrelay.app.commands import account_of, open_command, token_add_command
from radrelay.app.organisation_commands import (
    Asked,
    add_command,
    agreement_add_command,
    agreement_end_command,
    agreement_list_command,
    change_command,
    list_command,
)
from radrelay.audit.models import AuditEvent
from radrelay.errors import NotFound
from radrelay.identity import organisations
from radrelay.identity.models import ApiToken
from radrelay.identity.organisations import OrganisationExists, OrganisationInvalid, OrganisationUnknown, TitleTaken
from radrelay.intake.doors import FolderNotGiven
from radrelay.intake.sources import SourceBook, list_sources
from radrelay.privacy.agreements import Agreement, AgreementEnded, AgreementInvalid
from radrelay.settings import Settings
from tests.backends import settings_for


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("commands")
    made = settings_for(
        folder / "data", identity={"password_iterations": 100_000}, intake={"watch": [folder / "first"]},
        storage={"segment_bytes": 1 << 20, "min_free_bytes": 0, "ballast_bytes": 0},
    )  # fmt: skip
    add_command(made, "Praxis am See", Asked(None, "DE", ["SEE"], [], [str(folder / "see")]), "see-admin")
    return made


def test_an_organisation_has_its_own_sources_people_and_record(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list_command(settings) == 0
    shown = capsys.readouterr().out
    assert "Praxis am See" in shown
    acting = settings.model_copy(update={"organisation": "praxis AM see"})
    assert token_add_command(acting, "a machine", "user", None) == 0
    core, prepared = open_command(acting)
    with core.database.read() as session:
        own = organisations.named(session, "Praxis am See")
        assert (prepared.organisation_id, own.region, own.ae_titles) == (own.id, "DE", ("SEE",))
        kinds = sorted(one.kind for one in list_sources(session, own.id))
        assert kinds == ["dicom", "folder", "import", "portal", "stow", "upload"]
        assert session.scalars(sa.select(ApiToken.organisation_id)).all() == [own.id]
        events = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.organisation_id == own.id)).all()
        assert sorted(events) == ["account.create", "organisation.create", "token.create"]
    book = SourceBook(core.database, settings)
    assert book.resolve("dicom", "SEE").organisation_id == own.id
    assert book.resolve("dicom", settings.dicom.ae_title).organisation_id == prepared.first_id != own.id
    assert account_of(prepared, "see-admin").role == "admin"
    core.close()
    core, first = open_command(settings)
    with pytest.raises(NotFound, match="--organisation"):
        account_of(first, "see-admin")
    core.close()
    with pytest.raises(OrganisationUnknown, match="there are Radrelay, Praxis am See"):
        open_command(settings.model_copy(update={"organisation": "Praxis"}))


def test_what_cannot_be_is_refused_and_changes_nothing(settings: Settings) -> None:
    watched = settings.intake.watch[0]
    for name, asked, error in (
        ("PRAXIS  am See", Asked(None, "DE", [], [], []), OrganisationExists),
        ("Other", Asked(None, "Germany", [], [], []), OrganisationInvalid),
        ("Other", Asked(None, "ZZ", [], [], []), OrganisationInvalid),
        ("Other\x07", Asked(None, "DE", [], [], []), OrganisationInvalid),
        ("Other", Asked(None, "DE", ["SEE"], [], []), TitleTaken),
        ("Other", Asked(None, "DE", [settings.dicom.ae_title], [], []), TitleTaken),
        ("Other", Asked(None, "DE", ["A TITLE THAT IS TOO LONG"], [], []), OrganisationInvalid),
        ("Other", Asked(None, "DE", [], [], [str(watched)]), FolderNotGiven),
        ("Other", Asked(None, "DE", [], [], [str(watched / "inside")]), FolderNotGiven),
        ("Other", Asked(None, "DE", [], [], [str(watched / ".." / "first")]), FolderNotGiven),
        ("Other", Asked(None, "DE", [], [], ["first"]), OrganisationInvalid),
    ):
        with pytest.raises(error):
            add_command(settings, name, asked, "")
    core, _ = open_command(settings)
    with core.database.read() as session:
        assert [one.name for one in organisations.every(session)] == ["Radrelay", "Praxis am See"]
    core.close()


def test_titles_and_names_are_given_and_taken(settings: Settings) -> None:
    change_command(settings, "Praxis am See", Asked("Praxis am Berg", "AT", ["BERG"], ["SEE"], []))
    core, prepared = open_command(settings)
    with core.database.read() as session:
        changed = organisations.named(session, "Praxis am Berg")
    assert (changed.region, changed.ae_titles) == ("AT", ("BERG",))
    core.close()
    with pytest.raises(OrganisationUnknown):
        change_command(settings, "Praxis am Berg", Asked(None, None, [], ["SEE"], []))
    named = settings.model_copy(update={"web": settings.web.model_copy(update={"organisation_name": "Klinik"})})
    core, again = open_command(named)
    assert again.first_id == prepared.first_id
    core.close()
    with pytest.raises(OrganisationInvalid, match="the setting web"):
        change_command(named, "Klinik", Asked("Other", None, [], [], []))
    change_command(settings, "Praxis am Berg", Asked("Praxis am See", "DE", ["SEE"], ["BERG"], []))


def test_agreements_are_entered_and_ended_and_stay(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    acting = settings.model_copy(update={"organisation": "Praxis am See"})
    signed = Agreement("dpa", "Clinic", "hosting", date(2026, 1, 31), document="folder 7")
    assert agreement_add_command(acting, signed) == 0
    made = capsys.readouterr().out.strip()
    for wrong in (
        Agreement("dpa", " ", "hosting", date(2026, 1, 31)),
        Agreement("dpa", "Clinic", "hosting", date(2999, 1, 31)),
        Agreement("dpa", "Clinic", "hosting", date(2026, 1, 31), date(2026, 1, 30)),
    ):
        with pytest.raises(AgreementInvalid):
            agreement_add_command(acting, wrong)
    with pytest.raises(NotFound):
        agreement_end_command(settings, made, None, "of another organisation")
    with pytest.raises(AgreementInvalid):
        agreement_end_command(acting, made, date(2026, 1, 1), "before it was signed")
    assert agreement_end_command(acting, made, date(2026, 3, 1), "they have left") == 0
    with pytest.raises(AgreementEnded):
        agreement_end_command(acting, made, None, "again")
    capsys.readouterr()
    agreement_list_command(acting)
    told = capsys.readouterr().out
    assert "Clinic" in told
    assert "over" in told
    agreement_list_command(settings)
    assert "Clinic" not in capsys.readouterr().out


def test_the_command_line_takes_the_organisation_wherever_one_is_acted_for() -> None:
    runner = CliRunner()
    for command in (["user", "add"], ["token", "add"], ["import"], ["audit", "search"], ["access", "restrict"],
                    ["access", "release-rule", "add"], ["link", "list"], ["factor", "rules"], ["promises"],
                    ["organisation", "agreement", "list"]):  # fmt: skip
        assert "--organisation" in runner.invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"}).output, command
    for command in (["backup"], ["keys", "rotate"], ["directory", "sync"], ["organisation", "add"]):
        assert "--organisation" not in runner.invoke(cli.app, [*command, "--help"]).output, command


def test_a_command_that_acts_for_one_keeps_what_it_takes_besides() -> None:
    told = CliRunner().invoke(cli.app, ["link", "make", "--help"], env={"COLUMNS": "200"}).output
    assert "--user" in told
    assert "in whose name" in told
    assert "--no-pin" not in told
    assert CliRunner().invoke(cli.app, ["link", "make", "1.2.3"]).exit_code == 2, "in whose name it is, must be said"
