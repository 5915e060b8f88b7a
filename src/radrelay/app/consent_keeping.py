"""What `work` does for consents: withdrawals that had to leave something are carried on, counted usage ends."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
import structlog

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.core import Core
from radrelay.intake.quarantine import Quarantine
from radrelay.privacy.consent_models import PrivacyTransfer, UsageEvent, UsageWithdrawal
from radrelay.privacy.usage import forget_usage
from radrelay.privacy.withdrawing import Hands, carry_on

log = structlog.get_logger(__name__)


def carry_on_withdrawals(core: Core) -> None:
    """Delete what came by a withdrawn transfer and may go now: a hold has ended, or it came into the list since."""
    with core.database.read() as session:
        any_withdrawn = session.scalar(
            sa.select(PrivacyTransfer.id).where(PrivacyTransfer.withdrawn_at.is_not(None)).limit(1)
        )
    if any_withdrawn is None:
        return
    quarantine = Quarantine(core.database, core.segments, core.clock)

    def hands_of(organisation_id: uuid.UUID) -> Hands:
        principal = system_principal(organisation_id)

        def note(
            action: str, study_id: uuid.UUID, patient: tuple[str, str, str], detail: dict[str, object]
        ) -> audit.AuditRecord:
            return audit.AuditRecord(action, principal, "study", study_id, detail=detail, patient=patient)

        return Hands(principal.name, note, quarantine.delete)

    with core.database.write() as session:
        consents = carry_on(session, hands_of, core.clock.now())
    if consents:
        log.info("withdrawals carried on", consents=consents)


def keep_usage(core: Core) -> None:
    """End counted usage that was kept long enough, and all of it where it is not counted any more."""
    with core.database.read() as session:
        known = session.scalar(sa.select(UsageEvent.id).limit(1)) or session.scalar(
            sa.select(UsageWithdrawal.digest).limit(1)
        )
    if known is None:
        return
    statistics = core.settings.statistics
    with core.database.write() as session:
        gone = forget_usage(session, core.clock.now(), statistics.retention_days, enabled=statistics.enabled)
    if gone:
        log.info("counted usage was over", events=gone)
