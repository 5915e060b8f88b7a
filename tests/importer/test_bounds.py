"""An import as a whole is bounded: what has come whole of too much stays, and can be checked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom import dcmread

from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.dicom.phantoms import Kind
from radrelay.errors import Trouble
from radrelay.importer.bounds import Bounds, spent_s, with_time
from radrelay.importer.cases import tell
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import Key
from radrelay.importer.import_errors import ImportTooLarge, ImportTooLong
from radrelay.importer.models import ImportCase
from radrelay.intake.models import RawFile
from tests.importer.house import ImportHouse, open_house
from tests.importer.provider import TOKEN
from tests.importer.test_imports import confirmed

BORN = "1978-12-24"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return two studies of one patient, the first of which comes first."""
    folder = tmp_path / "library"
    folder.mkdir()
    kinds: tuple[tuple[str, Kind], ...] = (("a", "ct-head"), ("b", "mr-head"))
    for name, kind in kinds:
        for number, one in enumerate(phantoms.study(kind, patient=PATIENTS[6], slices=2, size=64)):
            (folder / f"{name}{number}.dcm").write_bytes(one)
    return folder


def sizes(library: Path) -> list[int]:
    with closing(Library(library)) as things:
        return [things.file(one).stat().st_size for one in things.items]


@contextmanager
def bounded(tmp_path: Path, library: Path, **importer: Any) -> Iterator[ImportHouse]:
    with open_house(tmp_path / "house", library, **importer) as house:
        confirmed(house, house.portal.base.removeprefix("http://"))
        house.portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": BORN.replace("-", "")}),))
        yield house


def kept(house: ImportHouse) -> int:
    with house.site.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(RawFile)) or 0


def found_codes(checked: dict[str, Any]) -> set[str]:
    return {one["code"] for one in [*checked["findings"], *checked["persons"][0]["findings"]]}


def test_more_than_an_import_may_bring_ends_it_and_what_came_whole_is_checked(tmp_path: Path, library: Path) -> None:
    first, second = sizes(library)
    with bounded(tmp_path, library, import_bytes=first + second - 10) as house:
        case_id = house.begin(BORN)
        failed = house.turn(case_id)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "import-too-large")
        facts = failed["error"]["facts"]
        assert (facts["bound"], facts["came"], facts["of"]) == ("importer.import_bytes", 1, 2)
        assert kept(house) == 1
        house.post(f"/{case_id}/check", expect=202)
        checked = house.turn(case_id)
        assert checked["state"] == "open", checked["error"]
        assert "files-missing" in found_codes(checked)
        assert [len(one["studies"]) for one in checked["persons"]] == [1]
        house.delete(case_id)


def test_where_the_bound_was_raised_all_of_it_comes_once(tmp_path: Path, library: Path) -> None:
    first, second = sizes(library)
    with bounded(tmp_path, library, import_bytes=first + second - 10) as house:
        case_id = house.begin(BORN)
        assert house.turn(case_id)["state"] == "failed"
        house.post(f"/{case_id}/retry", expect=202)
        assert house.turn(case_id)["error"]["code"] == "import-too-large"
        assert kept(house) == 1, "the same bytes are kept once"
        house.delete(case_id)
    with bounded(tmp_path / "more", library) as house:
        checked = house.turn(house.begin(BORN))
        assert checked["state"] == "open"
        assert "files-missing" not in found_codes(checked)


def test_what_came_whole_can_be_checked_though_another_try_brings_nothing(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sizes(library)
    with bounded(tmp_path, library, import_bytes=first + second - 10) as house:
        case_id = house.begin(BORN)
        assert house.turn(case_id)["error"]["code"] == "import-too-large"
        monkeypatch.setattr(Bounds, "of", lambda *_: Bounds(1, 1000.0))
        house.post(f"/{case_id}/retry", expect=202)
        assert house.turn(case_id)["error"]["code"] == "import-too-large"
        assert kept(house) == 1
        house.post(f"/{case_id}/check", expect=202)
        checked = house.turn(case_id)
        assert checked["state"] == "open", checked["error"]
        assert "files-missing" in found_codes(checked)
        house.delete(case_id)


def test_longer_than_an_import_may_take_ends_it(tmp_path: Path, library: Path) -> None:
    with bounded(tmp_path, library, import_timeout_s=1e-6) as house:
        case_id = house.begin(BORN)
        failed = house.turn(case_id)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "import-too-long")
        assert failed["error"]["facts"]["bound"] == "importer.import_timeout_s"
        refused = house.post(f"/{case_id}/check", expect=409)
        assert refused["code"] == "import-nothing-whole"
        assert kept(house) == 0
        house.post(f"/{case_id}/by-hand", expect=202)
        one = dcmread(io.BytesIO((library / "a0.dcm").read_bytes()))
        house.put_file(case_id, "a.dcm", (library / "a0.dcm").read_bytes())
        house.post(f"/{case_id}/done", expect=202)
        checked = house.turn(case_id)
        assert checked["persons"][0]["person"]["patient_id"] == one.PatientID
        house.delete(case_id)


def test_turns_that_are_tried_again_count_together() -> None:
    row = ImportCase(error_code="", error_facts="{}")
    assert spent_s(row) == 0
    tell(row, with_time(Trouble("portal-busy", "", {"seconds": 3}), Bounds(10, 100.0, before_s=42.0)))
    assert spent_s(row) == 42
    Bounds(10, 100.0, before_s=99.0).require_time()
    with pytest.raises(ImportTooLong):
        Bounds(10, 100.0, before_s=100.0).require_time()
    with pytest.raises(ImportTooLarge):
        Bounds(10, 100.0).require_room(11)
