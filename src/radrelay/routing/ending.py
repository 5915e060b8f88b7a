"""How a delivery ends, and what is put on record of it: its row goes with its study, the record stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.counts import GONE
from radrelay.archive.models import Study
from radrelay.errors import Trouble
from radrelay.routing import deliveries
from radrelay.routing.errors import DestinationOff, ObjectsOpen, ObjectsRefused, ProjectDiffers
from radrelay.routing.models import CommitmentAsked, Delivery, DeliveryReceipt, Destination
from radrelay.storage import outbox

if TYPE_CHECKING:
    from radrelay.routing.copies import KeptBack


_AT_ONCE = 500
_ENDS_WITHIN = timedelta(minutes=5)


def end(session: Session, delivery: Delivery, state: str, at: datetime) -> None:
    """End a delivery as `done` or `failed`, on record."""
    delivery.state = state
    delivery.finished_at = at
    delivery.next_attempt_at = None
    note(session, delivery, "delivery.end", "success" if state == "done" else "failure")


def any_gone(session: Session) -> bool:
    """Say whether studies went whose deliveries are still here, without taking the writer's place."""
    return bool(outbox.open_kinds(session, [GONE]))


def forget_gone(session: Session, now: datetime) -> int:
    """Take out the deliveries of studies that went since the last time; returns how many.

    A study that one is under way for is looked at again.
    """
    events = outbox.open_events(session, [GONE], _AT_ONCE, lock=True)
    studies = [event.subject_id for event in events]
    count = _forget(session, sa.and_(Delivery.study_id.in_(studies), _ended(now)))
    left = set(session.scalars(sa.select(Delivery.study_id).where(Delivery.study_id.in_(studies))))
    outbox.mark_taken(session, [event.id for event in events if event.subject_id not in left], now)
    return count


def sweep_gone(session: Session, now: datetime) -> int:
    """Take out all deliveries whose study is not here, whatever was told of it; returns how many. It reads them all."""
    return _forget(session, sa.and_(_ended(now), ~sa.exists().where(Study.id == Delivery.study_id)))


def _forget(session: Session, which: sa.ColumnElement[bool]) -> int:
    """Take out deliveries with all that was answered for them; returns how many.

    One that an attempt is under way for goes once that has ended, so that what it let out is on record. Of one that
    waited for commitment everything is there, which is put on record as of any other.
    """
    rows = session.scalars(sa.select(Delivery).where(which).limit(_AT_ONCE)).all()
    for row in rows:
        if row.state == "confirming":
            note(session, row, "delivery.end", "success")
    ids = [row.id for row in rows]
    for table in (DeliveryReceipt, CommitmentAsked):
        session.execute(sa.delete(table).where(table.delivery_id.in_(ids)))
    session.execute(sa.delete(Delivery).where(Delivery.id.in_(ids)))
    return len(ids)


def _ended(now: datetime) -> sa.ColumnElement[bool]:
    under_way = sa.or_(  # one that was cancelled may be sending still
        Delivery.state == "sending", sa.and_(Delivery.state == "cancelled", Delivery.finished_at > now - _ENDS_WITHIN)
    )
    return ~under_way


def note_part(session: Session, delivery: Delivery, sent_before: int) -> None:
    """Put on record that an attempt which did not end it let some objects out: they are a disclosure, too."""
    if delivery.sent > sent_before:
        note(session, delivery, "delivery.part", "success")


def note(session: Session, delivery: Delivery, action: str, outcome: str) -> None:
    """Put on record what came of a delivery."""
    named = sa.select(Study.patient_issuer, Study.patient_id_value, Study.patient_name)
    patient = session.execute(named.where(Study.id == delivery.study_id)).one_or_none()
    destination = session.get(Destination, delivery.destination_id)
    by_project = {"project": str(delivery.project_id), "kept_back": delivery.kept_back} if delivery.project_id else {}
    audit.record(
        session,
        audit.AuditRecord(
            action,
            system_principal(delivery.organisation_id),
            "study",
            delivery.study_id,
            detail={
                "delivery": str(delivery.id),
                "destination": called(destination) if destination is not None else str(delivery.destination_id),
                "kept": delivery.sent,
                "refused": delivery.failed,
                **by_project,
            },
            patient=(patient[0], patient[1], patient[2]) if patient is not None else None,
            outcome=outcome,
            correlation_id=delivery.correlation_id,
        ),
    )


def called(destination: Destination) -> str:
    """Return what the record calls a destination: its AE title where it has one."""
    return destination.ae_title or destination.name


def unfit_for(destination: Destination | None, delivery: Delivery) -> Trouble | None:
    """Return why a delivery cannot go to its destination as they are now, none if it can."""
    if destination is None or not destination.enabled:
        return Trouble.of(DestinationOff("the destination was removed or switched off"))
    if destination.project_id not in (None, delivery.project_id):  # it got one since: no originals go
        return Trouble.of(ProjectDiffers())
    return None


def wait_for_a_look(session: Session, delivery: Delivery, stay: KeptBack, total: int, now: datetime) -> None:
    """Have a delivery wait until a person has looked; it has failed where nothing of it may ever go."""
    deliveries.tell(delivery, stay.trouble(total))
    if stay.waiting:
        delivery.state, delivery.next_attempt_at = "held", None
    else:
        end(session, delivery, "failed", now)


def refused(count: int, total: int) -> Trouble:
    """Return what is said of a delivery whose destination refused objects."""
    words = f"the destination refused {count} of {total} objects"
    return Trouble.of(ObjectsRefused(words, n=count, total=total))


def still_open(count: int, total: int) -> Trouble:
    """Return what is said of a delivery whose objects are not all there."""
    words = f"{count} of {total} objects are not there yet"
    return Trouble.of(ObjectsOpen(words, n=count, total=total))
