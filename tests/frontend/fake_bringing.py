"""The page on which patients enter their links, as it asks: offered, begun, looked at, answered, withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.frontend.fake_office import ago

Row = dict[str, Any]
NUMBER = "7KQ29XBDM4TRS0EN5HVW"
QR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29"><path fill="#fff" d="M0 0h29v29H0z"/></svg>'
TEXT: Row = {
    "id": "7b0f5b1e-0000-4000-8000-000000000001", "kind": "consent", "version": 3, "sha256": "ab" * 32,
    "english": "I agree that my images are fetched.\n\n- **Free:** I need not agree.",
    "german": "Ich willige ein, dass meine Bilder geholt werden.\n\n- **Freiwillig:** Ich muss nicht.",
    "changed_at": ago(days=3),
}  # fmt: skip
OWNER: Row = {"organisation": "Klinikum Süd", "organisation_id": "7b0f5b1e-0000-4000-8000-000000000002"}
PASSWORD: Row = {"id": "2", "kind": "password", "form": "text", "texts": {"de": "PIN vom Zettel", "en": "PIN"}}


def brought(step: str, **changed: object) -> Row:
    return OWNER | {
        "step": step, "host": "portal.klinik-nord.example", "code": "", "left": None, "questions": [],
        "bytes_received": 0, "bytes_expected": None, "packs_since": None, "next_try_at": None,
        "pictures": 0, "begun_at": ago(minutes=5),
        "changed_at": ago(minutes=4), "ends_at": ago(days=-7), "text_version": 3, "withdrawn_at": None, "erased": None,
        "decision": "",
    } | changed  # fmt: skip


@dataclass
class Bringing:
    """What there is, and what was asked for."""

    is_open: bool = True
    now: Row = field(default_factory=lambda: brought("fetching", bytes_received=12_000_000, bytes_expected=80_000_000))
    calls: list[tuple[str, Any]] = field(default_factory=list)


def problem(status: int, code: str) -> Response:
    return JSONResponse({"code": code, "status": status, "detail": code, "title": code}, status)


async def public(request: Request) -> Response:
    world: Bringing = request.app.state.world.bringing
    if request.method == "GET":
        return JSONResponse(OWNER | {"text": TEXT}) if world.is_open else problem(404, "bringing-closed")
    world.calls.append(("begin", await request.json()))
    begun = {"number": NUMBER, "address": f"https://images.example/bring#{NUMBER}", "qr": QR, "brought": world.now}
    return JSONResponse(begun, 201)


async def under_number(request: Request) -> Response:
    world: Bringing = request.app.state.world.bringing
    told, action = await request.json(), request.path_params["action"]
    if "".join(told["number"].split()).upper() != NUMBER:
        return problem(404, "bringing-number-unknown")
    if action != "look":
        world.calls.append((action, told))
    if action == "withdrawal":
        gone = {"at": ago(), "files": 2, "bytes": 80_000_000, "destroyed_at": ago()}
        world.now = brought("withdrawn", host="", withdrawn_at=ago(), erased=gone, ends_at=None)
    elif action == "answers":
        world.now = brought("fetching", changed_at=ago())
    return JSONResponse(world.now)


async def page(request: Request) -> Response:
    world: Bringing = request.app.state.world.bringing
    if request.method == "PUT":
        world.is_open = (await request.json())["is_open"]
    return JSONResponse(
        {
            "is_open": world.is_open,
            "address": "https://images.example/bring",
            "qr": QR,
            "text_version": 3,
            "address_told": True,
            "lacking": [],
        }
    )


ROUTES = [
    Route("/api/bringing/page", page, methods=["GET", "PUT"]),
    Route("/api/bringing/{action}", under_number, methods=["POST"]),
    Route("/api/bringing", public, methods=["GET", "POST"]),
]
