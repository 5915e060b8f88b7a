"""Orders make the modality worklist; modalities ask for it by dcmtk, and dcmtk's own server of the same items."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import ModalityPerformedProcedureStep  # type: ignore[attr-defined]  # made on import

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.app.listen import QueryOnDemand, Reception
from radrelay.audit.models import AuditEvent
from radrelay.hl7 import forget_patient, forget_patients
from radrelay.hl7.models import Hl7Patient, PerformedStep, WorklistItem
from radrelay.hl7.worklist import forget_items
from radrelay.hl7.worklist.answering import item_of
from radrelay.intake.sources import SourceBook
from radrelay.network.listener import DicomListener
from radrelay.network.ports import Services, TlsFiles
from radrelay.retrieve.ports import PacsNode
from radrelay.retrieve.worklist import DicomWorklists, WantedItems
from radrelay.retrieve.worklist import WorklistItem as AskedItem
from radrelay.settings import DicomSettings, RetrieveSettings
from tests.hl7.hospital import ISSUER, Hospital, hospital
from tests.hl7.samples import adt, merge
from tests.on_a_port import started_on_a_port

STEP = "ScheduledProcedureStepSequence[0]."
EVERYTHING = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyInstanceUID",
    "RequestedProcedureID", "RequestedProcedureDescription", "RequestedProcedurePriority", "RequestingPhysician",
    "RequestedProcedureCodeSequence[0].CodeValue",
    "RequestedProcedureCodeSequence[0].CodingSchemeDesignator", "RequestedProcedureCodeSequence[0].CodeMeaning",
    *(STEP + one for one in (
        "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality",
        "ScheduledProcedureStepDescription", "ScheduledProcedureStepID",
        "ScheduledProtocolCodeSequence[0].CodeValue", "ScheduledProtocolCodeSequence[0].CodingSchemeDesignator",
    )),
)  # fmt: skip


def order(
    control: str = "NW", number: str = "1", control_id: str = "", *, patient: str = "4711", name: str = "Müller^Anna",
    at: str = "20260301080000", due: str = "20260302083000", status: str = "SC", station: str = "CT_A",
    modality: str = "CT", step: str = "", accession: str = "", priority: str = "R",
    procedure: str = "CTHEAD^CT Schädel",
) -> bytes:  # fmt: skip
    """Return an order's message, in the older form (ORM), or with IPC where a step is named."""
    kind = "OMI^O23" if step else "ORM^O01"
    lines = (
        f"MSH|^~\\&|RIS|X|RADRELAY|Y|{at}||{kind}|{control_id or at + control + number + step[:1]}|P|2.5.1||||||8859/1",
        f"PID|||{patient}^^^HOSPITAL^PI||{name}||19800229|F",
        f"ORC|{control}|PL{number}|FI{number}||{status}",
        f"TQ1|||||||{due}||{priority}",
        f"OBR|1|PL{number}|FI{number}|{procedure}^99X||||||||||||^Groß^Bernhard^^^Dr.||{accession or 'A' + number}"
        f"||||||{modality}",
        f"IPC|{accession or 'A' + number}|RP{number}|1.2.826.{number}|{step}|{modality}|P1^Nativ^99X|S1|R3|{station}"
        if step
        else "",
    )
    return "\r".join(filter(None, lines)).encode("latin-1")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path, coerce=["merges"]) as opened:
        yield opened


def items(there: Hospital) -> list[WorklistItem]:
    with there.database.read() as session:
        found = list(session.scalars(sa.select(WorklistItem).order_by(WorklistItem.id)))
        session.expunge_all()
        return found


def states(there: Hospital) -> dict[str, str]:
    return {one.placer_number: one.state for one in items(there)}


@dataclass
class Asked:
    """What a server answered."""

    answers: list[Dataset]
    log: str

    def told(self, *keywords: str) -> list[tuple[str, ...]]:
        return [tuple(str(_at(one, keyword)) for keyword in keywords) for one in self.answers]


