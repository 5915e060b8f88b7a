"""One writer at a time in the archive's tables.

SQLite gives the writer's place to one transaction by itself (BEGIN IMMEDIATE); PostgreSQL is asked for an
advisory lock that ends with the transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

LOCK = 0x5241_4152  # "RAAR"


def lock_archive(session: Session) -> None:
    """Wait until this transaction alone may change studies, instances and holdings."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
