"""Suspending an access and letting it in again: an account's logins end, a link, token or device is refused, at once.

The last administrator who can log in is never shut out. A device goes on sending: images must not be lost for this.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.errors import NotFound
from radrelay.identity import Identity, LastAdmin
from radrelay.privacy.volume.counting import Subject

KeptOpen = Literal["", "last-admin", "gone"]


def suspend(session: Session, identity: Identity, subject: Subject, now: datetime) -> KeptOpen:
    """Shut an access in the caller's writing transaction; returns why it was not, empty if it was."""
    organisation = subject.organisation_id
    if subject.kind == "ae":
        access.suspend_device(session, organisation, subject.id, now)
        return ""
    own = uuid.UUID(subject.id)
    if subject.kind == "account":
        try:
            identity.change_account(session, organisation, own, disabled=True)
        except LastAdmin:
            return "last-admin"
        except NotFound:
            return "gone"
        return ""
    if subject.kind == "token":
        return "" if identity.suspend_token(session, organisation, own, suspended=True) else "gone"
    return "" if access.suspend_link(session, organisation, own, now) else "gone"


def let_in(session: Session, identity: Identity, subject: Subject) -> None:
    """Open an access that was shut; what is gone by now stays so."""
    organisation = subject.organisation_id
    if subject.kind == "ae":
        access.suspend_device(session, organisation, subject.id, None)
    elif subject.kind == "account":
        try:
            identity.change_account(session, organisation, uuid.UUID(subject.id), disabled=False)
        except NotFound:
            return
    elif subject.kind == "token":
        identity.suspend_token(session, organisation, uuid.UUID(subject.id), suspended=False)
    else:
        access.suspend_link(session, organisation, uuid.UUID(subject.id), None)
