"""Drawings of other systems by REST: listed with their study, told by rows, and never beyond what a reader may see."""

from __future__ import annotations

import copy
import time
import tracemalloc
import uuid
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from tests.dicom.drawn_objects import (
    SERIES,
    blank,
    bytes_of,
    cites,
    content,
    document,
    item,
    measured,
    presentation_state,
    region,
    segmentation,
    slices,
    structure_set,
)
from tests.dicom.runs import parts, unpacked_bits, unpacked_values
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import grant_to, only_study, revoke_all, upload_bytes

RING: list[list[float]] = [[12.0, 22, 30], [15, 22, 30], [15, 25, 30], [12, 25, 30]]


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def bring(site: WebSite, login: Login, *objects: Dataset) -> None:
    upload_bytes(site, login, {f"{number}.dcm": bytes_of(one) for number, one in enumerate(objects)})


def listed(login: Login) -> dict[str, dict[str, Any]]:
    answer = login.http.get(f"/api/studies/{only_study(login)['id']}/drawings")
    assert answer.status_code == 200, answer.text
    return {str(row["kind"] or row["trouble"]): row for row in answer.json()["drawings"]}


def told(login: Login, row: dict[str, Any]) -> dict[str, Any]:
    answer = login.http.get(f"/api/instances/{row['instance_id']}/drawing")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def images_of(login: Login) -> tuple[str, list[str]]:
    """Return the series of the CT slices and its instances in order."""
    study = login.http.get(f"/api/studies/{only_study(login)['id']}").json()
    series = next(one["id"] for one in study["series"] if one["modality"] == "CT")
    return series, [one["id"] for one in login.http.get(f"/api/series/{series}").json()["instances"]]


def masks(count: int = 3) -> np.ndarray[Any, Any]:
    labels = np.zeros((count, 128, 128), np.uint8)
    labels[0, 10:20, 30:50] = 1
    labels[min(1, count - 1), 5:9, 5:9] = 2
    return labels


def test_a_study_lists_what_others_drew_and_over_which_series(site: WebSite, anna: Login) -> None:
    images = slices(3)
    says_only = document("88.11", ("18748-4", "LN", "Report"), [content("TEXT", ("121071", "DCM", "F"), TextValue="x")])
    says_only.SOPInstanceUID = "1.2.9.777"
    marks = [measured(("410668003", "SCT", "Length"), 3, "mm", [region("POLYLINE", [1, 1, 4, 1], images[0])])]
    report = document("88.33", ("126000", "DCM", "Imaging Measurement Report"), marks)
    report.CurrentRequestedProcedureEvidenceSequence = Sequence([item(
        StudyInstanceUID="1.2.9",
        ReferencedSeriesSequence=[item(SeriesInstanceUID=SERIES, ReferencedSOPSequence=[cites(images[0])])],
    )])  # fmt: skip
    bring(site, anna, *images, presentation_state(images), structure_set(images, [(1, "CLOSED_PLANAR", RING)]),
          segmentation(images, masks()), report, says_only, blank("66.5", "SEG"))  # fmt: skip
    rows = listed(anna)
    assert set(rows) == {"presentation", "structures", "segmentation", "report", "surface-segmentation"}
    series, _ = images_of(anna)
    for kind in ("presentation", "structures", "segmentation", "report"):
        assert (rows[kind]["over"], rows[kind]["drawn_on"]) == ([series], [series]), kind
        assert rows[kind]["trouble"] == ""
    assert (rows["presentation"]["label"], rows["presentation"]["creator"]) == ("FINDING", "Müller^Anna")
    assert rows["structures"]["label"] == "Plan A"
    assert rows["report"]["made_at"] == "2026-01-02T03:04:05"
    refused = anna.http.get(f"/api/instances/{rows['surface-segmentation']['instance_id']}/drawing")
    assert (refused.status_code, refused.json()["code"]) == (400, "drawing-unsupported")
    plain = anna.http.get(f"/api/instances/{images_of(anna)[1][0]}/drawing")
    assert (plain.status_code, plain.json()["code"]) == (404, "not-a-drawing")


def test_what_only_lies_in_the_same_space_is_not_told_as_drawn_on_a_series(site: WebSite, anna: Login) -> None:
    images = slices(3)
    beside = copy.deepcopy(images)
    for one in beside:
        one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.9.88", f"{one.SOPInstanceUID}.88"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    bring(site, anna, *images, *beside, structure_set(images, [(1, "CLOSED_PLANAR", RING)]))
    found = listed(anna)["structures"]
    detail = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()
    series = {one["series_uid"]: one["id"] for one in detail["series"]}
    assert set(found["over"]) == {series[SERIES], series["1.2.9.88"]}
    assert found["drawn_on"] == [series[SERIES]]


