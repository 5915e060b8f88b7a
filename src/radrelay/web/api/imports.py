"""Imports from other institutions: begun by a link or with files, checked by a person, filed.

Who was granted fetching into the source of portals sees and steers its imports.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.importer import beginning, brought, cases, deciding, late_files, taking_back
from radrelay.importer.beginning import Asked
from radrelay.importer.endings import list_ending
from radrelay.importer.holding import as_issued
from radrelay.importer.import_errors import FileLate, ImportElsewhere
from radrelay.importer.models import ImportCase
from radrelay.importer.waiting import today_at
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander, LandedFile
from radrelay.settings.zones import zone_of
from radrelay.web import importing, trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_shapes import Import, ImportDetail, Imports
from radrelay.web.import_wishes import (
    AfterWithdrawal,
    Answers,
    BirthDate,
    Brought,
    Choice,
    Confirmation,
    Filing,
    PapersTaken,
    TakingBack,
    WantedImport,
)
from radrelay.web.importing import detail_of, reached_case, source_for
from radrelay.web.services import WebServices
from radrelay.web.uploads import BodyPieces, announced_bytes

router = APIRouter(prefix="/imports", tags=["imports"])
_FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class TakenBack(ImportDetail):
    """An import of which objects were deleted here: how many, and how many stay because another counts on them."""

    gone: int
    stay: int


@router.get("")
def list_imports(
    request: Request,
    services: Services,
    principal: Authenticated,
    state: Annotated[str, Query(max_length=16)] = "",
    after: uuid.UUID | None = None,
    order: Literal["newest", "ending"] = "newest",
    within_h: Annotated[int | None, Query(ge=1, le=168)] = None,
) -> Imports:
    """List imports, the newest first; `after` is the last one of the page before.

    In the order `ending` those whose time runs, what ends first first; with `within_h` those alone of which something
    ends within so many hours. That somebody saw whom they name is on record.
    """
    states = (state,) if state else ()
    with services.database.read() as session:
        ids = importing.source_ids(services, session, principal)
        if order == "newest" and within_h is None:
            rows = cases.list_cases(session, principal.organisation_id, ids, states=states, after=after)
        else:
            until = services.clock.now() + timedelta(hours=within_h) if within_h is not None else None
            rows = list_ending(session, principal.organisation_id, ids, until=until, states=states, after=after)
        found = Imports(
            may=importing.may_begin(session, principal, ids), imports=importing.listed(session, rows)
        )  # fmt: skip
    if any(one.people for one in found.imports):
        day = today_at(services.clock.now(), zone_of(services.settings.work.zone))
        trail.seen(services.database, principal, trail.event(request, principal, "import.list"), day.isoformat())
    return found


@router.post("", status_code=201)
def begin_import(request: Request, services: Services, principal: Authenticated, wanted: WantedImport) -> ImportDetail:
    """Begin an import; what a link leads to is fetched by itself from here on."""
    now = services.clock.now()
    with services.database.write() as session:
        source = source_for(services, session, principal, wanted.source)
        account = uuid.UUID(principal.id) if principal.kind == "account" else None
        asked = Asked(principal.kind, principal.name, account, wanted.basis, wanted.birth_date)
        if wanted.link:
            row = beginning.begin_link(session, source, services.link_seal, asked, wanted.link, now)
        else:
            row = beginning.begin_media(session, source, asked, now)
        detail = {"source": source.id, "host": row.host or None, "link": row.fingerprint or None, "basis": row.basis}
        _write(session, request, principal, "import.request", row, detail)
        case_id = row.id
    return _detail(services, principal, case_id)


@router.get("/{case_id}")
def show_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> ImportDetail:
    """Show an import with all that a check found."""
    found = _detail(services, principal, case_id)
    if found.persons:
        record = trail.event(request, principal, "import.view", ("import", case_id))
        trail.seen(services.database, principal, record, str(found.checked_at))
    return found


@router.put("/{case_id}/files", openapi_extra=_FILE_BODY)
async def put_import_file(
    request: Request,
    services: Services,
    principal: Authenticated,
    case_id: uuid.UUID,
    name: Annotated[str, Query(min_length=1, max_length=1024)],
) -> Import:
    """Bring one file of an import: a ZIP, or a file of a disc by its path there. Durable when the answer comes.

    One that ends after somebody has said that no more follow is not part of it (`import-file-late`).
    """
    limit = services.settings.web.upload_limit_bytes
    announced_bytes(request, limit)
    pieces = BodyPieces(request, limit)
    file = await services.upload_threads.run(partial(_land, services, principal, case_id, name, pieces))
    services.measurements.uploaded_bytes.inc(pieces.taken)
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, lock=True)
        if row.state == cases.RECEIVING:
            cases.add_bytes(session, row, pieces.taken)
            return importing.listed(session, [row])[0]
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id, lock=True)
        if file.landed is not None:
            late_files.refuse(session, row, file.landed.location.record_id, file.name, services.clock.now())
    raise FileLate


@router.post("/{case_id}/done", status_code=202)
def close_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: Brought | None = None
) -> Import:
    """Say that no more files follow; what came is checked, and what is `lacking` is told for somebody to look at.

    What is on its way still is refused when it ends, and told likewise.
    """
    now = services.clock.now()
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,), lock=True)
        beginning.require_brought(row)
        services.landing.end(importing.raw_origin(session, row, principal.peer))
        row.fetched_at, row.sealed = now, None
        row.lacking = json.dumps(told.lacking if told is not None else [])
        cases.move(session, row, cases.CHECKING, now)
        detail = {"bytes": row.bytes_received, "lacking": len(json.loads(row.lacking)) or None}
        _write(session, request, principal, "import.brought", row, detail)
        return importing.listed(session, [row])[0]


@router.post("/{case_id}/answers", status_code=202)
def answer_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: Answers
) -> Import:
    """Answer what the portal asks, once; wrong answers are counted for each link."""
    with services.database.write() as session:
        reached_case(services, session, principal, case_id)
        row = beginning.answer(
            session, principal.organisation_id, case_id, services.link_seal, told.answers, services.clock.now()
        )
        _write(session, request, principal, "import.answer", row, {"host": row.host or None})
        return importing.listed(session, [row])[0]


@router.put("/{case_id}/birth-date")
def correct_birth_date(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: BirthDate
) -> ImportDetail:
    """Correct the birth date that was entered; whom it may be is looked for anew. A failed one goes on by `retry`."""
    with services.database.write() as session:
        states = (cases.OPEN, cases.ASKING, cases.FAILED)
        row = reached_case(services, session, principal, case_id, states=states, lock=True)
        if row.state == cases.FAILED and row.resumes == cases.FILING:
            raise ImportElsewhere(state=row.state)
        row.birth_date = told.birth_date
        if row.state == cases.OPEN:
            deciding.require_unfiled(session, row)
            cases.move(session, row, cases.CHECKING, services.clock.now())
        _write(session, request, principal, "import.birth-date", row, {})
    return _detail(services, principal, case_id)


@router.post("/{case_id}/check", status_code=202)
def check_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Look at all of it again: other systems here may know the patient by now."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.OPEN,), lock=True)
        deciding.require_unfiled(session, row)
        cases.move(session, row, cases.CHECKING, services.clock.now())
        _write(session, request, principal, "import.check", row, {})
        return importing.listed(session, [row])[0]


@router.post("/{case_id}/by-hand", status_code=202)
def fetch_by_hand(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Fetch by hand what is not to be had by itself: files follow to the same import."""
    with services.database.write() as session:
        reached_case(services, session, principal, case_id)
        row = beginning.by_hand(session, principal.organisation_id, case_id, services.clock.now())
        _write(session, request, principal, "import.by-hand", row, {"host": row.host or None})
        return importing.listed(session, [row])[0]


