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

from radrelay.archive.frame_facts import FrameInfo, describe_grey, describe_shown
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import FrameNotThere, InstanceReader, StoredFrame
from radrelay.archive.recent import Recent
from radrelay.dicom import render as pictures
from radrelay.dicom.codestreams import resolution_ends
from radrelay.dicom.decode import decode_frame, decode_small
from radrelay.dicom.errors import Malformed
from radrelay.dicom.greyscale import Presentation, Window, presentation
from radrelay.dicom.header import Header
from radrelay.dicom.htj2k import encode_frame
from radrelay.dicom.lossiness import Loss, loss_of
from radrelay.dicom.pixels import (
    BrokenPixels,
    DecoderKilled,
    DecodersBusy,
    FrameDescriptor,
    NotViewable,
    Pixels,
    PixelsTooLarge,
)
from radrelay.dicom.slides import SLIDE
from radrelay.dicom.starting import fitting_window
from radrelay.dicom.viewability import describe_viewability
from radrelay.dicom.voi import NamedTable
from radrelay.dicom.voi import tables as voi_tables
from radrelay.errors import Invalid

HEADERS_KEPT_BYTES = 48 << 20
THUMBNAILS_KEPT_BYTES = 16 << 20
PARSED_BYTES = 8 << 10  # what a parsed header takes beside its bytes, at least
SPREAD_FRAMES = 32  # that tell how bright a slide is
GLIMPSE_EDGE = 96  # of 16 bits each: some 20 kB, compressed


class RegionOutside(Invalid):
    """The region does not lie within the picture."""

    code = "region-outside"


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
    """Samples in little endian order, row by row, planes interleaved; or their code stream, as `info` says."""

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
        return self._reader.header(ref) if ref.lacks else self._received(ref)

    def _received(self, ref: InstanceRef) -> Header:
        """Return the attributes as they came: what a picture needs of them is never corrected."""
        found = self._headers.get(ref.id)
        if found is None:
            found = self._reader.received_header(ref)
            self._headers.put(ref.id, found)
        return found

    def why_not(self, ref: InstanceRef) -> str | None:
        """Say why an instance has no picture, in words for its reader; none if it has one."""
        try:
            return describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, self._received(ref))
        except Malformed as error:
            return f"Its header cannot be read: {error.message}"

    def voi_tables(self, ref: InstanceRef, number: int) -> tuple[NamedTable, ...]:
        """Return the VOI tables that frame `number` brings; raises `Malformed` when the header cannot be read."""
        return voi_tables(self._received(ref), number - 1)

    def loss(self, ref: InstanceRef) -> Loss | None:
        """Return what was lost of an instance's first frame when it was compressed, as far as anybody can tell."""
        try:
            return _loss(self._received(ref), self._reader.frame(ref, 1))
        except (Malformed, BrokenPixels, NotViewable, PixelsTooLarge, FrameNotThere):
            return None

    def common_window(self, ref: InstanceRef) -> Window | None:
        """Return one window for all frames of a grey instance that brings none, over frames spread over the whole.

        It maps its lowest value to black and its highest to white as a window of LINEAR does (PS3.3 C.11.2.1.2.1).
        """
        frames, shown = [], None
        try:
            header, count = self._received(ref), self._reader.frame_count(ref)
            for number in sorted({round(one) for one in np.linspace(1, count, min(count, SPREAD_FRAMES))}):
                frame = self._reader.frame(ref, number)
                shown = presentation(header, frame.descriptor, number - 1)
                grey = frame.descriptor.samples == 1 and frame.descriptor.photometric != "PALETTE COLOR"
                if not grey or shown.window is not None or shown.voi_table is not None:
                    return None
                frames.append(_decoded(ref, frame, number))
        except DecoderKilled:
            return None  # the next ones may take as long
        except (Malformed, BrokenPixels, NotViewable, PixelsTooLarge, FrameNotThere):
            pass  # those that could be had tell
        window = fitting_window(frames, shown) if shown is not None else None
        return window and Window(window.center + 0.5, window.width + 1)

    def pixels(self, ref: InstanceRef, number: int) -> FramePixels:
        """Return frame `number`; raises `FrameNotThere`, `NotViewable` or `BrokenPixels`."""
        header = self._received(ref)
        why = describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, header)
        if why is not None:
            raise NotViewable(why)
        frame = self._reader.frame(ref, number)
        samples = _decoded(ref, frame, number)
        made = _pixels(header, frame.descriptor, samples, number - 1)
        count = self._reader.frame_count(ref)
        return replace(made, info=_told_of(made.info, header, frame, count))

    def stream(self, ref: InstanceRef, number: int, *, coded: bool) -> FramePixels:
        """Return frame `number` as lossless HTJ2K, resolution by resolution, so that a part of it is a coarse picture.

        What is kept so is handed out undecoded; the rest is encoded if `coded`, where the codec can. Otherwise, and
        where it or the browser's decoder cannot (floats, more than 16 bits, signed bytes), the samples come as `pixels`
        gives them. Raises as `pixels` does.
        """
        header = self._received(ref)
        self._checked(ref, header)
        frame = self._reader.frame(ref, number)
        count = self._reader.frame_count(ref)
        if frame.own and _is_plain(header, frame.descriptor, number - 1):
            shape = np.broadcast_to(np.zeros((), frame.descriptor.dtype), frame.descriptor.shape)
            kept = describe_grey(header, frame.descriptor, shape, number - 1)
            return _coded(frame.data, _told_of(kept, header, frame, count))
        samples, info = _shown(header, frame.descriptor, _decoded(ref, frame, number), number - 1)
        info = _told_of(info, header, frame, count)
        if coded and _is_for_browsers(samples.dtype):
            return _coded(encode_frame(np.ascontiguousarray(samples)), info)
        return FramePixels(_little(samples), info)

    def glimpse(self, ref: InstanceRef, number: int, edge: int = GLIMPSE_EDGE) -> FramePixels:
        """Return frame `number` as a coarse picture, its longer edge between one and two times `edge`; as samples.

        It comes within the first bytes of a slow link, and is drawn before a decoder is there. Raises as `pixels` does.
        """
        header = self._received(ref)
        self._checked(ref, header)
        frame = self._reader.frame(ref, number)
        small = _decoded_small(ref, frame, number, edge)
        samples, info = _shown(header, frame.descriptor, small, number - 1)
        facts = frame.descriptor
        info = msgspec.structs.replace(
            info,
            rows=facts.rows,
            columns=facts.columns,
            coarse=(samples.shape[0], samples.shape[1]),
        )
        return FramePixels(_little(samples), _told_of(info, header, frame, self._reader.frame_count(ref)))

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
        header = self._received(ref)
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
            header = self._received(ref)
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
                    window=self.common_window(ref) if ref.sop_class_uid == SLIDE else None,
                )
            self._thumbnails.put((ref.id, number), made)
        return made

    def _middle(self, ref: InstanceRef) -> int:
        self._checked(ref, self._received(ref))
        return (self._reader.frame_count(ref) + 1) // 2

    def _checked(self, ref: InstanceRef, header: Header) -> None:
        why = describe_viewability(ref.sop_class_uid, ref.transfer_syntax_uid, header)
        if why is not None:
            raise NotViewable(why)

    def _checked_frame(self, ref: InstanceRef, header: Header, number: int) -> StoredFrame:
        self._checked(ref, header)
        return self._reader.frame(ref, number)


