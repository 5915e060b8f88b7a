"""The program knows its newest schema revision, so that a start need not look through the migrations."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import radrelay.app.rows  # which names every room with tables
import radrelay.storage
from radrelay.archive.models import NARROW
from radrelay.settings import DatabaseSettings
from radrelay.storage import migrate
from radrelay.storage.columns import Base
from radrelay.storage.database import Database


def test_the_newest_migration_is_the_one_that_the_program_names() -> None:
    scripts = ScriptDirectory(str(Path(radrelay.storage.__file__).parent / "migrations"))
    assert scripts.get_current_head() == migrate.HEAD


def test_the_migrations_make_the_tables_that_the_models_describe(tmp_path: Path) -> None:
    assert radrelay.app.rows.ROOMS
    database = Database.open(DatabaseSettings.model_validate({}), tmp_path, bytes(32))
    migrate.migrate(database)
    with database.engine.connect() as connection:
        opts = {"compare_type": False, "include_object": _is_embedded}  # SQLite has few types of its own
        context = MigrationContext.configure(connection, opts=opts)
        differences = compare_metadata(context, Base.metadata)
    database.close()
    text_index = [one for one in differences if one[0] == "remove_table" and one[1].name.startswith("study_text")]
    assert [one for one in differences if one not in text_index] == []


def _is_embedded(item: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "index" and name is not None and name.endswith(NARROW))
