"""What older rows say is still to leave the house, in every room that sends: held until a person says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay.analysis import service as analyses
from radrelay.hl7 import service as hl7_service
from radrelay.importer import cases as imports
from radrelay.retrieve import fetches
from radrelay.retrieve.schedules import service as schedules
from radrelay.routing import deliveries, performed
from radrelay.routing.rules import restored as rules_restored


@dataclass(frozen=True, slots=True)
class HeldBack:
    """How much of older rows goes on only when a person says so; `owed` are studies that rules still look at.

    `steps` are performed procedure steps that were to be passed on.
    """

    deliveries: int
    fetches: int
    messages: int
    owed: int
    steps: int


def hold_back(session: Session, now: datetime) -> HeldBack:
    """Hold all that older rows say is still to leave the house: it may have gone out or been cancelled since."""
    schedules.hold_open(session, now)
    analyses.hold_open(session, now)
    imports.hold_open(session, now)
    owed = rules_restored.hold_owed(session, now)
    held = deliveries.hold_open(session), fetches.hold_open(session), hl7_service.hold_open(session)
    return HeldBack(*held, owed, performed.hold_open(session))
