"""`radrelay group` and `radrelay grant`: groups are filled, and grants given and ended, without the pages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.access import Principal, Right, scope
from radrelay.access.errors import EndPast, LastSight
from radrelay.app.commands import open_command, tokens_command, users_command
from radrelay.app.grant_commands import (
    Asked,
    Named,
    end_command,
    give_command,
    grants_command,
    group_add_command,
    groups_command,
    join_command,
    leave_command,
    revoke_token_command,
)
from radrelay.audit.models import AuditEvent
from radrelay.errors import Invalid, NotFound
from radrelay.settings import Settings
from tests.app.house import settings_in

ANNA, WARD = Named("account", "anna"), Named("group", "ward 3")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with somebody who sees by no role, and a machine."""
    made = settings_in(tmp_path)
    core, prepared = open_command(made)
    with core.database.write() as session:
        prepared.identity.create_account(
            session, prepared.organisation_id, username="anna", full_name="Anna", role="service", encoded=None
        )
        prepared.identity.create_token(session, prepared.organisation_id, name="board", role="service")
    core.close()
    return made


def asked(to: Named, rights: str = "see", *, source: str = "", study: str = "", until: datetime | None = None) -> Asked:
    return Asked(to, source, study, rights, False, until)


def test_a_group_is_made_filled_and_granted_something_that_ends(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert group_add_command(settings, "Ward 3", "second floor") == 0
    group = capsys.readouterr().out.strip()
    for who in (ANNA, ANNA, Named("token", "board")):
        assert join_command(settings, "ward 3", who) == 0
    assert leave_command(settings, group, Named("token", "board")) == 0
    until = datetime.now() + timedelta(days=1)  # noqa: DTZ005 -- as it is typed
    assert give_command(settings, asked(WARD, "see, download", source="DICOM", until=until)) == 0
    given = capsys.readouterr().out.strip()
    assert give_command(settings, asked(WARD, "download,see", source="DICOM", until=until)) == 0
    assert capsys.readouterr() == (f"{given}\n", "this grant is there already\n")
    groups_command(settings)
    assert capsys.readouterr().out == f"{group}  Ward 3  members 1  grants 1\n"
    grants_command(settings, WARD)
    assert capsys.readouterr().out == (
        f"{given}  group Ward 3  source DICOM  download,see  until {until:%Y-%m-%d %H:%M}\n"
    )
    assert end_command(settings, given, sure=False) == 0
    grants_command(settings, WARD)
    assert capsys.readouterr().out == ""
    core, _ = open_command(settings)
    with core.database.read() as session:
        rows = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.sequence)).all()
    core.close()
    done = [row.action for row in rows if row.action.startswith(("group.", "grant."))]
    assert done == ["group.create", "group.join", "group.join", "group.leave", "grant.give", "grant.revoke"]
    told = json.loads(next(row.detail for row in rows if row.action == "grant.give"))
    assert (told["grantee"], told["rights"]) == (f"group {group}", ["download", "see"])


def test_what_cannot_be_granted_is_refused_and_the_last_sight_asks(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    yesterday = datetime.now() - timedelta(days=1)  # noqa: DTZ005 -- as it is typed
    for wrong, error in (
        (asked(Named("account", "nobody")), NotFound), (asked(Named("group", "Ward 9")), NotFound),
        (asked(Named("role", "chief")), NotFound), (asked(Named("token", "nothing")), NotFound),
        (asked(ANNA, source="nowhere"), NotFound), (asked(ANNA, study="1.2.3"), NotFound),
        (asked(ANNA, "look"), Invalid), (asked(ANNA, ""), Invalid),
        (asked(ANNA, source="DICOM", study="1.2.3"), Invalid), (asked(ANNA, until=yesterday), EndPast),
    ):  # fmt: skip
        with pytest.raises(error):
            give_command(settings, wrong)
    group_add_command(settings, "Ward 3", "")
    for nobody in ("*", "nobody"):
        with pytest.raises(NotFound):
            join_command(settings, "Ward 3", Named("account", nobody))
    capsys.readouterr()
    grants_command(settings, None)
    lines = capsys.readouterr().out.splitlines()
    ids = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    assert ids.keys() == {"role admin", "role user", "ae *"}
    assert end_command(settings, ids["role user"], sure=False) == 0
    with pytest.raises(LastSight):
        end_command(settings, ids["role admin"], sure=False)
    assert end_command(settings, ids["role admin"], sure=True) == 0
    assert end_command(settings, ids["ae *"], sure=False) == 0
    core, prepared = open_command(settings)
    with core.database.read() as session:
        admin = Principal("account", "a", "", prepared.organisation_id, "admin")
        for principal in (admin, Principal("ae", "ANY", "", prepared.organisation_id)):
            assert scope(session, principal, Right.SEE).nothing, "nor does the next command bring it back"
    core.close()


def test_people_and_machines_are_listed_and_a_machine_is_refused_from_now_on(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    users_command(settings)
    assert "anna  service  Anna\n" in capsys.readouterr().out
    tokens_command(settings)
    [line] = capsys.readouterr().out.splitlines()
    assert line.endswith("  board  service")
    assert revoke_token_command(settings, line.split("  ")[0]) == 0
    tokens_command(settings)
    assert capsys.readouterr().out == ""
    with pytest.raises(NotFound):
        revoke_token_command(settings, "board")
