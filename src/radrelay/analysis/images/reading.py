"""A folder of DICOM files becomes a study that can be analysed: pixels in HU or signal, in order, with their times.

Pixels are read once, straight into the array that is worked on; a frame that cannot be read is one that was lost, and
is said to be. Values are those of the modality (PS3.3 C.11.1): slope and intercept of each frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from radrelay.analysis.images.diffusing import diffusion_of
from radrelay.analysis.images.errors import CopiesDiffer, MosaicNotRead, NothingToAnalyse, RescaleWrong, SeriesUnknown
from radrelay.analysis.images.frames import MOSAIC, Frame, Left, open_file, read_frames
from radrelay.analysis.images.recognising import Recognised, Rules, read_rules, recognise
from radrelay.analysis.images.stacking import Stack, stack
from radrelay.analysis.perfusion.refusals import FramesLost, SlicesMissing, Warned
from radrelay.analysis.perfusion.times import LOST_SHARE
from radrelay.analysis.study import ImageReference, Images, PerfusionStudy, Slab
from radrelay.dicom.decode import decode_stored
from radrelay.dicom.encapsulated import frame_ranges, locate, reader_of
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.pixels import BrokenPixels, NotViewable, PixelsTooLarge, describe
from radrelay.dicom.writing import derived_uid

WORKERS = 4
AIR_HU = -500.0  # a scan of a head has air around it
MOST_HU = 32_000.0
JITTER_WARNED_MM = 0.25
Values = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Read:
    """A study; the files that are no images, and the frames of it that could not be read."""

    study: PerfusionStudy
    recognised: Recognised
    left: tuple[Left, ...] = ()
    lost: tuple[Left, ...] = ()
    warnings: tuple[Warned, ...] = field(default=())

    @property
    def left_out(self) -> int:
        """How many frames of the study could not be read."""
        return len(self.lost)


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, in a fixed order; links are not followed."""
    return sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())


def read_study(paths: Sequence[Path], chosen: Sequence[str] = (), rules: Rules | None = None) -> Read:
    """Read a study; raises the refusals of `errors` and of `perfusion.refusals`."""
    frames, left = read_frames(paths)
    found = _recognised(frames, left, rules or read_rules(), chosen)
    found = replace(found, perfusion=tuple(_once(found.perfusion)))
    order = stack(found.perfusion)
    images, lost = read_stack(order)
    images = _readable(order, images)
    images = replace(images, slab=_placed(images.slab, found.perfusion[0].series.uid))
    if found.modality == "CT":
        _check_hounsfield(found.perfusion, images)
    first = found.perfusion[0]
    header = pydicom.dcmread(first.path, stop_before_pixels=True, force=True)
    te_ms = first.echo_time_ms
    study = PerfusionStudy(
        found.modality,
        header,
        images,
        te_s=te_ms / 1000 if te_ms and found.modality == "MR" else None,
        series=found.told(),
    )
    if found.modality == "MR":
        diffusion, weighted = diffusion_of(found.diffusion, found.adc, lambda some: _simple(some, lost))
        study = replace(study, diffusion=diffusion, diffusion_weighted=weighted)
    return Read(study, found, tuple(left), tuple(lost), warned_of(order, found.perfusion))


def _placed(slab: Slab, series_uid: str) -> Slab:
    """Return a slab in a frame of reference: one of its own where the images say none, which no others lie in."""
    if slab.frame_of_reference_uid:
        return slab
    return replace(slab, frame_of_reference_uid=derived_uid("perfusion place", series_uid))


def warned_of(order: Stack, frames: Sequence[Frame]) -> tuple[Warned, ...]:
    """Return what a reader is to know of how images lie, and of those that are not there."""
    warnings = []
    if order.tilt_deg:
        warnings.append(Warned("gantry-tilt", {"degrees": round(order.tilt_deg, 1)}))
    if order.jitter_mm > JITTER_WARNED_MM:
        warnings.append(Warned("slices-unsteady", {"most_mm": round(order.jitter_mm, 2)}))
    if not order.slab.frame_of_reference_uid:
        warnings.append(Warned("no-frame-of-reference"))
    if missing := max(order.missing, _untold(order, frames)):
        warnings.append(Warned("images-missing", {"images": missing}))
    return tuple(warnings)


