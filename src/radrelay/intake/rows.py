"""Write one batch of examined records into rows: archive's index, quarantine, attachments, findings, parcels.

All of it, with the cursor, is one transaction, so that after a crash indexing goes on from the cursor and
nothing is counted twice. Members of archives carry an id that outlives a second attempt to unpack.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.arrivals import Arrival, Terms, Verdict
from radrelay.archive.holdings import after, end_of
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.kept_keys import bind_archives
from radrelay.archive.models import Attachment, Source
from radrelay.intake.callers import waits
from radrelay.intake.discs import MISSING, REFERENCE
from radrelay.intake.diversion import AWAITS_RELEASE, Diversion
from radrelay.intake.envelope import Origin
from radrelay.intake.examine import Examined
from radrelay.intake.models import ParcelFinding, ParcelItem, Quarantined, RawFile
from radrelay.intake.open_archives import end_archive, open_archive
from radrelay.intake.raw_files import raw_row
from radrelay.intake.tally import Tally
from radrelay.settings import Settings
from radrelay.storage.ids import new_id
from radrelay.storage.models import LandingRecord

Row = dict[str, Any]
NOT_REFUSALS = frozenset({"unsafe-name", MISSING, REFERENCE, "disc-directory"})
"""Findings about something that was kept, or about no file of the parcel."""


@dataclass(slots=True)
class _Rows:
    records: list[Row] = field(default_factory=list)
    quarantined: list[Row] = field(default_factory=list)
    attachments: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    raw: list[Row] = field(default_factory=list)


class BatchWriter:
    """Writes batches; holds no state between them."""

    def __init__(self, settings: Settings, diversion: Diversion) -> None:
        self._settings = settings
        self._diversion = diversion

    def write(self, session: Session, batch: Sequence[Examined], now: datetime) -> None:
        """Write `batch`, records of one owner in their order, in the caller's transaction."""
        fresh = self._aside(session, _without_known_items(session, batch))
        terms = _terms(session, fresh)
        rows, tally = _Rows(), Tally()
        arrivals: list[tuple[Examined, Arrival]] = []
        for item in fresh:
            if item.envelope.kind != "end":
                self._sort(session, item, terms, rows, tally, arrivals, now)
        verdicts = upsert_batch(session, [arrival for _, arrival in arrivals]) if arrivals else []
        for (item, _), verdict in zip(arrivals, verdicts, strict=True):
            self._apply(session, item, verdict, terms, rows, tally)
        _number(session, rows.quarantined)
        _insert(session, rows)
        tally.write_studies(session)
        for item in fresh:
            if item.envelope.kind == "end":  # all that came before it is in its place now
                self._end(session, item, tally, now)
        tally.write(session, now)

    def _aside(self, session: Session, batch: Sequence[Examined]) -> list[Examined]:
        """Return the batch with a code for what goes another way first."""
        diverted = self._diversion.diverted(session, batch)
        if not diverted:
            return list(batch)
        found = []
        for item in batch:
            code, reason = diverted.get(item.location.record_id, ("", ""))
            found.append(replace(item, code=code, reason=reason) if code else item)
        return found

    def _sort(
        self,
        session: Session,
        item: Examined,
        terms: Mapping[uuid.UUID, Terms],
        rows: _Rows,
        tally: Tally,
        arrivals: list[tuple[Examined, Arrival]],
        now: datetime,
    ) -> None:
        """Put one record on its way."""
        envelope, origin = item.envelope, item.envelope.origin
        if envelope.item_id is not None and origin.parcel_id is not None:
            rows.items.append({"id": envelope.item_id, "parcel_id": origin.parcel_id})
        source = terms.get(origin.source_id)
        if envelope.kind == "finding":
            self._add_finding(item, rows, tally)
        elif envelope.kind == "raw":
            rows.records.append(record_row(item))
            rows.raw.append(raw_row(item.location.record_id, envelope, source, self._settings.importer.keep_raw_s))
            tally.received(envelope)
        elif envelope.kind == "archive":
            self._open_archive(session, item, source, rows, tally, now)
        elif item.code or source is None or (envelope.kind == "object" and item.attributes is None):
            rows.records.append(record_row(item))
            code, reason = (item.code, item.reason) if item.code else ("source-gone", "Its source was deleted.")
            self._set_aside(item, code, reason, terms, rows, tally)
        elif _awaits_release(item, source):
            rows.records.append(record_row(item))
            self._set_aside(item, AWAITS_RELEASE, "A person is to release it.", terms, rows, tally)
        elif envelope.kind == "attachment":
            rows.records.append(record_row(item))
            rows.attachments.append(attachment_row(item, source))
            tally.of(origin.parcel_id).attachments += 1
            tally.received(envelope)
        else:
            arrivals.append((item, arrival_of(item, source)))

    def _apply(
        self,
        session: Session,
        item: Examined,
        verdict: Verdict,
        terms: Mapping[uuid.UUID, Terms],
        rows: _Rows,
        tally: Tally,
    ) -> None:
        """Take note of what the index says of one arrival."""
        if verdict.kind == "quarantine":
            self._set_aside(item, verdict.code, verdict.reason, terms, rows, tally)
            return
        counts = tally.of(item.envelope.origin.parcel_id)
        if verdict.kind in ("duplicate", "too-late"):
            counts.duplicates += 1
        else:
            counts.objects += 1
        if verdict.study_id is not None:
            counts.studies.add(verdict.study_id)
        if item.envelope.stands_for is None:
            tally.received(item.envelope)
        elif verdict.instance_id is not None:
            note_released(session, item.envelope.stands_for, verdict.instance_id)
            if item.envelope.origin.parcel_id is not None and verdict.study_id is not None:
                bind_archives(session, item.envelope.origin.parcel_id, verdict.study_id)

    def _set_aside(
        self,
        item: Examined,
        code: str,
        reason: str,
        terms: Mapping[uuid.UUID, Terms],
        rows: _Rows,
        tally: Tally,
    ) -> None:
        source = terms.get(item.envelope.origin.source_id)
        quarantine_s = self._settings.retention.quarantine_s
        rows.quarantined.append(_quarantined_row(item, code, reason, source, quarantine_s))
        tally.of(item.envelope.origin.parcel_id).quarantined += 1
        if item.envelope.stands_for is None:
            tally.received(item.envelope)

    def _add_finding(self, item: Examined, rows: _Rows, tally: Tally) -> None:
        envelope, origin = item.envelope, item.envelope.origin
        if origin.parcel_id is None:
            return
        rows.findings.append(
            {
                "id": new_id(),
                "organisation_id": origin.organisation_id,
                "parcel_id": origin.parcel_id,
                "file_name": envelope.file_name,
                "code": envelope.code[:40],
                "text": envelope.text,
                "sop_uid": envelope.sop_uid[:64] if envelope.code == REFERENCE else "",
            }
        )
        if envelope.code not in NOT_REFUSALS:
            tally.of(origin.parcel_id).refused += 1
        if envelope.file_size is not None or envelope.code not in NOT_REFUSALS:
            tally.received(envelope)

    def _open_archive(
        self, session: Session, item: Examined, source: Terms | None, rows: _Rows, tally: Tally, now: datetime
    ) -> None:
        rows.records.append(record_row(item))
        tally.of(item.envelope.origin.parcel_id).archives += 1
        tally.received(item.envelope)
        open_archive(session, item, source, self._settings.retention.quarantine_s, now)

    def _end(self, session: Session, item: Examined, tally: Tally, now: datetime) -> None:
        """Close a parcel or one of its archives, whose raw bytes are not needed any more."""
        envelope = item.envelope
        counts = tally.of(envelope.origin.parcel_id)
        if envelope.archive_id is None:
            counts.sealed = True
            return
        if end_archive(session, envelope, self._settings, now):
            counts.archives -= 1
            counts.quarantined += bool(envelope.code)


