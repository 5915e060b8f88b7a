"""The group that whoever signs up joins, by the name that the settings give it.

It may not be there: misspelt, renamed or deleted since. Then they join none, administrators see it on their page of
accounts, `radrelay doctor` says it, and who is let in once it is there joins it then.
"""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.identity import AccountView
from radrelay.web.services import WebServices

log = structlog.get_logger(__name__)


def join(services: WebServices, session: Session, account: AccountView) -> str:
    """Put an account into the group that the settings name; returns its id, empty where there is none."""
    wanted = services.settings.sign_up.group.strip()
    found = access.group_named(session, account.organisation_id, wanted) if wanted else None
    if found is None:
        if wanted:
            log.warning("there is no group for who signs up", group=wanted)
        return ""
    access.add_member(session, account.organisation_id, found.id, "account", str(account.id))
    return str(found.id)


def lacking_group(services: WebServices, session: Session) -> str:
    """Return the name of the group that the settings name and that is not there; empty where nothing lacks."""
    wanted = services.settings.sign_up.group.strip()
    there = not wanted or access.group_named(session, services.organisation_id, wanted) is not None
    return "" if there else wanted
