"""Keeping house in the role `work`: what an event may have been lost for, and what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog

from radrelay import access
from radrelay.analysis import service as analyses
from radrelay.app.consent_keeping import carry_on_withdrawals, keep_usage
from radrelay.app.core import Core
from radrelay.app.key_keeping import adopt_keys, finish_rotation
from radrelay.app.pseudonyms import forget_pseudonyms
from radrelay.app.record_keeping import keep_record
from radrelay.app.spent_acts import spend_acts
from radrelay.audit.record import forget_marks
from radrelay.errors import RadrelayError
from radrelay.identity.sessions import forget_ended
from radrelay.importer import cases as imports
from radrelay.intake.identify import RELEASED
from radrelay.marks import jobs as marks_jobs
from radrelay.privacy.incidents import named_by_incidents
from radrelay.retrieve import fetches
from radrelay.retrieve.schedules import service as schedules
from radrelay.routing import deliveries
from radrelay.routing.ending import any_gone, forget_gone, sweep_gone
from radrelay.routing.rules.models import EVALUATE
from radrelay.storage import outbox
from radrelay.storage.leadership import Leadership
from radrelay.storage.models import Erasure, Pack
from radrelay.storage.nodes import nodes

if TYPE_CHECKING:
    from radrelay.app.work import Workshop

log = structlog.get_logger(__name__)

SWEEP_S = 120.0
REVIVE_S = 10.0  # what has nobody working on it is met twice before it is begun anew
FORGET_LOGINS = timedelta(days=2)
FORGET_EVENTS = timedelta(days=7)
FORGET_LINKS = timedelta(days=366)  # after their end: the audit keeps who opened them
ORPHAN_AGE = timedelta(days=1)
CLOCKS_APART = timedelta(minutes=5)  # this machine's and the store's


def compact_waiting(shop: Workshop) -> None:
    """Pack studies that are complete and were not packed, or not wholly."""
    away = [view.node for view in nodes(shop.core.database, shop.core.clock) if not view.alive]
    for organisation_id, study_id in shop.compactor.pending(away=away):
        try:
            shop.compactor.compact_study(organisation_id, study_id)
        except RadrelayError as error:
            log.warning("study waits for compaction", study_id=str(study_id), reason=error.code)
        except Exception:  # why: what is wrong with one study must not cost the others, and what follows, their turn
            log.exception("study cannot be compacted", study_id=str(study_id))


def sweep(shop: Workshop) -> None:
    """Do what an event may have been lost for, and forget events that were worked on long ago; on one machine."""
    if not shop.leadership.held():
        return
    compact_waiting(shop)
    shop.parcels.sweep()
    carry_on_withdrawals(shop.core)
    shop.rules.revive(shop.durable.unfinished(EVALUATE))
    shop.identified.revive(shop.durable.unfinished(RELEASED))
    shop.marks.sweep(shop.durable.unfinished(marks_jobs.FILE))
    collect(shop.core)
    with shop.core.database.write() as session:
        outbox.forget_taken(session, shop.core.clock.now() - FORGET_EVENTS)
        ended = shop.core.clock.now() - timedelta(days=shop.core.settings.retrieve.keep_days)
        fetches.forget_ended(session, ended)
        schedules.forget_ended(session, ended)


def reviving(shop: Workshop) -> Callable[[], None]:
    """Return what begins deliveries and fetches anew that nobody works on any more, on one machine."""
    lead = Leadership(shop.core.database, shop.core.clock, "revive", shop.landing.log.owner)

    def revive() -> None:
        if lead.held():
            shop.sender.revive(shop.durable.unfinished(deliveries.ATTEMPT))
            shop.fetcher.revive(shop.durable.unfinished(fetches.ATTEMPT))
            shop.analyser.revive(shop.durable.unfinished(analyses.ATTEMPT))
            shop.importer.revive(shop.durable.unfinished(imports.ATTEMPT))

    return revive


def forget_deliveries(core: Core) -> None:
    """Forget deliveries whose study is gone."""
    with core.database.read() as session:
        if not any_gone(session):
            return
    with core.database.write() as session:
        count = forget_gone(session, core.clock.now())
    if count:
        log.info("deliveries of studies that are gone are forgotten", deliveries=count)


def forget_accesses(core: Core) -> None:
    """Forget logins, marks of views and links that are over, but for what an incident is about."""
    now = core.clock.now()
    before = now - FORGET_LOGINS
    with core.database.write() as session:
        forget_marks(session, before)
        forget_ended(session, before, named_by_incidents(session, "session"))
        access.forget_links(session, before, now - FORGET_LINKS, named_by_incidents(session, "link"))


def keep_records(shop: Workshop) -> None:
    """Keep the record; forget logins, marks of views and keys that are over."""
    core = shop.core
    keep_record(core, clock_is_trusted=shop.retention.suspended_at() is None)
    forget_accesses(core)
    with core.database.write() as session:
        sweep_gone(session, core.clock.now())
    keep_usage(core)
    shop.analyser.forget()
    shop.importer.forget()
    forget_pseudonyms(core)
    adopt_keys(core)
    finish_rotation(core)
    spent = spend_acts(core.keys)
    if spent:
        log.info("acts of the ledger say nothing any more", acts=spent)


def collect(core: Core) -> None:
    """Remove packs that no row names, that nothing can read any more, and that no compaction is still writing.

    While the key of a pack lives, its absence from the rows may be the rows' fault: a wrong or an empty database. What
    is older than the key store may be under keys that were lost with an earlier one, and come back with its mirror.
    """
    before, known_since = core.clock.now() - ORPHAN_AGE, core.keys.made_at() - CLOCKS_APART
    old = [name for name, _, changed_at in core.packs.names() if known_since < changed_at < before]
    if not old:
        return
    with core.database.read() as session:
        # Those being written first: a draft becomes a pack in one transaction, never the other way round.
        named = set(session.scalars(sa.select(Erasure.name).where(Erasure.done_at.is_(None))))
        named |= set(session.scalars(sa.select(Pack.name)))
    orphans = [name for name in old if name not in named]
    readable = {core.packs.name_of(key_id) for key_id, _ in core.keys.every()} if orphans else set()
    for name in orphans:
        if name not in readable:
            log.info("orphaned pack removed", pack=name)
            core.packs.delete(name)
    if kept := len(readable.intersection(orphans)):
        log.warning("packs that no row names are kept while their keys live; is this the right database?", packs=kept)
    core.packs.remove_abandoned(before)
