"""Patients bring their links by a page: each state they are told, consent, withdrawal at each stage, nothing beyond."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from radrelay.archive import deletion
from radrelay.archive.locking import lock_archive
from radrelay.audit import AuditRecord
from radrelay.audit.models import AuditEvent
from radrelay.errors import RadrelayError
from radrelay.identity import organisations
from radrelay.importer import brought, cases, patient_page
from radrelay.importer.dlx.provider import Key
from radrelay.importer.filing import Filer
from radrelay.importer.models import (
    ImportCase,
    ImportConsent,
    ImportObject,
    ImportPage,
    ImportPerson,
    ImportReport,
    PortalHost,
)
from radrelay.importer.raw_parcel import StoredFile
from radrelay.intake.models import RawFile
from radrelay.intake.sources import LONGEST_PORTAL_S, get_source
from radrelay.privacy import erasure, texts
from radrelay.privacy.contacts import contacts_of, set_contacts
from radrelay.privacy.holdings_of import HeldStudy, held
from radrelay.privacy.requests import Subject
from radrelay.storage.outbox import Event
from tests.importer.house import ImportHouse, open_house
from tests.importer.provider import TOKEN

BORN, WRONG = "1978-12-24", "1970-01-01"
PATIENT = {"name": "Iwanowa^Maria", "birth_date": "19781224", "sex": "F"}
_ADDRESSES = count(10)


@dataclass
class Patient:
    """Somebody at home with a phone, without an account."""

    house: ImportHouse
    http: TestClient = field(init=False)
    number: str = ""

    def __post_init__(self) -> None:
        self.http = self.house.site.client(f"198.51.100.{next(_ADDRESSES)}")

    def enter(self, birth_date: str = BORN, *, link: str = "", expect: int = 201, **changed: object) -> dict[str, Any]:
        page = self.http.get("/api/bringing").json()
        text = {"id": page["text"]["id"], "sha256": page["text"]["sha256"]} if "text" in page else {}
        body = {"link": link or self.house.link, "birth_date": birth_date, "text": text, "language": "de"}
        told = self._told("", body | {"agreed": True} | changed, expect)
        self.number = told.get("number", "")
        return dict(told.get("brought", told))

    def look(self, *, number: str = "", expect: int = 200) -> dict[str, Any]:
        return self._told("/look", {"number": number or self.number}, expect)

    def answer(self, *, expect: int = 202, **body: object) -> dict[str, Any]:
        return self._told("/answers", {"number": self.number} | body, expect)

    def withdraw(self, *, expect: int = 200) -> dict[str, Any]:
        return self._told("/withdrawal", {"number": self.number}, expect)

    def turn(self) -> dict[str, Any]:
        self.house.turn(self.case_id)
        return self.look()

    def filed(self) -> dict[str, Any]:
        """Have staff file what was brought."""
        self.turn()
        self.house.choose(self.case_id, PATIENT)
        self.house.confirm_all(self.case_id)
        return self.house.file(self.case_id)

    def _told(self, address: str, body: object, expect: int) -> dict[str, Any]:
        answer = self.http.post(f"/api/bringing{address}", json=body)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    @property
    def case_id(self) -> str:
        with self.house.site.database.read() as session:
            return str(brought.found_by(session, self.number).case_id)


def published(
    house: ImportHouse, organisation_id: uuid.UUID | None = None, controller: str = "Clinic, 1 Main Street"
) -> None:
    now, kept = house.site.clock.now(), house.site.settings.statistics
    with house.site.database.write() as session:
        own = organisation_id or house.site.organisation_id
        contacts = contacts_of(session, own)
        set_contacts(session, own, replace(contacts, controller=controller, notice_required=False), now)
        for kind in ("notice", "consent"):
            before = texts.draft_of(session, own, kind).revision
            drafted = texts.save_draft(
                session, own, kind, "I agree. {controller}", "Ich willige ein. {controller}", by="root", now=now,
                revision=before, statistics=kept,
            )  # fmt: skip
            texts.publish(session, own, kind, by="root", now=now, revision=drafted.revision, statistics=kept)


def switch(house: ImportHouse, *, is_open: bool, expect: int = 200) -> dict[str, Any]:
    put = house.root.http.put("/api/bringing/page", json={"is_open": is_open}, headers=house.root.headers)
    assert put.status_code == expect, put.text
    return dict(put.json())


def confirm(house: ImportHouse, host: str) -> None:
    body = {"host": host, "confirm": True}
    assert house.root.http.put("/api/portals", json=body, headers=house.root.headers).status_code == 200


def left_of(house: ImportHouse, case_id: str) -> dict[str, int]:
    """Return how many rows there are of what an import brought."""
    own = uuid.UUID(case_id)
    with house.site.database.read() as session:
        parcel = session.get_one(ImportCase, own).parcel_id
        asked = {
            "raw": sa.select(sa.func.count()).where(RawFile.parcel_id == parcel),
            "people": sa.select(sa.func.count()).where(ImportPerson.case_id == own),
            "objects": sa.select(sa.func.count()).where(ImportObject.case_id == own),
        }
        return {name: session.scalar(one) or 0 for name, one in asked.items()}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


NOTHING = {"raw": 0, "people": 0, "objects": 0}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("brought"), most_by_patients=40) as found:
        found.root.http.get("/api/bringing")
        assert switch(found, is_open=True, expect=409)["code"] == "bringing-text-lacking"
        published(found, controller="")
        assert switch(found, is_open=True, expect=409)["code"] == "bringing-unnamed"
        lacks = found.root.http.get("/api/bringing/page").json()["lacking"]
        assert sorted(lacks) == ["controller", "organisation", "unnamed"]
        published(found)
        with found.site.database.write() as session:
            organisations.change(session, found.site.organisation_id, name="Clinic")
        switch(found, is_open=True)
        confirm(found, found.portal.base.removeprefix("http://"))
        yield found


@pytest.fixture
def patient(house: ImportHouse) -> Patient:
    house.portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"}),))
    return Patient(house)


def test_a_link_is_entered_fetched_and_filed_and_its_patient_told_of_each_step(patient: Patient) -> None:
    house = patient.house
    begun = patient.enter()
    assert (begun["step"], begun["text_version"], len(patient.number)) == ("fetching", 2, brought.NUMBER_SIGNS)
    assert instant(begun["ends_at"]) - instant(begun["begun_at"]) == timedelta(hours=168)
    told = patient.turn()
    assert (told["step"], told["pictures"]) == ("arrived", 4)
    spaced = " ".join(patient.number[at : at + 4] for at in range(0, 20, 4)).lower().replace("0", "o")
    wide = "".join(chr(ord(one) + 0xFEE0) for one in patient.number)  # as a Japanese keyboard writes them
    assert patient.look(number=spaced)["step"] == patient.look(number=wide)["step"] == "arrived"
    shown = house.get(f"/{patient.case_id}")
    assert (shown["asked_kind"], shown["basis"], shown["consent"]["language"]) == ("patient", "consent", "de")
    assert shown["consent"]["text_version"] == 2
    assert patient.filed()["state"] == "filed"
    told = patient.look()
    assert told["step"] == "filed"
    said = json.dumps(told)
    assert not [one for one in ("4711", "Iwanowa", "Иванова", patient.number) if one in said]
    with house.site.database.read() as session:
        acts = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.subject_id == patient.case_id, AuditEvent.actor_kind == "patient")
        ).all()
        assert [one.action for one in acts] == ["import.bring"]
        kept = brought.found_by(session, patient.number)
        assert kept.secret_hash == brought.hash_of(patient.number)


def test_a_portal_that_nobody_knows_waits_for_the_house_and_is_fetched_by_itself_then(patient: Patient) -> None:
    house = patient.house
    host = house.portal.base.removeprefix("http://").replace("127.0.0.1", "localhost")
    patient.enter(link=f"http://{host}/portal?token={TOKEN}")
    assert patient.turn()["step"] == "host"
    body = {"host": host, "confirm": False}
    assert house.root.http.put("/api/portals", json=body, headers=house.root.headers).status_code == 200
    assert patient.look()["step"] == "refused"
    confirm(house, host)
    assert patient.look()["step"] == "fetching"
    assert patient.turn()["step"] == "arrived"
    patient.withdraw()


def test_hosts_that_a_stranger_made_up_leave_the_list_with_them(patient: Patient) -> None:
    patient.enter(link="https://made-up.example/portal?token=ABC-S1Z-98A")
    assert patient.turn()["step"] == "host"
    named = sa.select(PortalHost.id).where(PortalHost.host == "made-up.example")
    with patient.house.site.database.read() as session:
        assert session.scalar(named) is not None
    patient.withdraw()
    with patient.house.site.database.read() as session:
        assert session.scalar(named) is None
    patient.house.portal.become("foreign-base")
    patient.enter()
    assert patient.turn()["step"] == "host"
    (led,) = (one for one in patient.house.root.http.get("/api/portals").json()["portals"] if one["state"] == "asked")
    assert (led["host"], led["asked_kind"], led["led_how"]) == ("elsewhere.example", "patient", "answer")
    patient.withdraw()
    listed = patient.house.root.http.get("/api/portals").json()["portals"]
    assert "elsewhere.example" not in {one["host"] for one in listed}


def test_another_birth_date_gives_nothing_and_is_mended_on_the_page(patient: Patient) -> None:
    patient.enter(WRONG)
    told = patient.turn()
    assert (told["step"], told["pictures"], told["left"]) == ("wrong", 0, 4)
    assert patient.answer(birth_date=BORN)["step"] == "fetching"
    assert patient.turn()["step"] == "arrived"
    patient.withdraw()


def test_answers_that_the_portal_asks_for_are_given_and_wrong_ones_end(patient: Patient) -> None:
    other = f"{TOKEN}-PW"
    keys = (Key(other, {"PAT_BIRTH_DATE": "19781224", "PASSWORD": "1234"}),)
    patient.house.portal.become(keys=keys)
    patient.enter(link=f"{patient.house.portal.base}/portal?token={other}")
    told = patient.turn()
    assert (told["step"], [one["kind"] for one in told["questions"]]) == ("asking", ["password"])
    asked = told["questions"][0]["id"]
    for left in (4, 3, 2, 1, 0):
        patient.answer(answers={asked: "4321"})
        told = patient.turn()
        assert (told["step"], told["left"]) == ("wrong" if left else "spent", left)
    patient.answer(answers={asked: "1234"})
    assert patient.turn()["code"] == "portal-attempts-spent", "what is sent all the same stays here"
    patient.withdraw()


def test_an_import_is_not_answered_without_end(patient: Patient) -> None:
    patient.enter(WRONG)
    patient.turn()
    with patient.house.site.database.write() as session:
        row = session.get_one(ImportCase, uuid.UUID(patient.case_id))
        row.answers_sent, state = cases.MOST_ANSWERS - 1, row.state
    patient.answer(birth_date=WRONG)
    with patient.house.site.database.write() as session:  # as if the portal had said so again
        session.get_one(ImportCase, uuid.UUID(patient.case_id)).state = state
    assert patient.answer(birth_date=BORN, expect=403)["code"] == "portal-attempts-spent"
    answered = {"answers": {"1": "1"}}
    assert patient.house.post(f"/{patient.case_id}/answers", answered, expect=403)["code"] == "portal-attempts-spent"
    patient.withdraw()


def test_a_link_that_has_expired_and_a_portal_that_fails_are_told_apart(patient: Patient) -> None:
    patient.house.portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"}, expired=True),))
    patient.enter()
    assert patient.turn()["step"] == "link-ended"
    patient.withdraw()
    patient.house.portal.become("list-empty", keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"}),))
    patient.enter()
    told = patient.turn()
    assert (told["step"], told["code"]) == ("trouble", "portal-nothing-listed")
    patient.house.post(f"/{patient.case_id}/report", {"with_birth_date": True}, expect=201)
    patient.withdraw()
    with patient.house.site.database.read() as session:
        assert session.scalar(sa.select(ImportReport.id)) is None  # what staff reported of it goes, too


@pytest.mark.parametrize("stage", ["begun", "wrong", "arrived"])
def test_a_withdrawal_erases_all_at_once_and_says_so(patient: Patient, stage: str) -> None:
    patient.enter(WRONG if stage == "wrong" else BORN)
    if stage != "begun":
        assert patient.turn()["step"] == stage
    case_id = patient.case_id
    told = patient.withdraw()
    files = {"arrived": 1}.get(stage, 0)
    assert (told["step"], told["erased"]["files"], told["host"]) == ("withdrawn", files, "")
    assert (told["erased"]["bytes"] > 0) == (files > 0)
    assert left_of(patient.house, case_id) == NOTHING
    assert patient.look() == patient.withdraw()  # twice is no error
    assert patient.answer(birth_date=BORN, expect=409)["code"] == "import-moved-on"
    shown = patient.house.get(f"/{case_id}")
    assert (shown["state"], shown["birth_date"], shown["consent"]["withdrawn_at"] is not None) == ("over", None, True)


def test_who_tells_staff_withdraws_with_the_same_proof(patient: Patient) -> None:
    house = patient.house
    patient.enter()
    patient.turn()
    case_id = patient.case_id
    address = f"/api/bringing/imports/{case_id}"
    assert house.root.http.get(address).json() == {"withdrawn_at": None, "erased": None}
    told = [house.root.http.post(f"{address}/withdrawal", headers=house.root.headers).json() for _ in range(2)]
    assert (told[0], told[0]["erased"]["files"], left_of(house, case_id)) == (told[1], 1, NOTHING)
    assert house.root.http.get(address).json() == told[0]
    seen = patient.look()
    assert (seen["step"], seen["erased"], seen["withdrawn_at"]) == ("withdrawn", *reversed(list(told[0].values())))
    with house.site.database.read() as session:
        own = (AuditEvent.subject_id == case_id, AuditEvent.action == "import.consent-withdraw")
        assert session.scalars(sa.select(AuditEvent.actor_name).where(*own)).all() == ["root"]
    house.site.account("guest-of-withdrawals", "guest")
    stranger = house.site.login("guest-of-withdrawals")
    brought_by_staff = house.bring({"one.txt": b"no image"})
    for login, other in ((stranger, case_id), (house.root, brought_by_staff)):
        refused = login.http.post(f"/api/bringing/imports/{other}/withdrawal", headers=login.headers)
        assert (refused.status_code, refused.json()["code"]) == (404, "import-unknown")
    house.delete(brought_by_staff)


def test_two_withdraw_at_once(patient: Patient) -> None:
    patient.enter()
    patient.turn()
    case_id = patient.case_id
    with ThreadPoolExecutor(2) as both:
        steps = [one.result()["step"] for one in [both.submit(patient.withdraw) for _ in range(2)]]
    assert (steps, left_of(patient.house, case_id)) == (["withdrawn"] * 2, NOTHING)
    with patient.house.site.database.read() as session:
        own = (AuditEvent.subject_id == case_id, AuditEvent.action == "import.consent-withdraw")
        assert session.scalar(sa.select(sa.func.count()).where(*own)) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_filed_before_a_withdrawal_is_decided_on_by_staff(patient: Patient, *, keep: bool) -> None:
    house = patient.house
    patient.enter()
    assert patient.filed()["state"] == "filed"
    case_id, before = patient.case_id, len(house.instances())
    told = patient.withdraw()
    assert (told["step"], told["erased"]["files"]) == ("withdrawn-filed", 1)
    assert left_of(house, case_id)["raw"] == 0
    assert len(house.instances()) == before
    shown = house.get(f"/{case_id}")
    assert (shown["state"], shown["consent"]["withdrawn_at"] is not None) == ("filed", True)
    assert house.post(f"/{case_id}/people/0/take-back", expect=404)["code"] == "raw-file-gone"
    if keep:
        assert (
            house.post(f"/{case_id}/after-withdrawal", {"keep": True}, expect=400)["code"] == "bringing-reason-wanted"
        )
    house.post(f"/{case_id}/after-withdrawal", {"keep": keep, "why": "used for the report" if keep else ""})
    told = patient.look()
    assert (told["step"], told["decision"]) == ("withdrawn", "kept" if keep else "deleted")
    assert left_of(house, case_id) == NOTHING
    refused = house.post(f"/{case_id}/after-withdrawal", {"keep": True, "why": "again"}, expect=409)
    assert refused["code"] == "import-moved-on"


def test_a_withdrawal_while_it_is_filed_waits_for_the_end_of_that(patient: Patient) -> None:
    house = patient.house
    patient.enter()
    patient.turn()
    house.choose(patient.case_id, PATIENT)
    house.confirm_all(patient.case_id)
    house.post(f"/{patient.case_id}/people/0/file", {}, expect=202)
    told = patient.withdraw()
    assert (told["step"], told["erased"]) == ("withdrawn-filed", None)
    assert left_of(house, patient.case_id)["raw"] == 1
    assert house.turn(patient.case_id)["state"] == "filed"
    assert patient.look()["erased"]["files"] == 1
    assert left_of(house, patient.case_id)["raw"] == 0


def at_object(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Have something happen before the object of that number is filed."""
    real, seen = Filer.file, count()

    def file(self: Filer, row: ImportObject, stored: StoredFile) -> None:
        if next(seen) == number:
            act()
        real(self, row, stored)

    monkeypatch.setattr(Filer, "file", file)