@router.get("/{case_id}/guide")
def show_guide(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID
) -> importing.GuideShown:
    """Say what a person does at the portal, and its address; that somebody has seen it is on record."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,))
        guide = importing.guide_of(services, row)
        _write(session, request, principal, "import.guide", row, {"host": row.host or None})
        return guide


@router.get(
    "/{case_id}/picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def show_picture(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Response:
    """Show the portal's page at which a browser waits for an answer; that somebody has seen it is on record."""
    with services.database.read() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.ASKING,))
        if row.picture is None:
            raise ImportElsewhere(state=row.state)
        picture, until = services.link_seal.open_picture(row.id, row.picture), row.asks_until
    record = trail.event(request, principal, "import.view", ("import", case_id))
    trail.seen(services.database, principal, record, str(until))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.post("/{case_id}/retry", status_code=202)
def retry_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Have a failed import go on where it was."""
    with services.database.write() as session:
        reached_case(services, session, principal, case_id)
        row = beginning.retry(session, principal.organisation_id, case_id, services.clock.now())
        _write(session, request, principal, "import.retry", row, {})
        return importing.listed(session, [row])[0]


@router.put("/{case_id}/people/{number}/patient")
def choose_patient(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, choice: Choice
) -> ImportDetail:
    """Say whose somebody's studies are here, and under which order they are filed."""
    patient = importing.patient_chosen(services, principal, choice.patient)
    order = importing.order_chosen(services, principal, patient, choice.order)
    elsewhere = importing.known_elsewhere(services, principal, case_id, number, patient)
    patient = as_issued(patient, elsewhere.found) if patient is not None else None
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id)
        deciding.choose(
            session, principal.organisation_id, case_id, number, patient, order, services.clock.now(), elsewhere
        )
        told = (patient.issuer, patient.patient_id, patient.name) if patient is not None else None
        detail = {"number": number, "accession": order.accession if order is not None else None}
        record = trail.event(request, principal, "import.choose", ("import", row.id), detail=detail, patient=told)
        trail.write(session, record)
    return _detail(services, principal, case_id)


