"""The viewer in Firefox and in WebKit (which Safari is made of): the walk of a reader from logging in to logging out.

Everything else is tested in Chromium, which Chrome and Edge are made of.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagecodecs import htj2k_encode, jpeg2k_encode, jpeg_encode, jpegls_encode
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, HTJ2KLossless, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from radrelay.dicom import phantoms
from tests.system.installation import until
from tests.viewer import webdriver
from tests.viewer.hospital import PASSWORD, USER, Hospital, Sent
from tests.viewer.made import image, ramp
from tests.viewer.screen import GO, PAINTED, PIXELS, WATCH
from tests.viewer.test_leaving import STORED
from tests.viewer.truth import Array, frames_of, shown
from tests.viewer.webdriver import Visitor

COMPLAINTS = """
window.complaints = [];
const note = (what) => window.complaints.push(String(what));
addEventListener('error', (event) => note(event.message));
addEventListener('unhandledrejection', (event) => note(event.reason));
addEventListener('securitypolicyviolation', (event) => note(`policy: ${event.violatedDirective} ${event.blockedURI}`));
for (const kind of ['error', 'warn']) console[kind] = (...all) => note(all.join(' '));
window.print = () => { window.printed = (window.printed ?? 0) + 1; };
"""


COVERED = """
const found = [];
const within = ({ left, top, right, bottom }, x, y) => x > left && y > top && x < right && y < bottom;
const scrolled = (one, x, y) => {  // out of what scrolls around it
  for (let box = one.parentElement; box; box = box.parentElement)
    if (/auto|scroll/.test(getComputedStyle(box).overflowY) && !within(box.getBoundingClientRect(), x, y)) return true;
  return false;
};
for (const one of document.querySelectorAll('button, a[href]:not(.skip), input, select')) {
  const { left, top, width, height } = one.getBoundingClientRect();
  const [x, y] = [left + width / 2, top + height / 2];
  const shown = one.getClientRects().length > 0 && x > 0 && y > 0 && x < innerWidth && y < innerHeight;
  const seen = shown && !scrolled(one, x, y);
  const hit = seen && document.elementFromPoint(x, y);
  if (hit && hit !== one && !one.contains(hit) && !hit.contains(one)) found.push(one.outerHTML.slice(0, 120));
}
return found;
"""
"""Controls in whose middle something else is hit."""
LIT = """
const canvases = [...document.querySelectorAll('.volumes canvas')].filter((one) => one.getClientRects().length > 0);
return canvases.filter((one) => {
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [one.width, one.height];
  const context = copy.getContext('2d');
  context.drawImage(one, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  return data.filter((value, at) => at % 4 === 0 && value > 40).length > 500;
}).length;
"""
"""How many of a volume's panes show something."""


@pytest.fixture(scope="module", params=[webdriver.firefox, webdriver.webkit], ids=["firefox", "webkit"])
def visitor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Give somebody at a browser, one after the other."""
    with request.param(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def reader(visitor: Visitor, hospital: Hospital) -> Iterator[Visitor]:
    """Give the same, logged in before the list; what the page complains about fails the test."""
    visitor.open(hospital.base)
    visitor.shown("input[name=password], button[aria-label='Log out']")
    visitor.evaluate(COMPLAINTS + WATCH)
    if visitor.evaluate("return document.querySelector('input[name=password]') !== null"):
        visitor.click(visitor.shown("input[name=username]"))
        visitor.type(USER)
        visitor.click(visitor.shown("input[name=password]"))
        visitor.type(PASSWORD)
        visitor.keys("Enter")
    visitor.until(webdriver.NAMED, "Log out", webdriver.CONTROLS)
    yield visitor
    assert visitor.evaluate("return window.complaints ?? []") == []


@pytest.fixture(scope="module")
def head(hospital: Hospital) -> Sent:
    """Send a CT of a head."""
    [sent] = hospital.send(list(phantoms.study("ct-head", seed=871, slices=24, size=128)))
    return sent


def opened(reader: Visitor, address: str) -> None:
    """Go to an address inside of the page, and wait for the first picture."""
    reader.evaluate(f"({GO})(arguments[0])", address)
    ready(reader, 0)


def ready(reader: Visitor, place: int) -> None:
    reader.shown(f".pane[data-ready=true][data-place='{place}']")


def written(reader: Visitor, pattern: str) -> re.Match[str]:
    """Wait until what stands on the picture has a text, and return it."""

    def found() -> str:
        text: str = reader.evaluate("return document.querySelector('.overlay').textContent")
        return text if re.search(pattern, text) else ""

    text = until(found, f"{reader.name}: {pattern} on the picture", webdriver.WAIT_S)
    match = re.search(pattern, text)
    assert match
    return match


ENCODERS: dict[str, tuple[UID, Callable[[Array], bytes | bytearray]]] = {
    "JPEG-LS": (JPEGLSLossless, jpegls_encode),
    "JPEG 2000": (JPEG2000Lossless, lambda values: jpeg2k_encode(values, codecformat="j2k", reversible=True)),
    "HTJ2K": (HTJ2KLossless, htj2k_encode),
}
SHAPE = (96, 120)


def codings() -> dict[str, tuple[Dataset, Array]]:
    """Return an object for each way in which pixels are coded, and what is to be seen of it."""
    values = ramp(0, 4095, "u2", SHAPE)
    more = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 900}
    made = {name: image(values, study="codings", stored=12, more=more) for name in ("plain", "RLE", *ENCODERS)}
    made["RLE"].compress(RLELossless, generate_instance_uid=False)
    for name, (syntax, encode) in ENCODERS.items():
        encapsulated(made[name], syntax, encode(values))
    found = {name: (one, shown(one, values).astype(np.uint8)) for name, one in made.items()}
    lossy = image(ramp(0, 255, "u1", SHAPE), study="codings", more={"LossyImageCompression": "01"})
    encapsulated(lossy, JPEGBaseline8Bit, jpeg_encode(lossy.pixel_array))
    found["JPEG"] = (lossy, shown(lossy, frames_of(dcmread(io.BytesIO(content_of(lossy))))[0]).astype(np.uint8))
    for name, (one, _) in found.items():
        one.SeriesDescription = name
    return found


def encapsulated(one: Dataset, syntax: UID, frame: bytes | bytearray) -> None:
    """Put a coded frame into an object."""
    one.file_meta.TransferSyntaxUID = syntax
    one.PixelData = encapsulate([bytes(frame)])
    one["PixelData"].is_undefined_length = True


def content_of(one: Dataset) -> bytes:
    stream = io.BytesIO()
    one.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sent_codings(hospital: Hospital) -> tuple[Sent, dict[str, tuple[Dataset, Array]]]:
    """Send a study with a series for each way in which pixels are coded."""
    made = codings()
    [sent] = hospital.send(one for one, _ in made.values())
    return sent, made


def test_every_coding_is_painted_to_the_grey_value(
    reader: Visitor, sent_codings: tuple[Sent, dict[str, tuple[Dataset, Array]]]
) -> None:
    sent, wanted = sent_codings
    names = {str(one.SeriesInstanceUID): name for name, (one, _) in wanted.items()}
    apart = {}
    for row in sent.series:
        name = names[row["series_uid"]]
        opened(reader, sent.view(row["series_uid"]))
        reader.until(f"return ({PAINTED})()", what="a painted picture")
        painted = pixels(reader)
        apart[name] = int(np.abs(painted.astype(int) - wanted[name][1]).max())
    assert apart == dict.fromkeys(wanted, 0)


def pixels(reader: Visitor) -> Array:
    """Return the picture that was painted last: RGB."""
    rows, columns = reader.evaluate("return [window.painted.height, window.painted.width]")
    data = base64.b64decode(reader.evaluate(f"return ({PIXELS})()"))
    return np.frombuffer(data, np.uint8).reshape(rows, columns, 4)[..., :3]


def test_a_picture_that_is_larger_than_a_canvas_is_shown_to_its_end(reader: Visitor, hospital: Hospital) -> None:
    tall = image(np.repeat(ramp(0, 255, "u1", (200, 1)), 180, axis=0).repeat(400, axis=1), study="tall")
    [sent] = hospital.send([tall])
    opened(reader, sent.view())
    seen = reader.evaluate("""
      const canvas = document.querySelector('.pane canvas');
      const column = canvas.getContext('2d').getImageData(canvas.width / 2, 0, 1, canvas.height).data;
      return [...column].filter((_, at) => at % 4 === 0);""")
    wanted = np.linspace(0, 255, len(seen))
    assert np.abs(np.array(seen) - wanted).max() < 6


def test_a_click_hits_what_it_is_meant_for(reader: Visitor, hospital: Hospital, head: Sent) -> None:
    reader.shown(f"tr[data-study='{head.id}'] a.open")
    assert reader.evaluate(COVERED) == []
    opened(reader, head.view())
    reader.until(webdriver.NAMED, "Length", webdriver.CONTROLS)
    assert reader.evaluate(COVERED) == []


def test_a_series_is_dragged_into_a_pane(reader: Visitor, sent_codings: tuple[Sent, dict[str, Any]]) -> None:
    sent, _ = sent_codings
    opened(reader, sent.view(0))
    reader.choose("Layout", "1 × 2")
    reader.until("return document.querySelectorAll('.pane').length === 2")
    wanted = sent.series[2]
    from_ = reader.at(f"nav button[data-series='{wanted['id']}']")
    left, top, width, height = reader.evaluate(webdriver.CENTRE, reader.shown(".pane[aria-label='Pane 2']"))
    reader.drag(from_, (from_[0] + 30, from_[1]), (round(left + width / 2), round(top + height / 2)))
    reader.shown(".pane[aria-label='Pane 2'][data-ready=true]")
    reader.reads(".pane[aria-label='Pane 2'] .overlay", wanted["description"])
    reader.choose("Layout", "1 × 1")


def test_a_series_is_opened_from_the_list_scrolled_windowed_and_zoomed(reader: Visitor, head: Sent) -> None:
    reader.click(reader.shown(f"tr[data-study='{head.id}'] a.open"))
    ready(reader, 0)
    reader.shown(".pane[data-ready=true]")
    reader.wheel(reader.at(".pane canvas"), 120)
    ready(reader, 1)
    reader.keys("ArrowDown", times=2)
    ready(reader, 3)
    reader.keys("End")
    ready(reader, 23)
    before = written(reader, r"W ([\d,]+)  L (-?[\d,]+)").groups()
    middle = reader.at(".pane canvas")
    reader.drag(middle, (middle[0] + 40, middle[1] + 30), (middle[0] + 90, middle[1] + 60))
    until(lambda: written(reader, r"W ([\d,]+)  L (-?[\d,]+)").groups() != before, "another window")
    reader.keys("1")
    written(reader, r"W 80  L 40|W 350|W 400|W 1,500")
    scale = written(reader, r"([\d,]+) %").group(1)
    reader.keys("z")
    reader.drag(middle, (middle[0], middle[1] - 30), (middle[0], middle[1] - 80))
    until(lambda: written(reader, r"([\d,]+) %").group(1) != scale, "another scale")
    reader.keys("f")
    until(lambda: written(reader, r"([\d,]+) %").group(1) == scale, "all of it")
    reader.keys(" ")
    until(
        lambda: int(reader.evaluate("return document.querySelector('.pane').dataset.place")) not in (22, 23), "a film"
    )
    reader.press("Pause")
    reader.keys("Shift", "?")
    reader.reads("dialog[open]", "Keys and gestures")
    reader.keys("Escape")
    reader.gone("dialog[open]")


def test_a_length_is_measured_and_kept(reader: Visitor, hospital: Hospital, head: Sent) -> None:
    opened(reader, head.view())
    reader.until(webdriver.NAMED, "Length", webdriver.CONTROLS)
    reader.keys("m")
    x, y = reader.at(".pane canvas")
    reader.drag((x - 60, y), (x, y + 10), (x + 60, y + 20))

    def kept() -> list[Any]:
        found: list[Any] = hospital.installation.get(f"/api/studies/{head.id}/marks")["marks"]
        return found

    [mark] = until(kept, "the mark on the server", webdriver.WAIT_S)
    assert mark["kind"] == "length"
    assert mark["values"][0]["value"] > 0
    reader.keys("Delete")
    until(lambda: kept() == [], "the mark to be gone", webdriver.WAIT_S)


def test_planes_of_a_volume_are_shown(reader: Visitor, head: Sent) -> None:
    opened(reader, head.view())
    reader.press("Volume (MPR/3D)")
    reader.shown(".volumes main[data-whole=true]")
    reader.reads(".volumes footer", "HU")
    footer = reader.evaluate("return document.querySelector('.volumes footer').textContent")
    assert "graphics card" not in footer  # WebGL draws, if only by the processor
    until(lambda: reader.evaluate(LIT) >= 4, f"{reader.name}: four pictures of the volume", webdriver.WAIT_S)
    reader.keys("ArrowDown")
    reader.keys("Escape")
    reader.gone(".volumes")


def saved(reader: Visitor, ending: str) -> Path:
    """Wait for a file that the browser saves."""

    def whole() -> list[Path]:
        return [path for path in reader.downloads.glob(f"*.{ending}") if path.stat().st_size > 0]

    return until(whole, f"{reader.name}: a {ending} is saved", webdriver.WAIT_S)[0]


def test_attributes_are_searched_pictures_saved_and_printed(reader: Visitor, head: Sent) -> None:
    opened(reader, head.view())
    reader.keys("t")
    reader.reads("dialog[open] [role=treegrid]", "Modality")
    reader.click(reader.shown("dialog[open] input[type=search]"))
    reader.type("0028,0030")
    reader.until("return document.querySelectorAll('dialog[open] [role=row]').length === 1")
    reader.keys("Escape")
    reader.until("return document.querySelector('dialog[open] input[type=search]').value === ''")
    reader.keys("Escape")
    reader.gone("dialog[open]")
    for form, ending in (("Image, PNG", "png"), ("Film, GIF", "gif")):
        reader.choose("More", "Save pictures")
        reader.press(form)
        reader.press("Save")
        reader.gone("dialog[open]")
        with Image.open(saved(reader, ending)) as picture:
            assert picture.format == ending.upper()
            assert min(picture.size) > 700  # 128 pixels, enlarged for what stands on the margins
    reader.choose("More", "Print")
    reader.shown("dialog[open]")
    reader.press("Print", "dialog[open] button")
    reader.until("return window.printed === 1")
    assert reader.evaluate("return document.querySelectorAll('.print-sheet img').length") == 1


def test_logging_out_leaves_nothing_in_the_browser(reader: Visitor, hospital: Hospital, head: Sent) -> None:
    reader.open(hospital.base + head.view())
    ready(reader, 0)
    reader.open(hospital.base)
    reader.shown("tbody tr")  # WebKit's driver never answers what was asked while a page goes that has just begun
    reader.press("Log out")
    reader.shown("input[name=password]")
    stored = reader.evaluate(f"return ({STORED})()")
    assert (stored["caches"], stored["databases"], stored["workers"]) == (0, 0, 0)
    assert head.id not in stored["local"] + stored["session"]
    reader.driver("Back")
    reader.shown("input[name=password]")
    assert reader.evaluate("return document.querySelectorAll('.pane, table, canvas').length") == 0
