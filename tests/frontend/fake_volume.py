"""Phantoms of known geometry as series of the fake server: a linear field with a ball in it, cut in any direction.

Every value is `FIELD · point + OFFSET`, rounded, but for a ball of one value: so whatever plane is laid through a
phantom, what belongs at each of its points is known without interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.frontend.fake_data import CT_IMAGE, EXPLICIT_LE, FakeSeries

PT_IMAGE = "1.2.840.10008.5.1.4.1.1.128"
FIELD, OFFSET = np.array([2.0, 3.0, -1.0]), 100.0
BALL, RADIUS, INSIDE = np.array([18.0, -24.0, 33.0]), 9.0, 1500
FRAME_OF_REFERENCE = "1.2.826.0.1.77"
Vector = NDArray[np.float64]


@dataclass
class Phantom(FakeSeries):
    """A stack of slices: `origin`, directions and distances in mm, the way from slice to slice as a vector."""

    origin: tuple[float, float, float] = (-40.0, -60.0, 0.0)
    across: tuple[float, float, float] = (1.0, 0.0, 0.0)
    down: tuple[float, float, float] = (0.0, 1.0, 0.0)
    step: tuple[float, float, float] = (0.0, 0.0, 1.5)
    spacing: tuple[float, float] = (1.1, 0.9)
    """Between rows, between columns."""
    rows: int = 80
    columns: int = 96
    missing: frozenset[int] = frozenset()
    slope_by_slice: bool = False
    reference: str | None = FRAME_OF_REFERENCE
    facts: dict[str, Any] = field(default_factory=dict)
    noise: bool = False

    def kept(self) -> list[int]:
        """Return which of the slices are there."""
        return [place for place in range(self.instances + len(self.missing)) if place not in self.missing]

    def position(self, place: int) -> Vector:
        """Return where the slice at a place of the stack begins."""
        at: Vector = np.array(self.origin) + self.kept()[place] * np.array(self.step)
        return at

    def points(self, place: int) -> Vector:
        """Return the centres of a slice's pixels: rows × columns × 3."""
        j, i = np.mgrid[0 : self.rows, 0 : self.columns]
        ways = np.array(self.across) * self.spacing[1], np.array(self.down) * self.spacing[0]
        points: Vector = self.position(place) + i[..., None] * ways[0] + j[..., None] * ways[1]
        return points

    def values(self, place: int) -> NDArray[np.int16]:
        """Return what a slice measures."""
        if self.noise:
            return self._noisy(place)
        points = self.points(place)
        found = np.rint(points @ FIELD + OFFSET)
        found[np.linalg.norm(points - BALL, axis=-1) < RADIUS] = INSIDE
        kept: NDArray[np.int16] = found.astype(np.int16)
        return kept

    @cached_property
    def _grain(self) -> NDArray[np.int16]:
        grain = np.random.default_rng(5).normal(0, 20, (self.rows, self.columns))
        y, x = np.mgrid[-1 : 1 : self.rows * 1j, -1 : 1 : self.columns * 1j]
        body: NDArray[np.int16] = np.where(np.hypot(x / 0.8, y / 0.6) < 1, 40 + grain, -1000 + grain / 4).astype(
            np.int16
        )
        return body

    def _noisy(self, place: int) -> NDArray[np.int16]:
        values = np.roll(self._grain, place % 7, axis=1)
        values[200:280, 240 + place % 32 : 272 + place % 32] += 900
        return values

    def drawn(self, place: int, _number: int) -> tuple[dict[str, Any], bytes]:
        """Return the facts and the samples of a slice."""
        values = self.values(place)
        slope, intercept = (1.0 + place / 10, 0.0) if self.slope_by_slice else (1.0, 0.0)
        stored = np.rint(values / slope).astype(np.int16)
        facts = {
            "rows": self.rows, "columns": self.columns, "samples": 1, "bits_allocated": 16, "bits_stored": 16,
            "signed": True, "float": False, "photometric": "MONOCHROME2", "slope": slope, "intercept": intercept,
            "window_center": 200.0, "window_width": 1000.0, "window_function": "LINEAR", "invert": False,
            "voi_lut": None, "padding_value": None, "pixel_spacing": list(self.spacing), "imager_spacing": None,
            "pixel_aspect_ratio": [1.0, 1.0], "frames": 1, "frames_named": 1, "cut": False, "missing": 0.0,
            "orientation": [*self.across, *self.down], "patient_orientation": [],
        } | self.facts  # fmt: skip
        return facts, stored.tobytes()

    @property
    def detail(self) -> dict[str, Any]:
        """The series with its instances and their planes."""
        kind = PT_IMAGE if self.modality == "PT" else CT_IMAGE
        return {
            "id": self.id, "study_id": self.study_id, "frame_of_reference": self.reference,
            "instances": [
                {
                    "id": f"{self.id}-{place}", "sop_uid": f"1.2.3.{place}", "sop_class_uid": kind,
                    "number": place + 1, "rows": self.rows, "columns": self.columns, "frames": 1, "frames_named": 1,
                    "transfer_syntax": EXPLICIT_LE, "viewable": True, "why_not": None, "why_not_code": "",
                    "position": self.position(place).tolist(), "orientation": [*self.across, *self.down],
                    "pixel_spacing": list(self.spacing), "thickness": None, "time": None, "time_of": "",
                    "trigger_time": None, "frame_of_reference": None, "cine_rate": None, "file_name": "",
                    "temporal_position": None, "acquisition": None, "echo_time": None, "echo_number": None,
                    "b_value": None, "kinds": [], "image_type": "",
                }
                for place in range(self.instances)
            ],
        }  # fmt: skip


def phantoms() -> list[Phantom]:
    """Make the series: axial, tilted with a hole, coronal, PET over the first, too few, and a large one."""
    tilt = np.deg2rad(18)
    return [
        Phantom("ct", "CT", 1, "Axial", 60),
        Phantom(
            "ct", "CT", 2, "Gekippt, mit Lücke", 38, missing=frozenset({10}), step=(0.0, 0.0, 2.0),
            across=(1.0, 0.0, 0.0), down=(0.0, float(np.cos(tilt)), float(np.sin(tilt))),
        ),
        Phantom(
            "ct", "CT", 3, "Koronal", 50, origin=(-30.0, -64.0, 70.0), down=(0.0, 0.0, -1.0), step=(0.0, 1.2, 0.0),
        ),
        Phantom(
            "ct", "PT", 4, "PET", 36, origin=(-40.0, -70.0, -6.0), spacing=(3.0, 3.0), step=(0.0, 0.0, 3.0),
            rows=40, columns=40, slope_by_slice=True, facts={"suv_factor": 0.01},
        ),
        Phantom("ct", "CT", 5, "Zwei Schichten", 2),
        Phantom(
            "ct", "CT", 6, "Groß", 150, rows=512, columns=512, spacing=(0.7, 0.7), step=(0.0, 0.0, 0.7),
            origin=(-179.0, -179.0, 0.0), noise=True,
        ),
        Phantom("ct", "PT", 7, "Andere Lage", 30, reference="1.2.826.0.1.78"),
    ]  # fmt: skip


def ball_depth(normal: Vector, point: Vector) -> float:
    """Return how far the ball's centre lies from a plane, in mm."""
    return float(abs((BALL - point) @ normal))
