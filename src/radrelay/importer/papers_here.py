"""Papers that are here already: what they became, or would become, has come by another way than this import.

A paper's UID follows from its study and its bytes (`papers`), so that it is known again under any name, and however
often it comes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import INSTANCE
from radrelay.importer.models import ImportCase, ImportPaper
from radrelay.importer.papers import paper_uid

CHUNK = 500


def here_of_others(session: Session, case: ImportCase, sop_uids: Collection[str]) -> set[str]:
    """Return which of some SOP Instance UIDs are here by another way than an import."""
    found: set[str] = set()
    ordered = sorted(sop_uids)
    by_others = (INSTANCE.c.organisation_id == case.organisation_id, INSTANCE.c.correlation_id != case.correlation_id)
    for start in range(0, len(ordered), CHUNK):
        asked = sa.select(INSTANCE.c.sop_uid).where(*by_others, INSTANCE.c.sop_uid.in_(ordered[start : start + CHUNK]))
        found |= set(session.scalars(asked))
    return found


def papers_here(session: Session, case: ImportCase, papers: Sequence[ImportPaper]) -> set[uuid.UUID]:
    """Return which papers of an import are not filed again, or were not, since the same are here."""
    open_ones = {one.id: paper_uid(one.study_uid, one.digest) for one in papers if _may_join(one)}
    here = here_of_others(session, case, set(open_ones.values()))
    found = {one for one, sop_uid in open_ones.items() if sop_uid in here}
    return found | {one.id for one in papers if one.filed and not any(json.loads(one.written).values())}


def _may_join(one: ImportPaper) -> bool:
    return not one.filed and bool(one.study_uid) and bool(one.digest)
