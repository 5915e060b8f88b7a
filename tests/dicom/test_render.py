"""Pictures of frames: grey values as the standard's formulas and pydicom have them."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from radrelay.dicom import writing
from radrelay.dicom.decode import decode_small
from radrelay.dicom.elements import DataElements
from radrelay.dicom.greyscale import Presentation, Window, presentation, to_grey
from radrelay.dicom.htj2k import split
from radrelay.dicom.lookup import palette
from radrelay.dicom.pixels import FrameDescriptor, Pixels, describe
from radrelay.dicom.render import display_samples, mark_missing, pixel_aspect, render, thumbnail
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from tests.dicom.objects import described, frames_of, made, wheel_file

pytestmark = pytest.mark.filterwarnings("ignore")


def _opened(samples: Pixels, **more: Any) -> tuple[DataElements, FrameDescriptor]:
    data_set, ts = made(samples, **more)
    elements = DataElements.of(data_set, syntax_of(ts))
    return elements, describe(elements, ts)


def _pydicom_grey(dataset: pydicom.Dataset, samples: Pixels) -> Pixels:
    seen = apply_voi_lut(apply_modality_lut(samples, dataset), dataset)
    low, high = 0.0, float(2**dataset.BitsStored - 1)
    if dataset.PixelRepresentation:
        low, high = -(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    low, high = low * slope + intercept, high * slope + intercept
    grey: Pixels = (seen - low) / (high - low) * 255
    return grey


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [(1, -1024), (2, 0), (0.5, 3.25)])
def test_windows_agree_with_pydicom(function: str, rescale: tuple[float, float]) -> None:
    samples = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    more = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": function}
    more |= {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1], "BitsStored": 12, "HighBit": 11}
    elements, descriptor = _opened(samples, **more)
    dataset = pydicom.Dataset()
    for keyword, value in {**more, "PixelRepresentation": 1, "PhotometricInterpretation": "MONOCHROME2"}.items():
        setattr(dataset, keyword, value)
    ours = to_grey(samples, descriptor, presentation(elements, descriptor))
    assert np.abs(ours - _pydicom_grey(dataset, samples)).max() <= 0.51


def test_large_pictures_take_the_table_and_give_the_same_grey() -> None:
    samples = np.random.default_rng(0).integers(-2000, 3000, (300, 300), dtype=np.int16)
    elements, descriptor = _opened(samples, WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-24)
    shown = presentation(elements, descriptor)
    np.testing.assert_array_equal(to_grey(samples, descriptor, shown)[:100], to_grey(samples[:100], descriptor, shown))


def test_monochrome1_is_inverted_and_padding_is_black() -> None:
    samples = np.array([[0, 100], [200, 255]], np.uint8)
    elements, descriptor = _opened(samples, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=255)
    assert display_samples(elements, descriptor, samples).tolist() == [[255, 155], [55, 0]]


def test_without_a_window_the_range_of_the_picture_is_spread_but_not_its_padding() -> None:
    samples = np.array([[-2000, 100], [200, 300]], np.int16)
    elements, descriptor = _opened(samples, PixelPaddingValue=-2000)
    assert display_samples(elements, descriptor, samples).tolist() == [[0, 0], [128, 255]]


def test_voi_and_modality_tables_are_followed() -> None:
    samples = np.array([[0, 1], [2, 9]], np.uint8)
    elements, descriptor = _opened(samples)
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [3, 0, 16], [0, 32768, 65535]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    elements, descriptor = _opened(samples, VOILUTSequence=[table])
    assert display_samples(elements, descriptor, samples).tolist() == [[0, 128], [255, 255]]
    modality = pydicom.Dataset()
    modality.LUTDescriptor, modality.LUTData, modality.ModalityLUTType = [3, 1, 16], [1000, 2000, 3000], "US"
    modality["LUTDescriptor"].VR = modality["LUTData"].VR = "US"
    elements, descriptor = _opened(samples, ModalityLUTSequence=[modality], WindowCenter=2000.5, WindowWidth=2001)
    assert presentation(elements, descriptor).modality(samples).tolist() == [[1000, 1000], [2000, 3000]]


def test_a_voi_table_over_hounsfield_units_begins_below_zero_though_stored_values_do_not() -> None:
    samples = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    item = pydicom.Dataset()
    item.add_new(0x00283002, "SS", [201, -100, 8])
    item.add_new(0x00283006, "OW", np.linspace(0, 255, 201).astype("<u2").tobytes())
    more = {"BitsStored": 12, "HighBit": 11, "RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": [item]}
    elements, descriptor = _opened(samples, **more)
    shown = presentation(elements, descriptor)
    grey = to_grey(samples, descriptor, shown).reshape(-1)
    assert [grey[1024 + hu] for hu in (-500, -100, 0, 100, 500)] == [0, 0, 127, 255, 255]


def test_a_negative_padding_written_as_an_unsigned_word_is_padding() -> None:
    samples = np.array([[-2000, 0], [50, 100]], np.int16)
    _, descriptor = _opened(samples)
    data_set, ts = made(samples, PixelPaddingValue=0)
    at = data_set.index(b"\x28\0\x20\x01")
    odd = data_set[: at + 4] + b"US\x02\0" + (63536).to_bytes(2, "little") + data_set[at + 10 :]
    shown = presentation(DataElements.of(odd, syntax_of(ts)), descriptor)
    assert shown.padding == (-2000, -2000)
    assert to_grey(samples, descriptor, shown).tolist() == [[0, 0], [128, 255]]


def test_functional_groups_of_the_frame_win_over_shared_ones_and_the_top() -> None:
    def voi(center: float) -> pydicom.Dataset:
        item, inner = pydicom.Dataset(), pydicom.Dataset()
        inner.WindowCenter, inner.WindowWidth = center, 10
        item.FrameVOILUTSequence = [inner]
        return item

    samples = np.zeros((2, 4, 4), np.uint16)
    more = {"SharedFunctionalGroupsSequence": [voi(5)], "WindowCenter": 1, "WindowWidth": 1}
    elements, descriptor = _opened(samples, frames=2, **more)
    assert presentation(elements, descriptor, 1).window == Window(5, 10)
    more["PerFrameFunctionalGroupsSequence"] = [voi(7), voi(8)]
    elements, descriptor = _opened(samples, frames=2, **more)
    assert presentation(elements, descriptor, 1).window == Window(8, 10)


def test_palette_agrees_with_pydicom() -> None:
    data_set, ts = wheel_file("examples_palette.dcm")
    dataset = pydicom.dcmread(str(get_testdata_file("examples_palette.dcm", download=False)))
    descriptor, _, plain = described(data_set, ts)
    samples = frames_of(data_set, ts)[0]
    expected = apply_color_lut(samples, dataset)
    shift = expected.dtype.itemsize * 8 - 8
    ours = display_samples(DataElements.of(plain, syntax_of(ts)), descriptor, samples)
    np.testing.assert_array_equal(ours, expected >> shift)


def _segmented(words: tuple[int, ...], entries: int) -> DataElements:
    data = struct.pack(f"<{len(words)}H", *words)
    parts = [writing.element(0x00281101 + n, "US", entries, 0, 16) for n in range(3)]
    parts += [writing.element(0x00281221 + n, "OW", data) for n in range(3)]
    return DataElements.of(b"".join(parts), syntax_of(EXPLICIT_LE))


def test_segmented_palettes_unfold() -> None:
    # discrete 0 and 1000, linear to 5000 in 4 steps, then both segments again
    found = palette(_segmented((0, 2, 0, 1000, 1, 4, 5000, 2, 2, 0, 0), 12), signed=False)
    assert found.entries[:, 0].tolist() == [0, 1000, 2000, 3000, 4000, 5000] * 2


def test_pixels_that_are_not_square_and_a_wanted_size() -> None:
    samples = np.zeros((50, 100), np.uint8)
    elements, descriptor = _opened(samples, PixelAspectRatio=[2, 1])
    assert pixel_aspect(elements) == 2
    contradicting, _ = _opened(samples, PixelAspectRatio=[2, 1], PixelSpacing=[0.5, 0.5])
    assert pixel_aspect(contradicting) == 1  # as it is measured
    picture = Image.open(io.BytesIO(render(elements, samples, descriptor=descriptor, picture="png")))
    assert picture.size == (100, 100)
    picture = Image.open(io.BytesIO(render(elements, samples, descriptor=descriptor, size=(30, 60))))
    assert picture.size == (30, 30)
    elements, descriptor = _opened(samples, PixelSpacing=[0.5, 1.0])
    picture = Image.open(io.BytesIO(render(elements, samples, descriptor=descriptor, picture="gif")))
    assert picture.size == (200, 50)


def test_png_holds_the_grey_values_exactly() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    elements, descriptor = _opened(samples)
    picture = Image.open(io.BytesIO(render(elements, samples, descriptor=descriptor, picture="png")))
    np.testing.assert_array_equal(np.asarray(picture), samples)


def test_one_bit_and_float_are_shown() -> None:
    samples = np.array([[0, 1], [1, 0]], np.uint8)
    _, descriptor = _opened(np.zeros((2, 2), np.uint8))
    assert to_grey(samples, _with(descriptor, bits_allocated=1, bits_stored=1), Presentation()).tolist() == [
        [0, 255],
        [255, 0],
    ]
    values = np.array([[0.0, 0.5], [1.0, np.nan]], np.float32)
    floats = _with(descriptor, bits_allocated=32, bits_stored=32, kind="float")
    assert to_grey(values, floats, Presentation()).tolist() == [[0, 128], [255, 0]]


def _with(descriptor: FrameDescriptor, **changes: Any) -> FrameDescriptor:
    return replace(descriptor, **changes)


def test_thumbnail_of_a_stored_frame_reads_a_smaller_resolution() -> None:
    samples = (np.add.outer(np.arange(1024), np.arange(1024)) // 2).astype(np.uint16)
    data_set, ts = made(samples, WindowCenter=512, WindowWidth=1024)
    elements = DataElements.of(data_set, syntax_of(ts))
    parted = split(data_set, ts)
    assert parted is not None
    fast = np.asarray(Image.open(io.BytesIO(thumbnail(elements, parted.descriptor, parted.frames[0], edge=128))))
    full = np.asarray(Image.open(io.BytesIO(render(elements, samples, size=(128, 128)))))
    assert fast.shape == full.shape == (128, 128)
    assert np.abs(fast.astype(int) - full.astype(int)).max() <= 8


@pytest.mark.parametrize(
    ("kind", "stored"), [("u1", 8), ("u2", 12), ("u2", 14), ("u2", 16), ("i2", 12), ("i2", 16), ("u4", 20), ("u4", 32)]
)
@pytest.mark.parametrize("colour", [False, True])
def test_thumbnails_keep_black_black_and_white_white_beside_sharp_edges(kind: str, stored: int, colour: bool) -> None:
    if colour and (kind[0] == "i" or stored > 16):
        return  # there is no such colour
    letters = np.kron(np.random.default_rng(0).integers(0, 2, (64, 64)), np.ones((8, 8), int))
    bottom = -(1 << stored - 1) if kind[0] == "i" else 0
    samples = (letters * ((1 << stored) - 1) + bottom).astype(kind)
    samples = np.stack([samples] * 3, axis=-1) if colour else samples
    parted = split(*made(samples, BitsStored=stored, HighBit=stored - 1))
    assert parted is not None
    small = decode_small(parted.descriptor, parted.frames[0], 256, own=True)
    assert (small is None) == (stored > 16)
    if small is not None:
        white = (small.astype(np.int64) - bottom) > (1 << stored - 1)
        np.testing.assert_array_equal(white, (letters if not colour else np.stack([letters] * 3, -1))[::2, ::2])


def test_a_thumbnail_of_words_with_an_overlay_in_them_shows_the_picture_without_it() -> None:
    picture = np.tile(np.arange(512, dtype=np.uint16) * 8, (512, 1))
    overlay = np.kron(np.random.default_rng(0).integers(0, 2, (64, 64)), np.ones((8, 8), int)).astype(np.uint16) << 15
    plain, covered = (
        split(*made(words, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096))
        for words in (picture, picture | overlay)
    )
    assert plain is not None
    assert covered is not None
    elements = DataElements.of(plain.prefix, syntax_of(EXPLICIT_LE))
    small = [thumbnail(elements, parted.descriptor, parted.frames[0], own=True) for parted in (plain, covered)]
    grey = [np.asarray(Image.open(io.BytesIO(jpeg)), int) for jpeg in small]
    assert np.abs(grey[0] - grey[1]).max() < 16


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "liver_1frame.dcm"])
def test_thumbnails_of_received_frames(name: str) -> None:
    data_set, ts = wheel_file(name)
    descriptor, ranges, plain = described(data_set, ts)
    first = ranges[0].pieces[0]
    picture = thumbnail(
        DataElements.of(plain, syntax_of(ts)), descriptor, plain[first[0] : first[0] + first[1]], edge=64
    )
    assert max(Image.open(io.BytesIO(picture)).size) == 64


def test_an_empty_mask_is_black_and_a_full_one_is_white() -> None:
    for value, grey in ((0, 0), (1, 255)):
        samples = np.full((4, 4), value, np.uint8)
        elements, descriptor = _opened(samples)
        binary = _with(descriptor, bits_allocated=1, bits_stored=1)
        shown = presentation(elements, binary)
        assert shown.window == Window(0.5, 1.0, "LINEAR_EXACT")
        assert set(np.unique(to_grey(samples, binary, shown))) == {grey}


def test_a_fractional_segmentation_is_white_at_its_maximum() -> None:
    samples = np.full((4, 4), 100, np.uint8)
    elements, descriptor = _opened(samples, SegmentationType="FRACTIONAL", MaximumFractionalValue=100)
    assert presentation(elements, descriptor).window == Window(50.0, 100.0, "LINEAR_EXACT")
    elements, descriptor = _opened(samples, SegmentationType="LABELMAP")
    assert presentation(elements, descriptor).window is None


def test_a_flat_picture_is_seen_against_zero() -> None:
    for value, grey in ((0, 0), (700, 255), (-1000, 0)):
        samples = np.full((4, 4), value, np.int16)
        elements, descriptor = _opened(samples)
        assert set(np.unique(to_grey(samples, descriptor, presentation(elements, descriptor)))) == {grey}


def test_a_window_over_floats_is_a_range_and_not_a_step() -> None:
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    elements, descriptor = _opened(values.astype(np.uint16), WindowCenter="0.5", WindowWidth="1")
    floats = _with(descriptor, bits_allocated=32, bits_stored=32, kind="float")
    shown = presentation(elements, floats)
    assert shown.window == Window(0.5, 1.0, "LINEAR_EXACT")
    assert np.abs(to_grey(values, floats, shown) - values * 255.0).max() <= 0.51
    assert presentation(elements, descriptor).window == Window(0.5, 1.0)  # whole values: the standard's step


def test_what_is_missing_of_a_picture_is_hatched_and_the_rest_left_as_it_is() -> None:
    grey = np.full((40, 50), 99, np.uint8)
    marked = mark_missing(grey, 0.505)
    flat = marked.reshape(-1, 3)
    assert (flat[:990] == 99).all(), "what came stays, to the pixel"
    assert {tuple(one) for one in flat[990:].tolist()} == {(0, 0, 0), (0xA8, 0x6F, 0x2F)}


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (1, 1), (2, 3000)])
def test_a_cut_of_unknown_size_is_told_by_a_strip_at_the_lower_edge(shape: tuple[int, ...]) -> None:
    marked = mark_missing(np.full(shape, 99, np.uint8), 0.0)
    assert marked.shape == (*shape[:2], 3)
    strip = max(1, round(shape[0] * 0.12))
    assert (marked[:-strip] == 99).all()
    assert not (marked[-strip:] == 99).any()


def test_a_picture_of_which_nothing_came_is_hatched_all_over() -> None:
    assert not (mark_missing(np.full((8, 8), 99, np.uint8), 1.0) == 99).any()


def test_small_pictures_start_with_the_window_that_the_viewer_starts_with() -> None:
    """A CT without a window is seen in soft tissue, whatever metal and air it holds (`frontend/viewer/starting.ts`)."""
    ramp = np.repeat(np.array([[-1000, -160, 40, 240, 3000]], np.int16), 5, axis=0)
    header, descriptor = _opened(ramp, Modality="CT")
    small = thumbnail(header, descriptor, ramp.tobytes(), edge=5)
    grey = np.asarray(Image.open(io.BytesIO(small)).convert("L"))[2]
    assert grey.tolist() == pytest.approx([0, 0, 128, 255, 255], abs=24)  # as JPEG has it
