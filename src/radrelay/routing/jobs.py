"""The durable work of a delivery: one attempt, idempotent, with a receipt per instance.

Killed at any moment, the attempt is begun anew and sends what has no receipt of success; only the object that
was under way may reach the destination twice, which C-STORE allows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import system_principal
from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.routing import deliveries
from radrelay.routing.deliveries import Receipt
from radrelay.routing.errors import DeliveredStudyGone, DestinationOff, Interrupted, ObjectsOpen, ObjectsRefused
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

BATCH = 25  # receipts per transaction
BATCH_S = 2.0  # the longest that a receipt waits for others


class DeliveryItem(Protocol):
    """One instance to be sent; a `network.ports.RetrieveItem` that knows its row."""

    @property
    def instance_id(self) -> uuid.UUID:
        """Return the instance's id."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP Class UID."""
        ...

    @property
    def sop_uid(self) -> str:
        """Return its SOP Instance UID."""
        ...

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax that it is kept in."""
        ...

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set in one of `accepted`: which one, and its bytes in pieces."""
        ...


class ObjectSource(Protocol):
    """What deliveries need of the archive."""

    def items(
        self, organisation_id: uuid.UUID, study_id: uuid.UUID, series_id: uuid.UUID | None
    ) -> Sequence[DeliveryItem]:
        """Return the current instances of the study or series that have not expired."""
        ...


class Answer(NamedTuple):
    """What came of one object: the DIMSE status, the node's comment, the transfer syntax used, and our own trouble."""

    status: int
    comment: str
    transfer_syntax_uid: str
    trouble: Trouble | None = None


class Sending(Protocol):
    """An association to a destination."""

    def send(self, item: DeliveryItem) -> Answer:
        """Send one object; raises `Interrupted` when the association is lost."""
        ...


class Dialler(Protocol):
    """Opens associations."""

    def open(self, destination: Destination, items: Sequence[DeliveryItem]) -> AbstractContextManager[Sending]:
        """Associate for the SOP classes of `items`; raises `Interrupted`."""
        ...

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """Part `items` so that one association can carry each portion."""
        ...


