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

if TYPE_CHECKING:  # loaded where an object is read: a role that runs no analysis does without
    from pydicom.dataset import Dataset

FINDINGS = "findings.json"
MOST_FILES = 20_000
MOST_FINDINGS = 64 << 20
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

    def objects(self, wanted: Callable[[str], bool]) -> Iterator[tuple[Result, bytes]]:
        """Return the objects that are wanted by their UID, each as the bytes of a file."""
        for path, result in zip(self.files, self.results, strict=True):
            if wanted(result.sop_uid):
                yield result, renamed(path, self.uids)


def read_output(folder: Path, run_id: uuid.UUID, whose: Whose) -> Output:
    """Return what a run has written; raises `NoOutput`, `OutputInvalid`, `OutputOfAnother`."""
    files = []
    findings = None
    for path in _files(folder):
        if path.name == FINDINGS and path.parent == folder:
            findings = _json(path)
        else:
            files.append(path)
    if not files and findings is None:
        raise NoOutput
    uids: dict[str, str] = {}
    results: list[Result] = []
    for number, path in enumerate(files):
        header = _read(path, whole=False)
        if not whose.owns(Whose.said(header)):
            raise OutputOfAnother(f"{path.name[:64]}: it is of another patient or study")
        sop_uid, series_uid = str(header.SOPInstanceUID), str(header.SeriesInstanceUID)
        if sop_uid in uids:
            raise OutputInvalid(f"{path.name[:64]}: there are two objects of one UID")
        uids[sop_uid] = uid(run_id, "object", number)
        if series_uid not in uids:
            uids[series_uid] = uid(run_id, "series", len({one.series_uid for one in results}))
        results.append(Result(uids[sop_uid], uids[series_uid], str(header.get("SeriesDescription") or "")[:64]))
    told = None if findings is None else msgspec.json.encode(_replaced(findings, uids)).decode()
    return Output(tuple(files), tuple(results), uids, told)


def uid(run_id: uuid.UUID, what: str, number: int) -> str:
    """Return a UID that is the same however often a run is begun anew."""
    return f"2.25.{uuid.uuid5(_ROOM, f'{run_id} {what} {number}').int}"


def renamed(path: Path, uids: Mapping[str, str]) -> bytes:
    """Return an object's file with other UIDs wherever it names one of them."""
    dataset = _read(path, whole=True)
    _rename(dataset, uids)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
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
    from pydicom.uid import UID  # noqa: PLC0415

    try:
        dataset = dcmread(path, stop_before_pixels=not whole)
        for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            if not UID(str(dataset[name].value)).is_valid:
                raise OutputInvalid(f"{path.name[:64]}: its {name} is none")
    except OutputInvalid:
        raise
    except Exception as error:  # why: pydicom raises whatever rubbish leads it to
        raise OutputInvalid(f"{path.name[:64]}: it is no DICOM object") from error
    return dataset


def _json(path: Path) -> object:
    if path.stat().st_size > MOST_FINDINGS:
        raise OutputInvalid(f"{FINDINGS} is too large")
    try:
        return msgspec.json.decode(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise OutputInvalid(f"{FINDINGS} is no JSON") from error


def _replaced(said: object, uids: Mapping[str, str]) -> object:
    if isinstance(said, str):
        return uids.get(said, said)
    if isinstance(said, list):
        return [_replaced(one, uids) for one in said]
    if isinstance(said, dict):
        return {name: _replaced(value, uids) for name, value in said.items()}
    return said
