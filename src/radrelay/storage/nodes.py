"""The nodes of an installation and their leases.

A node's processes keep its row fresh while they live. Who starts on the same data directory from another machine
(the disk was moved, or copied) waits until the row is stale and then takes it over with the next epoch; whoever
still holds the older one finds out at its next beat, at its next batch of rows, and from others who ask it.
All times are the database's, so that machines' clocks do not matter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Conflict, Misconfigured, Unavailable
from radrelay.storage.database import Database, mapped_errors
from radrelay.storage.models import NodeLease, NodeState

LEASE = timedelta(seconds=20)
POLL_S = 1.0
TURN_S = 0.05
FORGOTTEN = "forgotten/"
LOCK = 0x5241_4E4F  # PostgreSQL's advisory lock: "RANO"
log = structlog.get_logger(__name__)


class NodeElsewhere(Misconfigured):
    """This data directory is served from another machine just now; only one may have it."""

    code = "node-elsewhere"


class NodeForgotten(Misconfigured):
    """This data directory was given up with `radrelay nodes forget`: start with a new, empty one."""

    code = "node-forgotten"


class NodeServes(Conflict):
    """A node that serves cannot be forgotten."""

    code = "node-serves"


class AnotherNode(Misconfigured):
    """Another data directory serves this database just now; several need PostgreSQL and S3 (docs/operations.md)."""

    code = "another-node"


class LeaseLost(Unavailable):
    """Another machine has taken this data directory over; this one stops."""

    code = "lease-lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write into a node's data directory and rows, while nobody has taken it over."""

    node: str
    epoch: int
    holder: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as others see it; `alive` while its lease lasts."""

    node: str
    name: str
    address: str
    epoch: int
    beat_at: datetime
    alive: bool


def claim(
    database: Database, clock: Clock, own: Lease, name: str, patience_s: float = LEASE.total_seconds() + 10
) -> Lease:
    """Take the lease of a node, or join it on the machine that has it; `own.epoch` is not looked at.

    Raises
    ------
    NodeElsewhere
        Another machine keeps it fresh all the while.
    NodeForgotten
        It was given up.
    AnotherNode
        The embedded database is served from another data directory.
    """
    deadline = time.monotonic() + patience_s
    while True:
        with database.write() as session:
            found = _try_claim(session, clock, own, name)
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise NodeElsewhere(
                f"the data directory of node {own.node} is served from another machine, or from a copy of it; "
                "stop that one first"
            )
        time.sleep(POLL_S)


def _try_claim(session: Session, clock: Clock, own: Lease, name: str) -> Lease | None:
    now = moment(session, clock)
    if not _shared(session):
        _refuse_others(session, own.node, now)
    row = session.scalar(sa.select(NodeLease).where(NodeLease.node == own.node).with_for_update())
    if session.get(NodeState, FORGOTTEN + own.node) is not None:
        raise NodeForgotten
    if row is None:
        row = NodeLease(node=own.node, epoch=1, holder=own.holder, name=name, address="", taken_at=now, beat_at=now)
        session.add(row)
        session.flush()
    elif row.holder != own.holder:
        if now - row.beat_at < LEASE:
            log.warning("another machine has this data directory; waiting for its lease to end", node=own.node)
            return None
        row.epoch, row.holder, row.taken_at, row.address = row.epoch + 1, own.holder, now, ""
        log.warning("data directory taken over from another machine", node=own.node, epoch=row.epoch)
    row.name, row.beat_at = name, now
    return Lease(own.node, row.epoch, own.holder)


def _refuse_others(session: Session, node: str, now: datetime) -> None:
    """Keep an embedded database to one data directory; one that is gone is followed by the next."""
    others = session.scalars(sa.select(NodeLease).where(NodeLease.node != node)).all()
    if any(now - other.beat_at < LEASE for other in others):
        raise AnotherNode
    for other in others:
        session.delete(other)


def beat(database: Database, clock: Clock, lease: Lease) -> bool:
    """Keep a lease fresh; false when it was taken over."""
    with database.write() as session:
        return _update(session, lease, beat_at=moment(session, clock))


def tell_address(database: Database, lease: Lease, address: str) -> None:
    """Say where others reach the node's internal endpoint; raises `LeaseLost`."""
    with database.write() as session:
        if not _update(session, lease, address=address):
            raise LeaseLost


def give_up(database: Database, clock: Clock, lease: Lease) -> None:
    """Let another machine take the node at once, as when a container is started anew."""
    with database.write() as session:
        _update(session, lease, beat_at=moment(session, clock) - LEASE, address="")


def _update(session: Session, lease: Lease, **values: object) -> bool:
    held = (NodeLease.node == lease.node, NodeLease.epoch == lease.epoch, NodeLease.holder == lease.holder)
    done = session.execute(sa.update(NodeLease).where(*held).values(values), execution_options=_UNTRACKED)
    return cast("sa.CursorResult[object]", done).rowcount == 1


_UNTRACKED = {"synchronize_session": False}


def guard(session: Session, lease: Lease) -> None:
    """Raise `LeaseLost` if the node was taken over; while the caller's transaction lasts it cannot be."""
    found = session.execute(
        sa.select(NodeLease.epoch, NodeLease.holder).where(NodeLease.node == lease.node).with_for_update(read=True)
    ).first()
    if found is None or (found.epoch, found.holder) != (lease.epoch, lease.holder):
        raise LeaseLost


def fence(session: Session, clock: Clock, node: str) -> None:
    """Keep a node that is away from ever serving again, in the caller's transaction; raises `NodeServes`."""
    row = session.scalar(sa.select(NodeLease).where(NodeLease.node == node).with_for_update())
    if row is not None and moment(session, clock) - row.beat_at < LEASE:
        raise NodeServes(f"the machine {row.name!r} serves; stop it first")
    session.merge(NodeState(name=FORGOTTEN + node, value=b""))
    if row is not None:
        row.epoch, row.holder, row.address = row.epoch + 1, "", ""


def remove(session: Session, node: str) -> None:
    """Take a fenced node's lease and its processes' signs of life away, in the caller's transaction."""
    session.execute(sa.delete(NodeLease).where(NodeLease.node == node), execution_options=_UNTRACKED)
    signs = sa.and_(NodeState.name.startswith("role/"), NodeState.name.endswith(f"/{node}"))
    session.execute(sa.delete(NodeState).where(signs), execution_options=_UNTRACKED)


def nodes(database: Database, clock: Clock) -> list[NodeView]:
    """Return every node that has ever served this installation."""
    with database.read() as session:
        now = moment(session, clock)
        rows = session.scalars(sa.select(NodeLease).order_by(NodeLease.name, NodeLease.node)).all()
        return [
            NodeView(row.node, row.name, row.address, row.epoch, row.beat_at, now - row.beat_at < LEASE) for row in rows
        ]


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Hold what one machine of the installation at a time may do; on an embedded database there is only one."""
    if database.dialect != "postgresql":
        yield
        return
    with mapped_errors(), database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Asked for again and again: a statement that waits would hold up the making of indexes by others, and they us.
        while not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
            time.sleep(TURN_S)
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})


def alone_in(session: Session) -> None:
    """Hold that until the caller's transaction ends; on an embedded database every writing one is alone."""
    if _shared(session):
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def moment(session: Session, clock: Clock) -> datetime:
    """Return the time that all machines share: the database server's, or this machine's for an embedded one."""
    if not _shared(session):
        return clock.now()
    return cast("datetime", session.scalar(sa.text("SELECT clock_timestamp()")))


def _shared(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
