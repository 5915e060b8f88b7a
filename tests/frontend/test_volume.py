"""The volume room on phantoms of known geometry: what belongs at a point of the patient is seen and read there."""

from __future__ import annotations

import base64
import datetime
import re
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Playwright, Request, Route, expect

from tests.browsers import CHROMIUM, FLAT, WEBGL
from tests.frontend import fake_volume
from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.fake_volume import BALL, FIELD, INSIDE, OFFSET, RADIUS
from tests.volume_panes import points_of

Values = NDArray[np.float64]
AXIAL, TILTED, CORONAL, PET, FEW, LARGE, ELSEWHERE = range(7)
PLANES = ("axial", "coronal", "sagittal")
ROOM = """() => {
  const detail = {};
  document.querySelector('[data-pane=axial] .over').dispatchEvent(new CustomEvent('volume-room', { detail }));
  return detail.room;
}"""
PACK = """((numbers) => {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
})"""
WAIT_MS = 60_000
WIDTH, HEIGHT = 1024, 680  # every frame of four panes is drawn in software: the fewer pixels, the sooner
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module", params=[WEBGL], ids=["webgl"])
def browser(request: pytest.FixtureRequest, chromium_driver: Playwright) -> Iterator[Browser]:
    """Give Chromium with WebGL drawn in software; a test asks for it without by `flat`."""
    started = chromium_driver.chromium.launch(executable_path=CHROMIUM, args=request.param)
    yield started
    started.close()


flat = pytest.mark.parametrize("browser", [[*FLAT, "--disable-3d-apis"]], ids=["flat"], indirect=True)


@pytest.fixture(autouse=True)
def phantoms(site: Site) -> list[fake_volume.Phantom]:
    """Put the phantoms in the place of the study's series."""
    study = site.world.studies[1]
    made = fake_volume.phantoms()
    for place, one in enumerate(made):
        one.id, one.study_id = str(uuid.UUID(int=7000 + place)), study.row["id"]
    study.series = list(made)
    return made


def _open(open_page: OpenPage, place: int, **how: Any) -> Page:
    address = f"/view?study={uuid.UUID(int=2)}&series={uuid.UUID(int=7000 + place)}"
    page = open_page(address, **({"width": WIDTH, "height": HEIGHT} | how))
    has_picture(page, wait_s=WAIT_MS / 1000)
    german = how.get("language") == "de"
    page.get_by_role("button", name="Volumen (MPR/3D)" if german else "Volume (MPR/3D)").click()
    return page


def _whole(page: Page) -> Page:
    page.locator(".volumes main[data-whole=true]").wait_for(timeout=WAIT_MS)
    return page


def _do(page: Page, step: str, given: Any = None) -> Any:
    """Do something with the room; what it returns comes back."""
    return page.evaluate(f"(given) => {{ const room = ({ROOM})(); return ({step})(room, given); }}", given)


def _go(page: Page, point: Values) -> None:
    _do(page, "(room, point) => room.setCursor(point)", point.tolist())


def _seen(page: Page, name: str) -> tuple[Values, Values]:
    """Return a pane's values, and the points of the patient at its pixels by its own directions: worked out here."""
    found = _do(
        page,
        """async (room, name) => {
          const { width, height, values } = await room.values(name);
          return { width, height, values: PACK(values), view: room.look.views[name], cursor: room.look.cursor,
            size: room.sizeOf(name) };
        }""".replace("PACK", PACK),
        name,
    )
    points = points_of(found)
    values = np.frombuffer(base64.b64decode(found["values"]), "<f4").astype(float).reshape(points.shape[:2])
    return values, points