def _untold(order: Stack, frames: Sequence[Frame]) -> int:
    """Return how many images lack of those that the headers tell of."""
    by_series: dict[str, list[Frame]] = defaultdict(list)
    for one in frames:
        by_series[one.series.uid].append(one)
    points = max(one.told_points for one in frames) * order.slab.slices - len(frames)
    return max(points, sum(max(0, max(one.told_images for one in own) - len(own)) for own in by_series.values()))


def _readable(order: Stack, images: Images) -> Images:
    """Return images without the time points that nothing could be read of.

    Raises FramesLost where more than a tenth of the images of a slice are damaged, wherever in time.
    """
    assert images.times is not None  # noqa: S101 -- a stack over time has times
    count = np.maximum(np.isfinite(order.times).sum(axis=0), 1)
    lost = float((1 - np.isfinite(images.times).sum(axis=0) / count).max())
    if lost > LOST_SHARE:
        raise FramesLost(lost_percent=round(100 * lost))
    held = np.isfinite(images.times).any(axis=1)
    if held.all():
        return images
    other = None if images.other_times is None else images.other_times[held]
    return replace(images, values=images.values[held], times=images.times[held], other_times=other)


def _recognised(frames: Sequence[Frame], left: Sequence[Left], rules: Rules, chosen: Sequence[str]) -> Recognised:
    try:
        if not frames:
            raise NothingToAnalyse(files=len(left))
        return recognise(frames, rules, chosen)
    except (NothingToAnalyse, SeriesUnknown) as error:
        mosaics = sum(one.reason == MOSAIC for one in left)
        if mosaics:
            raise MosaicNotRead(files=mosaics) from error
        raise


def _once(frames: Sequence[Frame]) -> list[Frame]:
    """Return each image once; of copies one that can be read; raises CopiesDiffer where they are not the same."""
    copies: dict[tuple[str, int], list[Frame]] = defaultdict(list)
    for one in frames:
        copies[one.sop_uid, one.index].append(one)
    return [own[0] if len(own) == 1 else _same(own) for own in copies.values()]


def _same(copies: Sequence[Frame]) -> Frame:
    readable: list[tuple[Frame, Values]] = []
    for one in copies:
        values: Values = np.zeros((1, 1, one.rows, one.columns), dtype=np.float32)
        if not _read(one.path, [(one, (0, 0))], values):
            readable.append((one, values))
    for one, values in readable[1:]:
        first, others = readable[0]
        if (one.plane, one.times) != (first.plane, first.times) or not np.array_equal(values, others):
            raise CopiesDiffer(files=f"{first.path.name}, {one.path.name}")
    return readable[0][0] if readable else copies[0]


def _simple(frames: Sequence[Frame], left: list[Left]) -> Images:
    """Return images that must all be there: one without signal would be tissue that diffuses, and no core.

    Adds to `left` what could not be read; raises SlicesMissing where any lacks.
    """
    order = stack(frames)
    images, lost = read_stack(order)
    left += lost
    if lacking := len(lost) + sum(own is None for row in order.frames for own in row):
        raise SlicesMissing(images=lacking)
    return images


