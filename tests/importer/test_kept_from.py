"""Patients under a restriction, as people meet them who import: nobody is told who they are but who may see them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.access.restrictions import Wanted, restrict
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Source, Study
from radrelay.audit.models import AuditEvent
from radrelay.errors import Trouble
from radrelay.importer import cases
from radrelay.importer.import_errors import FileChanged
from radrelay.importer.models import ImportCase, ImportConsent
from radrelay.importer.waiting import today_at
from radrelay.storage.ids import new_id
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES
from tests.importer.test_imports import _ordered as ordered

BORN = date.fromisoformat(BORN_CT)
FILES = {str(number): one for number, one in enumerate(IMAGES)}
OLGA = {"name": "Kanzler^Olga", "patient_id": "4711", "issuer": "KH", "birth_date": "19580614", "sex": "F"}
JOERG = {"name": "Müller^Jörg", "patient_id": "4711"}


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture
def chief(house: ImportHouse) -> ImportHouse:
    """Somebody of a group that sees restricted studies."""
    site = house.site
    account = site.account("chief", "admin")
    with site.database.write() as session:
        now = site.clock.now()
        group = access.create_group(session, site.organisation_id, "Board", now=now)
        access.change_group(session, site.organisation_id, group.id, sees_restricted=True)
        access.add_member(session, site.organisation_id, group.id, "account", str(account))
        board = Grantee("group", str(group.id))
        access.grant(session, site.organisation_id, board, Target("organisation"), (Right.SEE, Right.FETCH), now=now)
    return replace(house, root=site.login("chief"))


def restricted(house: ImportHouse, kind: Any, value: str, issuer: str = "") -> None:
    with house.site.database.write() as session:
        lock_archive(session)
        restrict(session, house.site.organisation_id, Wanted(kind, value, issuer), "root", house.site.clock.now())


def person(found: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = found["persons"][0]
    return one


def codes(found: dict[str, Any]) -> dict[str, str]:
    return {one["code"]: one["level"] for one in person(found)["findings"]}


def known_here(house: ImportHouse, patient_id: str = "4711", name: str = "Müller^Jörg") -> None:
    ordered(house, date(2020, 1, 1), patient_id, name, BORN, patient_issuer="KH", patient_sex="")


def test_who_may_be_meant_and_is_kept_from_somebody_is_not_told_and_left_to_who_may(
    house: ImportHouse, chief: ImportHouse
) -> None:
    known_here(house, name="Müller^Jörg-Uwe")
    restricted(house, "patient", "4711", "KH")
    case_id = house.bring(FILES, BORN_CT)
    told = house.turn(case_id)
    assert "4711" not in json.dumps(told)
    assert "Uwe" not in json.dumps(told)
    assert (person(told)["candidates"], person(told)["stopped"], codes(told)["somebody-unseen"]) == ([], True, "stop")
    seen = chief.get(f"/{case_id}")
    assert [one["person"]["patient_id"] for one in person(seen)["candidates"]] == ["4711"]
    assert "somebody-unseen" not in codes(seen)
    with house.site.database.read() as session:
        asked = sa.select(AuditEvent).where(AuditEvent.action == "import.view")
        named = [(one.actor_name, one.patient_ref is not None) for one in session.scalars(asked)]
    assert ("chief", True) in named
    assert ("root", True) not in named, "of whom it told nothing, it says nothing"
    other = {"name": "Müller^Jörg", "patient_id": "99", "issuer": "KH"}
    house.choose(case_id, other)
    house.confirm_all(case_id)
    filed = house.post(f"/{case_id}/people/0/file", {}, expect=409)
    assert filed["code"] == "patient-unseen", "another is not filed while somebody unseen may be meant"


def test_whom_one_may_not_see_nobody_chooses_by_typing_the_id_and_what_a_colleague_chose_stays(
    house: ImportHouse, chief: ImportHouse
) -> None:
    known_here(house)
    restricted(house, "patient", "4711", "KH")
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    for typed in (JOERG, {"name": "Any^Body", "patient_id": "4711", "issuer": "KH"}):
        refused = house.put(f"/{case_id}/people/0/patient", {"patient": typed | {"issuer": "KH"}}, expect=409)
        assert refused["code"] == "patient-unseen"
        assert "Jörg" not in json.dumps(refused, ensure_ascii=False)
    chosen = chief.choose(case_id, JOERG)
    assert person(chosen)["chosen"]["patient_id"] == "4711"
    told = house.get(f"/{case_id}")
    assert (person(told)["chosen"], person(told)["unseen"], person(told)["stopped"]) == (None, True, True)
    assert "4711" not in json.dumps(told)
    for ask in ("orders", "differences"):
        assert house.get(f"/{case_id}/people/0/{ask}", expect=409)["code"] == "patient-unseen"
    body = {"patient": {"name": "Other^One", "patient_id": "5", "issuer": "KH"}, "instead_of": None}
    assert house.put(f"/{case_id}/people/0/patient", body, expect=409)["code"] == "patient-unseen"
    chief.confirm_all(case_id)
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "patient-unseen"
    assert chief.file(case_id)["state"] == "filed"
    listed = house.get("")
    assert [one["filed_under"] for one in listed["imports"]] == [[{"name": "", "patient_id": ""}]]
    assert "4711" not in json.dumps(listed) + json.dumps(house.get(f"/{case_id}"))
    assert house.post(f"/{case_id}/people/0/take-back", expect=409)["code"] == "patient-unseen"
    assert given_up(house, case_id) == (409, "patient-unseen"), "the parcel goes with it, and the way back"
    assert given_up(chief, case_id) == (204, "")


def given_up(house: ImportHouse, case_id: str) -> tuple[int, str]:
    answer = house.root.http.delete(f"/api/imports/{case_id}", headers=house.root.headers)
    return answer.status_code, answer.json()["code"] if answer.content else ""


def test_who_does_not_see_whose_it_may_be_neither_gives_it_up_nor_undoes_a_colleague_s_choice(
    house: ImportHouse, chief: ImportHouse
) -> None:
    known_here(house)
    restricted(house, "patient", "4711", "KH")
    meant = house.bring(FILES, BORN_CT)
    house.turn(meant)
    assert given_up(house, meant) == (409, "patient-unseen"), "nobody has chosen yet, and it may be theirs"
    chief.choose(meant, JOERG)
    assert given_up(house, meant) == (409, "patient-unseen")
    assert house.post(f"/{meant}/check", expect=409)["code"] == "patient-unseen"
    told = house.put(f"/{meant}/birth-date", {"birth_date": "1999-01-01"}, expect=409)
    assert told["code"] == "patient-unseen"
    assert person(chief.get(f"/{meant}"))["chosen"]["patient_id"] == "4711"
    with house.site.database.write() as session:  # a file was another one when it was to be filed
        row = session.get_one(ImportCase, uuid.UUID(meant))
        cases.fail(session, row, Trouble.of(FileChanged()), house.site.clock.now())
        row.resumes = cases.CHECKING
    assert house.post(f"/{meant}/retry", expect=409)["code"] == "patient-unseen"
    chief.post(f"/{meant}/retry", expect=202)
    assert given_up(chief, meant) == (204, "")
    other = house.bring(FILES, "1999-01-01")
    house.turn(other)
    assert given_up(house, other) == (204, ""), "by the birth date that was entered it cannot be theirs"


def test_what_was_filed_as_somebody_unseen_stays_theirs_once_the_import_names_nobody_any_more(
    house: ImportHouse, chief: ImportHouse
) -> None:
    restricted(house, "patient", "4711", "KH")
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    chief.choose(case_id, JOERG)
    chief.confirm_all(case_id)
    assert chief.file(case_id)["state"] == "filed"
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).names_end_at = house.site.clock.now()
    house.work.expire()
    assert person(chief.get(f"/{case_id}"))["chosen"] is None
    refused = house.post(f"/{case_id}/people/0/take-back", {"for_good": True}, expect=409)
    assert (refused["code"], len(house.instances())) == ("patient-unseen", len(FILES))
    assert given_up(house, case_id) == (409, "patient-unseen"), "the way back goes with it"
    chief.post(f"/{case_id}/people/0/take-back", {"for_good": True})
    assert house.instances() == []


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_filed_as_somebody_unseen_before_a_withdrawal_is_left_to_who_may_see_them(
    house: ImportHouse, chief: ImportHouse, *, keep: bool
) -> None:
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, JOERG)
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"
    restricted(house, "patient", "4711", "KH")
    with house.site.database.write() as session:
        row = session.get(ImportCase, uuid.UUID(case_id))
        assert row is not None
        now = house.site.clock.now()
        session.add(consent_to(row, now))
    decision = {"keep": keep, "why": "used for treatment"}
    assert house.post(f"/{case_id}/after-withdrawal", decision, expect=409)["code"] == "patient-unseen"
    assert len(house.instances()) == len(IMAGES)
    chief.post(f"/{case_id}/after-withdrawal", decision)
    assert len(house.instances()) == (len(IMAGES) if keep else 0)


def consent_to(row: ImportCase, now: datetime) -> ImportConsent:
    """Return a patient's consent to an import, which is withdrawn."""
    return ImportConsent(
        id=new_id(), organisation_id=row.organisation_id, case_id=row.id, text_id=new_id(), text_version=1,
        text_sha256="", language="de", given_at=now, withdrawn_at=now, proof="", decision="", decided_by="",
        decided_why="",
    )  # fmt: skip


