"""Links: what somebody shares with whoever holds the link, for how long and how often; made, listed, revoked.

What a link opens are grants whose grantee it is, so the one rule decides for it as for everybody; `visits` opens it.
A link ends by its time, by its uses, by being revoked, with its maker's right, and with what it shows.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.errors import BirthDateUnknown, LinkWanted
from radrelay.access.grants import Grantee, Target, grant
from radrelay.access.link_keys import LinkKeys, Protection, digest, new_pin, require_pin
from radrelay.access.models import Grant, LinkAccess, LinkCode, LinkVisit, ShareLink
from radrelay.access.principal import Principal, Right
from radrelay.errors import NotFound
from radrelay.identity import role_of
from radrelay.mail import require_address
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_set

LONGEST = timedelta(days=366)
MOST_USES = 10_000
MOST_TARGETS = 100
MOST_LISTED = 500
MOST_ACCESSES = 200
MOST_FORGOTTEN = 500  # at once; the rest next time
CLOCKS_APART = timedelta(minutes=5)
CLOSED_FIRST, CLOSED_LONGEST = timedelta(minutes=15), timedelta(hours=24)

LinkState = Literal["open", "closed", "used-up", "expired", "revoked", "ended", "suspended"]
AccessKind = Literal["code", "opened", "wrong", "refused", "closed", "downloaded"]


@dataclass(frozen=True, slots=True)
class WantedLink:
    """A link to be made. `birth_date` is what its patients share, if it shall protect the link; no `pin`: a new one.

    `email` is where codes go, if those shall.
    """

    targets: Sequence[Target]
    ends_at: datetime
    max_uses: int | None = None
    protection: Protection = "none"
    pin: str = ""
    birth_date: date | None = None
    email: str = ""
    may_download: bool = False
    identity: Literal["clear", "alias"] = "clear"
    label: str = ""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link without its secret. `state` says whether it opens, `closed_until` how long wrong answers keep it shut."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    label: str
    maker_id: uuid.UUID
    maker_name: str
    protection: Protection
    may_download: bool
    max_uses: int | None
    uses: int
    state: LinkState
    closed_until: datetime | None
    created_at: datetime
    ends_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    targets: tuple[Target, ...] = ()
    email: str = ""


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A link at the moment it is made: the only time its token, and a PIN that was made for it, are seen."""

    link: LinkView
    token: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessView:
    """Something that happened with a link: when, what, from which address and with which browser."""

    link_id: uuid.UUID
    at: datetime
    kind: AccessKind
    peer: str
    user_agent: str


def make(session: Session, keys: LinkKeys, maker: Principal, wanted: WantedLink, now: datetime) -> MadeLink:
    """Write a link and its grants; that its maker may share the targets is the caller's to know.

    Raises `LinkWanted`, `BirthDateUnknown` or `AddressInvalid` for what makes no sense, before anything is written.
    """
    _require_sense(wanted, now)
    link_id, token = new_id(), keys.new_token()
    pin = ""
    if wanted.protection == "pin":
        pin = require_pin(wanted.pin) if wanted.pin else new_pin()
    answer = pin or (wanted.birth_date.isoformat() if wanted.birth_date else "")
    row = ShareLink(
        id=link_id,
        organisation_id=maker.organisation_id,
        secret_hash=digest(token),
        health_hash=digest(keys.health_address(token)),
        label=" ".join(wanted.label.split())[:200],
        maker_kind=maker.kind,
        maker_id=uuid.UUID(maker.id),
        maker_name=maker.name[:200],
        protection=wanted.protection,
        email=require_address(wanted.email) if wanted.protection == "email" else "",
        answer_hash=keys.answer_hash(link_id, answer) if answer else None,
        may_download=wanted.may_download,
        max_uses=wanted.max_uses,
        uses=0,
        wrong=0,
        closings=0,
        created_at=now,
        ends_at=wanted.ends_at,
    )
    session.add(row)
    session.flush()
    rights = (Right.SEE, Right.DOWNLOAD) if wanted.may_download else (Right.SEE,)
    for target in wanted.targets:
        grant(
            session, maker.organisation_id, Grantee("link", str(link_id)), target, rights, now=now,
            identity=wanted.identity, ends_at=wanted.ends_at,
        )  # fmt: skip
    return MadeLink(view(row, now, tuple(wanted.targets)), token, "" if wanted.pin else pin)


def _require_sense(wanted: WantedLink, now: datetime) -> None:
    if not 0 < len(wanted.targets) <= MOST_TARGETS or any(
        target.kind not in ("study", "series") for target in wanted.targets
    ):
        raise LinkWanted(f"a link shows 1 to {MOST_TARGETS} studies or series", field="studies")
    if not now < wanted.ends_at <= now + LONGEST:
        raise LinkWanted(f"a link ends in the future, and within {LONGEST.days} days", field="ends_at")
    if wanted.max_uses is not None and not 0 < wanted.max_uses <= MOST_USES:
        raise LinkWanted(f"a link opens 1 to {MOST_USES} times, or as often as one likes", field="max_uses")
    if wanted.protection == "birth-date" and wanted.birth_date is None:
        raise BirthDateUnknown


