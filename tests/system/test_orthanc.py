"""Orthanc as the PACS at the other end: C-STORE and DICOMweb in both directions, deliveries with receipts."""

from __future__ import annotations

import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydicom
import pytest
from pydicom import dcmread

from radrelay.analysis.objects import write
from radrelay.dicom.phantoms import Kind
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dicomweb import DicomWebConnector
from radrelay.importer.connectors.ports import Item
from tests.analysis.perfusion_result import ORDER, STUDY_UID, analysed
from tests.importer.portal import Kept, outgoing
from tests.system.installation import Installation, tool, until
from tests.system.peers import Orthanc, Storescp, orthanc, storescp
from tests.system.samples import Sample, data_set_of, digests, phantom_files, received, sample

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4"
    "2mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def pacs(radrelay: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Give an Orthanc that knows Radrelay, and that Radrelay knows."""
    with orthanc(tmp_path_factory.mktemp("orthanc"), radrelay) as made:
        yield made


@pytest.fixture(scope="module")
def destination(radrelay: Installation, pacs: Orthanc) -> dict[str, Any]:
    """Enter Orthanc as a destination."""
    wanted = {"name": "PACS", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port}
    made: dict[str, Any] = radrelay.send("POST", "/api/destinations", wanted)
    return made


def put(radrelay: Installation, folder: Path, kind: Kind, seed: int, slices: int = 4) -> list[Sample]:
    """Send a phantom to Radrelay and wait for it."""
    samples = phantom_files(folder, kind, seed=seed, slices=slices)
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    radrelay.wait_study(samples[0].study, len(samples))
    return samples


def delivery(radrelay: Installation, number: str) -> dict[str, Any]:
    found: dict[str, Any] = radrelay.get(f"/api/deliveries/{number}")
    return found


def in_orthanc(pacs: Orthanc, study: str) -> list[bytes]:
    """Return Orthanc's files of a study."""
    wanted = {"Level": "Instance", "Query": {"StudyInstanceUID": study}}
    with pacs.http() as http:
        return [http.get(f"/instances/{name}/file").content for name in pacs.post("/tools/find", wanted)]


def same(pacs: Orthanc, samples: list[Sample]) -> bool:
    found = digests(data_set_of(content) for content in in_orthanc(pacs, samples[0].study))
    return found == digests(item.data_set for item in samples)


def test_destination_answers_echo(radrelay: Installation, destination: dict[str, Any]) -> None:
    answer = radrelay.send("POST", f"/api/destinations/{destination['id']}/echo")
    assert answer["ok"], answer


def test_orthanc_echoes_and_stores_to_radrelay(radrelay: Installation, pacs: Orthanc, tmp_path: Path) -> None:
    pacs.post("/modalities/radrelay/echo", {})
    samples = phantom_files(tmp_path, "ct-head", seed=21)
    names = [pacs.post("/instances", item.path.read_bytes())["ID"] for item in samples]
    pacs.post("/modalities/radrelay/store", names)
    radrelay.wait_study(samples[0].study, len(samples))
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set


def test_orthanc_queries_and_retrieves_by_move(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], tmp_path: Path
) -> None:
    assert destination["ae_title"] == "ORTHANC"
    samples = put(radrelay, tmp_path, "mr-head", 22, 2)
    query = {"Level": "Study", "Query": {"StudyInstanceUID": samples[0].study}}
    asked = pacs.post("/modalities/radrelay/query", query)
    assert len(pacs.get(f"{asked['Path']}/answers")) == 1
    pacs.post(f"{asked['Path']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    assert same(pacs, samples)


def test_delivery_brings_the_study_with_a_receipt_for_each_object(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], tmp_path: Path
) -> None:
    samples = put(radrelay, tmp_path, "ct-chest", 23, 6)
    listed = radrelay.study(samples[0].study)
    assert listed is not None
    asked = radrelay.send("POST", "/api/deliveries", {"study_id": listed["id"], "destination_id": destination["id"]})
    until(lambda: delivery(radrelay, asked["id"])["state"] == "done", "the delivery to end")
    ended = delivery(radrelay, asked["id"])
    assert (ended["sent"], ended["failed"], ended["total"]) == (6, 0, 6)
    assert {receipt["sop_uid"] for receipt in ended["receipts"]} == {item.sop for item in samples}
    assert {receipt["status"] for receipt in ended["receipts"]} == {0}
    assert same(pacs, samples)


