"""Documents and pictures that came beside a study: whose they are, and as DICOM objects in a series of their own.

In: a PDF, a picture or a plain text with its path in the parcel, and the study that it joins, reconciled already. Out:
Encapsulated PDF (PS3.3 A.45.1), Secondary Captures (A.8) or Basic Text SR (A.35.1). UIDs follow from the study and the
file's bytes alone, so that the same paper becomes the same object however often it comes, and under whatever name.
Other files stay attachments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from radrelay.dicom.elements import Buffer
from radrelay.dicom.encapsulate import (
    NotADocument,
    Placing,
    StudyContext,
    pdf_around,
    pdf_file,
    picture_files,
    require_pdf,
)
from radrelay.dicom.text_report import WrittenReport, text_report_file
from radrelay.dicom.writing import derived_uid
from radrelay.importer.plain_texts import TEXTS, text_of
from radrelay.intake.file_kinds import PREFIX_BYTES, sniff

Kind = Literal["document", "picture", "text"]
SERIES_NUMBERS: Mapping[Kind, int] = {"document": 9100, "picture": 9101, "text": 9102}
_NUMBER = re.compile(r"(\d{1,6})\D*$")
_UNDATED = date(1900, 1, 1)


PERHAPS_VIEWERS, LEFT_OUT = "perhaps-viewers", "left-out"
"""What lies in a viewer's folder is filed unless a person has left it out."""


def kind_of(name: str, prefix: bytes) -> Kind | None:
    """Return what a file becomes by its first bytes; none for what stays an attachment, or is none."""
    media_type = sniff(name, prefix[:PREFIX_BYTES]).media_type
    if media_type == "application/pdf":
        return "document"
    if media_type == "text/plain" and name.lower().endswith(TEXTS):
        return "text"
    return "picture" if media_type.startswith("image/") else None


def paper_files(name: str, content: Buffer, study: StudyContext) -> list[bytes]:
    """Return the DICOM files that a paper becomes: one, or of pages of several sizes one each.

    Raises `NotADocument` for other files, `UnreadablePicture` and `TooLarge` for what cannot be written.
    """
    kind = kind_of(name, bytes(memoryview(content)[:PREFIX_BYTES]))
    if kind is None:
        raise NotADocument("Only PDFs, pictures and plain texts are made into DICOM objects.")
    placing = _placing(kind, name, hashlib.sha256(content).hexdigest(), study)
    if kind == "text":
        return [_text_file(bytes(content), study, placing)]
    return [pdf_file(content, study, placing)] if kind == "document" else picture_files(content, study, placing)


def _text_file(content: bytes, study: StudyContext, placing: Placing) -> bytes:
    text = text_of(content)
    if text is None:
        raise NotADocument("Nobody can tell in which character set the text is.")
    return text_report_file(WrittenReport(text, is_final=None), study, placing)


@dataclass(frozen=True, slots=True)
class Around:
    """A document's data set without the document: its UID, and what stands before and after the file's bytes."""

    sop_uid: str
    before: bytes
    after: bytes


def paper_uid(study_uid: str, sha256: str) -> str:
    """Return the UID of what a file with this SHA-256 becomes in a study; of several objects, of the first."""
    return derived_uid("paper", study_uid, sha256)


def document_around(name: str, head: bytes, size: int, sha256: str, study: StudyContext) -> Around:
    """Return what `paper_files` puts around a document, which is told by its beginning, size and SHA-256 alone.

    Raises `NotADocument`, `TooLarge`.
    """
    require_pdf(head)
    placing = _placing("document", name, sha256, study)
    return Around(placing.sop_uid, *pdf_around(size, study, placing))


def _placing(kind: Kind, name: str, sha256: str, study: StudyContext) -> Placing:
    leaf = name.replace("\\", "/").rpartition("/")[2]
    said = _NUMBER.search(leaf.rpartition(".")[0])
    return Placing(
        made_at=datetime.combine(study.study_date or _UNDATED, study.study_time or time()),
        series_uid=derived_uid("papers", kind, study.study_uid),
        sop_uid=paper_uid(study.study_uid, sha256),
        series_number=SERIES_NUMBERS[kind],
        instance_number=int(said[1]) if said else 1,
        title=leaf[:64],
    )
