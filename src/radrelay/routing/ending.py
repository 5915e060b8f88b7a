"""How a delivery ends, and what is put on record of it: its row goes with its study, the record stays."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.models import Study
from radrelay.routing.models import Delivery, Destination


def end(session: Session, delivery: Delivery, state: str, at: datetime) -> None:
    """End a delivery as `done` or `failed`, on record."""
    delivery.state = state
    delivery.finished_at = at
    delivery.next_attempt_at = None
    note(session, delivery, "delivery.end", "success" if state == "done" else "failure")


def note_part(session: Session, delivery: Delivery, sent_before: int) -> None:
    """Put on record that an attempt which did not end it let some objects out: they are a disclosure, too."""
    if delivery.sent > sent_before:
        note(session, delivery, "delivery.part", "success")


def note(session: Session, delivery: Delivery, action: str, outcome: str) -> None:
    """Put on record what came of a delivery."""
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
                "destination": called(destination) if destination is not None else str(delivery.destination_id),
                "kept": delivery.sent,
                "refused": delivery.failed,
            },
            patient=(patient[0], patient[1], patient[2]) if patient is not None else None,
            outcome=outcome,
            correlation_id=delivery.correlation_id,
        ),
    )


def called(destination: Destination) -> str:
    """Return what the record calls a destination: its AE title where it has one."""
    return destination.ae_title or destination.name
