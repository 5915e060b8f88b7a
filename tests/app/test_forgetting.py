"""A machine whose disk is lost for good: what it alone held is told, taken out of the index, and can come again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.access import Principal
from radrelay.app.backup import write_backup
from radrelay.app.backup_folder import read_manifest
from radrelay.app.core import Core
from radrelay.app.forgetting import Loss, NodeUnknown, find_node, forget, loss_lines, loss_of
from radrelay.app.key_keeping import adopt_keys
from radrelay.app.prepare import claim
from radrelay.app.query import ArchiveQuery
from radrelay.app.restore import check_backup
from radrelay.archive import deletion
from radrelay.archive.models import Attachment, Instance
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock, SystemClock
from radrelay.intake.models import OpenArchive, Quarantined
from radrelay.network.ports import Peer, Reference
from radrelay.settings import Settings
from radrelay.storage import nodes
from radrelay.storage.models import Erasure, LandingCursor, LandingRecord, NodeLease
from radrelay.storage.nodes import NodeForgotten, NodeServes
from tests.app.house import House, house
from tests.intake.samples import ct_file, zipped
from tests.system.installation import until

PDF = b"%PDF-1.7\n" + b"letter " * 2000
TABLES = (LandingRecord, LandingCursor, Quarantined, OpenArchive, Attachment)


def second(settings: Settings, folder: Path) -> Settings:
    """Return the settings of another machine of the installation."""
    keys = settings.keys.model_copy(update={"mirror": None})
    return settings.model_copy(update={"data_dir": folder / "data", "keys": keys})


def give_up(core: Core, node: str) -> None:
    """Let a node's lease end, as when its machine lost power long ago."""
    with core.database.write() as session:
        session.execute(sa.update(NodeLease).where(NodeLease.node == node).values(beat_at=AGO))


AGO = SystemClock().now() - timedelta(days=1)


def principal(there: House) -> Principal:
    return Principal("system", "test", "test", there.prepared.organisation_id, role="system")


def count(there: House, table: type) -> int:
    with there.core.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_all_that_a_lost_machine_alone_held_goes_and_nothing_else(on_postgres: Settings, tmp_path: Path) -> None:
    away = second(on_postgres, tmp_path / "away")
    with house(on_postgres) as there, house(away) as lost:
        there.land(ct_file("1.2.3.4.1"))
        lost.land(ct_file("1.2.3.4.2"), ct_file("1.2.3.4.3"))
        lost.land(PDF, kind="upload")
        lost.land(zipped(("a.dcm", ct_file("1.2.3.4.4"))), kind="upload")
        with lost.core.database.write() as session:  # deleted, and not erased yet when the disk went
            (gone,) = session.scalars(sa.select(Instance.id).where(Instance.sop_uid == "1.2.3.4.3"))
            deletion.delete_instance(session, gone, there.core.clock.now())
        node = lost.core.node
        view = find_node(there.core, node)
        with pytest.raises(NodeServes, match="stop it first"):
            forget(there.core, view, principal(there))
        give_up(there.core, node)
        told = list(loss_lines(loss_of(there.core, node)))
        assert [line.split(" of study")[0] for line in told] == [
            "1 of 2 images", "the archive 'file', which is not unpacked yet", "1 attachments",
        ]  # fmt: skip
        assert loss_of(there.core, there.core.node).studies[0].lost == 1
        forget(there.core, view, principal(there))
        assert loss_of(there.core, node) == Loss()
        assert set(there.contents()) == {"1.2.3.4.1"}
        assert [count(there, table) for table in TABLES] == [1, 1, 0, 0, 0]
        there.retention.expire()
        with there.core.database.read() as session:
            assert session.scalar(sa.select(sa.func.count()).where(Erasure.done_at.is_(None))) == 0
            told_to_audit = set(session.scalars(sa.select(AuditEvent.action)))
        assert {"study.lost", "node.forget"} <= told_to_audit
        with pytest.raises(NodeUnknown):
            find_node(there.core, node)
        with pytest.raises(NodeForgotten):
            claim(lost.core)
        there.land(ct_file("1.2.3.4.2"))
        assert set(there.contents()) == {"1.2.3.4.1", "1.2.3.4.2"}


def test_a_machine_is_forgotten_to_the_end_by_a_second_try_after_a_crash(
    on_postgres: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(on_postgres) as there, house(second(on_postgres, tmp_path / "away")) as lost:
        lost.land(*(ct_file(f"1.2.3.4.{n}") for n in range(1, 5)))
        node = lost.core.node
        give_up(there.core, node)
        monkeypatch.setattr("radrelay.app.forgetting.BATCH", 3)
        with monkeypatch.context() as patch:
            patch.setattr(nodes, "remove", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                forget(there.core, find_node(there.core, node), principal(there))
        with pytest.raises(NodeForgotten):
            claim(lost.core)
        forget(there.core, find_node(there.core, node), principal(there))
        assert there.studies() == []
        assert [view.node for view in nodes.nodes(there.core.database, there.core.clock)] == [there.core.node]


def test_a_backups_copies_of_what_was_lost_stay_readable(on_postgres: Settings, tmp_path: Path) -> None:
    with house(on_postgres, clock=FixedClock(SystemClock().now())) as there:
        with house(second(on_postgres, tmp_path / "away")) as lost:
            lost.land(ct_file("1.2.3.4.1"))
            lost.land(zipped(("a.dcm", ct_file("1.2.3.4.2"))), kind="upload")
            write_backup(lost.core, tmp_path / "backup")
            give_up(there.core, lost.core.node)
            forget(there.core, find_node(there.core, lost.core.node), principal(there))
        there.retention.expire()
        adopt_keys(there.core)
        assert isinstance(there.core.clock, FixedClock)
        there.core.clock.advance(timedelta(days=20))
        there.retention.expire()
        found = check_backup(there.core, tmp_path / "backup", read_manifest(tmp_path / "backup"))
        assert (found.records, found.erased, found.damaged) == (2, 0, ())


def test_what_a_machine_that_is_away_alone_holds_is_not_committed_to_its_sender(
    on_postgres: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radrelay.app.query.INDEX_PATIENCE_S", 0.0)
    peer = Peer("127.0.0.1", 11112, "CT", "RADRELAY", None, "0" * 32)
    ct = "1.2.840.10008.5.1.4.1.1.2"
    asked = [Reference(ct, f"1.2.3.4.{n}") for n in (1, 2, 3)]
    with house(on_postgres) as there, house(second(on_postgres, tmp_path / "away")) as lost:
        there.land(ct_file("1.2.3.4.1"))
        lost.land(ct_file("1.2.3.4.2"))
        port = ArchiveQuery(there.core, there.prepared.organisation_id)
        nodes.tell_address(there.core.database, lost.prepared.lease, "127.0.0.1:9")
        assert port.committed(peer, asked) == {"1.2.3.4.1", "1.2.3.4.2"}
        give_up(there.core, lost.core.node)
        until(lambda: port.committed(peer, asked) == {"1.2.3.4.1"}, "the machine to be known to be away", 20)
