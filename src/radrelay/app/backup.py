"""`radrelay backup FOLDER`: a consistent copy while everything runs (`restore` reads it, `backup_folder` is its shape).

A backup holds the rows of one consistent moment, the packs as they lie in the store, and what is still in landing
records, each under a key of its own. All of these keys are in the key store, which is not part of a backup: deleting a
study there makes it unreadable in every backup, too. A second backup into the same folder adds only what is new and
removes packs that no row names any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import sqlalchemy as sa
from rich.console import Console

from radrelay import __version__, audit, logs
from radrelay.access import SYSTEM_NAME, Principal
from radrelay.app.backup_folder import FORMAT, Manifest, NoInstallation, Stored, copy_object, open_part, read_manifest
from radrelay.app.core import Core, open_core
from radrelay.app.key_keeping import COPIES, ROWS
from radrelay.app.landed import take_in_landed
from radrelay.app.rows import dump_rows
from radrelay.archive.models import Instance
from radrelay.archive.naming import study_named
from radrelay.errors import Conflict, Unavailable
from radrelay.identity.models import Organisation
from radrelay.intake.unpacking import read_record
from radrelay.privacy.backup_notes import BackupNote, note_backup
from radrelay.settings import Settings
from radrelay.storage.durable_files import write_durably
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import KeyDestroyed
from radrelay.storage.neighbours import NodeAway
from radrelay.storage.objectstore import LocalObjects, ObjectMissing, open_objects
from radrelay.storage.pack_format import PackDamaged, stored_bytes
from radrelay.storage.packs import PackRef, PackStore
from radrelay.storage.segments import RecordDamaged, RecordGone, RecordLocation, SegmentGone

ROUNDS = 5


class BackupOfAnother(Conflict):
    """The folder holds the backup of another installation; choose another one."""

    code = "backup-of-another"


class BackupIncomplete(Unavailable):
    """Objects were packed and deleted all the time while they were copied; try again."""

    code = "backup-incomplete"


def backup(settings: Settings, target: Path) -> int:
    """Write a backup while the roles run; returns the exit code."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    if not (settings.keys_dir / "keyring.json").exists():
        raise NoInstallation(f"there is no installation in {settings.data_dir.absolute()}; see RADRELAY_DATA_DIR")
    core = open_core(settings)
    try:
        unlisted = take_in_landed(core)
        _pack_pending(core)
        manifest = write_backup(core, target)
        _note(core, manifest)
        Console().print(f"{len(manifest.packs)} packs, {len(manifest.records)} landed objects, kept in {target}")
        for lost in manifest.lost:
            Console().print(f"cannot be read, and is not in the backup: {lost}")
        if unlisted:
            Console().print(f"{unlisted} landed objects are not in the list yet, and not in the backup: start Radrelay")
        if settings.keys.mirror is None:
            Console().print("keys.mirror is not set: without the key store this backup cannot be read")
        return 1 if manifest.lost or unlisted else 0
    finally:
        core.close()


def _note(core: Core, manifest: Manifest) -> None:
    """Put on record that a backup was made, in the record of each organisation, and when, for the promises."""
    audit.install(core.database, "command", core.clock, core.keyring.metadata_key, study_named)
    packs, records, lost = len(manifest.packs), len(manifest.records), len(manifest.lost)
    with core.database.write() as session:
        note_backup(session, BackupNote(manifest.made_at, packs, records, lost))
        for organisation_id in session.scalars(sa.select(Organisation.id)).all():
            who = Principal("system", "command", f"{SYSTEM_NAME} command", organisation_id, role="system")
            detail = {"packs": packs, "objects": records, "lost": lost}
            event = audit.AuditRecord("backup.make", who, "installation", "backup", detail)
            audit.record(session, event)


def _pack_pending(core: Core) -> None:
    """Pack what has landed: a pack is smaller than copies of its landing records, and is copied once."""
    from radrelay.archive.compaction import Compactor  # noqa: PLC0415 -- brings the codecs
    from radrelay.archive.reader import InstanceReader  # noqa: PLC0415

    with core.database.read() as session:
        landed = sa.select(Instance.organisation_id, Instance.study_id).where(Instance.record_id.is_not(None))
        studies = session.execute(landed.distinct()).all()
    with ThreadPoolExecutor(2) as executor:
        reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
        compactor = Compactor(
            core.database, core.clock, reader, core.packs, core.keys, executor, core.settings.keys.keep_replaced
        )
        for organisation_id, study_id in studies:
            try:
                compactor.compact_study(organisation_id, study_id)
            except NodeAway as away:
                Console().print(f"study {study_id} cannot be packed: {away.message}")


