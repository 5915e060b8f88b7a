"""Documents as entered links: ImagingStudy of R4 and R5, Bundles with reports, manifests of key objects, files."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from radrelay.errors import Unavailable
from radrelay.importer.connectors.documents import DocumentConnector, DocumentErrand
from radrelay.importer.connectors.fhir import Context, led_to_by
from radrelay.importer.connectors.key_objects import studies_in_key_objects
from radrelay.importer.connectors.led_to import StudyThere
from radrelay.importer.errors import (
    AddressRefused,
    HostNotAllowed,
    LinkExpiredThere,
    NothingListed,
    NotThere,
    PageForParcel,
    PortalTrouble,
    PortalUnclear,
    WrongContent,
)
from tests.importer.portal import Answer, Kept, Portal, outgoing, portal
from tests.importer.test_dicomweb import BEARER, FILES, HEADS, PAGE, SERIES, STUDY, Service, waits_for_nothing

PDF = b"%PDF-1.7\n% report\n"
TOKEN_NEEDED = {
    "url": "http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token", "valueBoolean": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def service(running: Portal) -> Service:
    running.answers.clear()
    running.asked.clear()
    return Service(running)


def errand(made: Portal, path: str = "/fhir/ImagingStudy/1") -> DocumentErrand:
    way = outgoing(allows=lambda host: host.startswith("127.0.0.1"))
    connector = DocumentConnector(way, pause=waits_for_nothing)
    lead = connector.recognise(f"http://127.0.0.1:{made.port}{path}")
    assert lead is not None
    return connector.open(lead)


def serve(made: Portal, content: bytes | dict[str, Any], path: str = "/fhir/ImagingStudy/1") -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    made.answers[path] = lambda asked: asked.give(200, body, "application/fhir+json")


def endpoint(made: Portal, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Endpoint", "id": "wado", "status": "active", "address": f"http://127.0.0.1:{made.port}/rs",
        "connectionType": {"code": "dicom-wado-rs"}, "header": [f"Authorization: {BEARER}"], **more,
    }  # fmt: skip


def study(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy", "id": "1", "status": "available", "started": "2024-05-01T10:00:00Z",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}], "numberOfInstances": len(FILES),
        "subject": {"reference": "Patient/p"}, "endpoint": [{"reference": "#wado"}],
        "series": [{"uid": SERIES, "modality": {"code": "CT"}}], **more,
    }  # fmt: skip


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


PATIENT = {
    "resourceType": "Patient", "id": "p", "birthDate": "1970-01-01", "gender": "male",
    "name": [{"family": "Muster", "given": ["Max"]}],
}  # fmt: skip


def objects_of(made: DocumentErrand, number: int = 0) -> list[bytes]:
    kept = Kept()
    came = made.download(made.items()[number], kept)
    assert came.size == len(kept.bytes)
    with zipfile.ZipFile(io.BytesIO(kept.bytes)) as archive:
        return [archive.read(one) for one in archive.namelist()]


def test_a_study_alone_with_its_endpoint_within(service: Service) -> None:
    serve(service.made, study(contained=[endpoint(service.made)]))
    made = errand(service.made)
    assert made.ask() == ()
    (item,) = made.items()
    assert (item.study_uid, item.modalities, item.files) == (STUDY, ("CT",), len(FILES))
    assert objects_of(made) == FILES


def test_a_bundle_as_r5_has_it_with_patient_and_report(service: Service) -> None:
    coded = [{"coding": [{"system": "http://…", "code": "dicom-wado-rs"}]}]
    report = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {
            "contentType": "application/pdf", "title": "Befund", "data": base64.b64encode(PDF).decode(),
        }}],
    }  # fmt: skip
    address = f"http://127.0.0.1:{service.made.port}/rs/studies/{STUDY}"
    there = endpoint(service.made, connectionType=coded, address=address)
    serve(service.made, bundle(PATIENT, study(endpoint=[{"reference": "Endpoint/wado"}]), there, report))
    made = errand(service.made)
    made.answer({})
    item, paper = made.items()
    assert (item.patient_name, str(item.birth_date), item.sex) == ("Muster^Max", "1970-01-01", "M")
    assert objects_of(made) == FILES
    kept = Kept()
    assert made.download(paper, kept).content == "pdf"
    assert kept.bytes == PDF


@pytest.mark.parametrize("field", ["status", "docStatus"])
def test_what_was_entered_in_error_may_be_anothers_and_is_not_fetched(service: Service, field: str) -> None:
    attachment = {"contentType": "application/pdf", "data": base64.b64encode(PDF).decode()}
    report = {"resourceType": "DocumentReference", "content": [{"attachment": attachment}], field: "entered-in-error"}
    wrong = study(identifier=[{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}], status="entered-in-error")
    there = endpoint(service.made)
    serve(service.made, bundle(PATIENT, wrong, study(endpoint=[{"reference": "Endpoint/wado"}]), there, report))
    assert [one.study_uid for one in _asked(errand(service.made)).items()] == [STUDY]


def test_a_series_own_endpoint_goes_before_that_of_the_study(service: Service) -> None:
    made = service.made
    other = endpoint(made, id="query", connectionType={"code": "dicom-qido-rs"})
    series = [{"uid": SERIES, "endpoint": [{"reference": "#query"}, {"reference": "#wado"}]}]
    serve(made, study(contained=[other, endpoint(made)], endpoint=[], series=series))
    assert objects_of(_asked(errand(made))) == FILES
    assert any(path == f"{service.study}/series/{SERIES}" for _, path, _, _ in made.asked)


def test_series_without_a_service_of_their_own_come_from_that_of_their_study(service: Service) -> None:
    made = service.made
    made.answers[f"/other/studies/{STUDY}/series/1.2.9"] = lambda asked: asked.give(204, b"")
    series = [{"uid": "1.2.9", "endpoint": [{"reference": "#other"}]}, {"uid": SERIES}, {"uid": "none"}]
    other = endpoint(made, id="other", address=f"http://127.0.0.1:{made.port}/other")
    serve(made, study(contained=[endpoint(made), other], series=series))
    found = _asked(errand(made))
    assert objects_of(found) == FILES
    paths = [path for _, path, _, _ in made.asked if "/studies/" in path]
    assert paths[:2] == [f"/other/studies/{STUDY}/series/1.2.9", f"{service.study}/series/{SERIES}"]
    assert [one.files for one in found.items() if not one.reachable] == [1]


def _asked(made: DocumentErrand) -> DocumentErrand:
    made.ask()
    return made


def test_an_endpoint_and_a_report_that_the_server_has_besides(service: Service) -> None:
    made = service.made
    serve(made, endpoint(made), "/fhir/Endpoint/wado")
    made.answers["/fhir/Binary/7"] = lambda asked: asked.give(200, PDF, "application/pdf")
    paper = {
        "resourceType": "DiagnosticReport", "presentedForm": [{"contentType": "application/pdf", "url": "Binary/7"}],
    }  # fmt: skip
    serve(made, bundle(study(endpoint=[{"reference": "Endpoint/wado"}]), paper), "/fhir/ImagingStudy/1")
    found = _asked(errand(made))
    assert objects_of(found) == FILES
    kept = Kept()
    found.download(found.items()[1], kept)
    assert kept.bytes == PDF


def key_objects(url: str, study_uid: str = STUDY, sop_class: str = "1.2.840.10008.5.1.4.1.1.88.59") -> bytes:
    """Return a manifest as PS3.3 A.35.4 has it, written by another implementation."""
    manifest, evidence, series = Dataset(), Dataset(), Dataset()
    manifest.SOPClassUID, manifest.SOPInstanceUID = sop_class, "1.2.3.4"
    manifest.StudyInstanceUID, manifest.SeriesInstanceUID = STUDY, "1.2.3.5"
    manifest.PatientName, manifest.PatientBirthDate, manifest.Modality = "Muster^Max", "19700101", "KO"
    series.SeriesInstanceUID, series.RetrieveURL = SERIES, url
    series.ReferencedSOPSequence = []
    for head in HEADS:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = head.sop_class_uid, head.sop_uid
        series.ReferencedSOPSequence.append(one)
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = study_uid, [series]
    manifest.CurrentRequestedProcedureEvidenceSequence = [evidence]
    manifest.file_meta = FileMetaDataset()
    manifest.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = io.BytesIO()
    manifest.save_as(written, enforce_file_format=True)
    return written.getvalue()


def test_a_manifest_of_key_objects_leads_to_its_series(service: Service) -> None:
    made = service.made
    service.guarded = lambda asked: True  # type: ignore[method-assign]
    url = f"http://127.0.0.1:{made.port}{service.study}/series/{SERIES}"
    serve(made, key_objects(url), "/manifest/1")
    found = _asked(errand(made, "/manifest/1"))
    (item,) = found.items()
    assert (item.patient_name, item.files) == ("Muster^Max", len(FILES))
    assert objects_of(found) == FILES


def test_what_a_document_names_without_a_way_there_is_missing(service: Service) -> None:
    """Series and studies without a service, and reports of other kinds; one study in two resources is one."""
    made = service.made
    made.answers["/fhir/Endpoint/gone"] = lambda asked: asked.give(404, b"")
    other = [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.4"}]
    by_series = [
        {"uid": SERIES, "endpoint": [{"reference": "Endpoint/wado"}]},
        {"uid": "1.2.9", "numberOfInstances": 7}, {"uid": "none", "endpoint": [{"reference": "Endpoint/wado"}]},
    ]  # fmt: skip
    report = {"resourceType": "DiagnosticReport", "presentedForm": [
        {"contentType": "text/html", "title": "Befund", "data": "eA=="}, {"contentType": "text/html"},
    ]}  # fmt: skip
    serve(made, bundle(
        endpoint(made), study(endpoint=[], series=by_series), study(endpoint=[{"reference": "Endpoint/wado"}]),
        study(identifier=other, endpoint=[{"reference": "Endpoint/gone"}], series=[]), report,
    ))  # fmt: skip
    found = _asked(errand(made))
    assert [(one.study_uid, one.files, one.description, one.reachable) for one in found.items()] == [
        (STUDY, len(FILES), "", True), (STUDY, 8, "", False), ("1.2.4", len(FILES), "", False),
        ("", None, "Befund", False),
    ]  # fmt: skip
    assert len({one.id for one in found.items()}) == 4
    assert objects_of(found) == FILES


def test_a_search_that_says_to_have_more_than_it_lists(service: Service) -> None:
    found = bundle(study(contained=[endpoint(service.made)]), PATIENT)
    found["entry"][1]["search"] = {"mode": "include"}
    for total, lost in ((1, []), (40, [39]), ("many", [])):
        serve(service.made, found | {"total": total})
        items = _asked(errand(service.made)).items()
        assert [one.files for one in items if not one.reachable] == lost
        assert [one.study_uid for one in items if one.reachable] == [STUDY]


@pytest.mark.parametrize("answer", [
    lambda asked: asked.give(503, b"", Retry_After="7"), lambda asked: asked.head(200, "application/json", 9),
])  # fmt: skip
def test_an_endpoint_that_is_not_there_for_a_moment_is_asked_again(service: Service, answer: Answer) -> None:
    made = service.made
    made.answers["/fhir/Endpoint/2"] = answer
    there = study(identifier=[{"system": "urn:dicom:uid", "value": "1.2.4"}], endpoint=[{"reference": "Endpoint/2"}])
    serve(made, bundle(study(contained=[endpoint(made)]), there))
    with pytest.raises(Unavailable):
        errand(made).ask()


@pytest.mark.parametrize(
    "url", ["", "https://x.example/studies/1.2/series/1.3", f"ftp://x/studies/{STUDY}", "https://x.example/viewer"]
)
def test_a_manifest_that_does_not_say_where_its_images_are(service: Service, url: str) -> None:
    serve(service.made, key_objects(url), "/manifest/1")
    with pytest.raises(NothingListed):
        _asked(errand(service.made, "/manifest/1")).items()
    lost = studies_in_key_objects(key_objects(url)) or []
    assert [(one.item.study_uid, one.item.files, one.item.reachable) for one in lost] == [(STUDY, len(FILES), False)]
    assert not studies_in_key_objects(key_objects(url)[:400])
    assert studies_in_key_objects(FILES[0]) is None  # images are no manifest


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("https://169.254.169.254/latest", AddressRefused),
        ("https://portal.test/rs", HostNotAllowed),
        ("http://portal.test/rs", PortalTrouble),
        ("file:///etc/passwd", PortalTrouble),
    ],
)
def test_an_address_within_a_document_is_judged_like_any(
    service: Service, address: str, error: type[PortalTrouble]
) -> None:
    serve(service.made, study(contained=[endpoint(service.made, address=address)]))
    made = _asked(errand(service.made))
    before = len(service.made.asked)
    with pytest.raises(error):
        made.download(made.items()[0], Kept())
    assert len(service.made.asked) == before


def test_no_address_inside_the_house_is_fetched_even_if_allowed(service: Service) -> None:
    way = outgoing(loopback=False)
    led = StudyThere(*_led(f"https://127.0.0.1:{service.made.port}/rs"))
    with pytest.raises(AddressRefused):
        led.bring(way.session(), Kept(), lambda have, size: None)


def _led(address: str) -> tuple[Any, Any]:
    resource = study(contained=[{
        "resourceType": "Endpoint", "id": "wado", "address": address, "connectionType": {"code": "dicom-wado-rs"},
    }])  # fmt: skip
    (found,) = led_to_by(resource, Context("portal.test"))
    assert isinstance(found, StudyThere)
    return found.item, found.places


@pytest.mark.parametrize(("extension", "given"), [([TOKEN_NEEDED], True), ([], False)])
def test_a_login_goes_to_another_host_only_if_the_endpoint_says_so(
    extension: list[dict[str, Any]],
    given: bool,  # a table
) -> None:
    resource = study(contained=[{
        "resourceType": "Endpoint", "id": "wado", "address": "https://pacs.example/rs", "extension": extension,
        "connectionType": {"code": "dicom-wado-rs"},
    }])  # fmt: skip
    context = Context("fhir.example", "https://fhir.example/r4", {"Authorization": BEARER})
    (found,) = led_to_by(resource, context)
    assert isinstance(found, StudyThere)
    assert found.places[0].credentials == ({"Authorization": BEARER} if given else {})
    assert BEARER not in repr(found)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (200, PAGE, PortalUnclear), (200, b"", PortalUnclear), (200, b'{"a": 1}', PortalUnclear),
        (200, b"[" * 100_000, PortalUnclear), (403, b"", LinkExpiredThere), (404, b"", NotThere),
        (200, b"MZ" + bytes(5000), PortalUnclear),
    ],
)  # fmt: skip
def test_what_is_no_document(service: Service, status: int, content: bytes, error: type[PortalTrouble]) -> None:
    service.made.answers["/d"] = lambda asked: asked.give(status, content)
    with pytest.raises(error):
        errand(service.made, "/d").ask()


def test_files_that_stand_at_the_address_itself(service: Service) -> None:
    for content, kind in ((FILES[0], "dicom"), (PDF, "pdf"), (b"PK\x05\x06" + bytes(18), "zip")):
        serve(service.made, content, "/d")
        made = _asked(errand(service.made, "/d"))
        kept = Kept()
        assert made.download(made.items()[0], kept).content == kind
        assert kept.bytes == content


@pytest.mark.parametrize(("content", "error"), [(PAGE, PageForParcel), (b"MZ" + bytes(5000), WrongContent)])
def test_a_file_within_is_told_by_its_bytes(service: Service, content: bytes, error: type[PortalTrouble]) -> None:
    data = base64.b64encode(content).decode()
    serve(service.made, bundle({"resourceType": "Binary", "contentType": "application/pdf", "data": data}))
    made = _asked(errand(service.made))
    with pytest.raises(error):
        made.download(made.items()[0], Kept())


_TOLD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["#wado", "urn:dicom:uid"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "resourceType", "identifier", "system", "value", "series", "endpoint", "reference", "contained", "uid",
            "connectionType", "code", "coding", "address", "header", "entry", "resource", "content", "attachment",
            "data", "url", "modality", "subject", "name", "given", "started", "extension",
        ]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(_TOLD)
def test_whatever_a_resource_holds_is_read_or_is_nothing(told: object) -> None:
    there = {"id": "wado", "connectionType": {"code": "dicom-wado-rs"}, "header": told, "address": "https://a.example"}
    someone = {"id": "p", "name": [{"given": told, "family": told}], "birthDate": told, "gender": told}
    led_to_by(study(contained=[there, someone], subject={"reference": "#p"}), Context("portal.test"))
    for resource in (bundle(study(extension=told, endpoint=told), {"resourceType": "ImagingStudy", "series": told}),
                     study(subject=told, series=told, identifier=told, contained=told, modality=told)):  # fmt: skip
        led_to_by(resource, Context("portal.test", "https://portal.test/fhir"))
    if isinstance(told, dict):
        led_to_by({**told, "resourceType": "DocumentReference"}, Context("portal.test"))
