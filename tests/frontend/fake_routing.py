"""The fake server's rules: what is done with studies that come."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]
WHY = [{"field": "Modality", "test": "is", "values": ["MR"], "held": True, "seen": ["MR"]},
       {"field": "calling_ae", "test": "is", "values": ["MR_NORD"], "held": True, "seen": ["MR_NORD"]}]  # fmt: skip
EFFECTS = [
    {"kind": "coerce", "state": "done", "reason": "", "error": None, "differences": [
        {"name": "accession_number", "before": "A-100", "after": "EXT-A-100"}]},
    {"kind": "forward", "state": "skipped", "reason": "came-from-there", "error": None, "differences": []},
    {"kind": "notify", "state": "failed", "reason": "", "differences": [],
     "error": {"code": "mail-not-set", "detail": "", "facts": {}}},
]  # fmt: skip


def _rule(rule_id: str, name: str, when: list[Row], actions: list[Row], **more: Any) -> Row:
    return {
        "id": rule_id, "name": name, "when": when, "actions": actions, "match": "all", "moment": "complete",
        "stop": False, "enabled": True, "revision": 2, "changed_by": "Dr. Katharina Weber",
        "changed_at": "2026-01-01T08:00:00Z", "created_by": "Dr. Katharina Weber",
        "created_at": "2026-01-01T08:00:00Z", "met": 12, "failed": 0, "last_at": None, **more,
    }  # fmt: skip


@dataclass
class Routing:
    """Rules, and what a trial answers."""

    rules: list[Row] = field(default_factory=lambda: [
        _rule("rr-1", "Kniegelenke der Praxis Nord", [
            {"field": "Modality", "test": "is", "values": ["MR", "CT"]},
            {"field": "calling_ae", "test": "is", "values": ["MR_NORD"]},
        ], [{"kind": "coerce", "values": {"accession_number": "EXT-{accession_number}"}},
            {"kind": "forward", "destination_id": "d1", "priority": 0}], failed=2),
        _rule("rr-2", "Nachts", [{"field": "time", "test": "between", "values": ["22:00", "06:00"]}],
              [{"kind": "show", "group_id": "g-ward", "may_download": False, "identity": "clear", "days": 3}],
              moment="arrival", stop=True, enabled=False),
    ])  # fmt: skip
    calls: list[tuple[str, Row]] = field(default_factory=list)


async def _given(request: Request) -> tuple[Routing, Row]:
    found: Routing = request.app.state.world.routing
    given: Row = await request.json() if await request.body() else {}
    found.calls.append((f"{request.method} {request.url.path}", given))
    return found, given


async def rules(request: Request) -> Response:
    world, given = await _given(request)
    if request.method == "GET":
        return JSONResponse({"rules": world.rules})
    made = _rule(str(uuid.uuid4()), "", [], []) | given | {"met": 0, "revision": 1}
    world.rules.append(made)
    return JSONResponse(made, 201)


async def kinds(request: Request) -> Response:
    both, late = ["arrival", "complete"], ["complete"]
    moments = {
        "show": both,
        "retain": late,
        "hold": both,
        "coerce": late,
        "forward": late,
        "report": late,
        "notify": both,
    }
    return JSONResponse({
        "kinds": [{"name": name, "moments": when} for name, when in moments.items()],
        "coerced": ["patient_name", "patient_id", "accession_number", "description"],
    })  # fmt: skip


async def order(request: Request) -> Response:
    world, given = await _given(request)
    world.rules.sort(key=lambda one: given["ids"].index(one["id"]))
    return JSONResponse({"rules": world.rules})


async def rule(request: Request) -> Response:
    world, given = await _given(request)
    [one] = [one for one in world.rules if one["id"] == request.path_params["rule_id"]]
    if request.method == "DELETE":
        world.rules.remove(one)
        return Response(status_code=204)
    one |= given
    return JSONResponse(one)


async def revisions(request: Request) -> Response:
    [one] = [one for one in request.app.state.world.routing.rules if one["id"] == request.path_params["rule_id"]]
    shape = {name: one[name] for name in ("name", "when", "actions", "match", "moment", "stop", "enabled")}
    kept = [{"revision": number, "at": "2026-01-01T08:00:00Z", "by": by, "deleted": False, "rule": shape}
            for number, by in ((2, "Dr. Katharina Weber"), (1, "山田 太郎"))]  # fmt: skip
    return JSONResponse({"revisions": kept})


async def attempt(request: Request) -> Response:
    await _given(request)
    patient = {"name": "Müller-Lüdenscheidt^Anna-Katharina", "id": "P1", "issuer": "", "birth_date": None, "sex": "F"}
    study = {"id": str(uuid.UUID(int=1)), "study_date": "2024-08-21", "description": "MRT Knie rechts, nativ und KM",
             "modalities": ["MR"], "patient": patient}  # fmt: skip
    found = {"study": study, "why": WHY, "effects": EFFECTS}
    return JSONResponse({"looked_at": 200, "met": 3, "studies": [found]})


async def analyses(request: Request) -> Response:
    return JSONResponse([])


async def met(request: Request) -> Response:
    if request.method == "POST":
        await _given(request)
        return JSONResponse(None, 202)
    found = {"rule_id": "rr-1", "name": "Kniegelenke der Praxis Nord", "revision": 2, "at": "2026-01-01T08:00:00Z",
             "match": "all", "why": WHY, "effects": EFFECTS}  # fmt: skip
    return JSONResponse({"rules": [found]})


ROUTES = [
    Route("/api/routing-rules", rules, methods=["GET", "POST"]),
    Route("/api/analyses", analyses),
    Route("/api/routing-rules/kinds", kinds),
    Route("/api/routing-rules/order", order, methods=["PUT"]),
    Route("/api/routing-rules/try", attempt, methods=["POST"]),
    Route("/api/routing-rules/{rule_id}", rule, methods=["PUT", "DELETE"]),
    Route("/api/routing-rules/{rule_id}/enabled", rule, methods=["PUT"]),
    Route("/api/routing-rules/{rule_id}/revisions", revisions),
    Route("/api/studies/{study_id}/rules", met, methods=["GET", "POST"]),
]
