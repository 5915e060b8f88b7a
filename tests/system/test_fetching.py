"""Studies fetched from Orthanc: searched, brought by C-MOVE, C-GET and WADO-RS, counted, only what is missing."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from radrelay.app.importing.archives import archived_candidates, archived_holders
from radrelay.importer.arrived import Person
from radrelay.importer.parting import ArrivedPerson
from radrelay.network.ports import TlsFiles
from radrelay.retrieve.dicom import DicomConnector
from radrelay.retrieve.ports import PacsNode
from radrelay.settings import DicomSettings, RetrieveSettings
from tests.ports import free_port
from tests.retrieve.test_dicom import Here
from tests.system.installation import Installation, running, until
from tests.system.peers import Orthanc, orthanc
from tests.system.samples import Sample, changed, data_set_of, phantom_files, sample


@pytest.fixture(scope="module")
def radrelay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    ports = json.dumps([{"name": "KIS", "port": free_port()}])
    settings = {"RADRELAY_RETRIEVE__ENABLED": "true", "RADRELAY_RETRIEVE__RETRY_FIRST_S": "0.5",
                "RADRELAY_HL7__PORTS": ports}  # fmt: skip
    with running(tmp_path_factory.mktemp("fetching"), settings) as made:
        yield made


@pytest.fixture(scope="module")
def pacs(radrelay: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc"), radrelay) as made:
        yield made


@pytest.fixture(scope="module")
def entered(radrelay: Installation, pacs: Orthanc) -> dict[str, str]:
    """Enter Orthanc once for each way of fetching; gives their ids by method."""
    sources = radrelay.get("/api/sources")["sources"]
    source = next(one["id"] for one in sources if one["kind"] == "dicom")
    wanted = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port, "source_id": source}
    web = {"name": "PACS by WADO-RS", "kind": "dicomweb", "address": f"http://127.0.0.1:{pacs.web_port}/dicom-web"}
    made = {"web": radrelay.send("POST", "/api/pacs", web | {"source_id": source})["id"]}
    for method in ("move", "get"):
        answer = radrelay.send("POST", "/api/pacs", wanted | {"name": f"PACS by {method}", "method": method})
        made[method] = answer["id"]
    return made


SEEDS = {"move": 61, "get": 62, "web": 63}


def put(pacs: Orthanc, samples: list[Sample]) -> list[Sample]:
    for item in samples:
        pacs.post("/instances", item.path.read_bytes())
    return samples


def fetched(radrelay: Installation, number: str, state: str = "done") -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        listed = radrelay.get("/api/fetches")["fetches"]
        found = next(one for one in listed if one["id"] == number)
        tried = state != "waiting" or found["error"] is not None
        return found if found["state"] == state and tried else None

    found: dict[str, Any] | None = until(ended, f"a fetch to be {state}", 60)
    assert found is not None
    return found


def ask(radrelay: Installation, pacs_id: str, item: Sample, **more: str) -> str:
    order = {"pacs_id": pacs_id, "study_uid": item.study, **more}
    return str(radrelay.send("POST", "/api/fetches", {"fetches": [order]})["fetches"][0]["id"])


@pytest.mark.parametrize("method", ["move", "get", "web"])
def test_study_is_found_fetched_and_whole(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path, method: str
) -> None:
    samples = put(pacs, phantom_files(tmp_path, "ct-head", seed=SEEDS[method], slices=6))
    look = {"pacs": [entered[method]], "study_uid": samples[0].study}
    found = radrelay.send("POST", "/api/pacs/search", look)
    assert [one["error"] for one in found["asked"]] == [None]
    (study,) = found["studies"]
    assert (study["study_uid"], study["here"]) == (samples[0].study, None)
    series = radrelay.send("POST", f"/api/pacs/{entered[method]}/series", {"study_uid": samples[0].study})
    assert (len(series["series"]), series["error"]) == (1, None)
    end = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (end["here"], end["expected"], end["refused"], end["error"]) == (6, 6, 0, None)
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    (again,) = radrelay.send("POST", "/api/pacs/search", look)["studies"]
    assert (again["here"], again["here_instances"]) == (end["study_id"], 6)


@pytest.mark.parametrize("method", ["move", "get", "web"])
def test_only_what_is_missing_is_fetched(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path, method: str
) -> None:
    samples = phantom_files(tmp_path, "mr-head", seed=SEEDS[method] + 3, slices=5)
    put(pacs, samples[:3])
    first = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (first["here"], first["expected"]) == (3, 3)
    put(pacs, samples[3:])
    second = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (second["here"], second["expected"]) == (len(samples), len(samples))
    nothing = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (nothing["here"], nothing["attempts"]) == (len(samples), 1)


def test_study_that_is_not_there_and_node_that_is_not_there(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path
) -> None:
    unknown = phantom_files(tmp_path, "ct-head", seed=68, slices=1)[0]
    for method in ("get", "web"):
        end = fetched(radrelay, ask(radrelay, entered[method], unknown), "failed")
        assert end["error"]["code"] == "fetched-nothing"
    dead = radrelay.send("POST", "/api/pacs", {
        "name": "Gone", "ae_title": "GONE", "host": "127.0.0.1", "port": 1,
        "source_id": radrelay.get("/api/pacs")["pacs"][0]["source_id"],
    })  # fmt: skip
    found = radrelay.send("POST", "/api/pacs/search", {"patient_id": "nobody"})
    troubles = {one["pacs"]: one["error"] for one in found["asked"]}
    assert troubles.pop(dead["id"])["code"] == "nobody-listens"
    assert set(troubles.values()) == {None}, "one that is away costs the others nothing"
    waiting = ask(radrelay, dead["id"], unknown)
    assert fetched(radrelay, waiting, "waiting")["error"]["code"] == "nobody-listens"
    assert radrelay.send("POST", f"/api/fetches/{waiting}/cancel")["state"] == "cancelled"


def test_a_schedule_shows_what_it_would_fetch_and_fetches_it(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path
) -> None:
    samples = put(pacs, phantom_files(tmp_path, "ct-head", seed=66, slices=2))
    day = dcmread(samples[0].path, stop_before_pixels=True).StudyDate
    back = (datetime.now(UTC).date() - datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()).days
    plan = {"name": "Night", "pacs": [entered["get"]], "times": "0 0 1 1 *", "since_days": back + 1,
            "until_days": max(back - 1, 0), "modalities": ["CT"], "at_once": 4}  # fmt: skip
    tried = radrelay.send("POST", "/api/schedules/try", {"plan": plan})
    would = {one["study_uid"] for one in tried["studies"] if not one["left_by"]}
    assert samples[0].study in would, tried
    number = radrelay.send("POST", "/api/schedules", plan)["id"]
    radrelay.send("POST", f"/api/schedules/{number}/runs")

    def ended() -> dict[str, Any] | None:
        (run,) = radrelay.get(f"/api/schedules/{number}/runs")["runs"]
        return run if run["state"] == "done" else None

    run = until(ended, "a schedule's run to end", 120)
    assert run is not None
    assert (run["fetched"], run["failed"], run["left_out"]) == (len(would), 0, {})
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    again = radrelay.send("POST", "/api/schedules/try", {"plan": plan})["studies"]
    assert {one["left_by"] for one in again if one["study_uid"] in would} == {"here"}


def told(radrelay: Installation, message: bytes) -> bytes:
    """Tell what a hospital's system says by MLLP; gives the answer."""
    (port,) = json.loads(radrelay.settings["RADRELAY_HL7__PORTS"])
    with socket.create_connection(("127.0.0.1", port["port"]), 10) as link:
        link.sendall(b"\x0b" + message.replace(b"\r\n", b"\r").replace(b"\n", b"\r") + b"\x1c\x0d")
        answer = b""
        while b"\x1c\x0d" not in answer:
            answer += link.recv(1 << 16)
    return answer


