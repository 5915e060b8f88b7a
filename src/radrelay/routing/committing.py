"""Storage commitment that we ask destinations for (PS3.4 J.3): which transactions are open, and what is reported.

A transaction is a row before its N-ACTION leaves, so that a report finds its delivery whichever process takes it and
however late it comes. What a destination does not commit to has no receipt any more and is sent again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.network.ports import CommitmentReport, Reference
from radrelay.routing import deliveries
from radrelay.routing.carriers import DeliveryItem
from radrelay.routing.ending import end
from radrelay.routing.errors import CommitmentFromOther, NotCommitted
from radrelay.routing.models import CommitmentAsked, Delivery, DeliveryReceipt, Destination
from radrelay.settings import WorkSettings
from radrelay.storage.ids import new_id

log = structlog.get_logger(__name__)

AT_ONCE = 5000
"""Instances asked for in one transaction; a report of so many stays below the listener's limit."""
_CHUNK = 500


def open_transaction(session: Session, delivery: Delivery, references: Sequence[Reference], now: datetime) -> str:
    """Write down a transaction about some objects, and return its UID (PS3.5 B.2), which nobody can guess."""
    transaction_uid = f"2.25.{uuid.uuid4().int}"
    session.add(
        CommitmentAsked(
            id=new_id(),
            organisation_id=delivery.organisation_id,
            delivery_id=delivery.id,
            transaction_uid=transaction_uid,
            sop_uids=json.dumps([one.sop_uid for one in references] if delivery.project_id is None else []),
            asked_at=now,
        )
    )
    session.flush()
    return transaction_uid


def times_asked(session: Session, delivery_id: uuid.UUID) -> int:
    """Return how often a delivery's commitment was asked for."""
    asked = sa.select(sa.func.count()).select_from(CommitmentAsked).where(CommitmentAsked.delivery_id == delivery_id)
    return session.scalar(asked) or 0


def uncommitted(session: Session, delivery_id: uuid.UUID, items: Iterable[DeliveryItem]) -> list[Reference]:
    """Return those of `items` that the destination has taken and not committed to yet."""
    rows = session.scalars(
        sa.select(DeliveryReceipt.instance_id).where(
            DeliveryReceipt.delivery_id == delivery_id, deliveries.KEPT, DeliveryReceipt.committed_at.is_(None)
        )
    )
    wanted = set(rows)
    return [Reference(item.sop_class_uid, item.sop_uid) for item in items if item.instance_id in wanted]


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports on an association of its own; `is_destination`: it calls from the address of the destination."""

    ae_title: str
    host: str = ""
    is_destination: bool = False


Translate = Callable[[Session, Delivery, CommitmentReport, Sequence[str]], CommitmentReport]
"""Turns what is reported of a delivery's copies into a report on their originals."""


def take_report(
    session: Session,
    clock: Clock,
    settings: WorkSettings,
    report: CommitmentReport,
    translate: Translate | None = None,
    *,
    reporter: Reporter | None = None,
) -> bool:
    """Write what a destination reports into its delivery's receipts; false where nobody has asked for it.

    Without `translate` what is reported of copies is not understood. `reporter` is who reports on an association of its
    own: it is believed under the destination's AE title, or from its address under any, and in what was asked for.
    """
    asked = session.scalars(
        sa.select(CommitmentAsked).where(CommitmentAsked.transaction_uid == report.transaction_uid)
    ).one_or_none()
    delivery = session.get(Delivery, asked.delivery_id, with_for_update=True) if asked is not None else None
    if asked is None or delivery is None or not _is_asked(session, delivery, reporter):
        return False
    if delivery.project_id is None:
        report = _as_asked(report, frozenset(json.loads(asked.sop_uids)))
    elif translate is None:
        return False
    else:
        originals = [row.sop_uid for row in deliveries.receipts_of(session, delivery.id)]
        report = translate(session, delivery, report, originals)
    _commit(session, delivery, sorted(report.committed), clock.now())
    refused = _refuse(session, delivery, report)
    open_ones = sa.select(sa.func.count()).where(
        DeliveryReceipt.delivery_id == delivery.id, deliveries.KEPT, DeliveryReceipt.committed_at.is_(None)
    )
    deliveries.count(session, delivery)
    if delivery.state == "confirming":
        if refused:
            delivery.state = "waiting"
            deliveries.tell(delivery, _not_committed(refused))
            delivery.next_attempt_at = clock.now() + deliveries.next_pause(max(1, delivery.attempts), settings)
        elif not session.scalar(open_ones):
            deliveries.tell(delivery, None)
            end(session, delivery, "done", clock.now())
    return True


