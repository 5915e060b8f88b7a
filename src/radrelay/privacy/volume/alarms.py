"""Alarms of unusual volume: raised once for an access and a day, told to who is to know, settled by a person.

What is raised, suspended and settled is on record, so an audit repository hears of it. An alarm that nobody settles
counts on for a day; what goes on after that is another. What is settled begins to be counted anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import Principal, system_principal
from radrelay.access.models import ShareLink
from radrelay.errors import Conflict, Forbidden, NotFound
from radrelay.identity import Identity
from radrelay.identity.models import Account
from radrelay.mail import Post, filled
from radrelay.privacy.models import VolumeAlarm
from radrelay.privacy.standing import Kept
from radrelay.privacy.volume import suspending
from radrelay.privacy.volume.counting import Counts, Measure, Subject, SubjectKind
from radrelay.privacy.volume.usual import Exceeded
from radrelay.settings import GIB
from radrelay.storage.ids import new_id

DAY = timedelta(hours=24)
INSTANT = timedelta(microseconds=1)  # what was fetched at that very moment is counted by then
MOST_LISTED = 200
TOLD_ROLES = ("admin", "dpo")


class AlarmUnknown(NotFound):
    """There is no such alarm here."""

    code = "volume-alarm-unknown"


class AlarmSettled(Conflict):
    """Somebody has settled this alarm already."""

    code = "volume-alarm-settled"


class OwnAlarm(Forbidden):
    """This alarm is about you; somebody else has to settle it."""

    code = "volume-alarm-own"


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An access that fetched far more than usual, and what was done about it."""

    id: uuid.UUID
    kind: SubjectKind
    own_id: str
    name: str
    began_at: datetime
    at: datetime
    counted_at: datetime
    studies: int
    patients: int
    fetches: int
    bytes: int
    measure: Measure
    usual: int | None
    most: int
    suspended_at: datetime | None
    kept_open: str
    settled_at: datetime | None
    settled_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of an access: by what it is known, how much since when, and what is far more than usual."""

    subject: Subject
    name: str
    began_at: datetime
    counts: Counts
    exceeded: Exceeded


def newest(session: Session, subject: Subject) -> AlarmView | None:
    """Return the newest alarm of an access."""
    row = _newest(session, subject)
    return None if row is None else _view(row)


def counted_from(alarm: AlarmView | None, now: datetime) -> datetime:
    """Return from when on an access is counted: a day back, but nothing that an alarm was raised for or settled."""
    if alarm is None:
        return now - DAY
    if alarm.settled_at is not None:
        return max(now - DAY, alarm.settled_at + INSTANT)
    return alarm.began_at if now - alarm.at < DAY else max(now - DAY, alarm.counted_at + INSTANT)


def listed(session: Session, organisation_id: uuid.UUID) -> list[AlarmView]:
    """Return the organisation's alarms: what is open first, then the newest."""
    rows = session.scalars(
        sa.select(VolumeAlarm)
        .where(VolumeAlarm.organisation_id == organisation_id)
        .order_by(VolumeAlarm.settled_at.is_not(None), VolumeAlarm.at.desc(), VolumeAlarm.id.desc())
        .limit(MOST_LISTED)
    )
    return [_view(row) for row in rows]


def standing(session: Session, organisation_id: uuid.UUID) -> Kept:
    """Say whether somebody has looked into every alarm."""
    mine = sa.and_(VolumeAlarm.organisation_id == organisation_id, VolumeAlarm.settled_at.is_(None))
    waiting = session.scalar(sa.select(sa.func.count()).select_from(VolumeAlarm).where(mine)) or 0
    if waiting:
        text = filled(
            "{n|alarm of unusual volume waits|alarms of unusual volume wait} for somebody to look into it", n=waiting
        )
        return Kept("volume", "look", "volume-open", text, {"n": waiting})
    return Kept("volume", "good", "volume-none", "no alarm of unusual volume waits")


def count_on(session: Session, found: Found, now: datetime) -> bool:
    """Write what an open alarm's access has fetched by now; says whether there is one of this day."""
    row = _newest(session, found.subject)
    if row is None or row.settled_at is not None or now - row.at >= DAY:
        return False
    row.studies, row.patients = found.counts.studies, found.counts.patients
    row.fetches, row.bytes, row.counted_at = found.counts.fetches, found.counts.bytes, now
    return True


def raise_alarm(
    session: Session, identity: Identity, post: Post, found: Found, now: datetime, *, suspends: bool
) -> AlarmView:
    """Raise an alarm, suspend the access where that is set, and tell who is to know, in one transaction."""
    subject, worst = found.subject, found.exceeded
    kept_open = suspending.suspend(session, identity, subject, now) if suspends else ""
    row = VolumeAlarm(
        id=new_id(), organisation_id=subject.organisation_id, kind=subject.kind, own_id=subject.id,
        name=found.name[:200], began_at=found.began_at, at=now, counted_at=now, studies=found.counts.studies,
        patients=found.counts.patients, fetches=found.counts.fetches, bytes=found.counts.bytes,
        measure=worst.measure, usual=worst.limit.usual, most=worst.limit.most,
        suspended_at=now if suspends and not kept_open else None, kept_open=kept_open, settled_by="", note="",
    )  # fmt: skip
    session.add(row)
    session.flush()
    alarm = _view(row)
    _record(session, system_principal(subject.organisation_id), "access.unusual", alarm)
    if alarm.suspended_at is not None:
        _record(session, system_principal(subject.organisation_id), "access.suspend", alarm)
    _tell(session, post, subject, alarm)
    return alarm


