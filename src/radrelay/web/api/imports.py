"""Imports from other institutions: begun by a link or with files, checked by a person, filed.

Who was granted fetching into the source of portals sees and steers its imports.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.importer import acts, beginning, brought, cases, deciding, sending_on, taking_back
from radrelay.importer.beginning import Asked
from radrelay.importer.endings import list_ending
from radrelay.importer.holding import as_issued
from radrelay.importer.import_errors import ImportElsewhere, NotSentOn
from radrelay.importer.models import ImportCase
from radrelay.importer.waiting import today_at
from radrelay.settings.zones import zone_of
from radrelay.web import import_candidates, importing, trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_shapes import Import, ImportDetail, Imports
from radrelay.web.import_wishes import (
    AfterWithdrawal,
    Answers,
    BirthDate,
    Choice,
    Confirmation,
    Filing,
    PapersTaken,
    SendingOn,
    TakingBack,
    WantedImport,
)
from radrelay.web.importing import detail_of, reached_case, source_for
from radrelay.web.services import WebServices

router = APIRouter(prefix="/imports", tags=["imports"])


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
            link = services.recipes.link_in(wanted.link)
            row = beginning.begin_link(session, source, services.link_seal, asked, link, now)
        else:
            row = beginning.begin_media(session, source, asked, now)
        detail = {"source": source.id, "host": row.host or None, "link": row.fingerprint or None, "basis": row.basis}
        _write(session, request, principal, "import.request", row, detail)
        case_id = row.id
    return _detail(services, principal, case_id)


@router.get("/{case_id}")
def show_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> ImportDetail:
    """Show an import with all that a check found; who may be meant as far as it is known here by now."""
    with services.database.read() as session:
        reached_case(services, session, principal, case_id)
    import_candidates.ask_anew(services, principal.organisation_id, case_id)
    found = _detail(services, principal, case_id)
    if found.persons:
        record = trail.event(request, principal, "import.view", ("import", case_id))
        trail.seen(services.database, principal, record, str(found.checked_at))
    return found


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
        _note(services, row, principal, "birth-date")
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
        _note(services, row, principal, "check")
        _write(session, request, principal, "import.check", row, {})
        return importing.listed(session, [row])[0]


@router.post("/{case_id}/by-hand", status_code=202)
def fetch_by_hand(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Fetch by hand what is not to be had by itself, or where nothing came: files follow to the same import."""
    now = services.clock.now()
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id)
        if row.state == cases.OPEN:
            row = beginning.bring_others(session, principal.organisation_id, case_id, now)
            _note(services, row, principal, "bring-others")
        else:
            row = beginning.by_hand(session, principal.organisation_id, case_id, now)
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
        row = reached_case(services, session, principal, case_id, lock=True)
        if "instead_of" in choice.model_fields_set:
            importing.require_chosen(session, case_id, number, choice.instead_of)
        before = importing.chosen_in(session, case_id, number)
        deciding.choose(
            session, principal.organisation_id, case_id, number, patient, order, services.clock.now(), elsewhere
        )
        after = importing.chosen_in(session, case_id, number)
        what: acts.What = "choose-none" if after is None else "order" if after == before else "choose"
        _note(services, row, principal, what, number)
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
        row = reached_case(services, session, principal, case_id, lock=True)
        if told.under is not None and told.number is not None:
            importing.require_chosen(session, case_id, told.number, told.under)
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
        asked = reached_case(services, session, principal, case_id, lock=True)
        if "order" in filing.model_fields_set:
            importing.require_order(session, case_id, number, filing.order)
        importing.require_destination(services, session, principal, asked, number, filing.destination_id)
        row = deciding.file(
            session, principal.organisation_id, case_id, number, filing.destination_id, principal.name, known,
            services.clock.now(), (filing.under.issuer, filing.under.patient_id) if filing.under else None,
        )  # fmt: skip
        _note(services, row, principal, "file", number)
        _write(session, request, principal, "import.file", row, {
            "number": number, "destination": filing.destination_id, "basis": row.basis,
        })  # fmt: skip
    return _detail(services, principal, case_id)


@router.post("/{case_id}/people/{number}/send-on", status_code=202)
def send_import_on(
    services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, told: SendingOn
) -> ImportDetail:
    """Send on what was filed and did not go, for its destination had gone: to the same one, or to another.

    Asked twice it goes once. On record as the sending on of each study, by who asks.
    """
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id, lock=True)
        importing.require_destination(services, session, principal, row, number, told.destination_id)
        if services.importing is None:
            raise NotSentOn
        sending_on.send_again(session, services.importing, row, number, told.destination_id, principal)
        row.changed_at = services.clock.now()
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
        _note(services, row, principal, "take-back", number)
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
        _note(services, row, principal, "give-up")
        _write(session, request, principal, "import.withdraw", row, {})


def _detail(services: WebServices, principal: Principal, case_id: uuid.UUID) -> ImportDetail:
    return detail_of(services, principal, case_id)


def _seen(
    request: Request, services: WebServices, principal: Principal, case_id: uuid.UUID, number: int, what: str
) -> None:
    """Put on record that somebody saw what is told of whom is chosen, once per login and patient."""
    with services.database.read() as session:
        patient = importing.whom_chosen(session, case_id, number)
    record = trail.event(request, principal, "import.view", ("import", case_id), patient=patient)
    trail.seen(services.database, principal, record, f"{what} {number} {patient}")


def _note(
    services: WebServices, row: ImportCase, principal: Principal, what: acts.What, number: int | None = None
) -> None:
    """Note who did something, for the pages of colleagues who look at the same import."""
    acts.note(row, what, principal.name, principal.id, services.clock.now(), number)


def _write(
    session: Session, request: Request, principal: Principal, action: str, row: ImportCase, detail: Mapping[str, object]
) -> None:
    trail.write(session, trail.event(request, principal, action, ("import", row.id), detail=detail))
