"""The viewer's address as other systems call it: which studies it asks for, within reach.

Radrelay's own form names a study by its id or its Study Instance UID, an accession number or a patient; IHE Invoke
Image Display (RAD-106, RAD TF-2 4.106.4.1.2) names `requestType` with a study's or a patient's parameters. In: the
parameters. Out: the studies, the newest first. A patient ID or an accession number may be several people's, as
`archive.persons` tells them apart: they are all found, and a person chooses. Nothing is found by a pattern.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

import sqlalchemy as sa
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.sql import ColumnElement

from radrelay.access import Principal
from radrelay.archive.errors import IdentityHidden
from radrelay.archive.models import Series, Study
from radrelay.archive.persons import parted
from radrelay.archive.study_conditions import has_modality
from radrelay.archive.tables import STUDY
from radrelay.dicom.values import parse_date, parse_time
from radrelay.errors import Invalid, NotFound
from radrelay.web import trail
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

MOST_STUDIES = 200
NAMING = frozenset({"study", "accession", "patient", "studyUID", "accessionNumber", "patientID", "requestType"})
_UID = re.compile(r"[0-9.]{1,64}")


class AddressIncomplete(Invalid):
    """This address of the viewer names no study."""

    code = "view-address"


class NothingToView(NotFound):
    """No study here fits this address, or none that you may see."""

    code = "nothing-to-view"


class Address(BaseModel):
    """The parameters of an address of the viewer.

    `study` is an id or a Study Instance UID, `series` an id or a Series Instance UID; `accession` and `patient` are
    short for a requestType with accessionNumber or patientID. Lists stand between commas. A patient ID may carry its
    issuer as HL7's CX does: `ID^^^issuer` or `ID^^^&OID&ISO`. Unknown parameters are passed over, as IHE asks.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    study: str = Field("", max_length=64)
    series: str = Field("", max_length=64)
    accession: str = Field("", max_length=64)
    patient: str = Field("", max_length=400)
    request_type: Literal["", "STUDY", "PATIENT"] = Field("", alias="requestType")
    study_uid: str = Field("", alias="studyUID", max_length=4000)
    accession_number: str = Field("", alias="accessionNumber", max_length=4000)
    patient_id: str = Field("", alias="patientID", max_length=400)
    patient_birth_date: str = Field("", alias="patientBirthDate", max_length=10)
    most_recent: int | None = Field(None, alias="mostRecentResults", ge=1, le=1_000_000)
    modalities: str = Field("", alias="modalitiesInStudy", max_length=400)
    lower: str = Field("", alias="lowerDateTime", max_length=40)
    upper: str = Field("", alias="upperDateTime", max_length=40)
    viewer_type: str = Field("", alias="viewerType", max_length=64)
    diagnostic_quality: str = Field("", alias="diagnosticQuality", max_length=16)
    key_images_only: str = Field("", alias="keyImagesOnly", max_length=16)


@dataclass(frozen=True, slots=True)
class Found:
    """What an address leads to. `patients` counts whose the studies are; `more` says that there are further ones.

    `whose` says of each study, in their order, which of these people it is of, from 0 on. Where it is in doubt whether
    two are one, they count as two. `opens` is the study to show at once, none where a person has to choose.
    """

    studies: Sequence[Study]
    whose: Sequence[int]
    patients: int
    more: bool
    opens: uuid.UUID | None
    series: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The conditions of an address; `whole` says that they name studies themselves, not a patient's."""

    conditions: tuple[ColumnElement[bool], ...]
    names_identity: bool
    most: int = MOST_STUDIES


def names_something(query: Iterable[str]) -> bool:
    """Return whether one of these parameters' names says what is to be shown."""
    return not NAMING.isdisjoint(query)


def find(reach: Reach, address: Address) -> Found:
    """Return the studies that `address` asks for, within reach.

    Raises
    ------
    AddressIncomplete
        When it names none, or a value of it makes no sense.
    IdentityHidden
        When it names them by what the principal may not know.
    NothingToView
        When there are none.
    """
    asked = _asked(address)
    if asked.names_identity and reach.scope.identity != "clear":
        raise IdentityHidden
    rows = reach.newest_studies(asked.conditions, MOST_STUDIES + 1)
    if not rows:
        raise NothingToView
    told = rows if len(rows) <= MOST_STUDIES else reach.told(asked.conditions, MOST_STUDIES)
    patients = len(set(parted(told)))
    # why: the most recent studies of a patient are what was asked for; those of several people would be a guess
    shown = rows[: asked.most if patients == 1 else MOST_STUDIES]
    series = _series(reach, shown[0], address.series) if len(shown) == 1 and address.series else None
    opens = shown[0].id if len(shown) == 1 and patients == 1 else None
    more = len(rows) > len(shown) and asked.most == MOST_STUDIES
    return Found(shown, parted(shown), patients, more, opens, series)


