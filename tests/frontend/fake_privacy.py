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
        "oldest_at": ago(days=2), "next_end_at": ago(hours=-3), "held": 2, "longer": 0, "restricted": 0, "overdue": 0,
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


async def written(request: Request) -> Response:
    """Keep a draft, or publish it."""
    told, what = await request.json(), "draft" if request.method == "PUT" else "publish"
    request.app.state.world.office.calls.append((f"{what} {request.path_params['kind']}", told))
    revision = told["revision"] + (request.method == "PUT")
    return JSONResponse({**told, "revision": revision}, 200 if request.method == "PUT" else 201)


async def texts(request: Request) -> Response:
    del request
    line = {name: TEXT[name] for name in ("id", "version", "sha256", "changed_at", "changed_by")}
    draft = {
        "english": "Ask {officer}.",
        "german": "Fragen Sie {officer}.",
        "revision": 3,
        "changed_at": ago(),
        "changed_by": "weber",
    }
    empty = {"english": "", "german": "", "revision": 0, "changed_at": None, "changed_by": ""}
    known = [
        {"kind": "terms", "draft": empty, "versions": [], "stale": False},
        {"kind": "notice", "draft": draft, "versions": [line | {"accepted": 17}], "stale": True},
        {"kind": "consent", "draft": empty, "versions": [], "stale": False},
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
    known = dict.fromkeys(names, "Klinik am See") | {"officer_name": "", "authority_name": ""}
    return JSONResponse(known | required)


async def processors(request: Request) -> Response:
    if request.method == "POST":
        return JSONResponse({"code": "processor-invalid", "status": 400, "field": "country"}, 400)
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


def subject_request(number: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"request-{number}", "kind": kind, "subject": "patient", "patient_issuer": "KLINIK", "patient_id": "4711",
        "account_id": None, "requester": "Cora Müller", "contact": "cora@example.org", "note": "",
        "received_at": ago(days=22), "due_at": ago(days=-8), "clock": "running", "extended_why": "",
        "verified_how": "Personalausweis am Empfang", "verified_by": "dora", "verified_at": ago(days=20),
        "state": "open", "answer": "", "told_how": "", "stops": "", "passed": [], "closed_at": None, "proof": None,
        "created_by": "dora", "revision": 2, **more,
    }  # fmt: skip


PASSED = {"source_id": "s2", "clinic": "Klinik am See", "contact": "datenschutz@see.example", "how": "Einschreiben",
          "at": ago(days=2), "by": "dora"}  # fmt: skip
BAR = {
    "id": "bar-1", "kind": "patient", "value": "0815", "issuer": "KLINIK", "ground": "accuracy",
    "reason": "Das Geburtsdatum wird bestritten", "review_on": "2026-12-24", "request_id": None, "made_by": "dora",
    "created_at": ago(days=3), "studies": 2,
}  # fmt: skip


async def subject_requests(request: Request) -> Response:
    if request.method == "POST":
        request.app.state.world.office.calls.append(("POST request", await request.json()))
        return JSONResponse(subject_request("5", "access"), 201)
    known = [
        subject_request("1", "correction"),
        subject_request("2", "access", clock="soon", due_at=ago(days=-2), verified_at=None, verified_how=""),
        subject_request("3", "erasure", state="passed", clock="closed", passed=[PASSED], closed_at=ago(days=2)),
        subject_request(
            "4", "objection", state="done", clock="closed", answer="Dem Widerspruch wird gefolgt.",
            told_how="Brief vom 3. März", stops="Weitergabe an das Register", closed_at=ago(days=9),
        ),
    ]  # fmt: skip
    return JSONResponse({"requests": known, "reminded": False})


async def subject_data(request: Request) -> Response:
    del request
    held = {"source": "CT", "source_id": "s1", "clinic": "", "received_at": ago(days=30), "ends_at": ago(days=-60),
            "hold_until": None, "hold_reason": ""}  # fmt: skip
    study = {
        "id": "st1", "study_uid": "1.2.3", "study_date": "2026-03-01", "accession_number": "A-1",
        "description": "Thorax", "modalities": "CT", "name": "Mueller^Cora", "birth_date": "1970-02-03",
        "sex": "F", "referring_physician": "",
        "institution": "", "series": 3, "objects": 412, "bytes": 1, "received_at": ago(days=30), "files": 0, "marks": 2,
        "deliveries": 1, "links": 0,
        "held_by": [held, held | {"source": "See", "source_id": "s2", "clinic": "Klinik am See"}],
        "person": 0, "own": True, "clinics": ["Klinik am See"], "barred": False, "uncorrected": 0, "included": False,
    }  # fmt: skip
    return JSONResponse(
        {
            "at": ago(),
            "studies": [study],
            "aside": [],
            "imports": [],
            "account": None,
            "disclosures": 1,
            "unclear": 0,
            "other_issuers": [],
        }
    )


async def bars(request: Request) -> Response:
    del request
    return JSONResponse({"restrictions": [BAR]})


async def clinics(request: Request) -> Response:
    del request
    own = {"source_id": "s1", "source": "CT", "name": "", "contact": "", "address": ""}
    lake = {"source_id": "s2", "source": "See", "name": "Klinik am See", "contact": "datenschutz@see.example",
            "address": "Seestraße 1"}  # fmt: skip
    return JSONResponse({"clinics": [own, lake]})


async def letter(request: Request) -> Response:
    del request
    text = "Sehr geehrte Damen und Herren,\n\nam 01.03.2026 erreichte uns eine Anfrage: Berichtigung.\n\nDora Dachs"
    return JSONResponse({"subject": "Anfrage einer Ihrer Patientinnen oder eines Ihrer Patienten", "text": text})


async def correction(request: Request) -> Response:
    wanted = await request.json()
    request.app.state.world.office.calls.append(("POST correction", wanted))
    change = {"id": "st1", "study_uid": "1.2.3", "objects": 412, "before": {"patient_name": "Mueller^Cora"},
              "after": wanted["values"]}  # fmt: skip
    return JSONResponse(
        {"studies": [change], "joins": 1, "joined_names": ["Müller^Cora"], "left": 0, "restrictions_before": 0,
         "restrictions_after": 1}
    )  # fmt: skip


ROUTES = [
    Route("/api/privacy/volume", volume),
    Route("/api/privacy/volume/{alarm_id}", settle, methods=["POST"]),
    Route("/api/privacy/requests", subject_requests, methods=["GET", "POST"]),
    Route("/api/privacy/requests/{id}/data", subject_data),
    Route("/api/privacy/requests/{id}/letter", letter),
    Route("/api/privacy/requests/{id}/correction", correction, methods=["POST"]),
    Route("/api/privacy/restrictions", bars),
    Route("/api/privacy/clinics", clinics),
    Route("/api/promises", promises),
    Route("/api/privacy/texts", texts),
    Route("/api/privacy/texts/{kind}/draft", written, methods=["PUT"]),
    Route("/api/privacy/texts/{kind}/versions", written, methods=["POST"]),
    Route("/api/privacy/owed", owed),
    Route("/api/privacy/acceptances", accept, methods=["POST"]),
    Route("/api/privacy/contacts", contacts),
    Route("/api/privacy/processors", processors, methods=["GET", "POST"]),
    Route("/api/privacy/notice", notice),
]
