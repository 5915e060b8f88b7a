"""The fake server's release rules."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]
EMPTY = dict.fromkeys(
    ("modality", "body_part", "description", "referring", "institution", "department", "calling_ae", "called_ae"), ""
)


def _rule(rule_id: str, name: str, asked: Row, **more: Any) -> Row:
    return {
        "id": rule_id, "name": name, "group_id": "g-ward", "group_name": "Station 3",
        "conditions": {"source_id": None, **EMPTY, **asked}, "may_download": False, "identity": "clear", "days": None,
        "enabled": True, "made_by": "Dr. Katharina Weber", "created_at": "2026-01-01T08:00:00Z", "revision": 1,
        "releases": 0, "applying": False, **more,
    }  # fmt: skip


@dataclass
class Rules:
    """Rules, and what a preview answers."""

    rules: list[Row] = field(default_factory=lambda: [
        _rule("ru-1", "Orthopädie, eigene Kniegelenke", {"modality": "MR", "body_part": "KNEE",
              "referring": "Müller-Lüdenscheidt"}, days=30, releases=12),
        _rule("ru-2", "Partnerklinik", {"source_id": "s1", "calling_ae": "CT_NORD"}, group_id="g-jp",
              group_name="放射線科 (山田)", identity="alias", may_download=True, enabled=False, applying=False),
    ])  # fmt: skip
    matched: Row = field(default_factory=lambda: {
        "looked_at": 500, "matched": 3, "restricted": 1,
        "studies": [
            {"id": str(uuid.UUID(int=n)), "study_date": f"2024-08-2{n}", "description": "MRT Knie rechts, nativ und KM",
             "modalities": ["MR"], "patient": {"name": name, "id": "P1", "issuer": "", "birth_date": None, "sex": "M"}}
            for n, name in ((1, "Yamada^Tarou=山田^太郎"), (2, "Müller-Lüdenscheidt^Anna-Katharina"))
        ],
    })  # fmt: skip
    refuse: str = ""
    calls: list[tuple[str, Row]] = field(default_factory=list)


async def _given(request: Request) -> tuple[Rules, Row]:
    found: Rules = request.app.state.world.rules
    data = await request.body()
    given: Row = await request.json() if data else dict(request.query_params)
    found.calls.append((f"{request.method} {request.url.path}", given))
    return found, given


async def rules(request: Request) -> Response:
    world, given = await _given(request)
    if request.method == "GET":
        return JSONResponse({"rules": world.rules})
    names = {one["id"]: one["name"] for one in request.app.state.world.access.groups}
    row = {key: value for key, value in given.items() if key != "apply"}
    made = _rule(str(uuid.uuid4()), given["name"], {}) | row | {"group_name": names[given["group_id"]]}
    world.rules.append(made)
    return JSONResponse(made, 201)


async def rule(request: Request) -> Response:
    world, given = await _given(request)
    [one] = [one for one in world.rules if one["id"] == request.path_params["rule_id"]]
    if world.refuse:
        return JSONResponse({"code": world.refuse, "detail": "", "status": 409}, 409)
    if request.method == "DELETE":
        world.rules.remove(one)
        return Response(status_code=204)
    one |= {key: value for key, value in given.items() if key not in ("apply", "releases")}
    return JSONResponse(one)


async def preview(request: Request) -> Response:
    world, _ = await _given(request)
    return JSONResponse(world.matched)


ROUTES = [
    Route("/api/release-rules", rules, methods=["GET", "POST"]),
    Route("/api/release-rules/preview", preview, methods=["POST"]),
    Route("/api/release-rules/{rule_id}", rule, methods=["PUT", "DELETE"]),
]
