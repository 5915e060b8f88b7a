"""Displays as photometers find them."""

from __future__ import annotations

from radrelay.dicom import gsdf
from radrelay.displays.judging import Readings

STEPS = tuple(range(0, 256, 15))
"""The 18 greys of TG18-LN."""


def following(darkest: float = 0.4, brightest: float = 300.0, greys: tuple[int, ...] = STEPS) -> tuple[float, ...]:
    """Return the luminances of a display that follows the GSDF between two luminances."""
    return tuple(float(value) for value in gsdf.expected(darkest, brightest, greys))


def gamma(exponent: float, darkest: float = 0.4, brightest: float = 300.0) -> tuple[float, ...]:
    """Return the luminances of a display as offices have them."""
    return tuple(darkest + (brightest - darkest) * (grey / 255) ** exponent for grey in STEPS)


def readings(luminances: tuple[float, ...] = (), **more: object) -> Readings:
    """Return readings of a good display, but for what is given."""
    given: dict[str, object] = {
        "greys": STEPS,
        "luminances": luminances or following(),
        "ambient": 0.1,
        "with_ambient": True,
        "points": (200.0, 190.0, 185.0, 195.0, 180.0),
        "illuminance": 30.0,
    }
    return Readings(**(given | more))  # type: ignore[arg-type]
