"""How an import begins: by a link, or by files that somebody brings; and how it ends before it is filed.

Nothing is asked of a portal here. What was entered is sealed; the work that follows asks.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer import cases
from radrelay.importer.bounds import OUT_OF_BOUNDS
from radrelay.importer.cases import (
    ASKING,
    CHECKING,
    FAILED,
    FETCHING,
    FILING,
    OPEN,
    OVER,
    RECEIVING,
    STATES,
    end,
    get_case,
    move,
)
from radrelay.importer.connectors.entered import link_in
from radrelay.importer.connectors.guided import NAME as GUIDED
from radrelay.importer.connectors.health_links import health_link, is_health_link
from radrelay.importer.endings import token_end
from radrelay.importer.findings import NOTHING_CAME, PAPERS_ALONE
from radrelay.importer.import_errors import (
    ImportBeingFiled,
    ImportElsewhere,
    NothingBrought,
    NothingToFollow,
    NotOutOfBounds,
)
from radrelay.importer.models import ImportCase
from radrelay.importer.places import target_of
from radrelay.importer.sealing import Entered, LinkSeal
from radrelay.importer.secret import Secret
from radrelay.importer.written_down import findings_of
from radrelay.intake.models import Parcel
from radrelay.intake.raw_files import discard_raw
from radrelay.intake.sources import LONGEST_PORTAL_S, SourceView
from radrelay.storage.ids import new_id

MEDIA = "media"
_UNTRACKED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for an import, and why they may."""

    asked_kind: str
    asked_by: str
    account_id: uuid.UUID | None
    basis: str
    birth_date: date | None = None


def begin_link(
    session: Session, source: SourceView, seal: LinkSeal, asked: Asked, text: str, now: datetime,
    answers: Mapping[str, str] | None = None,
) -> ImportCase:  # fmt: skip
    """Begin to fetch what a link leads to; raises `NothingToFollow`."""
    link = link_in(text)
    if not link:
        raise NothingToFollow
    row = _case(session, source, asked, FETCHING, now)
    row.fingerprint = Secret(link).fingerprint
    row.host, row.link_ends_at = _told_by(link)
    row.sealed = seal.close(row.id, Entered(link, answers or {}))
    session.add(row)
    session.flush()
    move(session, row, FETCHING, now)
    return row


def begin_media(session: Session, source: SourceView, asked: Asked, now: datetime) -> ImportCase:
    """Begin an import of files that somebody brings: a ZIP, a folder, a disc."""
    row = _case(session, source, asked, RECEIVING, now)
    row.connector = MEDIA
    session.add(row)
    session.flush()
    return row


def answer(
    session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, seal: LinkSeal, answers: Mapping[str, str],
    now: datetime,
) -> ImportCase:  # fmt: skip
    """Answer what the portal asks, and go on; raises `AttemptsSpent`, `ImportElsewhere`."""
    row = get_case(session, organisation_id, case_id, states=(ASKING, FAILED), lock=True)
    if row.sealed is None or (row.state == FAILED and row.resumes != FETCHING):
        raise ImportElsewhere(state=row.state)
    cases.count_answers(row)
    before, until = seal.open(row.id, row.sealed), row.asks_until
    row.sealed = seal.close(row.id, Entered(before.link, {**before.answers, **answers}))
    move(session, row, FETCHING, now)
    row.asks_until = until  # a browser waits for it on the machine that asked
    return row


def by_hand(session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, now: datetime) -> ImportCase:
    """Have a person fetch what is not to be had by itself, or not just now, and bring it here.

    Nobody waits for the next try of a portal that did not answer. Raises `ImportElsewhere`.
    """
    row = get_case(session, organisation_id, case_id, states=(ASKING, FAILED, FETCHING), lock=True)
    under_way = row.state == FETCHING and (row.next_attempt_at is None or not row.error_code)
    if row.sealed is None or under_way or (row.state == FAILED and row.resumes != FETCHING):
        raise ImportElsewhere(state=row.state)
    row.bytes_received, row.bytes_expected, row.listed = 0, None, ""
    row.connector, code, facts = GUIDED, row.error_code, row.error_facts
    move(session, row, RECEIVING, now)
    row.questions, row.error_code, row.error_facts = "[]", code, facts  # what it is done by hand for
    return row


