"""Uploads that break off: what was announced and did not come is told, whoever says that no more follows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.dicom import phantoms
from radrelay.importer.models import ImportCase, ImportUpload
from radrelay.intake.envelope import Origin
from radrelay.intake.models import RawFile
from radrelay.web.importing import raw_origin
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT

IMAGES = list(phantoms.study("ct-head", slices=6, size=32))
NAMES = [f"{number}.dcm" for number in range(6)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        found.site.account("anna", "admin")
        yield found


def begun(house: ImportHouse) -> str:
    return str(house.post("", {"birth_date": BORN_CT, "basis": "consent"}, expect=201)["id"])


def announce(house: ImportHouse, case_id: str, key: str, files: range = range(6), **more: Any) -> dict[str, Any]:
    told = {"files": len(files), "bytes": sum(len(IMAGES[one]) for one in files)}
    return house.put(f"/{case_id}/uploads/{key}", told, **more)


def put(house: ImportHouse, case_id: str, key: str, number: int, image: int | None = None) -> tuple[int, str]:
    answer = house.root.http.put(
        f"/api/imports/{case_id}/files", params={"name": NAMES[number], "upload": key, "number": number},
        content=IMAGES[number if image is None else image], headers=house.root.headers,
    )  # fmt: skip
    return answer.status_code, answer.json().get("code", "")


def told(house: ImportHouse, case_id: str) -> dict[str, dict[str, Any]]:
    found = house.get(f"/{case_id}")
    codes = ("files-not-brought", "upload-broken-off")
    return {one["code"]: one["facts"] for one in found["findings"] if one["code"] in codes}


def closed(house: ImportHouse, case_id: str, **said: object) -> dict[str, dict[str, Any]]:
    house.post(f"/{case_id}/done", said, expect=202)
    assert house.turn(case_id)["state"] == "open"
    return told(house, case_id)


def test_what_a_browser_that_is_gone_had_announced_is_told_to_whoever_goes_on(house: ImportHouse) -> None:
    case_id = begun(house)
    announce(house, case_id, "a")
    for number in range(4):
        assert put(house, case_id, "a", number)[0] == 200
    assert house.get(f"/{case_id}")["announced"] == {
        "files": 6, "bytes": sum(map(len, IMAGES)), "came_files": 4, "came_bytes": sum(map(len, IMAGES[:4])),
    }  # fmt: skip
    last = house.get(f"/{case_id}")["last_came_at"]
    assert datetime.fromisoformat(last) == house.site.clock.now(), "whoever goes on sees whether it comes still"
    anna = replace(house, root=house.site.login("anna"))
    assert closed(anna, case_id) == {"upload-broken-off": {"missing": 2, "announced": 6, "came": 4}}
    house.choose(case_id, {"name": "Müller^Jörg"})
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "import-unconfirmed"
    house.post(f"/{case_id}/check", expect=202)
    assert closed_again(house, case_id) == {"upload-broken-off": {"missing": 2, "announced": 6, "came": 4}}
    house.delete(case_id)
    with house.site.database.read() as session:
        mine = sa.select(ImportUpload.id).where(ImportUpload.case_id == uuid.UUID(case_id))
        assert session.scalars(mine).all() == []


def closed_again(house: ImportHouse, case_id: str) -> dict[str, dict[str, Any]]:
    assert house.turn(case_id)["state"] == "open"
    return told(house, case_id)


def test_a_whole_upload_finds_nothing_and_a_file_that_is_sent_twice_counts_once(house: ImportHouse) -> None:
    case_id = begun(house)
    announce(house, case_id, "a")
    for number in (0, 0, 1, 1, 2, 3, 4):
        put(house, case_id, "a", number)
    assert house.get(f"/{case_id}")["announced"]["came_files"] == 5
    put(house, case_id, "a", 5)
    assert closed(house, case_id, upload="a") == {}
    house.delete(case_id)


def test_the_same_files_brought_once_more_after_a_break_are_one_upload(house: ImportHouse) -> None:
    case_id = begun(house)
    for _ in range(2):  # as the same folder is dropped again
        announce(house, case_id, "a")
        for number in range(3):
            put(house, case_id, "a", number)
    for number in range(3, 6):
        put(house, case_id, "a", number)
    assert closed(house, case_id, upload="a") == {}
    assert house.get(f"/{case_id}")["persons"][0]["studies"][0]["objects"] == 6  # one each, though some came twice
    house.delete(case_id)


def test_two_browsers_at_once_add_up_and_one_that_is_whole_hides_nothing_of_the_other(house: ImportHouse) -> None:
    case_id = begun(house)
    announce(house, case_id, "a", range(4))
    announce(house, case_id, "b", range(4, 6))
    for number in range(4):
        put(house, case_id, "a", number)
    put(house, case_id, "b", 0, 4)
    assert closed(house, case_id, upload="a") == {"upload-broken-off": {"missing": 1, "announced": 6, "came": 5}}
    house.delete(case_id)


def test_what_was_refused_and_named_is_not_told_twice(house: ImportHouse) -> None:
    case_id = begun(house)
    announce(house, case_id, "a", range(4))
    announce(house, case_id, "b", range(4, 6))
    put(house, case_id, "a", 0)
    put(house, case_id, "a", 1)
    assert closed(house, case_id, upload="a", lacking=NAMES[2:4]) == {
        "files-not-brought": {"files": 2, "lost": "2.dcm; 3.dcm"},
        "upload-broken-off": {"missing": 2, "announced": 6, "came": 2},
    }
    house.delete(case_id)
    case_id = begun(house)
    announce(house, case_id, "a", range(2))
    put(house, case_id, "a", 0)
    assert closed(house, case_id, upload="a", lacking=[NAMES[1]]) == {
        "files-not-brought": {"files": 1, "lost": "1.dcm"}
    }
    house.delete(case_id)


def test_what_ends_after_it_was_closed_is_told_by_name_once_and_lacks_no_more_by_number(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = begun(house)
    announce(house, case_id, "a", range(3))
    put(house, case_id, "a", 0)
    with monkeypatch.context() as patch:  # their bodies are on their way when it is closed
        origin = origin_of(house, case_id)
        patch.setattr("radrelay.web.api.import_files._origin", lambda *_: origin)
        assert closed(house, case_id) == {"upload-broken-off": {"missing": 2, "announced": 3, "came": 1}}
        for number in (1, 1, 0):
            assert put(house, case_id, "a", number) == (409, "import-file-late")
    assert told(house, case_id) == {
        "files-not-brought": {"files": 1, "lost": "1.dcm"},
        "upload-broken-off": {"missing": 1, "announced": 3, "came": 1},
    }
    house.site.index()
    house.work.expire()
    with house.site.database.read() as session:
        assert session.scalars(sa.select(RawFile.file_name).where(RawFile.parcel_id == origin.parcel_id)).all() == [
            "0.dcm"
        ]
    house.delete(case_id)


def origin_of(house: ImportHouse, case_id: str) -> Origin:
    with house.site.database.read() as session:
        return raw_origin(session, session.get_one(ImportCase, uuid.UUID(case_id)), "127.0.0.1")


def test_nothing_is_announced_to_what_takes_no_more(house: ImportHouse) -> None:
    case_id = begun(house)
    put(house, case_id, "", 0)
    assert closed(house, case_id) == {}
    assert announce(house, case_id, "a", expect=409)["code"] == "import-moved-on"
    assert house.put(f"/{case_id}/uploads/a", {"files": -1, "bytes": 0}, expect=422)
    house.delete(case_id)
