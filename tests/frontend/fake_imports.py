"""Imports from other institutions as the pages ask for them: begun, asked about, checked, chosen, confirmed, filed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.frontend.fake_office import ago

Row = dict[str, Any]
ANNA: Row = {"name": "Müller^Anna Luise", "patient_id": "EXT-88", "issuer": "", "birth_date": "1978-12-24", "sex": "F"}
HERE: Row = {**ANNA, "name": "Müller-Groß^Anna-Luise", "patient_id": "P10001", "issuer": "KLINIKUM"}
OTHER: Row = {**ANNA, "name": "Müller^Annalisa", "patient_id": "P20002", "issuer": "KLINIKUM", "sex": "F"}
ORDER: Row = {
    "accession": "A2026-17", "study_id": "", "procedure_id": "1", "procedure": "Fremdaufnahmen CT", "step_id": "",
    "step": "",
}  # fmt: skip
CONSENT: Row = {
    "text_version": 3, "text_sha256": "ab" * 32, "language": "de", "given_at": ago(hours=5), "withdrawn_at": None,
    "decision": "", "decided_by": "", "decided_at": None, "decided_why": "",
}  # fmt: skip
ORDERED = ("name", "birth-date", "sex", "patient-id")


def finding(level: str, code: str, study_uid: str = "", **facts: object) -> Row:
    return {
        "key": f"{code} {study_uid} {facts}", "level": level, "code": code, "facts": facts, "study_uid": study_uid,
        "confirmed_by": "", "confirmed_at": None,
    }  # fmt: skip


def candidate(person: Row, fit: str, *, proposed: bool = False, born: str = "19781224", **verdicts: Any) -> Row:
    reasons = {"compatible": "part-of-double-name", "other": "names"}
    values = {
        "name": (ANNA["name"], "", person["name"]), "birth-date": ("19781224", "19781224", born),
        "sex": ("F", "", person["sex"]), "patient-id": (ANNA["patient_id"], "", f"{person['patient_id']} (KLINIKUM)"),
    }  # fmt: skip
    said = {"name": "same", "birth-date": "same", "sex": "same", "patient-id": "other", **verdicts}
    rows = [
        {"field": one, "parcel": values[one][0], "entered": values[one][1], "local": values[one][2],
         "verdict": said[one], "reason": reasons.get(said[one], "") if one == "name" else ""}
        for one in ORDERED
    ]  # fmt: skip
    return {
        "person": {**person, "birth_date": f"{born[:4]}-{born[4:6]}-{born[6:]}"}, "origins": ["archive", "worklist"],
        "rows": rows, "fit": fit, "at_odds": False, "proposed": proposed, "twin": False, "studies": None,
    }  # fmt: skip


def study(number: int, description: str, objects: int, **becomes: int) -> Row:
    return {
        "study_uid": f"1.2.826.0.1.3680043.8.{number}", "study_date": "2026-03-01", "description": description,
        "modalities": ["CT"], "accession": f"EXT{number}", "series": 3, "objects": objects, "becomes": becomes,
        "study_id": None, "expires_at": None,
    }  # fmt: skip


def person(number: int, named: Row, studies: list[Row], findings: list[Row], candidates: list[Row]) -> Row:
    return {
        "number": number, "state": "open", "person": named, "studies": studies, "findings": findings,
        "candidates": candidates, "chosen": None, "unseen": False, "order": None, "papers": [],
        "destination_id": None, "unsent": "",
        "filed_at": None, "filed_by": "", "left": 0, "stopped": False,
    }  # fmt: skip


def case(number: int, state: str, persons: list[Row] | None = None, **more: Any) -> Row:
    persons = persons or []
    return {
        "id": str(uuid.UUID(int=7000 + number)), "state": state, "resumes": "", "connector": "dlx",
        "host": "portal.klinik-nord.example", "birth_date": "1978-12-24", "questions": [], "asks_until": None,
        "waits_turn": False,
        "bytes_received": 0, "bytes_expected": None, "packs_since": None, "objects": 0,
        "came": None, "nothing_came": "", "error": None, "asked_kind": "account", "asked_by": "weber",
        "basis": "treatment", "created_at": ago(minutes=7 * number), "changed_at": ago(minutes=number),
        "checked_at": None, "finished_at": None, "link_ends_at": None, "ends_at": ago(days=-7),
        "ending": {"at": ago(days=-7), "what": "import"} if state in ("fetching", "asking", "open", "failed") else None,
        "files_here": True, "files_until": ago(days=-3), "last_came_at": None, "announced": None,
        "people": [one["person"] for one in persons], "filed_under": [],
        "findings": [], "persons": persons, "papers": [], "consent": None, "acts": [], **more,
    }  # fmt: skip


def fitting(number: int) -> Row:
    """Return an import whose person one patient here fits."""
    found = [
        finding("passed", "named", studies=2, objects=411), finding("passed", "birth-date-agrees"),
        finding("passed", "proposed", origins="archive, worklist"), finding("passed", "accession-foreign"),
        finding("passed", "new", "1.2.826.0.1.3680043.8.1", objects=312),
        finding("look", "same-pixels", "1.2.826.0.1.3680043.8.2", objects=12),
    ]  # fmt: skip
    studies = [study(1, "CT Thorax mit KM", 312, new=312), {**study(2, "CT Schädel", 99, **{"new": 87, "same-pixels": 12}), "study_id": str(uuid.UUID(int=2))}]  # fmt: skip  # noqa: E501
    who = person(0, ANNA, studies, found, [candidate(HERE, "fits", proposed=True), candidate(OTHER, "not", name="other")])  # fmt: skip  # noqa: E501
    who["papers"] = [
        {"file_name": "BEFUNDE/Befund.pdf", "kind": "document", "study_uid": "1.2.826.0.1.3680043.8.1", "why": "",
         "filed": False, "here": False}
    ]  # fmt: skip
    told = [
        finding("passed", "complete", by="list", arrived=411, promised=411),
        finding("look", "unreadable", files=2, names="IMG0031; IMG0032", why="malformed"),
    ]
    came = {"studies": 2, "study_date": "2026-03-01", "modalities": ["CT"], "description": "CT Thorax mit KM"}
    return case(number, "open", [who], findings=told, objects=411, came=came)


def stopped(number: int) -> Row:
    """Return an import of somebody else, and of another person beside."""
    found = [finding("passed", "named", studies=1, objects=24), finding("stop", "birth-date-differs"), finding("stop", "nobody-fits", candidates=1)]  # fmt: skip  # noqa: E501
    differs: Row = {"birth-date": "other", "name": "compatible"}
    near = candidate(HERE, "not", born="19871224", **differs)
    first = person(0, ANNA, [study(3, "MR Knie links", 24)], found, [near])
    second = person(1, {**ANNA, "name": "Öztürk^Ayşe", "patient_id": "EXT-90", "birth_date": "1990-05-01"}, [study(4, "MR Knie rechts", 20)], [finding("look", "nobody-here")], [])  # fmt: skip  # noqa: E501
    return case(number, "open", [first, second], findings=[finding("look", "several-people", people=2)], objects=44)


def portal(host: str, state: str, successes: int, failures: int) -> Row:
    return {
        "host": host, "state": state, "listed": False, "decided_by": "", "decided_at": None, "first_at": ago(hours=1),
        "led_how": "answer", "led_by": "portal.example", "asked_kind": "account", "asked_by": "weber",
        "asked_at": ago(hours=1), "import_id": str(uuid.UUID(int=7004)),
        "successes": successes, "failures": failures, "seconds": None, "last_success_at": None,
        "last_failure_at": ago(minutes=5), "last_failure_code": "portal-not-allowed",
        "ways": [fares("dlx", "well", worst_step="", worst_step_failures=0)],
    }  # fmt: skip


def fares(connector: str, state: str, **more: object) -> Row:
    return {
        "connector": connector, "state": state, "fetched": 30, "failed": 4, "share": 30 / 34, "median_s": 11.6,
        "last_success_at": ago(hours=3), "last_failure_at": ago(minutes=5), "last_failure_code": "portal-stalled",
        "last_failure_step": "download", "worst_step": "log in", "worst_step_failures": 3, **more,
    }  # fmt: skip


def recipe(name: str, state: str, **more: object) -> Row:
    return {
        "id": name, "name": name.title(), "hosts": [f"{name}.example"], "broken": [], "tests": [],
        "guesses": 0, "browser": False, "fares": fares(f"recipe:{name}", state), **more,
    }  # fmt: skip


def expected(named: Row, at: str | None, *waiting: Row) -> Row:
    step = {
        "time": at,
        "modality": "CT",
        "procedure": "CT Thorax",
        "accession": "A1",
        "location": "CT 2",
        "state": "scheduled",
    }
    return {"person": named, "steps": [step], "waiting": list(waiting)}


@dataclass
class Imports:
    """What there is, and what was asked for."""

    may: bool = True
    cases: list[Row] = field(
        default_factory=lambda: [
            case(1, "fetching", bytes_received=180_000_000, bytes_expected=420_000_000),
            fitting(2),
            stopped(3),
            case(4, "failed", resumes="fetching", error={"code": "portal-not-allowed", "detail": "", "facts": {"host": "portal.klinik-nord.example"}}),  # noqa: E501
            case(5, "asking", link_ends_at=ago(hours=-20), ending={"at": ago(hours=-20), "what": "link"}, questions=[
                {"id": "q1", "kind": "birth-date", "form": "date", "texts": {"de": "Geburtsdatum?", "en": "Date of birth?"}},  # noqa: E501
                {"id": "q2", "kind": "password", "form": "text", "texts": {"de": "PIN vom Zettel", "en": "PIN"}},
            ]),
            case(6, "over"),
        ]
    )  # fmt: skip
    portals: list[Row] = field(default_factory=lambda: [portal("portal.klinik-nord.example", "asked", 0, 1)])
    patients: list[Row] = field(
        default_factory=lambda: [
            expected(HERE, "09:15:00", {"id": str(uuid.UUID(int=7002)), "number": 0, "objects": 411, "sure": True, "known": True, "also": 6}),  # noqa: E501
            expected(OTHER, "10:00:00", {"id": str(uuid.UUID(int=7003)), "number": 0, "objects": 1, "sure": False, "known": False, "also": 0}),  # noqa: E501
            expected({**OTHER, "name": "Özdemir^Can", "patient_id": "P30003"}, None),
        ]
    )  # fmt: skip
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, case_id: str) -> Row:
        return next(one for one in self.cases if one["id"] == case_id)


def _world(request: Request) -> Imports:
    world: Imports = request.app.state.world.imports
    return world


async def listed(request: Request) -> Response:
    world = _world(request)
    if request.method == "POST":
        wanted = await request.json()
        world.calls.append(("begin", wanted))
        made = case(0, "fetching" if wanted["link"] else "receiving", birth_date=wanted["birth_date"])
        made |= {"id": str(uuid.UUID(int=7100 + len(world.cases))), "basis": wanted["basis"], "created_at": ago()}
        world.cases.insert(0, made)
        return JSONResponse(made, 201)
    found = world.cases if world.may else []
    if request.query_params.get("order") == "ending":
        found = sorted((one for one in found if one["ending"]), key=lambda one: str(one["ending"]["at"]))
    if hours := request.query_params.get("within_h"):
        found = [one for one in found if one["ending"]["at"] <= ago(hours=-int(hours))]
    return JSONResponse({"may": world.may, "imports": found})


async def today(request: Request) -> Response:
    world = _world(request)
    return JSONResponse({"day": ago()[:10], "may": world.may, "patients": world.patients if world.may else []})


async def one(request: Request) -> Response:
    world = _world(request)
    found = world.of(request.path_params["case_id"])
    if request.method == "DELETE":
        found |= {"state": "over", "persons": [], "people": [], "findings": [], "nothing_came": ""}
        return Response(status_code=204)
    return JSONResponse(found)


async def act(request: Request) -> Response:
    """Answer, correct, retry, check, say that all came, take a file."""
    world, action = _world(request), request.path_params["action"]
    found = world.of(request.path_params["case_id"])
    told: Any = None if action == "files" else await request.json() if await request.body() else None
    world.calls.append((action, told if action != "files" else request.query_params["name"]))
    if action == "birth-date":
        found["birth_date"] = told["birth_date"]
    elif action == "confirmations":
        number = told["number"]
        rows = found["findings"] if number is None else found["persons"][number]["findings"]
        for row in rows:
            if row["key"] in told["keys"]:
                by, at = ("Dr. Katharina Weber", ago()) if told["seen"] else ("", None)
                row |= {"confirmed_by": by, "confirmed_at": at}
    elif action in ("answers", "retry"):
        found |= {"state": "fetching", "error": None}
    elif action == "after-withdrawal":
        decision = "kept" if told["keep"] else "deleted"
        found["consent"] |= {
            "decision": decision,
            "decided_by": "root",
            "decided_at": ago(),
            "decided_why": told["why"],
        }
        found |= {"state": "over", "persons": [], "people": [], "findings": []}
    elif action in ("done", "check"):
        found["state"] = "checking"
    return JSONResponse(found)


async def announced(request: Request) -> Response:
    """Keep what an upload announces."""
    world, told = _world(request), await request.json()
    found = world.of(request.path_params["case_id"])
    world.calls.append(("announce", told))
    found["announced"] = {**told, "came_files": 0, "came_bytes": 0}
    return JSONResponse(found)


async def picture(request: Request) -> Response:
    """Show a portal's page: white, with a red field in it."""
    del request
    drawn = np.full((900, 1280, 3), 255, np.uint8)
    drawn[600:640, 400:440] = (220, 20, 30)
    return Response(bytes(imagecodecs.png_encode(drawn)), media_type="image/png")


