"""The viewer as other systems call it (IHE Invoke Image Display), and by short forms of its address."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from radrelay.access import Right, Target
from radrelay.audit.models import AuditEvent
from tests.archive.house import made
from tests.web.conftest import Login, WebSite
from tests.web.test_planes import files
from tests.web.test_studies import grant_to, only_study, revoke_all, upload_bytes

_NUMBERS = iter(range(1, 10_000))


def study(patient: str, issuer: str = "", **changes: Any) -> bytes:
    uid = f"1.2.9.{next(_NUMBERS)}"
    values: dict[str, Any] = {
        "PatientID": patient, "IssuerOfPatientID": issuer, "StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1",
        "SOPInstanceUID": f"{uid}.1.1", "StudyDate": "20240102", "StudyTime": "101500", "PatientBirthDate": "19600101",
    }  # fmt: skip
    return made("CT_small.dcm", **(values | changes))


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


@pytest.fixture
def archive(site: WebSite, anna: Login) -> Login:
    """Four studies of one patient, and two of others who have the same ID elsewhere."""
    upload_bytes(site, anna, files(
        study("4711", "HOSPITAL", StudyDate="20240101", AccessionNumber="A1", StudyInstanceUID="1.2.840.1"),
        study("4711", "HOSPITAL", StudyDate="20240201", AccessionNumber="A2", Modality="MR"),
        study("4711", "HOSPITAL", StudyDate="20240301", AccessionNumber="A3", Modality="MR"),
        study("4711", "HOSPITAL", StudyDate="20240301", StudyTime="180000", AccessionNumber="A4"),
        study("4711", "PRACTICE", StudyDate="20230101", AccessionNumber="B1"),
        study("4711", "1.3.6.1.4", StudyDate="20220101", AccessionNumber="A3"),
        study("0815", "HOSPITAL", StudyDate="20240101", AccessionNumber="C*"),
    ))  # fmt: skip
    return anna


def asked(login: Login, **parameters: str) -> dict[str, Any]:
    answer = login.http.get("/api/view", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def accessions(found: dict[str, Any]) -> list[str]:
    return [one["accession_number"] for one in found["studies"]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"study": "1.2.840.1"},
        {"accession": "A1"},
        {"requestType": "STUDY", "studyUID": "1.2.840.1"},
        {"requestType": "STUDY", "accessionNumber": "A1", "viewerType": "http://vendor", "unknown": "parameter"},
        {"requestType": "PATIENT", "patientID": "4711^^^HOSPITAL", "upperDateTime": "2024-01-15T00:00:00"},
    ],
)
def test_a_study_opens_by_whatever_names_it_alone(archive: Login, parameters: dict[str, str]) -> None:
    found = asked(archive, **parameters)
    assert (accessions(found), found["choice"], found["patients"], found["more"]) == (["A1"], "", 1, False)
    assert found["open"] == found["studies"][0]["id"]
    by_id = asked(archive, study=found["open"])
    assert by_id["open"] == found["open"]


def test_a_series_is_named_with_its_study(archive: Login) -> None:
    opened = asked(archive, study="1.2.840.1")
    (series,) = archive.http.get(f"/api/studies/{opened['open']}").json()["series"]
    for named in (series["series_uid"], series["id"]):
        assert asked(archive, study="1.2.840.1", series=named)["series"] == series["id"]
    for other in (str(uuid.uuid4()), "1.2.3"):
        assert asked(archive, study="1.2.840.1", series=other)["series"] is None


def test_a_bare_id_of_several_people_is_never_guessed(archive: Login) -> None:
    for parameters in ({"patient": "4711"}, {"requestType": "PATIENT", "patientID": "4711", "mostRecentResults": "1"}):
        found = asked(archive, **parameters)
        assert (found["open"], found["choice"], found["patients"]) == (None, "several-patients", 3)
        assert {one["patient"]["issuer"] for one in found["studies"]} == {"HOSPITAL", "PRACTICE", "1.3.6.1.4"}


def test_an_accession_number_of_two_people_is_never_guessed(archive: Login) -> None:
    found = asked(archive, requestType="STUDY", accessionNumber="A3")
    assert (found["open"], found["choice"], found["patients"]) == (None, "several-patients", 2)


def test_one_id_or_accession_number_of_people_who_contradict_is_a_choice_of_each(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(
        study("77001", PatientName="Meier^Anna", PatientSex="F", StudyDate="20260901", AccessionNumber="ACC1"),
        study("77001", PatientName="Schulz^Bernd", PatientSex="M", PatientBirthDate="19790505", AccessionNumber="ACC2"),
        study("77001", PatientName="MEIER^ANNA^^Dr.", PatientSex="", StudyDate="20200101", AccessionNumber="ACC0"),
        study("77002", PatientName="Kurz^Carla", PatientSex="F", StudyDate="20260901", AccessionNumber="ACC3"),
        study("77002", PatientName="Lang^Dora", PatientSex="F", PatientBirthDate="", AccessionNumber="ACC3"),
    ))  # fmt: skip
    for asks in ({"patient": "77001"}, {"requestType": "PATIENT", "patientID": "77001", "mostRecentResults": "1"}):
        found = asked(anna, **asks)
        assert (found["open"], found["choice"], found["patients"]) == (None, "several-patients", 2)
        assert accessions(found) == ["ACC1", "ACC2", "ACC0"]
        assert found["whose"] == [0, 1, 0]
    found = asked(anna, accession="ACC3")
    assert (found["open"], found["choice"], found["patients"], found["whose"]) == (None, "several-patients", 2, [0, 1])
    assert [one["patient"]["name"] for one in found["studies"]] == ["Kurz^Carla", "Lang^Dora"]


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ("4711^^^HOSPITAL", ["A4", "A3", "A2", "A1"]),
        ("4711^^^PRACTICE&9.9.9&ISO", ["B1"]),
        ("4711^^^&1.3.6.1.4&ISO", ["A3"]),
    ],
)
def test_the_issuer_of_a_patient_id_parts_people(archive: Login, patient: str, expected: list[str]) -> None:
    found = asked(archive, requestType="PATIENT", patientID=patient)
    assert (accessions(found), found["patients"]) == (expected, 1)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"mostRecentResults": "1"}, ["A4"]),
        ({"mostRecentResults": "2"}, ["A4", "A3"]),
        ({"modalitiesInStudy": "MR"}, ["A3", "A2"]),
        ({"modalitiesInStudy": "MR,ct", "mostRecentResults": "3"}, ["A4", "A3", "A2"]),
        ({"lowerDateTime": "2024-02-01"}, ["A4", "A3", "A2"]),
        ({"lowerDateTime": "2024-03-01T12:00:00"}, ["A4"]),
        ({"upperDateTime": "2024-03-01T12:00:00+01:00"}, ["A3", "A2", "A1"]),
        ({"lowerDateTime": "2024-01-02", "upperDateTime": "2024-02-28"}, ["A2"]),
        ({"patientBirthDate": "1960-01-01", "mostRecentResults": "1"}, ["A4"]),
    ],
)
def test_a_patient_s_studies_are_chosen_by_time_and_modality(
    archive: Login, parameters: dict[str, str], expected: list[str]
) -> None:
    found = asked(archive, requestType="PATIENT", patientID="4711^^^HOSPITAL", **parameters)
    assert accessions(found) == expected
    assert found["choice"] == ("" if len(expected) == 1 else "several-studies")
    assert not found["more"]


def test_what_the_caller_says_of_its_screen_is_noted(archive: Login) -> None:
    said = {"viewerType": "http://a", "diagnosticQuality": "true", "keyImagesOnly": "false"}
    noted = asked(archive, accession="A1", **said)["noted"]
    assert noted == {"viewer_type": "http://a", "diagnostic_quality": True, "key_images_only": False}


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({}, 400, "view-address"),
        ({"requestType": "PATIENT"}, 400, "view-address"),
        ({"requestType": "STUDY", "patientID": "4711"}, 400, "view-address"),
        ({"requestType": "PATIENT", "patientID": "4711", "lowerDateTime": "yesterday"}, 400, "view-address"),
        ({"study": "not a uid"}, 400, "view-address"),
        ({"requestType": "SERIES"}, 422, "invalid"),
        ({"requestType": "PATIENT", "patientID": "4711", "mostRecentResults": "0"}, 422, "invalid"),
        ({"study": "1.2.3.4"}, 404, "nothing-to-view"),
        ({"study": "01a215eb-d472-70ca-a89b-a2f8a0ae1486"}, 404, "nothing-to-view"),
        ({"accession": "a1"}, 404, "nothing-to-view"),
        ({"accession": "*"}, 404, "nothing-to-view"),
        ({"patient": "47%"}, 404, "nothing-to-view"),
        ({"patient": "4711^^^ELSEWHERE"}, 404, "nothing-to-view"),
        ({"patient": "0815", "requestType": "PATIENT", "patientBirthDate": "1961-01-01"}, 404, "nothing-to-view"),
    ],
)
def test_an_address_that_leads_nowhere_says_why(
    archive: Login, parameters: dict[str, str], status: int, code: str
) -> None:
    answer = archive.http.get("/api/view", params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_sign_of_patterns_stands_for_itself(archive: Login) -> None:
    assert accessions(asked(archive, accession="C*")) == ["C*"]


def test_an_address_leads_only_to_what_its_reader_may_see(site: WebSite, archive: Login) -> None:
    allowed, hidden = asked(archive, accession="A1")["open"], asked(archive, accession="A2")["open"]
    revoke_all(site)
    grant_to(site, archive, Target("study", uuid.UUID(allowed)), Right.SEE)
    found = asked(archive, patient="4711")
    assert (accessions(found), found["open"]) == (["A1"], allowed)
    for parameters in ({"accession": "A2"}, {"study": hidden}):
        assert archive.http.get("/api/view", params=parameters).json()["code"] == "nothing-to-view"


def test_who_sees_by_alias_finds_nobody_by_name_or_number(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(study("4711", AccessionNumber="A1", StudyInstanceUID="1.2.840.1")))
    own = only_study(anna)["id"]
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    for parameters in ({"accession": "A1"}, {"patient": "4711"}, {"study": "1.2.840.1"}):
        assert anna.http.get("/api/view", params=parameters).json()["code"] == "identity-hidden"
    assert asked(anna, study=str(own))["open"] == own


def test_a_call_is_on_record_without_what_it_named(site: WebSite, archive: Login) -> None:
    asked(archive, requestType="PATIENT", patientID="4711^^^HOSPITAL")
    with site.database.read() as session:
        rows = session.query(AuditEvent).filter(AuditEvent.action == "study.search").all()
        said = " ".join(str(row.detail) for row in rows)
    assert "patientID" in said
    assert "4711" not in said


def links(http: TestClient, address: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'as="fetch" href="([^"]+)"', http.get(address).text)]


@pytest.fixture
def built(site: WebSite) -> WebSite:
    site.services.static_dir.mkdir(exist_ok=True)
    (site.services.static_dir / "index.html").write_text("<html><head></head><body></body></html>")
    return site


def test_the_page_by_uid_brings_its_study_along_for_who_may_see_it(built: WebSite, archive: Login) -> None:
    opened = asked(archive, accession="A1")["open"]
    expected = [f"/api/studies/{opened}/opening", f"/api/studies/{opened}/glimpse"]
    for query in ("study=1.2.840.1", "accession=A1", "requestType=STUDY&studyUID=1.2.840.1"):
        assert links(archive.http, f"/view?{query}") == ["/api/session", f"/api/view?{query}", *expected], query
    assert links(archive.http, f"/view?study={opened}") == ["/api/session", *expected]
    several = "requestType=PATIENT&patientID=4711"
    assert links(archive.http, f"/view?{several}") == ["/api/session", f"/api/view?{several}"]
    assert archive.http.get("/view?requestType=WRONG").status_code == 200
    assert archive.http.get('/view?accession="><script>').text.count("<script") == 0


def test_the_page_tells_a_stranger_nothing_of_what_is_there(built: WebSite, archive: Login) -> None:
    nobody = built.client("203.0.113.9")
    there, nowhere = (nobody.get(f"/view?study={uid}").text for uid in ("1.2.840.1", "1.2.840.9"))
    assert there.replace("1.2.840.1", "") == nowhere.replace("1.2.840.9", "")
    revoke_all(built)
    there, nowhere = (archive.http.get(f"/view?study={uid}").text for uid in ("1.2.840.1", "1.2.840.9"))
    assert there.replace("1.2.840.1", "") == nowhere.replace("1.2.840.9", "")
