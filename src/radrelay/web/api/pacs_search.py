"""Archives elsewhere searched by who may fetch from them: studies of several at once, merged, and their series."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.archive.models import Study
from radrelay.retrieve import nodes, searching
from radrelay.retrieve.asking import require_narrow
from radrelay.retrieve.errors import Broken, PacsNotFound
from radrelay.retrieve.ports import FoundStudy, Order, PacsNode, Wanted
from radrelay.retrieve.schedules import cached
from radrelay.web import trail
from radrelay.web.api.studies import Patient, shown_patient
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.fetching import ARCHIVES, archives_of, reached, within_reach
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/pacs", tags=["pacs"])
UID = r"^[0-9]+(\.[0-9]+)*$"


class Search(BaseModel):
    """What is looked for, and where; no `pacs`: in all that the caller may search. Dates are both inclusive.

    `cached`: answer at once from what schedules keep here of these archives, and ask none of them.
    """

    model_config = ConfigDict(extra="forbid")

    pacs: list[uuid.UUID] = Field([], max_length=50)
    patient_id: str = Field("", max_length=64)
    patient_name: str = Field("", max_length=200)
    birth_date: date | None = None
    accession_number: str = Field("", max_length=16)
    study_uid: str = Field("", max_length=64, pattern=rf"^$|{UID}")
    since: date | None = None
    until: date | None = None
    modalities: list[str] = Field([], max_length=20)
    description: str = Field("", max_length=64)
    cached: bool = False


class SearchedStudy(BaseModel):
    """A study that archives have. `here` is its id if it is here and the caller may see it, `here_instances` of it.

    `disagree`: the archives name different patients for it. `as_of`: it is told of by a cache, which fetched it then.
    """

    model_config = ConfigDict(from_attributes=True)

    pacs: list[uuid.UUID]
    disagree: bool
    study_uid: str
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: str
    sex: str
    accession_number: str
    study_date: str
    study_time: str
    description: str
    modalities: list[str]
    series: int | None
    instances: int | None
    availability: str
    here: uuid.UUID | None = None
    here_instances: int | None = None
    as_of: datetime | None = None


class Asked(BaseModel):
    """How one archive answered; `more`: it has more than it was asked for."""

    pacs: uuid.UUID
    found: int
    more: bool
    unreadable: int
    error: Trouble | None


class Searched(BaseModel):
    """What a search brought, newest studies first."""

    studies: list[SearchedStudy]
    asked: list[Asked]


class OfStudy(BaseModel):
    """A study of an archive."""

    model_config = ConfigDict(extra="forbid")

    study_uid: str = Field(max_length=64, pattern=UID)
    patient_id: str = Field("", max_length=64)


class SearchedSeries(BaseModel):
    """A series of an archive."""

    model_config = ConfigDict(from_attributes=True)

    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instances: int | None


class SeriesSearched(BaseModel):
    """The series of a study, by number; `error` says why the archive did not tell them."""

    series: list[SearchedSeries]
    error: Trouble | None = None


@router.post("/search")
def search(request: Request, services: Services, principal: Authenticated, wanted: Search) -> Searched:
    """Search archives at once and merge what they answer; on record with what was looked for."""
    connector, settings = archives_of(services), services.settings.retrieve
    asked = Wanted(**wanted.model_dump(exclude={"pacs", "modalities", "cached"}), modalities=tuple(wanted.modalities))
    require_narrow(asked)
    with services.database.write() as session:
        targets = _targets(services, session, principal, wanted.pacs)
        detail = {"pacs": [one.name for one in targets], "by": _named(wanted)}
        patient = ("", wanted.patient_id, wanted.patient_name) if wanted.patient_id or wanted.patient_name else None
        trail.write(session, trail.event(request, principal, "pacs.search", detail=detail, patient=patient))
    if wanted.cached:
        return _kept_here(services, principal, targets, asked)
    within_s = settings.search_timeout_s + settings.connect_timeout_s
    result = searching.search(targets, lambda one: connector.search(one, asked, settings.search_limit), within_s)
    with services.database.read() as session:
        hidden = access.kept_from(session, principal, now=services.clock.now())
        shown = [one for one in result.studies if not hidden(one.study.study_uid, one.study.patient_id)]
        here = _here(services, session, principal, [one.study.study_uid for one in shown])
    return Searched(
        studies=[_shown(one, here) for one in shown],
        asked=[
            Asked(pacs=one.pacs, found=one.found, more=one.more, unreadable=one.unreadable,
                  error=Trouble.shown(one.trouble))
            for one in result.asked
        ],
    )  # fmt: skip


@router.post("/{pacs_id}/series")
def series(services: Services, principal: Authenticated, pacs_id: uuid.UUID, wanted: OfStudy) -> SeriesSearched:
    """List the series of a study that an archive has."""
    connector = archives_of(services)
    with services.database.read() as session:
        node = nodes.node_of(reached(services, session, principal, pacs_id))
    try:
        found = connector.series(node, Order(wanted.study_uid, patient_id=wanted.patient_id))
    except Broken as broken:
        return SeriesSearched(series=[], error=Trouble.shown(broken.trouble))
    ordered = sorted(found, key=lambda one: (one.number is None, one.number or 0, one.series_uid))
    return SeriesSearched(series=[SearchedSeries.model_validate(one) for one in ordered])


def _kept_here(
    services: WebServices, principal: Principal, targets: list[PacsNode], asked: Wanted
) -> Searched:  # fmt: skip
    """Return what caches keep here of these archives, as far as the caller sees it."""
    with services.database.read() as session:
        kept = cached.cached_from(session, principal.organisation_id, [one.id for one in targets])
        reach = Reach.of(services, session, principal, Right.SEE)
        studies, uids = list[SearchedStudy](), sorted(kept)
        for start in range(0, len(uids), 500):
            named = [Study.study_uid.in_(uids[start : start + 500])]
            for row in reach.newest_studies(named, 500):
                study = _found(row, shown_patient(row, reach.scope))
                if cached.is_wanted(study, asked):
                    of = kept[row.study_uid]
                    merged = searching.Merged(study, (of.pacs_id,))
                    found = _shown(merged, {row.study_uid: (row.id, row.instance_count)})
                    studies.append(found.model_copy(update={"as_of": of.at}))
    studies.sort(key=lambda one: (one.study_date, one.study_time, one.study_uid), reverse=True)
    return Searched(studies=studies, asked=[])


def _found(row: Study, patient: Patient) -> FoundStudy:
    """Return a study that is here as an archive would tell of it; whose it is, as the caller may know."""
    return FoundStudy(
        row.study_uid, patient.id, patient.issuer, patient.name,
        patient.birth_date.strftime("%Y%m%d") if patient.birth_date else "", patient.sex, row.accession_number,
        row.study_date.strftime("%Y%m%d") if row.study_date else "",
        row.study_time.strftime("%H%M%S") if row.study_time else "", row.description,
        tuple(one for one in row.modalities.split("\\") if one), row.series_count, row.instance_count, "ONLINE",
    )  # fmt: skip


def _targets(services: WebServices, session: Session, principal: Principal, wanted: list[uuid.UUID]) -> list[PacsNode]:
    """Return the archives to ask; raises `PacsNotFound` and `PacsDisabled` for one that is named, `PacsInvalid`."""
    if wanted:
        rows = [reached(services, session, principal, one) for one in dict.fromkeys(wanted)]
    else:
        rows = [row for row in within_reach(services, session, principal) if row.enabled and row.kind in ARCHIVES]
    if not rows:
        raise PacsNotFound("there is no archive that you may search")
    return [nodes.node_of(row) for row in rows]


def _named(wanted: Search) -> list[str]:
    """Return what was looked for by, not what: the record holds the patient apart."""
    return sorted(name for name, value in wanted.model_dump(exclude={"pacs", "cached"}).items() if value)


def _here(
    services: WebServices, session: Session, principal: Principal, study_uids: list[str]
) -> dict[str, tuple[uuid.UUID, int]]:
    """Return which of these studies are here as far as the caller sees them: their id and number of instances."""
    found: dict[str, tuple[uuid.UUID, int]] = {}
    reach = Reach.of(services, session, principal, Right.SEE)
    for start in range(0, len(study_uids), 500):
        named = [Study.study_uid.in_(study_uids[start : start + 500])]
        for row in reach.newest_studies(named, 500):
            found[row.study_uid] = (row.id, row.instance_count)
    return found


def _shown(one: searching.Merged, here: dict[str, tuple[uuid.UUID, int]]) -> SearchedStudy:
    known = here.get(one.study.study_uid)
    told = {name: getattr(one.study, name) for name in FoundStudy.__dataclass_fields__ if name != "modalities"}
    return SearchedStudy(
        **told,
        modalities=list(one.study.modalities),
        pacs=list(one.pacs),
        disagree=one.disagree,
        here=known[0] if known else None,
        here_instances=known[1] if known else None,
    )
