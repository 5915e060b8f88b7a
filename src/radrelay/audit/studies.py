"""Which studies events are about: kept sealed from the first event on, as a study is gone long before its record is.

The archive's rows are read by a function that the composition root hands to `install`: audit stands below the archive.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from collections.abc import Callable

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditStudy
from radrelay.audit.patients import NONCE_BYTES, AuditKeys
from radrelay.storage.ids import new_id


class StudyNamed(msgspec.Struct, frozen=True):
    """What a study is called: its UID, accession number, date (YYYYMMDD or empty), modalities and description.

    And whom it was of: devices without an issuer give the same patient ID to different people.
    """

    study_uid: str
    accession_number: str = ""
    study_date: str = ""
    modalities: str = ""
    description: str = ""
    patient_issuer: str = ""
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""


StudyNames = Callable[[Session, uuid.UUID], StudyNamed | None]


def uid_digest(keys: AuditKeys, organisation_id: uuid.UUID, study_uid: str) -> bytes:
    """Return the 32 bytes that find a study's row by its Study Instance UID."""
    return hmac.new(keys.digest, b"study" + organisation_id.bytes + study_uid.encode(), hashlib.sha256).digest()


def is_kept(session: Session, study_id: uuid.UUID) -> bool:
    """Say whether the record knows what a study is called."""
    return session.execute(_KEPT, {"study": study_id}).one_or_none() is not None


_KEPT = (
    sa.select(AuditStudy.id)
    .where(AuditStudy.study_id == sa.bindparam("study"))
    .with_for_update(read=True, key_share=True)  # as a patient's row is
)


def keep(
    session: Session,
    keys: AuditKeys,
    organisation_id: uuid.UUID,
    study_id: uuid.UUID,
    patient_ref: uuid.UUID | None,
    named: StudyNamed,
) -> None:
    """Seal what a study is called, erasable with its patient."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(keys.seal).encrypt(nonce, msgspec.msgpack.encode(named), organisation_id.bytes + study_id.bytes)
    row = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "study_id": study_id,
        "patient_ref": patient_ref,
        "digest": uid_digest(keys, organisation_id, named.study_uid),
        "sealed": nonce + sealed,
    }
    session.execute(sa.insert(AuditStudy), [row])


def unseal_study(
    keys: AuditKeys, organisation_id: uuid.UUID, study_id: uuid.UUID, sealed: bytes | None
) -> StudyNamed | None:
    """Return what a study was called, or None once erased or where the key is another."""
    if sealed is None:
        return None
    try:
        plain = AESGCM(keys.seal).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], organisation_id.bytes + study_id.bytes
        )
    except InvalidTag:
        return None
    return msgspec.msgpack.decode(plain, type=StudyNamed)