def _awaits_release(item: Examined, source: Terms) -> bool:
    """Say whether a person decides first: of what somebody brought, never of what belongs to something that is here.

    Of what is written anew first (`diversion`) that is the object that comes out, not the one that was received. What
    was released with another identity was decided upon.
    """
    envelope, origin = item.envelope, item.envelope.origin
    decided = envelope.stands_for is not None and not origin.aliased
    ours = origin.joins is not None or origin.corrects is not None or decided
    return not ours and waits(source.release_by_hand, origin.calling_ae)


def _number(session: Session, quarantined: Sequence[Row]) -> None:
    """Give what waits a number within its source, so that who decides lets in no more than the list held.

    The source's row is held until the transaction ends: whatever has a smaller number was there before.
    """
    waiting = [row for row in quarantined if row["code"] == AWAITS_RELEASE]
    for source_id in sorted({row["source_id"] for row in waiting}):
        own = [row for row in waiting if row["source_id"] == source_id]
        more = sa.update(Source).where(Source.id == source_id).values(put_to_wait=Source.put_to_wait + len(own))
        last = session.scalar(more.returning(Source.put_to_wait), execution_options={"synchronize_session": False}) or 0
        for number, row in enumerate(own, last - len(own) + 1):
            row["wait_number"] = number


def arrival_of(item: Examined, source: Terms) -> Arrival:
    """Return what the archive's index is handed for an examined object."""
    if item.attributes is None:
        raise ValueError("an object without attributes cannot be indexed")
    envelope, origin = item.envelope, item.envelope.origin
    return Arrival(
        source=source,
        attributes=item.attributes,
        location=item.location,
        transfer_syntax_uid=envelope.transfer_syntax,
        sha256=envelope.sha256,
        size=envelope.size,
        received_at=envelope.received_at,
        file_name=envelope.file_name,
        file_size=envelope.file_size,
        file_type=envelope.file_type,
        parcel_id=origin.parcel_id,
        correlation_id=origin.correlation_id,
        account_id=origin.account_id,
        joins=origin.joins,
        corrects=origin.corrects,
        correction=origin.correction,
        calling_ae=origin.calling_ae.strip()[:16],
        called_ae=origin.called_ae.strip()[:16],
        host=_host_of(origin),
    )


