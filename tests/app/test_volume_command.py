"""`radrelay unusual`: an operator sees who fetched far more than usual, and lets in again whom that shut out."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.access import Principal
from radrelay.app.commands import open_command
from radrelay.app.volume_commands import list_alarms, settle_alarm
from radrelay.audit.models import AuditEvent
from radrelay.identity.models import Account
from radrelay.identity.posting import open_post
from radrelay.privacy.models import VolumeAlarm
from radrelay.privacy.volume.alarms import AlarmSettled, AlarmUnknown
from radrelay.privacy.volume.watching import VolumeWatch
from radrelay.settings import VolumeLimits, VolumeSettings
from tests.app.house import settings_in


def test_an_operator_lists_the_alarms_and_lets_in_again_whom_one_shut_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    assert list_alarms(settings) == 0, "nobody fetched unusually much"
    core, prepared = open_command(settings)
    with core.database.write() as session:
        anna = prepared.identity.create_account(
            session, prepared.organisation_id, username="anna [night]", full_name="", role="user", encoded="x"
        ).id  # fmt: skip
        who = Principal("account", str(anna), "anna [night]", prepared.organisation_id)
        events = [
            audit.AuditRecord("study.view", who, "study", uuid.uuid4(), patient=("", f"P{n}", "Doe^Jane"))
            for n in range(3)
        ]
        audit.record_many(session, events)
    limits = VolumeLimits(studies=2, patients=2, fetches=5, gigabytes=1, suspend=True)
    watched = VolumeSettings(account=limits)
    post = open_post(settings, core.clock, core.keyring.metadata_key)
    assert VolumeWatch(core.database, core.clock, watched, prepared.identity, post).look() == 1
    with core.database.read() as session:
        alarm = session.scalars(sa.select(VolumeAlarm.id)).one()
        assert session.get_one(Account, anna).disabled_at is not None
    capsys.readouterr()

    assert list_alarms(settings) == 1, "somebody has to look into it"
    told = capsys.readouterr().out
    for words in (str(alarm), "account anna [night]", "3", "suspended, open"):
        assert words in told
    assert "Doe" not in told, "no patient is named"
    assert settle_alarm(settings, str(alarm), "a night of many admissions", let_in=True) == 0
    assert "anna [night]: looked into" in capsys.readouterr().out
    with core.database.read() as session:
        assert session.get_one(Account, anna).disabled_at is None
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action.like("access.%"))).all()
        assert {"access.unusual", "access.suspend", "access.unusual-settled", "access.let-in"} <= set(actions)
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == "volume.list")) == 2
    assert list_alarms(settings) == 0
    assert "looked into" in capsys.readouterr().out
    with pytest.raises(AlarmSettled):
        settle_alarm(settings, str(alarm), "again", let_in=False)
    for unknown in ("nonsense", str(uuid.uuid4())):
        with pytest.raises(AlarmUnknown):
            settle_alarm(settings, unknown, "", let_in=False)
    core.close()
