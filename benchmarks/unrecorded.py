"""`radrelay` without the record of who looks at what, to measure what that record costs; nobody should run it so.

python -m benchmarks.unrecorded serve
"""

from __future__ import annotations

from radrelay import audit
from radrelay.cli import main
from radrelay.storage.database import Database


def _not_recorded(database: Database, session_key: str, event: audit.AuditRecord, distinct: str = "") -> bool:
    return False


if __name__ == "__main__":
    audit.record_once = _not_recorded
    main()