def _at(data: Dataset, path: str) -> object:
    for part in path.split("."):
        name, _, place = part.partition("[")
        value = data.get(name, "")
        if not place:
            return value or ""
        if not value:
            return ""
        data = value[0]
    return ""


def ask(port: int, folder: Path, *keys: str, title: str = "CT_A", called: str = "RADRELAY") -> Asked:
    """Ask as a modality does; keys as findscu's -k has them."""
    assert shutil.which("findscu"), "findscu is not installed: apt-get install dcmtk"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("rsp*"):
        old.unlink()
    given = [part for key in keys for part in ("-k", key)]
    command = ["findscu", "-v", "-W", "-X", "-od", str(folder), "-aet", title, "-aec", called, *given]
    done = subprocess.run([*command, "127.0.0.1", str(port)], capture_output=True, timeout=60, check=False, cwd=folder)
    answers: list[Dataset] = [pydicom.dcmread(one, force=True) for one in sorted(folder.glob("rsp*"))]
    return Asked(answers, (done.stdout + done.stderr).decode("latin-1"))


@contextmanager
def listening(there: Hospital, *granted: str) -> Iterator[int]:
    with there.database.write() as session:
        for title in granted:
            access.grant(
                session,
                there.org,
                Grantee("ae", title),
                Target("organisation"),
                [Right.WORKLIST],
                now=there.clock.now(),
            )
    book = SourceBook(there.database, there.core.settings)
    book.refresh()
    reception = Reception(there.landing, book)
    query = QueryOnDemand(there.core, book)
    listener = DicomListener(
        DicomSettings.model_validate({"port": 0}),
        Services(reception, reception, query=query, worklist=query, performed_steps=query),
    )
    listener.start()
    try:
        yield listener.addresses[0].port
    finally:
        listener.stop(0.0)


def test_orders_are_made_changed_and_ended_whatever_their_order(there: Hospital) -> None:
    there.tell(order(number="1"), order(number="2"), order(number="3"), order(number="4"), order(number="5"))
    assert states(there) == {f"PL{number}": "scheduled" for number in range(1, 6)}
    said = there.tell(
        order("XO", "1", at="20260301090000", due="20260303100000", procedure="CTABD^CT Abdomen"),
        order("CA", "2", at="20260301090000"), order("XO", "2", at="20260301083000"),
        order("DC", "3", at="20260301090000"), order("SC", "4", at="20260301090000", status="CM"),
        order("HD", "5", at="20260301090000"), order("CA", "6", at="20260301090000"), order("NW", "6"),
        order("ZZ", "1", at="20260301093000"), order("XO", "1", patient="99", at="20260301093000"),
        order("NW", "7", accession="A" * 17), order("NW", "8", step="S" * 20), order("NW", "8", step="T" * 20),
    )  # fmt: skip
    assert said == ["done"] * 8 + ["hl7-control", "hl7-order-of-another", "hl7-order-number", "done", "done"]
    assert states(there) == {
        "PL1": "scheduled", "PL2": "cancelled", "PL3": "discontinued", "PL4": "done", "PL5": "held", "PL6": "cancelled",
        "PL8": "scheduled",
    }  # fmt: skip
    assert len(items(there)) == 8, "two steps are two items, however long their IDs"
    first = items(there)[0]
    assert (str(first.scheduled_date), str(first.scheduled_time)) == ("2026-03-03", "10:00:00")
    assert (first.procedure_text, first.patient_id, first.study_uid[:5]) == ("CT Abdomen", "4711", "2.25.")
    there.tell(order("RL", "5", at="20260301100000"))
    assert states(there)["PL5"] == "scheduled"