def _check_field(page: Page, name: str, within_hu: float = 1.0) -> int:
    """Compare a pane with what belongs there, off the ball's edge; returns how many pixels it shows."""
    values, points = _seen(page, name)
    away = np.linalg.norm(points - BALL, axis=-1)
    known = ~np.isnan(values)
    outside, inside = known & (away > RADIUS + 3), known & (away < RADIUS - 3)
    truth = points @ FIELD + OFFSET
    rim = _near_rim(known)  # beyond the outermost centres the last value goes on
    assert np.abs(values - truth)[outside & ~rim].max() <= within_hu
    if inside.any():
        assert np.abs(values[inside] - INSIDE).max() <= within_hu
    return int(known.sum())


def _near_rim(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reach = 24
    wide = np.pad(known, reach)
    height, width = known.shape
    inner = known.copy()
    for down, across in ((0, reach), (2 * reach, reach), (reach, 0), (reach, 2 * reach)):
        inner &= wide[down : down + height, across : across + width]
    return ~inner


def _check_painted(page: Page, name: str) -> None:
    """The picture on the screen is that of the pane's values, in the object's window (L 200, W 1000)."""

    def off() -> float:
        values, _ = _seen(page, name)
        wanted = np.clip((values - 199.5) / 999 + 0.5, 0, 1) * 255
        painted = page.locator(f"[data-pane={name}] canvas").first.evaluate(
            f"(canvas) => {PACK}(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
        )
        red = np.frombuffer(base64.b64decode(painted), np.uint8).reshape(*values.shape, 4)[..., 0]
        difference = np.abs(red.astype(float) - np.nan_to_num(wanted, nan=0.0))
        return float(np.percentile(difference, 99.9))

    until(lambda: off() <= 1, "the picture of these values")


def _check_ball(page: Page, name: str) -> None:
    """The ball's middle stands where the pane says that its point is."""
    values, points = _seen(page, name)
    ball = np.nan_to_num(values, nan=-9999) > (INSIDE + 400) / 2
    assert ball.any()
    place = _do(page, "(room, [name, point]) => room.placeIn(name, point)", [name, BALL.tolist()])
    rows, columns = np.nonzero(ball)
    pixel = 1.0  # the screen's ratio in these tests
    assert abs(columns.mean() + 0.5 - place["x"] * pixel) < 3
    assert abs(rows.mean() + 0.5 - place["y"] * pixel) < 3
    off = np.linalg.norm(points[ball].mean(axis=0) - BALL)
    assert off < 0.8  # mm; less than a voxel


def _footer(page: Page) -> str:
    return " ".join(page.locator(".volumes footer").inner_text().split())


@pytest.mark.parametrize("place", [AXIAL, TILTED, CORONAL], ids=["axial", "tilted", "coronal"])
def test_every_plane_shows_what_lies_there_however_the_slices_were_taken(open_page: OpenPage, place: int) -> None:
    page = _whole(_open(open_page, place))
    for name in PLANES:
        _check_painted(page, name)
    _go(page, BALL)
    for name in PLANES:
        assert _check_field(page, name) > 3_000
        _check_ball(page, name)
    _do(page, "(room) => { room.turn('axial', 0.5); room.turn('coronal', -0.35); }")
    for name in PLANES:
        assert _check_field(page, name) > 3_000
        _check_ball(page, name)


def test_value_and_place_at_the_cross_are_told(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL))
    point = np.array([5.0, -30.0, 42.0])
    _go(page, point)
    until(lambda: "HU at 5 / −30 / 42 mm" in _footer(page), "the place of the cross")
    until(
        lambda: abs(float(_footer(page).split(" HU")[0].replace("−", "-")) - (point @ FIELD + OFFSET)) <= 1, "its value"
    )
    _go(page, BALL)
    until(lambda: "1,500 HU at 18 / −24 / 33 mm" in _footer(page), "the ball's value")


