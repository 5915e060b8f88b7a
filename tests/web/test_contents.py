"""What an object holds beyond a plain picture, as the server gives it: to whom, and what is on record."""

from __future__ import annotations

import copy
import io
import time
import uuid

import pydicom
import pytest

from radrelay.access import Grantee, Right, Target, grant
from radrelay.access.models import Grant
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.audit.models import AuditEvent
from radrelay.web.api import films
from radrelay.web.api.documents import KEPT_S
from tests.collection import COLLECTION
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, upload, upload_bytes

REPORT = "test-SR.dcm"


@pytest.fixture
def anna(site: WebSite) -> Login:
    return site.login("anna")


def file_of(dataset: pydicom.Dataset) -> bytes:
    """Return a data set as a file."""
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


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


@pytest.mark.shared
def test_a_document_comes_page_by_page_and_not_by_alias(site: WebSite, anna: Login) -> None:
    upload_bytes(site, anna, {"a.dcm": (COLLECTION / "misc" / "orthanc-tests" / "sample-pdf.dcm").read_bytes()})
    (one,) = instances(anna)
    address = f"/api/instances/{one['id']}/pages"
    assert len(anna.http.get(address).json()["pages"]) >= 1
    assert views(site) == 1
    page = anna.http.get(f"{address}/1", params={"width": 300})
    assert page.headers["content-type"] in ("image/png", "image/jpeg")
    assert anna.http.get(f"{address}/1/text").json()["text"]
    problem = anna.http.get(f"{address}/4999")
    assert (problem.status_code, problem.json()["code"]) == (400, "unreadable-document")
    only_by_alias(site)
    for path in (address, f"{address}/1", f"{address}/1/text"):
        assert anna.http.get(path).json()["code"] == "identity-hidden"


