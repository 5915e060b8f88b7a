"""The log of a display as CSV, a line for each criterion of each check, for those who audit displays."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from radrelay.displays.models import Display, DisplayCheck, Workstation
from radrelay.displays.service import criteria_of

MEDIA_TYPE = "text/csv; charset=utf-8"
RESPONSES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
HEAD = (
    "checked_at", "valid_until", "checked_by", "workstation", "display", "room", "room_class", "use", "columns", "rows",
    "pixel_um", "kind", "passed", "criterion", "criterion_passed", "value", "limit", "source", "instrument", "remark",
    "check_id",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(workstation: Workstation, display: Display, rows: Sequence[DisplayCheck]) -> Iterator[str]:
    """Yield the lines; times are ISO 8601 in UTC."""
    yield "\ufeff" + _line(HEAD)  # spreadsheets take it for Windows-1252 without the mark
    for row in rows:
        was, entered = json.loads(row.display), json.loads(row.entered)
        until = row.valid_until.isoformat() if row.valid_until else ""
        before = (row.checked_at.isoformat(), until, row.account_name, workstation.name, display.name, was["room"],
                  was["room_class"], was["use"], was["columns"], was["rows"], was["pixel_um"], row.kind,
                  row.passed)  # fmt: skip
        after = (entered["instrument"], entered["remark"], str(row.id))
        for one in criteria_of(row):
            yield _line((*before, one.name, one.passed, one.value, one.limit, one.source, *after))


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(cell: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(FORMULA_SIGNS) else text
