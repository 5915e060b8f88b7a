"""`radrelay user close`: it says what goes and what stays, and does it when the operator is sure."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app.closing_commands import close_command
from radrelay.app.commands import open_command
from radrelay.audit.models import AuditEvent
from radrelay.errors import NotFound
from radrelay.identity.errors import LastAdmin
from tests.app.house import settings_in


def test_an_operator_is_told_first_and_the_last_administrator_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    core, prepared = open_command(settings)
    with core.database.write() as session:
        for name, role in (("anna", "user"), ("chief", "admin")):
            prepared.identity.create_account(
                session, prepared.organisation_id, username=name, full_name="", role=role, encoded="x"
            )
    others = [one for one in ("admin",) if prepared.identity.account_named(one) is not None]
    for name in others:
        assert close_command(settings, name, sure=True) == 0
    assert close_command(settings, "anna", sure=False) == 1
    assert "Nothing was done" in capsys.readouterr().out
    assert prepared.identity.account_named("anna") is not None
    assert close_command(settings, "anna", sure=True) == 0
    assert prepared.identity.account_named("anna") is None
    with pytest.raises(NotFound):
        close_command(settings, "anna", sure=True)
    with pytest.raises(LastAdmin):
        close_command(settings, "chief", sure=True)
    with core.database.read() as session:
        found = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action == "account.close"))
        assert len(found.all()) == 1 + len(others)
    core.close()
