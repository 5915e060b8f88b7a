"""Drawings in real files: all are read or refused with a reason, and lie where other programs find them."""

from __future__ import annotations

import gzip
import struct
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from radrelay.dicom import drawings
from radrelay.dicom.drawings.drawn import Drawing, DrawingUnsupported
from radrelay.errors import RadrelayError
from tests.dicom.drawn_objects import bytes_of, drawn, header_of, item, presentation_state, segmentation, structure_set
from tests.dicom.objects import frames_of, opened, reference

pytestmark = [pytest.mark.shared, pytest.mark.filterwarnings("ignore")]

DRAWING = ("88.", "11.", "66.4", "66.7", "481.3")
FOLDERS = ("seg-sr-wsi", "rt", "misc", "codecs")


def files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix not in (".gz", ".jpeg", ".md", ".txt", ".zip"):
                yield path


def found_in(path: Path) -> tuple[str, Drawing | RadrelayError] | None:
    """Return the class of an object that draws and what is read of it; none of others."""
    try:
        header = header_of(path.read_bytes())
    except RadrelayError:
        return None
    kind = header.text(0x00080016).removeprefix("1.2.840.10008.5.1.4.1.1.")
    if not kind.startswith(DRAWING):
        return None
    try:
        return kind, drawings.read(header, header.text(0x00080016))
    except RadrelayError as refused:
        return kind, refused


def test_every_drawing_of_the_collection_is_read(shared_data: Path) -> None:
    rows = {path: found for path in files(shared_data) if (found := found_in(path)) is not None}
    assert len(rows) >= 40
    for path, (kind, read) in rows.items():
        name = path.relative_to(shared_data)
        assert isinstance(read, Drawing), f"{name} ({kind}): {read}"
        masks = "" if read.masks is None else f"{len(read.masks.frames)} {read.masks.form}"
        points = sum(len(shape.points) for shape in read.shapes)
        print(f"{kind:6} {name}: {len(read.groups)} groups, {len(read.shapes)} shapes, {points} points, {masks}"
              f" {', '.join(read.notes)}")  # fmt: skip
        assert read.shapes or read.masks or read.flagged or read.presentation or read.kind == "report"


def test_bulk_annotations_are_refused_by_name(shared_data: Path) -> None:
    header = header_of((shared_data / "seg-sr-wsi/highdicom/sm_annotations.dcm").read_bytes())
    with pytest.raises(DrawingUnsupported):
        drawings.read(header, header.text(0x00080016))


def segmentations(root: Path) -> list[Path]:
    named = [*(root / "seg-sr-wsi/highdicom").glob("seg_*.dcm"), *(root / "codecs/pydicom-data").glob("liver*.dcm")]
    return sorted([*named, root / "misc/orthanc-tests/DicomSeg.dcm", *(root / "misc/pydicom-wheel").glob("liver*.dcm")])


def test_masks_are_those_that_pydicom_finds(shared_data: Path) -> None:
    compared = 0
    for path in segmentations(shared_data):
        data_set, ts = opened(path)
        theirs = reference(path)
        if theirs is None:
            continue
        ours = np.stack(frames_of(data_set, ts))
        assert np.array_equal(ours, theirs.reshape(ours.shape)), path.name
        found = found_in(path)
        assert found is not None
        assert isinstance(found[1], Drawing)
        masks = found[1].masks
        assert masks is not None
        assert len(masks.frames) == len(ours), path.name
        compared += 1
    assert compared >= 18


@pytest.mark.parametrize(
    "name", ["ct_binary", "ct_binary_overlap", "ct_binary_fractional", "cr_binary", "ct_binary_single_frame"]
)
def test_segments_lie_on_the_images_where_highdicom_puts_them(shared_data: Path, name: str) -> None:
    path = shared_data / f"seg-sr-wsi/highdicom/seg_image_{name}.dcm"
    theirs = hd.seg.segread(path)
    found = found_in(path)
    assert found is not None
    assert isinstance(found[1], Drawing)
    masks = found[1].masks
    assert masks is not None
    pixels = frames_of(*opened(path))
    sources = sorted({one.sop_uid for frame in masks.frames for one in frame.images})
    expected = theirs.get_pixels_by_source_instance(
        sources, assert_missing_frames_are_empty=True, rescale_fractional=False, ignore_spatial_locations=True
    )
    ours = np.zeros_like(expected)
    for frame in masks.frames:
        for image in frame.images:
            ours[sources.index(image.sop_uid), ..., frame.group - 1] = pixels[frame.number - 1]
    assert np.array_equal(ours, expected)


