"""Proving the record: walk every chain, compare its head, check the signed roots and where it begins.

A changed, removed, inserted or reordered event breaks a hash; a cut end disagrees with the chain's signed head; a chain
that was rewritten as a whole disagrees with a root that was signed before, or with what was noted outside the database
(`anchor`). Events go past in pages, so that memory stays flat however many there are.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditCheckpoint, AuditEvent, AuditRoot, AuditWriter
from radrelay.audit.patients import AuditKeys
from radrelay.audit.record import FIRST_HASH, HASHED, hash_of, organisation_part
from radrelay.audit.signing import Kind, is_ours, signature
from radrelay.clock import Clock

BATCH = 2000
MOST_FAULTS = 1000

Seen = Mapping[str, tuple[int, bytes]]
"""Heads that were noted outside the database: sequence and hash of each chain."""


@dataclass(frozen=True, slots=True)
class ChainBroken:
    """Where a chain does not hold and what is wrong there."""

    writer: str
    sequence: int
    fault: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a verification looked at and what it found; of very many faults only the first are told one by one."""

    events: int
    writers: int
    roots: int
    broken: tuple[ChainBroken, ...]
    faults: int = 0
    counted: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Events and signed roots by chain."""
    faulty: Mapping[str, int] = field(default_factory=dict)
    """Faults by chain, all of them."""

    @property
    def intact(self) -> bool:
        """Say whether every chain holds."""
        return not self.faults

    def part(self, name: str) -> ChainReport:
        """Return what was found of one organisation's chains, by what their names have of it."""
        own = [counts for writer, counts in self.counted.items() if organisation_part(writer) == name]
        broken = tuple(one for one in self.broken if organisation_part(one.writer) == name)
        events, roots = (sum(counts[place] for counts in own) for place in (0, 1))
        faults = sum(count for writer, count in self.faulty.items() if organisation_part(writer) == name)
        return ChainReport(events, len(own), roots, broken, faults)


@dataclass
class _Findings:
    """What was counted and found so far."""

    events: int = 0
    roots: int = 0
    faults: int = 0
    broken: list[ChainBroken] = field(default_factory=list)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    faulty: Counter[str] = field(default_factory=Counter)

    def add(self, writer: str, sequence: int, fault: str) -> None:
        self.faults += 1
        self.faulty[writer] += 1
        if len(self.broken) < MOST_FAULTS:
            self.broken.append(ChainBroken(writer, sequence, fault))