def test_steps_of_one_order_are_items_of_one_study_and_follow_their_patient(there: Hospital) -> None:
    there.tell(
        order(number="1", step="S1"), order(number="1", step="S2", control_id="b"), order(number="2", patient="N1")
    )
    assert [(one.step_id, one.study_uid) for one in items(there)][:2] == [("S1", "1.2.826.1"), ("S2", "1.2.826.1")]
    there.tell(
        merge("m", "4711", "N1", at="20260301090000", prior_name="Müller^Anna"),
        adt("A08", "n", name="Schmidt^Anna", at="20260301091500"),
        order(number="3", patient="N1", at="20260301093000"),
    )  # fmt: skip
    assert {(one.patient_id, one.patient_name) for one in items(there)} == {("4711", "Schmidt^Anna")}
    assert there.tell(order(number="4", patient="N1", name="Otto^Hans", at="20260301094000")) == [
        "hl7-order-of-another"
    ], "an ID that is no more, under another name"


def test_only_who_was_granted_the_worklist_is_told_and_it_is_on_record(there: Hospital, tmp_path: Path) -> None:
    there.tell(order(number="1"), order(number="2", station="CT_B", step="S1"))
    out = tmp_path / "out"
    with listening(there, "CT_A") as port:
        assert len(ask(port, out, "PatientName", title="CT_A").answers) == 2
        for title in ("CT_B", "VIEWER"):
            refused = ask(port, out, "PatientName", title=title)
            assert not refused.answers
            assert "0x124" in refused.log
    with there.database.read() as session:
        events = list(session.scalars(sa.select(AuditEvent.actor_id).where(AuditEvent.action == "worklist.search")))
    assert events == ["CT_A"]


QUERIES = {
    "all": (),
    "by station": (STEP + "ScheduledStationAETitle=CT_A",),
    "by another station": (STEP + "ScheduledStationAETitle=MR_1", STEP + "Modality=MR"),
    "today": (STEP + "ScheduledProcedureStepStartDate=20260302",),
    "from a day on": (STEP + "ScheduledProcedureStepStartDate=20260303-",),
    "of a time": (STEP + "ScheduledProcedureStepStartTime=080000-090000",),
    "by name": ("PatientName=Huber*",),
    "by patient": ("PatientID=4711",),
    "by accession number": ("AccessionNumber=A2",),
    "by what none has": ("PatientID=nobody",),
}


WANTED: tuple[tuple[WantedItems, list[str]], ...] = (
    (WantedItems(patient_id="4711"), ["4711"]),
    (WantedItems(patient_name="Huber"), ["81", "82"]),
    (WantedItems(accession_number="A1"), ["4711"]),
    (WantedItems(day=date(2026, 3, 3)), ["82"]),
    (WantedItems(day=date(2026, 3, 2), modality="MR"), []),
)


def asked_of(port: int, title: str, wanted: WantedItems) -> tuple[AskedItem, ...]:
    """Ask a worklist as our own client does."""
    node = PacsNode(
        uuid.uuid4(), uuid.uuid4(), "WL", title, "127.0.0.1", port, "CT_A", tls=False, model="study", method="move",
        source_id=uuid.uuid4(), kind="worklist",
    )  # fmt: skip
    return DicomWorklists(DicomSettings(), RetrieveSettings(), TlsFiles()).items(node, wanted, 100).found


