"""Filings that break off, hang, are stopped or taken back late: no half study stays, and nothing of others goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer import cases
from radrelay.importer.filing_turn import FilingTurn
from radrelay.importer.import_errors import ImportStopped
from radrelay.importer.models import (
    ImportCase,
    ImportObject,
    ImportPaper,
    ImportPerson,
)
from radrelay.intake.models import Quarantined, RawFile
from tests.importer.going_wrong import (
    SEEDS,
    ask_to_file,
    at_object,
    attempt,
    being_filed,
    break_off,
    filing_of,
    set_end,
    site_with_mail,
)
from tests.importer.house import ImportHouse
from tests.importer.test_files_changed import repainted
from tests.importer.test_filing_beside_others import WHO, held, images, named, ready
from tests.importer.test_papers import PDF


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with site_with_mail(tmp_path_factory.mktemp("house")) as found:
        yield found


def test_an_import_that_is_being_filed_is_neither_given_up_nor_ended(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, before = being_filed(house), len(house.instances())
    codes: list[str] = []

    def end() -> None:
        answer = house.root.http.delete(f"/api/imports/{case_id}", headers=house.root.headers)
        codes.append(answer.json()["code"])
        set_end(house, case_id, timedelta(hours=1))
        house.work.expire()

    at_object(monkeypatch, 1, end)
    assert house.turn(case_id)["state"] == "filed"
    assert (codes, len(house.instances()) - before) == (["import-being-filed"], 3)
    house.delete(case_id)
    assert len(house.instances()) - before == 3


def test_a_filing_that_hangs_for_hours_is_ended_and_leaves_no_half_study(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, before = being_filed(house), len(house.instances())

    def end() -> None:
        set_end(house, case_id, cases.FILING_LEFT + timedelta(seconds=1))
        house.work.expire()

    at_object(monkeypatch, 2, end)
    attempt(house, case_id)
    assert house.get(f"/{case_id}")["state"] == "over"
    house.site.index()
    assert len(house.instances()) - before > 0  # what was on its way comes to the index now
    house.work.expire()
    assert len(house.instances()) == before


@pytest.mark.parametrize("indexed", [True, False])
def test_what_landed_of_a_filing_that_broke_off_goes_with_it(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch, *, indexed: bool
) -> None:
    case_id, before = being_filed(house), len(house.instances())
    at_object(monkeypatch, 2, break_off)
    attempt(house, case_id)
    assert house.get(f"/{case_id}")["state"] == "failed"
    if indexed:
        house.site.index()
        assert len(house.instances()) - before == 2
    house.delete(case_id)
    house.site.index()
    house.work.expire()
    assert len(house.instances()) == before


def test_imports_that_a_client_gives_one_correlation_id_do_not_delete_each_other_s(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(house.root.http.headers, "X-Correlation-ID", "batch-of-a-client-1")
    made = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[0], slices=3, size=32))
    broken, whole = (filing_of(house, made) for _ in range(2))
    with monkeypatch.context() as patch:
        at_object(patch, 2, break_off)
        attempt(house, broken)
    before = len(house.instances())
    assert house.turn(whole)["state"] == "filed"
    here = len(house.instances())
    house.delete(whole)
    house.delete(broken)
    assert (len(house.instances()), here - before) == (here, 3)


def test_what_landed_of_a_filing_that_was_stopped_goes_when_all_is_looked_at_anew(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise ImportStopped(finding="somebody-elses")

    case_id, before = being_filed(house), len(house.instances())
    with monkeypatch.context() as patch:
        at_object(patch, 2, stop)
        attempt(house, case_id)
    assert house.get(f"/{case_id}")["state"] == "open"
    house.site.index()
    assert len(house.instances()) - before == 2
    house.post(f"/{case_id}/check", {}, expect=202)
    people = house.turn(case_id)["persons"]
    assert len(house.instances()) == before
    house.work.expire()
    ask_to_file(house, case_id, people, str(PATIENTS[0].birth_date))
    at_object(monkeypatch, 2, house.work.expire)
    assert house.turn(case_id)["state"] == "filed"
    house.work.expire()
    house.delete(case_id)
    house.work.expire()
    assert len(house.instances()) - before == 3


def stopped_and_filed_anew(house: ImportHouse, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, bytes]) -> str:
    """Return an import that is filed, the first filing of which was stopped after two objects had landed."""

    def stop() -> None:
        raise ImportStopped(finding="somebody-elses")

    case_id = ready(house, files)
    house.post(f"/{case_id}/people/0/file", {}, expect=202)
    with monkeypatch.context() as patch:
        at_object(patch, 2, stop)
        attempt(house, case_id)
    house.post(f"/{case_id}/check", {}, expect=202)
    house.turn(case_id)
    house.choose(case_id, WHO)
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"
    return case_id


def test_papers_that_are_filed_after_a_filing_that_was_stopped_stay(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = images(70)
    case_id = stopped_and_filed_anew(house, monkeypatch, {**named(files), "a.pdf": PDF, "b.txt": b"Kein Nachweis"})
    assert held(house, files) == [("4711", 5)]
    house.work.expire()
    assert held(house, files) == [("4711", 5)]
    house.delete(case_id)
    house.work.expire()
    assert held(house, files) == [("4711", 5)]


def test_what_waits_for_a_person_after_a_filing_that_was_stopped_waits_on(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = images(71)
    case_id = stopped_and_filed_anew(house, monkeypatch, {**named(files), "other": repainted(files[2])})
    before = aside(house, case_id)
    assert before == ["other-content"]
    house.work.expire()
    assert aside(house, case_id) == before
    house.delete(case_id)
    assert aside(house, case_id) == []


def aside(house: ImportHouse, case_id: str) -> list[str]:
    """Return why something of an import is in the quarantine."""
    with house.site.database.read() as session:
        correlation_id = session.get_one(ImportCase, uuid.UUID(case_id)).correlation_id
        return list(session.scalars(sa.select(Quarantined.code).where(Quarantined.correlation_id == correlation_id)))


def test_what_lands_late_while_a_person_decides_anew_goes_with_the_next_check(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise ImportStopped(finding="somebody-elses")

    files = images(72)
    case_id = ready(house, named(files), patient_id="A72")
    house.post(f"/{case_id}/people/0/file", {}, expect=202)
    with monkeypatch.context() as patch:
        at_object(patch, 2, stop)
        attempt(house, case_id)
    house.post(f"/{case_id}/check", {}, expect=202)
    attempt(house, case_id)
    assert (house.get(f"/{case_id}")["state"], held(house, files)) == ("open", [])
    house.site.index()
    assert held(house, files) == [("A72", 2)], "whoever writes the index was down till now"
    house.post(f"/{case_id}/check", {}, expect=202)
    house.turn(case_id)
    assert held(house, files) == []
    house.choose(case_id, WHO | {"patient_id": "B72"})
    house.confirm_all(case_id)
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("B72", 3)])
    house.work.expire()
    assert held(house, files) == [("B72", 3)]


def test_a_paper_that_another_import_found_here_stays_when_the_filing_that_brought_it_has_broken_off(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = images(73)
    broken, whole = (ready(house, {**named(files), "a.pdf": PDF}) for _ in range(2))
    house.post(f"/{broken}/people/0/file", {}, expect=202)
    with monkeypatch.context() as patch, house.indexing():
        patch.setattr(FilingTurn, "_note", lambda *_: break_off())
        attempt(house, broken)
    assert (house.get(f"/{broken}")["state"], held(house, files)) == ("failed", [("4711", 4)])
    house.confirm_all(whole)
    assert house.file(whole)["state"] == "filed"
    house.delete(broken)
    house.work.expire()
    assert held(house, files) == [("4711", 4)]
    house.post(f"/{whole}/people/0/take-back")
    house.work.expire()
    assert held(house, files) == []


def test_of_two_people_the_one_who_was_filed_stays_when_the_other_breaks_off(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[4], slices=2, size=32))
    case_id = being_filed(house, *other)
    people = house.turn(case_id)["persons"]
    filed = {one.id for one in house.instances()}
    house.put(f"/{case_id}/birth-date", {"birth_date": None}, expect=409)
    with house.site.database.write() as session:  # whose birth date was entered does not matter here
        session.get_one(ImportCase, uuid.UUID(case_id)).birth_date = None
    ask_to_file(house, case_id, people, str(PATIENTS[4].birth_date), "4715")
    at_object(monkeypatch, 1, break_off)
    attempt(house, case_id)
    assert house.get(f"/{case_id}")["state"] == "failed"
    house.delete(case_id)
    house.site.index()
    house.work.expire()
    assert {one.id for one in house.instances()} == filed


def test_what_was_filed_late_is_taken_back_by_what_names_nobody_once_the_time_of_the_parcel_is_over(
    house: ImportHouse,
) -> None:
    other = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[4], slices=1, size=32))
    before = len(house.instances())
    case_id = being_filed(house, *other)
    own, began = uuid.UUID(case_id), house.get(f"/{case_id}")["ends_at"]
    house.site.clock.advance(timedelta(minutes=5))
    filed = house.turn(case_id)
    assert (filed["state"], filed["ends_at"] > began, len(filed["persons"])) == ("open", True, 2)
    with house.site.database.write() as session:
        row = session.get_one(ImportCase, own)
        later = row.ends_at + timedelta(days=1)
        session.execute(sa.update(RawFile).where(RawFile.parcel_id == row.parcel_id).values(ends_at=later))
    assert house.get(f"/{case_id}")["ending"] == {"at": began, "what": "import"}
    (listed,) = [one for one in house.get("?order=ending")["imports"] if one["id"] == case_id]
    assert listed["ending"]["at"] == began
    with house.site.database.write() as session:
        row = session.get_one(ImportCase, own)
        assert row.names_end_at == datetime.fromisoformat(began)
        row.names_end_at = house.site.clock.now()
    house.work.expire()
    with house.site.database.read() as session:
        parcel = session.get_one(ImportCase, own).parcel_id
        assert session.scalars(sa.select(RawFile.id).where(RawFile.parcel_id == parcel)).all() == []
        of_it = [
            sa.select(one.__table__).where(one.case_id == own) for one in (ImportPerson, ImportObject, ImportPaper)
        ]
        every = [*of_it, sa.select(ImportCase.__table__).where(ImportCase.id == own)]
        kept = repr([session.execute(one).all() for one in every])
    names = ("Müller", "Mueller", "4711", PATIENTS[0].name, PATIENTS[0].patient_id, PATIENTS[4].name, "1957", ".dcm")
    assert [one for one in names if one in kept] == []
    shown = house.get(f"/{case_id}")
    assert (shown["state"], shown["files_here"], [one["state"] for one in shown["persons"]]) == (
        "filed", False, ["filed"],
    )  # fmt: skip
    assert shown["persons"][0]["studies"][0]["becomes"] == {"new": 3}
    assert len(house.instances()) - before == 3
    back = house.post(f"/{case_id}/people/{shown['persons'][0]['number']}/take-back", {"for_good": True})
    assert (back["state"], back["gone"], len(house.instances())) == ("over", 3, before)


def test_what_was_taken_back_ends_with_the_time_of_the_parcel(house: ImportHouse) -> None:
    case_id = being_filed(house)
    house.site.clock.advance(timedelta(minutes=5))
    assert house.turn(case_id)["state"] == "filed"
    assert house.post(f"/{case_id}/people/0/take-back")["state"] == "open"
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).names_end_at = house.site.clock.now()
    house.work.expire()
    shown = house.get(f"/{case_id}")
    assert (shown["state"], shown["people"], shown["birth_date"]) == ("over", [], None)
