"""Worklists elsewhere: who may fetch asks them whom and what something belongs to; nothing of it is kept."""

from __future__ import annotations

import uuid
from datetime import date

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Principal
from radrelay.retrieve import nodes
from radrelay.retrieve.errors import Broken, PacsNotFound, RetrieveOff
from radrelay.retrieve.ports import PacsNode
from radrelay.retrieve.worklist import Items, WantedItems, WorklistItem, require_narrow
from radrelay.web import trail
from radrelay.web.api.pacs_search import Asked
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.fetching import WORKLIST, reached, within_reach
from radrelay.web.problems import Trouble
from radrelay.web.services import WebServices

router = APIRouter(prefix="/worklists", tags=["pacs"])


class WorklistSearch(BaseModel):
    """What is looked for, and where; no `worklists`: in all that the caller may ask."""

    model_config = ConfigDict(extra="forbid")

    worklists: list[uuid.UUID] = Field([], max_length=20)
    patient_id: str = Field("", max_length=64)
    patient_name: str = Field("", max_length=200)
    accession_number: str = Field("", max_length=16)
    day: date | None = None
    modality: str = Field("", max_length=16)


class SearchedItem(BaseModel):
    """A scheduled step; `worklist` tells of it, `date` and `time` are of its beginning (YYYYMMDD, HHMMSS)."""

    model_config = ConfigDict(from_attributes=True)

    worklist: uuid.UUID
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: str
    sex: str
    accession_number: str
    study_uid: str
    procedure: str
    procedure_id: str
    modality: str
    station_ae_title: str
    date: str
    time: str
    description: str
    step_id: str


class WorklistSearched(BaseModel):
    """What a search brought, in the order of the steps' beginning."""

    items: list[SearchedItem]
    asked: list[Asked]


@router.post("/search")
def search_worklists(
    request: Request, services: Services, principal: Authenticated, wanted: WorklistSearch
) -> WorklistSearched:
    """Ask worklists for scheduled steps; on record with what was looked for."""
    if services.worklists is None:
        raise RetrieveOff
    asked = WantedItems(**wanted.model_dump(exclude={"worklists"}))
    require_narrow(asked)
    with services.database.write() as session:
        targets = _targets(services, session, principal, wanted.worklists)
        by = sorted(name for name, value in wanted.model_dump(exclude={"worklists"}).items() if value)
        detail = {"pacs": [one.name for one in targets], "by": by}
        patient = ("", wanted.patient_id, wanted.patient_name) if wanted.patient_id or wanted.patient_name else None
        trail.write(session, trail.event(request, principal, "pacs.worklist", detail=detail, patient=patient))
    items: list[tuple[PacsNode, WorklistItem]] = []
    told = []
    for node in targets:
        found, trouble = Items(()), None
        try:
            found = services.worklists.items(node, asked, services.settings.retrieve.search_limit)
        except Broken as broken:
            trouble = broken.trouble
        items += ((node, one) for one in found.found)
        count = len(found.found)
        told.append(Asked(pacs=node.id, found=count, more=found.more, unreadable=found.unreadable,
                          error=Trouble.shown(trouble)))  # fmt: skip
    with services.database.read() as session:
        hidden = access.kept_from(session, principal, now=services.clock.now())
    shown = [(node, one) for node, one in items if not hidden(one.study_uid, one.patient_id)]
    shown.sort(key=lambda pair: (pair[1].date, pair[1].time, pair[1].patient_name))
    fields = WorklistItem.__dataclass_fields__
    return WorklistSearched(
        items=[SearchedItem(worklist=node.id, **{name: getattr(one, name) for name in fields}) for node, one in shown],
        asked=told,
    )


def _targets(services: WebServices, session: Session, principal: Principal, wanted: list[uuid.UUID]) -> list[PacsNode]:
    """Return the worklists to ask; raises `PacsNotFound` and `PacsDisabled` for one that is named."""
    if wanted:
        rows = [reached(services, session, principal, one, WORKLIST) for one in dict.fromkeys(wanted)]
    else:
        rows = [row for row in within_reach(services, session, principal) if row.enabled and row.kind in WORKLIST]
    if not rows:
        raise PacsNotFound("there is no worklist that you may ask")
    return [nodes.node_of(row) for row in rows]
