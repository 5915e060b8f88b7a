"""What is asked for while the same is under way to the same destination: that one delivery, unless it may bring less.

It may where objects came or were corrected since it began; one that has not begun brings whatever is here then.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Correction, Study
from radrelay.routing.deliveries import UNDER_WAY, project_for
from radrelay.routing.destinations import get_destination
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination

LATE = timedelta(seconds=10)
"""What was received shows so much later at the latest, once it is written."""


def same_under_way(
    session: Session,
    organisation_id: uuid.UUID,
    destination_id: uuid.UUID,
    study_id: uuid.UUID,
    series_id: uuid.UUID | None,
    project_id: uuid.UUID | None,
) -> Delivery | None:
    """Return the newest delivery that brings all that is asked for; raises as `deliveries.request_delivery`."""
    destination = get_destination(session, organisation_id, destination_id)
    project_id = project_for(session, destination, project_id)
    # of two that ask at once the second waits here, and then sees what the first asked for
    session.execute(sa.select(Destination.id).where(Destination.id == destination.id).with_for_update())
    rows = session.scalars(
        sa.select(Delivery)
        .where(
            Delivery.organisation_id == organisation_id,
            Delivery.destination_id == destination_id,
            Delivery.study_id == study_id,
            Delivery.series_id.is_(None) if series_id is None else Delivery.series_id == series_id,
            Delivery.project_id.is_(None) if project_id is None else Delivery.project_id == project_id,
            Delivery.state.in_(UNDER_WAY),
        )
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
    )
    return next((row for row in rows if _brings_all(session, row)), None)


def _brings_all(session: Session, row: Delivery) -> bool:
    first = session.scalar(sa.select(sa.func.min(DeliveryReceipt.at)).where(DeliveryReceipt.delivery_id == row.id))
    if row.state == "waiting" and not row.attempts and first is None:
        return True
    began = min(row.created_at, first or row.created_at)
    came = sa.select(Study.id).where(Study.id == row.study_id, Study.last_received_at > began - LATE)
    corrected = sa.select(Correction.id).where(Correction.study_id == row.study_id, Correction.at > began - LATE)
    return session.scalar(came.limit(1)) is None and session.scalar(corrected.limit(1)) is None
