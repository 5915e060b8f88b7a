"""The study list, one study with its series, attachments and holdings; deleting, holding, downloading."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from radrelay.access import Principal, Right, Scope
from radrelay.archive import holdings
from radrelay.archive.errors import IdentityHidden
from radrelay.archive.models import Study as StudyTable
from radrelay.archive.query import DateRange, IndexedStudy, Sort, StudyQuery, Window
from radrelay.archive.search import find_studies
from radrelay.web import study_rows, trail
from radrelay.web.aliases import alias_of, reference_of
from radrelay.web.answering import json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/studies", tags=["studies"])
_OF_SERIES = ("id", "modality", "number", "description", "body_part", "laterality", "instance_count", "frame_count",
              "bytes", "pictured")  # fmt: skip
Text = Annotated[str, Field(max_length=200)]
LocalTime = Annotated[  # without a zone, as DICOM has it; JSON Schema's "time" demands one
    time, WithJsonSchema({"type": "string", "pattern": r"^\d{2}:\d{2}:\d{2}(\.\d+)?$"})
]
SORTS: dict[str, Sort] = {"study_date": "date", "received": "received", "name": "name", "expires": "expires"}
SortName = Literal["", "study_date", "-study_date", "received", "-received", "name", "-name", "expires", "-expires"]


class StudySearch(BaseModel):
    """What to look for; `*` and `?` stand for any characters. A minus before the order's name turns it round."""

    model_config = ConfigDict(extra="forbid")

    text: Text = ""
    name: Text = ""
    patient_id: Text = ""
    issuer: Text = ""
    birth_date: date | None = None
    accession: Text = ""
    modality: list[Annotated[str, Field(max_length=16)]] = Field([], max_length=50)
    date_from: date | None = None
    date_to: date | None = None
    description: Text = ""
    study_uid: Text = ""
    sort: SortName = "-received"
    limit: int = Field(50, ge=1, le=500)
    cursor: str = Field("", max_length=1000)


class Patient(BaseModel):
    """Whom a study is of, as one issuer of patient IDs knows them."""

    name: str
    id: str
    issuer: str
    birth_date: date | None
    sex: str


class Study(BaseModel):
    """A study as the list shows it."""

    id: uuid.UUID
    study_uid: str
    patient: Patient
    study_date: date | None
    study_time: LocalTime | None
    accession_number: str
    description: str
    modalities: list[str]
    series_count: int
    instance_count: int
    bytes: int
    state: str
    first_received_at: datetime
    last_received_at: datetime
    expires_at: datetime | None
    ceiling_at: datetime | None
    held: bool
    sources: list[str]


class Studies(BaseModel):
    """A page of the list; `total_capped` says that there are more than `total`."""

    studies: list[Study]
    next_cursor: str | None
    total: int
    total_capped: bool


class View(BaseModel):
    """A radiograph of a series: its view, such as MLO or PA (" modified" behind a special one), and side R, L or B."""

    instance_id: uuid.UUID
    view: str
    side: str


class SeriesListed(BaseModel):
    """A series of a study; `pictured` says whether any of its objects has rows and columns of pixels.

    Protocol, orientation (of the first plane) and frame of reference are those of the series' first object;
    `views` lists the radiographs whose view or side is known.
    """

    id: uuid.UUID
    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    laterality: str
    instance_count: int
    frame_count: int
    bytes: int
    pictured: bool
    protocol: str
    orientation: list[float]
    frame_of_reference: str | None
    views: list[View]


class AttachmentListed(BaseModel):
    """A file that came with a study and is not DICOM."""

    id: uuid.UUID
    file_name: str
    file_size: int
    file_type: str
    received_at: datetime


class HoldingListed(BaseModel):
    """A source's claim on the study, and when it ends."""

    id: uuid.UUID
    source: str
    received_at: datetime
    expires_at: datetime | None
    ceiling_at: datetime | None
    hold_until: datetime | None
    hold_reason: str


class StudyDetail(Study):
    """A study with what it has."""

    series: list[SeriesListed]
    attachments: list[AttachmentListed]
    holdings: list[HoldingListed]


def shown(row: IndexedStudy, scope: Scope, sources: list[str]) -> dict[str, object]:
    """Return the fields of `Study`, the patient by alias where the scope says so."""
    clear = scope.identity == "clear"
    return {
        "id": row.id,
        "study_uid": row.study_uid if clear else "",
        "patient": _patient_fields(row, scope),
        "study_date": row.study_date,
        "study_time": row.study_time if clear else None,
        "accession_number": row.accession_number if clear else "",
        "description": row.description,
        "modalities": [part for part in row.modalities.split("\\") if part],
        "series_count": row.series_count,
        "instance_count": row.instance_count,
        "bytes": row.bytes,
        "state": row.state,
        "first_received_at": row.first_received_at,
        "last_received_at": row.last_received_at,
        "expires_at": row.expires_at,
        "ceiling_at": row.ceiling_at,
        "held": row.held,
        "sources": sources,
    }


def shown_patient(row: IndexedStudy, scope: Scope) -> Patient:
    """Return whom a study is of, by alias where the scope says so."""
    return Patient.model_validate(_patient_fields(row, scope))


def _patient_fields(row: IndexedStudy, scope: Scope) -> dict[str, object]:
    if scope.identity != "clear":
        alias = alias_of(row.organisation_id, row.patient_id)
        return {"name": alias, "id": alias, "issuer": "", "birth_date": None, "sex": row.patient_sex}
    return {
        "name": row.patient_name,
        "id": row.patient_id_value,
        "issuer": row.patient_issuer,
        "birth_date": row.patient_birth_date,
        "sex": row.patient_sex,
    }


