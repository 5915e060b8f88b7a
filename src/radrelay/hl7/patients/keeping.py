"""The rows of patients: what a message says newer than what is known counts, what is older only fills what is empty."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.content import Adt, Patient, Visit
from radrelay.hl7.errors import MergeOlder
from radrelay.hl7.models import Hl7Patient
from radrelay.storage.ids import new_id

MOST_FORMER = 5
LONGEST_CHAIN = 32
FORGOTTEN_AT_ONCE = 500
Key = tuple[str, str]
"""Issuer and patient ID."""
_FIND = sa.select(Hl7Patient).where(
    Hl7Patient.organisation_id == sa.bindparam("organisation"), Hl7Patient.issuer == sa.bindparam("issuer"),
    Hl7Patient.patient_id == sa.bindparam("patient"),
)  # fmt: skip
"""Made once: to make it takes longer than to ask it, and each message asks several times."""
_KNOWN = "hl7 patients"


@dataclass(frozen=True, slots=True)
class Saying:
    """Which message says something: whose, by which port, and when it was said."""

    organisation_id: uuid.UUID
    message_id: uuid.UUID
    port: str
    at: datetime
    now: datetime


def find_patient(session: Session, organisation_id: uuid.UUID, key: Key) -> Hl7Patient | None:
    """Return what is known of an issuer's patient ID; a transaction asks once for each, for several handlers ask."""
    known: dict[tuple[uuid.UUID, str, str], Hl7Patient] = session.info.setdefault(_KNOWN, {})
    row = known.get((organisation_id, *key))
    if row is None or row not in session:  # or it was new in what was rolled back
        row = session.scalar(_FIND, {"organisation": organisation_id, "issuer": key[0], "patient": key[1]})
        if row is not None:
            known[organisation_id, key[0], key[1]] = row
    return row


def survivor(session: Session, row: Hl7Patient) -> Hl7Patient:
    """Return the patient that this one has become, by however many merges; itself if it was not merged."""
    seen = {row.id}
    for _ in range(LONGEST_CHAIN):
        if not row.into_patient_id:
            return row
        following = find_patient(session, row.organisation_id, (row.into_issuer, row.into_patient_id))
        if following is None or following.id in seen:
            return row
        row = following
        seen.add(row.id)
    return row


def survivors(session: Session, rows: Sequence[Hl7Patient]) -> list[Hl7Patient]:
    """Return the patients that some have become, one organisation's, in their order; asked for all at once by merges.

    As `survivor`: itself where it was not merged, and where a chain leads nowhere or round as far as it was gone.
    """
    found, seen = list(rows), [{row.id} for row in rows]
    going = {at for at, row in enumerate(rows) if row.into_patient_id}
    for _ in range(LONGEST_CHAIN):
        if not going:
            break
        wanted = sorted({(found[at].into_issuer, found[at].into_patient_id) for at in going})
        asked = sa.select(Hl7Patient).where(
            Hl7Patient.organisation_id == rows[0].organisation_id,
            sa.tuple_(Hl7Patient.issuer, Hl7Patient.patient_id).in_(wanted),
        )
        known = {(row.issuer, row.patient_id): row for row in session.scalars(asked)}
        for at in sorted(going):
            following = known.get((found[at].into_issuer, found[at].into_patient_id))
            if following is None or following.id in seen[at]:
                going.discard(at)
                continue
            found[at] = following
            seen[at].add(following.id)
            if not following.into_patient_id:
                going.discard(at)
    return found


def keep_demographics(session: Session, saying: Saying, patient: Patient) -> Hl7Patient:
    """Note what is said of a patient, and return the row; what is older than that changes nothing."""
    row = find_patient(session, saying.organisation_id, patient.key)
    if row is None:
        row = _begin(session, saying, patient)
    if _is_older(saying, row, row.told_at, row.port):
        return row
    before = told(row)
    for name, value in _said(patient).items():
        if value or name in patient.cleared:
            setattr(row, name, value)
    if any(before.values()) and before != told(row):
        _remember(row, before)
    known = [[one.value, one.authority.name, one.kind] for one in patient.identifiers]
    row.identifiers = json.dumps(known, ensure_ascii=False)
    row.authority = patient.authority.text or row.authority
    row.told_at, row.port = saying.at, saying.port
    row.message_id, row.changed_at = saying.message_id, saying.now
    return row