def _host_of(origin: Origin) -> str:
    """Return the address of a machine that sends, none of people's."""
    if origin.kind == "dicom":
        return origin.peer.rpartition(":")[0]
    return origin.peer if origin.kind == "stow" else ""


def record_row(item: Examined) -> Row:
    """Return the row that keeps a record's bytes in its segment."""
    location = item.location
    return {
        "id": location.record_id,
        "organisation_id": item.envelope.origin.organisation_id,
        "owner": location.owner,
        "segment": location.segment,
        "epoch": location.epoch,
        "offset": location.offset,
        "length": location.length,
    }


def _without_known_items(session: Session, batch: Sequence[Examined]) -> list[Examined]:
    """Leave out members of archives that an earlier attempt to unpack has brought already."""
    ids = [item.envelope.item_id for item in batch if item.envelope.item_id is not None]
    if not ids:
        return list(batch)
    known = set(session.scalars(sa.select(ParcelItem.id).where(ParcelItem.id.in_(ids))))
    fresh = []
    for item in batch:
        item_id = item.envelope.item_id
        if item_id is None or item_id not in known:
            fresh.append(item)
        if item_id is not None:
            known.add(item_id)
    return fresh


def _terms(session: Session, batch: Sequence[Examined]) -> dict[uuid.UUID, Terms]:
    ids = {item.envelope.origin.source_id for item in batch}
    return {row.id: Terms.of(row) for row in session.scalars(sa.select(Source).where(Source.id.in_(ids)))}


def attachment_row(item: Examined, source: Terms) -> Row:
    """Return the row of an attachment, which lives by its source's terms until it belongs to a study."""
    envelope = item.envelope
    received = envelope.received_at
    return {
        "id": item.location.record_id,
        "organisation_id": envelope.origin.organisation_id,
        "study_id": None,
        "holding_id": None,
        "parcel_id": envelope.origin.parcel_id,
        "file_name": envelope.file_name,
        "file_size": envelope.file_size if envelope.file_size is not None else envelope.size,
        "file_type": envelope.file_type[:100],
        "sha256": envelope.sha256,
        "received_at": received,
        "ends_at": end_of(after(received, source.retention_s), None, after(received, source.max_age_s)),
        "record_id": item.location.record_id,
        "pack_id": None,
        "pack_entry": None,
    }


def _quarantined_row(item: Examined, code: str, reason: str, source: Terms | None, quarantine_s: int) -> Row:
    envelope, attributes = item.envelope, item.attributes
    received = envelope.received_at
    ceiling = after(received, source.max_age_s) if source is not None else None
    return {
        "id": new_id(),
        "organisation_id": envelope.origin.organisation_id,
        "source_id": envelope.origin.source_id,
        "parcel_id": envelope.origin.parcel_id,
        "record_id": item.location.record_id,
        "code": code[:40],
        "reason": reason,
        "study_uid": (attributes.study_uid if attributes else envelope.study_uid)[:64],
        "sop_uid": (attributes.sop_uid if attributes else envelope.sop_uid)[:64],
        "patient_name": attributes.patient_name if attributes else "",
        "patient_id_value": (attributes.patient_id if attributes else "")[:64],
        "file_name": envelope.file_name,
        "size": envelope.size,
        "received_at": received,
        "ends_at": end_of(after(received, quarantine_s), None, ceiling),
        "released_at": None,
        "wait_number": 0,
        "correlation_id": envelope.origin.correlation_id[:64],
        "identity": "",
        "instance_id": None,
    }


def note_released(session: Session, quarantined_id: uuid.UUID, instance_id: uuid.UUID) -> None:
    """Bind what was received of an object to the instance that it was released as."""
    session.execute(
        sa.update(Quarantined)
        .where(Quarantined.id == quarantined_id, Quarantined.identity != "", Quarantined.instance_id.is_(None))
        .values(instance_id=instance_id)
    )


def _insert(session: Session, rows: _Rows) -> None:
    for model, found in (
        (LandingRecord, rows.records),
        (Quarantined, rows.quarantined),
        (Attachment, rows.attachments),
        (ParcelFinding, rows.findings),
        (ParcelItem, rows.items),
        (RawFile, rows.raw),
    ):
        if found:
            session.execute(sa.insert(model), found)