async def of_person(request: Request) -> Response:
    world, action = _world(request), request.path_params["action"]
    found = world.of(request.path_params["case_id"])
    who = found["persons"][request.path_params["number"]]
    if action == "differences":
        rows = [("PatientName", "replaced", who["person"]["name"], who["chosen"]["name"]),
                ("PatientID", "replaced", who["person"]["patient_id"], who["chosen"]["patient_id"]),
                ("AccessionNumber", "blanked", "EXT1", "")]  # fmt: skip
        return JSONResponse({
            "differences": [{"keyword": k, "path": k, "kind": kind, "before": b, "after": a, "objects": 60}
                            for k, kind, b, a in rows],
            "looked_at": 60, "objects": 411, "unwritable": 0,
        })  # fmt: skip
    if action == "orders":
        return JSONResponse({"orders": [ORDER]})
    told = await request.json() if await request.body() else {}
    world.calls.append((action, told))
    if action == "take-back":
        who |= {"state": "open", "filed_at": None, "filed_by": "", "chosen": None}
        found["state"] = "open"
    elif action == "send-on":
        who |= {"unsent": "", **told}
        found["error"] = None
    elif action == "patient":
        who |= {"chosen": told["patient"], "order": told["order"]}
    else:
        who |= {"state": "filed", "filed_at": ago(), "filed_by": "Dr. Katharina Weber", **told}
        for place, filed in enumerate(who["studies"]):
            filed |= {"study_id": str(uuid.UUID(int=place + 1)), "expires_at": ago(days=-7)}
        found["state"] = "filed" if all(one["state"] == "filed" for one in found["persons"]) else "open"
    return JSONResponse(found)


