"""The fake server's offices: parcels, deliveries, quarantine, destinations, sources, accounts, audit, system."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def _parcel(name: str, state: str, **counts: int) -> Row:
    empty = dict.fromkeys(("files", "objects", "duplicates", "attachments", "quarantined", "refused"), 0)
    return {
        "id": str(uuid.uuid4()), "source_id": "s3", "account_id": None, "kind": "upload", "name": name, "state": state,
        "error": "", "error_code": "", "bytes_expected": None, "bytes_received": 48_000_000,
        "created_at": ago(minutes=20), "finished_at": None, "study_ids": [], "findings": [], "names": [],
        **empty, **counts,
    }  # fmt: skip


def _delivery(number: int, state: str, sent: int, failed: int, **more: Any) -> Row:
    return {
        "id": f"d{number}", "destination_id": "dest-1", "destination": "PACS Nord", "series_id": None,
        "study_id": str(uuid.UUID(int=number + 1)), "state": state, "total": 94, "sent": sent, "failed": failed,
        "committed": 0, "project": "", "kept_back": 0, "kept_reasons": [], "priority": 0,
        "attempts": 1, "next_attempt_at": None, "error": None, "requested_by": "weber", "created_at": ago(hours=number),
        "finished_at": None, "patient_name": "Müller^Anna-Luise", "description": "CT Thorax mit KM",
        "patient_id": "P10001", "study_date": "2024-08-24", "series_number": None, "series_description": "", **more,
    }  # fmt: skip


def _destination(number: int, name: str, **more: Any) -> Row:
    return {
        "id": f"dest-{number}", "name": name, "kind": "dicom", "ae_title": "", "host": "", "port": 0,
        "calling_ae_title": "", "tls": False, "enabled": True, "address": "", "username": "", "has_secret": False,
        "commitment": False, "kib_per_s": 0, "project_id": None, "windows": [], "paused_at": None,
        "down_since": None, "retry_at": None,
        "error": None, "waiting": 0, "created_at": ago(days=30), **more,
    }  # fmt: skip


def _source(number: int, name: str, kind: str, retention_h: int | None, **more: Any) -> Row:
    return {
        "id": f"s{number}", "name": name, "kind": kind, "ae_title": None, "callers": "*", "folder": None,
        "issuer_of_patient_id": "", "retention_s": retention_h and retention_h * 3600, "max_age_s": None,
        "quiet_s": 30, "duplicate_policy": "quarantine", "quota_bytes": None, "scan": True, "enabled": True,
        "project_id": None,
        "created_at": ago(days=9), **more,
    }  # fmt: skip


def _event(number: int, action: str, outcome: str = "success") -> Row:
    return {
        "id": str(uuid.UUID(int=number)), "at": ago(minutes=3 * number), "action": action, "outcome": outcome,
        "actor_kind": "account", "actor_id": "acc-1", "actor_name": "weber", "peer": "10.20.30.40",
        "subject_kind": "study", "subject_id": str(uuid.UUID(int=77)), "correlation_id": "c",
        "detail": {"destination": "PACS Nord"} if action == "study.forward" else {},
        "patient": {"issuer": "KLINIKUM", "patient_id": "P10001", "name": "Groß^Jürgen"} if number % 2 else None,
    }  # fmt: skip


def _trouble(code: str, detail: str, **facts: object) -> Row:
    return {"code": code, "detail": detail, "facts": facts}


NOBODY = _trouble("nobody-listens", "nothing listens at 10.1.2.3:104", address="10.1.2.3:104", host="10.1.2.3")
REFUSED = _trouble("objects-refused", "the destination refused 4 of 94 objects", n=4, total=94)
NO_FORM = _trouble("context-refused", "The node takes none of the transfer syntaxes that this object can be had in.")


@dataclass
class Office:
    """Everything beside studies."""

    parcels: list[Row] = field(default_factory=lambda: [
        _parcel("CD Praxis Dr. Öztürk", "unpacking", files=120, objects=118),
        _parcel("Vorbilder.zip", "done", files=310, objects=300, duplicates=4, attachments=2, quarantined=1, refused=3),
    ])  # fmt: skip
    deliveries: list[Row] = field(default_factory=lambda: [
        _delivery(0, "sending", 41, 0), _delivery(1, "done", 94, 0),
        _delivery(2, "waiting", 12, 0, attempts=3, next_attempt_at=ago(minutes=-4), error=NOBODY),
        _delivery(3, "failed", 90, 4, error=REFUSED),
        _delivery(4, "held", 0, 0, total=0),
    ])  # fmt: skip
    quarantined: list[Row] = field(default_factory=lambda: [
        {"id": "q1", "source_id": "s1", "parcel_id": None, "code": "patient-mismatch", "releasable": True,
         "reason": "The study belongs to patient P10001, this object names P99999.",
         "study_uid": "1.2.826.0.1.3680043.1", "sop_uid": "1.2.826.0.1.3680043.1.9.1", "patient_name": "Mueller^Anna",
         "patient_id": "P99999", "file_name": "IM0001", "size": 526_336, "received_at": ago(hours=2),
         "ends_at": ago(hours=-160), "identifiable": False, "released_at": None, "new_study_uid": "",
         "new_sop_uid": ""},
    ])  # fmt: skip
    nameless: list[Row] = field(default_factory=list)
    released: list[Row] = field(default_factory=list)
    destinations: list[Row] = field(default_factory=lambda: [
        _destination(1, "PACS Nord", ae_title="PACS_NORD", host="10.1.2.3", port=104, commitment=True, kib_per_s=512,
                     windows=[{"days": [0, 1, 2, 3, 4], "begins": "20:00", "ends": "06:00"}]),
        _destination(2, "Uniklinik, Tumorboard", ae_title="UNI_TB", host="pacs.uni.example", port=2762, tls=True,
                     calling_ae_title="RADRELAY", down_since=ago(hours=5), retry_at=ago(minutes=-20), error=NOBODY,
                     waiting=3),
    ])  # fmt: skip
    sources: list[Row] = field(default_factory=lambda: [
        _source(1, "DICOM", "dicom", 48, ae_title="RADRELAY"), _source(2, "STOW-RS", "stow", 48),
        _source(3, "Upload", "upload", 168, max_age_s=30 * 86400, quota_bytes=200_000_000_000),
        _source(4, "Praxisordner", "folder", None, folder="/srv/eingang", enabled=False),
    ])  # fmt: skip
    accounts: list[Row] = field(default_factory=lambda: [
        {"id": "acc-1", "username": "weber", "full_name": "Dr. Katharina Weber", "role": "admin", "language": "",
         "must_change_password": False, "created_at": ago(days=40), "disabled_at": None,
         "affiliation": "", "awaits_since": None},
        {"id": "acc-2", "username": "station3", "full_name": "Station 3", "role": "user", "language": "de",
         "must_change_password": True, "created_at": ago(days=2), "disabled_at": ago(days=1),
         "affiliation": "", "awaits_since": None},
    ])  # fmt: skip
    tokens: list[Row] = field(default_factory=lambda: [
        {"id": "t1", "name": "Forschungs-PACS", "role": "user", "created_at": ago(days=12), "expires_at": None,
         "revoked_at": None},
    ])  # fmt: skip
    events: list[Row] = field(default_factory=lambda: [
        _event(1, "study.view"), _event(2, "study.search"), _event(3, "study.forward"), _event(4, "login", "refused"),
        _event(5, "request.change") | {"detail": {"code": "a code", "reason": "why", "instances": 3, "objects": 3}},
    ])  # fmt: skip
    calls: list[tuple[str, Row]] = field(default_factory=list)

    def parcel(self, parcel_id: str) -> Row:
        return next(one for one in self.parcels if one["id"] == parcel_id)


def office_of(request: Request) -> Office:
    office: Office = request.app.state.world.office
    return office


async def _body(request: Request) -> Row:
    data = await request.body()
    given: Row = await request.json() if data else {}
    office_of(request).calls.append((f"{request.method} {request.url.path}", given))
    return given


async def parcels(request: Request) -> Response:
    office = office_of(request)
    if request.method == "GET":
        return JSONResponse({"parcels": office.parcels})
    given = await _body(request)
    made = _parcel(given["name"], "receiving") | {"bytes_received": 0}
    office.parcels.insert(0, made)
    return JSONResponse({"id": made["id"]}, 201)


async def parcel(request: Request) -> Response:
    return JSONResponse(office_of(request).parcel(request.path_params["parcel_id"]))


async def close_parcel(request: Request) -> Response:
    found = office_of(request).parcel(request.path_params["parcel_id"])
    found["findings"] = [
        {"file_name": name, "code": "not-dicom", "text": "Not DICOM; kept as a file."}
        for name in found["names"]
        if name.endswith(".txt")
    ]
    found |= {"state": "done", "objects": found["files"] - len(found["findings"]), "finished_at": ago()}
    found["attachments"] = len(found["findings"])
    return JSONResponse(found, 202)


def listing(name: str) -> Callable[[Request], Any]:
    """Answer GET with the list `name`, POST by adding to it."""

    async def answer(request: Request) -> Response:
        rows: list[Row] = getattr(office_of(request), name)
        if request.method == "GET":
            extra = {"next_before": None} if name == "events" else {}
            return JSONResponse({name: rows, **extra})
        given = await _body(request)
        made = {"id": str(uuid.uuid4()), "created_at": ago(), "disabled_at": None, "revoked_at": None, **given}
        rows.append(made)
        answers: dict[str, Row] = {
            "accounts": {"account": made, "one_time_password": "ein-mal-passwort"},
            "tokens": {"token": made, "secret": "rr_geheim_0123456789abcdef"},
            "deliveries": made,
        }
        return JSONResponse(answers.get(name, made), 201)

    return answer


def single(name: str) -> Callable[[Request], Any]:
    """Answer GET, PATCH and DELETE of one row."""

    async def answer(request: Request) -> Response:
        rows: list[Row] = getattr(office_of(request), name)
        found = next((one for one in rows if one["id"] == request.path_params["row_id"]), None)
        if found is None:
            return JSONResponse({"code": "not-found", "detail": "Nothing by this name is here."}, 404)
        given = await _body(request)
        if name == "quarantined" and request.method == "GET":
            return JSONResponse(found | {"here": HERE})
        if request.method == "DELETE":
            rows.remove(found)
            return Response(status_code=204)
        found |= given
        return JSONResponse(found | ({"receipts": receipts()} if name == "deliveries" else {}))

    return answer


HERE = {
    "id": str(uuid.UUID(int=1)), "study_date": "2024-08-24", "description": "CT Thorax mit KM", "instance_count": 94,
    "patient": {"name": "Müller^Anna-Luise", "id": "P10001", "issuer": "", "birth_date": "1961-03-14", "sex": "F"},
}  # fmt: skip


def receipts() -> list[Row]:
    statuses = (0, 0xB000, 0xA700, -1, 0x0122)
    return [
        {"instance_id": f"i{place}", "sop_uid": f"1.2.826.0.1.3680043.8.{place}", "status": status, "at": ago(hours=1),
         "comment": "out of resources" if status == 0xA700 else "",
         "error": NO_FORM if status == 0x0122 else None, "transfer_syntax_uid": "1.2.840.10008.1.2.1",
         "series_number": 2, "instance_number": place + 1, "committed_at": ago(hours=1) if place == 0 else None}
        for place, status in enumerate(statuses)
    ]  # fmt: skip


async def done(request: Request) -> Response:
    await _body(request)
    return JSONResponse({})


def nameless(row_id: str, **more: object) -> Row:
    """Return an object without a study's UID."""
    return {
        "id": row_id, "source_id": "s1", "parcel_id": None, "code": "no-identity", "releasable": False,
        "reason": "StudyInstanceUID (0020,000D) is missing or empty", "study_uid": "", "sop_uid": "1.2.3.4.9",
        "patient_name": "Öztürk^Ayşe", "patient_id": "P4711", "file_name": "CD1/IM000231", "size": 526_336,
        "received_at": ago(hours=5), "ends_at": ago(hours=-150), "identifiable": True, "released_at": None,
        "new_study_uid": "", "new_sop_uid": "", **more,
    }  # fmt: skip


