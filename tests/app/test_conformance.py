"""The conformance statement says what the program does."""

from __future__ import annotations

from pathlib import Path

from radrelay.app.conformance import statement


def test_the_statement_in_docs_is_the_programs_own() -> None:
    page = Path(__file__).parents[2] / "docs" / "conformance.md"
    assert page.read_text(encoding="utf-8") == statement(), "run scripts/conformance"
