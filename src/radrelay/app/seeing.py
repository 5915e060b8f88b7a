"""The commands of who sees what beyond grants: restricted studies, earlier studies by rule, proven devices."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Binding, PriorRuleView, WantedRestriction
from radrelay.app.commands import command_principal, open_command
from radrelay.app.core import Core
from radrelay.app.prepare import Prepared
from radrelay.archive.locking import lock_archive
from radrelay.settings import Settings

Doing = Callable[[Core, Prepared, Session], audit.AuditRecord]


def restrict_command(settings: Settings, wanted: WantedRestriction) -> int:
    """Restrict studies, without seeing them."""

    def restrict(core: Core, prepared: Prepared, session: Session) -> audit.AuditRecord:
        lock_archive(session)
        principal = command_principal(prepared)
        made = access.restrict(session, prepared.organisation_id, wanted, principal.name, core.clock.now())
        print(f"{made.id}  {made.studies} studies here")  # noqa: T201
        detail: dict[str, object] = {"kind": made.kind, "studies": made.studies, "reason_given": bool(made.reason)}
        patient = (made.issuer, made.value, "") if made.kind == "patient" else None
        detail |= {} if patient else {"value": made.value}
        return audit.AuditRecord("access.restrict", principal, "restriction", made.id, detail, patient=patient)

    return _done(settings, restrict)


def prior_rule_command(settings: Settings, wanted: PriorRuleView) -> int:
    """Make the rule of earlier studies."""

    def make(core: Core, prepared: Prepared, session: Session) -> audit.AuditRecord:
        del core
        access.set_prior_rule(session, prepared.organisation_id, wanted)
        detail: dict[str, object] = {
            "reach": wanted.reach, "years": wanted.years, "marked_only": wanted.marked_only,
        }  # fmt: skip
        return audit.AuditRecord("access.prior-rule", command_principal(prepared), detail=detail)

    return _done(settings, make)


def bind_device_command(settings: Settings, ae_title: str, wanted: Binding) -> int:
    """Bind a calling AE title to what proves it."""

    def bind(core: Core, prepared: Prepared, session: Session) -> audit.AuditRecord:
        made = access.bind_device(session, prepared.organisation_id, ae_title, wanted, core.clock.now())
        detail: dict[str, object] = {
            "addresses": list(made.addresses), "subject": made.subject, "fingerprint": made.fingerprint,
        }  # fmt: skip
        return audit.AuditRecord("device.bind", command_principal(prepared), "ae", made.ae_title, detail)

    return _done(settings, bind)


def _done(settings: Settings, do: Doing) -> int:
    core, prepared = open_command(settings)
    try:
        with core.database.write() as session:
            audit.record(session, do(core, prepared, session))
        return 0
    finally:
        core.close()
