"""The role `work`: the index, durable work, compaction, expiry, watched folders, and keeping house."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from radrelay import access, audit
from radrelay.analysis import service as analyses
from radrelay.analysis.jobs import AnalysisWork
from radrelay.analysis.starting import start_called
from radrelay.app.analysing import closing_with, open_analyses
from radrelay.app.carriers import open_sender
from radrelay.app.certificate_watch import keep_certificates
from radrelay.app.core import Core
from radrelay.app.directory import keep_following
from radrelay.app.duties import NodeDuties
from radrelay.app.hl7 import handlers_of, keep_hl7, patient_book
from radrelay.app.importing.work import closing_with as closing_imports
from radrelay.app.importing.work import open_importing
from radrelay.app.mail import keep_posting
from radrelay.app.precedence import step_back
from radrelay.app.prepare import prepare
from radrelay.app.pseudonyms import pseudonymising
from radrelay.app.record_keeping import note_arrivals, sending
from radrelay.app.reminding import keep_reminding
from radrelay.app.retrieving import open_fetching
from radrelay.app.role import run_role, settle
from radrelay.app.routing_rules import keep_looking, open_rules
from radrelay.app.schedules import keep_schedules
from radrelay.app.steps import keep_telling_steps
from radrelay.app.sweeping import REVIVE_S, SWEEP_S, forget_deliveries, keep_records, reviving, sweep
from radrelay.app.threads import kept_up, loop
from radrelay.app.watching import keep_watching
from radrelay.archive import corrections, indexing, ownership, rule_facts
from radrelay.archive.compaction import Compactor
from radrelay.archive.corrected import CorrectedReader
from radrelay.archive.erasing import Eraser
from radrelay.archive.models import Study
from radrelay.archive.naming import study_named
from radrelay.archive.reader import InstanceReader
from radrelay.archive.retention import Retention
from radrelay.importer import cases as imports
from radrelay.importer.jobs import ImportWork
from radrelay.intake import open_archives
from radrelay.intake.correcting import CorrectionLanding
from radrelay.intake.identify import RELEASED, IdentifiedLanding
from radrelay.intake.indexer import Indexer
from radrelay.intake.landing import Landing
from radrelay.intake.open_archives import OpenArchives
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.raw_files import RawFiles
from radrelay.intake.releasing import Rechecking
from radrelay.intake.sources import SourceBook
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.intake.watch import FolderWatcher
from radrelay.marks import jobs as marks_jobs
from radrelay.marks.filing import MarkFilings
from radrelay.marks.jobs import MarksWork
from radrelay.retrieve import fetches
from radrelay.retrieve.jobs import FetchWork
from radrelay.retrieve.schedules.origins import origin_of
from radrelay.retrieve.schedules.work import asks_for_priors
from radrelay.retrieve.schedules.work import note_complete as look_for_priors
from radrelay.routing import deliveries
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.rules.models import EVALUATE
from radrelay.routing.rules.work import RuleWork, any_due, emit_due, note_complete
from radrelay.settings import Settings
from radrelay.storage.durable import DurableWork, Job
from radrelay.storage.executors import TICK_S
from radrelay.storage.leadership import Leadership
from radrelay.storage.nodes import Lease, LeaseLost
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

EXPIRE_S = 10.0
CORRECT_S = 2.0
PSEUDONYM_S = 0.5
COMPLETE_S = 1.0
DISPATCH_S = 1.0  # what is asked for is heard of at once; this is for what has become due
AUDIT_S = 3600.0
AUDIT_FIRST_S = 60.0  # a machine that is started again each hour signs its record all the same


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("work", settings, serve)


@dataclass(frozen=True)
class Workshop:
    """What the role works with, put together once."""

    core: Core
    landing: Landing
    duties: NodeDuties
    compactor: Compactor
    retention: Retention
    durable: DurableWork
    watcher: FolderWatcher
    parcels: Parcels
    sender: DeliveryWork
    fetcher: FetchWork
    rules: RuleWork
    identified: IdentifiedLanding
    correcting: CorrectionLanding
    marks: MarksWork
    analyser: AnalysisWork
    importer: ImportWork
    leadership: Leadership

    @property
    def indexer(self) -> Indexer:
        """What takes this node's landed records into rows."""
        return self.duties.indexer


