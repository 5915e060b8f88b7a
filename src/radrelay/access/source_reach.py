"""Which sources somebody has a right to as such: for what no study stands for yet, such as fetching into one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.principal import Principal, Right
from radrelay.access.visibility import GRANT, NO_ROLE, counts, grants_of, whom


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
