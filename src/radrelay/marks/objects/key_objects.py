"""Key images as a Key Object Selection Document (PS3.3 A.35.4, TID 2010), titled "Of Interest".

A multi-frame image is referenced with its marked frames. The texts of the marks are the document's description.
"""

from __future__ import annotations

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from radrelay.marks.objects import writing
from radrelay.marks.objects.sheet import Sheet

SERIES_NUMBER = 9102


def key_objects_file(sheet: Sheet) -> bytes:
    """Return the key images of a sheet as a DICOM file; there must be one at least."""
    images = {picture.sop_uid: writing.evidence(sheet, picture) for picture in sheet.pictures}
    people = writing.authors(sheet)
    author = writing.observer(people[0]) if len(people) == 1 else None
    person = author is not None and people[0].kind == "account"
    content = KeyObjectSelection(
        codes.DCM.OfInterest,
        referenced_objects=list(images.values()),
        observer_person_context=author if person else None,
        observer_device_context=writing.device_observer(sheet.device_uid, writing.MANUFACTURER),
        description=_description(sheet),
    )
    for item in content[0].ContentSequence:
        if item.ValueType not in ("IMAGE", "COMPOSITE"):
            continue
        named = item.ReferencedSOPSequence[0]
        picture = sheet.picture(str(named.ReferencedSOPInstanceUID))
        named.ReferencedSOPClassUID = UID(picture.sop_class_uid)
        frames = writing.frames_of(picture, (m.frame for m in sheet.marks if m.sop_uid == picture.sop_uid))
        if frames:
            named.ReferencedFrameNumber = frames
    document = KeyObjectSelectionDocument(
        evidence=list(images.values()),
        content=content,
        **writing.common(sheet, SERIES_NUMBER, "Key images"),
        **writing.content_moment(sheet),
    )
    return writing.file_bytes(document, sheet)


def _description(sheet: Sheet) -> str | None:
    texts = dict.fromkeys(mark.text.strip() for mark in sheet.marks)
    return "\r\n".join(text.replace("\n", "\r\n") for text in texts if text) or None
