"""Portals' hosts: confirmed by an administrator once, and counted: how often, how fast, how it failed.

A host that is neither listed in the settings nor confirmed is asked for nothing; it stands here to be confirmed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from radrelay.errors import NotFound
from radrelay.importer.cases import OVER
from radrelay.importer.errors import HostNotAllowed, PortalTrouble
from radrelay.importer.health import NOT_ITS_FAULT
from radrelay.importer.models import ImportCase, PortalHost
from radrelay.storage.ids import new_id

ASKED, CONFIRMED, REFUSED = "asked", "confirmed", "refused"
LINK, REDIRECT, ANSWER = "link", "redirect", "answer"
"""How a host was met: the link's own, one that a portal sends on to, one that its answer names (DLX: apiBasePath)."""
COUNTED = "counted"
"""The state of a host that the settings list, and which is only counted here."""


class PortalUnknown(NotFound):
    """No portal by this name was met."""

    code = "portal-unknown"


def list_hosts(session: Session, organisation_id: uuid.UUID) -> list[PortalHost]:
    """Return the portals that an organisation has met: those that wait to be decided on first, then by name."""
    asked = sa.select(PortalHost).where(PortalHost.organisation_id == organisation_id)
    return list(session.scalars(asked.order_by(PortalHost.state != ASKED, PortalHost.host)))


def under_way(session: Session, rows: Iterable[PortalHost]) -> frozenset[uuid.UUID]:
    """Return which of the imports that met some hosts are still here."""
    met = {row.case_id for row in rows if row.case_id is not None}
    asked = sa.select(ImportCase.id).where(ImportCase.id.in_(met), ImportCase.state != OVER)
    return frozenset(session.scalars(asked)) if met else frozenset()


def confirmed_hosts(session: Session) -> frozenset[tuple[uuid.UUID, str]]:
    """Return which hosts administrators have confirmed, for which organisation."""
    asked = sa.select(PortalHost.organisation_id, PortalHost.host).where(PortalHost.state == CONFIRMED)
    return frozenset((one.organisation_id, one.host) for one in session.execute(asked))


def is_refused(session: Session, organisation_id: uuid.UUID, host: str) -> bool:
    """Say whether an administrator has refused a host."""
    refused = (PortalHost.organisation_id == organisation_id, PortalHost.host == host, PortalHost.state == REFUSED)
    return session.scalar(sa.select(PortalHost.id).where(*refused)) is not None


def decide(
    session: Session, organisation_id: uuid.UUID, host: str, *, confirm: bool, by: str, now: datetime
) -> PortalHost:
    """Confirm or refuse a host; it need not have been met."""
    row = _host(session, organisation_id, host, now, ASKED)
    row.state, row.decided_by, row.decided_at = CONFIRMED if confirm else REFUSED, by[:200], now
    return row


def note_success(session: Session, case: ImportCase, seconds: float, now: datetime) -> None:
    """Count a fetch that went well."""
    row = _host(session, case.organisation_id, case.host, now, COUNTED)
    row.successes += 1
    row.seconds += seconds
    row.last_success_at = now


def note_failure(session: Session, case: ImportCase, error: PortalTrouble, now: datetime) -> None:
    """Count a fetch that failed; a host that nobody has confirmed waits to be.

    What a person got wrong and what a link is say nothing about a portal, and are left out (`health`).
    """
    host = str(error.facts.get("host") or case.host)[:255]
    if not host or (isinstance(error, NOT_ITS_FAULT) and not isinstance(error, HostNotAllowed)):
        return
    row = _host(session, case.organisation_id, host, now, ASKED if isinstance(error, HostNotAllowed) else COUNTED)
    if isinstance(error, HostNotAllowed):
        row.state = ASKED if row.state == COUNTED else row.state
        _note_led(row, case, error, now)
        return
    row.failures += 1
    row.last_failure_at, row.last_failure_code = now, error.code


def forget_asked(session: Session, case: ImportCase) -> None:
    """Forget hosts that an import has met and that nobody decided on: strangers fill no administrator's list.

    One that another import waits for, too, stays.
    """
    met = sa.select(PortalHost).where(
        PortalHost.organisation_id == case.organisation_id, PortalHost.state == ASKED, PortalHost.decided_by == "",
        PortalHost.successes == 0, PortalHost.failures == 0,
        sa.or_(PortalHost.host == case.host, PortalHost.case_id == case.id),
    )  # fmt: skip
    for row in session.scalars(met.order_by(PortalHost.id).with_for_update()):
        named = f'"host": {json.dumps(row.host)}'
        waits = sa.and_(
            ImportCase.error_code == HostNotAllowed.code, ImportCase.error_facts.contains(named, autoescape=True)
        )
        others = sa.select(ImportCase.id).where(
            ImportCase.organisation_id == case.organisation_id, ImportCase.id != case.id, ImportCase.state != OVER,
            sa.or_(ImportCase.host == row.host, waits),
        )  # fmt: skip
        if session.scalar(others.limit(1)) is None:
            session.delete(row)


def _note_led(row: PortalHost, case: ImportCase, error: HostNotAllowed, now: datetime) -> None:
    """Note how a host was met that is to be decided on: first, or first by another host than the link's."""
    led_by = str(error.facts.get("led_by", ""))
    how = LINK if row.host == case.host else REDIRECT if led_by else ANSWER
    if row.state != ASKED or (row.led_how and (row.led_how != LINK or how == LINK)):
        return
    row.led_how, row.led_by = how, "" if how == LINK else (led_by or case.host)[:255]
    row.case_id, row.asked_kind, row.asked_by, row.asked_at = case.id, case.asked_kind, case.asked_by, now


def _host(session: Session, organisation_id: uuid.UUID, host: str, now: datetime, state: str) -> PortalHost:
    """Return the row of a host, made at need and the caller's until the end: two may meet a portal at once."""
    new = {
        "id": new_id(), "organisation_id": organisation_id, "host": host, "state": state, "first_at": now,
        "led_how": "", "led_by": "", "asked_kind": "", "asked_by": "", "successes": 0, "failures": 0, "seconds": 0.0,
        "last_failure_code": "", "decided_by": "",
    }  # fmt: skip
    session.execute(insert(PortalHost).on_conflict_do_nothing(index_elements=["organisation_id", "host"]), [new])
    mine = sa.select(PortalHost).where(PortalHost.organisation_id == organisation_id, PortalHost.host == host)
    return session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one()