def write_backup(core: Core, target: Path) -> Manifest:
    """Write a backup into `target`; raises `OSError` and `RadrelayError` as they come, leaving the older one whole.

    Raises
    ------
    BackupOfAnother
        Another installation's backup is there.
    BackupIncomplete
        Objects moved all the time while they were copied.
    """
    _refuse_another(core, target)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    records_store = open_part(core, target / "records")
    rows_store = open_part(core, target / "rows")
    copied = _copied(target)
    before: frozenset[uuid.UUID] | None = None
    for _ in range(ROUNDS):
        rows_id = new_id()
        writer = rows_store.create(rows_id, ROWS)
        packs, landed = dump_rows(core.database, writer.add)
        rows = _stored(writer.finish(b"").ref)
        copies = [_copy_record(core, records_store, row, copied) for row in landed]
        lost = _copy_packs(core, packs, target / "packs")
        lost |= {uuid.UUID(str(row["record_id"])) for row, copy in zip(landed, copies, strict=True) if copy is None}
        if not lost or lost == before:
            break  # else something was packed or deleted since the rows were read: they name what is gone
        before = lost
        rows_store.delete(rows.name)
        core.keys.destroy([rows_id])
    else:
        raise BackupIncomplete
    packs = [stored for stored in packs if stored.id not in lost]
    records = [copy for copy in copies if copy is not None]
    manifest = Manifest(
        FORMAT, __version__, core.clock.now(), rows, tuple(packs), tuple(records), tuple(sorted(lost, key=str))
    )
    write_durably(target / "keyring.json", (core.settings.keys_dir / "keyring.json").read_bytes())
    write_durably(target / "manifest.json", msgspec.json.encode(manifest))
    _remove_unnamed(target / "packs", {stored.name for stored in packs})
    _remove_unnamed(target / "rows", {rows.name})
    _remove_unnamed(target / "records", {stored.name for stored in records})
    return manifest


def _refuse_another(core: Core, target: Path) -> None:
    """Raise `BackupOfAnother` when what is in `target` cannot be read with this installation's keys."""
    if not (target / "manifest.json").exists():
        return
    rows = read_manifest(target).rows
    if core.keyring.pack_name(rows.id) != rows.name:
        raise BackupOfAnother(f"{target} holds the backup of another installation; choose another folder")


def _stored(ref: PackRef) -> Stored:
    return Stored(ref.pack_id, ref.name, ref.plain_bytes, ref.toc_offset, ref.toc_length)


def _copy_packs(core: Core, packs: Sequence[Stored], folder: Path) -> frozenset[uuid.UUID]:
    """Copy packs that are not there whole yet; returns the ids of those that are gone, or not whole."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    source, target = open_objects(core.settings), LocalObjects(folder)
    present = {name: size for name, size, _ in target.names()}
    gone: set[uuid.UUID] = set()
    for stored in packs:
        size = stored_bytes(stored.plain_bytes)
        if present.get(stored.name) != size:
            try:
                copy_object(source, target, stored.name, size)
            except (ObjectMissing, PackDamaged):
                gone.add(stored.id)
    return frozenset(gone)


def _copied(target: Path) -> dict[uuid.UUID, Stored]:
    """Return the copies of landing records that the older backup in `target` has: they never change."""
    if not (target / "manifest.json").exists():
        return {}
    there = {name for name, _, _ in LocalObjects(target / "records").names()}
    return {stored.id: stored for stored in read_manifest(target).records if stored.name in there}


def _copy_record(
    core: Core, store: PackStore, row: Mapping[str, object], copied: Mapping[uuid.UUID, Stored]
) -> Stored | None:
    """Copy what a landing record holds, under a key of its own; none if it was erased meanwhile.

    Every backup's copy has the same key, which is destroyed with the record, or with its instance if that was packed.
    """
    location = RecordLocation(**row)  # type: ignore[arg-type]  # the columns of landing_record
    try:
        record = read_record(core.segments, location)
    except NodeAway:
        return None
    if record is None:
        return None
    if location.record_id in copied:  # written again, one that breaks off would take the older backup's along
        return copied[location.record_id]
    try:
        writer = store.create(location.record_id, COPIES)
    except Conflict:
        try:
            writer = store.again(location.record_id)
        except KeyDestroyed:
            return None
    try:
        for piece in core.segments.stream(location):
            writer.add(piece)
        return _stored(writer.finish(msgspec.msgpack.encode((record.envelope, len(record.head)))).ref)
    except (RecordGone, SegmentGone, RecordDamaged, NodeAway):
        writer.abort()
        return None
    except BaseException:
        writer.abort()
        raise


def _remove_unnamed(folder: Path, named: set[str]) -> None:
    objects = LocalObjects(folder)
    for name, _, _ in list(objects.names()):
        if name not in named:
            objects.delete(name)
