"""The fake server's displays: registered ones, their checks, and the rules that they are judged by."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from radrelay.dicom import gsdf
from radrelay.displays import judging, limits
from radrelay.displays.errors import CheckInvalid
from radrelay.displays.judging import Readings, Seen
from radrelay.settings import DisplaySettings

Row = dict[str, Any]
SITE = DisplaySettings()


@dataclass
class RoomCheck:
    """The workstation that asks, all displays, and the log."""

    workstation: str | None = None
    mine: list[Row] = field(default_factory=list)
    elsewhere: list[Row] = field(default_factory=list)
    checks: dict[str, list[Row]] = field(default_factory=dict)
    sent: list[tuple[str, Row]] = field(default_factory=list)
    asked: int = 0
    """How often a page asked where it stands."""
    away: bool = False
    ends_after_s: float | None = None
    """How long after the question each check ends; by default as it says."""
    refuse: int = 0
    """So many checks are not taken: the server is away."""


def room_of(request: Request) -> RoomCheck:
    room: RoomCheck = request.app.state.world.roomcheck
    return room


def display(number: int, fields: Row, **more: Any) -> Row:
    state = {"checked": False, "reason": "never", "until": None}
    given = {name: value for name, value in fields.items() if name != "workstation"}
    return {"id": f"display-{number}", "workstation": "PC 7", "created_at": "2026-01-01T00:00:00Z", "retired_at": None,
            "state": state, "correction": None, "corrected_by": None, "workstation_id": "w", **given,
            **more}  # fmt: skip


def later(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


async def here(request: Request) -> Response:
    room = room_of(request)
    room.asked += 1
    if room.away:
        return _problem(503, "unavailable", "Try again.")
    if room.ends_after_s is not None:
        for row in room.mine:
            row["state"]["until"] = later(seconds=room.ends_after_s)
    return JSONResponse({"workstation": room.workstation, "displays": room.mine})


async def rules(request: Request) -> Response:
    del request
    fitting = [(use, code) for use in limits.USES for code in limits.ROOMS if limits.fits(use, code)]
    return JSONResponse({
        "rooms": [asdict(one) for one in limits.ROOMS.values()],
        "rules": [
            {"use": use, "room_class": code,
             "limits": {name: asdict(one) for name, one in limits.asked_of(use, code, SITE).items()}}
            for use, code in fitting
        ],
        "questions": list(judging.QUESTIONS), "letters": SITE.letters, "points": judging.UNEVENNESS_POINTS,
    })  # fmt: skip


async def displays(request: Request) -> Response:
    room = room_of(request)
    if request.method == "GET":
        return JSONResponse({"displays": [*room.mine, *room.elsewhere]})
    fields = await request.json()
    room.workstation = room.workstation or fields["workstation"]
    row = display(len(room.mine) + len(room.elsewhere), fields, workstation=room.workstation)
    room.mine.append(row)
    return JSONResponse(row, 201)


async def one_display(request: Request) -> Response:
    room, display_id = room_of(request), request.path_params["display_id"]
    row = next(one for one in [*room.mine, *room.elsewhere] if one["id"] == display_id)
    if request.method == "DELETE":
        row["retired_at"] = later()
        return Response(status_code=204)
    row.update(await request.json())
    return JSONResponse(row)


async def check(request: Request) -> Response:
    room, display_id = room_of(request), request.path_params["display_id"]
    given = await request.json()
    if room.refuse > 0:
        room.refuse -= 1
        return _problem(503, "unavailable", "Try again.")
    row = next(one for one in room.mine if one["id"] == display_id)
    known = [one for one in room.checks.get(display_id, []) if one["id"] == request.path_params["check_id"]]
    room.sent.append((request.path_params["check_id"], given))
    if known:
        return JSONResponse(known[0])
    try:
        made = _judge(row, given)
    except CheckInvalid as error:
        return _problem(error.http_status, error.code, error.message)
    made = {"id": request.path_params["check_id"], "display_id": display_id, **made}
    room.checks.setdefault(display_id, []).insert(0, made)
    reason = "checked" if made["passed"] else "failed"
    row["state"] = {"checked": made["passed"], "reason": reason, "until": made["valid_until"]}
    return JSONResponse(made)


def _problem(status: int, code: str, detail: str) -> Response:
    body = json.dumps({"status": status, "code": code, "detail": detail, "title": code})
    return Response(body, status, media_type="application/problem+json")


def _judge(row: Row, given: Row) -> Row:
    asked = limits.asked_of(row["use"], row["room_class"], SITE)
    seen = Seen(given["columns"], given["rows"], given["pixel_um"])
    criteria, forecast = list(judging.judge_matrix(seen, asked)), None
    if given["kind"] == "visual":
        criteria += judging.judge_answers(given["answers"])
    else:
        found: Row = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given["readings"].items()
        }
        readings = Readings(**found)
        criteria += judging.judge_readings(readings, asked)
        if given["correct"]:
            row["correction"] = list(gsdf.correction(readings.response()))
            row["corrected_by"] = "raw"
            forecast = 3.4
    passed = all(one.passed for one in criteria)
    entered = {"instrument": given.get("instrument", ""), "remark": given.get("remark", ""), "through": None}
    return {"kind": given["kind"], "passed": passed, "checked_at": later(), "account_name": "Dr. Katharina Weber",
            "valid_until": later(hours=16) if passed else None, "criteria": [asdict(one) for one in criteria],
            "display": {}, "entered": entered, "corrects": row["correction"] is not None,
            "forecast": forecast}  # fmt: skip


async def log(request: Request) -> Response:
    return JSONResponse({"checks": room_of(request).checks.get(request.path_params["display_id"], [])})


ROUTES = [
    Route("/api/displays", displays, methods=["GET", "POST"]),
    Route("/api/displays/here", here),
    Route("/api/displays/rules", rules),
    Route("/api/displays/{display_id}", one_display, methods=["PUT", "DELETE"]),
    Route("/api/displays/{display_id}/checks", log),
    Route("/api/displays/{display_id}/checks/{check_id}", check, methods=["PUT"]),
]
