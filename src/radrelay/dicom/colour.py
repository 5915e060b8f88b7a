"""Colour spaces of DICOM pixels: YBR to RGB (PS3.3 C.7.6.3.1.2).

In: samples in YBR. Out: RGB samples of the same type.
"""

from __future__ import annotations

import numpy as np

from radrelay.dicom.pixels import Pixels

_FULL = np.array(
    [[1.0, 1.0, 1.0], [0.0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0.0]], np.float32
)


def rgb_from_ybr_full(samples: Pixels, bits_stored: int = 8) -> Pixels:
    """Return RGB from YBR_FULL samples of shape (rows, columns, 3), same type (PS3.3 C.7.6.3.1.2)."""
    return _convert(samples, _FULL, 0.0, bits_stored)


def rgb_from_ybr_partial(samples: Pixels, bits_stored: int = 8) -> Pixels:
    """Return RGB from YBR_PARTIAL samples (black 16, white 235 for 8 bits), same type."""
    scale = 1 << (bits_stored - 8) if bits_stored >= 8 else 1
    matrix = np.array(
        [[1.164384, 1.164384, 1.164384], [0.0, -0.391762, 2.017232], [1.596027, -0.812968, 0.0]], np.float32
    )
    return _convert(samples, matrix, 16.0 * scale, bits_stored)


def _convert(
    samples: Pixels, matrix: np.ndarray[tuple[int, ...], np.dtype[np.float32]], black: float, bits: int
) -> Pixels:
    top = (1 << bits) - 1
    middle = float(1 << (bits - 1))
    shifted = samples.astype(np.float32) - np.array([black, middle, middle], np.float32)
    rgb = np.floor(shifted @ matrix + np.float32(0.5))
    converted: Pixels = np.clip(rgb, 0, top).astype(samples.dtype)
    return converted