@pytest.mark.parametrize(("mode", "fold"), [("max", np.max), ("min", np.min), ("mean", np.mean)])
def test_a_slab_shows_the_same_as_numpy(
    open_page: OpenPage, phantoms: list[fake_volume.Phantom], mode: str, fold: Any
) -> None:
    page = _whole(_open(open_page, AXIAL))
    phantom = phantoms[AXIAL]
    middle = phantom.points(22)[40, 48]
    _go(page, middle)
    _do(page, "(room, mode) => room.setSlab(mode, 6)", mode)  # two slices of 1.5 mm on either side
    values, points = _seen(page, "axial")
    stack = np.stack([phantom.values(place) for place in range(20, 25)]).astype(float)
    first = phantom.position(0)
    i = (points[..., 0] - first[0]) / phantom.spacing[1]
    j = (points[..., 1] - first[1]) / phantom.spacing[0]
    inner = (i > 0) & (j > 0) & (i < phantom.columns - 1) & (j < phantom.rows - 1)
    x, y = np.floor(i[inner]).astype(int), np.floor(j[inner]).astype(int)
    u, v = i[inner] - x, j[inner] - y
    upper = stack[:, y, x] * (1 - u) + stack[:, y, x + 1] * u
    lower = stack[:, y + 1, x] * (1 - u) + stack[:, y + 1, x + 1] * u
    wanted = fold(upper * (1 - v) + lower * v, axis=0)
    assert inner.sum() > 50_000
    assert np.abs(values[inner] - wanted).max() < 1
    expect(page.locator("[data-pane=axial]")).to_contain_text("6 mm")


def test_a_lost_graphics_card_is_said_and_costs_nothing_but_speed(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, TILTED, **DESK))
    _go(page, BALL)
    _do(page, "() => document.querySelector('.volumes footer').style.height = '80px'")  # panes keep their size
    page.wait_for_timeout(300)
    _do(page, "(room) => { room.turn('axial', 0.4); room.setSlab('max', 5); }")
    before = {name: _seen(page, name)[0] for name in PLANES}
    _do(page, "(room) => { window.card = room.bodies.card.loseContext; window.card.loseContext(); }")
    until(lambda: "graphics card is not available" in _footer(page), "that the card is gone")
    for name in PLANES:
        np.testing.assert_allclose(_seen(page, name)[0], before[name], atol=0.05)
    until(lambda: _levels(page, "axial") > 3, "a picture all the same")
    _do(page, "() => window.card.restoreContext()")
    until(lambda: "graphics card" not in _footer(page), "that it is back")
    for name in PLANES:
        np.testing.assert_allclose(_seen(page, name)[0], before[name], atol=0.05)


def _levels(page: Page, name: str) -> int:
    """Count the grey levels of a pane's picture."""
    found: int = page.locator(f"[data-pane={name}] canvas").first.evaluate(
        """(canvas) => {
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          const levels = new Set();
          for (let at = 0; at < data.length; at += 4) levels.add(data[at]);
          return levels.size;
        }"""
    )
    return found


@flat
def test_without_webgl_the_processor_draws_the_same_and_says_so(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, TILTED))
    expect(page.locator(".volumes footer")).to_contain_text("Without a graphics card")
    _go(page, BALL)
    for name in PLANES:
        _check_field(page, name)
        _check_ball(page, name)
    until(lambda: _levels(page, "coronal") > 3, "a picture")
    until(lambda: _levels(page, "space") > 3, "the largest values in three dimensions")


def test_missing_slices_and_a_tilted_gantry_are_said(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, TILTED))
    expect(page.locator(".volumes footer")).to_contain_text(
        "A slice is missing at 1 place; hatched parts are interpolated."
    )
    expect(page.locator(".volumes footer")).to_contain_text("tilted by 18°")


def test_a_slice_that_cannot_be_had_is_interpolated_and_said(open_page: OpenPage, site: Site) -> None:
    site.world.refused_frames = {f"{uuid.UUID(int=7000)}-{place}": (500, "internal") for place in (7, 30)}
    page = _whole(_open(open_page, AXIAL))
    expect(page.locator(".volumes footer")).to_contain_text("2 slices could not be loaded")
    _go(page, np.array([-20.0, -20.0, 10.5]))
    _check_field(page, "coronal")


