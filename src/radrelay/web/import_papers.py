"""Documents and pictures beside an import's images, as the page is told of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.importer.models import ImportCase, ImportPaper
from radrelay.importer.papers_here import papers_here


class PaperShown(BaseModel):
    """A document or picture beside the images; `why` says why it joins no study.

    `here`: the same is here already, and is not filed again, or was not.
    """

    file_name: str
    kind: str
    study_uid: str
    why: str
    filed: bool
    here: bool

    @classmethod
    def of(cls, one: ImportPaper, *, here: bool) -> PaperShown:
        """Return it as it is shown."""
        return cls(
            file_name=one.file_name, kind=one.kind, study_uid=one.study_uid, why=one.why, filed=one.filed, here=here
        )


Papers = Mapping[int | None, list[PaperShown]]
"""Papers by the number of whose they are, none of those that are nobody's."""


def papers_shown(session: Session, case: ImportCase) -> Papers:
    """Return the papers of an import, by their files."""
    asked = sa.select(ImportPaper).where(ImportPaper.case_id == case.id).order_by(ImportPaper.file_name)
    papers = session.scalars(asked).all()
    here, found = papers_here(session, case, papers), defaultdict[int | None, list[PaperShown]](list)
    for one in papers:
        found[one.person_number].append(PaperShown.of(one, here=one.id in here))
    return found
