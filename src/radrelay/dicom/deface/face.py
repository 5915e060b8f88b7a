"""Where the face is in a head, told from where the brain is; and that the brain is left alone.

In: a coarse volume with axes upwards, backwards and to the left (patient's LPS turned), in mm. Out: the cells that go.

1. The brain's room: in CT soft tissue with bone to the left, right, front, back and above; in MR tissue. Its thickest
   part, cut loose from thin bridges. It has a plausible size, and lies as deep behind the forehead as skin and skull
   are thick, or nothing is said: of a brain that was found in part the rest would not be safe.
2. The brow is a little above the lowest part of the brain's front. Below it goes what lies in front of a surface that
   curves around the brain's front pole: eyes, nose, mouth, chin. Nothing of the face's relief shapes it.
3. What is within `MARGIN_MM` of the brain's room stays.
4. A nose has to stand out there before, and nothing afterwards: else it is no face, or it would stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.deface.morphology import Mask, connected, deepest, grown, shrunk, steps_of

BONE_HU, SOFT_HU, SKIN_HU = 250.0, -100.0, -300.0
LOOSE_MM = {"CT": 5.0, "MR": 6.0}
MARGIN_MM = 8.0
BRAIN_ML = (500.0, 2600.0)
LENGTH_MM, WIDTH_MM = (125.0, 225.0), (100.0, 190.0)
FOREHEAD_MM, DEEP_MM = (10.0, 50.0), (4.0, 26.0)
"""How far above the brow the forehead is looked at, and how deep the brain's room may lie there."""
FRONT_MM, BROW_MM = 35.0, 8.0
BEHIND_MM, CURVE = 12.0, 0.004
"""How far behind the brain's front pole the surface passes in the middle, and how it falls back sideways (1/mm)."""
NOSE_MM, FACE_MM = 18.0, 90.0
LEFT_OVER = 0.04


class Unsure(StrEnum):
    """Why a face is not taken out."""

    NO_BRAIN = "no-brain"
    NO_FACE = "no-face"
    STAYS = "face-stays"


@dataclass(frozen=True)
class Head:
    """A coarse volume: values (up, back, left), the greatest in each cell, and the cells' size in mm."""

    modality: str
    mean: NDArray[np.float32]
    most: NDArray[np.float32]
    spacing: tuple[float, float, float]


def face_of(head: Head) -> Mask | Unsure:
    """Return the cells that have to go."""
    skin, brain = tissues(head)
    cell_ml = float(np.prod(head.spacing)) / 1000
    if brain is None or not BRAIN_ML[0] <= int(brain.sum()) * cell_ml <= BRAIN_ML[1]:
        return Unsure.NO_BRAIN
    up, back, left = (np.arange(size) * step for size, step in zip(skin.shape, head.spacing, strict=True))
    at = np.argwhere(brain)
    pole = float(np.percentile(back[at[:, 1]], 0.5))
    front = at[back[at[:, 1]] < pole + FRONT_MM]
    lowest = float(np.percentile(up[front[:, 0]], 1))
    brow = lowest + BROW_MM
    middle = float(np.median(left[at[:, 2]]))
    if not _whole(head, skin, brain, (brow, middle)):
        return Unsure.NO_BRAIN
    below = (up < lowest - MARGIN_MM - head.spacing[0]) & (up > brow - FACE_MM)
    if not below.any():
        return Unsure.NO_FACE
    surface = pole + BEHIND_MM + CURVE * (left - middle) ** 2
    ahead = back[None, :, None] < surface[None, None, :]
    region = (up < brow)[:, None, None] & ahead
    central = np.abs(left - middle) < 30
    nose = skin & below[:, None, None] & (back < pole - NOSE_MM)[None, :, None] & central[None, None, :]
    if int(nose.sum()) * cell_ml < 1.0:
        return Unsure.NO_FACE
    gone = region & ~grown(brain, steps_of(MARGIN_MM, head.spacing))
    stays = (skin & region & below[:, None, None] & ~gone).any(axis=1)
    was = (skin & region & below[:, None, None]).any(axis=1)
    if int(stays.sum()) > LEFT_OVER * int(was.sum()):
        return Unsure.STAYS
    return gone


def _whole(head: Head, skin: Mask, brain: Mask, at: tuple[float, float]) -> bool:
    """Say whether the brain's room can be all of it: long and wide enough, and just behind the forehead."""
    up, _, left = (np.arange(size) * step for size, step in zip(skin.shape, head.spacing, strict=True))
    found = np.argwhere(brain) * head.spacing
    least, most = np.percentile(found, (1, 99), axis=0)
    length, width = (float(most[axis] - least[axis]) for axis in (1, 2))
    if not (LENGTH_MM[0] <= length <= LENGTH_MM[1] and WIDTH_MM[0] <= width <= WIDTH_MM[1]):
        return False
    brow, middle = at
    rows = (up > brow + FOREHEAD_MM[0]) & (up < brow + FOREHEAD_MM[1])
    columns = np.abs(left - middle) < 30
    seen, behind = skin[rows][:, :, columns], brain[rows][:, :, columns]
    there = seen.any(axis=1) & behind.any(axis=1)
    if int(there.sum()) < 0.9 * there.size or not there.size:
        return False
    deep = (behind.argmax(axis=1) - seen.argmax(axis=1))[there] * head.spacing[1]
    return DEEP_MM[0] <= float(np.median(deep)) and float(np.percentile(deep, 90)) <= DEEP_MM[1] + 4


def tissues(head: Head) -> tuple[Mask, Mask | None]:
    """Return what is no air, and the brain's room."""
    loose = steps_of(LOOSE_MM[head.modality], head.spacing)
    if head.modality == "CT":
        skin = head.mean > SKIN_HU
        room = _enclosed(head.most > BONE_HU) & (head.mean > SOFT_HU) & (head.most <= BONE_HU)
    else:
        skin = head.mean > _otsu(head.mean)
        room = skin
    core = shrunk(room, loose)
    seed = deepest(core, steps_of(1.0, head.spacing))
    if seed is None:
        return skin, None
    brain = grown(connected(core, seed), loose)
    return skin, brain & room if head.modality == "CT" else brain


def _enclosed(bone: Mask) -> Mask:
    """Return what has bone to the left, right, front, back and above; above counts as there where the volume ends."""
    around = np.ones_like(bone)
    for axis in (1, 2):
        around &= np.logical_or.accumulate(bone, axis=axis)
        around &= np.flip(np.logical_or.accumulate(np.flip(bone, axis), axis=axis), axis)
    above = np.flip(np.logical_or.accumulate(np.flip(bone, 0), axis=0), 0)
    enclosed: Mask = around & (above | around[-1][None])
    return enclosed


def _otsu(values: NDArray[np.float32]) -> float:
    """Return the value that parts dark from bright best (Otsu 1979)."""
    low, high = (float(one) for one in np.percentile(values, (0, 99.5)))
    if high <= low:
        return high
    counts, edges = np.histogram(np.clip(values, low, high), 256)
    middles = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(counts)
    total = np.cumsum(counts * middles)
    rest = weight[-1] - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = weight * rest * (total / weight - (total[-1] - total) / rest) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(apart)))])
