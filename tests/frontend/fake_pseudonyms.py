"""The fake server's pseudonyms: projects, aliases, reports, what was kept back."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.frontend.fake_office import ago

Row = dict[str, Any]
PROJECT: Row = {
    "id": "pr-1", "name": "LUNGE-2026", "pattern": "{project}-{number:05}{check}",
    "options": ["clean-pixels", "clean-descriptors", "modified-dates"], "shift_days": [30, 1095], "age_limit": 89,
    "allowed_words": [], "devices": "", "trust_unmarked": [], "hold_faces": False, "deface": True,
    "keep_days": 365, "enabled": True,
    "revision": 1,
    "created_at": "2026-01-01T08:00:00Z", "aliases": 2,
}  # fmt: skip
HELD: Row = {
    "id": "he-1", "project_id": "pr-1", "project": "LUNGE-2026", "study_id": str(uuid.UUID(int=2)),
    "instance_id": str(uuid.UUID(int=9)), "reasons": ["maybe-burned-in-text"], "held_at": ago(hours=2),
    "released_at": None, "released_by": "", "note": "", "cover": [], "releasable": True, "alike": 3,
}  # fmt: skip


def _alias(number: int) -> Row:
    return {"id": f"al-{number}", "project_id": "pr-1", "project": "LUNGE-2026", "alias": f"LUNGE-2026-0000{number}",
            "used_on": "2026-03-01", "studies": number}  # fmt: skip


@dataclass
class Pseudonyms:
    """What is there, and what was asked."""

    projects: list[Row] = field(default_factory=lambda: [PROJECT])
    held: list[Row] = field(default_factory=lambda: [HELD])
    installed: bool = True
    calls: list[tuple[str, Row]] = field(default_factory=list)


async def _given(request: Request) -> tuple[Pseudonyms, Row]:
    found: Pseudonyms = request.app.state.world.pseudonyms
    given: Row = await request.json() if await request.body() else dict(request.query_params)
    found.calls.append((f"{request.method} {request.url.path}", given))
    return found, given


async def projects(request: Request) -> Response:
    world, given = await _given(request)
    if request.method == "POST":
        world.projects.append({**PROJECT, **given, "id": f"pr-{len(world.projects) + 1}", "aliases": 0})
        return JSONResponse(world.projects[-1], 201)
    return JSONResponse({"projects": world.projects})


async def aliases(request: Request) -> Response:
    await _given(request)
    return JSONResponse({"aliases": [_alias(1), _alias(2)], "more": False})


async def identity(request: Request) -> Response:
    await _given(request)
    return JSONResponse({
        "alias": "LUNGE-2026-00001", "project": "LUNGE-2026", "patient_name": "Müller-Lüdenscheidt^Anna-Katharina",
        "patient_id": "4711", "issuer": "KLINIKUM", "birth_date": "19540312", "sex": "F",
        "study_uids": ["1.2.840.113619.2.55.3.604688119.971.1130750404.384"],
    })  # fmt: skip


async def held(request: Request) -> Response:
    world, _ = await _given(request)
    return JSONResponse({"held": world.held})


async def proposal(request: Request) -> Response:
    world, _ = await _given(request)
    regions = [[0, 0, 200, 40], [300, 440, 120, 20]] if world.installed else []
    return JSONResponse(
        {"installed": world.installed, "columns": 640, "rows": 480, "frames": 3, "regions": regions}
    )  # fmt: skip


async def release(request: Request) -> Response:
    world, _ = await _given(request)
    world.held = []
    return JSONResponse({**HELD, "released_at": ago()})


async def handouts(request: Request) -> Response:
    world, _ = await _given(request)
    report = {
        "attributes": {"removed": {"StudyDescription": 28}, "uid-replaced": {"StudyInstanceUID": 28}},
        "warnings": {"recognisable-face": 28}, "templates": {}, "refused": {"maybe-burned-in-text": 1},
    }  # fmt: skip
    made = {
        "id": "ho-1", "project_id": "pr-1", "project": "LUNGE-2026", "study_id": str(uuid.UUID(int=2)),
        "purpose": "export", "made_by": "Dr. Katharina Weber", "objects": 28, "kept_back": 1, "report": report,
        "created_at": ago(hours=1), "ended_at": ago(hours=1),
    }  # fmt: skip
    return JSONResponse({"handouts": [made], "held": world.held})


ROUTES = [
    Route("/api/pseudonyms/projects", projects, methods=["GET", "POST"]),
    Route("/api/pseudonyms/aliases", aliases),
    Route("/api/pseudonyms/aliases/{row_id}/identity", identity, methods=["POST"]),
    Route("/api/pseudonyms/held", held),
    Route("/api/pseudonyms/held/{row_id}/proposal", proposal),
    Route("/api/pseudonyms/held/{row_id}/release", release, methods=["POST"]),
    Route("/api/studies/{study_id}/handouts", handouts),
]
