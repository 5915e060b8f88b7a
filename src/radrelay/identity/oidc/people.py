"""People who come by single sign-on and the accounts that are theirs, in the database.

An account belongs to issuer and subject. Neither a name nor an e-mail address makes one somebody's: whoever can choose
theirs at the provider would choose a doctor's.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.errors import RadrelayError
from radrelay.identity import accounts
from radrelay.identity.errors import LastAdmin
from radrelay.identity.models import Account, SignedOn, SignOn, SpentChallenge
from radrelay.identity.models import Session as LoginSession
from radrelay.identity.oidc.claims import Newcomer
from radrelay.identity.oidc.errors import (
    AlreadyLinked,
    NameTaken,
    NoAccount,
    NoNameGiven,
    NotAllowed,
    SignOnOver,
    SignOnUnknown,
    Suspended,
)
from radrelay.identity.values import AccountView, OpenSession
from radrelay.settings import OidcSettings
from radrelay.storage.ids import new_id

ADMIN, USER = "admin", "user"
WAITING_KEPT = timedelta(days=30)
LOGOUT_KEPT = timedelta(hours=1)  # longer than a logout token is taken
MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class SignOnView:
    """Somebody at the provider, and their account here; without one they wait to be linked."""

    id: uuid.UUID
    issuer: str
    subject: str
    username: str
    full_name: str
    email: str
    seen_at: datetime | None
    linked_at: datetime | None
    account_id: uuid.UUID | None
    account_name: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of somebody who came: their account, or why there is none; `refusal` is raised after it is kept."""

    account: AccountView | None = None
    refusal: RadrelayError | None = None
    created: bool = False
    linked: bool = False
    changes: tuple[tuple[str, str], ...] = ()


def spend(session: Session, spent: uuid.UUID, expires_at: datetime, now: datetime) -> None:
    """Use something that counts once; raises `SignOnOver` if it was used before."""
    session.execute(sa.delete(SpentChallenge).where(SpentChallenge.expires_at < now))
    session.add(SpentChallenge(id=spent, expires_at=expires_at))
    try:
        session.flush()
    except IntegrityError as error:
        raise SignOnOver from error


def arrive(
    session: Session, organisation_id: uuid.UUID, newcomer: Newcomer, settings: OidcSettings, now: datetime
) -> Arrival:
    """Find or make the account of somebody, as the settings have it, and bring it up to date."""
    row = _row(session, organisation_id, newcomer.issuer, newcomer.subject)
    account = None if row is None or row.account_id is None else session.get(Account, row.account_id)
    if settings.allowed_groups and not newcomer.is_in(settings.allowed_groups):
        if account is not None:
            end_logins(session, organisation_id, newcomer.issuer, now, subject=newcomer.subject)
        return Arrival(None if account is None else accounts.view(account), NotAllowed())
    if row is None:
        row = _noted(session, organisation_id, newcomer, now)
    row.username, row.full_name, row.email = newcomer.username, newcomer.full_name, newcomer.email
    row.seen_at = now
    created = linked = False
    if account is None:
        found = _account_for(session, organisation_id, newcomer, settings, now)
        if isinstance(found, RadrelayError):
            session.flush()
            return Arrival(refusal=found)
        account, created = found
        row.account_id, row.linked_at, linked = account.id, now, True
    if accounts.is_shut(account):
        session.flush()
        return Arrival(accounts.view(account), Suspended())
    changes = () if created else _follow(session, account, newcomer, settings)
    session.flush()
    return Arrival(accounts.view(account), created=created, linked=linked, changes=changes)


def _noted(session: Session, organisation_id: uuid.UUID, newcomer: Newcomer, now: datetime) -> SignOn:
    """Write down somebody who was never here, and forget those whom nobody linked for long."""
    session.execute(sa.delete(SignOn).where(SignOn.account_id.is_(None), SignOn.seen_at < now - WAITING_KEPT))
    row = SignOn(
        id=new_id(), organisation_id=organisation_id, issuer=newcomer.issuer, subject=newcomer.subject,
        account_id=None, username="", full_name="", email="", seen_at=now, linked_at=None,
    )  # fmt: skip
    session.add(row)
    return row


