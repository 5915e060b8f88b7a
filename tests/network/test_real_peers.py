"""dcmtk's programs and pynetdicom as the other end of every service."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when imported
    CTImageStorage,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from radrelay.errors import Forbidden, OutOfResources, Unavailable
from radrelay.network import retrieve_provider
from radrelay.network.commitment import deliver_report, make_report
from radrelay.network.ports import Node, Reference, StoreOutcome
from radrelay.routing.commitments import TooManyCommitments
from tests.network.conftest import StartListener
from tests.network.memory import MemoryArchive, encoded, load
from tests.on_a_port import started_on_a_port

Dcmtk = Callable[..., subprocess.CompletedProcess[str]]

SYNTAX_FILES = {
    "explicit little": ("CT_small.dcm", "-xe"),
    "implicit little": ("MR_small_implicit.dcm", "-xi"),
    "explicit big": ("MR_small_bigendian.dcm", "-xb"),
    "deflated": ("image_dfl.dcm", "-xd"),
    "JPEG baseline": ("SC_rgb_jpeg_dcmtk.dcm", "-xy"),
    "JPEG lossless": ("SC_rgb_jpeg_lossy_gdcm.dcm", "-xy"),
    "JPEG 2000": ("JPEG2000.dcm", "-xw"),
    "RLE": ("MR_small_RLE.dcm", "-xr"),
}


def keys(query_level: str, *wanted: str) -> list[str]:
    """Return dcmtk's options for these keys."""
    return [part for key in (f"QueryRetrieveLevel={query_level}", *wanted) for part in ("-k", key)]


def of_study(study_uid: str) -> list[str]:
    return keys("STUDY", f"StudyInstanceUID={study_uid}")


def data_set_of(path: Path) -> bytes:
    meta = dcmread(path, stop_before_pixels=True).file_meta
    return path.read_bytes()[132 + 12 + int(meta.FileMetaInformationGroupLength) :]


def test_echoscu_hears_an_echo(dcmtk: Dcmtk, port: int) -> None:
    answer = dcmtk("echoscu", "-v", "-aec", "RADRELAY", "localhost", port)
    assert answer.returncode == 0
    assert "Received Echo Response (Success)" in answer.stderr + answer.stdout


@pytest.mark.parametrize("kind", SYNTAX_FILES)
def test_storescu_sends_each_transfer_syntax_and_it_is_kept_as_sent(
    dcmtk: Dcmtk, port: int, archive: MemoryArchive, kind: str
) -> None:
    name, option = SYNTAX_FILES[kind]
    found = get_testdata_file(name, download=False)
    assert found is not None, f"{name} is not in pydicom's wheel"
    answer = dcmtk("storescu", "-R", option, "localhost", port, found)
    assert answer.returncode == 0, answer.stderr
    (stored,) = archive.objects.values()
    sent = dcmread(str(found), force=True)
    assert stored.transfer_syntax == sent.file_meta.TransferSyntaxUID
    assert stored.sop_uid == sent.SOPInstanceUID


def test_dcmsend_sends_many_files(
    dcmtk: Dcmtk, port: int, archive: MemoryArchive, ct_path: Path, mr_path: Path
) -> None:
    answer = dcmtk("dcmsend", "-v", "-aec", "RADRELAY", "localhost", port, ct_path, mr_path)
    assert answer.returncode == 0, answer.stderr
    assert len(archive.objects) == 2


def test_storescu_sees_the_ports_status(dcmtk: Dcmtk, port: int, archive: MemoryArchive, ct_path: Path) -> None:
    archive.outcome = StoreOutcome(0xA700, "disk full")
    answer = dcmtk("storescu", "-v", "localhost", port, ct_path)
    assert "OutOfResources" in answer.stderr + answer.stdout
    assert not archive.objects


def test_a_failing_sink_costs_one_object_and_not_the_association(
    node: Node, archive: MemoryArchive, ct_path: Path
) -> None:
    ae = AE("TESTER")
    ae.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    association = ae.associate(node.host, node.port)
    assert association.is_established
    dataset = dcmread(ct_path)
    archive.fail_with = OutOfResources("no room")
    assert association.send_c_store(dataset).Status == 0xA700
    archive.fail_with = ValueError("a fault")
    assert association.send_c_store(dataset).Status == 0x0110
    archive.fail_with = None
    assert association.send_c_store(dataset).Status == 0x0000
    association.release()
    assert archive.aborted == 2


