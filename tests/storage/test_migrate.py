"""The program knows its newest schema revision, so that a start need not look through the migrations."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

import radrelay.storage
from radrelay.storage import migrate


def test_the_newest_migration_is_the_one_that_the_program_names() -> None:
    scripts = ScriptDirectory(str(Path(radrelay.storage.__file__).parent / "migrations"))
    assert scripts.get_current_head() == migrate.HEAD
