"""Imports in the role `work`: the way out, the links' languages, and what carries imports on."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import structlog

from radrelay.app.importing.house import House
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.confinement.folders import prefix_of
from radrelay.importer.attempts_kept import AttemptsKept
from radrelay.importer.browser.errand import BrowserConnector
from radrelay.importer.browser.held import KIND, Chromium
from radrelay.importer.connectors.ports import Errand, Lead
from radrelay.importer.connectors.recognising import connectors_of, leads_in
from radrelay.importer.following import Follow
from radrelay.importer.going_out import outgoing_of
from radrelay.importer.hosts import confirmed_hosts
from radrelay.importer.jobs import ImportWork, Parts
from radrelay.importer.outgoing import Outgoing
from radrelay.importer.recipes.errand import RecipeConnector
from radrelay.importer.recipes.reading import Recipe
from radrelay.importer.recipes.shelf import RecipeFolder
from radrelay.importer.sealing import LinkSeal
from radrelay.intake.landing import Landing
from radrelay.retrieve.ports import Connector
from radrelay.settings import Settings, config_file
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentReader

log = structlog.get_logger(__name__)


def open_importing(
    core: Core, reader: InstanceReader, landing: Landing, archives: Connector | None = None
) -> ImportWork:
    """Return what carries imports on; `archives` asks the PACS who somebody may be."""
    seal, house = (
        LinkSeal(core.keyring.metadata_key),
        House(core.database, core.clock, reader, archives, core.settings.retrieve),
    )
    return ImportWork(
        Parts(core.settings, core.database, core.clock, core.segments, landing, seal, following(core), house)
    )


class Core(Protocol):
    """What following links needs of an installation."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102  # the name says it
    @property
    def database(self) -> Database: ...  # noqa: D102  # the name says it
    @property
    def clock(self) -> Clock: ...  # noqa: D102  # the name says it
    @property
    def keyring(self) -> Keyring: ...  # noqa: D102  # the name says it
    @property
    def segments(self) -> SegmentReader: ...  # noqa: D102  # the name says it


def following(core: Core) -> Follow:
    """Return what follows links: only to hosts that are listed, or that the organisation's administrator confirmed."""
    shelf = RecipeFolder(core.settings.importer.recipes)
    attempts = AttemptsKept(core.database, core.clock, core.settings.importer.most_attempts)

    chromium, browser = chromium_of(core.settings), core.settings.importer.browser

    def spoken(recipe: Recipe, outgoing: Outgoing) -> RecipeConnector:
        if not recipe.told.browser:
            return RecipeConnector(recipe, outgoing, attempts)
        spans = browser.walk_timeout_s, browser.answer_timeout_s
        return BrowserConnector(recipe, outgoing, attempts, chromium, *spans)

    def confirmed(organisation_id: uuid.UUID, host: str) -> bool:
        with core.database.read() as session:
            return (organisation_id, host) in confirmed_hosts(session)

    def follow(organisation_id: uuid.UUID, link: str) -> Sequence[tuple[Lead, Callable[[], Errand]]]:
        outgoing = way_out(core, partial(confirmed, organisation_id))
        recipes = [spoken(one, outgoing) for one in shelf.shelf().recipes]
        found = leads_in(link, connectors_of(outgoing, attempts, recipes))
        return [(lead, partial(connector.open, lead)) for lead, connector in found]

    return follow


def chromium_of(settings: Settings) -> Chromium | None:
    """Return the browser that portals are walked in, none where that is off; what a crash left of it is removed."""
    if not settings.importer.browser.enabled:
        return None
    made = browser_of(settings)
    if left := made.clean():
        log.warning("folders of browsers that a crash has left are removed", folders=left)
    return made


def browser_of(settings: Settings) -> Chromium:
    """Return the browser as the settings say, be it on or off."""
    browser = settings.importer.browser
    hidden = (settings.data_dir, settings.keys_dir, settings.landing_dir, config_file())
    return Chromium(
        browser.program, settings.analysis.memory_dir, settings.data_dir / "browser",
        prefix_of(settings.data_dir, KIND), hidden, browser.memory_bytes, settings.importer.largest_bytes,
        ca_file=settings.importer.ca_file, places=threading.BoundedSemaphore(browser.at_once),
    )  # fmt: skip


def way_out(core: Core, confirmed: Callable[[str], bool]) -> Outgoing:
    """Return the way out; portals on this machine pass in trials alone."""
    outgoing = outgoing_of(core.settings, confirmed)
    return replace(outgoing, judge=replace(outgoing.judge, loopback=True)) if core.settings.importer.trial else outgoing


def closing_with(work: ImportWork, stop: threading.Event) -> threading.Thread:
    """Return the thread that ends what is under way here once the process is told to stop."""

    def wait() -> None:
        stop.wait()
        work.close()

    return threading.Thread(target=wait, name="imports", daemon=True)
