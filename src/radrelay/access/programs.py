"""Programs that come with a link: they give their answers at once, and are judged as browsers are.

The same counts, the same closing. Who answers right is told besides that a link has ended, or may only be looked at.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import links
from radrelay.access.grants import Target
from radrelay.access.link_keys import LinkKeys, canonical
from radrelay.access.models import LinkAccess, ShareLink
from radrelay.access.visits import (
    ADDRESS,
    VISIT,
    WRONG_ANSWERS,
    Asked,
    LinkTry,
    Reaches,
    Refused,
    Visit,
    begin_visit,
    count_wrong,
    lacking_of,
    principal_of,
    refuse,
    row_of_try,
)
from radrelay.identity import role_of
from radrelay.identity.throttle import address_key, begin, take_back

Dates = Callable[[Session, uuid.UUID, tuple[Target, ...]], set[str]]
"""The dates (ISO 8601) of the studies of an organisation that a link names, whether or not they can be found by it."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is known beyond links when one is tried: whether a principal finds anything, whether it may take it away."""

    reaches: Reaches
    hands_out: Reaches
    dates: Dates | None = None
    """With it, a link that asks for nothing asks programs for the date of a study that it shows."""


def open_by_program(session: Session, keys: LinkKeys, attempt: LinkTry, now: datetime, door: Door) -> Visit | Refused:
    """Judge a program's try, which gives its answers at once, as a browser's: the same counts, the same closing.

    Who comes again within the time of a visit, from the same address and by the same program, uses nothing up: it logs
    in anew while a long download is under way. Links that ask for a code by e-mail open nothing here: a code counts in
    the browser that asked for it. To be committed whatever comes of it. Raises `TooManyAttempts`.
    """
    bound = [(f"link:{address_key(attempt.address)}", ADDRESS)]
    begin(session, bound, now)
    row = row_of_try(session, keys, attempt)
    if row is None or row.protection == "email":
        return Refused("refused")
    answer = attempt.answer if attempt.health else attempt.answer or ""  # health links ask first, and count nothing yet
    told = replace(attempt, answer=answer, tapped=True)
    judged = _judge_program(session, keys, row, told, now, door)
    if not isinstance(judged, Refused):
        take_back(session, bound)
    return judged


def _judge_program(
    session: Session, keys: LinkKeys, row: ShareLink, attempt: LinkTry, now: datetime, door: Door
) -> Visit | Refused:
    role = role_of(session, row.organisation_id, row.maker_kind, row.maker_id, now)
    lasts, principal = links.lasts(row, now), principal_of(row, role, attempt.address, "")
    shut = row.revoked_at is not None or row.suspended_at is not None
    if shut or (lasts and not door.reaches(session, principal)):
        return refuse(session, row, attempt, now)
    lacking = _lacking_of_program(session, keys, row, attempt, now, door)
    if lacking is not None:
        return lacking
    before = _opened_at(session, row, attempt, now)
    if not lasts or (row.max_uses is not None and row.uses >= row.max_uses and before is None):
        return replace(refuse(session, row, attempt, now), why="ended")
    if not row.may_download or not door.hands_out(session, principal):
        return replace(refuse(session, row, attempt, now), why="looking")
    return begin_visit(session, row, attempt, role, now, before)


def _lacking_of_program(
    session: Session, keys: LinkKeys, row: ShareLink, attempt: LinkTry, now: datetime, door: Door
) -> Refused | None:
    """Return what refuses a try that did not answer right; none where it did."""
    if links.closed_until(row, now) is not None:
        return Refused("closed", links.view(row, now))
    lacking = lacking_of(session, keys, row, attempt, now)
    if isinstance(lacking, Asked):
        return Refused("wanting", links.view(row, now), WRONG_ANSWERS - row.wrong)
    if lacking is None and not _is_dated(session, row, attempt, door, lasts=links.lasts(row, now)):
        lacking = count_wrong(session, row, attempt, now)
    return lacking


def _is_dated(session: Session, row: ShareLink, attempt: LinkTry, door: Door, *, lasts: bool) -> bool:
    """Say whether a link that asks for nothing was given the date of a study that it names.

    Where none of its studies has a date any answer is right, but for a link that has ended: of it nothing is told.
    """
    if door.dates is None or row.protection != "none":
        return True
    known = door.dates(session, row.organisation_id, links.targets_of(session, row))
    return canonical("study-date", attempt.answer or "") in known if known else lasts


def _opened_at(session: Session, row: ShareLink, attempt: LinkTry, now: datetime) -> datetime | None:
    """Return when the same program was let in from the same address, if that visit would still last."""
    return session.scalar(
        sa.select(sa.func.min(LinkAccess.at)).where(
            LinkAccess.link_id == row.id,
            LinkAccess.kind == "opened",
            LinkAccess.peer == attempt.address[:64],
            LinkAccess.user_agent == attempt.user_agent[:300],
            LinkAccess.at > now - VISIT,
        )
    )