def test_what_makes_no_volume_says_why(open_page: OpenPage) -> None:
    page = open_page(f"/view?study={uuid.UUID(int=2)}&series={uuid.UUID(int=7000 + FEW)}")
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    expect(page.get_by_role("button", name="Volume (MPR/3D)")).to_have_count(0)


def test_pet_lies_over_ct_where_its_points_are(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL, **DESK))
    page.get_by_role("button", name="Fusion").click()
    panel = page.get_by_role("group", name="Fusion")
    expect(panel.get_by_role("button", name="PT 4 PET")).to_be_visible()
    expect(panel.get_by_role("button", name="Andere Lage")).to_have_count(0)  # of another frame of reference
    panel.get_by_role("button", name="PT 4 PET").click()
    expect(panel.get_by_label("Share of the second series")).to_be_visible(timeout=WAIT_MS)
    _go(page, BALL)
    until(lambda: "1,500 HU · SUV 15 at" in _footer(page), "both values at the ball")
    panel.get_by_label("Share of the second series").fill("100")
    place = _do(page, "(room, point) => room.placeIn('axial', point)", BALL.tolist())
    until(lambda: min(_colour(page, "axial", place["x"], place["y"])) > 240, "the largest uptake is white in hot iron")
    until(lambda: _is_warm(_colour(page, "axial", place["x"], place["y"] + 180)), "less of it is red")


def test_the_room_says_whose_and_when_keeps_the_window_and_gives_the_colours_a_scale(
    open_page: OpenPage, site: Site
) -> None:
    row = site.world.studies[1].row
    page = open_page(f"/view?study={uuid.UUID(int=2)}&series={uuid.UUID(int=7000 + AXIAL)}")
    has_picture(page, wait_s=WAIT_MS / 1000)
    page.keyboard.press("2")
    expect(page.locator(".pane").first).to_contain_text("W 1,500 L −600")
    page.get_by_role("button", name="Volume (MPR/3D)").click()
    _whole(page)
    expect(page.locator("[data-pane=axial]")).to_contain_text("W 1,500 L −600")
    head = page.get_by_role("dialog").get_by_role("heading", level=1)
    for told in (_day(row["study_date"]), _day(row["patient"]["birth_date"]), row["description"], row["patient"]["id"]):
        expect(head).to_contain_text(told)
    page.get_by_role("button", name="Fusion").click()
    page.get_by_role("group", name="Fusion").get_by_role("button", name="PT 4 PET").click()
    scale = page.locator("[data-pane=coronal]").get_by_role("group", name="Colours of the second series")
    expect(scale).to_contain_text("PT 4 PET", timeout=WAIT_MS)
    expect(scale).to_contain_text("SUV 10")
    page.set_viewport_size({"width": 360, "height": 640})
    expect(head).to_have_text(re.compile(rf"{re.escape(_day(row['study_date']))}.*CT \d"))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def _day(date: str) -> str:
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {day:%b %Y}"


def _colour(page: Page, name: str, x: float, y: float) -> list[int]:
    found: list[int] = page.locator(f"[data-pane={name}] canvas").first.evaluate(
        "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)", [x, y]
    )
    return found


def _is_warm(colour: list[int]) -> bool:
    red, green, blue = colour
    return red > green >= blue


def _cursor(page: Page) -> Values:
    return np.array(_do(page, "(room) => room.look.cursor"))