def being_filed(patient: Patient) -> str:
    """Have staff ask for the filing of what was brought; what was filed before is gone, and no import counts on it."""
    house = patient.house
    with house.site.database.write() as session:
        lock_archive(session)
        deletion.delete_instances(session, [one.id for one in house.instances()], house.site.clock.now())
        for row in session.scalars(sa.select(ImportCase).where(ImportCase.state == cases.FILED)):
            cases.end(session, row, "withdrawn", house.site.clock.now())
    patient.enter()
    patient.turn()
    house.choose(patient.case_id, PATIENT)
    house.confirm_all(patient.case_id)
    house.post(f"/{patient.case_id}/people/0/file", {}, expect=202)
    return patient.case_id


def attempt(house: ImportHouse, case_id: str) -> None:
    house.work.attempt(Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, uuid.UUID(case_id), {}))


def test_nobody_gives_up_a_filing_during_which_a_patient_withdrew(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, case_id = patient.house, being_filed(patient)
    codes: list[str] = []

    def withdraw() -> None:
        patient.withdraw()
        answer = house.root.http.delete(f"/api/imports/{case_id}", headers=house.root.headers)
        codes.append(answer.json()["code"])
        with house.site.database.write() as session:
            session.get_one(ImportCase, uuid.UUID(case_id)).ends_at = house.site.clock.now()
        house.work.expire()

    at_object(monkeypatch, 2, withdraw)
    assert house.turn(case_id)["state"] == "filed"
    told = patient.look()
    assert (codes, told["step"], told["erased"]["files"]) == (["import-moved-on"], "withdrawn-filed", 1)
    house.post(f"/{case_id}/after-withdrawal", {"keep": False})
    assert (patient.look()["step"], house.instances()) == ("withdrawn", [])


def test_a_withdrawal_during_a_filing_that_hangs_is_carried_out_when_that_is_ended(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, case_id = patient.house, being_filed(patient)

    def withdraw() -> None:
        patient.withdraw()
        with house.site.database.write() as session:
            row = session.get_one(ImportCase, uuid.UUID(case_id))
            row.ends_at = house.site.clock.now() - cases.FILING_LEFT
        house.work.expire()

    at_object(monkeypatch, 2, withdraw)
    attempt(house, case_id)
    told = patient.look()
    assert (told["step"], told["erased"]["files"], left_of(house, case_id)) == ("withdrawn", 1, NOTHING)
    house.site.index()
    house.work.expire()
    assert house.instances() == []


def test_what_lands_late_of_a_filing_that_broke_off_goes_with_a_withdrawal(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, case_id = patient.house, being_filed(patient)

    def break_off() -> None:
        raise RadrelayError("it broke off")

    at_object(monkeypatch, 2, break_off)
    attempt(house, case_id)
    assert house.get(f"/{case_id}")["state"] == "failed"
    assert house.instances() == []  # nothing of it is in the index yet
    assert patient.withdraw()["step"] == "withdrawn"
    house.site.index()
    assert len(house.instances()) == 2
    house.work.expire()
    assert house.instances() == []


def test_who_withdrew_is_told_when_the_time_for_a_decision_is_over(patient: Patient) -> None:
    house, case_id = patient.house, being_filed(patient)
    house.turn(case_id)
    assert patient.withdraw()["step"] == "withdrawn-filed"
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).ends_at = house.site.clock.now()
    house.work.expire()
    told = patient.look()
    assert (told["step"], told["decision"], len(house.instances())) == ("withdrawn", "ended", 4)
    assert house.get(f"/{case_id}")["consent"]["decision"] == "ended"


@pytest.mark.parametrize("who", ["patient", "staff"])
def test_an_answer_is_left_to_the_machine_whose_browser_waits_for_it(patient: Patient, who: str) -> None:
    house = patient.house
    patient.enter()
    own = uuid.UUID(patient.case_id)
    with house.site.database.write() as session:
        row = session.get_one(ImportCase, own)
        row.state, row.machine, row.asks_until = "asking", "other", house.site.clock.now() + timedelta(minutes=10)
    if who == "patient":
        patient.answer(answers={"code": "1"})
    else:
        house.post(f"/{own}/answers", {"answers": {"code": "1"}}, expect=202)
    house.work.attempt(Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, own, {}))
    with house.site.database.read() as session:
        row = session.get_one(ImportCase, own)
        assert (row.state, row.machine, row.asks_until is None) == ("fetching", "other", False)
    assert not house.work._waits(own)  # a browser here would not be what it goes on with
    with house.site.database.write() as session:
        session.get_one(ImportCase, own).machine = house.work.machine
    assert house.work._waits(own)
    patient.withdraw()


def no_study(study: HeldStudy) -> AuditRecord:
    raise AssertionError(study)


def test_an_erasure_of_whom_it_is_here_finds_what_was_brought(patient: Patient) -> None:
    house = patient.house
    patient.enter()
    patient.turn()
    house.choose(patient.case_id, {**PATIENT, "patient_id": "4799"})
    with house.site.database.write() as session:
        lock_archive(session)
        meant = held(session, house.site.organisation_id, Subject("patient", "KH", "4799"))
        assert [str(one.id) for one in meant.imports] == [patient.case_id]
        proof = erasure.erase(session, meant, no_study, by="dora", now=house.site.clock.now())
    assert (proof.imports, patient.look()["step"], left_of(house, patient.case_id)) == (1, "over", NOTHING)


def test_what_was_on_its_way_when_somebody_withdrew_goes_too(patient: Patient) -> None:
    house = patient.house
    patient.enter()
    case_id = patient.case_id
    house.work.attempt(Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, uuid.UUID(case_id), {}))
    house.site.index()
    with house.site.database.write() as session:  # as if the file had landed a moment after the withdrawal
        parcel = session.get_one(ImportCase, uuid.UUID(case_id)).parcel_id
        hidden = session.scalars(sa.select(RawFile).where(RawFile.parcel_id == parcel)).one()
        hidden.parcel_id = uuid.uuid4()
        kept_id = hidden.id
    patient.withdraw()
    with house.site.database.write() as session:
        session.get_one(RawFile, kept_id).parcel_id = parcel
    house.work.expire()
    assert left_of(house, case_id) == NOTHING


