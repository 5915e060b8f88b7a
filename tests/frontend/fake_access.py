"""The fake server's groups, grants and releases."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]
EVERYTHING = ["see", "download", "share", "forward", "annotate", "delete", "reidentify"]


def group(group_id: str, name: str, description: str = "") -> Row:
    return {"id": group_id, "name": name, "description": description, "created_at": "2026-01-01T08:00:00Z",
            "sees_restricted": False}  # fmt: skip


def grant(grant_id: str, kind: str, grantee: str, name: str = "", **more: Any) -> Row:
    return {
        "id": grant_id, "grantee_kind": kind, "grantee_id": grantee, "grantee_name": name, "study": None,
        "target_kind": "organisation", "target_id": None, "target_name": "", "rights": ["see"], "identity": "clear",
        "ends_at": None, "created_at": "2026-01-01T08:00:00Z", "revision": 1, **more,
    }  # fmt: skip


def _member(kind: str, member_id: str, name: str, origin: str = "hand") -> Row:
    return {"kind": kind, "id": member_id, "name": name, "origin": origin}


@dataclass
class Access:
    """Groups with their members, grants, and the releases of every study."""

    groups: list[Row] = field(default_factory=lambda: [
        group("g-ward", "Station 3", "Innere Medizin"), group("g-jp", "放射線科 (山田)", "Partnerklinik Tokio"),
    ])  # fmt: skip
    members: dict[str, list[Row]] = field(default_factory=lambda: {
        "g-ward": [_member("account", "acc-1", "Dr. Katharina Weber"),
                   _member("account", "acc-9", "山田 太郎", "directory")],
        "g-jp": [],
    })  # fmt: skip
    grants: list[Row] = field(default_factory=lambda: [
        grant("gr-role", "role", "user", rights=EVERYTHING),
        grant("gr-ward", "group", "g-ward", "Station 3", target_kind="source", target_id="s1", target_name="DICOM",
              rights=["see", "download"], ends_at="2099-03-31T21:59:59Z"),
        grant("gr-ae", "ae", "CT_NORD", "CT_NORD", rights=["see", "download", "forward"]),
        grant("gr-jp", "group", "g-jp", "放射線科 (山田)", identity="alias", ends_at="2020-01-31T22:59:59Z"),
        grant("gr-one", "account", "acc-1", "Dr. Katharina Weber", target_kind="study", target_id=str(uuid.UUID(int=1)),
              study={"id": str(uuid.UUID(int=1)), "study_date": "2024-08-24", "description": "CT Thorax mit KM",
                     "modalities": ["CT"], "patient": {"name": "Yamada^Tarou=山田^太郎", "id": "P1", "issuer": "",
                                                      "birth_date": None, "sex": "M"}}),
    ])  # fmt: skip
    releases: list[Row] = field(default_factory=list)
    owners: list[Row] = field(default_factory=lambda: [
        {"id": "o1", "owner": {"kind": "account", "id": "acc-1", "name": "Dr. Katharina Weber"},
         "since": "2026-03-01T12:00:00Z", "mine": True},
    ])  # fmt: skip
    opened: list[Row] = field(default_factory=list)
    latest_end: str | None = None
    may_download: bool = True
    last_sight: bool = False
    """Whatever ends next is what lets the last people see."""
    gone: set[str] = field(default_factory=set)
    """Whom nothing can be given to any more."""
    calls: list[tuple[str, Row]] = field(default_factory=list)


def access_of(request: Request) -> Access:
    found: Access = request.app.state.world.access
    return found


async def _given(request: Request) -> Row:
    data = await request.body()
    given: Row = await request.json() if data else {}
    access_of(request).calls.append((f"{request.method} {request.url.path}", given))
    return given


def refusal(status: int, code: str) -> Response:
    return JSONResponse({"code": code, "detail": code, "status": status}, status)


def _counted(access: Access, one: Row) -> Row:
    grants = [row for row in access.grants if (row["grantee_kind"], row["grantee_id"]) == ("group", one["id"])]
    return one | {"members": len(access.members.get(one["id"], [])), "grants": len(grants)}


async def groups(request: Request) -> Response:
    access = access_of(request)
    if request.method == "GET":
        return JSONResponse({"groups": [_counted(access, one) for one in access.groups]})
    given = await _given(request)
    if any(one["name"].casefold() == given["name"].casefold() for one in access.groups):
        return JSONResponse({"code": "group-exists", "detail": "", "name": given["name"]}, 409)
    access.groups.append(group(str(uuid.uuid4()), given["name"], given["description"]))
    return JSONResponse(_counted(access, access.groups[-1]), 201)


async def one_group(request: Request) -> Response:
    access, group_id = access_of(request), request.path_params["group_id"]
    found = next((one for one in access.groups if one["id"] == group_id), None)
    if found is None:
        return refusal(404, "not-found")
    given = await _given(request)
    if request.method == "DELETE":
        if access.last_sight and not request.query_params.get("confirmed"):
            return refusal(409, "last-sight")
        access.groups.remove(found)
        return Response(status_code=204)
    found |= given
    return JSONResponse(_counted(access, found))


async def members(request: Request) -> Response:
    return JSONResponse({"members": access_of(request).members.get(request.path_params["group_id"], [])})


async def member(request: Request) -> Response:
    access, place = access_of(request), request.path_params
    inside = access.members.setdefault(place["group_id"], [])
    await _given(request)
    if request.method == "PUT":
        office = request.app.state.world.office
        names = {one["id"]: one.get("full_name") or one.get("name") for one in [*office.accounts, *office.tokens]}
        inside.append(_member(place["kind"], place["member_id"], names[place["member_id"]]))
    else:
        inside[:] = [one for one in inside if one["id"] != place["member_id"]]
    return Response(status_code=204)


async def grants(request: Request) -> Response:
    access, asked = access_of(request), request.query_params
    if request.method == "GET":
        wanted = (asked.get("grantee_kind"), asked.get("grantee_id"))
        rows = [one for one in access.grants if wanted in ((None, None), (one["grantee_kind"], one["grantee_id"]))]
        return JSONResponse({"grants": rows, "more": False})
    given = await _given(request)
    if given["grantee_id"] in access.gone:
        return refusal(404, "grantee-gone")
    names = {one["id"]: one["name"] for one in access.groups}
    made = grant(str(uuid.uuid4()), given["grantee_kind"], given["grantee_id"], names.get(given["grantee_id"], ""))
    access.grants.insert(0, made | given)
    return JSONResponse(made | given, 201)


async def one_grant(request: Request) -> Response:
    access = access_of(request)
    found = next((one for one in access.grants if one["id"] == request.path_params["grant_id"]), None)
    if found is None:
        return refusal(404, "not-found")
    given = await _given(request)
    revision = given.pop("revision", None) or int(request.query_params.get("revision", 0))
    confirmed = given.pop("confirmed", False) or "confirmed" in request.query_params
    if revision != found["revision"]:
        return refusal(409, "grant-changed")
    if access.last_sight and not confirmed:
        return refusal(409, "last-sight")
    if request.method == "DELETE":
        access.grants.remove(found)
        return Response(status_code=204)
    found |= given | {"revision": revision + 1}
    return JSONResponse(found)


async def owners(request: Request) -> Response:
    access = request.app.state.world.access
    if request.method == "POST":
        given = await request.json()
        made = {"id": f"o{len(access.owners) + 1}", "owner": {**given, "name": "Station 3"}, "mine": False,
                "since": "2026-03-02T12:00:00Z"}  # fmt: skip
        access.owners.append(made)
        return JSONResponse(made, 201)
    return JSONResponse({"owners": access.owners, "may_change": True, "until_closed": True})


async def give_up(request: Request) -> Response:
    access = request.app.state.world.access
    if len(access.owners) == 1 and "end" not in request.query_params:
        return JSONResponse({"code": "last-owner", "detail": "nobody would own it"}, 409)
    access.owners = [one for one in access.owners if one["id"] != request.path_params["owner_id"]]
    return JSONResponse({"ended": 1, "held": False})


async def releases(request: Request) -> Response:
    access = access_of(request)
    if request.method == "GET":
        own = {"may_download": access.may_download, "latest_end": access.latest_end}
        return JSONResponse({"releases": access.releases, "opened": access.opened, **own})
    given = await _given(request)
    if given["id"] in access.gone:
        return refusal(404, "grantee-gone")
    names = {one["id"]: one["name"] for one in _receivers(request)}
    to = {"kind": given["kind"], "id": given["id"], "name": names[given["id"]]}
    made = {"id": str(uuid.uuid4()), "to": to, "may_download": given["may_download"], "identity": "clear",
            "ends_at": given["ends_at"], "created_at": "2026-01-01T08:00:00Z"}  # fmt: skip
    access.releases.insert(0, made)
    return JSONResponse(made, 201)


def _receivers(request: Request) -> list[Row]:
    people = [{"kind": "account", "id": one["id"], "name": one["full_name"]}
              for one in request.app.state.world.office.accounts]  # fmt: skip
    return [{"kind": "group", "id": one["id"], "name": one["name"]} for one in access_of(request).groups] + people


async def receivers(request: Request) -> Response:
    text = request.query_params.get("text", "").casefold()
    found = [one for one in _receivers(request) if text in one["name"].casefold()]
    return JSONResponse({"receivers": found, "more": False})


async def release(request: Request) -> Response:
    access = access_of(request)
    await _given(request)
    access.releases = [one for one in access.releases if one["id"] != request.path_params["release_id"]]
    return Response(status_code=204)


async def sight(request: Request) -> Response:
    by = [{"kind": "group", "id": "g-ward", "name": "Station 3", "whole": False},
          {"kind": "role", "id": "user", "name": "", "whole": True}]  # fmt: skip
    accounts = request.app.state.world.office.accounts
    people = [{"account_id": one["id"], "sees_by": [] if one["disabled_at"] else by} for one in accounts]
    return JSONResponse({"people": people})


ROUTES = [
    Route("/api/groups", groups, methods=["GET", "POST"]),
    Route("/api/groups/{group_id}", one_group, methods=["PATCH", "DELETE"]),
    Route("/api/groups/{group_id}/members", members),
    Route("/api/groups/{group_id}/members/{kind}/{member_id}", member, methods=["PUT", "DELETE"]),
    Route("/api/grants", grants, methods=["GET", "POST"]),
    Route("/api/grants/{grant_id}", one_grant, methods=["PATCH", "DELETE"]),
    Route("/api/studies/{study_id}/owners", owners, methods=["GET", "POST"]),
    Route("/api/studies/{study_id}/owners/{owner_id}", give_up, methods=["DELETE"]),
    Route("/api/studies/{study_id}/releases", releases, methods=["GET", "POST"]),
    Route("/api/studies/{study_id}/releases/receivers", receivers),
    Route("/api/studies/{study_id}/releases/{release_id}", release, methods=["DELETE"]),
    Route("/api/people/sight", sight),
]
