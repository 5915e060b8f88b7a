"""Puts the web role's services together from what every role has open, for the composition root and for tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from radrelay.access import LinkKeys
from radrelay.archive.drawings import DrawingReader
from radrelay.archive.metadata import MetadataReader
from radrelay.archive.reader import InstanceReader
from radrelay.archive.renditions import Renditions
from radrelay.identity import Identity, PasswordLinks, organisations
from radrelay.identity.oidc import open_single_sign_on
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.mail import Post
from radrelay.marks.filing import MarkFilings
from radrelay.privacy.standing import House
from radrelay.storage.segments import SegmentReader
from radrelay.web.attachments import StoredAttachments
from radrelay.web.services import EchoAnswer, EchoTarget, ReadinessCheck, RoleState, WebServices, no_echo


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
) -> WebServices:
    """Return the services of one web process; `landing` is the process's own."""
    reader = InstanceReader(parts.database, parts.clock, parts.segments, parts.packs)
    renditions = Renditions(reader)
    attachments = StoredAttachments(parts.database, parts.clock, parts.segments, renditions, landing)
    scanning = parts.settings.intake.clamd is not None
    return WebServices(
        settings=parts.settings,
        clock=parts.clock,
        database=parts.database,
        identity=identity,
        organisation_id=organisation_id,
        metadata_key=parts.keyring.metadata_key,
        landing=landing,
        parcels=Parcels(parts.database, parts.clock, scanning=scanning),
        quarantine=Quarantine(parts.database, parts.segments, parts.clock),
        sources=sources,
        reader=reader,
        metadata=MetadataReader(reader, parts.packs),
        renditions=renditions,
        filings=MarkFilings(parts.database, parts.clock, renditions, landing),
        drawings=DrawingReader(reader),
        link_keys=LinkKeys(parts.keyring.metadata_key),
        password_links=_password_links(parts),
        house=parts,
        attachments=attachments,
        single_sign_on=open_single_sign_on(
            parts.settings.oidc, parts.settings.web.address, parts.keyring.metadata_key, parts.clock
        ),
        readiness=(
            ReadinessCheck("storage", parts.packs.check),
            ReadinessCheck("keys", parts.keys.check),
        ),
        roles=roles,
        echo=echo,
    )


def _password_links(parts: Parts) -> PasswordLinks:
    settings, key = parts.settings, parts.keyring.metadata_key
    post = Post(settings.mail, parts.clock, key, settings.web.organisation_name, organisations.name_of)
    return PasswordLinks(parts.clock, settings.identity, post, key)
