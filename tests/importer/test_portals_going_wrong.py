"""Portals that fail or fall silent, hosts to be confirmed, and what is reported of them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer import cases, going_out, jobs, line, reporting, turns
from radrelay.importer.connectors.dlx import DlxErrand
from radrelay.importer.dlx.provider import Key
from radrelay.importer.import_errors import ImportReported, ReportUnknown
from radrelay.importer.models import (
    ImportReport,
    PortalHost,
)
from radrelay.importer.reporting import get_report, list_reports
from radrelay.importer.slots import Slots
from radrelay.mail.models import MailLetter
from radrelay.storage.outbox import Event
from tests.importer.going_wrong import BIRTH, site_with_mail
from tests.importer.house import ImportHouse
from tests.importer.provider import TOKEN
from tests.importer.test_imports import BORN, BORN_CT, confirmed
from tests.system.installation import until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with site_with_mail(tmp_path_factory.mktemp("house")) as found:
        yield found


def reports(house: ImportHouse, address: str = "", *, post: bool = False, expect: int = 200) -> Any:
    method = "POST" if post else "GET"
    answer = house.root.http.request(method, f"/api/portal-reports{address}", headers=house.root.headers)
    assert answer.status_code == expect, answer.text
    return answer.json() if answer.content else None


def letters(house: ImportHouse) -> list[tuple[str, str]]:
    with house.site.database.write() as session:
        rows = session.scalars(sa.select(MailLetter).where(MailLetter.kind == "portal-report")).all()
        found = [(row.recipient, house.site.services.password_links.post.opened(row).text) for row in rows]
        session.execute(sa.delete(MailLetter))
    return found


def failed_with_pin(house: ImportHouse) -> str:
    house.portal.become("list-empty", keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224", "PASSWORD": "4319"}),))
    case_id = house.begin(BORN)
    asks = house.turn(case_id)
    told = {one["id"]: {"birth-date": "19781224"}.get(one["kind"], "4319") for one in asks["questions"]}
    house.post(f"/{case_id}/answers", {"answers": told}, expect=202)
    assert house.turn(case_id)["error"]["code"] == "portal-nothing-listed"
    return case_id


def test_of_two_reports_at_once_the_later_is_told_so(house: ImportHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = uuid.UUID(failed_with_pin(house))
    both, looked = threading.Barrier(2), reporting.report_of

    def report_of(session: Session, of: uuid.UUID) -> ImportReport | None:
        found = looked(session, of)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)  # both have looked, unless one waits for the other
        return found

    def report(by: str) -> str:
        seals = (house.site.services.link_seal, house.site.services.report_seal)
        try:
            with house.site.database.write() as session:
                case = cases.get_case(session, house.site.organisation_id, case_id)
                reporting.report(session, case, seals, reporting.Agreed(), by, house.site.clock.now())
        except ImportReported:
            return "reported before"
        return "reported"

    monkeypatch.setattr(reporting, "report_of", report_of)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(report, ("a", "b"))) == ["reported", "reported before"]
    with house.site.database.write() as session:
        session.execute(sa.delete(ImportReport))
    house.delete(str(case_id))


def test_what_was_ticked_is_taken_back_before_it_is_filed(house: ImportHouse) -> None:
    house.portal.become(keys=(BIRTH,))
    case_id = house.begin(BORN)
    house.turn(case_id)
    house.choose(case_id, {"name": "Иванова^Мария", "patient_id": "4714", "birth_date": "19781224", "sex": "F"})
    (key,) = {
        one["key"] for one in house.confirm_all(case_id)["persons"][0]["findings"] if one["level"] == "look"
    }  # fmt: skip
    back = house.post(f"/{case_id}/confirmations", {"number": 0, "keys": [key], "seen": False})
    assert (back["persons"][0]["left"], {one["confirmed_by"] for one in back["persons"][0]["findings"]}) == (1, {""})
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "import-unconfirmed"
    with house.site.database.read() as session:
        asked = sa.select(AuditEvent.action).where(AuditEvent.action.like("import.%")).order_by(AuditEvent.id.desc())
        assert session.scalars(asked).first() == "import.reopen"
    house.delete(case_id)


def test_a_failed_portal_is_reported_without_what_nobody_agreed_to(house: ImportHouse) -> None:
    case_id = failed_with_pin(house)
    can = house.get(f"/{case_id}/report")
    assert can == {"by_mail": True, "birth_date": True, "answers": True, "reported_at": None}
    made = house.post(f"/{case_id}/report", {"text": "For Mrs Test: nothing."}, expect=201)
    [(recipient, text)] = letters(house)
    assert recipient == "fetching@clinic.example"
    assert {"portal-nothing-listed", made["id"]} <= set(text.replace(",", " ").split())
    for secret in (TOKEN, "4319", "1978", "Mrs Test"):
        assert secret not in text
    assert house.post(f"/{case_id}/report", {}, expect=409)["code"] == "import-reported"
    assert house.get(f"/{case_id}")["state"] == "failed"
    with house.site.database.read() as session:
        row = session.scalars(sa.select(ImportReport)).one()
        told = repr({name: getattr(row, name) for name in ImportReport.__table__.columns.keys()})  # noqa: SIM118
        assert list_reports(session, uuid.uuid4()) == []
        with pytest.raises(ReportUnknown):
            get_report(session, uuid.uuid4(), row.id)  # of another organisation
    assert not any(secret in told for secret in (TOKEN, "4319", "Mrs Test"))
    house.delete(case_id)
    [listed] = reports(house)["reports"]  # it outlives its import
    assert (listed["text"], listed["mailed"], "link" in listed) == ("For Mrs Test: nothing.", True, False)
    shown = reports(house, f"/{made['id']}")
    assert (shown["link"], shown["birth_date"], shown["answers"]) == (house.link, "", {})
    reports(house, f"/{made['id']}/solved", post=True, expect=204)
    assert reports(house) == {"reports": []}
    reports(house, f"/{made['id']}", expect=404)
    with house.site.database.read() as session:
        acts = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action.like("%.report%"))).all()
        details = repr(session.scalars(sa.select(AuditEvent.detail)).all())
    assert sorted(acts) == ["import.report", "portal.report-solved", "portal.report-view"]
    assert not any(secret in details for secret in (TOKEN, "4319", "Mrs Test"))


def test_what_staff_agree_to_goes_along_with_a_report(house: ImportHouse) -> None:
    case_id = failed_with_pin(house)
    wanted = {"with_link": True, "with_answers": True}
    made = house.post(f"/{case_id}/report", wanted, expect=201)
    [(_, text)] = letters(house)
    assert house.link in text
    assert ("4319" in text, "1978" in text) == (True, False)  # the birth date among the answers is a matter of its own
    shown = reports(house, f"/{made['id']}")
    assert (list(shown["answers"].values()), shown["birth_date"]) == (["4319"], "")
    reports(house, f"/{made['id']}/solved", post=True, expect=204)
    house.post(f"/{case_id}/report", {"with_birth_date": True}, expect=201)
    [(_, text)] = letters(house)
    assert ("4319" in text, BORN in text, TOKEN in text) == (False, True, False)
    reports(house, f"/{reports(house)['reports'][0]['id']}/solved", post=True, expect=204)
    house.delete(case_id)
    assert house.post(f"/{case_id}/report", {}, expect=409)["code"] == "import-moved-on"


@contextmanager
def under_way(house: ImportHouse, case_id: str) -> Iterator[threading.Thread]:
    """Work on an import in a thread, as far as its download."""
    event = Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, uuid.UUID(case_id), {})
    turn = threading.Thread(target=house.work.attempt, args=(event,))
    turn.start()
    try:
        yield turn
    finally:
        turn.join(20)
        assert not turn.is_alive()


def parts(house: ImportHouse) -> list[str]:
    return [path.name for path in house.site.settings.landing_dir.rglob("*.part")]


def test_a_download_that_is_given_up_on_its_way_leaves_nothing_of_itself(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOOK_S", 0.05)
    house.portal.become("endless", keys=(BIRTH,))
    case_id = house.begin(BORN)
    with under_way(house, case_id) as turn:
        until(lambda: parts(house), "a download")
        house.delete(case_id)
        turn.join(5)
        assert (turn.is_alive(), parts(house)) == (False, [])


def test_a_download_that_is_given_up_while_nothing_comes_ends_at_once(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOOK_S", 0.05)
    monkeypatch.setattr(line, "SLICE_S", 0.1)
    house.portal.become("stall", keys=(BIRTH,))
    case_id = house.begin(BORN)
    with under_way(house, case_id) as turn:
        until(lambda: house.portal.server.provider._downloads, "a download")
        house.delete(case_id)
        turn.join(5)
        assert not turn.is_alive()


def test_a_portal_that_fell_silent_is_not_tried_again_by_itself_and_others_say_when(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(going_out, "limits_of", lambda _: line.Limits(window_s=0.3))
    house.portal.become("drip", keys=(BIRTH,))
    case_id = house.begin(BORN)
    failed = house.turn(case_id, turns=1)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "portal-stalled")
    house.portal.become(keys=(BIRTH,))
    monkeypatch.undo()
    house.post(f"/{case_id}/retry", expect=202)  # but a person may
    assert house.turn(case_id)["state"] == "open"
    house.delete(case_id)
    confirmed(house, "127.0.0.1:1")
    away = house.begin(BORN, f"http://127.0.0.1:1/portal?token={TOKEN}")
    house.post(f"/{away}/by-hand", expect=409)  # it is just being asked
    waits = house.turn(away, turns=1)
    assert (waits["state"], waits["error"]["code"]) == ("fetching", "portal-unreachable")
    assert waits["error"]["facts"]["host"] == "127.0.0.1:1", "as it is allowed and counted"
    next_one = datetime.fromisoformat(waits["error"]["facts"]["next_attempt_at"])
    assert next_one == house.site.clock.now() + timedelta(seconds=jobs.PAUSES_S[0])
    by_hand = house.post(f"/{away}/by-hand", expect=202)
    assert (by_hand["state"], by_hand["connector"]) == ("receiving", "guided"), "nobody has to wait for the next try"
    assert house.turn(away)["state"] == "receiving"
    house.delete(away)


def test_a_portal_that_keeps_its_places_leaves_others_theirs() -> None:
    slots, ids = Slots(4), [uuid.uuid4() for _ in range(6)]
    bad, worse, good = "bad.example", "worse.example", "good.example"
    assert [slots.take(one, bad) for one in ids[:3]] == [True, True, False]  # half of the places
    assert [slots.take(ids[3], worse), slots.take(ids[4], worse)] == [True, False]  # the last one is left to others
    assert slots.take(ids[5], good)
    assert slots.take(ids[4], worse, at_once=True)
    assert slots.leave(ids[2]) == ()  # it had none
    assert slots.leave(ids[0]) == (ids[2],)
    assert (Slots(1).take(ids[0], bad), slots.leave(ids[1])) == (True, ())


def test_what_is_checked_or_filed_waits_for_no_portal_and_its_place_is_not_free_for_one() -> None:
    slots, ids = Slots(4), [uuid.uuid4() for _ in range(6)]
    assert slots.take(ids[0], "bad.example")
    for one in ids[1:3]:
        assert slots.take(one, None)
    assert not slots.take(ids[3], "bad.example"), "it would be the last place"
    assert slots.take(ids[4], "good.example")
    assert slots.take(ids[5], None)  # nobody waits to have something filed
    assert slots.leave(ids[5]) == (ids[3],)
    assert slots.leave(ids[4]) == ()
    assert not slots.take(ids[3], "bad.example")
    assert slots.leave(ids[1]) == (ids[3],)
    assert slots.take(ids[3], "bad.example")


def test_an_import_waits_for_its_turn_behind_one_of_the_same_portal(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOOK_S", 0.05)
    monkeypatch.setattr(line, "SLICE_S", 0.1)
    monkeypatch.setattr(house.work, "_slots", Slots(2))
    house.portal.become("stall", keys=(BIRTH,))
    first, second = house.begin(BORN), house.begin(BORN)
    with under_way(house, first) as turn:
        until(lambda: house.portal.server.provider._downloads, "a download")
        assert house.turn(second, turns=1)["waits_turn"]
        assert not house.get(f"/{first}")["waits_turn"]
        house.delete(first)
        turn.join(5)
    house.portal.become(keys=(BIRTH,))
    with house.site.database.read() as session:
        assert cases.any_due(session, house.site.clock.now())
    went_on = house.turn(second)
    assert (went_on["state"], went_on["waits_turn"]) == ("open", False)
    house.delete(second)


def test_a_patient_who_was_typed_in_is_looked_at_like_one_who_is_known(house: ImportHouse) -> None:
    nameless = phantoms.study("ct-head", patient=replace(PATIENTS[0], name="stc_test"), slices=1, size=32)
    case_id = house.bring({"one": next(iter(nameless))}, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, {"name": "Test, Sabine", "birth_date": BORN_CT.replace("-", "")})
    found = house.get(f"/{case_id}")
    named = [one for one in found["persons"][0]["findings"] if one["code"].startswith(("name-", "chosen-named"))]
    assert [(one["level"], one["confirmed_by"]) for one in named] == [("look", "")], found["persons"][0]["findings"]
    house.delete(case_id)


def test_addresses_inside_the_house_are_refused_at_once_and_cannot_be_confirmed(house: ImportHouse) -> None:
    house.portal.become("inside-redirect", keys=(BIRTH,))
    for link in (None, f"https://10.0.0.5/portal?token={TOKEN}", f"https://pacs.local/portal?token={TOKEN}"):
        case_id = house.begin(BORN, link)
        failed = house.turn(case_id)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "portal-address-refused")
        house.delete(case_id)
    for host in ("169.254.169.254", "10.0.0.5", "pacs.local"):
        body = {"host": host, "confirm": True}
        refused = house.root.http.put("/api/portals", json=body, headers=house.root.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "portal-host-inside")
    listed = {one["host"] for one in house.root.http.get("/api/portals").json()["portals"]}
    assert not listed & {"169.254.169.254", "10.0.0.5", "pacs.local"}


def test_a_host_that_is_to_be_confirmed_says_who_led_there_and_for_which_import(house: ImportHouse) -> None:
    own = house.portal.base.partition("//")[2]
    with house.site.database.write() as session:  # tests before have met it, too
        session.execute(sa.delete(PortalHost).where(PortalHost.host == "elsewhere.example"))
    began = house.site.clock.now()

    def met(host: str) -> dict[str, Any]:
        portals = house.root.http.get("/api/portals").json()["portals"]
        states = [one["state"] == "asked" for one in portals]
        assert states == sorted(states, reverse=True), "those to be decided on come first"
        (found,) = (one for one in portals if one["host"] == host)
        return {name: found[name] for name in ("state", "led_how", "led_by", "asked_kind", "asked_by", "import_id")} | {
            "at": datetime.fromisoformat(found["asked_at"]) >= began
        }

    by = {"state": "asked", "asked_kind": "account", "asked_by": "root", "at": True}
    house.portal.become(keys=(BIRTH,))
    linked = house.begin(BORN, f"https://elsewhere.example/portal?token={TOKEN}")
    assert house.turn(linked)["error"]["code"] == "portal-not-allowed"
    assert met("elsewhere.example") == by | {"led_how": "link", "led_by": "", "import_id": linked}
    house.portal.become("foreign-base", keys=(BIRTH,))
    case_id = house.begin(BORN)
    assert house.turn(case_id)["error"]["code"] == "portal-not-allowed"
    assert met("elsewhere.example") == by | {"led_how": "answer", "led_by": own, "import_id": case_id}
    house.delete(linked)
    house.delete(case_id)
    assert met("elsewhere.example")["import_id"] is None


def test_only_what_a_portal_did_counts_against_it(house: ImportHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted() -> tuple[int, str]:
        told = house.root.http.get("/api/portals", headers=house.root.headers).json()["portals"]
        (one,) = (one for one in told if one["host"] == house.portal.base.partition("//")[2])
        return one["failures"], one["last_failure_code"]

    before = counted()
    house.portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19790101"}),))
    wrong = house.begin(BORN)
    assert house.turn(wrong)["error"]["code"] == "portal-answer-wrong"
    house.delete(wrong)
    assert counted() == before
    monkeypatch.setattr(turns, "LOOK_S", 0.05)
    monkeypatch.setattr(line, "SLICE_S", 0.1)
    house.portal.become("stall", keys=(BIRTH,))
    case_id = house.begin(BORN)
    with under_way(house, case_id):
        until(lambda: house.portal.server.provider._downloads, "a download")
        house.delete(case_id)
    assert counted() == (before[0] + 1, "portal-given-up")


def test_what_nobody_foresaw_sends_a_birth_date_no_second_time(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.portal.become(keys=(BIRTH,))
    sent: list[object] = []
    answer = DlxErrand.answer

    def counted(errand: DlxErrand, answers: Any) -> None:
        sent.append(errand)
        answer(errand, answers)

    def breaks(errand: DlxErrand) -> Any:
        raise AssertionError("unknown status keyword 'x' in marked section")

    monkeypatch.setattr(DlxErrand, "answer", counted)
    monkeypatch.setattr(DlxErrand, "items", breaks)
    case_id = house.begin(BORN)
    found = house.turn(case_id)
    assert (found["state"], found["error"]["code"], len(sent)) == ("failed", "import-fetch-unforeseen", 1)
    monkeypatch.undo()
    house.post(f"/{case_id}/retry", expect=202)
    assert house.turn(case_id)["state"] == "open"
    house.delete(case_id)