def test_private_sop_class_is_stored_and_others_are_refused(node: Node, archive: MemoryArchive) -> None:
    ae = AE("TESTER")
    for uid in ("1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.1.9"):
        ae.add_requested_context(uid, ["1.2.840.10008.1.2.1"])
    association = ae.associate(node.host, node.port)
    assert [context.abstract_syntax for context in association.accepted_contexts] == ["1.3.12.2.1107.5.9.1"]
    assert {context.result for context in association.rejected_contexts} == {3}
    association.release()


def test_unknown_caller_is_rejected(dcmtk: Dcmtk, port: int, archive: MemoryArchive) -> None:
    archive.refused_callers.add("BADGUY")
    answer = dcmtk("echoscu", "-v", "-aet", "BADGUY", "localhost", port)
    assert answer.returncode != 0
    assert "Calling AE Title Not Recognized" in answer.stderr + answer.stdout


def test_pynetdicom_negotiates_window_roles_and_identity(start: StartListener, archive: MemoryArchive) -> None:
    port = start().addresses[0].port
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 5
    relational = SOPClassExtendedNegotiation()
    relational.sop_class_uid = StudyRootQueryRetrieveInformationModelFind
    relational.service_class_application_information = b"\x01\x01\x01"
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = 1, b"someone"
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_requested_context(CTImageStorage)
    ext_neg: list[Any] = [window, relational, identity, build_role(CTImageStorage, scp_role=True, scu_role=True)]
    association = ae.associate("127.0.0.1", port, ext_neg=ext_neg)
    assert association.is_established
    acceptor = association.acceptor
    assert acceptor.asynchronous_operations == (1, 1)
    assert acceptor.sop_class_extended[StudyRootQueryRetrieveInformationModelFind] == b"\x01\0\0"
    assert acceptor.role_selection[CTImageStorage].scp_role
    assert acceptor.maximum_length == 131072
    list(association.send_c_find(level("STUDY"), StudyRootQueryRetrieveInformationModelFind))
    assert archive.queries[0].relational
    association.release()