def listed(
    session: Session,
    organisation_id: uuid.UUID,
    now: datetime,
    *,
    maker: Principal | None = None,
    study: Sequence[uuid.UUID] = (),
) -> list[LinkView]:
    """Return the newest links of a maker, or those with a grant on one of `study` (a study's and its series' ids)."""
    chosen = sa.select(ShareLink).where(ShareLink.organisation_id == organisation_id)
    if maker is not None:
        chosen = chosen.where(ShareLink.maker_kind == maker.kind, ShareLink.maker_id == uuid.UUID(maker.id))
    if study:
        named = sa.select(Grant.grantee_id).where(
            Grant.organisation_id == organisation_id, Grant.grantee_kind == "link", Grant.target_id.in_(study)
        )
        ids = [uuid.UUID(one) for one in session.scalars(named)]
        chosen = chosen.where(ShareLink.id.in_(ids))
    rows = session.scalars(chosen.order_by(ShareLink.created_at.desc(), ShareLink.id.desc()).limit(MOST_LISTED)).all()
    return _views(session, rows, now)


def link_of(session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID, now: datetime) -> LinkView:
    """Return one link; raises `NotFound`."""
    return _views(session, [row_of(session, organisation_id, link_id)], now)[0]


def row_of(session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID) -> ShareLink:
    """Return a link's row; raises `NotFound`."""
    row = session.scalar(
        sa.select(ShareLink).where(ShareLink.organisation_id == organisation_id, ShareLink.id == link_id)
    )
    if row is None:
        raise NotFound("there is no such link")
    return row


def is_token_of(session: Session, link_id: uuid.UUID, token: str) -> bool:
    """Say whether a token is that of a link."""
    kept = session.scalar(sa.select(ShareLink.secret_hash).where(ShareLink.id == link_id))
    return kept is not None and hmac.compare_digest(kept, digest(token))


def is_health_address(session: Session, link_id: uuid.UUID, address: str) -> bool:
    """Say whether an address is that of a link's SMART Health Link."""
    kept = session.scalar(sa.select(ShareLink.health_hash).where(ShareLink.id == link_id))
    return kept is not None and hmac.compare_digest(kept, digest(address))


def revoke_link(session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID, now: datetime) -> LinkView:
    """End a link and all that it opened, at once; twice is no error. Raises `NotFound`."""
    row = row_of(session, organisation_id, link_id)
    targets = _targets(session, [row])[str(link_id)]
    if row.revoked_at is None:
        row.revoked_at = now
        remember_set(session, row, "revoked_at")
        session.execute(
            sa.update(LinkVisit)
            .where(LinkVisit.link_id == link_id, LinkVisit.ended_at.is_(None))
            .values(ended_at=now)
            .execution_options(synchronize_session=False)
        )
        session.flush()
    return view(row, now, targets)


def suspend_link(session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID, at: datetime | None) -> bool:
    """Shut a link and all that it opened until it is opened again (`at` none); says whether it was there."""
    own = sa.and_(ShareLink.organisation_id == organisation_id, ShareLink.id == link_id)
    row = session.scalar(sa.select(ShareLink).where(own).with_for_update())
    if row is not None:
        row.suspended_at = at
        remember_set(session, row, "suspended_at")
    return row is not None


def accesses(session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID) -> list[AccessView]:
    """Return what happened with a link, the newest first; at most 200."""
    rows = session.scalars(
        sa.select(LinkAccess)
        .where(LinkAccess.organisation_id == organisation_id, LinkAccess.link_id == link_id)
        .order_by(LinkAccess.at.desc(), LinkAccess.id.desc())
        .limit(MOST_ACCESSES)
    )
    return [AccessView(row.link_id, row.at, cast("AccessKind", row.kind), row.peer, row.user_agent) for row in rows]


def closings(session: Session, maker: Principal) -> list[AccessView]:
    """Return by what a maker's links were closed since they were last read of, the newest first."""
    rows = session.scalars(
        sa.select(LinkAccess)
        .join(ShareLink, ShareLink.id == LinkAccess.link_id)
        .where(
            ShareLink.organisation_id == maker.organisation_id,
            ShareLink.maker_kind == maker.kind,
            ShareLink.maker_id == uuid.UUID(maker.id),
            LinkAccess.kind == "closed",
            sa.or_(ShareLink.told_at.is_(None), LinkAccess.at > ShareLink.told_at),
        )
        .order_by(LinkAccess.at.desc())
        .limit(MOST_ACCESSES)
    )
    return [AccessView(row.link_id, row.at, "closed", row.peer, row.user_agent) for row in rows]


def note_told(session: Session, maker: Principal, until: datetime) -> None:
    """Note that a maker has read of what closed their links `until` then."""
    session.execute(
        sa.update(ShareLink)
        .where(
            ShareLink.organisation_id == maker.organisation_id,
            ShareLink.maker_kind == maker.kind,
            ShareLink.maker_id == uuid.UUID(maker.id),
            ShareLink.closings > 0,
        )
        .values(told_at=until)
        .execution_options(synchronize_session=False)
    )


