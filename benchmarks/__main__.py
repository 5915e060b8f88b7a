"""Radrelay beside Orthanc and dcmtk, in one run: prints what it finds and writes `benchmarks/RESULTS.md`.

    python -m benchmarks [receive|web|query|zip|deid|rules|start|move|people|viewer|login|audit|links|hl7|imports
                         |gateway|search|sight|perfusion …] [--quick] [--rounds 3] [--folder F]

Without names all parts run, about ten minutes; `search` and `sight` only if they were named once and so have filled
their million studies, which takes some four minutes more each (`sight` fills PostgreSQL anew each time). A run of some
parts keeps the other parts' rows of the last table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    archives,
    deid,
    gateway,
    hospital,
    importing,
    links,
    login,
    machine,
    million,
    moves,
    people,
    perfusion,
    query,
    receive,
    record,
    ruling,
    sight,
    start,
    viewer,
    web,
)
from benchmarks.plan import Plan
from benchmarks.report import Report
from benchmarks.table import Line

PARTS: dict[str, Callable[[Plan], list[Line]]] = {
    "receive": receive.run,
    "web": web.run,
    "query": query.run,
    "zip": archives.run,
    "deid": deid.run,
    "rules": ruling.run,
    "start": start.run,
    "move": moves.run,
    "people": people.run,
    "viewer": viewer.run,
    "login": login.run,
    "audit": record.run,
    "links": links.run,
    "hl7": hospital.run,
    "imports": importing.run,
    "gateway": gateway.run,
    "search": million.run,
    "sight": sight.run,
    "perfusion": perfusion.run,
}
LARGE = {"search": million.is_filled, "sight": sight.is_filled}
RESULTS = Path(__file__).with_name("RESULTS.md")
ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run the parts that are named; returns 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(PARTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works; writes no table")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds; 3, or 1 when quick")
    parser.add_argument("--folder", type=Path, default=ROOT / "var", help="a folder on the disk to measure")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as working:
        plan = Plan(
            folder=Path(working).absolute(),
            cache=options.folder.absolute() / "bench-cache",
            quick=options.quick,
            rounds=options.rounds or (1 if options.quick else 3),
        )
        report = Report.begin(RESULTS, plan.folder)
        sys.stdout.write(report.machine + "\n")
        for name in options.parts or PARTS:
            if not options.parts and name in LARGE and not options.quick and not LARGE[name](plan):
                sys.stdout.write(f"{name} left out: `python -m benchmarks {name}` fills its database, and runs it\n")
                continue
            began, load = time.monotonic(), machine.load_average()
            try:
                lines = PARTS[name](plan)
            except (RuntimeError, OSError, AssertionError) as error:
                failed.append(f"{name}: {error}")
                sys.stdout.write(f"{name} FAILED: {error}\n")
                continue
            report.add(name, lines, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {load:.1f} before")
            sys.stdout.write(f"{name} took {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
    if not options.quick:
        report.write(RESULTS)
        sys.stdout.write(f"written to {RESULTS}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
