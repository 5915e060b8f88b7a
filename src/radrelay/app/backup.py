"""`radrelay backup FOLDER` and `radrelay restore FOLDER [--check]`.

A backup is a folder: `manifest.json` (no patient data), the rows of one consistent moment, the packs as they lie in the
store, and what is still in landing records, each under a key of its own. All of these keys are in the key store, which
is not part of a backup: deleting a study there makes it unreadable in every backup, too. A second backup into the
same folder adds only what is new and removes packs that no row names any more.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa
from rich.console import Console

from radrelay import __version__, logs
from radrelay.app.core import Core, open_core
from radrelay.app.key_keeping import COPIES, ROWS
from radrelay.app.restored import replay_deletions
from radrelay.app.rows import dump_rows, load_rows
from radrelay.archive.models import Instance
from radrelay.errors import Conflict, Invalid, Misconfigured, NotFound, RadrelayError, Unavailable
from radrelay.intake.unpacking import read_record
from radrelay.settings import Settings
from radrelay.storage.durable_files import write_durably
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import KeyDestroyed
from radrelay.storage.models import Erasure, LandingCursor, LandingRecord, OutboxEvent, Pack
from radrelay.storage.neighbours import NodeAway
from radrelay.storage.node import owner_name
from radrelay.storage.objectstore import LocalObjects, ObjectMissing, Objects, open_objects
from radrelay.storage.packs import PackRef, PackStore
from radrelay.storage.segments import RecordDamaged, RecordGone, RecordLocation, SegmentGone, SegmentLog

FORMAT = 1
PIECE = 8 << 20
ROUNDS = 5
OWNER = "restored"


class NotABackup(Invalid):
    """There is no backup of Radrelay in this folder."""

    code = "not-a-backup"


class NotEmpty(Conflict):
    """A backup is restored into an installation that holds no studies; this one does."""

    code = "not-empty"


class BackupOfAnother(Conflict):
    """The folder holds the backup of another installation; choose another one."""

    code = "backup-of-another"


class BackupIncomplete(Unavailable):
    """Objects were packed and deleted all the time while they were copied; try again."""

    code = "backup-incomplete"


class NoInstallation(NotFound):
    """There is no installation in this data directory."""

    code = "no-installation"


class KeysLost(Misconfigured):
    """The key store lacks the keys of this backup."""

    code = "keys-lost"


class Stored(msgspec.Struct, frozen=True):
    """Something in the backup that was written like a pack: where, and how to read it."""

    id: uuid.UUID
    name: str
    plain_bytes: int
    toc_offset: int
    toc_length: int

    def ref(self) -> PackRef:
        """Return it as the pack store knows it."""
        return PackRef(self.id, self.name, self.plain_bytes, self.toc_offset, self.toc_length)


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    format: int
    version: str
    made_at: datetime
    rows: Stored
    packs: tuple[Stored, ...]
    records: tuple[Stored, ...]
    lost: tuple[uuid.UUID, ...] = ()  # packs and landing records that rows name and that could not be read


@dataclass(frozen=True)
class Findings:
    """What checking a backup found; `erased` was deleted or expired since, and is unreadable as it should be."""

    packs: int
    records: int
    erased: int
    damaged: tuple[str, ...]


def backup(settings: Settings, target: Path) -> int:
    """Write a backup while the roles run; returns the exit code."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    if not (settings.keys_dir / "keyring.json").exists():
        raise NoInstallation(f"there is no installation in {settings.data_dir.absolute()}; see RADRELAY_DATA_DIR")
    core = open_core(settings)
    try:
        _pack_pending(core)
        manifest = write_backup(core, target)
        Console().print(f"{len(manifest.packs)} packs, {len(manifest.records)} landed objects, kept in {target}")
        for lost in manifest.lost:
            Console().print(f"cannot be read, and is not in the backup: {lost}")
        if settings.keys.mirror is None:
            Console().print("keys.mirror is not set: without the key store this backup cannot be read")
        return 1 if manifest.lost else 0
    finally:
        core.close()