def bring_others(session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, now: datetime) -> ImportCase:
    """Have a person bring other files where nothing that came can be filed, with the archive locked.

    What came is erased; papers stay, for images may follow to them. Raises `ImportElsewhere`.
    """
    row = get_case(session, organisation_id, case_id, states=(OPEN,), lock=True)
    found = {one.code for one in findings_of(row)}
    if not found & NOTHING_CAME or cases.people_of(session, row.id):
        raise ImportElsewhere(state=row.state)
    if PAPERS_ALONE not in found:
        discard_raw(session, [row.parcel_id], "withdrawn", now)
    row.bytes_received = cases.bytes_brought(session, row)
    reopened = sa.update(Parcel).where(Parcel.id == row.parcel_id)
    session.execute(reopened.values(sealed=False, finished_at=None, state="receiving"), execution_options=_UNTRACKED)
    row.connector, row.bytes_expected, row.checked_at = GUIDED, None, None
    row.listed, row.findings, row.confirmed, row.lacking = "", "[]", "{}", "[]"
    move(session, row, RECEIVING, now)
    return row


def require_brought(row: ImportCase) -> None:
    """Raise `NothingBrought` where no file was brought: there is nothing to check."""
    if row.bytes_received == 0:
        raise NothingBrought


def check_what_came(session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, now: datetime) -> ImportCase:
    """Have what came whole of an import be checked that went beyond its bounds; what has not come is told as missing.

    Raises `ImportElsewhere`, `NotOutOfBounds`.
    """
    row = get_case(session, organisation_id, case_id, states=(FAILED,), lock=True)
    if row.error_code not in OUT_OF_BOUNDS or not row.listed:
        raise NotOutOfBounds
    row.fetched_at, row.sealed = now, None
    move(session, row, CHECKING, now)
    return row


def retry(session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, now: datetime) -> ImportCase:
    """Have a failed import go on where it was; raises `ImportElsewhere`."""
    row = get_case(session, organisation_id, case_id, states=(FAILED,), lock=True)
    move(session, row, row.resumes or FETCHING, now)
    return row


def withdraw(session: Session, organisation_id: uuid.UUID, case_id: uuid.UUID, now: datetime) -> ImportCase:
    """Give an import up, with the archive locked: all that came of it is erased, and what landed of a filing that broke
    off. What was filed stays, and is deleted like any study. Raises `ImportBeingFiled`, `ImportElsewhere`.
    """
    row = get_case(session, organisation_id, case_id, states=tuple(one for one in STATES if one != OVER), lock=True)
    if row.state == FILING:
        raise ImportBeingFiled
    end(session, row, "withdrawn", now)
    return row


def ends_of(source: SourceView, since: datetime) -> datetime:
    """Return when what comes by a source of portals ends at the latest."""
    spans = [LONGEST_PORTAL_S, *(one for one in (source.retention_s, source.max_age_s) if one is not None)]
    return since + timedelta(seconds=min(spans))


def _case(session: Session, source: SourceView, asked: Asked, state: str, now: datetime) -> ImportCase:
    """Return a new import's row. What lands of it is known by its own ID, which no client chooses."""
    parcel_id, correlation_id = new_id(), uuid.uuid4().hex
    ends = ends_of(source, now)
    parcel = Parcel(
        id=parcel_id, organisation_id=source.organisation_id, source_id=source.id, account_id=asked.account_id,
        kind=source.kind, name="", state="receiving", correlation_id=correlation_id, created_at=now,
    )  # fmt: skip
    session.add(parcel)
    return ImportCase(
        id=new_id(), organisation_id=source.organisation_id, source_id=source.id, parcel_id=parcel_id,
        account_id=asked.account_id, state=state, birth_date=asked.birth_date, asked_kind=asked.asked_kind,
        asked_by=asked.asked_by[:200], basis=asked.basis, correlation_id=correlation_id, created_at=now,
        changed_at=now, ends_at=ends, names_end_at=ends, error_facts=json.dumps({}),
    )  # fmt: skip


def _told_by(link: str) -> tuple[str, datetime | None]:
    """Return the host of a link, and when it ends, as far as it says so itself; raises `PortalTrouble`."""
    if is_health_link(link):
        told = health_link(link, clear_loopback=True)
        return told.host[:255], told.expires_at
    return target_of(link, clear_loopback=True).name[:255], token_end(link)
