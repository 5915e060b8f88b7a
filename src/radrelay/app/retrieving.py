"""What fetching elsewhere needs of this installation: a landing for what comes, and what is here already."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from radrelay.app.core import Core
from radrelay.app.stored import client_tls
from radrelay.archive.instances import alive
from radrelay.archive.models import Instance, Study
from radrelay.clock import Clock
from radrelay.errors import NotFound
from radrelay.intake.landing import Landing
from radrelay.intake.models import Quarantined
from radrelay.intake.object_writer import ObjectWriter
from radrelay.intake.sources import SourceBook, SourceView
from radrelay.network.ports import STORED, Peer, StoreOutcome
from radrelay.network.web_service import trusting
from radrelay.retrieve.connectors import ByKind
from radrelay.retrieve.dicom import DicomConnector
from radrelay.retrieve.dicomweb import DicomWebConnector
from radrelay.retrieve.jobs import FetchWork
from radrelay.retrieve.ports import Connector, Here
from radrelay.retrieve.worklist import DicomWorklists, Worklists
from radrelay.routing.secrets import SecretSeal
from radrelay.storage.database import Database


class FetchSourceGone(NotFound):
    """The source that this archive's studies belong to is not there, or is switched off."""

    code = "fetch-source-gone"


def open_fetching(core: Core, landing: Landing, book: SourceBook) -> FetchWork:
    """Return what carries fetches out."""
    settings = core.settings.retrieve
    return FetchWork(core.database, core.clock, settings, connector(core, landing, book), Archive.of(core))


def connector(core: Core, landing: Landing, book: SourceBook) -> Connector:
    """Return what asks archives elsewhere, of every kind."""
    settings, seal = core.settings, SecretSeal(core.keyring.metadata_key)
    into = FetchLanding(landing, book, settings.dicom.ae_title)
    web = DicomWebConnector(
        settings.retrieve, into, lambda node: seal.open(node.id, node.sealed), lambda: trusting(settings.work.web_ca)
    )
    nodes = DicomConnector(settings.dicom, settings.retrieve, into, client_tls(settings.dicom))
    return ByKind({"dicom": nodes, "dicomweb": web})


def worklists(core: Core) -> Worklists:
    """Return what asks worklists elsewhere."""
    settings = core.settings
    return DicomWorklists(settings.dicom, settings.retrieve, client_tls(settings.dicom))


@dataclass(frozen=True)
class FetchLanding:
    """Fulfils `retrieve.dicom.Landing` over intake."""

    landing: Landing
    book: SourceBook
    own_title: str

    def storage(self, organisation_id: uuid.UUID, source_id: uuid.UUID, correlation_id: str) -> FetchStorage:
        """Return where objects of a source go; raises `FetchSourceGone`."""
        return FetchStorage(self.landing, self._source(organisation_id, source_id), correlation_id)

    def destination(self, organisation_id: uuid.UUID, source_id: uuid.UUID) -> str:
        """Return the AE title by which a source is called: its own, or that of the listener."""
        return self._source(organisation_id, source_id).ae_title or self.own_title

    def _source(self, organisation_id: uuid.UUID, source_id: uuid.UUID) -> SourceView:
        for one in self.book.sources():
            if (one.id, one.organisation_id, one.enabled) == (source_id, organisation_id, True):
                return one
        raise FetchSourceGone


@dataclass(frozen=True)
class FetchStorage:
    """Fulfils `retrieve.dicom.StudyStorage`: what comes lands as what a source brings."""

    landing: Landing
    source: SourceView
    correlation_id: str

    def open_writer(self, peer: Peer) -> FetchWriter:
        """Return the association's writer."""
        origin = self.source.origin(
            peer=f"{peer.host}:{peer.port}",
            calling_ae=peer.calling_ae,
            called_ae=peer.called_ae,
            correlation_id=self.correlation_id or peer.association_id,
        )
        return FetchWriter(self.landing.open_object(origin))  # as it lies there: nobody sends it another way


class FetchWriter:
    """Fulfils `retrieve.dicom.StudyWriter` with intake's `ObjectWriter`."""

    def __init__(self, objects: ObjectWriter) -> None:
        self._objects = objects
        self.begin = objects.begin
        self.write = objects.write
        self.abort = objects.abort

    def study_uid(self) -> str:
        """Return the study of the object that was written; raises `Malformed`, and what went wrong before."""
        self._objects.raise_failure()
        return self._objects.survey().study_uid

    def finish(self) -> StoreOutcome:
        """Make the object durable; errors carry their DIMSE status."""
        self._objects.finish()
        return STORED


@dataclass(frozen=True)
class Archive:
    """Fulfils `retrieve.ports.Archive` over the rows."""

    database: Database
    clock: Clock

    @classmethod
    def of(cls, core: Core) -> Archive:
        """Look into an installation's rows."""
        return cls(core.database, core.clock)

    def here(self, organisation_id: uuid.UUID, study_uid: str) -> Here:
        """Return the SOP Instance UIDs that are here of a study, and those that wait in quarantine."""
        of_study = sa.and_(Study.organisation_id == organisation_id, Study.study_uid == study_uid)
        kept = (
            sa.select(Instance.sop_uid)
            .join(Study, Study.id == Instance.study_id)
            .where(of_study, Instance.current.is_(True), alive(self.clock.now()))
        )
        aside = sa.select(Quarantined.sop_uid).where(
            Quarantined.organisation_id == organisation_id,
            Quarantined.study_uid == study_uid,
            Quarantined.released_at.is_(None),
        )
        with self.database.read() as session:
            waiting: Collection[str] = frozenset(one for one in session.scalars(aside) if one)
            return Here(frozenset(session.scalars(kept)), waiting)
