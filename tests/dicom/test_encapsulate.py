"""Documents, pictures and films as objects of a study, checked by dciodvfy."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pillow_heif
import pydicom
import pytest
from PIL import Image

from radrelay.dicom.elements import DataElements
from radrelay.dicom.encapsulate import (
    NotADocument,
    Placing,
    StudyContext,
    film_file,
    new_uid,
    pdf_file,
    picture_files,
)
from radrelay.dicom.encapsulated import fragments, locate, reader_of
from radrelay.dicom.mp4 import UnreadableFilm
from radrelay.dicom.pictures import UnreadablePicture
from radrelay.dicom.syntaxes import syntax_of
from tests.dicom.objects import frames_of, opened

STUDY = StudyContext(
    study_uid="1.2.3.4",
    patient_name="Müller^Jürgen",
    patient_id="4711",
    issuer="KH",
    birth_date=date(1960, 1, 2),
    sex="M",
    study_date=date(2024, 1, 1),
    study_time=time(10, 0),
    accession="A1",
    study_id="S1",
    study_description="Schädel",
    referring="Arzt^Anna",
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"


def placing() -> Placing:
    return Placing(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), new_uid(), new_uid(), title="Brief")


def picture(size: tuple[int, int] = (61, 40)) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size)


def saved(image: Image.Image, kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def verified(file: bytes, folder: Path) -> pydicom.Dataset:
    path = folder / "made.dcm"
    path.write_bytes(file)
    if shutil.which("dciodvfy"):
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        said = (found.stderr + found.stdout).splitlines()
        assert not [line for line in said if line.startswith("Error")], said
    dataset = pydicom.dcmread(path)
    assert dataset.StudyInstanceUID == "1.2.3.4"
    assert dataset.PatientName == "Müller^Jürgen"
    assert dataset.PatientBirthDate == "19600102"
    assert dataset.AccessionNumber == "A1"
    return dataset


def shown(file: bytes, folder: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    path = folder / "shown.dcm"
    path.write_bytes(file)
    return frames_of(*opened(path))


def test_pdf_becomes_an_encapsulated_pdf(tmp_path: Path) -> None:
    dataset = verified(pdf_file(PDF, STUDY, placing()), tmp_path)
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == PDF
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_what_is_no_pdf_is_refused() -> None:
    with pytest.raises(NotADocument):
        pdf_file(b"<html>", STUDY, placing())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_without_loss_keep_every_value(kind: str, mode: str, tmp_path: Path) -> None:
    source = picture().convert(mode)
    (file,) = picture_files(saved(source, kind), STUDY, placing())
    assert verified(file, tmp_path).LossyImageCompression == "00"
    np.testing.assert_array_equal(shown(file, tmp_path)[0], np.asarray(source))


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 65536, (20, 30), dtype=np.uint16)
    (file,) = picture_files(saved(Image.fromarray(words), "PNG"), STUDY, placing())
    assert verified(file, tmp_path).BitsStored == 16
    np.testing.assert_array_equal(shown(file, tmp_path)[0], words)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_keeps_its_coded_picture_but_not_the_cameras_notes(subsampling: int, tmp_path: Path) -> None:
    notes = Image.Exif()
    notes[0x010F] = "Camera of Somebody"
    jpeg = saved(picture(), "JPEG", subsampling=subsampling, exif=notes)
    (file,) = picture_files(jpeg, STUDY, placing())
    dataset = verified(file, tmp_path)
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    assert dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert b"Somebody" not in file
    assert jpeg[jpeg.index(b"\xff\xda") :] in file
    expected = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
    assert np.abs(shown(file, tmp_path)[0] - expected).max() <= 1


def test_a_turned_photograph_is_stored_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    (file,) = picture_files(saved(picture(), "JPEG", exif=turned), STUDY, placing())
    assert (verified(file, tmp_path).Rows, verified(file, tmp_path).Columns) == (61, 40)


def test_heic_is_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture((64, 48))).save(out, quality=90)
    (file,) = picture_files(out.getvalue(), STUDY, placing())
    assert (verified(file, tmp_path).Rows, verified(file, tmp_path).Columns) == (48, 64)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pages_of_one_size_become_frames(mode: str, tmp_path: Path) -> None:
    pages = [picture().convert(mode).rotate(angle) for angle in (0, 90, 180)]
    tiff = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    (file,) = picture_files(tiff, STUDY, placing())
    assert verified(file, tmp_path).NumberOfFrames == 3
    for ours, page in zip(shown(file, tmp_path), pages, strict=True):
        np.testing.assert_array_equal(ours, np.asarray(page))


def test_pages_of_several_sizes_become_objects(tmp_path: Path) -> None:
    tiff = saved(picture(), "TIFF", save_all=True, append_images=[picture((30, 30))])
    files = [verified(file, tmp_path) for file in picture_files(tiff, STUDY, placing())]
    assert [file.InstanceNumber for file in files] == [1, 2]
    assert len({file.SOPInstanceUID for file in files}) == 2
    assert len({file.SeriesInstanceUID for file in files}) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", saved(picture(), "PNG")[:200], saved(picture(), "JPEG")[:300], b"\0\0\0\x18ftypheic" + b"\0" * 50],
)
def test_damaged_pictures_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        picture_files(data, STUDY, placing())


def _mp4(shared_data: Path) -> bytes:
    data_set, ts = opened(shared_data / "codecs" / "video-made" / "h264-testsrc.dcm")
    read = reader_of(data_set)
    places = fragments(read, locate(DataElements.of(data_set, syntax_of(ts)), read).offset)
    return bytes(read(places.starts[1], places.lengths[1]))


@pytest.mark.shared
def test_a_film_becomes_a_video_object_untouched(shared_data: Path, tmp_path: Path) -> None:
    mp4 = _mp4(shared_data)
    dataset = verified(film_file(mp4, STUDY, placing()), tmp_path)
    assert (dataset.Rows, dataset.Columns, dataset.NumberOfFrames) == (480, 640, 75)
    assert dataset.FrameTime == 40
    assert mp4 in (tmp_path / "made.dcm").read_bytes()


@pytest.mark.shared
@pytest.mark.parametrize("length", [0, 100, 1000])
def test_damaged_films_are_refused(shared_data: Path, length: int) -> None:
    with pytest.raises(UnreadableFilm):
        film_file(_mp4(shared_data)[:length], STUDY, placing())
