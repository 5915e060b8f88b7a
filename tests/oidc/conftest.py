"""One installation for all tests of single sign-on, emptied for each; the peer and the forger run once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from radrelay import access, audit
from radrelay.access import ensure_default_grants
from radrelay.identity import AccountView
from radrelay.identity.oidc import SingleSignOn
from radrelay.settings import OidcSettings
from radrelay.storage.columns import Base
from radrelay.storage.ids import new_id
from tests.oidc.forging import Forger, catcher, forger
from tests.oidc.peer import Peer, provider
from tests.web.conftest import BASE, ITERATIONS, PASSWORD, Login, WebSite, close_site, open_site

__all__ = ["ITERATIONS", "PASSWORD"]
KEPT_TABLES = {"organisation", "source"}
KEPT_RECORD = {name for name in Base.metadata.tables if name.startswith("audit_") and name != "audit_mark"}


@dataclass
class Way:
    """A browser that has set out for the provider: the address, and what stands in it."""

    client: TestClient
    address: str

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.address).query))

    def back(self, address: str = "", **answer: str) -> str:
        """Come back from the provider, and return where that leads."""
        if not address:
            return self._led("/api/oidc/callback", {"state": self.query["state"], **answer})
        parts = urlsplit(address)
        return self._led(parts.path, dict(parse_qsl(parts.query)))

    def _led(self, path: str, query: dict[str, str]) -> str:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = self.client.get(path, params=query, headers=headers, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def login(self) -> Login:
        return Login(self.client, self.client.get("/api/session").json()["csrf_token"])


@dataclass
class Clinic:
    """An installation with single sign-on."""

    site: WebSite
    since: uuid.UUID = field(default_factory=new_id)

    def set(self, section: dict[str, Any]) -> SingleSignOn:
        """Set a provider."""
        settings = OidcSettings(**section)
        made = SingleSignOn(settings, BASE, self.site.services.metadata_key, self.site.clock)
        self.site.app.state.services = replace(self.site.services, single_sign_on=made, registry=CollectorRegistry())
        return made

    def begin(self, wanted: str = "/", client: TestClient | None = None, address: str = "127.0.0.1") -> Way:
        client = client or self.site.client(address)
        answer = client.get("/api/oidc/start", params={"next": wanted}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return Way(client, answer.headers["location"])

    def accounts(self) -> dict[str, AccountView]:
        with self.site.database.read() as session:
            return {one.username: one for one in self.site.identity.accounts(session, self.site.organisation_id)}

    def groups(self, username: str) -> dict[str, str]:
        """Return the groups that somebody is in, and by whom."""
        account = self.accounts()[username]
        found: dict[str, str] = {}
        with self.site.database.read() as session:
            for group in access.groups(session, self.site.organisation_id):
                for member in access.members_of(session, self.site.organisation_id, group.id):
                    if member.id == str(account.id):
                        found[group.name] = member.origin
        return found

    def told(self, action: str) -> list[tuple[str, dict[str, Any]]]:
        """Return outcome and detail of what is on record, oldest first."""
        found = [one for one in self.record(action) if one.id > self.since]
        return [(one.outcome, dict(one.detail)) for one in sorted(found, key=lambda one: one.id)]

    def record(self, action: str = "") -> list[audit.AuditEntry]:
        with self.site.database.read() as session:
            asked = audit.AuditQuery(action=action)
            return list(audit.search(session, self.site.organisation_id, asked).entries)

    def refused(self) -> list[str]:
        return [detail["reason"] for outcome, detail in self.told("login") if outcome == "refused"]


@pytest.fixture(scope="session")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    site = open_site(tmp_path_factory.mktemp("clinic"), web={"address": BASE})
    yield site
    close_site(site)


@pytest.fixture
def clinic(_site: WebSite) -> Clinic:
    for client in _site.clients:
        client.close()
    _site.clients.clear()
    _site.clock.advance(datetime.now(UTC) - _site.clock.now())  # the peer goes by the real clock
    with _site.database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT_TABLES | KEPT_RECORD:
                session.execute(table.delete())
        ensure_default_grants(session, _site.organisation_id, (), _site.clock.now())
    _site.account("root", "admin")
    return Clinic(_site)


@pytest.fixture(scope="session")
def _logouts() -> Iterator[tuple[str, list[str]]]:
    with catcher() as found:
        yield found


@pytest.fixture(scope="session")
def peer(_logouts: tuple[str, list[str]]) -> Iterator[Peer]:
    with provider(BASE, _logouts[0]) as running:
        yield running


@pytest.fixture
def logout_tokens(_logouts: tuple[str, list[str]]) -> list[str]:
    _logouts[1].clear()
    return _logouts[1]


@pytest.fixture(scope="session")
def _forger(_site: WebSite) -> Iterator[Forger]:
    with forger(_site.clock) as running:
        yield running


@pytest.fixture
def forged(_forger: Forger, clinic: Clinic) -> Forger:
    """The forger, set as the provider."""
    _forger.reset()
    clinic.set(_forger.settings())
    return _forger


Enter = Callable[..., str]


@pytest.fixture
def enter(clinic: Clinic, forged: Forger) -> Enter:
    """Come by single sign-on with what the forger says, and return where that leads."""

    def one(client: TestClient | None = None, **claims: Any) -> str:
        forged.claims = claims
        way = clinic.begin(client=client)
        forged.nonce = way.query["nonce"]
        return way.back(code="a-code")

    return one
