"""What retrieving needs of others: an archive elsewhere, what is here already; Protocols and the values in them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol

Model = Literal["study", "patient"]
Method = Literal["move", "get"]
Kind = Literal["dicom", "dicomweb", "worklist"]


@dataclass(frozen=True, slots=True)
class PacsNode:
    """Where and how an archive is asked. `source_id` is whose its studies will be.

    A DICOMweb service has an `address`, and what it takes for signing in is `sealed`.
    """

    id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: bool
    model: Model
    method: Method
    source_id: uuid.UUID
    kind: Kind = "dicom"
    address: str = ""
    username: str = ""
    sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. Names and descriptions may hold `*`; dates are both inclusive.

    `issuers`: it is to be told who issues the patient IDs beside its name, which not every archive can be asked.
    """

    patient_id: str = ""
    patient_name: str = ""
    birth_date: date | None = None
    accession_number: str = ""
    study_uid: str = ""
    since: date | None = None
    until: date | None = None
    modalities: tuple[str, ...] = ()
    description: str = ""
    ward: str = ""
    issuers: bool = False


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as an archive elsewhere tells of it; what it does not tell is empty or none.

    `issuer_id` is the universal ID of who issues the patient's, `issuer_id_type` its type (0010,0024).
    """

    study_uid: str
    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_time: str = ""
    description: str = ""
    modalities: tuple[str, ...] = ()
    series: int | None = None
    instances: int | None = None
    availability: str = ""
    ward: str = ""
    issuer_id: str = ""
    issuer_id_type: str = ""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series as an archive elsewhere tells of it."""

    series_uid: str
    modality: str = ""
    number: int | None = None
    description: str = ""
    body_part: str = ""
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search brought: `more` where the archive was stopped, and how many matches could not be read."""

    studies: tuple[FoundStudy, ...]
    more: bool = False
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """An object that the archive elsewhere has."""

    sop_uid: str
    series_uid: str
    sop_class_uid: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be fetched: a study, or one series of it."""

    study_uid: str
    series_uid: str = ""
    patient_id: str = ""
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the archive elsewhere has of an order. `listed` is none where it does not list single objects."""

    series: tuple[FoundSeries, ...] = ()
    listed: tuple[Held, ...] | None = None

    @property
    def expected(self) -> int | None:
        """Return how many objects there are, as far as the archive tells."""
        if self.listed is not None:
            return len(self.listed)
        counts = [one.instances for one in self.series]
        return None if not counts or None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True, slots=True)
class Came:
    """How a retrieval stands, or ended: objects sent, failed at there, refused here as of other studies."""

    completed: int = 0
    failed: int = 0
    foreign: int = 0
    status: int | None = None
    comment: str = ""
    cancelled: bool = False


Tell = Callable[[Came], None]
Stop = Callable[[], bool]


class Connector(Protocol):
    """Asks archives of one kind; each method raises `Broken` when the connection fails."""

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        """Return studies that match, at most so many."""
        ...

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        """Return the series of a study."""
        ...

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        """Return what the archive has of an order."""
        ...

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        """Bring an order here, or of it only the `missing` objects; returns what the archive says of it."""
        ...


@dataclass(frozen=True, slots=True)
class Here:
    """What is here of a study: objects that can be seen, and those that wait in quarantine."""

    kept: Collection[str] = field(default_factory=frozenset)
    aside: Collection[str] = field(default_factory=frozenset)


class Archive(Protocol):
    """What is here already."""

    def here(self, organisation_id: uuid.UUID, study_uid: str) -> Here:
        """Return the SOP Instance UIDs that are here of a study."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as the hospital's system or a study here names them: by issuer and ID, and what tells people apart."""

    issuer: str
    patient_id: str
    name: str = ""
    birth_date: date | None = None
    sex: str = ""


class Whereabouts(Protocol):
    """Who is where in the hospital, as its system says (HL7)."""

    def on_wards(self, organisation_id: uuid.UUID, wards: Collection[str]) -> Sequence[Person]:
        """Return who is on these wards now."""
        ...

    def due_on(self, organisation_id: uuid.UUID, day: date) -> Sequence[Person]:
        """Return whom the worklist has for a day."""
        ...
