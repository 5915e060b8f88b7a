"""The fake server's side of one's own account, links for passwords, mail, and the end of a login without use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"
TOKEN = "t" * 43


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def _login(name: str, agent: str, peer: str, *, here: bool = False, **used: float) -> Row:
    return {
        "id": name, "user_agent": agent, "peer": peer, "created_at": ago(hours=5), "used_at": ago(**used),
        "idle_until": ago(hours=-3), "here": here,
    }  # fmt: skip


def _letter(number: int, kind: str, state: str, trouble: str = "") -> Row:
    told = {"code": trouble, "detail": "mail.clinic.example:587 does not answer: Connection refused", "facts": {}}
    return {
        "id": f"m{number}", "kind": kind, "recipient": f"person{number}@clinic.example", "state": state,
        "created_at": ago(minutes=7 * number), "due_at": ago(minutes=0), "expires_at": None, "tried_at": None,
        "ended_at": None, "attempts": 1, "trouble": told if trouble else None,
    }  # fmt: skip


@dataclass
class OwnAccount:
    """What the account's page shows and changes."""

    idle_s: float | None = None
    """How long a login lasts without use; none: for ever."""
    idle_until: datetime | None = None
    left_s: float = 3600.0
    """How long it lasts at most, used or not."""
    uses: list[float] = field(default_factory=list)
    email: str | None = "k.weber@clinic.example"
    waits: str | None = None
    profile: Row = field(
        default_factory=lambda: {"full_name": "Dr. Katharina Weber", "affiliation": "Radiologie Nord", "language": ""}
    )
    closed: bool = False
    may_join: bool = False
    mail_waits: bool = False
    untold: bool = False
    group_lacks: bool = False
    signed_up: list[Row] = field(default_factory=list)
    chosen: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=lambda: [
        _login("here", WINDOWS, "10.20.30.40", here=True, minutes=0), _login("phone", PHONE, "198.51.100.7", hours=2),
    ])  # fmt: skip
    letters: list[Row] = field(default_factory=lambda: [
        _letter(1, "invitation", "waiting", "mail-server-away"), _letter(2, "reset", "sent"),
        _letter(3, "password-changed", "failed", "mail-recipient"),
    ])  # fmt: skip
    links: list[Row] = field(default_factory=lambda: [
        {"id": "l1", "account_id": "a1", "username": "b.neu", "purpose": "invitation", "made_by": "Dr. Katharina Weber",
         "mailed": True, "created_at": ago(hours=1), "expires_at": ago(days=-7)},
    ])  # fmt: skip

    def use(self, idle_s: float) -> None:
        if self.idle_s is not None:
            self.uses.append(idle_s)
            self.idle_until = datetime.now(UTC) + timedelta(seconds=self.idle_s - idle_s)

    def left(self) -> Row:
        if self.idle_until is None:
            return {"idle_left_s": None, "left_s": None}
        return {"idle_left_s": (self.idle_until - datetime.now(UTC)).total_seconds(), "left_s": self.left_s}


def own(request: Request) -> OwnAccount:
    account: OwnAccount = request.app.state.world.own
    return account


async def profile(request: Request) -> Response:
    if request.method == "PATCH":
        given = await request.json()
        own(request).waits = given.pop("email", None) or own(request).waits
        given.pop("current", None)
        own(request).profile.update(given)
    return JSONResponse(
        {"username": "weber", "role": "admin", "email": own(request).email, "from_directory": False,
         "has_password": True, "email_waits": own(request).waits, "name_kept_elsewhere": False, **own(request).profile}
    )  # fmt: skip


OUTLOOK: Row = {
    "logins": 2, "tokens": 1, "factors": 1, "settings": 4, "letters": 0, "links": 3, "groups": 2, "studies_ending": 1,
    "studies_kept": 5, "marks": 12, "last_admin": False, "comes_back": False,
}  # fmt: skip


async def closing(request: Request) -> Response:
    if request.method == "POST":
        own(request).closed = True
        return Response(status_code=204)
    return JSONResponse(OUTLOOK)


async def sign_up(request: Request) -> Response:
    if request.method == "POST":
        own(request).signed_up.append(await request.json())
        return JSONResponse({"mail_waits": own(request).mail_waits}, 202)
    return JSONResponse({"open": own(request).may_join, "by_admin": True, "mail_waits": own(request).mail_waits})


async def newcomers_group(request: Request) -> Response:
    return JSONResponse({"name": "Überweiser", "lacks": own(request).group_lacks})