def host_asked(session: Session, transaction_uid: str) -> str:
    """Return the host of the destination that a transaction was opened with, empty if there is none."""
    asked = (
        sa.select(Destination.host)
        .join(Delivery, Delivery.destination_id == Destination.id)
        .join(CommitmentAsked, CommitmentAsked.delivery_id == Delivery.id)
        .where(CommitmentAsked.transaction_uid == transaction_uid)
    )
    return session.scalar(asked) or ""


def _is_asked(session: Session, delivery: Delivery, reporter: Reporter | None) -> bool:
    """Say whether who reports is who was asked, and tell if not; on the association that we asked on it is."""
    if reporter is None:
        return True
    title = session.scalar(sa.select(Destination.ae_title).where(Destination.id == delivery.destination_id)) or ""
    called = reporter.ae_title.strip()
    if reporter.is_destination or (title.strip() and title.strip().casefold() == called.casefold()):
        return True
    log.warning("commitment reported by another than was asked", delivery=str(delivery.id), ae_title=called,
                host=reporter.host)  # fmt: skip
    if delivery.state == "confirming":
        words = f"{called} at {reporter.host} reports on this, and is neither called nor at the address that was asked"
        deliveries.tell(delivery, Trouble.of(CommitmentFromOther(words, ae_title=called, host=reporter.host)))
    return False


def _as_asked(report: CommitmentReport, asked: frozenset[str]) -> CommitmentReport:
    """Return what a report says of what was asked for."""
    failed = {uid: reason for uid, reason in report.failed.items() if uid in asked}
    if len(failed) < len(report.failed) or not report.committed <= asked:
        log.warning("commitment reported of objects that were not asked for", transaction=report.transaction_uid)
    return CommitmentReport(report.transaction_uid, report.committed & asked, failed)


def _commit(session: Session, delivery: Delivery, sop_uids: Sequence[str], now: datetime) -> None:
    for start in range(0, len(sop_uids), _CHUNK):
        session.execute(
            sa.update(DeliveryReceipt)
            .where(
                DeliveryReceipt.delivery_id == delivery.id,
                DeliveryReceipt.sop_uid.in_(sop_uids[start : start + _CHUNK]),
                DeliveryReceipt.committed_at.is_(None),
                deliveries.KEPT,
            )
            .values(committed_at=now)
        )


def _refuse(session: Session, delivery: Delivery, report: CommitmentReport) -> int:
    """Turn the receipts of instances that are not committed into refusals; returns how many."""
    refused = 0
    for row in deliveries.receipts_of(session, delivery.id):
        reason = report.failed.get(row.sop_uid)
        if reason is None or row.committed_at is not None or row.status not in (0, *range(0xB000, 0xC000)):
            continue
        trouble = Trouble.of(NotCommitted(f"the destination does not keep it (reason {reason:04X}H)", reason=reason))
        row.status = reason if reason and not 0xB000 <= reason <= 0xBFFF else 0x0110
        row.comment, row.error_code = trouble.detail, trouble.code
        row.error_facts = json.dumps(dict(trouble.facts))
        refused += 1
    session.flush()
    return refused


def _not_committed(refused: int) -> Trouble:
    words = f"the destination does not keep {refused} of the objects that it had taken; they are sent again"
    return Trouble.of(NotCommitted(words, n=refused))
