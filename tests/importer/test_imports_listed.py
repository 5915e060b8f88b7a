"""The list of imports: what came of each in one line, asked for at once for all, and nothing of names that ended."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from radrelay.dicom import phantoms
from radrelay.importer.models import ImportCase
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES, zipped
from tests.importer.test_papers import PDF


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def told(house: ImportHouse, case_id: str) -> dict[str, object]:
    (found,) = [one for one in house.get("")["imports"] if one["id"] == case_id]
    return {name: found[name] for name in ("came", "objects", "nothing_came")}


def test_a_line_tells_the_newest_study_and_how_many_more_until_names_end(house: ImportHouse) -> None:
    case_id = house.bring({"all.zip": zipped([*IMAGES, *phantoms.study("mr-head", slices=2, size=16)])}, BORN_CT)
    assert told(house, case_id) == {"came": None, "objects": 0, "nothing_came": ""}
    studies = [one for person in house.turn(case_id)["persons"] for one in person["studies"]]
    newest = max(studies, key=lambda one: str(one["study_date"]))
    came = {name: newest[name] for name in ("study_date", "modalities", "description")}
    images = sum(one["objects"] for one in studies)
    assert told(house, case_id) == {"came": {"studies": 2, **came}, "objects": images, "nothing_came": ""}
    house.confirm_all(case_id)
    house.choose(case_id, {})
    house.confirm_all(case_id)
    assert house.file(case_id)["persons"][0]["state"] == "filed"
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).names_end_at = house.site.clock.now()
    house.work.expire()
    assert house.get(f"/{case_id}")["state"] == "filed"
    assert told(house, case_id)["came"] is None


@pytest.mark.parametrize(
    ("files", "why"), [({"a.zip": b"PK\x05\x06" + bytes(18)}, "parcel-empty"), ({"a.pdf": PDF}, "papers-alone")]
)
def test_what_leads_no_further_says_so_in_the_list(house: ImportHouse, files: dict[str, bytes], why: str) -> None:
    case_id = house.bring(files)
    assert told(house, case_id)["nothing_came"] == ""
    house.turn(case_id)
    assert told(house, case_id) == {"came": None, "objects": 0, "nothing_came": why}
    house.delete(case_id)
    assert told(house, case_id)["nothing_came"] == ""


def test_a_list_of_many_is_asked_for_at_once(house: ImportHouse) -> None:
    def asked() -> int:
        found: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            found.append(statement)

        sa.event.listen(Engine, "before_cursor_execute", note)
        try:
            house.get("")
        finally:
            sa.event.remove(Engine, "before_cursor_execute", note)
        return len([one for one in found if "import_" in one])

    few = asked()
    for _ in range(5):
        house.bring({"1.dcm": IMAGES[0]})
    assert asked() == few
