"""`radrelay unusual`: an operator sees who fetched far more than usual, and lets in again whom that shut out."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.access import Principal
from radrelay.app import watching
from radrelay.app.commands import open_command
from radrelay.app.core import Core
from radrelay.app.prepare import Prepared
from radrelay.app.volume_commands import list_alarms, settle_alarm
from radrelay.audit.models import AuditEvent
from radrelay.identity.models import Account
from radrelay.identity.posting import open_post
from radrelay.privacy.models import VolumeAlarm
from radrelay.privacy.volume.alarms import AlarmSettled, AlarmUnknown
from radrelay.privacy.volume.watching import VolumeWatch
from radrelay.settings import VolumeLimits, VolumeSettings
from tests.app.house import settings_in
from tests.system.installation import until

FEW = VolumeLimits(studies=2, patients=2, fetches=5, gigabytes=1, suspend=True)


def fetching(core: Core, prepared: Prepared, name: str, studies: int) -> uuid.UUID:
    """Make a person who has looked at so many studies of as many patients; returns the account's id."""
    with core.database.write() as session:
        own = prepared.identity.create_account(
            session, prepared.organisation_id, username=name, full_name="", role="user", encoded="x"
        ).id  # fmt: skip
        who = Principal("account", str(own), name, prepared.organisation_id)
        events = [
            audit.AuditRecord("study.view", who, "study", uuid.uuid4(), patient=("", f"P{n}", "Doe^Jane"))
            for n in range(studies)
        ]
        audit.record_many(session, events)
    return own


def test_work_shuts_out_by_itself_who_fetches_too_much_where_that_is_set_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path).model_copy(update={"volume": VolumeSettings(account=FEW)})
    monkeypatch.setattr(watching, "LOOK_S", 0.02)
    core, prepared = open_command(settings)
    much, little = fetching(core, prepared, "much", 3), fetching(core, prepared, "little", 2)

    def out() -> set[uuid.UUID]:
        with core.database.read() as session:
            return set(session.scalars(sa.select(Account.id).where(Account.disabled_at.is_not(None))))

    before, stop = out(), threading.Event()
    threads = watching.keep_watching(core, prepared, "work/1", stop)
    for thread in threads:
        thread.start()
    try:
        until(lambda: much in out(), "the account to be shut", 30)
        assert out() - before == {much}
        assert little not in out()
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    core.close()


def test_an_operator_lists_the_alarms_and_lets_in_again_whom_one_shut_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    assert list_alarms(settings) == 0, "nobody fetched unusually much"
    core, prepared = open_command(settings)
    anna = fetching(core, prepared, "anna [night]", 3)
    watched = VolumeSettings(account=FEW)
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