def level(name: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = name
    return dataset


@pytest.fixture
def rows(archive: MemoryArchive) -> MemoryArchive:
    archive.rows = [
        {
            0x00100010: ("PN", name),
            0x00100020: ("LO", str(number)),
            0x0020000D: ("UI", f"1.2.{number}"),
            0x00201208: ("IS", "3"),
            0x00280010: ("US", "512"),
        }
        for number, name in enumerate(["Müller^Jürgen", "山田^太郎", "Smith^Ann"])
    ]
    return archive


def test_findscu_finds_names_in_utf8(dcmtk: Dcmtk, port: int, rows: MemoryArchive, tmp_path: Path) -> None:
    answer = dcmtk(
        "findscu", "-S", "-X", "-od", tmp_path, *keys("STUDY", "PatientName", "PatientID=1"), "localhost", port
    )
    assert answer.returncode == 0, answer.stderr
    (match,) = [dcmread(path, force=True) for path in tmp_path.glob("rsp*.dcm")]
    assert match.PatientName == "山田^太郎"
    assert match.SpecificCharacterSet == "ISO_IR 192"
    assert match.QueryRetrieveLevel == "STUDY"
    assert match.RetrieveAETitle == "RADRELAY"
    assert match.Rows == 512


def test_latin1_query_reaches_the_port_decoded(node: Node, rows: MemoryArchive) -> None:
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate(node.host, node.port)
    query = level("STUDY")
    query.SpecificCharacterSet = "ISO_IR 100"
    query.PatientName = "Müller*"
    item = Dataset()
    item.CodeValue = "T-1"
    query.ProcedureCodeSequence = [item]
    statuses = [
        status.Status for status, _ in association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    ]
    association.release()
    assert statuses == [0xFF00, 0x0000]
    received = rows.queries[0]
    assert received.values(0x00100010) == ("Müller*",)
    sequence = received.key(0x00081032)
    assert sequence is not None
    assert sequence.items[0][0].text == "T-1"


@pytest.mark.parametrize(
    ("query_level", "caller", "status"), [("PATIENT", "X", 0xA900), ("", "X", 0xA900), ("STUDY", "STRANGER", 0x0124)]
)
def test_bad_or_forbidden_query_is_answered_with_its_status(
    node: Node, rows: MemoryArchive, query_level: str, caller: str, status: int
) -> None:
    ae = AE(caller)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate(node.host, node.port)
    answers = list(association.send_c_find(level(query_level), StudyRootQueryRetrieveInformationModelFind))
    assert [answer.Status for answer, _ in answers] == [status]
    association.release()


def test_cancelled_query_ends_early(node: Node, archive: MemoryArchive) -> None:
    archive.rows = [{0x00104000: ("LT", "A" * 10_000)}] * 20_000  # more than lies in buffers before the peer cancels
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate(node.host, node.port)
    statuses = []
    for count, (status, _) in enumerate(
        association.send_c_find(level("STUDY"), StudyRootQueryRetrieveInformationModelFind, msg_id=7)
    ):
        statuses.append(status.Status)
        if count == 3:
            association.send_c_cancel(7, query_model=StudyRootQueryRetrieveInformationModelFind)
    association.release()
    assert statuses[-1] == 0xFE00
    assert len(statuses) < 20_000
    assert archive.closed_iterators == 1


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Dcmtk's storescp as a destination: its port and folder."""
    folder = tmp_path / "received"
    folder.mkdir()
    process, port = started_on_a_port(lambda port: ["storescp", "+B", "+xa", "-od", str(folder), str(port)])
    yield port, folder
    process.terminate()
    process.wait()


def test_movescu_moves_to_a_third_node(
    dcmtk: Dcmtk, port: int, archive: MemoryArchive, storescp: tuple[int, Path], ct_path: Path
) -> None:
    stored = load(archive, str(ct_path))
    archive.nodes["DEST"] = Node("127.0.0.1", storescp[0], "DEST", "RADRELAY")
    study = dcmread(ct_path).StudyInstanceUID
    answer = dcmtk("movescu", "-v", "-S", "-aem", "DEST", *of_study(study), "localhost", port)
    assert answer.returncode == 0, answer.stderr
    (received,) = storescp[1].iterdir()
    assert data_set_of(received) == stored.data
    assert stored.data == data_set_of(ct_path)


def test_move_to_an_unknown_node_says_so(dcmtk: Dcmtk, port: int, archive: MemoryArchive, ct_path: Path) -> None:
    answer = dcmtk("movescu", "-d", "-S", "-aem", "NOWHERE", *of_study("1.2"), "localhost", port)
    assert "0xa801" in answer.stderr + answer.stdout


def test_move_to_a_dead_node_counts_failures(node: Node, archive: MemoryArchive, ct_path: Path) -> None:
    stored = load(archive, str(ct_path))
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = free.getsockname()[1]
    archive.nodes["DEST"] = Node("127.0.0.1", dead, "DEST")
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate(node.host, node.port)
    query = level("STUDY")
    query.StudyInstanceUID = dcmread(ct_path).StudyInstanceUID
    (status, failed), *_ = list(association.send_c_move(query, "DEST", StudyRootQueryRetrieveInformationModelMove))
    association.release()
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 1
    assert "nothing listens" in status.ErrorComment
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == stored.sop_uid


def test_getscu_gets_images(
    dcmtk: Dcmtk, port: int, archive: MemoryArchive, ct_path: Path, mr_path: Path, tmp_path: Path
) -> None:
    for path in (ct_path, mr_path):
        load(archive, str(path))
    study = dcmread(ct_path).StudyInstanceUID
    answer = dcmtk("getscu", "-v", "-S", "+B", "-od", tmp_path, *of_study(study), "localhost", port)
    assert answer.returncode == 0, answer.stderr
    (received,) = tmp_path.iterdir()
    assert hashlib.sha256(data_set_of(received)).digest() == hashlib.sha256(data_set_of(ct_path)).digest()


def test_getter_that_takes_only_implicit_gets_a_transcoded_image(
    node: Node, archive: MemoryArchive, ct_path: Path
) -> None:
    load(archive, str(ct_path))
    received: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        assert event.context.transfer_syntax == "1.2.840.10008.1.2"
        received.append(event.dataset)
        return 0x0000

    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage, "1.2.840.10008.1.2")
    association = ae.associate(
        node.host,
        node.port,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    )
    query = level("STUDY")
    query.StudyInstanceUID = dcmread(ct_path).StudyInstanceUID
    *_, (status, _) = association.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)
    association.release()
    assert status.Status == 0x0000
    assert status.NumberOfCompletedSuboperations == 1
    assert received[0].PixelData == dcmread(ct_path).PixelData


