"""Carrying out a restriction of processing (GDPR Art. 18) for a request, and lifting it.

Kept, but not shown, found, sent, shared or deleted, until it is lifted; before that the person is told (Art. 18 (3)).
It may be asked for as such, or follows from doubts about what is right, or from an objection that is not decided yet.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Bar, Ground, WantedBar
from radrelay.archive.locking import lock_archive
from radrelay.privacy.holdings_of import held
from radrelay.privacy.requests import SHORTEST_REASON, RequestChanged, RequestInvalid, RequestView
from radrelay.routing import deliveries

KINDS = ("restriction", "correction", "objection")


@dataclass(frozen=True, slots=True)
class Restricting:
    """What is wanted: on which ground, why, when somebody looks again; `person`: a study of the one who is meant."""

    ground: Ground
    reason: str
    review_on: date | None = None
    person: uuid.UUID | None = None


def restrict(
    session: Session, organisation_id: uuid.UUID, one: RequestView, wanted: Restricting, *, revision: int, by: str,
    now: datetime,
) -> list[Bar]:  # fmt: skip
    """Restrict processing of a patient's data and hold what is on its way out; in the caller's transaction.

    Raises `RequesterUnverified`, `RequestClosed`, `RequestChanged`, `RequestInvalid`, `SeveralPeople` or `NotFound`.
    """
    one.require_verified()
    if one.revision != revision:
        raise RequestChanged
    if one.kind not in KINDS or one.subject.kind != "patient":
        raise RequestInvalid("processing of a patient's data is restricted, where that is asked", field="kind")
    if len(wanted.reason.strip()) < SHORTEST_REASON:
        raise RequestInvalid("a restriction says why", field="reason")
    if wanted.review_on is not None and wanted.review_on <= now.date():
        raise RequestInvalid("the day to look again is to come", field="review_on")
    lock_archive(session)  # or a study could arrive between the look at those that are here and the commit
    everything = held(session, organisation_id, one.subject)
    meant = everything.of_one(wanted.person)
    single = everything.people > 1
    made = access.bar(
        session, organisation_id,
        WantedBar(
            one.subject.issuer, one.subject.patient_id, wanted.ground, wanted.reason, wanted.review_on, one.id,
            tuple(study.study_uid for study in meant.studies) if single else (),
        ), by, now,
    )  # fmt: skip
    deliveries.hold_for(session, [study.id for study in meant.studies])
    return made


def lift(session: Session, organisation_id: uuid.UUID, bar_id: uuid.UUID, reason: str, told_how: str) -> Bar:
    """Lift a restriction once the person was told; raises `NotFound`, or `RequestInvalid` where that is not said."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise RequestInvalid("say why the restriction is lifted", field="reason")
    if len(told_how.strip()) < SHORTEST_REASON:
        raise RequestInvalid("the person is told before a restriction is lifted: say how", field="told_how")
    lock_archive(session)
    return access.unbar(session, organisation_id, bar_id)


def due_for_review(bars: Sequence[Bar], now: datetime) -> int:
    """Count the restrictions that somebody wanted to look at again by now."""
    return sum(1 for one in bars if one.review_on is not None and one.review_on <= now.date())