def settle(
    session: Session, identity: Identity, who: Principal, alarm_id: uuid.UUID, note: str, now: datetime, *,
    let_in: bool,
) -> AlarmView:  # fmt: skip
    """Note who has looked into an alarm and what they say; `let_in` opens what it shut.

    Raises `AlarmUnknown`, `AlarmSettled`, or `OwnAlarm` for who would judge themselves.
    """
    own = sa.and_(VolumeAlarm.organisation_id == who.organisation_id, VolumeAlarm.id == alarm_id)
    row = session.scalar(sa.select(VolumeAlarm).where(own).with_for_update())
    if row is None:
        raise AlarmUnknown
    if (row.kind, row.own_id) == (who.kind, who.id) or (who.kind == "account" and _whose(session, row) == who.id):
        raise OwnAlarm
    if row.settled_at is not None and not (let_in and row.suspended_at is not None):
        raise AlarmSettled
    subject = Subject(row.organisation_id, cast("SubjectKind", row.kind), row.own_id)
    if let_in and row.suspended_at is not None:
        suspending.let_in(session, identity, subject)
        row.suspended_at = None
        _record(session, who, "access.let-in", _view(row))
    row.settled_at, row.settled_by = now, who.name[:200]
    row.note = " ".join(note.split())[:1000] or row.note
    session.flush()
    alarm = _view(row)
    _record(session, who, "access.unusual-settled", alarm)
    return alarm


def _newest(session: Session, subject: Subject) -> VolumeAlarm | None:
    return session.scalar(
        sa.select(VolumeAlarm)
        .where(
            VolumeAlarm.organisation_id == subject.organisation_id, VolumeAlarm.own_id == subject.id,
            VolumeAlarm.kind == subject.kind,
        )
        .order_by(VolumeAlarm.at.desc(), VolumeAlarm.id.desc())
        .limit(1)
    )  # fmt: skip


def _record(session: Session, who: Principal, action: str, alarm: AlarmView) -> None:
    names = ("studies", "patients", "fetches", "bytes", "measure", "usual", "most", "kept_open")
    detail = {"alarm": str(alarm.id), "name": _bare(session, alarm)} | {name: getattr(alarm, name) for name in names}
    audit.record(session, audit.AuditRecord(action, who, alarm.kind, alarm.own_id, detail))


def _whose(session: Session, alarm: VolumeAlarm | AlarmView) -> str:
    """Return the id of the account that an alarm is about, itself or by a link that it made; empty where by none."""
    if alarm.kind != "link":
        return alarm.own_id if alarm.kind == "account" else ""
    mine = (ShareLink.id == uuid.UUID(alarm.own_id), ShareLink.maker_kind == "account")
    return str(session.scalar(sa.select(ShareLink.maker_id).where(*mine)) or "")


def _bare(session: Session, alarm: AlarmView) -> str:
    """Return what an access is called in letters and in the record: a link's label may name a patient."""
    if alarm.kind != "link":
        return alarm.name
    return session.scalar(sa.select(ShareLink.maker_name).where(ShareLink.id == uuid.UUID(alarm.own_id))) or ""


def _tell(session: Session, post: Post, subject: Subject, alarm: AlarmView) -> None:
    """Post letters to administrators and officers, but not to whom the alarm is about."""
    if not post.is_set:
        return
    kind = "volume-suspended" if alarm.suspended_at is not None else "volume"
    facts = {
        "who": _bare(session, alarm), "studies": str(alarm.studies), "patients": str(alarm.patients),
        "gigabytes": f"{alarm.bytes / GIB:.1f}", "house": post.house_of(session, subject.organisation_id),
    }  # fmt: skip
    for one in _told(session, subject, _whose(session, alarm)):
        letter = post.letter(kind, one.language, whom=one.full_name, **facts)
        post.enqueue(session, one.organisation_id, one.email or "", letter, account_id=one.id)


def _told(session: Session, subject: Subject, about: str) -> Sequence[Account]:
    able = session.scalars(
        sa.select(Account).where(
            Account.organisation_id == subject.organisation_id, Account.role.in_(TOLD_ROLES),
            Account.disabled_at.is_(None), Account.lost_at.is_(None), Account.email.is_not(None),
        )
    )  # fmt: skip
    return [one for one in able if str(one.id) != about]


def _view(row: VolumeAlarm) -> AlarmView:
    return AlarmView(
        row.id, cast("SubjectKind", row.kind), row.own_id, row.name, row.began_at, row.at, row.counted_at,
        row.studies, row.patients, row.fetches, row.bytes, cast("Measure", row.measure), row.usual, row.most,
        row.suspended_at, row.kept_open, row.settled_at, row.settled_by, row.note,
    )  # fmt: skip