def restore(settings: Settings, source: Path, *, check: bool) -> int:
    """Check a backup, or restore it into an installation without studies; returns the exit code."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    manifest = read_manifest(source)
    if not (settings.keys_dir / "keyring.json").exists():
        if check:
            raise NoInstallation(f"there is no installation in {settings.data_dir.absolute()} to check the backup with")
        mirror = settings.keys.mirror
        if mirror is None or not (mirror / "keyring.json").exists():  # else that one, which may be newer, is taken back
            settings.keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(source / "keyring.json", settings.keys_dir / "keyring.json")
    core = open_core(settings)
    try:
        found = check_backup(core, source, manifest)
        text = f"{found.packs} packs and {found.records} landed objects are whole, {found.erased} erased since"
        Console().print(text)
        for name in found.damaged:
            Console().print(f"damaged: {name}")
        if check or found.damaged:
            return 1 if found.damaged else 0
        held = restore_backup(core, source, manifest)
        replay_deletions(core)
        Console().print(f"restored the state of {manifest.made_at:%Y-%m-%d %H:%M} UTC, deletions since applied")
        if held:
            Console().print(f"{held} deliveries were open and are held: release or cancel them on the page Deliveries")
        return 0
    finally:
        core.close()


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
    records_store = _store(core, target / "records")
    rows_store = _store(core, target / "rows")
    before: frozenset[uuid.UUID] | None = None
    for _ in range(ROUNDS):
        rows_id = new_id()
        writer = rows_store.create(rows_id, ROWS)
        packs, landed = dump_rows(core.database, writer.add)
        rows = _stored(writer.finish(b"").ref)
        copies = [_copy_record(core, records_store, row) for row in landed]
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


def read_manifest(source: Path) -> Manifest:
    """Read what a backup holds; raises `NotABackup`."""
    try:
        manifest = msgspec.json.decode((source / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotABackup(f"there is no backup of Radrelay in {source}") from error
    if manifest.format != FORMAT:
        raise NotABackup(f"the backup has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def check_backup(core: Core, source: Path, manifest: Manifest) -> Findings:
    """Decrypt and verify everything that a backup holds."""
    damaged: list[str] = []
    whole: dict[str, int] = {}
    erased = 0
    for folder, found in (("rows", (manifest.rows,)), ("packs", manifest.packs), ("records", manifest.records)):
        store = _store(core, source / folder)
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


def restore_backup(core: Core, source: Path, manifest: Manifest) -> int:
    """Put a backup's rows, packs and landed objects in place; raises `NotEmpty`.

    Returns how many deliveries were open in it and are held now.
    """
    with core.database.read() as session:
        if session.scalar(sa.select(Pack.id).limit(1)) or session.scalar(sa.select(LandingRecord.id).limit(1)):
            raise NotEmpty
    store = open_objects(core.settings)
    for stored in manifest.packs:
        _copy_object(LocalObjects(source / "packs"), store, stored.name)
    rows = _store(core, source / "rows")
    held = load_rows(core.database, rows.stream(manifest.rows.ref(), 0, manifest.rows.plain_bytes))
    _land_again(core, _store(core, source / "records"), manifest.records)
    return held


def _store(core: Core, folder: Path) -> PackStore:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return PackStore(LocalObjects(folder), core.keyring, core.keys)


def _stored(ref: PackRef) -> Stored:
    return Stored(ref.pack_id, ref.name, ref.plain_bytes, ref.toc_offset, ref.toc_length)


def _copy_packs(core: Core, packs: Sequence[Stored], folder: Path) -> frozenset[uuid.UUID]:
    """Copy packs that are not there yet; returns the ids of those that are gone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    source, target = open_objects(core.settings), LocalObjects(folder)
    present = {name for name, _, _ in target.names()}
    gone: set[uuid.UUID] = set()
    for stored in packs:
        if stored.name not in present:
            try:
                _copy_object(source, target, stored.name)
            except ObjectMissing:
                gone.add(stored.id)
    return frozenset(gone)


def _copy_object(source: Objects, target: Objects, name: str) -> None:
    writer = target.writer(name)
    try:
        for piece in _pieces(source, name):
            writer.write(piece)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def _pieces(source: Objects, name: str) -> Iterator[bytes]:
    at = 0
    while piece := source.read(name, at, at + PIECE):
        yield piece
        at += len(piece)
        if len(piece) < PIECE:
            return


def _copy_record(core: Core, store: PackStore, row: Mapping[str, object]) -> Stored | None:
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


def _land_again(core: Core, store: PackStore, records: Sequence[Stored]) -> None:
    """Append landed objects to a log of their own and let their rows point there."""
    restored: set[uuid.UUID] = set()
    owner = owner_name(core.node, OWNER)
    log = SegmentLog.open(core.settings.landing_dir, owner, core.keyring, core.settings.storage)
    try:
        for stored in records:
            try:
                envelope, head_length = msgspec.msgpack.decode(store.toc(stored.ref()), type=tuple[bytes, int])
                writer = log.open_large(record_id=stored.id)
                for piece in store.stream(stored.ref(), 0, stored.plain_bytes):
                    writer.write(piece)
                head = store.read(stored.ref(), 0, head_length) if head_length else b""
                location = writer.finish(envelope, head).location
            except KeyDestroyed:
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
    _forget_records(core, restored)
    _skip_index(core)


def _forget_records(core: Core, restored: Collection[uuid.UUID]) -> None:
    """Remove the rows of landing records that were not restored: they name places in segments that are no more."""
    with core.database.write() as session:
        gone = [known for known in session.scalars(sa.select(LandingRecord.id)) if known not in restored]
        for start in range(0, len(gone), 500):
            session.execute(sa.delete(LandingRecord).where(LandingRecord.id.in_(gone[start : start + 500])))


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


def _remove_unnamed(folder: Path, named: set[str]) -> None:
    objects = LocalObjects(folder)
    for name, _, _ in list(objects.names()):
        if name not in named:
            objects.delete(name)
