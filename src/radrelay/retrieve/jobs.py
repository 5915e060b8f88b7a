"""The durable work of a fetch: ask what the archive has, fetch what is not here, and count again.

Killed at any moment, the attempt is begun anew and fetches what is missing; an object that comes twice is known by its
content. A fetch is done only when every object that the archive listed is here, or waits in quarantine. Of a study that
is new here, all is asked for at once, and the list beside it: to list a thousand objects takes some archives as long as
to send a hundred.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from radrelay import audit
from radrelay.access import system_principal
from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.retrieve import fetches
from radrelay.retrieve.errors import (
    Broken,
    FetchedNothing,
    FetchIncomplete,
    FetchSentOthers,
    PacsDisabled,
    RetrievalRefused,
)
from radrelay.retrieve.models import Fetch, Pacs
from radrelay.retrieve.nodes import node_of
from radrelay.retrieve.ports import Archive, Came, Connector, Held, Here, Inventory, Order, PacsNode
from radrelay.settings import RetrieveSettings
from radrelay.storage.database import Database
from radrelay.storage.outbox import Event

log = structlog.get_logger(__name__)

LOOK_S = 1.0  # how often progress is written, and a wish to stop is looked for
ARRIVING_S = 20.0  # what C-MOVE brings comes in by another process, and is indexed behind it
REFUSED_FOR_GOOD = frozenset({0x0122, 0x0124, 0xA801, 0xA900})


@dataclass(frozen=True)
class Begun:
    """What an attempt works with."""

    fetch_id: uuid.UUID
    node: PacsNode
    order: Order
    attempts: int
    created_at: datetime


class FetchWork:
    """Carries attempts out."""

    def __init__(
        self, database: Database, clock: Clock, settings: RetrieveSettings, connector: Connector, archive: Archive
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self.connector = connector
        self._archive = archive
        self._under_way: set[uuid.UUID] = set()
        self._stuck: set[uuid.UUID] = set()
        self._takes_one: set[uuid.UUID] = set()  # archives that took one association of ours at a time

    def attempt(self, event: Event) -> None:
        """Fetch what is not here yet; schedule another attempt or end the fetch."""
        if event.subject_id in self._under_way:
            self.postpone(event.subject_id)
            return
        self._under_way.add(event.subject_id)
        try:
            begun = self._begin(event.subject_id)
            if begun is not None:
                self._carry_out(begun)
        finally:
            self._under_way.discard(event.subject_id)

    def postpone(self, fetch_id: uuid.UUID) -> None:
        """Try a fetch again a little later, if it waits: an earlier attempt has not ended yet."""
        later = self._clock.now() + timedelta(seconds=self._settings.retry_first_s)
        with self._database.write() as session:
            waits = sa.update(Fetch).where(Fetch.id == fetch_id, Fetch.state == "waiting")
            session.execute(waits.values(next_attempt_at=later))

    def revive(self, attended: Collection[uuid.UUID] = ()) -> int:
        """Try fetches again that nothing works on, met so twice; returns how many. `attended` are worked on."""
        unattended = sa.or_(
            Fetch.state == "fetching", sa.and_(Fetch.state == "waiting", Fetch.next_attempt_at.is_(None))
        )
        with self._database.read() as session:
            stuck = set(session.scalars(sa.select(Fetch.id).where(unattended))) - self._under_way - set(attended)
        again, self._stuck = stuck & self._stuck, stuck
        if again:
            with self._database.write() as session:
                due = sa.update(Fetch).where(Fetch.id.in_(again), unattended)
                session.execute(due.values(state="waiting", next_attempt_at=self._clock.now()))
        return len(again)

    def _begin(self, fetch_id: uuid.UUID) -> Begun | None:
        with self._database.write() as session:
            row = session.get(Fetch, fetch_id)
            if row is None or row.state not in ("waiting", "fetching"):
                return None
            pacs = session.get(Pacs, row.pacs_id)
            if pacs is None or not pacs.enabled or not self._settings.enabled:
                fetches.tell(row, Trouble.of(PacsDisabled()))
                fetches.finish(row, "failed", self._clock.now())
                return None
            row.state = "fetching"
            row.attempts += 1
            fetches.tell(row, None)
            order = Order(row.study_uid, row.series_uid, row.patient_id_value, row.correlation_id)
            return Begun(row.id, node_of(pacs), order, row.attempts, row.created_at)

    def _carry_out(self, begun: Begun) -> None:
        inventory, came, trouble = Inventory(), Came(), None
        try:
            if self._asks_at_once(begun):
                inventory, came, trouble = self._fetch_at_once(begun)
            else:
                inventory = self.connector.inventory(begun.node, begun.order)
                missing = self._missing(begun, inventory)
                self._show(begun, inventory, Came())
                if missing is None or missing:
                    came = self._fetch(begun, lambda: inventory, missing)
        except Broken as broken:
            trouble = broken.trouble
        here = self._arrived(begun, inventory) if came.completed or came.status is not None else self._here(begun)
        self._end(begun, inventory, here, came, trouble)

    def _asks_at_once(self, begun: Begun) -> bool:
        """Say whether all can be asked for before it is listed: C-GET has to know what kinds of objects will come."""
        if begun.node.kind == "dicom" and (begun.node.method == "get" or begun.node.id in self._takes_one):
            return False
        return self._is_new(begun)

    def _is_new(self, begun: Begun) -> bool:
        here = self._here(begun)
        return not here.kept and not here.aside

    def _fetch_at_once(self, begun: Begun) -> tuple[Inventory, Came, Trouble | None]:
        """Fetch all while it is listed on an association of its own; an archive may take only one of us: then after."""
        came, trouble = Came(), None
        with ThreadPoolExecutor(1, thread_name_prefix="inventory") as beside:
            asked = beside.submit(self.connector.inventory, begun.node, begun.order)

            def listed() -> Inventory:
                return asked.result() if asked.done() and asked.exception() is None else Inventory()

            try:
                came = self._fetch(begun, listed, None)
            except Broken as broken:
                trouble = broken.trouble
            try:
                inventory: Inventory | None = asked.result()
            except Broken as broken:
                if trouble is not None or came.cancelled:
                    return Inventory(), came, trouble or broken.trouble
                inventory = None
        if inventory is None:
            return self._list_after(begun, came)
        if trouble is not None and self._is_new(begun) and self._is_wanted(begun.fetch_id):
            return self._fetch_after(begun, inventory, trouble)
        return inventory, came, trouble

    def _list_after(self, begun: Begun, came: Came) -> tuple[Inventory, Came, Trouble | None]:
        """List what has been fetched, where the archive did not list it meanwhile."""
        try:
            inventory = self.connector.inventory(begun.node, begun.order)
        except Broken as broken:
            return Inventory(), came, broken.trouble
        self._takes_one.add(begun.node.id)
        return inventory, came, None

    def _fetch_after(
        self, begun: Begun, inventory: Inventory, trouble: Trouble
    ) -> tuple[Inventory, Came, Trouble | None]:
        """Fetch what has been listed, where the archive did not send it meanwhile; `trouble` is why."""
        missing = self._missing(begun, inventory)
        if missing is not None and not missing:
            return inventory, Came(), trouble
        try:
            came = self._fetch(begun, lambda: inventory, missing)
        except Broken as broken:
            return inventory, Came(), broken.trouble
        self._takes_one.add(begun.node.id)
        return inventory, came, None

    def _fetch(self, begun: Begun, listed: Callable[[], Inventory], missing: Sequence[Held] | None) -> Came:
        shown = time.monotonic()

        def tell(so_far: Came) -> None:
            nonlocal shown
            if time.monotonic() - shown >= LOOK_S:
                self._show(begun, listed(), so_far)
                shown = time.monotonic()

        looked, stopped = 0.0, False

        def stop() -> bool:
            nonlocal looked, stopped
            if not stopped and time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                stopped = not self._is_wanted(begun.fetch_id)
            return stopped

        inventory = listed()
        whole = missing is not None and inventory.listed is not None and len(missing) == len(inventory.listed)
        return self.connector.fetch(begun.node, begun.order, inventory, None if whole else missing, tell, stop)

    def _is_wanted(self, fetch_id: uuid.UUID) -> bool:
        with self._database.read() as session:
            return session.scalar(sa.select(Fetch.state).where(Fetch.id == fetch_id)) == "fetching"

    def _here(self, begun: Begun) -> Here:
        return self._archive.here(begun.node.organisation_id, begun.order.study_uid)

    def _missing(self, begun: Begun, inventory: Inventory) -> Sequence[Held] | None:
        """Return what the archive has and we have not; none where it does not list single objects."""
        if inventory.listed is None:
            return None
        here = self._here(begun)
        return [one for one in inventory.listed if one.sop_uid not in here.kept and one.sop_uid not in here.aside]

    def _arrived(self, begun: Begun, inventory: Inventory) -> Here:
        """Return what is here, once that is all, or no more of it comes."""
        last, quiet_since = -1, time.monotonic()
        while True:
            here = self._here(begun)
            count = _counted(inventory, here)
            if inventory.expected is not None and count >= inventory.expected:
                return here
            if count != last:
                last, quiet_since = count, time.monotonic()
            if time.monotonic() - quiet_since > self._settings.arriving_s:
                return here
            time.sleep(0.1)

    def _show(self, begun: Begun, inventory: Inventory, came: Came) -> None:
        here = self._here(begun)
        with self._database.write() as session:
            row = session.get(Fetch, begun.fetch_id)
            if row is not None:
                row.expected = inventory.expected if inventory.expected is not None else row.expected
                row.here = max(_counted(inventory, here), row.here)
                row.refused = came.failed + came.foreign

    def _end(self, begun: Begun, inventory: Inventory, here: Here, came: Came, trouble: Trouble | None) -> None:
        now, count = self._clock.now(), _counted(inventory, here)
        with self._database.write() as session:
            row = session.get(Fetch, begun.fetch_id)
            if row is None:
                return
            row.expected = inventory.expected if inventory.expected is not None else row.expected
            row.here, row.refused = count, came.failed + came.foreign
            if row.state != "fetching":  # cancelled meanwhile
                return
            trouble = trouble or _judged(inventory, count, came)
            fetches.tell(row, trouble)
            record = ended(row, begun.node)
            if trouble is None:
                fetches.finish(row, "done", now)
            elif _is_hopeless(inventory, came) or now - begun.created_at > timedelta(
                seconds=self._settings.retry_for_s
            ):
                fetches.finish(row, "failed", now)
            else:
                row.state = "waiting"
                row.next_attempt_at = now + fetches.next_pause(begun.attempts, self._settings)
            if row.finished_at is not None:
                audit.record(session, replace(record, outcome="success" if row.state == "done" else "failure"))
            log.info("fetch attempt ended", fetch_id=str(row.id), state=row.state, here=count, expected=row.expected,
                     correlation_id=row.correlation_id)  # fmt: skip


def ended(row: Fetch, node: PacsNode) -> audit.AuditRecord:
    """Return what goes on record of a fetch's end."""
    return audit.AuditRecord(
        "fetch.end",
        system_principal(row.organisation_id),
        "fetch",
        row.id,
        detail={"pacs": node.name, "study_uid": row.study_uid, "here": row.here, "expected": row.expected},
        patient=("", row.patient_id_value, row.patient_name) if row.patient_id_value else None,
        correlation_id=row.correlation_id,
    )


