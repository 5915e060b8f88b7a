"""Files to send, and what is compared of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.filereader import _read_file_meta_info, read_preamble

from radrelay.dicom import phantoms
from radrelay.dicom.phantoms import Kind


@dataclass(frozen=True)
class Sample:
    """One object as a file: its UIDs and the data set that must come back."""

    path: Path
    study: str
    series: str
    sop: str
    transfer_syntax: str
    data_set: bytes


def data_set_of(content: bytes) -> bytes:
    """Return what follows the file meta information."""
    stream = BytesIO(content)
    read_preamble(stream, force=False)
    _read_file_meta_info(stream)
    return content[stream.tell() :]


def sample(path: Path) -> Sample:
    """Read what a test needs to know of a file."""
    found = dcmread(path, stop_before_pixels=True)
    return Sample(
        path,
        str(found.StudyInstanceUID),
        str(found.SeriesInstanceUID),
        str(found.SOPInstanceUID),
        str(found.file_meta.TransferSyntaxUID),
        data_set_of(path.read_bytes()),
    )


def has_uids(path: Path) -> bool:
    """Say whether a file is a whole object: some of the collections lack a study, or announce another object."""
    if path.read_bytes()[128:132] != b"DICM":
        return False
    header = dcmread(path, stop_before_pixels=True)
    named = all(header.get(name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
    return named and bool(header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID)


def distinct(paths: list[Path], folder: Path) -> list[Sample]:
    """Return samples with a SOP Instance UID each: collections hold the same object in several syntaxes."""
    seen: dict[str, Sample] = {}
    for number, path in enumerate(paths):
        item = sample(path)
        if item.sop in seen:
            digits = str(int(hashlib.sha256(str(path).encode()).hexdigest(), 16)).lstrip("0")
            other = f"1.2.{digits}"[: len(item.sop)]  # as long as the old one, so that nothing else in the file moves
            fresh = folder / f"{number}.dcm"
            fresh.write_bytes(path.read_bytes().replace(item.sop.encode(), other.encode(), 2))
            item = sample(fresh)
        assert item.sop not in seen
        seen[item.sop] = item
    return list(seen.values())


def phantom_files(folder: Path, kind: Kind, *, seed: int, slices: int = 4, size: int = 64) -> list[Sample]:
    """Write a small phantom study into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, content in enumerate(phantoms.study(kind, seed=seed, slices=slices, size=size)):
        path = folder / f"{kind}-{seed}-{number:03d}.dcm"
        path.write_bytes(content)
        made.append(sample(path))
    return made


def digests(contents: Iterable[bytes]) -> set[str]:
    """Return the SHA-256 of each data set."""
    return {hashlib.sha256(content).hexdigest() for content in contents}


def received(folder: Path) -> set[str]:
    """Return the SHA-256 of the data set of each file that a peer wrote."""
    return digests(data_set_of(path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def answers(folder: Path) -> list[Dataset]:
    """Return the matches that findscu wrote."""
    return [dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def changed(path: Path, target: Path, **attributes: Any) -> Path:
    """Write a copy of a file with other attributes."""
    found = dcmread(path)
    for name, value in attributes.items():
        setattr(found, name, value)
        if name == "SOPInstanceUID":
            found.file_meta.MediaStorageSOPInstanceUID = value
    found.save_as(target)
    return target
