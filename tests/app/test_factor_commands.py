"""`radrelay factor`: who needs a second factor, and taking a person's away, with what the record says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.app.commands import open_command
from radrelay.app.factor_commands import release_command, require_command, reset_command, rules_command
from radrelay.audit.models import AuditEvent
from radrelay.errors import Invalid, NotFound
from radrelay.identity.factors.errors import KindNotPossible
from tests.app.house import settings_in


def test_rules_are_made_shown_and_taken_back_and_a_reset_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    core, prepared = open_command(settings)
    with core.database.write() as session:
        access.create_group(session, prepared.organisation_id, "Teleradiology", now=core.clock.now())
        account = prepared.identity.create_account(
            session, prepared.organisation_id, username="anna", full_name="", role="user", encoded="x"
        )
    require_command(settings, "admin", "", ("totp", "passkey"))
    require_command(settings, "", "teleradiology", ("totp",))
    rules_command(settings)
    assert capsys.readouterr().out.splitlines() == ["role admin: passkey, totp", "group Teleradiology: totp"]
    with pytest.raises(KindNotPossible):  # there is neither mail nor an address that passkeys could belong to
        require_command(settings, "user", "", ("passkey", "email"))
    for role, group, kinds, error in (
        ("emperor", "", ("totp",), Invalid), ("user", "", ("horse",), Invalid), ("", "Nobody", ("totp",), NotFound),
    ):  # fmt: skip
        with pytest.raises(error):
            require_command(settings, role, group, kinds)
    release_command(settings, "", "Teleradiology")
    with pytest.raises(NotFound):
        release_command(settings, "", "Teleradiology")
    with pytest.raises(Invalid):
        reset_command(settings, "anna", " ")
    reset_command(settings, "anna", "phone lost")
    told = prepared.identity.factors.unread_reset(account.id)
    assert told is not None
    assert (told.by_name, told.reason) == ("Radrelay command", "phone lost")
    with core.database.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action.like("factor.%")))
        assert sorted(actions) == ["factor.release", "factor.require", "factor.require", "factor.reset"]
    core.close()
