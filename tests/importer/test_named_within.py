"""Objects that name somebody else within than in their header: a person is told before they are filed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import file_meta
from radrelay.importer.arrived import Person
from radrelay.importer.findings import of_parcel
from radrelay.importer.gathering import gather
from radrelay.importer.named_within import ENCAPSULATED_CDA, another_within, patients_in
from tests.dicom.objects import CT
from tests.importer.objects import foreign
from tests.importer.test_gathering import File

HEADER = {"PatientName": "Müller^Anna", "PatientBirthDate": "19700203", "SpecificCharacterSet": "ISO_IR 192"}
CDA = """<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3">
<author><assignedAuthor><assignedPerson><name><family>Arzt</family></name></assignedPerson></assignedAuthor></author>
<recordTarget><patientRole><patient><name use="L"><given>{given}</given><given>Maria</given><family>{family}</family>
</name><birthTime value="{born}"/></patient></patientRole></recordTarget>
<component>Schmidt</component></ClinicalDocument>"""


def within(**values: Any) -> str:
    return another_within(parse(*foreign(**(HEADER | values))))


def item(**values: Any) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def before(**values: str) -> Sequence:
    """Return Original Attributes of an earlier import."""
    return Sequence([item(ModifiedAttributesSequence=Sequence([item(**values)]), ModifyingSystem="PACS")])


def content(code: str, **values: Any) -> Dataset:
    concept = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning="Subject")
    return item(RelationshipType="HAS OBS CONTEXT", ConceptNameCodeSequence=Sequence([concept]), **values)


def subject(told: Dataset) -> dict[str, Any]:
    """Return the content of a report that names its subject in a container."""
    return {"ContentSequence": Sequence([item(ValueType="CONTAINER", ContentSequence=Sequence([told]))])}


def document(family: str, given: str, born: str = "") -> dict[str, Any]:
    content = CDA.format(family=family, given=given, born=born).encode()
    return {
        "SOPClassUID": ENCAPSULATED_CDA,
        "EncapsulatedDocument": content,
        "EncapsulatedDocumentLength": len(content),
    }


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"OriginalAttributesSequence": before(PatientName="Schmidt^Bernd")}, "Schmidt^Bernd"),
        ({"OriginalAttributesSequence": before(PatientName="MUELLER^ANNA", PatientBirthDate="19700204")},
         "MUELLER^ANNA (19700204)"),
        ({"OriginalAttributesSequence": before(PatientName="MUELLER^ANNA MARIA", PatientBirthDate="19700203")}, ""),
        ({"OriginalAttributesSequence": before(PatientName="Meier^Anna")}, ""),  # somebody may have married
        ({"OriginalAttributesSequence": before(PatientName="UNKNOWN^UNKNOWN")}, ""),
        ({"OriginalAttributesSequence": before(PatientID="X9")}, ""),
        ({"OriginalAttributesSequence": before(PatientName="MUELLER^ANNA", PatientBirthDate="19000101")}, ""),
        (subject(content("121029", ValueType="PNAME", PersonName="Schmidt^Bernd")), "Schmidt^Bernd"),
        (subject(content("121031", ValueType="DATE", Date="19991231")), " (19991231)"),
        (subject(content("121029", ValueType="PNAME", PersonName="MUELLER^ANNA")), ""),
        (subject(content("121008", ValueType="PNAME", PersonName="Arzt^Otto")), ""),  # the observer
        (document("Schmidt", "Bernd"), "Schmidt^Bernd Maria"),
        (document("Müller", "Anna", "19700204"), "Müller^Anna Maria (19700204)"),
        (document("Müller", "Anna", "197002030815"), ""),
        ({"SOPClassUID": ENCAPSULATED_CDA, "EncapsulatedDocument": b"<no cda"}, ""),
    ],
)  # fmt: skip
def test_whoever_is_named_within_is_told_where_that_is_somebody_else(values: dict[str, Any], told: str) -> None:
    assert within(**values) == told


@pytest.mark.parametrize(
    "text", [b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"", b"<a>" * 200, b"\xff\xfe\0", b"<a/>b"]
)
def test_what_is_no_clinical_document_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        patients_in(text)


def test_a_clinical_document_names_its_patients_alone() -> None:
    told = patients_in(CDA.format(family="Łuczak", given="Żaneta", born="1958").encode())
    assert told == [Person("Łuczak^Żaneta Maria")]
    assert patients_in(b"<recordTarget/>") == []


@pytest.mark.parametrize("born", ["1970", "197002", "70-02-03", "19701345"])
def test_a_birth_date_that_cannot_be_read_is_told_and_stands_for_none(born: str) -> None:
    data_set, ts = foreign(**(HEADER | {"PatientBirthDate": "19000101"}))
    data_set = data_set.replace(b"19000101", born.encode().ljust(8))
    other, _ = foreign(OriginalAttributesSequence=before(PatientName="Schmidt^Bernd"), **HEADER)
    found = gather([File("a", file_meta(CT, "1.2.3", ts) + data_set), File("b", file_meta(CT, "1.2.4", ts) + other)])
    told = {one.code: one for one in of_parcel(found.parcel())}
    assert (told["birth-date-unread"].level, told["birth-date-unread"].facts["names"]) == ("look", born)
    assert (told["named-otherwise-within"].level, told["named-otherwise-within"].facts["names"]) == (
        "look",
        "Schmidt^Bernd",
    )
    assert [one.person.birth_date for one in found.objects] == [None, date(1970, 2, 3)]


@pytest.mark.parametrize("born", ["", "00000000", "0000"])
def test_a_birth_date_of_zeros_says_nothing(born: str) -> None:
    data_set, ts = foreign(**(HEADER | {"PatientBirthDate": "19000101"}))
    found = gather([File("a", file_meta(CT, "1.2.3", ts) + data_set.replace(b"19000101", born.encode().ljust(8)))])
    assert of_parcel(found.parcel()) == ()
