"""Pictures of frames: JPEG, PNG or GIF for lists, reports and rendered DICOMweb (PS3.18 8.7.4).

In: a header, one decoded frame or its bytes. Out: encoded 8-bit pictures with the window, the inversion, the palette
and the shape of the pixels applied. Thumbnails of HTJ2K frames decode only the resolution that they need.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import imagecodecs
import numpy as np
from PIL import Image

from radrelay.dicom.decode import decode_frame, decode_small
from radrelay.dicom.elements import Attributes, Buffer
from radrelay.dicom.greyscale import Window, macro, presentation, to_grey
from radrelay.dicom.lookup import palette
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, NotViewable, Pixels, describe
from radrelay.dicom.starting import starting_window

Format = Literal["jpeg", "png", "gif"]

MAX_EDGE = 16384
THUMBNAIL_EDGE = 256
_PIXEL_MEASURES = 0x00289110
_HATCH = np.array((0xA8, 0x6F, 0x2F), np.uint8)  # the viewer's amber
_HATCHES = 10  # lines along the longer side: they are still seen in a picture of 56 pixels
_STRIP = 0.12


def render(
    attributes: Attributes,
    samples: Pixels,
    *,
    descriptor: FrameDescriptor | None = None,
    frame: int = 0,
    window: Window | None = None,
    size: tuple[int, int] | None = None,
    picture: Format = "jpeg",
    quality: int = 90,
    missing: float | None = None,
) -> bytes:
    """Return one frame as an encoded picture.

    Parameters
    ----------
    attributes
        The header.
    samples
        The frame as `decode_frame` gives it.
    descriptor
        The frame's descriptor; read from the header when not given.
    frame
        The frame's number from 0, for functional groups.
    window
        Wins over the header's window and VOI LUT.
    size
        Largest (width, height); the picture is scaled to fit, its shape kept.
    picture, quality
        Format, and for JPEG the quality from 1 to 100.
    missing
        Given when the frame's end never came, see `mark_missing`.
    """
    descriptor = descriptor or describe(attributes, "")
    shown = display_samples(attributes, descriptor, samples, frame=frame, window=window)
    if missing is not None:
        shown = mark_missing(shown, missing)
    target = _target_size(shown.shape[:2], pixel_aspect(attributes, frame), size)
    if target != (shown.shape[1], shown.shape[0]):
        image = Image.fromarray(shown).resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
        shown = np.asarray(image)
    return _encode(shown, picture, quality)


def display_samples(
    attributes: Attributes,
    descriptor: FrameDescriptor,
    samples: Pixels,
    *,
    frame: int = 0,
    window: Window | None = None,
) -> Pixels:
    """Return 8-bit grey, shape (rows, columns), or RGB, shape (rows, columns, 3), of one decoded frame."""
    if samples.ndim == 3:
        return _eight_bits(samples[..., :3], descriptor.bits_stored)
    if descriptor.photometric == "PALETTE COLOR":
        return palette(attributes, signed=descriptor.signed).rgb8(samples)
    return to_grey(samples, descriptor, presentation(attributes, descriptor, frame), window)


def thumbnail(
    attributes: Attributes,
    descriptor: FrameDescriptor,
    data: Buffer,
    *,
    bit_offset: int = 0,
    frame: int = 0,
    edge: int = THUMBNAIL_EDGE,
    own: bool = False,
    missing: float | None = None,
    window: Window | None = None,
) -> bytes:
    """Return a JPEG of at most `edge` pixels on its longer side, from one frame's bytes as stored (`own`: by us).

    It is seen with `window`, else with the one that a viewer starts with.

    `missing` is given when the frame's end never came, see `mark_missing`.
    """
    # why: reduced resolutions of palette indices are averages of indices, which are other colours
    indices = descriptor.photometric == "PALETTE COLOR"
    samples = None if indices else decode_small(descriptor, data, edge, own=own)
    if samples is None:
        samples = decode_frame(descriptor, data, bit_offset, own=own)
    small = replace(descriptor, rows=samples.shape[0], columns=samples.shape[1])
    if window is None and samples.ndim == 2 and not indices:
        shown = presentation(attributes, small, frame)
        window = starting_window(attributes, small, shown, samples, frame)
    return render(
        attributes,
        samples,
        descriptor=small,
        frame=frame,
        window=window,
        size=(edge, edge),
        quality=80,
        missing=missing,
    )


def mark_missing(shown: Pixels, missing: float) -> Pixels:
    """Return a picture as RGB with what never came of it hatched, so that it cannot pass for a part of the patient.

    `missing` is the share (0 to 1) of the frame's bytes. Where it is not known (0: a code stream that was cut), or
    where the end of the bytes is not the end of the picture (colour, which may lie plane by plane), a strip along the
    lower edge stands for it.
    """
    rows, columns = shown.shape[:2]
    marked = np.repeat(shown[..., np.newaxis], 3, axis=2) if shown.ndim == 2 else shown.copy()
    known = missing if shown.ndim == 2 else 0.0
    first = int(rows * columns * (1 - known)) if known > 0 else (rows - max(1, round(rows * _STRIP))) * columns
    top = first // columns
    period = max(4, max(rows, columns) // _HATCHES)
    along = np.arange(columns)[np.newaxis, :] + np.arange(top, rows)[:, np.newaxis]
    inside = np.ones(along.shape, bool)
    inside[0, : first - top * columns] = False
    marked[top:][inside] = np.where((along % period < max(1, period // 5))[..., np.newaxis], _HATCH, 0)[inside]
    return marked


def pixel_aspect(attributes: Attributes, frame: int = 0) -> float:
    """Return the height of a pixel as a multiple of its width; 1 when nothing is said.

    Lengths come first: they are what is measured by, and a ratio belongs only where there are none (C.7.6.3.1.7).
    """
    for source in macro(attributes, frame, _PIXEL_MEASURES):
        for tag in (0x00280030, 0x00181164, 0x00182010):
            spacing = source.numbers(tag)
            if len(spacing) >= 2 and spacing[0] > 0 and spacing[1] > 0:
                return _bounded(spacing[0] / spacing[1])
    ratio = attributes.integers(0x00280034)
    return _bounded(ratio[0] / ratio[1]) if len(ratio) >= 2 and ratio[0] > 0 and ratio[1] > 0 else 1.0


def _bounded(aspect: float) -> float:
    return aspect if 0.05 <= aspect <= 20 else 1.0


def _target_size(shape: tuple[int, ...], aspect: float, size: tuple[int, int] | None) -> tuple[int, int]:
    rows, columns = shape
    width, height = float(columns), float(rows)
    if abs(aspect - 1) > 0.005:
        width, height = (width, height * aspect) if aspect > 1 else (width / aspect, height)
    if size is not None:
        if min(size) < 1 or max(size) > MAX_EDGE:
            raise BrokenPixels(f"A picture is 1 to {MAX_EDGE} pixels wide and high.")
        scale = min(size[0] / width, size[1] / height)
        width, height = width * scale, height * scale
    if max(width, height) > MAX_EDGE:
        scale = MAX_EDGE / max(width, height)
        width, height = width * scale, height * scale
    return max(1, round(width)), max(1, round(height))


def _eight_bits(samples: Pixels, bits_stored: int) -> Pixels:
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples)
    if bits_stored > 8:
        return np.ascontiguousarray((samples >> (bits_stored - 8)).astype(np.uint8))
    return np.ascontiguousarray(samples.astype(np.uint8))


def _encode(shown: Pixels, picture: Format, quality: int) -> bytes:
    if picture == "png":
        return bytes(imagecodecs.png_encode(shown, level=6))
    if picture == "jpeg":
        return bytes(imagecodecs.jpeg8_encode(shown, level=min(max(quality, 1), 100)))
    if picture == "gif":
        out = io.BytesIO()
        Image.fromarray(shown).save(out, "GIF")
        return out.getvalue()
    raise NotViewable(f"Pictures are JPEG, PNG or GIF, not {picture}.")
