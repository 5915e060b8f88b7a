"""The role `listen`: the DICOM listener, its objects landed by intake, its queries answered by the archive."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from radrelay import audit
from radrelay.app import decoding
from radrelay.app.commitments import DurableCommitments
from radrelay.app.core import Core
from radrelay.app.prepare import prepare
from radrelay.app.role import run_role, settle
from radrelay.archive.naming import study_named
from radrelay.gateway.handover import Door, door_of
from radrelay.intake.errors import SourceUnknown
from radrelay.intake.landing import Landing
from radrelay.intake.object_writer import ObjectWriter
from radrelay.intake.sources import SourceBook
from radrelay.network.listener import DicomListener
from radrelay.network.ports import (
    CALLED_AE_UNKNOWN,
    CALLING_AE_UNKNOWN,
    STORED,
    Element,
    Key,
    Node,
    Peer,
    Query,
    Reference,
    Rejection,
    RetrieveItem,
    Services,
    StepSaid,
    StoreOutcome,
)
from radrelay.settings import Settings

if TYPE_CHECKING:
    from radrelay.app.query import ArchiveQuery
    from radrelay.hl7 import MllpListener

REPORTING_S = 2.0

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("listen", settings, serve)


def serve(core: Core, stop: threading.Event) -> None:
    """Listen until `stop` is set, then let associations under way end."""
    prepared = prepare(core)
    audit.install(core.database, "listen", core.clock, core.keyring.metadata_key, study_named)
    book = SourceBook(core.database, core.settings)
    book.refresh()
    landing = Landing.open(core.settings, "listen", core.keyring, core.clock, allowance=book)
    reception = Reception(landing, book)
    query = QueryOnDemand(core, book)
    promised = DurableCommitments(core, query, book, landing.log.owner)
    promised.release()
    reporting = threading.Thread(target=promised.run, args=(stop,), name="commitments", daemon=True)
    listener = DicomListener(
        core.settings.dicom,
        Services(
            reception,
            reception,
            query=query,
            commitments=promised,
            worklist=query,
            reports=promised,
            performed_steps=query,
            retrieve_ae=book.retrieve_ae,
        ),
    )
    hospital = hospital_listener(core, prepared.organisation_id)
    settle()
    listener.start()
    tunnel = Tunnel(core.settings, listener) if listener.speaks_tls else None
    if hospital is not None:
        hospital.start()
    reporting.start()
    try:
        stop.wait()
    finally:
        if tunnel is not None:
            tunnel.close()
        if hospital is not None:
            hospital.stop()
        listener.stop()
        reporting.join(REPORTING_S)
        landing.close()


class Tunnel:
    """Takes in DICOM TLS that came through a relay."""

    def __init__(self, settings: Settings, listener: DicomListener) -> None:
        self._listener = listener
        self._door = Door(door_of(settings.gateway_dir, "dicom"))
        self._ending, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more in."""
        self._end.send(b"x")
        self._thread.join()
        for sock in (self._ending, self._end):
            sock.close()
        self._door.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._door.sock, selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while all(key.fileobj is not self._ending for key, _ in selector.select()):
                for one in self._door.arrivals():
                    self._listener.adopt(one.sock, *one.client)


@dataclass(frozen=True)
class Reception:
    """Fulfils the listener's storage and admission ports over intake."""

    landing: Landing
    book: SourceBook

    def admit(self, peer: Peer) -> Rejection | None:
        """Refuse called titles that lead nowhere and callers that the source does not list."""
        try:
            source = self.book.resolve("dicom", peer.called_ae)
        except SourceUnknown as error:
            log.warning("called by an AE title that leads nowhere", called_ae=peer.called_ae, reason=error.message)
            return CALLED_AE_UNKNOWN
        return None if self.book.admits(source, peer.calling_ae, peer.host) else CALLING_AE_UNKNOWN

    def open_writer(self, peer: Peer) -> Writer:
        """Return the association's writer."""
        origin = self.book.resolve("dicom", peer.called_ae).origin(
            peer=f"{peer.host}:{peer.port}",
            calling_ae=peer.calling_ae,
            called_ae=peer.called_ae,
            correlation_id=peer.association_id,
        )
        return Writer(self.landing.open_object(origin, cut_offs="refuse"))


def hospital_listener(core: Core, organisation_id: UUID) -> MllpListener | None:
    """Return the listener for HL7, if there is a port for it; what reads HL7 is not loaded where there is none."""
    if not core.settings.hl7.ports:
        return None
    from radrelay.app.hl7 import open_listener  # noqa: PLC0415 -- as said above

    return open_listener(core, organisation_id)


class QueryOnDemand:
    """Fulfils the listener's query port: each peer is answered for the organisation that it has called.

    The archive's side is opened with the first query: it brings the codecs that sending may need, 15 MB that a
    listener which only receives does without.
    """

    def __init__(self, core: Core, book: SourceBook) -> None:
        self._core = core
        self._book = book
        self._lock = threading.Lock()
        self._opened: dict[UUID, ArchiveQuery] = {}

    def _query(self, peer: Peer) -> ArchiveQuery:
        from radrelay.app.query import ArchiveQuery  # noqa: PLC0415 -- as said above

        organisation_id = self._book.organisation_of(peer.called_ae)
        with self._lock:
            if not self._opened:
                decoding.install(self._core.settings)
            if organisation_id not in self._opened:
                self._opened[organisation_id] = ArchiveQuery(self._core, organisation_id)
            return self._opened[organisation_id]

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        """Yield matches."""
        return self._query(peer).find(peer, query)

    def items(self, peer: Peer, keys: Sequence[Key]) -> Iterator[Sequence[Element]]:
        """Yield worklist items."""
        return self._query(peer).items(peer, keys)

    def create(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep a step that begins."""
        self._query(peer).create(peer, sop_uid, said)

    def change(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep what is said further of a step."""
        self._query(peer).change(peer, sop_uid, said)

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[RetrieveItem]:
        """Return the instances that the unique keys name."""
        return self._query(peer).retrieve(peer, query, destination)

    def require_retrieval(self, peer: Peer) -> None:
        """Raise `Forbidden` unless the peer may fetch."""
        self._query(peer).require_retrieval(peer)

    def move_destination(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node that an AE title stands for."""
        return self._query(peer).move_destination(peer, ae_title)

    def node_called(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node that reports go to."""
        return self._query(peer).node_called(peer, ae_title)

    def committed(self, peer: Peer, references: Sequence[Reference]) -> Collection[str]:
        """Return those SOP Instance UIDs that are kept."""
        return self._query(peer).committed(peer, references)

    def require_query(self, peer: Peer) -> None:
        """Raise `Forbidden` unless the peer may ask."""
        self._query(peer).require_query(peer)


class Writer:
    """Fulfils the listener's `StoreWriter` with intake's `ObjectWriter`."""

    def __init__(self, objects: ObjectWriter) -> None:
        self._objects = objects
        self.begin = objects.begin
        self.write = objects.write
        self.abort = objects.abort

    def finish(self) -> StoreOutcome:
        """Make the object durable; errors carry their DIMSE status."""
        self._objects.finish()
        return STORED
