"""Every frame of every object in a folder: its place, its times, and what tells which kind of picture it is.

In: files as they came, whatever they are. Out: one `Frame` per plane, single and enhanced multi-frame objects alike
(PS3.3 C.7.6.2, C.7.6.16.2); what is no image with a plane is told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import FileHead, looks_like_dicom, parse_preamble
from radrelay.dicom.pixels import NotViewable
from radrelay.dicom.planes import Plane, moment_s, planes_of
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.transcode import inflate

EXPLICIT = "1.2.840.10008.1.2.1"
LARGEST = 4 << 30
MOSAIC = "a mosaic of slices, which is not read"
DAY_S = 86_400.0
PHILIPS_DYNAMIC = 0x200510A0  # when a dynamic began, in s after the first
_COMPRESSED_HEAD = 1 << 20


@dataclass(frozen=True, slots=True)
class Series:
    """What is said of a whole series by its first object."""

    uid: str
    study_uid: str
    patient_id: str
    patient_name: str
    birth_date: str
    modality: str
    description: str
    protocol: str
    number: int
    manufacturer: str


@dataclass(frozen=True, slots=True)
class Times:
    """When a frame was acquired, as several attributes say it: seconds from day 0 on (or from the series' begin)."""

    acquired_at: float | None = None  # (0008,002A), or an enhanced frame's own
    acquisition: float | None = None  # (0008,0022) and (0008,0032)
    content: float | None = None  # (0008,0023) and (0008,0033)
    trigger: float | None = None  # (0018,1060)
    temporal: float | None = None  # (0020,0100) times (0020,0110)
    dynamic: float | None = None  # Philips' (2005,10A0), where all images say one time of acquisition


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of an object, as a file holds it; `index` counts from 0, `number` is the object's instance number."""

    path: Path
    index: int
    frames: int
    sop_class_uid: str
    sop_uid: str
    series: Series
    number: int
    plane: Plane
    times: Times
    temporal_index: int | None
    image_type: tuple[str, ...]
    rows: int
    columns: int
    samples: int
    slope: float
    intercept: float
    rescaled: bool
    frame_of_reference_uid: str
    sequence: str
    echo_time_ms: float | None
    tilt_deg: float
    told_points: int = 0  # (0020,0105), how many time points were asked for
    told_images: int = 0  # (0020,1002), how many images the acquisition yielded


@dataclass(frozen=True, slots=True)
class Left:
    """A file that holds no frame that could be taken, and why."""

    path: Path
    reason: str


class _Mosaic(Exception):
    pass


def read_frames(paths: Iterable[Path]) -> tuple[list[Frame], list[Left]]:
    """Return all frames of files, and the files that were left out."""
    found: list[Frame] = []
    left: list[Left] = []
    known: dict[tuple[str, ...], Series] = {}
    for path in paths:
        try:
            frames = _frames_of(path, known)
        except (Malformed, NotViewable, OSError) as error:
            left.append(Left(path, str(error)))
            continue
        except _Mosaic:
            left.append(Left(path, MOSAIC))
            continue
        if frames:
            found += frames
        else:
            left.append(Left(path, "no image with a plane in space"))
    return found, left


def open_file(path: Path) -> tuple[FileHead, bytes, str]:
    """Return a file's head, its data set (inflated), and the syntax that the data set stands in."""
    size = path.stat().st_size
    if size > LARGEST:
        raise Malformed(f"the file is larger than {LARGEST} bytes")
    content = path.read_bytes()
    if not looks_like_dicom(content[:144]):
        raise Malformed("the file is no DICOM file")
    head = parse_preamble(content)
    data, syntax = content[head.dataset_offset :], syntax_of(head.transfer_syntax_uid)
    if syntax.deflated:
        return head, inflate(data, LARGEST), EXPLICIT
    return head, data, syntax.uid


def _frames_of(path: Path, known: dict[tuple[str, ...], Series]) -> list[Frame]:
    head, data, syntax = open_file(path)
    header = parse(data, syntax)
    uid = header.text(0x0020000E)
    rows, columns = _whole(header, 0x00280010), _whole(header, 0x00280011)
    if not uid or not rows or not columns:
        return []
    count = max(1, _whole(header, 0x00280008))
    metadata = json.dumps(header.to_json()).encode()
    planes = planes_of(metadata, count)
    if not planes.planes:
        if "MOSAIC" in header.texts(0x00080008):
            raise _Mosaic
        return []
    said = _series(header, uid)
    whose = (said.patient_id, said.patient_name, said.birth_date)
    series = known.setdefault((uid, said.study_uid, *whose), said)
    whole, temporal = _times(header), _whole(header, 0x00200100) or None
    base = whole.acquisition or whole.acquired_at or 0.0
    rescales = _rescales(header, len(planes.planes))
    shared = (
        header.text(0x00080016) or head.sop_class_uid, header.text(0x00080018) or head.sop_uid, series,
        _whole(header, 0x00200013),
    )  # fmt: skip
    last = (
        tuple(header.texts(0x00080008)), rows, columns, _whole(header, 0x00280002) or 1,
    )  # fmt: skip
    told = (0, 0) if count > 1 else (_whole(header, 0x00200105), _whole(header, 0x00201002))
    return [
        Frame(
            path, index, count, *shared, plane, _own_times(whole, plane, base, multi=count > 1),
            plane.temporal_position if count > 1 else temporal, *last, *rescales[index], planes.frame_of_reference,
            header.text(0x00180024), plane.echo_time if plane.echo_time is not None else header.number(0x00180081),
            header.number(0x00181120) or 0.0, *told,
        )
        for index, plane in enumerate(planes.planes)
    ]  # fmt: skip


def _own_times(whole: Times, plane: Plane, base: float, *, multi: bool) -> Times:
    if not multi:
        return whole
    own = None if plane.time is None else base - base % DAY_S + plane.time
    return Times(acquired_at=own, trigger=None if plane.trigger_time is None else plane.trigger_time / 1000)


def _times(header: Header) -> Times:
    said = header.text(0x0008002A)
    trigger = header.number(0x00181060)
    position, step = _whole(header, 0x00200100), header.number(0x00200110)
    study_day = header.text(0x00080020)
    acquired_day = header.text(0x00080022) or header.text(0x00080023) or study_day
    content_day = header.text(0x00080023) or acquired_day
    return Times(
        moment_s(said[:8], said[8:].partition("+")[0].partition("-")[0]) if said else None,
        moment_s(acquired_day, header.text(0x00080032)),
        moment_s(content_day, header.text(0x00080033)),
        None if trigger is None else trigger / 1000,
        position * step / 1000 if position and step else None,
        header.number(PHILIPS_DYNAMIC) if header.text(0x20050010).upper() == "PHILIPS MR IMAGING DD 001" else None,
    )


def _series(header: Header, uid: str) -> Series:
    return Series(
        uid, header.text(0x0020000D), header.text(0x00100020), _name(header),
        header.text(0x00100030).strip(), header.text(0x00080060).upper(), header.text(0x0008103E),
        header.text(0x00181030), _whole(header, 0x00200011), header.text(0x00080070),
    )  # fmt: skip


def _name(header: Header) -> str:
    """Return a patient's name to compare it: its first group, without case and empty ends (PS3.5 6.2.1)."""
    return header.text(0x00100010).split("=")[0].casefold().strip(" ^")


def _rescales(header: Header, frames: int) -> list[tuple[float, float, bool]]:
    """Return slope, intercept, and whether they were said, for each frame (PS3.3 C.11.1, C.7.6.16.2.9)."""
    own = _rescale(header)
    if frames == 1 and own[2]:
        return [own]
    shared = next((_within(item) for item in header.items(0x52009229)), None) or own
    each = [_within(item) or shared for item in header.items(0x52009230)[:frames]]
    return each + [shared] * (frames - len(each))


def _within(item: Header) -> tuple[float, float, bool] | None:
    for one in item.items(0x00289145):
        found = _rescale(one)
        if found[2]:
            return found
    return None


def _rescale(header: Header) -> tuple[float, float, bool]:
    slope, intercept = header.number(0x00281053), header.number(0x00281052)
    if slope is None and intercept is None:
        return 1.0, 0.0, False
    return (1.0 if slope is None else slope), intercept or 0.0, True


def _whole(header: Header, tag: int) -> int:
    values = header.integers(tag)
    return values[0] if values else 0
