"""HL7 as the pages ask for it: connections, messages, one shown, one worked on again, a mapping tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MESSAGE: dict[str, Any] = {
    "direction": "in", "port": "KIS", "sender": "KIS|ADT", "patient_id": "4711", "patient_issuer": "KLINIK",
    "accession_number": "", "answer": "AA", "peer": "10.0.0.7", "size": 152, "received_at": "2026-03-01T12:00:00Z",
    "processed_at": "2026-03-01T12:00:01Z", "next_attempt_at": None, "attempts": 1, "repeats": 0, "replays": 0,
    "trouble": None,
}  # fmt: skip
CONNECTION: dict[str, Any] = {
    "name": "KIS", "host": "0.0.0.0", "port": 2575, "tls": True, "last_at": "2026-03-01T12:00:00Z", "of_day": 312,
    "waiting": 0, "failed": 1, "coerce": ["merges"],
    "error": {"code": "hl7-issuer-missing", "detail": "", "facts": {}},
}  # fmt: skip
TRIED: dict[str, Any] = {
    "kind": "ADT^A08", "change": "patient", "answers": ["MSH|^~\\&|\nMSA|AA|9\n"], "trouble": None, "at": "",
    "found": [{"attribute": "patient.name", "place": "PID-5", "text": "Müller^Anna"}],
}  # fmt: skip


@dataclass
class Hl7:
    """What there is, and what was asked for."""

    messages: list[dict[str, Any]] = field(
        default_factory=lambda: [
            MESSAGE | {"id": "m-2", "control_id": "1002", "type": "ADT^A40", "state": "failed",
                       "trouble": {"code": "hl7-issuer-missing", "detail": "", "facts": {}}},
            MESSAGE | {"id": "m-1", "control_id": "1001", "type": "ADT^A08", "state": "done"},
        ]
    )  # fmt: skip
    asked: list[dict[str, str]] = field(default_factory=list)
    replayed: list[str] = field(default_factory=list)
    tried: list[dict[str, str]] = field(default_factory=list)


def _world(request: Request) -> Hl7:
    world: Hl7 = request.app.state.world.hl7
    return world


async def connections(request: Request) -> Response:
    away = CONNECTION | {"name": "RIS", "host": "10.0.0.9", "coerce": [], "failed": 0, "waiting": 2, "of_day": 1}
    away["error"] = {"code": "hl7-receiver-away", "detail": "", "facts": {}}
    return JSONResponse({"ports": [CONNECTION], "receivers": [away]})


async def messages(request: Request) -> Response:
    world, asked = _world(request), dict(request.query_params)
    world.asked.append(asked)
    return JSONResponse({"messages": [one for one in world.messages if asked.get("state") in (None, one["state"])]})


async def message(request: Request) -> Response:
    [one] = [one for one in _world(request).messages if one["id"] == request.path_params["message_id"]]
    text = "MSH|^~\\&|KIS\nPID|1||4711^^^KLINIK^PI||Müller^Anna"
    return JSONResponse({"message": one, "text": text, "shortened": False, "read": TRIED})


async def replay(request: Request) -> Response:
    world = _world(request)
    world.replayed += (await request.json())["ids"]
    for one in world.messages:
        if one["id"] in world.replayed:
            one |= {"state": "waiting", "trouble": None}
    return JSONResponse({"messages": world.messages})


async def receivers(request: Request) -> Response:
    return JSONResponse({"receivers": ["RIS", "KIS"]})


async def attempt(request: Request) -> Response:
    _world(request).tried.append(await request.json())
    return JSONResponse({"trials": [TRIED]})


ROUTES = [
    Route("/api/hl7", connections),
    Route("/api/hl7/receivers", receivers),
    Route("/api/hl7/messages", messages),
    Route("/api/hl7/messages/replay", replay, methods=["POST"]),
    Route("/api/hl7/messages/{message_id}", message),
    Route("/api/hl7/try", attempt, methods=["POST"]),
]
