"""Tells another system by HL7 that a study is here (MDM^T01, a document's notification without its content).

The message goes through the house's own outbox of messages: sealed, kept, searched and forgotten like all others. A
delivery sends its message under one control ID however often it is tried, and ends with the receiver's answer.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from radrelay.archive.models import Study
from radrelay.clock import Clock
from radrelay.errors import Misconfigured, Trouble
from radrelay.hl7 import MllpSender, Outgoing, Receiver, parse
from radrelay.hl7.errors import ReceiverAway, ReceiverRefused
from radrelay.hl7.message.encoding import STANDARD
from radrelay.hl7.message.escapes import escape
from radrelay.hl7.message.times import write_time
from radrelay.hl7.models import Hl7Message
from radrelay.network.tls import client_context
from radrelay.routing.carriers import Errand
from radrelay.routing.errors import DeliveredStudyGone, Interrupted
from radrelay.routing.mail_notice import Notice, note_told
from radrelay.routing.models import Destination
from radrelay.settings import DicomSettings
from radrelay.storage.database import Database

SENT, FAILED = "sent", "failed"


@dataclass(frozen=True)
class Hl7Notice(Notice):
    """Fulfils `routing.carriers.Carrier` for HL7 receivers; `site` is the address of the pages."""

    database: Database
    clock: Clock
    outgoing: Outgoing
    dicom: DicomSettings
    site: str
    house: str
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def finish(self, errand: Errand) -> None:
        """Send the message, and wait for its answer; raises `Interrupted`."""
        sender = MllpSender(self.receiver(errand.destination))
        name = f"destination-{errand.destination.id}"[:64]
        try:
            with self._lock:  # a receiver goes by the order
                message_id = self._enqueue(errand, name)
                self._make_due(message_id)
                self.outgoing.send_due({name: sender})
                self._judge(errand, message_id)
        finally:
            sender.close()

    def receiver(self, destination: Destination) -> Receiver:
        """Return where messages go; raises `Interrupted`."""
        context: ssl.SSLContext | None = None
        if destination.tls:
            from radrelay.app.stored import client_tls  # noqa: PLC0415 -- it brings the archive's reader

            try:
                context = client_context(client_tls(self.dicom))
            except Misconfigured as error:
                raise Interrupted(error, down=True) from error
        return Receiver(destination.host, destination.port, context)

    def _enqueue(self, errand: Errand, name: str) -> uuid.UUID:
        control_id = errand.delivery.id.hex[-20:].upper()
        with self.database.write() as session:
            known = sa.select(Hl7Message.id).where(Hl7Message.port == name, Hl7Message.control_id == control_id)
            found = session.scalar(known)
            if found is not None:
                return found
            study = session.get(Study, errand.delivery.study_id)
            if study is None:
                raise Interrupted(DeliveredStudyGone("the study is no longer here"), final=True)
            raw = message_of(study, errand.destination, control_id, self.clock.now(), self.house, self.site)
            patient = (study.patient_issuer, study.patient_id_value)
            return self.outgoing.enqueue(
                session, errand.delivery.organisation_id, name, parse(raw.encode()), patient, study.accession_number
            )

    def _make_due(self, message_id: uuid.UUID) -> None:
        """Let the delivery's own pauses count alone; what an earlier try ended as is tried again."""
        with self.database.write() as session:
            waiting = sa.update(Hl7Message).where(Hl7Message.id == message_id, Hl7Message.state != SENT)
            session.execute(waiting.values(next_attempt_at=None, state="waiting", processed_at=None))

    def _judge(self, errand: Errand, message_id: uuid.UUID) -> None:
        with self.database.write() as session:
            row = session.get_one(Hl7Message, message_id)
            if row.state == SENT:
                note_told(session, self.clock, errand)
                return
            told = Trouble(row.error_code or ReceiverAway.code, row.error)
        refused = row.state == FAILED or told.code == ReceiverRefused.code
        cause = ReceiverRefused(told.detail) if refused else ReceiverAway(told.detail or "an earlier message waits")
        waits = row.state != FAILED and not row.error_code  # for an earlier one, or another machine sends it
        raise Interrupted(cause, down=not refused and not waits, final=row.state == FAILED)


def message_of(study: Study, destination: Destination, control_id: str, now: datetime, house: str, site: str) -> str:
    """Return the notification of a study."""
    at = write_time(now)
    application, _, facility = destination.address.partition("|")

    def said(text: object) -> str:
        return escape(str(text or ""), STANDARD)

    family, given, middle, prefix, suffix = (study.patient_name.split("=")[0].split("^") + [""] * 5)[:5]
    name = "^".join(said(part) for part in (family, given, middle, suffix, prefix))
    birth = f"{study.patient_birth_date:%Y%m%d}" if study.patient_birth_date else ""
    day = f"{study.study_date:%Y%m%d}" if study.study_date else ""
    document = ["DI", "", day, "", "", at, "", "", "", "", said(study.study_uid)]
    document += ["", "", said(study.accession_number), said(f"{site}/view?study={study.id}"), "DO", "", "AV"]
    lines = [
        f"MSH|^~\\&|RADRELAY|{said(house)}|{said(application)}|{said(facility)}|{at}||MDM^T01^MDM_T01|{control_id}"
        "|P|2.5.1||||||UNICODE UTF-8",
        f"EVN|T01|{at}",
        f"PID|1||{said(study.patient_id_value)}^^^{said(study.patient_issuer)}||{name}||{birth}"
        f"|{said(study.patient_sex)}",
        "PV1|1|U",
        "|".join(["TXA", "1", *document]),
    ]
    return "\r".join(lines) + "\r"
