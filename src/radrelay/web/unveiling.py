"""Who may be told who stands behind an alias, and that it was told.

A patient whose studies are here is told to who may re-identify one of them, of others to who may of the whole
organisation. Of restricted patients nobody learns here what the scope would not tell.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.archive.models import Study
from radrelay.pseudonyms import AliasUnknown
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices


def require_may_look(
    services: WebServices, session: Session, principal: Principal, patient: tuple[str, str], study_uids: tuple[str, ...]
) -> None:
    """Raise `AliasUnknown` unless somebody may be told who a patient (issuer, ID) is."""
    reach = Reach.of(services, session, principal, Right.REIDENTIFY)
    if reach.scope.nothing or reach.scope.identity != "clear":
        raise AliasUnknown
    named: list[sa.ColumnElement[bool]] = [Study.study_uid.in_(study_uids)]
    if patient[1]:
        named.append(sa.and_(Study.patient_issuer == patient[0], Study.patient_id_value == patient[1]))
    mine = sa.select(Study.id).where(Study.organisation_id == principal.organisation_id, sa.or_(*named))
    here = set(session.scalars(mine))
    if here:
        if not reach.studies(here):
            raise AliasUnknown
    elif not reach.scope.whole:
        raise AliasUnknown
    if _restricted(session, principal.organisation_id, patient, study_uids, barred=reach.scope.sees_restricted):
        raise AliasUnknown


def _restricted(
    session: Session, organisation_id: uuid.UUID, patient: tuple[str, str], study_uids: tuple[str, ...], *, barred: bool
) -> bool:
    """Say whether a restriction hides a patient; of those that who asks may pass, only the `barred` ones count."""
    rules: list[access.Bar] = access.bars(session, organisation_id)
    named: set[tuple[str, str, str]] = {(one.kind, one.issuer, one.value) for one in rules}
    if not barred:
        named |= {(one.kind, one.issuer, one.value) for one in access.restrictions(session, organisation_id)}
    return ("patient", *patient) in named or any(("study", "", uid) in named for uid in study_uids)
