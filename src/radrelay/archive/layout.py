"""What stands in a pack: the table of contents, written last, and how an instance's bytes are laid out.

An instance lies in one stretch of the pack's plain bytes: either its data set as received, or parted by the
lossless recipe into prefix, HTJ2K frames and suffix, one after the other. The ready-made metadata of all
instances (DICOM JSON, PS3.18 F) follows as one gzip member, objects parted by commas, without the brackets.
"""

from __future__ import annotations

import msgspec

from radrelay.dicom.htj2k import Recipe
from radrelay.dicom.pixels import FrameDescriptor

VERSION = 1


class FramePlace(msgspec.Struct, frozen=True, array_like=True):
    """One frame of a data set kept as received: (start, length) pieces relative to the data set."""

    pieces: tuple[tuple[int, int], ...]
    bit_offset: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One instance: `start` and `length` of its stretch, and how to read frames and the data set from it.

    `recipe` none: kept as received, `frames` tells where frames stand (empty: no picture, or not worked out).
    Otherwise `prefix`, the `frame_lengths` and `suffix` follow each other.
    """

    instance_id: bytes
    start: int
    length: int
    data_set_bytes: int
    sha256: bytes
    metadata_start: int
    metadata_length: int
    descriptor: FrameDescriptor | None = None
    recipe: Recipe | None = None
    prefix: int = 0
    frame_lengths: tuple[int, ...] = ()
    suffix: int = 0
    frames: tuple[FramePlace, ...] = ()
    pixel_offset: int = 0  # where the head ends in a data set kept as received

    def frame_start(self, number: int) -> int:
        """Return where frame `number` (from 0) of a parted instance begins in the pack."""
        return self.start + self.prefix + sum(self.frame_lengths[:number])


class TableOfContents(msgspec.Struct, frozen=True, array_like=True):
    """The end of a pack."""

    version: int
    entries: tuple[Entry, ...]
    metadata_start: int  # of the gzip member
    metadata_length: int
    metadata_plain: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(TableOfContents)


def encode_table(table: TableOfContents) -> bytes:
    """Return the table as msgpack."""
    return _encoder.encode(table)


def decode_table(data: bytes) -> TableOfContents:
    """Read a table; raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(data)
