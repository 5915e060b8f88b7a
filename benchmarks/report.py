"""The results' file: what was measured where, one table, how to read it. Parts that were not run keep their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine
from benchmarks.deid import ANONYMIZER
from benchmarks.importing import PEER as BY_HAND
from benchmarks.ohif import OHIF
from benchmarks.reasons import explained
from benchmarks.receive import DCMTK, ORTHANC
from benchmarks.table import Line, markdown

ORDER = (
    "receive", "web", "query", "zip", "move", "deid", "rules", "start", "people", "viewer", "login", "links", "imports",
    "audit", "hl7", "gateway", "search", "sight", "perfusion",
)  # fmt: skip
READING = """\
Each row shows medians over interleaved rounds (A B A B, one run, one machine) and the median of the rounds' ratios;
a ratio above 1 means that Radrelay is the better. Orthanc runs with its defaults (each file synced) and
`TCP_NODELAY=1`; for C-FIND and QIDO-RS it was filled without syncing. `storescp --fork` never syncs and only writes
files. Radrelay encrypts and syncs each object before it acknowledges it, and indexes it behind. All of them share the
machine's cores with the sender, the browser-like clients and each other's idle processes. De-identification counts
processor time, in memory, beside dicom-anonymizer with its rules of 2024b; rules count processor time, too.
"""


class Report:
    """Collects the parts' rows; keeps them beside the table as JSON so that parts can be run alone."""

    def __init__(self, machine_text: str, kept: dict[str, dict[str, object]]) -> None:
        self.machine = machine_text
        self._parts = kept

    @classmethod
    def begin(cls, results: Path, folder: Path) -> Report:
        """Look at the machine, and read what earlier runs found."""
        small, large = (machine.sync_latency_ms(folder, size) for size in (4096, 512 << 10))
        lines = [
            *machine.versions(),
            f"write and fdatasync: 4 KiB {small[0]:.2f} ms (p95 {small[1]:.2f}), "
            f"512 KiB {large[0]:.2f} ms (p95 {large[1]:.2f}); load average {machine.load_average():.1f}",
        ]
        kept = _kept_in(results)
        return cls("\n".join(f"- {line}" for line in lines), kept)

    def add(self, part: str, lines: Sequence[Line], when: str) -> None:
        """Put a part's rows in the place of its earlier ones."""
        self._parts[part] = {"when": when, "lines": [asdict(line) for line in lines]}

    def write(self, results: Path) -> None:
        """Write table and rows."""
        parts = [(name, self._parts[name]) for name in ORDER if name in self._parts]
        lines = [Line(**row) for _, part in parts for row in part["lines"]]  # type: ignore[attr-defined]
        whens = [f"- {name}: {part['when']}" for name, part in parts]
        text = [
            "# Speed and memory, measured by `make bench`", "", self.machine, *whens, "", READING,
            markdown(lines, [ORTHANC, DCMTK, OHIF, ANONYMIZER, BY_HAND]), "", *explained(lines), "<!-- rows",
            json.dumps(self._parts, ensure_ascii=False), "-->", "",
        ]  # fmt: skip
        results.write_text("\n".join(text), encoding="utf-8")


def _kept_in(results: Path) -> dict[str, dict[str, object]]:
    if not results.exists():
        return {}
    _, _, rows = results.read_text(encoding="utf-8").partition("<!-- rows\n")
    found: dict[str, dict[str, object]] = json.loads(rows.partition("\n-->")[0]) if rows else {}
    return found
