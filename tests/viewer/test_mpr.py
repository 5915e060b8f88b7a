"""Real series as volumes on a real server: a head CT with a tilted gantry, and a PET over its CT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect
from pydicom import Dataset, dcmread

from tests.dicom.drawn_objects import blending_state, bytes_of
from tests.viewer.conftest import Pages, until
from tests.viewer.hospital import Hospital, content_of
from tests.volume_panes import points_of

Values = NDArray[np.float64]
WAIT_MS = 120_000
ROOM = """(() => {
  const detail = {};
  document.querySelector('[data-pane=axial] .over').dispatchEvent(new CustomEvent('volume-room', { detail }));
  return detail.room;
})()"""


def _volume(page: Page) -> None:
    page.get_by_role("button", name="Volume (MPR/3D)").click()
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=WAIT_MS)


def _plane(page: Page, name: str) -> tuple[Values, Values]:
    """Return a pane's values and the points of the patient at its pixels."""
    found: dict[str, Any] = page.evaluate(
        f"""async (name) => {{
          const room = {ROOM};
          const {{ width, height, values }} = await room.values(name);
          return {{ width, height, values: [...values].map((one) => (Number.isNaN(one) ? null : one)),
            view: room.look.views[name], cursor: room.look.cursor, size: room.sizeOf(name) }};
        }}""",
        name,
    )
    points = points_of(found)
    values = np.array([np.nan if one is None else one for one in found["values"]])
    return values.reshape(points.shape[:2]), points


class Truth:
    """The series' values between its voxels, from its files with numpy: bilinear in both slices, then linear."""

    def __init__(self, objects: list[Dataset]) -> None:
        first = np.array(objects[0].ImageOrientationPatient, float)
        self.row, self.column = first[:3], first[3:]
        self.normal = np.cross(self.row, self.column)
        depth = [float(self.normal @ np.array(one.ImagePositionPatient, float)) for one in objects]
        order = np.argsort(depth)
        self.depths = np.array(depth)[order]
        self.origins = np.array([np.array(objects[at].ImagePositionPatient, float) for at in order])
        self.down, self.across = (float(one) for one in objects[0].PixelSpacing)
        slices = [objects[at] for at in order]
        self.values = np.stack(
            [one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in slices]
        )

    def at(self, points: Values) -> Values:
        """Return the values at points; NaN beyond the outermost centres."""
        depth = points @ self.normal
        inside = (depth >= self.depths[0]) & (depth <= self.depths[-1])
        k = np.clip(np.searchsorted(self.depths, depth, side="right") - 1, 0, len(self.depths) - 2)
        share = (depth - self.depths[k]) / (self.depths[k + 1] - self.depths[k])
        origin = self.origins[k] + share[..., None] * (self.origins[k + 1] - self.origins[k])  # tilted: it moves along
        i = ((points - origin) @ self.row) / self.across
        j = ((points - origin) @ self.column) / self.down
        _, rows, columns = self.values.shape
        inside &= (i >= 0) & (j >= 0) & (i <= columns - 1) & (j <= rows - 1)
        x, y = np.clip(i.astype(int), 0, columns - 2), np.clip(j.astype(int), 0, rows - 2)
        u, v = i - x, j - y

        def plane(slice_: NDArray[np.int_]) -> Values:
            upper = self.values[slice_, y, x] * (1 - u) + self.values[slice_, y, x + 1] * u
            lower = self.values[slice_, y + 1, x] * (1 - u) + self.values[slice_, y + 1, x + 1] * u
            found: Values = upper * (1 - v) + lower * v
            return found

        found: Values = np.where(inside, plane(k) * (1 - share) + plane(k + 1) * share, np.nan)
        return found


def _compare(page: Page, truth: Truth) -> None:
    for name in ("axial", "coronal", "sagittal"):
        values, points = _plane(page, name)
        wanted = truth.at(points)
        both = ~np.isnan(values) & ~np.isnan(wanted)
        assert both.sum() > 20_000
        assert np.abs(values - wanted)[both].max() <= 1


def test_a_tilted_head_ct_with_changing_distances_is_shown_as_it_lies(
    open_page: Pages, hospital: Hospital, shared_data: Path
) -> None:
    files = sorted((shared_data / "series" / "ge-ct-head").glob("*.dcm"))
    [sent] = hospital.send(files)
    page = open_page(sent.view())
    _volume(page)
    footer = page.locator(".volumes footer")
    expect(footer).to_contain_text("The gantry was tilted by 18.5°")
    expect(footer).to_contain_text("The distance of the slices changes from 1.08 to 7 mm.")
    truth = Truth([dcmread(one) for one in files])
    _compare(page, truth)
    page.evaluate(f"() => {{ const room = {ROOM}; room.turn('axial', 0.4); room.turn('sagittal', 0.3); }}")
    _compare(page, truth)


