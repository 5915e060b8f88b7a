"""The slices of a series as a coarse volume with the patient's axes, and what of it goes, back in each slice's pixels.

In: slices, reduced one by one as they are read, so that a series never stands in memory whole: `MOST_CELLS` of it at
most. Out: a `Cut` for each, or why nothing can be said: no parallel stack, slices that are missing, a gantry that was
tilted, too coarse, too large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.deface.face import Head, Unsure, face_of
from radrelay.dicom.deface.morphology import Mask
from radrelay.dicom.deface.painting import native_frames
from radrelay.dicom.elements import Buffer, DataElements
from radrelay.dicom.planes import normal

CELL_MM = 3.0
LEAST_SLICES, MOST_APART_MM = 12, 6.5
MOST_CELLS = 24 << 20
"""Of a series, twice four bytes each: 400 slices of half a metre at 2 mm; a head has a tenth of that."""
NEAREST_MM, FARTHEST_MM = 0.01, 1e5
STRAIGHT, STEADY_MM = 0.85, 0.6
MODALITIES = frozenset(("CT", "MR"))


class NoStack(StrEnum):
    """Why slices are no volume that could be defaced."""

    KIND = "kind"
    SLICES = "slices"
    TILTED = "tilted"
    OBLIQUE = "oblique"
    COARSE = "coarse"
    LARGE = "large"


@dataclass(frozen=True)
class Slice:
    """One slice, reduced: means and greatest values of blocks of `factor` pixels to each side."""

    modality: str
    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    factor: int
    shape: tuple[int, int]
    mean: NDArray[np.float32]
    most: NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """What goes of one slice: blocks of `factor` pixels to each side."""

    blocks: Mask
    factor: int

    def of(self, rows: int, columns: int) -> Mask:
        """Return it in the slice's own pixels."""
        whole = np.repeat(np.repeat(self.blocks, self.factor, 0), self.factor, 1)
        padded = np.pad(whole, ((0, max(0, rows - whole.shape[0])), (0, max(0, columns - whole.shape[1]))), "edge")
        return padded[:rows, :columns]


