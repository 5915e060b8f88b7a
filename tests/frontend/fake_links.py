"""The fake server's links: one in each state, with what happened with them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.frontend.fake_office import ago

Row = dict[str, Any]
STATES = ("open", "closed", "used-up", "expired", "revoked", "ended", "gone")
PATIENT = {"name": "Müller^Anna-Luise", "id": "P10001", "issuer": "", "birth_date": "1961-03-02", "sex": "F"}
CODE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#fff" d="M0 0h8v8H0z"/></svg>'


@dataclass
class Links:
    """Links that ask for a code by e-mail: whether they can, how the code stands, and what was asked."""

    by_email: bool = False
    standing: str = "waiting"
    code: str = "730518"
    sends_to: str = "m…@clinic.example"
    organisation: str = "Klinikum Süd"
    left: int = 5
    sent: list[Row] = field(default_factory=list)
    launch: str = "launch-expired"

    def here(self) -> Row:
        """What somebody is told who came with a link."""
        return {"may_download": True, "organisation": self.organisation, "organisation_id": str(uuid.UUID(int=7))}


def link(number: int, state: str, **more: Any) -> Row:
    shown = {"study_id": str(uuid.UUID(int=2)), "series_ids": ["s"] if number == 1 else [], "patient": PATIENT,
             "study_date": "2024-08-24", "description": "CT Thorax mit KM", "modalities": ["CT"]}  # fmt: skip
    return {
        "id": f"link-{number}", "label": "Praxis Dr. Öztürk" if number else "", "maker": "weber", "own": True,
        "state": state, "protection": ("none", "pin", "birth-date")[number % 3], "may_download": number % 2 == 0,
        "max_uses": 3 if number else None, "uses": min(number, 3), "created_at": ago(days=2), "ends_at": ago(days=-5),
        "email": "",
        "used_at": None, "revoked_at": None, "closed_until": ago(minutes=-15) if state == "closed" else None,
        "shows": [] if state == "gone" else [shown], **more,
    }  # fmt: skip


def access(kind: str, **span: float) -> Row:
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
    return {"link_id": "link-1", "at": ago(**span), "kind": kind, "peer": "203.0.113.77",
            "user_agent": agent, "email": ""}  # fmt: skip


async def listed(request: Request) -> Response:
    links = [link(number, state) for number, state in enumerate(STATES)]
    by_email = request.app.state.world.links.by_email
    return JSONResponse({"links": links, "by_email": by_email, "notices": [access("closed", minutes=3)]})


async def one(request: Request) -> Response:
    kinds = ("closed", "wrong", "downloaded", "opened", "refused")
    happened = [access(kind, minutes=3 + number) for number, kind in enumerate(kinds)]
    return JSONResponse(link(1, "closed") | {"accesses": happened, "id": request.path_params["link"]})


async def make(request: Request) -> Response:
    wanted = await request.json()
    request.app.state.world.office.calls.append(("POST /api/links", wanted))
    made = link(
        1, "open", **{name: wanted[name] for name in ("protection", "may_download", "max_uses", "label", "email")}
    )
    pin = "730518" if wanted["protection"] == "pin" else ""
    told = {"link": made, "address": f"https://x.example/s#{'x' * 54}", "qr": CODE, "pin": pin, "address_told": True}
    hands_out = wanted["may_download"] and wanted["protection"] != "email"
    programs = {
        "exchange": f"https://x.example/s?token={'x' * 54}", "exchange_qr": CODE,
        "health": f"shlink:/{'y' * 272}", "health_qr": CODE,
    }  # fmt: skip
    return JSONResponse(told | {name: value if hands_out else "" for name, value in programs.items()}, 201)


async def done(request: Request) -> Response:
    request.app.state.world.office.calls.append((f"{request.method} {request.url.path}", {}))
    return Response(status_code=204)


def refusal(status: int, code: str, **facts: Any) -> Response:
    return JSONResponse({"code": code, "detail": code, **facts}, status)


async def arrive(request: Request) -> Response:
    """Come with a link that asks for a code by e-mail."""
    links: Links = request.app.state.world.links
    given = await request.json()
    if given.get("answer") is None:
        return JSONResponse({"wants": "email", "sends_to": links.sends_to, "organisation": links.organisation,
                             "organisation_id": str(uuid.UUID(int=9)), "studies": []})  # fmt: skip
    if not given.get("asked") or links.standing == "over":
        return refusal(403, "link-code-over")
    if given["answer"] != links.code:
        links.left -= 1
        return refusal(403, "link-answer-wrong", left=links.left)
    return JSONResponse({"wants": "", "sends_to": "", "studies": [str(uuid.UUID(int=2))]})


async def send_code(request: Request) -> Response:
    links: Links = request.app.state.world.links
    links.sent.append(await request.json())
    asked = f"asked-{len(links.sent)}"
    return JSONResponse({"asked": asked, "sends_to": links.sends_to, "until": ago(minutes=-10), "lasts_s": 600}, 202)


async def standing(request: Request) -> Response:
    return JSONResponse({"state": request.app.state.world.links.standing})


async def launched(request: Request) -> Response:
    links: Links = request.app.state.world.links
    return refusal(401, links.launch, program="RIS")


ROUTES = [
    Route("/api/shared", arrive, methods=["POST"]),
    Route("/api/shared/code", send_code, methods=["POST"]),
    Route("/api/shared/code/state", standing, methods=["POST"]),
    Route("/api/launches/open", launched, methods=["POST"]),
    Route("/api/links", listed),
    Route("/api/links", make, methods=["POST"]),
    Route("/api/links/notices/read", done, methods=["PUT"]),
    Route("/api/links/{link}", one),
    Route("/api/links/{link}", done, methods=["DELETE"]),
]
