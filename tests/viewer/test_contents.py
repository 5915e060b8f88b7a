"""What a study holds beyond plain pictures, as somebody sees it in the reading room."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.uid import HEVCMP51, UID

from tests.collection import COLLECTION
from tests.dicom import films
from tests.frontend.conftest import until
from tests.pages import violations
from tests.viewer.contents_room import Room, file_of

pytestmark = pytest.mark.shared


def test_a_report_reads_as_a_text(room: Room) -> None:
    (report,) = room.take(COLLECTION / "misc" / "pydicom-wheel" / "test-SR.dcm")
    page = room.open(report)
    expect(page.get_by_role("heading", name="Diagnosis")).to_be_visible()
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    expect(page.get_by_text("Riesmeier, Jörg · OFFIS e.V. · 13 Feb 2001 18:47")).to_be_visible()
    expect(page.get_by_text("Inferred Sample Text")).to_be_visible()
    expect(page.get_by_text("DateTime 6 Dec 2000 12:00")).to_be_visible()
    assert violations(page) == []


def test_a_report_flows_where_its_author_wrote_running_text(room: Room) -> None:
    (report,) = room.take(COLLECTION / "codecs" / "cornerstone-dicomParser" / "deflate" / "report_dfl")
    page = room.open(report, language="de", width=360, height=640)
    expect(page.get_by_text("Nicht bestätigt")).to_be_visible()
    text = "referred by Fukuda, Dr. was also seen by Mason, Dr. at the Redlands Clinic. He has been"
    expect(page.locator("article p.text").first).to_contain_text(text)
    expect(page.get_by_role("heading", name="Consultation Report")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_measurements_of_a_report_stand_in_a_table_and_lead_to_their_image(room: Room) -> None:
    found = room.take(
        COLLECTION / "seg-sr-wsi" / "highdicom" / "sr_document.dcm",
        COLLECTION / "misc" / "pydicom-wheel" / "CT_small.dcm",
    )
    kinds = {one["instance"]: room.anna.http.get(f"/api/instances/{one['instance']}/report") for one in found}
    (report,) = [one for one in found if kinds[one["instance"]].status_code == 200]
    (image,) = [one for one in found if kinds[one["instance"]].status_code == 404]
    page = room.open(report)
    row = page.get_by_role("row", name="Area of defined region")
    expect(row).to_contain_text("1.7\u00a0cm²")
    link = page.get_by_role("link", name="Image 1").first
    address = link.get_attribute("href") or ""
    assert f"series={image['series']}" in address
    assert f"instance={image['instance']}" in address


def test_the_header_is_searched_folded_and_copied(room: Room) -> None:
    (image,) = room.take(COLLECTION / "misc" / "pydicom-wheel" / "CT_small.dcm")
    page = room.open(image)
    page.locator("main").press("t")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="Modality CS CT")).to_be_visible()
    expect(dialog.get_by_text("GEMS_IDEN_01").first).to_be_visible()
    search = dialog.get_by_role("searchbox")
    search.fill("(0028,0030)")
    expect(dialog.get_by_role("row")).to_have_count(1)
    expect(dialog.get_by_role("row")).to_contain_text("Pixel Spacing")
    search.fill("abcd1234")
    expect(dialog.get_by_role("row", name="(0010,0020) Patient ID")).to_be_visible()
    expect(dialog.get_by_role("row", name="Item 1")).to_be_visible()
    search.fill("Other Patient IDs")
    grid = dialog.get_by_role("treegrid")
    grid.focus()
    expect(dialog.get_by_role("row", name="Other Patient IDs Sequence")).to_have_attribute("aria-selected", "true")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for _ in range(2):
        grid.press("ArrowDown")
    grid.press("Enter")
    expect(page.get_by_text("Copied.")).to_be_visible()
    until(lambda: page.evaluate("() => navigator.clipboard.readText()") == "ABCD1234", "the value on the clipboard")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_two_headers_stand_beside_one_another_and_show_their_differences(room: Room) -> None:
    folder = COLLECTION / "series" / "ge-ct-head"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")[:3]
    first, *_ = room.take(*files)
    page = room.open(first)
    page.locator("main").press("t")
    dialog = page.get_by_role("dialog")
    choice = dialog.get_by_role("combobox")
    choice.select_option(index=1)
    dialog.get_by_label("Only differences").check()
    expect(dialog.get_by_role("row", name="SOP Instance UID").first).to_be_visible()
    expect(dialog.get_by_role("row", name="Slice Location")).to_be_visible()
    expect(dialog.get_by_role("row", name="Patient Position CS")).to_have_count(0)
    expect(dialog.get_by_role("row", name="Pixel Data")).to_have_count(1)
    assert violations(page) == []


def test_a_value_that_is_cut_is_read_to_its_end_on_a_phone(room: Room) -> None:
    source = pydicom.dcmread(COLLECTION / "misc" / "pydicom-wheel" / "test-SR.dcm")
    source.ImageComments = "A long remark. " * 60 + "Its end."
    (report,) = room.take(file_of(source))
    page = room.open(report, width=360, height=640, language="de")
    page.get_by_role("button", name="Alle Attribute des Objekts").tap()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("remark")
    dialog.get_by_role("row", name="Image Comments").tap()
    dialog.get_by_role("button", name="Ganz zeigen").tap()
    expect(dialog.locator("pre").first).to_contain_text("Its end.")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_an_ecg_stands_on_its_paper_and_is_measured(room: Room) -> None:
    (ecg,) = room.take(COLLECTION / "misc" / "pydicom-wheel" / "waveform_ecg.dcm")
    page = room.open(ecg)
    sheet = page.get_by_role("application")
    expect(page.get_by_text("RITMO SINUSALE")).to_be_visible()
    expect(page.get_by_text("370 ms")).to_be_visible()
    expect(page.get_by_text("Not true to size on this screen; the grid holds · 1,000 Hz · 0.05–300 Hz")).to_be_visible()
    page.get_by_text("66 events").click()
    expect(page.get_by_text("0.298 s P onset")).to_be_visible()  # the 299th of 1,000 samples a second
    expect(page.get_by_role("button", name="Events")).to_have_attribute("aria-pressed", "true")
    drawn = page.locator(".sheet canvas").evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("button", name="Events").click()
    until(lambda: page.locator(".sheet canvas").evaluate("(canvas) => canvas.toDataURL()") != drawn, "no events")
    page.get_by_role("button", name="Events").click()
    page.get_by_text("66 events").click()
    box = sheet.bounding_box()
    assert box is not None
    millimetre = box["width"] / 260
    page.mouse.move(box["x"] + 20 * millimetre, box["y"] + 20 * millimetre)
    page.mouse.down()
    page.mouse.move(box["x"] + 40 * millimetre, box["y"] + 10 * millimetre)
    page.mouse.up()
    expect(page.get_by_role("status").filter(has_text="800 ms · 1 mV · 75/min")).to_be_visible()
    page.get_by_label("Paper speed").select_option("50")
    expect(page.get_by_role("status").filter(has_text="ms")).to_have_count(0)
    sheet.focus()
    sheet.press("Enter")
    sheet.press("ArrowRight")
    expect(page.get_by_role("status").filter(has_text="410 ms")).to_be_visible()
    assert violations(page) == []


def test_an_ecg_fits_a_phone(room: Room) -> None:
    (ecg,) = room.take(COLLECTION / "codecs" / "cornerstone-dicomParser" / "deflate" / "wave_dfl")
    page = room.open(ecg, width=360, height=640, language="de")
    expect(page.get_by_role("application")).to_be_visible()
    page.get_by_role("button", name="Ableitung für Ableitung").tap()
    expect(page.get_by_role("button", name="Ableitung für Ableitung")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def width_of(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["width"]


def test_a_document_stands_page_under_page(room: Room) -> None:
    (document,) = room.take(COLLECTION / "misc" / "orthanc-tests" / "sample-pdf.dcm")
    page = room.open(document)
    first = page.get_by_role("img", name="Page 1 of")
    expect(first).to_be_visible()
    until(lambda: page.evaluate("() => document.querySelector('li img').naturalWidth") > 800, "the page is drawn")
    before = width_of(first)
    page.get_by_role("button", name="Larger").click()
    until(lambda: width_of(first) > before, "a larger page")
    assert violations(page) == []
    phone = room.open(document, width=360, height=640, language="de")
    expect(phone.get_by_role("img", name="Seite 1 von")).to_be_visible()
    expect(phone.get_by_role("link", name="PDF öffnen")).to_be_visible()
    assert phone.evaluate("() => document.documentElement.scrollWidth") <= 360


def playing(page: Page) -> None:
    until(lambda: page.evaluate("() => document.querySelector('video')?.readyState ?? 0") >= 2, "the film is there")


def test_a_film_plays_and_steps_frame_by_frame(room: Room) -> None:
    (film,) = room.take(COLLECTION / "codecs" / "video-made" / "h264-testsrc.dcm")
    page = room.open(film)
    playing(page)
    assert page.evaluate("() => document.querySelector('video').videoWidth") == 640
    expect(page.get_by_text("Frame 1 of 75")).to_be_visible()
    page.get_by_role("button", name="One frame on").click()
    expect(page.get_by_text("Frame 2 of 75")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.get_by_text("Frame 12 of 75")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Frame 11 of 75")).to_be_visible()
    page.get_by_label("Speed").select_option("2")
    page.get_by_role("button", name="Play", exact=True).click()
    until(lambda: page.evaluate("() => document.querySelector('video').currentTime") > 1, "it plays")
    assert page.evaluate("() => document.querySelector('video').playbackRate") == 2
    assert violations(page) == []


def test_a_film_plays_at_the_first_press_though_the_browser_lets_go_of_it_once(room: Room) -> None:
    (film,) = room.take(COLLECTION / "codecs" / "video-made" / "h264-testsrc.dcm")
    page = room.open(film)
    page.evaluate(
        """() => {
          const play = HTMLMediaElement.prototype.play;
          let lost = false;
          HTMLMediaElement.prototype.play = function () {
            if (lost) return play.call(this);
            lost = true;
            return Promise.reject(new DOMException('interrupted', 'AbortError'));
          };
        }"""
    )
    page.get_by_role("button", name="Play", exact=True).click()
    until(lambda: page.evaluate("() => document.querySelector('video').currentTime") > 0.3, "it plays at one press")
    page.get_by_role("button", name="Pause", exact=True).click()
    until(lambda: page.evaluate("() => document.querySelector('video').paused"), "it stands")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_a_film_in_a_transport_stream_plays_too(room: Room) -> None:
    source = pydicom.dcmread(COLLECTION / "codecs" / "video-made" / "h264-testsrc.dcm")
    mp4 = b"".join(list(generate_fragments(source.PixelData))[1:])
    stream = films.transport(films.samples_of(mp4), *films.times_of(mp4))
    source.PixelData = encapsulate([stream], has_bot=False)
    (film,) = room.take(file_of(source))
    page = room.open(film)
    playing(page)
    assert page.evaluate("() => document.querySelector('video').duration") == pytest.approx(3, abs=0.1)
    page.evaluate("() => { document.querySelector('video').currentTime = 2.5 }")
    until(lambda: page.evaluate("() => !document.querySelector('video').seeking"), "it leaps")


def test_a_film_that_browsers_do_not_play_says_so(room: Room) -> None:
    (film,) = room.take(COLLECTION / "codecs" / "video-made" / "mpeg2-testsrc.dcm")
    page = room.open(film, width=360, height=640, language="de")
    expect(
        page.get_by_text("Browser spielen Filme in MPEG-2 nicht ab (MPEG2 Main Profile / Main Level)")
    ).to_be_visible()
    expect(page.get_by_role("link", name="Objekt herunterladen").last).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Film speichern").click()
    assert Path(download.value.suggested_filename).suffix in (".mpg", ".m2v", ".ts")
    assert violations(page) == []


def test_a_film_in_h265_is_played_where_the_browser_can_and_else_says_why(room: Room) -> None:
    source = pydicom.dcmread(COLLECTION / "codecs" / "video-made" / "h264-testsrc.dcm")
    source.file_meta.TransferSyntaxUID = HEVCMP51  # its wrapping is MP4: whether it plays is the browser's to say
    (wrapped,) = room.take(file_of(source))
    page = room.open(wrapped)
    expect(page.get_by_text("This browser does not play H.265 here").or_(page.locator("video"))).to_be_visible()
    bare = copy.deepcopy(source)
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    bare.PixelData = encapsulate([films.GREY_H265], has_bot=False)
    stream = next(one for one in room.take(file_of(bare)) if one["instance"] != wrapped["instance"])
    page = room.open(stream, width=360, height=640)
    no_player = page.get_by_text("This browser does not play H.265 here")
    expect(no_player.or_(page.locator("video"))).to_be_visible()
    if no_player.is_visible():
        expect(page.get_by_role("link", name="Save the film")).to_be_visible()
    address = f"/api/instances/{stream['instance']}/video"
    video = page.evaluate(
        "async (address) => { const one = await fetch(address);"
        " return [one.status, one.headers.get('Content-Type'), (await one.text()).includes('hvcC')]; }",
        address,
    )
    assert video == [200, "video/mp4", True]
    assert violations(page) == []


def pyramid() -> list[bytes]:
    """Write a slide of 600 × 400 pixels in tiles, the same at a quarter, and its label."""
    source = pydicom.dcmread(COLLECTION / "seg-sr-wsi" / "highdicom" / "sm_image.dcm")
    found = []
    rows, columns = np.mgrid[0:400, 0:600]
    whole = np.stack([columns % 256, rows % 256, (rows // 40 + columns // 40) % 2 * 255], axis=-1).astype(np.uint8)
    for number, (pixels, kind) in enumerate(
        [(whole, "VOLUME"), (whole[::4, ::4], "VOLUME"), (whole[:100, :100], "LABEL")], 1
    ):
        level = copy.deepcopy(source)
        tile = 128 if number == 1 else max(pixels.shape[:2])
        down, across = -(-pixels.shape[0] // tile), -(-pixels.shape[1] // tile)
        padded = np.full((down * tile, across * tile, 3), 255, np.uint8)
        padded[: pixels.shape[0], : pixels.shape[1]] = pixels
        tiles = padded.reshape(down, tile, across, tile, 3).swapaxes(1, 2)
        level.SOPInstanceUID, level.InstanceNumber = f"1.2.3.{number}", number
        level.file_meta.MediaStorageSOPInstanceUID = level.SOPInstanceUID
        level.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
        level.Rows = level.Columns = tile
        level.TotalPixelMatrixRows, level.TotalPixelMatrixColumns = pixels.shape[:2]
        level.NumberOfFrames = down * across
        level.PixelData = np.ascontiguousarray(tiles).tobytes()
        found.append(file_of(level))
    return found


def at_rest(page: Page) -> None:
    waiting = "() => document.querySelector('canvas')?.dataset.waiting"
    until(lambda: page.evaluate(waiting) == "0", "all tiles in sight are there")


def test_a_slide_is_looked_at_as_deep_as_one_goes(room: Room) -> None:
    first, *_ = room.take(*pyramid())
    page = room.open(first, width=800, height=600)
    at_rest(page)
    canvas = page.locator("canvas")
    before = float(canvas.get_attribute("data-scale") or 0)
    expect(page.get_by_text("µm")).to_be_visible()
    page.get_by_role("button", name="Closer").click()
    page.get_by_role("button", name="Closer").click()
    until(lambda: float(canvas.get_attribute("data-scale") or 0) > 2 * before, "it is closer")
    at_rest(page)
    sight = page.get_by_role("application")
    sight.press("ArrowRight")
    sight.press("f")
    until(lambda: abs(float(canvas.get_attribute("data-scale") or 0) - before) < 1e-6, "all of it is shown")
    expect(page.get_by_role("img", name="Label")).to_have_count(0)
    page.get_by_role("button", name="Label").click()
    expect(page.get_by_role("img", name="Label")).to_be_visible()
    assert violations(page) == []
