"""Study search at 1,000,000 generated studies, embedded database.

The filled database is kept for the next run, as long as the modules that shape it stay as they are.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from benchmarks import search, study_rows
from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, line
from radrelay.archive import folding, models, search_index, sort_key
from radrelay.storage import columns

PART = "search"
SHAPING = (search, study_rows, folding, models, search_index, sort_key, columns)


def run(plan: Plan) -> list[Line]:
    """Fill the database if no earlier run has, and ask."""
    studies = _studies(plan)
    folder = _folder(plan)
    ready = folder / "filled"
    if not ready.exists():
        for old in plan.cache.glob(f"studies-{studies}-*"):
            shutil.rmtree(old)
        folder.mkdir(parents=True)
    lines = []
    with search.opened("sqlite", folder) as database:
        if not ready.exists():
            search.fill(database, studies)
            search.give_few(database)
            ready.touch()
        for timing in search.measure(database, plan.pick(60, 10)):
            what = f"{studies:,} studies, {timing.question}"
            lines.append(line(PART, f"{what}, p50", "ms", {OURS: [timing.p50_ms]}))
            lines.append(line(PART, f"{what}, p95", "ms", {OURS: [timing.p95_ms]}, Aim(search.LIMIT_MS, below=True)))
    return plan.tell(lines)


def is_filled(plan: Plan) -> bool:
    """Return whether an earlier run has filled the database, which takes some four minutes."""
    return (_folder(plan) / "filled").exists()


def _studies(plan: Plan) -> int:
    return plan.pick(1_000_000, 20_000)


def _folder(plan: Plan) -> Path:
    return plan.cache / f"studies-{_studies(plan)}-{_shape()}"


def _shape() -> str:
    digest = hashlib.sha256()
    for module in SHAPING:
        digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()[:12]
