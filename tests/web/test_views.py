"""What a study tells of its series for hanging: views and sides, first planes, protocols; also by alias."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.sequence import Sequence

from radrelay.access import Right, Target
from radrelay.dicom.phantoms import study as phantom
from tests.archive.house import made
from tests.dicom.test_planes import item
from tests.web.conftest import Login, WebSite
from tests.web.test_planes import files, multiframe, series_of
from tests.web.test_studies import grant_to, only_study, revoke_all, upload_bytes

MG = "1.2.840.10008.5.1.4.1.1.1.2"


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def mammogram(number: int, **how: Any) -> bytes:
    return made("CT_small.dcm", Modality="MG", SOPClassUID=MG, SOPInstanceUID=f"1.2.9.{number}", InstanceNumber=number,
                **how)  # fmt: skip


def coded(code: str, *modifiers: str, meaning: str = "", scheme: str = "SCT") -> Sequence:
    view = item(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    if modifiers:
        view.ViewModifierCodeSequence = Sequence([item(CodeValue=one, CodeMeaning="spot") for one in modifiers])
    return Sequence([view])


def test_mammograms_tell_view_and_side_each(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        mammogram(1, ViewPosition="CC", ImageLaterality="R"),
        mammogram(2, ViewCodeSequence=coded("399368009"), ImageLaterality="L"),
        mammogram(3, ViewCodeSequence=coded("R-10242", "R-102D6", scheme="SRT"), Laterality="R"),
        mammogram(4, ViewCodeSequence=coded("?", meaning="medio-lateral oblique"), ViewPosition="XX"),
        mammogram(5),
    ))  # fmt: skip
    detail = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()
    (series,) = detail["series"]
    told = [(one["view"], one["side"]) for one in series["views"]]
    assert told == [("CC", "R"), ("MLO", "L"), ("CC modified", "R"), ("MLO", "")]
    shown = series_of(anna, only_study(anna)["id"])["instances"]
    by_id = {one["id"]: (one["view"], one["side"]) for one in shown}
    assert [by_id[one["instance_id"]] for one in series["views"]] == told


def test_phantom_mammograms_hang_by_their_views(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(*phantom("mg", size=64)))
    detail = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()
    assert [(one["views"][0]["view"], one["views"][0]["side"]) for one in detail["series"]] == [
        ("CC", "R"),
        ("CC", "L"),
    ]


def test_a_series_tells_protocol_first_plane_and_frame_of_reference(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        made("CT_small.dcm", ProtocolName="Thorax nativ", FrameOfReferenceUID="1.2.3",
             ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    ))  # fmt: skip
    study = only_study(anna)["id"]
    (series,) = anna.http.get(f"/api/studies/{study}").json()["series"]
    assert (series["protocol"], series["orientation"]) == ("Thorax nativ", [0, 1, 0, 0, 0, -1])
    assert (series["frame_of_reference"], series["views"]) == ("1.2.3", [])
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    (hidden,) = anna.http.get(f"/api/studies/{study}").json()["series"]
    assert hidden["frame_of_reference"] == series_of(anna, str(study))["frame_of_reference"] != "1.2.3"


def test_the_first_plane_of_an_enhanced_object_is_its_groups(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(multiframe(2)))
    (series,) = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()["series"]
    assert series["orientation"] == [1, 0, 0, 0, 1, 0]


def test_directions_that_are_none_are_not_told_of_a_series(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(made("CT_small.dcm", ImageOrientationPatient=[1, 0, 0, 1, 0, 0])))
    (series,) = anna.http.get(f"/api/studies/{only_study(anna)['id']}").json()["series"]
    assert series["orientation"] == []
