"""What viewers look at: decoded frames with what they need to be shown, pictures, thumbnails.

In: an instance and a frame number from 1. Out: samples in little endian order with a `FrameInfo`, or an encoded
picture. Colour comes as 8-bit RGB whatever it is stored as; grey values stay those that were received.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader, StoredFrame
from radrelay.archive.recent import Recent
from radrelay.dicom import render as pictures
from radrelay.dicom.decode import decode_frame
from radrelay.dicom.errors import Malformed
from radrelay.dicom.greyscale import Presentation, Window, macro, presentation
from radrelay.dicom.header import Header
from radrelay.dicom.pixels import BrokenPixels, DecodersBusy, FrameDescriptor, NotViewable, Pixels
from radrelay.dicom.viewability import describe_viewability
from radrelay.errors import Invalid

HEADERS_KEPT_BYTES = 48 << 20
THUMBNAILS_KEPT_BYTES = 16 << 20
PARSED_BYTES = 8 << 10  # what a parsed header takes beside its bytes, at least
MOST_COSINE = 1.01  # a direction's parts, with what rounding adds
_PIXEL_MEASURES, _PLANE_ORIENTATION, _ANATOMICAL_TYPE = 0x00289110, 0x00209116, 0x00102210


class RegionOutside(Invalid):
    """The region does not lie within the picture."""

    code = "region-outside"


class VoiTable(msgspec.Struct, frozen=True):
    """A VOI LUT for a viewer: entries as base64 of little endian 16-bit words, from the value `first` on."""

    first: int
    bits: int
    data: bytes


class FrameInfo(msgspec.Struct, frozen=True, rename={"is_float": "float"}):
    """How samples are to be shown. Windows are in units of the rescaled values, spacing in mm (rows, columns)."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    is_float: bool
    photometric: str
    slope: float
    intercept: float
    window_center: float | None
    window_width: float | None
    window_function: str
    invert: bool
    voi_lut: VoiTable | None
    padding_value: int | None
    padding: tuple[int, int] | None
    pixel_spacing: tuple[float, float] | None
    pixel_aspect_ratio: tuple[float, float]
    frames: int
    """How many can be read; `frames_named` is what the header says."""
    frames_named: int
    cut: bool
    """The end of this frame never came."""
    missing: float
    """Share (0 to 1) that stands as zeros for it; 0 where that is not known, as of a code stream."""
    imager_spacing: tuple[float, float] | None
    """Spacing at the detector: lengths in the patient are smaller by the unknown magnification (PS3.3 C.8.11.3)."""
    orientation: tuple[float, ...]
    """Image Orientation (Patient): directions along a row and down a column; empty if there is none."""
    patient_orientation: tuple[str, ...]
    """Patient Orientation: where a row and a column lead, in letters (PS3.3 C.7.6.1.1.1)."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame, in its own pixels: left, top, width, height; a negative width or height mirrors it."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, samples: Pixels) -> Pixels:
        """Return this part of `samples`, shape (rows, columns[, samples]); raises `RegionOutside`."""
        rows, columns = samples.shape[:2]
        width, height = abs(self.width) or columns - self.left, abs(self.height) or rows - self.top
        part = samples[self.top : self.top + height, self.left : self.left + width]
        if min(self.left, self.top) < 0 or not part.size:
            raise RegionOutside
        part = part[:, ::-1] if self.width < 0 else part
        return np.ascontiguousarray(part[::-1] if self.height < 0 else part)


@dataclass(frozen=True, slots=True)
class FramePixels:
    """Samples in little endian order, row by row, planes interleaved."""

    data: bytes
    info: FrameInfo


class Renditions:
    """Makes what viewers ask for. Thread-safe; keeps parsed headers and thumbnails of what was looked at last."""

    def __init__(self, reader: InstanceReader) -> None:
        self._reader = reader
        self._headers: Recent[uuid.UUID, Header] = Recent(
            HEADERS_KEPT_BYTES, lambda header: 2 * len(header.data) + PARSED_BYTES
        )
        self._thumbnails: Recent[tuple[uuid.UUID, int], bytes] = Recent(THUMBNAILS_KEPT_BYTES, len)

    def header(self, ref: InstanceRef) -> Header:
        """Return an instance's attributes; raises `Malformed` when they cannot be read."""
        found = self._headers.get(ref.id)
        if found is None:
            found = self._reader.header(ref)
            self._headers.put(ref.id, found)
        return found

    def why_not(self, ref: InstanceRef) -> str | None:
        """Say why an instance has no picture, in words for its reader; none if it has one."""
        try:
            return describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, self.header(ref))
        except Malformed as error:
            return f"Its header cannot be read: {error.message}"

    def pixels(self, ref: InstanceRef, number: int) -> FramePixels:
        """Return frame `number`; raises `FrameNotThere`, `NotViewable` or `BrokenPixels`."""
        header = self.header(ref)
        why = describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, header)
        if why is not None:
            raise NotViewable(why)
        frame = self._reader.frame(ref, number)
        samples = _decoded(ref, frame, number)
        made = _pixels(header, frame.descriptor, samples, number - 1)
        count = self._reader.frame_count(ref)
        info = msgspec.structs.replace(made.info, frames=count, cut=frame.cut, missing=frame.missing)
        return replace(made, info=info)

    def picture(
        self,
        ref: InstanceRef,
        number: int,
        *,
        window: Window | None = None,
        region: Region | None = None,
        size: tuple[int, int] | None = None,
        form: pictures.Format = "jpeg",
        quality: int = 90,
    ) -> bytes:
        """Return frame `number`, or a region of it, as an encoded picture at most `size` (width, height) large."""
        header = self.header(ref)
        frame = self._checked_frame(ref, header, number)
        samples = _decoded(ref, frame, number)
        descriptor = frame.descriptor
        if region is not None:
            # why: the brightness is that of the whole frame, so it is settled before a part is cut out
            shown = pictures.display_samples(header, descriptor, samples, frame=number - 1, window=window)
            shown = pictures.mark_missing(shown, frame.missing) if frame.cut else shown
            samples = region.cut(shown if shown.ndim == 3 else np.repeat(shown[..., np.newaxis], 3, axis=2))
            descriptor = replace(descriptor, rows=samples.shape[0], columns=samples.shape[1])
        return pictures.render(
            header,
            samples,
            descriptor=descriptor,
            frame=number - 1,
            window=window,
            size=size,
            picture=form,
            quality=quality,
            missing=frame.missing if frame.cut and region is None else None,
        )

    def thumbnail(self, ref: InstanceRef, number: int = 0) -> bytes:
        """Return a small JPEG of a frame, of the middle one of those that can be read if none is named."""
        number = number or (self._middle(ref) if ref.frames > 1 else 1)
        made = self._thumbnails.get((ref.id, number))
        if made is None:
            header = self.header(ref)
            frame = self._checked_frame(ref, header, number)
            with told(ref, number):
                made = pictures.thumbnail(
                    header,
                    frame.descriptor,
                    frame.data,
                    bit_offset=frame.bit_offset,
                    frame=number - 1,
                    own=frame.own,
                    missing=frame.missing if frame.cut else None,
                )
            self._thumbnails.put((ref.id, number), made)
        return made

    def _middle(self, ref: InstanceRef) -> int:
        self._checked(ref, self.header(ref))
        return (self._reader.frame_count(ref) + 1) // 2

    def _checked(self, ref: InstanceRef, header: Header) -> None:
        why = describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, header)
        if why is not None:
            raise NotViewable(why)

    def _checked_frame(self, ref: InstanceRef, header: Header, number: int) -> StoredFrame:
        self._checked(ref, header)
        return self._reader.frame(ref, number)


