"""A written report made into a DICOM object of its study: Basic Text SR (PS3.3 A.35.1), its text word by word.

In: text as lines, and the attributes of the study that it joins. Out: a DICOM file, its content a container
"Diagnostic imaging report" that holds who observed and one text.
"""

from __future__ import annotations

from dataclasses import dataclass

from radrelay.dicom import writing
from radrelay.dicom.encapsulate import Placing, StudyContext, about
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
REPORT = ("18748-4", "LN", "Diagnostic imaging report")
FINDINGS = ("121070", "DCM", "Findings")
OBSERVER = ("121008", "DCM", "Person Observer Name")
VALUE_TYPE, CONCEPT, RELATION, CONTENT = 0x0040A040, 0x0040A043, 0x0040A010, 0x0040A730


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report's text, its author as a DICOM person name, and whether it is the last word; none where nobody says."""

    text: str
    author: str = ""
    is_final: bool | None = True


def text_report_file(report: WrittenReport, study: StudyContext, placing: Placing) -> bytes:
    """Return a report as a DICOM file."""
    elements = about(study, placing, BASIC_TEXT_SR, "SR")
    content = [_item("HAS OBS CONTEXT", "PNAME", OBSERVER, 0x0040A123, "PN", report.author)] if report.author else []
    content.append(_item("CONTAINS", "TEXT", FINDINGS, 0x0040A160, "UT", report.text))
    elements |= {
        0x00081111: writing.sequence(0x00081111, []),
        VALUE_TYPE: writing.element(VALUE_TYPE, "CS", "CONTAINER"),
        CONCEPT: writing.sequence(CONCEPT, [writing.code(*REPORT)]),
        0x0040A050: writing.element(0x0040A050, "CS", "SEPARATE"),
        0x0040A372: writing.sequence(0x0040A372, []),
        0x0040A491: writing.element(0x0040A491, "CS", "COMPLETE"),
        0x0040A493: writing.element(0x0040A493, "CS", "UNVERIFIED"),
        CONTENT: writing.sequence(CONTENT, content),
    }
    if report.is_final is not None:
        elements[0x0040A496] = writing.element(0x0040A496, "CS", "FINAL" if report.is_final else "PRELIMINARY")
    return file_meta(BASIC_TEXT_SR, placing.sop_uid, EXPLICIT_LE) + writing.join(elements)


def _item(relation: str, kind: str, concept: tuple[str, str, str], tag: int, vr: str, value: str) -> list[bytes]:
    elements = {
        RELATION: writing.element(RELATION, "CS", relation),
        VALUE_TYPE: writing.element(VALUE_TYPE, "CS", kind),
        CONCEPT: writing.sequence(CONCEPT, [writing.code(*concept)]),
        tag: writing.element(tag, vr, value),
    }
    return [encoded for _, encoded in sorted(elements.items())]