def test_a_drawing_names_its_images_by_their_rows(site: WebSite, anna: Login) -> None:
    images = slices(3)
    bring(site, anna, *images, presentation_state(images), structure_set(images, [(1, "CLOSED_PLANAR", RING)]))
    rows, (series, instances) = listed(anna), images_of(anna)
    state = told(anna, rows["presentation"])
    assert {one["instance_id"] for one in state["images"]} == set(instances)
    first = state["images"].index({"instance_id": instances[0], "series_id": series})
    assert all(shape["on"] == [[first, 0]] for shape in state["shapes"])
    assert next(shape["text"] for shape in state["shapes"] if shape["kind"] == "text") == "Herd, Größe 3"
    contours = told(anna, rows["structures"])
    (shape,) = contours["shapes"]
    assert np.array(shape["points"]).reshape(-1, 3).tolist() == RING
    assert contours["spaces"][shape["space"]] == [series]
    assert "1.2.9" not in str(contours)  # no UID leaves


def test_masks_come_as_they_were_drawn(site: WebSite, anna: Login) -> None:
    images, labels = slices(3), masks()
    bring(site, anna, *images, segmentation(images, labels))
    row = listed(anna)["segmentation"]
    content_of = told(anna, row)["masks"]
    assert [frame["group"] for frame in content_of["frames"]] == [1, 2]
    address = f"/api/instances/{row['instance_id']}/drawing/masks"
    answer = anna.http.get(f"{address}/1", params={"frames": "1-2"})
    assert {n: unpacked_bits(runs, (128, 128)).tolist() for n, runs in parts(answer.content).items()} == {
        1: (labels[0] == 1).astype(int).tolist()
    }
    both = parts(anna.http.get(f"{address}/0", params={"frames": "2,1"}).content)
    assert set(both) == {1, 2}
    assert anna.http.get(f"{address}/7", params={"frames": "1"}).content == bytes(4)
    for wrong, status in (("", 422), ("1-", 422), ("x", 422), ("1-300", 400), ("99", 200)):
        assert anna.http.get(f"{address}/1", params={"frames": wrong}).status_code == status, wrong


def test_a_label_map_comes_whole_or_segment_by_segment(site: WebSite, anna: Login) -> None:
    images, labels = slices(3), masks()
    bring(site, anna, *images, segmentation(images, labels, "LABELMAP"))
    row = listed(anna)["segmentation"]
    address = f"/api/instances/{row['instance_id']}/drawing/masks"
    whole = parts(anna.http.get(f"{address}/0", params={"frames": "1-9"}).content)
    assert np.array_equal(sum(unpacked_values(runs, (128, 128)) for runs in whole.values()), labels.sum(0))
    second = parts(anna.http.get(f"{address}/2", params={"frames": "1-9"}).content)
    assert sum(int(unpacked_bits(runs, (128, 128)).sum()) for runs in second.values()) == 16


def with_overlay(image: Dataset, bits: np.ndarray[Any, Any]) -> Dataset:
    rows, columns = bits.shape
    for tag, vr, value in ((0x10, "US", rows), (0x11, "US", columns), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                           (0x100, "US", 1), (0x102, "US", 0), (0x1500, "LO", "Doe^Jane"),
                           (0x3000, "OW", np.packbits(bits, bitorder="little").tobytes())):  # fmt: skip
        image.add_new(0x60000000 | tag, vr, value)
    return image


def test_overlay_planes_are_listed_once_for_their_series(site: WebSite, anna: Login) -> None:
    images = slices(3)
    bits = np.zeros((128, 128), np.uint8)
    bits[7, 9:30] = 1
    with_overlay(images[1], bits)
    bring(site, anna, *images)
    rows, (series, instances) = listed(anna), images_of(anna)
    assert set(rows) == {"overlay"}
    assert (rows["overlay"]["images"], rows["overlay"]["over"]) == ([instances[1]], [series])
    found = told(anna, rows["overlay"])
    assert found["images"] == [{"instance_id": instances[1], "series_id": series}]
    answer = anna.http.get(f"/api/instances/{instances[1]}/drawing/masks/1", params={"frames": "1"})
    assert np.array_equal(unpacked_bits(parts(answer.content)[1], (128, 128)), bits)


