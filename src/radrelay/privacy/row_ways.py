"""Ways to a person's rows in a table: conditions on its columns, for `personal_data` to choose from."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.storage.columns import Base


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose data are meant: of a patient the studies, their series and links, of an account its id.

    `whole`: nothing under the issuer and ID is another person's or left to a clinic, so what names the patient by
    issuer and ID alone is theirs. `uids` are the Study Instance UIDs.
    """

    organisation_id: uuid.UUID
    studies: tuple[uuid.UUID, ...] = ()
    uids: tuple[str, ...] = ()
    series: tuple[uuid.UUID, ...] = ()
    links: tuple[uuid.UUID, ...] = ()
    aside: tuple[uuid.UUID, ...] = ()
    issuer: str = ""
    patient_id: str = ""
    whole: bool = False
    request_id: uuid.UUID | None = None
    account_id: uuid.UUID | None = None


Way = Callable[[Any, Whose], ColumnElement[bool]]
"""Given a table's columns and whose data are meant, returns the condition of their rows."""


def _table(name: str) -> Any:
    return Base.metadata.tables[name].c


def by_study(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose rows of the studies."""
    return sa.and_(c.study_id.in_(whose.studies))


def by_uid(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose rows that name a study by its UID."""
    return sa.and_(c.study_uid.in_(whose.uids))


def row_of(name: str) -> Way:
    """Return the way to rows whose own id is among `whose.<name>`."""
    return lambda c, whose: sa.and_(c.id.in_(getattr(whose, name)))


def link(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose rows of links to the studies."""
    return sa.and_(c.link_id.in_(whose.links))


def patient(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose rows that name the patient by issuer and ID."""
    issuer = c.issuer if "issuer" in c else c.patient_issuer
    return sa.and_(sa.literal(whose.whole), issuer == whose.issuer, c.patient_id == whose.patient_id)


def grant(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose grants on the studies and their series."""
    studies = sa.and_(c.target_kind == "study", c.target_id.in_(whose.studies))
    return sa.or_(studies, sa.and_(c.target_kind == "series", c.target_id.in_(whose.series)))


def granted(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose grants to the account."""
    return sa.and_(c.grantee_kind == "account", c.grantee_id == str(whose.account_id))


def restriction(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose restrictions of the patient or of their studies."""
    person = sa.and_(c.kind == "patient", c.value == whose.patient_id, c.issuer == whose.issuer)
    return sa.or_(sa.and_(sa.literal(whose.whole), person), sa.and_(c.kind == "study", c.value.in_(whose.uids)))


def parcel(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose parcels that brought a study."""
    studies = _table("parcel_study")
    return sa.and_(c.id.in_(sa.select(studies.parcel_id).where(studies.study_id.in_(whose.studies))))


def transfer(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose transfers for the patient, or of their studies."""
    covered = _table("privacy_transfer_study")
    theirs = sa.select(covered.transfer_id).where(
        covered.organisation_id == whose.organisation_id, covered.study_uid.in_(whose.uids)
    )
    return sa.or_(patient(c, whose), c.id.in_(theirs))


def covered(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose studies of transfers."""
    transfers = _table("privacy_transfer")
    own = sa.select(transfers.id).where(transfers.organisation_id == whose.organisation_id, patient(transfers, whose))
    return sa.or_(c.study_uid.in_(whose.uids), c.transfer_id.in_(own))


def request(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Return the way to requests; what several people under one ID asked nobody tells apart: of them only this one."""
    return sa.or_(c.id == whose.request_id, sa.and_(c.subject_kind == "patient", patient(c, whose)))


def asked_for(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose requests that are about the account."""
    return sa.and_(c.subject_kind == "account", c.account_id == whose.account_id)


def passing(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose what was passed on of the patient's requests."""
    asked = _table("privacy_request")
    own = sa.select(asked.id).where(asked.organisation_id == whose.organisation_id, request(asked, whose))
    return sa.and_(c.request_id.in_(own))


def by(column: str) -> Way:
    """Return the way to rows that name the account in `column`, as an id or as text."""

    def way(c: Any, whose: Whose) -> ColumnElement[bool]:
        named = str(whose.account_id) if isinstance(c[column].type, sa.String) else whose.account_id
        return sa.and_(c[column] == named)

    return way


def kind_of_account(kind: str, name: str) -> Way:
    """Return the way to rows that name the account as text in `name`, and say in `kind` that it is one."""
    return lambda c, whose: sa.and_(c[kind] == "account", c[name] == str(whose.account_id))


def made_by(c: Any, whose: Whose) -> ColumnElement[bool]:
    """Choose rows that the account made."""
    return sa.and_(c.maker_kind == "account", c.maker_id == whose.account_id)
