"""The fake server's promises, texts and contacts: one promise of each kind, a notice in force that is owed at first."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.frontend.fake_office import ago

TEXT = {
    "id": "0198a000-0000-7000-8000-000000000001", "kind": "notice", "version": 2, "sha256": "ab" * 32,
    "english": "# Privacy notice\n**Clinic**\n\n- DICOM: 2 days\n\n<b>no markup</b> [here](https://clinic.example)",
    "german": "# Datenschutzhinweise\n**Klinik**\n\n- DICOM: 2 Tage\n\n<b>kein Markup</b> [hier](https://k.example)",
    "changed_at": ago(days=3), "changed_by": "weber",
}  # fmt: skip


def source(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "name": name, "kind": "dicom", "retention_s": 172_800, "max_age_s": None, "holdings": 1_204,
        "oldest_at": ago(days=2), "next_end_at": ago(hours=-3), "held": 2, "longer": 0, "overdue": 0,
        "overdue_since": None, "state": state, **more,
    }  # fmt: skip


def kept(subject: str, state: str, code: str, **facts: Any) -> dict[str, Any]:
    return {"subject": subject, "state": state, "code": code, "text": "in English", "facts": facts}


async def promises(request: Request) -> Response:
    del request
    standing = [
        kept("expiry", "good", "expiry-runs", last_at=ago(seconds=8)),
        kept("backup", "bad", "backup-old", last_at=ago(days=9), packs=4, lost=0),
        kept("mirror", "look", "mirror-none"),
        kept("packs", "good", "packs-sealed", n=3),
    ]
    sources = [source("DICOM", "good"), source("Upload", "bad", overdue=1, overdue_since=ago(hours=1))]
    return JSONResponse({"at": ago(), "state": "bad", "sources": sources, "kept": standing})


async def texts(request: Request) -> Response:
    del request
    line = {name: TEXT[name] for name in ("id", "version", "sha256", "changed_at", "changed_by")}
    draft = {"english": "Be kind.", "german": "Sei nett.", "revision": 3, "changed_at": ago(), "changed_by": "weber"}
    empty = {"english": "", "german": "", "revision": 0, "changed_at": None, "changed_by": ""}
    known = [
        {"kind": "terms", "draft": empty, "versions": [], "stale": False},
        {"kind": "notice", "draft": draft, "versions": [line | {"accepted": 17}], "stale": True},
    ]
    return JSONResponse({"texts": known, "placeholders": ["retention", "officer"]})


async def owed(request: Request) -> Response:
    return JSONResponse({"texts": [TEXT] if request.app.state.world.must_accept else []})


async def accept(request: Request) -> Response:
    world = request.app.state.world
    world.office.calls.append(("POST /api/privacy/acceptances", await request.json()))
    world.must_accept = False
    return JSONResponse({"texts": []})


async def contacts(request: Request) -> Response:
    del request
    names = ("controller", "officer_name", "officer_contact", "authority_name", "authority_url")
    required = {"terms_required": True, "notice_required": True, "revision": 1}
    return JSONResponse(dict.fromkeys(names, "Klinik am See") | required)


async def processors(request: Request) -> Response:
    del request
    host = {"id": "p1", "name": "Rechenzentrum Süd", "purpose": "betreibt die Maschinen", "country": "DE",
            "privacy_url": "https://rz.example", "agreement": "dpa", "agreed_on": "2025-11-03"}  # fmt: skip
    return JSONResponse({"processors": [host, host | {"id": "p2", "agreement": "none", "agreed_on": None}]})


async def notice(request: Request) -> Response:
    del request
    return JSONResponse(TEXT)


def alarm(alarm_id: str, name: str, **more: Any) -> dict[str, Any]:
    """Return an access that fetched far more than usual."""
    return {
        "id": alarm_id, "kind": "account", "own_id": "acc-7", "name": name, "began_at": "2026-01-01T22:00:00Z",
        "at": "2026-01-02T03:00:00Z", "counted_at": "2026-01-02T03:20:00Z", "studies": 431, "patients": 402,
        "fetches": 1312, "bytes": 91_000_000_000, "measure": "studies", "usual": 84, "most": 200, "suspended_at": None,
        "kept_open": "", "settled_at": None, "settled_by": "", "note": "", **more,
    }  # fmt: skip


def alarms() -> list[dict[str, Any]]:
    """Return one that is suspended, one that is open, the only administrator, and one that was looked into."""
    return [
        alarm("a1", "Archivabgleich Süd", kind="token", suspended_at="2026-01-02T03:00:00Z", measure="bytes",
              usual=4_000_000_000, most=268_435_456_000, bytes=402_000_000_000),
        alarm("a2", "Dr. Katharina Weber", usual=None),
        alarm("a3", "root", own_id="acc-2", kept_open="last-admin"),
        alarm("a4", "CT_NORD", kind="ae", own_id="CT_NORD", settled_at="2026-01-03T08:00:00Z",
              settled_by="Datenschutz", note="Umzug auf das neue Archiv, angekündigt"),
    ]  # fmt: skip


async def volume(request: Request) -> Response:
    """List alarms and limits."""
    limits = {"studies": 200, "patients": 150, "fetches": 2000, "bytes": 107_374_182_400, "suspend": False}
    kinds = dict.fromkeys(("account", "token", "device"), limits) | {"link": limits | {"suspend": True}}
    return JSONResponse({"alarms": request.app.state.world.alarms, "limits": kinds})


async def settle(request: Request) -> Response:
    """Settle an alarm."""
    given = await request.json()
    [one] = [each for each in request.app.state.world.alarms if each["id"] == request.path_params["alarm_id"]]
    one |= {"settled_at": "2026-01-03T08:00:00Z", "settled_by": "root", "note": given["note"]}
    if given["let_in"]:
        one["suspended_at"] = None
    return JSONResponse(one)


ROUTES = [
    Route("/api/privacy/volume", volume),
    Route("/api/privacy/volume/{alarm_id}", settle, methods=["POST"]),
    Route("/api/promises", promises),
    Route("/api/privacy/texts", texts),
    Route("/api/privacy/owed", owed),
    Route("/api/privacy/acceptances", accept, methods=["POST"]),
    Route("/api/privacy/contacts", contacts),
    Route("/api/privacy/processors", processors),
    Route("/api/privacy/notice", notice),
]