def keep_visit(session: Session, saying: Saying, row: Hl7Patient, adt: Adt) -> None:
    """Note where a patient is; what is older than what is known changes nothing."""
    if row.visit_at is not None and saying.at < row.visit_at:
        return
    if adt.event in ("add-person", "update-person", "merge", "change-id"):
        return
    other = bool(adt.visit.number and row.visit_number and adt.visit.number != row.visit_number)
    if adt.event in ("cancel-admit", "discharge", "cancel-discharge") and other:
        return  # of another visit than the one that is known
    if adt.event == "cancel-admit":
        _set_visit(row, Visit())
    else:
        if other:
            _set_visit(row, Visit())
        _set_visit(row, adt.visit, keep=True)
    if adt.event == "discharge":
        row.discharged_at = adt.visit.discharged_at or adt.happened_at or saying.at
    elif adt.event != "update":
        row.discharged_at = None
    row.visit_at, row.message_id, row.changed_at = saying.at, saying.message_id, saying.now


def keep_merge(session: Session, saying: Saying, row: Hl7Patient, prior: Patient) -> Hl7Patient:
    """Note that an ID is no more and which goes on; returns the row of the one that is no more.

    Raises `MergeOlder` where it was said later that the other way round is right, or another ID goes on.
    """
    gone = find_patient(session, saying.organisation_id, prior.key)
    if gone is None:
        gone = _begin(session, saying, prior)
        gone.name = prior.name
    elif _is_older(saying, gone, gone.merged_at, gone.into_port):
        raise MergeOlder
    if row.into_patient_id:
        if _is_older(saying, row, row.merged_at, row.into_port):
            raise MergeOlder
        row.into_issuer = row.into_patient_id = row.into_port = ""
        row.merged_at = None
    gone.into_issuer, gone.into_patient_id = row.issuer, row.patient_id
    gone.merged_at, gone.into_port = saying.at, saying.port
    gone.message_id, gone.changed_at = saying.message_id, saying.now
    row.changed_at = saying.now
    session.flush()
    return gone


def told(row: Hl7Patient) -> dict[str, str]:
    """Return what says who a patient is: name, birth date as YYYYMMDD, sex."""
    born = "" if row.birth_date is None else f"{row.birth_date:%Y%m%d}"
    return {"name": row.name, "birth_date": born, "sex": row.sex}


def ever_told(row: Hl7Patient) -> list[Mapping[str, str]]:
    """Return what says who a patient is, now and before."""
    return [told(row), *json.loads(row.former)]


def forget_patients(session: Session, now: datetime, keep_days: int) -> int:
    """Delete rows that no message has changed for so long; returns how many."""
    over = sa.select(Hl7Patient.id).where(Hl7Patient.changed_at < now - timedelta(days=keep_days))
    ids = list(session.scalars(over.limit(FORGOTTEN_AT_ONCE)))
    if ids:
        session.execute(sa.delete(Hl7Patient).where(Hl7Patient.id.in_(ids)))
    return len(ids)


def _is_older(saying: Saying, row: Hl7Patient, known_at: datetime | None, port: str) -> bool:
    """Say whether something was said before what is known: by one sender's clock, else by what is not in the future."""
    if known_at is None:
        return False
    return saying.at < (known_at if port == saying.port else min(known_at, row.changed_at))


def _begin(session: Session, saying: Saying, patient: Patient) -> Hl7Patient:
    """Add a row for a patient of whom nothing was known."""
    row = Hl7Patient(
        id=new_id(), organisation_id=saying.organisation_id, issuer=patient.issuer, patient_id=patient.patient_id,
        name="", birth_date=None, sex="", account_number="", identifiers="[]", former="[]", patient_class="", ward="",
        room="", bed="", facility="", visit_number="", admitted_at=None, discharged_at=None, into_issuer="",
        authority="", into_patient_id="", into_port="", merged_at=None, port=saying.port, message_id=saying.message_id,
        told_at=None, visit_at=None, changed_at=saying.now,
    )  # fmt: skip
    session.add(row)
    session.info.setdefault(_KNOWN, {})[row.organisation_id, row.issuer, row.patient_id] = row
    return row


def _said(patient: Patient) -> dict[str, str | date | None]:
    return {
        "name": patient.name, "birth_date": patient.birth_date, "sex": patient.sex[:1],
        "account_number": patient.account_number[:200],
    }  # fmt: skip


def _remember(row: Hl7Patient, before: dict[str, str]) -> None:
    former = [one for one in json.loads(row.former) if one not in (before, told(row))]
    row.former = json.dumps([before, *former][:MOST_FORMER], ensure_ascii=False)


def _set_visit(row: Hl7Patient, visit: Visit, *, keep: bool = False) -> None:
    """Write a visit; `keep`: what it does not say stays, but a ward brings its own room and bed."""
    if keep and visit.ward:
        row.ward, row.room, row.bed = visit.ward[:100], visit.room[:100], visit.bed[:100]
    values = {
        "patient_class": visit.patient_class[:20], "ward": visit.ward[:100], "room": visit.room[:100],
        "bed": visit.bed[:100], "facility": visit.facility[:100], "visit_number": visit.number[:100],
        "admitted_at": visit.admitted_at,
    }  # fmt: skip
    for name, value in values.items():
        if value or not keep:
            setattr(row, name, value)
