"""The curves that an artery can cause: what is outside of their space is noise, and is taken away.

Tissue curves are the arterial input, delayed and spread by some residue. All of them lie close to a space of some ten
dimensions, found from the artery alone and not from the study's curves, so that a lesion of a few voxels counts as much
as a hemisphere. Projected on it, a curve of 60 samples keeps about 40 % of its noise and no neighbour is mixed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
DELAYS_S = (-4.0, 16.0)
TRANSITS_S = (2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 18.0, 26.0)
FINE = 4
TOLERANCE = 2e-4  # of the energy of unit curves, what may be left out in the mean


def basis(artery: Doubles, dt_s: float, tolerance: float = TOLERANCE) -> Doubles:
    """Return orthonormal columns (N × K) that span what `artery` can cause in curves of N samples."""
    atoms = _atoms(artery, dt_s)
    values, vectors = np.linalg.eigh(atoms.T @ atoms / len(atoms))
    found: Doubles = vectors[:, np.cumsum(values) > tolerance * values.sum()]
    return found


def _atoms(artery: Doubles, dt_s: float) -> Doubles:
    """Return curves of unit length for many delays and transit times, of exponential and of box residue."""
    count, step = artery.size, dt_s / FINE
    coarse = np.arange(count) * dt_s
    fine = np.arange(0, coarse[-1] + step / 2, step)
    inflow = np.interp(fine, coarse, artery)
    found = []
    for transit in TRANSITS_S:
        for residue in (np.exp(-fine / transit), (fine < transit).astype(np.float64)):
            whole = np.convolve(inflow, residue)[: fine.size]
            found += [np.interp(coarse - delay, fine, whole, left=0.0) for delay in np.arange(*DELAYS_S, dt_s / 2)]
    atoms = np.stack(found)
    sizes = np.linalg.norm(atoms, axis=1)
    good: Doubles = atoms[sizes > 0.05 * sizes.max()] / sizes[sizes > 0.05 * sizes.max(), None]
    return good
