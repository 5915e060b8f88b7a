"""The counts of studies and series after something was taken out, and the end of those left empty."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import search_index
from radrelay.archive.attachments import remove_attachments
from radrelay.archive.discard import chunks
from radrelay.archive.models import MODALITIES_LENGTH, Attachment
from radrelay.archive.tables import CORRECTION, HOLDING, INSTANCE, MODALITY, PATIENT, SENDER, SERIES, STUDY
from radrelay.archive.uncorrected import reopen
from radrelay.storage import outbox

_STUDY, _SERIES, _INSTANCE = STUDY.c, SERIES.c, INSTANCE.c
_MODALITY, _HOLDING = MODALITY.c, HOLDING.c
GONE = "study.gone"
"""The event that a study is here no more: what other parts keep of it goes."""


def recount(session: Session, study_ids: Iterable[uuid.UUID], at: datetime) -> None:
    """Derive counts and modalities from what is left; empty series and studies go, and patients with no study."""
    for study_id in study_ids:
        series_ids = list(session.scalars(sa.select(_SERIES.id).where(_SERIES.study_id == study_id)))
        if _promote(session, series_ids):
            reopen(session, {study_id: 0})
        left = _recount_series(session, series_ids, at)
        gone = [series_id for series_id in series_ids if series_id not in left]
        for chunk in chunks(gone):
            session.execute(sa.delete(SERIES).where(_SERIES.id.in_(chunk)))
        if left:
            _recount_study(session, study_id)
        else:
            _remove_study(session, study_id, at)


def _promote(session: Session, series_ids: Sequence[uuid.UUID]) -> bool:
    """Make the newest version current where the current one went; says whether there was one."""
    promoted = False
    current = sa.func.sum(sa.case((_INSTANCE.current, 1), else_=0))
    for chunk in chunks(series_ids):
        orphaned = (
            sa.select(_INSTANCE.organisation_id, _INSTANCE.sop_uid, sa.func.max(_INSTANCE.version).label("newest"))
            .where(_INSTANCE.series_id.in_(chunk), _INSTANCE.corrected.is_(False))
            .group_by(_INSTANCE.organisation_id, _INSTANCE.sop_uid)
            .having(current == 0)
        )
        for organisation_id, sop_uid, newest in session.execute(orphaned).all():
            same = sa.and_(_INSTANCE.organisation_id == organisation_id, _INSTANCE.sop_uid == sop_uid)
            others = sa.select(_INSTANCE.id).where(same, _INSTANCE.current)
            if session.scalar(others.limit(1)) is None:
                session.execute(sa.update(INSTANCE).where(same, _INSTANCE.version == newest).values(current=True))
                promoted = True
    return promoted


def _recount_series(session: Session, series_ids: Sequence[uuid.UUID], at: datetime) -> set[uuid.UUID]:
    """Write each series' counts; returns those that still have an instance."""
    left: set[uuid.UUID] = set()
    for chunk in chunks(series_ids):
        counted = session.execute(
            sa.select(
                _INSTANCE.series_id.label("row"),
                sa.func.sum(sa.case((_INSTANCE.current, 1), else_=0)).label("instances"),
                sa.func.sum(sa.case((_INSTANCE.current, _INSTANCE.frames), else_=0)).label("frames"),
                sa.func.sum(_INSTANCE.size).label("bytes"),
            )
            .where(_INSTANCE.series_id.in_(chunk))
            .group_by(_INSTANCE.series_id)
        ).all()
        left.update(row.row for row in counted)
        for row in counted:
            values = {"instance_count": row.instances, "frame_count": row.frames, "bytes": int(row.bytes)}
            changed = sa.or_(*(_SERIES[name] != value for name, value in values.items()))
            session.execute(sa.update(SERIES).where(_SERIES.id == row.row, changed).values(changed_at=at, **values))
    return left


def _recount_study(session: Session, study_id: uuid.UUID) -> None:
    series = session.execute(
        sa.select(_SERIES.modality, _SERIES.instance_count, _SERIES.bytes).where(_SERIES.study_id == study_id)
    ).all()
    modalities = sorted({row.modality for row in series if row.modality})
    session.execute(sa.delete(MODALITY).where(_MODALITY.study_id == study_id, _MODALITY.modality.not_in(modalities)))
    session.execute(
        sa.update(STUDY)
        .where(_STUDY.id == study_id)
        .values(
            series_count=len(series),
            instance_count=sum(row.instance_count for row in series),
            bytes=sum(row.bytes for row in series),
            modalities="\\".join(modalities)[:MODALITIES_LENGTH],
        )
    )


def _remove_study(session: Session, study_id: uuid.UUID, at: datetime) -> None:
    attachments = sa.select(Attachment.id).where(Attachment.study_id == study_id)
    remove_attachments(session, list(session.scalars(attachments)), at)
    session.execute(sa.delete(HOLDING).where(_HOLDING.study_id == study_id))
    session.execute(sa.delete(MODALITY).where(_MODALITY.study_id == study_id))
    session.execute(sa.delete(SENDER).where(SENDER.c.study_id == study_id))
    session.execute(sa.delete(CORRECTION).where(CORRECTION.c.study_id == study_id))
    study = session.execute(
        sa.select(
            _STUDY.organisation_id,
            _STUDY.sort_key,
            _STUDY.patient_name_folded,
            _STUDY.search_text,
            _STUDY.patient_id.label("patient"),
        ).where(_STUDY.id == study_id)
    ).one_or_none()
    if study is None:
        return
    search_index.remove(session, [search_index.Entry(study.sort_key, study.patient_name_folded, study.search_text)])
    access.forget_study(session, study_id)
    session.execute(sa.delete(STUDY).where(_STUDY.id == study_id))
    outbox.emit(session, organisation_id=study.organisation_id, kind=GONE, subject_id=study_id, at=at)
    others = sa.select(_STUDY.id).where(_STUDY.patient_id == study.patient)
    if session.scalar(others.limit(1)) is None:
        session.execute(sa.delete(PATIENT).where(PATIENT.c.id == study.patient))
