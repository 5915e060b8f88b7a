"""Runs of the directory and the accounts that follow it, in the database.

A run is a row before it begins, so that it is not lost with a process. Reading takes long and holds no transaction;
planning and doing stand in one, so that the plan is of what is there. What was read before somebody else's run is
thrown away: it might bring back whom that one shut out.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.identity import accounts, sessions
from radrelay.identity.directory.errors import DirectoryRunning, DirectoryRunUnknown
from radrelay.identity.directory.planning import Change, Known, Newcomer
from radrelay.identity.models import Account, DirectoryRun
from radrelay.storage.ids import new_id

RunKind = Literal["preview", "sync"]
RunState = Literal["waiting", "running", "done", "asks", "failed"]
OPEN = ("waiting", "running")
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands; `report` says what it did, would do, or why it did nothing."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    kind: RunKind
    state: RunState
    asked_by: str
    asked_at: datetime
    read_at: datetime | None
    ended_at: datetime | None
    digest: str
    confirmed: str = ""
    adopt: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)


def ask(
    session: Session, organisation_id: uuid.UUID, kind: RunKind, *, now: datetime, asked_by: str = "",
    confirmed: str = "", adopt: Sequence[str] = (), begin: bool = False,
) -> Run:  # fmt: skip
    """Write down a run that is to be done, or with `begin` begins here; raises `DirectoryRunning` beside another."""
    if open_runs(session, organisation_id):
        raise DirectoryRunning
    row = DirectoryRun(
        id=new_id(), organisation_id=organisation_id, kind=kind, state="running" if begin else "waiting",
        asked_by=asked_by[:200], confirmed=confirmed[:64], adopt=json.dumps(list(adopt)), asked_at=now,
        read_at=now if begin else None, ended_at=None, digest="", report="{}",
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _view(row)


def open_runs(session: Session, organisation_id: uuid.UUID) -> bool:
    """Say whether a run waits or is under way."""
    return session.scalar(sa.select(DirectoryRun.id).where(_open(organisation_id)).limit(1)) is not None


def begin_waiting(session: Session, organisation_id: uuid.UUID, now: datetime, longest: timedelta) -> Run | None:
    """Take the run that waits, if none is under way; one that lasts longer than it can is given up as failed."""
    for row in session.scalars(sa.select(DirectoryRun).where(_open(organisation_id)).order_by(DirectoryRun.id)):
        if row.state == "waiting":
            row.state, row.read_at = "running", now
            session.flush()
            return _view(row)
        if row.read_at is not None and row.read_at <= now < row.read_at + longest:
            return None
        row.state, row.ended_at = "failed", now
        row.report = json.dumps({"trouble": {"code": "directory-run-lost", "detail": "The run was broken off."}})
    session.flush()
    return None


def due(session: Session, organisation_id: uuid.UUID, now: datetime, every: timedelta) -> bool:
    """Say whether the schedule wants a run: accounts follow the directory, and the last was so long ago.

    Before an administrator has confirmed the first, there is none; a clock that went back is no reason to wait.
    """
    if not ran_before(session, organisation_id):
        return False
    last = _last_sync(session, organisation_id)
    return last is None or not last <= now < last + every


def next_at(session: Session, organisation_id: uuid.UUID, every: timedelta) -> datetime | None:
    """Return when the schedule wants the next run; None where it wants none."""
    if not every or not ran_before(session, organisation_id):
        return None
    last = _last_sync(session, organisation_id)
    return None if last is None else last + every


def _last_sync(session: Session, organisation_id: uuid.UUID) -> datetime | None:
    return session.scalar(
        sa.select(sa.func.max(DirectoryRun.asked_at)).where(
            DirectoryRun.organisation_id == organisation_id, DirectoryRun.kind == "sync"
        )
    )


def ran_before(session: Session, organisation_id: uuid.UUID) -> bool:
    """Say whether accounts have ever followed the directory."""
    done = sa.select(DirectoryRun.id).where(
        DirectoryRun.organisation_id == organisation_id, DirectoryRun.kind == "sync", DirectoryRun.state == "done"
    )
    return session.scalar(done.limit(1)) is not None


def overtaken(session: Session, run: Run) -> bool:
    """Say whether a run that read the directory later has been carried out."""
    later = sa.select(DirectoryRun.id).where(
        DirectoryRun.organisation_id == run.organisation_id, DirectoryRun.kind == "sync", DirectoryRun.state == "done",
        DirectoryRun.id != run.id, DirectoryRun.read_at > run.read_at,
    )  # fmt: skip
    return session.scalar(later.limit(1)) is not None


def is_open(session: Session, run: Run) -> bool:
    """Say whether a run is still this process's to end: it may have been given up for lost."""
    return session.scalar(sa.select(DirectoryRun.state).where(DirectoryRun.id == run.id)) == "running"


