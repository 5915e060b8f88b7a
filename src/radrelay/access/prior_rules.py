"""The organisation's rule of earlier studies: who sees one study of a patient sees the others, or those of a part."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.models import PriorRule

PriorReach = Literal["none", "body-part", "all"]


@dataclass(frozen=True, slots=True)
class PriorRuleView:
    """Which other studies: none, those of the same body part, all; how old at most; by marked grants only."""

    reach: PriorReach = "none"
    years: int | None = None
    marked_only: bool = False


def prior_rule(session: Session, organisation_id: uuid.UUID) -> PriorRuleView:
    """Return the rule; without any it is none."""
    row = session.get(PriorRule, organisation_id)
    return PriorRuleView() if row is None else PriorRuleView(cast("PriorReach", row.reach), row.years, row.marked_only)


def set_prior_rule(session: Session, organisation_id: uuid.UUID, wanted: PriorRuleView) -> None:
    """Make it the rule from now on."""
    session.execute(sa.delete(PriorRule).where(PriorRule.organisation_id == organisation_id))
    if wanted.reach != "none":
        row = {
            "organisation_id": organisation_id, "reach": wanted.reach, "years": wanted.years,
            "marked_only": wanted.marked_only,
        }  # fmt: skip
        session.execute(sa.insert(PriorRule), [row])
