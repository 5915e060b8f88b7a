"""What a batch adds to its parcels' counts, and the end of a parcel: when its sender is done and its archives too."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Attachment, Holding, Study
from radrelay.intake.discs import settle_discs
from radrelay.intake.envelope import Envelope
from radrelay.intake.models import Parcel, ParcelFinding, ParcelStudy

NOTHING_KEPT = "nothing-kept"
ARCHIVE_FAILURES = ("unpack-failed", "archive-expired", "archive-gone", "archive-deleted", "archive-lost")
"""Findings about an archive of which something may be missing."""


@dataclass(slots=True)
class ParcelCounts:
    """What one batch adds to one parcel; `archives` are opened less closed ones."""

    files: int = 0
    bytes: int = 0
    objects: int = 0
    duplicates: int = 0
    attachments: int = 0
    quarantined: int = 0
    refused: int = 0
    archives: int = 0
    sealed: bool = False
    studies: set[uuid.UUID] = field(default_factory=set)


class Tally:
    """Counts of the parcels that a batch touches."""

    def __init__(self) -> None:
        self._parcels: dict[uuid.UUID, ParcelCounts] = {}
        self._none = ParcelCounts()

    def of(self, parcel_id: uuid.UUID | None) -> ParcelCounts:
        """Return a parcel's counts; what came without a parcel is counted nowhere."""
        if parcel_id is None:
            return self._none
        return self._parcels.setdefault(parcel_id, ParcelCounts())

    def received(self, envelope: Envelope) -> None:
        """Count a file, and its bytes unless they came inside an archive that was counted itself."""
        counts = self.of(envelope.origin.parcel_id)
        counts.files += 1
        if envelope.item_id is None:
            counts.bytes += envelope.file_size if envelope.file_size is not None else envelope.size

    def write_studies(self, session: Session) -> None:
        """Note which studies the parcels brought."""
        _add_studies(session, self._parcels)

    def write(self, session: Session, now: datetime) -> None:
        """Add the counts to the parcels' rows and end those that are done."""
        if not self._parcels:
            return
        self.write_studies(session)
        for parcel_id, counts in self._parcels.items():
            session.execute(_update(parcel_id, counts))
        ending = session.scalars(
            sa.select(Parcel.id).where(
                Parcel.id.in_(list(self._parcels)),
                Parcel.sealed,
                Parcel.archives_open <= 0,
                Parcel.finished_at.is_(None),
            )
        ).all()
        for parcel_id in ending:
            finish_parcel(session, parcel_id, now)
        late = [key for key, counts in self._parcels.items() if counts.attachments and key not in ending]
        for parcel_id in session.scalars(
            sa.select(Parcel.id).where(Parcel.id.in_(late), Parcel.finished_at.is_not(None))
        ):
            link_attachments(session, parcel_id)


def _add_studies(session: Session, parcels: dict[uuid.UUID, ParcelCounts]) -> None:
    wanted = {(parcel_id, study_id) for parcel_id, counts in parcels.items() for study_id in counts.studies}
    if not wanted:
        return
    known = session.execute(
        sa.select(ParcelStudy.parcel_id, ParcelStudy.study_id).where(ParcelStudy.parcel_id.in_({p for p, _ in wanted}))
    )
    new = sorted(wanted - {(row.parcel_id, row.study_id) for row in known})
    if new:
        session.execute(sa.insert(ParcelStudy), [{"parcel_id": parcel, "study_id": study} for parcel, study in new])


def _update(parcel_id: uuid.UUID, counts: ParcelCounts) -> sa.Update:
    values = {
        "files": Parcel.files + counts.files,
        "bytes_received": Parcel.bytes_received + counts.bytes,
        "objects": Parcel.objects + counts.objects,
        "duplicates": Parcel.duplicates + counts.duplicates,
        "attachments": Parcel.attachments + counts.attachments,
        "quarantined": Parcel.quarantined + counts.quarantined,
        "refused": Parcel.refused + counts.refused,
        "archives_open": Parcel.archives_open + counts.archives,
    }
    statement = sa.update(Parcel).where(Parcel.id == parcel_id).values(values)
    if counts.sealed:
        statement = statement.values(
            sealed=True, state=sa.case((Parcel.state.in_(("receiving", "scanning")), "unpacking"), else_=Parcel.state)
        )
    return statement.execution_options(synchronize_session=False)


