"""HL7 in the roles: `listen` takes messages, `work` goes through them in order and forgets old ones."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.app.schedules import OrderPriors
from radrelay.app.threads import loop
from radrelay.hl7 import (
    Change,
    Handler,
    Inbox,
    Keeping,
    Limits,
    MllpListener,
    MllpSender,
    Outgoing,
    PatientBook,
    Policy,
    Port,
    Processor,
    Receiver,
    Seal,
    connections,
    forget_old,
    forget_patients,
    note_ahead,
)
from radrelay.hl7.reports import ReportBook
from radrelay.hl7.service import FORGOTTEN_AT_ONCE
from radrelay.hl7.worklist import OrderBook, forget_items
from radrelay.intake.landing import Landing
from radrelay.network.ports import TlsFiles
from radrelay.network.tls import client_context, server_context_of
from radrelay.routing import performed
from radrelay.settings import Hl7Receiver, Hl7Settings
from radrelay.storage.leadership import Leadership

PROCESS_S = 0.5
SEND_S = 1.0
FORGET_S = 600.0


def inboxes(core: Core, first: uuid.UUID) -> dict[str, Inbox]:
    """Return how each port's messages are taken; raises `Misconfigured`, which names the port."""
    with core.database.read() as session:
        return connections.inboxes(session, core.settings.hl7, first, core.settings.work.zone)


def open_listener(core: Core, first: uuid.UUID) -> MllpListener | None:
    """Return what listens for HL7, not started yet; None where no port is set."""
    settings = core.settings.hl7
    if not settings.ports:
        return None
    keeping = Keeping(core.database, core.clock, Seal(core.keyring.metadata_key), inboxes(core, first))
    limits = Limits(
        max_message_bytes=settings.max_message_bytes,
        max_connections=settings.max_connections,
        message_timeout_s=settings.message_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
    )
    return MllpListener(_ports(settings), keeping, limits)


def _ports(settings: Hl7Settings) -> list[Port]:
    tls = None
    if any(port.tls for port in settings.ports):
        tls = server_context_of(settings.tls_certificate, settings.tls_key, settings.tls_ca, "hl7.tls")
    return [Port(one.name, one.host, one.port, tls if one.tls else None) for one in settings.ports]


def patient_book(core: Core) -> PatientBook:
    """Return what keeps patients as the hospital's system names them, by what is set for each port."""
    ports = core.settings.hl7.ports
    return PatientBook(core.clock, {one.name: Policy(frozenset(one.coerce), frozenset(one.issuers)) for one in ports})


def handlers_of(core: Core, landing: Landing) -> Mapping[Change, Sequence[Handler]]:
    """Return what follows from messages, by what they are about; what becomes part of studies goes to `landing`."""
    with core.database.read() as session:
        boxes = connections.inboxes(session, core.settings.hl7, uuid.UUID(int=0), core.settings.work.zone)
    orders = OrderBook(core.clock, {name: box.mapping.zone for name, box in boxes.items()})
    return {
        "patient": [patient_book(core), orders.follow_patients, note_ahead],
        "order": [orders, *([OrderPriors(core.clock)] if core.settings.retrieve.enabled else []), note_ahead],
        "report": [ReportBook(core.clock, landing), note_ahead],
    }


def keep_hl7(
    core: Core, first: uuid.UUID, holder: str, stop: threading.Event,
    handlers: Mapping[Change, Sequence[Handler]],
) -> list[threading.Thread]:  # fmt: skip
    """Return the threads of `work` that go through received messages, send, and forget old ones, on one machine."""
    forgetting = loop("hl7 keeping", FORGET_S, stop, lambda: forget(core))
    if not (
        core.settings.hl7.ports or core.settings.hl7.receivers
    ):  # messages may be sent to destinations all the same
        return [forgetting]
    seal = Seal(core.keyring.metadata_key)
    processor = Processor(core.database, core.clock, seal, inboxes(core, first), handlers)
    lead = Leadership(core.database, core.clock, "hl7", holder)

    def process() -> None:
        if lead.held():
            processor.tick()

    return [loop("hl7", PROCESS_S, stop, process), forgetting, *keep_sending(core, holder, stop)]


def keep_sending(core: Core, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return a thread for each receiver: one that answers slowly keeps nobody waiting."""
    outgoing = Outgoing(core.database, core.clock, Seal(core.keyring.metadata_key))
    return [_sending(core, outgoing, one, holder, stop) for one in core.settings.hl7.receivers]


def _sending(
    core: Core, outgoing: Outgoing, receiver: Hl7Receiver, holder: str, stop: threading.Event
) -> threading.Thread:
    lead = Leadership(core.database, core.clock, f"hl7 to {receiver.name}", holder)
    tls = client_context(TlsFiles(str(receiver.tls_ca) if receiver.tls_ca else None)) if receiver.tls else None
    sender = MllpSender(Receiver(receiver.host, receiver.port, tls=tls, answer_timeout_s=receiver.answer_timeout_s))

    def send() -> None:
        if lead.held():
            outgoing.send_due({receiver.name: sender})
        else:
            sender.close()

    sending = loop(f"hl7 to {receiver.name}", SEND_S, stop, send)

    def run() -> None:
        sending.start()
        sending.join()
        sender.close()

    return threading.Thread(target=run, name=sending.name)


def forget(core: Core) -> int:
    """Forget messages that were kept long enough, and patients; returns how many rows."""
    settings = core.settings.hl7
    return sum(
        _forget(core, some, days)
        for some, days in (
            (forget_old, settings.keep_days),
            (forget_patients, settings.keep_patients_days),
            (forget_items, settings.keep_worklist_days),
            (performed.forget_old, settings.keep_worklist_days),
        )
    )


def _forget(core: Core, some: Callable[[Session, datetime, int], int], days: int) -> int:
    forgotten = 0
    while True:
        with core.database.write() as session:
            count = some(session, core.clock.now(), days)
        forgotten += count
        if count < FORGOTTEN_AT_ONCE:
            return forgotten
