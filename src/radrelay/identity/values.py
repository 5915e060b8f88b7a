"""What identity hands out: plain frozen values, never rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AccountView:
    """A person who can log in."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    username: str
    full_name: str
    role: str
    language: str
    must_change_password: bool
    created_at: datetime
    disabled_at: datetime | None
    directory_id: str | None = None
    """Of the entry in the directory that this person comes from."""
    email: str | None = None
    lost_at: datetime | None = None
    """Credentials were reported lost; until they are replaced nobody gets in by them."""
    affiliation: str = ""
    """Their organisation, in their own words."""
    awaits_since: datetime | None = None
    """They signed up, and an administrator has to let them in."""


@dataclass(frozen=True, slots=True)
class LoginTry:
    """Someone's try to log in: from which address, on which known device, with which browser."""

    username: str
    address: str
    device: str = ""  # the device cookie, empty if there was none
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class CheckedLogin:
    """A password was right; `Identity.open_session` makes a login of it."""

    account: AccountView
    attempt: LoginTry
    password_hash: str | None = field(repr=False)
    """Of the password that was right: if the account has another by then, the login is refused.
    None where the directory keeps it."""
    moved: str | None = field(default=None, repr=False)
    """What is to be kept of the password from now on, where the account is from before SRP."""
    server_proof: bytes = field(default=b"", repr=False)
    """By which the client knows the server; empty where it gave its password."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A login on one device. `secret` is given only when it is made."""

    id: uuid.UUID
    account: AccountView
    csrf_token: str
    expires_at: datetime
    idle_until: datetime
    secret: str = ""
    device: str = ""
    stage: str = "open"
    """How far it has come: `factor` where a second factor is awaited, `set-up` where one must be set up first."""
    proven_at: datetime | None = None
    launched_by: uuid.UUID | None = None
    """The token of the program that opened it in this person's name; it reaches what that program asked for."""
    idle_s: int | None = None
    """After how long without use it ends, where that is its own."""


@dataclass(frozen=True, slots=True)
class Device:
    """A login as its owner sees it: with what browser, from where, since when and last used."""

    id: uuid.UUID
    user_agent: str
    peer: str
    created_at: datetime
    used_at: datetime
    idle_until: datetime


@dataclass(frozen=True, slots=True)
class TokenView:
    """An API token without its secret."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    closed_at: datetime | None = None
    """Who made it has reported credentials as lost."""
    suspended_at: datetime | None = None
    """Refused until somebody lets it in again."""
    may_launch: bool = False
    """It may open the viewer in people's names."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the moment it is made: the only time its secret is seen."""

    token: TokenView
    secret: str
