"""Stored instances as the DICOM faces send them, transcoded where the peer needs it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.dicom.transcode import transcode
from radrelay.errors import RadrelayError, Trouble
from radrelay.network.client import SendResult, StoreClient
from radrelay.network.commitment_user import ask_commitment
from radrelay.network.errors import AssociationEnded, CommitmentNotOffered, CommitmentRefused, StepsNotOffered
from radrelay.network.performed_user import StepMessage, tell_steps
from radrelay.network.ports import CommitmentReport, Node, Reference, TlsFiles
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.errors import Interrupted
from radrelay.routing.models import Destination
from radrelay.routing.transcoding import target_of
from radrelay.settings import DicomSettings
from radrelay.storage.database import Database

STREAMED = 64 << 20


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An instance that can be sent: fulfils `network.ports.RetrieveItem` and `routing.carriers.DeliveryItem`."""

    ref: InstanceRef
    reader: InstanceReader

    @property
    def instance_id(self) -> uuid.UUID:
        """Return the instance's id."""
        return self.ref.id

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP Class UID."""
        return self.ref.sop_class_uid

    @property
    def sop_uid(self) -> str:
        """Return its SOP Instance UID."""
        return self.ref.sop_uid

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax that it was received in."""
        return self.ref.transfer_syntax_uid

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set as received if the peer takes that, else in the best that both know.

        Raises `ContextRefused` when there is none, `NotTranscodable` when the pixels do not fit into it.
        """
        stored = self.ref.transfer_syntax_uid
        if stored in accepted:
            if self.ref.size > STREAMED:
                return stored, self.reader.stream(self.ref)
            return stored, (self.reader.data_set(self.ref),)
        target = target_of(stored, accepted)
        return target, (transcode(self.reader.data_set(self.ref), stored, target),)


@dataclass(frozen=True)
class ArchiveSource:
    """Fulfils `routing.carriers.ObjectSource` over the archive."""

    database: Database
    clock: Clock
    reader: InstanceReader

    def items(
        self, organisation_id: uuid.UUID, study_id: uuid.UUID, series_id: uuid.UUID | None
    ) -> Sequence[StoredItem]:
        """Return the current instances of the study or series that have not expired."""
        with self.database.read() as session:
            refs = find_instances(
                session,
                self.clock.now(),
                organisation_id=organisation_id,
                study_id=study_id,
                series_id=series_id,
            )
        return [StoredItem(ref, self.reader) for ref in refs]


class DicomSending:
    """Fulfils `routing.carriers.Sending` over an association."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    def send(self, item: DeliveryItem) -> Answer:
        """Send one object; raises `Interrupted` when the association is lost."""
        try:
            result: SendResult = self._client.send(item)
        except AssociationEnded as error:
            raise Interrupted(error) from error
        trouble = Trouble.of(result.error) if result.error is not None else None
        return Answer(result.status, result.comment, result.transfer_syntax, trouble)


@dataclass(frozen=True)
class DicomCarrier:
    """Fulfils `routing.carriers.Carrier` and `Committer` for DICOM nodes (C-STORE, storage commitment)."""

    settings: DicomSettings
    carries: bool = True

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[DicomSending]:
        """Associate with the destination; raises `Interrupted`."""
        try:
            client = StoreClient(node_of(errand.destination, self.settings), _kept(portion))
        except RadrelayError as error:
            raise Interrupted(error, down=True) from error
        with client:
            yield DicomSending(client)

    def finish(self, errand: Errand) -> None:
        """Nothing is left to do."""

    def ask(
        self, destination: Destination, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentReport | None:
        """Ask for storage commitment; raises `Interrupted`."""
        try:
            return ask_commitment(node_of(destination, self.settings), transaction_uid, references)
        except CommitmentNotOffered as error:
            raise Interrupted(error, final=True) from error
        except CommitmentRefused as error:
            raise Interrupted(error) from error
        except RadrelayError as error:
            raise Interrupted(error, down=True) from error

    def tell_steps(self, destination: Destination, messages: Iterable[StepMessage]) -> Iterator[tuple[int, str]]:
        """Pass performed procedure steps on; raises `Interrupted`."""
        try:
            yield from tell_steps(node_of(destination, self.settings), messages)
        except StepsNotOffered as error:
            raise Interrupted(error) from error
        except RadrelayError as error:
            raise Interrupted(error, down=True) from error

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """Part `items` so that the presentation contexts of each portion fit into one association."""
        portion: list[DeliveryItem] = []
        kept: set[tuple[str, str]] = set()
        for item in items:
            pair = (item.sop_class_uid, item.transfer_syntax)
            if pair not in kept and not StoreClient.fits([*kept, pair]):
                yield portion
                portion, kept = [], set()
            kept.add(pair)
            portion.append(item)
        if portion:
            yield portion


def node_of(destination: Destination, settings: DicomSettings) -> Node:
    """Return the node that a destination's row describes."""
    return Node(
        destination.host,
        destination.port,
        destination.ae_title,
        destination.calling_ae_title or settings.ae_title,
        tls=client_tls(settings) if destination.tls else None,
    )


def _kept(items: Sequence[DeliveryItem]) -> list[tuple[str, str]]:
    return sorted({(item.sop_class_uid, item.transfer_syntax) for item in items})


def client_tls(settings: DicomSettings) -> TlsFiles:
    """Return the files for speaking TLS to a node: the listener's own certificate and authorities."""
    return TlsFiles(
        ca=str(settings.tls_ca) if settings.tls_ca else None,
        certificate=str(settings.tls_certificate) if settings.tls_certificate else None,
        key=str(settings.tls_key) if settings.tls_key else None,
    )
