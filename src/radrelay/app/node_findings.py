"""What `radrelay doctor` says of the nodes: their leases, and what each alone holds until it is packed."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from radrelay.app.findings import Finding
from radrelay.clock import SystemClock
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.node import node_id, node_of
from radrelay.storage.nodes import NodeView, nodes

ONLY_THERE = (
    "start it, or its disk on another machine: only it has these objects. If the disk is lost for good: "
    "`radrelay nodes forget`"
)


def node_findings(database: Database, settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each data directory that serves, or has served, this database."""
    held, waiting = _held(database), _erasures(database)
    own = node_id(settings.data_dir)
    for view in nodes(database, SystemClock()):
        count, size = held.pop(view.node, (0, 0))
        text = f"{lease_text(view)}; holds {count} objects ({size / 1e6:.1f} MB) that are not packed yet"
        if erasures := waiting.get(view.node, 0):
            text += f", {erasures} to be erased"
        subject = f"node {view.name}" + (" (this one)" if view.node == own else "")
        yield _judged(view, subject, text, needed=bool(count), shared=database.dialect == "postgresql")
    if own in held:
        text = f"holds {held.pop(own)[0]} objects that are not packed yet, and has not served yet"
        yield Finding(f"node {own} (this one)", "look", text, "fine after a restore, before the first start")
    for node, (count, _) in sorted(held.items()):
        text = f"holds {count} objects that are not packed yet, and is not known any more"
        yield Finding(f"node {node}", "bad", text, "start Radrelay on the disk that has this node-id")


def _judged(view: NodeView, subject: str, text: str, *, needed: bool, shared: bool) -> Finding:
    if not view.alive and needed:
        return Finding(subject, "bad", text, ONLY_THERE)
    if not view.alive:
        return Finding(subject, "look", text, "fine if it is meant to be off")
    if shared and not view.address:
        return Finding(subject, "look", text, "its internal endpoint is not up; see node.host and node.port in its log")
    return Finding(subject, "good", text)


def lease_text(view: NodeView) -> str:
    """Return in words whether a node serves, where, and since when nothing was heard of it."""
    where = f" at {view.address}" if view.address else ""
    state = "serves" if view.alive else "is away"
    return f"{state}{where}, lease {view.epoch}, last sign of life {view.beat_at:%Y-%m-%d %H:%M:%S} UTC"


def _held(database: Database) -> dict[str, tuple[int, int]]:
    """Return how many objects and bytes lie in the landing of each node."""
    counted = (LandingRecord.owner, sa.func.count(), sa.func.sum(LandingRecord.length))
    found: dict[str, tuple[int, int]] = {}
    with database.read() as session:
        for owner, count, size in session.execute(sa.select(*counted).group_by(LandingRecord.owner)):
            before = found.get(node_of(owner), (0, 0))
            found[node_of(owner)] = before[0] + count, before[1] + int(size or 0)
    return found


def _erasures(database: Database) -> dict[str, int]:
    """Return how many deleted objects each node has still to erase."""
    counted = (
        sa.select(LandingRecord.owner, sa.func.count())
        .join(Erasure, Erasure.id == LandingRecord.id)
        .where(Erasure.done_at.is_(None))
        .group_by(LandingRecord.owner)
    )
    found: dict[str, int] = {}
    with database.read() as session:
        for owner, count in session.execute(counted):
            found[node_of(owner)] = found.get(node_of(owner), 0) + count
    return found
