"""The landing under `radrelay doctor --verify`: every record that is still needed there is read to its end.

Instances are compared with their receipt elsewhere; here are attachments, what is in the quarantine, and archives that
are still to be unpacked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import sqlalchemy as sa

from radrelay.app.core import Core
from radrelay.app.findings import Finding
from radrelay.archive.models import Attachment, Instance
from radrelay.errors import RadrelayError
from radrelay.intake.models import OpenArchive
from radrelay.intake.unpacking import location_of
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.segments import RecordLocation, SegmentGone

SCAN = 500


def verify_landing(core: Core) -> Iterator[Finding]:
    """Yield what is found of records and segments, and of archives that wait."""
    yield from _records(core)
    yield from _segments(core)
    yield from _archives(core)


def _records(core: Core) -> Iterator[Finding]:
    with core.database.read() as session:
        instance = sa.exists().where(Instance.record_id == LandingRecord.id)
        going = sa.exists().where(Erasure.id == LandingRecord.id)
        rows = [location_of(row) for row in session.scalars(sa.select(LandingRecord).where(~instance, ~going))]
        receipts = {
            record_id: bytes(digest)
            for record_id, digest in session.execute(sa.select(Attachment.record_id, Attachment.sha256))
        }
    good = 0
    for location in rows:
        fault = _fault(core, location, receipts.get(location.record_id))
        if fault and _is_needed(core, location):
            yield Finding("landed record", "bad", f"{location.record_id} {fault}", "restore it from a backup")
        else:
            good += 1
    yield Finding("landed records", "good", f"{good} that are no instances are whole")


def _fault(core: Core, location: RecordLocation, receipt: bytes | None) -> str:
    digest = hashlib.sha256()
    try:
        for piece in core.segments.stream(location):
            digest.update(piece)
    except (RadrelayError, OSError) as error:
        return f"cannot be read: {error}"
    return "is not what was received" if receipt is not None and digest.digest() != receipt else ""


def _is_needed(core: Core, location: RecordLocation) -> bool:
    """Say whether a record's row is still there, and not about to go."""
    with core.database.read() as session:
        row = session.get(LandingRecord, location.record_id)
        return row is not None and session.get(Erasure, location.record_id) is None


def _segments(core: Core) -> Iterator[Finding]:
    """Read the headers and heads of all records in order, as the indexer does."""
    damaged = list(core.settings.landing_dir.glob("*/damaged-*.seg"))
    for path in damaged:
        text = f"{path.relative_to(core.settings.landing_dir)} has no header that can be read"
        yield Finding("landing segment", "bad", text, "keep it: what it held can only come from its sender or a backup")
    count = 0
    for owner in core.segments.owners():
        for segment in core.segments.segments(owner):
            bad, position = 0, 0
            while True:
                try:
                    found = core.segments.scan(owner, segment.number, segment.epoch, position, SCAN)
                except SegmentGone:
                    break
                bad += len(found.damaged)
                if found.position == position:
                    break
                position = found.position
            count += 1
            if bad:
                text = f"{bad} records of segment {segment.number} of {owner} are damaged"
                yield Finding("landing segment", "bad", text, "look at the disk; have what is missing sent again")
    yield Finding("landing segments", "good", f"{count} were read through")


def _archives(core: Core) -> Iterator[Finding]:
    with core.database.read() as session:
        waiting = session.scalars(sa.select(OpenArchive).where(OpenArchive.waiting_for != "")).all()
    for archive in waiting:
        text = f"archive {archive.id} waits since {archive.received_at:%Y-%m-%d %H:%M} UTC: {archive.waiting_for}"
        yield Finding("archive", "look", text, "it is unpacked once that is right again")
