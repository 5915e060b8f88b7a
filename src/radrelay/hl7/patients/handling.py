"""What follows from ADT messages: the patient's rows are kept true, and their studies follow as it is set."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.hl7.content import Adt, Content
from radrelay.hl7.errors import IssuersDiffer, StudiesLeft, TimesAhead
from radrelay.hl7.patients.coercing import Follower
from radrelay.hl7.patients.keeping import Saying, keep_demographics, keep_merge, keep_visit
from radrelay.hl7.patients.policy import NONE, Policy
from radrelay.hl7.processing import KeptMessage

FARTHEST = timedelta(days=1)
SKEW = timedelta(minutes=5)
"""So far two clocks may be apart without anybody having to look."""


class PatientBook:
    """The handler of messages about patients, by what is set for each port."""

    def __init__(self, clock: Clock, policies: Mapping[str, Policy]) -> None:
        self._clock = clock
        self._policies = policies
        self._follower = Follower(policies)

    def __call__(self, session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
        """Act on a message; returns `StudiesLeft` where a person has to look.

        Raises `IssuerMissing`, `IssuerForeign` and `IssuersDiffer` for IDs that nothing may follow from, `MergeOlder`,
        and what a value is refused by that DICOM cannot hold.
        """
        adt = content.adt
        if adt is None:
            return None
        policy = self._policies.get(kept.port, NONE)
        saying = Saying(kept.organisation_id, kept.id, kept.port, said_at(content, kept), self._clock.now())
        reason = f"{kept.type} {kept.control_id}"
        if adt.merges:
            return self._merged(session, saying, policy, adt, reason)
        policy.require(adt.patient)
        row = keep_demographics(session, saying, adt.patient)
        keep_visit(session, saying, row, adt)
        return self._followed(session, saying, [adt.patient.key], reason, {})

    def follow(self, session: Session, study_ids: Sequence[uuid.UUID]) -> None:
        """Let studies that have come follow what was said before."""
        self._follower.follow_studies(session, study_ids, self._clock.now())

    def _merged(self, session: Session, saying: Saying, policy: Policy, adt: Adt, reason: str) -> RadrelayError | None:
        keys, names = [], {}
        for one in adt.merges:
            policy.require(one.patient)
            policy.require(one.prior)
            if one.patient.issuer != one.prior.issuer:
                raise IssuersDiffer(issuer=one.patient.issuer, other=one.prior.issuer)
            row = keep_demographics(session, saying, one.patient)
            keep_merge(session, saying, row, one.prior)
            keys += [one.prior.key, one.patient.key]
            names[one.prior.key] = one.prior.name
        return self._followed(session, saying, keys, reason, names)

    def _followed(
        self, session: Session, saying: Saying, keys: Sequence[tuple[str, str]], reason: str,
        names: Mapping[tuple[str, str], str],
    ) -> RadrelayError | None:  # fmt: skip
        left = self._follower.follow(session, saying.organisation_id, keys, saying.now, reason, names)
        return StudiesLeft(studies=left) if left else None


def said_at(content: Content, kept: KeptMessage) -> datetime:
    """Return when something was said: as it was entered, or sent, by the sender's clock; else when it came.

    A clock that is ahead keeps the order of what it tells, so it is taken as it is; but for a time that is more than
    `FARTHEST` off, beside which nothing later would count any more.
    """
    told = _told_at(content)
    if told is None:
        return kept.received_at
    at = in_repeated_hour(told, kept.received_at)
    return kept.received_at if at > kept.received_at + FARTHEST else at


def in_repeated_hour(told: datetime, received_at: datetime) -> datetime:
    """Return a moment in UTC. Of a time that was on the wall twice, the later one that is not after it came."""
    first, second = told.replace(fold=0).astimezone(UTC), told.replace(fold=1).astimezone(UTC)
    return second if first < second <= received_at + SKEW else first


def note_ahead(session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
    """Tell of a message whose times lie in the future: its sender's clock, or the port's zone, is wrong."""
    del session
    told = _told_at(content)
    ahead = timedelta() if told is None else in_repeated_hour(told, kept.received_at) - kept.received_at
    return TimesAhead(minutes=round(ahead / timedelta(minutes=1))) if ahead > SKEW else None


def _told_at(content: Content) -> datetime | None:
    return (content.adt.recorded_at if content.adt is not None else None) or content.header.at
