"""Which tables hold data about a person, and what of each row their export tells (GDPR Art. 15).

Each table that is about a patient or somebody with an account is decided here, column by column: `of_patient` and
`of_account` are told, `untold` is not, for the reason that stands in `why`. Ids, the organisation and rows that only
join others need no mention. A test holds the list against the schema: a new table or column is decided, or it fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radrelay.privacy import row_ways as ways
from radrelay.privacy.row_ways import Way

IMPLIED = frozenset({"id", "organisation_id"})
"""Columns that join rows and say nothing of a person."""
HIDDEN = "secrets and their hashes are handed to nobody"
ELSEWHERE = "told by another part of the export"
WORKING = "how the program finds and keeps it"


@dataclass(frozen=True, slots=True)
class Told:
    """Which columns of a table are told of whose rows."""

    columns: tuple[str, ...]
    way: Way


@dataclass(frozen=True, slots=True)
class Kept:
    """What is decided about a table."""

    of_patient: Told | None = None
    of_account: Told | None = None
    untold: frozenset[str] = field(default_factory=frozenset)
    why: str = ""

    @property
    def decided(self) -> frozenset[str]:
        """Return the columns that something is decided about."""
        told = {name for one in (self.of_patient, self.of_account) if one is not None for name in one.columns}
        return frozenset(told) | self.untold


def _kept(
    patient: str = "", way: Way | None = None, *, account: str = "", by: Way | None = None, untold: str = "",
    why: str = "",
) -> Kept:  # fmt: skip
    return Kept(
        None if way is None else Told(tuple(patient.split()), way),
        None if by is None else Told(tuple(account.split()), by),
        frozenset(untold.split()),
        why,
    )


_MINE = ways.by("account_id")

UNCHECKED = "nobody has said yet whose it is: it may name somebody else; once it is filed, the study is told"

KEPT: dict[str, Kept] = {
    # of patients
    "patient": _kept("issuer patient_id name birth_date sex", ways.patient, untold="name_folded", why=WORKING),
    "study": _kept(
        "study_uid patient_id_value patient_issuer patient_name patient_birth_date patient_sex study_date study_time"
        " accession_number study_id_value description referring_physician institution modalities series_count"
        " instance_count bytes state first_received_at last_received_at expires_at ceiling_at held",
        ways.row_of("studies"),
        untold="sort_key search_text patient_id patient_name_folded patient_name_order patient_spellings"
        " patient_telling attributes quiet_at",
        why=f"{WORKING}; attributes stand in the objects",
    ),
    "series": _kept(
        "study_id series_uid modality number description body_part laterality series_date series_time instance_count"
        " frame_count bytes",
        ways.by_study, untold="orientation attributes changed_at", why=f"{WORKING}; attributes stand in the objects",
    ),
    "instance": _kept(
        untold="study_id series_id holding_id sop_uid version current sop_class_uid transfer_syntax_uid number rows"
        " columns frames view side sha256 size file_name file_size file_type received_at correlation_id record_id"
        " pack_id pack_entry correction corrected", why="the objects themselves are handed out",
    ),
    "holding": _kept(
        "study_id received_at last_received_at expires_at ceiling_at hold_until hold_reason ends_at", ways.by_study,
        untold="patient_id source_id account_id", why=ELSEWHERE,
    ),
    "attachment": _kept(
        "study_id file_name file_size file_type sha256 received_at ends_at", ways.by_study,
        untold="holding_id parcel_id record_id pack_id pack_entry", why=WORKING,
    ),
    "study_correction": _kept(
        "study_id number at by reason after done_at", ways.by_study, untold="request_id before follows",
        why="before it may have been under another person's name",
    ),
    "study_sender": _kept(
        "study_id calling_ae called_ae", ways.by_study, untold="source_id host series_id", why=ELSEWHERE
    ),
    "study_modality": _kept(untold="study_id modality sort_key", why=ELSEWHERE),
    "quarantined": _kept(
        "code received_at", ways.row_of("aside"),
        untold="source_id parcel_id record_id reason study_uid sop_uid patient_name patient_id_value file_name size"
        " ends_at released_at wait_number correlation_id identity instance_id",
        why="nobody has said yet whose it is: its name may be another person's",
    ),
    "parcel": _kept(
        "kind name created_at finished_at", ways.parcel,
        account="kind state created_at finished_at files objects", by=_MINE,
        untold="source_id account_id error error_code bytes_expected bytes_received duplicates attachments quarantined"
        " refused sealed archives_open correlation_id", why="how a transmission went, others' patients among it",
    ),
    "import_case": _kept(
        account="state connector host basis created_at finished_at", by=_MINE,
        untold="source_id parcel_id account_id resumes fingerprint sealed birth_date questions picture asks_until"
        " listed findings confirmed came lacking bytes_received bytes_expected packs_since objects machine attempts"
        " answers_sent next_attempt_at error error_code error_facts asked_kind asked_by correlation_id changed_at"
        " last_came_at fetched_at checked_at link_ends_at ends_at names_end_at late acts refused",
        why="nobody has said yet whose it is; once it is filed, its studies are told",
    ),
    "import_person": _kept(
        untold="case_id number state patient_name patient_id_value patient_issuer patient_birth_date patient_sex"
        " matched chosen import_order confirmed destination_id filing_at filed_at filed_by unsent", why=UNCHECKED,
    ),
    "import_object": _kept(
        untold="case_id person_number file_name sop_uid sop_class_uid series_uid study_uid patient_name"
        " patient_id_value patient_issuer patient_birth_date patient_sex transfer_syntax modality study_date"
        " description accession digest pixels header action why written", why=UNCHECKED,
    ),
    "import_paper": _kept(
        untold="case_id file_name kind person_number study_uid why filed digest written", why=UNCHECKED
    ),
    "import_version": _kept(
        untold="instance_id pixels header", why="digests of objects, which are handed out themselves"
    ),
    "import_upload": _kept(
        untold="case_id key files size accounted came_files came_bytes named",
        why="how many files were to come, and did; they name nobody",
    ),
    "raw_file": _kept(untold="source_id parcel_id thing file_name size received_at ends_at", why=UNCHECKED),
    "portal_host": _kept(
        untold="host state led_how led_by case_id asked_kind asked_by asked_at decided_by decided_at first_at successes"
        " failures seconds last_success_at last_failure_at last_failure_code",
        why="an institution's address, and how fetching from it goes: of nobody in particular",
    ),
    "portal_fetch": _kept(
        untold="host connector at seconds code step",
        why="how one fetch from an institution went, without whom it was for: of nobody in particular",
    ),
    "import_report": _kept(
        untold="case_id host connector error error_code error_facts step sealed mailed reported_by reported_at",
        why="a portal's failure, deleted once it is solved; sealed: nobody has said whose the link is",
    ),
    "import_page": _kept(untold="door is_open changed_at changed_by", why="an organisation's settings: of nobody"),
    "import_consent": _kept(
        untold="case_id secret_hash text_id text_version text_sha256 language given_at withdrawn_at proof decision"
        " decided_by decided_at decided_why",
        why="names nobody: who has the number that was given for it is told all of it by the patients' page",
    ),
    "parcel_finding": _kept(
        untold="parcel_id file_name code text sop_uid", why="what was refused of a transmission, by whomever it is of"
    ),
    "mark": _kept(
        "study_id kind frame content author_name created_at changed_by_name changed_at deleted_at", ways.by_study,
        account="kind created_at changed_at deleted_at", by=ways.kind_of_account("author_kind", "author_id"),
        untold="series_id instance_id text_by_id size revision author_kind author_id changed_by_id", why=WORKING,
    ),
    "analysis_run": _kept(
        "study_id kind version parameters state created_at started_at finished_at findings", ways.by_study,
        untold="series inputs step share machine memory_bytes cores attempts next_attempt_at error error_code"
        " error_facts asked_kind asked_by rerun_of results correlation_id changed_at",
        why=f"{WORKING}; the objects that were made are handed out",
    ),
    "analysis_setting": _kept(untold="kind enabled parameters called_ae_titles destination_id memory_bytes cores"
        " changed_at", why="an organisation's settings: of nobody"),
    "analysis_use": _kept(untold="kind version source asked_kind outcome reason seconds at",
        why="that analyses were used: it names nobody"),
    "mark_filing": _kept(
        untold="study_id holding_id subject number digest marks sop_class_uid sop_uid series_uid pictures sheet made_at"
        " landed_at withdrawn_at", why="what was made of marks, which are told; the objects are handed out",
    ),
    "hl7_message": _kept(
        "direction port sender type control_id patient_id patient_issuer accession_number state received_at"
        " processed_at", ways.patient,
        untold="prior_patient_id lanes answer error error_code error_facts peer size digest sealed next_attempt_at"
        " sending_until attempts repeats replays study_id",
        why=f"{WORKING}; what another system says of a patient is told by that system",
    ),
    "hl7_document": _kept(
        "study_id sop_uid direction", ways.by_study, untold="port sender host",
        why=f"{ELSEWHERE}: the object, and to whom data went; {WORKING}",
    ),
    "hl7_patient": _kept(
        "issuer patient_id authority name birth_date sex account_number identifiers former patient_class ward room bed"
        " facility visit_number admitted_at discharged_at into_issuer into_patient_id merged_at told_at", ways.patient,
        untold="port into_port message_id visit_at changed_at", why=WORKING,
    ),
    "performed_step": _kept(
        "sop_uid calling_ae state patient_id patient_issuer study_uid accession_number step_ids said created_at"
        " changed_at", ways.patient,
    ),
    "worklist_item": _kept(
        "patient_issuer patient_id patient_authority patient_name patient_birth_date patient_sex visit_number"
        " patient_location placer_number filler_number accession_number accession_authority requested_procedure_id"
        " step_id study_uid procedure_code procedure_text procedure_scheme protocol_code protocol_text"
        " protocol_scheme modality scheduled_date scheduled_time station_ae_titles station_name location priority"
        " reason requesting_physician performing_physician referring_physician comments state said_at created_at",
        ways.patient, untold="port message_id changed_at", why=WORKING,
    ),
    "delivery": _kept(
        "study_id state total sent failed committed created_at finished_at", ways.by_study,
        untold="destination_id series_id priority attempts next_attempt_at error error_code error_facts requested_by"
        " correlation_id project_id kept_back kept_reasons", why=f"{ELSEWHERE}: to whom data went; {WORKING}",
    ),
    "step_delivery": _kept(
        "sop_uid said_state calling_ae patient_issuer patient_id study_uid accession_number state created_at"
        " finished_at", ways.patient,
        untold="destination_id turn data_set transfer_syntax asked status comment attempts next_attempt_at error"
        " error_code error_facts due_since", why=f"{ELSEWHERE}: what the step says, and to whom data went; {WORKING}",
    ),
    "routing_rule_look": _kept(untold="study_id at due_at", why=f"{WORKING}; lasts moments"),
    "routing_rule_owed": _kept(untold="study_id", why=f"{WORKING}; lasts until rules have looked"),
    "routing_rule_meeting": _kept(
        "study_id rule_name at", ways.by_study, untold="rule_id revision match failed why effects",
        why="what was looked at may have been under another person's name then",
    ),
    "fetch": _kept(
        "study_uid study_date modalities state expected here created_at finished_at", ways.by_uid,
        untold="pacs_id source_id series_uid patient_id_value patient_name description refused attempts next_attempt_at"
        " error error_code error_facts requested_by correlation_id", why=f"{ELSEWHERE}: where it came from; {WORKING}",
    ),
    "fetch_schedule": _kept(untold="name kind enabled plan next_at changed_by created_at changed_at",
                            why="says which kinds of studies are fetched, of nobody in particular"),
    "fetch_run": _kept(
        "schedule reason created_at ended_at patient_issuer patient_id patient_name patient_birth_date patient_sex"
        " modalities body_parts study_uid", ways.patient,
        untold="schedule_id kind occasion state claimed_until stops_at next_ask_at found here fetched failed bytes"
        " left_out more error error_code error_facts", why=WORKING,
    ),
    "fetch_run_study": _kept(
        "study_uid study_date modalities state asked_at", ways.by_uid,
        untold="run_id schedule_id kind place pacs_id left_by fetch_id expected_bytes"
        " patient_id_value patient_name description",
        why=f"{ELSEWHERE}: where it came from; {WORKING}",
    ),
    "pseudonym_handout": _kept(
        "study_id purpose objects created_at", ways.by_study,
        untold="project_id study_uid made_by kept_back report ended_at",
        why=f"{WORKING}; at intake it is of a patient whom nobody here knows",
    ),
    "pseudonym_held": _kept(
        untold="project_id study_id instance_id reasons held_at released_at released_by note cover", why=WORKING
    ),
    "pseudonym_alias": _kept(
        untold="project_id alias person sealed used_on",
        why="sealed, and found by who may re-identify alone: the officer asks for a patient's aliases and tells them",
    ),
    "pseudonym_study": _kept(untold="project_id alias_id new inward sealed", why="goes with the alias"),
    "pseudonym_uids": _kept(untold="study_id sealed", why="goes with the alias"),
    "access_grant": _kept(
        "target_kind target_id grantee_kind rights identity ends_at created_at origin", ways.grant,
        account="target_kind rights identity ends_at created_at origin", by=ways.granted,
        untold="patient_id grantee_id revision priors",
        why="who works here is told where they have seen something",
    ),
    "access_restriction": _kept(
        "kind reason created_at barred ground review_on", ways.restriction,
        untold="value issuer made_by request_id", why=ELSEWHERE,
    ),
    "access_broken_glass": _kept(
        "study_id kind reason account_name at ends_at", ways.by_study,
        account="kind reason at ends_at reviewed_at", by=_MINE, untold="account_id grant_id reviewed_by", why=WORKING,
    ),
    "share_link": _kept(
        "label maker_name protection email may_download max_uses uses created_at ends_at used_at revoked_at closed_at"
        " suspended_at", ways.row_of("links"),
        account="protection may_download uses created_at ends_at used_at revoked_at", by=ways.made_by,
        untold="secret_hash health_hash maker_kind maker_id answer_hash wrong closings told_at", why=HIDDEN,
    ),
    "link_code": _kept(
        "link_id created_at expires_at", ways.link, untold="secret_hash code_hash letter_id", why=HIDDEN
    ),
    "link_visit": _kept("link_id created_at ended_at", ways.link, untold="secret_hash expires_at", why=HIDDEN),
    "link_access": _kept(
        "link_id at kind", ways.link, untold="peer user_agent", why="who opened it may be another person"
    ),
    "privacy_transfer": _kept(
        "giver capacity shown_by text_version note given_at entered_at entered_by withdrawn_at withdrawn_by"
        " withdrawn_how proof", ways.transfer, untold="patient_issuer patient_id revision", why=ELSEWHERE,
    ),
    "privacy_transfer_study": _kept(
        "transfer_id study_uid source_name state", ways.covered, untold="study_id source_id", why=ELSEWHERE
    ),
    "privacy_request": _kept(
        "kind requester contact note received_at due_at extended_why verified_how verified_by verified_at state answer"
        " told_how stops closed_at proof", ways.request,
        account="kind requester contact note received_at due_at extended_why verified_how verified_by verified_at state"
        " answer told_how stops closed_at proof", by=ways.asked_for,
        untold="subject_kind patient_issuer patient_id account_id created_by revision", why=ELSEWHERE,
    ),
    "privacy_passing": _kept("request_id clinic contact how at by", ways.passing, untold="source_id", why=ELSEWHERE),
    "audit_event": _kept(
        untold="writer sequence at action outcome actor_kind actor_id actor_name peer subject_kind subject_id"
        " correlation_id detail patient_ref study_id previous_hash hash",
        why="of a patient told as who has seen a study and to whom it went; of an account handed out by the record's"
        " own search and export, because it names others' patients",
    ),
    "audit_patient": _kept(untold="digest id_digest sealed", why="the name that the record tells, sealed"),
    "audit_study": _kept(untold="study_id patient_ref digest sealed", why="what the record tells of a study, sealed"),
    # of people with accounts
    "account": _kept(
        account="username full_name email affiliation role language created_at disabled_at lost_at awaits_since"
        " closed_at must_change_password directory_id disabled_by_directory", by=ways.by("id"),
        untold="username_folded password_hash", why=HIDDEN,
    ),
    "access_member": _kept(
        account="group_id origin", by=ways.kind_of_account("member_kind", "member_id"), untold="member_kind member_id",
        why=WORKING,
    ),
    "access_notice": _kept(
        account="kind at seen_at mailed_at", by=_MINE, untold="account_id subject_id", why="a study of somebody else"
    ),
    "launch": _kept(
        account="program created_at expires_at used_at", by=_MINE,
        untold="secret_hash token_id account_id study_ids address session_id", why=f"{HIDDEN}; studies of patients",
    ),
    "api_token": _kept(
        account="name role created_at expires_at revoked_at closed_at suspended_at may_launch", by=ways.by("maker_id"),
        untold="secret_hash maker_id", why=HIDDEN,
    ),
    "session": _kept(
        account="user_agent peer created_at used_at expires_at ended_at stage proven_at", by=_MINE,
        untold="account_id secret_hash csrf_token launched_by idle_s", why=HIDDEN,
    ),
    "sign_on": _kept(
        account="issuer subject username full_name email seen_at linked_at", by=_MINE, untold="account_id", why=WORKING
    ),
    "signed_on": _kept(
        account="issuer subject expires_at", by=_MINE, untold="session_id account_id sid id_token", why=HIDDEN
    ),
    "password_link": _kept(
        account="purpose made_by mailed created_at expires_at used_at revoked_at", by=_MINE,
        untold="account_id token_hash", why=HIDDEN,
    ),
    "address_change": _kept(account="email asked_at expires_at", by=_MINE, untold="account_id token_hash", why=HIDDEN),
    "mail_letter": _kept(
        account="kind recipient state created_at due_at expires_at ended_at", by=_MINE,
        untold="account_id sealed tried_at attempts trouble_code trouble_detail",
        why=f"{HIDDEN}; how a letter went, and letters to who has no account, which go with their link's address",
    ),
    "preference": _kept(
        account="name value changed_at", by=ways.by("owner_id"), untold="owner_id revision", why=WORKING
    ),
    "factor": _kept(
        account="kind name created_at confirmed_at used_at backup_eligible backed_up", by=_MINE,
        untold="account_id secret credential_id public_key sign_count transports aaguid", why=HIDDEN,
    ),
    "factor_reset": _kept(account="by_name reason at read_at", by=_MINE, untold="account_id", why=WORKING),
    "factor_rule": _kept(
        account="kinds changed_at", by=ways.kind_of_account("subject_kind", "subject_id"),
        untold="subject_kind subject_id", why=WORKING,
    ),
    "mailed_pin": _kept(
        account="expires_at used_at", by=_MINE, untold="account_id pin_hash login_id tries", why=HIDDEN
    ),
    "recovery_code": _kept(account="created_at used_at", by=_MINE, untold="account_id code_hash", why=HIDDEN),
    "privacy_acceptance": _kept(
        account="username text_id language peer at", by=_MINE, untold="account_id", why=WORKING
    ),
    "privacy_volume_sent": _kept(
        account="hour bytes", by=ways.kind_of_account("kind", "own_id"), untold="kind own_id", why=WORKING
    ),
    "privacy_volume_alarm": _kept(
        account="name began_at at studies patients fetches bytes measure usual most suspended_at settled_at note",
        by=ways.kind_of_account("kind", "own_id"), untold="kind own_id counted_at kept_open settled_by", why=WORKING,
    ),
    "display_check": _kept(
        account="kind passed checked_at valid_until account_name display", by=_MINE,
        untold="display_id account_id entered criteria correction", why="what was measured is about the display",
    ),
}  # fmt: skip
