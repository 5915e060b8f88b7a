"""How data are kept safe, as it is found: rows and packs encrypted, keys, backups, the record.

That something is encrypted is proven by looking at the bytes: the head of the database's file, and tables of contents
of packs, which open (AES-256-GCM) under the keys in the key store alone.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.audit.models import AuditEvent
from radrelay.audit.proofs import last_proven
from radrelay.errors import Fact, RadrelayError
from radrelay.identity.models import Organisation
from radrelay.mail import filled
from radrelay.privacy.backup_notes import last_backup
from radrelay.privacy.standing import House, Kept, State
from radrelay.settings import PrivacySettings
from radrelay.storage.models import Pack
from radrelay.storage.packs import PackRef

SAMPLE = 3
PLAIN_SQLITE = b"SQLite format 3\0"
PROOF_OLD = timedelta(days=3)


def _kept(subject: str, state: State, code: str, text: str, **facts: Fact) -> Kept:
    return Kept(subject, state, code, text, facts)


def rows(house: House) -> Kept:
    """Say whether the rows lie encrypted: SQLCipher's file begins with random bytes; a server's disk is not seen."""
    if house.database.dialect == "postgresql":
        text = "rows lie on the database server: see that its disk and its dumps are encrypted"
        return _kept("rows", "look", "rows-on-server", text)
    try:
        with (house.settings.data_dir / "radrelay.sqlite").open("rb") as file:
            head = file.read(len(PLAIN_SQLITE))
    except OSError as error:
        return _kept("rows", "look", "rows-unseen", f"the database's file cannot be looked at: {error}")
    if len(head) < len(PLAIN_SQLITE) or head == PLAIN_SQLITE:
        return _kept("rows", "bad", "rows-plain", "the database's file is not encrypted")
    return _kept("rows", "good", "rows-encrypted", "the database's file is encrypted (SQLCipher, AES-256)")


def bytes_sealed(house: House, organisation_id: uuid.UUID) -> Kept:
    """Open an organisation's newest packs' tables of contents: they authenticate under their keys, or they do not."""
    with house.database.read() as session:
        own = sa.select(Pack).where(Pack.organisation_id == organisation_id)
        newest = session.scalars(own.order_by(Pack.id.desc()).limit(SAMPLE)).all()
        refs = [PackRef(row.id, row.name, row.plain_bytes, row.toc_offset, row.toc_length) for row in newest]
    if not refs:
        return _kept("packs", "look", "packs-none", "nothing is packed yet, so nothing can be shown")
    try:
        for ref in refs:
            house.packs.toc(ref)
    except RadrelayError as error:
        text = f"a pack does not open: {error.message}; run `radrelay doctor --verify`"
        return _kept("packs", "bad", "packs-damaged", text, why=error.code)
    opens = "the newest {n|pack opens under its key|packs open under their keys} alone (AES-256-GCM)"
    text = filled(opens, n=len(refs))
    return _kept("packs", "good", "packs-sealed", text, n=len(refs))


def places_of_keys(house: House) -> list[Kept]:
    """Say where the master key lies, and whether the key store has a mirror."""
    inside = house.settings.data_dir.resolve() in house.keyring.master_path.resolve().parents
    if inside:
        text = "the master key lies in the data directory: who takes that has both"
        master = _kept("master", "bad", "master-inside", text)
    else:
        master = _kept("master", "good", "master-outside", "the master key lies outside the data directory")
    mirror = house.settings.keys.mirror
    if mirror is None:
        text = "keys.mirror is not set: with the key store's disk every study and every backup is lost"
        return [master, _kept("mirror", "look", "mirror-none", text)]
    if not mirror.is_dir():
        return [master, _kept("mirror", "bad", "mirror-away", f"the key store's mirror {mirror} is not there")]
    return [master, _kept("mirror", "good", "mirror-there", f"the key store is mirrored to {mirror}")]


def age_of_keys(session: Session, house: House, now: datetime) -> Kept:
    """Say how old the image key is: since the last rotation on record, or since the key store was made."""
    rotated = session.scalar(sa.select(sa.func.max(AuditEvent.at)).where(AuditEvent.action == "keys.rotate"))
    since = rotated or house.keys.made_at()
    versions = house.keyring.versions()
    days = max(0, (now - since).days)
    facts: dict[str, Fact] = {"since_at": since.isoformat(), "days": days, "versions": len(versions)}
    text = filled("the image key is {n|day|days} old, {k|version|versions}", n=days, k=len(versions))
    if days > house.settings.privacy.key_days:
        return _kept("keys", "look", "keys-old", f"{text}; see `radrelay keys rotate`", **facts)
    return _kept("keys", "good", "keys-fresh", text, **facts)


def backups(session: Session, settings: PrivacySettings, now: datetime) -> Kept:
    """Say how old the last backup is; without one, an installation older than that has broken its promise."""
    allowed = timedelta(days=settings.backup_days)
    note = last_backup(session)
    if note is None:
        begun = session.scalar(sa.select(sa.func.min(Organisation.created_at)))
        state: State = "bad" if begun is not None and now - begun > allowed else "look"
        return _kept("backup", state, "backup-none", "no backup of this installation was made; see `radrelay backup`")
    facts: dict[str, Fact] = {"last_at": note.at.isoformat(), "packs": note.packs, "lost": note.lost}
    text = f"the last backup was made on {note.at:%Y-%m-%d %H:%M} UTC, {filled('{n|pack|packs}', n=note.packs)}"
    if note.lost:
        return _kept("backup", "bad", "backup-incomplete", f"{text}; {note.lost} could not be read", **facts)
    if now - note.at > allowed:
        return _kept("backup", "bad", "backup-old", text, **facts)
    return _kept("backup", "good", "backup-fresh", text, **facts)


def record(session: Session, organisation_id: uuid.UUID, now: datetime) -> Kept:
    """Say when an organisation's record was last proven whole."""
    proven = last_proven(session, organisation_id)
    if proven is None:
        return _kept("record", "look", "record-unproven", "the record was never proven; see `radrelay audit verify`")
    facts: dict[str, Fact] = {"last_at": proven.at.isoformat(), "n": proven.events, "faults": proven.faults}
    if not proven.intact:
        text = filled("the record has {n|fault|faults}", n=proven.faults) + f", found on {proven.at:%Y-%m-%d %H:%M} UTC"
        return _kept("record", "bad", "record-broken", text, **facts)
    text = f"the record was whole on {proven.at:%Y-%m-%d %H:%M} UTC, {proven.events} events"
    if now - proven.at > PROOF_OLD:
        return _kept("record", "look", "record-proven-long-ago", text, **facts)
    return _kept("record", "good", "record-whole", text, **facts)
