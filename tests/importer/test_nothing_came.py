"""Files of which nothing can be read are named with why, and others are brought to the same import."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.importer.going_wrong import codes
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES, zipped
from tests.importer.test_papers import PDF

NOISE = random.Random(1).randbytes(5000)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("noise.dcm", NOISE, "not-dicom"),
        ("noise.zip", NOISE, "no-archive"),
        ("letter.zip", b"Dear colleague, the images follow.", "no-archive"),
        ("letter.dcm", b"Dear colleague, the images follow.", "not-dicom"),
        ("half.zip", zipped(IMAGES)[:100], "archive-refused"),
        ("images.7z", b"7z\xbc\xaf\x27\x1c" + NOISE, "other-archive"),
    ],
    ids=["noise.dcm", "noise.zip", "letter.zip", "letter.dcm", "half.zip", "images.7z"],
)
def test_a_file_of_which_nothing_can_be_read_is_named_with_why(
    house: ImportHouse, name: str, content: bytes, why: str
) -> None:
    case_id = house.bring({name: content})
    found = house.turn(case_id)
    assert (codes(found, "stop"), found["nothing_came"]) == (["parcel-empty"], "parcel-empty")
    told = [one["facts"] for one in found["findings"] if one["code"] == "unreadable"]
    assert (name, why) in [(one["names"], one["why"]) for one in told]
    house.delete(case_id)


def test_other_files_are_brought_to_the_same_import(house: ImportHouse) -> None:
    case_id = house.bring({"half.zip": zipped(IMAGES)[:100]}, BORN_CT)
    house.turn(case_id)
    again = house.post(f"/{case_id}/by-hand", expect=202)
    assert (again["state"], again["bytes_received"], again["nothing_came"]) == ("receiving", 0, "")
    assert house.get(f"/{case_id}/guide")["doing"] == ["bring-file"]
    assert house.post(f"/{case_id}/done", expect=409)["code"] == "import-nothing-brought"
    house.put_file(case_id, "half.zip", zipped(IMAGES))
    house.post(f"/{case_id}/done", expect=202)
    found = house.turn(case_id)
    assert (codes(found, "stop"), [one["code"] for one in found["findings"]]) == ([], [])
    assert found["persons"][0]["studies"][0]["objects"] == 3
    assert [one["what"] for one in found["acts"]] == ["bring-others"]
    assert house.post(f"/{case_id}/by-hand", expect=409)["code"] == "import-moved-on"  # there is somebody in it
    house.delete(case_id)


def test_images_are_brought_to_papers_that_came_alone(house: ImportHouse) -> None:
    case_id = house.bring({"Befund.pdf": PDF}, BORN_CT)
    house.turn(case_id)
    house.post(f"/{case_id}/by-hand", expect=202)
    house.put_file(case_id, "images.zip", zipped(IMAGES))
    house.post(f"/{case_id}/done", expect=202)
    (person,) = house.turn(case_id)["persons"]
    assert [one["file_name"] for one in person["papers"]] == ["Befund.pdf"]
    house.delete(case_id)
