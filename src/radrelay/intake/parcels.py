"""Parcels: what came in together. Made before the first byte, counted by the indexer, ended by a mark in the log.

The mark makes the end exact without a database in the way: when the indexer meets it, all that came before it in
that log is in its place.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.intake.discs import REFERENCE
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import ParcelUnknown
from radrelay.intake.landing import Landing
from radrelay.intake.models import OpenArchive, Parcel, ParcelFinding, ParcelItem, ParcelStudy
from radrelay.intake.sources import PORTAL, SourceView, get_source
from radrelay.intake.tally import finish_parcel
from radrelay.storage.database import Database, DatabaseUnavailable
from radrelay.storage.ids import new_id

ABANDONED_AFTER = timedelta(hours=24)
ITEMS_KEPT = timedelta(days=1)
PARCELS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ParcelView:
    """A parcel and how far it is; the fields are the columns of its row, and the studies that it brought.

    `error` says of one that is not done what an archive of it waits for.
    """

    id: uuid.UUID
    source_id: uuid.UUID
    account_id: uuid.UUID | None
    kind: str
    name: str
    state: str
    error: str
    error_code: str
    bytes_expected: int | None
    bytes_received: int
    files: int
    objects: int
    duplicates: int
    attachments: int
    quarantined: int
    refused: int
    correlation_id: str
    created_at: datetime
    finished_at: datetime | None
    study_ids: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingView:
    """One file of a parcel that was not kept as it came, and why."""

    file_name: str
    code: str
    text: str


_FIELDS = tuple(name for name in ParcelView.__dataclass_fields__ if name != "study_ids")


def studies_unpacked(session: Session, study_ids: Collection[uuid.UUID], since: datetime) -> set[uuid.UUID]:
    """Return which of some studies were brought by parcels that had come, and were not all unpacked, at a moment."""
    lasted = sa.or_(Parcel.finished_at.is_(None), Parcel.finished_at > since)
    asked = sa.select(ParcelStudy.study_id).join(Parcel, Parcel.id == ParcelStudy.parcel_id)
    return set(session.scalars(asked.where(ParcelStudy.study_id.in_(study_ids), Parcel.created_at <= since, lasted)))


class Parcels:
    """One installation's parcels; thread-safe."""

    def __init__(self, database: Database, clock: Clock, *, scanning: bool = False) -> None:
        """Say with `scanning` that a virus scanner stands between arrival and the list."""
        self._database = database
        self._clock = clock
        self._scanning = scanning

    def create(
        self,
        source: SourceView,
        name: str,
        *,
        account_id: uuid.UUID | None = None,
        bytes_expected: int | None = None,
        correlation_id: str = "",
        peer: str = "",
    ) -> Origin:
        """Make a parcel of `source` and return the origin of what goes into it."""
        parcel_id = new_id()
        with self._database.write() as session:
            session.add(
                Parcel(
                    id=parcel_id,
                    organisation_id=source.organisation_id,
                    source_id=source.id,
                    account_id=account_id,
                    kind=source.kind,
                    name=name[:1024],
                    state="receiving",
                    bytes_expected=bytes_expected,
                    correlation_id=correlation_id[:64],
                    created_at=self._clock.now(),
                )
            )
        return source.origin(peer=peer, correlation_id=correlation_id, parcel_id=parcel_id, account_id=account_id)

    def origin(self, organisation_id: uuid.UUID, parcel_id: uuid.UUID, peer: str = "") -> Origin:
        """Return the origin of a parcel that is still being sent; raises `ParcelUnknown`."""
        with self._database.read() as session:
            row = session.get(Parcel, parcel_id)
            if row is None or row.organisation_id != organisation_id or row.sealed:
                raise ParcelUnknown
            source = get_source(session, organisation_id, row.source_id)
            return source.origin(
                peer=peer, correlation_id=row.correlation_id, parcel_id=parcel_id, account_id=row.account_id
            )

    def seal(self, landing: Landing, origin: Origin) -> None:
        """Say that no more comes: durable on return, also while the database is away."""
        landing.end(origin)
        try:
            with self._database.write() as session:
                session.execute(
                    sa.update(Parcel)
                    .where(Parcel.id == origin.parcel_id, Parcel.state == "receiving")
                    .values(state="scanning" if self._scanning and origin.scan else "unpacking")
                )
        except DatabaseUnavailable:
            return  # the mark has landed; only the word shown meanwhile is an older one

    def get(self, organisation_id: uuid.UUID, parcel_id: uuid.UUID) -> ParcelView:
        """Return a parcel; raises `ParcelUnknown`."""
        with self._database.read() as session:
            row = session.get(Parcel, parcel_id)
            if row is None or row.organisation_id != organisation_id:
                raise ParcelUnknown
            studies = session.scalars(sa.select(ParcelStudy.study_id).where(ParcelStudy.parcel_id == parcel_id))
            return _view(row, tuple(studies), _waits(session, [row.id]))

    def recent(
        self, organisation_id: uuid.UUID, limit: int = 100, account_id: uuid.UUID | None = None
    ) -> list[ParcelView]:
        """Return the newest parcels first, of one account if given; imports have a page of their own."""
        query = sa.select(Parcel).where(Parcel.organisation_id == organisation_id, Parcel.kind != PORTAL)
        if account_id is not None:
            query = query.where(Parcel.account_id == account_id)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(Parcel.created_at.desc(), Parcel.id.desc()).limit(limit)).all()
            studies: dict[uuid.UUID, list[uuid.UUID]] = {}
            ids = [row.id for row in rows]
            for link in session.scalars(sa.select(ParcelStudy).where(ParcelStudy.parcel_id.in_(ids))):
                studies.setdefault(link.parcel_id, []).append(link.study_id)
            waits = _waits(session, ids)
            return [_view(row, tuple(studies.get(row.id, ())), waits) for row in rows]

    def findings(self, organisation_id: uuid.UUID, parcel_id: uuid.UUID, limit: int = 1000) -> list[FindingView]:
        """Return what was not kept of a parcel as it came, and why."""
        query = (
            sa.select(ParcelFinding.file_name, ParcelFinding.code, ParcelFinding.text)
            .where(
                ParcelFinding.organisation_id == organisation_id,
                ParcelFinding.parcel_id == parcel_id,
                ParcelFinding.code != REFERENCE,
            )
            .order_by(ParcelFinding.id)
            .limit(limit)
        )
        with self._database.read() as session:
            return [FindingView(*row) for row in session.execute(query)]

    def sweep(self) -> None:
        """End parcels whose sender went away, and forget old ones; call it now and then."""
        now = self._clock.now()
        with self._database.write() as session:
            abandoned = session.scalars(
                sa.select(Parcel.id).where(
                    Parcel.finished_at.is_(None), Parcel.created_at < now - ABANDONED_AFTER, Parcel.archives_open <= 0
                )
            ).all()
            for parcel_id in abandoned:
                finish_parcel(session, parcel_id, now)
            ended = sa.select(Parcel.id).where(Parcel.finished_at < now - ITEMS_KEPT)
            session.execute(sa.delete(ParcelItem).where(ParcelItem.parcel_id.in_(ended)), execution_options=_UNTRACKED)
            old = list(session.scalars(sa.select(Parcel.id).where(Parcel.finished_at < now - PARCELS_KEPT)))
            for table in (ParcelFinding, ParcelStudy):
                session.execute(sa.delete(table).where(table.parcel_id.in_(old)), execution_options=_UNTRACKED)
            session.execute(sa.delete(Parcel).where(Parcel.id.in_(old)), execution_options=_UNTRACKED)


_UNTRACKED = {"synchronize_session": False}


def _waits(session: Session, parcel_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return what the parcels' archives wait for, of those that had to be tried again."""
    c = OpenArchive
    waiting = sa.select(c.parcel_id, c.file_name, c.waiting_for).where(c.parcel_id.in_(parcel_ids), c.waiting_for != "")
    return {
        row.parcel_id: f"{row.file_name} waits to be unpacked: {row.waiting_for}"
        for row in session.execute(waiting.order_by(c.id))
    }


def _view(row: Parcel, study_ids: tuple[uuid.UUID, ...], waits: Mapping[uuid.UUID, str]) -> ParcelView:
    columns = {name: getattr(row, name) for name in _FIELDS}
    return ParcelView(**{**columns, "error": row.error or waits.get(row.id, "")}, study_ids=study_ids)
