"""`radrelay restore FOLDER [--check]`: a backup's rows, packs and landed objects in place again.

Into an installation without studies. What is damaged in the backup keeps nothing else from coming back. A restore that
was cut off is noted in the rows: no role serves until it was done to its end.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa
from rich.console import Console

from radrelay import audit, logs
from radrelay.access import SYSTEM_NAME, Principal
from radrelay.app.backup_folder import Manifest, NoInstallation, Stored, copy_object, open_part, read_manifest
from radrelay.app.core import Core, open_core
from radrelay.app.held_back import HeldBack
from radrelay.app.restored import UNFINISHED, Replayed, replay_ledger
from radrelay.app.rows import load_rows
from radrelay.archive import lost
from radrelay.archive.discard import chunks
from radrelay.archive.naming import study_named
from radrelay.audit.proofs import ANCHOR
from radrelay.errors import Conflict, Misconfigured, RadrelayError
from radrelay.identity.models import Organisation
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably
from radrelay.storage.keystore import KeyDestroyed
from radrelay.storage.models import Erasure, LandingCursor, LandingRecord, NodeState, OutboxEvent, Pack
from radrelay.storage.node import owner_name
from radrelay.storage.objectstore import LocalObjects, open_objects
from radrelay.storage.packs import PackStore
from radrelay.storage.segments import RecordLocation, SegmentLog

OWNER = "restored"


class NotEmpty(Conflict):
    """A backup is restored into an installation that holds no studies; this one does."""

    code = "not-empty"


class RowsDamaged(Conflict):
    """The rows of this backup are damaged, so nothing of it can be restored; take an older one."""

    code = "rows-damaged"


class KeysLost(Misconfigured):
    """The key store lacks the keys of this backup."""

    code = "keys-lost"


@dataclass(frozen=True)
class Findings:
    """What checking a backup found; `erased` was deleted or expired since, and is unreadable as it should be."""

    packs: int
    records: int
    erased: int
    damaged: tuple[str, ...]


def restore(settings: Settings, source: Path, *, check: bool) -> int:
    """Check a backup, or restore it into an installation without studies; returns the exit code."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    manifest = read_manifest(source)
    if not (settings.keys_dir / "keyring.json").exists():
        if check:
            raise NoInstallation(f"there is no installation in {settings.data_dir.absolute()} to check the backup with")
        mirror = settings.keys.mirror
        if mirror is None or not (mirror / "keyring.json").exists():  # else that one, which may be newer, is taken back
            make_private_directory(settings.keys_dir.absolute())
            write_durably(settings.keys_dir / "keyring.json", (source / "keyring.json").read_bytes())
    core = open_core(settings)
    try:
        found = check_backup(core, source, manifest)
        text = f"{found.packs} packs and {found.records} landed objects are whole, {found.erased} erased since"
        Console().print(text)
        for name in found.damaged:
            Console().print(f"damaged: {name}")
        if check:
            return 1 if found.damaged else 0
        held = restore_backup(core, source, manifest, frozenset(found.damaged))
        replayed = replay_ledger(core)
        end_restore(core, manifest.made_at)
        Console().print(f"restored the state of {manifest.made_at:%Y-%m-%d %H:%M} UTC, deletions since applied")
        _tell_acts(replayed)
        if found.damaged:
            Console().print("restored without what is damaged; `radrelay doctor --verify` says what cannot be read")
        _tell_held(held)
        return 1 if found.damaged else 0
    finally:
        core.close()


def _tell_held(held: HeldBack) -> None:
    """Print what leaves the house only when a person says so."""
    where = "release or cancel them on the page Deliveries"
    if held.deliveries:
        Console().print(f"{held.deliveries} deliveries were open and are held: {where}")
    if held.owed:
        Console().print(f"{held.owed} studies still had rules to look at them: what these send of them is held, too")
    if held.steps:
        Console().print(f"{held.steps} performed procedure steps were to be passed on and are held: {where}")
    if held.messages:
        Console().print(f"{held.messages} HL7 messages were to go out and are held: send them again on the page HL7")


def _tell_acts(replayed: Replayed) -> None:
    """Print what was done since the backup and is done again, and what a person has to look at."""
    if replayed.acts:
        Console().print(f"{replayed.acts} acts since then are done again: restrictions, corrections, rights taken back")
    if replayed.left:
        names = ", ".join(sorted(set(replayed.left)))
        Console().print(f"{len(replayed.left)} could not be ({names}): see the log, and do them by hand")


def check_backup(core: Core, source: Path, manifest: Manifest) -> Findings:
    """Decrypt and verify everything that a backup holds."""
    damaged: list[str] = []
    whole: dict[str, int] = {}
    erased = 0
    for folder, found in (("rows", (manifest.rows,)), ("packs", manifest.packs), ("records", manifest.records)):
        store = open_part(core, source / folder)
        whole[folder] = 0
        for stored in found:
            try:
                for _ in store.stream(stored.ref(), 0, stored.plain_bytes):
                    pass
                whole[folder] += 1
            except KeyDestroyed:
                if folder == "rows":
                    raise KeysLost(_keys_lost(core.settings)) from None
                erased += 1
            except (RadrelayError, OSError):
                damaged.append(f"{folder}/{stored.name}")
    return Findings(whole["packs"], whole["records"], erased, tuple(damaged))


