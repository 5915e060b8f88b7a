"""Files whose upload ends after it was said that no more follow: nothing of what is under way breaks off by them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.archive.erasing import Eraser
from radrelay.archive.locking import lock_archive
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer import checking, late_files
from radrelay.importer.models import ImportCase
from radrelay.intake.files import FileLander
from radrelay.intake.models import RawFile
from radrelay.web.importing import raw_origin
from tests.importer.going_wrong import SEEDS, ask_to_file, at_object, being_filed
from tests.importer.house import ImportHouse, open_house

LATE = next(iter(phantoms.study("ct-head", seed=13, slices=1, size=32)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


class Late:
    """A file that has landed, and whose sender has not heard yet that it is too late."""

    def __init__(self, house: ImportHouse, case_id: str, name: str = "late.dcm") -> None:
        self.house, self.case_id, self.name = house, uuid.UUID(case_id), name
        with house.site.database.read() as session:
            origin = raw_origin(session, session.get_one(ImportCase, self.case_id), "127.0.0.1")
        landed = FileLander(house.site.landing, origin).land(name, [LATE]).landed
        assert landed is not None
        self.record = landed.location.record_id
        house.site.index()

    def refuse(self) -> None:
        """Refuse it, as its sender hears, and have whatever is to be erased be erased at once."""
        with self.house.site.database.write() as session:
            lock_archive(session)
            row = session.get_one(ImportCase, self.case_id, with_for_update=True)
            late_files.refuse(session, row, self.record, self.name, self.house.site.clock.now())
        self.house.work.expire()
        parts = self.house.site.parts
        Eraser(parts.database, parts.clock, parts.keys, parts.segments, parts.packs).finish()

    @property
    def is_here(self) -> bool:
        with self.house.site.database.read() as session:
            return session.scalar(sa.select(RawFile.id).where(RawFile.id == self.record)) is not None


def named(found: dict[str, Any]) -> list[str]:
    return [one["facts"]["lost"] for one in found["findings"] if one["code"] == "files-not-brought"]


def test_a_file_that_ends_while_one_of_two_people_is_filed_stops_nothing_and_is_told(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[4], slices=2, size=32))
    before, case_id = len(house.instances()), being_filed(house, *other)
    late = Late(house, case_id)
    with monkeypatch.context() as patch:
        at_object(patch, 1, late.refuse)
        found = house.turn(case_id)
    assert (found["state"], found["error"], len(house.instances()) - before) == ("open", None, 3)
    assert (named(found), late.is_here) == (["late.dcm"], True)
    house.work.expire()
    assert not late.is_here
    with house.site.database.write() as session:  # whose birth date was entered does not matter here
        session.get_one(ImportCase, uuid.UUID(case_id)).birth_date = None
    people = house.get(f"/{case_id}")["persons"]
    number = next(one["number"] for one in people if one["person"]["birth_date"] == str(PATIENTS[4].birth_date))
    house.choose(case_id, {"name": "Müller^Jörg", "patient_id": "4715"}, number)
    looks = [one["key"] for one in house.get(f"/{case_id}")["persons"][number]["findings"] if one["level"] == "look"]
    house.post(f"/{case_id}/confirmations", {"number": number, "keys": looks})
    refused = house.post(f"/{case_id}/people/{number}/file", {}, expect=409)
    assert (refused["code"], refused["finding"]) == ("import-unconfirmed", "files-not-brought")
    ask_to_file(house, case_id, people, str(PATIENTS[4].birth_date), "4715")
    assert (house.turn(case_id)["state"], len(house.instances()) - before) == ("filed", 5)
    house.delete(case_id)


def test_a_file_that_ends_before_anything_was_decided_for_good_has_it_decided_anew(house: ImportHouse) -> None:
    case_id = being_filed(house)
    Late(house, case_id).refuse()
    found = house.turn(case_id)
    assert (found["state"], found["error"]["code"], named(found)) == ("open", "import-unconfirmed", ["late.dcm"])
    house.delete(case_id)


def test_a_file_that_goes_while_all_of_them_are_looked_at_has_them_looked_at_once_more(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[0], slices=2, size=32))
    case_id = house.bring({"1.dcm": made[0], "2.dcm": made[1]}, str(PATIENTS[0].birth_date))
    late, looked = Late(house, case_id), checking.check

    def check(*of: Any) -> Any:
        late.refuse()  # after all files were located, and before this one is read
        return looked(*of)

    with monkeypatch.context() as patch:
        patch.setattr("radrelay.importer.jobs.check", check)
        found = house.turn(case_id, turns=1)
    assert (found["state"], found["error"]["code"]) == ("checking", "import-files-changed")
    found = house.turn(case_id)
    assert (found["state"], found["persons"][0]["studies"][0]["objects"], named(found)) == ("open", 2, ["late.dcm"])
    house.delete(case_id)


@pytest.mark.parametrize("other", ["late", "fetched"])
def test_a_file_that_came_too_late_or_was_fetched_before_stands_for_none_that_is_not_here_yet(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    made = list(phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[0], slices=2, size=16))
    case_id = house.bring({"1.dcm": made[0], "2.dcm": made[1]}, str(PATIENTS[0].birth_date))
    late = Late(house, case_id)
    with house.site.database.write() as session:  # as if another machine had taken the second one, and is behind
        row = session.get_one(ImportCase, late.case_id)
        two = session.scalars(
            sa.select(RawFile).where(RawFile.parcel_id == row.parcel_id, RawFile.file_name == "2.dcm")
        )
        held = two.one()
        if other == "late":
            row.refused = json.dumps([str(late.record)])
        else:
            session.get_one(RawFile, late.record).thing = uuid.uuid4()
        columns = {one.name: getattr(held, one.name) for one in RawFile.__table__.columns}
        session.delete(held)
    monkeypatch.setattr("radrelay.importer.all_here.LONGEST_LOOK_S", 0.3)
    found = house.turn(case_id, turns=1)
    assert (found["state"], found["error"]["code"]) == ("checking", "unavailable")
    with house.site.database.write() as session:
        session.execute(sa.insert(RawFile), [columns])
    people = house.turn(case_id)["persons"]
    assert sum(study["objects"] for one in people for study in one["studies"]) == (2 if other == "late" else 3)
    house.delete(case_id)