def test_rule_sends_under_an_alias_and_the_result_comes_back_to_the_patient(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], tmp_path: Path
) -> None:
    project = radrelay.send("POST", "/api/pseudonyms/projects", {"name": "LUNG"})
    forward = {"kind": "forward", "destination_id": destination["id"], "priority": 0, "project_id": project["id"]}
    chosen = {"field": "called_ae", "test": "is", "values": ["TRIAL"]}
    rule = {"name": "To the trial", "when": [chosen], "actions": [forward]}
    made = radrelay.send("POST", "/api/routing-rules", rule)
    samples = phantom_files(tmp_path, "ct-chest", seed=29, slices=3)
    tool("storescu", "-aec", "TRIAL", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    radrelay.wait_study(samples[0].study, 3)

    def sent() -> Any:
        every = radrelay.get("/api/deliveries")["deliveries"]
        return next((one for one in every if one["project"] == "LUNG" and one["state"] == "done"), None)

    assert until(sent, "the copies to be delivered")["sent"] == 3
    radrelay.send("DELETE", f"/api/routing-rules/{made['id']}")
    assert in_orthanc(pacs, samples[0].study) == []
    [study] = pacs.post("/tools/find", {"Level": "Study", "Query": {"PatientID": "LUNG-*"}})
    original = pydicom.dcmread(samples[0].path, stop_before_pixels=True)
    known = (str(original.PatientName), original.PatientID, *(uid for one in samples for uid in (one.study, one.sop)))
    with pacs.http() as http:
        held = [http.get(f"/instances/{one['ID']}/file").content for one in pacs.get(f"/studies/{study}/instances")]
    assert len(held) == 3
    assert not [value for value in known for content in held if value.encode() in content]
    tags = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT", "SeriesDescription": "Segmented"}
    result = pacs.post("/tools/create-dicom", {"Parent": study, "Tags": tags, "Content": DOT})
    pacs.post("/modalities/radrelay/store", [result["ID"]])
    whole = radrelay.wait_study(samples[0].study, 4)
    assert whole["patient"]["id"] == original.PatientID
    assert not [one for one in radrelay.studies() if one["patient"]["id"].startswith("LUNG")]


def test_delivery_waits_for_orthanc_and_survives_a_killed_worker(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], tmp_path: Path
) -> None:
    samples = put(radrelay, tmp_path, "ct-head", 24, 5)
    listed = radrelay.study(samples[0].study)
    assert listed is not None
    pacs.stop()
    asked = radrelay.send("POST", "/api/deliveries", {"study_id": listed["id"], "destination_id": destination["id"]})
    waiting = until(lambda: (d := delivery(radrelay, asked["id"]))["attempts"] >= 1 and d["error"] and d, "a first try")
    assert waiting["state"] in ("waiting", "running", "queued", "active"), waiting["state"]
    assert waiting["sent"] == 0
    radrelay.kill("work")
    pacs.start()
    until(lambda: delivery(radrelay, asked["id"])["state"] == "done", "the delivery to end", 180)
    assert same(pacs, samples)
    ended = delivery(radrelay, asked["id"])
    assert len(ended["receipts"]) == len(samples)


def test_orthanc_sends_by_stow_and_fetches_by_wado(radrelay: Installation, pacs: Orthanc, tmp_path: Path) -> None:
    samples = phantom_files(tmp_path / "there", "ct-head", seed=25)
    names = [pacs.post("/instances", item.path.read_bytes())["ID"] for item in samples]
    pacs.post("/dicom-web/servers/radrelay/stow", {"Resources": names, "Synchronous": True})
    radrelay.wait_study(samples[0].study, len(samples))
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set

    others = put(radrelay, tmp_path / "here", "mr-head", 26, 3)
    found = pacs.post(
        "/dicom-web/servers/radrelay/qido", {"Uri": "/studies", "Arguments": {"StudyInstanceUID": others[0].study}}
    )
    assert len(found) == 1
    pacs.post("/dicom-web/servers/radrelay/retrieve", {"Resources": [{"Study": others[0].study}], "Synchronous": True})
    assert same(pacs, others)


def enter(radrelay: Installation, **wanted: object) -> str:
    """Enter a destination; returns its id."""
    made: str = radrelay.send("POST", "/api/destinations", wanted)["id"]
    return made


def deliver(radrelay: Installation, study: str, destination: str) -> str:
    listed = radrelay.study(study)
    assert listed is not None
    asked: str = radrelay.send("POST", "/api/deliveries", {"study_id": listed["id"], "destination_id": destination})[
        "id"
    ]
    return asked


def test_delivery_is_done_once_orthanc_has_committed_to_every_object(
    radrelay: Installation, pacs: Orthanc, tmp_path: Path
) -> None:
    node = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port, "commitment": True}
    destination = enter(radrelay, name="PACS that commits", **node)
    samples = put(radrelay, tmp_path, "ct-head", 27, 4)
    asked = deliver(radrelay, samples[0].study, destination)
    until(lambda: delivery(radrelay, asked)["state"] == "done", "Orthanc's report")
    ended = delivery(radrelay, asked)
    assert (ended["sent"], ended["committed"], ended["error"]) == (4, 4, None)
    assert all(receipt["committed_at"] for receipt in ended["receipts"])