async def quarantine(request: Request) -> Response:
    office = office_of(request)
    if request.query_params.get("released"):
        return JSONResponse({"quarantined": office.released})
    return JSONResponse({"quarantined": [*office.nameless, *office.quarantined]})


def _step(name: str, error: Row | None = None, **facts: Any) -> Row:
    return {"name": name, "ok": error is None, "error": error, "ms": 12.4, "facts": facts}


async def trial(request: Request) -> Response:
    """Answer as a node with TLS would; the second destination does not listen."""
    wanted = await _body(request)
    if request.path_params["row_id"] != "dest-1":
        return JSONResponse({"ok": False, "steps": [_step("echo", NOBODY)]})
    tls = _step("tls", subject="CN=pacs.nord.example", issuer="CN=Klinik CA", until="2027-03-01", days=94,
                sha256="ab" * 32, version="TLSv1.3")  # fmt: skip
    probe = [_step("probe", study_uid="2.25.4711", sop_uid="2.25.4712")] if wanted["probe"] else []
    return JSONResponse({"ok": True, "steps": [tls, _step("echo"), *probe]})


async def proof(request: Request) -> Response:
    return JSONResponse({"intact": True, "events": 4211, "writers": 3, "roots": 12, "broken": []})


async def audit_state(request: Request) -> Response:
    proven = {"at": ago(hours=3), "intact": True, "events": 4200, "faults": 0}
    repository = {"waiting": 17, "oldest_at": ago(hours=1), "behind": True}
    return JSONResponse(
        {"proven": proven, "kept": {"patient_days": 2192, "usage_days": 3653}, "repository": repository}
    )  # fmt: skip


