"""The directory and single sign-on of the fake server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]
NAMES = ["braun", "çelik", "dvořák", "von der Leyen-Großmann", "山田"]


def report(**more: Any) -> Row:
    counts = {"people": 412, "added": 0, "changed": 0, "disabled": 0, "enabled": 0, "problems": 0}
    return {
        "server": "ldaps://dc1.klinik.example", "counts": counts, "added": [], "changed": [], "disabled": [],
        "enabled": [], "groups": [], "doubts": [], "problems": [],
    } | more  # fmt: skip


def run(run_id: str, kind: str = "sync", state: str = "done", digest: str = "", **more: Any) -> Row:
    return {
        "id": run_id, "kind": kind, "state": state, "asked_by": "", "asked_at": "2026-11-26T08:15:00Z",
        "ended_at": "2026-11-26T08:15:04Z", "digest": digest, "report": report(),
    } | more  # fmt: skip


def first_preview() -> Row:
    counts = {"people": 412, "added": 410, "changed": 0, "disabled": 0, "enabled": 0, "problems": 2}
    added = [{"name": name, "full_name": name.title(), "role": "user", "adopted": False} for name in NAMES]
    return run(
        "r-1", "preview", "done", "d1", asked_by="Dr. Katharina Weber",
        report=report(
            counts=counts, added=added, groups=[{"name": "Radiologie", "members": 31}],
            doubts=[{"kind": "first-run", "what": "", "count": 410, "of": 0}],
            problems=[{"kind": "name-taken", "what": "weber"}, {"kind": "no-login", "what": "CN=Drucker,DC=x"}],
        ),
    )  # fmt: skip


def stopped() -> Row:
    counts = {"people": 120, "added": 1, "changed": 2, "disabled": 290, "enabled": 0, "problems": 0}
    gone = [{"name": name, "reason": "removed"} for name in NAMES]
    return run(
        "r-9", "sync", "asks", "d9",
        report=report(
            counts=counts, disabled=gone,
            doubts=[
                {"kind": "many-disabled", "what": "", "count": 290, "of": 410},
                {"kind": "group-emptied", "what": "Radiologie", "count": 31, "of": 31},
            ],
        ),
    )  # fmt: skip


def _trouble(code: str, detail: str, reason: str = "") -> Row:
    return {"code": code, "detail": detail, "facts": {"reason": reason}}


def _person(subject: str, username: str, name: str, account: str = "") -> Row:
    return {
        "id": f"p-{subject}", "issuer": "https://id.klinik.example", "subject": subject, "username": username,
        "full_name": name, "email": f"{username}@klinik.example", "seen_at": "2026-11-26T07:00:00Z",
        "linked_at": None, "account_id": account or None, "account_name": account,
    }  # fmt: skip


@dataclass
class Directory:
    """What is set, and what was asked for."""

    set: bool = True
    followed: bool = True
    elsewhere: bool = False
    runs: list[Row] = field(default_factory=lambda: [run("r-3"), run("r-2", state="failed", report={
        "trouble": _trouble("directory-unavailable", "The directory does not answer just now.")})])  # fmt: skip
    offer: Row = field(default_factory=lambda: {"set": False, "name": "", "hide_password": False, "at_once": False})
    people: list[Row] = field(default_factory=lambda: [
        _person("s-1", "weber", "Dr. Katharina Weber"), _person("s-2", "braun", "Ida Braun", "braun")])  # fmt: skip
    asked: list[Row] = field(default_factory=list)


def directory_of(request: Request) -> Directory:
    found = request.app.state.world.directory
    assert isinstance(found, Directory)
    return found


async def directory(request: Request) -> Response:
    found = directory_of(request)
    return JSONResponse(
        {
            "set": found.set, "elsewhere": found.elsewhere, "urls": ["ldaps://dc1.klinik.example"],
            "kind": "active-directory", "base": "DC=klinik,DC=example", "groups": {}, "every_s": 900,
            "most_disabled_percent": 10.0,
            "followed": found.followed, "next_at": "2026-11-26T08:30:00Z" if found.followed else None,
            "runs": found.runs,
        }
    )  # fmt: skip


async def reach(request: Request) -> Response:
    troubled = _trouble("directory-untrusted", "The directory’s certificate does not hold.", "certificate has expired")
    servers = [
        {"url": "ldaps://dc1.klinik.example", "trouble": None},
        {"url": "ldaps://dc2.klinik.example", "trouble": troubled},
    ]
    return JSONResponse({"servers": servers if directory_of(request).set else []})


async def ask(request: Request) -> Response:
    found, wanted = directory_of(request), await request.json()
    found.asked.append(wanted)
    if wanted["kind"] == "preview":
        made = first_preview()
    else:
        found.followed = True
        made = run("r-4", report=report(counts=report()["counts"] | {"added": 410}))
    found.runs.insert(0, made | {"id": f"r-{10 + len(found.runs)}"})
    return JSONResponse(found.runs[0], 202)


async def offer(request: Request) -> Response:
    return JSONResponse(directory_of(request).offer)


async def state(request: Request) -> Response:
    del request
    return JSONResponse(
        {
            "set": True, "issuer": "https://id.klinik.example", "reached": True, "keys": 2, "logs_out": True,
            "redirect_uri": "https://bilder.klinik.example/api/oidc/callback", "ends_logins": True, "trouble": None,
            "logout_uri": "https://bilder.klinik.example/api/oidc/backchannel-logout",
        }
    )  # fmt: skip


async def people(request: Request) -> Response:
    return JSONResponse({"people": directory_of(request).people})


async def link(request: Request) -> Response:
    found = directory_of(request)
    one = next(one for one in found.people if one["id"] == request.path_params["sign_on_id"])
    if request.method == "DELETE":
        found.people.remove(one)
        return Response(status_code=204)
    account = (await request.json())["account_id"]
    one |= {"account_id": account, "account_name": one["username"]}
    return JSONResponse(one)


ROUTES = [
    Route("/api/directory", directory),
    Route("/api/directory/reach", reach),
    Route("/api/directory/runs", ask, methods=["POST"]),
    Route("/api/oidc", offer),
    Route("/api/oidc/state", state),
    Route("/api/oidc/people", people),
    Route("/api/oidc/people/{sign_on_id}", link, methods=["PUT", "DELETE"]),
]
