"""The record is read in the reader's language: what is noted beside an event has words, its name and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from radrelay.access import PrincipalKind, Right
from radrelay.access.broken_glass import BreakKind
from radrelay.access.groups import MemberKind
from radrelay.access.link_keys import Protection
from radrelay.access.prior_rules import PriorReach
from radrelay.access.release_rules import Fate
from radrelay.access.rule_matching import Conditions
from radrelay.archive.corrections import ATTRIBUTES
from radrelay.identity.directory.planning import Reason
from radrelay.identity.directory.service import RunKind, RunState
from radrelay.identity.factors.values import AnswerKind, Stage
from radrelay.identity.password_links import Purpose
from radrelay.intake.identify import Into
from radrelay.marks.objects.shapes import Kind as MarkKind
from radrelay.marks.objects.sheet import ObjectKind
from radrelay.privacy.agreements import AgreementKind
from radrelay.privacy.transfers import ShownBy
from radrelay.web.api.accounts import Role
from radrelay.web.api.audit_events import NOT_SOUGHT, ExportWanted
from radrelay.web.api.destinations import DestinationChange
from radrelay.web.api.exports import Export as PicturesWanted
from radrelay.web.api.grants import GranteeKind
from radrelay.web.api.me import ProfileChange
from radrelay.web.api.pacs import PacsChange
from radrelay.web.api.pacs_search import Search as PacsSearch
from radrelay.web.api.sources import Kind as SourceKind
from radrelay.web.api.sources import Policy, SourceChange
from radrelay.web.api.studies import StudySearch
from radrelay.web.invocation import Address
from tests.frontend.audit_details import Details
from tests.frontend.test_server_codes import known, quarantine_codes

SAYING = Path(__file__).parents[2] / "frontend" / "app" / "audit" / "saying.ts"
BY_HAND: Mapping[str, set[str]] = {
    "app/audit_commands.py: record.detail": {"form", "study"},
    "app/consent_commands.py: detail": {"reason", "consent", "source"},
    "app/consent_keeping.py: detail": {"reason", "consent", "source"},
    "app/directory.py: detail": {"by", "reason", "name", "role", "disabled"},
    "app/directory.py: report['counts']": {
        "people", "added", "changed", "disabled", "enabled", "problems", "joined", "left",
    },
    "app/query.py: detail": {"level", "by", "destination"},
    "app/sharing.py: detail": {"study", "studies", "name"},
    "routing/rules/actions.py: detail": {
        "grantee", "grant", "rights", "identity", "until", "fields", "destination", "delivery", "series", "letters",
        "does", "code",
    },
    "web/api/audit_events.py: sought.detail": {"study"},
    "web/api/grants.py: told(view)": {"grantee", "target", "rights", "identity", "until"},
    "web/api/groups.py: grants.told(one)": {"grantee", "target", "rights", "identity", "until"},
    "web/api/releases.py: told(view)": {"grantee", "target", "rights", "identity", "until"},
    "web/api/privacy_transfers.py: detail": {"reason", "consent", "source"},
    "web/sign_on.py: arrival.changes": {"full_name", "name", "role"},
}  # fmt: skip
"""Details that the source cannot be followed to, as somebody has read them there."""

FIELDS = ("audit.field", "audit.detail")
KINDS = ("audit.value.kind", "factor.kind", "glass.kind", "agreements.kind", "directory.run", "roomcheck.kind", "mark",
         "requests.kind", "restricted.kind", "source.kind")  # fmt: skip
Vocabulary = tuple[str, Iterable[str], tuple[str, ...]]
VOCABULARIES: tuple[Vocabulary, ...] = (
    ("by", {"retrieve"} | set(StudySearch.model_fields) - {"sort", "limit", "cursor"}, FIELDS),
    ("by", set(ExportWanted.model_fields) - NOT_SOUGHT, FIELDS),
    ("by", {field.alias or name for name, field in Address.model_fields.items()}, FIELDS),
    ("by", {"accession_number", "study_date"}, FIELDS),
    ("by", set(PacsSearch.model_fields) - {"pacs", "cached"}, FIELDS),
    ("changed", set(SourceChange.model_fields) | set(DestinationChange.model_fields), FIELDS),
    ("changed", set(PacsChange.model_fields), FIELDS),
    ("changed", set(ProfileChange.model_fields) - {"current"}, FIELDS),
    ("fields", ATTRIBUTES, FIELDS),
    ("asks", {field.name for field in fields(Conditions)}, FIELDS),
    ("kind", (*get_args(AnswerKind), *get_args(BreakKind), *get_args(AgreementKind), *get_args(RunKind)), KINDS),
    ("kind", (*get_args(MarkKind), *get_args(Purpose), *get_args(SourceKind), "visual", "photometer"), KINDS),
    ("kind", ("access", "correction", "erasure", "restriction", "objection", "patient", "study", "source"), KINDS),
    ("identity", ("clear", "alias"), ()),
    ("does", ("show", "retain", "hold", "coerce", "forward", "notify"), ("routing.kind",)),
    ("rights", [right.value for right in Right], ("access.right",)),
    ("role", get_args(Role), ("role",)),
    ("protection", get_args(Protection), ()),
    ("reach", get_args(PriorReach), ("priorRule",)),
    ("releases", get_args(Fate), ()),
    ("shown_by", get_args(ShownBy), ()),
    ("stage", set(get_args(Stage)) - {"open"}, ()),
    ("into", get_args(Into), ()),
    ("as", ("as-received", "new-identity"), ()),
    ("object", get_args(ObjectKind), ()),
    ("code", quarantine_codes(), ("quarantine.code",)),
    ("reason", ("erasure", "withdrawn", *get_args(Reason)), ("directory.reason", "problem")),
    ("state", ("open", "done", "refused", "passed", *get_args(RunState)), ("requests.state", "directory.state")),
    ("ground", ("accuracy", "unlawful", "claims", "objection"), ("requests.ground",)),
    ("measure", ("studies", "patients", "fetches", "bytes"), ("amounts.measure",)),
    ("kept_open", ("last-admin", "gone"), ()),
    ("level", ("patient", "study", "series", "image"), ()),
    ("form", (*get_args(PicturesWanted.model_fields["form"].annotation), "csv", "jsonl", "pdf"), ()),
    ("text", ("terms", "notice"), ("texts",)),
    ("language", ("de", "en"), ("language",)),
    ("agreement", ("none", "dpa", "baa", "both"), ()),
    ("target", ("organisation",), ()),
    ("duplicate_policy", get_args(Policy), ()),
    ("grantee", (*get_args(GranteeKind), *get_args(MemberKind), *get_args(PrincipalKind)), ("audit.kind",)),
)


@pytest.fixture(scope="module")
def details() -> Details:
    return Details()


def test_every_detail_of_every_event_has_a_name_in_both_languages(details: Details) -> None:
    assert details.unfollowed == set(BY_HAND), "look what these note, and enter it"
    wanted = set(details.values).union(*BY_HAND.values())
    assert {"glass", "reason", "grantee", "retention_s", "kept_open"} <= wanted
    for language in ("de", "en"):
        assert {f"audit.detail.{name}" for name in wanted} - known(language) == set(), language


def test_every_action_and_what_it_is_about_has_words_in_both_languages(details: Details) -> None:
    wanted = {f"audit.action.{one}" for one in details.actions} | {f"audit.kind.{one}" for one in details.kinds}
    assert {"audit.action.study.lost", "audit.kind.node"} <= wanted
    for language in ("de", "en"):
        assert wanted - known(language) == set(), language


def test_every_code_among_the_details_has_words_in_both_languages(details: Details) -> None:
    written = [(name, values, (*FIELDS, "factor.kind", "problem")) for name, values in details.values.items()]
    for language in ("de", "en"):
        words = known(language)
        for name, values, elsewhere in [*VOCABULARIES, *written]:
            places = (f"audit.value.{name}", *elsewhere)
            silent = {code for code in values if not any(f"{place}.{code}" in words for place in places)}
            assert silent == set(), (language, name)


def test_pages_look_for_words_where_these_tests_do() -> None:
    """What `saying.ts` borrows words from elsewhere in the catalogue is what stands here."""
    page = SAYING.read_text()
    said = set(re.findall(r"'([a-zA-Z]+(?:\.[a-z]+)?)'", page))
    assert {place for _, _, places in VOCABULARIES for place in places} - {"audit.value.kind"} <= said
