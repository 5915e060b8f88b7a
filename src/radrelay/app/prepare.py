"""What must be there before a role serves: an organisation, its first admin, default sources and grants."""

from __future__ import annotations

import socket
import uuid
from contextlib import ExitStack
from dataclasses import dataclass

from radrelay.access import ensure_default_grants
from radrelay.app.core import Core, exclusive
from radrelay.app.restored import refuse_half_restored, replay_if_restored
from radrelay.identity import Identity
from radrelay.identity.directory import open_directory
from radrelay.identity.passwords import PasswordRules
from radrelay.identity.posting import open_post
from radrelay.intake.sources import ensure_defaults
from radrelay.storage import nodes
from radrelay.storage.node import holder_of
from radrelay.storage.nodes import Lease


@dataclass(frozen=True)
class Prepared:
    """An installation that is ready to serve. `first_password` is the one-time password of a first admin just made.

    `first_id` is the organisation that the installation began with; a command may act for another one.
    """

    organisation_id: uuid.UUID
    first_id: uuid.UUID
    identity: Identity
    lease: Lease
    first_password: str | None


def prepare(core: Core, *, leading: bool = False) -> Prepared:
    """Make what is missing; safe when several roles start at once: one does it, the others wait.

    No role serves rows that are older than the deletion ledger: before any port is open, whoever comes first repeats
    the deletions. The `leading` process also gives an installation that nobody has logged in to yet an admin with a
    new one-time password, which it shows.
    """
    settings = core.settings
    identity = Identity(
        core.database,
        core.clock,
        settings.web,
        core.keyring.metadata_key,
        iterations=settings.identity.password_iterations,
        directory=open_directory(settings.directory, core.clock),
        rules=PasswordRules.of(settings.identity),
        post=open_post(settings, core.clock, core.keyring.metadata_key),
    )
    with exclusive(settings.data_dir / "setup.lock"), ExitStack() as turn:
        lease = claim(core)  # before its turn: it may wait for an older lease to end, and others must not
        turn.enter_context(nodes.alone(core.database))
        refuse_half_restored(core)
        organisation_id = identity.ensure_organisation()
        replay_if_restored(core)
        with core.database.write() as session:
            now = core.clock.now()
            ensure_default_grants(session, organisation_id, settings.dicom.query_callers, now)
            ensure_defaults(session, organisation_id, settings, now)
        password = identity.ensure_first_admin() if leading else None
    return Prepared(organisation_id, organisation_id, identity, lease, password)


def claim(core: Core) -> Lease:
    """Take the lease of this data directory; raises `NodeElsewhere`, or `AnotherNode` on an embedded database."""
    own = Lease(core.node, 0, holder_of(core.settings.data_dir))
    return nodes.claim(core.database, core.clock, own, core.settings.node.name or socket.gethostname())
