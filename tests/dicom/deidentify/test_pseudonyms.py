"""Aliases by a site's pattern, and results that come back under one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.deidentify import Alias, Deidentified, Option, Original, Project, read_pattern, turn_back
from radrelay.dicom.deidentify.pseudonyms import check_character
from radrelay.dicom.reidentify import Modification
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE
from radrelay.dicom.transcode import transcode
from radrelay.errors import Conflict, Invalid
from tests.dicom.deidentify.made import KEY, SR, a_study, encoded, project, read, result_of
from tests.dicom.objects import through_pydicom

CHANGE = Modification(datetime(2026, 1, 2, tzinfo=UTC), "RADRELAY", "", "COERCE")


def test_alias_follows_the_sites_pattern() -> None:
    assert read_pattern("{project}-{number:05}").alias(project(), 42) == "trial-00042"
    pattern = read_pattern("{letters:4}/{number}{check}")
    alias = pattern.alias(project(), 7)
    assert pattern.fits(alias, project())
    assert alias == pattern.alias(project(), 7) != pattern.alias(Project("trial", KEY[::-1]), 7)
    assert len({read_pattern("{letters:4}{number:04}").alias(project(), one) for one in range(500)}) == 500


def test_a_mistyped_alias_is_noticed() -> None:
    pattern = read_pattern("{project}-{number:05}{check}")
    alias = pattern.alias(project(), 12345)
    assert pattern.fits(alias, project())
    wrong = [alias[:at] + digit + alias[at + 1 :] for at in range(6, len(alias)) for digit in "0123456789"]
    assert not [one for one in wrong if one != alias and pattern.fits(one, project())]
    assert not pattern.fits("", project())


def test_check_characters_are_those_of_iso_7064() -> None:
    assert check_character("0794") == "5"
    assert check_character("A12425GABC1234002") == "M"


@pytest.mark.parametrize("text", ["{project}", "{number}{number}", "{name}{number}", "a^{number}", "{number}}", ""])
def test_patterns_that_cannot_serve_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_pattern(text)


def test_a_number_too_large_for_the_pattern_is_refused() -> None:
    with pytest.raises(Invalid):
        read_pattern("{number:03}").alias(project(), 1000)
    with pytest.raises(Invalid):
        read_pattern("x" * 64 + "{number:03}").alias(project(), 1)


def original_of(made: Deidentified, source: Dataset) -> Original:
    values = {0x00100010: str(source.PatientName), 0x00100020: source.PatientID, 0x00100030: source.PatientBirthDate}
    return Original("T-001", values, {new: old for old, new in made.uids.items()}, made.days)


def a_result(made: Deidentified, **attributes: object) -> Dataset:
    """Return a report about an object that was handed out."""
    handed_out = read(made)
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = made.sop_class, made.sop_uid
    result = Dataset()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "PatientIdentityRemoved"):
        setattr(result, keyword, handed_out[keyword].value)
    result.SOPClassUID, result.SOPInstanceUID, result.SeriesInstanceUID = SR, "1.2.3.4.5.6", "1.2.3.4.5"
    result.ContentDate = "20260102"
    result.ReferencedSOPSequence = Sequence([reference])
    for keyword, value in attributes.items():
        setattr(result, keyword, value)
    return result


@pytest.mark.parametrize("ts", [EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE])
def test_results_become_the_patients_again(ts: str) -> None:
    source = a_study(PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
    made = result_of(source, project(Option.MODIFIED_DATES), Alias("T-001"))
    data_set = transcode(encoded(a_result(made)), EXPLICIT_LE, ts)
    back = through_pydicom(*turn_back(data_set, ts, original_of(made, source), CHANGE))
    assert (back.PatientName, back.PatientID, back.PatientBirthDate) == ("Müller^Jürgen", "PK-774411", "19540312")
    assert back.StudyInstanceUID == source.StudyInstanceUID
    assert back.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert (back.StudyDate, back.ContentDate) == (source.StudyDate, "20260102")
    assert back.SOPInstanceUID == "1.2.3.4.5.6"
    assert "PatientIdentityRemoved" not in back
    assert back.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == "T-001"


def test_an_object_that_was_handed_out_comes_back_with_all_its_dates() -> None:
    source = a_study(ContentDate="20220505", AcquisitionDateTime="20220506101112")
    made = result_of(source, project(Option.MODIFIED_DATES), Alias("T-001"))
    back = through_pydicom(*turn_back(made.data_set, made.ts, original_of(made, source), CHANGE))
    assert (back.SOPInstanceUID, back.ContentDate) == (source.SOPInstanceUID, "20220505")
    assert back.AcquisitionDateTime == "20220506101112"


def test_results_of_another_alias_or_study_are_refused() -> None:
    source = a_study()
    made = result_of(source, project(), Alias("T-001"))
    original = original_of(made, source)
    for wrong in ({"PatientID": "T-002"}, {"StudyInstanceUID": "1.2.3"}):
        with pytest.raises(Conflict):
            turn_back(encoded(a_result(made, **wrong)), EXPLICIT_LE, original, CHANGE)