class DeliveryWork:
    """Carries attempts out."""

    def __init__(
        self, database: Database, clock: Clock, settings: WorkSettings, source: ObjectSource, dialler: Dialler
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._source = source
        self._dialler = dialler
        self._under_way: set[uuid.UUID] = set()
        self._stuck: set[uuid.UUID] = set()

    def attempt(self, event: Event) -> None:
        """Send what the destination does not have yet; schedule another attempt or end the delivery."""
        if event.subject_id in self._under_way:  # cancelled and asked for again while an object was being sent
            self.postpone(event.subject_id)
            return
        self._under_way.add(event.subject_id)
        try:
            self._attempt(event)
        finally:
            self._under_way.discard(event.subject_id)

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Try deliveries again that nothing works on, for their worker gave up; returns how many.

        `attended` are those that work waits or is under way for, on any machine.

        The database or the archive was away for longer than the attempt was tried again. One is met twice before:
        an attempt that was handed over may not have begun yet.
        """
        unattended = sa.or_(
            Delivery.state == "sending", sa.and_(Delivery.state == "waiting", Delivery.next_attempt_at.is_(None))
        )
        with self._database.read() as session:
            stuck = set(session.scalars(sa.select(Delivery.id).where(unattended))) - self._under_way - set(attended)
        again, self._stuck = stuck & self._stuck, stuck
        if again:
            with self._database.write() as session:
                session.execute(
                    sa.update(Delivery)
                    .where(Delivery.id.in_(again), unattended)
                    .values(state="waiting", next_attempt_at=self._clock.now())
                )
        return len(again)

    def postpone(self, delivery_id: uuid.UUID) -> None:
        """Try a delivery again a little later, if it waits: an earlier attempt has not ended yet."""
        with self._database.write() as session:
            session.execute(
                sa.update(Delivery)
                .where(Delivery.id == delivery_id, Delivery.state == "waiting")
                .values(next_attempt_at=self._clock.now() + timedelta(seconds=self._settings.retry_first_s))
            )

    def _attempt(self, event: Event) -> None:
        begun = self._begin(event.subject_id)
        if begun is None:
            return
        delivery, destination = begun
        items = self._source.items(delivery.organisation_id, delivery.study_id, delivery.series_id)
        settled = self._settled(delivery.id)
        todo = [item for item in items if item.instance_id not in settled]
        trouble = None
        try:
            if not items:
                trouble = Trouble.of(DeliveredStudyGone("the study is no longer here"))
            elif todo:
                self._record(delivery.id, (), len(items))  # so that whoever looks sees how many there are
                for portion in self._dialler.portions(todo):
                    with self._dialler.open(destination, portion) as sending:
                        for batch in _batches(self._send_all(delivery.id, sending, portion)):
                            self._record(delivery.id, batch, len(items))
        except Interrupted as broken:
            trouble = broken.trouble
        self._end(delivery.id, items, trouble, delivery.sent)

    def _begin(self, delivery_id: uuid.UUID) -> tuple[Delivery, Destination] | None:
        with self._database.write() as session:
            delivery = session.get(Delivery, delivery_id)
            if delivery is None or delivery.state not in ("waiting", "sending"):
                return None
            destination = session.get(Destination, delivery.destination_id)
            if destination is None or not destination.enabled:
                delivery.state = "failed"
                deliveries.tell(delivery, Trouble.of(DestinationOff("the destination was removed or switched off")))
                delivery.finished_at = self._clock.now()
                return None
            if access.is_barred(session, delivery.study_id):
                deliveries.hold_for(session, [delivery.study_id])
                return None
            delivery.state = "sending"
            delivery.attempts += 1
            deliveries.tell(delivery, None)
            session.flush()
            session.expunge_all()
            return delivery, destination

    def _settled(self, delivery_id: uuid.UUID) -> set[uuid.UUID]:
        with self._database.read() as session:
            rows = session.scalars(sa.select(DeliveryReceipt).where(DeliveryReceipt.delivery_id == delivery_id)).all()
            return {row.instance_id for row in rows if row.status == 0 or 0xB000 <= row.status <= 0xBFFF}

    def _send_all(self, delivery_id: uuid.UUID, sending: Sending, items: Sequence[DeliveryItem]) -> Iterator[Receipt]:
        looked_at = self._clock.now()
        for item in items:
            now = self._clock.now()
            if now - looked_at > timedelta(seconds=1):
                looked_at = now
                if self._cancelled(delivery_id):
                    return
            yield Receipt(item.instance_id, item.sop_uid, *sending.send(item))

    def _cancelled(self, delivery_id: uuid.UUID) -> bool:
        with self._database.read() as session:
            asked = sa.select(Delivery.state, Delivery.study_id).where(Delivery.id == delivery_id)
            row = session.execute(asked).one_or_none()
            return row is None or row.state != "sending" or access.is_barred(session, row.study_id)

    def _record(self, delivery_id: uuid.UUID, receipts: Sequence[Receipt], total: int) -> None:
        with self._database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            deliveries.record_receipts(session, self._clock, delivery, receipts, total)

    def _end(
        self, delivery_id: uuid.UUID, items: Sequence[DeliveryItem], trouble: Trouble | None, sent_before: int
    ) -> None:
        """End the attempt: done once each of `items` is there, whatever was sent of versions that are no more."""
        now, total, gone = self._clock.now(), len(items), not items
        with self._database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            if delivery.state != "sending":  # cancelled, or held
                _note_part(session, delivery, sent_before)
                return
            deliveries.record_receipts(session, self._clock, delivery, (), total)
            deliveries.tell(delivery, trouble)
            known = {row.instance_id: receipt_of(row) for row in deliveries.receipts_of(session, delivery_id)}
            receipts = [known.get(item.instance_id) for item in items]
            open_ones = [receipt for receipt in receipts if receipt is None or not receipt.kept]
            hopeless = all(receipt is not None and receipt.final for receipt in open_ones)
            if not gone and not trouble and not open_ones:
                _finish(delivery, "done", now)
            elif gone or (not trouble and hopeless) or self._too_late(delivery, now):
                deliveries.tell(delivery, trouble or _refused(len(open_ones), total))
                _finish(delivery, "failed", now)
            else:
                delivery.state = "waiting"
                deliveries.tell(delivery, trouble or _still_open(len(open_ones), total))
                delivery.next_attempt_at = now + deliveries.next_pause(delivery.attempts, self._settings)
            if delivery.state != "done":
                _note_part(session, delivery, sent_before)
            if delivery.finished_at is not None:
                _note(session, delivery, "delivery.end", "success" if delivery.state == "done" else "failure")
            log.info("delivery attempt ended", delivery_id=str(delivery_id), state=delivery.state, sent=delivery.sent,
                     total=total, correlation_id=delivery.correlation_id)  # fmt: skip

    def _too_late(self, delivery: Delivery, now: datetime) -> bool:
        return now - delivery.created_at > timedelta(seconds=self._settings.retry_for_s)


def _note_part(session: Session, delivery: Delivery, sent_before: int) -> None:
    """Put on record that an attempt which did not end it let some objects out: they are a disclosure, too."""
    if delivery.sent > sent_before:
        _note(session, delivery, "delivery.part", "success")


def _note(session: Session, delivery: Delivery, action: str, outcome: str) -> None:
    """Put on record what came of a delivery: its row goes with its study."""
    named = sa.select(Study.patient_issuer, Study.patient_id_value, Study.patient_name)
    patient = session.execute(named.where(Study.id == delivery.study_id)).one_or_none()
    destination = session.get(Destination, delivery.destination_id)
    audit.record(
        session,
        audit.AuditRecord(
            action,
            system_principal(delivery.organisation_id),
            "study",
            delivery.study_id,
            detail={
                "delivery": str(delivery.id),
                "destination": destination.ae_title if destination is not None else str(delivery.destination_id),
                "kept": delivery.sent,
                "refused": delivery.failed,
            },
            patient=(patient[0], patient[1], patient[2]) if patient is not None else None,
            outcome=outcome,
            correlation_id=delivery.correlation_id,
        ),
    )


def receipt_of(row: DeliveryReceipt) -> Receipt:
    """Return what a receipt's row says."""
    trouble = deliveries.trouble_of(row)
    return Receipt(row.instance_id, row.sop_uid, row.status, row.comment, row.transfer_syntax_uid, trouble)


def _refused(refused: int, total: int) -> Trouble:
    words = f"the destination refused {refused} of {total} objects"
    return Trouble.of(ObjectsRefused(words, n=refused, total=total))


def _still_open(still_open: int, total: int) -> Trouble:
    words = f"{still_open} of {total} objects are not there yet"
    return Trouble.of(ObjectsOpen(words, n=still_open, total=total))


def _finish(delivery: Delivery, state: str, at: datetime) -> None:
    delivery.state = state
    delivery.finished_at = at
    delivery.next_attempt_at = None


def _batches(receipts: Iterator[Receipt]) -> Iterator[list[Receipt]]:
    """Group receipts for writing; when sending breaks, what was answered before is still handed on."""
    batch: list[Receipt] = []
    begun = monotonic()
    try:
        for receipt in receipts:
            batch.append(receipt)
            if len(batch) >= BATCH or monotonic() - begun > BATCH_S:
                yield batch
                batch, begun = [], monotonic()
    except Interrupted:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