def test_somebody_known_by_restricted_studies_alone_is_kept_back_and_an_id_of_theirs_stops(
    house: ImportHouse, chief: ImportHouse
) -> None:
    first = house.bring(FILES, BORN_CT)
    house.turn(first)
    house.choose(first, JOERG)
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    (study,) = house.studies()
    restricted(house, "study", study.study_uid)
    chest = {"a": IMAGES[0]}
    second = house.bring(chest, BORN_CT)
    told = house.turn(second)
    assert (person(told)["candidates"], codes(told).get("somebody-unseen")) == ([], "stop")
    assert "4711" not in json.dumps(told)
    assert [one["person"]["patient_id"] for one in person(chief.get(f"/{second}"))["candidates"]] == ["4711"]
    stopped = chief.choose(second, OLGA)
    assert codes(stopped).get("chosen-contradicts") == "stop"


def test_an_id_of_which_nobody_says_who_issued_it_is_kept_back_with_the_restricted_studies_of_any_issuer(
    house: ImportHouse, chief: ImportHouse
) -> None:
    first = house.bring(FILES, BORN_CT)
    house.turn(first)
    house.choose(first, JOERG)
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    (study,) = house.studies()
    assert study.patient_issuer == "KH"
    restricted(house, "study", study.study_uid)
    with house.site.database.write() as session:  # nobody says any more whose own IDs are
        session.execute(sa.update(Source).values(issuer_of_patient_id=""))
    ordered(house, date(2020, 1, 1), "4711", "Müller^Jörg^Geheim", BORN, patient_issuer="", patient_sex="")
    second = house.bring({"a": IMAGES[0]}, BORN_CT)
    told = house.turn(second)
    assert "Geheim" not in json.dumps(told)
    assert "4711" not in json.dumps(told)
    assert "Geheim" in json.dumps(chief.get(f"/{second}"))


