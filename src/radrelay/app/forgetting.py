"""`radrelay nodes` and `radrelay nodes forget NAME`: the machines, and giving one up whose disk is lost for good.

What a machine had received and nobody has packed is lost with its disk. Forgetting it says what that is, takes it out
of the index so that it can be sent again, and keeps the data directory from ever serving again: what was deleted
meanwhile would come back with it. Each step may be repeated after a crash.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa
from rich.console import Console
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import Principal
from radrelay.app.core import Core
from radrelay.app.node_findings import lease_text
from radrelay.archive import lost as archive_lost
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Attachment, Holding, Instance, Source, Study
from radrelay.archive.of_study import of_studies
from radrelay.errors import Conflict, NotFound
from radrelay.intake import lost as intake_lost
from radrelay.intake.models import OpenArchive, Quarantined
from radrelay.storage import nodes
from radrelay.storage.models import Erasure, LandingCursor, LandingRecord
from radrelay.storage.nodes import NodeView

BATCH = 500


class NodeUnknown(NotFound):
    """There is no machine by this name."""

    code = "node-unknown"


class NodeAmbiguous(Conflict):
    """Several machines have this name; give the node's id."""

    code = "node-ambiguous"


@dataclass(frozen=True, slots=True)
class LostStudy:
    """A study that a machine alone holds images of: how many of how many, and the sources that they came from."""

    study_uid: str
    study_date: date | None
    lost: int
    total: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Loss:
    """What is lost with a machine, as far as the index knows."""

    studies: tuple[LostStudy, ...] = ()
    archives: tuple[str, ...] = ()
    quarantined: int = 0
    attachments: int = 0

    def __bool__(self) -> bool:
        return bool(self.studies or self.archives or self.quarantined or self.attachments)


def find_node(core: Core, name: str) -> NodeView:
    """Return the machine by its name or its node's id; raises `NodeUnknown`, `NodeAmbiguous`."""
    known = nodes.nodes(core.database, core.clock)
    found = [view for view in known if name in (view.name, view.node)]
    if not found:
        raise NodeUnknown(f"there is no machine {name!r}; there are {', '.join(repr(view.name) for view in known)}")
    if len(found) > 1:
        ids = ", ".join(f"{view.node} ({lease_text(view)})" for view in found)
        raise NodeAmbiguous(f"several machines are named {name!r}; give the id of one: {ids}")
    return found[0]


def loss_of(core: Core, node: str) -> Loss:
    """Return what would be lost with a node's disk."""
    going = sa.exists().where(Erasure.id == LandingRecord.id)
    held = sa.select(LandingRecord.id).where(_on(node), ~going)
    with core.database.read() as session:
        return Loss(
            tuple(_lost_studies(session, held)),
            tuple(session.scalars(sa.select(OpenArchive.file_name).where(OpenArchive.id.in_(held)))),
            session.scalar(sa.select(sa.func.count()).where(Quarantined.record_id.in_(held))) or 0,
            session.scalar(sa.select(sa.func.count()).where(Attachment.record_id.in_(held))) or 0,
        )


def forget(core: Core, view: NodeView, principal: Principal) -> int:
    """Give a node up with all that it alone holds; returns how many landing records that were. Raises `NodeServes`."""
    with core.database.write() as session:
        nodes.fence(session, core.clock, view.node)
    done = 0
    while count := _forget_some(core, view, principal):
        done += count
    with core.database.write() as session:
        session.execute(
            sa.delete(LandingCursor).where(LandingCursor.owner.startswith(f"{view.node}/")),
            execution_options={"synchronize_session": False},
        )
        nodes.remove(session, view.node)
        detail = {"name": view.name, "records": done}
        audit.record(session, audit.AuditRecord("node.forget", principal, "node", view.node, detail=detail))
    return done


def show_nodes(core: Core, console: Console) -> None:
    """Print the machines, their leases, and what each alone holds."""
    for view in nodes.nodes(core.database, core.clock):
        own = " (this one)" if view.node == core.node else ""
        console.print(f"{view.name}{own}  {view.node}  {lease_text(view)}")
        for line in loss_lines(loss_of(core, view.node)):
            console.print(f"    holds alone: {line}")


def loss_lines(loss: Loss) -> Iterator[str]:
    """Yield what is lost in words, a line each; no patient is named."""
    for study in loss.studies:
        day = f" of {study.study_date:%Y-%m-%d}" if study.study_date else ""
        yield f"{study.lost} of {study.total} images of study {study.study_uid}{day} from {', '.join(study.sources)}"
    for name in loss.archives:
        yield f"the archive {name!r}, which is not unpacked yet"
    if loss.quarantined:
        yield f"{loss.quarantined} objects in the quarantine"
    if loss.attachments:
        yield f"{loss.attachments} attachments"


def _lost_studies(session: Session, held: sa.Select[uuid.UUID]) -> Iterator[LostStudy]:
    counted = (
        sa.select(Study.id, Study.study_uid, Study.study_date, sa.func.count().label("lost"))
        .join(Instance, Instance.study_id == Study.id)
        .where(Instance.record_id.in_(held))
        .group_by(Study.id, Study.study_uid, Study.study_date)
        .order_by(Study.study_date, Study.study_uid)
    )
    for row in session.execute(counted).all():
        total = session.scalar(sa.select(sa.func.count()).where(of_studies([row.id]))) or 0
        names = session.scalars(
            sa.select(Source.name)
            .join(Holding, Holding.source_id == Source.id)
            .join(Instance, Instance.holding_id == Holding.id)
            .where(of_studies([row.id]), Instance.record_id.in_(held))
            .distinct()
        )
        yield LostStudy(row.study_uid, row.study_date, row.lost, total, tuple(sorted(names)))


def _forget_some(core: Core, view: NodeView, principal: Principal) -> int:
    """Take some of what a node alone held out of the index, in one transaction; returns how many records."""
    now = core.clock.now()
    until = now + core.settings.keys.keep_replaced
    with core.database.read() as session:
        ids = list(session.scalars(sa.select(LandingRecord.id).where(_on(view.node)).limit(BATCH)))
    copied = core.keys.known(ids)
    with core.database.write() as session:
        lock_archive(session)
        owners = _owners(session, ids)
        for study_id, count in archive_lost.lose(session, ids, copied, until, now).items():
            detail = {"instances": count, "machine": view.name}
            whose = replace(principal, organisation_id=owners[study_id])
            audit.record(session, audit.AuditRecord("study.lost", whose, "study", study_id, detail=detail))
        intake_lost.lose(session, ids, copied, until, view.name, now)
        # What was to be erased there needs no erasing any more: any node's eraser notes it, and destroys its copies.
        session.execute(
            sa.delete(LandingRecord).where(LandingRecord.id.in_(ids)), execution_options={"synchronize_session": False}
        )
    return len(ids)


def _owners(session: Session, record_ids: list[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return whose the studies are that records belong to: each organisation's record tells of its own."""
    found = sa.select(Instance.study_id, Instance.organisation_id).where(Instance.record_id.in_(record_ids)).distinct()
    return {study_id: owner for study_id, owner in session.execute(found)}  # noqa: C416 -- rows are no tuples to mypy


def _on(node: str) -> sa.ColumnElement[bool]:
    return LandingRecord.owner.startswith(f"{node}/")
