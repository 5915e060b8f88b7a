"""Grants: rows that say who may do what, and the ones that a new installation starts with.

On the first start every person and token of the organisation gets every right to its studies, administrators also that
to release what waits; the grants of DICOM devices follow the setting `dicom.query_callers` where it changes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.models import Begun, Grant
from radrelay.access.principal import Right
from radrelay.storage.columns import Id
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_gone

ANYBODY = "*"
ROLES = ("admin", "user", "dpo", "service", "guest")
EVERY_RIGHT = tuple(right for right in Right if right not in (Right.BREAK_GLASS, Right.WORKLIST))
"""What administrators start with. Who may break glass is for a site to say: it means to see what is restricted."""
BEGINNING = {"admin": EVERY_RIGHT, "user": tuple(right for right in EVERY_RIGHT if right is not Right.ADMIT)}
"""Roles that see everything at first, by grants that can be taken back: no role sees anything by itself.

What waits to be released is nothing that everybody sees: who else may release it is for a site to say.
"""
DEVICE_RIGHTS = (Right.SEE, Right.DOWNLOAD, Right.FORWARD)
BY_SETTING = "setting"
_STUDY, _SERIES = (
    sa.table(name, *(sa.column(one, Id) for one in ("id", "study_id", "patient_id"))) for name in ("study", "series")
)
_HOLDING = sa.table("holding", sa.column("study_id", Id), sa.column("patient_id", Id))
BETWEEN_TITLES = "\\"  # which no AE title has (PS3.5 6.2)


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who is granted something: an account's, token's, group's or link's id, an AE title, or a role.

    `*` is any of its kind.
    """

    kind: Literal["account", "token", "group", "ae", "role", "link"]
    id: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is granted: the whole organisation (no id), a source, a study or a series by id."""

    kind: Literal["organisation", "source", "study", "series"]
    id: uuid.UUID | None = None


_EVERYTHING = Target("organisation")


def grant(
    session: Session,
    organisation_id: uuid.UUID,
    grantee: Grantee,
    target: Target,
    rights: Iterable[Right],
    *,
    now: datetime,
    identity: Literal["clear", "alias"] = "clear",
    ends_at: datetime | None = None,
    origin: str = "hand",
    priors: bool = False,
) -> uuid.UUID:
    """Write one grant and return its id; `ends_at` none means until revoked."""
    if (target.id is None) != (target.kind == "organisation"):
        raise ValueError(f"a grant on a {target.kind} {'needs' if target.id is None else 'has no'} id")
    row_id = new_id()
    session.execute(
        sa.insert(Grant),
        [
            {
                "id": row_id,
                "organisation_id": organisation_id,
                "grantee_kind": grantee.kind,
                "grantee_id": grantee.id,
                "target_kind": target.kind,
                "target_id": target.id,
                "patient_id": patient_of(session, target),
                "rights": join_rights(rights),
                "identity": identity,
                "ends_at": ends_at,
                "created_at": now,
                "origin": origin,
                "priors": priors,
            }
        ],
    )
    return row_id


def patient_of(session: Session, target: Target) -> uuid.UUID | None:
    """Return the row of the patient whose study, or a series of it, a grant names; none of other targets.

    The study's row is locked on PostgreSQL: who gives it another patient waits, and then sees the grant (see
    `follow_to_patient`), or was here first.
    """
    one = sa.select(_STUDY.c.patient_id).with_for_update(read=True, of=_STUDY)
    match target.kind:
        case "study":
            return session.scalar(one.where(_STUDY.c.id == target.id))
        case "series":
            return session.scalar(one.join(_SERIES, _SERIES.c.study_id == _STUDY.c.id).where(_SERIES.c.id == target.id))
    return None


def follow_to_patient(session: Session, study_id: uuid.UUID, patient_id: uuid.UUID) -> None:
    """Let what grants on a study and its series, and its holdings, say of whose it is follow the study's row."""
    series = sa.select(_SERIES.c.id).where(_SERIES.c.study_id == study_id)
    for kind, named in (("study", Grant.target_id == study_id), ("series", Grant.target_id.in_(series))):
        mine = sa.update(Grant).where(Grant.target_kind == kind, named).values(patient_id=patient_id)
        session.execute(mine.execution_options(synchronize_session=False))
    session.execute(sa.update(_HOLDING).where(_HOLDING.c.study_id == study_id).values(patient_id=patient_id))


def revoke(session: Session, organisation_id: uuid.UUID, grant_id: uuid.UUID) -> None:
    """Take a grant back; one that is not there is no error."""
    remember_gone(session, organisation_id, "access_grant", {"id": grant_id})
    session.execute(sa.delete(Grant).where(Grant.organisation_id == organisation_id, Grant.id == grant_id))


def join_rights(rights: Iterable[Right]) -> str:
    """Write rights as a comma list with a comma at either end, so that one LIKE finds a right."""
    return "," + ",".join(sorted(right.value for right in rights)) + ","


def ensure_default_grants(
    session: Session, organisation_id: uuid.UUID, query_callers: Sequence[str], now: datetime
) -> None:
    """Give a new organisation's roles their rights, and let the devices' grants follow a change of `query_callers`.

    What an administrator took away, gave or changed since does not come back, or go, with a start.
    """
    begun = session.get(Begun, organisation_id)
    if begun is None:
        begun = Begun(organisation_id=organisation_id, at=now, query_callers="")
        session.add(begun)
        for role, rights in BEGINNING.items():
            grant(session, organisation_id, Grantee("role", role), _EVERYTHING, rights, now=now)
    _follow_setting(session, begun, set(query_callers), now)


def _follow_setting(session: Session, begun: Begun, wanted: set[str], now: datetime) -> None:
    """Give devices that the setting names now, and did not, what it gives, and take it from those that it did."""
    followed = {title for title in begun.query_callers.split(BETWEEN_TITLES) if title}
    if wanted == followed:
        return
    given = sa.select(Grant.id).where(
        Grant.organisation_id == begun.organisation_id,
        Grant.grantee_kind == "ae",
        Grant.grantee_id.in_(followed - wanted),
        Grant.origin == BY_SETTING,
    )
    for row_id in session.scalars(given).all():
        revoke(session, begun.organisation_id, row_id)
    for title in sorted(wanted - followed):
        device = Grantee("ae", title)
        grant(session, begun.organisation_id, device, _EVERYTHING, DEVICE_RIGHTS, now=now, origin=BY_SETTING)
    begun.query_callers = BETWEEN_TITLES.join(sorted(wanted))
    session.flush()
