"""The documents on security name tests that exist, and leave out no requirement of ASVS 5.0's levels 1 and 2."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TESTS = ROOT / "tests"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
STATES = {"holds", "partly", "open", "n/a"}
# Of each section: how its numbers go, those of level 1 and those of level 2 (5.0.0; level 3 is left out)
LEVELS = {
    "1.1": ("", "1-2"), "1.2": ("1-5", "6-9"), "1.3": ("1-2", "3-11"), "1.4": ("", "1-3"), "1.5": ("1", "2"),
    "2.1": ("1", "2-3"), "2.2": ("1-2", "3"), "2.3": ("1", "2-4"), "2.4": ("", "1"),
    "3.2": ("1-2", ""), "3.3": ("1", "2-4"), "3.4": ("1-2", "3-6"), "3.5": ("1-3", "4-5"), "3.7": ("", "1-2"),
    "4.1": ("1", "2-3"), "4.2": ("", "1"), "4.3": ("", "1-2"), "4.4": ("1", "2-4"),
    "5.1": ("", "1"), "5.2": ("1-2", "3"), "5.3": ("1-2", ""), "5.4": ("", "1-3"),
    "6.1": ("1", "2-3"), "6.2": ("1-8", "9-12"), "6.3": ("1-2", "3-4"), "6.4": ("1-2", "3-4"), "6.5": ("", "1-5"),
    "6.6": ("", "1-3"), "6.8": ("", "1-4"),
    "7.1": ("", "1-3"), "7.2": ("1-4", ""), "7.3": ("", "1-2"), "7.4": ("1-2", "3-5"), "7.5": ("", "1-2"),
    "7.6": ("", "1-2"),
    "8.1": ("1", "2"), "8.2": ("1-2", "3"), "8.3": ("1", ""), "8.4": ("", "1"),
    "9.1": ("1-3", ""), "9.2": ("1", "2-4"),
    "10.1": ("", "1-2"), "10.2": ("", "1-2"), "10.3": ("", "1-4"), "10.4": ("1-5", "6-11"), "10.5": ("", "1-5"),
    "10.6": ("", "1-2"), "10.7": ("", "1-3"),
    "11.1": ("", "1-2"), "11.2": ("", "1-3"), "11.3": ("1-2", "3"), "11.4": ("1", "2-4"), "11.5": ("", "1"),
    "11.6": ("", "1"),
    "12.1": ("1", "2-3"), "12.2": ("1-2", ""), "12.3": ("", "1-4"),
    "13.1": ("", "1"), "13.2": ("", "1-5"), "13.3": ("", "1-2"), "13.4": ("1", "2-5"),
    "14.1": ("", "1-2"), "14.2": ("1", "2-4"), "14.3": ("1", "2-3"),
    "15.1": ("1", "2-3"), "15.2": ("1", "2-3"), "15.3": ("1", "2-7"),
    "16.1": ("", "1"), "16.2": ("", "1-5"), "16.3": ("", "1-4"), "16.4": ("", "1-3"), "16.5": ("", "1-3"),
    "17.1": ("", "1"), "17.2": ("", "1-4"), "17.3": ("", "1-2"),
}  # fmt: skip


def counted(section: str, span: str) -> list[str]:
    """Return the numbers of a span such as `2-4`."""
    if not span:
        return []
    first, _, last = span.partition("-")
    return [f"{section}.{number}" for number in range(int(first), int(last or first) + 1)]


def numbers_of(cell: str) -> list[tuple[str, bool]]:
    """Return the numbers in a row's first cell, and whether each is set as level 1: `**6.2.2–6.2.3**, 6.2.9`."""
    found = []
    for part in cell.split(","):
        text = part.strip()
        first, _, last = text.strip("*").partition("–")
        section, _, start = first.rpartition(".")
        assert not last or last.startswith(f"{section}."), cell
        span = f"{start}-{last.rpartition('.')[2]}" if last else start
        found += [(number, text.startswith("**")) for number in counted(section, span)]
    return found


def rows() -> list[list[str]]:
    """Return the rows of the requirements' tables, cell by cell."""
    text = (DOCS / "security-asvs.md").read_text("utf-8").partition("## What is to be written down")[0]
    lines = [line for line in text.splitlines() if re.match(r"\| \*{0,2}\d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_requirement_of_levels_1_and_2_stands_in_the_table_once() -> None:
    expected = {
        (number, level == 0) for section, spans in LEVELS.items() for level in (0, 1)
        for number in counted(section, spans[level])
    }  # fmt: skip
    assert len(expected) == 253
    assert sum(first for _, first in expected) == 70
    listed = [one for row in rows() for one in numbers_of(row[0])]
    assert sorted(listed) == sorted(expected)


def test_every_row_has_a_state_and_says_what_is_missing() -> None:
    for row in rows():
        assert len(row) == 5, row
        assert row[2] in STATES, row
        assert row[3] or row[4] or row[2] == "n/a", f"{row[0]} holds, and neither a way nor a test says so"
        assert row[2] in ("holds", "n/a") or row[3], f"{row[0]} does not say what is missing"


@cache
def names_in(file: Path) -> set[str]:
    """Return the names of the test functions of a file."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("document", ["security.md", "security-asvs.md"])
def test_every_test_that_is_named_exists(document: str) -> None:
    named = NAMED.findall((DOCS / document).read_text("utf-8"))
    assert len(named) > 20
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).is_file() or (name and name not in names_in(TESTS / file))
    ]
    assert not missing
