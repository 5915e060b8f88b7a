"""One authority and one mail server for all scenarios; each has an installation that sends by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme

from radrelay.app.mail import Mailing
from radrelay.mail import Post, PostedLetter
from tests.mail.smtp_server import MailHost
from tests.web.conftest import WebSite, close_site, open_site


@dataclass
class Office:
    """An installation, the server that it sends by, and the part of `work` that sends."""

    site: WebSite
    host: MailHost
    mailing: Mailing
    ticks: list[float]

    @property
    def post(self) -> Post:
        return self.site.services.password_links.post

    def write(self, recipient: str = "anna@clinic.example", expires_at: datetime | None = None, whom: str = "") -> None:
        letter = self.post.letter("test", "de", whom=whom)
        with self.site.database.write() as session:
            self.post.enqueue(session, self.site.organisation_id, recipient, letter, expires_at=expires_at)

    def letters(self) -> list[PostedLetter]:
        with self.site.database.read() as session:
            return list(self.post.state(session, self.site.organisation_id).letters)

    def wait(self, seconds: float) -> int:
        """Let time pass, and `work` look."""
        self.site.clock.advance(timedelta(seconds=seconds))
        self.ticks[0] += seconds
        return self.mailing.tick()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def host(authority: trustme.CA) -> Iterator[MailHost]:
    made = MailHost(authority)
    made.start()
    yield made
    made.stop()


OpenOffice = Callable[..., Office]


@pytest.fixture
def open_office(tmp_path: Path, host: MailHost) -> Iterator[OpenOffice]:
    made: list[WebSite] = []

    def open_one(**mail: object) -> Office:
        site = open_site(tmp_path, mail=host.settings(tmp_path, **mail), web={"address": "https://pacs.example"})
        made.append(site)
        mailing = Mailing(site.settings, site.database, site.clock, site.services.metadata_key)
        ticks = [0.0]
        mailing.postman._monotonic = lambda: ticks[0]  # the pauses after trouble are by another clock
        return Office(site, host, mailing, ticks)

    yield open_one
    for site in made:
        close_site(site)


@pytest.fixture
def office(open_office: OpenOffice) -> Office:
    return open_office()
