"""What the application is created with: the rooms' public faces, handed in by the composition root."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from radrelay.access import LinkKeys
from radrelay.analysis.kinds import Kinds as AnalysisKinds
from radrelay.archive.drawings import DrawingReader
from radrelay.archive.metadata import MetadataReader
from radrelay.archive.reader import InstanceReader
from radrelay.archive.recent import Recent
from radrelay.archive.renditions import Renditions
from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.identity import AddressChanges, Identity, PasswordLinks, SignUps
from radrelay.identity.oidc import SingleSignOn
from radrelay.importer.recipes.tested import TestedFolder
from radrelay.importer.sealing import LinkSeal, ReportSeal
from radrelay.importer.surroundings import Surroundings
from radrelay.intake.awaiting import WaitingRoom
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.marks.filing import MarkFilings
from radrelay.privacy.standing import House
from radrelay.privacy.volume.counting import SentTally
from radrelay.pseudonyms import CopySource, StoredVault, VaultSeal
from radrelay.retrieve.ports import Connector
from radrelay.retrieve.schedules.finding import Finder
from radrelay.retrieve.worklist import Worklists
from radrelay.routing.models import Destination
from radrelay.routing.rules.actions import Kinds
from radrelay.routing.trying import Step
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.segments import SegmentReader
from radrelay.web.acceptance import Acceptances
from radrelay.web.measurements import Measurements
from radrelay.web.uploads import UploadThreads
from radrelay.web.usage_door import UsageDoor

STATIC = Path(__file__).parent / "static"
LISTINGS_KEPT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """One thing that is looked at; `run` raises a `RadrelayError` that says what does not work.

    Without what is `needed` no requests are served; of the rest it is only told.
    """

    name: str
    run: Callable[[], None]
    needed: bool = True


@dataclass(frozen=True, slots=True)
class RoleState:
    """One of the running roles, as the system page shows it."""

    name: str
    node: str
    alive: bool
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EchoTarget:
    """A DICOM node to be asked whether it is there. An empty calling AE title is our own."""

    host: str
    port: int
    ae_title: str
    calling_ae_title: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """What stands against the node, nothing if it answered as it should, and how long it took."""

    trouble: Trouble | None
    ms: float


class DestinationTrial(Protocol):
    """Tries a destination."""

    def __call__(self, destination: Destination, *, probe: bool) -> Sequence[Step]:
        """Return the steps that were taken; with `probe` an object (or a letter) is sent there, too."""
        ...


def no_trial(destination: Destination, *, probe: bool) -> Sequence[Step]:
    """Stand for the trials where the composition root hands none in."""
    del destination, probe
    return [Step("connect", Trouble("unavailable", "this process tries no destinations"), ms=0.0)]


def no_echo(target: EchoTarget) -> EchoAnswer:
    """Stand for the DICOM client where the composition root hands none in."""
    del target
    return EchoAnswer(Trouble("unavailable", "this process has no DICOM client"), ms=0.0)


@dataclass(frozen=True, slots=True)
class Conversion:
    """An attachment that shall become objects of its study, and who wants it."""

    organisation_id: uuid.UUID
    study_id: uuid.UUID
    attachment_id: uuid.UUID
    account_id: uuid.UUID | None
    peer: str
    correlation_id: str


class Attachments(Protocol):
    """Reads attachments and turns them into DICOM objects."""

    def stream(self, organisation_id: uuid.UUID, attachment_id: uuid.UUID) -> Iterator[bytes]:
        """Return an attachment's bytes as sent, in pieces; raises `AttachmentNotFound` at once."""
        ...

    def convert(self, conversion: Conversion) -> Sequence[str]:
        """Land objects made from an attachment through the intake; returns their SOP Instance UIDs."""
        ...


@dataclass(frozen=True)
class WebServices:
    """Everything that routes may use. One per process."""

    settings: Settings
    clock: Clock
    database: Database
    identity: Identity
    organisation_id: uuid.UUID
    metadata_key: bytes = field(repr=False)
    landing: Landing
    parcels: Parcels
    quarantine: Quarantine
    waiting_room: WaitingRoom
    sources: SourceBook
    reader: InstanceReader
    metadata: MetadataReader
    renditions: Renditions
    filings: MarkFilings
    drawings: DrawingReader
    link_keys: LinkKeys
    link_seal: LinkSeal
    report_seal: ReportSeal
    segments: SegmentReader
    password_links: PasswordLinks
    sign_ups: SignUps
    address_changes: AddressChanges
    house: House
    vault_seal: VaultSeal
    copies: CopySource
    attachments: Attachments | None = None
    archives: Connector | None = None
    """What asks archives elsewhere; none where that is switched off."""
    finder: Finder | None = None
    """What says what a schedule would fetch."""
    importing: Surroundings | None = None
    """What is here of what is imported; none where nothing is."""
    recipes: TestedFolder = field(default_factory=lambda: TestedFolder(None))
    """The recipes of this machine's folder, with their self-tests."""
    worklists: Worklists | None = None
    """What asks worklists elsewhere; none where that is switched off."""
    rule_kinds: Kinds = field(default_factory=dict)
    """What rules may do here."""
    single_sign_on: SingleSignOn | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    readiness: Sequence[ReadinessCheck] = ()
    roles: Callable[[], Sequence[RoleState]] = tuple
    echo: Callable[[EchoTarget], EchoAnswer] = no_echo
    try_destination: DestinationTrial = no_trial
    static_dir: Path = STATIC
    upload_threads: UploadThreads = field(default_factory=UploadThreads)
    listings: Recent[Hashable, bytes] = field(default_factory=lambda: Recent(LISTINGS_KEPT_BYTES, len))
    """Descriptions of series by series, version of its instances, and whether patients are shown in the clear; and the
    id of the instance that each shows first."""

    def vault(self, organisation_id: uuid.UUID) -> StoredVault:
        """Return an organisation's vault of pseudonyms."""
        return StoredVault(self.database, self.clock, self.vault_seal, organisation_id)

    @cached_property
    def workers(self) -> ThreadPoolExecutor:
        """Threads that read and pack objects a few ahead of a download."""
        return ThreadPoolExecutor(max_workers=4, thread_name_prefix="export")

    @cached_property
    def analyses(self) -> AnalysisKinds:
        """The kinds of analyses of this installation."""
        return AnalysisKinds(self.settings.analysis, self.settings.mail.language)

    @cached_property
    def tally(self) -> SentTally:
        """How many bytes were sent to whom since they were last written."""
        return SentTally()

    @cached_property
    def acceptances(self) -> Acceptances:
        """Whether accounts still have to accept a text."""
        return Acceptances(self.database)

    @cached_property
    def usage_door(self) -> UsageDoor:
        """How many events of usage are taken."""
        return UsageDoor()

    @cached_property
    def measurements(self) -> Measurements:
        """The web role's own metrics, in `registry`."""
        return Measurements(self.registry)