def test_a_pet_lies_over_its_ct_with_its_own_values(open_page: Pages, hospital: Hospital, shared_data: Path) -> None:
    found = [one for one in sorted((shared_data / "rt" / "ibsi-sts").rglob("*")) if one.is_file()]
    objects = [(one, dcmread(one, stop_before_pixels=True, force=True)) for one in found]
    chosen = [one for one, header in objects if header.get("Modality") in ("CT", "PT")]
    [sent] = hospital.send([content_of(one) for one in chosen])
    ct = next(one for one in sent.series if one["modality"] == "CT")
    page = open_page(sent.view(ct["series_uid"]))
    _volume(page)
    page.get_by_role("button", name="Fusion").click()
    page.get_by_role("group", name="Fusion").get_by_role("button", name="PT").click()
    expect(page.get_by_label("Share of the second series")).to_be_visible(timeout=WAIT_MS)
    pet = Truth([dcmread(one) for one, header in objects if header.get("Modality") == "PT"])
    k, row, column = np.unravel_index(int(pet.values[8:40, 4:-4, 4:-4].argmax()), pet.values[8:40, 4:-4, 4:-4].shape)
    hottest = pet.origins[k + 8] + (column + 4) * pet.across * pet.row + (row + 4) * pet.down * pet.column
    page.evaluate(f"(point) => {ROOM}.setCursor(point)", hottest.tolist())
    truth = Truth([dcmread(one) for one, header in objects if header.get("Modality") == "CT"])
    value = float(truth.at(hottest[None])[0])
    until(lambda: f"{value:,.1f}".rstrip("0").rstrip(".") + " HU · " in footer(page), "the CT's value")
    told = page.evaluate(
        f"async (point) => {{ const {{ bodies }} = {ROOM}; return bodies.keeper.ask("
        "{ do: 'probe', name: 'over', at: bodies.body('over').grid.toGrid(point) }); }",
        hottest.tolist(),
    )
    wanted = float(pet.values[k + 8, row + 4, column + 4])
    assert abs(told - wanted) <= 1e-3 * abs(wanted)


def footer(page: Page) -> str:
    """Return what stands below the panes."""
    return " ".join(page.locator(".volumes footer").inner_text().split())


def test_a_saved_blending_lays_the_pet_over_its_ct_as_it_says(
    open_page: Pages, hospital: Hospital, shared_data: Path
) -> None:
    found = [one for one in sorted((shared_data / "rt" / "ibsi-sts").rglob("*")) if one.is_file()]
    objects = [dcmread(one, force=True) for one in found]
    ct, pet = ([one for one in objects if one.get("Modality") == kind] for kind in ("CT", "PT"))
    state = blending_state(ct, pet)
    [sent] = hospital.send([*(content_of(one) for one in [*ct, *pet]), bytes_of(state)])
    page = open_page(sent.view(str(pet[0].SeriesInstanceUID)))  # the other one is gone to
    page.get_by_role("button", name="Drawings of other systems").click()
    page.get_by_role("checkbox", name="Show FUSION").check()
    page.get_by_role("button", name="Show both series, one over the other").click()
    expect(page.locator(".volumes main[data-whole=true]")).to_be_visible(timeout=WAIT_MS)
    until(lambda: page.evaluate(f"() => {ROOM}.look.blend !== null"), "the PET lies over it")
    look: dict[str, Any] = page.evaluate(
        f"""() => {{ const {{ look: {{ blend, window, invert }} }} = {ROOM};
          return {{ window, invert, least: blend.least, width: blend.width, share: blend.share,
            last: blend.map[255] }}; }}"""
    )
    assert look["window"] == {"center": 40, "width": 400, "kind": "LINEAR"}
    assert (look["least"], look["width"], look["last"]) == (0, 9999, 0xFF0000FF)
    assert abs(look["share"] - 0.3) < 1e-6
    page.get_by_role("button", name="Fusion", exact=True).click()
    expect(page.get_by_role("group", name="Fusion").get_by_role("combobox")).to_have_value("")
    expect(page.get_by_role("option", name="As saved")).to_be_attached()
