"""Deliveries: a study or series on its way to a destination, with a receipt per instance.

A delivery is `waiting` (for its first or next attempt), `sending`, `confirming` (all is there, storage commitment is
asked for), `done`, `failed` or `cancelled`; or `held`: it was open or owed in a backup that was restored, its patient
has restricted processing, or a person has to look at objects that its project keeps back; it goes on when one says so.
An attempt is one piece of durable work; between attempts nothing sleeps: the time of the next one stands in the row,
and `emit_due` turns it into an event. An instance whose receipt is a success is never sent again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.routing.destinations import OPEN_STATES, get_destination
from radrelay.routing.errors import (
    CopiesNotCarried,
    DeliveryEnded,
    DeliveryNotFound,
    ObjectsKeptBack,
    ProcessingRestricted,
    ProjectDiffers,
)
from radrelay.routing.kinds import CARRYING
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination
from radrelay.settings import WorkSettings
from radrelay.storage import outbox
from radrelay.storage.ids import new_id

ATTEMPT = "delivery.attempt"
KEPT = sa.or_(DeliveryReceipt.status == 0, DeliveryReceipt.status.between(0xB000, 0xBFFF))
"""Receipts of objects that the destination has."""
DUE_STATES = ("waiting", "confirming")
UNDER_WAY = ("waiting", "sending", "confirming")
MOST_URGENT = 100


@dataclass(frozen=True)
class Receipt:
    """A destination's answer for one instance; `status` is the DIMSE status, -1 if none came.

    `trouble` says why we did not send it; the status is then the one that it stands for.
    """

    instance_id: uuid.UUID
    sop_uid: str
    status: int
    comment: str
    transfer_syntax_uid: str
    trouble: Trouble | None = None

    @property
    def kept(self) -> bool:
        """Tell whether the destination has the instance (PS3.4 B.2.3: success and warnings)."""
        return self.status == 0 or 0xB000 <= self.status <= 0xBFFF

    @property
    def final(self) -> bool:
        """Tell whether trying again cannot help: the destination does not take such an object.

        0111H is among them (PS3.7 C.5.7): it has an object of this UID, perhaps this one, and takes no other.
        """
        named = self.status in (0x0106, 0x0111, 0x0117, 0x0122, 0x0124)
        return named or 0xA900 <= self.status <= 0xA9FF or self.status >= 0xC000


def request_delivery(
    session: Session, clock: Clock, *, organisation_id: uuid.UUID, destination_id: uuid.UUID, study_id: uuid.UUID,
    series_id: uuid.UUID | None, requested_by: str, correlation_id: str, priority: int = 0,
    project_id: uuid.UUID | None = None, held: Trouble | None = None,
) -> Delivery:  # fmt: skip
    """Ask for a delivery; its first attempt follows from the event that is written with it.

    `held` says why it is to wait until a person releases it; then no attempt follows.

    `priority`: those of a higher one go first, 0 is the usual, from -100 to 100. `project_id`: of a project of
    pseudonyms by which copies go; a destination that has one takes no other. Raises `DestinationNotFound`,
    `ProjectUnknown`, `ProjectDiffers`, `CopiesNotCarried`.
    """
    priority = max(-MOST_URGENT, min(MOST_URGENT, priority))
    destination = get_destination(session, organisation_id, destination_id)
    project_id = project_for(session, destination, project_id)
    row = Delivery(
        id=new_id(),
        organisation_id=organisation_id,
        destination_id=destination_id,
        study_id=study_id,
        series_id=series_id,
        state="waiting" if held is None else "held",
        priority=priority,
        project_id=project_id,
        requested_by=requested_by,
        correlation_id=correlation_id,
        created_at=clock.now(),
    )
    tell(row, held)
    session.add(row)
    session.flush()
    if held is None:
        _emit(session, row, clock.now())
    return row


def project_for(session: Session, destination: Destination, wanted: uuid.UUID | None) -> uuid.UUID | None:
    """Return the project by which copies go to a destination, none for originals; raises as `request_delivery`."""
    if wanted is not None and destination.project_id not in (None, wanted):
        raise ProjectDiffers
    if wanted is not None:
        from radrelay.pseudonyms import get_project  # noqa: PLC0415 -- brings the codecs, for which `listen` has no room

        get_project(session, destination.organisation_id, wanted)
        if destination.kind not in CARRYING:
            raise CopiesNotCarried
    return wanted or destination.project_id


def list_deliveries(
    session: Session,
    organisation_id: uuid.UUID,
    *,
    study_id: uuid.UUID | None = None,
    within: sa.ColumnElement[bool] | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Return deliveries that fulfil `within`, newest first."""
    query = sa.select(Delivery).where(Delivery.organisation_id == organisation_id)
    if within is not None:
        query = query.where(within)
    if study_id is not None:
        query = query.where(Delivery.study_id == study_id)
    return list(session.scalars(query.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(limit)))


