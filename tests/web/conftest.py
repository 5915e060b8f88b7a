"""A web role over a new installation in a temporary folder, asked through ASGI."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from radrelay.access import ensure_default_grants
from radrelay.app.importing.house import House
from radrelay.app.routing_rules import action_kinds
from radrelay.archive.reader import InstanceReader
from radrelay.clock import FixedClock
from radrelay.errors import Trouble
from radrelay.identity import Identity
from radrelay.identity.directory import open_directory
from radrelay.identity.passwords import PasswordRules, Passwords
from radrelay.intake.indexer import Indexer
from radrelay.intake.landing import Landing
from radrelay.intake.pseudonymising import PseudonymDiversion
from radrelay.intake.sources import SourceBook, ensure_defaults
from radrelay.mail import Post
from radrelay.pseudonyms import VaultSeal
from radrelay.retrieve.ports import Connector
from radrelay.retrieve.worklist import Worklists
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring
from radrelay.storage.keystore import KeyStore
from radrelay.storage.packs import PackStore
from radrelay.storage.segments import SegmentReader
from radrelay.web.application import create
from radrelay.web.assembly import assemble
from radrelay.web.services import EchoAnswer, EchoTarget, WebServices
from tests.backends import settings_for
from tests.proving import log_in
from tests.schema import lay

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
ITERATIONS = 1_000
BASE = "http://127.0.0.1:8080"


@dataclass
class Login:
    """A browser with (or without) a login."""

    http: TestClient
    csrf: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"X-CSRF-Token": self.csrf}


@dataclass(frozen=True)
class OpenParts:
    """What a role's process has open."""

    settings: Settings
    clock: FixedClock
    keyring: Keyring
    keys: KeyStore
    database: Database
    packs: PackStore
    segments: SegmentReader


@dataclass
class WebSite:
    """One installation under test."""

    settings: Settings
    clock: FixedClock
    database: Database
    identity: Identity
    services: WebServices
    app: FastAPI
    indexer: Indexer
    landing: Landing
    parts: OpenParts
    clients: list[TestClient] = field(default_factory=list)
    running: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def portal(self) -> BlockingPortal:
        """The loop that answers: by itself each client starts one, and threads for it, with each request."""
        return self.running.enter_context(start_blocking_portal())

    @property
    def organisation_id(self) -> uuid.UUID:
        return self.services.organisation_id

    def client(self, address: str = "127.0.0.1") -> TestClient:
        client = TestClient(self.app, base_url=BASE, client=(address, 50000))
        client.portal = self.portal
        self.clients.append(client)
        return client

    def account(self, username: str, role: str = "user") -> uuid.UUID:
        encoded = self.identity.new_verifier(username, PASSWORD)
        with self.database.write() as session:
            return self.identity.create_account(
                session, self.organisation_id, username=username, full_name="", role=role, encoded=encoded,
                must_change_password=False,
            ).id  # fmt: skip

    def login(self, username: str, address: str = "127.0.0.1") -> Login:
        client = self.client(address)
        answer = log_in(client, username, PASSWORD)
        assert answer.status_code == 200, answer.text
        return Login(client, answer.json()["csrf_token"])

    def token(self, role: str = "user") -> str:
        with self.database.write() as session:
            return self.identity.create_token(session, self.organisation_id, name="a machine", role=role).secret

    def index(self) -> int:
        total = 0
        while count := self.indexer.run_once():
            total += count
        return total


def answering(target: EchoTarget) -> EchoAnswer:
    trouble = None if target.port == 104 else Trouble("nobody-listens", "nothing listens", {"address": target.host})
    return EchoAnswer(trouble, ms=1.5)


def open_site(
    folder: Path,
    web: dict[str, object] | None = None,
    audit: dict[str, object] | None = None,
    directory: dict[str, object] | None = None,
    mail: dict[str, object] | None = None,
    rules: dict[str, object] | None = None,
    oidc: dict[str, object] | None = None,
    sign_up: dict[str, object] | None = None,
    statistics: dict[str, object] | None = None,
    archives: Connector | None = None,
    worklists: Worklists | None = None,
    hl7: dict[str, object] | None = None,
    analysis: dict[str, object] | None = None,
    importer: dict[str, object] | None = None,
) -> WebSite:
    settings = settings_for(
        folder / "data",
        web=web or {},
        audit=audit or {},
        directory=directory or {},
        mail=mail or {},
        identity=rules or {},
        oidc=oidc or {},
        sign_up=sign_up or {},
        statistics=statistics or {},
        hl7=hl7 or {},
        analysis=analysis or {},
        importer=importer or {},
        storage={"segment_bytes": 1 << 20, "min_free_bytes": 0, "ballast_bytes": 0},
    )
    settings.data_dir.mkdir(parents=True)
    clock = FixedClock(START)
    keyring = Keyring.open(settings, create=True)
    database = Database.open(settings.database, settings.data_dir, keyring.metadata_key)
    lay(database)
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    identity = Identity(
        database, clock, settings.web, keyring.metadata_key, iterations=ITERATIONS, passwords=Passwords(hasher),
        directory=open_directory(settings.directory, clock), rules=PasswordRules.of(settings.identity),
        post=Post(settings.mail, clock, keyring.metadata_key, settings.web.organisation_name),
    )  # fmt: skip
    organisation_id = identity.ensure_organisation()
    with database.write() as session:
        ensure_default_grants(session, organisation_id, settings.dicom.query_callers, clock.now())
        ensure_defaults(session, organisation_id, settings, clock.now())
    book = SourceBook(database, settings)
    landing = Landing.open(settings, "web", keyring, clock, book)
    segments = SegmentReader(settings.landing_dir, keyring)
    keys = KeyStore.open(settings, keyring)
    packs = PackStore.open(settings, keyring, keys)
    parts = OpenParts(settings, clock, keyring, keys, database, packs, segments)
    kinds = action_kinds(parts)
    made = assemble(
        parts, identity, organisation_id, landing, book, archives=archives, worklists=worklists, rule_kinds=kinds,
        importing=House(database, clock, InstanceReader(database, clock, segments, packs)),
    )  # fmt: skip
    services = replace(made, static_dir=folder / "static", echo=answering)
    seal = VaultSeal(keyring.vault_key)
    indexer = Indexer(database, segments, settings, clock, PseudonymDiversion(database, clock, seal))
    return WebSite(settings, clock, database, identity, services, create(services), indexer, landing, parts)


def close_site(site: WebSite) -> None:
    for client in site.clients:
        client.close()
    site.running.close()
    if site.identity.directory is not None:
        site.identity.directory.processes.close()
    site.landing.close()
    site.parts.packs.close()
    site.parts.keys.close()
    site.database.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    """A new installation with an administrator `root` and a user `anna`."""
    made = open_site(tmp_path)
    made.account("root", "admin")
    made.account("anna")
    yield made
    close_site(made)
