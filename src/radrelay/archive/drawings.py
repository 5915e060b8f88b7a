"""Drawings of other systems as they are kept: read from their objects when somebody looks, masks packed for the way.

In: an instance. Out: its `Drawing`, or masks of some of its frames as runs (`dicom.drawings.mask_runs`). Thread-safe.
"""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.archive.recent import Recent
from radrelay.archive.renditions import told
from radrelay.dicom import drawings
from radrelay.dicom.decode import decode_frame, decode_stored
from radrelay.dicom.drawings import Drawing, MaskFrame, Masks, overlay_planes
from radrelay.dicom.drawings.drawn import DrawingBroken, NotDrawing
from radrelay.dicom.drawings.mask_runs import bit_runs, value_runs
from radrelay.dicom.header import Header

DRAWINGS_KEPT_BYTES = 48 << 20
MASKS_KEPT_BYTES = 32 << 20
PIXELS_AT_ONCE = 1 << 27
SECONDS_AT_ONCE = 10.0  # of decoding, after which what else was asked for is left out
ALL = 0  # in place of a segment's number: every frame as it is kept


class DrawingReader:
    """Reads drawings, and keeps those that were looked at last."""

    def __init__(self, reader: InstanceReader) -> None:
        self._reader = reader
        self._drawings: Recent[uuid.UUID, Drawing] = Recent(DRAWINGS_KEPT_BYTES, lambda drawing: drawing.weight)
        self._masks: Recent[tuple[uuid.UUID, int, tuple[int, ...]], bytes] = Recent(MASKS_KEPT_BYTES, len)

    def header(self, ref: InstanceRef) -> Header:
        """Return an instance's attributes; raises `Malformed` when they cannot be read."""
        return self._reader.header(ref)

    def read(self, ref: InstanceRef) -> Drawing:
        """Return what an instance draws; raises as `drawings.read` does, and `Malformed`."""
        found = self._drawings.get(ref.id)
        if found is None:
            found = drawings.read(self.header(ref), ref.sop_class_uid)
            self._drawings.put(ref.id, found)
        return found

    def masks(self, ref: InstanceRef, group: int, numbers: Sequence[int]) -> bytes:
        """Return masks of `group` (`ALL`: of every one) in those of the frames `numbers`, from 1, that are its.

        Little endian: their count, then number and length of each as uint32, then the runs of each. Frames that would
        take more than `PIXELS_AT_ONCE` or `SECONDS_AT_ONCE` are left out, but for the first: who wants them asks again.
        """
        key = ref.id, group, tuple(numbers)
        made = self._masks.get(key)
        if made is None:
            masks = self.read(ref).masks
            if masks is None:
                raise NotDrawing
            wanted = set(numbers)
            chosen = [frame for frame in masks.frames if frame.number in wanted and group in (ALL, frame.group)]
            if masks.form == "numbers":
                chosen = [frame for frame in masks.frames if frame.number in wanted]
            there = len(masks.frames) if masks.planes else self._reader.frame_count(ref)  # whatever the header says
            chosen = [frame for frame in chosen if frame.number <= there]
            chosen = chosen[: max(1, PIXELS_AT_ONCE // (masks.rows * masks.columns))]
            packed = list(_in_time(chosen, self._packed(ref, masks, chosen, group)))
            table = b"".join(struct.pack("<II", number, len(runs)) for number, runs in packed)
            made = struct.pack("<I", len(packed)) + table + b"".join(runs for _, runs in packed)
            if len(packed) == len(chosen):
                self._masks.put(key, made)
        return made

    def _packed(self, ref: InstanceRef, masks: Masks, chosen: Sequence[MaskFrame], group: int) -> Iterator[bytes]:
        if masks.planes:
            for frame in chosen:
                yield bit_runs(self._plane(ref, masks, frame))
            return
        numbers = [frame.number for frame in chosen]
        for number, stored in zip(numbers, self._reader.frames(ref, numbers), strict=True):
            if stored.cut:
                raise DrawingBroken(f"Frame {number} of the drawing is cut off.")  # a part must not look whole
            with told(ref, number):
                pixels = decode_frame(stored.descriptor, stored.data, stored.bit_offset, own=stored.own)
            if pixels.shape != (masks.rows, masks.columns) or pixels.dtype.kind != "u":
                raise DrawingBroken(
                    f"Frame {number} of the drawing is no mask of {masks.columns} × {masks.rows} pixels."
                )
            if masks.form == "bits":
                yield bit_runs(pixels)
            elif masks.form == "shares" or group == ALL:
                yield value_runs(pixels)
            else:
                yield bit_runs((pixels == group).view(np.uint8))

    def _plane(self, ref: InstanceRef, masks: Masks, frame: MaskFrame) -> NDArray[np.uint8]:
        """Return an overlay's mask: its own bits, or those that stand in the words of the image's frame."""
        bits = masks.planes[frame.number - 1]
        if bits is not None:
            return np.unpackbits(bits)[: masks.rows * masks.columns]
        shown = frame.images[0].frame or 1
        stored = self._reader.frame(ref, shown)
        with told(ref, shown):
            words = decode_stored(stored.descriptor, stored.data, stored.bit_offset, masked=False, own=stored.own)
        return overlay_planes.embedded(self.header(ref), words.samples, frame.group)


def _in_time(chosen: Sequence[MaskFrame], packed: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and runs of frames until `SECONDS_AT_ONCE` have passed."""
    until = time.monotonic() + SECONDS_AT_ONCE
    for frame, runs in zip(chosen, packed, strict=False):
        yield frame.number, runs
        if time.monotonic() > until:
            return
