"""Puts the web role's services together from what every role has open, for the composition root and for tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from radrelay.access import LinkKeys
from radrelay.archive.corrected import CorrectedReader
from radrelay.archive.drawings import DrawingReader
from radrelay.archive.metadata import MetadataReader
from radrelay.archive.renditions import Renditions
from radrelay.identity import AddressChanges, Identity, PasswordLinks, SignUps
from radrelay.identity.oidc import open_single_sign_on
from radrelay.identity.posting import open_post
from radrelay.importer.recipes.tested import TestedFolder
from radrelay.importer.sealing import LinkSeal, ReportSeal
from radrelay.importer.surroundings import Surroundings
from radrelay.intake.awaiting import WaitingRoom
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.pseudonymising import PseudonymDiversion
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.marks.filing import MarkFilings
from radrelay.privacy.standing import House
from radrelay.pseudonyms import Deidentifier, VaultSeal
from radrelay.retrieve.ports import Connector
from radrelay.retrieve.schedules.finding import Finder
from radrelay.retrieve.worklist import Worklists
from radrelay.routing.rules.actions import Kinds
from radrelay.routing.rules.previewing import CopyPreview, previewed
from radrelay.storage.segments import SegmentReader
from radrelay.web.attachments import StoredAttachments
from radrelay.web.services import (
    DestinationTrial,
    EchoAnswer,
    EchoTarget,
    ReadinessCheck,
    RoleState,
    WebServices,
    no_echo,
    no_trial,
)


class Parts(House, Protocol):
    """What every role has open."""

    @property
    def segments(self) -> SegmentReader: ...  # noqa: D102  # the name says it


def assemble(
    parts: Parts,
    identity: Identity,
    organisation_id: uuid.UUID,
    landing: Landing,
    sources: SourceBook,
    *,
    roles: Callable[[], Sequence[RoleState]] = tuple,
    echo: Callable[[EchoTarget], EchoAnswer] = no_echo,
    archives: Connector | None = None,
    finder: Finder | None = None,
    worklists: Worklists | None = None,
    rule_kinds: Kinds | None = None,
    importing: Surroundings | None = None,
    try_destination: DestinationTrial = no_trial,
) -> WebServices:
    """Return the services of one web process; `landing` is the process's own."""
    reader = CorrectedReader(parts.database, parts.clock, parts.segments, parts.packs)
    renditions = Renditions(reader)
    attachments = StoredAttachments(parts.database, parts.clock, parts.segments, renditions, landing)
    scanning = parts.settings.intake.clamd is not None
    key = parts.keyring.metadata_key
    seal = VaultSeal(parts.keyring.vault_key)
    post = open_post(parts.settings, parts.clock, key)
    return WebServices(
        settings=parts.settings,
        clock=parts.clock,
        database=parts.database,
        identity=identity,
        organisation_id=organisation_id,
        metadata_key=key,
        landing=landing,
        parcels=Parcels(parts.database, parts.clock, scanning=scanning),
        quarantine=Quarantine(parts.database, parts.segments, parts.clock),
        waiting_room=WaitingRoom(
            parts.database, parts.segments, parts.clock, PseudonymDiversion(parts.database, parts.clock, seal)
        ),
        sources=sources,
        reader=reader,
        metadata=MetadataReader(reader, parts.packs),
        renditions=renditions,
        filings=MarkFilings(parts.database, parts.clock, renditions, landing),
        drawings=DrawingReader(reader),
        link_keys=LinkKeys(key),
        link_seal=LinkSeal(key),
        report_seal=ReportSeal(key),
        segments=parts.segments,
        password_links=PasswordLinks(parts.clock, parts.settings.identity, post, key),
        sign_ups=SignUps(parts.clock, parts.settings.sign_up, post, key),
        address_changes=AddressChanges(parts.clock, post),
        house=parts,
        vault_seal=seal,
        copies=Deidentifier(parts.database, parts.clock, reader, seal),
        attachments=attachments,
        single_sign_on=open_single_sign_on(parts.settings.oidc, parts.settings.web.address, key, parts.clock),
        readiness=(
            ReadinessCheck("storage", parts.packs.check),
            ReadinessCheck("keys", parts.keys.check),
        ),
        roles=roles,
        echo=echo,
        archives=archives,
        finder=finder,
        worklists=worklists,
        importing=importing,
        recipes=TestedFolder(parts.settings.importer.recipes, clear_loopback=parts.settings.importer.trial),
        rule_kinds=previewed(rule_kinds or {}, CopyPreview(parts.clock, reader, seal)),
        try_destination=try_destination,
    )