def get_delivery(session: Session, organisation_id: uuid.UUID, delivery_id: uuid.UUID) -> Delivery:
    """Return one delivery; raises `DeliveryNotFound`."""
    found = session.get(Delivery, delivery_id)
    if found is None or found.organisation_id != organisation_id:
        raise DeliveryNotFound
    return found


def receipts_of(session: Session, delivery_id: uuid.UUID) -> list[DeliveryReceipt]:
    """Return the latest answer for each instance that was sent, oldest first."""
    return list(
        session.scalars(
            sa.select(DeliveryReceipt)
            .where(DeliveryReceipt.delivery_id == delivery_id)
            .order_by(DeliveryReceipt.at, DeliveryReceipt.id)
        )
    )


def locked(session: Session, delivery_id: uuid.UUID) -> Delivery | None:
    """Return a delivery as it stands now, whatever was read of it before, and as it stays until the end."""
    row = sa.select(Delivery).where(Delivery.id == delivery_id).with_for_update()
    return session.scalar(row.execution_options(populate_existing=True))


def cancel_delivery(session: Session, clock: Clock, organisation_id: uuid.UUID, delivery_id: uuid.UUID) -> Delivery:
    """Stop a delivery; an attempt under way ends after the object that it is sending."""
    row = get_delivery(session, organisation_id, delivery_id)
    if row.state not in OPEN_STATES:
        raise DeliveryEnded
    row.state = "cancelled"
    row.next_attempt_at = None
    row.finished_at = clock.now()
    return row


def retry_delivery(session: Session, clock: Clock, organisation_id: uuid.UUID, delivery_id: uuid.UUID) -> Delivery:
    """Try again at once what failed, was cancelled, waits or is held; what the destination has is not sent again.

    A destination that is down is tried whatever pause it is in.
    """
    row = get_delivery(session, organisation_id, delivery_id)
    if row.state in ("done", "sending"):
        raise DeliveryEnded("this delivery is done or under way")
    row.state = "waiting"
    row.next_attempt_at = None
    row.finished_at = None
    tell(row, None)
    row.attempts = 0
    row.created_at = clock.now()
    session.execute(sa.update(Destination).where(Destination.id == row.destination_id).values(retry_at=None))
    _emit(session, row, clock.now())
    return row


def go_on_with_released(
    session: Session, clock: Clock, organisation_id: uuid.UUID, project_id: uuid.UUID, study_id: uuid.UUID
) -> int:
    """Go on with deliveries that wait for objects which a person lets pass now; returns how many."""
    rows = session.scalars(
        sa.select(Delivery).where(
            Delivery.organisation_id == organisation_id,
            Delivery.project_id == project_id,
            Delivery.study_id == study_id,
            Delivery.state == "held",
            Delivery.error_code == ObjectsKeptBack.code,
        )
    ).all()
    for row in rows:
        retry_delivery(session, clock, organisation_id, row.id)
    return len(rows)


def prioritise(
    session: Session, clock: Clock, organisation_id: uuid.UUID, delivery_id: uuid.UUID, priority: int
) -> Delivery:
    """Have a delivery go before others, or after them; one that waits for its turn takes its new place at once."""
    row = get_delivery(session, organisation_id, delivery_id)
    if row.state not in OPEN_STATES:
        raise DeliveryEnded
    row.priority = max(-MOST_URGENT, min(MOST_URGENT, priority))
    if row.state == "waiting" and row.next_attempt_at is None:
        _emit(session, row, clock.now())
    return row


def hold_open(session: Session) -> int:
    """Hold every delivery that is open, so that a restored copy sends nothing by itself; returns how many.

    An attempt that was handed over before finds its delivery held and does nothing.
    """
    opened = sa.update(Delivery).where(Delivery.state.in_(UNDER_WAY))
    held = session.execute(opened.values(state="held", next_attempt_at=None).returning(Delivery.id))
    return len(held.all())


def hold_for(session: Session, study_ids: Collection[uuid.UUID]) -> int:
    """Hold the open deliveries of studies whose processing is restricted; returns how many.

    An attempt under way ends after the object that it is sending; it goes on when a person says so.
    """
    trouble = Trouble.of(ProcessingRestricted())
    rows = session.scalars(
        sa.select(Delivery).where(Delivery.study_id.in_(study_ids), Delivery.state.in_(UNDER_WAY))
    ).all()
    for row in rows:
        row.state, row.next_attempt_at = "held", None
        tell(row, trouble)
    session.flush()
    return len(rows)