def close_archive(session: Session, parcel_id: uuid.UUID | None, now: datetime) -> None:
    """Count an archive of a parcel as closed, and end the parcel if nothing else is open."""
    parcel = session.get(Parcel, parcel_id, populate_existing=True) if parcel_id is not None else None
    if parcel is None:
        return
    parcel.archives_open -= 1
    session.flush()
    if parcel.sealed and parcel.archives_open <= 0 and parcel.finished_at is None:
        finish_parcel(session, parcel.id, now)


def reopen_parcel(session: Session, parcel_id: uuid.UUID) -> None:
    """Open an ended parcel again, one of whose archives leaves the quarantine to be unpacked once more."""
    broken = sa.and_(ParcelFinding.parcel_id == parcel_id, ParcelFinding.code == ARCHIVE_FAILURES[0])
    session.execute(sa.delete(ParcelFinding).where(broken), execution_options={"synchronize_session": False})
    session.execute(
        sa.update(Parcel)
        .where(Parcel.id == parcel_id)
        .values(
            finished_at=None,
            state="unpacking",
            error="",
            error_code="",
            archives_open=Parcel.archives_open + 1,
            quarantined=Parcel.quarantined - 1,
        )
        .execution_options(synchronize_session=False)
    )


def finish_parcel(session: Session, parcel_id: uuid.UUID, now: datetime) -> None:
    """End a parcel: done, or failed when an archive could not be unpacked or nothing was kept or is to be looked at."""
    settle_discs(session, parcel_id)
    kept = Parcel.objects + Parcel.duplicates + Parcel.attachments + Parcel.quarantined
    of_parcel = ParcelFinding.parcel_id == parcel_id
    findings = sa.select(ParcelFinding.code, ParcelFinding.text).where(of_parcel).order_by(ParcelFinding.id)
    broken = session.execute(findings.where(ParcelFinding.code.in_(ARCHIVE_FAILURES)).limit(1)).first()
    first = broken or session.execute(findings.limit(1)).first()
    code, why = first or (NOTHING_KEPT, "Nothing of it could be kept.")
    failed = sa.or_(sa.literal(broken is not None), sa.and_(kept == 0, Parcel.refused > 0))
    session.execute(
        sa.update(Parcel)
        .where(Parcel.id == parcel_id)
        .values(
            finished_at=now,
            state=sa.case((failed, "failed"), else_="done"),
            error=sa.case((failed, why), else_=""),
            error_code=sa.case((failed, code), else_=""),
        )
        .execution_options(synchronize_session=False)
    )
    link_attachments(session, parcel_id)


def link_attachments(session: Session, parcel_id: uuid.UUID) -> None:
    """Give a parcel's attachments to its study, if it brought objects of exactly one."""
    studies = session.scalars(
        sa.select(ParcelStudy.study_id)
        .join(Study, Study.id == ParcelStudy.study_id)
        .where(ParcelStudy.parcel_id == parcel_id)
        .limit(2)
    ).all()
    if len(studies) != 1:
        return
    holding = session.execute(
        sa.select(Holding.id, Holding.ends_at)
        .join(Parcel, Parcel.source_id == Holding.source_id)
        .where(Holding.study_id == studies[0], Parcel.id == parcel_id)
        .limit(1)
    ).first()
    if holding is None:
        return
    session.execute(
        sa.update(Attachment)
        .where(Attachment.parcel_id == parcel_id, Attachment.study_id.is_(None))
        .values(study_id=studies[0], holding_id=holding.id, ends_at=holding.ends_at)
        .execution_options(synchronize_session=False)
    )
