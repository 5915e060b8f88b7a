"""What a new embedded database knows of its tables before there is anything in them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from radrelay.access import Grantee, Principal, PriorRuleView, Right, Target, grant, scope, set_prior_rule
from radrelay.archive.compaction import Compactor
from radrelay.archive.models import Instance, Study
from radrelay.archive.of_study import of_studies
from radrelay.archive.query import StudyQuery, Window
from radrelay.archive.search import find_studies
from radrelay.importer.broken_off import drop_late
from radrelay.importer.counted_on import hand_over
from radrelay.importer.filing_noted import aside_of
from radrelay.importer.models import ImportCase
from radrelay.settings import DatabaseSettings
from radrelay.storage.database import Database
from radrelay.storage.migrate import migrate
from radrelay.storage.planner import STATISTICS
from tests.access.test_scope import NOW, ORGANISATION


def test_lists_go_by_their_indexes_from_the_first_study_on(tmp_path: Path) -> None:
    database = Database.open(DatabaseSettings.model_validate({}), tmp_path, bytes(32))
    migrate(database)
    with database.write() as session:
        told = session.execute(sa.text("SELECT tbl, idx, stat FROM sqlite_stat1")).all()
        assert {tuple(row) for row in told} == set(STATISTICS)
        for table, index, figures in STATISTICS:
            found = session.execute(sa.text(f"PRAGMA index_info('{index}')")).all()
            keys = session.execute(sa.text(f"SELECT name FROM pragma_table_info('{table}') WHERE pk > 0")).all()
            columns = len(found or keys)
            assert len(figures.split()) == 1 + columns, f"{index} has {columns} columns"
        told_of = {index for _, index, _ in STATISTICS}
        for table in {table for table, _, _ in STATISTICS}:
            indexes = {row[1] for row in session.execute(sa.text(f"PRAGMA index_list('{table}')"))}
            assert {one for one in indexes if not one.startswith("sqlite_autoindex")} <= told_of, table
        set_prior_rule(session, ORGANISATION, PriorRuleView("all"))
        grant(session, ORGANISATION, Grantee("account", "anna"), Target("study", ORGANISATION), [Right.SEE], now=NOW)
        anna = Principal("account", "anna", "anna", ORGANISATION, "user")
        listed = scope(session, anna, Right.SEE, now=NOW).listed(session, Study.id)
        asked: list[tuple[str, Any]] = []
        event.listen(
            database.engine, "before_cursor_execute", lambda _, __, sql, given, *more: asked.append((sql, given))
        )
        find_studies(session, ORGANISATION, StudyQuery(), listed, NOW, Window("received"))
        sql, given = next((sql, given) for sql, given in asked if "INDEXED BY" in sql)
        steps = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
    database.close()
    by_grantee = "ix_access_grant_grantee (organisation_id=? AND grantee_kind=? AND grantee_id=?"
    grants = [one for one in steps if one.startswith("SEARCH access_grant")]
    assert len(grants) > 3, steps
    assert all(by_grantee in one for one in grants), steps
    assert not [one for one in steps if one.startswith("SCAN study")], steps
    assert len([one for one in steps if "ix_study_patient_row (patient_id=?" in one]) == 3, steps


def test_objects_of_a_study_and_what_waits_for_compaction_are_found_without_reading_all_objects(tmp_path: Path) -> None:
    database = Database.open(DatabaseSettings.model_validate({}), tmp_path, bytes(32))
    migrate(database)
    asked: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda _, __, sql, given, *more: asked.append((sql, given)))
    Compactor.pending(SimpleNamespace(_database=database), away=["n1"])  # type: ignore[arg-type]
    with database.read() as session:
        session.execute(sa.select(Instance.file_name).where(of_studies([ORGANISATION])))
        told = [(sql, given) for sql, given in asked if "FROM instance" in sql]
        for sql, given in told:
            steps = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            assert not [one for one in steps if one.startswith("SCAN instance")], steps
    database.close()
    assert len(told) == 2


def test_what_landed_of_a_filing_that_broke_off_is_found_without_reading_all_objects(tmp_path: Path) -> None:
    """It is looked for every few seconds for two days, while nobody else writes."""
    database = Database.open(DatabaseSettings.model_validate({}), tmp_path, bytes(32))
    migrate(database)
    asked: list[tuple[str, Any]] = []
    with database.write() as session:
        late = json.dumps({"studies": ["1.2"], "filed": []})
        case = ImportCase(
            id=ORGANISATION, organisation_id=ORGANISATION, source_id=ORGANISATION, parcel_id=ORGANISATION,
            state="filed", asked_kind="account", created_at=NOW, changed_at=NOW, ends_at=NOW, late=late,
            correlation_id="of-its-own",
        )  # fmt: skip
        session.add(case)
        session.flush()
        event.listen(
            database.engine, "before_cursor_execute", lambda _, __, sql, given, *more: asked.append((sql, given))
        )
        drop_late(session, case.id, NOW)
        hand_over(session, case, 0, {}, {"1.2": {"1.2.3": "digest"}})
        aside_of(session, ORGANISATION, {ORGANISATION: "1.2.3"})
        tables = ("FROM instance", "FROM quarantined", "import_paper")
        told = [(sql, given) for sql, given in asked if any(one in sql for one in tables)]
        for sql, given in told:
            steps = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            assert not [one for one in steps if one.startswith("SCAN")], steps
            assert not [one for one in steps if "ix_quarantined_received" in one], "all of the quarantine"
    database.close()
    assert len(told) == 4
