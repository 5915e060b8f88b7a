"""Objects in another transfer syntax: the pixels equal, all else as it was."""

from __future__ import annotations

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.codestreams import read_j2k
from radrelay.dicom.elements import DataElements
from radrelay.dicom.encode import ENCODERS, NotTranscodable
from radrelay.dicom.htj2k import restore, split
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.dicom.pixels import NotViewable, PixelsTooLarge
from radrelay.dicom.syntaxes import (
    DEFLATED_FRAMES,
    DEFLATED_LE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_LE,
    J2K_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    syntax_of,
)
from radrelay.dicom.transcode import inflate, transcode
from radrelay.errors import RadrelayError
from tests.dicom.objects import (
    CT,
    END,
    compressed,
    described,
    item,
    made,
    opened,
    reference,
    stacked,
    through_pydicom,
    wheel_file,
)

pytestmark = pytest.mark.filterwarnings("ignore")

NATIVE = (IMPLICIT_LE, EXPLICIT_LE, DEFLATED_LE)
PACKED = (JPEG_LS_LOSSLESS, J2K_LOSSLESS, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, RLE_LOSSLESS, DEFLATED_FRAMES)
SOURCES = (
    *("CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "ExplVR_BigEnd.dcm"),
    *("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_rle_16bit_2frame.dcm"),
    *("SC_rgb_small_odd_big_endian.dcm", "SC_rgb_jpeg.dcm", "SC_ybr_full_422_uncompressed.dcm", "image_dfl.dcm"),
    *("examples_palette.dcm", "examples_overlay.dcm", "examples_jpeg2k.dcm", "J2K_pixelrep_mismatch.dcm"),
)


@pytest.mark.parametrize("target", NATIVE + PACKED)
@pytest.mark.parametrize("name", SOURCES)
def test_pixels_are_equal_for_us_and_for_pydicom(name: str, target: str) -> None:
    data_set, ts = wheel_file(name)
    result = transcode(data_set, ts, target)
    expected = stacked(data_set, ts)
    np.testing.assert_array_equal(stacked(result, target), expected)
    theirs = reference(through_pydicom(result, target))
    if theirs is not None:
        np.testing.assert_array_equal(theirs, expected)
    else:  # pydicom's plugin for JPEG 2000 has no 16-bit colour
        wide_colour = target == J2K_LOSSLESS and expected.shape[-1] == 3 and expected.dtype == np.uint16
        assert wide_colour or target in (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, DEFLATED_FRAMES)


def test_the_same_syntax_gives_the_same_bytes() -> None:
    data_set, ts = wheel_file("CT_small.dcm")
    assert transcode(data_set, ts, ts) == data_set


@pytest.mark.parametrize("target", PACKED)
def test_everything_before_the_pixels_stays_byte_for_byte(target: str) -> None:
    data_set, ts = wheel_file("CT_small.dcm")
    result = transcode(data_set, ts, target)
    start = data_set.index(b"\xe0\x7f\x10\x00OW")
    assert result[:start] == data_set[:start]
    assert transcode(result, target, ts) == data_set


@pytest.mark.parametrize("target", [JPEG_LS_LOSSLESS, J2K_LOSSLESS, HTJ2K_LOSSLESS, RLE_LOSSLESS])
def test_headers_say_what_the_pixels_are(target: str) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    source = made(samples, frames=3, planar=1)
    dataset = through_pydicom(transcode(*source, target), target)
    named = "YBR_RCT" if target in (J2K_LOSSLESS, HTJ2K_LOSSLESS) else "RGB"
    assert dataset.PhotometricInterpretation == named
    assert dataset.PlanarConfiguration == 0
    assert dataset["PixelData"].VR == "OB"
    assert dataset["PixelData"].is_undefined_length
    assert dataset.NumberOfFrames == 3


def test_lossy_colour_becomes_rgb_when_unpacked() -> None:
    data_set, ts = wheel_file("SC_rgb_dcmtk_+eb+cy+np.dcm")
    dataset = through_pydicom(transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE)
    assert dataset.PhotometricInterpretation in ("RGB", "YBR_FULL")
    np.testing.assert_array_equal(reference(dataset), stacked(data_set, ts))


@pytest.mark.parametrize("flag", [b"", b"(\0\x10!CS\x02\x0000"])
@pytest.mark.parametrize(
    ("name", "lossy"),
    [
        ("JPEG-lossy.dcm", True),
        ("JPEG2000.dcm", True),
        ("MR_small_jp2klossless.dcm", False),
        ("JPEGLSNearLossless_16.dcm", True),
        ("MR_small_jpeg_ls_lossless.dcm", False),
    ],
)
def test_what_was_lossy_says_so_once_it_is_unpacked(name: str, lossy: bool, flag: bytes) -> None:
    data_set, ts = wheel_file(name)
    elements = DataElements.of(data_set, syntax_of(ts))
    place = elements.places.get(0x00282110)
    after = next(e.start for tag, e in sorted(elements.places.items()) if tag > 0x00282110)
    data_set = data_set[: place.start if place else after] + flag + data_set[place.end if place else after :]
    for target in (EXPLICIT_LE, RLE_LOSSLESS):
        dataset = through_pydicom(transcode(data_set, ts, target), target)
        assert dataset.get("LossyImageCompression") == ("01" if lossy else "00" if flag else None)


def test_twelve_bits_are_named_in_the_code_stream_of_htj2k_and_jpeg_2000() -> None:
    for kind in ("u2", "i2"):
        samples = (np.arange(4096).reshape(64, 64) - (2048 if kind == "i2" else 0)).astype(kind)
        source = made(samples, BitsStored=12, HighBit=11)
        descriptor, _, _ = described(*source)
        for codec in ("htj2k", "j2k"):
            stream = ENCODERS[codec].write(samples, descriptor, "MONOCHROME2")
            assert read_j2k(stream).precision == 12
            assert read_j2k(stream).signed == (kind == "i2")
        for target in PACKED:
            np.testing.assert_array_equal(stacked(transcode(*source, target), target), samples)


@pytest.mark.parametrize("target", [EXPLICIT_LE, RLE_LOSSLESS, HTJ2K_LOSSLESS])
def test_a_header_that_names_upper_bits_over_a_code_stream_of_fewer_is_set_right(target: str) -> None:
    samples = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    header = made(samples, BitsStored=12, HighBit=15)
    descriptor, _, _ = described(*made(samples, BitsStored=12, HighBit=11))
    stream = ENCODERS["j2k"].write(samples, descriptor, "MONOCHROME2")
    source = compressed(header, J2K_LOSSLESS, item(b"") + item(stream + b"\0" * (len(stream) & 1)) + END)
    np.testing.assert_array_equal(stacked(*source), samples)
    np.testing.assert_array_equal(stacked(transcode(*source, target), target), samples)


def test_old_overlays_in_unused_bits_survive_where_words_are_carried() -> None:
    words = np.arange(4096, dtype=np.uint16).reshape(64, 64) % 1024 | 0x8000
    source = made(words, BitsStored=12, HighBit=11)
    for target in (RLE_LOSSLESS, IMPLICIT_LE, DEFLATED_FRAMES):
        assert transcode(transcode(*source, target), target, EXPLICIT_LE) == source[0]


def _nested() -> bytes:
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "T-1", "99X", "Brüste"
    outer = Dataset()
    outer.SpecificCharacterSet = "ISO_IR 192"
    outer.SOPClassUID, outer.SOPInstanceUID = CT, "1.2.3"
    outer.PatientName = "Müller^Jürgen"
    outer.PixelRepresentation = 1
    outer.SmallestImagePixelValue = -5
    outer["SmallestImagePixelValue"].VR = "SS"
    reason = Dataset()
    reason.PurposeOfReferenceCodeSequence = Sequence([inner])
    reason.ReferencedFrameNumber = [1, 2]
    outer.ReferencedImageSequence = Sequence([reason, Dataset()])
    outer.ReferencedImageSequence[0].is_undefined_length_sequence_item = True
    outer["ReferencedImageSequence"].is_undefined_length = True
    outer.add_new(0x00091001, "UN", b"\1\2\3\4")
    outer.add_new(0x00090010, "LO", "Somebody")
    outer.add_new(0x0040A123, "PN", "Doc^Tor")
    outer.add_new(0x00720074, "FD", 2.25)
    outer.add_new(0x00081155, "UI", "1.2.3.4")
    out = io.BytesIO()
    outer.file_meta = pydicom.dataset.FileMetaDataset()
    outer.file_meta.TransferSyntaxUID = pydicom.uid.UID(EXPLICIT_LE)
    pydicom.filewriter.dcmwrite(out, outer, enforce_file_format=True)
    whole = out.getvalue()
    return whole[parse_preamble(whole).dataset_offset :]


def test_sequences_and_private_elements_go_to_implicit_and_back() -> None:
    explicit = _nested()
    implicit = transcode(explicit, EXPLICIT_LE, IMPLICIT_LE)
    assert (
        through_pydicom(implicit, IMPLICIT_LE).to_json_dict() == through_pydicom(explicit, EXPLICIT_LE).to_json_dict()
    )
    assert transcode(implicit, IMPLICIT_LE, EXPLICIT_LE) == explicit


@pytest.mark.parametrize(
    "name", ["MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "rtdose_expb.dcm", "liver_expb_1frame.dcm"]
)
def test_big_endian_values_keep_their_meaning(name: str) -> None:
    data_set, ts = wheel_file(name)
    assert ts == EXPLICIT_BE
    result = through_pydicom(transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE)
    before = through_pydicom(data_set, ts)
    for element in before.iterall():
        if element.VR not in ("SQ", "OW", "OB", "UN") and element.tag.element and element.tag in result:
            assert result[element.tag].value == before[element.tag].value, element
    np.testing.assert_array_equal(stacked(transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE), stacked(data_set, ts))


@pytest.mark.parametrize("name", ["reportsi.dcm", "rtplan.dcm", "waveform_ecg.dcm", "test-SR.dcm", "rtstruct.dcm"])
def test_objects_without_pixels_change_their_encoding_alone(name: str) -> None:
    data_set, ts = wheel_file(name)
    for target in NATIVE:
        result = through_pydicom(transcode(data_set, ts, target), target)
        assert {e.tag for e in result} == {e.tag for e in through_pydicom(data_set, ts) if e.tag.element}
    with pytest.raises(NotTranscodable):
        transcode(data_set, ts, RLE_LOSSLESS)


def test_what_was_stored_as_htj2k_goes_out_in_any_syntax() -> None:
    data_set, ts = wheel_file("CT_small.dcm")
    parted = split(data_set, ts)
    assert parted is not None
    for target in (IMPLICIT_LE, JPEG_LS_LOSSLESS):
        assert transcode(restore(parted), ts, target) == transcode(data_set, ts, target)


def test_threads_give_the_same_bytes() -> None:
    source = made(np.random.default_rng(0).integers(0, 4096, (50, 16, 16), dtype=np.uint16), frames=50)
    with ThreadPoolExecutor(4) as pool:
        assert transcode(*source, RLE_LOSSLESS, executor=pool) == transcode(*source, RLE_LOSSLESS)


@pytest.mark.parametrize("target", [JPEG_BASELINE, EXPLICIT_BE, "1.2.840.10008.1.2.4.102", "1.2.3"])
def test_syntaxes_that_are_not_written_are_named(target: str) -> None:
    with pytest.raises(NotTranscodable, match="not written"):
        transcode(*wheel_file("CT_small.dcm"), target)


def test_frames_that_are_missing_are_not_made_up() -> None:
    with pytest.raises(NotTranscodable, match="frames"):
        transcode(*wheel_file("MR_truncated.dcm"), J2K_LOSSLESS)


def test_video_is_not_unpacked(shared_data: Path) -> None:
    with pytest.raises(NotViewable):
        transcode(*opened(shared_data / "codecs" / "video-made" / "h264-testsrc.dcm"), EXPLICIT_LE)


def test_a_deflate_bomb_stops_at_the_limit(shared_data: Path) -> None:
    data_set, _ = opened(shared_data / "broken" / "made" / "deflate-bomb-200MiB.dcm")
    with pytest.raises(PixelsTooLarge):
        inflate(data_set, 1 << 20)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 300),
    samples=st.sampled_from([1, 3]),
    kind=st.sampled_from(["u1", "u2", "i2", "u4"]),
    seed=st.integers(0, 2**32),
)
def test_run_lengths_of_any_shape_come_back(rows: int, columns: int, samples: int, kind: str, seed: int) -> None:
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    values = np.random.default_rng(seed).integers(0, 3, shape).repeat(1, axis=0).astype(kind)
    source = made(values)
    result = transcode(*source, RLE_LOSSLESS)
    np.testing.assert_array_equal(stacked(result, RLE_LOSSLESS), values)
    theirs = reference(through_pydicom(result, RLE_LOSSLESS))
    np.testing.assert_array_equal(theirs, values)