def test_cross_wheel_and_keys_move_and_turn_the_planes(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL))
    box = page.locator("[data-pane=axial]").bounding_box()
    assert box
    start = _cursor(page)
    at = _do(page, "(room) => room.placeIn('axial', room.look.cursor)")
    x, y = box["x"] + at["x"], box["y"] + at["y"]
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    until(lambda: abs(_cursor(page)[2] - start[2] - 1.5) < 1e-6, "one slice on")
    page.keyboard.press("ArrowUp")
    until(lambda: abs(_cursor(page)[2] - start[2]) < 1e-6, "back")
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    page.mouse.up()
    scale = _do(page, "(room) => room.look.views.axial.scale")
    until(lambda: np.allclose(_cursor(page) - start, [60 / scale, 30 / scale, 0], atol=0.02), "the cross follows")
    handle = min(box["width"], box["height"]) * 0.36
    page.mouse.move(x + 60 + handle, y + 30)
    page.mouse.down()
    page.mouse.move(x + 60 + handle * 0.8, y + 30 + handle * 0.6, steps=6)
    page.mouse.up()

    def normal() -> list[float]:
        found: list[float] = _do(page, "(room) => room.look.views.coronal.normal")
        return found

    until(lambda: np.allclose(normal(), [-0.6, 0.8, 0], atol=0.03), "the plane turns")
    page.keyboard.press("r")
    until(lambda: np.allclose(normal(), [0, 1, 0], atol=1e-9), "as it was")


def test_a_length_is_in_mm_of_the_patient_and_said_not_to_be_kept_for_who_may_only_look(
    open_page: OpenPage, site: Site
) -> None:
    site.world.marks.may_mark = False
    page = _whole(_open(open_page, AXIAL))
    page.locator(".volumes").get_by_role("button", name="Length").click()
    box = page.locator("[data-pane=coronal]").bounding_box()
    assert box
    scale = _do(page, "(room) => room.look.views.coronal.scale")
    page.mouse.move(box["x"] + 300, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 300 + 30 * scale, box["y"] + 150, steps=3)
    page.mouse.up()
    until(lambda: len(_do(page, "(room) => room.measuring.all")) == 1, "the length")
    (measure,) = _do(page, "(room) => room.measuring.all")
    assert abs(float(np.linalg.norm(np.subtract(*measure["points"]))) - 30) < 0.3
    expect(page.locator(".volumes footer")).to_contain_text("Some measurements here are not kept")
    assert site.world.marks.kept == {}
    remove = page.get_by_role("button", name="Remove the selected measurement")
    expect(remove).to_be_visible()
    page.keyboard.press("PageDown")
    expect(remove).to_be_hidden()
    page.keyboard.press("Delete")
    assert len(_do(page, "(room) => room.measuring.all")) == 1, "nothing is removed that no plane shows"
    page.keyboard.press("PageUp")
    expect(remove).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.locator(".volumes footer")).not_to_contain_text("not kept")


def test_window_presets_reach_all_planes(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL))
    page.keyboard.press("3")
    for name in PLANES:
        expect(page.locator(f"[data-pane={name}]")).to_contain_text("W 1,800 L 400")
    _go(page, np.array([0.0, -10.0, 45.0]))
    place = _do(page, "(room) => room.placeIn('axial', [10, -10, 45])")
    value = np.array([10.0, -10.0, 45.0]) @ FIELD + OFFSET
    wanted = ((value - 399.5) / 1799 + 0.5) * 255
    until(lambda: abs(_colour(page, "axial", place["x"], place["y"])[0] - wanted) <= 2, "its grey")
    page.keyboard.press("i")
    until(lambda: abs(_colour(page, "axial", place["x"], place["y"])[0] - 255 + wanted) <= 2, "inverted")


def test_planes_play_from_end_to_end_and_three_dimensions_turn(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL))
    page.locator("[data-pane=coronal]").click(position={"x": 20, "y": 60})  # the plane in hand
    _do(page, "(room) => room.scroll('coronal', 3)")
    cursors: set[float] = set()

    def seen() -> float:
        y = float(_do(page, "(room) => room.look.cursor[1]"))
        cursors.add(round(y, 2))
        return y

    page.locator(".volumes").get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Window presets and numbers").and_(page.locator(".volumes button")).click()
    page.locator(".volumes").get_by_role("slider").fill("60")
    page.keyboard.press("Escape")
    until(lambda: seen() is not None and len(cursors) > 12, "the planes go by")
    highest = max(cursors)
    until(lambda: seen() < highest - 20, "it begins anew at the end")
    page.locator("main[data-whole]").press("Space")
    still = seen()
    page.wait_for_timeout(300)
    assert seen() == still
    page.locator("[data-pane=space]").click(position={"x": 30, "y": 60})
    before = _do(page, "(room) => room.look.space.right")
    page.keyboard.press("Space")
    until(lambda: abs(float(np.dot(before, _do(page, "(room) => room.look.space.right")))) < 0.8, "it turns")
    page.locator("[data-pane=space]").click(position={"x": 30, "y": 60})  # a hand on it stops it
    still_right = _do(page, "(room) => room.look.space.right")
    page.wait_for_timeout(300)
    assert _do(page, "(room) => room.look.space.right") == still_right


