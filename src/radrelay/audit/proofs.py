"""The record's state as it was last proven: kept with its time, for the page of promises, health and `doctor`.

Heads are noted outside the database, too: a file in the data directory, signed, that tells of a chain that vanished
as a whole and of a database that was put back to an earlier day.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.chain import ChainReport, Seen, heads, sign_roots, verify
from radrelay.audit.models import AuditProof
from radrelay.audit.patients import AuditKeys
from radrelay.audit.record import organisation_name, organisation_part
from radrelay.clock import Clock
from radrelay.errors import Misconfigured
from radrelay.storage.database import Database
from radrelay.storage.durable_files import write_durably

ANCHOR = "audit-heads.json"
PROOFS_KEPT = timedelta(days=400)


class AnchorForged(Misconfigured):
    """What was noted of the record outside the database is damaged or not ours; find out who touched it."""

    code = "audit-anchor-forged"


@dataclass(frozen=True, slots=True)
class Proven:
    """What the last verification found, and when that was."""

    at: datetime
    events: int
    writers: int
    roots: int
    faults: int
    first_fault: str

    @property
    def intact(self) -> bool:
        """Say whether every chain held."""
        return not self.faults


def prove(database: Database, clock: Clock, metadata_key: bytes, data_dir: Path | None = None) -> ChainReport:
    """Verify all chains, keep what was found, and return it; what this machine noted in `data_dir` counts, too."""
    seen = None if data_dir is None else seen_before(data_dir, metadata_key)
    with database.read() as session:
        report = verify(session, metadata_key, seen)
    with database.write() as session:
        _keep(session, report, clock.now())
    return report


def _keep(session: Session, report: ChainReport, at: datetime) -> None:
    session.execute(sa.delete(AuditProof).where(sa.or_(AuditProof.at < at - PROOFS_KEPT, AuditProof.at == at)))
    counted = {"events": report.events, "writers": report.writers, "roots": report.roots, "faults": report.faults}
    names = {organisation_part(writer) for writer in (*report.counted, *report.faulty)}
    parts = json.dumps({name: _part(report.part(name)) for name in sorted(names)})
    session.execute(sa.insert(AuditProof), [{"at": at, "first_fault": _first(report), "parts": parts, **counted}])


def _part(report: ChainReport) -> list[int | str]:
    return [report.events, report.writers, report.roots, report.faults, _first(report)]


def _first(report: ChainReport) -> str:
    first = report.broken[0] if report.broken else None
    return "" if first is None else f"{first.writer} at {first.sequence}: {first.fault}"


def last_proven(session: Session, organisation_id: uuid.UUID | None = None) -> Proven | None:
    """Return what the last verification found, of one organisation's chains if given; none if there was none yet."""
    row = session.execute(sa.select(AuditProof.__table__).order_by(AuditProof.at.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    *whole, parts = row
    if organisation_id is None:
        return Proven(*whole)
    own = json.loads(parts).get(organisation_name(organisation_id), [0, 0, 0, 0, ""])
    return Proven(row.at, *own)


def note_heads(database: Database, clock: Clock, metadata_key: bytes, data_dir: Path) -> None:
    """Sign the heads of chains that grew, and note all heads outside the database."""
    with database.write() as session:
        sign_roots(session, clock, metadata_key)
        noted = {writer: [sequence, digest.hex()] for writer, (sequence, digest) in heads(session).items()}
    text = json.dumps({"at": clock.now().isoformat(), "heads": noted}, sort_keys=True)
    write_durably(data_dir / ANCHOR, f"{text}\n{_signed(metadata_key, text)}\n".encode())


def seen_before(data_dir: Path, metadata_key: bytes) -> Seen | None:
    """Return the heads that this machine noted last; raises `AnchorForged`."""
    try:
        text, given, _ = (data_dir / ANCHOR).read_text().split("\n")
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AnchorForged from error
    if not hmac.compare_digest(_signed(metadata_key, text), given):
        raise AnchorForged
    return {
        writer: (sequence, bytes.fromhex(digest)) for writer, (sequence, digest) in json.loads(text)["heads"].items()
    }


def _signed(metadata_key: bytes, text: str) -> str:
    return hmac.new(AuditKeys.derive(metadata_key).root, b"anchor\n" + text.encode(), hashlib.sha256).hexdigest()
