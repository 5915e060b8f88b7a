"""`radrelay backup FOLDER` and `radrelay restore FOLDER [--check]`.

A backup is a folder: `manifest.json` (no patient data), the rows of one consistent moment, the packs as they lie in the
store, and what is still in landing records, each under a key of its own. All of these keys are in the key store, which
is not part of a backup: deleting a study there makes it unreadable in every backup, too. A second backup into the
same folder adds only what is new and removes packs that no row names any more.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa
from rich.console import Console

from radrelay import __version__, logs
from radrelay.app.core import Core, open_core
from radrelay.app.restored import replay_deletions
from radrelay.app.rows import dump_rows, load_rows
from radrelay.errors import Conflict, Invalid, RadrelayError
from radrelay.intake.unpacking import read_record
from radrelay.settings import Settings
from radrelay.storage.durable_files import sync_directory
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import KeyDestroyed
from radrelay.storage.models import Erasure, LandingCursor, LandingRecord, Pack
from radrelay.storage.objectstore import LocalObjects, ObjectMissing, Objects, open_objects
from radrelay.storage.packs import PackRef, PackStore
from radrelay.storage.segments import RecordLocation, SegmentLog

FORMAT = 1
PIECE = 8 << 20
ROUNDS = 5
NOBODY = uuid.UUID(int=0)
OWNER = "restored"


class NotABackup(Invalid):
    """There is no backup of Radrelay in this folder."""

    code = "not-a-backup"


class NotEmpty(Conflict):
    """A backup is restored into an installation that holds no studies; this one does."""

    code = "not-empty"


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
    core = open_core(settings)
    try:
        manifest = write_backup(core, target)
        Console().print(f"{len(manifest.packs)} packs, {len(manifest.records)} landed objects, kept in {target}")
        if settings.keys.mirror is None:
            Console().print("keys.mirror is not set: without the key store this backup cannot be read")
        return 0
    finally:
        core.close()


def restore(settings: Settings, source: Path, *, check: bool) -> int:
    """Check a backup, or restore it into an installation without studies; returns the exit code."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    manifest = read_manifest(source)
    if not check and not (settings.keys_dir / "keyring.json").exists():
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
        restore_backup(core, source, manifest)
        replay_deletions(core)
        Console().print(f"restored the state of {manifest.made_at:%Y-%m-%d %H:%M} UTC, deletions since applied")
        return 0
    finally:
        core.close()


def write_backup(core: Core, target: Path) -> Manifest:
    """Write a backup into `target`; raises `OSError` and `RadrelayError` as they come, leaving the older one whole."""
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    records_store = _store(core, target / "records")
    rows_store = _store(core, target / "rows")
    for _ in range(ROUNDS):
        rows_id = new_id()
        writer = rows_store.create(rows_id, NOBODY)
        packs, landed = dump_rows(core.database, writer.add)
        info = writer.finish(b"")
        rows = _stored(info.ref)
        if _copy_packs(core, packs, target / "packs") or not _still_named(core, packs, target / "packs"):
            break
    records = [stored for row in landed if (stored := _copy_record(core, records_store, row)) is not None]
    manifest = Manifest(FORMAT, __version__, core.clock.now(), rows, tuple(packs), tuple(records))
    shutil.copyfile(core.settings.keys_dir / "keyring.json", target / "keyring.json")
    fresh = target / "manifest.json.new"
    fresh.write_bytes(msgspec.json.encode(manifest))
    fresh.replace(target / "manifest.json")
    sync_directory(target)
    _remove_unnamed(target / "packs", {stored.name for stored in packs})
    _remove_unnamed(target / "rows", {rows.name})
    _remove_unnamed(target / "records", {stored.name for stored in records})
    return manifest


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
                    raise
                erased += 1
            except (RadrelayError, OSError):
                damaged.append(f"{folder}/{stored.name}")
    return Findings(whole["packs"], whole["records"], erased, tuple(damaged))


