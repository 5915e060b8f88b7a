"""Pictures, films and printed pages that leave the reading room: what they show, what is written beside them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from radrelay.audit.models import AuditEvent
from radrelay.dicom.decoder_pool import DecoderLimits, DecoderPool
from radrelay.dicom.mp4 import read_film
from tests.collection import COLLECTION
from tests.frontend.conftest import until
from tests.pages import violations
from tests.viewer.contents_room import Room

pytestmark = pytest.mark.shared


def saved(page: Page, form: str, *, named: bool) -> bytes:
    """Take a picture or a film out; return the file."""
    page.locator("main").press("e")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(form).check()
    if named:
        dialog.get_by_label("With the patient’s name").check()
    with page.expect_download() as coming:
        dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert "Compressed" not in coming.value.suggested_filename
    return coming.value.path().read_bytes()


def keys_saved(page: Page) -> list[str]:
    """Take all key images out; return the files' names."""
    found: list[str] = []
    page.on("download", lambda one: found.append(one.suggested_filename))
    page.locator("main").press("e")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("All 2 key images of this series").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    until(lambda: len(found) == 2, "a file of each")
    return found


ENLARGED = 8 * 128  # pixels of an edge of a small image that leaves


def picture_in(saved: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the picture and all of what left as grey values."""
    whole = np.asarray(Image.open(io.BytesIO(saved)).convert("L"))
    below = round((1.7 + 2 * 1.35 + 0.6) * 23)  # letters and two lines of texts
    top = whole.shape[0] - ENLARGED - below
    left = (whole.shape[1] - ENLARGED) // 2
    return whole[top : top + ENLARGED, left : left + ENLARGED], whole


def test_an_image_leaves_enlarged_with_sides_around_it_and_names_only_if_wanted(room: Room) -> None:
    (image,) = room.take(COLLECTION / "misc" / "pydicom-wheel" / "CT_small.dcm")
    page = room.open(image)
    plain, plain_whole = picture_in(saved(page, "Image, PNG", named=False))
    assert plain.shape == (ENLARGED, ENLARGED)
    named, named_whole = picture_in(saved(page, "Image, PNG", named=True))
    assert np.array_equal(plain, named)  # nothing is written on the anatomy
    assert named_whole.shape[0] > plain_whole.shape[0]
    stored = pydicom.dcmread(COLLECTION / "misc" / "pydicom-wheel" / "CT_small.dcm").pixel_array
    assert np.corrcoef(plain[4::8, 4::8].ravel().astype(float), stored.ravel())[0, 1] > 0.8
    middle = slice(plain_whole.shape[0] // 2 - 60, plain_whole.shape[0] // 2 + 20)
    letters = plain_whole[middle, :53], plain_whole[middle, -53:]
    assert all(one.max() > 150 for one in letters)
    page.locator("main").press("h")
    _, mirrored_whole = picture_in(saved(page, "Image, PNG", named=False))
    mirrored = mirrored_whole[middle, :53], mirrored_whole[middle, -53:]

    def ink(letter: NDArray[np.uint8]) -> float:
        return float(letter.sum(dtype=np.int64))

    assert ink(letters[0]) > 1.15 * ink(letters[1])  # R has more to it than L
    assert ink(mirrored[0]) == pytest.approx(ink(letters[1]), rel=0.06)
    assert ink(mirrored[1]) == pytest.approx(ink(letters[0]), rel=0.06)

    def on_record() -> int:
        with room.site.database.read() as session:
            return session.query(AuditEvent).filter(AuditEvent.action == "study.export").count()

    until(lambda: on_record() >= 3, "all on record")
    assert on_record() == 3


def test_a_series_leaves_as_a_film(room: Room) -> None:
    folder = COLLECTION / "series" / "ge-ct-head"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")[:6]
    first, *_ = room.take(*files)
    page = room.open(first)
    gif = Image.open(io.BytesIO(saved(page, "Film, GIF", named=False)))
    assert (gif.format, gif.size, getattr(gif, "n_frames", 1), gif.info["duration"]) == ("GIF", gif.size, 6, 100)
    png = Image.open(io.BytesIO(saved(page, "Image, PNG", named=False))).convert("L")
    gif.seek(0)
    assert max(gif.size) == 768
    assert abs(png.width / png.height - gif.width / gif.height) < 0.01
    same = np.asarray(gif.convert("L"), np.float64), np.asarray(png.resize(gif.size), np.float64)
    assert np.corrcoef(same[0].ravel(), same[1].ravel())[0, 1] > 0.98
    assert keys_saved(page) == ["radrelay-ct-2-1.png", "radrelay-ct-2-3.png"]
    mp4 = saved(page, "Film, MP4", named=True)
    film = read_film(mp4)
    assert (film.frames, film.frame_ms) == (6, 100)
    assert min(film.columns, film.rows) > 1024
    plays = page.evaluate(
        """async bytes => {
          const video = document.createElement('video');
          video.src = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type: 'video/mp4' }));
          await new Promise((good, bad) => {
            video.onloadeddata = good;
            video.onerror = () => bad(video.error.message);
          });
          return [video.videoWidth, video.duration];
        }""",
        list(mp4),
    )
    assert plays == [film.columns, pytest.approx(0.6)]


def test_a_printed_sheet_has_its_pages_its_head_and_its_true_size(room: Room, tmp_path: Path) -> None:
    folder = COLLECTION / "series" / "ge-ct-head"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")[:6]
    first, *_ = room.take(*files)
    page = room.open(first)
    page.evaluate("() => { window.print = () => { window.printed = (window.printed ?? 0) + 1 } }")
    page.locator("main").press("p")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("To image").fill("6")
    dialog.get_by_label("Images per page").select_option("4")
    expect(dialog.get_by_text("2 pages · 6 images")).to_be_visible()
    assert violations(page) == []
    dialog.get_by_role("button", name="Print").click()
    until(lambda: page.evaluate("() => window.printed") == 1, "it is printed")
    data = page.pdf(prefer_css_page_size=True, path=tmp_path / "sheet.pdf")
    pool = DecoderPool(DecoderLimits(processes=1))
    try:
        found = pool.pages(data)
        sizes = [(round(one.width), round(one.height)) for one in found.pages]
        assert sizes == [(595, 842), (595, 842)]
        assert "Page 1 of 2" in pool.page_text(data, 1)
        assert "Image 6 of 6" in pool.page_text(data, 2)
        assert "W " in pool.page_text(data, 2)
    finally:
        pool.close()
    dialog.get_by_label("True to size").check()
    dialog.get_by_label("Images per page").select_option("1")
    dialog.get_by_label("To image").fill("1")
    dialog.get_by_label("Orientation").select_option(label="Portrait")
    dialog.get_by_role("button", name="Print").click()
    until(lambda: page.evaluate("() => window.printed") == 2, "it is printed")
    expect(dialog.get_by_text("Some images are not true to size")).to_be_visible()  # 250 mm: wider than the paper