def read_stack(order: Stack) -> tuple[Images, list[Left]]:
    """Read the pixels of a stack: (frames, slices, rows, columns), and what could not be read."""
    rows, slices = len(order.frames), len(order.frames[0])
    places = [
        (frame, (row, number))
        for row, own in enumerate(order.frames) for number, frame in enumerate(own) if frame is not None
    ]  # fmt: skip
    values = np.zeros((rows, slices, order.slab.rows, order.slab.columns), dtype=_kind([one for one, _ in places]))
    by_file: dict[Path, list[tuple[Frame, tuple[int, int]]]] = defaultdict(list)
    for frame, place in places:
        by_file[frame.path].append((frame, place))
    with ThreadPoolExecutor(WORKERS) as threads:
        lost = [one for some in threads.map(lambda path: _read(path, by_file[path], values), by_file) for one in some]
    times = order.times.copy()
    for _, place in lost:
        times[place] = np.nan
    other = None if order.other_times is None else np.where(np.isnan(times), np.nan, order.other_times)
    references = tuple(
        tuple(_reference(own) for own in column if own is not None) for column in zip(*order.frames, strict=True)
    )
    return Images(values, order.slab, references, times, other), [one for one, _ in lost]


def _kind(frames: Sequence[Frame]) -> type[np.generic]:
    """Return the type that holds all values: whole ones where every slope is 1 and every intercept whole."""
    whole = all(one.slope == 1 and float(one.intercept).is_integer() and abs(one.intercept) < MOST_HU for one in frames)
    return np.int16 if whole and frames[0].series.modality == "CT" else np.float32


def _read(
    path: Path, wanted: Sequence[tuple[Frame, tuple[int, int]]], values: Values
) -> list[tuple[Left, tuple[int, int]]]:
    """Read the frames of one file into their places; returns those that could not be read."""
    try:
        _, data, syntax = open_file(path)
        header = parse(data, syntax)
        read = reader_of(data)
        location = locate(header, read)
        descriptor = describe(header, syntax, location.vr)
        ranges = frame_ranges(descriptor, location, read, len(data))
    except (Malformed, NotViewable, BrokenPixels, PixelsTooLarge, OSError) as error:
        return [(Left(path, str(error)), place) for _, place in wanted]
    lost = []
    for frame, place in wanted:
        try:
            one = ranges[frame.index]
            if one.missing:
                raise BrokenPixels(f"The frame lacks {one.missing} bytes.")
            samples = decode_stored(descriptor, one.read(read), one.bit_offset).samples
            _put(samples, frame, values[place])
        except (BrokenPixels, NotViewable, IndexError, ValueError) as error:
            lost.append((Left(path, str(error)), place))
    return lost


def _put(samples: NDArray[np.generic], frame: Frame, target: Values) -> None:
    if values_fit(target.dtype):
        np.clip(samples.astype(np.int32) + int(frame.intercept), -32_768, 32_767, out=target, casting="unsafe")
        return
    np.multiply(samples, np.float32(frame.slope), out=target, casting="unsafe")
    target += np.float32(frame.intercept)  # type: ignore[misc]


def values_fit(kind: np.dtype[np.generic]) -> bool:
    """Say whether an array holds whole values."""
    return kind.kind == "i"


def _reference(frame: Frame) -> ImageReference:
    own = frame.index + 1 if frame.frames > 1 else None
    return ImageReference(frame.sop_class_uid, frame.sop_uid, frame.series.uid, own)


def _check_hounsfield(frames: Sequence[Frame], images: Images) -> None:
    """Refuse CT whose values are no HU: nothing said, scaled otherwise from image to image, or without any air."""
    if not all(one.rescaled for one in frames) or len({one.slope for one in frames}) > 1:
        slopes = sorted({one.slope for one in frames})
        raise RescaleWrong(slopes=", ".join(f"{one:g}" for one in slopes[:4]))
    assert images.times is not None  # noqa: S101 -- a stack over time has times
    darkest = np.where(np.isfinite(images.times), images.values.min(axis=(2, 3)), np.nan)
    least, apart = float(np.nanmin(darkest)), float((np.nanmax(darkest, axis=0) - np.nanmin(darkest, axis=0)).max())
    if least > AIR_HU:
        raise RescaleWrong(least_hu=round(least))
    if apart > -AIR_HU:  # an intercept that is another one in some of the images
        raise RescaleWrong(apart_hu=round(apart))
