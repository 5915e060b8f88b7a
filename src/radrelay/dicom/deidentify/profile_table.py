"""PS3.15 Table E.1-1 as data: each attribute's action in the Basic Profile and under each option.

Edition 2026c, 652 attributes, curves, overlays and, in code, all private attributes. The Basic column is that of
2026c and is compared with dicom-anonymizer's list of that edition (BSD-3); the option columns are those of the text of
2024d at dicom.nema.org. The 33 rows added since have empty option columns here, so that the Basic action, the
strictest, holds for them under every option.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from radrelay.dicom.deidentify.options import Option

EDITION = "2026c"
_COLUMNS = (
    Option.SAFE_PRIVATE, Option.UIDS, Option.DEVICE, Option.INSTITUTION, Option.PATIENT, Option.FULL_DATES,
    Option.MODIFIED_DATES, Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED, Option.CLEAN_GRAPHICS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute of the table; `vr` is empty for repeating groups."""

    vr: str
    basic: str
    options: dict[Option, str]
    name: str

    def action(self, chosen: frozenset[Option]) -> str:
        """Return the action code that holds under the options chosen: keeping goes before cleaning, both before Basic.

        An attribute that one option keeps and another cleans is kept: whoever asks for it to be retained needs it.
        """
        codes = {code for option, code in self.options.items() if option in chosen}
        return "K" if "K" in codes else "C" if "C" in codes else self.basic


@cache
def profile() -> dict[int, Row]:
    """Return the rows of single attributes by tag."""
    return {int(tag, 16): row for tag, row in _rows() if "x" not in tag}


@cache
def repeating() -> dict[str, Row]:
    """Return the rows of curves and overlays, by the pattern of their tags (`50xxxxxx`, `60xx3000`, `60xx4000`)."""
    return {tag: row for tag, row in _rows() if "x" in tag}


@cache
def _rows() -> list[tuple[str, Row]]:
    text = files(__package__).joinpath("profile_table.tsv").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines()[2:]:
        tag, vr, basic, *cells, name = line.split("\t")
        options = {option: code for option, code in zip(_COLUMNS, cells, strict=True) if code}
        found.append((tag, Row(vr, basic, options, name)))
    return found