async def audit_export(request: Request) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(f"at,action\n{request.url.query}\n", headers=headers, media_type="text/csv")


async def system(request: Request) -> Response:
    roles = [{"name": name, "node": "srv-rad-01", "alive": name != "work", "seen_at": ago(seconds=8)}
             for name in ("listen", "web", "work")]  # fmt: skip
    return JSONResponse({
        "name": "Klinikum am See", "version": "0.1.0", "now": ago(), "web_address": "http://127.0.0.1:8080",
        "dicomweb_path": "/dicom-web", "scanner": False, "roles": roles,
        "dicom": {"ae_title": "RADRELAY", "host": "127.0.0.1", "ports": [11112], "tls_port": 2762,
                  "accepts_any_called": True},
        "disk": {"total": 480_000_000_000, "free": 311_000_000_000, "refuse_below": 2_147_483_648},
    })  # fmt: skip


ROUTES = [
    Route("/api/parcels", parcels, methods=["GET", "POST"]),
    Route("/api/parcels/{parcel_id}", parcel),
    Route("/api/parcels/{parcel_id}/done", close_parcel, methods=["POST"]),
    Route("/api/audit/proof", proof),
    Route("/api/audit/state", audit_state),
    Route("/api/audit/export", audit_export),
    Route("/api/audit", listing("events")),
    Route("/api/system", system),
    Route("/api/quarantine/{row_id}/release", done, methods=["POST"]),
    Route("/api/destinations/{row_id}/test", trial, methods=["POST"]),
    Route("/api/destinations/{row_id}/{action}", done, methods=["POST"]),
    Route("/api/deliveries/{row_id}/{action}", done, methods=["POST"]),
    Route("/api/attachments/{row_id}/dicom", done, methods=["POST"]),
    Route("/api/quarantine", quarantine),
    Route("/api/quarantine/{row_id}", single("quarantined"), methods=["GET", "DELETE"]),
    *(
        route
        for name in ("deliveries", "destinations", "sources", "accounts", "tokens")
        for route in (
            Route(f"/api/{name}", listing(name), methods=["GET", "POST"]),
            Route(f"/api/{name}/{{row_id}}", single(name), methods=["GET", "PATCH", "DELETE"]),
        )
    ),
]
