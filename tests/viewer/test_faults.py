"""What goes wrong while somebody looks: the line, the server, a damaged frame, the login; and a series of all sorts."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page, expect
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLSLossless

from radrelay.dicom import phantoms
from tests.system.installation import Installation
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import Hospital, Sent
from tests.viewer.made import CT_IMAGE, image, plane, ramp
from tests.viewer.screen import WATCH, Difference, differs, go, step
from tests.viewer.truth import Array, shown

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SLICES = 40
BLACK = """canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
  .every((value, at) => at % 4 === 3 || value === 0)"""
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture(scope="module")
def slices() -> list[bytes]:
    """Give a CT's files, in the order in which they are looked at."""
    return list(phantoms.study("ct-head", seed=911, slices=SLICES, size=256))


@pytest.fixture(scope="module")
def head(hospital: Hospital, slices: list[bytes]) -> Sent:
    """Give a CT whose slices take some time each on a slow line."""
    [sent] = hospital.send(slices)
    return sent


def place_of(page: Page) -> int:
    return int(page.locator(".pane").get_attribute("data-place") or -1)


@dataclass
class Line:
    """A page's line to the server, shaped by the browser's own tools."""

    page: Page
    tools: CDPSession

    @classmethod
    def of(cls, page: Page) -> Line:
        tools = page.context.new_cdp_session(page)
        tools.send("Network.enable")
        return cls(page, tools)

    def shape(self, kbit: int, *, offline: bool = False) -> None:
        pace = kbit * 1000 / 8
        line = {"offline": offline, "latency": 20, "downloadThroughput": pace, "uploadThroughput": pace}
        self.tools.send("Network.emulateNetworkConditions", line)


def opened_slowly(open_page: Pages, sent: Sent) -> tuple[Page, Line]:
    """Open a study over a line on which its slices take a while, and wait for the first."""
    page = open_page("/", script=WATCH)
    line = Line.of(page)
    line.shape(500)
    go(page, sent.view())
    return page, line


def test_the_line_breaks_in_mid_series_and_comes_back_and_no_slice_is_lost(
    open_page: Pages, head: Sent, slices: list[bytes]
) -> None:
    page, line = opened_slowly(open_page, head)
    line.shape(500, offline=True)
    page.keyboard.press("End")
    expect(page.locator(".pane[data-ready=false]")).to_be_visible()  # nothing of the end was here yet
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    expect(page.locator(".pane .quietly")).to_be_visible()  # no blank frame without a sign
    page.keyboard.press("Home")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    until(lambda: place_of(page) == 20, "scrolling goes on without a line")
    line.shape(20_000)
    ready(page, 20)
    expect(page.get_by_text("The server does not answer")).to_have_count(0)
    page.keyboard.press("Home")
    ready(page, 0)
    for place, content in enumerate(slices):
        if place > 0:
            step(page, place)
        one = dcmread(BytesIO(content))
        assert differs(page, shown(one, one.pixel_array)) == Difference(), place
    expect(page.get_by_text("This image cannot be shown")).to_have_count(0)


def test_the_server_dies_in_mid_series_and_is_started_again(
    open_page: Pages, head: Sent, radrelay: Installation
) -> None:
    page, line = opened_slowly(open_page, head)
    page.keyboard.press("End")
    radrelay.kill("web")
    page.keyboard.press("PageUp")
    place = place_of(page)
    line.shape(50_000)
    ready(page, place)
    page.keyboard.press("Home")
    ready(page, 0)
    radrelay.wait_ready()


