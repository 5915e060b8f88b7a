"""What must be there before a role serves: an organisation, its first admin, default sources and grants."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from radrelay.access import ensure_default_grants
from radrelay.app.core import Core, exclusive
from radrelay.app.restored import replay_if_restored
from radrelay.app.role import beats_in
from radrelay.errors import Misconfigured
from radrelay.identity import Identity
from radrelay.intake.sources import ensure_defaults
from radrelay.storage.models import NodeState
from radrelay.storage.node import node_id

NODE = "node"
GONE = timedelta(seconds=60)


class AnotherNode(Misconfigured):
    """Another data directory serves this database just now; in this version one machine serves a database at a time."""

    code = "another-node"


@dataclass(frozen=True)
class Prepared:
    """An installation that is ready to serve. `first_password` is the one-time password of a first admin just made."""

    organisation_id: uuid.UUID
    identity: Identity
    first_password: str | None


def prepare(core: Core, *, leading: bool = False) -> Prepared:
    """Make what is missing; safe when several roles start at once: one does it, the others wait.

    No role serves rows that are older than the deletion ledger: before any port is open, whoever comes first repeats
    the deletions. The `leading` process also gives an installation that nobody has logged in to yet an admin with a
    new one-time password, which it shows.
    """
    settings = core.settings
    identity = Identity(core.database, core.clock, settings.web, core.keyring.metadata_key)
    with exclusive(settings.data_dir / "setup.lock"):
        claim(core)
        organisation_id = identity.ensure_organisation()
        replay_if_restored(core)
        with core.database.write() as session:
            now = core.clock.now()
            ensure_default_grants(session, organisation_id, settings.dicom.query_callers, now)
            ensure_defaults(session, organisation_id, settings, now)
        password = identity.ensure_first_admin() if leading else None
    return Prepared(organisation_id, identity, password)


def claim(core: Core) -> None:
    """Make this data directory the one that serves the database; raises `AnotherNode` while another does.

    What has landed lies on the machine that took it, so a second machine could neither index nor erase it.
    """
    own = node_id(core.settings.data_dir).encode()
    with core.database.write() as session:
        row = session.get(NodeState, NODE)
        known = row.value if row is not None else own
        alive = (beat for beat in beats_in(session) if beat.data.encode() == known)
        if known != own and any(core.clock.now() - beat.at < GONE for beat in alive):
            raise AnotherNode
        session.merge(NodeState(name=NODE, value=own))