def test_who_has_no_number_learns_nothing_and_waits(house: ImportHouse) -> None:
    stranger = Patient(house)
    told = {json.dumps(stranger.look(number=one, expect=404)["code"]) for one in ("0" * 20, "x", "' OR 1=1")}
    assert told == {'"bringing-number-unknown"'}
    for _ in range(17):
        stranger.look(number="7" * 20, expect=404)
    waits = stranger.look(number="7" * 20, expect=429)
    assert waits["code"] == "too-many-attempts"
    other = Patient(house)
    other.enter()
    assert other.look()["step"] == "fetching"  # nobody else waits for a stranger's guesses
    other.withdraw()


def test_an_address_enters_so_many_links_an_hour_and_a_house_takes_so_many(house: ImportHouse) -> None:
    eager = Patient(house)
    for _ in range(10):
        eager.enter()
    assert eager.enter(expect=429)["code"] == "too-many-attempts"
    object.__setattr__(house.site.settings.importer, "most_by_patients", 0)
    try:
        assert Patient(house).enter(expect=503)["code"] == "bringing-full"
    finally:
        object.__setattr__(house.site.settings.importer, "most_by_patients", 40)


def test_a_page_that_is_off_is_like_one_that_never_was(house: ImportHouse) -> None:
    with house.site.database.read() as session:
        door = session.get_one(ImportPage, house.site.organisation_id).door
    stranger = Patient(house)
    assert stranger.http.get("/api/bringing", params={"door": door}).status_code == 200
    assert stranger.http.get("/api/bringing", params={"door": "ABCDEFGHJK"}).status_code == 404
    known = Patient(house)
    known.enter()
    switch(house, is_open=False)
    try:
        answers = [stranger.http.get("/api/bringing", params={"door": one}).json() for one in ("", door, "ABCDEFGHJK")]
        assert {one["code"] for one in answers} == {"bringing-closed"}
        body = {"link": house.link, "birth_date": BORN, "text": {"id": str(uuid.uuid4()), "sha256": "0" * 64}}
        asked = stranger.http.post("/api/bringing", json=body | {"language": "de", "agreed": True})
        assert asked.status_code == 404
        assert known.withdraw()["step"] == "withdrawn"  # who entered something before gets out all the same
    finally:
        switch(house, is_open=True)