def test_overlays_in_the_words_of_old_images_are_found(site: WebSite, anna: Login) -> None:
    image = slices(1)[0]
    words = np.frombuffer(image.PixelData, "<i2").reshape(128, 128) & 0x0FFF
    image.PixelRepresentation, image.BitsStored, image.HighBit = 0, 12, 11
    bits = np.zeros((128, 128), np.uint8)
    bits[20:30, 40] = 1
    image.PixelData = (words.astype("<u2") | (bits.astype("<u2") << 13)).tobytes()
    del image.PixelPaddingValue
    for tag, vr, value in ((0x10, "US", 128), (0x11, "US", 128), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                           (0x100, "US", 16), (0x102, "US", 13)):  # fmt: skip
        image.add_new(0x60000000 | tag, vr, value)
    bring(site, anna, image)
    row = listed(anna)["overlay"]
    answer = anna.http.get(f"/api/instances/{row['instance_id']}/drawing/masks/0", params={"frames": "1"})
    assert answer.status_code == 200, answer.text
    assert np.array_equal(unpacked_bits(parts(answer.content)[1], (128, 128)), bits)


def test_who_sees_only_the_drawing_learns_nothing_of_its_images(site: WebSite, anna: Login) -> None:
    images = slices(3)
    below = [content("IMAGE", ("1", "99", "x"), ReferencedSOPSequence=[cites(images[2])])]
    bring(site, anna, *images, presentation_state(images), structure_set(images, [(1, "CLOSED_PLANAR", RING)]),
          document("88.59", ("113000", "DCM", "Of Interest"), below))  # fmt: skip
    rows = listed(anna)
    study = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()
    ct = next(one["id"] for one in study["series"] if one["modality"] == "CT")
    revoke_all(site)
    for one in study["series"]:
        if one["id"] != ct:
            grant_to(site, anna, Target("series", uuid.UUID(one["id"])), Right.SEE)
    seen = listed(anna)
    assert set(seen) == set(rows)
    assert all(row["over"] == [] for row in seen.values())
    for row in seen.values():
        found = told(anna, row)
        assert (found["images"], found["of"], found["flagged"]) == ([], [], [])
        assert found["spaces"] in ([], [[]])
        assert all(shape["unit"] == "patient" for shape in found["shapes"])
        assert ct not in str(found)
    with site.database.write() as session:
        session.query(Grant).delete()
    for row in rows.values():
        for path in ("drawing", "drawing/masks/0?frames=1"):
            assert anna.http.get(f"/api/instances/{row['instance_id']}/{path}").status_code == 404
    assert anna.http.get(f"/api/studies/{study['id']}/drawings").status_code == 404


def test_a_drawing_that_names_another_patients_image_is_not_drawn_there(site: WebSite, anna: Login) -> None:
    images, foreign = slices(1), slices(1)[0]
    foreign.StudyInstanceUID, foreign.SeriesInstanceUID, foreign.SOPInstanceUID = "1.2.8", "1.2.8.1", "1.2.8.1.1"
    foreign.PatientID, foreign.PatientName = "SOMEBODY-ELSE", "Else^Somebody"
    state = presentation_state([images[0], foreign])
    state.GraphicAnnotationSequence[0].ReferencedImageSequence = Sequence([cites(foreign)])
    bring(site, anna, images[0], state, foreign)
    studies = anna.http.get("/api/studies").json()["studies"]
    mine = next(one["id"] for one in studies if one["patient"]["id"] != "SOMEBODY-ELSE")
    (row,) = anna.http.get(f"/api/studies/{mine}/drawings").json()["drawings"]
    found = told(anna, row)
    assert len(found["images"]) == 1
    assert found["shapes"] == []


