"""Terms and privacy notice: filled from the real settings, accepted before anything else, provable afterwards."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
import uuid
from typing import Any

import pytest

from radrelay.web import acceptance
from tests.proving import log_in
from tests.web.conftest import PASSWORD, Login, WebSite

NOTICE = {
    "english": "# Privacy\n{controller}\n\n{retention}\n\n{processors}\n\n{officer}; {authority}",
    "german": "# Datenschutz\n{controller}\n\n{retention}\n\n{processors}\n\n{officer}; {authority}",
}
CONTACTS = {
    "controller": "Klinik am See, Seestraße 1", "officer_name": "Dr. Dora Dau", "officer_contact": "dsb@klinik.example",
    "authority_name": "LfDI", "authority_url": "https://lfdi.example", "terms_required": True, "notice_required": True,
    "revision": 0,
}  # fmt: skip
HOST = {
    "name": "Rechenzentrum", "purpose": "betreibt die Maschinen", "country": "DE", "privacy_url": "https://rz.example",
    "agreement": "dpa", "agreed_on": "2025-11-03",
}  # fmt: skip


def asked(login: Login, method: str, path: str, body: object = None, status: int = 200) -> Any:
    answer = login.http.request(method, f"/api/privacy/{path}", json=body, headers=login.headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def publish(root: Login, kind: str, texts: dict[str, str]) -> Any:
    known = {one["kind"]: one for one in asked(root, "GET", "texts")["texts"]}[kind]["draft"]["revision"]
    kept = asked(root, "PUT", f"texts/{kind}/draft", texts | {"revision": known})
    return asked(root, "POST", f"texts/{kind}/versions", {"revision": kept["revision"]}, 201)


def accept_all(login: Login, language: str = "de") -> list[str]:
    owed = asked(login, "GET", "owed")["texts"]
    if owed:
        given = [{"id": one["id"], "sha256": one["sha256"]} for one in owed]
        assert asked(login, "POST", "acceptances", {"texts": given, "language": language}) == {"texts": []}
    return [f"{one['kind']} {one['version']}" for one in owed]


def test_the_notice_says_what_is_set_and_tells_when_it_no_longer_does(site: WebSite) -> None:
    root = site.login("root")
    assert site.client("203.0.113.1").get("/api/privacy/notice").status_code == 404, "nothing is published yet"
    kept = asked(root, "PUT", "contacts", CONTACTS)
    assert kept == CONTACTS | {"revision": 1}
    assert asked(root, "PUT", "contacts", CONTACTS, 409)["code"] == "contacts-changed"
    host = asked(root, "POST", "processors", HOST, 201)
    wrong = asked(root, "PUT", f"processors/{host['id']}", HOST | {"agreed_on": None}, 400)
    assert wrong["code"] == "processor-invalid"
    assert asked(root, "POST", "processors", HOST | {"country": "ZZ"}, 400)["field"] == "country", "no such country"
    assert (
        asked(root, "POST", "processors", HOST | {"privacy_url": "javascript:alert(1)"}, 400)["code"] == wrong["code"]
    )
    bad = asked(root, "PUT", "texts/notice/draft", NOTICE | {"english": "{everything}", "revision": 0}, 400)
    assert (bad["code"], bad["name"]) == ("placeholder-unknown", "everything")
    half = asked(root, "PUT", "texts/notice/draft", NOTICE | {"german": " ", "revision": 0})
    assert asked(root, "POST", "texts/notice/versions", {"revision": 1}, 400)["code"] == "text-incomplete"
    assert asked(root, "PUT", "texts/notice/draft", NOTICE | {"revision": 0}, 409)["code"] == "text-changed"
    assert half["revision"] == 1
    made = publish(root, "notice", NOTICE)
    assert "- DICOM: 2 days" in made["english"]
    assert "- Upload: 7 Tage" in made["german"]
    assert ("- Portals: 7 days" in made["english"], "- Portale: 7 Tage" in made["german"]) == (True, True)
    assert (
        "**Rechenzentrum** (DE): betreibt die Maschinen, AVV (DSGVO Art. 28) vom 2025-11-03, https://rz.example"
        in made["german"]
    )
    assert "Dr. Dora Dau, dsb@klinik.example; LfDI, https://lfdi.example" in made["english"]
    parts = json.dumps(["notice", 1, made["english"], made["german"]], ensure_ascii=False)
    assert made["sha256"] == hashlib.sha256(parts.encode()).hexdigest()
    stranger = site.client("203.0.113.1")
    public = stranger.get("/api/privacy/notice").json()
    own, other = ({"organisation": str(one)} for one in (site.organisation_id, uuid.uuid4()))
    assert stranger.get("/api/privacy/notice", params=own).json() == public
    assert stranger.get("/api/privacy/notice", params=other).status_code == 404, "not the first one's for a link's"
    assert (public["sha256"], public["version"]) == (made["sha256"], 1)
    assert "changed_by" not in public

    accept_all(root)
    assert not _of(root, "notice")["stale"]
    sources = root.http.get("/api/sources").json()["sources"]
    upload = next(one["id"] for one in sources if one["name"] == "Upload")
    changed = root.http.patch(f"/api/sources/{upload}", json={"retention_s": 86400}, headers=root.headers)
    assert changed.status_code == 200, changed.text
    assert _of(root, "notice")["stale"], "the published notice says seven days"
    asked(root, "DELETE", f"processors/{host['id']}", status=204)
    assert "niemand" in publish(root, "notice", NOTICE)["german"]
    assert asked(site.login("root"), "GET", "owed")["texts"][0]["version"] == 2


def _of(login: Login, kind: str) -> Any:
    return next(one for one in asked(login, "GET", "texts")["texts"] if one["kind"] == kind)


def test_nothing_else_is_open_before_the_texts_are_accepted_and_who_accepted_what_is_proven(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, anna = site.login("root"), site.login("anna")
    assert anna.http.get("/api/studies").status_code == 200
    terms = publish(root, "terms", {"english": "Be kind.", "german": "Sei nett."})
    notice = publish_again_after(root, lambda: publish(root, "notice", NOTICE))
    for path in ("/api/studies", "/dicom-web/studies", "/api/system", "/api/openapi.json"):
        refused = anna.http.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "acceptance-wanted"), path
    assert anna.http.get("/api/session").json()["account"]["must_accept"] is True
    again = log_in(site.client(), "anna", PASSWORD)
    assert again.json()["account"]["must_accept"] is True
    machine = {"Authorization": f"Bearer {site.token()}"}
    assert site.client().get("/api/studies", headers=machine).status_code == 200, "a machine accepts nothing"

    forged = {"texts": [{"id": terms["id"], "sha256": notice["sha256"]}], "language": "de"}
    assert asked(anna, "POST", "acceptances", forged, 409)["code"] == "not-the-text"
    one = {"texts": [{"id": terms["id"], "sha256": terms["sha256"]}], "language": "de"}
    assert [left["kind"] for left in asked(anna, "POST", "acceptances", one)["texts"]] == ["notice"]
    assert anna.http.get("/api/studies").status_code == 403
    assert accept_all(anna) == ["notice 1"]
    assert accept_all(anna) == []
    assert anna.http.get("/api/studies").status_code == 200
    assert anna.http.get("/api/session").json()["account"]["must_accept"] is False

    accept_all(root, "en")
    publish(root, "terms", {"english": "Be very kind.", "german": "Sei sehr nett."})
    assert anna.http.get("/api/studies").status_code == 403, "again after a change"
    assert anna.http.get(f"/api/privacy/texts/terms/versions/{1}").status_code == 403
    assert accept_all(anna) == ["terms 2"]
    accept_all(root)
    table = root.http.get("/api/privacy/acceptances").content.decode("utf-8-sig")
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["username"] == "anna"]
    assert [(row["kind"], row["version"], row["language"]) for row in rows] == [
        ("terms", "2", "de"), ("notice", "1", "de"), ("terms", "1", "de"),
    ]  # fmt: skip
    assert rows[2]["sha256"] == terms["sha256"]
    assert asked(root, "GET", "texts/terms/versions/1")["german"] == "Sei nett."
    record = root.http.get("/api/audit", params={"action": "privacy.accept", "actor": "anna"}).json()["events"]
    assert [one["detail"]["version"] for one in record] == [2, 1, 1]

    kept = asked(root, "GET", "contacts")
    asked(root, "PUT", "contacts", kept | {"terms_required": False})
    publish(root, "terms", {"english": "x", "german": "y"})
    assert anna.http.get("/api/studies").status_code == 200, "the site asks for it no more"

    monkeypatch.setattr(acceptance, "FRESH_S", 0.0)
    other = acceptance.Acceptances(site.database)
    account = site.identity.account_named("anna")
    assert account is not None
    assert not other.owes(site.organisation_id, account.id)
    kept = asked(root, "GET", "contacts")
    asked(root, "PUT", "contacts", kept | {"terms_required": True})
    time.sleep(0.001)
    assert other.owes(site.organisation_id, account.id), "another process sees it, too"


def publish_again_after(root: Login, do: Any) -> Any:
    """An administrator accepts the terms like everybody before going on."""
    refused = root.http.get("/api/privacy/texts")
    assert refused.json()["code"] == "acceptance-wanted"
    accept_all(root, "en")
    return do()
