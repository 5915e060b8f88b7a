"""What was found in the record as a file: CSV for spreadsheets (RFC 4180), JSON lines for programs; line by line.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or a carriage return for a formula, and names come from
outside: such a cell gets an apostrophe in front, which spreadsheets hide.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from radrelay.audit.search import AuditEntry

Form = Literal["csv", "jsonl"]
MEDIA_TYPES: dict[Form, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
BOM = "\ufeff"
LINES = 200

Flat = Mapping[str, str | int]


def flat_entry(entry: AuditEntry) -> dict[str, str | int]:
    """Return an event as one row."""
    patient, study = entry.patient, entry.study
    return {
        "at": entry.at.isoformat(),
        "action": entry.action,
        "outcome": entry.outcome,
        "actor_kind": entry.actor_kind,
        "actor_id": entry.actor_id,
        "actor_name": entry.actor_name,
        "peer": entry.peer,
        "subject_kind": entry.subject_kind,
        "subject_id": entry.subject_id,
        "patient_issuer": patient.issuer if patient else "",
        "patient_id": patient.patient_id if patient else "",
        "patient_name": patient.name if patient else "",
        "study_uid": study.study_uid if study else "",
        "accession_number": study.accession_number if study else "",
        "study_date": study.study_date if study else "",
        "correlation_id": entry.correlation_id,
        "detail": json.dumps(entry.detail, ensure_ascii=False, sort_keys=True),
        "id": str(entry.id),
    }


def written(rows: Iterable[Flat], form: Form, columns: Iterable[str]) -> Iterator[bytes]:
    """Yield `rows` as UTF-8 in pieces; a CSV begins with its header, also when there is no row."""
    write: Callable[[Flat], str] = _csv_line if form == "csv" else _json_line
    lines = [BOM + _csv_line({name: name for name in columns})] if form == "csv" else []
    for row in rows:
        lines.append(write(row))
        if len(lines) >= LINES:
            yield "".join(lines).encode()
            lines = []
    if lines:
        yield "".join(lines).encode()


def neutral(value: str | int) -> str | int:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv_line(row: Flat) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([neutral(value) for value in row.values()])
    return line.getvalue()


def _json_line(row: Flat) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


ENTRY_COLUMNS = (
    "at", "action", "outcome", "actor_kind", "actor_id", "actor_name", "peer", "subject_kind", "subject_id",
    "patient_issuer", "patient_id", "patient_name", "study_uid", "accession_number", "study_date", "correlation_id",
    "detail", "id",
)  # fmt: skip