async def decide(request: Request) -> Response:
    world = _world(request)
    if request.method == "GET":
        return JSONResponse({"portals": world.portals})
    told = await request.json()
    world.calls.append(("portal", told))
    found = next(one for one in world.portals if one["host"] == told["host"])
    found["state"] = "confirmed" if told["confirm"] else "refused"
    return JSONResponse(found)


def said(code: str, **values: str | int) -> Row:
    """What the server says of a recipe; the page says it by the code."""
    return {"code": code, "values": values, "text": f"English of {code}"}


async def recipes(request: Request) -> Response:
    why = {"step": "log in", "why": said("test-comes", came="wrong", wanted="fetched")}
    fault = {"file": "torn.toml", "line": 1, "place": "recipe", "said": said("one-of", expected="1")}
    told = [
        recipe("clinic", "failing", tests=[{"name": "right", "passed": False, **why}]),
        recipe("practice", "well", tests=[{"name": "right", "passed": True, "step": "", "why": None}], guesses=3),
        recipe("torn", "untried", broken=[fault]),
    ]
    return JSONResponse({"folder": True, "recipes": told})


async def guide(request: Request) -> Response:
    del request
    doing = ["open", "enter-code", "download-zip", "bring-file"]
    host = "portal.klinik-nord.example"
    return JSONResponse({"host": host, "address": f"https://{host}/ab12", "doing": doing})


