"""Colour scales: values to RGB, and their ends for each map, in its unit.

One scale for flow and volume, where dark blue is little and red is much, and for times, where red is late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_STOPS = (0.0, 0.1, 0.25, 0.4, 0.53, 0.68, 0.83, 1.0)
_COLOURS = (
    (24, 16, 76), (44, 52, 168), (36, 124, 240), (24, 196, 208), (92, 224, 96), (226, 222, 52), (250, 132, 32),
    (176, 16, 16),
)  # fmt: skip
CORE, LATE = (232, 52, 148), (64, 208, 96)


@dataclass(frozen=True, slots=True)
class Scale:
    """The ends of a map's scale, in its unit; `grey` for what is no map."""

    unit: str
    least: float
    most: float
    grey: bool = False


SCALES = {
    "CBF": Scale("mL/100 g/min", 0, 80),
    "CBV": Scale("mL/100 g", 0, 6),
    "MTT": Scale("s", 0, 16),
    "TTP": Scale("s", 0, 24),
    "Tmax": Scale("s", 0, 12),
    "ADC": Scale("µm²/s", 0, 1600, grey=True),
}


def table(*, grey: bool = False) -> Bytes:
    """Return 256 colours."""
    at = np.linspace(0, 1, 256)
    if grey:
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return np.stack(
        [np.interp(at, _STOPS, [colour[part] for colour in _COLOURS]) for part in range(3)], axis=1
    ).astype(np.uint8)  # fmt: skip


def coloured(values: NDArray[np.generic], scale: Scale, where: NDArray[np.bool_] | None = None) -> Bytes:
    """Return (rows, columns, 3): the values' colours, black outside of `where`."""
    share = (values.astype(np.float32) - scale.least) * np.float32(255 / (scale.most - scale.least))
    found: Bytes = table(grey=scale.grey).take(np.clip(share, 0, 255).astype(np.intp), axis=0)
    if where is not None:
        found[~where] = 0
    return found


def edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask (rows, columns) that border on what is outside."""
    wide = np.pad(mask, 1)
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    found: NDArray[np.bool_] = mask & ~inner
    return found


def overlaid(grey: Bytes, core: NDArray[np.bool_], late: NDArray[np.bool_], opaque: float = 0.42) -> Bytes:
    """Return a grey picture (rows, columns, 3) with hypoperfused tissue and core upon it, each with its outline."""
    found = grey.astype(np.float32)
    for mask, colour in ((late & ~core, LATE), (core, CORE)):
        found[mask] = (1 - opaque) * found[mask] + opaque * np.asarray(colour, dtype=np.float32)
    for mask, colour in ((late, LATE), (core, CORE)):
        found[edge(mask)] = colour
    return found.astype(np.uint8)