def test_modality_is_answered_as_by_wlmscpfs_of_the_same_items(there: Hospital, tmp_path: Path) -> None:
    there.tell(
        order(number="1", step="S1", priority="S"), order(number="2", step="S1", patient="81", name="Huber^Max"),
        order(number="3", step="S1", patient="82", name="Huber^Xaver", modality="MR", station="MR_1",
              due="20260303140000", procedure="MRKN^MR Knie"),
    )  # fmt: skip
    mine, theirs, out = tmp_path / "mine", tmp_path / "wl", tmp_path / "out"
    (theirs / "WL").mkdir(parents=True)
    (theirs / "WL" / "lockfile").touch()
    with listening(there, "CT_A") as port:
        whole = [f"{one}=" for one in EVERYTHING]
        for number, one in enumerate(ask(port, mine, *whole).answers):
            one.file_meta = FileMetaDataset()
            one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            one.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.31")
            one.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{number}")
            one.save_as(theirs / "WL" / f"{number}.wl", enforce_file_format=True)
        assert len(list(theirs.rglob("*.wl"))) == 3
        server, their_port = started_on_a_port(lambda port: ["wlmscpfs", "-dfp", str(theirs), "-csk", str(port)])
        try:
            for name, keys in QUERIES.items():
                asked = [
                    *keys,
                    *(one for one in whole if one.rstrip("=") not in {key.partition("=")[0] for key in keys}),
                ]
                ours, others = ask(port, out, *asked), ask(their_port, out, *asked, called="WL")
                assert sorted(ours.told(*EVERYTHING)) == sorted(others.told(*EVERYTHING)), name
                counts = {"all": 3, "by another station": 1, "by what none has": 0, "by name": 2}
                assert len(ours.answers) == counts.get(name, len(ours.answers)), name
            for wanted, expected in WANTED:
                own, foreign = asked_of(port, "RADRELAY", wanted), asked_of(their_port, "WL", wanted)
                assert sorted(one.patient_id for one in own) == expected, wanted
                assert {replace(one, issuer="") for one in own} == set(foreign), "theirs holds no issuer"
        finally:
            server.terminate()
            server.wait(10)
        (told,) = ask(port, out, *whole, "PatientID=4711").told(*EVERYTHING)
    assert told == (
        "Müller^Anna", "4711", "19800229", "F", "A1", "1.2.826.1", "RP1", "CT Schädel", "STAT", "Groß^Bernhard^^Dr.",
        "CTHEAD", "99X", "CT Schädel", "CT_A", "20260302", "083000", "CT", "Nativ", "S1", "P1", "99X",
    )  # fmt: skip


