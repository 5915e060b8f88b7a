"""A database with a destination that does as it is told, and deliveries to it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from radrelay.clock import FixedClock
from radrelay.network.errors import NodeSilent, PeerAborted
from radrelay.network.ports import CommitmentReport, Reference
from radrelay.routing import deliveries, destinations
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.destinations import DestinationDraft
from radrelay.routing.errors import Interrupted
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.models import Delivery, Destination
from radrelay.settings import WorkSettings
from radrelay.storage import outbox
from radrelay.storage.database import Database
from tests.backends import open_database
from tests.schema import lay

ORGANISATION = uuid.uuid4()
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Item:
    """An object of three bytes."""

    instance_id: uuid.UUID
    sop_class_uid: str
    sop_uid: str
    transfer_syntax: str

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        return self.transfer_syntax, [b"abc"]


class Peer:
    """A destination that does as it is told and remembers what reached it."""

    def __init__(self, items: Sequence[DeliveryItem]) -> None:
        self.stock = {item.instance_id: item for item in items}
        self.received: list[str] = []
        self.answers: dict[str, int] = {}
        self.down = False
        self.breaks_after: int | None = None
        self.carries = True
        self.dialled = self.finished = 0

    def items(
        self, organisation_id: uuid.UUID, study_id: uuid.UUID, series_id: uuid.UUID | None
    ) -> Sequence[DeliveryItem]:
        return list(self.stock.values())

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        yield items

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[Peer]:
        self.dialled += 1
        if self.down:
            raise Interrupted(NodeSilent("nobody answers at the address", address="127.0.0.1:104"), down=True)
        yield self

    def finish(self, errand: Errand) -> None:
        self.finished += 1

    def send(self, item: DeliveryItem) -> Answer:
        if self.breaks_after is not None and len(self.received) >= self.breaks_after:
            raise Interrupted(PeerAborted("the association was aborted"))
        self.received.append(item.sop_uid)
        return Answer(self.answers.get(item.sop_uid, 0), "", item.transfer_syntax)


class Committing:
    """Answers requests for storage commitment with what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.lost: set[str] = set()
        self.at_once = True
        self.refuses: Interrupted | None = None

    def ask(
        self, destination: Destination, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentReport | None:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append((transaction_uid, [one.sop_uid for one in references]))
        return self.report() if self.at_once else None

    def report(self, number: int = -1) -> CommitmentReport:
        """Return the report on a request."""
        transaction_uid, uids = self.asked[number]
        kept = frozenset(uids) - self.lost
        return CommitmentReport(transaction_uid, kept, dict.fromkeys(self.lost.intersection(uids), 274))


class House:
    """A database with one destination and one delivery of three objects."""

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.clock = FixedClock(datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
        self.database = open_database(folder) if database is None else database
        lay(self.database)
        self.peer = Peer([Item(uuid.uuid4(), CT, f"1.2.3.{n}", EXPLICIT) for n in range(3)])
        self.settings = WorkSettings(zone="Europe/Berlin")
        self.committer = Committing()
        self.work = DeliveryWork(
            self.database, self.clock, self.settings, self.peer, {"dicom": self.peer}, self.committer
        )
        with self.database.write() as session:
            self.destination_id = destinations.create_destination(
                session, self.clock, ORGANISATION, DestinationDraft("PACS", "PACS", "127.0.0.1", 104)
            ).id
            self.delivery_id = deliveries.request_delivery(
                session,
                self.clock,
                organisation_id=ORGANISATION,
                destination_id=self.destination_id,
                study_id=uuid.uuid4(),
                series_id=None,
                requested_by="a person",
                correlation_id="c",
            ).id

    def run_due(self) -> int:
        with self.database.write() as session:
            deliveries.emit_due(session, self.clock)
        with self.database.write() as session:
            events = outbox.open_events(session, [deliveries.ATTEMPT])
            outbox.mark_taken(session, [event.id for event in events], self.clock.now())
        for event in events:
            self.work.attempt(event)
        return len(events)

    def delivery(self) -> Delivery:
        with self.database.read() as session:
            return session.get_one(Delivery, self.delivery_id)
