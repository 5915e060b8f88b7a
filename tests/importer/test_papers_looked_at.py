"""Papers beside an import are read by a person before they are filed, and left out where they are not theirs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES
from tests.importer.test_papers import PDF, picture

OTHERS = PDF.replace(b"1 0 obj", b"2 0 obj")
BRIEF = b"PK\x03\x04" + bytes(22) + (19).to_bytes(2, "little") + bytes(2) + b"[Content_Types].xml" + b"word/"
FILES = {
    **{f"DICOM/{number}": one for number, one in enumerate(IMAGES)},
    "Befund.pdf": PDF, "Befund Schmidt.pdf": OTHERS, "Wunde.png": picture((99, 80)),
    "Notiz.txt": "Größe: 4 cm".encode("cp1252"), "Brief.docx": BRIEF,
}  # fmt: skip


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return packed.getvalue()


def fates(case: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {one["file_name"]: (one["why"], one["filed"]) for one in case["persons"][0]["papers"]}


@pytest.mark.parametrize("packed", [False, True])
def test_papers_are_read_as_they_came_before_anything_is_filed(house: ImportHouse, packed: bool) -> None:
    case_id = house.bring({"CD.zip": zipped()} if packed else FILES, BORN_CT)
    house.turn(case_id)

    def read(name: str) -> Any:
        at = f"CD.zip/{name}" if packed else name
        return house.root.http.get(f"/api/imports/{case_id}/papers", params={"name": at})

    shown = {name: read(name) for name in ("Befund.pdf", "Wunde.png", "Notiz.txt", "Brief.docx")}
    assert {name: one.headers["content-type"].partition(";")[0] for name, one in shown.items()} == {
        "Befund.pdf": "application/pdf", "Wunde.png": "image/png", "Notiz.txt": "text/plain",
        "Brief.docx": "application/octet-stream",
    }  # fmt: skip
    assert shown["Befund.pdf"].content == PDF
    assert shown["Wunde.png"].content == FILES["Wunde.png"]
    assert shown["Notiz.txt"].content.decode("utf-8") == "Größe: 4 cm"
    assert shown["Brief.docx"].content == BRIEF
    kinds = {name: one.headers["content-disposition"].partition(";")[0] for name, one in shown.items()}
    assert {name for name, kind in kinds.items() if kind == "attachment"} == {"Brief.docx"}, "browsers run nothing"
    assert all(one.headers["x-content-type-options"] == "nosniff" for one in shown.values())
    assert read("DICOM/0").status_code == 404, "papers alone"
    house.site.account("guest", "guest")
    guest = house.site.login("guest")
    assert guest.http.get(f"/api/imports/{case_id}/papers", params={"name": "Befund.pdf"}).status_code == 404
    house.delete(case_id)
    assert read("Befund.pdf").status_code >= 400


def test_somebody_elses_report_is_left_out_and_stays_so_when_all_is_checked_again(house: ImportHouse) -> None:
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    house.put(f"/{case_id}/people/0/papers", {"files": ["Befund Schmidt.pdf", "Wunde.png"], "filed": False})
    house.post(f"/{case_id}/check", expect=202)
    left = fates(house.turn(case_id))
    assert (left["Befund Schmidt.pdf"], left["Wunde.png"], left["Befund.pdf"]) == (
        ("left-out", False), ("left-out", False), ("", False),
    )  # fmt: skip
    house.put(f"/{case_id}/people/0/papers", {"files": ["Wunde.png"], "filed": True})
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    filed = house.file(case_id)
    assert filed["state"] == "filed", filed["error"]
    assert fates(filed) == {
        "Befund Schmidt.pdf": ("left-out", False), "Befund.pdf": ("", True), "Notiz.txt": ("", True),
        "Wunde.png": ("", True),
    }  # fmt: skip
    assert len(house.instances()) == len(IMAGES) + 3