def jpeg_ls(content: bytes, *, spoiled: bool) -> bytes:
    """Return an object compressed with JPEG-LS, its code stream spoiled in the middle or sound."""
    one = dcmread(BytesIO(content))
    one.compress(JPEGLSLossless)
    if spoiled:
        [stream] = generate_frames(one.PixelData, number_of_frames=1)
        broken = bytearray(stream)
        broken[40:] = bytes(range(256)) * (len(broken) // 256)
        one.PixelData = encapsulate([bytes(broken)])
    out = BytesIO()
    one.save_as(out)
    return out.getvalue()


def test_a_damaged_frame_is_marked_and_the_others_go_on(open_page: Pages, hospital: Hospital) -> None:
    files = list(phantoms.study("ct-chest", seed=912, slices=6, size=128))
    [sent] = hospital.send(jpeg_ls(content, spoiled=place == 2) for place, content in enumerate(files))
    page = open_page(sent.view(), script=WATCH)
    go(page, sent.view())
    for place in range(6):
        if place == 2:
            page.keyboard.press("ArrowDown")
            expect(page.get_by_text("This image cannot be shown")).to_be_visible()
            until(lambda: page.locator(".pane canvas").evaluate(BLACK), "no other image under this one's number")
            continue
        if place > 0:
            step(page, place)
        one = dcmread(BytesIO(files[place]))
        assert differs(page, shown(one, one.pixel_array)) == Difference(), place


def test_the_login_ends_while_looking_and_the_work_goes_on_after_the_next(
    open_page: Pages, hospital: Hospital, head: Sent
) -> None:
    page = open_page("/", login=False)
    open_page.log_in(page)
    expect(page.get_by_role("main")).to_be_visible()
    line = Line.of(page)
    line.shape(1500)
    go(page, head.view())
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    ready(page, 12)
    page.keyboard.press("3")
    page.keyboard.press("+")
    until(lambda: "W 1,800" in overlay(page), "the bone window")
    before = overlay(page)
    end_login(page, hospital)
    page.keyboard.press("End")
    expect(page.get_by_role("dialog", name="Your login has ended")).to_be_visible()
    expect(page.locator(".pane canvas")).to_be_hidden()  # who passes by sees no patient
    expect(page.locator("input[name=password]")).to_be_focused()
    page.keyboard.press("Delete")  # and no key reaches what is behind
    page.keyboard.press("t")
    expect(page.locator("dialog")).to_have_count(1)
    line.shape(50_000)
    open_page.log_in(page)
    ready(page, SLICES - 1)
    until(lambda: overlay(page).replace(f"Image {SLICES} of", "Image 13 of") == before, "all as it was left")
    page.keyboard.press("Home")
    ready(page, 0)
    expect(page.get_by_text("This image cannot be shown")).to_have_count(0)


def overlay(page: Page) -> str:
    return " ".join(page.locator(".overlay").inner_text().split())


def end_login(page: Page, hospital: Hospital) -> None:
    """End the page's login as another place does: the page learns of it by the server's answers alone."""
    [cookie] = [one for one in page.context.cookies() if "session" in one["name"]]
    with hospital.installation.http() as http:
        http.headers.pop("Authorization")
        http.cookies.set(cookie["name"], cookie["value"])
        csrf = http.get("/api/session").json()["csrf_token"]
        assert http.delete("/api/session", headers={"X-CSRF-Token": csrf}).is_success


def test_a_series_of_all_sizes_orientations_and_spacings_shows_each_in_its_own(
    open_page: Pages, hospital: Hospital
) -> None:
    sizes = ((64, 64), (96, 40), (33, 200), (128, 128), (1, 300))
    planes: tuple[dict[str, Any], ...] = (
        plane((0, 0, 0)),
        plane((0, 0, 9), spacing=0.5),
        plane((0, 50, 0), CORONAL, 2.0),
        {},
        plane((5, 5, 5)),
    )
    pixels: list[Array] = [ramp(0, 1000 + 100 * place, "u2", size) for place, size in enumerate(sizes)]
    objects = [
        image(values, study="all sorts", series="all sorts", number=place + 1, sop_class=CT_IMAGE, more=given)
        for place, (values, given) in enumerate(zip(pixels, planes, strict=True))
    ]
    [sent] = hospital.send(objects)
    page = open_page(sent.view(), script=WATCH)
    go(page, sent.view())
    letters = []
    for place, (one, values) in enumerate(zip(objects, pixels, strict=True)):
        if place > 0:
            step(page, place)
        assert differs(page, shown(one, values)) == Difference(), place
        rows, columns = values.shape
        until(lambda said=f"{columns} × {rows}": said in overlay(page), "the size of this picture")  # type: ignore[misc]
        letters.append("".join(page.locator(".edge").all_inner_texts()))
        canvas = page.locator(".pane canvas").evaluate("canvas => [canvas.clientWidth, canvas.clientHeight]")
        percent = 100 * min(canvas[0] / columns, canvas[1] / rows)
        scale = f"{percent:,.0f} %"
        until(lambda said=scale: said in overlay(page), "its scale")  # type: ignore[misc]
    assert "A" in letters[0]
    assert "H" in letters[2]
    assert "A" not in letters[2]
    assert letters[3] == ""


def test_frames_of_one_object_and_single_slices_make_one_stack(open_page: Pages, hospital: Hospital) -> None:
    loop = np.stack([ramp(0, 200 + 10 * at, "u1") for at in range(5)])
    objects = [
        image(loop, study="mixed", series="mixed", number=1, sop_class=CT_IMAGE),
        *(image(ramp(0, 90 + at, "u1"), study="mixed", series="mixed", number=2 + at) for at in range(2)),
    ]
    [sent] = hospital.send(objects)
    page = open_page(sent.view(), script=WATCH)
    go(page, sent.view())
    pictures = [*(shown(objects[0], frame, at) for at, frame in enumerate(loop)),
                *(shown(one, one.pixel_array) for one in objects[1:])]  # fmt: skip
    for place, picture in enumerate(pictures):
        if place > 0:
            step(page, place)
        assert differs(page, picture) == Difference(), place
    until(lambda: "Image 7 of 7" in overlay(page), "the last of all")


@pytest.mark.soak
def test_a_line_that_was_away_for_long_is_used_again_without_being_told(open_page: Pages, head: Sent) -> None:
    page, line = opened_slowly(open_page, head)
    line.shape(500, offline=True)
    page.keyboard.press("End")
    page.wait_for_timeout(30_000)
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    line.shape(50_000)
    ready(page, SLICES - 1)
