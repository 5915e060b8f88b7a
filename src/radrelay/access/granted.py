"""Grants as they are listed and changed by people: who has what, until when."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import BY_RULE, OWNER
from radrelay.access.errors import GrantChanged
from radrelay.access.grants import Grantee, Target, join_rights
from radrelay.access.models import Grant
from radrelay.access.principal import Right
from radrelay.errors import NotFound
from radrelay.storage.remembering import remember_set

MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant: to whom, on what, which rights, with clear names or aliases, until when."""

    id: uuid.UUID
    grantee: Grantee
    target: Target
    rights: tuple[Right, ...]
    identity: Literal["clear", "alias"]
    ends_at: datetime | None
    created_at: datetime
    revision: int
    priors: bool = False  # counts for a rule of earlier studies that goes by marked grants alone
    origin: str = "hand"  # hand, break-glass, rule, owner or setting


def granted(
    session: Session, organisation_id: uuid.UUID, *, grantee: Grantee | None = None, target: Target | None = None
) -> list[GrantView]:
    """Return the newest grants of the organisation, to one grantee or on one target if given; at most 1,000.

    Those of rules and owners, one for each study, are listed on a target alone: among all, one would find no others.
    """
    conditions: list[sa.ColumnElement[bool]] = [Grant.organisation_id == organisation_id]
    if target is None:
        conditions.append(Grant.origin.not_in((BY_RULE, OWNER)))
    if grantee is not None:
        conditions += [Grant.grantee_kind == grantee.kind, Grant.grantee_id == grantee.id]
    if target is not None:
        conditions += [Grant.target_kind == target.kind, Grant.target_id == target.id]
    rows = session.scalars(
        sa.select(Grant).where(*conditions).order_by(Grant.created_at.desc(), Grant.id.desc()).limit(MOST_LISTED)
    )
    return [_view(row) for row in rows]


def grant_of(session: Session, organisation_id: uuid.UUID, grant_id: uuid.UUID) -> GrantView:
    """Return one grant; raises `NotFound`."""
    row = session.scalar(sa.select(Grant).where(Grant.organisation_id == organisation_id, Grant.id == grant_id))
    if row is None:
        raise NotFound("there is no such grant")
    return _view(row)


def change_grant(
    session: Session,
    organisation_id: uuid.UUID,
    grant_id: uuid.UUID,
    revision: int,
    *,
    rights: Iterable[Right],
    identity: Literal["clear", "alias"],
    ends_at: datetime | None,
    priors: bool = False,
) -> GrantView:
    """Change the grant that was seen at `revision`; raises `NotFound`, or `GrantChanged` if it is another one now."""
    changed = session.execute(
        sa.update(Grant)
        .where(Grant.organisation_id == organisation_id, Grant.id == grant_id, Grant.revision == revision)
        .values(rights=join_rights(rights), identity=identity, ends_at=ends_at, priors=priors, revision=revision + 1)
    )
    if not cast("sa.CursorResult[object]", changed).rowcount:
        grant_of(session, organisation_id, grant_id)
        raise GrantChanged
    session.expire_all()
    remember_set(session, session.get_one(Grant, grant_id), "rights", "identity", "ends_at", "priors", "revision")
    return grant_of(session, organisation_id, grant_id)


def told_of_grant(view: GrantView) -> dict[str, object]:
    """Return what the record tells of a grant: it may be all that is left of it."""
    return {
        "grantee": f"{view.grantee.kind} {view.grantee.id}",
        "target": f"{view.target.kind} {view.target.id or ''}".strip(),
        "rights": [right.value for right in view.rights],
        "identity": view.identity,
        "until": view.ends_at.isoformat() if view.ends_at else "",
    }


def _view(row: Grant) -> GrantView:
    kind, target = row.grantee_kind, row.target_kind
    return GrantView(
        row.id,
        Grantee(cast('Literal["account", "token", "group", "ae", "role", "link"]', kind), row.grantee_id),
        Target(cast('Literal["organisation", "source", "study", "series"]', target), row.target_id),
        tuple(Right(one) for one in row.rights.strip(",").split(",") if one),
        "alias" if row.identity == "alias" else "clear",
        row.ends_at,
        row.created_at,
        row.revision,
        row.priors,
        row.origin,
    )
