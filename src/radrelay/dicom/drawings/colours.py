"""Colours that objects recommend: CIELab as DICOM packs it, to sRGB (PS3.3 C.10.7.1.1).

The standard means the profile connection space (D50). Writers of these objects (dcmqi, dcmjs, pixelmed, highdicom) all
turn their colours over by one formula with D65, so that is what gives back the colour that was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
_TO_SRGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_KNEE = 6 / 29


def from_cielab(values: Sequence[float]) -> str:
    """Return #rrggbb of three packed numbers (L* 0 to 100, a* and b* -128 to 127, each 0 to 65535); empty if bad."""
    if len(values) != 3 or not all(0 <= value <= 0xFFFF for value in values):
        return ""
    lightness = values[0] / 0xFFFF * 100
    a, b = (value / 0xFFFF * 255 - 128 for value in values[1:])
    y = (lightness + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29)) * _WHITE
    linear = np.clip(_TO_SRGB @ xyz, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return from_rgb([float(part) for part in np.round(encoded * 255)])


def from_rgb(values: Sequence[float]) -> str:
    """Return #rrggbb of red, green and blue from 0 to 255; empty if there are not three, or if they are none."""
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        return ""
    return "#" + "".join(f"{int(value):02x}" for value in values)


def from_grey(value: float | None) -> str:
    """Return #rrggbb of a P-value from 0 to 65535; empty if there is none."""
    if value is None or not 0 <= value <= 0xFFFF:
        return ""
    return from_rgb([round(value / 257)] * 3)