@pytest.mark.shared
def test_a_document_is_read_once_for_its_pages_and_not_given_after_it_went(
    site: WebSite, anna: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_bytes(site, anna, {"a.dcm": (COLLECTION / "misc" / "orthanc-tests" / "sample-pdf.dcm").read_bytes()})
    (one,) = instances(anna)
    read: list[uuid.UUID] = []
    before = InstanceReader.data_set

    def counted(reader: InstanceReader, ref: InstanceRef) -> bytes:
        read.append(ref.id)
        return before(reader, ref)

    monkeypatch.setattr(InstanceReader, "data_set", counted)
    address = f"/api/instances/{one['id']}/pages"
    for path in (address, f"{address}/1", f"{address}/1/text", address):
        assert anna.http.get(path).status_code == 200
    assert read == [uuid.UUID(one["id"])]
    with site.database.write() as session:  # nobody may see it any more
        session.query(Grant).delete()
    assert anna.http.get(f"{address}/1").status_code == 404


@pytest.mark.shared
def test_a_film_comes_in_ranges_and_says_whether_browsers_play_it(site: WebSite, anna: Login) -> None:
    folder = COLLECTION / "codecs" / "video-made"
    upload_bytes(site, anna, {path.name: path.read_bytes() for path in folder.iterdir()})
    films = {}
    for one in instances(anna):
        film = anna.http.get(f"/api/instances/{one['id']}/film").json()
        films[film["media_type"]] = film | {"id": one["id"]}
    mp4, mpeg2 = films["video/mp4"], films["video/mpeg"]
    assert (mp4["playable"], mp4["frames"], mp4["rate"]) == (True, 75, 25)
    address = f"/api/instances/{mp4['id']}/video"
    whole = anna.http.get(address)
    part = anna.http.get(address, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206, b"ftyp", f"bytes 4-7/{len(whole.content)}",
    )  # fmt: skip
    assert len(whole.content) == mp4["bytes"]
    assert anna.http.get(address, headers={"Range": f"bytes={mp4['bytes']}-"}).status_code == 416
    assert not mpeg2["playable"]
    problem = anna.http.get(f"/api/instances/{mpeg2['id']}/video")
    assert (problem.status_code, problem.json()["code"]) == (400, "unplayable-film")
    assert (mp4["family"], mpeg2["family"]) == ("h264", "mpeg2")
    file = anna.http.get(f"/api/instances/{mpeg2['id']}/film/file")
    assert (len(file.content), file.content[:3]) == (mpeg2["bytes"], b"\0\0\1")
    assert (file.headers["content-type"], views(site, "study.download")) == ("video/mpeg", 1)
    only_by_alias(site)
    assert anna.http.get(f"/api/instances/{mpeg2['id']}/film/file").json()["code"] == "identity-hidden"


def test_a_film_put_into_mp4_is_forgotten_soon_for_it_may_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    film = uuid.uuid4()
    later = time.monotonic() + KEPT_S
    films._wrapped.put(film, b"a film")
    assert films._wrapped.get(film) == b"a film"
    monkeypatch.setattr(films._wrapped, "_now", lambda: later + 1)
    films._wrapped.sweep()
    assert films._wrapped.weight == 0


def test_an_image_is_neither_a_document_nor_a_film(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    for path, code in (
        ("pages", "no-document"),
        ("film", "no-film"),
        ("film/file", "no-film"),
        ("video", "no-film"),
        ("waveform", "no-waveform"),
    ):
        problem = anna.http.get(f"/api/instances/{one['id']}/{path}")
        assert (problem.status_code, problem.json()["code"]) == (404, code)


def test_taking_pictures_is_on_record_before_they_are_made(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    address = f"/api/studies/{one['study_id']}/exports"
    wanted = {"form": "png", "named": True, "instance_ids": [one["id"]]}
    noted = anna.http.post(address, json=wanted, headers=anna.headers)
    assert (noted.status_code, noted.json()) == (201, {"instances": 1, "frames": 1})
    with site.database.read() as session:
        (event,) = session.query(AuditEvent).filter(AuditEvent.action == "study.export").all()
        assert event.subject_id == one["study_id"]
    stranger = anna.http.post(address, json=wanted | {"instance_ids": [str(uuid.uuid4())]}, headers=anna.headers)
    assert stranger.status_code == 404
    refused: list[dict[str, object]] = [{"instance_ids": []}, {"form": "bmp"}, {"frames": 0}]
    for wrong in refused:
        assert anna.http.post(address, json=wanted | wrong, headers=anna.headers).status_code == 422


def test_names_are_not_taken_by_who_sees_none_and_nothing_by_who_may_not_download(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    address = f"/api/studies/{one['study_id']}/exports"
    wanted = {"form": "jpeg", "named": False, "instance_ids": [one["id"]]}
    only_by_alias(site)
    assert anna.http.post(address, json=wanted, headers=anna.headers).status_code == 201
    hidden = anna.http.post(address, json=wanted | {"named": True}, headers=anna.headers)
    assert hidden.json()["code"] == "identity-hidden"
    only_by_alias(site, Right.SEE)
    assert anna.http.post(address, json=wanted, headers=anna.headers).status_code == 404
    assert views(site, "study.export") == 1


@pytest.mark.shared
def test_a_slide_says_its_levels_and_hides_its_label_by_alias(site: WebSite, anna: Login) -> None:
    source = pydicom.dcmread(COLLECTION / "seg-sr-wsi" / "highdicom" / "sm_image.dcm")
    label = copy.deepcopy(source)
    label.SOPInstanceUID, label.ImageType = "1.2.3.4", ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    upload_bytes(site, anna, {"a.dcm": file_of(source), "b.dcm": file_of(label)})
    series = instances(anna)[0]["series_id"]
    slide = anna.http.get(f"/api/series/{series}/slide").json()
    assert [(level["columns"], level["tiles"]) for level in slide["pyramids"][0]["levels"]] == [(50, None)]
    assert [image["kind"] for image in slide["images"]] == ["label"]
    only_by_alias(site)
    assert anna.http.get(f"/api/series/{series}/slide").json()["images"] == []


def test_an_ordinary_series_is_no_slide(site: WebSite, anna: Login) -> None:
    upload(site, anna, CT)
    (one,) = instances(anna)
    problem = anna.http.get(f"/api/series/{one['series_id']}/slide")
    assert (problem.status_code, problem.json()["code"]) == (404, "no-slide")
