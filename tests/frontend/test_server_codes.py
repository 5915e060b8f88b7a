"""What the server says by a code is said in the user's language: no code of a finding or a quarantine lacks words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radrelay.intake import discs, errors, file_kinds, quarantine, tally, unpack, zip_members
from radrelay.intake.file_kinds import FileKind
from radrelay.intake.identify import IDENTIFIABLE

WORDS = Path(__file__).parents[2] / "frontend" / "app" / "i18n"
SOURCE = Path(quarantine.__file__).parents[1]


def known(language: str) -> set[str]:
    text = "".join((WORDS / name).read_text() for name in (f"{language}.ts", f"codes.{language}.ts"))
    return set(re.findall(r"^  '([^']+)':", text, re.MULTILINE))


def finding_codes() -> set[str]:
    kinds = {kind.code for kind in vars(file_kinds).values() if isinstance(kind, FileKind) and kind.code}
    refusals = {
        error.code
        for module in (unpack, zip_members)
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, errors.ArchiveRefused)
    }
    single = {errors.ObjectTooLarge.code, errors.FileUnreadable.code, "malformed", "no-identity", "other-archive"}
    return kinds | refusals | single | set(tally.ARCHIVE_FAILURES) | {discs.MISSING, "unsafe-name"}


def quarantine_codes() -> set[str]:
    verdicts = re.findall(r'Verdict\("quarantine", "([a-z-]+)"', (SOURCE / "archive" / "indexing.py").read_text())
    return set(verdicts) | quarantine.OVERRIDABLE | IDENTIFIABLE | {"malformed", "source-gone"}


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_finding_and_quarantine_reason_has_words(language: str) -> None:
    words = known(language)
    wanted = {f"finding.{code}" for code in finding_codes()}
    wanted |= {f"quarantine.{part}.{code}" for code in quarantine_codes() for part in ("code", "why")}
    assert wanted - words == set()
