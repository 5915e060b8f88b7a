"""What a kind of destination must be able to do, so that the durable work of a delivery is the same for all.

A carrier takes objects one by one, each with an answer, and is told when all are there: `finish`. One that carries
no objects (a notice) is told only that. What it cannot do now it raises as `Interrupted`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from radrelay.errors import Trouble
from radrelay.network.ports import CommitmentReport, Reference
from radrelay.routing.models import Delivery, Destination


class DeliveryItem(Protocol):
    """One instance to be sent; a `network.ports.RetrieveItem` that knows its row."""

    @property
    def instance_id(self) -> uuid.UUID:
        """Return the instance's id."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP Class UID."""
        ...

    @property
    def sop_uid(self) -> str:
        """Return its SOP Instance UID."""
        ...

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax that it is kept in."""
        ...

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set in one of `accepted`: which one, and its bytes in pieces."""
        ...


class ObjectSource(Protocol):
    """What deliveries need of the archive."""

    def items(
        self, organisation_id: uuid.UUID, study_id: uuid.UUID, series_id: uuid.UUID | None
    ) -> Sequence[DeliveryItem]:
        """Return the current instances of the study or series that have not expired."""
        ...


class Answer(NamedTuple):
    """What came of one object: the DIMSE status, the node's comment, the transfer syntax used, and our own trouble."""

    status: int
    comment: str
    transfer_syntax_uid: str
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """One delivery as a carrier sees it; `items` are all of its objects, whatever is there already."""

    delivery: Delivery
    destination: Destination
    items: Sequence[DeliveryItem]


class Sending(Protocol):
    """An open way to a destination."""

    def send(self, item: DeliveryItem) -> Answer:
        """Send one object; raises `Interrupted` when the way is lost."""
        ...


class Carrier(Protocol):
    """Takes deliveries to one kind of destination."""

    @property
    def carries(self) -> bool:
        """Tell whether objects go there, each with a receipt."""
        ...

    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> AbstractContextManager[Sending]:
        """Open the way for a portion of the objects; raises `Interrupted`."""
        ...

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """Part `items` so that one way can carry each portion."""
        ...

    def finish(self, errand: Errand) -> None:
        """Do what is due once every object is there; may be called again. Raises `Interrupted`, `ReceiptsVoid`."""
        ...


class Committer(Protocol):
    """Asks destinations for storage commitment."""

    def ask(
        self, destination: Destination, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentReport | None:
        """Ask, and return the report if it came at once; raises `Interrupted`."""
        ...