def test_orthanc_is_stowed_to_and_takes_a_probe_object_of_nobody(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], tmp_path: Path
) -> None:
    web = enter(radrelay, name="Web", kind="dicomweb", address=f"http://127.0.0.1:{pacs.web_port}/dicom-web")
    samples = put(radrelay, tmp_path, "mr-head", 28, 3)
    asked = deliver(radrelay, samples[0].study, web)
    until(lambda: delivery(radrelay, asked)["state"] == "done", "the delivery to end")
    assert same(pacs, samples)
    for where, first in ((web, "login"), (destination["id"], "echo")):
        trial = radrelay.send("POST", f"/api/destinations/{where}/test", {"probe": True})
        assert ([step["name"] for step in trial["steps"]], trial["ok"]) == ([first, "probe"], True), trial
        (content,) = in_orthanc(pacs, trial["steps"][1]["facts"]["study_uid"])
        assert b"RADRELAY^TEST" in content


def test_a_worker_killed_in_mid_delivery_sends_what_is_missing_and_little_twice(
    radrelay: Installation, tmp_path: Path
) -> None:
    samples = put(radrelay, tmp_path / "sent", "ct-head", 29, 8)
    with storescp(tmp_path / "received", each_anew=True) as receiver:
        slow = max(8, sum(len(item.data_set) for item in samples) // 5000)  # so that all of it takes five seconds
        node = {"ae_title": "SLOW", "host": "127.0.0.1", "port": receiver.port, "kib_per_s": slow}
        destination = enter(radrelay, name="Slow line", **node)
        asked = deliver(radrelay, samples[0].study, destination)
        until(lambda: delivery(radrelay, asked)["sent"] >= 2, "some objects to arrive")
        radrelay.kill("work")
        assert delivery(radrelay, asked)["state"] == "sending"
        radrelay.send("PATCH", f"/api/destinations/{destination}", {"kib_per_s": 0})
        until(lambda: delivery(radrelay, asked)["state"] == "done", "the delivery to end", 180)
        there = [data_set_of(path.read_bytes()) for path in receiver.folder.iterdir()]
        radrelay.send("PATCH", f"/api/destinations/{destination}", {"commitment": True})
        asked = deliver(radrelay, samples[0].study, destination)
        until(lambda: delivery(radrelay, asked)["state"] == "failed", "what storescp says of commitment")
        told = delivery(radrelay, asked)
    assert (told["error"]["code"], told["sent"], told["committed"]) == ("commitment-not-offered", len(samples), 0)
    assert digests(there) == digests(item.data_set for item in samples)
    assert len(there) <= len(samples) + 2


def test_rules_forward_what_a_device_sends_to_two_nodes_and_send_back_nothing_to_where_it_came_from(
    radrelay: Installation, pacs: Orthanc, destination: dict[str, Any], receiver: Storescp, tmp_path: Path
) -> None:
    wanted = {"name": "Archive", "ae_title": "STORESCP", "host": "127.0.0.1", "port": receiver.port}
    archive = radrelay.send("POST", "/api/destinations", wanted)
    scanner = [{"field": "calling_ae", "test": "is", "values": ["CT1", "ORTHANC"]}]
    rules = [
        radrelay.send("POST", "/api/routing-rules", {
            "name": name, "when": scanner, "actions": [{"kind": "forward", "destination_id": to["id"]}],
        })
        for name, to in (("To the archive", archive), ("To the PACS", destination))
    ]  # fmt: skip
    samples = phantom_files(tmp_path / "scanner", "ct-head", seed=91)
    tool("storescu", "-aet", "CT1", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    until(lambda: same(pacs, samples), "the PACS to have what the device sent", 60)
    until(lambda: received(receiver.folder) == digests(item.data_set for item in samples), "the archive, too", 60)
    theirs = phantom_files(tmp_path / "pacs", "mr-head", seed=92)
    names = [pacs.post("/instances", item.path.read_bytes())["ID"] for item in theirs]
    pacs.post("/modalities/radrelay/store", names)
    both = digests(item.data_set for item in samples + theirs)
    until(lambda: received(receiver.folder) == both, "the archive to have what the PACS sent", 60)
    assert effects(radrelay, theirs[0].study) == {
        "To the archive": ("done", ""), "To the PACS": ("skipped", "came-from-there")
    }  # fmt: skip
    sent = {
        one["study_id"] for one in radrelay.get("/api/deliveries")["deliveries"] if one["requested_by"] == "To the PACS"
    }
    listed = radrelay.study(samples[0].study)
    assert listed is not None
    assert sent == {listed["id"]}
    for one in rules:
        radrelay.send("DELETE", f"/api/routing-rules/{one['id']}")


def effects(radrelay: Installation, study: str) -> dict[str, tuple[str, str]]:
    """Return what each rule's one action came to with a study, once both have met it."""

    def met() -> list[dict[str, Any]]:
        listed = radrelay.study(study)
        found = radrelay.get(f"/api/studies/{listed['id']}/rules")["rules"] if listed else []
        return found if len(found) == 2 else []

    found = until(met, "both rules to meet the study", 60)
    return {one["name"]: (one["effects"][0]["state"], one["effects"][0]["reason"]) for one in found}


def test_orthanc_takes_what_is_written_of_a_perfusion_result(pacs: Orthanc, tmp_path: Path) -> None:
    told = write(*analysed(), ORDER, tmp_path)
    files = sorted(tmp_path.glob("*.dcm"))
    tool("storescu", "-R", "-xr", "-aec", "ORTHANC", "localhost", pacs.dicom_port, *files)
    assert len(in_orthanc(pacs, STUDY_UID)) == len(files)
    (found,) = pacs.post("/tools/find", {"Level": "Instance", "Query": {"SOPInstanceUID": told.maps[1].sop_uids[0]}})
    with pacs.http() as http:
        assert http.get(f"/instances/{found}/preview").status_code == 200


def linked(link: str) -> tuple[Item, list[bytes], int]:
    """Return what a link by DICOMweb brings: what was listed, the files, how often it was resumed."""
    connector = DicomWebConnector(outgoing(), AttemptsInMemory(), pause=lambda seconds: None)
    lead = connector.recognise(link)
    assert lead is not None
    errand = connector.open(lead)
    assert errand.ask() == ()
    (item,) = errand.items()
    kept = Kept()
    came = errand.download(item, kept)
    with zipfile.ZipFile(io.BytesIO(kept.bytes)) as archive:
        return item, [archive.read(name) for name in archive.namelist()], came.resumed


def test_the_importer_fetches_a_shared_study_from_orthanc_and_from_radrelay_as_it_is_stored(
    radrelay: Installation, pacs: Orthanc, tmp_path: Path
) -> None:
    samples = phantom_files(tmp_path / "plain", "ct-head", seed=31, slices=4, size=128)
    for one in samples:
        tool("dcmcjpeg", "+e1", one.path, one.path.with_suffix(".jpg"))
    packed = [sample(one.path.with_suffix(".jpg")) for one in samples]
    for one in packed:
        pacs.post("/instances", one.path.read_bytes())
    tool("storescu", "-xs", "localhost", radrelay.dicom_port, *[one.path for one in packed])
    radrelay.wait_study(packed[0].study, len(packed))
    study = f"dicom-web/studies/{packed[0].study}"
    links = [f"{radrelay.base}/{study}?access_token={radrelay.token}", f"http://127.0.0.1:{pacs.web_port}/{study}"]
    for link in links:
        item, files, resumed = linked(link)
        assert (item.files, item.modalities, resumed) == (len(packed), ("CT",), 0)
        assert digests(data_set_of(one) for one in files) == digests(one.data_set for one in packed)
        assert {dcmread(io.BytesIO(one)).file_meta.TransferSyntaxUID for one in files} == {packed[0].transfer_syntax}


@pytest.mark.parametrize("peer", ["orthanc", "radrelay"])
def test_the_importer_goes_on_where_a_peer_was_cut_off(
    radrelay: Installation, pacs: Orthanc, tmp_path: Path, peer: str
) -> None:
    samples = phantom_files(tmp_path, "ct-chest", seed=32, slices=4, size=256)
    for one in samples:
        pacs.post("/instances", one.path.read_bytes())
    tool("storescu", "localhost", radrelay.dicom_port, *[one.path for one in samples])
    radrelay.wait_study(samples[0].study, len(samples))
    port = pacs.web_port if peer == "orthanc" else urlsplit(radrelay.base).port
    assert port is not None
    half = sum(len(one.data_set) for one in samples) // 2
    with cut_off(port, half) as through:
        link = f"http://127.0.0.1:{through}/dicom-web/studies/{samples[0].study}?access_token={radrelay.token}"
        _, files, resumed = linked(link)
    assert resumed == 1
    assert digests(data_set_of(one) for one in files) == digests(one.data_set for one in samples)


@contextmanager
def cut_off(port: int, after: int) -> Iterator[int]:
    """Give a port that leads to another one, and hangs up once in the first answer that is longer than `after`."""
    listening = socket.create_server(("127.0.0.1", 0))
    cut = threading.Event()

    def serve() -> None:
        while True:
            try:
                here, _ = listening.accept()
            except OSError:
                return
            with here, socket.create_connection(("127.0.0.1", port)) as there:
                here.settimeout(20)
                there.sendall(here.recv(65_536))
                passed = 0
                while piece := there.recv(65_536):
                    passed += len(piece)
                    if passed > after and not cut.is_set():
                        cut.set()
                        break
                    here.sendall(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
