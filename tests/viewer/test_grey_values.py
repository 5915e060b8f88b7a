"""What samples mean, on a real server and in a real browser: each kind is painted as PS3.3 and pydicom have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels.utils import pack_bits

from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.made import COLUMNS, CT_IMAGE, MULTI_FRAME, ROWS, image, plane, ramp, sequence, table
from tests.viewer.screen import WATCH, Difference, differs, go, painted_rgb, step
from tests.viewer.truth import Array, frames_of, shown

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns: some objects are odd on purpose

WINDOW = {"WindowCenter": 60, "WindowWidth": 400}
RESCALED = {"RescaleSlope": "1.5", "RescaleIntercept": "-1024", "RescaleType": "HU"}


def kinds_of_samples() -> dict[str, Dataset]:
    """Return grey images by what is special about their stored values."""
    study = "samples"
    overlaid = ramp(0, 4095, "u2") | np.uint16(0xA000)  # bits of an old overlay above those stored
    negative = ramp(-2048, 2047, "i2")
    cut = (negative.view("u2") & 0x0FFF).view("i2")  # the sign stands in bit 11, what is above is not set
    made: dict[str, tuple[Array, int, dict[str, Any]]] = {
        "8 bits": (ramp(0, 255, "u1"), 8, {}),
        "8 bits, signed": (ramp(-128, 127, "i1"), 8, {"WindowCenter": 0, "WindowWidth": 200}),
        "6 of 8 bits": (ramp(0, 63, "u1"), 6, {}),
        "10 of 16 bits": (ramp(0, 1023, "u2"), 10, {"WindowCenter": 512, "WindowWidth": 1024}),
        "12 of 16 bits": (ramp(0, 4095, "u2"), 12, {}),
        "12 of 16 bits, signed": (negative, 12, WINDOW),
        "12 bits, signed, not extended": (cut, 12, WINDOW),
        "12 bits below an overlay": (overlaid, 12, {}),
        "16 bits": (ramp(0, 65535, "u2"), 16, {}),
        "16 bits, signed": (ramp(-32768, 32767, "i2"), 16, {"WindowCenter": -100.5, "WindowWidth": 20000}),
        "32 bits": (ramp(0, 4_000_000, "u4"), 32, {"WindowCenter": 1.5e6, "WindowWidth": 3e6}),
        "one value alone": (np.full((ROWS, COLUMNS), 700, "u2"), 12, {}),
        "odd rows and columns": (ramp(0, 255, "u1", (7, 13)), 8, {}),
        "one pixel": (np.array([[77]], "u1"), 8, {}),
    }
    return {name: image(pixels, study=study, stored=bits, more=more) for name, (pixels, bits, more) in made.items()}


def ways_to_grey() -> dict[str, Dataset]:
    """Return grey images by how their values become grey."""
    study = "ways"
    twelve, hounsfield = ramp(0, 4095, "u2"), ramp(-1024, 3071, "i2")
    curve = (np.sqrt(np.linspace(0, 1, 4096)) * 65535).astype("u2")
    modality = table(0, np.linspace(5000, 1000, 4096).astype("u2"), 16, ModalityLUTType="US")
    voi = table(0, curve, 16)
    made: dict[str, tuple[Array, int, dict[str, Any]]] = {
        "a window": (hounsfield, 16, WINDOW),
        "a rescale and a window": (twelve, 12, {**RESCALED, **WINDOW}),
        "a falling rescale": (twelve, 12, {"RescaleSlope": "-0.25", "RescaleIntercept": "10", "WindowCenter": -400,
                                           "WindowWidth": 900}),
        "a rescale of tiny parts": (twelve, 12, {"RescaleSlope": "0.000037", "RescaleIntercept": "0",
                                                 "WindowCenter": 0.07, "WindowWidth": 0.12}),
        "the first of two windows": (hounsfield, 16, {"WindowCenter": [40, -600], "WindowWidth": [400, 1600]}),
        "a window of one value": (hounsfield, 16, {"WindowCenter": 100, "WindowWidth": 1}),
        "a window by LINEAR_EXACT": (hounsfield, 16, {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"}),
        "a window by SIGMOID": (hounsfield, 16, {**WINDOW, "VOILUTFunction": "SIGMOID"}),
        "a modality table": (twelve, 12, {"ModalityLUTSequence": modality, "WindowCenter": 3000, "WindowWidth": 3000}),
        "a VOI table": (twelve, 12, {"VOILUTSequence": voi}),
        "a VOI table of 8 bits": (ramp(0, 255, "u1"), 8, {"VOILUTSequence": table(0, np.arange(255, -1, -1), 8)}),
        "a VOI table from below zero": (hounsfield, 16, {"VOILUTSequence": table(-500, curve[:2000], 16)}),
        "a modality and a VOI table": (twelve, 12, {"ModalityLUTSequence": modality,
                                                    "VOILUTSequence": table(1000, curve[:4001], 16)}),
        "MONOCHROME1": (twelve, 12, {"PhotometricInterpretation": "MONOCHROME1"}),
        "MONOCHROME1 with a window": (twelve, 12, {"PhotometricInterpretation": "MONOCHROME1", **RESCALED, **WINDOW}),
        "MONOCHROME1 with a VOI table": (twelve, 12, {"PhotometricInterpretation": "MONOCHROME1",
                                                      "VOILUTSequence": voi}),
    }  # fmt: skip
    return {name: image(pixels, study=study, stored=bits, more=more) for name, (pixels, bits, more) in made.items()}


def colours() -> dict[str, Dataset]:
    """Return colour images by how they are stored."""
    study = "colours"
    red, green, blue = ramp(0, 255, "u1"), ramp(255, 0, "u1"), np.tile(np.arange(COLUMNS, dtype="u1") * 4, (ROWS, 1))
    rgb = np.stack([red, green, blue], axis=-1)
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, 0)).tobytes()
    halved = np.empty((ROWS, COLUMNS // 2, 4), "u1")
    halved[..., 0], halved[..., 1] = rgb[:, 0::2, 0], rgb[:, 1::2, 0]
    halved[..., 2:] = rgb[:, 0::2, 1:]
    words = np.arange(256, dtype="u2") * 257
    lut = {f"{name}PaletteColorLookupTable": entries for name, entries in
           (("Red", words), ("Green", words[::-1]), ("Blue", (words // 2).astype("u2")))}  # fmt: skip
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in lut.items():
        palette |= {f"{name}Descriptor": [256, 0, 16], f"{name}Data": entries.astype("<u2").tobytes()}
    ybr = {"PhotometricInterpretation": "YBR_FULL"}
    return {
        "RGB by pixel": image(rgb, study=study),
        "RGB by plane": image(rgb, study=study, raw=planes, more={"PlanarConfiguration": 1}),
        "RGB of 16 bits": image(rgb.astype("u2") * 257, study=study),
        "YBR_FULL by pixel": image(rgb, study=study, more=ybr),
        "YBR_FULL by plane": image(rgb, study=study, raw=planes, more={**ybr, "PlanarConfiguration": 1}),
        "YBR_FULL_422": image(
            rgb, study=study, raw=halved.tobytes(), more={"PhotometricInterpretation": "YBR_FULL_422"}
        ),
        "a palette": image(red, study=study, more=palette),
    }


def bits() -> Dataset:
    """Return a picture of one bit for each pixel."""
    one = image((ramp(0, 255, "u1") > 99).astype("u1"), study="samples", stored=1)
    one.BitsAllocated = one.BitsStored = 1
    one.HighBit = 0
    one.PixelData = pack_bits((ramp(0, 255, "u1") > 99).astype("u1").ravel())
    return one


def compared(open_page: Pages, hospital: Hospital, sent: Sent, objects: dict[str, Dataset]) -> dict[str, Difference]:
    """Look at each object, and return those whose picture is not what it is to be."""
    page = open_page("/", script=WATCH)
    apart = {}
    for name, one in objects.items():
        go(page, sent.view(one.SeriesInstanceUID))
        [samples] = frames_of(one)
        found = differs(page, shown(one, samples))
        if found.levels:
            apart[name] = found
    return apart


def test_samples_of_every_kind_are_painted_by_their_values(open_page: Pages, hospital: Hospital) -> None:
    objects = {**kinds_of_samples(), "1 bit": bits()}
    [sent] = hospital.send(objects.values())
    assert compared(open_page, hospital, sent, objects) == {}
    hospital.packed(sent, objects["12 of 16 bits"].SeriesInstanceUID)
    assert compared(open_page, hospital, sent, objects) == {}


def test_samples_that_stand_at_the_upper_end_of_their_words_are_found_there(
    open_page: Pages, hospital: Hospital
) -> None:
    values = ramp(0, 4095, "u2")
    one = image((values << 4).astype("u2"), study="high bit", stored=12, more={"HighBit": 15})
    [sent] = hospital.send([one])
    page = open_page("/", script=WATCH)
    go(page, sent.view())
    assert differs(page, shown(one, values)) == Difference()  # pydicom takes no notice of High Bit


def test_every_way_from_values_to_grey_is_the_standards(open_page: Pages, hospital: Hospital) -> None:
    objects = ways_to_grey()
    [sent] = hospital.send(objects.values())
    assert compared(open_page, hospital, sent, objects) == {}


def test_colours_come_from_every_arrangement(open_page: Pages, hospital: Hospital) -> None:
    objects = colours()
    [sent] = hospital.send(objects.values())
    assert compared(open_page, hospital, sent, objects) == {}


def test_a_rescale_of_its_own_for_each_slice_and_frame(open_page: Pages, hospital: Hospital) -> None:
    study = "per slice"
    values = ramp(0, 30000, "u2")
    slopes = (0.5, 1.25, 0.031, 7.0)
    slices = [
        image(values, study=study, series="PET", number=place + 1, sop_class=CT_IMAGE,
              more={"RescaleSlope": str(slope), "RescaleIntercept": str(-place), "WindowCenter": 4000 * slope,
                    "WindowWidth": 15000 * slope, **plane((0, 0, 3.0 * place))})
        for place, slope in enumerate(slopes)
    ]  # fmt: skip
    frames = image(np.stack([values] * 3), study=study, series="frames", sop_class=MULTI_FRAME)
    frames.PerFrameFunctionalGroupsSequence = [
        sequence(
            PixelValueTransformationSequence=sequence(
                RescaleSlope=str(slope), RescaleIntercept="-10", RescaleType="US"
            ),
            FrameVOILUTSequence=sequence(WindowCenter=str(9000 * slope), WindowWidth=str(8000 * slope)),
        )[0]
        for slope in slopes[:3]
    ]
    [sent] = hospital.send([*slices, frames])
    page = open_page("/", script=WATCH)
    for objects in (slices, [frames]):
        go(page, sent.view(objects[0].SeriesInstanceUID))
        pictures = [shown(one, samples, at) for one in objects for at, samples in enumerate(frames_of(one))]
        for place, picture in enumerate(pictures):
            if place > 0:
                step(page, place)
            assert differs(page, picture) == Difference(), (len(objects), place)


def test_the_reader_s_window_counts_for_every_slice_in_its_units(open_page: Pages, hospital: Hospital) -> None:
    values = ramp(0, 4095, "u2")
    slices = [
        image(values, study="own window", series="CT", number=place + 1, stored=12, sop_class=CT_IMAGE,
              more={"Modality": "CT", "RescaleSlope": str(slope), "RescaleIntercept": "-1024",
                    **WINDOW, **plane((0, 0, 5.0 * place))})
        for place, slope in enumerate((1, 2))
    ]  # fmt: skip
    [sent] = hospital.send(slices)
    page = open_page("/", script=WATCH)
    go(page, sent.view())
    page.keyboard.press("3")  # bone: 1,800 about 400
    chosen = [{**WINDOW, "WindowCenter": 400, "WindowWidth": 1800}] * 2
    for place, one in enumerate(slices):
        if place > 0:
            step(page, place)
        for name, value in chosen[place].items():
            setattr(one, name, value)
        assert differs(page, shown(one, frames_of(one)[0])) == Difference(), place


def test_padding_takes_no_part_in_the_window_that_is_found(open_page: Pages, hospital: Hospital) -> None:
    values = ramp(900, 1400, "i2")
    values[:, :20] = -2000
    padded = image(values, study="padding", more={"PixelPaddingValue": -2000})
    [sent] = hospital.send([padded])
    page = open_page("/", script=WATCH)
    go(page, sent.view())
    assert differs(page, shown(padded, values)) == Difference()
    inside = painted_rgb(page)[:, 20:, 0]
    assert (inside.min(), inside.max()) == (0, 255)


def test_padding_is_background_where_low_values_are_bright(open_page: Pages, hospital: Hospital) -> None:
    values = ramp(0, 4095, "u2")
    values[:8] = 20
    more = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 0, "PixelPaddingRangeLimit": 30}
    padded = image(values, study="bright padding", stored=12, more=more)
    [sent] = hospital.send([padded])
    page = open_page("/", script=WATCH)
    go(page, sent.view())
    ready(page, 0)
    assert differs(page, shown(padded, values)).levels > 0
    found = painted_rgb(page)[..., 0]
    assert found[values <= 30].max() == 0
    assert found[9].min() > 180


def test_at_one_to_one_the_screen_has_the_very_pixels(open_page: Pages, hospital: Hospital) -> None:
    values = ramp(-1024, 3071, "i2", (200, 300))
    one = image(values, study="one to one", more=WINDOW)
    [sent] = hospital.send([one])
    page = open_page(sent.view(), script=WATCH)
    go(page, sent.view())
    page.keyboard.press("o")

    def on_screen() -> Array:
        found = page.locator(".pane canvas").evaluate(
            """canvas => {
              const context = canvas.getContext('2d');
              const [x, y] = [Math.round((canvas.width - 300) / 2), Math.round((canvas.height - 200) / 2)];
              return [...context.getImageData(x, y, 300, 200).data.filter((_, at) => at % 4 === 0)];
            }"""
        )
        return np.array(found, np.uint8).reshape(200, 300)

    until(lambda: np.array_equal(on_screen(), shown(one, values)[..., 0]), "the very pixels")


@pytest.mark.parametrize(
    ("more", "height"),
    [({"PixelAspectRatio": [2, 1]}, 2.0), ({"PixelAspectRatio": [3, 7]}, 3 / 7), ({"PixelSpacing": [0.3, 0.5]}, 0.6)],
)
def test_pixels_that_are_not_square_are_shown_in_their_shape(
    open_page: Pages, hospital: Hospital, more: dict[str, Any], height: float
) -> None:
    white = np.full((100, 100), 255, "u1")
    [sent] = hospital.send([image(white, study=f"aspect {more}", more=more)])
    page = open_page(sent.view(), width=900, height=800, script=WATCH)
    go(page, sent.view())
    found = """canvas => {
          const { width, height } = canvas;
          const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
          let [left, right, top, bottom] = [1e9, 0, 1e9, 0];
          for (let at = 0; at < data.length; at += 4) if (data[at] > 200) {
            const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
            [left, right] = [Math.min(left, x), Math.max(right, x)];
            [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
          }
          return (bottom - top + 1) / (right - left + 1);
        }"""
    until(lambda: page.locator(".pane canvas").evaluate(found) == pytest.approx(height, rel=0.01), "its shape")
