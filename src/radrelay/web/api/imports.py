"""Imports from other institutions: begun by a link or with files, checked by a person, filed.

Who was granted fetching into the source of portals sees and steers its imports.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from radrelay.archive.locking import lock_archive
from radrelay.importer import beginning, brought, cases, deciding
from radrelay.importer.beginning import Asked
from radrelay.importer.endings import list_ending
from radrelay.importer.import_errors import ImportElsewhere
from radrelay.importer.waiting import today_at
from radrelay.settings.zones import zone_of
from radrelay.web import import_candidates, importing, trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.import_record import note_act, put_on_record
from radrelay.web.import_shapes import Import, ImportDetail, Imports
from radrelay.web.import_told import detail_told, require_all_decidable
from radrelay.web.import_wishes import (
    AfterWithdrawal,
    Answers,
    BirthDate,
    WantedImport,
)
from radrelay.web.importing import reached_case, source_for

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
            may=importing.may_begin(session, principal, ids),
            imports=importing.listed(services, session, principal, rows),
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
        put_on_record(session, request, principal, "import.request", row, detail)
        case_id = row.id
    return detail_told(request, services, principal, case_id)


@router.get("/{case_id}")
def show_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> ImportDetail:
    """Show an import with all that a check found; who may be meant as far as it is known here by now."""
    with services.database.read() as session:
        reached_case(services, session, principal, case_id)
    import_candidates.ask_anew(services, principal.organisation_id, case_id)
    found = detail_told(request, services, principal, case_id)
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
        put_on_record(session, request, principal, "import.answer", row, {"host": row.host or None})
        return importing.listed(services, session, principal, [row])[0]


@router.put("/{case_id}/birth-date")
def correct_birth_date(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: BirthDate
) -> ImportDetail:
    """Correct the birth date that was entered; whom it may be is looked for anew. A failed one goes on by `retry`."""
    with services.database.write() as session:
        states = (cases.OPEN, cases.ASKING, cases.FAILED)
        row = reached_case(services, session, principal, case_id, states=states, lock=True)
        importing.require_all_seen(services, session, principal, case_id)
        if row.state == cases.FAILED and row.resumes == cases.FILING:
            raise ImportElsewhere(state=row.state)
        row.birth_date = told.birth_date
        note_act(services, row, principal, "birth-date")
        if row.state == cases.OPEN:
            deciding.require_unfiled(session, row)
            cases.move(session, row, cases.CHECKING, services.clock.now())
        put_on_record(session, request, principal, "import.birth-date", row, {})
    return detail_told(request, services, principal, case_id)


@router.post("/{case_id}/check", status_code=202)
def check_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Look at all of it again: other systems here may know the patient by now. Or at what came whole of too much."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.OPEN, cases.FAILED), lock=True)
        importing.require_all_seen(services, session, principal, case_id)
        if row.state == cases.FAILED:
            row = beginning.check_what_came(session, principal.organisation_id, case_id, services.clock.now())
            services.landing.end(importing.raw_origin(session, row, principal.peer))
        else:
            deciding.require_unfiled(session, row)
            cases.move(session, row, cases.CHECKING, services.clock.now())
        note_act(services, row, principal, "check")
        put_on_record(session, request, principal, "import.check", row, {})
        return importing.listed(services, session, principal, [row])[0]


@router.post("/{case_id}/by-hand", status_code=202)
def fetch_by_hand(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> Import:
    """Fetch by hand what is not to be had by itself, or where nothing came: files follow to the same import."""
    now = services.clock.now()
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id)
        if row.state == cases.OPEN:
            row = beginning.bring_others(session, principal.organisation_id, case_id, now)
            note_act(services, row, principal, "bring-others")
        else:
            row = beginning.by_hand(session, principal.organisation_id, case_id, now)
        put_on_record(session, request, principal, "import.by-hand", row, {"host": row.host or None})
        return importing.listed(services, session, principal, [row])[0]


@router.get("/{case_id}/guide")
def show_guide(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID
) -> importing.GuideShown:
    """Say what a person does at the portal, and its address; that somebody has seen it is on record."""
    with services.database.write() as session:
        row = reached_case(services, session, principal, case_id, states=(cases.RECEIVING,))
        guide = importing.guide_of(services, row)
        put_on_record(session, request, principal, "import.guide", row, {"host": row.host or None})
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
        if reached_case(services, session, principal, case_id, lock=True).resumes == cases.CHECKING:
            importing.require_all_seen(services, session, principal, case_id)  # a check leaves nobody chosen
        row = beginning.retry(session, principal.organisation_id, case_id, services.clock.now())
        put_on_record(session, request, principal, "import.retry", row, {})
        return importing.listed(services, session, principal, [row])[0]


@router.post("/{case_id}/after-withdrawal")
def decide_after_withdrawal(
    request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID, told: AfterWithdrawal
) -> TakenBack:
    """Delete what had been filed before the patient withdrew, or say why it stays; the import ends with it."""
    with services.database.write() as session:
        lock_archive(session)
        row = reached_case(services, session, principal, case_id)
        importing.require_all_seen(services, session, principal, case_id)
        consent, gone = brought.decide(
            session, row, keep=told.keep, why=told.why, by=principal.name, now=services.clock.now()
        )
        detail = {"decision": consent.decision, "objects": gone.objects, "stay": gone.stay or None}
        put_on_record(session, request, principal, "import.after-withdrawal", row, detail)
    return TakenBack(
        **detail_told(request, services, principal, case_id).model_dump(), gone=gone.objects, stay=gone.stay
    )


@router.delete("/{case_id}", status_code=204)
def withdraw_import(request: Request, services: Services, principal: Authenticated, case_id: uuid.UUID) -> None:
    """Give an import up: all that came is erased. What was filed stays; while it is filed, it is refused.

    So it is where somebody is kept from who asks who was chosen, or may be meant (`patient-unseen`).
    """
    with services.database.read() as session:
        require_all_decidable(services, session, principal, case_id)
    with services.database.write() as session:
        lock_archive(session)
        importing.require_all_seen(services, session, principal, case_id)
        brought.require_decided(session, reached_case(services, session, principal, case_id))
        row = beginning.withdraw(session, principal.organisation_id, case_id, services.clock.now())
        note_act(services, row, principal, "give-up")
        put_on_record(session, request, principal, "import.withdraw", row, {})
