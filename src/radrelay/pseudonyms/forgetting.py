"""Aliases forgotten for good: when their time is over, their project ends, or their patient asks for it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.pseudonyms.models import PseudonymAlias, PseudonymProject, PseudonymStudy, PseudonymUids
from radrelay.storage.remembering import remember_gone

AT_ONCE = 500


def forget_aliases(session: Session, organisation_id: uuid.UUID, alias_ids: Sequence[uuid.UUID]) -> None:
    """Forget aliases for good; a restored backup forgets them again."""
    studies = list(session.scalars(sa.select(PseudonymStudy.id).where(PseudonymStudy.alias_id.in_(alias_ids))))
    uids = list(session.scalars(sa.select(PseudonymUids.id).where(PseudonymUids.study_id.in_(studies))))
    for model, ids in ((PseudonymUids, uids), (PseudonymStudy, studies), (PseudonymAlias, list(alias_ids))):
        session.execute(sa.delete(model).where(model.id.in_(ids)))
        for row_id in ids:
            remember_gone(session, organisation_id, model.__tablename__, {"id": row_id})


def forget_unused(session: Session, today: date) -> int:
    """Forget aliases whose project keeps them no longer; returns how many."""
    found = 0
    for project in session.scalars(sa.select(PseudonymProject)):
        over = sa.select(PseudonymAlias.id).where(
            PseudonymAlias.project_id == project.id, PseudonymAlias.used_on < today - timedelta(days=project.keep_days)
        )
        ids = list(session.scalars(over.limit(AT_ONCE)))
        if ids:
            forget_aliases(session, project.organisation_id, ids)
        found += len(ids)
    return found
