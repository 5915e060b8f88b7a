"""Examine landed records before the index: virus scan, parsing of heads. No database, so none of it waits in one.

What comes out says for each record what it is to become; a record that cannot be an instance carries the code and
reason with which it goes to the quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import msgspec
import structlog

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.index import IndexAttributes, index_attributes
from radrelay.intake.envelope import Envelope, decode
from radrelay.intake.scan import Finding, Scanner
from radrelay.storage.segments import RecordGone, RecordLocation, ScannedRecord, SegmentReader

log = structlog.get_logger(__name__)

SCANS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Examined:
    """A record, what its head says, and why it goes to the quarantine if it does."""

    location: RecordLocation
    envelope: Envelope
    attributes: IndexAttributes | None = None
    code: str = ""
    reason: str = ""


class Examiner:
    """Examines records of any owner; uses a few threads for scanning."""

    def __init__(self, reader: SegmentReader, scanner: Scanner | None) -> None:
        self._reader = reader
        self._scanner = scanner
        self._pool = ThreadPoolExecutor(SCANS_AT_ONCE, "scan") if scanner else None

    def examine(self, records: Sequence[ScannedRecord]) -> list[Examined]:
        """Examine `records` in order; raises `ScannerUnavailable` when one must be scanned and cannot be now."""
        parsed = [examine_head(record) for record in records]
        if self._pool is None:
            return parsed
        return list(self._pool.map(self._scan, parsed))

    def _scan(self, item: Examined) -> Examined:
        envelope = item.envelope
        if self._scanner is None or not envelope.origin.scan or envelope.kind not in ("object", "attachment"):
            return item
        try:
            verdict = self._scanner.scan(self._reader.stream(item.location))
        except RecordGone:
            return item
        if verdict.finding is Finding.CLEAN:
            return item
        if verdict.finding is Finding.INFECTED:
            log.warning("infected object set aside", record=str(item.location.record_id), signature=verdict.detail)
            return replace(item, code="infected", reason=f"The virus scanner found {verdict.detail}.")
        return replace(item, code="not-scanned", reason=f"The virus scanner could not look at it: {verdict.detail}.")

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def examine_head(record: ScannedRecord) -> Examined:
    """Read a record's envelope and, of an object, the attributes of its head."""
    envelope = decode(record.envelope)
    if envelope.kind != "object":
        return Examined(record.location, envelope)
    if envelope.flaw:
        attributes = _attributes_of_flawed(envelope, record.head)
        return Examined(record.location, envelope, attributes, envelope.code or Malformed.code, envelope.flaw)
    try:
        return Examined(record.location, envelope, read_attributes(envelope, record.head))
    except Malformed as error:
        return Examined(record.location, envelope, None, error.code, error.message)
    except Exception as error:  # why: no hostile header may stop the index; a person sees it in the quarantine
        log.exception("a head could not be read", record=str(record.location.record_id))
        return Examined(
            record.location, envelope, None, "not-read", f"The header cannot be read ({type(error).__name__})."
        )


def read_attributes(envelope: Envelope, head: bytes) -> IndexAttributes:
    """Return what the index needs of a head; UIDs that only the sender named are taken from the envelope."""
    attributes = index_attributes(parse(head, envelope.transfer_syntax), envelope.transfer_syntax)
    missing = {
        name: said
        for name, said in (("sop_class", envelope.sop_class_uid), ("sop_uid", envelope.sop_uid))
        if said and not getattr(attributes, name)
    }
    return msgspec.structs.replace(attributes, **missing) if missing else attributes


def _attributes_of_flawed(envelope: Envelope, head: bytes) -> IndexAttributes | None:
    """Return what can be read of an object that goes to the quarantine, for the person who looks at it."""
    try:
        return read_attributes(envelope, head)
    except Exception:  # why: it is known to be malformed, and the reason is already at hand
        log.debug("nothing can be read of a malformed head")
        return None