@pytest.mark.parametrize("shut", [Forbidden("GETTER is suspended"), Unavailable("the database is away")])
def test_a_getter_that_is_suspended_in_mid_retrieval_gets_no_more_and_hears_what_failed(
    node: Node, archive: MemoryArchive, ct_path: Path, monkeypatch: pytest.MonkeyPatch, shut: Exception
) -> None:
    monkeypatch.setattr(retrieve_provider, "LOOK_EVERY_S", 0.0)
    first = load(archive, str(ct_path))
    for n in range(3):
        dataset = dcmread(ct_path)
        dataset.SOPInstanceUID = f"1.2.3.{n}"
        archive.objects[f"1.2.3.{n}"] = replace(
            first, sop_uid=f"1.2.3.{n}", data=encoded(dataset, first.transfer_syntax)
        )
    received: list[str] = []

    def on_store(event: evt.Event) -> int:
        received.append(event.dataset.SOPInstanceUID)
        archive.shut = shut
        return 0x0000

    ae = AE("GETTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage, first.transfer_syntax)
    association = ae.associate(
        node.host,
        node.port,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    )
    query = level("STUDY")
    query.StudyInstanceUID = dcmread(ct_path).StudyInstanceUID
    *_, (status, failed) = association.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)
    association.release()
    if isinstance(shut, Unavailable):  # nobody can tell, which is no end of anything
        assert (status.Status, len(received)) == (0x0000, 4)
        return
    assert (status.Status, received) == (0xB000, [first.sop_uid])
    assert status.NumberOfFailedSuboperations == 3
    assert failed is not None
    assert list(failed.FailedSOPInstanceUIDList) == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]


def test_getter_without_a_context_for_the_image_hears_which_failed(
    node: Node, archive: MemoryArchive, ct_path: Path
) -> None:
    stored = load(archive, str(ct_path))
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    association = ae.associate(node.host, node.port)
    query = level("STUDY")
    query.StudyInstanceUID = dcmread(ct_path).StudyInstanceUID
    *_, (status, failed) = association.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)
    association.release()
    assert status.Status == 0xA702
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == stored.sop_uid


def test_commitment_is_reported_on_the_same_association(node: Node, archive: MemoryArchive, ct_path: Path) -> None:
    stored = load(archive, str(ct_path))
    reports: list[tuple[int | None, Dataset]] = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return 0x0000, None

    association = ask_commitment(node, stored.sop_class_uid, [stored.sop_uid, "1.2.3.404"], on_report)
    wait_for(lambda: bool(reports))
    association.release()
    event_type, report = reports[0]
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [stored.sop_uid]
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0112]
    assert report.TransactionUID == "1.2.99"
    wait_for(lambda: not archive.promised)


def test_commitment_that_is_not_taken_or_not_waited_for_stays_to_be_reported(
    node: Node, archive: MemoryArchive, ct_path: Path
) -> None:
    stored = load(archive, str(ct_path))
    association = ask_commitment(node, stored.sop_class_uid, [stored.sop_uid], lambda _: (0x0110, None))
    wait_for(lambda: len(archive.unreported_keys) == 1)
    association.release()
    archive.commit_after_s = 0.5
    ask_commitment(node, stored.sop_class_uid, [stored.sop_uid], lambda _: (0x0000, None)).abort()
    wait_for(lambda: len(archive.unreported_keys) == 2)
    assert set(archive.unreported_keys) == set(archive.promised)


def test_commitment_that_cannot_be_made_durable_is_refused(node: Node, archive: MemoryArchive, ct_path: Path) -> None:
    stored = load(archive, str(ct_path))
    archive.refuse_commitment = TooManyCommitments()
    with pytest.raises(AssertionError, match="531"):
        ask_commitment(node, stored.sop_class_uid, [stored.sop_uid], lambda _: (0x0000, None))


def ask_commitment(
    node: Node, sop_class: str, uids: list[str], on_report: Callable[[evt.Event], tuple[int, None]]
) -> Association:
    ae = AE("COMMITTER")
    ae.add_requested_context(StorageCommitmentPushModel)
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, on_report)]
    association = ae.associate(node.host, node.port, evt_handlers=handlers)
    request = Dataset()
    request.TransactionUID = "1.2.99"
    request.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        request.ReferencedSOPSequence.append(item)
    status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
    if status.Status != 0x0000:
        association.release()
    assert status.Status == 0x0000
    return association


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_commitment_report_follows_on_a_new_association_when_the_peer_hung_up(
    node: Node, archive: MemoryArchive, ct_path: Path
) -> None:
    stored = load(archive, str(ct_path))
    reports: list[int | None] = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append(event.event_type)
        return 0x0000, None

    ae = AE("COMMITTER")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    assert server is not None
    assert server.socket is not None
    client = Node("127.0.0.1", server.socket.getsockname()[1], "COMMITTER")
    event, elements = make_report("1.2.99", [Reference("1.2", stored.sop_uid)], {stored.sop_uid}, "RADRELAY")
    deliver_report(client, event, elements)
    server.shutdown()
    assert reports == [1]


def test_pynetdicom_echo_and_unknown_operation(node: Node) -> None:
    ae = AE("TESTER")
    ae.add_requested_context(Verification)
    association = ae.associate(node.host, node.port)
    assert association.send_c_echo().Status == 0
    association.release()
    assert association.is_released
