"""A patient's other studies, beside the one that is looked at: never those of somebody else with the same ID."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from radrelay.access import Right, Target
from radrelay.archive.regions import regions_of, words_of
from tests.web.conftest import Login, WebSite
from tests.web.test_invocation import study
from tests.web.test_planes import files
from tests.web.test_studies import grant_to, revoke_all, upload_bytes


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def ids(login: Login) -> dict[str, str]:
    return {one["accession_number"]: one["id"] for one in login.http.get("/api/studies").json()["studies"]}


def priors_of(login: Login, study_id: str) -> list[dict[str, Any]]:
    answer = login.http.get(f"/api/studies/{study_id}/priors")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["priors"]
    return found


def bring(site: WebSite, login: Login) -> dict[str, str]:
    chest = {"BodyPartExamined": "CHEST", "StudyDescription": "CT Thorax"}
    upload_bytes(site, login, files(
        study("4711", "HERE", StudyDate="20240301", AccessionNumber="now", **chest),
        study("4711", "HERE", StudyDate="20230301", AccessionNumber="xray", Modality="CR", BodyPartExamined="THORAX"),
        study("4711", "HERE", StudyDate="20220301", AccessionNumber="knee", BodyPartExamined="KNEE",
              StudyDescription="CT Knie links"),
        study("4711", "HERE", StudyDate="20250301", AccessionNumber="later", **chest),
        study("4711", "THERE", StudyDate="20210301", AccessionNumber="another", **chest),
        study("4712", "HERE", StudyDate="20210301", AccessionNumber="third", **chest),
    ))  # fmt: skip
    return ids(login)


def test_the_other_studies_of_the_patient_are_listed_the_newest_first(site: WebSite, anna: Login) -> None:
    known = bring(site, anna)
    found = priors_of(anna, known["now"])
    assert [one["accession_number"] for one in found] == ["later", "xray", "knee"]
    assert [one["earlier"] for one in found] == [False, True, True]
    xray = found[1]
    assert (xray["modalities"], xray["body_parts"], xray["series_count"]) == (["CR"], ["THORAX"], 1)
    assert anna.http.get(f"/api/series/{xray['thumbnail_series']}/thumbnail").status_code == 200


def test_what_is_of_the_same_region_is_relevant_and_a_knee_beside_a_chest_is_not(site: WebSite, anna: Login) -> None:
    known = bring(site, anna)
    relevant = {one["accession_number"]: (one["relevant"], one["because"]) for one in priors_of(anna, known["now"])}
    assert relevant["later"] == (True, ["region", "description", "modality"])
    assert relevant["xray"] == (True, ["region"])
    assert relevant["knee"] == (False, ["modality"])


def test_the_same_id_of_another_issuer_is_another_patient(site: WebSite, anna: Login) -> None:
    known = bring(site, anna)
    assert priors_of(anna, known["another"]) == []
    assert priors_of(anna, known["third"]) == []


def test_who_has_the_same_id_but_another_name_birth_date_or_sex_is_another_patient(site: WebSite, anna: Login) -> None:
    told = {"PatientBirthDate": "19600101", "PatientSex": "F"}
    upload_bytes(site, anna, files(
        study("77", PatientName="Meier^Anna", AccessionNumber="own", StudyDate="20260301", **told),
        study("77", PatientName="MEIER^ANNA^^Dr", AccessionNumber="same", StudyDate="20250301", **told),
        study("77", PatientName="Schulz^Bernd", AccessionNumber="stranger", StudyDate="20240301",
              PatientBirthDate="19790505", PatientSex="M"),
        study("77", PatientName="Kurz^Carla", AccessionNumber="unsaid", StudyDate="20230301"),
    ))  # fmt: skip
    known = ids(anna)
    assert [one["accession_number"] for one in priors_of(anna, known["own"])] == ["same"]
    assert priors_of(anna, known["stranger"]) == []


def test_studies_without_a_patient_id_have_no_priors(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, files(study("", AccessionNumber="a"), study("", AccessionNumber="b")))
    assert priors_of(anna, ids(anna)["a"]) == []


def test_priors_beyond_reach_are_not_told(site: WebSite, anna: Login) -> None:
    known = bring(site, anna)
    revoke_all(site)
    grant_to(site, anna, Target("study", uuid.UUID(known["now"])), Right.SEE)
    grant_to(site, anna, Target("study", uuid.UUID(known["knee"])), Right.SEE)
    assert [one["accession_number"] for one in priors_of(anna, known["now"])] == ["knee"]
    assert anna.http.get(f"/api/studies/{known['xray']}/priors").json()["code"] == "study-not-found"


def test_by_alias_priors_tell_no_number_and_no_time_of_day(site: WebSite, anna: Login) -> None:
    known = bring(site, anna)
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    found = priors_of(anna, known["now"])
    assert len(found) == 3
    assert {(one["accession_number"], one["study_time"]) for one in found} == {("", None)}


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("CHEST", {"chest"}), ("Röntgen Thorax p.a.", {"chest"}), ("CT Schädelbasis", {"head"}),
        ("ABDOMENPELVIS", {"abdomen", "pelvis"}), ("MRT LWS nativ", {"spine"}), ("Mammographie bds.", {"breast"}),
        ("OSG rechts", {"foot"}), ("", set()), ("T2 tse sag", set()),
    ],
)  # fmt: skip
def test_regions_are_known_by_code_and_by_word(text: str, regions: set[str]) -> None:
    assert regions_of([text]) == regions


def test_words_that_say_nothing_do_not_make_studies_alike() -> None:
    assert words_of(["CT of the Leberläsion mit Kontrast 2024"]) == {"leberlasion"}