@pytest.mark.parametrize(
    ("target", "tool"),
    [(JPEG_LS_LOSSLESS, "dcmdjpls"), (RLE_LOSSLESS, "dcmdrle"), (IMPLICIT_LE, "dcmconv"), (DEFLATED_LE, "dcmconv")],
)
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "SC_rgb_small_odd.dcm", "examples_rgb_color.dcm", "MR_small_bigendian.dcm"]
)
def test_dcmtk_reads_what_was_written(tmp_path: Path, name: str, target: str, tool: str) -> None:
    data_set, ts = wheel_file(name)
    written = tmp_path / "written.dcm"
    written.write_bytes(file_meta(CT, "1.2.3", target) + transcode(data_set, ts, target))
    dump = subprocess.run(["dcmdump", str(written)], check=True, capture_output=True)
    assert b"E:" not in dump.stderr
    assert b"W:" not in dump.stderr
    plain = tmp_path / "plain.dcm"
    more = ["+te"] if tool == "dcmconv" else []
    subprocess.run([tool, *more, str(written), str(plain)], check=True)
    np.testing.assert_array_equal(reference(plain), stacked(data_set, ts))


@pytest.mark.shared
@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_every_real_file_in_every_syntax(shared_data: Path) -> None:
    for collection in ("codecs", "misc", "seg-sr-wsi"):
        for path in sorted((shared_data / collection).rglob("*")):
            try:
                data_set, ts = opened(path) if path.is_file() else (b"", EXPLICIT_LE)
                expected = stacked(data_set, ts)
            except RadrelayError:
                continue
            for target in NATIVE + PACKED:
                try:
                    result = transcode(data_set, ts, target)
                except NotTranscodable:
                    continue
                np.testing.assert_array_equal(stacked(result, target), expected, err_msg=f"{path.name} {target}")
