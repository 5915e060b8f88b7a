"""The certificate for outside in the role `web`: asked for and renewed where the answers to the authority are given."""

from __future__ import annotations

import threading
import uuid

from cryptography.hazmat.primitives.asymmetric import ec

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.core import Core
from radrelay.app.threads import loop
from radrelay.gateway.acme_account import AcmeAccount
from radrelay.gateway.acme_files import AcmeFiles
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.renewing import Authority, Outcome, Renewing
from radrelay.gateway.standing import standing

LOOK_S = 3.0


def keep_public_certificate(
    core: Core, organisation_id: uuid.UUID, answers: Challenges, stop: threading.Event
) -> threading.Thread:
    """Return the thread of `web` that keeps the certificate for outside fresh."""
    settings = core.settings
    files = AcmeFiles(settings.gateway_dir, core.keyring.metadata_key)
    renewing = Renewing(files, answers, core.clock, settings.agent.acme_trust, _opened)

    def look() -> None:
        elsewhere = settings.agent.tls_certificate is not None or settings.agent.onward is not None
        if elsewhere or files.plan() is None:
            return
        states = standing(settings.gateway_dir, core.clock.now()) or ()
        outcome = renewing.look([host for one in states for host in one.hosts])
        if outcome is not None:
            _note(core, organisation_id, outcome)

    thread = loop("public certificate", LOOK_S, stop, look)
    thread.daemon = True  # an authority that is slow to answer holds no ending up
    return thread


def _opened(account: AcmeAccount, key: ec.EllipticCurvePrivateKey) -> Authority:
    from radrelay.gateway.acme_client import AcmeClient  # noqa: PLC0415  # its library is loaded where it is used

    return AcmeClient(account, key)


def _note(core: Core, organisation_id: uuid.UUID, outcome: Outcome) -> None:
    """Put on record what came of it."""
    system = system_principal(organisation_id)
    if outcome.facts is not None:
        detail = {"names": list(outcome.facts.names), "until": outcome.facts.ends_at.isoformat()}
        record = audit.AuditRecord("gateway.renew", system, detail=detail)
    elif outcome.state.code:
        detail = {"reason": outcome.state.code}
        record = audit.AuditRecord("gateway.renew", system, detail=detail, outcome="failure")
    else:
        return
    with core.database.write() as session:
        audit.record(session, record)
