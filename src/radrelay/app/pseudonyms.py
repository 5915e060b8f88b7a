"""Pseudonyms in the roles: what the index diverts, what is written anew, what is forgotten when its time is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from radrelay.app.core import Core
from radrelay.intake.landing import Landing
from radrelay.intake.pseudonymising import PseudonymDiversion, PseudonymLanding
from radrelay.pseudonyms import VaultSeal, forget_handouts, forget_held, forget_unused
from radrelay.storage.leadership import Leadership

KEEP_REPORTS = timedelta(days=365)
log = structlog.get_logger(__name__)


def diversion(core: Core) -> PseudonymDiversion:
    """Return what keeps objects aside that are to be written anew."""
    return PseudonymDiversion(core.database, core.clock, VaultSeal(core.keyring.vault_key))


def pseudonym_landing(core: Core, landing: Landing) -> PseudonymLanding:
    """Return what writes them anew."""
    return PseudonymLanding(core.database, core.clock, core.segments, landing, VaultSeal(core.keyring.vault_key))


def pseudonymising(core: Core, landing: Landing) -> Callable[[], object]:
    """Return what does so again and again, on one machine."""
    lead = Leadership(core.database, core.clock, "pseudonyms", landing.log.owner)
    work = pseudonym_landing(core, landing)
    return lambda: lead.held() and work.run()


def forget_pseudonyms(core: Core) -> None:
    """Forget aliases that no project keeps any longer, and reports of long ago."""
    now = core.clock.now()
    with core.database.write() as session:
        gone = forget_unused(session, now.date())
        forget_handouts(session, now, KEEP_REPORTS)
        forget_held(session)
    if gone:
        log.info("aliases forgotten", aliases=gone)
