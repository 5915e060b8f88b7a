"""Requests of data subjects: a clock, a verified requester, an export, an erasure that is proven by its keys."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pydicom
import pypdfium2
import pytest
import sqlalchemy as sa

from radrelay.archive.compaction import Compactor
from radrelay.archive.erasing import Eraser
from radrelay.audit import known_patient
from radrelay.storage.models import Pack
from radrelay.storage.segments import RecordLocation
from tests.web.conftest import Login, WebSite
from tests.web.test_incidents import asked
from tests.web.test_studies import CT, of_another_person, only_study, upload, upload_bytes


@pytest.fixture
def root(site: WebSite) -> Login:
    login = site.login("root")
    upload(site, login, CT)
    return login


@pytest.fixture
def officer(site: WebSite) -> Login:
    site.account("dora", "dpo")
    return site.login("dora")


def compact(site: WebSite) -> None:
    parts = site.parts
    with ThreadPoolExecutor(1) as executor, site.database.read() as session:
        studies = session.execute(sa.text("SELECT organisation_id, id FROM study")).all()
        assert studies
        compactor = Compactor(
            site.database, site.clock, site.services.reader, parts.packs, parts.keys, executor, timedelta(days=35)
        )
        compactor.compact_study(site.organisation_id, _only(site))


def _only(site: WebSite) -> Any:
    from radrelay.archive.models import Study  # noqa: PLC0415

    with site.database.read() as session:
        return session.scalars(sa.select(Study.id)).one()


class Records:
    """The landing records of this site: what is asked to be erased there is gone."""

    node = ""

    def erase_many(self, locations: Sequence[RecordLocation]) -> None:
        del locations


def carry_out(site: WebSite) -> None:
    Eraser(site.database, site.clock, site.parts.keys, Records(), site.parts.packs).finish()


def entered(officer: Login, kind: str, issuer: str, **more: object) -> Any:
    body = {"kind": kind, "patient_id": "1CT1", "patient_issuer": issuer, "requester": "Cora Compressed"} | more
    return asked(officer, "POST", "requests", body, 201)


def verified(officer: Login, one: Any) -> Any:
    body = {"verified_how": "identity card, at the desk", "revision": one["revision"]}
    return asked(officer, "PUT", f"requests/{one['id']}", body)


def issuer_of(site: WebSite) -> str:
    with site.database.read() as session:
        return str(session.scalar(sa.text("SELECT patient_issuer FROM study")))


def test_a_patients_data_are_found_and_exported_once_the_requester_is_verified(
    site: WebSite, root: Login, officer: Login
) -> None:
    study = only_study(root)["id"]
    assert site.login("anna").http.get(f"/api/studies/{study}/archive.zip").status_code == 200
    one = entered(officer, "access", issuer_of(site))
    assert (one["clock"], one["due_at"]) == ("running", (site.clock.now() + timedelta(days=30)).isoformat()[:-6] + "Z")
    path = f"/api/privacy/requests/{one['id']}/export.zip"
    assert root.http.get(path).json()["code"] == "requester-unverified"
    done = {"state": "done", "answer": "sent", "told_how": "by post", "revision": 1}
    assert asked(officer, "PUT", f"requests/{one['id']}", done, 409)["code"] == "requester-unverified"
    one = verified(officer, one)
    assert (one["verified_by"], one["verified_how"]) == ("dora", "identity card, at the desk")
    data = asked(officer, "GET", f"requests/{one['id']}/data")
    (held,) = data["studies"]
    assert (held["series"], held["objects"], held["included"], data["disclosures"]) == (1, 1, False, 1)
    assert held["held_by"][0]["source"] == "Upload"
    contacts = {"controller": "Clinic", "authority_name": "Landesbeauftragter", "officer_name": "Dora"}
    asked(officer, "PUT", "contacts", contacts | {"revision": 0})
    with zipfile.ZipFile(io.BytesIO(officer.http.get(path).content)) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.startswith("DICOM/")], "the officer sees no image"
    answer = root.http.get(path, params={"language": "de"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert [name for name in archive.namelist() if name.startswith("DICOM/")]
        (person,) = [name for name in archive.namelist() if name.lower().endswith("person.json")]
        (sheet,) = [name for name in archive.namelist() if name.lower().endswith("person.pdf")]
        kept = json.loads(archive.read(person))
        assert kept["studies"][0]["study_uid"] == held["study_uid"]
        pages = pypdfium2.PdfDocument(archive.read(sheet))
        text = "".join(page.get_textpage().get_text_range() for page in pages)
        pages.close()
    assert "anna" in {who["name"] for who in kept["seen"][study]}
    for words in (
        "Was wir über Sie aufbewahren", "Für Cora Compressed", "Computertomographie", "über „Upload“ zu uns",
        "anna (1-mal vermerkt", held["study_uid"], "heruntergeladen von oder für anna", "beschweren bei",
    ):  # fmt: skip
        assert words in text, words
    went = root.http.get("/api/audit", params={"action": "study.download"}).json()["events"]
    assert went[0]["detail"] == {"recipient": "Cora Compressed", "purpose": "GDPR Art. 15"}
    other = asked(officer, "GET", f"requests/{entered(officer, 'access', 'another')['id']}/data")
    assert (other["studies"], other["other_issuers"]) == ([], [issuer_of(site)]), "the request may name the wrong one"


def test_an_erasure_is_proven_by_its_keys_and_names_what_a_hold_keeps(
    site: WebSite, root: Login, officer: Login
) -> None:
    compact(site)
    study, issuer = only_study(root)["id"], issuer_of(site)
    with site.database.read() as session:
        pack = session.scalars(sa.select(Pack.id)).one()
    one = entered(officer, "erasure", issuer)
    path, wanted = f"requests/{one['id']}/erasure", {"revision": 2, "record": True}
    assert asked(officer, "POST", path, {"revision": 1}, 409)["code"] == "requester-unverified"
    one = verified(officer, one)
    root.http.post(f"/api/studies/{study}/hold", json={"reason": "§ 85 StrlSchG"}, headers=root.headers)
    held = asked(officer, "POST", path, {"revision": 2})
    assert [(kept["id"], kept["reason"]) for kept in held["proof"]["kept"]] == [(study, "§ 85 StrlSchG")]
    assert held["proof"]["studies"] == []
    assert only_study(root)["id"] == study
    root.http.delete(f"/api/studies/{study}/hold", headers=root.headers)
    assert asked(officer, "POST", path, wanted, 409)["code"] == "request-changed"
    revision = asked(officer, "GET", "requests")["requests"][0]["revision"]
    erased = asked(officer, "POST", path, wanted | {"revision": revision})
    (gone,) = erased["proof"]["studies"]
    assert (gone["id"], str(pack) in gone["keys"], erased["proof"]["kept"]) == (study, True, [])
    assert erased["proof"]["destroyed_at"] is None, "the keys still live"
    assert site.parts.keys.known([pack]) == {pack}
    assert root.http.get(f"/api/studies/{study}").status_code == 404
    carry_out(site)
    (proven,) = asked(officer, "GET", "requests")["requests"]
    assert proven["proof"]["destroyed_at"] is not None
    assert site.parts.keys.known([pack]) == set()
    with site.database.read() as session:
        assert known_patient(session, site.organisation_id, issuer, "1CT1") is None, "the record names nobody"
    assert root.http.get("/api/audit/proof").json()["intact"] is True
    done = {"state": "done", "answer": "all is erased", "told_how": "by post", "revision": proven["revision"]}
    assert asked(officer, "PUT", f"requests/{one['id']}", done)["clock"] == "closed"
    again = asked(officer, "PUT", f"requests/{one['id']}", done | {"revision": proven["revision"] + 1}, 409)
    assert again["code"] == "request-closed"


def test_of_several_people_under_one_id_the_one_who_is_meant_is_chosen(
    site: WebSite, root: Login, officer: Login
) -> None:
    upload_bytes(site, root, {"stranger.dcm": of_another_person()})
    one = verified(officer, entered(officer, "erasure", issuer_of(site)))
    studies = asked(officer, "GET", f"requests/{one['id']}/data")["studies"]
    assert [study["person"] for study in studies] == [0, 1]
    franz = next(study for study in studies if study["name"].startswith("Fremd"))
    path = f"requests/{one['id']}/export.zip"
    assert root.http.get(f"/api/privacy/{path}").json()["code"] == "several-people"
    content = root.http.get(f"/api/privacy/{path}", params={"person": franz["id"]}).content
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        names = made.namelist()
        objects = [pydicom.dcmread(io.BytesIO(made.read(name))) for name in names if name.startswith("DICOM/")]
        assert [str(each.PatientName) for each in objects] == ["Fremd^Franz"]
        (listed,) = [name for name in names if name.lower().endswith("person.json")]
        assert [study["name"] for study in json.loads(made.read(listed))["studies"]] == [franz["name"]]
    for wanted in ({}, {"person": franz["id"], "record": True}):
        asked(officer, "POST", f"requests/{one['id']}/erasure", {"revision": one["revision"]} | wanted, 409)
    asked(officer, "POST", f"requests/{one['id']}/erasure", {"revision": one["revision"], "person": franz["id"]})
    assert [study["name"] for study in asked(officer, "GET", f"requests/{one['id']}/data")["studies"]] == [
        study["name"] for study in studies if study is not franz
    ]


def test_the_clock_reminds_is_made_longer_with_a_reason_and_shows_among_the_promises(
    site: WebSite, officer: Login
) -> None:
    account = site.identity.account_named("anna")
    assert account is not None
    body = {"kind": "objection", "subject": "account", "account_id": str(account.id), "requester": "Anna"}
    assert asked(officer, "POST", "requests", body | {"account_id": None}, 400)["field"] == "subject"
    one = asked(officer, "POST", "requests", body, 201)
    assert asked(officer, "GET", f"requests/{one['id']}/data")["account"]["username"] == "anna"

    def clock() -> tuple[str, str]:
        again = site.login("dora")
        kept = {each["subject"]: each["code"] for each in again.http.get("/api/promises").json()["kept"]}
        return asked(again, "GET", "requests")["requests"][0]["clock"], kept["requests"]

    assert clock() == ("running", "requests-open")
    site.clock.advance(timedelta(days=24))
    assert clock() == ("soon", "requests-soon")
    site.clock.advance(timedelta(days=7))
    assert clock() == ("late", "requests-late")
    dora = site.login("dora")
    longer = {"extended_why": "many studies; told on the 20th", "revision": 1}
    assert asked(dora, "PUT", f"requests/{one['id']}", longer)["clock"] == "running"
    assert asked(dora, "PUT", f"requests/{one['id']}", {"state": "refused", "revision": 2}, 400)["field"] == "answer"
    refused = {"state": "refused", "answer": "the law asks for the record", "told_how": "by post", "revision": 2}
    assert asked(dora, "PUT", f"requests/{one['id']}", refused)["clock"] == "closed"
    assert clock() == ("closed", "requests-none")
