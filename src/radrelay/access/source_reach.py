"""What somebody may be told of studies that are not here yet: the sources they may fetch into, and restrictions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import NO_ROLE, Asked, counts, grants_of, whom
from radrelay.access.models import Restriction
from radrelay.access.principal import Principal, Right
from radrelay.access.tables import GRANT


@dataclass(frozen=True, slots=True)
class SourceReach:
    """Sources by id, or `every` source of the organisation."""

    every: bool
    ids: frozenset[uuid.UUID]

    def holds(self, source_id: uuid.UUID) -> bool:
        """Say whether a source is among them."""
        return self.every or source_id in self.ids

    @property
    def nothing(self) -> bool:
        """Say whether none is."""
        return not self.every and not self.ids


def reach_of_sources(session: Session, principal: Principal, right: Right, *, now: datetime) -> SourceReach:
    """Return the sources that a principal was granted a right to, its patients in the clear.

    What is kept to some studies has no source: who came by a link, or was brought here by another program.
    """
    if principal.kind == "link" or principal.only is not None:
        return SourceReach(every=False, ids=frozenset())
    organisation_id = principal.organisation_id
    found = whom(organisation_id, principal.kind, principal.id, principal.role or NO_ROLE)
    granted = (
        sa.select(GRANT.target_kind, GRANT.target_id)
        .select_from(grants_of(found))
        .where(
            counts(organisation_id, f"%,{right.value},%", now),
            GRANT.identity == "clear",
            GRANT.target_kind.in_(("organisation", "source")),
        )
    )
    rows = session.execute(granted).all()
    every = any(row.target_kind == "organisation" for row in rows)
    return SourceReach(every, frozenset(row.target_id for row in rows if row.target_id is not None))


def kept_from(session: Session, principal: Principal, *, now: datetime) -> Callable[[str, str], bool]:
    """Return what says whether a study that is not here, by its UID and patient ID, falls under a restriction.

    A group that sees restricted studies, and everything, is told of all but those whose processing is restricted. Of an
    ID any issuer's count.
    """
    asked = sa.select(Restriction.kind, Restriction.value).where(
        Restriction.organisation_id == principal.organisation_id, Restriction.kind.in_(("study", "patient"))
    )
    trusted = Asked(principal, Right.SEE, now, "trusted").targets("organisation").limit(1)
    if session.execute(trusted).first() is not None:
        asked = asked.where(Restriction.barred.is_(True))
    named = {(kind, value) for kind, value in session.execute(asked)}
    return lambda study_uid, patient_id: ("study", study_uid) in named or ("patient", patient_id) in named
