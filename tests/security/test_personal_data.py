"""Whose data each table holds is decided, column by column: a new table or column fails here until it is.

What is about a patient or somebody with an account stands in `privacy.personal_data`, and is in the person's export or
says why not. What is about nobody stands here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import radrelay.app.rows  # noqa: F401 -- names every room with tables
from radrelay.privacy.personal_data import IMPLIED, KEPT
from radrelay.storage.columns import Base

JOINS = "joins rows that are decided by themselves"
HOUSE = "how the house is set up, by whomever works here; people's names in it are those of their office"
BYTES = "where bytes and keys lie, by ids; what no backup may undo, told where it was done"
CHAIN = "what proves the record, by hashes and counts"
BRIEF = "lasts minutes to days, sealed or hashed: nobody can find a person's in it"

ABOUT_NOBODY = {
    HOUSE: """
        organisation: name name_folded region created_at
        called_title: ae_title given_at
        source: name kind ae_title callers folder issuer_of_patient_id retention_s max_age_s quiet_s duplicate_policy
            release_by_hand put_to_wait quota_bytes scan enabled project_id created_at
        destination: name ae_title host port calling_ae_title tls enabled kind address username sealed commitment
            kib_per_s project_id windows paused_at down_since retry_at failures alarmed_at error error_code error_facts
            performed_steps created_at
        pacs: name ae_title host port calling_ae_title tls model method source_id enabled kind address username sealed
            created_at
        access_begun: at query_callers
        access_device: ae_title addresses subject fingerprint description changed_at
        access_suspended_device: ae_title suspended_at
        access_group: key name name_folded description sees_restricted created_at
        access_prior_rule: reach years marked_only
        access_release_rule: name group_key enabled source_id calling_ae called_ae modality body_part referring
            institution department description may_download identity days made_by created_at revision catching_up
        routing_rule: name position enabled moment match when actions stop revision changed_by changed_at created_by
            created_at
        routing_rule_revision: rule_id revision at by deleted wanted
        audit_retention: patient_days usage_days changed_at
        directory_run: kind state asked_by confirmed adopt asked_at read_at ended_at digest report
        display: workstation_id name room room_class use columns rows pixel_um css_width css_height screen_left
            screen_top label created_at retired_at
        workstation: name secret_hash created_at
        pseudonym_project: name pattern settings sealed next_number keep_days enabled revision created_at
        privacy_agreement: kind party purpose signed_on ends_on document ended_on ended_why entered_at entered_by
            revision
        privacy_clinic: source_id name contact address changed_at
        privacy_processor: name purpose country privacy_url agreement agreed_on changed_at
        privacy_reminder: request_id due_at days at letters
        privacy_setting: controller officer_name officer_contact authority_name authority_url terms_required
            notice_required revision changed_at
        privacy_text: kind version english german sha256 facts revision changed_at changed_by
        node_lease: node epoch holder name address taken_at beat_at
        node_state: name value
    """,
    "an incident is looked into by the officer alone, and told to whom it touches by its report": """
        privacy_incident: title description kind subject began_at ended_at noticed_at authority_told_at
            patients_told_at closed_at outcome created_at created_by revision
    """,
    "of one browser on one day, under a pseudonym that leads to nobody": """
        usage_event: day pseudonym kind value
        usage_withdrawal: digest day
    """,
    JOINS: """
        access_restricted: study_id restriction_id barred
        access_rule_release: rule_id study_id group_key grant_id
        commitment_asked: delivery_id transaction_uid sop_uids asked_at
        delivery_receipt: delivery_id instance_id sop_uid status comment error_code error_facts transfer_syntax_uid at
            committed_at
        instance_holding: instance_id holding_id
        marked_study: study_id turn changed_at open_since filed_turn
        parcel_item: parcel_id
        parcel_study: parcel_id study_id
        study_token: token sort_key
    """,
    BYTES: """
        erasure: kind name instance_id requested_at destroyed_at done_at
        kept_key: bound_to kind name instance_ids until
        landing_cursor: owner segment epoch position finished
        landing_record: owner segment epoch offset length
        pack: series_id study_id holding_id generation name plain_bytes stored_bytes toc_offset toc_length torn
            created_at
        remembered_act: act detail ledgered_at
        tombstone: kind subject_id reason at ledgered_at
        watched_file: source_id path_hash size mtime_ns taken_at
    """,
    CHAIN: """
        audit_checkpoint: writer sequence hash at signature
        audit_mark: digest at
        audit_proof: at events writers roots faults first_fault parts
        audit_root: writer sequence hash at signature
        audit_shipped: writer sequence at
        audit_writer: writer sequence hash signature
    """,
    BRIEF: """
        commitment_request: calling_ae called_ae host association_id transaction_uid references owner attempts
            created_at next_attempt_at error
        forgotten_password: sealed peer asked_at
        link_attempt: fingerprint spent last_at
        login_attempt: key failures last_at
        open_archive: source_id parcel_id file_name size correlation_id received_at ends_at due_at waits failures
            waiting_for
        outbox_event: kind subject_id turn payload created_at taken_at
        sign_up: sealed address_hash peer asked_at token_hash expires_at
        spent_challenge: expires_at
    """,
}


def about_nobody() -> Iterator[tuple[str, frozenset[str]]]:
    for text in ABOUT_NOBODY.values():
        for entry in re.split(r"\n\s*(?=\w+:)", text)[1:]:
            name, _, columns = entry.strip().partition(":")
            yield name, frozenset(columns.split())


DECIDED = {name: kept.decided for name, kept in KEPT.items()} | dict(about_nobody())


def test_every_table_is_decided_once() -> None:
    assert set(DECIDED) == set(Base.metadata.tables)
    assert not KEPT.keys() & dict(about_nobody()).keys()


@pytest.mark.parametrize("name", sorted(Base.metadata.tables))
def test_every_column_is_told_or_says_why_not(name: str) -> None:
    columns = set(Base.metadata.tables[name].c.keys()) - IMPLIED
    decided = set(DECIDED[name]) - IMPLIED
    assert columns - decided == set(), "not decided yet: is it in a person's export?"
    assert decided - columns == set(), "no such column"
    kept = KEPT.get(name)
    if kept is not None and kept.untold:
        assert kept.why, "what is not told says why"


def test_nothing_that_is_told_is_a_secret() -> None:
    for name, kept in KEPT.items():
        for told in filter(None, (kept.of_patient, kept.of_account)):
            for column in told.columns:
                assert not re.search(r"hash|secret|token_|csrf|sealed|public_key", column), (name, column)
