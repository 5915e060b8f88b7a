"""Deliveries of de-identified copies: what goes to a destination by a project of pseudonyms, and what is kept back.

In: the stored objects of a delivery. Out: as many `DeliveryItem`s that name the copies, for the receipts and for
commitment, and the copies themselves as they are sent. The new UIDs follow from the project's key alone: a retried
attempt has the same, and no table that lies beside the images says which of them stands for whose object.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from radrelay.archive.instances import find_instances
from radrelay.clock import Clock
from radrelay.dicom.deidentify import Option, Project, Reason, new_uid
from radrelay.dicom.transcode import transcode
from radrelay.errors import RadrelayError, Trouble
from radrelay.network.ports import CommitmentReport
from radrelay.pseudonyms import RELEASABLE, Copy, CopySource, VaultSeal, engine_project, kept_back_of
from radrelay.routing.carriers import DeliveryItem
from radrelay.routing.errors import Interrupted, ObjectsKeptBack, OriginalNotSent
from radrelay.routing.models import Delivery
from radrelay.routing.transcoding import target_of
from radrelay.storage.database import Database


@dataclass(frozen=True, slots=True)
class Named:
    """The copy of a stored object by its name alone; `sop_uid` is the new one. It never gives the original."""

    original: DeliveryItem
    sop_uid: str

    @property
    def instance_id(self) -> uuid.UUID:
        """Return the original's id."""
        return self.original.instance_id

    @property
    def sop_class_uid(self) -> str:
        """Return the SOP Class UID."""
        return self.original.sop_class_uid

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax of the original, which its copy mostly keeps."""
        return self.original.transfer_syntax

    def open(self, accepted: Sequence[str]) -> tuple[str, tuple[bytes, ...]]:
        """Raise `OriginalNotSent`."""
        raise OriginalNotSent


@dataclass(frozen=True, slots=True)
class CopyItem:
    """A copy that can be sent."""

    copy: Copy

    @property
    def instance_id(self) -> uuid.UUID:
        """Return the original's id."""
        return self.copy.instance_id

    @property
    def sop_class_uid(self) -> str:
        """Return the SOP Class UID."""
        return self.copy.sop_class_uid

    @property
    def sop_uid(self) -> str:
        """Return the new SOP Instance UID."""
        return self.copy.sop_uid

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax that the copy is in."""
        return self.copy.transfer_syntax_uid

    def open(self, accepted: Sequence[str]) -> tuple[str, tuple[bytes, ...]]:
        """Return the data set as it is if the peer takes that, else in the best that both know.

        Raises `ContextRefused` when there is none, `NotTranscodable` when the pixels do not fit into it.
        """
        made = self.copy.transfer_syntax_uid
        if made in accepted:
            return made, (self.copy.data_set,)
        target = target_of(made, accepted)
        return target, (transcode(self.copy.data_set, made, target),)


@dataclass(frozen=True, slots=True)
class KeptBack:
    """Objects of a delivery that do not go: those that a person may let pass, those that nobody may, and why."""

    waiting: frozenset[uuid.UUID] = frozenset()
    for_good: frozenset[uuid.UUID] = frozenset()
    reasons: tuple[Reason, ...] = ()

    @property
    def all(self) -> frozenset[uuid.UUID]:
        """Return every one."""
        return self.waiting | self.for_good

    def trouble(self, total: int) -> Trouble:
        """Return what is said of them."""
        count = len(self.all)
        words = f"{count} of {total} objects could not be made safe and are kept back"
        return Trouble.of(ObjectsKeptBack(words, n=count, total=total))


@dataclass(frozen=True, slots=True)
class Copies:
    """Makes what deliveries by a project send; thread-safe."""

    database: Database
    clock: Clock
    source: CopySource
    seal: VaultSeal = field(repr=False)

    def named(self, delivery: Delivery, items: Sequence[DeliveryItem]) -> list[Named]:
        """Return the names of the copies of `items`; raises `ProjectUnknown`, `VaultDamaged`."""
        with self.database.read() as session:
            uid_of = naming(session, self.seal, delivery)
        return [Named(item, uid_of(item.sop_uid)) for item in items]

    def made(self, delivery: Delivery, items: Sequence[DeliveryItem]) -> Generator[CopyItem, None, None]:
        """Yield the copies of `items` that can be made safe; raises `Interrupted`. To be closed by who breaks off."""
        wanted = {item.instance_id for item in items}
        try:
            if delivery.project_id is None:
                raise OriginalNotSent
            with self.database.read() as session:
                refs = find_instances(
                    session, self.clock.now(), organisation_id=delivery.organisation_id, study_id=delivery.study_id,
                    series_id=delivery.series_id,
                )  # fmt: skip
            handout = self.source.begin(
                delivery.organisation_id, delivery.project_id, delivery.study_id, "delivery", delivery.requested_by
            )
            with closing(self.source.copies(handout, [ref for ref in refs if ref.id in wanted])) as copies:
                for copy in copies:
                    yield CopyItem(copy)
        except RadrelayError as error:
            raise Interrupted(error) from error

    def translated(
        self, session: Session, delivery: Delivery, report: CommitmentReport, originals: Sequence[str]
    ) -> CommitmentReport:
        """Return what a node reports of copies, by the UIDs of their `originals`."""
        return translated(session, self.seal, delivery, report, originals)


def original_uid(item: DeliveryItem) -> str:
    """Return the SOP Instance UID of what is stored."""
    return item.original.sop_uid if isinstance(item, Named) else item.sop_uid


def kept_back(session: Session, delivery: Delivery, items: Sequence[DeliveryItem], there: set[uuid.UUID]) -> KeptBack:
    """Return which of a delivery's objects do not go; what is `there` already went before somebody doubted.

    An object that was out of reach is not among them: it is tried again.
    """
    if delivery.project_id is None:
        return KeptBack()
    known = kept_back_of(session, delivery.project_id, delivery.study_id)
    mine = {item.instance_id for item in items} - there
    found = {one: why for one, why in known.items() if one in mine and Reason.GONE not in why}
    waiting = frozenset(one for one, why in found.items() if set(why) <= RELEASABLE)
    reasons = tuple(sorted({reason for why in found.values() for reason in why}))
    return KeptBack(waiting, frozenset(found) - waiting, reasons)


def naming(session: Session, seal: VaultSeal, delivery: Delivery) -> Callable[[str], str]:
    """Return what gives the new UID of an original one; raises `ProjectUnknown`, `VaultDamaged`."""
    if delivery.project_id is None:
        raise OriginalNotSent
    project: Project = engine_project(session, seal, delivery.organisation_id, delivery.project_id, enabled=False)
    if Option.UIDS in project.options:
        return lambda original: original
    return lambda original: new_uid(project, original)


def translated(
    session: Session, seal: VaultSeal, delivery: Delivery, report: CommitmentReport, originals: Sequence[str]
) -> CommitmentReport:
    """Return what a node reports of copies, by the UIDs of their `originals`; raises `ProjectUnknown`."""
    uid_of = naming(session, seal, delivery)
    known = {uid_of(one): one for one in originals}
    committed = frozenset(known[one] for one in report.committed if one in known)
    failed = {known[one]: reason for one, reason in report.failed.items() if one in known}
    return CommitmentReport(report.transaction_uid, committed, failed)
