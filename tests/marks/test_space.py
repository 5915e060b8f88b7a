"""Lengths and angles in the patient: kept with their series, told in its frame of reference, in reports as SCOORD3D."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.archive import deletion
from radrelay.marks.models import Mark
from radrelay.marks.objects.report_reading import read_report
from tests.marks.marking import Shelf, complaints, delete, file, in_space, length, listed, opened, put, two_series
from tests.marks.test_filing import objects
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import anna, grant_to, revoke_all

__all__ = ["anna"]


@pytest.fixture
def study(site: WebSite, anna: Login) -> Shelf:
    return two_series(site, anna)


def give(site: WebSite, login: Login, *rights: tuple[Right, str]) -> None:
    """Give somebody these rights to everything, each in the clear or by alias, and nobody anything else."""
    revoke_all(site)
    for right, identity in rights:
        grant_to(site, login, Target("organisation"), right, identity=identity)


def test_a_length_in_the_patient_is_there_for_everybody(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    body = in_space(site, study.series[0], text="Aorta")
    answer = put(anna, study.study, mark, body)
    assert answer.status_code == 200, answer.text
    kept = answer.json()
    assert (kept["space"], kept["values"], kept["text"]) == (body["space"], body["values"], "Aorta")
    assert (kept["series_id"], kept["instance_id"], kept["frame"], kept["points"]) == (
        str(study.series[0]), None, None, [],
    )  # fmt: skip
    assert listed(site.login("root"), study.study)["marks"] == [kept]
    again = put(anna, study.study, mark, body)
    assert again.json() == kept, "the same twice is one"
    assert delete(anna, study.study, mark, 1).status_code == 204
    assert listed(anna, study.study)["marks"] == []


def test_a_report_holds_it_in_its_frame_of_reference_and_gives_the_same_numbers(
    site: WebSite, anna: Login, study: Shelf, tmp_path: Path
) -> None:
    far, flat = uuid.uuid4(), uuid.uuid4()
    angle = in_space(site, study.series[0], kind="angle", values=[{"name": "angle", "value": 1 / 3, "unit": "deg"}])
    angle["space"]["points"] = [[0, 0, 0], [1.5, 2.5, -3.25], [40.125, 1e-3, 7]]
    put(anna, study.study, far, angle)
    put(anna, study.study, flat, length(study.instances[1]))
    assert sorted(one["kind"] for one in file(anna, study.study)) == ["presentation", "report"]
    site.index()
    (report,) = objects(site, "SR")
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    download = anna.http.get(f"/api/studies/{study.study}/marks/report.dcm").content
    assert complaints(download, tmp_path) == []
    assert isinstance(highdicom.sr.Comprehensive3DSR.from_dataset(opened(download)), highdicom.sr.Comprehensive3DSR)
    read = {one.id: one for one in read_report(report)}
    assert set(read) == {far, flat}
    space = read[far].space
    assert space is not None
    assert space.frame_of_reference == angle["space"]["frame_of_reference"]
    assert np.array(space.points) == pytest.approx(np.array(angle["space"]["points"]))
    assert [(one.name, one.value, one.unit) for one in read[far].values] == [("angle", 1 / 3, "deg")]
    assert read[flat].space is None
    assert delete(anna, study.study, far, 1).status_code == 204
    file(anna, study.study)
    site.index()
    first, second = objects(site, "SR")
    assert second.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33", "no more than it needs"
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert (named.ReferencedSOPClassUID, named.ReferencedSOPInstanceUID) == (first.SOPClassUID, first.SOPInstanceUID)


def test_it_goes_with_its_series_and_stays_with_any_picture_of_it(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), in_space(site, study.series[0]))
    kept = uuid.uuid4()
    put(anna, study.study, kept, in_space(site, study.series[1]))
    with site.database.write() as session:
        deletion.delete_series(session, study.series[0], site.clock.now())
    assert [one["id"] for one in listed(anna, study.study)["marks"]] == [str(kept)]
    with site.database.read() as session:
        assert session.scalars(sa.select(Mark.id)).all() == [kept]


def test_of_a_series_out_of_reach_it_is_neither_shown_nor_changed(site: WebSite, anna: Login, study: Shelf) -> None:
    root, closed = site.login("root"), uuid.uuid4()
    put(root, study.study, closed, in_space(site, study.series[1]))
    revoke_all(site)
    grant_to(site, anna, Target("series", study.series[0]), Right.SEE, Right.ANNOTATE)
    assert listed(anna, study.study)["marks"] == []
    body = in_space(site, study.series[1])
    assert put(anna, study.study, uuid.uuid4(), body).json()["code"] == "series-not-found"
    assert delete(anna, study.study, closed, 1).json()["code"] == "mark-not-found"


def test_by_alias_the_frame_of_reference_is_told_and_taken_by_its_token(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    body = in_space(site, study.series[0])
    uid = body["space"]["frame_of_reference"]
    put(anna, study.study, uuid.uuid4(), body)
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    (told,) = listed(anna, study.study)["marks"]
    token = told["space"]["frame_of_reference"]
    assert uid not in str(told)
    assert anna.http.get(f"/api/series/{study.series[0]}").json()["frame_of_reference"] == token
    assert put(anna, study.study, uuid.uuid4(), body).json()["code"] == "mark-invalid"
    body["space"]["frame_of_reference"] = token
    assert put(anna, study.study, uuid.uuid4(), body).status_code == 200
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right)
    assert {one["space"]["frame_of_reference"] for one in listed(anna, study.study)["marks"]} == {uid}


def test_who_sees_in_the_clear_and_annotates_by_alias_measures_in_the_patient(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    body, mark = in_space(site, study.series[0]), uuid.uuid4()
    give(site, anna, (Right.SEE, "clear"), (Right.ANNOTATE, "alias"))
    uid = anna.http.get(f"/api/series/{study.series[0]}").json()["frame_of_reference"]
    assert uid == body["space"]["frame_of_reference"]
    answer = put(anna, study.study, mark, body)
    assert answer.status_code == 200, answer.text
    (told,) = listed(anna, study.study)["marks"]
    assert answer.json()["space"] == told["space"], "answered as it is listed"
    assert put(anna, study.study, mark, {**body, "text": "Herd", "revision": 1}).status_code == 200


def test_who_sees_by_alias_and_annotates_in_the_clear_is_told_and_gives_the_token(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    body = in_space(site, study.series[0])
    give(site, anna, (Right.SEE, "alias"), (Right.ANNOTATE, "clear"))
    assert put(anna, study.study, uuid.uuid4(), body).json()["code"] == "mark-invalid"
    body["space"]["frame_of_reference"] = anna.http.get(f"/api/series/{study.series[0]}").json()["frame_of_reference"]
    answer = put(anna, study.study, uuid.uuid4(), body)
    assert answer.json()["space"]["frame_of_reference"] == body["space"]["frame_of_reference"]


def test_who_annotates_by_alias_what_he_does_not_see_is_told_no_frame_of_reference(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    body = in_space(site, study.series[0])
    give(site, anna, (Right.ANNOTATE, "alias"))
    assert put(anna, study.study, uuid.uuid4(), body).json()["code"] == "mark-invalid"


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "another frame of reference": ({"frame_of_reference": "1.2.3"}, 400, "another frame"),
    "no frame of reference": ({"frame_of_reference": ""}, 422, "frame_of_reference"),
    "too few points": ({"points": [[1, 2, 3]]}, 400, "2 points"),
    "points of a picture": ({"points": [[1, 2], [3, 4]]}, 422, "points"),
    "outside of any patient": ({"points": [[1, 2, 3], [1, 2, 1e5]]}, 400, "mm"),
    "no number": ({"points": [[1, 2, 3], [1, 2, "4"]]}, 422, "points"),
    "unknown series": ({"series_id": str(uuid.uuid4())}, 404, "series"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_place_in_the_patient_is_said(site: WebSite, anna: Login, study: Shelf, case: str) -> None:
    changes, status, said = WRONG[case]
    body = in_space(site, study.series[0])
    body["space"].update(changes)
    answer = put(anna, study.study, uuid.uuid4(), body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert listed(anna, study.study)["marks"] == []


def test_a_mark_lies_either_on_a_picture_or_in_the_patient(site: WebSite, anna: Login, study: Shelf) -> None:
    both = {**in_space(site, study.series[0]), "instance_id": str(study.instances[0]), "frame": 1}
    neither = {**in_space(site, study.series[0]), "space": None}
    half = {**neither, "instance_id": str(study.instances[0])}
    for body in (both, neither, half):
        assert put(anna, study.study, uuid.uuid4(), body).status_code == 422
    ellipse = in_space(site, study.series[0], kind="ellipse")
    assert put(anna, study.study, uuid.uuid4(), ellipse).json()["code"] == "mark-invalid"
