"""dcmtk's programs and pynetdicom against the running system: store, find, move, get, commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from radrelay.dicom.phantoms import KINDS
from tests.system.installation import Installation, keys, tool, until
from tests.system.peers import Storescp
from tests.system.samples import Sample, answers, changed, data_set_of, digests, phantom_files, received

NAMES = {
    "Müller^Jürgen": ("M*ller*", "müll*", "MUELLER*"),
    "Yamada^Tarou=山田^太郎=やまだ^たろう": ("*山田*", "yamada*"),
    "Hong^Gildong=洪^吉洞=홍^길동": ("*洪*", "hong*"),
}


@pytest.fixture(scope="module")
def sent(radrelay: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Sample]]:
    """Send a phantom study of each kind, one by storescu, the others by dcmsend."""
    folder = tmp_path_factory.mktemp("phantoms")
    made: dict[str, list[Sample]] = {}
    made |= {kind: phantom_files(folder / kind, kind, seed=seed, size=128) for seed, kind in enumerate(KINDS)}
    tool("storescu", "-aec", "RADRELAY", "+sd", "localhost", radrelay.dicom_port, folder / "ct-head")
    for kind in KINDS[1:]:
        tool("dcmsend", "-aec", "RADRELAY", "+sd", "localhost", radrelay.dicom_port, folder / kind)
    for samples in made.values():
        radrelay.wait_study(samples[0].study, len(samples))
    return made


def test_what_storescu_sent_is_in_every_list(
    radrelay: Installation, sent: dict[str, list[Sample]], tmp_path: Path
) -> None:
    study = sent["ct-head"][0].study
    listed = radrelay.study(study)
    assert listed is not None
    assert listed["modalities"] == ["CT"]
    assert listed["sources"] == ["DICOM"]
    assert listed["expires_at"] is not None
    [found] = radrelay.get("/dicom-web/studies", StudyInstanceUID=study)
    assert found["00201208"]["Value"] == [len(sent["ct-head"])]
    tool(
        "findscu", "-S", "-X", "-od", tmp_path, *keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"),
        *keys("PatientName", "ModalitiesInStudy", "NumberOfStudyRelatedInstances"), "localhost", radrelay.dicom_port,
    )  # fmt: skip
    [answer] = answers(tmp_path)
    assert answer.NumberOfStudyRelatedInstances == len(sent["ct-head"])
    assert answer.PatientName == dcmread(sent["ct-head"][0].path).PatientName


def find_studies(radrelay: Installation, folder: Path, *pairs: str) -> set[str]:
    folder.mkdir(exist_ok=True)
    tool(
        "findscu", "-S", "-X", "-od", folder, *keys("QueryRetrieveLevel=STUDY", "StudyInstanceUID", *pairs),
        "localhost", radrelay.dicom_port,
    )  # fmt: skip
    return {str(answer.StudyInstanceUID) for answer in answers(folder)}


def test_findscu_narrows_by_wildcard_range_and_list(
    radrelay: Installation, sent: dict[str, list[Sample]], tmp_path: Path
) -> None:
    everything = {samples[0].study for samples in sent.values()}
    assert find_studies(radrelay, tmp_path / "all") >= everything
    for kind, samples in sent.items():
        header = dcmread(samples[0].path, stop_before_pixels=True)
        day = header.StudyDate
        name = str(header.PatientName).split("^", maxsplit=1)[0].split("=", maxsplit=1)[0]
        asked = {
            "date": (f"StudyDate={day}-{day}",),
            "open": (f"StudyDate={day}-", f"PatientID={header.PatientID}"),
            "name": ("SpecificCharacterSet=ISO_IR 192", f"PatientName={name[:3]}*"),
            "modality": (f"ModalitiesInStudy={header.Modality}",),
            "uids": (f"StudyInstanceUID={samples[0].study}\\1.2.3",),
            "accession": (f"AccessionNumber={header.AccessionNumber}",),
        }
        for what, pairs in asked.items():
            assert samples[0].study in find_studies(radrelay, tmp_path / f"{kind}-{what}", *pairs), what
        assert find_studies(radrelay, tmp_path / f"{kind}-none", "PatientID=NOBODY") == set()
        assert find_studies(radrelay, tmp_path / f"{kind}-before", "StudyDate=-19000101") == set()


def test_findscu_finds_umlauts_and_ideographs(
    radrelay: Installation, sent: dict[str, list[Sample]], tmp_path: Path
) -> None:
    for number, name in enumerate(NAMES):
        uid = f"1.2.826.0.1.3680043.8.498.77.{number}"
        path = changed(
            sent["ct-head"][0].path, tmp_path / f"{number}.dcm", PatientName=name, PatientID=f"N{number}",
            SpecificCharacterSet="ISO_IR 192", StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1",
            SOPInstanceUID=f"{uid}.1.1",
        )  # fmt: skip
        tool("storescu", "localhost", radrelay.dicom_port, path)
        radrelay.wait_study(uid, 1)
        for place, pattern in enumerate(NAMES[name]):
            pairs = ("SpecificCharacterSet=ISO_IR 192", f"PatientName={pattern}")
            assert uid in find_studies(radrelay, tmp_path / f"{number}-{place}", *pairs), pattern
            assert uid in {row["study_uid"] for row in radrelay.studies(name=pattern)}, pattern
            listed = radrelay.get("/dicom-web/studies", PatientName=pattern)
            assert uid in {row["0020000D"]["Value"][0] for row in listed}, pattern


@pytest.mark.parametrize("kind", KINDS)
def test_movescu_brings_the_same_bytes_to_storescp(
    radrelay: Installation, sent: dict[str, list[Sample]], receiver: Storescp, kind: str
) -> None:
    name = f"DEST{receiver.port}"
    wanted = {"name": name, "ae_title": name, "host": "127.0.0.1", "port": receiver.port}
    radrelay.send("POST", "/api/destinations", wanted)
    tool(
        "movescu", "-S", "-aem", name, *keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={sent[kind][0].study}"),
        "localhost", radrelay.dicom_port,
    )  # fmt: skip
    assert received(receiver.folder) == digests(item.data_set for item in sent[kind])


def test_getscu_brings_a_study_a_series_and_an_image(
    radrelay: Installation, sent: dict[str, list[Sample]], tmp_path: Path
) -> None:
    samples = sent["mr-head"]
    one = samples[0]
    series = [item for item in samples if item.series == one.series]
    by_series = (f"StudyInstanceUID={one.study}", f"SeriesInstanceUID={one.series}")
    asked = {
        "STUDY": (samples, (f"StudyInstanceUID={one.study}",)),
        "SERIES": (series, by_series),
        "IMAGE": ([one], (*by_series, f"SOPInstanceUID={one.sop}")),
    }
    for level, (wanted, pairs) in asked.items():
        folder = tmp_path / level
        folder.mkdir()
        wanted_keys = keys(f"QueryRetrieveLevel={level}", *pairs)
        tool("getscu", "-S", "+B", "-od", folder, *wanted_keys, "localhost", radrelay.dicom_port)
        assert received(folder) == digests(item.data_set for item in wanted), level


def test_objects_stay_identical_after_compaction(
    radrelay: Installation, sent: dict[str, list[Sample]], tmp_path: Path
) -> None:
    until(radrelay.packs, "packs to be written")
    for samples in sent.values():
        for item in samples:
            assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set, item.path


def test_commitment_is_promised_for_what_is_kept(radrelay: Installation, sent: dict[str, list[Sample]]) -> None:
    reports: list[tuple[int | None, Dataset]] = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return 0x0000, None

    header = dcmread(sent["ct-head"][0].path, stop_before_pixels=True)
    ae = AE("COMMITTER")
    ae.add_requested_context(StorageCommitmentPushModel)
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, on_report)]
    association = ae.associate("127.0.0.1", radrelay.dicom_port, evt_handlers=handlers)
    request = Dataset()
    request.TransactionUID = "1.2.826.0.1.3680043.8.498.99"
    request.ReferencedSOPSequence = []
    for uid in (header.SOPInstanceUID, "1.2.3.404"):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, uid
        request.ReferencedSOPSequence.append(item)
    status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
    assert status.Status == 0x0000
    until(lambda: reports, "the commitment's report")
    association.release()
    event_type, report = reports[0]
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [header.SOPInstanceUID]
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0112]


def test_the_same_object_again_is_taken_and_kept_once(radrelay: Installation, sent: dict[str, list[Sample]]) -> None:
    one = sent["ct-head"][0]
    tool("storescu", "localhost", radrelay.dicom_port, one.path)
    radrelay.wait_study(one.study, len(sent["ct-head"]))
    assert radrelay.instance_uids().count(one.sop) == 1
