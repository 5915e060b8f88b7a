"""What a viewer opens with: the study, its first series and a coarse picture, asked for before its code is there."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from radrelay.access import Right, Target
from radrelay.archive import deletion
from tests.archive.house import slices
from tests.dicom.drawn_objects import bytes_of, content, document
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, grant_to, only_study, revoke_all, upload, upload_bytes


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def test_a_study_and_its_first_series_come_in_one_answer(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    detail = anna.http.get(f"/api/studies/{study}").json()
    series = detail["series"][0]["id"]
    answer = anna.http.get(f"/api/studies/{study}/opening")
    assert answer.json() == {"study": detail, "series": anna.http.get(f"/api/series/{series}").json()}
    assert answer.headers["cache-control"] == "no-store"
    named = anna.http.get(f"/api/studies/{study}/opening", params={"series": series}).json()
    assert named == answer.json()
    elsewhere = anna.http.get(f"/api/studies/{study}/opening", params={"series": str(uuid.uuid4())})
    assert elsewhere.json() == answer.json()
    assert anna.http.get(f"/api/studies/{study}/opening", params={"series": "x"}).status_code == 422


def test_a_glimpse_is_the_first_object_made_small(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    opening = anna.http.get(f"/api/studies/{study}/opening").json()
    answer = anna.http.get(f"/api/studies/{study}/glimpse")
    facts = json.loads(answer.headers["X-Radrelay-Frame"])
    assert answer.headers["X-Radrelay-Instance"] == opening["series"]["instances"][0]["id"]
    assert (facts["rows"], facts["columns"], facts["coarse"]) == (128, 128, [128, 128])
    path = str(get_testdata_file(CT, download=False))
    assert np.array_equal(np.frombuffer(answer.content, "<i2"), pydicom.dcmread(path).pixel_array.reshape(-1))


def test_a_study_without_pictures_has_no_glimpse_and_that_is_no_fault(site: WebSite, anna: Login) -> None:
    words = [content("TEXT", ("121071", "DCM", "Finding"), TextValue="none")]
    upload_bytes(site, anna, {"1.dcm": bytes_of(document("88.11", ("18748-4", "LN", "Report"), words))})
    answer = anna.http.get(f"/api/studies/{only_study(anna)['id']}/glimpse")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_glimpse_follows_what_comes_and_goes(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, {f"{n}.dcm": file for n, file in enumerate(slices(2, first=2))})
    study = only_study(anna)["id"]

    def shown() -> str:
        answers = [anna.http.get(f"/api/studies/{study}/glimpse") for _ in range(2)]  # the second from memory
        first, again = (answer.headers["X-Radrelay-Instance"] for answer in answers)
        opening = anna.http.get(f"/api/studies/{study}/opening").json()
        assert first == again == opening["series"]["instances"][0]["id"]
        return str(first)

    before = shown()
    upload_bytes(site, anna, {"1.dcm": slices(1)[0]})
    after = shown()
    assert after != before
    with site.database.write() as session:
        deletion.delete_instance(session, uuid.UUID(after), site.clock.now())
    assert shown() == before


def test_a_frame_comes_encoded_when_it_is_asked_for_so(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    instance = anna.http.get(f"/api/studies/{study}/opening").json()["series"]["instances"][0]["id"]
    address = f"/api/instances/{instance}/frames/1"
    plain = anna.http.get(f"{address}/pixels").content
    assert anna.http.get(f"{address}/stream").content == plain
    coded = anna.http.get(f"{address}/stream?coded")
    facts = json.loads(coded.headers["X-Radrelay-Frame"])
    assert facts["coding"] == "htj2k"
    assert len(coded.content) - facts["resolution_ends"][-1] in (0, 2)
    assert imagecodecs.htj2k_decode(coded.content).tobytes() == plain


def test_what_a_reader_may_not_see_does_not_open(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    study = only_study(anna)["id"]
    revoke_all(site)
    for what in ("opening", "glimpse"):
        assert anna.http.get(f"/api/studies/{study}/{what}").json()["code"] == "study-not-found"
    grant_to(site, anna, Target("study", uuid.UUID(str(study))), Right.SEE, identity="alias")
    shown = anna.http.get(f"/api/studies/{study}/opening")
    assert shown.status_code == 200
    assert "CompressedSamples" not in shown.text
    assert anna.http.get(f"/api/studies/{study}/glimpse").status_code == 200


def test_the_page_of_a_study_names_what_it_will_ask_for(site: WebSite, anna: Login) -> None:
    study, series = uuid.uuid4(), uuid.uuid4()
    site.services.static_dir.mkdir()
    (site.services.static_dir / "index.html").write_text(PAGE)
    (site.services.static_dir / "manifest.json").write_text(json.dumps(MANIFEST))
    browser = anna.http
    page = browser.get(f"/view?study={study}&series={series}", headers={"Accept-Language": "de-AT"}).text
    assert re.findall(r'as="fetch" href="([^"]+)"', page) == [
        "/api/session",
        f"/api/studies/{study}/opening?series={series}",
        f"/api/studies/{study}/glimpse?series={series}",
    ]
    assert set(re.findall(r'modulepreload" crossorigin href="([^"]+)"', page)) == {
        "/a/view.js",
        "/a/part.js",
        "/a/de.js",
    }
    assert re.findall(r'stylesheet" crossorigin href="([^"]+)"', page) == ["/a/start.css", "/a/view.css"]
    assert page.count("/a/start.") == 2  # the page's own, named once: by two links of different kinds it comes twice
    for address in ("/view", "/view?colour=red", f"/?study={study}"):
        assert "preload" not in browser.get(address).text, address
    stranger = site.client().get(f"/view?study={study}").text  # a 401 that was fetched ahead would outlast the login
    assert "modulepreload" in stranger
    assert 'as="fetch"' not in stranger


PAGE = (
    '<!doctype html><html><head><script type="module" crossorigin src="/a/start.js"></script>'
    '<link rel="stylesheet" crossorigin href="/a/start.css"></head></html>'
)
MANIFEST: dict[str, Any] = {
    "app/pages/View.svelte": {"file": "a/view.js", "css": ["a/view.css"], "imports": ["_part.js", "_start.js"]},
    "_part.js": {"file": "a/part.js", "imports": ["app/pages/View.svelte"]},
    "_start.js": {"file": "a/start.js", "css": ["a/start.css"]},
    "app/i18n/first.de.ts": {"file": "a/de.js"},
    "app/i18n/first.en.ts": {"file": "a/en.js"},
}
