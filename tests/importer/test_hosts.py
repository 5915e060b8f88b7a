"""Portals as administrators see them: counted right, whoever meets them at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from radrelay.importer import hosts
from radrelay.importer.errors import PortalUnreachable
from radrelay.importer.models import ImportCase
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database
from tests.system.installation import until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "portal.example"


def test_two_imports_that_meet_a_portal_at_once_both_count(postgres_url: str) -> None:
    url = new_database(postgres_url, BACKENDS.template())
    database = Database.open(DatabaseSettings.model_validate({"url": url}), Path(), b"")
    case = ImportCase(organisation_id=uuid.uuid4(), host=HOST)

    def meet() -> None:
        with database.write() as session:
            hosts.note_success(session, case, 2.0, NOW)

    def waits() -> bool:
        with database.read() as session:
            return bool(session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

    try:
        with ThreadPoolExecutor(1) as pool:
            with database.write() as session:
                hosts.note_failure(session, case, PortalUnreachable(host=HOST), NOW)
                other = pool.submit(meet)
                until(waits, "the other to wait")
            other.result(30)
        with database.read() as session:
            (row,) = hosts.list_hosts(session, case.organisation_id)
            assert (row.state, row.failures, row.successes, row.seconds) == (hosts.COUNTED, 1, 1, 2.0)
    finally:
        database.close()
        drop_database(url)
