"""HL7 in the roles: `listen` takes messages, `work` goes through them in order and forgets old ones."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence

from radrelay.app.core import Core
from radrelay.app.threads import loop
from radrelay.errors import Misconfigured
from radrelay.hl7 import (
    Change,
    Handler,
    Inbox,
    Keeping,
    Limits,
    MllpListener,
    Port,
    Processor,
    Reading,
    Seal,
    forget_old,
    load_mapping,
)
from radrelay.hl7.errors import MappingInvalid
from radrelay.hl7.service import FORGOTTEN_AT_ONCE
from radrelay.identity import organisations
from radrelay.identity.organisations import OrganisationUnknown
from radrelay.network.tls import server_context_of
from radrelay.settings import Hl7Settings
from radrelay.storage.leadership import Leadership

PROCESS_S = 0.5
FORGET_S = 600.0


def inboxes(core: Core, first: uuid.UUID) -> dict[str, Inbox]:
    """Return how each port's messages are taken; `first` is whose they are where no organisation is named.

    Raises `Misconfigured`, which names the port.
    """
    found = {}
    with core.database.read() as session:
        for port in core.settings.hl7.ports:
            owner = first
            if port.organisation:
                try:
                    owner = organisations.named(session, port.organisation).id
                except OrganisationUnknown as error:
                    raise Misconfigured(f"hl7.ports, {port.name}: no organisation {port.organisation!r}") from error
            try:
                mapping = load_mapping(port.mapping)
            except MappingInvalid as error:
                raise Misconfigured(f"hl7.ports, {port.name}: {error.message}") from error
            reading = Reading(port.character_set, port.trust_character_set, port.senders)
            found[port.name] = Inbox(owner, mapping, reading, port.acknowledge)
    return found


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


def keep_hl7(
    core: Core, first: uuid.UUID, holder: str, stop: threading.Event,
    handlers: Mapping[Change, Sequence[Handler]] | None = None,
) -> list[threading.Thread]:  # fmt: skip
    """Return the threads of `work` that go through received messages and forget old ones, on one machine."""
    forgetting = loop("hl7 keeping", FORGET_S, stop, lambda: forget(core))
    if not core.settings.hl7.ports:  # messages may be sent to destinations all the same
        return [forgetting]
    seal = Seal(core.keyring.metadata_key)
    processor = Processor(core.database, core.clock, seal, inboxes(core, first), handlers or {})
    lead = Leadership(core.database, core.clock, "hl7", holder)

    def process() -> None:
        if lead.held():
            processor.tick()

    return [loop("hl7", PROCESS_S, stop, process), forgetting]


def forget(core: Core) -> int:
    """Forget messages that were kept long enough; returns how many."""
    forgotten = 0
    while True:
        with core.database.write() as session:
            count = forget_old(session, core.clock.now(), core.settings.hl7.keep_days)
        forgotten += count
        if count < FORGOTTEN_AT_ONCE:
            return forgotten
