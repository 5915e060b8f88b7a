"""The role `work`: the index, durable work, compaction, expiry, watched folders, and keeping house."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog

from radrelay import audit
from radrelay.app.core import Core
from radrelay.app.key_keeping import adopt_keys, finish_rotation
from radrelay.app.prepare import prepare
from radrelay.app.role import run_role
from radrelay.app.stored import ArchiveSource, DicomDialler
from radrelay.archive import indexing
from radrelay.archive.compaction import Compactor
from radrelay.archive.erasing import Eraser
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceReader
from radrelay.archive.retention import Retention
from radrelay.audit.record import forget_marks
from radrelay.errors import RadrelayError, Unavailable
from radrelay.identity.sessions import forget_ended
from radrelay.intake import open_archives
from radrelay.intake.indexer import Indexer
from radrelay.intake.landing import Landing
from radrelay.intake.open_archives import OpenArchives
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.intake.upkeep import LandingUpkeep
from radrelay.intake.watch import FolderWatcher
from radrelay.routing import deliveries
from radrelay.routing.jobs import DeliveryWork
from radrelay.settings import Settings
from radrelay.storage import outbox
from radrelay.storage.durable import DurableWork, Job
from radrelay.storage.models import Erasure, Pack
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

EXPIRE_S = 10.0
COMPLETE_S = 1.0
DISPATCH_S = 0.5
SWEEP_S = 120.0
AGAIN_S = 5.0
AUDIT_S = 3600.0
FORGET_LOGINS = timedelta(days=2)
FORGET_EVENTS = timedelta(days=7)
ORPHAN_AGE = timedelta(days=1)


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("work", settings, serve)


@dataclass(frozen=True)
class Workshop:
    """What the role works with, put together once."""

    core: Core
    landing: Landing
    indexer: Indexer
    compactor: Compactor
    retention: Retention
    durable: DurableWork
    watcher: FolderWatcher
    upkeep: LandingUpkeep
    parcels: Parcels
    sender: DeliveryWork


def open_workshop(core: Core) -> Workshop:
    """Put the role's parts together; `radrelay.app.backup` uses the compactor and retention, too."""
    book = SourceBook(core.database, core.settings)
    book.refresh()
    landing = Landing.open(core.settings, "work", core.keyring, core.clock, allowance=book)
    reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
    executor = ThreadPoolExecutor(2, thread_name_prefix="codec")
    compactor = Compactor(
        core.database, core.clock, reader, core.packs, core.keys, executor, core.settings.keys.keep_replaced
    )
    retention = open_retention(core, compactor)
    unpacker = ArchiveUnpacker(core.database, core.segments, landing)
    sender = DeliveryWork(
        core.database,
        core.clock,
        core.settings.work,
        ArchiveSource(core.database, core.clock, reader),
        DicomDialler(core.settings.dicom),
    )
    concurrency = core.settings.work.concurrency

    def compact(event: Event) -> None:
        compactor.compact_study(event.organisation_id, event.subject_id)

    def unpack(event: Event) -> None:
        unpacker.attempt(uuid.UUID(event.payload["record_id"]))

    jobs = [
        Job(open_archives.LANDED, unpack, "unpack", max(1, concurrency // 2), attempts=3),
        Job("study.completed", compact, "compact", 1),
        Job(deliveries.ATTEMPT, sender.attempt, "deliver", concurrency, attempts=3),
    ]
    parcels = Parcels(core.database, core.clock, scanning=core.settings.intake.clamd is not None)
    return Workshop(
        core=core,
        landing=landing,
        indexer=Indexer(core.database, core.segments, core.settings, core.clock),
        compactor=compactor,
        retention=retention,
        durable=DurableWork(core.settings, core.database, core.clock, jobs),
        watcher=FolderWatcher(core.database, landing, book, parcels),
        upkeep=LandingUpkeep(core.database, core.segments),
        parcels=parcels,
        sender=sender,
    )


def open_retention(core: Core, compactor: Compactor) -> Retention:
    """Return what ends studies, with the quarantine and parcels that end beside them."""
    eraser = Eraser(
        core.database,
        core.clock,
        core.keys,
        core.segments,
        core.packs,
        rewrite=lambda pack_id, survivors: compactor.rewrite_pack(pack_id),
        keep_keys=core.settings.keys.keep_replaced,
    )
    quarantine = Quarantine(core.database, core.segments, core.clock)
    archives = OpenArchives(core.database, core.clock)
    return Retention(
        core.database, core.clock, core.settings.retention, eraser, further=(quarantine.expire, archives.expire)
    )


def serve(core: Core, stop: threading.Event) -> None:
    """Work until `stop` is set; what is under way resumes at the next start."""
    prepare(core)
    audit.install(core.database, "work", core.clock, core.keyring.metadata_key)
    shop = open_workshop(core)
    shop.durable.launch()
    threads = [
        _kept_up("indexer", stop, shop.indexer.run),
        _kept_up("upkeep", stop, shop.upkeep.run),
        _kept_up("watcher", stop, shop.watcher.run),
        _loop("dispatch", DISPATCH_S, stop, lambda: _dispatch(shop)),
        _loop("complete", COMPLETE_S, stop, lambda: _complete(core)),
        _loop("expire", EXPIRE_S, stop, lambda: _expire(shop)),
        _loop("sweep", SWEEP_S, stop, lambda: _sweep(shop)),
        _loop("audit", AUDIT_S, stop, lambda: _keep_records(core)),
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(10)
    shop.durable.close()
    shop.landing.close()


def _kept_up(name: str, stop: threading.Event, body: Callable[[threading.Event], object]) -> threading.Thread:
    """Return a thread that runs `body` until `stop` is set; one that breaks off is begun again."""

    def run() -> None:
        while not stop.is_set():
            try:
                body(stop)
            except Exception:  # why: without it objects would land and never be shown, or the disk fill up, in silence
                log.exception("work broke off; it is begun again", thread=name)
                stop.wait(AGAIN_S)

    return threading.Thread(target=run, name=name)


def _loop(name: str, every_s: float, stop: threading.Event, body: Callable[[], object]) -> threading.Thread:
    """Return a thread that calls `body` again and again; an error is logged and tried again."""

    def run() -> None:
        pause_s = every_s
        while not stop.wait(pause_s):
            try:
                body()
                pause_s = every_s
            except Unavailable as error:
                log.warning("work waits", loop=name, reason=error.code)
                pause_s = min(max(1.0, pause_s * 2), 30.0)
            except Exception:  # why: a loop that ended would stop expiry or deliveries in silence
                log.exception("work failed; it is tried again", loop=name)
                pause_s = min(max(1.0, pause_s * 2), 60.0)

    return threading.Thread(target=run, name=name)


def _dispatch(shop: Workshop) -> None:
    with shop.core.database.read() as session:
        due = deliveries.any_due(session, shop.core.clock)
        archives = open_archives.any_due(session, shop.core.clock)
    if due or archives:
        with shop.core.database.write() as session:
            deliveries.emit_due(session, shop.core.clock)
            open_archives.hand_over_due(session, shop.core.clock)
    shop.durable.dispatch()


def _complete(core: Core) -> None:
    now = core.clock.now()
    with core.database.read() as session:
        quiet = session.scalar(sa.select(Study.id).where(Study.state == "arriving", Study.quiet_at <= now).limit(1))
    if quiet is not None:
        with core.database.write() as session:
            indexing.complete_quiet(session, now)


def _expire(shop: Workshop) -> None:
    expired = shop.retention.expire()
    if expired.holdings or expired.attachments or expired.further:
        log.info("expired", holdings=expired.holdings, attachments=expired.attachments, further=expired.further)


def _sweep(shop: Workshop) -> None:
    """Do what an event may have been lost for, and forget events that were worked on long ago."""
    for organisation_id, study_id in shop.compactor.pending():
        try:
            shop.compactor.compact_study(organisation_id, study_id)
        except RadrelayError as error:
            log.warning("study waits for compaction", study_id=str(study_id), reason=error.code)
    shop.parcels.sweep()
    shop.sender.revive()
    _collect(shop.core)
    with shop.core.database.write() as session:
        outbox.forget_taken(session, shop.core.clock.now() - FORGET_EVENTS)


def _keep_records(core: Core) -> None:
    """Sign the heads of the audit's chains; forget logins, marks of views and keys that are over."""
    before = core.clock.now() - FORGET_LOGINS
    with core.database.write() as session:
        audit.sign_roots(session, core.clock, core.keyring.metadata_key)
        forget_marks(session, before)
        forget_ended(session, before)
    adopt_keys(core)
    finish_rotation(core)


def _collect(core: Core) -> None:
    """Remove packs that no row names and that are older than any compaction could be under way."""
    before = core.clock.now() - ORPHAN_AGE
    old = [name for name, _, changed_at in core.packs.names() if changed_at < before]
    if not old:
        return
    with core.database.read() as session:
        # Those being written first: a draft becomes a pack in one transaction, never the other way round.
        named = set(session.scalars(sa.select(Erasure.name).where(Erasure.done_at.is_(None))))
        named |= set(session.scalars(sa.select(Pack.name)))
    for name in old:
        if name not in named:
            log.info("orphaned pack removed", pack=name)
            core.packs.delete(name)
    core.packs.remove_abandoned(before)
