"""A series that holds pictures of two kinds at the same places: each is named, and gone to where it lies."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, has_picture, until
from tests.frontend.fake_volume import Phantom, Vector
from tests.frontend.looking import overlay

SLICES = 6
SERIES = uuid.UUID(int=7300)


class TwoKinds(Phantom):
    """Magnitude images, and behind them phase images of the same slices."""

    def position(self, place: int) -> Vector:
        at: Vector = np.array(self.origin) + place % SLICES * np.array(self.step)
        return at

    @property
    def detail(self) -> dict[str, Any]:
        found = super().detail
        for place, one in enumerate(found["instances"]):
            one |= {"kinds": ["magnitude" if place < SLICES else "phase"], "number": place % SLICES + 1}
        return found


def test_magnitude_and_phase_images_are_named_and_gone_to_at_the_same_place(open_page: OpenPage, site: Site) -> None:
    study = site.world.studies[1]
    made = TwoKinds("ct", "MR", 1, "Feldkarte", 2 * SLICES, rows=24, columns=24)
    made.id, made.study_id = str(SERIES), study.row["id"]
    study.series = [made]
    page = open_page(f"/view?study={uuid.UUID(int=2)}&series={SERIES}", language="de")
    has_picture(page, 0)
    parts = page.get_by_role("list", name="Diese Serie enthält")
    expect(parts.get_by_role("button")).to_have_text(["Betrag6", "Phasenbild6"])
    until(lambda: "Betrag Bild 1 von 12" in overlay(page), "what the picture is")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    has_picture(page, 2)
    parts.get_by_role("button", name="Phasenbild").click()
    has_picture(page, SLICES + 2)
    until(lambda: f"Phasenbild Bild {SLICES + 3} von 12" in overlay(page), "the other kind of the same slice")
    expect(parts.get_by_role("button", name="Phasenbild")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name=f"Feldkarte, Phasenbild, Bild {SLICES + 3} von 12")).to_be_visible()
    page.get_by_role("button", name="Volumen (MPR/3D)").click()
    expect(page.get_by_label("Welches Volumen").locator("option")).to_have_text(
        ["Betrag · 6 Schichten, 24 × 24", "Phasenbild · 6 Schichten, 24 × 24"]
    )
