"""Events as DICOM audit messages: all of them as the standard's schema says, each with the codes of its kind."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import radrelay
from radrelay.audit import AuditEntry, PatientIdentity, StudyNamed
from radrelay.audit.dicom_codes import RESTRICTED_FUNCTION, told_as
from radrelay.audit.dicom_message import AuditSource, message

SCHEMA = etree.RelaxNG(file=str(Path(__file__).with_name("audit_message.rng")))
SOURCE = AuditSource("archive.example", "RADRELAY", "Klinik Süd")
PATIENT = PatientIdentity("clinic", "4711", "Müller^Jörg")
STUDY = StudyNamed("1.2.276.0.1", "A-17", "20260228", "CT", "CT Thorax")


def entry(action: str, **more: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "id": uuid.UUID(int=1), "at": datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))), "action": action,
        "outcome": "success", "actor_kind": "account", "actor_id": "0198a000", "actor_name": "Anna Ärztin",
        "peer": "192.0.2.7", "subject_kind": "", "subject_id": "", "correlation_id": "c", "detail": {}, "patient": None,
        "study": None,
    }  # fmt: skip
    return AuditEntry(**given | more)


def told(action: str, **more: Any) -> Any:
    root = etree.fromstring(message(entry(action, **more), "web-archive.000000000007.p", SOURCE))
    assert SCHEMA.validate(root), SCHEMA.error_log
    return root


def about_study(action: str, **more: Any) -> Any:
    return told(action, subject_kind="study", subject_id=str(uuid.UUID(int=3)), patient=PATIENT, study=STUDY, **more)


def codes(root: Any, path: str) -> list[str]:
    return [str(code) for code in root.xpath(f"{path}/@csd-code")]


def actions_of_the_program() -> list[str]:
    texts = [path.read_text() for path in Path(radrelay.__file__).parent.rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'"([a-z]+(?:\.[a-z]+)?)",\s*\(\s*"[a-z]*"', text)}
    found |= {
        name for text in texts for name in re.findall(r'(?:event\(request, [a-z]+|AuditRecord\()\W*"([a-z.]+)"', text)
    }
    return sorted(found)


@pytest.mark.parametrize("outcome", ["success", "refused", "failure"])
def test_each_action_of_the_program_is_told_as_the_schema_says_and_under_a_code_of_its_own(outcome: str) -> None:
    actions = actions_of_the_program()
    assert {"study.forward", "grant.give", "audit.export", "login"} <= set(actions)
    for action in actions:
        about_study(action, outcome=outcome, detail={"reason": "x", "destination": "PRACTICE", "n": [1, None]})
        root = told(action, outcome=outcome, subject_kind="thing", subject_id="7")
        assert root.xpath("string(EventIdentification/@EventOutcomeIndicator)") == (
            "0" if outcome == "success" else "4"
        )
        assert told_as(action).type != RESTRICTED_FUNCTION, f"{action} is told as nothing in particular"


def test_looking_at_images_names_who_whose_and_which() -> None:
    root = about_study("study.view")
    assert codes(root, "EventIdentification/EventID") == ["110103"]
    assert codes(root, "EventIdentification/EventTypeCode") == ["study.view"]
    event = root.find("EventIdentification")
    assert (event.get("EventActionCode"), event.get("EventDateTime")) == ("R", "2026-03-01T12:00:00Z")
    person, program = root.findall("ActiveParticipant")
    assert (person.get("UserName"), person.get("UserIsRequestor")) == ("Anna Ärztin", "true")
    assert (person.get("NetworkAccessPointID"), person.get("NetworkAccessPointTypeCode")) == ("192.0.2.7", "2")
    assert (program.get("UserID"), program.get("AlternativeUserID")) == ("web-archive", "AETITLES=RADRELAY")
    assert root.find("AuditSourceIdentification").get("AuditEnterpriseSiteID") == "Klinik Süd"
    study, patient = root.findall("ParticipantObjectIdentification")
    kind = "ParticipantObjectIDTypeCode"
    assert (study.get("ParticipantObjectID"), *codes(study, kind)) == ("1.2.276.0.1", "110180")
    assert study.find("ParticipantObjectDescription/Accession").get("Number") == "A-17"
    assert (patient.get("ParticipantObjectID"), *codes(patient, "ParticipantObjectIDTypeCode")) == (
        "4711^^^clinic",
        "2",
    )
    assert patient.findtext("ParticipantObjectName") == "Müller^Jörg"


def test_a_refused_login_is_a_failed_user_authentication_with_its_reason() -> None:
    root = told("login", outcome="refused", detail={"reason": "locked"}, subject_kind="account", subject_id="7")
    assert codes(root, "EventIdentification/EventID") == ["110114"]
    assert codes(root, "EventIdentification/EventTypeCode") == ["110122", "login"]
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "locked"


def test_what_left_names_its_destination() -> None:
    sent = about_study("delivery.end", detail={"destination": "PRACTICE"})
    assert codes(sent, "EventIdentification/EventID") == ["110104"]
    assert sent.xpath("string(ActiveParticipant[RoleIDCode/@csd-code='110152']/@UserID)") == "PRACTICE"
    taken = about_study("study.download")
    assert codes(taken, "EventIdentification/EventID") == ["110106"]
    assert codes(taken, "ActiveParticipant[RoleIDCode/@csd-code='110154']/MediaIdentifier/MediaType") == ["110037"]


def test_a_query_says_by_what_was_asked_and_a_node_by_which_title() -> None:
    root = told("study.search", detail={"by": ["patient_name"]}, actor_kind="ae", actor_id="PACS", actor_name="PACS")
    query = root.findtext("ParticipantObjectIdentification/ParticipantObjectQuery")
    assert base64.b64decode(query).decode() == '{"by": ["patient_name"]}'
    assert root.find("ActiveParticipant").get("AlternativeUserID") == "AETITLES=PACS"


def test_no_message_is_longer_than_repositories_take() -> None:
    long = "Ü" * 5000
    content = message(
        entry("group.delete", detail=dict.fromkeys(("name", "members", "by"), long), subject_kind="group",
              subject_id="g", patient=PatientIdentity("i", "1", long), study=StudyNamed("1.2", "A", "", "", long)),
        "web-archive.000000000007.p", SOURCE,
    )  # fmt: skip
    assert len(content) < 8000


def test_who_was_erased_is_not_named_and_the_message_still_holds() -> None:
    root = told("study.view", subject_kind="study", subject_id=str(uuid.UUID(int=3)))
    (study,) = root.findall("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == f"urn:radrelay:study:{uuid.UUID(int=3)}"


@settings(max_examples=40, deadline=None)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_whatever_stands_in_names_and_details_the_message_holds(name: str, peer: str, detail: dict[str, Any]) -> None:
    study = StudyNamed(name, peer, "", "", name)
    told("study.forward", actor_name=name, actor_id=name, peer=peer, detail=detail, outcome=name,
         patient=PatientIdentity(peer, name, name), study=study, subject_kind="study")  # fmt: skip
    told(name, actor_name=name, actor_id=peer, peer=peer, detail=detail, subject_kind=name, subject_id=name)