def test_who_sees_by_alias_reads_no_text_that_somebody_typed(site: WebSite, anna: Login) -> None:
    images = slices(2)
    for image in images:
        with_overlay(image, np.ones((128, 128), np.uint8))
    state = presentation_state(images)
    state.ContentDescription = "Doe^Jane"
    bring(site, anna, *images, state, structure_set(images, [(1, "CLOSED_PLANAR", RING)], StructureSetLabel="Doe^Jane"),
          segmentation(images, masks(2)))  # fmt: skip
    study = str(only_study(anna)["id"])
    revoke_all(site)
    grant_to(site, anna, Target("study", uuid.UUID(study)), Right.SEE, identity="alias")
    answer = anna.http.get(f"/api/studies/{study}/drawings")
    rows = {row["kind"]: row for row in answer.json()["drawings"]}
    assert set(rows) == {"presentation", "structures", "segmentation", "overlay"}
    everything = answer.text + "".join(str(told(anna, row)) for row in rows.values())
    for private in ("Doe", "Müller", "Herd", "Kontrolle", "Plan A", "Region 1", "1.2.9"):
        assert private not in everything, private
    shown = told(anna, rows["segmentation"])
    assert [group["name"] for group in shown["groups"]] == ["Liver", "Liver"]
    assert [group["name"] for group in told(anna, rows["structures"])["groups"]] == ["ORGAN"]
    assert shown["texts_hidden"] is True


def test_looking_at_a_drawing_is_on_record_before_it_leaves(site: WebSite, anna: Login) -> None:
    images = slices(1)
    bring(site, anna, *images, presentation_state(images))
    row = listed(anna)["presentation"]
    told(anna, row)
    root = site.login("root")
    actions = [event["action"] for event in root.http.get("/api/audit").json()["events"]]
    assert {"study.open", "study.view"} <= set(actions)


def test_a_broken_drawing_is_listed_with_its_trouble(site: WebSite, anna: Login) -> None:
    images = slices(1)
    broken = segmentation(images, masks(1))
    broken.SegmentationType = "GUESS"
    bring(site, anna, *images, broken)
    row = listed(anna)["segmentation"]
    answer = anna.http.get(f"/api/instances/{row['instance_id']}/drawing")
    assert (answer.status_code, answer.json()["code"]) == (400, "drawing-broken")


def many_frames(count: int, edge: int) -> Dataset:
    """Return a segmentation of five segments, a disc of its own in each of `count` frames."""
    images = slices(3)
    small = segmentation(images, masks())
    first = small.PerFrameFunctionalGroupsSequence[0]
    y, x = np.mgrid[0:edge, 0:edge]
    frames, groups = [], []
    for number in range(count):
        group = copy.deepcopy(first)
        group.PlanePositionSequence[0].ImagePositionPatient = [10, 20, 30 + number // 5]
        group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = number % 5 + 1
        groups.append(group)
        middle = edge / 2 + edge / 5 * np.sin(number / 30)
        frames.append((x - middle) ** 2 + (y - edge / 2) ** 2 < (edge / (4 + number % 7)) ** 2)
    segments = [copy.deepcopy(small.SegmentSequence[0]) for _ in range(5)]
    for number, one in enumerate(segments, 1):
        one.SegmentNumber, one.SegmentLabel = number, f"Part {number}"
    small.SegmentSequence, small.PerFrameFunctionalGroupsSequence = Sequence(segments), Sequence(groups)
    small.Rows = small.Columns = edge
    small.NumberOfFrames = count
    small.PixelData = np.packbits(np.array(frames).reshape(-1), bitorder="little").tobytes()
    return small


@pytest.mark.timeout(180)
def test_a_segmentation_of_2000_frames_is_given_whole_within_sane_time_and_memory(site: WebSite, anna: Login) -> None:
    made = many_frames(2000, 256)
    bring(site, anna, *slices(3), made)
    row = listed(anna)["segmentation"]
    tracemalloc.start()
    began = time.process_time()
    content_of = told(anna, row)["masks"]
    first_s = time.process_time() - began
    assert len(content_of["frames"]) == 2000
    packed = np.frombuffer(made.PixelData, np.uint8).reshape(2000, 256 * 256 // 8)
    came: dict[int, bytes] = {}
    began = time.process_time()
    for start in range(1, 2001, 250):
        numbers = f"{start}-{start + 249}"
        answer = anna.http.get(f"/api/instances/{row['instance_id']}/drawing/masks/0", params={"frames": numbers})
        came |= parts(answer.content)
    all_s = time.process_time() - began
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    assert sorted(came) == list(range(1, 2001))
    assert sum(map(len, came.values())) < packed.size // 4  # a fraction of its bits
    for number in (1, 777, 2000):
        bits = np.unpackbits(packed[number - 1], bitorder="little").reshape(256, 256)
        assert np.array_equal(unpacked_bits(came[number], (256, 256)), bits)
    print(f"told in {first_s:.2f} s, given in {all_s:.2f} s, at most {peak_mb:.0f} MB beside what was there")
    assert (first_s < 10, all_s < 20, peak_mb < 100) == (True, True, True)  # allocations are traced, which costs time
