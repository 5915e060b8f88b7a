"""A small server that answers as Radrelay's REST interface does, for tests of the pages alone.

It serves the built bundle under the real security headers, so that what the policy forbids fails here, too.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from radrelay.dicom.codestreams import resolution_ends
from radrelay.dicom.htj2k import encode_frame
from radrelay.web.guards import FRAMED, HEADERS, framed_by
from tests.frontend import (
    fake_access,
    fake_account,
    fake_bringing,
    fake_choices,
    fake_consent,
    fake_data,
    fake_directory,
    fake_factors,
    fake_gateway,
    fake_hl7,
    fake_imports,
    fake_links,
    fake_marks,
    fake_office,
    fake_organisation,
    fake_privacy,
    fake_pseudonyms,
    fake_restricted,
    fake_roomcheck,
    fake_routing,
    fake_rules,
)
from tests.frontend.fake_login import Challenged, challenge_for, proven

STATIC = Path(__file__).parents[2] / "src" / "radrelay" / "web" / "static"
CSRF = "csrf-for-tests"
PASSWORD = "korrekt-pferd-batterie"


@dataclass
class World:
    """What the fake server holds; tests look into it and turn its switches."""

    studies: list[fake_data.FakeStudy] = field(default_factory=lambda: fake_data.make_studies(20))
    access: fake_access.Access = field(default_factory=fake_access.Access)
    directory: fake_directory.Directory = field(default_factory=fake_directory.Directory)
    restricted: fake_restricted.Restricted = field(default_factory=fake_restricted.Restricted)
    organisation: fake_organisation.Organisation = field(default_factory=fake_organisation.Organisation)
    hl7: fake_hl7.Hl7 = field(default_factory=fake_hl7.Hl7)
    imports: fake_imports.Imports = field(default_factory=fake_imports.Imports)
    bringing: fake_bringing.Bringing = field(default_factory=fake_bringing.Bringing)
    routing: fake_routing.Routing = field(default_factory=fake_routing.Routing)
    pseudonyms: fake_pseudonyms.Pseudonyms = field(default_factory=fake_pseudonyms.Pseudonyms)
    rules: fake_rules.Rules = field(default_factory=fake_rules.Rules)
    links: fake_links.Links = field(default_factory=fake_links.Links)
    office: fake_office.Office = field(default_factory=fake_office.Office)
    own: fake_account.OwnAccount = field(default_factory=fake_account.OwnAccount)
    consents: fake_consent.Consents = field(default_factory=fake_consent.Consents)
    marks: fake_marks.Marks = field(default_factory=fake_marks.Marks)
    roomcheck: fake_roomcheck.RoomCheck = field(default_factory=fake_roomcheck.RoomCheck)
    settings: dict[str, Any] = field(default_factory=dict)
    must_change_password: bool = False
    role: str = "admin"
    must_accept: bool = False
    alarms: list[dict[str, Any]] = field(default_factory=fake_privacy.alarms)
    away: bool = False
    program: str = ""
    """Another program has opened this login."""
    frame_ancestors: tuple[str, ...] = ()
    logged_in: bool = True
    glimpses: bool = True
    held_frames: set[str] = field(default_factory=set)
    broken_frames: set[str] = field(default_factory=set)
    refused_frames: dict[str, tuple[int, str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    refuse_uploads: int = 0
    put_delay_s: float = 0.0
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    queries: list[dict[str, Any]] = field(default_factory=list)
    frames_asked: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    listeners: list[set[str]] = field(default_factory=list)
    held_series: set[str] = field(default_factory=set)
    username: str = "weber"
    answering: int = 0
    """Requests that are being answered, but for the channel that never ends."""
    asked_at: float = 0.0
    """When the last of them came (time.monotonic)."""
    server_proof: str = ""
    challenged: dict[str, Challenged] = field(default_factory=dict)

    def study(self, study_id: str) -> fake_data.FakeStudy | None:
        return next((one for one in self.studies if one.row["id"] == study_id), None)

    def series(self, series_id: str) -> fake_data.FakeSeries | None:
        return next((one for study in self.studies for one in study.series if one.id == series_id), None)


def problem(status: int, code: str, detail: str) -> JSONResponse:
    body = {"type": f"urn:radrelay:problem:{code}", "title": code, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, media_type="application/problem+json")


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _account(world: World) -> dict[str, Any]:
    account = {"id": f"acc-{world.username}", "username": world.username, "name": "Dr. Katharina Weber",
               "role": world.role, "language": "", "must_change_password": world.must_change_password,
               "must_accept": world.must_accept}  # fmt: skip
    return {"account": account, "csrf_token": CSRF, "expires_at": None, "idle_until": None,
            "launched": {"program": world.program} if world.program else None,
            "shared": world.links.here() if world.role == "link" else None,
            "server_proof": world.server_proof, **world.own.left()}  # fmt: skip


async def session(request: Request) -> Response:
    world = world_of(request)
    if request.method == "POST":
        checked = proven(await request.json(), world.challenged)
        if checked is None:
            return problem(401, "login-refused", "The user name or the password is wrong.")
        world.logged_in, (world.username, world.server_proof) = True, checked
    elif request.method == "DELETE":
        world.logged_in = False
        return Response(status_code=204)
    if not world.logged_in:
        return problem(401, "unauthenticated", "Log in first.")
    return JSONResponse(_account(world))


async def use(request: Request) -> Response:
    world = world_of(request)
    if not world.logged_in:
        return problem(401, "session-ended", "This login has ended.")
    world.own.use((await request.json())["idle_s"])
    return JSONResponse(_account(world))


async def challenge(request: Request) -> Response:
    return JSONResponse(challenge_for((await request.json())["username"], PASSWORD, world_of(request).challenged))


async def password(request: Request) -> Response:
    world = world_of(request)
    given = await request.json()
    if proven(given["current"], world.challenged) is None or set(given["new"]) != {"salt", "iterations", "verifier"}:
        return problem(401, "login-refused", "The password is wrong.")
    world.must_change_password = False
    return JSONResponse(_account(world))


def _matches(row: dict[str, Any], query: Any) -> bool:
    haystack = json.dumps(row, ensure_ascii=False).casefold()
    texts = [query.get(name, "") for name in ("text", "name", "patient_id", "accession", "description")]
    wanted = query.getlist("modality")
    return (
        all(text.casefold() in haystack for text in texts)
        and (not wanted or bool(set(wanted) & set(row["modalities"])))
        and query.get("date_from", "") <= row["study_date"] <= query.get("date_to", "9999")
        and query.get("birth_date", row["patient"]["birth_date"]) == row["patient"]["birth_date"]
    )


async def studies(request: Request) -> Response:
    world, query = world_of(request), request.query_params
    world.queries.append(dict(query))
    found = [one.row for one in world.studies if _matches(one.row, query)]
    sort = query.get("sort", "-received")
    keys = {
        "name": lambda row: row["patient"]["name"],
        "study_date": lambda row: row["study_date"],
        "received": lambda row: row["last_received_at"],
        "expires": lambda row: row["expires_at"] or "9",
    }
    found.sort(key=keys[sort.lstrip("-")], reverse=sort.startswith("-"))
    start, limit = int(query.get("cursor") or 0), int(query.get("limit", 50))
    page = found[start : start + limit]
    more = str(start + limit) if start + limit < len(found) else None
    return JSONResponse({"studies": page, "next_cursor": more, "total": len(found), "total_capped": False})


async def study(request: Request) -> Response:
    world, study_id = world_of(request), request.path_params["study_id"]
    found = world.study(study_id)
    if found is None:
        return problem(404, "study-not-found", "There is no such study.")
    if request.method == "DELETE":
        world.studies.remove(found)
        world.changed.add("studies")
        return Response(status_code=204)
    return JSONResponse(_detail(found))


def _detail(found: fake_data.FakeStudy) -> dict[str, Any]:
    holding = {"id": "h", "source": found.row["sources"][0], "received_at": found.row["first_received_at"],
               "expires_at": found.row["expires_at"], "ceiling_at": found.row["ceiling_at"], "hold_until": None,
               "hold_reason": "Tumorboard" if found.row["held"] else ""}  # fmt: skip
    series = [one.row for one in found.series]
    return {**found.row, "series": series, "attachments": found.attachments, "holdings": [holding]}


def _first(found: fake_data.FakeStudy, request: Request) -> fake_data.FakeSeries:
    asked = request.query_params.get("series")
    pictured = [one for one in found.series if one.row["pictured"]]
    return next((one for one in found.series if one.id == asked), (pictured or found.series)[0])


async def opening(request: Request) -> Response:
    found = world_of(request).study(request.path_params["study_id"])
    if found is None:
        return problem(404, "study-not-found", "There is no such study.")
    first = _first(found, request)
    late = first.id in world_of(request).held_series
    return JSONResponse({"study": _detail(found), "series": None if late else first.detail})


async def glimpse(request: Request) -> Response:
    world = world_of(request)
    found = world.study(request.path_params["study_id"])
    if found is None or not world.glimpses:
        return problem(404, "nothing-pictured", "This study opens on no picture.")
    first = _first(found, request)
    facts, data = fake_data.frame_of(first, 0, 1)
    if facts["samples"] != 1 or facts["bits_allocated"] != 16:
        return problem(404, "nothing-pictured", "This study opens on no picture.")
    small = np.frombuffer(data, "<u2").reshape(facts["rows"], facts["columns"])[::4, ::4]
    facts |= {"coarse": list(small.shape)}
    headers = {"X-Radrelay-Frame": fake_data.frame_header(facts), "X-Radrelay-Instance": f"{first.id}-0"}
    return Response(np.ascontiguousarray(small).tobytes(), headers=headers)


async def hold(request: Request) -> Response:
    world, study_id = world_of(request), request.path_params["study_id"]
    found = world.study(study_id)
    if found is None:
        return problem(404, "study-not-found", "There is no such study.")
    found.row["held"] = request.method == "POST"
    if request.method == "POST":
        world.holds[study_id] = await request.json()
    return JSONResponse({"expires_at": None, "ceiling_at": None, "held": found.row["held"]})


async def series(request: Request) -> Response:
    world = world_of(request)
    while request.path_params["series_id"] in world.held_series and not await request.is_disconnected():
        await asyncio.sleep(0.02)
    found = world.series(request.path_params["series_id"])
    if found is None:
        return problem(404, "series-not-found", "There is no such series.")
    return JSONResponse(found.detail)


async def thumbnail(request: Request) -> Response:
    found = world_of(request).series(request.path_params["series_id"])
    data = fake_data.thumbnail_of(found) if found else None
    return Response(data, media_type="image/jpeg") if data else problem(404, "no-picture", "There is no picture.")


async def frame(request: Request) -> Response:
    world = world_of(request)
    instance_id, number = request.path_params["instance_id"], request.path_params["number"]
    series_id, place = instance_id.rpartition("-")[::2]
    world.frames_asked.append(f"{place}/{number}")
    while instance_id in world.held_frames and not await request.is_disconnected():
        await asyncio.sleep(0.02)
    found = world.series(series_id)
    if found is None:
        return problem(404, "instance-not-found", "There is no such instance.")
    if instance_id in world.refused_frames:
        status, code = world.refused_frames[instance_id]
        return problem(status, code, "The server's own words.")
    facts, data = fake_data.frame_of(found, int(place), number)
    facts |= world.facts
    if facts["samples"] == 1 and facts["bits_allocated"] <= 16 and not facts.get("missing"):
        kind = f"<{'i' if facts['signed'] else 'u'}{facts['bits_allocated'] // 8}"
        data = encode_frame(np.frombuffer(data, kind).reshape(facts["rows"], facts["columns"]))
        facts |= {"coding": "htj2k", "resolution_ends": resolution_ends(data)}
    if instance_id in world.broken_frames:
        data = data[:1000]
    return Response(data, headers={"X-Radrelay-Frame": fake_data.frame_header(facts)})


async def download(request: Request) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="study.zip"'}
    return Response(b"PK\x05\x06" + bytes(18), media_type="application/zip", headers=headers)


async def events(request: Request) -> Response:
    world = world_of(request)

    async def stream() -> AsyncIterator[str]:
        own: set[str] = set()
        world.listeners.append(own)
        yield "retry: 500\nevent: ready\ndata: {}\n\n"
        while not request.app.state.closing and not await request.is_disconnected():
            news, world.changed = world.changed, set()
            for one in world.listeners:
                one.update(news)  # every page hears of it
            if own:
                lists = sorted(own)
                own.clear()
                yield f"event: changed\ndata: {json.dumps({'lists': lists})}\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(stream(), media_type="text/event-stream")


async def put_file(request: Request) -> Response:
    world = world_of(request)
    if request.headers.get("x-csrf-token") != CSRF:
        return problem(403, "csrf", "The token is missing.")
    size = sum([len(piece) async for piece in request.stream()])
    await asyncio.sleep(world.put_delay_s)
    if world.refuse_uploads > 0:
        world.refuse_uploads -= 1
        return problem(503, "unavailable", "Try again.")
    name = request.query_params["name"]
    parcel = world.office.parcel(request.path_params["parcel_id"])
    if name.endswith(".exe"):
        return problem(400, "invalid", f"{name} is not taken.")
    parcel["bytes_received"] += size
    parcel["files"] += 1
    parcel["names"].append(name)
    return JSONResponse({"outcome": "kept", "size": size, "media_type": "", "code": "", "text": ""})


async def page(request: Request) -> Response:
    if request.url.path.startswith("/api/"):
        return problem(404, "not-found", "There is nothing at this address.")  # parts that other tests have fakes of
    path = STATIC / request.path_params["path"].lstrip("/")
    known = path.is_file() and path.is_relative_to(STATIC)
    if not known:
        return HTMLResponse(world_of(request).consents.marked((STATIC / "index.html").read_text()))
    return FileResponse(path)


class Guard:
    """Adds the real security headers; asks for a login where the real server does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        world: World = scope["app"].state.world
        path = scope["path"]
        headers = framed_by(world.frame_ancestors) if world.frame_ancestors and path in FRAMED else HEADERS

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in headers.items()]
            await send(message)

        counts = path != "/api/events"
        world.answering += counts
        world.asked_at = time.monotonic() if counts else world.asked_at
        try:
            nobodys = ("/api/bringing", "/api/session", "/api/oidc", *fake_account.OPEN)
            if world.away and path.startswith("/api/"):
                await problem(503, "unavailable", "The database does not answer.")(scope, receive, guarded)
            elif path.startswith("/api/") and not path.startswith(nobodys) and not world.logged_in:
                await problem(401, "unauthenticated", "Log in first.")(scope, receive, guarded)
            else:
                await self.app(scope, receive, guarded)
        finally:
            world.answering -= counts


