"""Faces taken out of series: gone where there is one, the brain never touched, kept back where it is not sure."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from radrelay.dicom.deface import Cut, Unsure, cuts_of, deface, read_slice
from radrelay.dicom.deface.stack import NoStack
from radrelay.dicom.deidentify import Deidentified, Project, deidentify
from radrelay.dicom.elements import DataElements
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import transcode
from tests.dicom.deface.head import AXIAL, SAGITTAL, TS, Series, brain_at, inside, series

JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"


def cuts(made: Series, *, without: int = -1) -> Any:
    names = [index for index in range(len(made.slices)) if index != without]
    return cuts_of({str(index): read_slice(made.bytes_of(index), TS) for index in names})


def gone_of(made: Series, found: dict[str, Cut], index: int) -> Any:
    return found[str(index)].of(made.slices[index].Rows, made.slices[index].Columns)


@pytest.mark.parametrize(
    ("modality", "orientation", "low", "count"), [("CT", AXIAL, -125.0, 72), ("MR", SAGITTAL, -100.0, 67)]
)
def test_nose_and_eyes_go_and_the_brain_stays(
    modality: str, orientation: tuple[float, ...], low: float, count: int
) -> None:
    made = series(modality, orientation=orientation, low=low, count=count, size=105, pixel=2.4)
    found = cuts(made)
    assert isinstance(found, dict), found
    face = face_gone = 0
    for index, points in enumerate(made.points):
        gone = gone_of(made, found, index)
        assert not (gone & brain_at(points, 4)).any()  # with what is around it
        nose = inside(points, (0, -108, -50), (13, 24, 24))
        eyes = inside(points, (-32, -90, -34), (12, 12, 12)) | inside(points, (32, -90, -34), (12, 12, 12))
        face += int((nose | eyes).sum())
        face_gone += int((gone & (nose | eyes)).sum())
    assert face_gone > 0.98 * face
    index = int(np.argmax([gone_of(made, found, index).sum() for index in range(count)]))
    plain, gone = made.slices[index], gone_of(made, found, index)
    done = deface(made.bytes_of(index), TS, gone)
    header = DataElements.of(done.data_set, syntax_of(done.ts))
    assert (header.texts(0x00080008)[0], header.texts(0x00280302)) == ("DERIVED", ["NO"])
    after, before = pixels(done.data_set), np.frombuffer(plain.PixelData, "<i2").reshape(gone.shape)
    assert (after[~gone] == before[~gone]).all()
    assert np.unique(after[gone]).size == 1
    if modality == "CT":
        assert after[gone][0] + float(plain.RescaleIntercept) == -1000


def pixels(data_set: bytes) -> Any:
    read = pydicom.dcmread(io.BytesIO(data_set), force=True)
    return np.frombuffer(read.PixelData, "<i2").reshape(read.Rows, read.Columns)


COARSE = {"count": 36, "apart": 6.0, "size": 70, "pixel": 3.6}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"low": -10.0}, Unsure.NO_FACE),  # the upper half alone
        ({"modality": "MR", "brain_alone": True}, Unsure.NO_BRAIN),
        ({"modality": "MR", "dim": -55.0}, Unsure.NO_BRAIN),  # its front is too dark to be seen: it would be cut
        ({"modality": "CT", "dim": -55.0}, Unsure.NO_BRAIN),  # air in the skull
        ({"count": 8, "low": -60.0}, NoStack.SLICES),
        ({"tilt": 0.8}, NoStack.TILTED),
        ({"apart": 9.0, "count": 24}, NoStack.COARSE),
        ({"orientation": (0.8, 0.6, 0.0, -0.6, 0.8, 0.0)}, NoStack.OBLIQUE),
        ({"orientation": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)}, None),  # lying on the face: the same head all the same
    ],
)
def test_what_is_not_sure_is_told(how: dict[str, Any], reason: object) -> None:
    found = cuts(series(**(COARSE | how)))
    assert isinstance(found, dict) if reason is None else found is reason


def test_a_head_turned_round_by_a_wrong_header_and_one_without_a_slice_are_not_defaced() -> None:
    made = series(**COARSE)  # type: ignore[arg-type]
    assert cuts(made, without=9) is NoStack.SLICES
    slices = {str(index): read_slice(made.bytes_of(index), TS) for index in range(len(made.slices))}
    turned = {name: replace(one, orientation=(-1.0, 0, 0, 0, -1, 0)) for name, one in slices.items() if one}
    assert isinstance(cuts_of(turned), Unsure)
    assert cuts_of({**slices, "other": None}) is NoStack.KIND


@pytest.mark.parametrize("bad", ["nan", "inf", "1e300", "1e-320"])
@pytest.mark.parametrize("tag", [0x00200032, 0x00200037, 0x00280030, 0x00281052, 0x00281053])
def test_numbers_that_are_none_keep_a_slice_back(tag: int, bad: str) -> None:
    made = series(count=1, size=16)
    plain = made.slices[0]
    values = [bad, *map(str, plain[tag].value[1:])] if plain[tag].VM > 1 else [bad]
    plain.add_new(tag, "LO", values)  # which writes what DS must not hold
    found = read_slice(made.bytes_of(0), TS)
    assert found is None or (bad == "1e-320" and tag != 0x00280030)


def test_a_series_of_very_many_pixels_is_not_held_in_memory() -> None:
    one = read_slice(series(count=1, size=16).bytes_of(0), TS)
    assert one is not None
    large = np.lib.stride_tricks.as_strided(one.mean, (512, 512), (0, 0))
    slices = {str(at): replace(one, mean=large, most=large, position=(0, 0, 2.0 * at)) for at in range(97)}
    assert cuts_of(slices) is NoStack.LARGE


def test_coded_slices_stay_coded_without_loss_and_the_method_is_named() -> None:
    made = series(**COARSE)  # type: ignore[arg-type]
    gone = np.zeros((70, 70), bool)
    gone[10:30, 20:50] = True
    plain = made.bytes_of(18)
    coded = transcode(plain, EXPLICIT_LE, JPEG_LS)
    done = deface(coded, JPEG_LS, gone)
    assert done.ts == JPEG_LS
    expected = pixels(deface(plain, EXPLICIT_LE, gone).data_set)
    assert (pixels(transcode(done.data_set, JPEG_LS, EXPLICIT_LE)) == expected).all()
    project = Project("HEADS", bytes(32), deface=True)
    assert not isinstance(deidentify(coded, JPEG_LS, project), Deidentified)  # a face, kept back
    safe = deidentify(done.data_set, done.ts, replace(project, defaced=True))
    assert isinstance(safe, Deidentified)
    read = pydicom.dcmread(io.BytesIO(safe.file))
    assert [item.CodeValue for item in read.DeidentificationMethodCodeSequence] == ["113100", "113102"]
    assert read.RecognizableVisualFeatures == "NO"
    assert read.SOPInstanceUID != made.slices[18].SOPInstanceUID


@pytest.mark.shared
def test_real_series_that_show_no_whole_face_are_kept_back(shared_data: Path) -> None:
    """A head CT with a tilted gantry, a diffusion series turned by 30°, functional images of the brain alone."""
    for folder in ("ge-ct-head", "canon-mr-dti", "ge-mr-epi"):
        slices = {}
        for file in sorted((shared_data / "series" / folder).rglob("*")):
            if file.is_file() and file.read_bytes()[128:132] == b"DICM":
                read = pydicom.dcmread(file)
                ts = str(read.file_meta.TransferSyntaxUID)
                start = 144 + int(read.file_meta.FileMetaInformationGroupLength)
                slices[file.name] = read_slice(file.read_bytes()[start:], ts)
                if slices[file.name] is None:
                    break
        assert slices
        assert isinstance(cuts_of(slices), NoStack | Unsure)
