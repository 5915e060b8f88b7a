"""Mail in the role `work`: links for forgotten passwords are made, letters sent; a test; the doctor's look.

One process of an installation does it. The address in a link is the site's own setting: what a browser claims to have
asked for is nobody's proof, and would send a person's link to a stranger's server.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from radrelay import access, audit
from radrelay.app.commands import opened
from radrelay.app.core import Core
from radrelay.app.findings import Finding
from radrelay.app.threads import loop
from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.identity import PasswordLinks, SignUps
from radrelay.identity.posting import open_post
from radrelay.mail import MailServer, Postman, require_address
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.leadership import Leadership

TICK_S = 2.0


def site_of(settings: Settings) -> str:
    """Return the address of the pages as links in letters have it."""
    return settings.web.site


class Mailing:
    """Answers forgotten passwords and sign-ups, and sends what waits."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, metadata_key: bytes) -> None:
        house = settings.web.organisation_name
        post = open_post(settings, clock, metadata_key)
        self._database, self._site = database, site_of(settings)
        self.links = PasswordLinks(clock, settings.identity, post, metadata_key)
        self.sign_ups = SignUps(clock, settings.sign_up, post, metadata_key)
        self.postman = Postman(database, clock, post, MailServer(settings.mail, house))

    def tick(self) -> int:
        """Do each once; returns how many letters the server took."""
        with self._database.read() as session:
            asked = self.links.any_asked(session)
        if asked and self.links.post.is_set:
            with self._database.write() as session:
                for one in self.links.answer_asked(session, self._site):
                    principal = replace(access.system_principal(one.account.organisation_id), peer=one.peer)
                    detail = {"by": "directory"} if one.elsewhere else {}
                    subject = "account", one.account.id
                    audit.record(session, audit.AuditRecord("password.forgotten", principal, *subject, detail))
        self._answer_sign_ups()
        return self.postman.tick()

    def _answer_sign_ups(self) -> None:
        with self._database.read() as session:
            if not self.sign_ups.any_asked(session):
                return
        with self._database.write() as session:
            for one in self.sign_ups.answer_asked(session, self._site):
                principal = replace(access.system_principal(one.account.organisation_id), peer=one.peer)
                record = audit.AuditRecord("account.sign-up-known", principal, "account", one.account.id)
                audit.record(session, record)


def keep_posting(core: Core, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread of `work` that looks after mail."""
    mailing = Mailing(core.settings, core.database, core.clock, core.keyring.metadata_key)
    lead = Leadership(core.database, core.clock, "mail", holder)

    def look() -> None:
        if lead.held():
            mailing.tick()

    return [loop("mail", TICK_S, stop, look)]


def mail_test_command(settings: Settings, address: str) -> int:
    """Send a letter to an address at once, and say what the server answered; returns the exit code."""
    recipient = require_address(address)
    with opened(settings) as (core, prepared):
        house = settings.web.organisation_name
        post = open_post(settings, core.clock, core.keyring.metadata_key)
        server = MailServer(settings.mail, house)
        server.send(recipient, post.letter("test", ""), str(new_id()), core.clock.now())
        print(f"{server.place} has taken a letter to {recipient}")  # noqa: T201
        with core.database.read() as session:
            waiting = post.state(session, prepared.organisation_id).waiting
        if waiting:
            print(f"{waiting} letters wait")  # noqa: T201
        return 0


def mail_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what `doctor` says of the mail server."""
    if settings.mail.host is None:
        text = "no mail server is set: invitations are handed over by hand, nobody resets a password alone"
        yield Finding("mail", "good", text)
        return
    server = MailServer(settings.mail, settings.web.organisation_name)
    try:
        server.check()
    except RadrelayError as error:
        yield Finding("mail", "bad", error.message, "see to mail.host and what is set beside it; letters wait")
        return
    yield Finding("mail", "good", f"{server.place} answers, its certificate holds, and the sender is let in")
    if settings.web.address is None:
        text = f"links in letters begin with {site_of(settings)}"
        yield Finding("mail", "look", text, "set web.address to what people outside reach the pages by")
