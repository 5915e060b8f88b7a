"""Whom events are about, encrypted apart from the chain.

An event holds only a reference; the name and the ID stand in a row of their own under AES-256-GCM, found again by
an HMAC of issuer and ID. Erasing that row's content leaves the chain whole and the person unnamed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent, AuditPatient, AuditStudy
from radrelay.storage.ids import new_id

NONCE_BYTES = 12


class PatientIdentity(msgspec.Struct, frozen=True):
    """Issuer of the patient ID, the ID itself and the name, as they were at the time of the event."""

    issuer: str
    patient_id: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class AuditKeys:
    """Three keys of 32 bytes: one seals patients, one finds them again, one signs the chains' roots."""

    seal: bytes
    digest: bytes
    root: bytes

    @classmethod
    def derive(cls, metadata_key: bytes) -> AuditKeys:
        """Derive the three from the keyring's metadata key (HKDF-SHA-256, RFC 5869)."""
        return cls(*(_derived(metadata_key, name) for name in (b"seal", b"digest", b"root")))


def _derived(key: bytes, name: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, b"radrelay audit " + name).derive(key)


def patient_digest(keys: AuditKeys, organisation_id: uuid.UUID, issuer: str, patient_id: str) -> bytes:
    """Return the 32 bytes that find a patient's row again without naming anybody."""
    text = "\0".join((issuer, patient_id)).encode()
    return hmac.new(keys.digest, organisation_id.bytes + text, hashlib.sha256).digest()


def id_digest(keys: AuditKeys, organisation_id: uuid.UUID, patient_id: str) -> bytes:
    """Return the 32 bytes that find the rows of all patients with one ID, whoever issued it."""
    return hmac.new(keys.digest, b"id" + organisation_id.bytes + patient_id.encode(), hashlib.sha256).digest()


def refer_to(session: Session, keys: AuditKeys, organisation_id: uuid.UUID, patient: PatientIdentity) -> uuid.UUID:
    """Return the id of the patient's sealed row, written at need (or again, if it had been erased)."""
    digest = patient_digest(keys, organisation_id, patient.issuer, patient.patient_id)
    found = session.execute(  # locked on PostgreSQL, so that it is not dropped as unnamed before the event is there
        sa.select(AuditPatient.id)
        .where(AuditPatient.organisation_id == organisation_id, AuditPatient.digest == digest)
        .with_for_update(read=True, key_share=True)
    ).scalar_one_or_none()
    if found is not None:
        return found
    row_id = new_id()
    session.execute(
        sa.insert(AuditPatient),
        [
            {
                "id": row_id,
                "organisation_id": organisation_id,
                "digest": digest,
                "id_digest": id_digest(keys, organisation_id, patient.patient_id),
                "sealed": _seal(keys, organisation_id, row_id, patient),
            }
        ],
    )
    return row_id


def _seal(keys: AuditKeys, organisation_id: uuid.UUID, row_id: uuid.UUID, patient: PatientIdentity) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(keys.seal).encrypt(
        nonce, msgspec.msgpack.encode(patient), organisation_id.bytes + row_id.bytes
    )


def unseal(
    keys: AuditKeys, organisation_id: uuid.UUID, row_id: uuid.UUID, sealed: bytes | None
) -> PatientIdentity | None:
    """Return the patient of a row, or None once erased or where the key is another."""
    if sealed is None:
        return None
    aad = organisation_id.bytes + row_id.bytes
    try:
        plain = AESGCM(keys.seal).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except InvalidTag:
        return None
    return msgspec.msgpack.decode(plain, type=PatientIdentity)


def erase_patient(
    session: Session, metadata_key: bytes, organisation_id: uuid.UUID, issuer: str, patient_id: str
) -> bool:
    """Erase whom the events of one patient are about, and which studies; returns whether anything was there.

    The chain stays whole: what it hashes are the references.
    """
    digest = patient_digest(AuditKeys.derive(metadata_key), organisation_id, issuer, patient_id)
    row = session.execute(
        sa.select(AuditPatient.id).where(AuditPatient.organisation_id == organisation_id, AuditPatient.digest == digest)
    ).scalar_one_or_none()
    if row is None:
        return False
    forgotten = {"sealed": None, "digest": os.urandom(32)}
    session.execute(sa.update(AuditPatient).where(AuditPatient.id == row).values(**forgotten, id_digest=os.urandom(32)))
    unsaid = sa.and_(  # the first event about the study did not name its patient
        AuditStudy.patient_ref.is_(None),
        AuditStudy.study_id.in_(sa.select(AuditEvent.study_id).where(AuditEvent.patient_ref == row)),
    )
    session.execute(sa.update(AuditStudy).where(sa.or_(AuditStudy.patient_ref == row, unsaid)).values(**forgotten))
    return True
