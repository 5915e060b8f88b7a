"""`radrelay promises` and what stands behind it: green only for what was seen, red when a promise is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.app.backup import backup
from radrelay.app.privacy_commands import promises_command
from radrelay.archive.holdings import hold
from radrelay.archive.naming import study_named
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from radrelay.privacy.promises import Report, report
from radrelay.storage.models import Pack
from tests.app.house import House, house, settings_in
from tests.backends import EMBEDDED, chosen
from tests.intake.samples import ct_file


def standing(found: Report) -> dict[str, str]:
    return {one.subject: f"{one.state} {one.code}" for one in found.kept}


def looked(there: House) -> Report:
    return report(there.core, there.prepared.organisation_id)


def prove(there: House) -> None:
    core = there.core
    audit.install(core.database, "work", core.clock, core.keyring.metadata_key, study_named)
    audit.prove(core.database, core.clock, core.keyring.metadata_key)


def test_every_promise_is_green_only_when_it_is_proven_and_red_when_it_is_broken(tmp_path: Path) -> None:
    settings, clock = settings_in(tmp_path), FixedClock(datetime.now(UTC))
    with house(settings, clock=clock) as there:
        assert standing(looked(there)) == {
            "expiry": "look expiry-never",
            "deletion": "good deletion-done",
            "backup": "look backup-none",
            "record": "look record-unproven",
            "keys": "good keys-fresh",
            "requests": "good requests-none",
            "restrictions": "good restrictions-none",
            "incidents": "good incidents-none",
            "volume": "good volume-none",
            "rows": "good rows-encrypted" if chosen() == EMBEDDED else "look rows-on-server",
            "packs": "look packs-none",
            "master": "good master-outside",
            "mirror": "good mirror-there",
        }
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
        prove(there)
        assert backup(settings, tmp_path / "backup") == 0
        found = looked(there)
        look = {one.subject for one in found.kept if one.state != "good"}
        assert look == (set() if chosen() == EMBEDDED else {"rows"}), standing(found)
        (source,) = [one for one in found.sources if one.holdings]
        assert (source.kind, source.retention_s, source.oldest_at) == ("dicom", 48 * 3600, clock.now())

        there.retention.expire()
        clock.advance(timedelta(hours=49))
        found = looked(there)
        (source,) = [one for one in found.sources if one.holdings]
        assert (source.state, source.overdue, source.overdue_since) == ("bad", 1, clock.now() - timedelta(hours=1))
        assert standing(found)["expiry"] == "bad expiry-late"
        assert standing(found)["backup"] == "bad backup-old"
        there.retention.expire()
        assert standing(looked(there))["expiry"] == "bad expiry-suspended"
        there.retention.confirm_clock()
        there.retention.expire()
        found = looked(there)
        assert [one.overdue for one in found.sources] == [0] * len(found.sources)
        assert standing(found)["expiry"] == "good expiry-runs"
        assert standing(found)["deletion"] == "good deletion-done"
        with there.core.database.read() as session:
            made = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action == "backup.make")).all()
        assert made == ["backup.make"]


def test_what_stays_longer_than_is_promised_now_and_what_is_held_are_told_apart(tmp_path: Path) -> None:
    clock = FixedClock(datetime.now(UTC))
    with house(settings_in(tmp_path), clock=clock) as there:
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
        with there.core.database.write() as session:
            session.execute(sa.text("UPDATE source SET retention_s = 3600 WHERE kind = 'dicom'"))
        clock.advance(timedelta(hours=2))
        there.retention.expire()
        (source,) = [one for one in looked(there).sources if one.holdings]
        assert (source.state, source.longer, source.held) == ("look", 1, 0)
        with there.core.database.write() as session:
            hold(session, there.studies()[0], None, "a dispute", clock.now())
        (source,) = [one for one in looked(there).sources if one.holdings]
        assert (source.state, source.longer, source.held) == ("good", 0, 1)


@pytest.mark.embedded(reason="a pack's file is damaged")
def test_a_damaged_pack_is_a_broken_promise(tmp_path: Path) -> None:
    with house(settings_in(tmp_path)) as there:
        there.land(ct_file("1.2.3.4.1"))
        there.compact()
        with there.core.database.read() as session:
            name = session.scalar(sa.select(Pack.name))
        path = there.core.settings.data_dir / "packs" / str(name)
        path.write_bytes(path.read_bytes()[:-20] + bytes(20))
        assert standing(looked(there))["packs"] == "bad packs-damaged"


def test_the_command_tells_all_and_ends_with_1_when_a_promise_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        there.retention.expire()
    assert promises_command(settings) == 0
    told = capsys.readouterr().out
    assert "DICOM" in told
    assert "2 days" in told
    assert ("encrypted (SQLCipher, AES-256)" if chosen() == EMBEDDED else "rows lie on the database server") in told
    with house(settings, clock=FixedClock(datetime.now(UTC) + timedelta(days=3))) as there:
        there.retention.expire()
    assert promises_command(settings) == 1, "the clock of the last run is ahead of this one's"
    assert "bad  expiry" in capsys.readouterr().out
