"""Planes as a viewer asks for them: in the description of a series, and of each frame of one object."""

from __future__ import annotations

import io
import zlib
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pydicom
import pytest
from prometheus_client import CollectorRegistry
from pydicom.data import get_testdata_file
from pydicom.uid import UID
from starlette.testclient import TestClient

from radrelay.access import Right, Target
from radrelay.archive.recent import Recent
from radrelay.web.application import create
from tests.archive.house import House, made, slices
from tests.dicom.test_planes import enhanced
from tests.web.conftest import BASE, Login, WebSite
from tests.web.test_frame_order import at_depths
from tests.web.test_studies import grant_to, only_study, revoke_all, upload_bytes


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def files(*each: bytes) -> dict[str, bytes]:
    return {f"{number}.dcm": file for number, file in enumerate(each)}


def series_of(login: Login, study: object) -> dict[str, Any]:
    series = login.http.get(f"/api/studies/{study}").json()["series"]
    answer: dict[str, Any] = login.http.get(f"/api/series/{series[0]['id']}").json()
    return answer


def multiframe(frames: int, **changes: Any) -> bytes:
    """Return an enhanced MR with pictures of 2 × 2 pixels."""
    dataset = enhanced(frames)
    dataset.update(pydicom.dcmread(io.BytesIO(made("MR_small.dcm", Rows=2, Columns=2, PixelData=bytes(8 * frames)))))
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4.1")
    dataset.NumberOfFrames = frames
    dataset.FrameOfReferenceUID = "1.2.3"
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return as_file(dataset)


def as_file(dataset: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def test_a_series_tells_where_and_when_each_slice_is(site: WebSite, anna: Login) -> None:
    first, second = (
        made("CT_small.dcm", SOPInstanceUID=f"1.2.9.{n}", InstanceNumber=n, ImagePositionPatient=[0, 0, 5 * n],
             AcquisitionDate="20240102", AcquisitionTime="235959.5", SliceThickness=5, TriggerTime="120")
        for n in (1, 2)
    )  # fmt: skip
    late = made("CT_small.dcm", SOPInstanceUID="1.2.9.3", InstanceNumber=3, ImagePositionPatient=[0, 0, 15],
                AcquisitionDate="20240103", AcquisitionTime="000001")  # fmt: skip
    upload_bytes(site, anna, files(first, second, late))
    shown = series_of(anna, only_study(anna)["id"])
    sent = pydicom.dcmread(io.BytesIO(first))
    assert shown["frame_of_reference"] == sent.FrameOfReferenceUID
    assert [one["time"] for one in shown["instances"]] == [86399.5, 86399.5, 86401]
    one = shown["instances"][0]
    assert (one["time_of"], one["thickness"], one["trigger_time"]) == ("acquisition", 5, 120)
    assert one["frame_of_reference"] is None


def test_what_tells_pictures_at_one_position_apart_is_told(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        made("CT_small.dcm", SOPInstanceUID="1.2.9.1", InstanceNumber=1, TemporalPositionIdentifier=2,
             AcquisitionNumber=7, EchoTime="4.6", DiffusionBValue=800.0),
    ))  # fmt: skip
    (one,) = series_of(anna, only_study(anna)["id"])["instances"]
    assert (one["temporal_position"], one["acquisition"], one["echo_time"], one["b_value"]) == (2, 7, 4.6, 800)


def test_a_vendors_own_b_value_and_frames_unevenly_apart_are_read(site: WebSite, anna: Login) -> None:
    weighted = pydicom.dcmread(io.BytesIO(made("MR_small.dcm")))
    weighted.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "1000")
    film = pydicom.dcmread(io.BytesIO(made("MR_small.dcm")))
    film.NumberOfFrames, film.PixelData = 3, film.PixelData * 3
    film.FrameTimeVector, film.SOPInstanceUID, film.InstanceNumber = [0, 30, 50], "1.2.9.2", 2
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    upload_bytes(site, anna, files(as_file(weighted), as_file(film)))
    found = series_of(anna, only_study(anna)["id"])["instances"]
    assert sorted((one["frames"], one["b_value"], one["cine_rate"]) for one in found) == [
        (1, 1000, None), (3, None, 25),
    ]  # fmt: skip


