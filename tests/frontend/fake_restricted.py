"""The fake server's restricted studies, broken glass, rule of earlier studies and proven devices."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]


STUDY = {"study_uid": "1.2.3", "accession_number": "A-1", "study_date": "20251224", "modalities": "CT",
         "description": "Schädel nativ"}  # fmt: skip


def _broken(broken_id: str, name: str, kind: str, reason: str, **more: Any) -> Row:
    return {
        "id": broken_id, "account_id": "acc-1", "account_name": name, "study_id": str(uuid.UUID(int=2)), "kind": kind,
        "reason": reason, "at": "2026-01-02T03:04:00Z", "ends_at": "2026-01-02T07:04:00Z", "reviewed_at": None,
        "reviewed_by": "", "study": STUDY, "patient": {"issuer": "KLINIK", "patient_id": "4711", "name": "Groß^Jürgen"},
        **more,
    }  # fmt: skip


@dataclass
class Restricted:
    """What is restricted, what was opened all the same, and what proves whom."""

    restrictions: list[Row] = field(default_factory=lambda: [
        {"id": "r1", "kind": "patient", "value": "4711", "issuer": "KLINIK", "reason": "Mitarbeiterin",
         "made_by": "Dr. Katharina Weber", "created_at": "2026-01-01T08:00:00Z", "studies": 3, "people": 2},
        {"id": "r2", "kind": "study", "value": "1.2.276.0.7230010.3.1.2.3155604247.2047.17000000.1234", "issuer": "",
         "reason": "", "made_by": "root", "created_at": "2026-01-01T08:00:00Z", "studies": 1, "people": 1},
        {"id": "r3", "kind": "source", "value": "s1", "issuer": "", "reason": "Betriebsarzt", "made_by": "root",
         "created_at": "2026-01-01T08:00:00Z", "studies": 120, "people": 1},
    ])  # fmt: skip
    rule: Row = field(default_factory=lambda: {"reach": "none", "years": None, "marked_only": False})
    devices: list[Row] = field(default_factory=lambda: [
        {"ae_title": "CT_NORD", "addresses": ["192.0.2.7", "2001:db8::/64"], "subject": "ct-nord.klinik.example",
         "fingerprint": "ab" * 32, "description": "Notaufnahme"},
    ])  # fmt: skip
    broken: list[Row] = field(default_factory=lambda: [
        _broken("b1", "Dr. Katharina Weber", "emergency", "bewusstlos im Schockraum, keine Angehörigen"),
        _broken("b2", "山田 太郎", "treatment", "Vorbereitung der Operation", reviewed_at="2026-01-02T09:00:00Z",
                reviewed_by="Datenschutz", study=None, patient=None),
    ])  # fmt: skip
    told: list[str] = field(default_factory=list)
    may_break_glass: bool = False
    refuse: str = ""
    calls: list[tuple[str, Row]] = field(default_factory=list)


async def _given(request: Request) -> tuple[Restricted, Row]:
    found: Restricted = request.app.state.world.restricted
    data = await request.body()
    given: Row = await request.json() if data else {}
    found.calls.append((f"{request.method} {request.url.path}", given))
    return found, given


async def restrictions(request: Request) -> Response:
    world, given = await _given(request)
    if request.method == "GET":
        return JSONResponse({"restrictions": world.restrictions})
    made = {"id": str(uuid.uuid4()), "made_by": "root", "created_at": "2026-01-01T08:00:00Z", "studies": 2, "people": 1}
    made |= given
    world.restrictions.insert(0, made)
    return JSONResponse(made, 201)


async def people(request: Request) -> Response:
    """Say that two people have an ID, one of whom the reader may see."""
    return JSONResponse(
        {
            "people": 2,
            "named": [{"name": "Weber^Katharina", "birth_date": "1970-01-02", "sex": "F", "studies": 3}],
            "other_issuers": ["KLINIK SÜD"],
        }
    )


async def restriction(request: Request) -> Response:
    world, _ = await _given(request)
    world.restrictions = [one for one in world.restrictions if one["id"] != request.path_params["row_id"]]
    return Response(status_code=204)


async def prior_rule(request: Request) -> Response:
    world, given = await _given(request)
    world.rule = given or world.rule
    return JSONResponse(world.rule)


async def devices(request: Request) -> Response:
    world, _ = await _given(request)
    return JSONResponse({"devices": world.devices, "unbound_may": False})


async def device(request: Request) -> Response:
    world, given = await _given(request)
    title = request.path_params["title"]
    world.devices = [one for one in world.devices if one["ae_title"] != title]
    if request.method == "DELETE":
        return Response(status_code=204)
    world.devices.append({"ae_title": title, **given})
    return JSONResponse(world.devices[-1])


async def glass(request: Request) -> Response:
    world, given = await _given(request)
    if request.method == "GET":
        return JSONResponse({"broken": world.broken})
    if world.refuse:
        return JSONResponse({"code": world.refuse, "detail": "", "status": 409}, 409)
    return JSONResponse(_broken("b9", "root", given["kind"], given["reason"]), 201)


async def review(request: Request) -> Response:
    world, _ = await _given(request)
    [one] = [one for one in world.broken if one["id"] == request.path_params["row_id"]]
    one |= {"reviewed_at": "2026-01-02T09:00:00Z", "reviewed_by": "root"}
    return JSONResponse(one)


async def told(request: Request) -> Response:
    world, _ = await _given(request)
    broken = world.broken[0] | {"patient": None}
    notices = [{"id": one, "kind": "break-glass", "at": broken["at"], "broken": broken} for one in world.told]
    return JSONResponse({"notices": notices, "may_break_glass": world.may_break_glass})


async def put_away(request: Request) -> Response:
    world, _ = await _given(request)
    world.told = [one for one in world.told if one != request.path_params["row_id"]]
    return Response(status_code=204)


ROUTES = [
    Route("/api/restrictions/people", people),
    Route("/api/restrictions", restrictions, methods=["GET", "POST"]),
    Route("/api/restrictions/{row_id}", restriction, methods=["DELETE"]),
    Route("/api/prior-rule", prior_rule, methods=["GET", "PUT"]),
    Route("/api/devices", devices),
    Route("/api/devices/{title}", device, methods=["PUT", "DELETE"]),
    Route("/api/broken-glass", glass, methods=["GET", "POST"]),
    Route("/api/broken-glass/{row_id}/review", review, methods=["PUT"]),
    Route("/api/me/notices", told),
    Route("/api/me/notices/{row_id}", put_away, methods=["DELETE"]),
]
