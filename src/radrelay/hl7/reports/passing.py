"""Reports that go out by a rule: each document once to a receiver, and none back to where it came from.

In: documents of studies (PDF, structured report) as they arrive, from wherever. Out: messages in the caller's
transaction, and a row for each document that came or went, which goes with its study.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Instance, Study
from radrelay.clock import Clock
from radrelay.dicom.header import parse
from radrelay.errors import NotFound
from radrelay.hl7 import connections
from radrelay.hl7.models import Hl7Document, Hl7Message
from radrelay.hl7.reports.composing import ENCAPSULATED_PDF, REPORTS, NothingToSend, link_to, report_of
from radrelay.hl7.reports.writing import Addressee, report_message
from radrelay.hl7.sending import Outgoing
from radrelay.identity import organisations
from radrelay.settings import Hl7Receiver, Hl7Settings
from radrelay.storage.ids import new_id

LARGEST = 32 << 20
WRITTEN_BY_PEOPLE = tuple(f"{REPORTS}{one}" for one in ("11", "22", "33", "34"))
"""Basic text, enhanced, comprehensive and comprehensive 3D: not key images, doses and measurements of machines."""
CAME, WENT = "in", "out"


class ReceiverUnknown(NotFound):
    """There is no HL7 receiver by this name."""

    code = "hl7-receiver-unknown"


class Reads(Protocol):
    """Reads an object; `archive.reader.InstanceReader` does."""

    def data_set(self, ref: InstanceRef) -> bytes:
        """Return its data set; raises `RadrelayError` where it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Passed:
    """What is to be sent of a study: documents that are new to the receiver, and how many came from there."""

    new: tuple[InstanceRef, ...] = ()
    from_there: int = 0
    documents: int = 0


@dataclass(frozen=True, slots=True)
class ReportsOut:
    """Sends documents of studies to receivers of the settings; without `reader` it only tells what it would send."""

    settings: Hl7Settings
    clock: Clock
    outgoing: Outgoing
    site: str
    reader: Reads | None = None

    def receiver(self, session: Session, organisation_id: uuid.UUID, name: str) -> Hl7Receiver:
        """Return an organisation's receiver; raises `ReceiverUnknown`."""
        first = organisations.every(session)[0].id
        there = connections.receivers(session, self.settings, first, organisation_id)
        found = next((one for one in there if one.name == name), None)
        if found is None:
            raise ReceiverUnknown
        return found

    def due(self, session: Session, study: Study, receiver: str) -> Passed:
        """Return which of a study's documents are still to go to a receiver; raises `ReceiverUnknown`."""
        to = self.receiver(session, study.organisation_id, receiver)
        kinds = Instance.sop_class_uid.in_((ENCAPSULATED_PDF, *WRITTEN_BY_PEOPLE))
        now = self.clock.now()
        refs = find_instances(session, now, organisation_id=study.organisation_id, study_id=study.id, within=kinds)
        if not refs:
            return Passed()
        mine = sa.select(Hl7Document).where(Hl7Document.study_id == study.id)
        rows = session.scalars(mine).all()
        sent = {row.sop_uid for row in rows if row.direction == WENT and row.port == to.name}
        back = {row.sop_uid for row in rows if row.direction == CAME and _is_from(row, to)}
        new = tuple(ref for ref in refs if ref.sop_uid not in sent | back)
        return Passed(new, len({ref.sop_uid for ref in refs} & back), len(refs))

    def send(
        self, session: Session, study: Study, ref: InstanceRef, receiver: str, *, link: bool, held: bool
    ) -> uuid.UUID | None:
        """Write the message of a document in the caller's transaction; none for one that holds no report.

        `held`: it stays until a person lets it go. Raises what reading raises.
        """
        to = self.receiver(session, study.organisation_id, receiver)
        if self.reader is None or ref.size > LARGEST:
            return None
        now = self.clock.now()
        header = parse(self.reader.data_set(ref), ref.transfer_syntax_uid)
        try:
            report = report_of(study, header, link_to(self.site, study) if link else "", ref.sop_uid, now)
        except NothingToSend:
            return None
        to_whom = Addressee(to.application, to.facility, to.reports, to.character_set)
        message_id = self.outgoing.enqueue(
            session, study.organisation_id, to.name, report_message(report, to_whom, new_id().hex[:20], now),
            (report.issuer, report.patient_id), report.accession_number, study.id, held=held,
        )  # fmt: skip
        note_sent(session, study, ref.sop_uid, to.name)
        return message_id


def note_sent(session: Session, study: Study, sop_uid: str, receiver: str) -> None:
    """Note that a document has gone to a receiver, by whomever: a rule does not send it there again."""
    _note(session, study, Hl7Document(direction=WENT, port=receiver, sop_uid=sop_uid, sender="", host=""))


def note_come(session: Session, study: Study, sop_uids: Sequence[str], message_id: uuid.UUID) -> None:
    """Note from whom documents have come, by the message that brought them."""
    row = session.get_one(Hl7Message, message_id)
    for uid in sop_uids:
        host = row.peer.rpartition(":")[0] or row.peer
        made = Hl7Document(direction=CAME, port=row.port, sop_uid=uid, sender=row.sender, host=host.strip("[]"))
        _note(session, study, made)


def _note(session: Session, study: Study, row: Hl7Document) -> None:
    there = sa.select(Hl7Document.id).where(
        Hl7Document.study_id == study.id, Hl7Document.sop_uid == row.sop_uid, Hl7Document.direction == row.direction,
        Hl7Document.port == row.port, Hl7Document.sender == row.sender,
    )  # fmt: skip
    if session.scalar(there.limit(1)) is None:
        row.organisation_id, row.study_id = study.organisation_id, study.id
        session.add(row)
        session.flush()


def _is_from(row: Hl7Document, to: Hl7Receiver) -> bool:
    """Say whether a document came from who a receiver is: by its application and facility, else by its address.

    This machine's own address says nothing: many programs may share it.
    """
    application, _, facility = row.sender.casefold().partition("|")
    if to.application and application == to.application.casefold():
        return not to.facility or facility == to.facility.casefold()
    return not access.is_loopback(row.host) and row.host == to.host.casefold()
