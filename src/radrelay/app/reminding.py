"""Reminders of data subjects' requests in the role `work`: one process of an installation posts them."""

from __future__ import annotations

import threading

import structlog

from radrelay.app.core import Core
from radrelay.app.threads import loop
from radrelay.identity.posting import open_post
from radrelay.privacy.reminders import remind
from radrelay.storage.leadership import Leadership

REMIND_S = 60.0
log = structlog.get_logger(__name__)


def keep_reminding(core: Core, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread of `work` that reminds the officers of what is due."""
    post = open_post(core.settings, core.clock, core.keyring.metadata_key)
    lead = Leadership(core.database, core.clock, "reminders", holder)

    def look() -> None:
        if post.is_set and lead.held():
            with core.database.write() as session:
                letters = remind(session, post, core.settings.privacy.remind_days, core.clock.now())
            if letters:
                log.info("officers were reminded of requests", letters=letters)

    return [loop("reminders", REMIND_S, stop, look)]
