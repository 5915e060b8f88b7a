"""What is kept until its owner's account ends: who brought it owns it, and what nobody owns any more goes.

A holding is such a one when a person brought it and its source promises no time (`expires_at` none). It ends once that
person's account is closed and nobody else owns the study, and then as every holding ends: a hold keeps it, and the
study stays as long as another holding lives.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.archive.discard import chunks
from radrelay.archive.holdings import end_of, refresh_times
from radrelay.archive.index_state import StudyState
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Attachment, Holding
from radrelay.identity.models import Account

AT_ONCE = 500
_PARCEL = sa.table("parcel", sa.column("id", Holding.id.type), sa.column("account_id", Holding.id.type))


def own_new(session: Session, organisation_id: uuid.UUID, studies: Iterable[StudyState], at: datetime) -> None:
    """Make those who brought new studies alone their owners; in the transaction that indexes them.

    Of what is kept until their accounts end, and whatever a guest brings, who would not see it otherwise: people who
    import for a house do not come to own its studies. Not of a study that was here: whoever knows its UID could send
    an object of it, and would come to see the rest.
    """
    brought: dict[uuid.UUID, tuple[uuid.UUID, bool]] = {}
    for study in studies:
        first = study.holdings[0] if study.fresh and len(study.holdings) == 1 else None
        if first is not None and first.account_id is not None:
            brought[study.id] = (first.account_id, first.expires_at is None)
    if not brought:
        return
    accounts = {account for account, _ in brought.values()}
    living = sa.select(Account.id, Account.role).where(Account.id.in_(accounts), Account.closed_at.is_(None))
    roles = {row.id: row.role for row in session.execute(living)}
    owned = {
        study_id: str(account)
        for study_id, (account, until_closed) in brought.items()
        if account in roles and (until_closed or roles[account] == access.GUEST)
    }
    access.own_all(session, organisation_id, owned, at)
    for study_id, account in owned.items():
        record = audit.AuditRecord(
            "owner.add", access.system_principal(organisation_id), "study", study_id,
            detail={"grantee": f"account {account}", "by": "upload"},
        )  # fmt: skip
        audit.record(session, record)


def kept_for(session: Session, account_id: uuid.UUID) -> Sequence[Holding]:
    """Return the holdings that go with an account, those apart whose study others own too."""
    found = sa.select(Holding).where(
        Holding.account_id == account_id, Holding.expires_at.is_(None), ~_owned(but=str(account_id))
    )
    return session.scalars(found).all()


def studies_of(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID) -> set[uuid.UUID]:
    """Return the studies that an account brought or owns by itself."""
    brought = sa.select(Holding.study_id).where(Holding.account_id == account_id)
    return set(session.scalars(brought)) | access.owned_studies(session, organisation_id, str(account_id))


def also_held(session: Session, holdings: Sequence[Holding], now: datetime) -> set[uuid.UUID]:
    """Return which of the holdings' studies others hold too: they stay."""
    found: set[uuid.UUID] = set()
    ids = [one.id for one in holdings]
    for some in chunks([one.study_id for one in holdings]):
        living = sa.or_(Holding.ends_at.is_(None), Holding.ends_at > now)
        found |= set(
            session.scalars(
                sa.select(Holding.study_id).where(Holding.study_id.in_(some), living, Holding.id.not_in(ids))
            )
        )
    return found


def end_orphaned(session: Session, now: datetime) -> int:
    """End what was kept until an account ended that is closed; returns how many holdings, at most 500 at once."""
    lock_archive(session)
    closed = sa.select(Account.id).where(Account.closed_at.is_not(None))
    rows = session.scalars(
        sa.select(Holding)
        .where(Holding.account_id.in_(closed), Holding.expires_at.is_(None), ~_owned())
        .order_by(Holding.id)
        .limit(AT_ONCE)
    ).all()
    end_now(session, rows, now)
    of_closed = sa.select(_PARCEL.c.id).where(_PARCEL.c.account_id.in_(closed))
    loose = sa.and_(Attachment.holding_id.is_(None), Attachment.ends_at.is_(None), Attachment.parcel_id.in_(of_closed))
    session.execute(sa.update(Attachment).where(loose).values(ends_at=now).execution_options(synchronize_session=False))
    return len(rows)


def end_now(session: Session, holdings: Sequence[Holding], now: datetime) -> None:
    """Let holdings end now, as far as no hold keeps them: expiry does the rest. The caller has the archive's lock."""
    for holding in holdings:
        holding.expires_at = now
        holding.ends_at = end_of(now, holding.hold_until, holding.ceiling_at)
        session.execute(
            sa.update(Attachment).where(Attachment.holding_id == holding.id).values(ends_at=holding.ends_at)
        )
    session.flush()
    refresh_times(session, {holding.study_id for holding in holdings})


def brought_of(session: Session, study_id: uuid.UUID) -> Sequence[Holding]:
    """Return what people brought of a study."""
    found = sa.select(Holding).where(Holding.study_id == study_id, Holding.account_id.is_not(None))
    return session.scalars(found).all()


def brought_by(session: Session, study_id: uuid.UUID, accounts: Collection[str]) -> list[Holding]:
    """Return what some people brought of a study, or who is there no more: its last owner may let it end.

    What others brought, who have their accounts, is theirs: it stays.
    """
    brought = brought_of(session, study_id)
    closed = sa.select(Account.id).where(
        Account.id.in_([one.account_id for one in brought]), Account.closed_at.is_not(None)
    )
    wanted = {*accounts, *(str(one) for one in session.scalars(closed))}
    return [one for one in brought if str(one.account_id) in wanted]


def hand_on(session: Session, study_id: uuid.UUID, account_id: uuid.UUID, to: uuid.UUID) -> None:
    """Let what an account brought of a study be kept for another owner, who it gives the study up to."""
    session.execute(
        sa.update(Holding)
        .where(Holding.study_id == study_id, Holding.account_id == account_id)
        .values(account_id=to)
        .execution_options(synchronize_session=False)
    )


def _owned(but: str = "") -> sa.ColumnElement[bool]:
    return access.is_owned(Holding.organisation_id, Holding.study_id, but)