def test_frames_that_stand_in_any_order_are_looked_at_as_they_lie(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(multiframe(4, PerFrameFunctionalGroupsSequence=at_depths(20, 0, 10, 30))))
    (found,) = series_of(anna, only_study(anna)["id"])["instances"]
    assert found["frame_order"] == [2, 3, 1, 4]


def mr(place: int, number: int, image_type: str, **more: Any) -> bytes:
    """Return an MR slice at one of three places, of an image type from its third value on."""
    return made("MR_small.dcm", SOPInstanceUID=f"1.2.9.{place}.{hash_of(image_type, more)}", InstanceNumber=number,
                ImagePositionPatient=[0, 0, 5 * place], ImageType=["ORIGINAL", "PRIMARY", *image_type.split("/")],
                **more)  # fmt: skip


def hash_of(*what: object) -> int:
    return zlib.crc32(repr(what).encode())


def test_magnitude_and_phase_that_are_numbered_alike_stand_one_behind_the_other(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        *(mr(place, place + 1, kind) for place in range(3) for kind in ("M/ND", "P/ND")),
    ))  # fmt: skip
    shown = series_of(anna, only_study(anna)["id"])["instances"]
    assert [(one["kinds"], one["position"][2]) for one in shown] == [
        *((["magnitude"], 5 * place) for place in range(3)), *((["phase"], 5 * place) for place in range(3)),
    ]  # fmt: skip
    assert shown[0]["image_type"] == "M\\ND"


def test_b_values_and_maps_of_one_series_are_told_and_stand_apart(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        *(mr(place, place + 1, "DIFFUSION/NONE", SequenceName=f"*ep_b{b}") for place in range(3) for b in (1000, 0)),
        *(mr(place, place + 1, "DIFFUSION/ADC") for place in range(3)),
    ))  # fmt: skip
    shown = series_of(anna, only_study(anna)["id"])["instances"]
    told = [(one["b_value"], one["kinds"]) for one in shown]
    assert told == [*[(0, [])] * 3, *[(1000, [])] * 3, *[(None, ["adc"])] * 3]
    assert [one["position"][2] for one in shown] == [0, 5, 10] * 3


def test_echoes_that_go_on_in_their_numbers_stand_as_numbered(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        *(mr(place, 2 * place + echo, "M/ND", EchoTime=str(10 * echo), EchoNumbers=echo)
          for place in range(3) for echo in (1, 2)),
    ))  # fmt: skip
    shown = series_of(anna, only_study(anna)["id"])["instances"]
    assert [one["echo_number"] for one in shown] == [1, 2] * 3
    assert [one["kinds"] for one in shown] == [[]] * 6  # they are all alike


def test_instances_of_different_frames_of_reference_are_told_apart(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        made("CT_small.dcm", SOPInstanceUID="1.2.9.1", FrameOfReferenceUID="1.2.3", InstanceNumber=1),
        made("CT_small.dcm", SOPInstanceUID="1.2.9.2", FrameOfReferenceUID="1.2.4", InstanceNumber=2),
    ))  # fmt: skip
    shown = series_of(anna, only_study(anna)["id"])
    assert shown["frame_of_reference"] is None
    assert [one["frame_of_reference"] for one in shown["instances"]] == ["1.2.3", "1.2.4"]


def test_one_slice_with_a_bad_value_takes_no_position_from_the_others(site: WebSite, anna: Login) -> None:
    good, bad = slices(2)
    bad = bad.replace(b"\x20\x00\x32\x00DS", b"\x20\x00\x32\x00PN")
    upload_bytes(site, anna, files(good, bad))
    first, second = series_of(anna, only_study(anna)["id"])["instances"]
    assert len(first["position"]) == 3
    assert second["position"] == []