@router.put("/{case_id}/people/{number}/papers")
def take_papers(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, told: PapersTaken
) -> ImportDetail:
    """Have papers that may be a viewer's own filed with the images, or left out, before all of it is filed."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id)
        taken = deciding.take_papers(
            session, principal.organisation_id, case_id, number, {*told.files}, services.clock.now(), filed=told.filed
        )
        _write(
            session, request, principal, "import.papers", row, {"number": number, "papers": taken, "kept": told.filed}
        )
    return _detail(services, principal, case_id)


@router.post("/{case_id}/confirmations")
def confirm_findings(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: Confirmation
) -> ImportDetail:
    """Put on record that findings were looked at, and by whom; or that this is taken back, before it is filed."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id)
        deciding.confirm(
            session, principal.organisation_id, case_id, told.number, told.keys, principal.name, services.clock.now(),
            seen=told.seen,
        )  # fmt: skip
        codes = ", ".join(sorted({key.partition(" ")[0] for key in told.keys}))[:400]
        action = "import.confirm" if told.seen else "import.reopen"
        _write(session, request, principal, action, row, {"number": told.number, "findings": codes})
    return _detail(services, principal, case_id)


@router.get("/{case_id}/people/{number}/orders")
def list_orders(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int
) -> importing.Orders:
    """List the orders of the chosen patient that somebody's studies may be filed under, the newest first."""
    found = importing.orders_of(services, principal, case_id, number)
    if found.orders:
        _seen(request, services, principal, case_id, number, "orders")
    return found


@router.get("/{case_id}/people/{number}/differences")
def show_differences(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int
) -> importing.Differences:
    """Show what filing changes in somebody's objects: each attribute before and after."""
    found = importing.differences_of(services, principal, case_id, number)
    _seen(request, services, principal, case_id, number, "differences")
    return found


