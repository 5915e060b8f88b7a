"""What a click on the page of an import rests on: worked out before anything is written, and read once."""

from __future__ import annotations

import io
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from radrelay.app.importing import house as house_of_all
from radrelay.app.importing.versions import digests_of
from radrelay.archive.models import Instance
from radrelay.importer.deciding import judge
from radrelay.importer.models import ImportObject, ImportPerson, ImportVersion
from radrelay.web import import_told
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_filing_beside_others import WHO, asked, becomes, images, named, ready
from tests.importer.test_imports import BORN_CT


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def told_otherwise(file: bytes) -> bytes:
    """Return the same object with other words in its header."""
    made = pydicom.dcmread(io.BytesIO(file))
    made.StudyDescription = "Told otherwise"
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


def came_otherwise(house: ImportHouse, files: list[bytes]) -> None:
    """Have images here of which no import knows what they were made from."""
    case_id = ready(house, named(files))
    assert house.file(case_id)["state"] == "filed"
    with house.site.database.write() as session:
        mine = sa.update(ImportObject).where(ImportObject.case_id == uuid.UUID(case_id))
        session.execute(mine.values(written=""))


def digests_kept(house: ImportHouse) -> int:
    with house.site.database.read() as session:
        return len(session.scalars(sa.select(ImportVersion.instance_id)).all())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[uuid.UUID]:
    """Count how often an object that is here is read to its end."""
    counted = Counter[uuid.UUID]()

    def counting(reader: Any, ref: Any) -> Any:
        counted[ref.id] += 1
        return digests_of(reader, ref)

    monkeypatch.setattr(house_of_all, "digests_of", counting)
    return counted


def test_what_is_here_is_read_while_a_parcel_is_checked_and_never_again(
    house: ImportHouse, read: Counter[uuid.UUID]
) -> None:
    files = images(60)
    came_otherwise(house, files)
    second = house.bring(named([told_otherwise(one) for one in files]), BORN_CT)
    house.turn(second)
    assert (sorted(read.values()), digests_kept(house)) == ([1, 1, 1], 3)
    house.choose(second, WHO)
    assert becomes(house.confirm_all(second)) == {"same-pixels": 3}
    assert house.file(second)["state"] == "filed"
    third = house.bring(named(files), BORN_CT)
    house.turn(third)
    assert (becomes(house.choose(third, WHO)), sum(read.values())) == ({"same-object": 3}, 3)
    for case_id in (second, third):
        house.delete(case_id)


def test_the_very_same_bytes_are_known_without_being_read_and_digests_go_with_their_objects(
    house: ImportHouse, read: Counter[uuid.UUID]
) -> None:
    files = images(61)
    case_id = ready(house, named(files))
    house.file(case_id)
    second = house.bring(named(files), BORN_CT)
    house.turn(second)
    assert (becomes(house.choose(second, WHO)), read) == ({"same-content": 3}, Counter())
    house.delete(second)
    before = digests_kept(house)
    with house.site.database.write() as session:
        mine = sa.update(ImportObject).where(ImportObject.case_id == uuid.UUID(case_id))
        session.execute(mine.values(digest="0" * 64, written=""))
    second = house.bring(named([told_otherwise(one) for one in files]), BORN_CT)
    house.turn(second)
    assert (digests_kept(house) - before, sum(read.values())) == (3, 3)
    house.delete(second)
    with house.site.database.write() as session:
        uids = sa.select(ImportObject.sop_uid).where(ImportObject.case_id == uuid.UUID(case_id))
        session.execute(sa.delete(Instance).where(Instance.sop_uid.in_(uids)))
    assert digests_kept(house) == before


def test_it_is_judged_before_the_transaction_and_anew_where_a_colleague_changed_it_meanwhile(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = ready(house, named(images(62)), None)
    judged = list[int]()

    def judging(*of: Any) -> Any:
        found = judge(*of)
        judged.append(1)
        with house.site.database.write() as session:  # nobody holds the writer's place meanwhile
            if len(judged) == 1:
                mine = sa.update(ImportPerson).where(ImportPerson.case_id == uuid.UUID(case_id))
                session.execute(mine.values(confirmed="{}"))
        return found

    monkeypatch.setattr(import_told, "judge", judging)
    refused = house.post(f"/{case_id}/people/0/file", {}, expect=409)
    assert (refused["code"], len(judged)) == ("import-unconfirmed", 2)
    house.confirm_all(case_id)
    asked(house, case_id)
    assert (house.turn(case_id)["state"], len(judged)) == ("filed", 3)


def test_what_is_changed_again_and_again_is_left_to_a_person(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = ready(house, named(images(63, 1)))

    def judging(*of: Any) -> Any:
        found = judge(*of)
        with house.site.database.write() as session:
            mine = sa.update(ImportPerson).where(ImportPerson.case_id == uuid.UUID(case_id))
            session.execute(mine.values(matched=ImportPerson.matched + " "))
        return found

    monkeypatch.setattr(import_told, "judge", judging)
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "import-moved-on"
    assert house.get(f"/{case_id}")["state"] == "open"
    house.delete(case_id)


def test_no_click_takes_a_second_connection_beside_the_one_that_it_has(house: ImportHouse) -> None:
    case_id = ready(house, named(images(64, 1)))
    most, here = [0], threading.local()

    def taken(*_: Any) -> None:
        here.count = getattr(here, "count", 0) + 1
        most[0] = max(most[0], here.count)

    def given_back(*_: Any) -> None:
        here.count = getattr(here, "count", 0) - 1

    engine = house.site.database.engine
    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
    try:
        house.get(f"/{case_id}")
        house.choose(case_id, WHO)
        house.confirm_all(case_id)
        house.get(f"/{case_id}/people/0/orders")
        house.get(f"/{case_id}/people/0/differences")
        asked(house, case_id)
    finally:
        event.remove(engine, "checkout", taken)
        event.remove(engine, "checkin", given_back)
    assert most == [1]
    assert house.turn(case_id)["state"] == "filed"