async def open_sign_up(request: Request) -> Response:
    if (await request.json())["token"] != TOKEN:
        return JSONResponse({"code": "sign-up-over", "detail": "over"}, 404)
    terms = {
        "id": "t1", "kind": "terms", "version": 1, "english": "Be kind.", "german": "Seien Sie nett.",
        "sha256": "0" * 64, "changed_at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    return JSONResponse(
        {"name": "Dr. Ruth Beispiel", "email": "ruth@praxis.example", "organisation": "Praxis am Markt",
         "identity": "ruth@praxis.example", "iterations": 100_000, "least_age": 18, "by_admin": True, "texts": [terms],
         "expires_at": "2026-03-02T12:00:00Z"}
    )  # fmt: skip


async def use_sign_up(request: Request) -> Response:
    own(request).signed_up.append(await request.json())
    return JSONResponse({"username": "ruth@praxis.example", "waits": True, "told": not own(request).untold}, 201)


async def confirm_address(request: Request) -> Response:
    del request
    return JSONResponse({"username": "weber", "email": "new@clinic.example"})


async def sessions(request: Request) -> Response:
    rows = own(request).sessions
    name = request.path_params.get("session_id")
    if request.method == "DELETE":
        gone = [one for one in rows if (one["id"] == name if name else not one["here"])]
        own(request).sessions = [one for one in rows if one not in gone]
        return JSONResponse({"ended": len(gone)})
    return JSONResponse({"sessions": rows})


async def mail(request: Request) -> Response:
    if request.method == "POST":
        return JSONResponse({"id": "m9", "recipient": "k.weber@clinic.example"}, 202)
    letters = own(request).letters
    return JSONResponse(
        {"configured": True, "server": "mail.clinic.example:587", "security": "starttls",
         "sender": "radrelay@clinic.example", "waiting": 1, "waiting_since": ago(minutes=7), "given_up": 1,
         "last_sent_at": ago(minutes=14), "trouble": letters[0]["trouble"], "letters": letters}
    )  # fmt: skip


async def links(request: Request) -> Response:
    if request.method == "DELETE":
        own(request).links = []
        return Response(status_code=204)
    return JSONResponse({"links": own(request).links})


async def rules(request: Request) -> Response:
    del request
    return JSONResponse({"shortest": 12, "longest": 256, "breach_list": True})


async def breaches(request: Request) -> Response:
    """Return of `breached password` (SHA-1 …) what follows its first five digits."""
    hashed = hashlib.sha1(b"breached password").hexdigest().upper()
    return JSONResponse({"suffixes": [hashed[5:]] if request.path_params["prefix"] == hashed[:5] else []})


async def open_link(request: Request) -> Response:
    if (await request.json())["token"] != TOKEN:
        return JSONResponse({"code": "password-link-over", "detail": "over", "status": 404}, 404)
    return JSONResponse({"username": "b.neu", "name": "Dr. Berta Neu", "identity": "b.neu", "purpose": "invitation",
                         "expires_at": ago(days=-7), "iterations": 100_000})  # fmt: skip


async def use_link(request: Request) -> Response:
    own(request).chosen.append(await request.json())
    return Response(status_code=204)


async def forgotten(request: Request) -> Response:
    del request
    return JSONResponse({"by_mail": True}, 202)


ROUTES = [
    Route("/api/me", profile, methods=["GET", "PATCH"]),
    Route("/api/me/closing", closing, methods=["GET", "POST"]),
    Route("/api/accounts/{account_id}/closing", closing, methods=["GET", "POST"]),
    Route("/api/sign-up", sign_up, methods=["GET", "POST"]),
    Route("/api/sign-up/group", newcomers_group),
    Route("/api/sign-up/open", open_sign_up, methods=["POST"]),
    Route("/api/sign-up/use", use_sign_up, methods=["POST"]),
    Route("/api/address-confirmations", confirm_address, methods=["POST"]),
    Route("/api/me/sessions", sessions, methods=["GET", "DELETE"]),
    Route("/api/me/sessions/{session_id}", sessions, methods=["DELETE"]),
    Route("/api/accounts/{account_id}/sessions", sessions, methods=["GET", "DELETE"]),
    Route("/api/mail", mail),
    Route("/api/mail/test", mail, methods=["POST"]),
    Route("/api/password-links", links),
    Route("/api/password-links/open", open_link, methods=["POST"]),
    Route("/api/password-links/use", use_link, methods=["POST"]),
    Route("/api/password-links/forgotten", forgotten, methods=["POST"]),
    Route("/api/password-links/{link_id}", links, methods=["DELETE"]),
    Route("/api/password-rules", rules),
    Route("/api/password-breaches/{prefix}", breaches),
]
OPEN = ("/api/password-", "/api/sign-up", "/api/address-confirmations")