@router.post("/{case_id}/people/{number}/file", status_code=202)
def file_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, filing: Filing
) -> ImportDetail:
    """File somebody's studies under the local patient, and send them on; findings that stop it stop it."""
    with services.database.read() as session:
        reached_case(services, session, principal, case_id)
        known = importing.known_of(services, session, principal.organisation_id, case_id)
    with services.database.write() as session:
        asked = reached_case(services, session, principal, case_id)
        importing.require_destination(services, session, principal, asked, number, filing.destination_id)
        row = deciding.file(
            session, principal.organisation_id, case_id, number, filing.destination_id, principal.name, known,
            services.clock.now(), (filing.under.issuer, filing.under.patient_id) if filing.under else None,
        )  # fmt: skip
        _write(session, request, principal, "import.file", row, {
            "number": number, "destination": filing.destination_id, "basis": row.basis,
        })  # fmt: skip
    return _detail(services, principal, case_id)


@router.post("/{case_id}/people/{number}/take-back")
def take_back_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int,
    told: TakingBack | None = None,
) -> TakenBack:  # fmt: skip
    """Take back what was filed of somebody: they are open again, as they came. What was sent on is not called back.

    Once what came is erased, it is refused (`raw-file-gone`) unless it is to go `for_good`.
    """
    with services.database.write() as session:
        lock_archive(session)
        reached_case(services, session, principal, case_id)
        row, gone = taking_back.take_back(
            session, principal.organisation_id, case_id, number, services.clock.now(),
            for_good=told is not None and told.for_good,
        )  # fmt: skip
        _write(session, request, principal, "import.take-back", row, {
            "number": number, "objects": gone.objects, "stay": gone.stay or None,
        })  # fmt: skip
    return TakenBack(**_detail(services, principal, case_id).model_dump(), gone=gone.objects, stay=gone.stay)


@router.post("/{case_id}/after-withdrawal")
def decide_after_withdrawal(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: AfterWithdrawal
) -> TakenBack:
    """Delete what had been filed before the patient withdrew, or say why it stays; the import ends with it."""
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id)
        consent, gone = brought.decide(
            session, row, keep=told.keep, why=told.why, by=principal.name, now=services.clock.now()
        )
        detail = {"decision": consent.decision, "objects": gone.objects, "stay": gone.stay or None}
        _write(session, request, principal, "import.after-withdrawal", row, detail)
    return TakenBack(**_detail(services, principal, case_id).model_dump(), gone=gone.objects, stay=gone.stay)


@router.delete("/{case_id}", status_code=204)
def withdraw_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> None:
    """Give an import up: all that came is erased. What was filed stays; while it is filed, it is refused."""
    with services.database.write() as session:
        lock_archive(session)
        brought.require_decided(session, reached_case(services, session, principal, case_id))
        row = beginning.withdraw(session, principal.organisation_id, case_id, services.clock.now())
        _write(session, request, principal, "import.withdraw", row, {})


def _detail(services: WebServices, principal: Principal, case_id: uuid.UUID) -> ImportDetail:
    return detail_of(services, principal, case_id)


def _origin(services: WebServices, principal: Principal, case_id: uuid.UUID) -> Origin:
    with services.database.read() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,))
        return importing.raw_origin(session, row, principal.peer)


def _land(services: WebServices, principal: Principal, case_id: uuid.UUID, name: str, pieces: BodyPieces) -> LandedFile:
    return FileLander(services.landing, _origin(services, principal, case_id)).land(name, pieces)


def _seen(
    request: Request, services: WebServices, principal: Principal, case_id: uuid.UUID, number: int, what: str
) -> None:
    """Put on record that somebody saw what is told of whom is chosen, once per login and patient."""
    patient = importing.whom_chosen(services, case_id, number)
    record = trail.event(request, principal, "import.view", ("import", case_id), patient=patient)
    trail.seen(services.database, principal, record, f"{what} {number} {patient}")


def _write(
    session: Session, request: Request, principal: Principal, action: str, row: ImportCase, detail: Mapping[str, object]
) -> None:
    trail.write(session, trail.event(request, principal, action, ("import", row.id), detail=detail))
