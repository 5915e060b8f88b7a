"""The durable work of a delivery: one attempt, idempotent, with a receipt per instance, whatever carries it.

Killed at any moment, the attempt is begun anew and sends what has no receipt of success. Only the object that was
under way, and those answered within `BATCH_S` before, may reach the destination twice, which C-STORE allows.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.clock import Clock
from radrelay.errors import NotFound, RadrelayError, Trouble
from radrelay.routing import deliveries, steering
from radrelay.routing.carriers import Carrier, Committer, DeliveryItem, Errand, ObjectSource, Sending
from radrelay.routing.confirming import Confirmation
from radrelay.routing.copies import Copies, KeptBack, kept_back, original_uid
from radrelay.routing.deliveries import Receipt, too_late
from radrelay.routing.ending import end, note_part, refused, still_open, unfit_for, wait_for_a_look
from radrelay.routing.errors import (
    DeliveredStudyGone,
    Interrupted,
    OriginalNotSent,
    ReceiptsVoid,
)
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination
from radrelay.routing.pacing import Buckets
from radrelay.settings import WorkSettings
from radrelay.storage.database import Database
from radrelay.storage.models import OutboxEvent
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

BATCH = 25  # receipts per transaction
BATCH_S = 0.25  # the longest that a receipt waits for others
TURN_S = 2.0  # a delivery for whose destination too many are under way looks again after so long


@dataclass(frozen=True, slots=True)
class _Ended:
    """How far an attempt came: what it met, and whether all that was to be sent is there."""

    trouble: Trouble | None
    finished: bool = False
    final: bool = False
    retry_at: datetime | None = None


class DeliveryWork:
    """Carries attempts out, by the carrier of each destination's kind."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: WorkSettings,
        source: ObjectSource,
        carriers: Mapping[str, Carrier],
        committer: Committer | None = None,
        copies: Copies | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._source = source
        self._carriers = carriers
        self._copies = copies
        translate = None if copies is None else copies.translated
        self._confirmation = Confirmation(database, clock, settings, committer, translate)
        self._buckets = Buckets()
        self._under_way: set[uuid.UUID] = set()
        self._stuck: set[uuid.UUID] = set()
        self._lock = threading.Lock()
        self._busy: Counter[uuid.UUID] = Counter()

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

        `attended` are those that work waits or is under way for, on any machine; those whose event nobody has taken yet
        are so, too.

        The database or the archive was away for longer than the attempt was tried again. One is met twice before:
        an attempt that was handed over may not have begun yet.
        """
        unattended = sa.or_(
            Delivery.state == "sending",
            sa.and_(Delivery.state.in_(deliveries.DUE_STATES), Delivery.next_attempt_at.is_(None)),
        )
        handed_over = sa.select(OutboxEvent.subject_id).where(
            OutboxEvent.taken_at.is_(None), OutboxEvent.kind == deliveries.ATTEMPT
        )
        asked = sa.select(Delivery.id).where(unattended, Delivery.id.not_in(handed_over))
        with self._database.read() as session:
            stuck = set(session.scalars(asked)) - self._under_way - set(attended)
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
        with self._database.read() as session:
            asked = sa.select(Delivery.destination_id).where(Delivery.id == event.subject_id)
            destination_id = session.scalar(asked.where(Delivery.state.in_(deliveries.UNDER_WAY)))
        if destination_id is None:
            return
        if not self._turn(destination_id):
            self._wait_for_turn(event.subject_id)
            return
        try:
            begun = self._begin(event.subject_id)
            if begun is not None:
                self._run(*begun)
        finally:
            with self._lock:
                self._busy[destination_id] -= 1

    def _run(self, delivery: Delivery, destination: Destination) -> None:
        items = self._source.items(delivery.organisation_id, delivery.study_id, delivery.series_id)
        errand, carrier = Errand(delivery, destination, items), self._carriers[destination.kind]
        try:
            errand = self._named(errand)
        except RadrelayError as error:  # nothing goes: originals never take the place of copies
            ended = _Ended(Trouble.of(error), final=isinstance(error, NotFound))
        else:
            ended = self._carried(errand, carrier)
        if self._end(errand, carrier, ended, delivery.sent):
            self._confirmation.ask(errand)

    def _named(self, errand: Errand) -> Errand:
        """Return an errand whose objects are named as they go; raises `RadrelayError` where copies cannot be made."""
        if errand.delivery.project_id is None:
            return errand
        if self._copies is None or not self._carriers[errand.destination.kind].carries:
            raise OriginalNotSent
        return replace(errand, items=self._copies.named(errand.delivery, errand.items))

    def _begin(self, delivery_id: uuid.UUID) -> tuple[Delivery, Destination] | None:
        now = self._clock.now()
        with self._database.write() as session:
            delivery = session.get(Delivery, delivery_id)
            if delivery is None or delivery.state not in deliveries.UNDER_WAY:
                return None
            destination = session.get(Destination, delivery.destination_id, with_for_update=True)
            delivery = deliveries.locked(session, delivery_id)  # after its destination, as when they are woken
            if delivery is None or delivery.state not in deliveries.UNDER_WAY:  # cancelled meanwhile
                return None
            unfit = unfit_for(destination, delivery)
            if destination is None or unfit is not None:
                delivery.state = "failed"
                deliveries.tell(delivery, unfit)
                delivery.finished_at = now
                return None
            if access.is_barred(session, delivery.study_id):
                deliveries.hold_for(session, [delivery.study_id])
                return None
            wait = steering.wait_of(destination, self._settings, now)
            if wait is not None:
                delivery.state = "waiting"
                deliveries.tell(delivery, wait.trouble)
                delivery.next_attempt_at = wait.until
                return None
            steering.claim(destination, self._settings, now)
            delivery.state = "sending"
            delivery.attempts += 1
            deliveries.tell(delivery, None)
            session.flush()
            session.expunge_all()
            return delivery, destination

    def _turn(self, destination_id: uuid.UUID) -> bool:
        """Take a place among those that send to a destination; one worker stays free for the others."""
        with self._lock:
            if self._busy[destination_id] >= max(1, self._settings.concurrency - 1):
                return False
            self._busy[destination_id] += 1
            return True

    def _wait_for_turn(self, delivery_id: uuid.UUID) -> None:
        with self._database.write() as session:
            session.execute(
                sa.update(Delivery)
                .where(Delivery.id == delivery_id, Delivery.state.in_(deliveries.UNDER_WAY))
                .values(state="waiting", next_attempt_at=self._clock.now() + timedelta(seconds=TURN_S))
            )

    def _carried(self, errand: Errand, carrier: Carrier) -> _Ended:
        """Carry what is not there yet; never raises for what the destination does."""
        delivery, items = errand.delivery, errand.items
        if not items:
            return _Ended(Trouble.of(DeliveredStudyGone("the study is no longer here")))
        try:
            if carrier.carries:
                settled = self._settled(delivery.id)
                todo = [item for item in items if item.instance_id not in settled]
                self._record(delivery.id, (), len(items))  # so that whoever looks sees how many there are
                if todo:
                    self._carry(errand, carrier, todo)
            going = self._going(errand) if carrier.carries else items
            if going is not None and not self._stopped(delivery.id):
                if going:
                    carrier.finish(replace(errand, items=going))
                self._answers(errand.destination)
                return _Ended(None, finished=True)
        except ReceiptsVoid as void:
            with self._database.write() as session:
                deliveries.forget_receipts(session, delivery.id)
            return _Ended(void.trouble)
        except Interrupted as broken:
            return self._interrupted(errand.destination, broken)
        return _Ended(None)

    def _carry(self, errand: Errand, carrier: Carrier, todo: Sequence[DeliveryItem]) -> None:
        for portion in carrier.portions(todo):
            with ExitStack() as stack:
                sending = stack.enter_context(carrier.open(errand, portion))
                self._answers(errand.destination)
                going: Iterable[DeliveryItem] = portion
                if self._copies is not None and errand.delivery.project_id is not None:
                    going = stack.enter_context(closing(self._copies.made(errand.delivery, portion)))
                for batch in _batches(self._send_all(errand, sending, going)):
                    self._record(errand.delivery.id, batch, len(errand.items))

    def _answers(self, destination: Destination) -> None:
        """Note that a destination is there, where it was taken for down."""
        if destination.down_since is not None:
            with self._database.write() as session:
                woken = steering.came_up(session, destination.id, self._clock.now())
            destination.down_since = None
            log.info("a destination answers again", destination=str(destination.id), deliveries=woken)

    def _interrupted(self, destination: Destination, broken: Interrupted) -> _Ended:
        with self._database.write() as session:
            retry_at = steering.interrupted(session, destination.id, broken, self._settings, self._clock.now())
        return _Ended(broken.trouble, final=broken.final, retry_at=retry_at)

    def _going(self, errand: Errand) -> list[DeliveryItem] | None:
        """Return the objects that make up what is delivered, none while one of them is not there."""
        settled = self._settled(errand.delivery.id)
        with self._database.read() as session:
            stay = kept_back(session, errand.delivery, errand.items, settled).for_good
        going = [item for item in errand.items if item.instance_id not in stay]
        return None if any(item.instance_id not in settled for item in going) else going

    def _settled(self, delivery_id: uuid.UUID) -> set[uuid.UUID]:
        with self._database.read() as session:
            kept = sa.select(DeliveryReceipt.instance_id).where(
                DeliveryReceipt.delivery_id == delivery_id, deliveries.KEPT
            )
            return set(session.scalars(kept))

    def _send_all(self, errand: Errand, sending: Sending, items: Iterable[DeliveryItem]) -> Iterator[Receipt]:
        looked_at = self._clock.now()
        originals = {item.instance_id: original_uid(item) for item in errand.items}
        for item in items:
            now = self._clock.now()
            if now - looked_at > timedelta(seconds=1):
                looked_at = now
                if self._stopped(errand.delivery.id):
                    return
            answer = sending.send(self._buckets.paced(errand.destination, item))
            yield Receipt(item.instance_id, originals[item.instance_id], *answer)

    def _stopped(self, delivery_id: uuid.UUID) -> bool:
        """Say whether a delivery shall go no further: cancelled, held, or its destination is paused or out of hours."""
        with self._database.read() as session:
            asked = (
                sa.select(Delivery.state, Delivery.study_id, Destination)
                .join(Destination, Destination.id == Delivery.destination_id)
                .where(Delivery.id == delivery_id)
            )
            row = session.execute(asked).one_or_none()
            if row is None or row.state != "sending" or access.is_barred(session, row.study_id):
                return True
            destination: Destination = row[2]
            if destination.down_since is not None:  # noticed by another delivery; this one has its own association
                return destination.paused_at is not None
            return steering.wait_of(destination, self._settings, self._clock.now()) is not None

    def _record(self, delivery_id: uuid.UUID, receipts: Sequence[Receipt], total: int) -> None:
        with self._database.write() as session:
            delivery = session.get_one(Delivery, delivery_id)
            deliveries.record_receipts(session, self._clock, delivery, receipts, total)

    def _end(self, errand: Errand, carrier: Carrier, ended: _Ended, sent_before: int) -> bool:
        """End the attempt; returns whether commitment is to be asked for.

        It is done once each of its objects is there, whatever was sent of versions that are no more.
        """
        now, total = self._clock.now(), len(errand.items)
        with self._database.write() as session:
            delivery = session.get_one(Delivery, errand.delivery.id)
            if delivery.state != "sending":  # cancelled, or held
                note_part(session, delivery, sent_before)
                return False
            deliveries.record_receipts(session, self._clock, delivery, (), total if carrier.carries else 1)
            stay = self._kept_back(session, delivery, errand) if carrier.carries else KeptBack()
            receipts = self._receipts(session, errand, stay) if carrier.carries else []
            open_ones = [receipt for receipt in receipts if receipt is None or not receipt.kept]
            hopeless = bool(open_ones) and all(receipt is not None and receipt.final for receipt in open_ones)
            trouble = ended.trouble
            if stay.all and not open_ones and (stay.waiting or not delivery.sent) and not trouble:
                wait_for_a_look(session, delivery, stay, total, now)
            elif ended.finished and not open_ones:
                deliveries.tell(delivery, None)
                if not self._confirmation.due(session, errand):
                    end(session, delivery, "done", now)
            elif (
                not errand.items or ended.final or (not trouble and hopeless) or too_late(delivery, self._settings, now)
            ):
                deliveries.tell(delivery, trouble or refused(len(open_ones), total))
                end(session, delivery, "failed", now)
            else:
                delivery.state = "waiting"
                deliveries.tell(delivery, trouble or (still_open(len(open_ones), total) if open_ones else None))
                pause = deliveries.next_pause(delivery.attempts, self._settings)
                delivery.next_attempt_at = ended.retry_at or now + pause
            if delivery.state in ("waiting", "failed", "held"):
                note_part(session, delivery, sent_before)
            log.info("delivery attempt ended", delivery_id=str(delivery.id), state=delivery.state, sent=delivery.sent,
                     total=total, correlation_id=delivery.correlation_id)  # fmt: skip
            return delivery.state == "confirming"

    @staticmethod
    def _kept_back(session: Session, delivery: Delivery, errand: Errand) -> KeptBack:
        """Return what a delivery's project keeps back, and write it into its row."""
        there = {row.instance_id for row in deliveries.receipts_of(session, delivery.id) if receipt_of(row).kept}
        stay = kept_back(session, delivery, errand.items, there)
        delivery.kept_back, delivery.kept_reasons = len(stay.all), ",".join(stay.reasons)[:300]
        return stay

    @staticmethod
    def _receipts(session: Session, errand: Errand, stay: KeptBack) -> list[Receipt | None]:
        """Return the receipt of each object of an errand that goes, None for one that has none."""
        known = {row.instance_id: receipt_of(row) for row in deliveries.receipts_of(session, errand.delivery.id)}
        return [known.get(item.instance_id) for item in errand.items if item.instance_id not in stay.all]


def receipt_of(row: DeliveryReceipt) -> Receipt:
    """Return what a receipt's row says."""
    trouble = deliveries.trouble_of(row)
    return Receipt(row.instance_id, row.sop_uid, row.status, row.comment, row.transfer_syntax_uid, trouble)


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
