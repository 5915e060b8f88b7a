"""Real messages of other systems: what each is answered, and whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from radrelay.hl7 import shipped
from radrelay.hl7.message import parse, write
from radrelay.hl7.trying import try_bytes
from tests.hl7.samples import msa

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAKEN = [
    "ADT-A01-01",
    "ADT-A02-01",
    "ADT-A03-01",
    "ADT-A04-01",
    "ADT-A05-01",
    "ADT-A06-01",
    "ADT-A07-01",
    "ADT-A08-01",
    "ADT-A11-01",
    "ADT-A13-01",
    "ADT-A28-01",
    "ADT-A31-01",
    "ADT-A47-01",
    "ADT01-23",
    "ADT04-23",
    "ADT04-28",
    "ADT^A31-UpdatePersonInfo",
    "ADT^A31-UpdatePersonInfo-Veterinary",
    "ADT^A40-PatientMerge",
    "ADT^A47-ChangePatientID",
    "LAB-ORM-1",
    "LAB-ORU-2",
    "MDM-T02-01",
    "OMG^O19-GeneralClinicalOrder-Eyecare",
    "OMI^O23-ImagingOrder",
    "ORM-O01-02",
    "ORM-O01-04",
    "ORM-O01-06",
    "ORM^O01-GeneralOrder",
    "ORU-R01-RMGEAD",
    "ORU^R01-CDA",
    "ORU^R01-PDF",
    "ORU^R01-SR",
    "mdm-t02-base64-pdf",
]
EVENTS = [
    "ADT-A09-01",
    "ADT-A10-01",
    "ADT-A14-01",
    "ADT-A15-01",
    "ADT-A16-01",
    "ADT-A25-01",
    "ADT-A26-01",
    "ADT-A27-01",
    "ADT-A29-01",
    "ADT-A41-01",
    "ADT-A45-01",
    "ADT-A60-01",
    "MDM-T01-01",
    "MDM-T05-02",
    "MDM-T06-02",
    "MDM-T09-02",
    "MDM-T10-02",
]
TYPES = [
    "BAR-P01-02",
    "BAR-P02-02",
    "BAR-P12-02",
    "DFT-P03-02",
    "DFT-P11-02",
    "OML-O21-01",
    "OML-O21-03",
    "OUL-R22-02",
    "OUL-R23-02",
    "OUL-R24-02",
    "PC1-Problem-Delete-v2.3.1",
    "RDE-O11-01",
    "RDE-O25-01",
    "RDS-O13-01",
    "REF-I12-01",
    "REF-I14-01",
    "SIU-S12-01",
    "SIU-S12_1",
    "SIU-S13-02",
    "SIU-S14-02",
    "SIU-S15-02",
    "SIU-S16-02",
    "SIU-S17-02",
    "SIU-S26-02",
    "SIU^S12-NewAppointmentBooking",
    "VXU-V04-01",
    "siu-s12-mrt-utf8",
]
Answered = tuple[list[str], str, str]
EXPECTED: dict[str, Answered] = {
    **{name: (["AA"], "", "") for name in TAKEN},
    **{name: (["AR"], "hl7-event", "MSH-9.2") for name in EVENTS},
    **{name: (["AR"], "hl7-type", "MSH-9.1") for name in TYPES},
    # in enhanced mode: an accept acknowledgement, the application's, both, or none
    "adt-a01-8859-15": (["CA"], "", ""),
    "adt-a02-8859-1": (["CA"], "", ""),
    "adt-a40-merge-8859-1": (["CA"], "", ""),
    "MDM-T02-03": (["CA"], "", ""),
    "ADT-A40-01": ([], "", ""),
    "MDHHS-OML-O21-1": (["CR", "AR"], "hl7-type", "MSH-9.1"),
    "VXU": (["CR", "AR"], "hl7-type", "MSH-9.1"),
    # its PID-3 is empty, its orders have neither placer's nor filler's number
    "oru-r01-minimal-odd": (["CE"], "hl7-field-missing", "PID-3"),
    "OMG-O19-01": (["AE"], "hl7-field-missing", "ORC-2"),
}
PATIENTS = {
    "ADT-A01-01": ("PATID1234", "test1", "EVERYMAN^ADAM^A^Dr.^III MD", "1988-08-18", "M"),
    "ADT-A47-01": ("MR101", "GOOD HEALTH HOSPITAL", "EVERYMAN^ADAM^A^^III", "1961-06-15", "M"),
    "adt-a01-8859-15": ("2345678", "Pappel-Klinik", "Kessler^Rösëmarie", "1988-09-03", "F"),
    "adt-a02-8859-1": ("87654", "Pappel-Klinik", "Baumann^Ännëtte", "1986-01-28", "F"),
    "adt-a40-merge-8859-1": ("7899", "www.praxis-süd2.de", "Gerber^Hëlëne", "1953-08-13", "F"),
    "mdm-t02-base64-pdf": ("pät654321", "", "Lindner^Lëonhard", "1980-07-03", "M"),
    "OMI^O23-ImagingOrder": ("PID_1", "ADT1", "Smith^Lucy^Mark", "2014-10-14", "F"),
}


def corpus(shared_data: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((shared_data / "hl7").rglob("*.hl7"))}


def test_every_message_is_answered_as_it_should_be(shared_data: Path) -> None:
    found: dict[str, Answered] = {}
    for name, raw in corpus(shared_data).items():
        trial = try_bytes(raw, shipped(), AT)
        answers = [answer.encode() for answer in trial.answers]
        found[name] = ([msa(one)[1] for one in answers], trial.trouble.code if trial.trouble else "", trial.at)
        assert trial.message is not None, name
        again = parse(write(trial.message))
        assert [one.fields for one in again.segments] == [one.fields for one in trial.message.segments], name
        for answer in answers:
            head = parse(answer).header
            asked = trial.message.header
            assert msa(answer)[2] == asked.raw(10), name
            assert (head.raw(12), head.raw(18)) == (asked.raw(12), asked.raw(18)), name
            assert [head.raw(place) for place in (3, 4, 5, 6)] == [asked.raw(place) for place in (5, 6, 3, 4)], name
            assert (b"\rERR|" in answer) == (trial.trouble is not None), name
    assert found == EXPECTED


def test_patients_of_real_messages_are_who_they_are(shared_data: Path) -> None:
    raw = corpus(shared_data)
    for name, expected in PATIENTS.items():
        content = try_bytes(raw[name], shipped(), AT).content
        assert content is not None
        assert content.patient is not None
        one = content.patient
        assert (one.patient_id, one.issuer, one.name, str(one.birth_date), one.sex) == expected, name


def test_reports_of_real_messages_have_their_documents(shared_data: Path) -> None:
    raw = corpus(shared_data)
    kinds = {}
    for name in ("ORU^R01-PDF", "ORU^R01-CDA", "mdm-t02-base64-pdf"):
        content = try_bytes(raw[name], shipped(), AT).content
        assert content is not None
        ((document,),) = (report.documents for report in content.reports)
        kinds[name] = (document.media_type, document.content[:5], document.content.rstrip()[-5:])
    assert kinds == {
        "ORU^R01-PDF": ("application/pdf", b"%PDF-", b"%%EOF"),
        "ORU^R01-CDA": ("text/xml", b"<?xml", b"ment>"),
        "mdm-t02-base64-pdf": ("application/pdf", b"hello", b"world"),
    }


@pytest.mark.parametrize(("name", "prior"), [("adt-a40-merge-8859-1", "7790711"), ("ADT-A40-01", "56789")])
def test_merges_of_real_messages_name_who_is_no_more(shared_data: Path, name: str, prior: str) -> None:
    content = try_bytes(corpus(shared_data)[name], shipped(), AT).content
    assert content is not None
    assert content.adt is not None
    assert [one.prior.patient_id for one in content.adt.merges] == [prior]