def _account_for(
    session: Session, organisation_id: uuid.UUID, newcomer: Newcomer, settings: OidcSettings, now: datetime
) -> tuple[Account, bool] | RadrelayError:
    """Return the account that somebody gets and whether it is new, or why there is none."""
    linked = _by_claim(session, organisation_id, newcomer, settings)
    if linked is not None:
        if _is_linked(session, linked.id, newcomer.issuer):
            return AlreadyLinked()
        return linked, False
    if not newcomer.username:
        return NoNameGiven(f"The provider does not send the claim {settings.username_claim!r}, which names an account.")
    if accounts.by_name(session, newcomer.username) is not None:
        return NameTaken()
    if not settings.create_accounts:
        return NoAccount()
    role = ADMIN if newcomer.is_in(settings.admin_groups) else USER
    made = accounts.insert(
        session, organisation_id, username=newcomer.username, full_name=newcomer.full_name, role=role,
        password_hash=None, must_change_password=False, now=now,
    )  # fmt: skip
    return session.get_one(Account, made.id), True


def _by_claim(
    session: Session, organisation_id: uuid.UUID, newcomer: Newcomer, settings: OidcSettings
) -> Account | None:
    """Return the directory's account that a claim names, where the settings say which claim does."""
    if not settings.link_claim or not newcomer.link:
        return None
    if settings.link_to == "id":
        which = Account.directory_id == newcomer.link.casefold()
    else:
        which = Account.username_folded == accounts.fold_username(newcomer.link)
    of_directory = sa.and_(Account.organisation_id == organisation_id, Account.directory_id.is_not(None))
    return session.scalar(sa.select(Account).where(of_directory, which))


def _is_linked(session: Session, account_id: uuid.UUID, issuer: str) -> bool:
    which = sa.select(SignOn.id).where(SignOn.account_id == account_id, SignOn.issuer == issuer)
    return session.scalar(which) is not None


def _follow(
    session: Session, account: Account, newcomer: Newcomer, settings: OidcSettings
) -> tuple[tuple[str, str], ...]:
    """Make name and role follow the provider, unless the directory says them; returns what changed."""
    if account.directory_id is not None:
        return ()
    changes: list[tuple[str, str]] = []
    if newcomer.full_name and newcomer.full_name != account.full_name:
        account.full_name = newcomer.full_name
        changes.append(("full_name", newcomer.full_name))
    renamed = bool(newcomer.username) and account.password_hash is None and newcomer.username != account.username
    if renamed and accounts.by_name(session, newcomer.username) in (None, account):
        account.username, account.username_folded = newcomer.username, accounts.fold_username(newcomer.username)
        changes.append(("name", newcomer.username))
    wanted = ADMIN if newcomer.is_in(settings.admin_groups) else USER
    if settings.admin_groups and wanted != account.role and ADMIN in (wanted, account.role):
        try:
            accounts.require_other_admin(session, account)
        except LastAdmin:  # somebody has to be left who can set it right
            return tuple(changes)
        account.role = wanted
        changes.append(("role", wanted))
    return tuple(changes)


def note_login(
    session: Session, opened: OpenSession, newcomer: Newcomer, sealed_token: str, now: datetime, lasts: datetime
) -> None:  # fmt: skip
    """Write down that a login came by single sign-on, which `lasts` at most so long, and forget those that are over."""
    session.execute(sa.delete(SignedOn).where(SignedOn.expires_at < now))
    session.add(
        SignedOn(
            id=new_id(), organisation_id=opened.account.organisation_id, session_id=opened.id,
            account_id=opened.account.id, issuer=newcomer.issuer, subject=newcomer.subject, sid=newcomer.sid,
            id_token=sealed_token, expires_at=lasts,
        )
    )  # fmt: skip
    session.flush()


def go_on_as(session: Session, session_id: uuid.UUID, opened: OpenSession) -> None:
    """Note that a login goes on as another, once its second factor was answered: it ends with the provider's still."""
    session.execute(sa.update(SignedOn).where(SignedOn.session_id == session_id).values(session_id=opened.id))


def token_of(session: Session, session_id: uuid.UUID) -> tuple[str, str] | None:
    """Return issuer and sealed ID token of a login that came by single sign-on; None for any other."""
    found = session.execute(
        sa.select(SignedOn.issuer, SignedOn.id_token).where(SignedOn.session_id == session_id)
    ).one_or_none()
    return None if found is None else (found.issuer, found.id_token)