def restore_backup(core: Core, source: Path, manifest: Manifest) -> None:
    """Put a backup's rows, packs and landed objects in place; raises `NotEmpty`."""
    with core.database.read() as session:
        if session.scalar(sa.select(Pack.id).limit(1)) or session.scalar(sa.select(LandingRecord.id).limit(1)):
            raise NotEmpty
    store = open_objects(core.settings)
    for stored in manifest.packs:
        _copy_object(LocalObjects(source / "packs"), store, stored.name)
    rows = _store(core, source / "rows")
    load_rows(core.database, rows.stream(manifest.rows.ref(), 0, manifest.rows.plain_bytes))
    _land_again(core, _store(core, source / "records"), manifest.records)


def _store(core: Core, folder: Path) -> PackStore:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return PackStore(LocalObjects(folder), core.keyring, core.keys)


def _stored(ref: PackRef) -> Stored:
    return Stored(ref.pack_id, ref.name, ref.plain_bytes, ref.toc_offset, ref.toc_length)


def _copy_packs(core: Core, packs: Sequence[Stored], folder: Path) -> bool:
    """Copy packs that are not there yet; false if one was gone already."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    source, target = open_objects(core.settings), LocalObjects(folder)
    present = {name for name, _, _ in target.names()}
    whole = True
    for stored in packs:
        if stored.name not in present:
            try:
                _copy_object(source, target, stored.name)
            except ObjectMissing:
                whole = False
    return whole


def _still_named(core: Core, packs: Sequence[Stored], folder: Path) -> bool:
    """Say whether a pack that could not be copied is still named by a row: then another round is due."""
    present = {name for name, _, _ in LocalObjects(folder).names()}
    missing = [stored.id for stored in packs if stored.name not in present]
    if not missing:
        return False
    with core.database.read() as session:
        return session.scalar(sa.select(Pack.id).where(Pack.id.in_(missing)).limit(1)) is None


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
    """Copy what a landing record holds, under a key of its own; none if it was erased meanwhile."""
    location = RecordLocation(**row)  # type: ignore[arg-type]  # the columns of landing_record
    record = read_record(core.segments, location)
    if record is None:
        return None
    writer = store.create(location.record_id, NOBODY)
    try:
        for piece in core.segments.stream(location):
            writer.add(piece)
        return _stored(writer.finish(msgspec.msgpack.encode((record.envelope, len(record.head)))).ref)
    except RadrelayError:
        writer.abort()
        return None


def _land_again(core: Core, store: PackStore, records: Sequence[Stored]) -> None:
    """Append landed objects to a log of their own and let their rows point there."""
    log = SegmentLog.open(core.settings.landing_dir / OWNER, OWNER, core.keyring, core.settings.storage)
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
            with core.database.write() as session:
                session.execute(
                    sa.update(LandingRecord)
                    .where(LandingRecord.id == stored.id)
                    .values(owner=OWNER, segment=location.segment, epoch=location.epoch, offset=location.offset)
                )
    finally:
        log.close()
    _skip_index(core)


def _skip_index(core: Core) -> None:
    """Tell the indexer that the restored log is in its rows already."""
    with core.database.write() as session:
        session.execute(sa.delete(LandingCursor))
        for info in core.segments.segments(OWNER):
            position, finished = 0, False
            while True:
                result = core.segments.scan(OWNER, info.number, info.epoch, position, 1000)
                finished = result.segment_finished
                if result.position == position:
                    break
                position = result.position
            session.add(
                LandingCursor(owner=OWNER, segment=info.number, epoch=info.epoch, position=position, finished=finished)
            )
        session.execute(sa.delete(Erasure).where(Erasure.done_at.is_not(None)))


def _remove_unnamed(folder: Path, named: set[str]) -> None:
    objects = LocalObjects(folder)
    for name, _, _ in list(objects.names()):
        if name not in named:
            objects.delete(name)
