"""Displays that images are read on, and the log of their checks. No patient is named here.

A display is registered and checked in the browser that shows it, which a cookie of its own names: whoever is logged in
there may check it. Administrators see all displays and retire them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.access import Principal
from radrelay.displays import judging, limits, log, service
from radrelay.displays.errors import DisplayNotFound, ElsewhereChecked
from radrelay.displays.models import Display as DisplayRow
from radrelay.displays.models import DisplayCheck, Workstation
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.connection import is_secure
from radrelay.web.display_shapes import (
    Check,
    CheckFields,
    Checks,
    Criterion,
    Display,
    DisplayFields,
    Displays,
    DisplayState,
    Here,
    LimitRule,
    NewDisplay,
    RoomRule,
    Rule,
    Rules,
)
from radrelay.web.services import WebServices

COOKIE = "radrelay_workstation"
COOKIE_S = 400 * 24 * 3600  # the longest that browsers keep one
PATH = "/api/displays"
router = APIRouter(prefix="/displays", tags=["displays"])


def _check(row: DisplayCheck) -> Check:
    entered = json.loads(row.entered)
    made = row.correction is not None and entered["through"] is None
    return Check(
        id=row.id,
        display_id=row.display_id,
        kind=row.kind,
        passed=row.passed,
        checked_at=row.checked_at,
        valid_until=row.valid_until,
        account_name=row.account_name,
        display=json.loads(row.display),
        entered=entered,
        criteria=[Criterion.model_validate(one) for one in service.criteria_of(row)],
        corrects=row.correction is not None,
        forecast=service.forecast(service.readings_of(row)) if made else None,
    )


def _display(session: Session, services: WebServices, workstation: Workstation, row: DisplayRow) -> Display:
    state = service.state_of(session, row, services.settings.displays, services.clock.now())
    return Display(
        **DisplayFields.model_validate(row).model_dump(),
        id=row.id,
        workstation_id=workstation.id,
        workstation=workstation.name,
        created_at=row.created_at,
        retired_at=row.retired_at,
        state=DisplayState.model_validate(state),
        correction=None if state.correction is None else list(state.correction),
        corrected_by=state.corrected_by,
    )


def _here(session: Session, request: Request, principal: Principal) -> Workstation | None:
    return service.find_workstation(session, principal.organisation_id, request.cookies.get(COOKIE, ""))


def _own(session: Session, request: Request, principal: Principal, display_id: uuid.UUID) -> DisplayRow:
    """Return a display of the workstation that asks; raises `DisplayNotFound` or `ElsewhereChecked`."""
    row = service.get_display(session, principal.organisation_id, display_id)
    workstation = _here(session, request, principal)
    if row.retired_at is not None:
        raise DisplayNotFound
    if workstation is None or row.workstation_id != workstation.id:
        raise ElsewhereChecked
    return row


def _readable(session: Session, request: Request, principal: Principal, display_id: uuid.UUID) -> DisplayRow:
    """Return a display whose log may be read: any to administrators, one's own workstation's to others."""
    if principal.role == "admin":
        return service.get_display(session, principal.organisation_id, display_id)
    return _own(session, request, principal, display_id)


@router.get("/rules")
def rules(services: Services, principal: Authenticated) -> Rules:
    """Say what a check asks and judges by."""
    del principal
    settings = services.settings.displays
    fitting = [(use, code) for use in limits.USES for code in limits.ROOMS if limits.fits(use, code)]
    return Rules(
        rooms=[RoomRule.model_validate(room) for room in limits.ROOMS.values()],
        rules=[Rule(use=use, room_class=code, limits=_limits(services, use, code)) for use, code in fitting],
        questions=list(judging.QUESTIONS),
        letters=settings.letters,
        points=judging.UNEVENNESS_POINTS,
    )


def _limits(services: WebServices, use: str, room_class: str) -> dict[str, LimitRule]:
    asked = limits.asked_of(use, room_class, services.settings.displays)
    return {name: LimitRule.model_validate(limit) for name, limit in asked.items()}


@router.get("/here")
def here(request: Request, services: Services, principal: Authenticated) -> Here:
    """Say which displays the workstation that asks has, and whether they are checked."""
    with services.database.read() as session:
        workstation = _here(session, request, principal)
        if workstation is None:
            return Here(workstation=None, displays=[])
        rows = service.displays_of(session, workstation)
        shown = [_display(session, services, workstation, row) for row in rows]
        return Here(workstation=workstation.name, displays=shown)


@router.get("")
def list_displays(services: Services, principal: Administrator) -> Displays:
    """List the displays of all workstations, retired ones too."""
    with services.database.read() as session:
        rows = service.all_displays(session, principal.organisation_id)
        return Displays(displays=[_display(session, services, *row) for row in rows])


@router.post("", status_code=201)
def register_display(
    request: Request, response: Response, services: Services, principal: Authenticated, wanted: NewDisplay
) -> Display:
    """Register a display of the workstation that asks; a new workstation gets its cookie."""
    now, secret = services.clock.now(), ""
    with services.database.write() as session:
        workstation = _here(session, request, principal)
        if workstation is None:
            workstation, secret = service.add_workstation(session, principal.organisation_id, wanted.workstation, now)
        row = service.add_display(session, workstation, _draft(wanted), now)
        trail.write(session, trail.event(request, principal, "display.register", ("display", row.id)))
        shown = _display(session, services, workstation, row)
    _keep(request, response, services, secret or request.cookies[COOKIE])
    return shown


def _draft(fields: DisplayFields) -> service.Draft:
    return service.Draft(**fields.model_dump(exclude={"workstation"}))


def _keep(request: Request, response: Response, services: WebServices, secret: str) -> None:
    """Let the browser keep who it is for as long as it can, from now on."""
    secure = is_secure(request.scope, services.settings.web.behind_proxy)
    response.set_cookie(COOKIE, secret, max_age=COOKIE_S, path=PATH, secure=secure, httponly=True, samesite="strict")


@router.put("/{display_id}")
def change_display(
    request: Request, services: Services, principal: Authenticated, display_id: uuid.UUID, wanted: DisplayFields
) -> Display:
    """Describe a display of the workstation that asks anew; what changes its limits makes its checks void."""
    with services.database.write() as session:
        row = service.change_display(session, _own(session, request, principal, display_id), _draft(wanted))
        trail.write(session, trail.event(request, principal, "display.change", ("display", row.id)))
        return _display(session, services, session.get_one(Workstation, row.workstation_id), row)


@router.delete("/{display_id}", status_code=204)
def retire_display(request: Request, services: Services, principal: Administrator, display_id: uuid.UUID) -> None:
    """Take a display out of use; its log stays."""
    with services.database.write() as session:
        row = service.get_display(session, principal.organisation_id, display_id)
        service.retire_display(row, services.clock.now())
        trail.write(session, trail.event(request, principal, "display.retire", ("display", row.id)))


@router.put("/{display_id}/checks/{check_id}")
def submit_check(
    request: Request,
    response: Response,
    services: Services,
    principal: Authenticated,
    display_id: uuid.UUID,
    check_id: uuid.UUID,
    given: CheckFields,
) -> Check:
    """Judge a check and add it to the log, which is never changed; the same check twice is logged once."""
    entered = _submitted(check_id, given)
    try:
        made = _log(request, services, principal, display_id, entered)
    except IntegrityError:  # the same one came twice at once, and the other was first
        made = _log(request, services, principal, display_id, entered)
    _keep(request, response, services, request.cookies[COOKIE])
    return made


def _submitted(check_id: uuid.UUID, given: CheckFields) -> service.Submitted:
    fields = given.readings
    readings = None
    if fields is not None:
        readings = judging.Readings(
            greys=tuple(fields.greys),
            luminances=tuple(fields.luminances),
            ambient=fields.ambient,
            with_ambient=fields.with_ambient,
            points=tuple(fields.points),
            illuminance=fields.illuminance,
        )
    return service.Submitted(
        check_id=check_id,
        kind=given.kind,
        seen=judging.Seen(given.columns, given.rows, given.pixel_um),
        answers=given.answers,
        readings=readings,
        instrument=given.instrument,
        remark=given.remark,
        correct=given.correct,
        through=given.through,
    )


def _log(
    request: Request, services: WebServices, principal: Principal, display_id: uuid.UUID, entered: service.Submitted
) -> Check:
    person = service.Person(principal.id, principal.name)
    with services.database.write() as session:
        display = _own(session, request, principal, display_id)
        row, is_new = service.submit(
            session, display, entered, person, services.settings.displays, services.clock.now()
        )
        if is_new:
            detail = {"kind": row.kind, "check": str(row.id), "sha256": service.fingerprint(row)}
            outcome = "success" if row.passed else "failure"
            subject = ("display", display.id)
            record = trail.event(request, principal, "display.check", subject, detail=detail, outcome=outcome)
            trail.write(session, record)
        return _check(row)


@router.get("/{display_id}/checks")
def list_checks(request: Request, services: Services, principal: Authenticated, display_id: uuid.UUID) -> Checks:
    """Return the log of a display, the latest check first, at most 1,000 of them."""
    with services.database.read() as session:
        display = _readable(session, request, principal, display_id)
        return Checks(checks=[_check(row) for row in service.log_of(session, display, 1000)])


@router.get("/{display_id}/checks.csv", response_class=StreamingResponse, responses=log.RESPONSES)
def export_checks(
    request: Request, services: Services, principal: Authenticated, display_id: uuid.UUID
) -> StreamingResponse:
    """Return the whole log of a display as CSV (UTF-8, semicolons)."""
    with services.database.read() as session:
        display = _readable(session, request, principal, display_id)
        workstation = session.get_one(Workstation, display.workstation_id)
        rows: Sequence[DisplayCheck] = service.log_of(session, display)
        lines = list(log.as_csv(workstation, display, rows))
    headers = {"Content-Disposition": f'attachment; filename="display-{display_id}.csv"'}
    return StreamingResponse(iter(lines), media_type=log.MEDIA_TYPE, headers=headers)
