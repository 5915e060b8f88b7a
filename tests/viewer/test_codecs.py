"""Every file of the codec collection, in the browser: the painted picture equals the truth to the grey value."""

from __future__ import annotations

import subprocess
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from openjpeg.utils import decode as openjpeg_decode
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from tests.system.samples import distinct
from tests.viewer.conftest import Pages
from tests.viewer.deviations import explained
from tests.viewer.hospital import Hospital, content_of
from tests.viewer.screen import WATCH, Difference, differs, go, step
from tests.viewer.truth import Array, frames_of, of_series, shown

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom warns: real files break rules
    pytest.mark.shared,
]

BY_DCMTK = {f"1.2.840.10008.1.2.4.{number}" for number in (51, 57, 70)}
HTJ2K = {f"1.2.840.10008.1.2.4.{number}" for number in (201, 203)}
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
SAME_PICTURE = {
    "liver_rle.dcm": "liver.dcm",
    "liver_nonbyte_aligned_rle.dcm": "liver_nonbyte_aligned.dcm",
}
"""What pydicom does not decode without further libraries, and an uncompressed or lossless file of the same picture."""
SAME_LOOK = {"OBXXXX1A_expb.dcm": "OBXXXX1A.dcm"}
"""A big endian palette, which pydicom's `apply_color_lut` takes for a little endian one, and the same in that order."""


@dataclass
class Case:
    """A file with what the browser must paint, frame by frame."""

    name: str
    sop: str
    series: str
    study: str
    looks_like: Dataset
    samples: list[Array]
    seen: list[Difference] = field(default_factory=list)

    def picture(self, frame: int) -> Array:
        """Return what must be painted of a frame (from 0)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return shown(self.looks_like, self.samples[frame], frame)


def whole(path: Path, folder: Path) -> Path:
    """Give a file the UIDs without which no archive takes it, and one name; its pixel data stay as they are."""
    data_set = dcmread(path, force=True)
    meta = data_set.file_meta
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    named = meta.get("MediaStorageSOPInstanceUID") == data_set.get("SOPInstanceUID")
    if named and all(data_set.get(name) for name in names):
        return path
    for name in names:
        setattr(data_set, name, data_set.get(name) or generate_uid(entropy_srcs=[path.name, name]))
    data_set.SOPClassUID = data_set.get("SOPClassUID") or meta.get(
        "MediaStorageSOPClassUID", SecondaryCaptureImageStorage
    )
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    target = folder / path.name
    target.write_bytes(content_of(data_set))
    return target


def windowed(path: Path, found: list[Array], folder: Path) -> Path:
    """Give slices and frames that bring no window one of their own: which their series gets, others test."""
    data_set = dcmread(path, force=True)
    window = of_series(data_set, found[0]) if found else None
    if window is None:
        return path
    data_set.WindowCenter, data_set.WindowWidth = round(window.center), max(2, round(window.width))
    target = folder / f"windowed-{path.name}"
    target.write_bytes(content_of(data_set))
    return target


def samples_of(path: Path, folder: Path) -> list[Array]:
    """Return each frame's samples by pydicom, or by whoever else decodes them; empty for what is no still picture."""
    data_set = dcmread(path, force=True)
    found = frames_of(data_set)
    if found or "PixelData" not in data_set:
        return found
    syntax = str(data_set.file_meta.TransferSyntaxUID)
    if path.name in SAME_PICTURE:
        return frames_of(dcmread(path.with_name(SAME_PICTURE[path.name]), force=True))
    if syntax in HTJ2K:
        return [openjpeg_decode(next(generate_frames(data_set.PixelData, number_of_frames=1)))]
    if syntax in BY_DCMTK:
        target = folder / f"{path.name}.decoded"
        subprocess.run(["dcmdjpeg", str(path), str(target)], check=True, capture_output=True)
        return frames_of(dcmread(target))
    return inflated(data_set) if syntax == DEFLATED_FRAMES else []


def inflated(data_set: Dataset) -> list[Array]:
    """Return frames of one bit for each pixel, deflated one by one (PS3.5 A.4.13)."""
    size = (data_set.Rows, data_set.Columns)
    count = int(data_set.NumberOfFrames)
    raw = [zlib.decompress(frame, -15) for frame in generate_frames(data_set.PixelData, number_of_frames=count)]
    bits = [np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little") for frame in raw]
    return [one[: size[0] * size[1]].reshape(size) for one in bits]


@pytest.fixture(scope="module")
def cases(shared_data: Path, hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Send the collection and return the files that hold a picture."""
    folder = tmp_path_factory.mktemp("codecs")
    files = [path for path in sorted((shared_data / "codecs").rglob("*")) if path.is_file() and path.suffix != ".md"]
    pictured = [path for path in files if "Rows" in dcmread(path, force=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoded = {path: samples_of(path, folder) for path in pictured}
    paths = {path: windowed(whole(path, folder), decoded[path], folder) for path in pictured}
    samples = distinct(list(paths.values()), folder)
    hospital.send(one.path for one in samples)
    made = []
    for path, one in zip(paths, samples, strict=True):
        same = SAME_LOOK.get(path.name)
        looks_like = dcmread(path.with_name(same) if same else paths[path], force=True)
        made.append(Case(path.name, one.sop, one.series, one.study, looks_like, decoded[path]))
    return made


def test_every_codec_file_is_painted_as_it_is_decoded_elsewhere(
    open_page: Pages, hospital: Hospital, cases: list[Case]
) -> None:
    page = open_page("/", script=WATCH)
    by_sop = {case.sop: case for case in cases}
    pictured = [case for case in cases if case.samples]
    for study in dict.fromkeys(case.study for case in pictured):
        sent = hospital.study(study)
        for row in sent.series:
            listed = hospital.instances(row["id"])
            places = [(by_sop[one["sop_uid"]], frame) for one in listed for frame in range(one["frames"])]
            if not places[0][0].samples:
                continue
            go(page, sent.view(row["series_uid"]))
            for place, (case, frame) in enumerate(places):
                if place > 0:
                    step(page, place)
                case.seen.append(differs(page, case.picture(frame).astype(np.uint8)))
    assert len(pictured) >= 100
    lacking = {case.name: len(case.seen) for case in pictured if len(case.seen) != len(case.samples)}
    assert lacking == {}
    worst = {case.name: max(case.seen) for case in pictured}
    assert {name: most for name, most in worst.items() if most.levels} == explained(worst)
