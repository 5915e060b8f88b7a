"""Reports that come become part of their study under the right patient; what is in doubt stays a message."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app.routing_rules import action_kinds, open_rules
from radrelay.archive.models import Study
from radrelay.audit.disclosures import disclosure_of, left_of
from radrelay.dicom.encapsulate import Placing, StudyContext
from radrelay.dicom.text_report import WrittenReport, text_report_file
from radrelay.hl7.reports import ReceiverUnknown
from radrelay.routing.rules.models import RuleOwed
from radrelay.routing.rules.service import WantedRoutingRule, add_rule
from tests.hl7.hospital import ISSUER, START, Hospital, hospital
from tests.hl7.samples import merge

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"


def report(
    control_id: str = "1", *, patient: str = "4711", name: str = "Müller^Anna", accession: str = "A1",
    issuer: str = "HOSPITAL", document: bytes | None = PDF, text: str = "", status: str = "F",
    kind: str = "Application^PDF", more: str = "",
) -> bytes:  # fmt: skip
    """Return a result with a document or a text."""
    data = "" if document is None else base64.b64encode(document).decode()
    lines = (
        f"MSH|^~\\&|RIS|X|RADRELAY|Y|20260301110000||ORU^R01|{control_id}|P|2.5.1||||||8859/1",
        f"PID|||{patient}^^^{issuer}^PI||{name}||19800229|F",
        "ORC|RE|PL1|FI1",
        f"OBR|1|PL1|FI1|CTHEAD^CT Schädel||||||||||||||{accession}||||20260301103000|||{status}|||||||Groß&Bernhard",
        f"OBX|1|ED|1^Befund||RIS^{kind}^Base64^{data}||||||{status}" if data else "",
        f"OBX|2|TX|2^Befund||{text}||||||{status}" if text else "",
        more,
    )
    return "\r".join(filter(None, lines)).encode("latin-1")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path, coerce=["merges"]) as opened:
        opened.scan(AccessionNumber="A1")
        yield opened


def test_pdf_and_text_become_objects_of_their_study_once(there: Hospital) -> None:
    assert (
        there.tell(report("1"), report("2"), report("3", document=None, text="Kein Tumor.\\.br\\Größe 3 mm."))
        == ["done"] * 3
    )
    there.house.index()
    made = {one.Modality: one for one in there.objects().values() if one.Modality != "CT"}
    assert len(there.objects()) == 3, "the same document twice is one object"
    document, written = made["DOC"], made["SR"]
    assert document.EncapsulatedDocument.rstrip(b"\0") == PDF.rstrip(b"\0")
    for one in (document, written):
        assert (one.StudyInstanceUID, one.PatientID, str(one.PatientName), one.IssuerOfPatientID) == (
            "1.2.3", "4711", "Müller^Anna", "HOSPITAL",
        )  # fmt: skip
        assert (one.SeriesDescription, one.AccessionNumber) == ("CT Schädel", "A1")
    assert written.PreliminaryFlag == "FINAL"
    assert [one.ValueType for one in written.ContentSequence][-1] == "TEXT"
    assert written.ContentSequence[-1].TextValue == "Kein Tumor.\nGröße 3 mm."
    there.finish()
    assert there.quarantined() == 0


def test_report_in_doubt_stays_a_message_with_its_reason_and_can_be_replayed(there: Hospital) -> None:
    there.scan("81", "Huber^Max", "1.2.4", AccessionNumber="A2", PatientBirthDate="19500101", PatientSex="M")
    there.scan(study="1.2.5", AccessionNumber="A3")
    there.scan(study="1.2.6", AccessionNumber="A3")
    assert there.tell(
        report("1", accession="A9"), report("2", accession="A2"), report("3", accession="A3"),
        report("4", issuer=""), report("5", document=None), report("6", status="X"), report("7", issuer="ELSEWHERE"),
        report("8", name="Huber^Xaver"), report("9", kind="Application^RTF"),
        report("10", kind="Application^RTF", text="Unauffällig."),
    ) == [
        "hl7-study-unknown", "hl7-report-of-another", "hl7-study-ambiguous", "hl7-issuer-missing", "hl7-report-empty",
        "hl7-report-withdrawn", "hl7-report-of-another", "hl7-report-of-another", "hl7-report-empty",
        "hl7-report-parts",
    ]  # fmt: skip
    there.house.index()
    assert {one.StudyInstanceUID for one in there.objects().values() if one.Modality != "CT"} == {"1.2.3"}


def test_report_under_an_id_that_was_merged_finds_the_study_of_who_goes_on(there: Hospital) -> None:
    assert (
        there.tell(merge("m", "B", "4711", prior_name="Müller^Anna"), report("1"), report("2", patient="B"))
        == ["done"] * 3
    )
    there.house.index()
    there.finish()
    assert {one.PatientID for one in there.objects().values()} == {"B"}
    assert len(there.objects()) == 2


def _sent(there: Hospital) -> list[tuple[str, str, str]]:
    """Return receiver, type and state of each message that goes out."""
    return [(one.port, one.type, one.state) for one in there.messages() if one.direction == "out"]


def _rules_look(there: Hospital) -> uuid.UUID:
    """Let rules look at the one study there is; returns its id."""
    there.house.index()
    there.finish()
    with there.database.read() as session:
        study_id = session.scalars(sa.select(Study.id)).one()
    open_rules(there.core, there.house.reader).evaluate(there.org, study_id, "complete")
    return study_id


def test_report_goes_out_by_a_rule_once_to_each_receiver_and_not_back(tmp_path: Path) -> None:
    receivers = [
        {"name": "RIS", "host": "ris.example", "port": 1, "application": "RIS"},
        {"name": "Ward", "host": "ward.example", "port": 2, "application": "WARD", "reports": "MDM"},
    ]
    with hospital(tmp_path, receivers=receivers) as there:
        kinds = action_kinds(there.core)
        actions = [{"kind": "report", "receiver": one, "link": True} for one in ("RIS", "Ward")]
        with there.database.write() as session:
            unknown = WantedRoutingRule("Reports", (), ({**actions[0], "receiver": "ELSE"},))
            with pytest.raises(ReceiverUnknown):
                add_rule(session, there.org, unknown, kinds, "root", START)
            add_rule(session, there.org, WantedRoutingRule("Reports", (), tuple(actions)), kinds, "root", START)
        there.scan(AccessionNumber="A1")
        _rules_look(there)
        assert _sent(there) == [], "images are no reports"
        there.tell(report("1"))
        for _ in range(2):
            study_id = _rules_look(there)
            assert _sent(there) == [("Ward", "MDM^T02", "waiting")], "the RIS has sent it"
        sent = there.messages()[-1]
        text = there.seal.open(sent.id, sent.sealed)
        assert base64.b64encode(PDF)[:24] in text
        assert b"/view?requestType=STUDY" in text
        [left] = left_of(there.database, there.org, ISSUER, "4711", (), there.clock.now())
        told = disclosure_of(left)
        assert (told.kind, told.recipient, told.by_kind) == ("forward", "Ward", "system")
        context = StudyContext("1.2.3", "Müller^Anna", "4711", ISSUER, date(1980, 2, 29), "F", accession="A1")
        there.house.land(text_report_file(WrittenReport("No tumour."), context, Placing(START, "1.2.3.8", "1.2.3.8.1")))
        with there.database.write() as session:
            session.add(RuleOwed(study_id=study_id))
        _rules_look(there)
        assert _sent(there)[1:] == [("RIS", "ORU^R01", "held"), ("Ward", "MDM^T02", "held")], "owed since a restore"