def _keys_lost(settings: Settings) -> str:
    """Say how a key store without a backup's keys is mended."""
    if settings.database.url is not None:
        return (
            "the schema radrelay_keys of PostgreSQL lacks the keys of this backup; set keys.mirror to the folder that "
            "has them and drop the schema: a new one is filled from there"
        )
    return (
        f"the key store in {settings.keys_dir} lacks the keys of this backup; put study-keys.sqlite there from "
        "keys.mirror, or from where you keep its copy"
    )


def restore_backup(core: Core, source: Path, manifest: Manifest, damaged: Collection[str] = ()) -> HeldBack:
    """Put a backup's rows, packs and landed objects in place; may be repeated until `end_restore`.

    Of what is known to be `damaged` (by folder and name) a pack is copied as far as it can be read. Returns what
    was open in it and is held now.

    Raises
    ------
    NotEmpty
        There are studies here already.
    RowsDamaged
        The rows cannot be read.
    """
    with core.database.read() as session:
        filled = session.scalar(sa.select(Pack.id).limit(1)) or session.scalar(sa.select(LandingRecord.id).limit(1))
        if filled and session.get(NodeState, UNFINISHED) is None:
            raise NotEmpty
    if f"rows/{manifest.rows.name}" in damaged:
        raise RowsDamaged
    store = open_objects(core.settings)
    for stored in manifest.packs:
        try:
            copy_object(LocalObjects(source / "packs"), store, stored.name)
        except RadrelayError:
            if f"packs/{stored.name}" not in damaged:
                raise
    rows = open_part(core, source / "rows")
    held = load_rows(core.database, rows.stream(manifest.rows.ref(), 0, manifest.rows.plain_bytes), core.clock.now())
    records = [stored for stored in manifest.records if f"records/{stored.name}" not in damaged]
    _land_again(core, open_part(core, source / "records"), records)
    return held


def end_restore(core: Core, made_at: datetime) -> None:
    """Let the roles serve what was restored as of `made_at`, and put that on record.

    What this machine noted of the record before is of other rows, and is dropped.
    """
    (core.settings.data_dir / ANCHOR).unlink(missing_ok=True)
    audit.install(core.database, "command", core.clock, core.keyring.metadata_key, study_named)
    with core.database.write() as session:
        session.execute(sa.delete(NodeState).where(NodeState.name == UNFINISHED))
        for organisation_id in session.scalars(sa.select(Organisation.id)).all():
            who = Principal("system", "command", f"{SYSTEM_NAME} command", organisation_id, role="system")
            told = {"until": made_at.isoformat()}
            audit.record(session, audit.AuditRecord("installation.restore", who, "installation", "restore", told))


def _land_again(core: Core, store: PackStore, records: Sequence[Stored]) -> None:
    """Append landed objects to a log of their own and let their rows point there."""
    restored: set[uuid.UUID] = set()
    erased: set[uuid.UUID] = set()
    owner = owner_name(core.node, OWNER)
    log = SegmentLog.open(core.settings.landing_dir, owner, core.keyring, core.settings.storage)
    try:
        for stored in records:
            try:
                location = _land_one(log, store, stored)
            except KeyDestroyed:
                erased.add(stored.id)
                continue
            restored.add(stored.id)
            with core.database.write() as session:
                session.execute(
                    sa.update(LandingRecord)
                    .where(LandingRecord.id == stored.id)
                    .values(owner=owner, segment=location.segment, epoch=location.epoch, offset=location.offset)
                )
    finally:
        log.close()
    _forget_records(core, restored, erased)
    _skip_index(core)


def _land_one(log: SegmentLog, store: PackStore, stored: Stored) -> RecordLocation:
    envelope, head_length = msgspec.msgpack.decode(store.toc(stored.ref()), type=tuple[bytes, int])
    with log.open_large(record_id=stored.id) as writer:
        for piece in store.stream(stored.ref(), 0, stored.plain_bytes):
            writer.write(piece)
        head = store.read(stored.ref(), 0, head_length) if head_length else b""
        return writer.finish(envelope, head).location


def _forget_records(core: Core, restored: Collection[uuid.UUID], erased: Collection[uuid.UUID]) -> None:
    """Remove the rows of landing records that were not restored: they name places in segments that are no more.

    What lay there alone is taken out of the index, so that it can be sent again; what was `erased` since the ledger
    tells of.
    """
    with core.database.write() as session:
        gone = [known for known in session.scalars(sa.select(LandingRecord.id)) if known not in restored]
        for part in chunks(gone):
            lost.lose(session, [known for known in part if known not in erased], (), core.clock.now(), core.clock.now())
            session.execute(sa.delete(LandingRecord).where(LandingRecord.id.in_(part)))


def _skip_index(core: Core) -> None:
    """Tell the indexer that the restored log is in its rows already."""
    owner = owner_name(core.node, OWNER)
    with core.database.write() as session:
        session.execute(sa.delete(LandingCursor))
        for info in core.segments.segments(owner):
            position, finished = 0, False
            while True:
                result = core.segments.scan(owner, info.number, info.epoch, position, 1000)
                finished = result.segment_finished
                if result.position == position:
                    break
                position = result.position
            session.add(
                LandingCursor(owner=owner, segment=info.number, epoch=info.epoch, position=position, finished=finished)
            )
        session.execute(sa.delete(Erasure).where(Erasure.done_at.is_not(None)))
        # The records of durable work are not in a backup: what was handed over is handed over again.
        session.execute(sa.update(OutboxEvent).values(taken_at=None))