def emit_due(session: Session, clock: Clock) -> int:
    """Turn waits that are over into events, the most urgent first; returns how many. Call every second or so."""
    now = clock.now()
    rows = session.scalars(
        sa.select(Delivery)
        .where(Delivery.state.in_(DUE_STATES), Delivery.next_attempt_at <= now)
        .order_by(Delivery.priority.desc(), Delivery.created_at)
        .limit(200)
    ).all()
    for row in rows:
        row.next_attempt_at = None
        _emit(session, row, now)
    return len(rows)


def any_due(session: Session, clock: Clock) -> bool:
    """Say whether a wait is over, without taking the writer's place."""
    due = sa.select(Delivery.id).where(Delivery.state.in_(DUE_STATES), Delivery.next_attempt_at <= clock.now())
    return session.scalar(due.limit(1)) is not None


def record_receipts(
    session: Session, clock: Clock, delivery: Delivery, receipts: Sequence[Receipt], total: int
) -> None:
    """Write what was answered and move the counts."""
    if receipts:
        session.execute(
            sa.delete(DeliveryReceipt).where(
                DeliveryReceipt.delivery_id == delivery.id,
                DeliveryReceipt.instance_id.in_([receipt.instance_id for receipt in receipts]),
            )
        )
        session.execute(sa.insert(DeliveryReceipt), [_receipt_row(delivery, r, clock.now()) for r in receipts])
    delivery.total = total
    count(session, delivery)


def count(session: Session, delivery: Delivery) -> None:
    """Move a delivery's counts to what its receipts say."""
    committed = sa.and_(KEPT, DeliveryReceipt.committed_at.is_not(None))
    counts = sa.select(sa.func.count().filter(KEPT), sa.func.count(), sa.func.count().filter(committed))
    sent, all_of_them, delivery.committed = session.execute(
        counts.where(DeliveryReceipt.delivery_id == delivery.id)
    ).one()
    delivery.sent = sent
    delivery.failed = all_of_them - sent


def forget_receipts(session: Session, delivery_id: uuid.UUID) -> None:
    """Forget what was answered for a delivery, so that all of it is sent again."""
    session.execute(sa.delete(DeliveryReceipt).where(DeliveryReceipt.delivery_id == delivery_id))


def tell(row: Delivery, trouble: Trouble | None) -> None:
    """Write into a delivery why it is not done; None: nothing stands against it."""
    row.error = trouble.detail if trouble is not None else ""
    row.error_code = trouble.code if trouble is not None else ""
    row.error_facts = json.dumps(dict(trouble.facts) if trouble is not None else {})


def trouble_of(row: Delivery | DeliveryReceipt) -> Trouble | None:
    """Return what was written of an error, none if nothing was."""
    if not row.error_code:
        return None
    detail = row.error if isinstance(row, Delivery) else row.comment
    return Trouble(row.error_code, detail, json.loads(row.error_facts))


def next_pause(attempts: int, settings: WorkSettings) -> timedelta:
    """Return how long to wait after the given number of attempts: doubling from the first, up to the cap."""
    return timedelta(seconds=min(settings.retry_first_s * 2.0 ** min(attempts - 1, 30), settings.retry_cap_s))


def too_late(row: Delivery, settings: WorkSettings, now: datetime) -> bool:
    """Say whether a delivery was tried for as long as it may be."""
    return too_late_since(row.created_at, settings, now)


def too_late_since(since: datetime, settings: WorkSettings, now: datetime) -> bool:
    """Say whether what was asked for at `since` was tried for as long as it may be."""
    return now - since > timedelta(seconds=settings.retry_for_s)


def _emit(session: Session, row: Delivery, at: datetime) -> None:
    turn = {outbox.TURN: str(MOST_URGENT + 1 - row.priority)}
    outbox.emit(session, organisation_id=row.organisation_id, kind=ATTEMPT, subject_id=row.id, at=at, payload=turn)


def _receipt_row(delivery: Delivery, receipt: Receipt, at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "organisation_id": delivery.organisation_id,
        "delivery_id": delivery.id,
        "instance_id": receipt.instance_id,
        "sop_uid": receipt.sop_uid,
        "status": receipt.status,
        "comment": receipt.comment[:500],
        "error_code": receipt.trouble.code if receipt.trouble is not None else "",
        "error_facts": json.dumps(dict(receipt.trouble.facts) if receipt.trouble is not None else {}),
        "transfer_syntax_uid": receipt.transfer_syntax_uid,
        "at": at,
    }
