"""Documents, pictures and films made into DICOM objects of a study (PS3.3 A.8, A.45.1, A.32.7).

In: a file's bytes and the attributes of the study that it joins. Out: DICOM files: Encapsulated PDF, Secondary Capture
(single or multi-frame) and Video Photographic. Baseline JPEG and H.264 keep their coded pictures as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import uuid4

from radrelay.dicom import decoder_pool, writing
from radrelay.dicom.elements import Buffer
from radrelay.dicom.encapsulated import encapsulate as fragments_of
from radrelay.dicom.header import Header
from radrelay.dicom.index import IndexAttributes
from radrelay.dicom.mp4 import read_film
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.pictures import Picture
from radrelay.dicom.syntaxes import EXPLICIT_LE, H264_HIGH_41, H264_HIGH_42_2D, JPEG_BASELINE
from radrelay.errors import Invalid, TooLarge

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTIFRAME_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
MULTIFRAME_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
MULTIFRAME_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
VIDEO_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
MAX_VALUE_BYTES = 0xFFFFFFFE
ENCAPSULATED_DOCUMENT = 0x00420011
PDF_HEAD = 1024


class NotADocument(Invalid):
    """The file is not of the kind that it should be made into."""

    code = "not-a-document"


@dataclass(frozen=True, slots=True)
class StudyContext:
    """What an added object carries of its patient and study. Texts as DICOM has them; names as PN."""

    study_uid: str
    patient_name: str = ""
    patient_id: str = ""
    issuer: str = ""
    birth_date: date | None = None
    sex: str = ""
    study_date: date | None = None
    study_time: time | None = None
    accession: str = ""
    study_id: str = ""
    study_description: str = ""
    referring: str = ""

    @classmethod
    def of(cls, attributes: IndexAttributes) -> StudyContext:
        """Take over what the index knows of any instance of the study."""
        return cls(
            study_uid=attributes.study_uid,
            patient_name=attributes.patient_name,
            patient_id=attributes.patient_id,
            issuer=attributes.issuer,
            birth_date=attributes.birth_date,
            sex=attributes.sex,
            study_date=attributes.study_date,
            study_time=attributes.study_time,
            accession=attributes.accession,
            study_id=attributes.study_id,
            study_description=attributes.study_description,
            referring=attributes.referring,
        )

    @classmethod
    def from_header(cls, header: Header) -> StudyContext:
        """Take over what the header of any instance of the study says."""
        return cls(
            study_uid=header.text(0x0020000D),
            patient_name=header.text(0x00100010),
            patient_id=header.text(0x00100020),
            issuer=header.text(0x00100021),
            birth_date=header.date(0x00100030),
            sex=header.text(0x00100040),
            study_date=header.date(0x00080020),
            study_time=header.time(0x00080030),
            accession=header.text(0x00080050),
            study_id=header.text(0x00200010),
            study_description=header.text(0x00081030),
            referring=header.text(0x00080090),
        )


@dataclass(frozen=True, slots=True)
class Placing:
    """Where in the study the new object goes, and when it was made (the site's local time)."""

    made_at: datetime
    series_uid: str
    sop_uid: str
    series_number: int = 9000
    instance_number: int = 1
    title: str = ""


def new_uid() -> str:
    """Return a UID derived from a random UUID (PS3.5 B.2)."""
    return f"2.25.{uuid4().int}"


def pdf_file(pdf: Buffer, study: StudyContext, placing: Placing) -> bytes:
    """Return an Encapsulated PDF as a DICOM file (PS3.3 A.45.1).

    Raises
    ------
    NotADocument
        When the bytes are no PDF.
    TooLarge
        Above 4 GiB.
    """
    require_pdf(bytes(memoryview(pdf)[:PDF_HEAD]))
    before, after = pdf_around(len(pdf), study, placing)
    return b"".join((file_meta(ENCAPSULATED_PDF, placing.sop_uid, EXPLICIT_LE), before, pdf, after))


def require_pdf(head: bytes) -> None:
    """Raise `NotADocument` where a file that begins so, in its first `PDF_HEAD` bytes, is no PDF."""
    if b"%PDF-" not in head[:PDF_HEAD]:
        raise NotADocument("The file is no PDF.")


def pdf_around(size: int, study: StudyContext, placing: Placing) -> tuple[bytes, bytes]:
    """Return what of an Encapsulated PDF's data set stands before and after the PDF's bytes, of which there are `size`.

    Raises `TooLarge` above 4 GiB.
    """
    if size > MAX_VALUE_BYTES:
        raise TooLarge("A PDF of more than 4 GiB does not fit into a DICOM object.")
    elements = about(study, placing, ENCAPSULATED_PDF, "DOC")
    elements |= {
        0x00080064: writing.element(0x00080064, "CS", "SD"),
        0x0008002A: writing.element(0x0008002A, "DT", f"{placing.made_at:%Y%m%d%H%M%S}"),
        0x00280301: writing.element(0x00280301, "CS", "YES"),
        0x00420010: writing.element(0x00420010, "ST", placing.title),
        0x0040A043: writing.sequence(0x0040A043, []),
        0x00420012: writing.element(0x00420012, "LO", "application/pdf"),
        0x00420015: writing.element(0x00420015, "UL", size),
    }
    padding = size % 2
    before = writing.join({tag: one for tag, one in elements.items() if tag < ENCAPSULATED_DOCUMENT})
    after = writing.join({tag: one for tag, one in elements.items() if tag > ENCAPSULATED_DOCUMENT})
    return before + writing.header(ENCAPSULATED_DOCUMENT, "OB", size + padding), bytes(padding) + after


def picture_files(data: Buffer, study: StudyContext, placing: Placing) -> list[bytes]:
    """Return a JPEG, PNG, TIFF, BMP or HEIC file as DICOM files: Secondary Captures (PS3.3 A.8).

    Pages of one size make one multi-frame object, pages of several sizes an object each, numbered onwards from
    `placing.instance_number`. Turned photographs are stored upright; where they were taken is not kept.

    Raises
    ------
    UnreadablePicture
        When no picture can be read, or it is larger than a frame may be.
    """
    pictures = decoder_pool.pool().pictures(data)
    shapes = {(page.rows, page.columns, page.samples, page.bits, page.jpeg is None) for page in pictures}
    if len(shapes) == 1:
        return [_captured(pictures, study, placing)]
    files = []
    for index, page in enumerate(pictures):
        place = Placing(
            placing.made_at,
            placing.series_uid,
            placing.sop_uid if index == 0 else writing.derived_uid(placing.sop_uid, index),
            placing.series_number,
            placing.instance_number + index,
            placing.title,
        )
        files.append(_captured([page], study, place))
    return files


def film_file(mp4: Buffer, study: StudyContext, placing: Placing) -> bytes:
    """Return an MP4 with H.264 as a Video Photographic Image, the film untouched (PS3.3 A.32.7, PS3.5 8.2.7).

    Raises
    ------
    UnreadableFilm
        When the file is no MP4 with one H.264 track of a profile and level that DICOM names.
    TooLarge
        Above 4 GiB.
    """
    film = read_film(mp4)
    if len(mp4) > MAX_VALUE_BYTES:
        raise TooLarge("A film of more than 4 GiB does not fit into a DICOM object.")
    ts = H264_HIGH_41 if film.level <= 41 else H264_HIGH_42_2D
    elements = about(study, placing, VIDEO_PHOTOGRAPHIC, "XC")
    elements |= _image(film.rows, film.columns, 3, 8, "YBR_PARTIAL_420", "ISO_14496_10", film.ratio)
    elements |= {
        0x00080008: writing.element(0x00080008, "CS", "ORIGINAL", "PRIMARY"),
        0x0008002A: writing.element(0x0008002A, "DT", f"{placing.made_at:%Y%m%d%H%M%S}"),
        0x00082218: writing.sequence(0x00082218, [writing.code("91723000", "SCT", "Anatomical structure")]),
        0x00180040: writing.element(0x00180040, "IS", round(1000 / film.frame_ms)),
        0x00181063: writing.element(0x00181063, "DS", film.frame_ms),
        0x00280008: writing.element(0x00280008, "IS", film.frames),
        0x00280009: writing.element(0x00280009, "AT", 0x00181063),
        0x00400555: writing.sequence(0x00400555, []),
        0x7FE00010: _fragments([bytes(mp4)], offset_table=False),
    }
    return file_meta(VIDEO_PHOTOGRAPHIC, placing.sop_uid, ts) + writing.join(elements)


def about(study: StudyContext, placing: Placing, sop_class: str, modality: str) -> writing.Elements:
    """Return patient, study, series, equipment and SOP common attributes (PS3.3 C.7.1 to C.7.5, C.12.1)."""
    made = placing.made_at
    named: list[tuple[int, str, tuple[writing.Value, ...]]] = [
        (0x00080005, "CS", ("ISO_IR 192",)),
        (0x00080016, "UI", (sop_class,)),
        (0x00080018, "UI", (placing.sop_uid,)),
        (0x00080020, "DA", _known(study.study_date)),
        (0x00080023, "DA", (made.date(),)),
        (0x00080030, "TM", _known(study.study_time)),
        (0x00080033, "TM", (made.time(),)),
        (0x00080050, "SH", (study.accession[:16],)),
        (0x00080060, "CS", (modality,)),
        (0x00080070, "LO", ("Radrelay",)),
        (0x00080090, "PN", (study.referring,)),
        (0x00100010, "PN", (study.patient_name,)),
        (0x00100020, "LO", (study.patient_id,)),
        (0x00100030, "DA", _known(study.birth_date)),
        (0x00100040, "CS", (study.sex if study.sex in ("M", "F", "O") else "",)),
        (0x0020000D, "UI", (study.study_uid,)),
        (0x0020000E, "UI", (placing.series_uid,)),
        (0x00200010, "SH", (study.study_id[:16],)),
        (0x00200011, "IS", (placing.series_number,)),
        (0x00200013, "IS", (placing.instance_number,)),
    ]
    optional = (
        (0x00081030, "LO", study.study_description[:64]),
        (0x0008103E, "LO", placing.title[:64]),
        (0x00100021, "LO", study.issuer[:64]),
    )
    named += [(tag, vr, (text,)) for tag, vr, text in optional if text]
    return {tag: writing.element(tag, vr, *values) for tag, vr, values in named}


def _known(value: date | time | None) -> tuple[writing.Value, ...]:
    return () if value is None else (value,)


def _image(
    rows: int, columns: int, samples: int, bits: int, photometric: str, method: str = "", ratio: float = 0
) -> writing.Elements:
    """Return the attributes that describe pixels (PS3.3 C.7.6.3), and what a lossy method did to them."""
    words = (
        (0x00280002, samples),
        (0x00280010, rows),
        (0x00280011, columns),
        (0x00280100, bits),
        (0x00280101, bits),
        (0x00280102, bits - 1),
        (0x00280103, 0),
    )
    elements = {tag: writing.element(tag, "US", value) for tag, value in words}
    elements[0x00280004] = writing.element(0x00280004, "CS", photometric)
    elements[0x00280301] = writing.element(0x00280301, "CS", "YES")
    elements[0x00280302] = writing.element(0x00280302, "CS", "YES")
    elements[0x00200020] = writing.element(0x00200020, "CS")
    elements[0x00200060] = writing.element(0x00200060, "CS")
    elements[0x00282110] = writing.element(0x00282110, "CS", "01" if method else "00")
    if samples > 1:
        elements[0x00280006] = writing.element(0x00280006, "US", 0)
    if method:
        elements[0x00282112] = writing.element(0x00282112, "DS", max(0.01, round(ratio, 2)))
        elements[0x00282114] = writing.element(0x00282114, "CS", method)
    return elements


def _captured(pages: list[Picture], study: StudyContext, placing: Placing) -> bytes:
    first = pages[0]
    several = len(pages) > 1
    colour, wide = first.samples == 3, first.bits > 8
    sop_class = SECONDARY_CAPTURE
    if several:
        sop_class = MULTIFRAME_COLOUR if colour else MULTIFRAME_WORD if wide else MULTIFRAME_BYTE
    jpeg = first.jpeg
    photometric = first.photometric
    elements = about(study, placing, sop_class, "OT")
    ratio = first.rows * first.columns * first.samples / len(jpeg) if jpeg else 0
    elements |= _image(
        first.rows, first.columns, first.samples, first.bits, photometric, "ISO_10918_1" if jpeg else "", ratio
    )
    elements[0x00080008] = writing.element(0x00080008, "CS", "DERIVED", "SECONDARY")
    elements[0x00080064] = writing.element(0x00080064, "CS", "DI")
    if several:
        elements |= _page_vector(len(pages), grey=not colour)
    if jpeg:
        elements[0x7FE00010] = _fragments([page.jpeg or b"" for page in pages])
    else:
        samples = b"".join(page.samples_le for page in pages)
        if len(samples) > MAX_VALUE_BYTES:
            raise TooLarge("Pages of more than 4 GiB do not fit into a DICOM object.")
        elements[0x7FE00010] = writing.element(0x7FE00010, "OW" if wide else "OB", samples)
    ts = JPEG_BASELINE if jpeg else EXPLICIT_LE
    return file_meta(sop_class, placing.sop_uid, ts) + writing.join(elements)


def _page_vector(pages: int, *, grey: bool) -> writing.Elements:
    """Return what a multi-frame capture says of its frames: pages (PS3.3 C.7.6.6, C.8.6.3, C.8.6.4)."""
    elements = {
        0x00280008: writing.element(0x00280008, "IS", pages),
        0x00280009: writing.element(0x00280009, "AT", 0x00182001),
        0x00182001: writing.element(0x00182001, "IS", *range(1, pages + 1)),
    }
    if grey:
        elements[0x00281052] = writing.element(0x00281052, "DS", 0)
        elements[0x00281053] = writing.element(0x00281053, "DS", 1)
        elements[0x00281054] = writing.element(0x00281054, "LO", "US")
        elements[0x20500020] = writing.element(0x20500020, "CS", "IDENTITY")
    return elements


def _fragments(frames: list[bytes], *, offset_table: bool = True) -> bytes:
    return writing.header(0x7FE00010, "OB", 0xFFFFFFFF) + fragments_of(frames, offset_table=offset_table)


def document_in(header: Header) -> bytes:
    """Return the document that an object encapsulates, without what pads it (PS3.3 C.24.2); empty if there is none."""
    content, length = header.raw(0x00420011), header.integer(0x00420015)
    return content[:length] if length else content
