"""Restricted studies: made, lifted, listed; and what a study that arrives falls under.

Which studies are restricted stands in a table of its own, written in the transaction in which a study is indexed or a
restriction is made: nobody sees a study for a moment before it is hidden. The caller of `restrict` holds the archive's
lock, so that no study arrives between the two.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access.asked import BY_RULE, OWNER
from radrelay.access.models import Grant, Restricted, Restriction, RuleRelease
from radrelay.access.tables import HOLDING
from radrelay.errors import Invalid, NotFound
from radrelay.storage.columns import Id
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember

RestrictionKind = Literal["study", "patient", "source"]
MOST_LISTED = 1_000
_UIDS = sa.table(
    "study", sa.column("id", Id), sa.column("organisation_id", Id), sa.column("study_uid", sa.String),
    sa.column("patient_issuer", sa.String), sa.column("patient_id_value", sa.String),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be restricted: a Study Instance UID, a patient ID with its issuer, or a source's id as text."""

    kind: RestrictionKind
    value: str
    issuer: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RestrictionView:
    """A restriction, who made it, and how many studies that are here fall under it."""

    id: uuid.UUID
    kind: RestrictionKind
    value: str
    issuer: str
    reason: str
    made_by: str
    created_at: datetime
    studies: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A study that something has arrived of: whose it is, and the sources that hold it."""

    id: uuid.UUID
    study_uid: str
    issuer: str
    patient_id: str
    sources: frozenset[uuid.UUID]


def restrict(
    session: Session, organisation_id: uuid.UUID, wanted: Wanted, made_by: str, now: datetime
) -> RestrictionView:
    """Restrict studies that are here and that will come; what is restricted so already stays as it is.

    Raises `Invalid` for a value that names nothing.
    """
    value = wanted.value.strip()
    if not value or len(value) > 64:
        raise Invalid("a restriction names a study, a patient or a source", field="value")
    there = session.scalar(
        sa.select(Restriction).where(
            Restriction.organisation_id == organisation_id, Restriction.kind == wanted.kind,
            Restriction.value == value, Restriction.issuer == wanted.issuer, Restriction.barred.is_(False),
        )
    )  # fmt: skip
    if there is not None:
        return _views(session, [there])[0]
    row = Restriction(
        id=new_id(), organisation_id=organisation_id, kind=wanted.kind, value=value, issuer=wanted.issuer,
        reason=" ".join(wanted.reason.split())[:400], made_by=made_by[:200], created_at=now,
    )  # fmt: skip
    apply(session, row)
    keep(session, row)
    return _views(session, [row])[0]


def apply(session: Session, row: Restriction) -> None:
    """Write a new restriction and what is here of its studies."""
    session.add(row)
    session.flush()
    here = _studies_of(row)
    chosen = sa.select(
        here.c.id, sa.literal(row.id, Id), sa.literal(row.organisation_id, Id), sa.literal(row.barred, sa.Boolean)
    )
    columns = ["study_id", "restriction_id", "organisation_id", "barred"]
    session.execute(sa.insert(Restricted).from_select(columns, chosen))


def keep(session: Session, row: Restriction) -> None:
    """Remember a new restriction, so that no restored backup lacks it."""
    told = {str(column.name): getattr(row, column.key) for column in Restriction.__table__.columns}
    remember(session, row.organisation_id, "restrict", told)


def lift(session: Session, organisation_id: uuid.UUID, restriction_id: uuid.UUID) -> RestrictionView:
    """End a restriction and return it as it was; raises `NotFound`."""
    row = session.scalar(
        sa.select(Restriction).where(
            Restriction.organisation_id == organisation_id, Restriction.id == restriction_id,
            Restriction.barred.is_(False),
        )
    )  # fmt: skip
    if row is None:
        raise NotFound("there is no such restriction")
    view = _views(session, [row])[0]
    remove(session, row)
    remember(session, organisation_id, "lift", {"id": restriction_id})
    return view


def remove(session: Session, row: Restriction) -> None:
    """End a restriction of any kind."""
    session.execute(sa.delete(Restricted).where(Restricted.restriction_id == row.id))
    session.delete(row)
    session.flush()


def restrictions(session: Session, organisation_id: uuid.UUID) -> list[RestrictionView]:
    """Return the organisation's restrictions, the newest first; at most 1,000. Barred ones are `barring`'s."""
    mine = sa.select(Restriction).where(
        Restriction.organisation_id == organisation_id, Restriction.barred.is_(False)
    )  # fmt: skip
    return _views(session, session.scalars(mine.order_by(Restriction.created_at.desc()).limit(MOST_LISTED)).all())


def restrictions_on(session: Session, study_id: uuid.UUID) -> list[RestrictionView]:
    """Return the restrictions that a study falls under."""
    ids = sa.select(Restricted.restriction_id).where(Restricted.study_id == study_id, Restricted.barred.is_(False))
    return _views(session, session.scalars(sa.select(Restriction).where(Restriction.id.in_(ids))).all())


def restricted_of(session: Session, study_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of some studies fall under a restriction."""
    return set(session.scalars(sa.select(Restricted.study_id).where(Restricted.study_id.in_(study_ids))))