def open_workshop(core: Core, lease: Lease) -> Workshop:
    """Put the role's parts together; tests use the compactor and retention, too."""
    book = SourceBook(core.database, core.settings)
    book.refresh()
    landing = Landing.open(core.settings, "work", core.keyring, core.clock, allowance=book)
    reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
    handed_out = CorrectedReader(core.database, core.clock, core.segments, core.packs)
    compactor = _open_compactor(core, reader)
    identified = IdentifiedLanding(core.database, core.segments, landing, core.clock)
    sender = open_sender(core, handed_out)
    fetcher = open_fetching(core, landing, book)
    rules = open_rules(core, handed_out)
    filings = MarkFilings(core.database, core.clock, handed_out, landing)
    marks = MarksWork(core.database, core.clock, core.settings.marks, filings)
    analyser = open_analyses(core, handed_out, landing)
    archives = fetcher.connector if core.settings.retrieve.enabled else None
    importer = open_importing(core, handed_out, landing, archives)
    parcels = Parcels(core.database, core.clock, scanning=core.settings.intake.clamd is not None)

    def deliver(event: Event) -> None:
        if durable.runs_besides(event):
            sender.postpone(event.subject_id)
        else:
            sender.attempt(event)

    def fetch(event: Event) -> None:
        if durable.runs_besides(event):
            fetcher.postpone(event.subject_id)
        else:
            fetcher.attempt(event)

    def analyse(event: Event) -> None:
        if durable.runs_besides(event):
            analyser.postpone(event.subject_id)
        else:
            analyser.attempt(event)

    def carry_on(event: Event) -> None:
        if durable.runs_besides(event):
            importer.postpone(event.subject_id)
        else:
            importer.attempt(event)

    jobs = [
        *_arrival_jobs(core, identified, landing),
        *_study_jobs(compactor, marks),
        Job(deliveries.ATTEMPT, deliver, core.settings.work.concurrency, attempts=3),
        Job(fetches.ATTEMPT, fetch, core.settings.retrieve.concurrency, attempts=3),
        Job(EVALUATE, rules.attempt, 1),
        Job(analyses.ATTEMPT, analyse, core.settings.analysis.concurrency, attempts=3),
        Job(imports.ATTEMPT, carry_on, core.settings.importer.concurrency, attempts=3),
    ]
    durable = DurableWork(core.settings, core.database, core.clock, landing.log.owner, jobs)
    return Workshop(
        core=core,
        landing=landing,
        duties=NodeDuties.of(core, lease),
        compactor=compactor,
        retention=open_retention(core, compactor),
        durable=durable,
        watcher=FolderWatcher(core.database, landing, book, parcels),
        parcels=parcels,
        sender=sender,
        fetcher=fetcher,
        rules=rules,
        identified=identified,
        correcting=CorrectionLanding(core.database, reader, landing, core.clock),
        marks=marks,
        analyser=analyser,
        importer=importer,
        leadership=Leadership(core.database, core.clock, "sweep", landing.log.owner),
    )


def _open_compactor(core: Core, reader: InstanceReader) -> Compactor:
    executor = ThreadPoolExecutor(2, thread_name_prefix="codec")
    keep_keys = core.settings.keys.keep_replaced
    return Compactor(core.database, core.clock, reader, core.packs, core.keys, executor, keep_keys)