ROUTES = [
    Route("/api/session", session, methods=["GET", "POST", "DELETE"]),
    Route("/api/session/use", use, methods=["POST"]),
    Route("/api/session/challenge", challenge, methods=["POST"]),
    Route("/api/session/password", password, methods=["POST"]),
    Route("/api/studies", studies),
    Route("/api/studies/{study_id}", study, methods=["GET", "DELETE"]),
    Route("/api/studies/{study_id}/opening", opening),
    Route("/api/studies/{study_id}/glimpse", glimpse),
    Route("/api/studies/{study_id}/hold", hold, methods=["POST", "DELETE"]),
    Route("/api/studies/{study_id}/archive.zip", download),
    Route("/api/series/{series_id}", series),
    Route("/api/series/{series_id}/thumbnail", thumbnail),
    Route("/api/instances/{instance_id}/frames/{number:int}/stream", frame),
    Route("/api/events", events),
    Route("/api/parcels/{parcel_id}/files", put_file, methods=["PUT"]),
    *fake_access.ROUTES,
    *fake_account.ROUTES,
    *fake_directory.ROUTES,
    *fake_gateway.ROUTES,
    *fake_restricted.ROUTES,
    *fake_hl7.ROUTES,
    *fake_imports.ROUTES,
    *fake_bringing.ROUTES,
    *fake_routing.ROUTES,
    *fake_pseudonyms.ROUTES,
    *fake_rules.ROUTES,
    *fake_marks.ROUTES,
    *fake_choices.ROUTES,
    *fake_factors.ROUTES,
    *fake_links.ROUTES,
    *fake_privacy.ROUTES,
    *fake_consent.ROUTES,
    *fake_office.ROUTES,
    *fake_organisation.ROUTES,
    *fake_roomcheck.ROUTES,
    Route("/{path:path}", page),
]


@contextmanager
def serving(world: World, port: int = 0) -> Iterator[str]:
    """Serve `world` on loopback; yields the address."""
    app = Starlette(routes=ROUTES)
    app.state.world, app.state.closing = world, False
    app.add_middleware(Guard)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.closing = server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    with serving(World(), 8765) as address:
        print(address, datetime.now(UTC))
        threading.Event().wait()
