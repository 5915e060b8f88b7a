"""What cannot be made safe by its attributes, told before anything is changed (PS3.15 E.3.1, E.3.2).

In: the header of an object. Out: the reasons to keep it back, and what a person should look at. Text in pixels cannot
be seen from here: where nothing vouches for a kind of picture that usually has some, the object is refused.
"""

from __future__ import annotations

import unicodedata

from radrelay.dicom.deidentify.options import Project
from radrelay.dicom.deidentify.report import Reason, Warned
from radrelay.dicom.dictionary import uid_registry
from radrelay.dicom.elements import PIXEL_TAGS, DataElements

DOCUMENT = 0x00420011
_STORAGE = "1.2.840.10008.5.1.4."
_VOICE = frozenset({f"{_STORAGE}1.1.9.4.1", f"{_STORAGE}1.1.9.4.2"})
_MICROSCOPY = f"{_STORAGE}1.1.77.1.6"
_WRITTEN_ON = frozenset({
    f"{_STORAGE}1.1.3", f"{_STORAGE}1.1.3.1", f"{_STORAGE}1.1.6", f"{_STORAGE}1.1.6.1", f"{_STORAGE}1.1.6.2",
    f"{_STORAGE}1.1.7", f"{_STORAGE}1.1.7.1", f"{_STORAGE}1.1.7.2", f"{_STORAGE}1.1.7.3", f"{_STORAGE}1.1.7.4",
    *(f"{_STORAGE}1.1.77.1.{ending}" for ending in (
        "1", "1.1", "2", "2.1", "3", "4", "4.1", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "7",
    )),
})  # fmt: skip
"""Classes whose pictures usually have text in them: ultrasound, secondary capture, visible light."""
_WRITTEN_MODALITIES = frozenset(("US", "OT", "SC", "DOC", "XC", "GM", "ES", "OP", "IVUS", "BDUS", "HC", "DG"))
_CAPTURES = ("SCREEN", "CAPTURE", "DOSE", "REPORT", "SCAN_FORM", "DISPLAY", "SUMMARY", "WINDOWED")
_SYNTHETIC_RGB = frozenset({f"{_STORAGE}1.1.2", f"{_STORAGE}1.1.4", f"{_STORAGE}1.1.20", f"{_STORAGE}1.1.128"})
_HEADS = ("HEAD", "BRAIN", "SKULL", "FACE", "KOPF", "SCHAEDEL", "SCHÄDEL", "HIRN", "CRAN", "NECK", "ORBIT", "SINUS",
          "NEURO", "TEMPORAL")  # fmt: skip
_BODY_PARTS = (0x00180015, 0x0008103E, 0x00081030, 0x00181030)
_SECTIONS = frozenset(("CT", "MR", "PT"))


def reasons(header: DataElements, project: Project, *, covered: bool) -> list[Reason]:
    """Return why an object has to be kept back; `covered` says that a region template blacks its text out."""
    sop_class = _first(header, 0x00080016)
    found = []
    if not _storage_class(sop_class):
        found.append(Reason.UNKNOWN_CLASS)
    if DOCUMENT in header and not project.keep_documents:
        found.append(Reason.DOCUMENT)
    if sop_class in _VOICE:
        found.append(Reason.VOICE)
    if (project.hold_faces or project.deface) and not project.looked_at and shows_face(header):
        found.append(Reason.FACE)
    if any(tag in header for tag in PIXEL_TAGS):
        found += _of_pixels(header, sop_class, project, covered=covered)
    return found


def _of_pixels(header: DataElements, sop_class: str, project: Project, *, covered: bool) -> list[Reason]:
    found = []
    image_type = [value.upper() for value in header.texts(0x00080008)]
    if sop_class == _MICROSCOPY and {"LABEL", "OVERVIEW"} & set(image_type) and not project.looked_at:
        found.append(Reason.SLIDE_LABEL)
    if any(header.integers(group | 0x0102)[:1] not in ([], [0]) and group | 0x3000 not in header
           for group in range(0x60000000, 0x60200000, 0x20000)):  # fmt: skip
        found.append(Reason.EMBEDDED_OVERLAY)
    said = _first(header, 0x00280301).upper()
    if covered or said == "NO" or project.looked_at:
        return found
    modality = _first(header, 0x00080060).upper()
    if said == "YES":
        found.append(Reason.BURNED_IN)
    elif modality in project.trust_unmarked:
        return found
    elif any(word in value for value in image_type[1:] for word in _CAPTURES) or (
        sop_class in _SYNTHETIC_RGB and header.integers(0x00280002)[:1] == [3]
    ):
        found.append(Reason.SCREEN_CAPTURE)
    elif sop_class in _WRITTEN_ON or sop_class.startswith(f"{_STORAGE}1.1.7.") or modality in _WRITTEN_MODALITIES:
        found.append(Reason.MAYBE_BURNED_IN)
    return found


def warnings(header: DataElements) -> set[Warned]:
    """Return what a person should look at although the object passes."""
    found = set()
    if shows_face(header):
        found.add(Warned.FACE)
    if _first(header, 0x00120062).upper() == "YES":
        found.add(Warned.MARKED_EARLIER)
    if DOCUMENT in header:
        found.add(Warned.DOCUMENT_KEPT)
    return found


def shows_face(header: DataElements) -> bool:
    """Return whether a volume of such pictures may show a face that can be recognised (PS3.15 E.3.2).

    A rule: sections of CT, MR or PET of the head or neck by what body part, description or protocol say, or of the
    whole body; not where (0028,0302) says that there is none.
    """
    if _first(header, 0x00080060).upper() not in _SECTIONS or _first(header, 0x00280302).upper() == "NO":
        return False
    words = " ".join(text for tag in _BODY_PARTS for text in header.decoded(tag))
    said = unicodedata.normalize("NFC", words).upper()
    return any(word in said for word in (*_HEADS, "WHOLEBODY", "WHOLE BODY", "GANZK"))


def _storage_class(sop_class: str) -> bool:
    entry = uid_registry().get(sop_class)
    return entry is not None and entry[1] == "SOP Class" and "Storage" in entry[0]


def _first(header: DataElements, tag: int) -> str:
    return (header.texts(tag) or [""])[0]
