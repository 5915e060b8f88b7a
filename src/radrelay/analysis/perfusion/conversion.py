"""From what the scanner measured to a quantity in proportion to the contrast agent's concentration.

CT: attenuation less its baseline (HU). MR: ΔR2* = −ln(S / S0) / TE (1/s), for gradient-echo signals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LEAST_SHARE = np.float32(0.02)


def delta_r2_star(signal: Floats, baseline: Floats, te_s: float) -> Floats:
    """Return ΔR2* (1/s) of `signal` (frames × …) against `baseline` (…); a signal lost in noise counts as 2 %."""
    least = LEAST_SHARE * np.maximum(baseline, np.float32(1e-6))
    found: Floats = np.log(np.maximum(baseline, np.float32(1e-6)) / np.maximum(signal, least))
    found /= np.float32(te_s)
    return found
