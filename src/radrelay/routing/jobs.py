"""The durable work of a delivery: one attempt, idempotent, with a receipt per instance.

Killed at any moment, the attempt is begun anew and sends what has no receipt of success; only the object that
was under way may reach the destination twice, which C-STORE allows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from radrelay.clock import Clock
from radrelay.routing import deliveries
from radrelay.routing.deliveries import Receipt
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

BATCH = 25  # receipts per transaction


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


class Sending(Protocol):
    """An association to a destination."""

    def send(self, item: DeliveryItem) -> tuple[int, str, str]:
        """Send one object; returns the DIMSE status, the error comment and the transfer syntax used.

        Raises `ConnectionError` when the association is lost.
        """
        ...


class Dialler(Protocol):
    """Opens associations."""

    def open(self, destination: Destination, items: Sequence[DeliveryItem]) -> AbstractContextManager[Sending]:
        """Associate for the SOP classes of `items`; raises `ConnectionError` in plain words."""
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

    def attempt(self, event: Event) -> None:
        """Send what the destination does not have yet; schedule another attempt or end the delivery."""
        begun = self._begin(event.subject_id)
        if begun is None:
            return
        delivery, destination = begun
        items = self._source.items(delivery.organisation_id, delivery.study_id, delivery.series_id)
        settled = self._settled(delivery.id)
        todo = [item for item in items if item.instance_id not in settled]
        error = ""
        try:
            if not items:
                error = "the study is no longer here"
            elif todo:
                for portion in self._dialler.portions(todo):
                    with self._dialler.open(destination, portion) as sending:
                        for batch in _batches(self._send_all(delivery.id, sending, portion)):
                            self._record(delivery.id, batch, len(items))
        except ConnectionError as broken:
            error = str(broken)
        self._end(delivery.id, len(items), error, gone=not items)

    def _begin(self, delivery_id: uuid.UUID) -> tuple[Delivery, Destination] | None:
        with self._database.write() as session:
            delivery = session.get(Delivery, delivery_id)
            if delivery is None or delivery.state not in ("waiting", "sending"):
                return None
            destination = session.get(Destination, delivery.destination_id)
            if destination is None or not destination.enabled:
                delivery.state = "failed"
                delivery.error = "the destination was removed or switched off"
                delivery.finished_at = self._clock.now()
                return None
            delivery.state = "sending"
            delivery.attempts += 1
            delivery.error = ""
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
            status, comment, syntax = sending.send(item)
            yield Receipt(item.instance_id, item.sop_uid, status, comment, syntax)

    def _cancelled(self, delivery_id: uuid.UUID) -> bool:
        with self._database.read() as session:
            return session.scalar(sa.select(Delivery.state).where(Delivery.id == delivery_id)) != "sending"

    def _record(self, delivery_id: uuid.UUID, receipts: Sequence[Receipt], total: int) -> None:
        with self._database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            deliveries.record_receipts(session, self._clock, delivery, receipts, total)

    def _end(self, delivery_id: uuid.UUID, total: int, error: str, *, gone: bool) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            if delivery.state != "sending":
                return
            deliveries.record_receipts(session, self._clock, delivery, (), total)
            delivery.error = error
            if not gone and not error and delivery.sent >= total:
                _finish(delivery, "done", now)
            elif gone or (not error and self._hopeless(delivery)) or self._too_late(delivery, now):
                delivery.error = error or f"the destination refused {delivery.failed} of {total} objects"
                _finish(delivery, "failed", now)
            else:
                delivery.state = "waiting"
                delivery.error = error or f"{total - delivery.sent} of {total} objects are not there yet"
                delivery.next_attempt_at = now + deliveries.next_pause(delivery.attempts, self._settings)
            log.info("delivery attempt ended", delivery_id=str(delivery_id), state=delivery.state, sent=delivery.sent,
                     total=total, correlation_id=delivery.correlation_id)  # fmt: skip

    def _hopeless(self, delivery: Delivery) -> bool:
        with self._database.read() as session:
            rows = session.scalars(sa.select(DeliveryReceipt).where(DeliveryReceipt.delivery_id == delivery.id)).all()
        open_ones = [Receipt(r.instance_id, r.sop_uid, r.status, r.comment, r.transfer_syntax_uid) for r in rows]
        return all(receipt.kept or receipt.final for receipt in open_ones) and len(open_ones) >= delivery.total

    def _too_late(self, delivery: Delivery, now: datetime) -> bool:
        return now - delivery.created_at > timedelta(seconds=self._settings.retry_for_s)


def _finish(delivery: Delivery, state: str, at: datetime) -> None:
    delivery.state = state
    delivery.finished_at = at
    delivery.next_attempt_at = None


def _batches(receipts: Iterator[Receipt]) -> Iterator[list[Receipt]]:
    """Group receipts for writing; when sending breaks, what was answered before is still handed on."""
    batch: list[Receipt] = []
    try:
        for receipt in receipts:
            batch.append(receipt)
            if len(batch) >= BATCH:
                yield batch
                batch = []
    except ConnectionError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