def fall_under(session: Session, organisation_id: uuid.UUID, arrived: Sequence[Arrived]) -> int:
    """Restrict what has arrived as the restrictions say, in the transaction that indexes it; returns how many rows."""
    named = {value for one in arrived for value in (one.study_uid, one.patient_id, *map(str, one.sources)) if value}
    if not named:
        return 0
    rules = session.scalars(
        sa.select(Restriction).where(Restriction.organisation_id == organisation_id, Restriction.value.in_(named))
    ).all()
    wanted = {(one.id, rule.id) for rule in rules for one in arrived if _covers(rule, one)}
    if not wanted:
        return 0
    there = session.execute(
        sa.select(Restricted.study_id, Restricted.restriction_id).where(
            Restricted.study_id.in_({study for study, _ in wanted})
        )
    )
    missing = wanted - {(study, rule) for study, rule in there}
    if missing:
        barred = {rule.id: rule.barred for rule in rules}
        rows = [
            {"study_id": s, "restriction_id": r, "organisation_id": organisation_id, "barred": barred[r]}
            for s, r in sorted(missing)
        ]
        session.execute(sa.insert(Restricted), rows)
    return len(missing)


def follow_patient(session: Session, organisation_id: uuid.UUID, corrected: Arrived) -> None:
    """Let a study whose patient was corrected fall under the restrictions of whom it is of now, and of no other."""
    of_patients = sa.select(Restriction.id).where(
        Restriction.organisation_id == organisation_id, Restriction.kind == "patient"
    )
    gone = sa.delete(Restricted).where(
        Restricted.study_id == corrected.id, Restricted.restriction_id.in_(of_patients)
    )  # fmt: skip
    session.execute(gone.execution_options(synchronize_session=False))
    fall_under(session, organisation_id, [corrected])


def patients_restricted(session: Session, organisation_id: uuid.UUID, issuer: str, patient_id: str) -> int:
    """Count the restrictions of a patient, barred ones too."""
    mine = sa.select(sa.func.count()).where(
        Restriction.organisation_id == organisation_id, Restriction.kind == "patient",
        Restriction.value == patient_id, Restriction.issuer == issuer,
    )  # fmt: skip
    return session.scalar(mine) or 0


def forget_study(session: Session, study_id: uuid.UUID) -> None:
    """Forget that a study is restricted whose row goes, what rules released of it, and who owned it.

    Its restriction stays, and so do the rules, for when it comes again.
    """
    session.execute(sa.delete(Restricted).where(Restricted.study_id == study_id))
    session.execute(sa.delete(RuleRelease).where(RuleRelease.study_id == study_id))
    by_rule = sa.and_(Grant.target_kind == "study", Grant.target_id == study_id, Grant.origin.in_((BY_RULE, OWNER)))
    session.execute(sa.delete(Grant).where(by_rule).execution_options(synchronize_session=False))


def shows(
    session: Session, organisation_id: uuid.UUID, columns: Any, *, restricted: bool = False
) -> ColumnElement[bool]:
    """Return the condition that an object that is no study's yet (in quarantine) falls under no restriction.

    `columns` has study_uid, patient_id_value and source_id; of a patient ID any issuer's counts. For who sees
    `restricted` ones only those count that no grant opens.
    """
    rules: dict[str, set[str]] = {"study": set(), "patient": set(), "source": set()}
    asked = sa.select(Restriction.kind, Restriction.value).where(Restriction.organisation_id == organisation_id)
    if restricted:
        asked = asked.where(Restriction.barred.is_(True))
    for kind, value in session.execute(asked):
        rules[kind].add(value)
    return sa.and_(
        columns.study_uid.not_in(rules["study"]),
        columns.patient_id_value.not_in(rules["patient"]),
        columns.source_id.not_in({uuid.UUID(one) for one in rules["source"]}),
    )


def _covers(rule: Restriction, one: Arrived) -> bool:
    match rule.kind:
        case "study":
            return rule.value == one.study_uid
        case "patient":
            return (rule.issuer, rule.value) == (one.issuer, one.patient_id)
    return rule.value in set(map(str, one.sources))


def _studies_of(row: Restriction) -> Any:
    study = _UIDS.alias()
    chosen = sa.select(study.c.id).where(study.c.organisation_id == row.organisation_id)
    match row.kind:
        case "study":
            chosen = chosen.where(study.c.study_uid == row.value)
        case "patient":
            chosen = chosen.where(study.c.patient_id_value == row.value, study.c.patient_issuer == row.issuer)
        case _:
            try:
                source = uuid.UUID(row.value)
            except ValueError as error:
                raise Invalid("a source is named by its id", field="value") from error
            held = sa.select(HOLDING.c.study_id).where(HOLDING.c.source_id == source)
            chosen = chosen.where(study.c.id.in_(held))
    return chosen.subquery()


def _views(session: Session, rows: Collection[Restriction]) -> list[RestrictionView]:
    counted = sa.select(Restricted.restriction_id, sa.func.count()).group_by(Restricted.restriction_id)
    ids = [row.id for row in rows]
    counts = dict(session.execute(counted.where(Restricted.restriction_id.in_(ids))).all()) if ids else {}
    return [
        RestrictionView(
            row.id, cast("RestrictionKind", row.kind), row.value, row.issuer, row.reason, row.made_by, row.created_at,
            counts.get(row.id, 0),
        )
        for row in rows
    ]  # fmt: skip
