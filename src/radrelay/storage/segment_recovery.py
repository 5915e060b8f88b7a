"""What a crash or a power loss left of an owner's landing, brought into order before anything is written again.

Every segment that is not sealed is read record by record up to the first bytes that are no record. A record that
was being written when the power went, and whose parts do not authenticate, is voided. The rest is written back and
synced (after a failed sync the page cache may hold what the disk does not), and the segment is sealed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.storage.file_layer import FileLayer
from radrelay.storage.keys import TAG_BYTES, Keyring
from radrelay.storage.landing_format import (
    BODY_NONCE,
    ENVELOPE_NONCE,
    ERASED_KEY,
    HEAD_NONCE,
    HEADER_BYTES,
    KEY_AT,
    LARGE,
    PAGE,
    SEAL_AT,
    RecordDamaged,
    RecordHeader,
    SegmentHeader,
    open_part,
    parse_record_header,
    parse_segment_page,
    seal_block,
    segment_context,
    segment_path_number,
)
from radrelay.storage.segment_owner import erasing
from radrelay.storage.watermark import read_watermark

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Recovery:
    """What was found: the number for the next segment, records in unsealed segments, records voided."""

    next_number: int
    records: int
    voided: int


def recover_directory(directory: Path, owner: str, keyring: Keyring, files: FileLayer) -> Recovery:
    """Bring an owner's directory into order; the caller holds its `OwnerLock`."""
    records = voided = highest = 0
    crashed = False
    mark = read_watermark(directory)
    with erasing(directory):
        for path in sorted(directory.iterdir()):
            number = segment_path_number(path.name) or _other_number(path.name)
            highest = max(highest, number)
            if path.suffix in (".making", ".part"):
                files.unlink(path)
            if segment_path_number(path.name) is None:
                continue
            durable = mark.offset if mark is not None and mark.segment == number else 0
            found = _recover_segment(path, number, keyring, files, durable)
            records += found.records
            voided += found.voided
            crashed = crashed or found.unsealed
        if crashed:  # a landing that was closed has sealed all its segments, and every large object has its record
            _remove_unreferred(directory, files)
        files.fsync_dir(directory)
    if records or voided:
        log.info("landing.recovered", owner=owner, records=records, voided=voided)
    return Recovery(max(highest, mark.segment if mark else 0) + 1, records, voided)


def _other_number(name: str) -> int:
    kind, _, rest = name.partition("-")
    digits = rest.removesuffix(".seg")
    return int(digits) if kind in ("free", "damaged") and digits.isdigit() else 0


@dataclass(frozen=True)
class _Found:
    unsealed: bool = False
    records: int = 0
    voided: int = 0


def _recover_segment(path: Path, number: int, keyring: Keyring, files: FileLayer, durable: int) -> _Found:
    """Seal one segment, if it is not sealed yet."""
    handle = files.open(path)
    try:
        page = os.pread(handle, PAGE, 0)
        header = parse_segment_page(page)
        if header is None or header.number != number:
            freed = not any(page)  # its key was destroyed, its name not changed yet
            log.log(20 if freed else 50, "landing.segment_without_header", path=str(path), freed=freed)
            files.rename(path, path.with_name(f"{'free' if freed else 'damaged'}-{number:010d}.seg"))
            return _Found()
        if header.sealed_end is not None:
            return _Found()
        end, records, voided = _validate(handle, header, keyring, files, durable)
        if end == PAGE:
            files.pwrite(handle, bytes(PAGE), 0)
            files.rename(path, path.with_name(f"free-{number:010d}.seg"))
            return _Found(unsealed=True)
        files.fdatasync(handle)
        files.pwrite(handle, seal_block(header.epoch, end), SEAL_AT)
        files.fdatasync(handle)
        return _Found(True, records, voided)
    finally:
        files.close(handle)


def _validate(
    handle: int, header: SegmentHeader, keyring: Keyring, files: FileLayer, durable: int
) -> tuple[int, int, int]:
    segment_key = AESGCM(keyring.unwrap(header.wrapped_key, segment_context(header.number, header.epoch)))
    position, records, voided, sequence = PAGE, 0, 0, None
    while position < header.size:
        first = os.pread(handle, HEADER_BYTES, position)
        record = parse_record_header(first, header.epoch, header.number, header.size - position)
        if record is None or (sequence is not None and record.sequence != sequence + 1):
            break
        sequence = record.sequence
        stored = bytearray(os.pread(handle, record.stored_bytes, position))
        # Below the watermark a record was durable once: if it does not authenticate, the disk has changed it,
        # and it stays as it is for a person to see.
        if position >= durable and not record.erased and not _authentic(record, stored, segment_key):
            stored[KEY_AT:HEADER_BYTES] = ERASED_KEY
            voided += 1
        files.pwrite(handle, stored, position)
        records += 1
        position += record.stored_bytes
    return position, records, voided


def _authentic(record: RecordHeader, stored: bytearray, segment_key: AESGCM) -> bool:
    parts = (
        (ENVELOPE_NONCE, record.envelope_at, record.envelope_length),
        (HEAD_NONCE, record.head_at, record.head_length),
        (BODY_NONCE, record.body_at, record.body_length),
    )
    try:
        cipher = record.cipher(segment_key)
        with memoryview(stored) as view:
            for nonce, at, length in parts:
                open_part(cipher, nonce, view[at : at + length + TAG_BYTES], record.record_id)
    except RecordDamaged:
        return False
    return True


def _remove_unreferred(directory: Path, files: FileLayer) -> None:
    """Remove files of large objects whose record did not become durable."""
    large = {path.stem.removeprefix("large-"): path for path in directory.glob("large-*.obj")}
    if not large or any(directory.glob("damaged-*.seg")):
        return  # nothing to do, or nobody can say what a damaged segment's records refer to
    for path in directory.glob("seg-*.seg"):
        for record_id in large_records(path):
            large.pop(str(record_id), None)
    for path in large.values():
        files.unlink(path)


def shrink(directory: Path, files: FileLayer) -> None:
    """Give back what the directory of an owner that ended takes beyond its records; the caller holds its `OwnerLock`.

    Free segments go, and sealed ones end where their records do. What stays in the quarantine or as an attachment would
    otherwise keep a whole segment each, and another that was made ready behind it.
    """
    with erasing(directory):
        for path in sorted(directory.iterdir()):
            if path.suffix == ".making" or path.name.startswith("free-"):
                files.unlink(path)
            elif segment_path_number(path.name) is not None:
                _cut(path, files)
        files.fsync_dir(directory)


def _cut(path: Path, files: FileLayer) -> None:
    handle = files.open(path)
    try:
        header = parse_segment_page(os.pread(handle, PAGE, 0))
        if header is not None and header.sealed_end is not None and header.sealed_end < os.fstat(handle).st_size:
            files.truncate(handle, header.sealed_end)
    finally:
        files.close(handle)


def large_records(path: Path) -> list[UUID]:
    """Return the ids of a sealed segment's records that have a file of their own."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    found: list[UUID] = []
    try:
        header = parse_segment_page(os.pread(handle, PAGE, 0))
        if header is None or header.sealed_end is None:
            return found
        position = PAGE
        while position < header.sealed_end:
            first = os.pread(handle, HEADER_BYTES, position)
            record = parse_record_header(first, header.epoch, header.number, header.size - position)
            if record is None:
                position += PAGE  # a damaged header: records begin at whole pages, so look for the next
                continue
            if record.kind == LARGE and not record.erased:
                found.append(record.record_id)
            position += record.stored_bytes
    finally:
        os.close(handle)
    return found
