"""A path that leads to another file by the time it is filed: nothing is filed that was not checked."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from PIL import Image

from radrelay.importer.models import ImportCase
from radrelay.intake.models import RawFile
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_filing_beside_others import WHO, held, images, named, ready, unwritable
from tests.importer.test_imports import zipped
from tests.importer.test_papers import PDF


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def swap(house: ImportHouse, case_id: str, name: str, packed: bytes) -> None:
    """Have another file of the same name come, and the one end that was checked."""
    other = house.bring({name: packed})
    house.turn(other)
    with house.site.database.write() as session:
        here, there = (session.get_one(ImportCase, uuid.UUID(one)).parcel_id for one in (case_id, other))
        session.execute(sa.delete(RawFile).where(RawFile.parcel_id == here, RawFile.file_name == name))
        session.execute(sa.update(RawFile).where(RawFile.parcel_id == there).values(parcel_id=here))


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128), colour).save(out, "PNG")
    return out.getvalue()


def repainted(file: bytes) -> bytes:
    """Return the same object by all that its header says, with one pixel of it another."""
    return file[:-2] + bytes(255 - one for one in file[-2:])


def test_an_object_of_the_same_header_that_was_not_checked_is_not_filed_and_is_looked_at_anew(
    house: ImportHouse,
) -> None:
    files = images(40)
    case_id = ready(house, {"a.zip": zipped(files[:2]), "b.zip": zipped(files[2:])})
    swap(house, case_id, "b.zip", zipped([repainted(files[2])]))
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"], found["resumes"]) == ("failed", "import-file-changed", "checking")
    assert found["error"]["facts"]["file"].startswith("b.zip/")
    assert (found["files_here"], sum(count for _, count in held(house, files)) < 3) == (True, True)
    house.post(f"/{case_id}/retry", expect=202)
    found = house.turn(case_id)
    assert (found["state"], held(house, files)) == ("open", []), "what had landed goes; nobody is chosen"
    assert found["persons"][0]["chosen"] is None
    house.choose(case_id, WHO)
    house.confirm_all(case_id)
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("4711", 3)])
    house.delete(case_id)


@pytest.mark.parametrize("other", [b"no object any more", None])
def test_what_cannot_be_read_or_written_any_more_is_told_as_another_file_and_not_left_out(
    house: ImportHouse, other: bytes | None
) -> None:
    files = images(44)
    case_id = ready(house, {"a.zip": zipped(files[:2]), "b.zip": zipped(files[2:])})
    swap(house, case_id, "b.zip", zipped([unwritable(files[2]) if other is None else other]))
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"]) == ("failed", "import-file-changed")
    assert sum(count for _, count in held(house, files)) < 3  # of the other one, what had landed by then
    house.delete(case_id)


@pytest.mark.parametrize(
    ("seed", "name", "ours", "theirs"),
    [
        (42, "report.pdf", PDF, PDF + b"\n%%EOF"),
        (43, "picture.png", picture("red"), picture("blue")),
        (45, "report.txt", b"Kein Nachweis.", b"Nachweis."),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_paper_that_was_not_checked_is_not_filed(
    house: ImportHouse, seed: int, name: str, ours: bytes, theirs: bytes
) -> None:
    files = images(seed, 1)
    case_id = ready(house, {"0": files[0], name: ours})
    swap(house, case_id, name, theirs)
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"], found["error"]["facts"]["file"]) == (
        "failed", "import-file-changed", name,
    )  # fmt: skip
    house.post(f"/{case_id}/retry", expect=202)
    assert (house.turn(case_id)["state"], held(house, files)) == ("open", [])
    house.choose(case_id, WHO)
    house.confirm_all(case_id)
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("4711", 2)])
    house.delete(case_id)


def test_what_is_here_already_tells_papers_nothing_where_its_file_is_another_one_by_now(house: ImportHouse) -> None:
    files = images(41, 1)
    assert house.file(ready(house, named(files)))["state"] == "filed"
    case_id = ready(house, {"a.zip": zipped(files), "report.pdf": PDF})
    swap(house, case_id, "a.zip", zipped([repainted(files[0])]))
    assert (house.file(case_id)["error"]["code"], held(house, files)) == ("import-file-changed", [("4711", 1)])
    house.delete(case_id)
