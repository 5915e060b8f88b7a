"""Carrying out a correction (GDPR Art. 16) for a request: first what it would change, then the change."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay.archive import corrections
from radrelay.archive.corrections import Plan
from radrelay.errors import NotFound
from radrelay.privacy.holdings_of import held
from radrelay.privacy.requests import SHORTEST_REASON, RequestChanged, RequestInvalid, RequestView


@dataclass(frozen=True, slots=True)
class Correcting:
    """Which studies are to say what, and why; `carry_out` false: only tell what it would change."""

    study_ids: tuple[uuid.UUID, ...]
    values: Mapping[str, str]
    reason: str
    carry_out: bool


def correct(
    session: Session, organisation_id: uuid.UUID, one: RequestView, wanted: Correcting, *, revision: int, by: str,
    now: datetime,
) -> Plan:  # fmt: skip
    """Return what a correction changes, carried out in the caller's transaction if that is wanted.

    Raises `RequesterUnverified`, `RequestClosed`, `RequestChanged`, `RequestInvalid`, `NotFound` for a study that is
    not of the request's patient, and what `corrections.plan` raises.
    """
    one.require_verified()
    if one.revision != revision:
        raise RequestChanged
    if one.kind != "correction" or one.subject.kind != "patient":
        raise RequestInvalid("only a request to correct a patient's data is carried out here", field="kind")
    theirs = {study.id for study in held(session, organisation_id, one.subject).studies}
    if not set(wanted.study_ids) <= theirs:
        raise NotFound("there is no such study under this patient ID")
    if not wanted.carry_out:
        return corrections.plan(session, organisation_id, wanted.study_ids, wanted.values)
    if len(wanted.reason.strip()) < SHORTEST_REASON:
        raise RequestInvalid("a correction says why", field="reason")
    return corrections.correct(
        session, organisation_id, wanted.study_ids, wanted.values, by=by, reason=wanted.reason.strip(),
        request_id=one.id, now=now,
    )  # fmt: skip