def test_a_phone_shows_one_plane_at_a_time_and_says_that_it_is_coarser(open_page: OpenPage, site: Site) -> None:
    page = _whole(_open(open_page, LARGE, width=360, height=640, language="de", touch=True))
    expect(page.locator(".volumes footer")).to_contain_text("jede 2. Spalte und Zeile")
    for name, label in (("coronal", "Koronal"), ("sagittal", "Sagittal"), ("space", "3D"), ("axial", "Axial")):
        page.get_by_role("navigation", name="Gezeigte Ebene").get_by_role("button", name=label).tap()
        expect(page.locator(f"[data-pane={name}]")).to_be_visible()
        expect(page.locator("[data-pane]:visible")).to_have_count(1)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    size = _do(
        page, "(room) => { const { grid } = room.bodies.body('main'); return [grid.columns, grid.rows, grid.slices]; }"
    )
    assert size == [256, 256, 150]
    bytes_ = size[0] * size[1] * size[2] * 2 * 2
    copy = _do(page, "(room) => room.bodies.body('main').copy")
    assert bytes_ + copy[0] * copy[1] * copy[2] * 2 <= 200 << 20
    touch = page.context.new_cdp_session(page)
    before = _cursor(page)
    for kind, points in (("touchStart", [200]), ("touchMove", [210]), ("touchMove", [230]), ("touchEnd", [])):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": 180, "y": y} for y in points]})
    until(lambda: _cursor(page)[2] > before[2] + 1, "a finger scrolls")


def test_closing_the_room_leaves_the_images_as_they_were(open_page: OpenPage) -> None:
    page = _whole(_open(open_page, AXIAL))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and gestures")).to_contain_text("Thinner or thicker slab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys and gestures")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(".volumes")).to_have_count(0)
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()


def test_under_a_volume_the_images_are_not_brought_any_more_and_go_on_after_it(open_page: OpenPage) -> None:
    page = open_page("/accounts")
    asked: list[Request] = []
    over: list[Request] = []

    def hold(route: Route) -> None:
        asked.append(route.request)
        if len(asked) == 1:  # the first picture comes, the others are under way
            route.continue_()

    def ended(request: Request) -> None:
        over.append(request)

    def heard() -> bool:
        page.wait_for_timeout(20)  # what the browser told meanwhile is heard of
        return True

    page.on("requestfailed", ended)
    page.route(re.compile("/frames/"), hold)
    page.goto(page.url.replace("/accounts", f"/view?study={uuid.UUID(int=2)}&series={uuid.UUID(int=7000 + AXIAL)}"))
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible(timeout=WAIT_MS)
    until(lambda: heard() and len(asked) == 5, "four of the images are on their way")
    below = asked[1:5]
    page.get_by_role("button", name="Volume (MPR/3D)").click()
    until(lambda: heard() and set(below) <= set(over), "those are broken off")
    until(lambda: heard() and len(asked) == 6, "the volume's first slice is on its way instead")
    page.wait_for_timeout(500)
    assert len(asked) == 6
    page.keyboard.press("Escape")
    until(lambda: heard() and len(asked) == 10, "the images are asked for again")
    assert {one.url for one in below} == {one.url for one in asked[6:]}
