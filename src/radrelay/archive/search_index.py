"""The text index behind the search, and the seam between the two databases.

SQLite: an FTS5 table of trigrams over the folded name and the folded other text, without content of its own; its row
number is the study's sort key, so that it answers in the order of dates. PostgreSQL: GIN indexes of pg_trgm on the
same columns. Both: `study_token` for one and two characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.folding import short_tokens
from radrelay.archive.tables import TOKEN

SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS study_text USING fts5"
    "(name, rest, content='', tokenize='trigram case_sensitive 1')",
    "INSERT INTO study_text(study_text, rank) VALUES ('secure-delete', 1)",  # the deleted leave no trigram behind
)
POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX IF NOT EXISTS ix_study_name_trigram ON study USING gin (patient_name_folded gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS ix_study_text_trigram ON study USING gin (search_text gin_trgm_ops)",
)
_ADD = sa.text("INSERT INTO study_text(rowid, name, rest) VALUES (:sort_key, :name, :rest)")
_REMOVE = sa.text("INSERT INTO study_text(study_text, rowid, name, rest) VALUES ('delete', :sort_key, :name, :rest)")
_TOKEN = TOKEN


class Entry(NamedTuple):
    """What the text index holds of one study; removing takes exactly what was added."""

    sort_key: int
    name: str
    rest: str


def create(connection: sa.Connection) -> None:
    """Create what is beyond plain tables; may be called again."""
    for statement in POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE:
        connection.exec_driver_sql(statement)


def entry(row: Mapping[str, Any]) -> Entry:
    """Return what a study's row contributes."""
    return Entry(row["sort_key"], row["patient_name_folded"], row["search_text"])


def add(session: Session, entries: Sequence[Entry]) -> None:
    """Take new studies into the index."""
    if not entries:
        return
    connection = session.connection()
    ordered = sorted(entries)  # FTS5 writes a piece of index for each step backwards
    if connection.dialect.name == "sqlite":
        connection.execute(_ADD, [item._asdict() for item in ordered])
    tokens = [
        {"token": token, "sort_key": item.sort_key} for item in ordered for token in sorted(short_tokens(item.name))
    ]
    if tokens:
        connection.execute(sa.insert(_TOKEN), tokens)


def remove(session: Session, entries: Sequence[Entry]) -> None:
    """Take studies out of the index; `entries` as they were added."""
    if not entries:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.execute(_REMOVE, [item._asdict() for item in entries])
    tokens = [{"t": token, "k": item.sort_key} for item in entries for token in short_tokens(item.name)]
    if tokens:
        condition = sa.and_(_TOKEN.c.token == sa.bindparam("t"), _TOKEN.c.sort_key == sa.bindparam("k"))
        connection.execute(sa.delete(_TOKEN).where(condition), tokens)
