"""Proving the record: walk every writer's chain, compare its head, check the signed roots.

A changed, removed, inserted or reordered event breaks a hash; a cut end disagrees with the writer's head; a chain
that was rewritten as a whole disagrees with a root that was signed before.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent, AuditRoot, AuditWriter
from radrelay.audit.patients import AuditKeys
from radrelay.audit.record import FIRST_HASH, event_hash
from radrelay.clock import Clock

BATCH = 2000


@dataclass(frozen=True, slots=True)
class ChainBroken:
    """Where a chain does not hold and what is wrong there."""

    writer: str
    sequence: int
    fault: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a verification looked at and what it found."""

    events: int
    writers: int
    roots: int
    broken: tuple[ChainBroken, ...]

    @property
    def intact(self) -> bool:
        """Say whether every chain holds."""
        return not self.broken


def verify(session: Session, metadata_key: bytes | None = None) -> ChainReport:
    """Walk all chains. With the keyring's metadata key the signed roots are checked too."""
    heads = session.execute(sa.select(AuditWriter.writer, AuditWriter.sequence, AuditWriter.hash)).all()
    known = {writer for writer, _, _ in heads}
    broken: list[ChainBroken] = []
    events = 0
    for writer, sequence, head in heads:
        count, faults = _verify_writer(session, writer, sequence, head)
        events += count
        broken.extend(faults)
    strays = session.scalars(sa.select(AuditEvent.writer).distinct()).all()
    broken.extend(ChainBroken(writer, 0, "the writer's head is gone") for writer in strays if writer not in known)
    roots = 0
    if metadata_key is not None:
        roots, faults = _verify_roots(session, AuditKeys.derive(metadata_key))
        broken.extend(faults)
    return ChainReport(events, len(heads), roots, tuple(broken))


def _events(session: Session, writer: str) -> Iterator[AuditEvent]:
    last = 0
    while True:
        batch = session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.writer == writer, AuditEvent.sequence > last)
            .order_by(AuditEvent.sequence)
            .limit(BATCH)
        ).all()
        if not batch:
            return
        yield from batch
        last = batch[-1].sequence
        session.expunge_all()


def _verify_writer(session: Session, writer: str, last: int, head: bytes) -> tuple[int, list[ChainBroken]]:
    faults: list[ChainBroken] = []
    previous, sequence, count = FIRST_HASH, 0, 0
    for event in _events(session, writer):
        count += 1
        if event.sequence != sequence + 1:
            faults.append(ChainBroken(writer, sequence + 1, f"{event.sequence - sequence - 1} events are missing"))
        elif event.previous_hash != previous:
            faults.append(ChainBroken(writer, event.sequence, "does not follow from the event before"))
        row = {column.key: getattr(event, column.key) for column in AuditEvent.__table__.columns}
        if not hmac.compare_digest(event_hash(row, event.previous_hash), event.hash):
            faults.append(ChainBroken(writer, event.sequence, "was changed after it was written"))
        previous, sequence = event.hash, event.sequence
    if (sequence, previous) != (last, head):
        faults.append(ChainBroken(writer, last, "the end of the chain is missing or was replaced"))
    return count, faults


def _signature(keys: AuditKeys, writer: str, sequence: int, digest: bytes, at: datetime) -> bytes:
    text = f"{writer}\n{sequence}\n{at.isoformat()}\n".encode()
    return hmac.new(keys.root, text + digest, hashlib.sha256).digest()


def sign_roots(session: Session, clock: Clock, metadata_key: bytes) -> int:
    """Sign the head of every chain that grew since its last root; returns how many were signed."""
    keys, at = AuditKeys.derive(metadata_key), clock.now()
    last = sa.select(AuditRoot.writer, sa.func.max(AuditRoot.sequence)).group_by(AuditRoot.writer)
    signed: dict[str, int] = {row[0]: row[1] for row in session.execute(last)}
    heads = session.execute(sa.select(AuditWriter.writer, AuditWriter.sequence, AuditWriter.hash)).all()
    rows = [
        {"writer": writer, "sequence": sequence, "hash": digest, "at": at,
         "signature": _signature(keys, writer, sequence, digest, at)}
        for writer, sequence, digest in heads
        if sequence > signed.get(writer, 0)
    ]  # fmt: skip
    if rows:
        session.execute(sa.insert(AuditRoot), rows)
    return len(rows)


def _verify_roots(session: Session, keys: AuditKeys) -> tuple[int, list[ChainBroken]]:
    faults: list[ChainBroken] = []
    roots = session.scalars(sa.select(AuditRoot).order_by(AuditRoot.writer, AuditRoot.sequence)).all()
    for root in roots:
        wanted = _signature(keys, root.writer, root.sequence, root.hash, root.at)
        if not hmac.compare_digest(wanted, root.signature):
            faults.append(ChainBroken(root.writer, root.sequence, "the root's signature is not ours"))
            continue
        held = session.scalar(
            sa.select(AuditEvent.hash).where(AuditEvent.writer == root.writer, AuditEvent.sequence == root.sequence)
        )
        if held != root.hash:
            faults.append(ChainBroken(root.writer, root.sequence, "the chain was rewritten after its root was signed"))
    for before, after in pairwise(roots):
        if before.writer == after.writer and after.at < before.at:
            faults.append(ChainBroken(after.writer, after.sequence, "the root is older than the one before it"))
    return len(roots), faults
