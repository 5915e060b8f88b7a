"""Whether a destination may be sent to just now: paused, outside its hours, or down; and what ends that.

A destination that cannot be reached is tried by one delivery at a time, with growing pauses up to a cap; all others
wait for that and count no attempt. When it answers again, everything that waited for it goes at once.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.errors import Trouble
from radrelay.routing import deliveries, windows
from radrelay.routing.destinations import get_destination
from radrelay.routing.errors import DestinationDown, DestinationPaused, Interrupted, OutsideHours
from radrelay.routing.models import Delivery, Destination, StepDelivery
from radrelay.settings import WorkSettings
from radrelay.settings.zones import zone_of

log = structlog.get_logger(__name__)

LOOK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a delivery waits although it is its turn, and until when."""

    until: datetime
    trouble: Trouble


def wait_of(destination: Destination, settings: WorkSettings, now: datetime) -> Wait | None:
    """Return what keeps deliveries to a destination back just now."""
    if destination.paused_at is not None:
        return Wait(now + LOOK_AGAIN, Trouble.of(DestinationPaused()))
    opens = windows.opens_at(windows.read(destination.windows), now, zone_of(settings.zone))
    if opens is not None:
        return Wait(opens, Trouble.of(OutsideHours()))
    if destination.down_since is not None and destination.retry_at is not None and destination.retry_at > now:
        return Wait(destination.retry_at, trouble_of(destination) or Trouble.of(DestinationDown()))
    return None


def trouble_of(destination: Destination) -> Trouble | None:
    """Return why a destination is down."""
    if not destination.error_code:
        return None
    return Trouble(destination.error_code, destination.error, json.loads(destination.error_facts))


def claim(destination: Destination, settings: WorkSettings, now: datetime) -> None:
    """Let a delivery that has its turn be the one that tries a destination which is down; the others wait for it."""
    if destination.down_since is not None:
        destination.failures += 1
        destination.retry_at = now + deliveries.next_pause(destination.failures, settings)


def interrupted(
    session: Session, destination_id: uuid.UUID, broken: Interrupted, settings: WorkSettings, now: datetime
) -> datetime | None:
    """Note what stopped a delivery, if it stops all others, too; returns when the destination is tried again."""
    if not broken.down:
        return None
    log.warning("a destination cannot be reached", destination=str(destination_id), code=broken.trouble.code)
    return went_down(session, destination_id, broken.trouble, settings, now)


def went_down(
    session: Session, destination_id: uuid.UUID, trouble: Trouble, settings: WorkSettings, now: datetime
) -> datetime | None:
    """Note that a destination could not be reached; returns when it is tried again, None if it is no more."""
    row = session.get(Destination, destination_id, with_for_update=True)
    if row is None:
        return None
    row.failures = row.failures or 1
    row.down_since = row.down_since or now
    row.retry_at = max(row.retry_at or now, now + deliveries.next_pause(row.failures, settings))
    row.error, row.error_code, row.error_facts = trouble.detail, trouble.code, json.dumps(dict(trouble.facts))
    return row.retry_at


def came_up(session: Session, destination_id: uuid.UUID, now: datetime) -> int:
    """Note that a destination answers, and let go what waited for that; returns how many deliveries."""
    row = session.get(Destination, destination_id, with_for_update=True)
    if row is None or row.down_since is None:
        return 0
    row.down_since = row.retry_at = row.alarmed_at = None
    row.failures, row.error, row.error_code, row.error_facts = 0, "", "", "{}"
    return wake(session, destination_id, now)


def pause(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID, now: datetime) -> Destination:
    """Send nothing more to a destination; what is on its way ends after the object that is being sent."""
    row = get_destination(session, organisation_id, destination_id)
    row.paused_at = row.paused_at or now
    return row


def resume(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID, now: datetime) -> Destination:
    """Let a destination be sent to again."""
    row = get_destination(session, organisation_id, destination_id)
    row.paused_at = row.retry_at = None
    wake(session, destination_id, now)
    return row


def down(session: Session, organisation_id: uuid.UUID | None = None) -> list[tuple[Destination, int]]:
    """Return the destinations that are down, each with how many deliveries wait for it."""
    waiting = (
        sa.select(sa.func.count())
        .where(Delivery.destination_id == Destination.id, Delivery.state.in_(deliveries.UNDER_WAY))
        .scalar_subquery()
    )
    asked = sa.select(Destination, waiting).where(Destination.down_since.is_not(None), Destination.enabled.is_(True))
    if organisation_id is not None:
        asked = asked.where(Destination.organisation_id == organisation_id)
    return [(row, count) for row, count in session.execute(asked.order_by(Destination.name))]


def waiting_for(session: Session, organisation_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """Return how many deliveries are under way to each destination."""
    asked = (
        sa.select(Delivery.destination_id, sa.func.count())
        .where(Delivery.organisation_id == organisation_id, Delivery.state.in_(deliveries.UNDER_WAY))
        .group_by(Delivery.destination_id)
    )
    return {row[0]: row[1] for row in session.execute(asked)}


def wake(session: Session, destination_id: uuid.UUID, now: datetime) -> int:
    """Let everything that waits for a destination look again whether it may go; returns how many deliveries."""
    steps = sa.update(StepDelivery).where(
        StepDelivery.destination_id == destination_id, StepDelivery.state == "waiting",
        StepDelivery.next_attempt_at > now,
    )  # fmt: skip
    session.execute(steps.values(next_attempt_at=now))
    woken = session.execute(
        sa.update(Delivery)
        .where(
            Delivery.destination_id == destination_id,
            Delivery.state.in_(deliveries.DUE_STATES),
            Delivery.next_attempt_at > now,
        )
        .values(next_attempt_at=now)
        .returning(Delivery.id)
    )
    return len(woken.all())