async def draft(request: Request) -> Response:
    """Draft a recipe from a walk that is the word walk, and say of everything else that it is none."""
    _world(request).calls.append(("recipe", (request.query_params["name"], request.headers.get("entered-code"))))
    if await request.body() != b"walk":
        return JSONResponse({"code": "walk-unreadable", "detail": "", "status": 400}, 400)
    return JSONResponse({
        "text": 'recipe = 1\nname = "Our portal"\n', "name": "Our portal", "hosts": ["portal.klinik-nord.example"],
        "steps": ["open", "step 2", "download"], "questions": ["code", "birth_date"], "broken": [],
        "notes": [said("draft"), said("asked-for", names="surname")],
        "tests": [{"name": "as it was walked", "passed": True, "step": "", "why": None}],
    })  # fmt: skip


async def proof(request: Request) -> Response:
    """Say whether a patient withdrew, and what that has erased; by POST they tell staff that they do."""
    world = _world(request)
    consent = world.of(request.path_params["case_id"])["consent"]
    if request.method == "POST":
        world.calls.append(("withdrawal", None))
        consent["withdrawn_at"] = ago()
    gone = {"at": ago(), "files": 2, "bytes": 80_000_000, "destroyed_at": ago()}
    return JSONResponse({"withdrawn_at": consent["withdrawn_at"], "erased": consent["withdrawn_at"] and gone})


_CASE = "/api/imports/{case_id}"
ROUTES = [
    Route("/api/bringing/imports/{case_id}", proof),
    Route("/api/bringing/imports/{case_id}/withdrawal", proof, methods=["POST"]),
    Route("/api/worklist/today", today),
    Route("/api/recipes", recipes),
    Route("/api/portals", decide, methods=["GET", "PUT"]),
    Route("/api/imports", listed, methods=["GET", "POST"]),
    Route(_CASE, one, methods=["GET", "DELETE"]),
    Route(_CASE + "/guide", guide, methods=["GET"]),
    Route(_CASE + "/recipe", draft, methods=["POST"]),
    Route(_CASE + "/picture", picture, methods=["GET"]),
    Route(_CASE + "/uploads/{key}", announced, methods=["PUT"]),
    Route(_CASE + "/people/{number:int}/{action}", of_person, methods=["GET", "PUT", "POST"]),
    Route(_CASE + "/{action}", act, methods=["PUT", "POST"]),
]
