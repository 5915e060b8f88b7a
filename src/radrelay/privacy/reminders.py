"""Letters to the data protection officers of requests that are soon due, and of those that are late: each once.

In: open requests, the thresholds in days, a moment that a trusted clock told. Out: rows of what was reminded, and
letters in the same transaction. After days without mail or power only the nearest reminder goes. A clock that is made
longer reminds anew. No letter names a patient, the requester or what is asked.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.archive.retention import clock_is_trusted
from radrelay.identity.models import Account
from radrelay.mail import Post, require_address
from radrelay.mail.errors import AddressInvalid
from radrelay.mail.letters import language_of
from radrelay.privacy.contacts import contacts_of
from radrelay.privacy.models import PrivacyReminder, PrivacyRequest

LATE = 0
DAY = timedelta(days=1)


def remind(session: Session, post: Post, thresholds: Collection[int], now: datetime) -> int:
    """Post what is due to be reminded of, for every organisation; returns how many letters.

    Where nobody can be reached nothing is noted, so that the reminder goes once somebody can. Nothing goes while the
    clock is in doubt: after a jump everything would seem late.
    """
    if not post.is_set or not clock_is_trusted(session, now):
        return 0
    soon = now + DAY * max(thresholds, default=0)
    rows = session.scalars(
        sa.select(PrivacyRequest).where(PrivacyRequest.closed_at.is_(None), PrivacyRequest.due_at <= soon)
    ).all()
    return sum(_remind(session, post, row, thresholds, now) for row in rows)


def stage_of(due_at: datetime, thresholds: Collection[int], now: datetime) -> int | None:
    """Return the nearest threshold in days that is reached, 0 once it is late; none before the first."""
    if now > due_at:
        return LATE
    reached = [days for days in thresholds if due_at - now <= DAY * days]
    return min(reached) if reached else None


def _remind(session: Session, post: Post, row: PrivacyRequest, thresholds: Collection[int], now: datetime) -> int:
    stage = stage_of(row.due_at, thresholds, now)
    told = sa.select(sa.func.min(PrivacyReminder.days)).where(
        PrivacyReminder.request_id == row.id, PrivacyReminder.due_at == row.due_at
    )
    nearest = session.scalar(told)
    if stage is None or (nearest is not None and nearest <= stage):
        return 0
    whom, house = officers(session, row.organisation_id), post.house_of(session, row.organisation_id)
    for address, language, name, account_id in whom:
        words = language_of(language, post.settings.language)
        day = f"{row.due_at:%d.%m.%Y}" if words == "de" else f"{row.due_at:%d %B %Y}"
        left = max(0, math.ceil((row.due_at - now) / DAY))
        kind = "request-late" if stage == LATE else "request-due"
        letter = post.letter(kind, words, whom=name, house=house, due=day, days=str(left))
        post.enqueue(session, row.organisation_id, address, letter, account_id=account_id)
    if whom:
        session.add(PrivacyReminder(request_id=row.id, due_at=row.due_at, days=stage, at=now, letters=len(whom)))
        system = system_principal(row.organisation_id)
        detail = {"days": stage, "letters": len(whom)}
        audit.record(session, audit.AuditRecord("request.remind", system, "request", row.id, detail))
        session.flush()
    return len(whom)


def officers(session: Session, organisation_id: uuid.UUID) -> list[tuple[str, str, str, uuid.UUID | None]]:
    """Return address, language, name and account of those who are reminded.

    The data protection officers who can log in and have an address; where there is none, the officer's contact.
    """
    rows = session.scalars(
        sa.select(Account)
        .where(Account.organisation_id == organisation_id, Account.role == "dpo", Account.disabled_at.is_(None))
        .where(Account.email.is_not(None))
        .order_by(Account.id)
    )
    found: list[tuple[str, str, str, uuid.UUID | None]] = [
        (row.email or "", row.language, row.full_name, row.id) for row in rows
    ]
    contact = contacts_of(session, organisation_id)
    if found or not contact.officer_contact:
        return found
    try:
        return [(require_address(contact.officer_contact), "", contact.officer_name, None)]
    except AddressInvalid:
        return []
