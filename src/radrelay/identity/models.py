"""Tables of identity: organisations and what they are called by, accounts, sessions, tokens, failed logins."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Identified, Instant, Owned


class Organisation(Identified, Base):
    """A hospital or practice; everything belongs to one."""

    __tablename__ = "organisation"

    name: Mapped[str] = mapped_column(String(200))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)
    region: Mapped[str] = mapped_column(String(2), default="")  # ISO 3166-1, or EU; empty: not said yet
    created_at: Mapped[datetime] = mapped_column(Instant)


class CalledTitle(Base):
    """An AE title by which the DICOM port is called for one organisation, as the operator gave it out."""

    __tablename__ = "called_title"
    __table_args__ = (Index("ix_called_title_organisation", "organisation_id"),)

    ae_title: Mapped[str] = mapped_column(String(16), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    given_at: Mapped[datetime] = mapped_column(Instant)


class Account(Owned, Base):
    """A person who can log in."""

    __tablename__ = "account"
    __table_args__ = (
        Index("ux_account_username", "username_folded", unique=True),
        Index("ux_account_directory", "organisation_id", "directory_id", unique=True),
    )

    username: Mapped[str] = mapped_column(String(200))
    username_folded: Mapped[str] = mapped_column(String(200))
    full_name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(600))  # a verifier; of older accounts an Argon2id hash
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    role: Mapped[str] = mapped_column(String(16))  # one of accounts.ROLES
    language: Mapped[str] = mapped_column(String(8), default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    directory_id: Mapped[str | None] = mapped_column(String(64))  # the entry's, of who comes from the directory
    disabled_by_directory: Mapped[bool] = mapped_column(Boolean, default=False)  # who was disabled by hand stays so
    email: Mapped[str | None] = mapped_column(String(254))  # where letters go; as `mail.require_address` returns it
    lost_at: Mapped[datetime | None] = mapped_column(Instant)  # credentials were reported lost: nobody gets in by them
    affiliation: Mapped[str] = mapped_column(String(200), default="")  # their organisation, in their own words
    awaits_since: Mapped[datetime | None] = mapped_column(Instant)  # signed up, and an administrator has to let them in
    closed_at: Mapped[datetime | None] = mapped_column(Instant)  # nothing but its id is left: the record goes by it


class DirectoryRun(Owned, Base):
    """The directory was, or is to be, read: for a preview, or to make the accounts follow it."""

    __tablename__ = "directory_run"
    __table_args__ = (Index("ix_directory_run_state", "organisation_id", "state"),)

    kind: Mapped[str] = mapped_column(String(16))  # preview | sync
    state: Mapped[str] = mapped_column(String(16))  # waiting | running | done | asks | failed
    asked_by: Mapped[str] = mapped_column(String(200), default="")  # empty: the schedule
    confirmed: Mapped[str] = mapped_column(String(64), default="")  # the digest of the plan that was confirmed
    adopt: Mapped[str] = mapped_column(Text, default="[]")  # JSON: user names
    asked_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    digest: Mapped[str] = mapped_column(String(64), default="")
    report: Mapped[str] = mapped_column(Text, default="{}")  # JSON


class Session(Owned, Base):
    """A login on one device; only the hash of its secret is kept."""

    __tablename__ = "session"
    __table_args__ = (
        Index("ux_session_secret", "secret_hash", unique=True),
        Index("ix_session_account", "account_id"),
        Index("ix_session_ended", "ended_at"),
    )

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    csrf_token: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(300))
    peer: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    stage: Mapped[str] = mapped_column(String(8), default="open")  # open | factor | set-up
    proven_at: Mapped[datetime] = mapped_column(Instant)  # when they last proved who they are
    launched_by: Mapped[uuid.UUID | None] = mapped_column(Id)  # the token of the program that opened it for them
    idle_s: Mapped[int | None] = mapped_column(Integer)  # ends after so long without use; none: as the settings have it


class ApiToken(Owned, Base):
    """A machine's key to the HTTP faces; only its hash is kept."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ux_api_token_secret", "secret_hash", unique=True),)

    name: Mapped[str] = mapped_column(String(200))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    maker_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # the account that made it; none: the command line
    closed_at: Mapped[datetime | None] = mapped_column(Instant)  # its maker's credentials were reported lost
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)  # refused until somebody lets it in again
    may_launch: Mapped[bool] = mapped_column(Boolean, default=False)  # may open the viewer in people's names