def test_each_organisation_has_a_page_of_its_own(patient: Patient) -> None:
    house = patient.house
    now = house.site.clock.now()
    with house.site.database.write() as session:
        other = organisations.add(session, "Elsewhere", "DE", now).id
    published(house, other)
    with house.site.database.write() as session:
        door = patient_page.switch(session, other, is_open=True, by="dora", now=now).door
    page = patient.http.get("/api/bringing", params={"door": door.lower()}).json()
    text = {"id": page["text"]["id"], "sha256": page["text"]["sha256"]}
    assert patient.enter(expect=409, text=text)["code"] == "not-the-text"  # another organisation's
    assert patient.enter(text=text, door=door)["organisation"] == "Elsewhere"
    house.get(f"/{patient.case_id}", expect=404)
    with house.site.database.read() as session:
        source_id = session.get_one(ImportCase, uuid.UUID(patient.case_id)).source_id
        assert get_source(session, other, source_id).retention_s == LONGEST_PORTAL_S
    patient.withdraw()


def test_nobody_begins_without_agreeing_to_what_is_in_force(patient: Patient) -> None:
    patient.enter(expect=422, agreed=False)
    patient.enter("no day", expect=422)
    stale = {"id": str(uuid.uuid4()), "sha256": "0" * 64}
    assert patient.enter(expect=409, text=stale)["code"] == "not-the-text"
    assert patient.enter(expect=400, link="no link at all")["code"] == "import-no-link"
    foreign = patient.http.post("/api/bringing/look", json={"number": "1"}, headers={"Origin": "https://other.example"})
    assert foreign.json()["code"] == "csrf"


def test_consents_outlive_their_imports_and_end_in_their_time(patient: Patient) -> None:
    house = patient.house
    patient.enter()
    patient.withdraw()
    own = uuid.UUID(patient.case_id)
    with house.site.database.write() as session:
        session.execute(sa.delete(ImportCase).where(ImportCase.id == own))
        assert brought.forget(session, house.site.clock.now()) == 0
        assert session.scalars(sa.select(ImportConsent).where(ImportConsent.case_id == own)).one().secret_hash is None
        assert brought.forget(session, house.site.clock.now() + brought.CONSENT_KEPT + timedelta(days=1)) >= 1
        assert session.scalar(sa.select(ImportConsent.id).where(ImportConsent.case_id == own)) is None
