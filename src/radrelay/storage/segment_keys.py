"""The keys of landing segments: which version of the image key they are under, and wrapping them anew.

Only a segment's header is written, also while its owner appends to it. The new header goes to a second place first, in
another sector, so that a crash at any moment leaves one of the two whole; both are under the new key at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radrelay.storage.file_layer import FileLayer
from radrelay.storage.keys import Keyring
from radrelay.storage.landing_format import (
    SPARE_AT,
    SegmentHeader,
    parse_segment_page,
    segment_block,
    segment_context,
)
from radrelay.storage.open_segment import first_page
from radrelay.storage.segment_owner import erasing


def key_versions_in(directory: Path) -> set[int]:
    """Return the versions of the image key that an owner's segments are wrapped under."""
    return {_version(header) for _, header in _segments(directory)}


def rewrap_in(directory: Path, keyring: Keyring, files: FileLayer) -> int:
    """Wrap the keys of an owner's segments under the current image key, durable on return; return how many were not."""
    count = 0
    with erasing(directory), keyring.wrapping() as wrap:  # nothing is freed or recovered meanwhile
        for path, header in _segments(directory):
            if _version(header) == keyring.image_version:
                continue
            context = segment_context(header.number, header.epoch)
            wrapped = wrap(keyring.unwrap(header.wrapped_key, context), context)
            block = segment_block(header.number, header.epoch, header.size, wrapped)
            handle = files.open(path)
            try:
                for place in (SPARE_AT, 0):
                    files.pwrite(handle, block, place)
                    files.fdatasync(handle)
            finally:
                files.close(handle)
            count += 1
    return count


def _segments(directory: Path) -> Iterator[tuple[Path, SegmentHeader]]:
    for path in sorted(directory.glob("seg-*.seg")):
        try:
            header = parse_segment_page(first_page(path))
        except FileNotFoundError:  # freed just now
            continue
        if header is not None:
            yield path, header


def _version(header: SegmentHeader) -> int:
    return int.from_bytes(header.wrapped_key[:4], "big")