def _asked(address: Address) -> _Asked:
    if address.study:
        own = _uuid(address.study)
        return _Asked((STUDY.c.id == own,), names_identity=False) if own else _by_uids(address.study)
    if address.request_type == "STUDY" or (
        not address.request_type and (address.study_uid or address.accession_number)
    ):
        if address.study_uid:
            return _by_uids(address.study_uid)
        return _by_accession(address.accession_number)
    if address.request_type == "PATIENT" or address.patient_id or address.patient:
        return _by_patient(address)
    return _by_accession(address.accession)


def _by_uids(text: str) -> _Asked:
    uids = _listed(text)
    if not all(_UID.fullmatch(uid) for uid in uids):
        raise AddressIncomplete("what names the study is neither an id nor a Study Instance UID", field="study")
    return _Asked((STUDY.c.study_uid.in_(uids),), names_identity=True)


def _by_accession(text: str) -> _Asked:
    return _Asked((STUDY.c.accession_number.in_(_listed(text)),), names_identity=True)


def _listed(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()][:MOST_STUDIES]
    if not found:
        raise AddressIncomplete
    return found


def _by_patient(address: Address) -> _Asked:
    conditions = [*_of_patient(address.patient_id or address.patient)]
    modalities = tuple(sorted({part.strip().upper() for part in address.modalities.split(",") if part.strip()}))
    if modalities:
        conditions.append(has_modality(modalities))
    if address.patient_birth_date:
        born = parse_date(address.patient_birth_date)
        if born is None:
            raise AddressIncomplete("patientBirthDate is no date", field="patientBirthDate")
        conditions.append(sa.or_(STUDY.c.patient_birth_date.is_(None), STUDY.c.patient_birth_date == born))
    for name, text, lower in (("lowerDateTime", address.lower, True), ("upperDateTime", address.upper, False)):
        if text:
            conditions.append(_bound(name, text, lower=lower))
    return _Asked(tuple(conditions), names_identity=True, most=min(address.most_recent or MOST_STUDIES, MOST_STUDIES))


def _of_patient(text: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a patient ID, with the issuer where it is given (HL7 CX: ID^^^namespace&OID&ISO)."""
    identifier, *rest = text.strip().split("^")
    if not identifier:
        raise AddressIncomplete("the address names no patient", field="patientID")
    conditions: list[ColumnElement[bool]] = [STUDY.c.patient_id_value == identifier]
    issuer = rest[2].strip() if len(rest) > 2 else ""
    parts = issuer.split("&")
    names = {issuer, parts[0], parts[1] if len(parts) > 1 else ""} - {""}
    if names:
        conditions.append(STUDY.c.patient_issuer.in_(sorted(names)))
    return conditions


def _bound(name: str, text: str, *, lower: bool) -> ColumnElement[bool]:
    """Return the condition that a study is not before, or not after, a date with or without a time (ISO 8601).

    Studies have local times without a zone, so one that is given is passed over.
    """
    day, _, clock = text.strip().replace(" ", "T").partition("T")
    found, at = parse_date(day), parse_time(clock) if clock else None
    if found is None or (clock and at is None):
        raise AddressIncomplete(f"{name} is no date and time", field=name)
    return _from(found, at) if lower else _until(found, at)


def _from(day: date, at: time | None) -> ColumnElement[bool]:
    if at is None:
        return STUDY.c.study_date >= day
    that_day = sa.and_(STUDY.c.study_date == day, sa.or_(STUDY.c.study_time.is_(None), STUDY.c.study_time >= at))
    return sa.or_(STUDY.c.study_date > day, that_day)


def _until(day: date, at: time | None) -> ColumnElement[bool]:
    if at is None:
        return STUDY.c.study_date <= day
    that_day = sa.and_(STUDY.c.study_date == day, sa.or_(STUDY.c.study_time.is_(None), STUDY.c.study_time <= at))
    return sa.or_(STUDY.c.study_date < day, that_day)


def _series(reach: Reach, study: Study, named: str) -> uuid.UUID | None:
    """Return the series of a study that an address names by id or UID; none if it has no such series."""
    own = _uuid(named)
    if own is None and reach.scope.identity != "clear":
        raise IdentityHidden
    condition = Series.id == own if own else Series.series_uid == named
    within = reach.scope.series_filter(Series.study_id, Series.id)
    return reach.session.scalar(sa.select(Series.id).where(Series.study_id == study.id, condition, within).limit(1))


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if "-" in text else None
    except ValueError:
        return None


def note_search(request: Request, services: WebServices, principal: Principal, address: Address) -> None:
    """Write that somebody asked for studies by an address, once per login and question, without its values."""
    given = address.model_dump(exclude_defaults=True, by_alias=True)
    distinct = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()
    record = trail.event(request, principal, "study.search", detail={"by": sorted(given), "from": "address"})
    trail.seen(services.database, principal, record, distinct)
