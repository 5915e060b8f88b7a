"""The rows that a batch of arrivals adds and changes, written with one executemany per table.

This is the hot path of the index: Core statements with plain dictionaries, no unit of work.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive import search_index
from radrelay.archive.holdings import study_times
from radrelay.archive.index_state import HoldingState, SeriesState, StudyState
from radrelay.archive.models import MODALITIES_LENGTH
from radrelay.archive.sort_key import redrawn
from radrelay.archive.tables import (
    ERASURE,
    HOLDING,
    INSTANCE,
    INSTANCE_HOLDING,
    LANDING_RECORD,
    MODALITY,
    PATIENT,
    SERIES,
    STUDY,
)
from radrelay.storage.columns import Id

Row = dict[str, Any]
DUPLICATE = "duplicate"
_MARK = sa.table("mark", sa.column("instance_id", Id))
"""Marks lie above the archive; they stay on the picture that they were drawn on, whose pixels a correction keeps."""

_INSERTS = {
    table: sa.insert(table)
    for table in (
        PATIENT, STUDY, MODALITY, SERIES, HOLDING,
        LANDING_RECORD, INSTANCE, INSTANCE_HOLDING, ERASURE,
    )
}  # fmt: skip
_INSERTS[HOLDING] = _INSERTS[HOLDING].values(  # whose it is, as its study, which is there by then, says
    patient_id=sa.select(STUDY.c.patient_id).where(STUDY.c.id == sa.bindparam("of_study")).scalar_subquery()
)
_UPDATE_STUDY = (
    sa.update(STUDY)
    .where(STUDY.c.id == sa.bindparam("row"))
    .values({name: sa.bindparam(name) for name in (
        "modalities", "series_count", "instance_count", "bytes", "state", "quiet_at", "last_received_at",
        "expires_at", "ceiling_at", "held",
    )})
)  # fmt: skip
_UPDATE_SERIES = (
    sa.update(SERIES)
    .where(SERIES.c.id == sa.bindparam("row"))
    .values({name: sa.bindparam(name) for name in ("instance_count", "frame_count", "bytes", "changed_at")})
)
_UPDATE_HOLDING = (
    sa.update(HOLDING)
    .where(HOLDING.c.id == sa.bindparam("row"))
    .values({name: sa.bindparam(name) for name in ("last_received_at", "expires_at", "ends_at")})
)


class Writes:
    """Collects what a batch changes; `flush` writes it."""

    def __init__(self) -> None:
        self.patients: list[Row] = []
        self.studies: list[Row] = []
        self.modalities: list[tuple[StudyState, str]] = []
        self.series: list[Row] = []
        self.records: list[Row] = []
        self.instances: list[Row] = []
        self.further_holdings: list[Row] = []
        self.erasures: list[Row] = []
        self.superseded: list[uuid.UUID] = []
        self.corrected: dict[uuid.UUID, uuid.UUID] = {}  # version: what takes its place

    def flush(self, session: Session, studies: Sequence[StudyState], series: Sequence[SeriesState]) -> None:
        """Write everything; `studies` and `series` are all that the batch touched."""
        connection = session.connection()
        holdings = [holding for study in studies for holding in study.holdings]
        self._settle_sort_keys(connection, [study for study in studies if study.fresh])
        self._derive_new(studies, series)
        self._insert(connection, holdings)
        if self.superseded:
            table = INSTANCE
            connection.execute(sa.update(table).where(table.c.id.in_(self.superseded)).values(current=False))
        for old, new in self.corrected.items():
            connection.execute(sa.update(INSTANCE).where(INSTANCE.c.id == old).values(corrected=True))
            connection.execute(sa.update(_MARK).where(_MARK.c.instance_id == old).values(instance_id=new))
        _update_many(connection, _UPDATE_HOLDING, [_holding_change(h) for h in holdings if h.changed and not h.fresh])
        _update_many(connection, _UPDATE_SERIES, [_series_change(s) for s in series if s.changed_at and not s.fresh])
        changed = [study for study in studies if study.changed and not study.fresh]
        _update_many(connection, _UPDATE_STUDY, [_study_change(study) for study in changed])
        if self.studies:
            search_index.add(session, [search_index.entry(row) for row in self.studies])

    def supersede(self, instance_id: uuid.UUID) -> None:
        """Note that a version is current no more, be it a stored one or one of this batch."""
        for row in self.instances:
            if row["id"] == instance_id:
                row["current"] = False
                return
        self.superseded.append(instance_id)

    @staticmethod
    def _settle_sort_keys(connection: sa.Connection, fresh: Sequence[StudyState]) -> None:
        """Draw again for new studies whose sort key is taken, however unlikely that is."""
        column = STUDY.c.sort_key
        open_keys = fresh
        seen: set[int] = set()
        while open_keys:
            drawn = [study.sort_key for study in open_keys]
            taken = set(connection.scalars(sa.select(column).where(column.in_(drawn)))) | seen
            again = []
            for study in open_keys:
                if study.sort_key in taken:
                    study.sort_key = redrawn(study.sort_key)
                    again.append(study)
                else:
                    taken.add(study.sort_key)
                    seen.add(study.sort_key)
            open_keys = again

    def _derive_new(self, studies: Sequence[StudyState], series: Sequence[SeriesState]) -> None:
        """Put the final counts and moments of new studies and series into their rows."""
        changes: dict[uuid.UUID, Row] = {s.id: _study_change(s) | {"sort_key": s.sort_key} for s in studies if s.fresh}
        changes.update({s.id: _series_change(s) for s in series if s.fresh})
        for row in (*self.studies, *self.series):
            row.update(changes[row["id"]])
            del row["row"]

    def _insert(self, connection: sa.Connection, holdings: Sequence[HoldingState]) -> None:
        rows = {
            PATIENT: self.patients,
            STUDY: self.studies,
            MODALITY: [_modality_row(study, modality) for study, modality in self.modalities],
            SERIES: self.series,
            HOLDING: [_holding_row(holding) for holding in holdings if holding.fresh],
            LANDING_RECORD: self.records,
            INSTANCE: self.instances,
            INSTANCE_HOLDING: self.further_holdings,
            ERASURE: self.erasures,
        }
        for table, found in rows.items():
            if found:
                connection.execute(_INSERTS[table], found)


def _update_many(connection: sa.Connection, statement: sa.Update, rows: list[Row]) -> None:
    if rows:
        connection.execute(statement, rows)


def _modality_row(study: StudyState, modality: str) -> Row:
    return {
        "study_id": study.id,
        "modality": modality,
        "organisation_id": study.organisation_id,
        "sort_key": study.sort_key,
    }


def _holding_row(holding: HoldingState) -> Row:
    return {
        "id": holding.id,
        "organisation_id": holding.organisation_id,
        "study_id": holding.study_id,
        "of_study": holding.study_id,
        "source_id": holding.source_id,
        "account_id": holding.account_id,
        "received_at": holding.received_at,
        "last_received_at": holding.last_received_at,
        "expires_at": holding.expires_at,
        "ceiling_at": holding.ceiling_at,
        "hold_until": holding.hold_until,
        "hold_reason": holding.hold_reason,
        "ends_at": holding.ends_at,
    }


def _holding_change(holding: HoldingState) -> Row:
    return {
        "row": holding.id,
        "last_received_at": holding.last_received_at,
        "expires_at": holding.expires_at,
        "ends_at": holding.ends_at,
    }


def _series_change(series: SeriesState) -> Row:
    return {
        "row": series.id,
        "instance_count": series.instance_count,
        "frame_count": series.frame_count,
        "bytes": series.bytes,
        "changed_at": series.changed_at,
    }


def _study_change(study: StudyState) -> Row:
    times = study_times(study.holdings)
    return {
        "row": study.id,
        "modalities": "\\".join(sorted(study.modalities))[:MODALITIES_LENGTH],
        "series_count": study.series_count,
        "instance_count": study.instance_count,
        "bytes": study.bytes,
        "state": study.state,
        "quiet_at": study.quiet_at,
        "last_received_at": study.last_received_at,
        "expires_at": times.expires_at,
        "ceiling_at": times.ceiling_at,
        "held": times.held,
    }


def erasure_row(
    record_id: uuid.UUID, organisation_id: uuid.UUID, at: datetime, second_of: uuid.UUID | None = None
) -> Row:
    """Return the row that has a landing record erased soon; the second copy of an instance once that is known whole."""
    return {
        "id": record_id,
        "organisation_id": organisation_id,
        "kind": DUPLICATE if second_of is not None else "record",
        "name": "",
        "instance_id": second_of,
        "requested_at": at,
        "destroyed_at": None,
        "done_at": None,
    }