def _decoded(ref: InstanceRef, frame: StoredFrame, number: int) -> Pixels:
    with told(ref, number):
        return decode_frame(frame.descriptor, frame.data, frame.bit_offset, own=frame.own)


@contextmanager
def told(ref: InstanceRef, number: int) -> Iterator[None]:
    """Let an error of decoding say which frame it was."""
    try:
        yield
    except (BrokenPixels, DecodersBusy) as error:
        error.facts |= {"instance_id": str(ref.id), "frame": number}
        raise


def _pixels(header: Header, descriptor: FrameDescriptor, samples: Pixels, frame: int) -> FramePixels:
    shown = presentation(header, descriptor, frame)
    if samples.ndim == 3 or descriptor.photometric == "PALETTE COLOR":
        samples = pictures.display_samples(header, descriptor, samples, frame=frame)
        return FramePixels(samples.tobytes(), _info(header, descriptor, samples, Presentation(), None, frame))
    window = shown.window or _window_of_table(shown)
    if shown.modality_table is not None:
        samples = shown.modality(samples).astype(np.int32)
        shown = Presentation(window=window, voi_table=shown.voi_table, inverse=shown.inverse)
    if samples.dtype.itemsize == 8:  # viewers know no whole numbers of 64 bits
        samples = samples.astype(np.float64, copy=False)
    little = np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder("<"), copy=False)
    return FramePixels(little.tobytes(), _info(header, descriptor, samples, shown, window, frame))


