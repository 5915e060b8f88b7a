"""A recipe of a portal, drafted from one walk through it: in the guide of an import, by administrators."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.importer import cases, reporting
from radrelay.importer.connectors.guided import guided_by
from radrelay.importer.import_errors import ImportElsewhere
from radrelay.importer.models import ImportCase
from radrelay.importer.recipes.errors import WalkBusy, WalkTooLarge
from radrelay.importer.recipes.recording import Recorded
from radrelay.importer.recipes.walked import Walked, record_walked
from radrelay.web import trail
from radrelay.web.api.recipes import FaultShown, Said, SelfTest
from radrelay.web.authentication import Administrator, Services
from radrelay.web.importing import reached_case
from radrelay.web.services import WebServices
from radrelay.web.uploads import BodyPieces, UploadTooLarge, announced_bytes

router = APIRouter(tags=["imports"])
WALK_BYTES = 64 << 20
_one_walk = threading.Lock()  # one is in memory at a time
_WALK_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class RecipeDraft(BaseModel):
    """A draft: its text as a file, what it asks of whom, and what a person must still look at.

    `broken`: why it is no recipe as it stands; else `tests` is what its self-test comes to.
    """

    text: str
    name: str
    hosts: list[str]
    steps: list[str]
    questions: list[str]
    notes: list[Said]
    broken: list[FaultShown]
    tests: list[SelfTest]


@router.post("/imports/{case_id}/recipe", openapi_extra=_WALK_BODY)
async def record_recipe(
    request: Request,
    services: Services,
    principal: Administrator,
    case_id: uuid.UUID,
    name: Annotated[str, Query(max_length=100)] = "",
    entered_code: Annotated[str, Header(max_length=1000)] = "",
) -> RecipeDraft:
    """Draft a recipe from a walk through the portal of an import that is fetched by hand: a HAR file of at most 64 MB.

    `Entered-Code`: what was entered at the portal, percent-encoded, if it stands neither in the link nor in the
    import's answers. Nothing of the walk is kept.
    """
    work = partial(_recorded, request, services, principal, case_id, name.strip(), unquote(entered_code).strip())
    made = await services.upload_threads.run(work)
    return RecipeDraft(
        text=made.text, name=str(made.told["name"]), hosts=list(made.told["hosts"]),
        steps=[str(one["name"]) for one in made.told["step"]],
        questions=[str(one["name"]) for one in made.told.get("ask", ())], notes=[Said.of(one) for one in made.notes],
        broken=FaultShown.all_of(made.broken), tests=SelfTest.all_of(made.played),
    )  # fmt: skip


def _recorded(
    request: Request, services: WebServices, principal: Principal, case_id: uuid.UUID, name: str, code: str
) -> Recorded:
    with services.database.read() as session:
        walked = _walked(services, session, principal, case_id, code)
    if not _one_walk.acquire(blocking=False):
        raise WalkBusy
    try:
        made = record_walked(_body(request), walked, name)
    finally:
        _one_walk.release()
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id)
        detail = {"host": row.host}
        trail.write(session, trail.event(request, principal, "recipe.record", ("import", row.id), detail=detail))
    return made


def _walked(services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID, code: str) -> Walked:
    """Return what an import knows of a walk; raises `ImportElsewhere` for one that has no portal to go through."""
    row: ImportCase = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,))
    if row.sealed is None:
        raise ImportElsewhere(state=row.state)
    entered = services.link_seal.open(row.id, row.sealed)
    guided = guided_by(entered.link, clear_loopback=services.settings.importer.trial)
    if guided is None:
        raise ImportElsewhere(state=row.state)
    answers = tuple(one.strip() for one in reporting.without_birth_date(row, entered).answers.values())
    return Walked(guided.host, entered.link, answers, row.birth_date, code)


def _body(request: Request) -> bytes:
    """Return the file that comes; raises `WalkTooLarge`."""
    try:
        announced_bytes(request, WALK_BYTES)
        return b"".join(BodyPieces(request, WALK_BYTES))
    except UploadTooLarge as error:
        limit = WALK_BYTES >> 20
        raise WalkTooLarge(f"This walk is larger than {limit} MB.", limit_mb=limit) from error
