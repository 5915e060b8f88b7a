"""What becomes of attributes: the Basic Profile, each option, UIDs and dates, sequences, private ones, reports."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from radrelay.dicom.deidentify import Alias, Option, Outcome, Project, StudyReport, new_uid
from radrelay.dicom.deidentify.moments import moved
from radrelay.dicom.deidentify.options import BASIC, CODES
from radrelay.dicom.deidentify.texts import cleaned
from radrelay.dicom.errors import tag_text
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE
from radrelay.dicom.transcode import transcode
from radrelay.errors import Invalid
from tests.dicom.deidentify.made import KEY, SR, a_study, encoded, project, read, result_of


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def test_codes_are_those_of_cid_7050() -> None:
    meanings = {str(codes.DCM.__getattr__(name).value): codes.DCM.__getattr__(name).meaning for name in dir(codes.DCM)
                if name.endswith(("Option", "ConfidentialityProfile"))}  # fmt: skip
    for value, meaning in (BASIC, *CODES.values()):
        assert meanings[value] == meaning


def test_result_says_that_and_how_it_was_deidentified() -> None:
    made = read(result_of(a_study(), project(Option.CLEAN_DESCRIPTORS, Option.FULL_DATES)))
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "UNMODIFIED"
    assert [one.CodeValue for one in made.DeidentificationMethodCodeSequence] == ["113100", "113105", "113106"]
    assert made.StudyDate == "20220504"


def test_earlier_methods_are_named_on() -> None:
    source = a_study(DeidentificationMethodCodeSequence=Sequence([coded("113109", "DCM", "x"), coded("77", "L", "y")]))
    made = read(result_of(source, project()))
    assert [one.CodeValue for one in made.DeidentificationMethodCodeSequence] == ["113109", "113100"]


def test_patients_without_alias_never_become_one() -> None:
    first, second = (read(result_of(a_study(PatientID=name), project())) for name in ("PK-1", "PK-2"))
    assert first.PatientID != second.PatientID
    assert first.PatientID == first.PatientName == read(result_of(a_study(PatientID="PK-1"), project())).PatientID
    assert read(result_of(a_study(), project(), Alias("T-001", "Trial^One"))).PatientName == "Trial^One"


def test_uids_are_the_same_in_every_object_and_reference() -> None:
    reference = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.3.6.1.4.1.99.1.2.3")
    inner = item(ReferencedSOPSequence=Sequence([reference]), SeriesInstanceUID="1.3.6.1.4.1.99.1.2")
    made = read(result_of(a_study(ReferencedSeriesSequence=Sequence([inner])), project()))
    series = made.ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == made.SOPInstanceUID
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert series.SeriesInstanceUID == made.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert made.StudyInstanceUID.startswith("2.25.")


def test_uids_follow_from_the_projects_key_alone() -> None:
    other = Project("trial", bytes(32))
    assert new_uid(project(), "1.2.3.4") == new_uid(project(), "1.2.3.4") != new_uid(other, "1.2.3.4")
    assert new_uid(project(), "1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1"
    kept = read(result_of(a_study(), project(Option.UIDS)))
    assert (kept.SOPInstanceUID, kept.FrameOfReferenceUID) == ("1.3.6.1.4.1.99.1.2.3", "1.3.6.1.4.1.99.7")


def test_dates_of_a_patient_keep_their_intervals() -> None:
    ours = project(Option.MODIFIED_DATES)
    early = a_study(StudyDate="20200101", AcquisitionDateTime="20200102101112.5+0100", ContentTime="101112")
    late = a_study(StudyDate="20220504", RequestAttributesSequence=Sequence([item(StudyDate="20220505")]))
    first, second = read(result_of(early, ours)), read(result_of(late, ours))
    days = (datetime.strptime(second.StudyDate, "%Y%m%d") - datetime.strptime(first.StudyDate, "%Y%m%d")).days  # noqa: DTZ007
    assert days == 854
    assert first.StudyDate < "20191203"
    assert first.AcquisitionDateTime[8:] == "101112.5+0100"
    assert first.ContentTime == "101112"
    assert first.LongitudinalTemporalInformationModified == "MODIFIED"
    assert second.PatientBirthDate == ""
    other = read(result_of(a_study(PatientID="PK-2", StudyDate="20200101"), ours))
    assert other.StudyDate != first.StudyDate


@pytest.mark.parametrize(
    ("text", "vr", "days", "expected"),
    [
        ("20200301", "DA", -1, "20200229"), ("2020.03.01", "DA", -1, "2020.02.29"), ("2020", "DA", -400, "2019"),
        ("202003", "DT", -31, "202002"), ("20200301101112.123456-0500", "DT", -1, "20200229101112.123456-0500"),
        ("101112.5", "TM", -9, "101112.5"), ("20201332", "DA", -1, None), ("yesterday", "DA", -1, None),
        ("00010101", "DA", -9, None), ("2020", "DT", 0, "2020"), ("", "DA", -1, None),
    ],
)  # fmt: skip
def test_dates_of_any_precision_move(text: str, vr: str, days: int, expected: str | None) -> None:
    assert moved(text, vr, days) == expected


def test_descriptions_keep_words_of_technique_alone() -> None:
    ours = project(Option.CLEAN_DESCRIPTORS, allowed_words=frozenset({"sternoclavicular"}))
    source = a_study(
        StudyDescription="CT Thorax Quastenflosser nativ 12.03.1954",
        SeriesDescription="sternoclavicular 1.5mm Dr. Maier",
        ImageComments="Kopf, PK-774411\r\nTel. 0123 456 789", ProtocolName="HEAD",
    )  # fmt: skip
    made = read(result_of(source, ours))
    assert made.StudyDescription == "CT Thorax nativ"
    assert made.SeriesDescription == "sternoclavicular 1.5mm"
    assert made.ImageComments == "Kopf"
    assert made.ProtocolName == "HEAD"
    assert "SeriesDescription" not in read(result_of(source, project()))


def test_a_name_that_is_an_allowed_word_goes() -> None:
    made = read(
        result_of(a_study(PatientName="Kopf^Brust", SeriesDescription="Brust nativ"), project(Option.CLEAN_DESCRIPTORS))
    )
    assert made.SeriesDescription == "nativ"


def test_words_of_other_alphabets_and_joined_ones_go() -> None:
    assert cleaned("Σπύρος_Kopf/山田 T1", frozenset()) == "Kopf/ T1"


def test_patient_characteristics_and_old_age() -> None:
    source = a_study(PatientAge="093Y", PatientWeight="70", EthnicGroup="x")
    made = read(result_of(source, project(Option.PATIENT)))
    assert (made.PatientSex, made.PatientAge, made.PatientWeight) == ("M", "090Y", 70)
    plain = read(result_of(source, project()))
    assert plain.PatientSex == ""
    assert "PatientAge" not in plain


def test_device_and_institution_stay_when_asked() -> None:
    source = a_study(StationName="ROOM-77", InstitutionName="Spital Irgendwo", DeviceSerialNumber="SN4711")
    made = read(result_of(source, project(Option.DEVICE, Option.INSTITUTION)))
    assert (made.StationName, made.InstitutionName, made.DeviceSerialNumber) == (
        "ROOM-77", "Spital Irgendwo", "SN4711",
    )  # fmt: skip
    plain = read(result_of(source, project()))
    assert "StationName" not in plain
    assert "InstitutionName" not in plain


def test_safe_private_attributes_stay_with_their_creators_and_no_others() -> None:
    source = a_study()
    block = source.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0F, "LO", "Quastenflosser")
    source.private_block(0x0021, "SOMEBODY", create=True).add_new(0x01, "LO", "x")
    source.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", "PK-774411")
    made = read(result_of(source, project(Option.SAFE_PRIVATE)))
    assert made[0x0019100C].value == 1000
    assert made[0x00431027].value == "REMOVED"
    assert 0x0019100F not in made
    assert 0x00211001 not in made
    assert 0x00210010 not in made
    assert not [one for one in read(result_of(source, project())) if one.tag.is_private]


def test_blocks_that_their_creator_calls_safe_stay() -> None:
    source = a_study()
    source.private_block(0x0021, "MAKER", create=True).add_new(0x01, "DS", "1.5")
    source.private_block(0x0021, "MAKER2", create=True).add_new(0x02, "DS", "2.5")
    source.PrivateDataElementCharacteristicsSequence = Sequence(
        [item(PrivateGroupReference=0x0021, PrivateCreatorReference="MAKER", BlockIdentifyingInformationStatus="SAFE"),
         item(PrivateGroupReference=0x0021, PrivateCreatorReference="MAKER2", BlockIdentifyingInformationStatus="MIXED",
              NonidentifyingPrivateElements=[0x0002])]
    )  # fmt: skip
    made = read(result_of(source, project(Option.SAFE_PRIVATE)))
    assert made[0x00211001].value == 1.5
    assert made[0x00211102].value == 2.5


def test_curves_overlays_group_lengths_and_padding_go() -> None:
    source = a_study(DataSetTrailingPadding=b"\0\0")
    source.add_new(0x00080000, "UL", 20)
    source.add_new(0x50003000, "OW", b"\1\2")
    source.add_new(0x60003000, "OW", b"\1\2")
    source.add_new(0x60000010, "US", 1)
    source.add_new(0x60024000, "LT", "Quastenflosser")
    made = read(result_of(source, project()))
    assert not [tag_text(one.tag) for one in made if one.tag.group in (0x5000, 0x6000, 0x6002, 0xFFFC)]
    assert 0x00080000 not in made


def test_local_text_of_the_patient_is_found_where_an_attribute_stays() -> None:
    source = a_study(FilterType="Zyprian", ConvolutionKernel="B30f", DetectorInformationSequence=Sequence([]))
    source.AnatomicRegionSequence = Sequence([coded("1", "99LOCAL", "of QUASTENFLOSSER")])
    made = result_of(source, project())
    found = read(made)
    assert found.FilterType == "REMOVED"
    assert found.ConvolutionKernel == "B30f"
    assert "QUASTEN" not in found.AnatomicRegionSequence[0].CodeMeaning
    assert made.report.count(Outcome.SCRUBBED) == 2


def report_source() -> Dataset:
    def content(kind: str, concept: Dataset, **attributes: object) -> Dataset:
        return item(
            RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=Sequence([concept]), **attributes
        )

    return a_study(SR, ValueType="CONTAINER", ContentSequence=Sequence([
        content("PNAME", coded("121008", "DCM", "Person Observer Name"), PersonName="Obermoser^Kunigunde"),
        content("TEXT", coded("121071", "DCM", "Finding"), TextValue="Leber of Quastenflosser without Metastasis"),
        content("CODE", coded("121032", "DCM", "Subject Sex"), ConceptCodeSequence=Sequence([coded("M", "DCM", "M")])),
        content("UIDREF", coded("121012", "DCM", "Device Observer UID"), UID="1.3.6.1.4.1.99.1"),
        content("DATE", coded("122165", "DCM", "Date"), Date="20220504"),
        content("TEXT", coded("X1", "99LOCAL", "Ward of Obermoser"), TextValue="x"),
    ]))  # fmt: skip


def test_reports_are_cleaned_item_by_item() -> None:
    made = read(result_of(report_source(), project(Option.CLEAN_STRUCTURED, Option.MODIFIED_DATES)))
    name, finding, reference, date, local = made.ContentSequence
    assert name.PersonName == "REMOVED"
    assert finding.TextValue == "Leber of without"
    assert finding.ConceptNameCodeSequence[0].CodeMeaning == "Finding"
    assert made.StudyInstanceUID == reference.UID
    assert date.Date == made.StudyDate != "20220504"
    assert local.ConceptNameCodeSequence[0].CodeMeaning == "of"


def test_reports_without_the_option_keep_their_form_alone() -> None:
    made = read(result_of(report_source(), project()))
    assert [one.ValueType for one in made.ContentSequence] == ["PNAME", "TEXT", "UIDREF", "DATE", "TEXT"]
    assert made.ContentSequence[1].TextValue == "REMOVED"
    assert made.ContentSequence[3].Date == "19000101"
    assert made.ContentSequence[1].ConceptNameCodeSequence[0].CodeMeaning == "Finding"


def test_graphic_annotations() -> None:
    text = item(UnformattedTextValue="Leber Quastenflosser", AnchorPoint=[1.0, 2.0])
    source = a_study(
        GraphicAnnotationSequence=Sequence([item(GraphicLayer="ONE", TextObjectSequence=Sequence([text]))])
    )
    plain = read(result_of(source, project())).GraphicAnnotationSequence[0].TextObjectSequence[0]
    assert plain.UnformattedTextValue == "REMOVED"
    made = read(result_of(source, project(Option.CLEAN_GRAPHICS))).GraphicAnnotationSequence[0].TextObjectSequence[0]
    assert made.UnformattedTextValue == "Leber"
    assert list(made.AnchorPoint) == [1.0, 2.0]


@pytest.mark.parametrize("ts", [IMPLICIT_LE, DEFLATED_LE, EXPLICIT_LE])
def test_every_encoding_gives_the_same(ts: str) -> None:
    source = encoded(a_study(ReferencedStudySequence=Sequence([item(PatientName="Quastenflosser")])))
    data_set = transcode(source, EXPLICIT_LE, ts)
    made = result_of((data_set, ts), project(Option.MODIFIED_DATES))
    assert made.ts == ts
    plain = result_of((source, EXPLICIT_LE), project(Option.MODIFIED_DATES))
    assert read(made).to_json_dict() == read(plain).to_json_dict()


def test_report_tells_without_values() -> None:
    made = result_of(a_study(), project())
    told = StudyReport()
    told.add(made.report)
    told.add(made.report)
    assert told.objects == 2
    assert "PatientBirthDate" in told.attributes(Outcome.EMPTIED)
    assert "IssuerOfPatientID" in told.attributes(Outcome.REMOVED)
    assert "Quasten" not in repr(told)
    assert "PK-774411" not in repr(told)


def test_choices_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(Invalid):
        project(Option.FULL_DATES, Option.MODIFIED_DATES)
    with pytest.raises(Invalid):
        Project("trial", b"short")
    with pytest.raises(Invalid):
        project(shift_days=(0, 5))
    assert KEY.hex() not in repr(project())