def test_who_has_no_id_is_kept_back_with_the_restricted_study_of_somebody_without_one(
    house: ImportHouse, chief: ImportHouse
) -> None:
    first = house.bring(FILES, BORN_CT)
    house.turn(first)
    house.choose(first, JOERG)
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    with house.site.database.write() as session:
        session.execute(sa.update(Study).values(patient_id_value="", patient_name="Müller^Jörg^Geheim"))
    (study,) = house.studies()
    second = house.bring({"a": IMAGES[0]}, BORN_CT)
    assert "Geheim" in json.dumps(house.turn(second))
    restricted(house, "study", study.study_uid)
    told = house.get(f"/{second}")
    assert (person(told)["candidates"], codes(told).get("somebody-unseen")) == ([], "stop")
    assert "Geheim" not in json.dumps(told)
    assert [one["person"]["name"] for one in person(chief.get(f"/{second}"))["candidates"]] == ["Müller^Jörg^Geheim"]
    with house.site.database.write() as session:
        session.execute(sa.update(Study).values(expires_at=house.site.clock.now() - timedelta(days=1)))
    assert "somebody-unseen" not in codes(house.get(f"/{second}")), "what is over keeps nobody back"
    ordered(house, today_at(house.site.clock.now(), None), "", "Ohne^Nummer", BORN)
    listed = house.root.http.get("/api/worklist/today").json()
    assert [one["person"]["name"] for one in listed["patients"]] == ["Ohne^Nummer"]


def test_todays_list_leaves_out_whom_one_may_not_see(house: ImportHouse, chief: ImportHouse) -> None:
    day = today_at(house.site.clock.now(), None)
    ordered(house, day, "4711", "Kanzler^Olga", BORN)
    ordered(house, day, "4712", "Meier^Max", BORN)
    ordered(house, day, "4713", "Geheim^Gerd", BORN, study_uid="1.2.3.4")
    restricted(house, "patient", "4711")
    restricted(house, "study", "1.2.3.4")

    def names(asking: ImportHouse) -> list[str]:
        answer = asking.root.http.get("/api/worklist/today").json()
        return [one["person"]["name"] for one in answer["patients"]]

    assert names(house) == ["Meier^Max"]
    assert sorted(names(chief)) == ["Geheim^Gerd", "Kanzler^Olga", "Meier^Max"]


def test_nothing_is_ticked_that_is_not_to_be_looked_at_now(house: ImportHouse) -> None:
    case_id = house.bring(FILES, "1999-01-01")
    house.turn(case_id)
    told = house.choose(case_id, JOERG)
    (stop,) = [one["key"] for one in person(told)["findings"] if one["code"] == "birth-date-differs"]
    (look,) = [one["key"] for one in person(told)["findings"] if one["level"] == "look"][:1]
    for keys in ([stop], ["name-compatible  {}"], [look, stop]):
        refused = house.post(f"/{case_id}/confirmations", {"number": 0, "keys": keys}, expect=409)
        assert refused["code"] == "import-finding-gone"
    assert house.post(f"/{case_id}/confirmations", {"keys": ["unreadable  {}"]}, expect=409)
    assert all(one["confirmed_at"] is None for one in person(house.get(f"/{case_id}"))["findings"])
    for seen in (True, False):
        house.post(f"/{case_id}/confirmations", {"number": 0, "keys": [look], "seen": seen})


def test_a_finding_of_one_patient_has_another_key_than_that_of_another(house: ImportHouse) -> None:
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    keys = []
    for patient_id in ("1", "2"):
        told = house.choose(case_id, {"name": "Schmidt^Jörg", "patient_id": patient_id})
        keys += [one["key"] for one in person(told)["findings"] if one["code"] == "chosen-named-otherwise"]
    assert len(set(keys)) == 2
    house.choose(case_id, {"name": "Schmidt^Jörg", "patient_id": "1"})
    refused = house.post(f"/{case_id}/confirmations", {"number": 0, "keys": [keys[1]]}, expect=409)
    assert refused["code"] == "import-finding-gone"