def verify(session: Session, metadata_key: bytes | None = None, seen: Seen | None = None) -> ChainReport:
    """Walk all chains as of one moment. With the keyring's metadata key signatures are checked, too."""
    if not session.in_transaction() and session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    keys = None if metadata_key is None else AuditKeys.derive(metadata_key)
    found = _Findings()
    heads = session.execute(sa.select(AuditWriter.__table__).order_by(AuditWriter.writer)).all()
    for head in heads:
        events, roots = found.events, found.roots
        _Walk(session, keys, found, head, (seen or {}).get(head.writer)).run()
        found.counted[head.writer] = (found.events - events, found.roots - roots)
    known = {head.writer for head in heads}
    for table in (AuditEvent, AuditRoot, AuditCheckpoint):
        for writer in session.scalars(sa.select(table.writer).distinct()).all():
            if writer not in known:
                known.add(writer)
                found.add(writer, 0, "the writer's head is gone")
    for writer in set(seen or {}) - known:
        found.add(writer, 0, "the whole chain is gone")
    return ChainReport(
        found.events, len(heads), found.roots, tuple(found.broken), found.faults, found.counted, found.faulty
    )


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A hash that a chain must have at a place, and what it means if it does not."""

    sequence: int
    hash: bytes
    fault: str


class _Walk:
    """One chain from where it begins to its head."""

    def __init__(
        self, session: Session, keys: AuditKeys | None, found: _Findings, head: Any, seen: tuple[int, bytes] | None
    ) -> None:
        self._session = session
        self._keys = keys
        self._found = found
        self._head = head
        self._writer: str = head.writer
        self._seen = seen
        self._sequence, self._hash = 0, FIRST_HASH

    def run(self) -> None:
        self._sequence, self._hash = self._begin()
        self._refuse_earlier()
        fixed = self._fixed()
        expected = next(fixed, None)
        for event in _pages(self._session, self._writer, self._sequence):
            self._found.events += 1
            *values, sequence, previous, digest = event
            self._check(values, sequence, previous, digest)
            while expected is not None and expected.sequence <= sequence:
                if (expected.sequence, expected.hash) != (sequence, digest):
                    self._fault(expected.sequence, expected.fault)
                expected = next(fixed, None)
            self._sequence, self._hash = sequence, digest
        while expected is not None:
            self._fault(expected.sequence, expected.fault)
            expected = next(fixed, None)
        self._end()

    def _check(self, values: list[object], sequence: int, previous: bytes, digest: bytes) -> None:
        if sequence != self._sequence + 1:
            self._fault(self._sequence + 1, f"{sequence - self._sequence - 1} events are missing")
        elif previous != self._hash:
            self._fault(sequence, "does not follow from the event before")
        if not hmac.compare_digest(hash_of(values, previous), digest):
            self._fault(sequence, "was changed after it was written")

    def _begin(self) -> tuple[int, bytes]:
        """Return where the chain begins: at its last checkpoint that is ours."""
        begin = (0, FIRST_HASH)
        query = sa.select(AuditCheckpoint.__table__).where(AuditCheckpoint.writer == self._writer)
        for point in self._session.execute(query.order_by(AuditCheckpoint.sequence)):
            if self._is_ours("checkpoint", point.sequence, point.hash, point.at, point.signature):
                begin = (point.sequence, point.hash)
            else:
                self._fault(point.sequence, "the checkpoint's signature is not ours")
        return begin

    def _refuse_earlier(self) -> None:
        earlier = sa.select(sa.func.count(), sa.func.min(AuditEvent.sequence)).where(
            AuditEvent.writer == self._writer, AuditEvent.sequence <= self._sequence
        )
        count, first = self._session.execute(earlier).one()
        if count:
            self._fault(first, f"{count} events stand before the chain's beginning")

    def _fixed(self) -> Iterator[_Fixed]:
        """Yield the places that signed roots, and what was noted elsewhere, tell of, in order."""
        seen = None if self._seen is None else _Fixed(*self._seen, "disagrees with what was noted outside the database")
        before: datetime | None = None
        for root in self._roots():
            self._found.roots += 1
            if before is not None and root.at < before:
                self._fault(root.sequence, "the root is older than the one before it")
            before = root.at
            if not self._is_ours("root", root.sequence, root.hash, root.at, root.signature):
                self._fault(root.sequence, "the root's signature is not ours")
                continue
            if seen is not None and self._sequence < seen.sequence <= root.sequence:
                yield seen
                seen = None
            yield _Fixed(root.sequence, root.hash, "the chain was rewritten after its root was signed")
        if seen is not None and seen.sequence > self._sequence:
            yield seen

    def _roots(self) -> Iterator[Any]:
        """Yield the roots after the chain's beginning, page by page."""
        last = self._sequence
        while rows := self._session.execute(
            sa.select(AuditRoot.__table__)
            .where(AuditRoot.writer == self._writer, AuditRoot.sequence > last)
            .order_by(AuditRoot.sequence)
            .limit(BATCH)
        ).all():
            yield from rows
            last = rows[-1].sequence

    def _end(self) -> None:
        head = self._head
        if head.sequence > self._sequence:
            self._fault(self._sequence + 1, f"{head.sequence - self._sequence} events are missing at the end")
        elif head.sequence < self._sequence:
            self._fault(head.sequence + 1, f"{self._sequence - head.sequence} events were added past the end")
        elif head.hash != self._hash:
            self._fault(head.sequence, "the end of the chain was replaced")
        if head.sequence and not self._is_ours("head", head.sequence, head.hash, None, head.signature):
            self._fault(head.sequence, "the signature of the chain's head is not ours")

    def _is_ours(self, kind: Kind, sequence: int, digest: bytes, at: datetime | None, given: bytes | None) -> bool:
        return self._keys is None or is_ours(self._keys, kind, self._writer, sequence, digest, at, given)

    def _fault(self, sequence: int, fault: str) -> None:
        self._found.add(self._writer, sequence, fault)


_TABLE = AuditEvent.__table__
_PAGE = (
    sa.select(*(_TABLE.c[name] for name in HASHED), _TABLE.c.sequence, _TABLE.c.previous_hash, _TABLE.c.hash)
    .where(_TABLE.c.writer == sa.bindparam("chain"), _TABLE.c.sequence > sa.bindparam("after"))
    .order_by(_TABLE.c.sequence)
    .limit(BATCH)
)


def _pages(session: Session, writer: str, after: int) -> Iterator[Any]:
    while rows := session.execute(_PAGE, {"chain": writer, "after": after}).all():
        yield from rows
        after = rows[-1].sequence


def sign_roots(session: Session, clock: Clock, metadata_key: bytes) -> int:
    """Sign the head of every chain that grew since its last root; returns how many were signed."""
    keys, at = AuditKeys.derive(metadata_key), clock.now()
    last = sa.select(AuditRoot.writer, sa.func.max(AuditRoot.sequence)).group_by(AuditRoot.writer)
    signed: dict[str, int] = {row[0]: row[1] for row in session.execute(last)}
    rows = [
        {"writer": writer, "sequence": sequence, "hash": digest, "at": at,
         "signature": signature(keys, "root", writer, sequence, digest, at)}
        for writer, (sequence, digest) in heads(session).items()
        if sequence > signed.get(writer, 0)
    ]  # fmt: skip
    if rows:
        session.execute(sa.insert(AuditRoot), rows)
    return len(rows)


def heads(session: Session) -> dict[str, tuple[int, bytes]]:
    """Return sequence and hash of every chain's last event."""
    rows = session.execute(sa.select(AuditWriter.writer, AuditWriter.sequence, AuditWriter.hash))
    return {writer: (sequence, digest) for writer, sequence, digest in rows}