class PasswordLink(Owned, Base):
    """A link by which somebody chooses a password, once: an invitation, or after the old one was forgotten."""

    __tablename__ = "password_link"
    __table_args__ = (
        Index("ux_password_link_token", "token_hash", unique=True),
        Index("ix_password_link_account", "account_id"),
    )

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    purpose: Mapped[str] = mapped_column(String(16))  # invitation | reset
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    made_by: Mapped[str] = mapped_column(String(200))  # empty: the person asked for it
    mailed: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class ForgottenPassword(Owned, Base):
    """Somebody asked for a link, by the name in `sealed`: looked up later, so that the answer's time tells nothing."""

    __tablename__ = "forgotten_password"

    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    peer: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(Instant)


class SignUp(Owned, Base):
    """Somebody asked for an account, as `sealed` says; until it is looked at there is no `token_hash`.

    `address_hash` is a keyed hash of the e-mail address: of several who ask for it, the last one's link counts.
    """

    __tablename__ = "sign_up"
    __table_args__ = (
        Index("ux_sign_up_token", "token_hash", unique=True),
        Index("ix_sign_up_address", "organisation_id", "address_hash"),
    )

    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    peer: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    expires_at: Mapped[datetime | None] = mapped_column(Instant)


class AddressChange(Owned, Base):
    """An e-mail address that an account is to have once a link that went there has been opened."""

    __tablename__ = "address_change"
    __table_args__ = (
        Index("ux_address_change_token", "token_hash", unique=True),
        Index("ux_address_change_account", "account_id", unique=True),
    )

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    email: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class Preference(Owned, Base):
    """A setting, as JSON: of an account, or as the default of the organisation, which owns it then itself."""

    __tablename__ = "preference"
    __table_args__ = (Index("ux_preference_name", "organisation_id", "owner_id", "name", unique=True),)

    owner_id: Mapped[uuid.UUID] = mapped_column(Id)  # account or organisation
    name: Mapped[str] = mapped_column(String(40))
    value: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime] = mapped_column(Instant)


class SpentChallenge(Identified, Base):
    """A challenge that was answered; kept until it would be over anyway."""

    __tablename__ = "spent_challenge"

    expires_at: Mapped[datetime] = mapped_column(Instant)


class LoginAttempt(Identified, Base):
    """A counter of failed logins, per account name and per address, for the rate limit."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ux_login_attempt_key", "key", unique=True),)

    key: Mapped[str] = mapped_column(String(200))
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(Instant)


class SignOn(Owned, Base):
    """Somebody at the provider of single sign-on, known by issuer and subject alone, and the account that is theirs.

    Without one they wait for an administrator to link it.
    """

    __tablename__ = "sign_on"
    __table_args__ = (
        Index("ux_sign_on_subject", "organisation_id", "issuer", "subject", unique=True),
        Index("ux_sign_on_account", "account_id", "issuer", unique=True),
    )

    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    account_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    username: Mapped[str] = mapped_column(String(200))  # as the provider said last, as are the next two
    full_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
    linked_at: Mapped[datetime | None] = mapped_column(Instant)


class SignedOn(Owned, Base):
    """A login that came by single sign-on, so that logging out there ends it, and logging out here tells them."""

    __tablename__ = "signed_on"
    __table_args__ = (
        Index("ux_signed_on_session", "session_id", unique=True),
        Index("ix_signed_on_subject", "organisation_id", "issuer", "subject"),
        Index("ix_signed_on_sid", "organisation_id", "issuer", "sid"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(Id)
    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    sid: Mapped[str] = mapped_column(String(255))
    id_token: Mapped[str] = mapped_column(Text)  # sealed
    expires_at: Mapped[datetime] = mapped_column(Instant)
