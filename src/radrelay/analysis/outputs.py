"""What a run has written: each file a DICOM object of the very study and patient that it was given, or nothing counts.

Objects get UIDs of this run's own, the same ones however often it is begun anew, and what they say of each other is
written so, too. `findings.json` beside them is what a page shows.
"""

from __future__ import annotations

import io
import os
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from radrelay.analysis.errors import NoOutput, OutputInvalid, OutputOfAnother
from radrelay.analysis.service import Result
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import DEFLATED_LE
from radrelay.dicom.transcode import inflate

if TYPE_CHECKING:  # loaded where an object is read: a role that runs no analysis does without
    from pydicom.dataset import Dataset

FINDINGS = "findings.json"
MOST_FILES = 20_000
MOST_FINDINGS = 64 << 20
DEEPEST = 64
PREFIX_BYTES = 64 << 10
STANDARD = "1.2.840.10008."
_ROOM = uuid.UUID("5d0c2a3e-3f0a-4a0e-9a5b-0a4b4a1c6c55")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose study a run was given, as its images say."""

    study_uid: str
    patient_id: str
    issuer: str
    birth_date: str

    @classmethod
    def of(cls, path: Path) -> Whose:
        """Return whose an image is; raises `OutputInvalid` for what is none."""
        return cls.said(_read(path, whole=False))

    @classmethod
    def said(cls, header: Dataset) -> Whose:
        """Return whose an object says it is."""
        names = ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientBirthDate")
        return cls(*(str(header.get(name) or "").strip() for name in names))

    def owns(self, other: Whose) -> bool:
        """Say whether an object is of the same study and patient; of issuer and birth date it may say nothing."""
        same = (self.study_uid, self.patient_id) == (other.study_uid, other.patient_id)
        return same and all(
            not theirs or theirs == ours
            for ours, theirs in ((self.issuer, other.issuer), (self.birth_date, other.birth_date))
        )


@dataclass(frozen=True, slots=True)
class Output:
    """What a run has written, checked: its objects' files in order, and what stands for their UIDs."""

    files: tuple[Path, ...]
    results: tuple[Result, ...]
    uids: Mapping[str, str]
    findings: str | None
    whose: Whose

    def objects(self, wanted: Callable[[str], bool]) -> Iterator[tuple[Result, bytes]]:
        """Return the objects that are wanted by their UID, each as the bytes of a file."""
        for path, result in zip(self.files, self.results, strict=True):
            if wanted(result.sop_uid):
                yield result, renamed(path, self.uids, self.whose)


def read_output(folder: Path, run_id: uuid.UUID, whose: Whose) -> Output:
    """Return what a run has written; raises `NoOutput`, `OutputInvalid`, `OutputOfAnother`."""
    found: list[_Found] = []
    findings = None
    for path in _files(folder):
        if path.name == FINDINGS and path.parent == folder:
            findings = _json(path)
        else:
            found.append(_Found.at(path, whose))
    if not found and findings is None:
        raise NoOutput
    found.sort(key=lambda one: one.order)
    uids: dict[str, str] = {}
    results: list[Result] = []
    series: dict[str, str] = {}
    for number, one in enumerate(found):
        if one.sop_uid in uids:
            raise OutputInvalid(f"{one.path.name[:64]}: there are two objects of one UID")
        uids[one.sop_uid] = uid(run_id, "object", number)
        series.setdefault(one.series_uid, uid(run_id, "series", len(series)))
        results.append(Result(uids[one.sop_uid], series[one.series_uid], one.description))
    if kept := (uids.keys() | series.keys()) & {whose.study_uid} or uids.keys() & series.keys():
        raise OutputInvalid(f"{min(kept)[:64]}: an object or a series has the UID of something else")
    uids |= series
    told = None if findings is None else msgspec.json.encode(_replaced(findings, uids)).decode()
    output = Output(tuple(one.path for one in found), tuple(results), uids, told, whose)
    for _ in output.objects(lambda _: True):  # what cannot be written must show before the first of them lands
        pass
    return output