def end(
    session: Session, run: Run, state: RunState, report: Mapping[str, Any], *, now: datetime, digest: str = ""
) -> Run:
    """Write down how a run ended, and forget those of long ago; the last one that was carried out stays."""
    row = session.get_one(DirectoryRun, run.id)
    row.state, row.ended_at, row.digest = state, now, digest
    row.report = json.dumps(report, ensure_ascii=False)
    session.flush()
    done = sa.select(sa.func.max(DirectoryRun.asked_at)).where(
        DirectoryRun.organisation_id == run.organisation_id, DirectoryRun.state == "done", DirectoryRun.kind == "sync"
    )
    last = session.scalar(done)
    session.execute(
        sa.delete(DirectoryRun).where(
            DirectoryRun.organisation_id == run.organisation_id,
            DirectoryRun.asked_at < min(now - KEPT, last or now),
            DirectoryRun.state.not_in(OPEN),
        )
    )
    return _view(row)


def runs(session: Session, organisation_id: uuid.UUID, most: int = 20) -> list[Run]:
    """Return the last runs, newest first."""
    found = session.scalars(
        sa.select(DirectoryRun)
        .where(DirectoryRun.organisation_id == organisation_id)
        .order_by(DirectoryRun.id.desc())
        .limit(most)
    )
    return [_view(row) for row in found]


def run_of(session: Session, organisation_id: uuid.UUID, run_id: uuid.UUID) -> Run:
    """Return a run; raises `DirectoryRunUnknown`."""
    row = session.scalar(
        sa.select(DirectoryRun).where(DirectoryRun.organisation_id == organisation_id, DirectoryRun.id == run_id)
    )
    if row is None:
        raise DirectoryRunUnknown
    return _view(row)


def known(session: Session, organisation_id: uuid.UUID) -> list[Known]:
    """Return all accounts."""
    rows = session.scalars(sa.select(Account).where(Account.organisation_id == organisation_id))
    return [
        Known(
            row.id, row.username, row.full_name, row.role, row.directory_id, row.disabled_at is not None,
            row.disabled_by_directory,
        )
        for row in rows
    ]  # fmt: skip


def add(session: Session, organisation_id: uuid.UUID, newcomer: Newcomer, now: datetime) -> uuid.UUID:
    """Give somebody an account, or make their own the directory's: its password is no more. Raises `AccountExists`."""
    person = newcomer.person
    if newcomer.adopted is None:
        made = accounts.insert(
            session,
            organisation_id,
            username=person.login,
            full_name=person.name,
            role=newcomer.role,
            password_hash=None,
            must_change_password=False,
            now=now,
            directory_id=person.entry_id,
        )
        return made.id
    row = accounts.by_id(session, organisation_id, newcomer.adopted)
    row.directory_id, row.password_hash, row.must_change_password = person.entry_id, None, False
    row.full_name, row.role = person.name, newcomer.role
    session.flush()
    sessions.end(session, now, account_id=row.id)
    return row.id


def change(session: Session, organisation_id: uuid.UUID, wanted: Change, now: datetime) -> None:
    """Make an account what the directory says. A new name ends an own password: its verifier holds the old one."""
    row = accounts.by_id(session, organisation_id, wanted.account.id)
    if wanted.username is not None:
        folded = accounts.fold_username(wanted.username)
        if folded != row.username_folded:
            row.password_hash, row.must_change_password = None, False
        row.username, row.username_folded = wanted.username, folded
    row.full_name = row.full_name if wanted.full_name is None else wanted.full_name
    row.role = row.role if wanted.role is None else wanted.role
    if wanted.enabled is False:
        row.disabled_at, row.disabled_by_directory = now, True
        sessions.end(session, now, account_id=row.id)
    elif wanted.enabled is True:
        row.disabled_at, row.disabled_by_directory = None, False
    session.flush()


def accounts_of(session: Session, organisation_id: uuid.UUID) -> dict[str, uuid.UUID]:
    """Return the accounts by the ids of their entries."""
    rows = session.execute(
        sa.select(Account.directory_id, Account.id).where(
            Account.organisation_id == organisation_id, Account.directory_id.is_not(None)
        )
    )
    return {str(entry_id): account_id for entry_id, account_id in rows}


def _open(organisation_id: uuid.UUID) -> sa.ColumnElement[bool]:
    return sa.and_(DirectoryRun.organisation_id == organisation_id, DirectoryRun.state.in_(OPEN))


def _view(row: DirectoryRun) -> Run:
    return Run(
        row.id, row.organisation_id, cast("RunKind", row.kind), cast("RunState", row.state), row.asked_by, row.asked_at,
        row.read_at, row.ended_at, row.digest, row.confirmed, tuple(json.loads(row.adopt)), json.loads(row.report),
    )  # fmt: skip