@router.get("", response_model=Studies)
def list_studies(
    request: Request, services: Services, principal: Authenticated, wanted: Annotated[StudySearch, Query()]
) -> Response:
    """Search the list. One event per login and search is on record, without what was searched for."""
    now = services.clock.now()
    sort = wanted.sort or "-received"
    window = Window(SORTS[sort.lstrip("-")], sort.startswith("-"), wanted.limit, cursor=wanted.cursor)
    given = wanted.model_dump(mode="json", exclude_unset=True, exclude={"sort", "limit", "cursor"})
    fields = sorted(name for name, value in given.items() if value)
    distinct = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()
    record = trail.event(request, principal, "study.search", detail={"by": fields})
    trail.seen(services.database, principal, record, distinct)
    with services.database.read() as session:
        scope = Reach(session, principal, Right.SEE, now).scope
        if scope.identity != "clear" and (_names_a_patient(wanted) or window.sort == "name"):
            raise IdentityHidden
        page = find_studies(
            session, principal.organisation_id, _query(wanted), scope.listed(session, StudyTable.id), now, window
        )
        names = study_rows.source_names(session, [row.id for row in page.studies], now)
    return json_answer(
        {
            "studies": [shown(row, scope, names.get(row.id, [])) for row in page.studies],
            "next_cursor": page.next_cursor,
            "total": page.total,
            "total_capped": page.total_is_least,
        }
    )


def _names_a_patient(wanted: StudySearch) -> bool:
    by = (wanted.text, wanted.name, wanted.patient_id, wanted.issuer, wanted.birth_date, wanted.accession)
    return any(by) or bool(wanted.study_uid)


def _query(wanted: StudySearch) -> StudyQuery:
    dates = DateRange(wanted.date_from, wanted.date_to) if wanted.date_from or wanted.date_to else None
    pattern = any(sign in wanted.name for sign in "*?")
    return StudyQuery(
        text=wanted.text,
        name=wanted.name if pattern else "",
        name_words="" if pattern else wanted.name,
        patient_id=wanted.patient_id,
        issuer=wanted.issuer,
        birth_date=DateRange(wanted.birth_date, wanted.birth_date) if wanted.birth_date else None,
        accession=wanted.accession,
        modalities=tuple(sorted({one.strip().upper() for one in wanted.modality if one.strip()})),
        dates=dates,
        description_words=wanted.description,
        study_uids=(wanted.study_uid,) if wanted.study_uid else (),
    )


@router.get("/{study_id}", response_model=StudyDetail)
def study(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """Show a study with its series, attachments and holdings."""
    return json_answer(detail(request, services, principal, study_id))


def detail(request: Request, services: WebServices, principal: Principal, study_id: uuid.UUID) -> dict[str, Any]:
    """Return the fields of `StudyDetail`; that the study is opened is on record then."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        found = reach.study(study_id)
        row = study_rows.study_row(session, study_id)
        series = study_rows.series_rows(session, study_id, reach.scope)
        views = study_rows.views(session, series)
        held = study_rows.holding_rows(session, study_id, reach.now)
        clear = reach.scope.identity == "clear"
        attachments = study_rows.attachment_rows(session, study_id, reach.now) if clear else []
    if principal.kind == "link":
        held, attachments = [], []  # where it came from and what lies beside it was not shared
    record = trail.event(request, principal, "study.open", ("study", study_id), patient=found.patient)
    trail.seen(services.database, principal, record)
    reference = partial(reference_of, services, principal.organisation_id, clear=clear)
    return {
        **shown(row, reach.scope, sorted({one.source for one in held})),
        **(of_series(series) if principal.kind == "link" else {}),
        "series": [_series(reference, one, views.get(one.id, []), clear=clear) for one in series],
        "attachments": [_fields(AttachmentListed, one) for one in attachments],
        "holdings": [
            _fields(HoldingListed, one)
            | {"hold_until": None if one.hold_until == holdings.WITHOUT_END else one.hold_until}
            for one in held
        ],
    }


def of_series(series: Sequence[Any]) -> dict[str, object]:
    """Return the fields of `Study` for who was given these series alone: theirs, and nothing of the housekeeping."""
    return {
        "modalities": sorted({one.modality for one in series if one.modality}),
        "series_count": len(series),
        "instance_count": sum(one.instance_count for one in series),
        "bytes": sum(one.bytes for one in series),
        "expires_at": None,
        "ceiling_at": None,
        "held": False,
    }


def _series(told: Callable[[str], str | None], row: Any, views: Sequence[Any], *, clear: bool) -> dict[str, object]:
    """Return the fields of `SeriesListed`."""
    protocol, reference = study_rows.series_texts(row.attributes)
    return {
        **{name: getattr(row, name) for name in _OF_SERIES},
        "series_uid": row.series_uid if clear else "",
        "protocol": protocol,
        "orientation": study_rows.cosines(row.orientation),
        "frame_of_reference": told(reference),
        "views": [{"instance_id": one.id, "view": one.view, "side": one.side} for one in views],
    }


def _fields(shape: type[BaseModel], row: Any) -> dict[str, object]:
    """Return the columns of `row` that `shape` has."""
    return {name: getattr(row, name) for name in shape.model_fields}