def _window_of_table(shown: Presentation) -> Window | None:
    """Return the range of values that a VOI LUT spreads, as a window to begin with."""
    if shown.voi_table is None:
        return None
    entries = len(shown.voi_table.entries)
    return Window(shown.voi_table.first + entries / 2, float(max(entries, 1)))


def _table(shown: Presentation) -> VoiTable | None:
    table = shown.voi_table
    return VoiTable(table.first, table.bits, table.entries.astype("<u2").tobytes()) if table is not None else None


def _info(
    header: Header, descriptor: FrameDescriptor, samples: Pixels, shown: Presentation, window: Window | None, frame: int
) -> FrameInfo:
    colour = samples.ndim == 3
    return FrameInfo(
        rows=int(samples.shape[0]),
        columns=int(samples.shape[1]),
        samples=3 if colour else 1,
        bits_allocated=samples.dtype.itemsize * 8,
        bits_stored=8 if colour else min(descriptor.bits_stored, samples.dtype.itemsize * 8),
        signed=samples.dtype.kind == "i",
        is_float=samples.dtype.kind == "f",
        photometric="RGB" if colour else "MONOCHROME1" if shown.inverse else "MONOCHROME2",
        slope=shown.slope,
        intercept=shown.intercept,
        window_center=window.center if window else None,
        window_width=window.width if window else None,
        window_function=window.function if window else "LINEAR",
        invert=shown.inverse and not colour,
        voi_lut=_table(shown),
        padding_value=shown.padding[0] if shown.padding else None,
        padding=shown.padding,
        pixel_spacing=_spacing(header, frame, 0x00280030),
        pixel_aspect_ratio=(pictures.pixel_aspect(header, frame), 1.0),
        frames=descriptor.frames,
        frames_named=descriptor.frames,
        cut=False,
        missing=0.0,
        imager_spacing=_spacing(header, frame, 0x00181164),
        orientation=_orientation(header, frame),
        patient_orientation=tuple(text.strip()[:8] for text in header.texts(0x00200020)[:2]),
    )


def _orientation(header: Header, frame: int) -> tuple[float, ...]:
    """Return the plane's directions of a frame; none for animals, whose axes have other names (PS3.3 C.7.6.2.1.1)."""
    if (header.texts(_ANATOMICAL_TYPE) or [""])[0].strip().upper() == "QUADRUPED":
        return ()
    found = (source.numbers(0x00200037) for source in macro(header, frame, _PLANE_ORIENTATION))
    cosines = next((tuple(one) for one in found if len(one) == 6), ())
    return cosines if all(abs(one) <= MOST_COSINE for one in cosines) else ()


def _spacing(header: Header, frame: int, tag: int) -> tuple[float, float] | None:
    for source in macro(header, frame, _PIXEL_MEASURES):
        spacing = source.numbers(tag)
        if len(spacing) >= 2 and spacing[0] > 0 and spacing[1] > 0:
            return spacing[0], spacing[1]
    return None
