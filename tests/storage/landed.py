"""Records that carry their own proof: what is read back says by itself whether it is whole."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from uuid import UUID

from radrelay.errors import NotFound
from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import ScannedRecord, SegmentLog, SegmentReader, Ticket


def payload_of(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def land(log: SegmentLog, payload: bytes) -> Ticket:
    """Append a payload whose digest stands in its envelope; not waited for."""
    head = min(len(payload), 300)
    view = memoryview(payload)
    return log.append(hashlib.sha256(payload).digest(), view[:head], view[head:])


def scanned(reader: SegmentReader, owner: str | None = None, limit: int = 7) -> Iterator[ScannedRecord]:
    """Yield every durable record of every owner, walking as the indexer does."""
    for name in reader.owners() if owner is None else [owner]:
        for segment in reader.segments(name):
            position = 0
            while True:
                result = reader.scan(name, segment.number, segment.epoch, position, limit)
                assert not result.damaged
                yield from result.records
                if result.position == position:
                    break
                position = result.position


def whole_records(reader: SegmentReader) -> dict[UUID, bytes]:
    """Return the payloads of all records, each proven whole and shown once."""
    found: dict[UUID, bytes] = {}
    for record in scanned(reader):
        payload = reader.read(record.location)
        assert hashlib.sha256(payload).digest() == record.envelope, "a record is shown that is not whole"
        assert payload[: len(record.head)] == record.head
        assert record.location.record_id not in found, "a record is shown twice"
        found[record.location.record_id] = payload
    return found


def is_gone(reader: SegmentReader, ticket: Ticket) -> bool:
    try:
        reader.read(ticket.location)
    except NotFound:
        return True
    return False


def opened(settings: Settings, keyring: Keyring, owner: str = "listen") -> SegmentLog:
    return SegmentLog.open(settings.landing_dir, owner, keyring, settings.storage)


def fill(log: SegmentLog, count: int, size: int = 90_000) -> list[bytes]:
    payloads = [payload_of(size, seed) for seed in range(count)]
    for payload in payloads:
        log.wait_durable(land(log, payload))
    return payloads