def _counted(inventory: Inventory, here: Here) -> int:
    """Return how many of the objects that the archive listed are here; where it lists none, all of the study."""
    if inventory.listed is None:
        return len(here.kept) + len(here.aside)
    return sum(one.sop_uid in here.kept or one.sop_uid in here.aside for one in inventory.listed)


def _judged(inventory: Inventory, count: int, came: Came) -> Trouble | None:
    """Return what stands against calling a fetch done."""
    if not inventory.series and not inventory.listed:
        return Trouble.of(FetchedNothing())
    if came.foreign:
        return Trouble.of(FetchSentOthers(f"{came.foreign} objects of other studies were refused", n=came.foreign))
    expected = inventory.expected
    if expected is None:  # nobody tells how many there are: the archive's own word is all there is
        return None if came.status == 0 and not came.failed else _refusal(came)
    if count >= expected:
        return None
    if came.status not in (None, 0) and not came.completed:
        return _refusal(came)
    words = f"{expected - count} of {expected} objects did not come"
    return Trouble.of(FetchIncomplete(words, n=expected - count, total=expected))


def _refusal(came: Came) -> Trouble:
    status = f"{came.status or 0:04X}H"
    words = f"the archive answers with status {status} {came.comment}".strip()
    return Trouble.of(RetrievalRefused(words, status=status, comment=came.comment))


def _is_hopeless(inventory: Inventory, came: Came) -> bool:
    """Tell whether trying again cannot help: there is nothing, or the archive refuses us as such."""
    return came.status in REFUSED_FOR_GOOD or (inventory.series == () and inventory.listed == ())