def of_person(radrelay: Installation, pacs: Orthanc, folder: Path, seed: int, issuer: str, **person: str) -> str:
    """Have Orthanc keep a study of somebody, and enter Orthanc with whom it means by an ID; gives the entry's id."""
    samples = phantom_files(folder / "plain", "ct-head", seed=seed, slices=2)
    said = {"SpecificCharacterSet": "ISO_IR 192", "IssuerOfPatientID": "", **person}
    put(pacs, [sample(changed(one.path, folder / one.path.name, **said)) for one in samples])
    door = {"name": issuer, "kind": "dicom", "ae_title": f"DOOR{seed}", "issuer_of_patient_id": issuer}
    source = radrelay.send("POST", "/api/sources", door)["id"]
    wanted = {"name": issuer, "ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port, "method": "get"}
    return str(radrelay.send("POST", "/api/pacs", wanted | {"source_id": source})["id"])


def ran(radrelay: Installation, schedule: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        runs = radrelay.get(f"/api/schedules/{schedule}/runs")["runs"]
        return next((run for run in runs if run["state"] not in ("waiting", "fetching")), None)

    found: dict[str, Any] | None = until(ended, "a schedule's run to end", 60)
    assert found is not None
    return found


def test_a_wards_studies_and_the_priors_of_an_order_come_as_the_hospitals_system_tells(
    radrelay: Installation, pacs: Orthanc, tmp_path: Path, shared_data: Path
) -> None:
    today = datetime.now(UTC).date()
    kessler = {"PatientID": "2345678", "PatientName": "Kessler^Rösëmarie", "PatientBirthDate": "19880903",
               "PatientSex": "F", "StudyDate": f"{today:%Y%m%d}"}  # fmt: skip
    smith = {"PatientID": "PID_1", "PatientName": "Smith^Lucy^Mark", "PatientBirthDate": "20141014",
             "PatientSex": "F", "StudyDate": f"{today - timedelta(days=400):%Y%m%d}"}  # fmt: skip
    ward = of_person(radrelay, pacs, tmp_path / "ward", 71, "Pappel-Klinik", **kessler)
    priors = of_person(radrelay, pacs, tmp_path / "priors", 72, "ADT1", **smith)
    rounds = {"name": "Round", "pacs": [ward], "times": "0 0 1 1 *", "since_days": 2, "whose": "hl7-ward",
              "wards": ["CHI"]}  # fmt: skip
    assert radrelay.send("POST", "/api/schedules/try", {"plan": rounds})["studies"] == [], "nobody is there yet"
    round_id = radrelay.send("POST", "/api/schedules", rounds)["id"]
    before = {"name": "Before", "kind": "priors", "pacs": [priors], "on_study": False, "same_modality": True}
    before_id = radrelay.send("POST", "/api/schedules", before)["id"]
    for message in ("german/adt-a01-8859-15.hl7", "dcm4che/OMI^O23-ImagingOrder.hl7"):
        answer = told(radrelay, (shared_data / "hl7" / message).read_bytes())
        assert b"MSA|AA|" in answer or b"MSA|CA|" in answer, message  # by MSH-15: taken for good
    run = ran(radrelay, before_id)
    assert (run["reason"], run["found"], run["fetched"], run["left_out"]) == ("order", 1, 1, {})

    def comes() -> bool:
        tried = radrelay.send("POST", "/api/schedules/try", {"plan": rounds})["studies"]
        return [one["patient_id"] for one in tried if not one["left_by"]] == ["2345678"]

    until(comes, "the ward to have its patient", 30)
    radrelay.send("POST", f"/api/schedules/{round_id}/runs")
    run = ran(radrelay, round_id)
    assert (run["found"], run["fetched"], run["failed"]) == (1, 1, 0)
    here = {one["patient"]["id"]: one["instance_count"] for one in radrelay.get("/api/studies")["studies"]}
    assert (here["2345678"], here["PID_1"]) == (2, 2)


def test_one_radrelay_fetches_from_another_by_dicomweb(
    radrelay: Installation, entered: dict[str, str], tmp_path: Path
) -> None:
    samples = phantom_files(tmp_path, "ct-head", seed=69, slices=4)
    with running(tmp_path / "other") as other:
        parts = b"".join(
            b"--b\r\nContent-Type: application/dicom\r\n\r\n" + item.path.read_bytes() + b"\r\n" for item in samples
        )
        with other.http() as http:
            media = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            assert http.post("/dicom-web/studies", content=parts + b"--b--\r\n", headers=media).is_success
        other.wait_study(samples[0].study, 4)
        source = next(one["source_id"] for one in radrelay.get("/api/pacs")["pacs"] if one["id"] == entered["web"])
        made = radrelay.send("POST", "/api/pacs", {
            "name": "The other", "kind": "dicomweb", "address": f"{other.base}/dicom-web", "secret": other.token,
            "source_id": source,
        })  # fmt: skip
        assert radrelay.send("POST", f"/api/pacs/{made['id']}/echo")["ok"]
        (study,) = radrelay.send("POST", "/api/pacs/search", {"pacs": [made["id"]], "study_uid": samples[0].study})[
            "studies"
        ]
        assert (study["study_uid"], study["instances"], study["modalities"]) == (samples[0].study, 4, ["CT"])
        end = fetched(radrelay, ask(radrelay, made["id"], samples[0]))
        assert (end["here"], end["expected"], end["error"]) == (4, 4, None)
        for item in samples:
            assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
        radrelay.send("PATCH", f"/api/pacs/{made['id']}", {"secret": "wrong"})
        found = radrelay.send("POST", "/api/pacs/search", {"pacs": [made["id"]], "patient_id": "x"})
        assert found["asked"][0]["error"]["code"] == "web-refused"


TOLD: list[tuple[str, str, str, str]] = [  # who Orthanc has: character set, name, ID, birth date
    ("ISO_IR 100", "Müller-Groß^Jörg", "K1", "19581103"), ("ISO_IR 192", "Müller-Groß^Jörg", "K2", "19581103"),
    ("", "MUELLER-GROSS^JOERG", "K3", "19581103"), ("ISO_IR 100", "Müller-Groß^Jörg", "K4", "19581104"),
    ("ISO_IR 100", "Maurer^Eva", "K5", "19581103"), ("ISO_IR 100", "Özdemir^Çagla", "K6", "19581105"),
    ("ISO_IR 192", "Łuczak^Żaneta", "K7", "19581106"), ("ISO_IR 144", "Иванова^Мария", "K8", "19581107"),
]  # fmt: skip


def _tell(pacs: Orthanc, folder: Path) -> None:
    made = phantom_files(folder, "ct-head", seed=64, slices=1)[0].path
    for number, (characters, name, patient_id, born) in enumerate(TOLD):
        said = dcmread(made)
        said.SpecificCharacterSet, said.PatientName, said.PatientID = characters or None, name, patient_id
        said.PatientBirthDate, said.PatientSex, said.IssuerOfPatientID = born, "O", ""
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            said[keyword].value = f"{said[keyword].value}.{number}"
        said.file_meta.MediaStorageSOPInstanceUID = said.SOPInstanceUID
        kept = io.BytesIO()
        said.save_as(kept)
        pacs.post("/instances", kept.getvalue())


def test_orthanc_tells_by_c_find_who_somebody_in_an_import_may_be(pacs: Orthanc, tmp_path: Path) -> None:
    _tell(pacs, tmp_path)
    connector = DicomConnector(DicomSettings(), RetrieveSettings(), Here(), TlsFiles())
    node = PacsNode(
        uuid.uuid4(), uuid.uuid4(), "Orthanc", "ORTHANC", "127.0.0.1", pacs.dicom_port, "", tls=False, model="study",
        method="move", source_id=uuid.uuid4(),
    )  # fmt: skip

    def asked(name: str, born: date, *nodes: PacsNode, **limits: float) -> tuple[dict[str, str], tuple[str, ...]]:
        person = Person(name, "EXT", "ELSEWHERE", born, "")
        arrived, settings = ArrivedPerson(person, (person,), ()), RetrieveSettings(**limits)
        found = archived_candidates(connector, nodes or (node,), settings, arrived, born)
        assert {one.person.birth_date for one in found.found} <= {born}
        return {one.person.patient_id: one.person.name for one in found.found}, found.silent

    gross = {"K1": "Müller-Groß^Jörg", "K2": "Müller-Groß^Jörg", "K3": "MUELLER-GROSS^JOERG"}
    for name in ("Müller-Groß^Jörg", "Mueller-Gross^Joerg", "MÜLLER-GROSS^JÖRG", "Muller-Gross^Jorg"):
        assert asked(name, date(1958, 11, 3)) == (gross, ())
    assert asked("Müller-Groß^Jörg", date(1958, 11, 4)) == ({"K4": "Müller-Groß^Jörg"}, ())
    assert asked("Oezdemir^Cagla", date(1958, 11, 5)) == ({"K6": "Özdemir^Çagla"}, ())
    with pacs.http() as http:  # it answers in the one character set that it is set to, and drops what that lacks
        http.put("/tools/default-encoding", content="Utf8").raise_for_status()
    try:
        assert asked("Müller-Groß^Jörg", date(1958, 11, 3)) == (gross, ())
        assert asked("Łuczak^Żaneta", date(1958, 11, 6)) == ({"K7": "Łuczak^Żaneta"}, ())
        assert asked("Иванова^Мария", date(1958, 11, 7)) == ({"K8": "Иванова^Мария"}, ())
    finally:
        with pacs.http() as http:
            http.put("/tools/default-encoding", content="Latin1").raise_for_status()
    assert asked("Schneider^Eva", date(1958, 11, 3)) == ({}, ())
    assert asked("Müller-Groß^Jörg", date(1949, 1, 1)) == ({}, ())
    assert asked("Müller-Groß^Jörg", date(1958, 11, 3), node, search_limit=2)[1] == ("Orthanc",)
    away = replace(node, id=uuid.uuid4(), name="Away", port=free_port())
    assert asked("Müller-Groß^Jörg", date(1958, 11, 3), node, away) == (gross, ("Away",))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = replace(node, id=uuid.uuid4(), name="Slow", port=silent.getsockname()[1])
        limits = {"search_timeout_s": 0.5, "connect_timeout_s": 0.5}
        assert asked("Müller-Groß^Jörg", date(1958, 11, 3), node, slow, **limits) == (gross, ("Slow",))


@contextmanager
def _hanging(*, takes: bool) -> Iterator[int]:
    """Listen for associations that nobody answers, or (`takes`) that are accepted and then hear nothing more."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    if takes:
                        _accept(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # which ends a wait for the next one
            for one in [*held]:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            thread.join()
    for one in held:
        one.close()


def _accept(connection: socket.socket) -> None:
    """Answer an association request: its presentation contexts with their first transfer syntax (PS3.8 9.3.3)."""
    head = connection.recv(6, socket.MSG_WAITALL)
    asked = connection.recv(int.from_bytes(head[2:6]), socket.MSG_WAITALL)
    items, at = b"", 68
    while at < len(asked):
        kind, size = asked[at], int.from_bytes(asked[at + 2 : at + 4])
        whole = asked[at : at + 4 + size]
        if kind == 0x20:
            syntax = whole[whole.index(b"\x40\x00") :]
            syntax = syntax[: 4 + int.from_bytes(syntax[2:4])]
            whole = b"\x21\0" + (4 + len(syntax)).to_bytes(2) + whole[4:5] + b"\0\0\0" + syntax
        items += whole
        at += 4 + size
    body = asked[:68] + items
    connection.sendall(b"\x02\0" + len(body).to_bytes(4) + body)


def test_archives_that_hang_hold_nobody_up_who_waits_for_whose_an_id_is(pacs: Orthanc, tmp_path: Path) -> None:
    _tell(pacs, tmp_path)
    connector = DicomConnector(DicomSettings(), RetrieveSettings(), Here(), TlsFiles())
    node = PacsNode(
        uuid.uuid4(), uuid.uuid4(), "Orthanc", "ORTHANC", "127.0.0.1", pacs.dicom_port, "", tls=False, model="study",
        method="move", source_id=uuid.uuid4(),
    )  # fmt: skip
    with _hanging(takes=False) as mute, _hanging(takes=True) as deaf:
        nodes = [
            replace(node, id=uuid.uuid4(), name="Mute", port=mute), node,
            replace(node, id=uuid.uuid4(), name="Deaf", port=deaf),
        ]  # fmt: skip
        begun = time.monotonic()
        found = archived_holders(connector, nodes, RetrieveSettings(), "K7")
        took = time.monotonic() - begun
    assert [one.person.birth_date for one in found.found] == [date(1958, 11, 6)]
    assert found.silent == ("Deaf", "Mute")
    assert 4 < took < 8
