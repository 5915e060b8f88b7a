"""What somebody gets who asks for their data: all that is on record of them, in words, tables, images and files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pydicom
import pypdfium2
import pytest
import sqlalchemy as sa

from radrelay import access
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_corrections import completed
from tests.web.test_data_subjects import carry_out, compact, entered, issuer_of, verified
from tests.web.test_incidents import asked
from tests.web.test_link_codes import ADDRESS, MAIL
from tests.web.test_links import make
from tests.web.test_studies import CT, file_bytes, of_another_person, only_study, upload_bytes
from tests.web.test_transfers import entered as consented

LETTER = b"%PDF-1.4 a letter of the referrer"
Opened = tuple[dict[str, bytes], Any, str]


@pytest.fixture
def site(tmp_path: Any) -> Any:
    made = open_site(tmp_path, mail=MAIL)
    made.account("root", "admin")
    made.account("dora", "dpo")
    yield made
    close_site(made)


def opened(login: Login, request_id: str, **how: object) -> Opened:
    """Return what lies in an export by name, its JSON, and what its pages say."""
    answer = login.http.get(f"/api/privacy/requests/{request_id}/export.zip", params=how)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    pages = pypdfium2.PdfDocument(files["EXTRAS/person.pdf"])
    text = "\n".join(page.get_textpage().get_text_range() for page in pages)
    pages.close()
    return files, json.loads(files["EXTRAS/person.json"]), " ".join(text.split())


def entry_of(officer: Login, request_id: str) -> Any:
    return next(one for one in asked(officer, "GET", "requests")["requests"] if one["id"] == request_id)


def answered(officer: Login, request_id: str, answer: str) -> None:
    body = {"state": "done", "answer": answer, "told_how": "by post", "verified_how": "identity card, at the desk"}
    asked(officer, "PUT", f"requests/{request_id}", body | {"revision": entry_of(officer, request_id)["revision"]})


def test_a_patient_asks_gets_all_of_it_has_it_restricted_and_then_erased(site: WebSite) -> None:
    root, officer = site.login("root"), site.login("dora")
    upload_bytes(site, root, {"1.dcm": file_bytes(CT), "letter.pdf": LETTER})
    completed(site)
    study: dict[str, Any] = only_study(root)
    consent = consented(officer, note="brought by the daughter")
    link = make(site, root, studies=[study["id"]], protection="email", email=ADDRESS, label="for the daughter")
    one = verified(officer, entered(officer, "access", issuer_of(site)))

    files, told, text = opened(root, one["id"])
    (image,) = (content for name, content in files.items() if name.startswith("DICOM/"))
    assert pydicom.dcmread(io.BytesIO(image)).PixelData == pydicom.dcmread(io.BytesIO(file_bytes(CT))).PixelData
    assert files["EXTRAS/letter.pdf"] == LETTER, "files that came with the images are theirs, too"
    rows = told["rows"]
    (shared,) = rows["share_link"]
    assert (shared["id"], shared["email"], shared["label"]) == (link["link"]["id"], ADDRESS, "for the daughter")
    assert not {"secret_hash", "answer_hash"} & shared.keys()
    (given,) = rows["privacy_transfer"]
    assert (given["id"], given["giver"], given["note"]) == (consent["id"], "Cora Compressed", "brought by the daughter")
    (covered,) = rows["privacy_transfer_study"]
    assert (covered["study_uid"], covered["state"]) == (study["study_uid"], "standing")
    assert [each["file_name"].rpartition("/")[2] for each in rows["attachment"]] == ["letter.pdf"]
    assert (rows["patient"][0]["patient_id"], rows["privacy_request"][0]["verified_by"]) == ("1CT1", "dora")
    assert "account" not in rows
    assert "session" not in rows
    for words in ("Consents that we have on record", "given by Cora Compressed", f"Its codes are sent to {ADDRESS}."):
        assert words in text
    german = opened(root, one["id"], language="de")[2]
    for words in ("Einwilligungen, die wir vermerkt haben", f"Seine Codes gehen an {ADDRESS}.", "noch nicht"):
        assert words in german
    answered(officer, one["id"], "sent to you")

    two = verified(officer, entered(officer, "restriction", issuer_of(site)))
    why = {"ground": "accuracy", "reason": "she says that it is not hers", "revision": two["revision"]}
    asked(officer, "POST", f"requests/{two['id']}/restriction", why, 201)
    assert root.http.get(f"/api/studies/{study['id']}").status_code == 404
    files, told, text = opened(root, two["id"])
    assert [name for name in files if name.startswith("DICOM/")], "a restriction keeps nothing from the person"
    assert told["rows"]["access_restriction"][0]["reason"] == why["reason"]
    assert f"processing is restricted: {why['reason']}" in text
    assert "Our answer: sent to you" in text

    compact(site)
    three = verified(officer, entered(officer, "erasure", issuer_of(site)))
    erased = asked(officer, "POST", f"requests/{three['id']}/erasure", {"revision": three["revision"], "record": True})
    assert [each["id"] for each in erased["proof"]["studies"]] == [study["id"]]
    carry_out(site)
    assert entry_of(officer, three["id"])["proof"]["destroyed_at"] is not None
    files, told, text = opened(root, three["id"])
    assert not [name for name in files if name.startswith("DICOM/")]
    assert (told["studies"], set(told["rows"]) & {"study", "share_link", "attachment", "access_grant"}) == ([], set())
    assert {each["kind"] for each in told["rows"]["privacy_request"]} == {"access", "restriction", "erasure"}
    assert "given by Cora Compressed" in text, "that somebody had agreed stays on record, and is told"
    answered(officer, three["id"], "all is erased")
    closed = root.http.get(f"/api/privacy/requests/{three['id']}/export.zip")
    assert closed.json()["code"] == "request-closed"


def test_of_another_person_under_the_same_id_nothing_is_handed_out(site: WebSite) -> None:
    root, officer = site.login("root"), site.login("dora")
    upload_bytes(site, root, {"1.dcm": file_bytes(CT), "2.dcm": of_another_person()})
    studies = root.http.get("/api/studies").json()["studies"]
    for study in studies:
        make(site, root, studies=[study["id"]], label=study["patient"]["name"])
    consented(officer)
    other = verified(officer, entered(officer, "objection", issuer_of(site), requester="somebody else"))
    one = verified(officer, entered(officer, "access", issuer_of(site)))
    franz = next(study for study in studies if study["patient"]["name"].startswith("Fremd"))
    rows = opened(root, one["id"], person=franz["id"])[1]["rows"]
    assert [row["label"] for row in rows["share_link"]] == [franz["patient"]["name"]]
    assert [row["id"] for row in rows["privacy_request"]] == [one["id"]], other["id"]
    assert "patient" not in rows
    assert {row["id"] for row in rows["study"]} == {franz["id"]}


def test_of_another_person_whose_studies_are_gone_nothing_is_handed_out_either(site: WebSite) -> None:
    root, officer = site.login("root"), site.login("dora")
    upload_bytes(site, root, {"1.dcm": file_bytes(CT), "2.dcm": of_another_person()})
    studies = {study["patient"]["name"]: study for study in root.http.get("/api/studies").json()["studies"]}
    franz = studies.pop("Fremd^Franz")
    (cora,) = studies.values()
    for study in (franz, cora):
        assert root.http.get(f"/api/studies/{study['id']}/archive.zip").status_code == 200
    make(site, root, studies=[franz["id"], cora["id"]])
    issuer = issuer_of(site)
    asks = verified(officer, entered(officer, "objection", issuer, requester="Franz", contact="franz@home.example"))
    gone = verified(officer, entered(officer, "erasure", issuer, requester="Franz"))
    erasure = {"revision": gone["revision"], "person": franz["id"]}
    asked(officer, "POST", f"requests/{gone['id']}/erasure", erasure)

    both = officer.http.get("/api/audit/disclosures", params={"patient_id": "1CT1"})
    assert (both.status_code, both.json()["code"]) == (409, "several-people")
    people = officer.http.get("/api/audit/people", params={"patient_id": "1CT1"}).json()["people"]
    assert {(one["name"], one["study_uid"]) for one in people} == {
        ("CompressedSamples^CT1", cora["study_uid"]), ("Fremd^Franz", franz["study_uid"])
    }, people  # fmt: skip
    for mine, others in ((cora, franz), (franz, cora)):
        wanted = {"patient_id": "1CT1", "study_uid": mine["study_uid"]}
        told_of = officer.http.get("/api/audit/disclosures", params=wanted).text
        assert (mine["study_uid"] in told_of, others["study_uid"] in told_of) == (True, False)
    nobody = officer.http.get("/api/audit/disclosures", params={"patient_id": "1CT1", "study_uid": "1.2.3"})
    assert nobody.status_code == 404

    one = verified(officer, entered(officer, "access", issuer))
    files, told, text = opened(root, one["id"])
    went = files["EXTRAS/disclosures.csv"].decode()
    assert [study["id"] for study in told["studies"]] == [cora["id"]]
    assert went.count(cora["study_uid"]) == 2, "downloaded, and shared"
    for name in ("Franz", "franz@home.example", franz["study_uid"], asks["id"]):
        assert name not in json.dumps(told) + went + text, name
    assert "other_issuers" not in told
    data = asked(officer, "GET", f"requests/{one['id']}/data")
    assert (data["disclosures"], data["unclear"]) == (3, 0)
    for event in officer.http.get("/api/audit", params={"patient_id": "1CT1", "limit": 200}).json()["events"]:
        expected = cora["patient"]["name"] if event["study"] else ""
        if event["study"] and event["study"]["study_uid"] == franz["study_uid"]:
            expected = "Fremd^Franz"
        assert event["patient"]["name"] == expected, "by the ID alone nobody is named: two people have it"

    two = verified(officer, entered(officer, "erasure", issuer))
    whole = {"revision": two["revision"], "record": True}
    refused = asked(officer, "POST", f"requests/{two['id']}/erasure", whole, 409)
    assert (refused["code"], refused["people"]) == ("record-of-several", 2), "the record would forget Franz, too"


def test_what_was_another_patients_until_it_was_corrected_follows_whose_it_is(site: WebSite) -> None:
    root, officer = site.login("root"), site.login("dora")
    upload_bytes(site, root, {"1.dcm": file_bytes(CT), "2.dcm": of_another_person()})
    completed(site)
    studies = {study["patient"]["name"]: study for study in root.http.get("/api/studies").json()["studies"]}
    franz, issuer = studies["Fremd^Franz"], issuer_of(site)
    assert root.http.get(f"/api/studies/{franz['id']}/archive.zip").status_code == 200
    wrong = verified(officer, entered(officer, "correction", issuer, requester="Franz"))
    change = {"revision": wrong["revision"], "studies": [franz["id"]], "values": {"patient_id": "F-1"},
              "reason": "another patient's ID", "carry_out": True}  # fmt: skip
    asked(officer, "POST", f"requests/{wrong['id']}/correction", change)

    cora = verified(officer, entered(officer, "access", issuer))
    files, told, _ = opened(root, cora["id"])
    assert franz["study_uid"] not in json.dumps(told) + files["EXTRAS/disclosures.csv"].decode()
    his = verified(officer, entered(officer, "access", issuer, patient_id="F-1", requester="Franz"))
    files = opened(root, his["id"])[0]
    went = files["EXTRAS/disclosures.csv"].decode()
    assert went.count(franz["study_uid"]) == 1, "what left under the wrong ID is his"


def test_somebody_with_an_account_gets_all_that_is_kept_of_it_and_no_secret(site: WebSite) -> None:
    root, officer = site.login("root"), site.login("dora")
    upload_bytes(site, root, {"1.dcm": file_bytes(CT)})
    account = site.account("anna")
    make(site, site.login("anna"), studies=[only_study(root)["id"]], label="for the daughter")
    with site.database.write() as session:
        set_address = sa.text("UPDATE account SET email = 'anna@clinic.example', affiliation = 'Surgery'")
        session.execute(set_address)
        ward = access.create_group(session, site.organisation_id, "Ward 3", now=site.clock.now())
        access.add_member(session, site.organisation_id, ward.id, "account", str(account))
    anna = site.login("anna")
    anna.http.put("/api/preferences/viewer", json={"value": {}, "revision": 0}, headers=anna.headers)
    body = {"kind": "access", "subject": "account", "account_id": str(account), "requester": "Anna"}
    one = verified(officer, asked(officer, "POST", "requests", body, 201))
    _, told, text = opened(root, one["id"])
    name = site.settings.web.organisation_name
    held = told["account"]
    assert (held["email"], held["affiliation"], held["organisation"]) == ("anna@clinic.example", "Surgery", name)
    for words in ("E-mail address: anna@clinic.example", "Where you work: Surgery", f"Organisation here: {name}"):
        assert words in text
    rows = told["rows"]
    assert (len(rows["account"]), rows["account"][0]["username"]) == (1, "anna")
    login = rows["session"][0]
    assert (login["peer"], "secret_hash" in login, "csrf_token" in login) == ("127.0.0.1", False, False)
    assert rows["access_member"][0]["group_id"] == str(ward.id)
    assert not {"study", "patient"} & rows.keys()
    assert len(rows["share_link"]) == 1
    assert "Links that you made You made a link on 01 March 2026" in text
    assert "for the daughter" not in text, "whose it is, is not told"
    with site.database.read() as session:
        (secret,) = session.execute(sa.text("SELECT password_hash FROM account WHERE username = 'anna'")).one()
    assert secret not in json.dumps(told)