def read_slice(data_set: Buffer, ts: str) -> Slice | None:
    """Return a slice reduced, None for what is none of a CT or MR stack, or has values that are no finite numbers.

    Raises
    ------
    Malformed, Invalid
        The pixels cannot be read.
    """
    frames, descriptor, elements = native_frames(data_set, ts)
    found = _geometry(elements)
    if found is None or descriptor.samples != 1 or descriptor.frames != 1 or descriptor.photometric != "MONOCHROME2":
        return None
    position, orientation, spacing = found
    slope, intercept = ((elements.numbers(tag) or [default])[0] for tag, default in ((0x00281053, 1), (0x00281052, 0)))
    factor = max(1, round(CELL_MM / max(spacing)))
    rows, columns = (size // factor * factor for size in descriptor.shape[:2])
    if not rows or not columns:
        return None
    values = frames[0, :rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    with np.errstate(all="ignore"):  # looked at afterwards
        mean = values.mean(axis=(1, 3), dtype=np.float32) * np.float32(slope) + np.float32(intercept)
        most = values.max(axis=(1, 3)).astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if not (np.isfinite(mean).all() and np.isfinite(most).all()):
        return None
    modality = (elements.texts(0x00080060) or [""])[0].upper()
    size = (descriptor.rows, descriptor.columns)
    return Slice(modality, position, orientation, spacing, factor, size, mean, most)


def _geometry(
    elements: DataElements,
) -> tuple[tuple[float, float, float], tuple[float, ...], tuple[float, float]] | None:
    """Return position, orientation and spacing of a slice of a kind that is defaced here."""
    if (elements.texts(0x00080060) or [""])[0].upper() not in MODALITIES:
        return None
    image_type = [value.upper() for value in elements.texts(0x00080008)]
    if "LOCALIZER" in image_type or any(abs(angle) > 0.5 for angle in elements.numbers(0x00181120)[:1]):
        return None
    position, orientation, spacing = (elements.numbers(tag) for tag in (0x00200032, 0x00200037, 0x00280030))
    if len(position) != 3 or len(orientation) != 6 or len(spacing) != 2:
        return None
    if not all(isfinite(value) and abs(value) < FARTHEST_MM for value in (*position, *orientation, *spacing)):
        return None
    if min(spacing) < NEAREST_MM:
        return None
    return (position[0], position[1], position[2]), tuple(orientation), (spacing[0], spacing[1])


def cuts_of(slices: Mapping[str, Slice | None]) -> dict[str, Cut] | NoStack | Unsure:
    """Return what goes of each slice of a series by its name, or why that cannot be said."""
    whole = [one for one in slices.values() if one is not None]
    if not whole or len(whole) < len(slices) or not all(_alike(one, whole[0]) for one in whole):
        return NoStack.KIND
    if sum(one.mean.size for one in whole) > MOST_CELLS:
        return NoStack.LARGE
    first = whole[0]
    places, turned = _places(whole), _turning(first.orientation)
    if isinstance(places, NoStack) or turned is None:
        return places if isinstance(places, NoStack) else NoStack.OBLIQUE
    order, apart = places
    shape = (len(order), *first.mean.shape)
    mean, most = np.zeros(shape, np.float32), np.full(shape, -np.inf, np.float32)
    for index, group in enumerate(order):
        for number in group:
            mean[index] += whole[number].mean / len(group)
            most[index] = np.maximum(most[index], whole[number].most)
    axes, flips = turned
    sizes = (apart, first.spacing[0] * first.factor, first.spacing[1] * first.factor)
    spacing = (sizes[axes[0]], sizes[axes[1]], sizes[axes[2]])
    head = Head(first.modality, _turned(mean, axes, flips), _turned(most, axes, flips), spacing)
    gone = face_of(head)
    if isinstance(gone, Unsure):
        return gone
    back = np.transpose(np.flip(gone, flips), np.argsort(axes))
    names = [name for name, one in slices.items() if one is not None]
    return {
        names[number]: Cut(np.ascontiguousarray(back[index]), first.factor)
        for index, group in enumerate(order)
        for number in group
    }


def _alike(one: Slice, first: Slice) -> bool:
    same = (one.modality, one.shape, one.spacing) == (first.modality, first.shape, first.spacing)
    return same and bool(np.allclose(one.orientation, first.orientation, atol=1e-3))


def _places(whole: Sequence[Slice]) -> tuple[list[list[int]], float] | NoStack:
    """Return the slices by their place along the stack, those at one place together, and how far places are apart."""
    positions = np.array([one.position for one in whole])
    across = np.array(normal(whole[0].orientation))
    along = (positions - positions[0]) @ across
    aside = positions - positions[0] - along[:, None] * across
    if float(np.abs(aside).max()) > STEADY_MM:
        return NoStack.TILTED
    order: list[list[int]] = []
    at: list[float] = []
    for number in np.argsort(along, kind="stable"):
        if at and along[number] - at[-1] < 0.05:
            order[-1].append(int(number))
        else:
            order.append([int(number)])
            at.append(float(along[number]))
    steps = np.diff(at)
    if len(order) < LEAST_SLICES or len({len(group) for group in order}) > 1:
        return NoStack.SLICES
    if float(np.ptp(steps)) > STEADY_MM / 2:
        return NoStack.SLICES
    apart = float(steps.mean())
    return NoStack.COARSE if apart > MOST_APART_MM else (order, apart)


def _turning(orientation: Sequence[float]) -> tuple[tuple[int, int, int], tuple[int, ...]] | None:
    """Return how axes (slice, row, column) become up, back, left: their order, and which are turned round."""
    directions = np.array([normal(orientation), orientation[3:6], orientation[0:3]])  # slice, down the rows, along them
    wanted = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])  # up, back, left
    axes, flips = [], []
    for number, one in enumerate(wanted):
        told = directions @ one
        axis = int(np.argmax(np.abs(told)))
        if abs(told[axis]) < STRAIGHT:
            return None
        axes.append(axis)
        if told[axis] < 0:
            flips.append(number)
    return ((axes[0], axes[1], axes[2]), tuple(flips)) if len(set(axes)) == 3 else None


def _turned(values: NDArray[np.float32], axes: tuple[int, int, int], flips: tuple[int, ...]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.flip(np.transpose(values, axes), flips))
