"""What is done for a data subject: processing restricted, a clinic's request passed on, reminders, answers told."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Principal, Right, Target
from radrelay.access.models import Restricted
from radrelay.archive.erasing import Eraser
from radrelay.archive.models import Holding, Source, Study
from radrelay.archive.retention import Retention
from radrelay.mail.models import MailLetter
from radrelay.privacy.models import PrivacyReminder
from radrelay.privacy.reminders import remind
from radrelay.routing.models import Delivery
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_data_subjects import Records, entered, issuer_of, verified
from tests.web.test_incidents import asked
from tests.web.test_restrictions import everywhere
from tests.web.test_studies import CT, file_bytes, only_study, upload, upload_bytes

MAIL: dict[str, object] = {"host": "mail.clinic.example", "sender": "radrelay@clinic.example", "language": "en"}
WHY = {"ground": "accuracy", "reason": "the birth date is doubted"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    made = open_site(tmp_path, mail=MAIL)
    made.account("root", "admin")
    made.account("anna")
    made.account("dora", "dpo")
    yield made
    close_site(made)


@pytest.fixture
def officer(site: WebSite) -> Login:
    return site.login("dora")


@pytest.fixture
def study(site: WebSite) -> dict[str, Any]:
    root = site.login("root")
    upload(site, root, CT)
    found: dict[str, Any] = root.http.get(f"/api/studies/{only_study(root)['id']}").json()
    return found


def retention_of(site: WebSite) -> Retention:
    eraser = Eraser(site.database, site.clock, site.parts.keys, Records(), site.parts.packs)
    made = Retention(site.database, site.clock, site.settings.retention, eraser)
    made.expire()
    return made


def another_of_the_patient() -> bytes:
    one = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    for uid in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(one, uid, pydicom.uid.generate_uid())
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    written = io.BytesIO()
    one.save_as(written)
    return written.getvalue()


def opened_to_anna(site: WebSite, study: dict[str, Any]) -> None:
    """Give anna all that opens a restricted study: a grant on it, and a group that sees such ones."""
    anna = site.identity.account_named("anna")
    assert anna is not None
    now, whom = site.clock.now(), Grantee("account", str(anna.id))
    with site.database.write() as session:
        target = Target("study", uuid.UUID(study["id"]))
        access.grant(session, site.organisation_id, whom, target, list(Right), now=now)
        group = access.create_group(session, site.organisation_id, "Board", now=now)
        access.change_group(session, site.organisation_id, group.id, sees_restricted=True)
        access.add_member(session, site.organisation_id, group.id, "account", str(anna.id))
        everything = Target("organisation")
        access.grant(session, site.organisation_id, Grantee("group", str(group.id)), everything, list(Right), now=now)


def test_a_patient_whose_processing_is_restricted_is_within_nobodys_reach(
    site: WebSite, officer: Login, study: dict[str, Any]
) -> None:
    root, anna, patient = site.login("root"), site.login("anna"), study["patient"]
    opened_to_anna(site, study)
    wanted = {"studies": [study["id"]], "ends_at": (site.clock.now() + timedelta(days=1)).isoformat()}
    link = anna.http.post("/api/links", json=wanted, headers=anna.headers).json()["address"].partition("#")[2]
    node = root.http.post(
        "/api/destinations", json={"name": "P", "ae_title": "P", "host": "p", "port": 104}, headers=root.headers
    ).json()
    order = {"study_id": study["id"], "destination_id": node["id"]}
    root.http.post("/api/deliveries", json=order, headers=root.headers)
    assert everywhere(anna, study) == {200}

    one = entered(officer, "restriction", issuer_of(site))
    path = f"requests/{one['id']}/restriction"
    assert asked(officer, "POST", path, WHY | {"revision": 1}, 409)["code"] == "requester-unverified"
    one = verified(officer, one)
    past = WHY | {"revision": 2, "review_on": site.clock.now().date().isoformat()}
    assert asked(officer, "POST", path, past, 400)["field"] == "review_on"
    assert asked(officer, "POST", path, WHY | {"revision": 1}, 409)["code"] == "request-changed"
    for _ in range(2):  # asked for twice, it stands once
        (bar,) = asked(officer, "POST", path, WHY | {"revision": 2}, 201)["restrictions"]
    assert (bar["kind"], bar["value"], bar["studies"], bar["made_by"]) == ("patient", patient["id"], 1, "dora")

    for login in (anna, root):
        assert everywhere(login, study) == {404}
        assert login.http.delete(f"/api/studies/{study['id']}", headers=login.headers).status_code == 404
    assert site.client("203.0.113.1").post("/api/shared", json={"token": link}).status_code == 401
    glass = {"kind": "emergency", "reason": "unconscious, before surgery", "patient_id": patient["id"]}
    assert anna.http.post("/api/broken-glass", json=glass, headers=anna.headers).status_code == 404
    assert anna.http.post("/api/deliveries", json=order, headers=anna.headers).status_code == 404
    with site.database.read() as session:
        scanner = Principal("ae", "ANY", "ANY", site.organisation_id)
        for right in Right:
            reach = access.scope(session, scanner, right, now=site.clock.now())
            assert session.scalars(sa.select(Study.id).where(reach.study_filter(Study.id))).all() == []
        delivery = session.scalars(sa.select(Delivery)).one()
        assert (delivery.state, delivery.error_code) == ("held", "processing-restricted")
    upload_bytes(site, root, {"later.dcm": another_of_the_patient()})
    assert root.http.get("/api/studies").json()["studies"] == [], "what arrives later falls under it at once"
    upload(site, root, "MR_small.dcm")
    assert len(anna.http.get("/api/studies").json()["studies"]) == 1, "everybody else is as before"
    assert patient["id"] not in root.http.get("/api/audit?limit=200").text, "the record names them to the officer alone"
    assert patient["id"] in officer.http.get("/api/audit?limit=200").text

    assert root.http.get("/api/restrictions").json()["restrictions"] == []
    assert root.http.delete(f"/api/restrictions/{bar['id']}", headers=root.headers).status_code == 404
    assert root.http.get("/api/privacy/restrictions").status_code == 403
    lifting = f"restrictions/{bar['id']}/lifting"
    asked(officer, "POST", lifting, {"reason": "the date is right", "told_how": ""}, 422)
    asked(officer, "POST", lifting, {"reason": "the date is right", "told_how": "by letter of the 3rd"})
    assert asked(officer, "GET", "restrictions")["restrictions"] == []
    assert everywhere(anna, study) == {200}
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Restricted)) == 0


def test_two_requests_of_one_person_restrict_each_by_itself(
    site: WebSite, officer: Login, study: dict[str, Any]
) -> None:
    root = site.login("root")
    bars = []
    for kind, ground in (("restriction", "claims"), ("objection", "objection")):
        one = verified(officer, entered(officer, kind, issuer_of(site)))
        wanted = {"ground": ground, "reason": f"for {ground}", "revision": 2}
        (bar,) = asked(officer, "POST", f"requests/{one['id']}/restriction", wanted, 201)["restrictions"]
        assert (bar["ground"], bar["request_id"]) == (ground, one["id"]), "with its own reasons"
        bars.append(bar)
    told = {"reason": "it is decided", "told_how": "by letter"}
    asked(officer, "POST", f"restrictions/{bars[0]['id']}/lifting", told)
    assert root.http.get(f"/api/studies/{study['id']}").status_code == 404, "the other one stands"
    asked(officer, "POST", f"restrictions/{bars[1]['id']}/lifting", told)
    assert root.http.get(f"/api/studies/{study['id']}").status_code == 200


def test_what_is_restricted_does_not_expire_is_handed_to_its_person_and_goes_once_lifted(
    site: WebSite, officer: Login, study: dict[str, Any]
) -> None:
    retention = retention_of(site)
    issuer = issuer_of(site)
    one = verified(officer, entered(officer, "restriction", issuer))
    review = (site.clock.now() + timedelta(days=2)).date().isoformat()
    wanted = WHY | {"revision": 2, "review_on": review}
    (bar,) = asked(officer, "POST", f"requests/{one['id']}/restriction", wanted, 201)["restrictions"]
    with site.database.write() as session:
        session.execute(sa.update(Holding).values(ends_at=site.clock.now() + timedelta(hours=1)))
        session.execute(sa.update(Study).values(expires_at=site.clock.now() + timedelta(hours=1)))
    site.clock.advance(timedelta(days=3))
    retention.confirm_clock()
    assert retention.expire().holdings == 0
    upload(site, site.login("root"), CT)
    with site.database.read() as session:
        assert len(session.scalars(sa.select(Study.id)).all()) == 1, "what arrives does not end what was over"
    with site.database.write() as session:
        session.execute(sa.update(Holding).values(ends_at=site.clock.now() - timedelta(hours=1)))
        session.execute(sa.update(Study).values(expires_at=site.clock.now() - timedelta(hours=1)))
    officer, root = site.login("dora"), site.login("root")
    promises = officer.http.get("/api/promises").json()
    upload_source = next(source for source in promises["sources"] if source["name"] == "Upload")
    assert (upload_source["restricted"], upload_source["overdue"], upload_source["state"]) == (1, 0, "good")
    assert {"subject": "restrictions", "code": "restrictions-review"}.items() <= next(
        kept for kept in promises["kept"] if kept["subject"] == "restrictions"
    ).items()
    own = verified(officer, entered(officer, "access", issuer))
    with zipfile.ZipFile(io.BytesIO(root.http.get(f"/api/privacy/requests/{own['id']}/export.zip").content)) as made:
        assert [name for name in made.namelist() if name.startswith("DICOM/")], "their own data are theirs"
    asked(officer, "POST", f"restrictions/{bar['id']}/lifting", {"reason": "proven", "told_how": "by letter"})
    assert retention.expire().holdings == 1
    with site.database.read() as session:
        assert session.scalars(sa.select(Study.id)).all() == []
    assert study["id"] not in root.http.get("/api/studies").text


def test_officers_are_reminded_by_mail_once_each_in_their_language_and_never_by_a_doubted_clock(
    site: WebSite, officer: Login
) -> None:
    retention, post = retention_of(site), site.services.password_links.post
    one = asked(officer, "POST", "requests", {"kind": "access", "patient_id": "4711", "requester": "Cora"}, 201)
    assert asked(officer, "GET", "requests")["reminded"] is False, "no officer has an address"

    def letters(days: float, *, expire: bool = True) -> int:
        site.clock.advance(timedelta(days=days))
        if expire:
            retention.confirm_clock()
            retention.expire()
        with site.database.write() as session:
            return remind(session, post, site.settings.privacy.remind_days, site.clock.now())

    assert letters(20) == 0, "nobody can be reached, and nothing is forgotten by that"
    with site.database.write() as session:
        session.execute(
            sa.text("UPDATE account SET email = 'dora@clinic.example', language = 'de' WHERE username = 'dora'")
        )
    assert letters(0) == 1
    assert letters(0) == letters(1) == 0, "each once, after a restart, too"
    assert letters(30, expire=False) == 0, "by a clock that has just jumped everything would seem late"
    assert letters(-30, expire=False) == 0
    assert letters(8.5) == 1, "after days without power the nearest alone"
    assert letters(-8.5) == 0, "a clock that is set back begins nothing anew"
    assert letters(10) == 1
    assert letters(5) == 0
    with site.database.read() as session:
        found = session.scalars(sa.select(PrivacyReminder.days).order_by(PrivacyReminder.days.desc())).all()
        words = [post.opened(row) for row in session.scalars(sa.select(MailLetter).order_by(MailLetter.id))]
    assert (found, [one.kind for one in words]) == ([10, 1, 0], ["request-due", "request-due", "request-late"])
    assert "fällig" in words[0].subject
    assert not [one for one in words if "4711" in one.text or "Cora" in one.text]
    longer = {"extended_why": "many studies; told on the 20th", "revision": one["revision"]}
    officer = site.login("dora")
    assert asked(officer, "PUT", f"requests/{one['id']}", longer)["clock"] == "running"
    assert letters(46) == 1, "a longer clock reminds anew"
    assert asked(site.login("dora"), "GET", "requests")["reminded"] is True


def test_a_clinics_patient_is_passed_on_with_a_letter_and_the_clock_stops_with_us(
    site: WebSite, officer: Login, study: dict[str, Any]
) -> None:
    with site.database.read() as session:
        source = str(session.scalars(sa.select(Source.id).where(Source.name == "Upload")).one())
    one = verified(officer, entered(officer, "erasure", issuer_of(site)))
    passing, wanted = f"requests/{one['id']}/passing", {"revision": 2, "source_id": source, "how": "by post, 1 March"}
    asked(officer, "POST", passing, wanted, 404)
    assert asked(officer, "PUT", f"clinics/{source}", {"name": "Clinic at the Lake"}, 400)["code"] == "clinic-invalid"
    clinic = {"name": "Clinic at the Lake", "contact": "dpo@lake.example", "address": "Lake Road 1"}
    listed = asked(officer, "PUT", f"clinics/{source}", clinic)["clinics"]
    assert {"source": "Upload", **clinic}.items() <= next(row for row in listed if row["name"]).items()
    (held,) = asked(officer, "GET", f"requests/{one['id']}/data")["studies"]
    assert (held["own"], held["clinics"]) == (False, ["Clinic at the Lake"])
    proof = asked(officer, "POST", f"requests/{one['id']}/erasure", {"revision": 2})["proof"]
    assert (proof["studies"], proof["clinics"]) == ([], 1), "a processor erases nothing without the clinic's word"
    for language, word in (("en", "as your processor"), ("de", "in Ihrem Auftrag")):
        letter = asked(officer, "GET", f"requests/{one['id']}/letter?language={language}")
        assert word in letter["text"]
        assert study["patient"]["id"] in letter["text"]
        assert "identity card, at the desk" in letter["text"]
    done = asked(officer, "POST", passing, wanted | {"revision": 3})
    assert (done["state"], done["clock"], done["answer"]) == ("passed", "closed", "Clinic at the Lake")
    (told,) = done["passed"]
    assert (told["clinic"], told["contact"], told["by"]) == ("Clinic at the Lake", "dpo@lake.example", "dora")
    assert asked(officer, "POST", passing, wanted | {"revision": 4}, 409)["code"] == "request-closed"
    kinds = {event["action"] for event in officer.http.get("/api/audit?limit=200").json()["events"]}
    assert {"privacy.clinic", "request.pass"} <= kinds
    again = verified(officer, entered(officer, "erasure", issuer_of(site)))
    by_order = asked(officer, "POST", f"requests/{again['id']}/erasure", {"revision": 2, "instructed": True})["proof"]
    assert (len(by_order["studies"]), by_order["clinics"]) == (1, 0)


def test_an_objection_that_is_upheld_says_what_stops_and_every_answer_how_it_was_told(
    site: WebSite, officer: Login, study: dict[str, Any]
) -> None:
    one = verified(officer, entered(officer, "objection", issuer_of(site)))
    path, done = f"requests/{one['id']}", {"state": "done", "answer": "upheld", "revision": 2}
    assert asked(officer, "PUT", path, done, 400)["field"] == "told_how"
    assert asked(officer, "PUT", path, done | {"told_how": "by letter"}, 400)["field"] == "stops"
    bar = {"ground": "objection", "reason": "until it is decided", "revision": 2}
    assert asked(officer, "POST", f"{path}/restriction", bar, 201)["restrictions"][0]["ground"] == "objection"
    assert site.login("root").http.get(f"/api/studies/{study['id']}").status_code == 404
    stops = "nothing is sent to the research register any more"
    closed = asked(officer, "PUT", path, done | {"told_how": "by letter", "stops": stops})
    assert (closed["state"], closed["stops"], closed["told_how"]) == ("done", stops, "by letter")
    other = entered(officer, "objection", issuer_of(site))
    refused = {"state": "refused", "answer": "the law asks for the record", "told_how": "by phone", "revision": 1}
    assert asked(officer, "PUT", f"requests/{other['id']}", refused)["clock"] == "closed"
