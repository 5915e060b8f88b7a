"""The fake server's usage statistics, consents to transfers, and what holds of privacy now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from radrelay.privacy.in_browser import kept_here
from radrelay.privacy.usage import CONSENT_VERSION
from tests.frontend.fake_office import ago


@dataclass
class Consents:
    """Whether usage is counted here, what browsers sent, and whose withdrawals came."""

    counting: bool = False
    sent: list[dict[str, Any]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    cookies_seen: list[str] = field(default_factory=list)

    def marked(self, page: str) -> str:
        """Return the page as the real server marks it where usage is counted."""
        return page.replace("<html ", f'<html data-statistics="{CONSENT_VERSION}" ', 1) if self.counting else page


def _world(request: Request) -> Consents:
    consents: Consents = request.app.state.world.consents
    return consents


async def events(request: Request) -> Response:
    _world(request).sent.append(await request.json())
    _world(request).cookies_seen += [request.headers.get("cookie", "")]
    return Response(status_code=204)


async def withdrawals(request: Request) -> Response:
    _world(request).withdrawn.append((await request.json())["id"])
    return JSONResponse({"deleted": 3})


async def usage(request: Request) -> Response:
    by = request.query_params["by"]
    today = date.today()  # noqa: DTZ011  # any day will do
    days = [today - timedelta(days=back * (7 if by == "week" else 1)) for back in range(1, 6)]
    named = [
        ("page", "login", 61), ("page", "studies", 412), ("page", "import", 9), ("page", "link", 38),
        ("viewer", "CT", 204), ("viewer", "MR", 117), ("viewer", "XR", 350),
        ("first-picture", "under-1s", 160), ("first-picture", "under-2s", 31), ("device", "desktop", 44),
    ]  # fmt: skip
    counts = [
        {"since": day.isoformat(), "kind": kind, "value": value, "count": count + place}
        for place, day in enumerate(days)
        for kind, value, count in named
        if not (value in ("import", "link") and place % 2)
    ]
    body = {"by": by, "since": days[-1].isoformat(), "until": days[0].isoformat(), "fewest": 5, "retention_days": 90}
    return JSONResponse(body | {"counts": counts})


async def facts(request: Request) -> Response:
    counting = _world(request).counting
    host = {"name": "Rechenzentrum Süd", "purpose": "betreibt die Maschinen", "country": "DE",
            "privacy_url": "https://rz.example", "agreement": "dpa", "agreed_on": "2025-11-03"}  # fmt: skip
    kept = [
        {"where": one.where, "name": one.name, "lasts": one.lasts, "english": one.english, "german": one.german}
        for one in kept_here(counting=counting)
    ]
    return JSONResponse(
        {
            "controller": "Klinik am See, Seestraße 1", "officer_name": "Dr. Dora Dau",
            "officer_contact": "dsb@klinik.example", "authority_name": "LfDI", "authority_url": "https://lfdi.example",
            "processors": [host, host | {"name": "Mail GmbH", "purpose": "versendet Briefe", "agreement": "none",
                                         "agreed_on": None, "privacy_url": ""}],
            "retention": [{"source": "DICOM", "retention_s": 172_800, "max_age_s": None},
                          {"source": "Upload", "retention_s": 604_800, "max_age_s": 2_592_000}],
            "browser": kept, "statistics": {"state": "on" if counting else "off", "retention_days": 90},
        }
    )  # fmt: skip


def _transfer(**more: Any) -> dict[str, Any]:
    study: dict[str, Any] = {"study_id": "s1", "study_uid": "1.2.276.0.7230010.3.1.2.8323329.1", "source_id": "u",
             "source_name": "Upload", "state": "standing", "others": ["DICOM"]}  # fmt: skip
    return {
        "id": "t1", "patient_issuer": "KLINIK", "patient_id": "4711", "giver": "Erika Mustermann",
        "capacity": "patient", "shown_by": "written", "text_version": "Einwilligung 3", "note": "",
        "given_at": ago(days=9), "entered_at": ago(days=9), "entered_by": "Dora Dau", "withdrawn_at": None,
        "withdrawn_by": "", "withdrawn_how": "", "revision": 1, "proof": None,
        "studies": [study, study | {"study_id": "s2", "study_uid": study["study_uid"] + "2", "others": []}], **more,
    }  # fmt: skip


def _given(*, withdrawn: bool = False) -> dict[str, Any]:
    """Return a consent that was given on the patients' page."""
    erased = {"at": ago(hours=2), "files": 2, "bytes": 80_000_000, "destroyed_at": ago(hours=1)}
    return {
        "id": f"given-{withdrawn}", "text_version": 3, "text_sha256": "ab" * 32, "language": "de",
        "given_at": ago(hours=5), "withdrawn_at": ago(hours=2) if withdrawn else None, "kept": not withdrawn,
        "erased": erased if withdrawn else None, "decision": "kept" if withdrawn else "",
        "decided_by": "Dr. Weber" if withdrawn else "", "decided_at": ago(hours=1) if withdrawn else None,
        "decided_why": "it was reported on" if withdrawn else "",
    }  # fmt: skip


async def transfers(request: Request) -> Response:
    if request.method == "POST":
        request.app.state.world.office.calls.append(("POST /api/privacy/transfers", await request.json()))
        return JSONResponse(_transfer(), 201)
    gone = {"id": "s9", "uid_sha256": "cd" * 32, "objects": 120, "bytes": 6 << 20, "keys": ["k1", "k2"]}
    kept = {"id": "s8", "study_uid": "1.2.3.4", "hold_until": ago(days=-30), "reason": "§ 85 StrlSchG"}
    proof = {"at": ago(days=1), "by": "Dora Dau", "studies": [gone], "aside": 1, "kept": [kept],
             "record_erased": False, "destroyed_at": ago(hours=20)}  # fmt: skip
    over = _transfer(
        id="t2", giver="Praxis Dr. Kurz", capacity="referrer", shown_by="phone", withdrawn_at=ago(days=1),
        withdrawn_by="Dora Dau", withdrawn_how="Brief vom 24.11.", proof=proof,
    )  # fmt: skip
    over["studies"] = [one | {"state": state} for one, state in zip(over["studies"], ("gone", "held"), strict=True)]
    return JSONResponse({"transfers": [_transfer(), over], "by_patients": [_given(), _given(withdrawn=True)]})


async def find(request: Request) -> Response:
    del request
    row = {"patient_issuer": "KLINIK", "study_id": "s1", "study_uid": "1.2.3", "source_id": "u",
           "source_name": "Upload", "received_at": ago(days=2), "description": "CT Thorax", "modalities": "CT",
           "study_date": "2026-11-20", "patient_name": "Mustermann^Erika", "hold_reason": None, "others": ["DICOM"],
           "transfer_id": None, "person": 0}  # fmt: skip
    other = {"study_id": "s2", "source_id": "d", "source_name": "DICOM", "transfer_id": "t1"}
    return JSONResponse({"found": [row, row | other]})


async def withdraw(request: Request) -> Response:
    request.app.state.world.office.calls.append(("POST withdrawal", await request.json()))
    return JSONResponse(_transfer())


ROUTES = [
    Route("/api/statistics/events", events, methods=["POST"]),
    Route("/api/statistics/withdrawals", withdrawals, methods=["POST"]),
    Route("/api/statistics", usage),
    Route("/api/privacy/facts", facts),
    Route("/api/privacy/transfers", transfers, methods=["GET", "POST"]),
    Route("/api/privacy/transfers/find", find, methods=["POST"]),
    Route("/api/privacy/transfers/{id}/withdrawal", withdraw, methods=["POST"]),
]