def _told_of(info: FrameInfo, header: Header, frame: StoredFrame, count: int) -> FrameInfo:
    """Return what is said of a frame with what its bytes say: whether all of them came, what was lost in them."""
    return msgspec.structs.replace(info, frames=count, cut=frame.cut, missing=frame.missing, loss=_loss(header, frame))


def _loss(header: Header, frame: StoredFrame) -> Loss | None:
    return loss_of(header, frame.descriptor.syntax.codec, frame.data)


def _decoded(ref: InstanceRef, frame: StoredFrame, number: int) -> Pixels:
    with told(ref, number):
        return decode_frame(frame.descriptor, frame.data, frame.bit_offset, own=frame.own)


def _decoded_small(ref: InstanceRef, frame: StoredFrame, number: int, edge: int) -> Pixels:
    descriptor = frame.descriptor
    if descriptor.photometric != "PALETTE COLOR":
        with told(ref, number):
            small = decode_small(descriptor, frame.data, edge, own=frame.own)
        if small is not None:
            return small
    samples = _decoded(ref, frame, number)
    step = max(1, max(samples.shape[:2]) // (2 * edge - 1))
    return np.ascontiguousarray(samples[step // 2 :: step, step // 2 :: step])


@contextmanager
def told(ref: InstanceRef, number: int) -> Iterator[None]:
    """Let an error of decoding say which frame it was."""
    try:
        yield
    except (BrokenPixels, DecodersBusy) as error:
        error.facts |= {"instance_id": str(ref.id), "frame": number}
        raise


def _pixels(header: Header, descriptor: FrameDescriptor, samples: Pixels, frame: int) -> FramePixels:
    samples, info = _shown(header, descriptor, samples, frame)
    return FramePixels(_little(samples), info)


def _little(samples: Pixels) -> bytes:
    return np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _coded(stream: bytes, info: FrameInfo) -> FramePixels:
    facts = msgspec.structs.replace(info, coding="htj2k", resolution_ends=resolution_ends(stream))
    return FramePixels(stream, facts)


def _is_for_browsers(dtype: np.dtype[np.generic]) -> bool:
    """Return whether the browser's decoder gives such samples back: it cuts negative values of bytes to zero."""
    return dtype.kind in "iu" and dtype.itemsize <= 2 and dtype != np.int8


def _is_plain(header: Header, descriptor: FrameDescriptor, frame: int) -> bool:
    """Return whether stored values are what a viewer is handed: grey, of at most 16 bits, without a modality table."""
    if descriptor.samples != 1 or descriptor.photometric == "PALETTE COLOR" or not _is_for_browsers(descriptor.dtype):
        return False
    return presentation(header, descriptor, frame).modality_table is None


def _shown(header: Header, descriptor: FrameDescriptor, samples: Pixels, frame: int) -> tuple[Pixels, FrameInfo]:
    """Return decoded samples as a viewer is handed them, and what they are."""
    if samples.ndim == 3 or descriptor.photometric == "PALETTE COLOR":
        samples = pictures.display_samples(header, descriptor, samples, frame=frame)
        return samples, describe_shown(header, descriptor, samples, Presentation(), None, frame)
    shown = presentation(header, descriptor, frame)
    if shown.modality_table is not None:
        samples = shown.modality(samples).astype(np.int32)
    if samples.dtype.itemsize == 8:  # viewers know no whole numbers of 64 bits
        samples = samples.astype(np.float64, copy=False)
    return samples, describe_grey(header, descriptor, samples, frame)
