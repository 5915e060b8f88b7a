"""Real files, decoded to the grey value that pydicom or dcmtk find in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest

from radrelay.dicom.decode import decode_frame
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, NotViewable, Pixels
from radrelay.dicom.syntaxes import HTJ2K
from radrelay.errors import RadrelayError
from tests.dicom.objects import frames_of, opened, reference, stacked, wheel_file

pytestmark = pytest.mark.filterwarnings("ignore")

NOT_DECODABLE = {
    "h264-testsrc.dcm": "video",
    "mpeg2-testsrc.dcm": "video",
    "JPEG2000-embedded-sequence-delimiter.dcm": "a delimiter was written over the size of its code stream",
    "meta_missing_tsyntax.dcm": "no rows and columns",
    "nested_priv_SQ.dcm": "no rows and columns",
}

OVERSHOOTING = {"RG3_JPLY"}
"""Lossy 12-bit frames with values above their 10 bits stored: clipped here, wrapped around elsewhere."""

WHEEL = (
    *("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm"),
    *("MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm"),
    *("ExplVR_BigEnd.dcm", "J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm", "JPEGLSNearLossless_08.dcm"),
    *("JPEGLSNearLossless_16.dcm", "SC_jpeg_no_color_transform.dcm", "SC_jpeg_no_color_transform_2.dcm"),
    *("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_gdcm_KY.dcm"),
    *("SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm", "SC_rgb_jpeg_app14_dcmd.dcm"),
    *("SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm", "SC_rgb_small_odd.dcm"),
    *("SC_rgb_small_odd_big_endian.dcm", "SC_rgb_small_odd_jpeg.dcm", "SC_ybr_full_422_uncompressed.dcm"),
    *("examples_jpeg2k.dcm", "examples_overlay.dcm", "examples_palette.dcm", "examples_rgb_color.dcm"),
    *("examples_ybr_color.dcm", "image_dfl.dcm", "liver_1frame.dcm", "liver_expb_1frame.dcm", "rtdose.dcm"),
    *("rtdose_expb.dcm", "rtdose_rle.dcm"),
)


@pytest.mark.parametrize("name", WHEEL)
def test_pydicoms_own_files_decode_to_its_values(name: str) -> None:
    data_set, ts = wheel_file(name)
    expected = reference(str(pydicom.data.get_testdata_file(name, download=False)))
    assert expected is not None
    np.testing.assert_array_equal(stacked(data_set, ts), expected)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".md", ".txt"))


@pytest.mark.shared
@pytest.mark.parametrize("collection", ["codecs", "misc", "seg-sr-wsi"])
def test_every_file_of_the_collection_decodes(shared_data: Path, collection: str) -> None:
    compared = 0
    for path in _files(shared_data / collection):
        try:
            data_set, ts = opened(path)
            dataset = pydicom.dcmread(path, force=True)
        except (RadrelayError, pydicom.errors.InvalidDicomError, ValueError, TypeError):
            continue
        if not {"PixelData", "FloatPixelData", "DoubleFloatPixelData"} & set(dataset.dir()):
            continue
        if path.name in NOT_DECODABLE:
            with pytest.raises((NotViewable, BrokenPixels)):
                frames_of(data_set, ts)
            continue
        ours = stacked(data_set, ts)
        expected = reference(dataset)
        if expected is not None:
            np.testing.assert_array_equal(ours, expected, err_msg=path.name)
            compared += 1
    assert compared > 20


DCMTK = (
    *("JPLL/CT1_JPLL", "JPLL/MR4_JPLL", "JPLL/XA1_JPLL", "JPLY/MR4_JPLY", "JPLY/NM1_JPLY", "JPLY/XA1_JPLY"),
    "JPLY/RG3_JPLY",
)


@pytest.mark.shared
@pytest.mark.parametrize("name", DCMTK)
def test_lossless_and_12_bit_jpeg_agree_with_dcmtk(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "codecs" / "nema-wg04" / name
    subprocess.run(["dcmdjpeg", str(source), str(tmp_path / "plain.dcm")], check=True)
    expected = reference(tmp_path / "plain.dcm")
    ours = stacked(*opened(source))
    assert expected is not None
    if source.name in OVERSHOOTING:
        differing = ours != expected
        assert differing.mean() < 0.01
        assert set(ours[differing]) == {1023}
    else:
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.shared
def test_one_bit_frames_are_alike_in_every_syntax(shared_data: Path) -> None:
    folder = shared_data / "codecs" / "pydicom-data"
    for stem in ("liver", "liver_nonbyte_aligned"):
        expected = stacked(*opened(folder / f"{stem}.dcm"))
        for suffix in ("_rle", "_deflate", "_j2k"):
            np.testing.assert_array_equal(stacked(*opened(folder / f"{stem}{suffix}.dcm")), expected)


def _checked(dtype: type[np.uint8 | np.uint16]) -> Pixels:
    rows, columns = np.mgrid[:256, :256]
    white: Pixels = (((columns // 16 + rows // 16) % 2) * np.iinfo(dtype).max).astype(dtype)
    return white


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_irreversible_htj2k_clips_what_its_wavelet_overshoots(dtype: type[np.uint8 | np.uint16]) -> None:
    white = _checked(dtype)
    frame = bytes(imagecodecs.htj2k_encode(white, reversible=False, level=0.01))
    bits = white.itemsize * 8
    descriptor = FrameDescriptor(256, 256, 1, bits, bits, bits - 1, False, "MONOCHROME2", 0, 1, HTJ2K)
    error = np.abs(decode_frame(descriptor, frame).astype(int) - white.astype(int))
    assert error.max() <= 0.02 * np.iinfo(dtype).max
    wrapped = np.abs(imagecodecs.htj2k_decode(frame).astype(int) - white.astype(int))
    assert wrapped.max() > np.iinfo(dtype).max / 2, "imagecodecs clips now: decode irreversible HTJ2K with it, too"
