"""How an arrival's attributes become the columns of new rows.

Values longer than their column are cut, numbers beyond it dropped: the attributes as sent stand in the JSON and in
the object itself. UIDs and patient IDs are never cut: too long a one is a flaw.
"""

from __future__ import annotations

import uuid
from typing import Any

from radrelay.archive.arrivals import Arrival
from radrelay.archive.folding import folded_name, name_order, searched_text, spellings_text
from radrelay.archive.index_state import SeriesState, StudyState

Row = dict[str, Any]
UID_LENGTH = 64
INTEGER_LIMIT = 2**31 - 1
BIG_LIMIT = 2**63 - 1


def flaw_of(arrival: Arrival) -> str:
    """Return why the object cannot be indexed, empty if it can."""
    attributes = arrival.attributes
    for name, uid in (
        ("study instance UID", attributes.study_uid),
        ("series instance UID", attributes.series_uid),
        ("SOP instance UID", attributes.sop_uid),
        ("SOP class UID", attributes.sop_class),
    ):
        if not uid:
            return f"It has no {name}."
        if len(uid) > UID_LENGTH or "\0" in uid:
            return f"Its {name} is longer than {UID_LENGTH} characters or no UID at all."
    if len(attributes.patient_id) > UID_LENGTH:
        return f"Its patient ID is longer than {UID_LENGTH} characters."
    return ""


def patient_identity(arrival: Arrival) -> str:
    """Return the issuer of the patient ID: as the object says, else as its source does."""
    return text(arrival.attributes.issuer, 64) or text(arrival.source.issuer_of_patient_id, 64)


def text(value: str | None, length: int | None = None) -> str:
    """Return `value` as a database takes it: no NUL, cut to `length`."""
    clean = (value or "").replace("\0", "")
    return clean if length is None else clean[:length]


def integer(value: int | None, limit: int = INTEGER_LIMIT) -> int | None:
    """Return `value` unless its column cannot hold it."""
    return value if value is not None and -limit <= value <= limit else None


def record_row(arrival: Arrival) -> Row:
    """Return the row of the arrival's landing record."""
    location = arrival.location
    return {
        "id": location.record_id,
        "organisation_id": arrival.source.organisation_id,
        "owner": location.owner,
        "segment": location.segment,
        "epoch": location.epoch,
        "offset": location.offset,
        "length": location.length,
    }


def patient_row(arrival: Arrival, row_id: uuid.UUID, issuer: str, patient_id: str) -> Row:
    """Return a new patient's row."""
    attributes = arrival.attributes
    return {
        "id": row_id,
        "organisation_id": arrival.source.organisation_id,
        "issuer": issuer,
        "patient_id": text(patient_id),
        "name": text(attributes.patient_name),
        "name_folded": folded_name(text(attributes.patient_name)),
        "birth_date": attributes.birth_date,
        "sex": text(attributes.sex, 16),
    }


def study_row(arrival: Arrival, study: StudyState, patient_row_id: uuid.UUID) -> Row:
    """Return a new study's row but for what is derived when the batch ends: counts, moments, sort key."""
    attributes = arrival.attributes
    name = text(attributes.patient_name)
    accession = text(attributes.accession, 64)
    return {
        "id": study.id,
        "organisation_id": study.organisation_id,
        "study_uid": study.study_uid,
        "search_text": searched_text(text(attributes.study_description), text(attributes.patient_id), accession),
        "patient_id": patient_row_id,
        "patient_id_value": text(attributes.patient_id),
        "patient_issuer": study.issuer,
        "patient_name": name,
        "patient_name_folded": folded_name(name),
        "patient_name_order": name_order(name),
        "patient_spellings": spellings_text(name),
        "patient_birth_date": attributes.birth_date,
        "patient_sex": text(attributes.sex, 16),
        "study_date": attributes.study_date,
        "study_time": attributes.study_time,
        "accession_number": accession,
        "study_id_value": text(attributes.study_id, 64),
        "description": text(attributes.study_description),
        "referring_physician": text(attributes.referring),
        "institution": text(attributes.institution),
        "attributes": text(attributes.study_json),
        "first_received_at": arrival.received_at,
    }


def series_row(arrival: Arrival, series: SeriesState) -> Row:
    """Return a new series' row but for its counts."""
    attributes = arrival.attributes
    return {
        "id": series.id,
        "organisation_id": arrival.source.organisation_id,
        "study_id": series.study_id,
        "series_uid": series.series_uid,
        "modality": text(attributes.modality, 16),
        "number": integer(attributes.series_number),
        "description": text(attributes.series_description),
        "body_part": text(attributes.body_part, 64),
        "laterality": text(attributes.laterality, 16),
        "series_date": attributes.series_date,
        "series_time": attributes.series_time,
        "orientation": text(attributes.orientation, 120),
        "attributes": text(attributes.series_json),
    }


def instance_row(
    arrival: Arrival,
    row_id: uuid.UUID,
    study_id: uuid.UUID,
    series_id: uuid.UUID,
    holding_id: uuid.UUID,
    version: int,
) -> Row:
    """Return a new instance's row."""
    attributes = arrival.attributes
    return {
        "id": row_id,
        "organisation_id": arrival.source.organisation_id,
        "study_id": study_id,
        "series_id": series_id,
        "holding_id": holding_id,
        "sop_uid": attributes.sop_uid,
        "version": version,
        "current": True,
        "sop_class_uid": attributes.sop_class,
        "transfer_syntax_uid": arrival.transfer_syntax_uid[:UID_LENGTH],
        "number": integer(attributes.instance_number, BIG_LIMIT),
        "rows": integer(attributes.rows),
        "columns": integer(attributes.columns),
        "frames": integer(attributes.frames) or 1,
        "view": text(attributes.view, 32),
        "side": attributes.side[:1],
        "sha256": arrival.sha256,
        "size": arrival.size,
        "file_name": text(arrival.file_name),
        "file_size": arrival.file_size,
        "file_type": arrival.file_type[:100],
        "received_at": arrival.received_at,
        "correlation_id": arrival.correlation_id[:64],
        "record_id": arrival.location.record_id,
        "pack_id": None,
        "pack_entry": None,
        "correction": arrival.correction,
        "corrected": False,
    }
