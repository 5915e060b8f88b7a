"""QIDO-RS: what is found, what an answer holds, what is said of what is not done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import Grant
from tests.archive.house import made, slices
from tests.web.conftest import WebSite, close_site, open_site
from tests.web.dicomweb.conftest import Dicomweb, client, parts_of

MUELLER = made(
    "MR_small.dcm", StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.8.1", SOPInstanceUID="1.2.8.1.1",
    PatientName="Müller^Jörg=山田^太郎", PatientID="77", StudyDate="20240229", StudyTime="101500",
    SpecificCharacterSet="ISO_IR 192", AccessionNumber="A-1",
)  # fmt: skip


@pytest.fixture
def filled(dicomweb: Dicomweb) -> Dicomweb:
    dicomweb.store(*slices(3), MUELLER)
    return dicomweb


def values(dicomweb: Dicomweb, path: str, tag: str, **params: object) -> list[object]:
    answer = dicomweb.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [row[tag].get("Value", [None])[0] for row in answer.json()]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, 2), ({"PatientID": "77"}, 1), ({"00100020": "77"}, 1), ({"PatientID": "7*"}, 1), ({"PatientID": "*"}, 2),
        ({"PatientID": ""}, 2), ({"PatientName": "müller*"}, 1), ({"PatientName": "MUELLER^J*"}, 1),
        ({"PatientName": "山田*"}, 1), ({"PatientName": "jörg müller", "fuzzymatching": "true"}, 1),
        ({"StudyDate": "20240229"}, 1), ({"StudyDate": "20240101-"}, 1), ({"StudyDate": "-20231231"}, 1),
        ({"StudyDate": "20040101-20241231"}, 2), ({"StudyTime": "1000-1030"}, 1),
        ({"StudyInstanceUID": "1.2.9,1.2.8"}, 2), ({"StudyInstanceUID": "1.2.9\\1.2.7"}, 1),
        ({"ModalitiesInStudy": "MR"}, 1), ({"Modality": "CT"}, 1), ({"AccessionNumber": "a-1"}, 1),
        ({"limit": "1"}, 1), ({"offset": "1"}, 1), ({"offset": "2"}, 0), ({"limit": "0"}, 0),
    ],
)  # fmt: skip
def test_studies_are_found(filled: Dicomweb, params: dict[str, str], found: int) -> None:
    assert len(values(filled, "/studies", "0020000D", **params)) == found


@pytest.mark.parametrize("number", ["²", "9" * 5000, "1" + "0" * 30, "-1", "1.5", "", "x"])
def test_numbers_that_are_none_or_beyond_all_bounds_are_named(filled: Dicomweb, number: str) -> None:
    for path, name in (("/studies", "limit"), ("/studies", "offset"), ("/instances", "InstanceNumber")):
        answer = filled.get(path, params={name: number})
        expected = (200, 400) if name == "InstanceNumber" and number in ("", "-1") else (400,)
        assert answer.status_code in expected, (name, number, answer.text)


def test_lower_levels_carry_the_higher_ones_where_the_address_does_not_name_them(filled: Dicomweb) -> None:
    (series,) = filled.get("/series", params={"Modality": "MR"}).json()
    assert series["00100020"]["Value"] == ["77"]
    assert series["00201209"]["Value"] == [1]
    within = filled.get("/studies/1.2.9/series").json()
    assert "00100020" not in within[0]
    instances = filled.get("/studies/1.2.9/series/1.2.9.1/instances").json()
    assert [one["00200013"]["Value"] for one in instances] == [[1], [2], [3]]
    assert "0008103E" not in instances[0]
    assert instances[0]["00081190"]["Value"] == [
        "http://127.0.0.1:8080/dicom-web/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1"
    ]
    assert len(filled.get("/studies/1.2.9/instances", params={"InstanceNumber": "2"}).json()) == 1
    assert len(filled.get("/instances", params={"SOPInstanceUID": "1.2.8.1.1"}).json()) == 1
    assert filled.get("/studies/9.9.9/series").json() == []


def test_an_answer_holds_what_is_asked_for(filled: Dicomweb) -> None:
    (plain,) = filled.get("/studies", params={"PatientID": "77"}).json()
    assert plain["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg", "Ideographic": "山田^太郎"}]
    assert plain["00080061"]["Value"] == ["MR"]
    assert (plain["00201206"]["Value"], plain["00201208"]["Value"]) == ([1], [1])
    assert "00101010" not in plain
    (wider,) = filled.get("/studies", params={"PatientID": "77", "includefield": "PatientAge,00080080"}).json()
    assert {"00101010", "00080080"} <= set(wider) | {"00101010"}
    (whole,) = filled.get("/studies", params={"PatientID": "77", "includefield": "all"}).json()
    assert set(wider) <= set(whole)


def test_what_is_not_matched_is_named_and_ignored(filled: Dicomweb) -> None:
    answer = filled.get("/studies", params={"BurnedInAnnotation": "NO", "Nonsense": "1", "SeriesDescription": "x"})
    assert len(answer.json()) == 2
    warning = answer.headers["warning"]
    assert warning.startswith('299 radrelay "')
    assert "00280301" in warning
    assert "0008103E" in warning
    assert "Nonsense" in warning
    assert "additional results" in filled.get("/studies", params={"limit": "1"}).headers["warning"]
    assert "warning" not in filled.get("/studies").headers


@pytest.mark.parametrize("params", ["StudyDate=yesterday", "limit=x", "offset=-1", "InstanceNumber=a", "StudyTime=9x"])
def test_values_that_cannot_be_are_refused(filled: Dicomweb, params: str) -> None:
    answer = filled.get(f"/instances?{params}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_searches_answer_as_xml_too(filled: Dicomweb) -> None:
    answer = filled.get("/studies", 'multipart/related; type="application/dicom+xml"')
    assert parts_of(answer).types == ["application/dicom+xml"] * 2
    assert filled.get("/studies", "text/html").status_code == 406
    assert filled.get("/studies", "application/json").status_code == 200


def test_a_stranger_finds_nothing_and_deletes_nothing(filled: Dicomweb, site: WebSite) -> None:
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    stranger = client(site, "user")
    for path in ("/studies", "/series", "/instances", "/studies/1.2.9/series"):
        assert stranger.get(path).json() == []
    paths = ("/studies/1.2.9", "/studies/1.2.9/metadata", "/studies/1.2.9/rendered", "/studies/1.2.9/thumbnail",
             "/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1/frames/1")  # fmt: skip
    for path in paths:
        assert stranger.get(path).status_code == 404
    for path in (
        "/studies/1.2.9",
        "/studies/1.2.9/series/1.2.9.1",
        "/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1",
    ):
        assert stranger.http.delete(f"/dicom-web{path}").status_code == 404
    assert len(client(site, "admin").get("/studies").json()) == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"PatientName": "Müller*"}, {"PatientName": "Nobody"}, {"PatientName": "mull", "fuzzymatching": "true"},
        {"PatientID": "77"}, {"00100020": "7*"}, {"PatientBirthDate": "19700101"}, {"IssuerOfPatientID": "X"},
        {"AccessionNumber": "A-1"}, {"StudyTime": "1000-1030"}, {"StudyID": "1"}, {"ReferringPhysicianName": "A*"},
    ],
)  # fmt: skip
def test_who_sees_by_alias_is_told_nothing_by_asking_for_a_name(by_alias: Dicomweb, asked: dict[str, str]) -> None:
    for path in ("/studies", "/series", "/instances", "/studies/1.2.8/series", "/studies/1.2.9/instances"):
        answer = by_alias.get(path, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity-hidden"), (path, asked)


def test_answers_by_alias_hold_nothing_that_leads_to_a_person(by_alias: Dicomweb) -> None:
    for path in ("/studies", "/series", "/instances"):
        answer = by_alias.get(path, params={"includefield": "all", "Modality": "MR", "PatientSex": "*"})
        assert len(answer.json()) == 1, answer.text
        for secret in ("ller", "山田", '"77"', "A-1", "101500", "00100010", "00100020", "00100030", "00080050"):
            assert secret not in answer.text, (path, secret)


@pytest.fixture(scope="module")
def by_alias(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dicomweb]:
    """Two studies, and a machine that may see everything by alias; only read from."""
    site = open_site(tmp_path_factory.mktemp("by-alias"))
    dicomweb = client(site)
    dicomweb.store(*slices(1), MUELLER)
    with site.database.write() as session:
        session.query(Grant).delete()
    grantee = Grantee("role", "user")
    with site.database.write() as session:
        access.grant(
            session, site.organisation_id, grantee, Target("organisation"), tuple(Right), identity="alias",
            now=site.clock.now(),
        )  # fmt: skip
    yield dicomweb
    close_site(site)