def end_logins(
    session: Session, organisation_id: uuid.UUID, issuer: str, now: datetime, *, subject: str = "", sid: str = ""
) -> list[uuid.UUID]:
    """End the logins of a session at the provider, or all of a person; returns whose, one for each that was open."""
    which = [SignedOn.organisation_id == organisation_id, SignedOn.issuer == issuer]
    which += [SignedOn.subject == subject] if subject else []
    which += [SignedOn.sid == sid] if sid else []
    if not subject and not sid:
        return []
    rows = session.execute(
        sa.select(LoginSession.id, LoginSession.account_id)
        .join(SignedOn, SignedOn.session_id == LoginSession.id)
        .where(*which, LoginSession.ended_at.is_(None))
    ).all()
    session.execute(sa.update(LoginSession).where(LoginSession.id.in_([row.id for row in rows])).values(ended_at=now))
    return [row.account_id for row in rows]


def listed(session: Session, organisation_id: uuid.UUID, *, waiting: bool | None = None) -> list[SignOnView]:
    """Return who came by single sign-on, those who wait first, then by name."""
    which = [SignOn.organisation_id == organisation_id]
    if waiting is not None:
        which.append(SignOn.account_id.is_(None) if waiting else SignOn.account_id.is_not(None))
    rows = session.execute(
        sa.select(SignOn, Account.username)
        .outerjoin(Account, Account.id == SignOn.account_id)
        .where(*which)
        .order_by(SignOn.account_id.is_not(None), SignOn.username, SignOn.id)
        .limit(MOST_SHOWN)
    )
    return [_view(row, name) for row, name in rows]


def link(
    session: Session, organisation_id: uuid.UUID, issuer: str, subject: str, account_id: uuid.UUID, now: datetime
) -> SignOnView:
    """Make an account somebody's at the provider; raises `NotFound` for the account, or `AlreadyLinked`.

    A one-time password that the account still has is forgotten: nobody has to set another to come by single sign-on.
    """
    account = accounts.by_id(session, organisation_id, account_id)
    row = _row(session, organisation_id, issuer, subject)
    if (row is not None and row.account_id is not None) or _is_linked(session, account.id, issuer):
        raise AlreadyLinked
    if row is None:
        row = _noted(session, organisation_id, Newcomer(issuer, subject, "", "", "", frozenset()), now)
        row.seen_at = None
    row.account_id, row.linked_at = account.id, now
    if account.must_change_password:
        account.password_hash, account.must_change_password = None, False
    try:
        session.flush()
    except IntegrityError as error:  # somebody else was as quick
        raise AlreadyLinked from error
    return _view(row, account.username)


def unlink(session: Session, organisation_id: uuid.UUID, sign_on_id: uuid.UUID, now: datetime) -> SignOnView:
    """Forget somebody at the provider: their logins that came from there end. Raises `SignOnUnknown`."""
    row = of_id(session, organisation_id, sign_on_id)
    if row.account_id is not None:
        end_logins(session, organisation_id, row.issuer, now, subject=row.subject)
    gone = _view(row, "")
    session.delete(row)
    session.flush()
    return gone


def of_id(session: Session, organisation_id: uuid.UUID, sign_on_id: uuid.UUID) -> SignOn:
    """Return a row; raises `SignOnUnknown`."""
    row = session.scalar(sa.select(SignOn).where(SignOn.organisation_id == organisation_id, SignOn.id == sign_on_id))
    if row is None:
        raise SignOnUnknown
    return row


def _row(session: Session, organisation_id: uuid.UUID, issuer: str, subject: str) -> SignOn | None:
    return session.scalar(
        sa.select(SignOn).where(
            SignOn.organisation_id == organisation_id, SignOn.issuer == issuer, SignOn.subject == subject
        )
    )


def _view(row: SignOn, account_name: str | None) -> SignOnView:
    return SignOnView(
        row.id, row.issuer, row.subject, row.username, row.full_name, row.email, row.seen_at, row.linked_at,
        row.account_id, account_name or "",
    )  # fmt: skip