def test_names_are_found_in_other_character_sets_and_cases_and_what_is_not_asked_is_not_told(
    there: Hospital, tmp_path: Path
) -> None:
    there.tell(order(number="1"))
    with listening(there, "CT_A") as port:
        out = tmp_path / "out"
        for keys in (("SpecificCharacterSet=ISO_IR 100", b"PatientName=M\xfcller*".decode("latin-1")),):
            given = [part for key in keys for part in ("-k", key.encode("latin-1"))]
            done = subprocess.run(
                ["findscu", "-v", "-W", "-aet", "CT_A", "-aec", "RADRELAY", *given, "127.0.0.1", str(port)],
                capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert re.search(rb"Received \d+ Response|Find Response: 1", done.stdout + done.stderr), done
        (answer,) = ask(port, out, "PatientName=muller*").answers
        assert [one.keyword for one in answer if one.keyword != "SpecificCharacterSet"] == ["PatientName"]
        (answer,) = ask(port, out, "ScheduledProcedureStepSequence").answers
        assert answer.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "SCHEDULED"
        assert not ask(port, out, STEP + "ScheduledProcedureStepStartDate=2026030").answers


def test_name_that_dicom_cannot_carry_is_told_without_its_least_parts_and_the_message_says_so(there: Hospital) -> None:
    family, given = "Freifrau-von-und-zu-Hohenstein", "Annemarie-Charlotte"
    names = [f"{family}^{given}^Wilhelmine^Dr. med.", "M" * 70 + "^Anna"]
    said = [there.tell(order(number=str(n), patient=f"47{n}", name=name)) for n, name in enumerate(names)]
    assert said == [["hl7-name-shortened"], ["hl7-name-shortened"]]
    shown = [item_of(one)[0x00100010] for one in items(there)]
    assert shown == [("PN", f"{family}^{given}^Wilhelmine"), ("PN", "M" * 64)]
    assert [one.patient_name for one in items(there)][1] == names[1], "it is kept whole"


def test_what_is_erased_of_a_patient_and_what_is_old_is_kept_no_longer(there: Hospital) -> None:
    there.tell(adt("A01", "1"), order(number="1"), adt("A01", "2", "81"), order(number="2", patient="81"))
    with there.database.write() as session:
        forget_patient(session, there.org, ISSUER, "4711")
        assert [one.patient_id for one in session.scalars(sa.select(WorklistItem))] == ["81"]
        assert [one.patient_id for one in session.scalars(sa.select(Hl7Patient))] == ["81"]
        later = there.clock.now() + timedelta(days=40)
        assert (forget_items(session, later, 60), forget_patients(session, later, 366)) == (0, 0)
        assert (forget_items(session, later, 30), forget_patients(session, later, 30)) == (1, 1)


def test_no_message_of_other_systems_is_more_than_the_program_can_bear(there: Hospital, shared_data: Path) -> None:
    corpus = sorted((shared_data / "hl7").rglob("*.hl7"))
    assert len(corpus) > 60
    there.tell(*(one.read_bytes() for one in corpus))
    found = [(row.state, row.error_code, row.type) for row in there.messages()]
    assert {one[0] for one in found} <= {"done", "failed", "kept", "refused"}
    assert not [one for one in found if one[1] == "error"]
    assert len([one for one in found if one[0] == "done" and one[2].startswith("ADT")]) >= 10


def step(status: str, study_uid: str = "1.2.826.1", step_id: str = "S1", patient: str = "4711") -> Dataset:
    """Return what a modality says of a step that it performs."""
    said, of = Dataset(), Dataset()
    said.PerformedProcedureStepStatus, said.PatientID, said.Modality = status, patient, "CT"
    of.StudyInstanceUID, of.AccessionNumber, of.ScheduledProcedureStepID = study_uid, "A1", step_id
    said.ScheduledStepAttributesSequence = [of]
    return said


def test_what_modalities_perform_is_kept_and_ends_the_items_that_it_is_of(there: Hospital) -> None:
    there.tell(order(number="1", step="S1"), order(number="1", step="S2", control_id="b"), order(number="2", step="S1"))
    ended = Dataset()
    ended.PerformedProcedureStepStatus = "COMPLETED"
    wrong = Dataset()
    wrong.PerformedProcedureStepStatus = "DISCONTINUED"
    wrong.PerformedProcedureStepDiscontinuationReasonCodeSequence = [Dataset()]
    wrong.PerformedProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue = "110514"

    def of_steps() -> list[str]:
        return [one.state for one in items(there)]

    with listening(there, "CT_A") as port:
        entity = AE("CT_A")
        entity.add_requested_context(ModalityPerformedProcedureStep)
        said = entity.associate("127.0.0.1", port, ae_title="RADRELAY")

        def create(uid: str, data: Dataset) -> int:
            return int(said.send_n_create(data, ModalityPerformedProcedureStep, uid)[0].Status)

        def change(uid: str, data: Dataset) -> int:
            return int(said.send_n_set(data, ModalityPerformedProcedureStep, uid)[0].Status)

        assert create("1.2.9.1", step("COMPLETED")) == 0x0120
        assert create("1.2.9.1", step("IN PROGRESS")) == 0
        assert of_steps() == ["started", "scheduled", "scheduled"]
        assert create("1.2.9.1", step("IN PROGRESS")) == 0x0111
        assert change("1.2.9.7", ended) == 0x0112
        assert create("1.2.9.2", step("IN PROGRESS", "1.2.826.2", patient="81")) == 0
        assert of_steps() == ["started", "scheduled", "scheduled"], "another patient's step touches nothing"
        assert change("1.2.9.1", ended) == 0
        assert change("1.2.9.1", ended) == 0x0110
        assert create("1.2.9.3", step("IN PROGRESS", step_id="S2")) == 0
        assert change("1.2.9.3", wrong) == 0
        assert of_steps() == ["done", "scheduled", "scheduled"], "the wrong entry was chosen: it is still to be done"
        said.release()
        stranger = AE("CT_B")
        stranger.add_requested_context(ModalityPerformedProcedureStep)
        said = stranger.associate("127.0.0.1", port, ae_title="RADRELAY")
        assert create("1.2.9.4", step("IN PROGRESS")) == 0x0124
        said.release()
    with there.database.read() as session:
        kept = session.scalars(sa.select(PerformedStep).order_by(PerformedStep.sop_uid)).all()
        assert [one.state for one in kept] == ["COMPLETED", "IN PROGRESS", "DISCONTINUED"]
        assert '"00080060": ["CS", "CT"]' in kept[0].said