def _arrival_jobs(core: Core, identified: IdentifiedLanding, landing: Landing) -> list[Job]:
    """Return the work on what came in: objects in quarantine, or released from it, archives to be unpacked."""
    unpacker = ArchiveUnpacker(core.database, core.segments, landing)

    def unpack(event: Event) -> None:
        unpacker.attempt(uuid.UUID(event.payload["record_id"]))

    rechecking = Rechecking(core.database, core.segments, core.clock)

    def recheck(event: Event) -> None:
        rechecking.of_study(event.subject_id)

    at_once = max(1, core.settings.work.concurrency // 2)
    return [
        Job(corrections.CORRECTED, recheck, 1),
        Job(RELEASED, lambda event: identified.land(event.subject_id), 1),
        Job(open_archives.LANDED, unpack, at_once, attempts=3),
    ]


def _study_jobs(compactor: Compactor, marks: MarksWork) -> list[Job]:
    """Return the work on studies: complete ones are packed, marks that have rested are filed."""

    def compact(event: Event) -> None:
        compactor.compact_study(event.organisation_id, event.subject_id)

    return [
        Job("study.completed", compact, 1),
        Job(marks_jobs.FILE, marks.attempt, 1, attempts=3),
    ]


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

    def end_orphaned() -> int:
        with core.database.write() as session:
            return ownership.end_orphaned(session, core.clock.now())

    raw = RawFiles(core.database, core.clock)
    further = (end_orphaned, quarantine.expire, archives.expire, raw.expire)
    return Retention(core.database, core.clock, core.settings.retention, eraser, further=further)


def serve(core: Core, stop: threading.Event) -> None:
    """Work until `stop` is set; what is under way resumes at the next start."""
    prepared = prepare(core)
    step_back()
    audit.install(core.database, "work", core.clock, core.keyring.metadata_key, study_named)
    shop = open_workshop(core, prepared.lease)
    shop.durable.launch()
    threads = [
        kept_up("duties", stop, shop.duties.run),
        kept_up("watcher", stop, shop.watcher.run),
        kept_up("bell", stop, shop.durable.hear),
        loop("dispatch", DISPATCH_S, stop, lambda: _dispatch(shop), 0.0, wait=shop.durable.wait),
        loop("take over", TICK_S, stop, lambda: _take_over(shop, stop)),
        loop("complete", COMPLETE_S, stop, completing(core, shop.analyser)),
        loop("release rules", COMPLETE_S, stop, lambda: catch_up_rules(core, stop)),
        loop("corrections", CORRECT_S, stop, _correcting(shop)),
        loop("pseudonyms", PSEUDONYM_S, stop, pseudonymising(core, shop.landing)),
        loop("expire", EXPIRE_S, stop, lambda: _expire(shop)),
        loop("revive", REVIVE_S, stop, reviving(shop)),
        loop("sweep", SWEEP_S, stop, lambda: sweep(shop)),
        loop("audit", AUDIT_S, stop, lambda: keep_records(shop), AUDIT_FIRST_S),
        *sending(core, stop, shop.landing.log.owner),
        *keep_telling_steps(core, shop.landing.log.owner, stop),
        *keep_looking(core, shop.rules, shop.landing.log.owner, stop),
        *keep_schedules(core, shop.fetcher.connector, shop.landing.log.owner, stop),
        *keep_posting(core, shop.landing.log.owner, stop),
        *keep_reminding(core, shop.landing.log.owner, stop),
        *keep_certificates(core, prepared.organisation_id, stop),
        *keep_hl7(core, prepared.organisation_id, shop.landing.log.owner, stop, handlers_of(core, shop.landing)),
        *keep_following(core, prepared, shop.landing.log.owner, stop),
        *keep_watching(core, prepared, shop.landing.log.owner, stop),
        closing_with(shop.analyser, stop),
        closing_imports(shop.importer, stop),
    ]
    settle()
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(10)
    shop.durable.close()
    shop.landing.close()


def _dispatch(shop: Workshop) -> None:
    with shop.core.database.read() as session:
        due = deliveries.any_due(session, shop.core.clock) or fetches.any_due(session, shop.core.clock)
        due = due or any_due(session, shop.core.clock.now()) or analyses.any_due(session, shop.core.clock.now())
        due = due or imports.any_due(session, shop.core.clock.now())
        archives = open_archives.any_due(session, shop.core.clock)
        rested = shop.marks.any_due(session)
    if due or archives or rested:
        with shop.core.database.write() as session:
            deliveries.emit_due(session, shop.core.clock)
            fetches.emit_due(session, shop.core.clock)
            emit_due(session, shop.core.clock.now())
            analyses.emit_due(session, shop.core.clock.now())
            imports.emit_due(session, shop.core.clock.now())
            open_archives.hand_over_due(session, shop.core.clock)
            shop.marks.emit_due(session)
    shop.durable.dispatch()


def _take_over(shop: Workshop, stop: threading.Event) -> None:
    try:
        shop.durable.take_over()
    except LeaseLost:
        log.critical("others have taken over what this process was doing; it ends")
        stop.set()


def completing(core: Core, analyser: AnalysisWork | None = None) -> Callable[[], None]:
    """Return what ends studies' arrival: on record, and as the hospital's system says that their patients are."""
    book = patient_book(core)

    def complete() -> None:
        now = core.clock.now()
        with core.database.read() as session:
            quiet = session.scalar(sa.select(Study.id).where(Study.state == "arriving", Study.quiet_at <= now).limit(1))
        if quiet is None:
            return
        with core.database.write() as session:
            ids = indexing.complete_quiet(session, now)
            note_arrivals(session, ids)
            book.follow(session, ids)
            note_complete(session, ids, now)  # rules meet studies as they are by then
            if analyser is not None:
                start_called(session, ids, analyser.kinds, now)
            if core.settings.retrieve.enabled and asks_for_priors(session):
                look_for_priors(session, ids, now, origin_of)

    return complete


def catch_up_rules(core: Core, stop: threading.Event) -> None:
    """Let release rules that are to count for what is here go through it; what arrives comes between the pieces."""
    while not stop.is_set():
        with core.database.read() as session:
            due = access.catching_up(session) is not None
        if not due:
            return
        with core.database.write() as session:
            rule_facts.catch_up(session, core.clock.now())


def _expire(shop: Workshop) -> None:
    expired = shop.retention.expire()
    forget_deliveries(shop.core)
    shop.importer.expire()
    if expired.holdings or expired.attachments or expired.further:
        log.info("expired", holdings=expired.holdings, attachments=expired.attachments, further=expired.further)


def _correcting(shop: Workshop) -> Callable[[], object]:
    """Return what writes objects of corrected studies anew, on one machine."""
    lead = Leadership(shop.core.database, shop.core.clock, "corrections", shop.landing.log.owner)
    return lambda: lead.held() and shop.correcting.run()
