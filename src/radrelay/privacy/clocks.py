"""The clocks of requests and incidents as promises: what is due soon, and what is late."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.mail import filled
from radrelay.privacy.incidents import incidents
from radrelay.privacy.requests import requests
from radrelay.privacy.restricting import due_for_review
from radrelay.privacy.standing import Kept

_REQUESTS = "{n|request of a data subject is|requests of data subjects are}"


def request_clocks(session: Session, organisation_id: uuid.UUID, now: datetime) -> Kept:
    """Say whether every request of a data subject is answered in time; in the last week of one it reminds."""
    still = [one for one in requests(session, organisation_id) if one.closed_at is None]
    states = [one.clock(now) for one in still]
    if late := states.count("late"):
        return Kept(
            "requests",
            "bad",
            "requests-late",
            filled(f"{_REQUESTS} late", n=late),
            {"n": late},
        )
    if soon := states.count("soon"):
        text = filled(f"{_REQUESTS} due within a week", n=soon)
        return Kept("requests", "look", "requests-soon", text, {"n": soon})
    if still:
        text = filled(f"{_REQUESTS} under way", n=len(still))
        return Kept("requests", "good", "requests-open", text, {"n": len(still)})
    return Kept("requests", "good", "requests-none", "no request of a data subject is open")


def restrictions_kept(session: Session, organisation_id: uuid.UUID, now: datetime) -> Kept:
    """Say of how many people processing is restricted, and whether somebody wanted to look again by now."""
    known = access.bars(session, organisation_id)
    if due := due_for_review(known, now):
        text = filled("{n|restriction of processing is|restrictions of processing are} to be looked at again", n=due)
        return Kept("restrictions", "look", "restrictions-review", text, {"n": due})
    if known:
        text = filled("processing is restricted {n|time|times}; expiry waits there", n=len(known))
        return Kept("restrictions", "good", "restrictions-stand", text, {"n": len(known)})
    return Kept("restrictions", "good", "restrictions-none", "processing of nobody's data is restricted")


def incident_clocks(session: Session, organisation_id: uuid.UUID, now: datetime) -> Kept:
    """Say whether the authority and the patients were told of every open incident in time."""
    still = [one for one in incidents(session, organisation_id) if one.closed_at is None]
    clocks = [(one.authority(now), one.patients(now)) for one in still]
    if late := sum("late" in both for both in clocks):
        text = filled("{n|incident was|incidents were} not told in time", n=late)
        return Kept("incidents", "bad", "incidents-late", text, {"n": late})
    if running := sum("running" in both for both in clocks):
        text = filled("{n|incident is|incidents are} to be told, or to be closed", n=running)
        return Kept("incidents", "look", "incidents-running", text, {"n": running})
    return Kept("incidents", "good", "incidents-none", "no incident waits to be told")
