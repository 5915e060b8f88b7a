"""Second factors, for pages that are tested without a server: one of each kind, and a rule."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MADE = "2026-02-01T08:00:00Z"
FACTORS: list[dict[str, Any]] = [
    {"id": "f1", "kind": "passkey", "name": "Laptop am Befundplatz", "created_at": MADE,
     "used_at": "2026-02-28T08:00:00Z", "backed_up": True},
    {"id": "f2", "kind": "totp", "name": "Telefon", "created_at": MADE, "used_at": None, "backed_up": False},
]  # fmt: skip


async def own(request: Request) -> Response:
    del request
    return JSONResponse(
        {"factors": FACTORS, "codes_left": 3, "needs": ["passkey", "totp"], "may_add": ["passkey", "totp"],
         "mail": None, "passkeys": {"usable": True, "code": "", "address": ""}}
    )  # fmt: skip


async def rules(request: Request) -> Response:
    del request
    rule = {"subject_kind": "role", "subject_id": "admin", "name": "admin", "kinds": ["passkey", "totp"],
            "changed_at": MADE}  # fmt: skip
    return JSONResponse(
        {"rules": [rule], "possible": ["passkey", "totp"], "accounts": [{"account_id": "acc-9", "kinds": ["totp"]}]}
    )


ROUTES = [Route("/api/me/factors", own), Route("/api/factors", rules)]