@dataclass(frozen=True, slots=True)
class _Found:
    """An object that was written. `order` is the same however a program names its files and UIDs."""

    path: Path
    sop_uid: str
    series_uid: str
    description: str
    order: tuple[int, str, str, int, str]

    @classmethod
    def at(cls, path: Path, whose: Whose) -> _Found:
        header = _read(path, whole=False)
        if not whose.owns(Whose.said(header)):
            raise OutputOfAnother(f"{path.name[:64]}: it is of another patient or study")
        sop_uid, series_uid = str(header.SOPInstanceUID), str(header.SeriesInstanceUID)
        if any(one.startswith(STANDARD) for one in (sop_uid, series_uid)):
            raise OutputInvalid(f"{path.name[:64]}: its UID is one of the standard's own")
        description, modality = (str(header.get(name) or "") for name in ("SeriesDescription", "Modality"))
        series, instance = (_number(header.get(name)) for name in ("SeriesNumber", "InstanceNumber"))
        return cls(path, sop_uid, series_uid, description[:64], (series, description, modality, instance, str(path)))


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def uid(run_id: uuid.UUID, what: str, number: int) -> str:
    """Return a UID that is the same however often a run is begun anew."""
    return f"2.25.{uuid.uuid5(_ROOM, f'{run_id} {what} {number}').int}"


def renamed(path: Path, uids: Mapping[str, str], whose: Whose) -> bytes:
    """Return an object's file with other UIDs wherever it names one of them; raises `OutputInvalid` and its kin."""
    dataset = _read(path, whole=True)
    if not whose.owns(Whose.said(dataset)):
        raise OutputOfAnother(f"{path.name[:64]}: it is of another patient or study")
    written = io.BytesIO()
    try:
        _rename(dataset, uids)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(written, enforce_file_format=True)
    except Exception as error:  # why: pydicom raises whatever rubbish leads it to
        raise OutputInvalid(f"{path.name[:64]}: it cannot be written") from error
    return written.getvalue()


def _rename(dataset: Dataset, uids: Mapping[str, str]) -> None:
    from pydicom.multival import MultiValue  # noqa: PLC0415 -- as said above
    from pydicom.uid import UID  # noqa: PLC0415

    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _rename(item, uids)
        elif element.VR == "UI" and element.value:
            if isinstance(element.value, MultiValue | list):
                element.value = [UID(uids.get(str(one), str(one))) for one in element.value]
            elif str(element.value) in uids:
                element.value = UID(uids[str(element.value)])


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder and those in it, by name; raises `OutputInvalid` for anything else."""
    found = []
    for at, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(at, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                found.append(path)
            elif not stat.S_ISDIR(mode):
                raise OutputInvalid(f"{name[:64]}: it is no file")
    if len(found) > MOST_FILES:
        raise OutputInvalid(f"there are more than {MOST_FILES} files")
    return sorted(found)


def _read(path: Path, *, whole: bool) -> Dataset:
    from pydicom import dcmread  # noqa: PLC0415 -- as said above
    from pydicom.filereader import read_file_meta_info  # noqa: PLC0415
    from pydicom.uid import UID  # noqa: PLC0415

    try:
        if read_file_meta_info(path).TransferSyntaxUID == DEFLATED_LE:
            _require_small(path)
        dataset = dcmread(path, stop_before_pixels=not whole)
        for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            if not UID(str(dataset[name].value)).is_valid:
                raise OutputInvalid(f"{path.name[:64]}: its {name} is none")
    except OutputInvalid:
        raise
    except Exception as error:  # why: pydicom raises whatever rubbish leads it to
        raise OutputInvalid(f"{path.name[:64]}: it is no DICOM object") from error
    return dataset


def _require_small(path: Path) -> None:
    """Raise unless a deflated data set inflates to what may be held in memory; pydicom knows no limit."""
    content = path.read_bytes()
    inflate(memoryview(content)[parse_preamble(content[:PREFIX_BYTES]).dataset_offset :])


def _json(path: Path) -> object:
    if path.stat().st_size > MOST_FINDINGS:
        raise OutputInvalid(f"{FINDINGS} is too large")
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.MsgspecError, RecursionError) as error:
        raise OutputInvalid(f"{FINDINGS} is no JSON") from error


def _replaced(said: object, uids: Mapping[str, str], depth: int = 0) -> object:
    if depth > DEEPEST:
        raise OutputInvalid(f"{FINDINGS} is nested too deep")
    if isinstance(said, str):
        return uids.get(said, said)
    if isinstance(said, list):
        return [_replaced(one, uids, depth + 1) for one in said]
    if isinstance(said, dict):
        return {name: _replaced(value, uids, depth + 1) for name, value in said.items()}
    return said
