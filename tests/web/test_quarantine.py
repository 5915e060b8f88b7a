"""The quarantine over REST: looked into, released under another identity, on record."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.audit.models import AuditEvent
from radrelay.intake.identify import IdentifiedLanding
from tests.archive.house import wheel_file
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import grant_to

pytestmark = pytest.mark.filterwarnings("ignore")


def nameless() -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(wheel_file("CT_small.dcm")))
    del dataset.StudyInstanceUID
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def put(site: WebSite, content: bytes, kind: str = "upload") -> None:
    origin = site.services.sources.resolve(kind).origin(peer="127.0.0.1", correlation_id="c")
    site.landing.land_file(origin, "odd.dcm", [content])
    site.index()


def release(site: WebSite, login: Login, **body: Any) -> Any:
    (kept,) = login.http.get("/api/quarantine").json()["quarantined"]
    answer = login.http.post(f"/api/quarantine/{kept['id']}/release", json=body, headers=login.headers)
    if answer.status_code == 200:
        IdentifiedLanding(site.database, site.parts.segments, site.landing, site.clock).land(uuid.UUID(kept["id"]))
        site.index()
    return answer


def test_object_without_a_study_is_looked_into_and_released(site: WebSite) -> None:
    root = site.login("root")
    put(site, nameless())
    (kept,) = root.http.get("/api/quarantine").json()["quarantined"]
    address = f"/api/quarantine/{kept['id']}"
    assert (kept["code"], kept["releasable"], kept["identifiable"]) == ("no-identity", False, True)
    assert "PatientName" in root.http.get(f"{address}/header").text
    assert root.http.get(f"{address}/picture").content.startswith(b"\xff\xd8")
    received = root.http.get(f"{address}/content").content
    assert nameless().endswith(received)
    answer = release(site, root, **{"as": "new-identity", "reason": "CD of the ward"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["changed"] == ["StudyInstanceUID"]
    (study,) = root.http.get("/api/studies").json()["studies"]
    assert study["study_uid"] == said["study_uid"]
    (released,) = root.http.get("/api/quarantine", params={"released": "true"}).json()["quarantined"]
    assert (released["new_study_uid"], released["new_sop_uid"]) == (said["study_uid"], said["sop_uid"])
    assert root.http.get(f"{address}/content").content == received
    assert root.http.get("/api/quarantine").json()["quarantined"] == []
    with site.database.read() as session:
        event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "quarantine.release")).one()
    detail = json.loads(event.detail)
    assert (detail["as"], detail["into"], detail["changed"]) == ("new-identity", "own", "StudyInstanceUID")
    assert detail["study_uid"] == f"none > {said['study_uid']}"


def test_release_into_a_study_that_is_not_there_is_refused(site: WebSite) -> None:
    root = site.login("root")
    put(site, nameless())
    answer = release(site, root, **{"as": "new-identity", "into": "study", "study_id": str(uuid.uuid4())})
    assert answer.status_code == 404
    answer = release(site, root, **{"as": "new-identity", "into": "study"})
    assert (answer.status_code, answer.json()["code"]) == (409, "release-refused")
    assert release(site, root, **{"as": "as-received"}).status_code == 409


def test_user_who_does_not_see_everything_reaches_none_of_it(site: WebSite) -> None:
    put(site, nameless())
    (kept,) = site.login("root").http.get("/api/quarantine").json()["quarantined"]
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    anna = site.login("anna")
    for way in ("picture", "content", "header"):
        assert anna.http.get(f"/api/quarantine/{kept['id']}/{way}").status_code in (403, 404)


def test_object_of_another_patient_is_shown_beside_the_study_that_is_here(site: WebSite) -> None:
    root = site.login("root")
    there = pydicom.dcmread(io.BytesIO(wheel_file("CT_small.dcm")))
    put(site, wheel_file("CT_small.dcm"))
    there.PatientID, there.PatientName, there.SOPInstanceUID = "999", "Other^Person", "1.2.3.4.99"
    there.file_meta.MediaStorageSOPInstanceUID = there.SOPInstanceUID
    written = io.BytesIO()
    there.save_as(written)
    put(site, written.getvalue())
    (kept,) = root.http.get("/api/quarantine").json()["quarantined"]
    assert kept["code"] == "patient-mismatch"
    shown = root.http.get(f"/api/quarantine/{kept['id']}").json()
    assert (shown["patient_name"], shown["here"]["patient"]["name"]) == ("Other^Person", "CompressedSamples^CT1")
    assert shown["here"]["instance_count"] == 1


def test_object_that_leads_to_no_study_is_shown_alone(site: WebSite) -> None:
    put(site, nameless())
    root = site.login("root")
    (kept,) = root.http.get("/api/quarantine").json()["quarantined"]
    assert root.http.get(f"/api/quarantine/{kept['id']}").json()["here"] is None


def test_user_who_may_only_look_releases_nothing(site: WebSite) -> None:
    put(site, nameless())
    with site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    anna = site.login("anna")
    grant_to(site, anna, Target("organisation"), Right.SEE, Right.DOWNLOAD)
    for way in ("new-identity", "as-received"):
        assert release(site, anna, **{"as": way}).status_code == 403
    grant_to(site, anna, Target("organisation"), Right.REIDENTIFY)
    assert release(site, anna, **{"as": "new-identity"}).status_code == 200
