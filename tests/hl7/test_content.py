"""What is read of messages: patients, visits, merges, orders, reports; and what is refused for what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from radrelay.hl7 import Content, parse, shipped
from radrelay.hl7.content import read
from radrelay.hl7.errors import (
    EventUnsupported,
    FieldBroken,
    FieldMissing,
    MessageRefused,
    SegmentMissing,
    TypeUnsupported,
    VersionUnsupported,
)
from radrelay.hl7.message.datatypes import Coded
from tests.hl7.samples import adt, merge, order


def understood(raw: bytes) -> Content:
    return read(parse(raw), shipped())


def test_admission_tells_who_and_where() -> None:
    content = understood(adt())
    patient, said = content.patient, content.adt
    assert patient is not None
    assert said is not None
    assert (patient.issuer, patient.patient_id, patient.name) == ("HOSPITAL", "4711", "Müller^Anna")
    assert (patient.birth_date, patient.sex, patient.cleared) == (date(1980, 2, 29), "F", frozenset())
    assert (said.event, said.visit.ward, said.visit.room, said.visit.bed) == ("admit", "CHI", "302", "2")
    assert content.change == "patient"
    assert {one.attribute: one.place for one in content.found}["visit.ward"] == "PV1-3.1"


def test_two_quotation_marks_ask_for_deletion_and_nothing_asks_for_nothing() -> None:
    raw = adt("A08").replace(b"||19800229|F", b'||""|')
    patient = understood(raw).patient
    assert patient is not None
    assert (patient.birth_date, patient.sex) == (None, "")
    assert patient.cleared == {"birth_date"}


def test_merge_names_who_goes_on_and_who_is_no_more() -> None:
    content = understood(merge("1", "NEW", "OLD"))
    assert content.adt is not None
    assert [(one.patient.patient_id, one.prior.patient_id, one.prior.issuer) for one in content.adt.merges] == [
        ("NEW", "OLD", "HOSPITAL")
    ]
    assert [one.patient_id for one in content.patients] == ["NEW", "OLD"]
    more = merge("1", "NEW", "OLD") + b"PID|2||N2^^^HOSPITAL||X^Y\rMRG|O2^^^HOSPITAL\r"
    content = understood(more)
    assert content.adt is not None
    assert [one.prior.patient_id for one in content.adt.merges] == ["OLD", "O2"]


@pytest.mark.parametrize(
    ("raw", "error", "at"),
    [
        (adt("A40"), SegmentMissing, "MRG"), (adt("A40", more="MRG|"), FieldMissing, "MRG-1"),
        (merge("1", "A", "A"), FieldBroken, "MRG-1"), (adt(patient_id=""), FieldMissing, "PID-3"),
        (adt(patient_id="1" * 65), FieldBroken, "PID-3"), (adt().replace(b"PID|", b"ZID|"), SegmentMissing, "PID"),
        (adt("A17"), EventUnsupported, "MSH-9.2"), (adt(version="3.0"), VersionUnsupported, "MSH-12"),
        (adt().replace(b"ADT^A01", b"SIU^S12"), TypeUnsupported, "MSH-9.1"),
        (adt().replace(b"ADT^A01", b""), FieldMissing, "MSH-9"), (order(study_uid="1.2.x"), FieldBroken, "IPC-3"),
        (order().replace(b"ORC|NW", b"ORC|"), FieldMissing, "ORC-1"),
        (order().replace(b"PL1|FI1", b"|").replace(b"ACC1", b""), FieldMissing, "ORC-2"),
        (adt().replace(b"ADT^A01", b"ORM^O01"), SegmentMissing, "ORC"),
        (adt().replace(b"ADT^A01", b"ORU^R01"), SegmentMissing, "OBR"),
        (adt().replace(b"ADT^A01", b"MDM^T02"), SegmentMissing, "TXA"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_by_its_place(raw: bytes, error: type[MessageRefused], at: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        understood(raw)
    assert (type(refused.value), refused.value.at) == (error, at)


def test_event_may_stand_in_its_segment_alone() -> None:
    content = understood(adt().replace(b"ADT^A01", b"ADT"))
    assert content.adt is not None
    assert content.adt.event == "admit"


def test_order_is_one_for_each_step() -> None:
    first, second = understood(order()).orders
    assert (first.control, first.status, first.placer_number, first.filler_number) == ("NW", "SC", "PL1", "FI1")
    assert (first.accession_number, first.requested_procedure_id, first.study_uid) == ("ACC1", "RP1", "1.2.3.4")
    assert (first.scheduled_step_id, second.scheduled_step_id) == ("SPS1", "SPS2")
    assert first.procedure == Coded("CTHEAD", "CT Schädel", "99X")
    assert (first.protocol.code, first.modality, first.station_ae_titles) == ("P1", "CT", ("CT_A", "CT_B"))
    assert first.scheduled_at == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    assert (first.priority, first.location, first.requesting_physician) == ("R", "Raum 3", "Groß^Bernhard^^Dr.")


def test_several_orders_in_a_message_are_apart() -> None:
    raw = order(more="ORC|CA|PL2|FI2\rOBR|2|PL2|FI2|MR^MR Knie||||||||||||||ACC2")
    orders = understood(raw).orders
    assert [(one.control, one.placer_number, one.accession_number) for one in orders] == [
        ("NW", "PL1", "ACC1"), ("NW", "PL1", "ACC1"), ("CA", "PL2", "ACC2"),
    ]  # fmt: skip


def test_report_has_its_text_and_its_document() -> None:
    head = adt().replace(b"ADT^A01", b"ORU^R01")
    lines = (
        "OBR|1|PL1|FI1|CT^CT Schädel^99X||||||||||||||ACC1|||||||F|||||||&Groß&Bernhard&&&Dr.",
        "OBX|1|ST|113014^DICOM Study^DCM||1.2.3.4||||||F", "OBX|2|FT|B^Befund||Keine Blutung.\\.br\\Kein Infarkt.~Ende",
        "OBX|3|TX|B^Beurteilung||Unauffällig", "OBX|4|ED|P^PDF||^application^pdf^Base64^JVBERi0\rxLjc=",
        "OBX|5|NM|X||4",
    )  # fmt: skip
    (report,) = understood(head + "\r".join(lines).encode("latin-1")).reports
    assert report.text == "Keine Blutung.\nKein Infarkt.\nEnde\nUnauffällig"
    assert [(one.media_type, one.content, one.name) for one in report.documents] == [
        ("application/pdf", b"%PDF-1.7", "PDF")
    ]
    assert (report.title, report.status, report.accession_number) == ("CT Schädel", "F", "ACC1")
    assert (report.study_uids, report.author) == (("1.2.3.4",), "Groß^Bernhard^^Dr.")


def test_document_that_cannot_be_decoded_refuses_the_message() -> None:
    raw = adt().replace(b"ADT^A01", b"ORU^R01") + b"OBR|1|P|F\rOBX|1|ED|X||^application^pdf^Base64^AAAAA"
    with pytest.raises(FieldBroken) as refused:
        understood(raw)
    assert refused.value.at == "OBX[1]-5.5"
