"""One slapd for all tests of the directory, and an installation whose people come from a branch of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from radrelay import audit
from radrelay.access import Principal, ensure_default_grants
from radrelay.app.directory import DirectoryRuns
from radrelay.clock import Clock, SystemClock
from radrelay.identity import AccountView
from radrelay.identity.directory import Directory, open_directory
from radrelay.identity.directory.service import Run
from radrelay.settings import DirectorySettings
from radrelay.storage import append_only
from radrelay.storage.columns import Base
from radrelay.storage.ids import new_id
from tests import slapd
from tests.collection import COLLECTION
from tests.slapd import SAMPLE, SITE, Branch, Slapd
from tests.web.conftest import START, Login, WebSite, close_site, open_site

MANY = f"ou=many,{SITE}"
MANY_COUNT = 450
KEPT_TABLES = {"organisation", "source"}
KEPT_RECORD = {name for name in Base.metadata.tables if name.startswith("audit_") and name != "audit_mark"}
DICOM_SCHEMA = "dcm4che-conf/dcm4che-conf-ldap-schema/src/main/resources/ldap/opendj/10-dicom.ldif"


def _many() -> str:
    people = (
        f"dn: uid=m{number},{MANY}\nobjectClass: inetOrgPerson\nuid: m{number}\ncn: M {number}\nsn: {number}\n"
        for number in range(MANY_COUNT)
    )
    return "\n".join((f"dn: {MANY}\nobjectClass: organizationalUnit\nou: many\n", *people))


def _sample() -> dict[str, str]:
    """Return the sample of the collection, with the folder that it leaves out."""
    path = COLLECTION / "ldap" / "ad-sample-cyrillic.ldif"
    if not path.is_file():
        return {}
    return {SAMPLE: f"dn: CN=Users,{SAMPLE}\nobjectClass: container\ncn: Users\n\n{path.read_text(encoding='utf-8')}"}


def _dicom_schema() -> str:
    """Return dcm4che's schema of DICOM devices (PS3.15 H.1.3), if it is here, in slapd's form."""
    path = COLLECTION / "ldap" / "dcm4che-ldif" / DICOM_SCHEMA
    if not path.is_file():
        return ""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    started = next(number for number, line in enumerate(lines) if line.startswith("attributeTypes:"))
    text = "\n".join(line for line in lines[started:] if not line.startswith("#"))
    return text.replace("attributeTypes:", "attributetype").replace("objectClasses:", "objectclass") + "\n"


@pytest.fixture(scope="session")
def server() -> Iterator[Slapd]:
    with slapd.server({SITE: _many(), **_sample()}, _dicom_schema()) as running:
        yield running


@pytest.fixture
def branch(server: Slapd) -> Branch:
    return server.branch()


@pytest.fixture
def ad_branch(server: Slapd) -> Branch:
    return server.branch(slapd.AD)


Opener = Callable[..., Directory]


@pytest.fixture
def opened(server: Slapd) -> Iterator[Opener]:
    """Open directories for a branch or a base, with further settings."""
    with ExitStack() as stack:

        def open_one(base: str | Branch, suffix: str = SITE, clock: Clock | None = None, **more: Any) -> Directory:
            dn, suffix = (base.dn, base.suffix) if isinstance(base, Branch) else (base, suffix)
            settings = DirectorySettings(**server.section(dn, suffix, **more))
            found = open_directory(settings, clock or SystemClock())
            assert found is not None
            stack.callback(found.processes.close)
            return found

        yield open_one


@dataclass
class House:
    """An installation and its branch of the directory."""

    site: WebSite
    branch: Branch
    runs: DirectoryRuns
    since: uuid.UUID = field(default_factory=new_id)
    """The record is append-only: what tests before this one left in it is older."""

    @property
    def principal(self) -> Principal:
        return Principal("system", "command", "the test", self.site.organisation_id, role="system")

    def preview(self, *adopt: str) -> Run:
        return self.runs.at_once("preview", self.principal, "", adopt)

    def sync(self, confirmed: str = "", *adopt: str) -> Run:
        return self.runs.at_once("sync", self.principal, confirmed, adopt)

    def follow(self) -> Run:
        """Do a sync and say yes to what it asks."""
        asked = self.sync()
        return self.sync(asked.digest) if asked.state == "asks" else asked

    def accounts(self) -> dict[str, AccountView]:
        with self.site.database.read() as session:
            return {one.username: one for one in self.site.identity.accounts(session, self.site.organisation_id)}

    def enter(self, username: str, password: str = slapd.PASSWORD, address: str = "127.0.0.1") -> Any:
        """Log in with the password itself, and return the answer."""
        return self.site.client(address).post("/api/session", json={"username": username, "password": password})

    def login(self, username: str) -> Login:
        client = self.site.client()
        answer = client.post("/api/session", json={"username": username, "password": slapd.PASSWORD})
        assert answer.status_code == 200, answer.text
        return Login(client, answer.json()["csrf_token"])

    def actions(self, action: str) -> list[audit.AuditEntry]:
        with self.site.database.read() as session:
            found = audit.search(session, self.site.organisation_id, audit.AuditQuery(action=action)).entries
        return [one for one in found if one.id > self.since]


@pytest.fixture(scope="session")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    site = open_site(tmp_path_factory.mktemp("house"))
    yield site
    close_site(site)


def _emptied(site: WebSite) -> WebSite:
    """Return the installation as it was when it was new: making one takes longer than most of these tests."""
    for client in site.clients:
        client.close()
    site.clients.clear()
    site.clock.advance(START - site.clock.now())
    with site.database.write() as session:
        append_only.lift(session.connection())
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT_TABLES and table.name not in KEPT_RECORD:
                session.execute(table.delete())
        append_only.hold(session.connection())
        ensure_default_grants(session, site.organisation_id, (), site.clock.now())
    return site


Build = Callable[..., House]


@pytest.fixture
def build(opened: Opener, _site: WebSite) -> Build:
    """Build an installation with an own administrator `root`, and further settings of the directory."""

    def one(branch: Branch, **more: Any) -> House:
        site, directory = _emptied(_site), opened(branch, clock=_site.clock, **more)
        site.identity._logins.directory = directory
        site.account("root", "admin")
        return House(site, branch, DirectoryRuns(site.database, site.clock, directory, site.organisation_id))

    return one
