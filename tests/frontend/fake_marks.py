"""Marks as the REST interface keeps them, for the pages' tests: revisions, conflicts, and a line that breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CONTENT = ("kind", "instance_id", "frame", "points", "space", "text", "label", "values")
OTHER = {"id": "acc-other", "name": "Dr. Jürgen Groß"}


@dataclass
class Marks:
    """The marks of all studies by id; `deleted` holds the revision at which one went."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    may_mark: bool = True
    broken: bool = False
    refused: int = 0
    asked: list[str] = field(default_factory=list)

    def made(self, study_id: str, mark_id: str, content: dict[str, Any], by: dict[str, str]) -> dict[str, Any]:
        """Write a mark as it is after a change by `by`."""
        before = self.kept.get(mark_id)
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        revision = (before["revision"] if before else self.deleted.pop(mark_id, 0)) + 1
        mark = {
            **{name: content.get(name) for name in CONTENT}, "id": mark_id, "series_id": _series_of(content),
            "text_hidden": False, "study_id": study_id, "revision": revision,
            "author": before["author"] if before else by, "created_at": before["created_at"] if before else now,
            "changed_at": now, "changed_by": by,
        }  # fmt: skip
        self.kept[mark_id] = mark
        return mark

    def only(self) -> dict[str, Any]:
        """Return the one mark that there is."""
        (mark,) = self.kept.values()
        return mark


def _series_of(content: dict[str, Any]) -> str:
    """Return the series of a mark: the id of an instance is that of its series, and its place."""
    space = content.get("space")
    return str(space["series_id"] if space else content["instance_id"].rpartition("-")[0])


def _problem(status: int, code: str, **facts: Any) -> JSONResponse:
    body = {"type": f"urn:radrelay:problem:{code}", "title": code, "status": status, "code": code, **facts}
    return JSONResponse(body, status, media_type="application/problem+json")


def _changed(request: Request) -> None:
    request.app.state.world.changed.add("marks")


async def listed(request: Request) -> Response:
    marks: Marks = request.app.state.world.marks
    found = [one for one in marks.kept.values() if one["study_id"] == request.path_params["study_id"]]
    return JSONResponse({"marks": found, "may_mark": marks.may_mark})


async def one(request: Request) -> Response:
    world = request.app.state.world
    marks: Marks = world.marks
    study_id, mark_id = request.path_params["study_id"], request.path_params["mark_id"]
    marks.asked.append(f"{request.method} {mark_id}")
    if marks.broken:
        return _problem(503, "unavailable")
    if marks.refused:
        return _problem(marks.refused, "forbidden")
    given = await request.json() if request.method == "PUT" else {}
    based = given["revision"] if given else int(request.query_params["revision"])
    now = marks.kept.get(mark_id)
    if given and now and all(now[name] == given.get(name) for name in CONTENT):
        return JSONResponse(now)
    if now and now["revision"] != based:
        return _problem(409, "mark-changed", mark=now, revision=now["revision"])
    if not now and based != marks.deleted.get(mark_id, 0):
        return _problem(409, "mark-deleted", revision=marks.deleted.get(mark_id, 0))
    _changed(request)
    if given:
        person = {"id": f"acc-{world.username}", "name": "Dr. Katharina Weber"}
        return JSONResponse(marks.made(study_id, mark_id, given, person))
    if now:
        marks.deleted[mark_id] = marks.kept.pop(mark_id)["revision"] + 1
    return Response(status_code=204)


ROUTES = [
    Route("/api/studies/{study_id}/marks", listed),
    Route("/api/studies/{study_id}/marks/{mark_id}", one, methods=["PUT", "DELETE"]),
]
