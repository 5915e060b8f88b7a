"""What a frame says of itself in the header of its answer: units, uptake, calibrated regions; whatever it holds."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.archive.house import made, wheel_file
from tests.dicom.test_quantities import mapping, pet, region
from tests.web.conftest import Login, WebSite
from tests.web.test_planes import files, series_of
from tests.web.test_studies import only_study, upload_bytes


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def facts_of(site: WebSite, login: Login, file: bytes, way: str = "pixels") -> dict[str, Any]:
    upload_bytes(site, login, files(file))
    instance = series_of(login, only_study(login)["id"])["instances"][0]["id"]
    answer = login.http.get(f"/api/instances/{instance}/frames/1/{way}")
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = json.loads(answer.headers["X-Radrelay-Frame"])
    return facts


def test_a_ct_is_in_hounsfield_units(site: WebSite, anna: Login) -> None:
    facts = facts_of(site, anna, wheel_file("CT_small.dcm"))
    assert (facts["pixel_unit"], facts["suv_factor"], facts["suv_missing"]) == ("[hnsf'U]", None, "")
    assert (facts["real_world"], facts["regions"]) == ([], [])


@pytest.mark.parametrize("way", ["pixels", "stream"])
def test_a_pet_tells_its_factor_or_what_it_lacks(site: WebSite, anna: Login, way: str) -> None:
    told = {element.keyword: element.value for element in pet() if element.keyword}
    facts = facts_of(site, anna, made("CT_small.dcm", Modality="PT", **told), way)
    assert facts["suv_factor"] == pytest.approx(70_000 / (350e6 * 0.5 ** (3600 / 6586.2)))
    assert facts["pixel_unit"] == "Bq/ml"


def test_a_mapping_that_is_the_rescale_gives_its_unit_and_another_is_told_beside_it(site: WebSite, anna: Login) -> None:
    same = mapping(0, 4095, "ms", RealWorldValueSlope=1.0, RealWorldValueIntercept=0.0)
    other = mapping(0, 4095, "s", RealWorldValueSlope=0.001, RealWorldValueIntercept=0.0)
    facts = facts_of(site, anna, made("MR_small.dcm", RealWorldValueMappingSequence=Sequence([same, other])))
    assert facts["pixel_unit"] == "ms"
    assert [(one["unit"], one["slope"]) for one in facts["real_world"]] == [("s", 0.001)]


def test_an_ultrasound_picture_tells_its_regions(site: WebSite, anna: Login) -> None:
    sent = made("examples_rgb_color.dcm", SequenceOfUltrasoundRegions=Sequence([region()]))
    (found,) = facts_of(site, anna, sent)["regions"]
    assert found == {
        "box": [10, 20, 110, 220], "delta": [0.05, 0.06], "units": ["cm", "cm"], "format": 1, "type": 1,
        "reference": None, "at_reference": None,
    }  # fmt: skip


def test_letters_that_are_not_ascii_stop_no_frame(site: WebSite, anna: Login) -> None:
    whole = wheel_file("CT_small.dcm")
    at = whole.index(b"\x20\x00\x32\x00DS")
    value = "L\u00c4\\\u00b5P ".encode("latin-1")
    orientation = b"\x20\x00\x20\x00CS" + len(value).to_bytes(2, "little") + value
    facts = facts_of(site, anna, whole[:at] + orientation + whole[at:])
    assert len(facts["patient_orientation"]) == 2


def test_a_frame_tells_all_windows_with_their_names_and_its_tables_one_by_one(site: WebSite, anna: Login) -> None:
    tables = []
    for name, entries in (("NORMAL", [0, 4095]), ("HÄRTER", [4095, 0, 7])):
        table = Dataset()
        table.LUTDescriptor = [len(entries), 0x10000 - 1024, 12]
        table["LUTDescriptor"].VR = "US"
        table.LUTExplanation, table.LUTData = name, np.array(entries, "<u2").tobytes()
        table["LUTData"].VR = "OW"
        tables.append(table)
    broken = Dataset()
    broken.LUTDescriptor, broken.LUTExplanation = [4, 0, 16], "BROKEN"
    broken["LUTDescriptor"].VR = "US"
    file = made(
        "CT_small.dcm", SpecificCharacterSet="ISO_IR 192", WindowCenter=[40, 300, 1], WindowWidth=[400, 1500, 0],
        WindowCenterWidthExplanation=["ABDOMEN", "KNOCHEN", "NONE"], VOILUTSequence=Sequence([*tables, broken]),
    )  # fmt: skip
    facts = facts_of(site, anna, file)
    assert facts["windows"] == [
        {"center": 40.0, "width": 400.0, "name": "ABDOMEN"}, {"center": 300.0, "width": 1500.0, "name": "KNOCHEN"},
    ]  # fmt: skip
    assert (facts["voi_tables"], facts["tabled"]) == (["NORMAL", "HÄRTER", "BROKEN"], False)
    instance = series_of(anna, only_study(anna)["id"])["instances"][0]["id"]
    listed = anna.http.get(f"/api/instances/{instance}/frames/1/tables").json()["tables"]
    assert [(one["name"], one["first"], one["bits"]) for one in listed] == [
        ("NORMAL", -1024, 12), ("HÄRTER", -1024, 12), ("BROKEN", None, None),
    ]  # fmt: skip
    assert np.frombuffer(base64.b64decode(listed[1]["data"]), "<u2").tolist() == [4095, 0, 7]


def test_samples_behind_a_table_of_values_say_so(site: WebSite, anna: Login) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4096, 0, 16], "US"
    table["LUTDescriptor"].VR = "US"
    table.LUTData = np.arange(4096, dtype="<u2").tobytes()
    table["LUTData"].VR = "OW"
    facts = facts_of(site, anna, made("MR_small.dcm", ModalityLUTSequence=Sequence([table])))
    assert facts["tabled"]
