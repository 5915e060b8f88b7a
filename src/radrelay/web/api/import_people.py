"""What is decided on somebody in an import: whose it is here, that findings were looked at, that it is filed.

Whoever is kept from a patient here decides nothing about them (`import_sight`).
"""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request

from radrelay.access import Principal
from radrelay.archive.locking import lock_archive
from radrelay.importer import acts, deciding, sending_on, taking_back
from radrelay.importer.holding import as_issued
from radrelay.importer.import_errors import NotSentOn
from radrelay.importer.surroundings import Site
from radrelay.web import importing, trail
from radrelay.web.api.imports import TakenBack
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_differences import Differences, differences_of
from radrelay.web.import_record import note_act, put_on_record
from radrelay.web.import_shapes import ImportDetail
from radrelay.web.import_told import as_judged, detail_told, judged_of, looks_of, require_found
from radrelay.web.import_wishes import Choice, Confirmation, Filing, PapersTaken, SendingOn, TakingBack
from radrelay.web.importing import reached_case
from radrelay.web.services import WebServices

router = APIRouter(prefix="/imports", tags=["imports"])


@router.put("/{case_id}/people/{number}/patient")
def choose_patient(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, choice: Choice
) -> ImportDetail:
    """Say whose somebody's studies are here, and under which order they are filed."""
    with services.database.read() as session:
        of = Site.of(reached_case(services, session, principal, case_id))
    patient = importing.patient_chosen(services, of, choice.patient)
    with services.database.read() as session:
        importing.require_seen(services, session, principal, case_id, number, patient)
    order = importing.order_chosen(services, of, patient, choice.order)
    elsewhere = importing.known_elsewhere(services, principal, case_id, number, patient)
    patient = as_issued(patient, elsewhere.found) if patient is not None else None
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, lock=True)
        importing.require_seen(services, session, principal, case_id, number)
        if "instead_of" in choice.model_fields_set:
            importing.require_chosen(session, case_id, number, choice.instead_of)
        before = importing.chosen_in(session, case_id, number)
        deciding.choose(
            session, principal.organisation_id, case_id, number, patient, order, services.clock.now(), elsewhere
        )
        after = importing.chosen_in(session, case_id, number)
        what: acts.What = "choose-none" if after is None else "order" if after == before else "choose"
        note_act(services, row, principal, what, number)
        told = (patient.issuer, patient.patient_id, patient.name) if patient is not None else None
        detail = {"number": number, "accession": order.accession if order is not None else None}
        record = trail.event(request, principal, "import.choose", ("import", row.id), detail=detail, patient=told)
        trail.write(session, record)
    return detail_told(request, services, principal, case_id)


@router.put("/{case_id}/people/{number}/papers")
def take_papers(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, told: PapersTaken
) -> ImportDetail:
    """Have papers left out that would be filed with the images, or filed after all, before all of it is filed."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id)
        importing.require_seen(services, session, principal, case_id, number)
        taken = deciding.take_papers(
            session, principal.organisation_id, case_id, number, {*told.files}, services.clock.now(), filed=told.filed
        )
        detail = {"number": number, "papers": taken, "kept": told.filed}
        put_on_record(session, request, principal, "import.papers", row, detail)
    return detail_told(request, services, principal, case_id)


@router.post("/{case_id}/confirmations")
def confirm_findings(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: Confirmation
) -> ImportDetail:
    """Put on record that findings were looked at, and by whom; or that this is taken back, before it is filed."""

    def confirm() -> None:
        looks = looks_of(services, principal, case_id, told.number)
        with services.database.write() as session:
            row = reached_case(services, session, principal, case_id, lock=True)
            if told.number is not None:
                importing.require_seen(services, session, principal, case_id, told.number)
            if told.under is not None and told.number is not None:
                importing.require_chosen(session, case_id, told.number, told.under)
            deciding.require_same(session, row, told.number, looks.grounds)
            deciding.confirm(
                session, principal.organisation_id, case_id, told.number, told.keys, principal.name,
                services.clock.now(), seen=told.seen,
            )  # fmt: skip
            require_found(told.keys, looks.keys)
            codes = ", ".join(sorted({key.partition(" ")[0] for key in told.keys}))[:400]
            action = "import.confirm" if told.seen else "import.reopen"
            put_on_record(session, request, principal, action, row, {"number": told.number, "findings": codes})

    as_judged(confirm)
    return detail_told(request, services, principal, case_id)


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
) -> Differences:
    """Show what filing changes in somebody's objects: each attribute before and after."""
    found = differences_of(services, principal, case_id, number)
    _seen(request, services, principal, case_id, number, "differences")
    return found


@router.post("/{case_id}/people/{number}/file", status_code=202)
def file_import(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, filing: Filing
) -> ImportDetail:
    """File somebody's studies under the local patient, and send them on; findings that stop it stop it."""
    under = (filing.under.issuer, filing.under.patient_id) if filing.under else None

    def file() -> None:
        judged = judged_of(services, principal, case_id, number)
        with services.database.write() as session:
            asked = reached_case(services, session, principal, case_id, lock=True)
            if "order" in filing.model_fields_set:
                importing.require_order(session, case_id, number, filing.order)
            importing.require_destination(services, session, principal, asked, number, filing.destination_id)
            row = deciding.file(
                session, principal.organisation_id, case_id, number, filing.destination_id, principal.name, judged,
                services.clock.now(), under,
            )  # fmt: skip
            note_act(services, row, principal, "file", number)
            put_on_record(session, request, principal, "import.file", row, {
                "number": number, "destination": filing.destination_id, "basis": row.basis,
            })  # fmt: skip

    as_judged(file)
    return detail_told(request, services, principal, case_id)


@router.post("/{case_id}/people/{number}/send-on", status_code=202)
def send_import_on(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, number: int, told: SendingOn
) -> ImportDetail:
    """Send on what was filed and did not go, for its destination had gone: to the same one, or to another.

    Asked twice it goes once. On record as the sending on of each study, by who asks.
    """
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id, lock=True)
        importing.require_seen(services, session, principal, case_id, number)
        importing.require_destination(services, session, principal, row, number, told.destination_id)
        if services.importing is None:
            raise NotSentOn
        sending_on.send_again(session, services.importing, row, number, told.destination_id, principal)
        row.changed_at = services.clock.now()
    return detail_told(request, services, principal, case_id)


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
        importing.require_seen(services, session, principal, case_id, number)
        row, gone = taking_back.take_back(
            session, principal.organisation_id, case_id, number, services.clock.now(),
            for_good=told is not None and told.for_good,
        )  # fmt: skip
        note_act(services, row, principal, "take-back", number)
        put_on_record(session, request, principal, "import.take-back", row, {
            "number": number, "objects": gone.objects, "stay": gone.stay or None,
        })  # fmt: skip
    return TakenBack(
        **detail_told(request, services, principal, case_id).model_dump(), gone=gone.objects, stay=gone.stay
    )


def _seen(
    request: Request, services: WebServices, principal: Principal, case_id: uuid.UUID, number: int, what: str
) -> None:
    """Put on record that somebody saw what is told of whom is chosen, once per login and patient."""
    with services.database.read() as session:
        patient = importing.whom_chosen(session, case_id, number)
    record = trail.event(request, principal, "import.view", ("import", case_id), patient=patient)
    trail.seen(services.database, principal, record, f"{what} {number} {patient}")
