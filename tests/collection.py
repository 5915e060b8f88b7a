"""The collection of real files, which is not part of the checkout, and the rule that nothing else is left out.

RADRELAY_TEST_DATA names its folder. Where it names none, what is marked `shared` or asks for `shared_data` is left out,
and the end of the run says how much that was. Whatever else a test needs, `make test` installs: a test that is skipped
for any other reason has failed.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest

VARIABLE = "RADRELAY_TEST_DATA"
HERE = Path(__file__).parent
LONGEST = ("system", "viewer", "frontend", "storage", "app")
COLLECTION = Path(os.environ.get(VARIABLE) or "/nonexistent")
COLLECTED_AFTER = 10_000  # new objects; 700 by default
LEFT_OUT = f"{VARIABLE} names no folder of real files"


gc.disable()  # until all tests are collected: of what that makes nothing becomes rubbish


def pytest_collection_finish() -> None:
    """Collect rubbish again, but never look at the thousands of tests and modules any more."""
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)
    gc.enable()


def pytest_configure() -> None:
    """Refuse a name that leads nowhere: it is a slip, not a wish to do without."""
    if os.environ.get(VARIABLE) and not COLLECTION.is_dir():
        raise pytest.UsageError(f"{VARIABLE} is {COLLECTION}, and there is no such folder.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what reads the collection where it is not here; what takes longest comes first.

    Files are shared out among processes in this order: a file of one long scenario at the end would leave all but one
    of them idle.
    """
    items.sort(key=lambda item: _turn(item.path))
    for item in items:
        reads = item.get_closest_marker("shared") or "shared_data" in getattr(item, "fixturenames", ())
        if reads and not COLLECTION.is_dir():
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT))


def _turn(path: Path) -> int:
    room = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
    return LONGEST.index(room) if room in LONGEST else len(LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn every other skip into a failure."""
    report = yield
    why = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if why and not why.endswith(LEFT_OUT):
        report.outcome, report.longrepr = (
            "failed",
            f"{why}\nNo test is skipped: `make dev` installs all that is needed.",
        )
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end how much was left out."""
    count = len(terminalreporter.stats.get("skipped", []))
    if count:
        terminalreporter.section("NOT EVERYTHING WAS TESTED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{count} tests of real DICOM files were left out: {LEFT_OUT}.", red=True, bold=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real files."""
    assert COLLECTION.is_dir(), LEFT_OUT
    return COLLECTION