def note_access(
    session: Session, organisation_id: uuid.UUID, link_id: uuid.UUID, kind: AccessKind, now: datetime,
    peer: str, user_agent: str,
) -> None:  # fmt: skip
    """Write what happened with a link, for its maker."""
    row = LinkAccess(
        id=new_id(), organisation_id=organisation_id, link_id=link_id, at=now, kind=kind, peer=peer[:64],
        user_agent=user_agent[:300],
    )  # fmt: skip
    session.add(row)
    session.flush()


def forget_links(
    session: Session, visits_before: datetime, links_before: datetime, kept: Collection[uuid.UUID] = ()
) -> None:
    """Delete visits that were over by then, and links that had ended with what happened with them: audit keeps that.

    Links that are to be `kept` stay, ended as they are.
    """
    over = sa.select(ShareLink.id).where(ShareLink.ends_at < links_before, ShareLink.id.not_in(kept))
    session.execute(sa.delete(LinkVisit).where(LinkVisit.expires_at < visits_before))
    session.execute(sa.delete(LinkCode).where(LinkCode.expires_at < visits_before))
    session.execute(sa.delete(LinkAccess).where(LinkAccess.link_id.in_(over)))
    ended = [str(one) for one in session.scalars(over.limit(MOST_FORGOTTEN))]
    session.execute(sa.delete(Grant).where(Grant.grantee_kind == "link", Grant.grantee_id.in_(ended)))
    session.execute(sa.delete(ShareLink).where(ShareLink.id.in_([uuid.UUID(one) for one in ended])))


def closed_until(row: ShareLink, now: datetime) -> datetime | None:
    """Return until when wrong answers keep a link closed: a quarter of an hour, doubling each time up to a day."""
    if row.closed_at is None or row.closings == 0:
        return None
    if now < row.closed_at - CLOCKS_APART:  # the clock went back: nobody waits for the old time to come round
        return None
    until = row.closed_at + min(CLOSED_LONGEST, CLOSED_FIRST * 2 ** min(row.closings - 1, 10))
    return until if now < until else None


def lasts(row: ShareLink, now: datetime) -> bool:
    """Say whether a link is in its time: a clock that went back gives no time back that a use has seen pass."""
    latest = max(now, row.used_at) if row.used_at else now
    shut = row.revoked_at is not None or row.suspended_at is not None
    return not shut and row.created_at - CLOCKS_APART <= now and latest < row.ends_at


def view(row: ShareLink, now: datetime, targets: tuple[Target, ...] = (), *, stands: bool = True) -> LinkView:
    """Return the value of a row; `stands` says whether its maker may act at all."""
    until = closed_until(row, now)
    return LinkView(
        row.id,
        row.organisation_id,
        row.label,
        row.maker_id,
        row.maker_name,
        cast("Protection", row.protection),
        row.may_download,
        row.max_uses,
        row.uses,
        _state(row, now, stands=stands, closed=until is not None),
        until,
        row.created_at,
        row.ends_at,
        row.used_at,
        row.revoked_at,
        targets,
        row.email,
    )


def _state(row: ShareLink, now: datetime, *, stands: bool, closed: bool) -> LinkState:
    if row.revoked_at is not None:
        return "revoked"
    if row.suspended_at is not None:
        return "suspended"
    if not lasts(row, now):
        return "expired"
    if not stands:
        return "ended"
    if row.max_uses is not None and row.uses >= row.max_uses:
        return "used-up"
    return "closed" if closed else "open"


def _views(session: Session, rows: Sequence[ShareLink], now: datetime) -> list[LinkView]:
    targets = _targets(session, rows)
    standing = {
        (kind, maker): role_of(session, organisation, kind, maker, now) is not None
        for organisation, kind, maker in {(row.organisation_id, row.maker_kind, row.maker_id) for row in rows}
    }
    return [
        view(
            row, now, targets[str(row.id)], stands=standing[row.maker_kind, row.maker_id] and bool(targets[str(row.id)])
        )
        for row in rows
    ]


def targets_of(session: Session, row: ShareLink) -> tuple[Target, ...]:
    """Return what a link's grants name."""
    return _targets(session, [row])[str(row.id)]


def _targets(session: Session, rows: Sequence[ShareLink]) -> dict[str, tuple[Target, ...]]:
    """Return what each link's grants name; an administrator may have taken some of them back."""
    found: dict[str, list[Target]] = {str(row.id): [] for row in rows}
    if found:
        granted = sa.select(Grant.grantee_id, Grant.target_kind, Grant.target_id).where(
            Grant.organisation_id == rows[0].organisation_id,
            Grant.grantee_kind == "link",
            Grant.grantee_id.in_(found),
        )
        for link_id, kind, target_id in session.execute(granted.order_by(Grant.id)):
            found[link_id].append(Target(cast("Literal['study', 'series']", kind), target_id))
    return {link_id: tuple(one) for link_id, one in found.items()}