NIFTI = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "<i1", 512: "<u2"}


def nifti(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the voxels of a small NIfTI file, (x, y, z), and the way from them to mm (+x right, +y front, +z head)."""
    raw = gzip.decompress(path.read_bytes())
    shape = struct.unpack_from("<8h", raw, 40)
    (kind,), (start,) = struct.unpack_from("<h", raw, 70), struct.unpack_from("<f", raw, 108)
    voxels = np.frombuffer(raw, NIFTI[kind], int(np.prod(shape[1:4])), int(start)).reshape(shape[1:4], order="F")
    return voxels, np.vstack([np.array(struct.unpack_from("<12f", raw, 280)).reshape(3, 4), [0, 0, 0, 1]])


def labelled_ct(root: Path) -> tuple[list[Dataset], np.ndarray[Any, Any]]:
    """Return TotalSegmentator's CT slices, lowest first, with its labels at each of their pixels."""
    images: list[Dataset] = [
        pydicom.dcmread(path, force=True) for path in (root / "rt/totalsegmentator/example_ct_dicom").iterdir()
    ]
    images.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    voxels, to_mm = nifti(root / "rt/totalsegmentator/example_seg_dicom.nii.gz")
    from_mm = np.linalg.inv(to_mm)
    labels = []
    for number, image in enumerate(images):  # they come without UIDs of their own
        image.SOPClassUID, image.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.2"), UID(f"1.2.9.1.{number}")
        y, x = np.mgrid[: image.Rows, : image.Columns]
        spacing, (left, front, height) = [float(s) for s in image.PixelSpacing], map(float, image.ImagePositionPatient)
        at = np.stack([-(left + x * spacing[1]), -(front + y * spacing[0]), np.full(x.shape, height), np.ones(x.shape)])
        places = np.rint(np.tensordot(from_mm, at, 1)[:3]).astype(int)
        assert all(places[axis].min() >= 0 and places[axis].max() < voxels.shape[axis] for axis in range(3))
        labels.append(voxels[tuple(places)].astype(int))
    return images, np.stack(labels)


def corners_of(mask: np.ndarray[Any, Any]) -> list[list[tuple[float, float]]]:
    """Return the runs of a mask's rows as closed outlines, in pixels: rectangles that tile it exactly."""
    found = []
    for row in np.flatnonzero(mask.any(1)):
        line = np.concatenate(([0], mask[row].astype(int), [0]))
        starts, ends = np.flatnonzero(np.diff(line) == 1), np.flatnonzero(np.diff(line) == -1)
        for start, end in zip(starts, ends, strict=True):
            found.append([(start, row), (end, row), (end, row + 1), (start, row + 1)])
    return [[(float(x), float(y)) for x, y in corners] for corners in found]


def test_contours_of_known_organs_cover_them_again(shared_data: Path) -> None:
    images, labels = labelled_ct(shared_data)
    counts = np.bincount(labels.reshape(-1))
    organs = [int(label) for label in np.argsort(counts)[::-1] if label][:5]
    rings = []
    cited = []
    for organ in organs:
        for place in range(0, len(images), 6):
            image = images[place]
            spacing, position = [float(s) for s in image.PixelSpacing], [float(p) for p in image.ImagePositionPatient]
            for corners in corners_of(labels[place] == organ):
                points = [[position[0] + (x - 0.5) * spacing[1], position[1] + (y - 0.5) * spacing[0], position[2]]
                          for x, y in corners]  # fmt: skip
                rings.append((organ, "CLOSED_PLANAR", points))
                cited.append(image)
    found = drawn(structure_set(cited, rings))
    for organ in organs:
        ours, truth = [], []
        for place in range(0, len(images), 6):
            image = images[place]
            grid = Image.new("1", (int(image.Columns) * 4, int(image.Rows) * 4))
            pitch, corner = np.array(image.PixelSpacing, float), np.array(image.ImagePositionPatient, float)
            for shape in found.shapes:
                if shape.group == organ and shape.images[0].sop_uid == image.SOPInstanceUID:
                    columns = (shape.points[:, 0] - corner[0]) / pitch[1] + 0.5
                    rows = (shape.points[:, 1] - corner[1]) / pitch[0] + 0.5
                    corners = [(x * 4, y * 4) for x, y in zip(columns, rows, strict=True)]
                    ImageDraw.Draw(grid).polygon(corners, fill=1)
            ours.append(np.asarray(grid)[2::4, 2::4])
            truth.append(labels[place] == organ)
        overlap = np.logical_and(ours, truth).sum() / max(1, np.logical_or(ours, truth).sum())
        print(f"label {organ}: IoU {overlap:.4f} over {np.sum(truth)} pixels")
        assert overlap > 0.97


def test_organs_as_a_segmentation_come_back_pixel_by_pixel(shared_data: Path) -> None:
    images, labels = labelled_ct(shared_data)
    organs = np.argsort(np.bincount(labels.reshape(-1)))[::-1]
    chosen = [int(one) for one in organs if one][:2]
    stacked = np.zeros(labels.shape, np.uint8)
    for number, organ in enumerate(chosen, 1):
        stacked[labels == organ] = number
    made = segmentation(images, stacked)
    found = drawn(made)
    assert found.masks is not None
    pixels = frames_of(*_opened(made))
    back = np.zeros_like(stacked)
    places = {image.SOPInstanceUID: place for place, image in enumerate(images)}
    for frame in found.masks.frames:
        back[places[frame.images[0].sop_uid]][pixels[frame.number - 1] > 0] = frame.group
    assert np.array_equal(back, stacked)


def _opened(dataset: Dataset) -> tuple[bytes, str]:
    header = header_of(bytes_of(dataset))
    return header.data, header.transfer_syntax.uid


def test_a_state_means_what_dcmtk_takes_it_for(tmp_path: Path) -> None:
    """Window, inversion, rotation and then the flip, as dcmtk renders them."""
    image = pydicom.dcmread(str(pydicom.data.get_testdata_file("CT_small.dcm", download=False)))
    window = item(WindowCenter="1000", WindowWidth="1500")
    area = item(DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[128, 128],
                PresentationSizeMode="SCALE TO FIT", PresentationPixelAspectRatio=[1, 1])  # fmt: skip
    state = presentation_state([image], SoftcopyVOILUTSequence=Sequence([window]), ImageRotation=90,
                               ImageHorizontalFlip="Y", PresentationLUTShape="INVERSE",
                               DisplayedAreaSelectionSequence=Sequence([area]))  # fmt: skip
    state.ReferencedSeriesSequence[0].SeriesInstanceUID = image.SeriesInstanceUID
    for reference_ in state.ReferencedSeriesSequence[0].ReferencedImageSequence:
        reference_.ReferencedSOPClassUID = image.SOPClassUID
    for one in state.GraphicAnnotationSequence[0].ReferencedImageSequence:
        one.ReferencedSOPClassUID = image.SOPClassUID
    del state.GraphicAnnotationSequence, state.GraphicLayerSequence
    state.StudyInstanceUID = image.StudyInstanceUID
    state.StudyDate = state.StudyTime = state.AccessionNumber = state.StudyID = state.ReferringPhysicianName = ""
    state.PatientBirthDate = state.PatientSex = state.SeriesNumber = ""
    state.RescaleIntercept, state.RescaleSlope, state.RescaleType = image.RescaleIntercept, image.RescaleSlope, "HU"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (tmp_path / "state.dcm").write_bytes(bytes_of(state))
        image.save_as(tmp_path / "image.dcm")
    made = subprocess.run(
        ["dcmp2pgm", "-p", str(tmp_path / "state.dcm"), str(tmp_path / "image.dcm"), str(tmp_path / "out.pgm")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (tmp_path / "out.pgm").exists(), made.stderr
    theirs = np.asarray(Image.open(tmp_path / "out.pgm")).astype(int)
    shown = drawn(state).presentation
    assert shown is not None
    values = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
    grey = np.clip(((values - (shown.windows[0].center - 0.5)) / (shown.windows[0].width - 1) + 0.5) * 255, 0, 255)
    grey = 255 - grey if shown.invert else grey
    ours = np.rot90(grey, -shown.rotation // 90)
    ours = ours[:, ::-1] if shown.flip else ours
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).max() <= 2
