"""What the fake server says to an address that names no study by id, and the reader's settings."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def _studies(request: Request) -> list[dict[str, Any]]:
    return [one.row for one in request.app.state.world.studies]


async def view(request: Request) -> Response:
    """By accession number one study or none; by patient three of two people."""
    asked = request.query_params
    found = _studies(request)[1:4] if asked.get("patient") else _studies(request)[2:3]
    if asked.get("accession") == "NONE":
        body = {"type": "urn:radrelay:problem:nothing-to-view", "code": "nothing-to-view", "detail": "none"}
        return JSONResponse(body, 404, media_type="application/problem+json")
    if len(found) > 1:
        person = {"id": "4711", "issuer": "HAUS A"}
        found = [{**one, "patient": {**one["patient"], **person}} for one in found]
        found[2]["patient"]["issuer"] = "PRAXIS B"
    answer = {
        "open": found[0]["id"] if len(found) == 1 else None, "series": None, "patients": len(found) - 1 or 1,
        "choice": "several-patients" if len(found) > 1 else "", "more": False, "studies": found,
        "whose": [0, 0, 1][: len(found)],
        "noted": {"viewer_type": "", "diagnostic_quality": False, "key_images_only": False},
    }  # fmt: skip
    return JSONResponse(answer)


async def setting(request: Request) -> Response:
    """Keep a setting of the reader's, as the server does."""
    kept: dict[str, Any] = request.app.state.world.settings
    name = request.path_params["name"]
    one = kept.get(name, {"name": name, "value": None, "revision": 0, "changed_at": None})
    if request.method == "PUT":
        given = await request.json()
        if given["revision"] != one["revision"]:
            body = {"type": "urn:radrelay:problem:preference-changed", "code": "preference-changed", "detail": ""}
            return JSONResponse(body, 409, media_type="application/problem+json")
        one = kept[name] = {**one, "value": given["value"], "revision": one["revision"] + 1}
        return JSONResponse(one)
    return JSONResponse({**one, "default": {"name": name, "value": None, "revision": 0, "changed_at": None}})


ROUTES = [
    Route("/api/view", view),
    Route("/api/me/preferences/{name}", setting, methods=["GET", "PUT"]),
]
