"""Erasing a patient's data, and the proof of it: what, when, under which keys; holds are respected and named.

In the caller's transaction studies are deleted, and the proof is written: of each study its id, the SHA-256 of its UID,
and the ids of the keys and landing records that its bytes lay under. `carried_out` looks whether those keys are gone
from the key store and nothing stands open: only then it is proven.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.archive import deletion
from radrelay.archive.models import Attachment, Instance
from radrelay.archive.of_study import of_studies
from radrelay.importer import cases
from radrelay.importer.models import ImportCase
from radrelay.privacy.holdings_of import Held, HeldStudy
from radrelay.retrieve import fetches
from radrelay.retrieve.schedules import service as schedules
from radrelay.storage.keystore import KeyStore
from radrelay.storage.models import Erasure, KeptKey, Pack

CHUNK = 500


class ErasedStudy(msgspec.Struct, frozen=True):
    """A study that was erased: `keys` are the packs' and records' ids, which the key store knows keys by."""

    id: uuid.UUID
    uid_sha256: str
    objects: int
    bytes: int
    keys: tuple[uuid.UUID, ...]


class KeptStudy(msgspec.Struct, frozen=True):
    """A study that was kept because a hold stands: until when, and for what reason."""

    id: uuid.UUID
    study_uid: str
    hold_until: datetime
    reason: str


class Proof(msgspec.Struct, frozen=True):
    """What was erased when and by whom, what was kept and why, and when the last key was found destroyed.

    `aside` counts objects kept aside under the same patient ID: nobody has said yet whose they are, so they stay.
    `clinics` counts studies that stay because a clinic decides about them and has not told us to erase them.
    `imports` counts parcels from elsewhere that were erased, whole, with whatever else was in them.
    """

    at: datetime
    by: str
    studies: tuple[ErasedStudy, ...]
    aside: int
    kept: tuple[KeptStudy, ...]
    record_erased: bool
    clinics: int = 0
    imports: int = 0
    destroyed_at: datetime | None = None


def decoded(proof: str) -> Proof | None:
    """Return a proof as it is kept; none where nothing was erased."""
    return msgspec.json.decode(proof, type=Proof) if proof else None


def encoded(proof: Proof) -> str:
    """Return a proof as it is kept."""
    return msgspec.json.encode(proof).decode()


def erase(
    session: Session,
    found: Held,
    note: Callable[[HeldStudy], audit.AuditRecord],
    *,
    by: str,
    now: datetime,
) -> Proof:
    """Erase what is held of a patient but for what a hold keeps; `note` gives the event of each study."""
    erased, kept = [], []
    for study in found.studies:
        hold = study.hold(now)
        if hold is not None and hold.hold_until is not None:
            kept.append(KeptStudy(study.id, study.study_uid, hold.hold_until, hold.hold_reason))
            continue
        keys = tuple(sorted(keys_of(session, study.id)))
        digest = hashlib.sha256(study.study_uid.encode()).hexdigest()
        erased.append(ErasedStudy(study.id, digest, study.objects, study.bytes, keys))
        audit.record(session, note(study))
        deletion.delete_study(session, study.id, now, "erased")
        fetches.forget_of(session, study.study_uid)
        schedules.forget_of(session, study.study_uid)
    for one in found.imports:
        row = session.get(ImportCase, one.id)
        if row is not None:
            cases.end(session, row, "erased", now)
    return Proof(
        now, by, tuple(erased), len(found.aside), tuple(kept), record_erased=False, imports=len(found.imports)
    )  # fmt: skip


def keys_of(session: Session, study_id: uuid.UUID) -> set[uuid.UUID]:
    """Return the ids of packs, kept keys and landing records that a study's bytes lie under."""
    wanted: tuple[sa.Select[Any], ...] = (
        sa.select(Pack.id).where(Pack.study_id == study_id),
        sa.select(KeptKey.id).where(KeptKey.bound_to == study_id),
        sa.select(Instance.record_id).where(of_studies([study_id]), Instance.record_id.is_not(None)),
        sa.select(Attachment.record_id).where(Attachment.study_id == study_id, Attachment.record_id.is_not(None)),
        sa.select(Attachment.pack_id).where(Attachment.study_id == study_id, Attachment.pack_id.is_not(None)),
    )
    return {key for one in wanted for key in session.scalars(one)}


def carried_out(session: Session, keys: KeyStore, proof: Proof) -> datetime | None:
    """Return when the last key was destroyed; none while one lives, or bytes are still readable."""
    ids = [key for study in proof.studies for key in study.keys]
    if any(keys.known(chunk) for chunk in _chunks(ids)):
        return None
    latest = proof.at
    for chunk in _chunks(ids):
        rows = session.execute(sa.select(Erasure.destroyed_at).where(Erasure.id.in_(chunk))).all()
        if any(row.destroyed_at is None for row in rows):
            return None
        latest = max([latest, *(row.destroyed_at for row in rows)])
    return latest


def _chunks(ids: Sequence[uuid.UUID]) -> Iterable[Sequence[uuid.UUID]]:
    return (ids[begin : begin + CHUNK] for begin in range(0, len(ids), CHUNK))
