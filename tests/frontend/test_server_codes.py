"""What the server says by a code is said in the user's language: no code lacks words."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

import radrelay
from radrelay.access.errors import LaunchRefused
from radrelay.errors import RadrelayError
from radrelay.importer.cases import STATES
from radrelay.importer.duplicates import Why
from radrelay.importer.folding import Reason
from radrelay.importer.matching import Origin as ImportOrigin
from radrelay.intake import discs, errors, file_kinds, quarantine, tally, unpack, zip_members
from radrelay.intake.file_kinds import FileKind
from radrelay.intake.identify import IDENTIFIABLE
from radrelay.mail.letters import KINDS
from radrelay.web import problems

WORDS = Path(__file__).parents[2] / "frontend" / "app" / "i18n"
SOURCE = Path(quarantine.__file__).parents[1]
SESSIONS = Path("identity", "sessions.py")


def known(language: str) -> set[str]:
    text = "".join(path.read_text() for path in [WORDS / f"{language}.ts", *WORDS.glob(f"*.{language}.ts")])
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
    return kinds | refusals | single | set(tally.ARCHIVE_FAILURES) | {tally.NOTHING_KEPT, discs.MISSING, "unsafe-name"}


def quarantine_codes() -> set[str]:
    verdicts = re.findall(r'Verdict\("quarantine", "([a-z-]+)"', (SOURCE / "archive" / "indexing.py").read_text())
    return set(verdicts) | quarantine.OVERRIDABLE | IDENTIFIABLE | {"malformed", "source-gone"}


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_finding_and_quarantine_reason_has_words(language: str) -> None:
    words = known(language)
    wanted = {f"finding.{code}" for code in finding_codes()}
    wanted |= {f"quarantine.{part}.{code}" for code in quarantine_codes() for part in ("code", "why")}
    assert wanted - words == set()


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_kind_of_letter_has_a_name(language: str) -> None:
    assert {f"mail.kind.{kind}" for kind in KINDS} - known(language) == set()


# Errors that no page ever shows: of a start or a command, of a node that calls us, of DICOMweb's own questions, and of
# archives, which are told as findings.
COMMANDS = {
    "another-node", "audit-anchor-forged", "audit-key-missing", "audit-repository-misconfigured", "backup-incomplete",
    "backup-of-another", "key-missing", "key-unfit", "keyring-shared", "keys-gone", "keys-lost", "landing-in-use",
    "lease-lost", "mirror-taken", "misconfigured", "no-installation", "node-ambiguous", "node-elsewhere",
    "node-forgotten", "node-serves", "node-unknown", "not-a-backup", "not-empty", "restore-unfinished",
    "rows-damaged", "schema-too-new", "unwrap-failed",
    "bonsai-missing", "dlx-fault-unknown", "gateway-code-refused", "gateway-name-taken", "gateway-no-such-site",
    "gateway-not-enrolled", "gateway-peer-gone",
}  # fmt: skip
LISTENER = {
    "data-set-too-long", "identifier-malformed", "identifier-mismatch", "query-refused", "report-refused",
    "step-ended", "step-incomplete", "step-known", "step-unknown", "too-many-commitments", "too-many-matches",
    "wrong-context",
}  # fmt: skip
DICOMWEB = {
    "bad-frame-list", "bad-matching-key", "bad-metadata", "bad-multipart", "bad-query", "bad-rendering",
    "bulk-data-not-found",
}  # fmt: skip
ARCHIVES = {
    "archive-limit", "archive-refused", "damaged", "depth-limit", "empty", "encrypted", "link", "method-unsupported",
    "overlap", "ratio-limit",
}  # fmt: skip


def every_error(kind: type[RadrelayError]) -> Iterator[type[RadrelayError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from every_error(narrower)


def problem_codes() -> set[str]:
    for module in pkgutil.walk_packages(radrelay.__path__, "radrelay."):
        if not module.name.startswith("radrelay.storage.migrations") and not module.name.endswith("__main__"):
            import_module(module.name)
    ours = {error.code for error in every_error(RadrelayError) if error.__module__.startswith("radrelay.")}
    return ours | set(problems.CODES.values())


def audit_words() -> set[str]:
    sources = [path.read_text() for room in ("web", "app") for path in (SOURCE / room).rglob("*.py")]
    text = "\n".join(source for source in sources if "audit" in source or "trail" in source)
    found = re.findall(r'"([a-z]+(?:\.[a-z]+)?)",\s*\(\s*"([a-z]*)"', text)
    return {f"audit.action.{action}" for action, _ in found} | {f"audit.kind.{kind}" for _, kind in found if kind}


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_error_that_a_page_may_show_has_words(language: str) -> None:
    shown = problem_codes() - COMMANDS - LISTENER - DICOMWEB - ARCHIVES
    assert {"nobody-listens", "objects-refused", "context-refused", "password-common"} <= shown
    assert {f"problem.{code}" for code in shown} - known(language) == set()


@pytest.mark.parametrize("language", ["de", "en"])
def test_whatever_closes_what_a_program_opened_is_said_in_one_sentence_of_its_own(language: str) -> None:
    whys = set(re.findall(r'SessionEnded\(why="(\w+)"', "".join(path.read_text() for path in SOURCE.rglob("*.py"))))
    whys |= set(re.findall(r'why="(\w+)" if now >= expires_at else "(\w+)"', (SOURCE / SESSIONS).read_text())[0])
    assert whys == {"shut", "ended", "over", "idle", "withdrawn"}
    codes = {error.code for error in every_error(LaunchRefused)}
    wanted = {f"launch.over.{why}" for why in whys} | {f"launch.{code}" for code in codes}
    words = dict(re.findall(r"^  '([^']+)': '(.*)',$", (WORDS / f"launch.{language}.ts").read_text(), re.MULTILINE))
    assert wanted - set(words) == set()
    said = [words[key] for key in wanted]
    assert all(one.endswith(".") and one.count(". ") == 0 for one in said), "one sentence each"
    assert len(set(said)) == len(said), "and none for two reasons"


def test_no_error_is_left_out_that_is_not_there() -> None:
    assert (COMMANDS | LISTENER | DICOMWEB | ARCHIVES) - problem_codes() == set()


def import_findings() -> set[str]:
    rooms = (SOURCE / "importer").glob("*.py")
    text = "\n".join(path.read_text() for path in rooms)
    plain = set(re.findall(r'Finding\(\s*"(?:passed|look|stop)",\s*"([a-z-]+)"', text))
    rows = {f"{field}-{verdict}" for field, verdict in (
        ("name", "compatible"), ("name", "other"), ("name", "unsaid"), ("birth-date", "unsaid"), ("sex", "compatible"),
    )}  # fmt: skip
    return plain | rows | set(get_args(Why)) | {"accession-taken", "accession-foreign", "complete", "study-missing",
                                                "fewer-than-promised"}  # fmt: skip


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_finding_of_an_import_has_words(language: str) -> None:
    found, words = import_findings(), known(language)
    assert {"birth-date-differs", "chosen-contradicts", "not-asked"} <= found
    wanted = {f"imports.finding.{code}" for code in found} | {f"imports.state.{state}" for state in STATES}
    wanted |= {f"imports.{part}.{why}" for why in get_args(Why) for part in ("becomes", "becomesAll")}
    wanted |= {f"imports.reason.{one}" for one in get_args(Reason)}
    wanted |= {f"imports.origin.{one}" for one in get_args(ImportOrigin)}
    assert wanted - words == set()


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_audited_action_has_words(language: str) -> None:
    wanted = audit_words()
    assert {"audit.action.study.forward", "audit.action.login", "audit.action.keys.rotate"} <= wanted
    assert wanted - known(language) == set()


def test_words_name_only_what_the_errors_tell() -> None:
    english = (WORDS / "problems.en.ts").read_text()
    german = (WORDS / "problems.de.ts").read_text()
    for key, words in re.findall(r"^  '([^']+)': '(.*)',$", english, re.MULTILINE):
        (translated,) = re.findall(rf"^  '{re.escape(key)}': '(.*)',$", german, re.MULTILINE)
        assert set(re.findall(r"{(\w+)[|}]", words)) == set(re.findall(r"{(\w+)[|}]", translated)), key
