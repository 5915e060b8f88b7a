"""What an object holds beyond a plain picture, as the server gives it: to whom, and what is on record."""

from __future__ import annotations

import uuid

import pytest

from radrelay.access import Grantee, Right, Target, grant
from radrelay.access.models import Grant
from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, upload

REPORT = "test-SR.dcm"


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def instances(login: Login) -> list[dict[str, str]]:
    """Return every instance that is in the list, with its series and study."""
    return [
        {**one, "series_id": series["id"], "study_id": study["id"]}
        for study in login.http.get("/api/studies").json()["studies"]
        for series in login.http.get(f"/api/studies/{study['id']}").json()["series"]
        for one in login.http.get(f"/api/series/{series['id']}").json()["instances"]
    ]


def only_by_alias(site: WebSite, *rights: Right) -> None:
    """Let users see studies by alias alone."""
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
        grant(
            session, site.organisation_id, Grantee("role", "user"), Target("organisation"),
            frozenset(rights or (Right.SEE, Right.DOWNLOAD)), identity="alias", now=site.clock.now(),
        )  # fmt: skip


def views(site: WebSite, action: str = "study.view") -> int:
    with site.database.read() as session:
        return session.query(AuditEvent).filter(AuditEvent.action == action).count()


def test_a_report_comes_as_a_tree_and_its_reading_is_on_record(site: WebSite, anna: Login) -> None:
    upload(site, anna, REPORT)
    (one,) = instances(anna)
    assert views(site) == 0
    answer = anna.http.get(f"/api/instances/{one['id']}/report").json()
    assert views(site) == 1
    assert answer["report"]["title"]["meaning"] == "Diagnosis"
    assert answer["instances"] == {}
    assert anna.http.get(f"/api/instances/{uuid.uuid4()}/report").status_code == 404


def test_an_image_is_no_report(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    problem = anna.http.get(f"/api/instances/{one['id']}/report")
    assert (problem.status_code, problem.json()["code"]) == (404, "no-report")


def test_a_report_is_refused_to_who_sees_patients_by_alias(site: WebSite, anna: Login) -> None:
    upload(site, anna, REPORT)
    (one,) = instances(anna)
    only_by_alias(site)
    problem = anna.http.get(f"/api/instances/{one['id']}/report")
    assert (problem.status_code, problem.json()["code"]) == (403, "identity-hidden")


def test_a_header_comes_as_rows_and_its_long_values_one_by_one(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    answer = anna.http.get(f"/api/instances/{one['id']}/header")
    names = {row["name"]: row for row in answer.json()["rows"]}
    assert names["Patient's Name"]["value"] == "CompressedSamples^CT1"
    assert names["Data Set Trailing Padding"]["bulk"]  # it stands behind the pixel data
    assert answer.headers["content-encoding"] == "gzip"
    assert views(site) == 1
    value = anna.http.get(f"/api/instances/{one['id']}/header/value", params={"path": "00101002/0/00100020"})
    assert value.json() == {"value": "ABCD1234"}
    missing = anna.http.get(f"/api/instances/{one['id']}/header/value", params={"path": "00101002/9/00100020"})
    assert (missing.status_code, missing.json()["code"]) == (404, "no-such-attribute")


def test_a_header_is_refused_to_who_sees_patients_by_alias(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    only_by_alias(site)
    for address in ("header", "header/value?path=00100010"):
        problem = anna.http.get(f"/api/instances/{one['id']}/{address}")
        assert (problem.status_code, problem.json()["code"]) == (403, "identity-hidden")


def test_a_recording_comes_with_its_samples_and_by_alias_without_its_texts(site: WebSite, anna: Login) -> None:
    upload(site, anna, "waveform_ecg.dcm")
    (one,) = instances(anna)
    address = f"/api/instances/{one['id']}/waveform"
    facts = anna.http.get(address).json()
    assert [group["label"] for group in facts["groups"]] == ["RHYTHM", "MEDIAN BEAT"]
    part = anna.http.get(f"{address}/1/samples", params={"start": 10, "count": 5})
    assert len(part.content) == 5 * 12 * 2
    sound = anna.http.get(f"{address}/1/sound", headers={"Range": "bytes=0-3"})
    assert (sound.status_code, sound.content) == (206, b"RIFF")
    missing = anna.http.get(f"{address}/9/samples")
    assert (missing.status_code, missing.json()["code"]) == (404, "no-waveform")
    only_by_alias(site)
    hidden = anna.http.get(address)
    assert hidden.status_code == 200
    assert "RITMO" not in hidden.text
    assert anna.http.get(f"{address}/1/samples").status_code == 200
    assert anna.http.get(f"{address}/1/sound").json()["code"] == "identity-hidden"