def test_an_alias_keeps_uids_and_times_of_day_and_still_compares(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        made("CT_small.dcm", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1"),
        made("CT_small.dcm", StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.8.1", SOPInstanceUID="1.2.8.1.1"),
        made("CT_small.dcm", StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1", SOPInstanceUID="1.2.7.1.1",
             FrameOfReferenceUID="1.2.3"),
        multiframe(6, StudyInstanceUID="1.2.6", SeriesInstanceUID="1.2.6.1", SOPInstanceUID="1.2.6.1.1"),
    ))  # fmt: skip
    clear = {row["study_uid"]: row["id"] for row in anna.http.get("/api/studies").json()["studies"]}
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    same, other, third, many = (series_of(anna, clear[uid]) for uid in ("1.2.9", "1.2.8", "1.2.7", "1.2.6"))
    assert same["frame_of_reference"] == other["frame_of_reference"]
    assert third["frame_of_reference"] == many["frame_of_reference"]
    assert third["frame_of_reference"] not in (None, same["frame_of_reference"], "1.2.3")
    assert same["instances"][0]["time"] == 0
    found = anna.http.get(f"/api/instances/{many['instances'][0]['id']}/planes").json()
    assert found["frame_of_reference"] == many["frame_of_reference"]
    assert [plane["time"] for plane in found["planes"]] == [0, 0, 1, 1, 2.5, 2.5]


def test_the_planes_of_a_multi_frame_object_are_the_same_landed_and_packed(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(multiframe(6)))
    instance = series_of(anna, only_study(anna)["id"])["instances"][0]
    assert (instance["frames"], instance["position"]) == (6, [])
    path = f"/api/instances/{instance['id']}/planes"
    answer = anna.http.get(path)
    found = answer.json()
    assert (found["frames"], found["complete"], len(found["planes"])) == (6, True, 6)
    assert found["planes"][3] == {
        "position": [0, 0, 5], "orientation": [1, 0, 0, 0, 1, 0], "spacing": [0.9, 0.8], "thickness": 4,
        "time": 86399.5, "stack_id": "1", "stack_position": 2, "temporal_position": 2, "trigger_time": None,
        "echo_time": 85, "b_value": 800, "contrast": "", "dimensions": [1, 2, 2],
        "kinds": [],
    }  # fmt: skip
    assert found["dimensions"] == ["00209056", "00209057", "00209128"]
    house = House(site, site.services.reader)
    assert house.compact() == 1
    house.executor.shutdown()
    kept = Recent[Hashable, bytes](1 << 20, len)
    fresh = create(replace(site.services, listings=kept, registry=CollectorRegistry()))  # as after a restart
    again = TestClient(fresh, base_url=BASE, cookies=anna.http.cookies)
    assert again.get(path).json() == found
    again.close()


def test_frames_that_a_hostile_header_names_are_not_listed(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(multiframe(4, NumberOfFrames=2_000_000_000)))
    instance = series_of(anna, only_study(anna)["id"])["instances"][0]
    found = anna.http.get(f"/api/instances/{instance['id']}/planes").json()
    assert (found["frames"], found["complete"], len(found["planes"])) == (4, True, 4)


def test_a_loop_and_a_plan_have_no_planes(site: WebSite, anna: Login) -> None:
    for name in ("examples_ybr_color.dcm", "rtplan.dcm"):
        path = get_testdata_file(name, download=False)
        assert isinstance(path, str)
        with open(path, "rb") as file:
            upload_bytes(site, anna, {name: file.read()})
    for study in anna.http.get("/api/studies").json()["studies"]:
        instance = series_of(anna, study["id"])["instances"][0]
        found = anna.http.get(f"/api/instances/{instance['id']}/planes").json()
        assert (found["planes"], found["complete"]) == ([], True)
