"""What the embedded database is told of its tables, from the first start on: the shape of a large archive.

SQLite plans by `sqlite_stat1` (https://sqlite.org/fileformat2.html#stat1tab), and without it by guesses: it then reads
all grants for a list, and all studies for the rule of earlier ones, for seconds. Gathered statistics would have to be
gathered again as the archive grows, and connections that are open do not read them anew. So the figures of an archive
of a million studies, 50,000 grants and 20 sources stand here; a small one is as quick by its plans.
PostgreSQL keeps its own.
"""

from __future__ import annotations

import sqlalchemy as sa

# Of all indexes of a table, or of none: one that is left out passes for the best.
STATISTICS = (  # table, index, rows and then how many of them agree in the first column, the first two and so on
    ("access_grant", "ix_access_grant_grantee", "50000 50000 25000 22 22 22 22 1 1 1 1 1"),
    ("access_grant", "ix_access_grant_ends", "5000 5000 2"),
    ("access_grant", "ix_access_grant_target", "50000 16667 1 1 1 1 1 1 1 1"),
    ("access_grant", "sqlite_autoindex_access_grant_1", "50000 1"),
    ("access_group", "sqlite_autoindex_access_group_1", "300 1"),
    ("access_group", "ux_access_group_key", "300 1"),
    ("access_group", "ux_access_group_name", "300 300 1"),
    ("access_member", "ix_access_member_member", "6000 6000 6000 3"),
    ("access_member", "sqlite_autoindex_access_member_1", "6000 58 58 1"),
    ("holding", "ix_holding_account", "10000 10"),
    ("holding", "ix_holding_end", "1000000 3000"),
    ("holding", "ix_holding_source", "1000000 50000 1 1 1"),
    ("holding", "ix_holding_study", "1000000 1 1 1"),
    ("holding", "sqlite_autoindex_holding_1", "1000000 1"),
    ("study", "ix_study_accession", "1000000 1000000 1"),
    ("study", "ix_study_birth", "1000000 1000000 34"),
    ("study", "ix_study_date", "1000000 1000000 1 1 1 1 1"),
    ("study", "ix_study_end", "1000000 1000000 200 1 1"),
    ("study", "ix_study_listed", "1000000 1 1 1 1 1 1 1 1 1 1"),
    ("study", "ix_study_name", "1000000 1000000 21 1 1 1 1"),
    ("study", "ix_study_patient", "1000000 1000000 4"),
    ("study", "ix_study_patient_row", "1000000 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    ("study", "ix_study_quiet", "1000000 100"),
    ("study", "ix_study_received", "1000000 1000000 1 1 1 1 1 1 1 1"),
    ("study", "sqlite_autoindex_study_1", "1000000 1"),
    ("study", "ux_study_sort_key", "1000000 1"),
    ("study", "ux_study_uid", "1000000 1000000 1"),
    ("study_modality", "ix_study_modality", "1000000 1000000 90910 1"),
    ("study_modality", "study_modality", "1000000 1 1"),
    ("study_token", "study_token", "6000000 16000 1"),
)


def tell(connection: sa.Connection) -> None:
    """Write the statistics of an embedded database, in the place of any that it has."""
    if connection.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # gathers nothing: the table is there then
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    for row in STATISTICS:
        connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", row)
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # nor this: what was written is read
