"""Study search at 1,000,000 generated studies, embedded database; the filled database is kept for the next run."""

from __future__ import annotations

import shutil

from benchmarks import search
from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, line

PART = "search"


def run(plan: Plan) -> list[Line]:
    """Fill the database if no earlier run has, and ask."""
    studies = plan.pick(1_000_000, 20_000)
    folder = plan.cache / f"studies-{studies}"
    ready = folder / "filled"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
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
