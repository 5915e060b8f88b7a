"""The commands about second factors: who needs one, and taking somebody's away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rich.console import Console
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.app.commands import account_of, command_principal, opened
from radrelay.app.prepare import Prepared
from radrelay.errors import NotFound
from radrelay.identity.factors import Kind, rules
from radrelay.identity.factors.rules import SubjectKind
from radrelay.settings import Settings


def rules_command(settings: Settings) -> int:
    """Print the rules."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        names = {str(group.id): group.name for group in access.groups(session, prepared.organisation_id)}
        told = Console(soft_wrap=True, highlight=False)
        for rule in rules.listed(session, prepared.organisation_id):
            name = names.get(rule.subject_id, rule.subject_id)
            told.print(f"{rule.subject_kind} {name}: {', '.join(rule.kinds)}", markup=False)
        return 0


def require_command(settings: Settings, role: str, group: str, kinds: Sequence[str]) -> int:
    """Require a second factor of a role or group."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        kind, own_id = _subject(session, prepared, role, group)
        wanted = cast("Sequence[Kind]", kinds)
        prepared.identity.factors.require(session, prepared.organisation_id, kind, own_id, wanted)
        detail = {"subject": f"{kind} {own_id}", "kinds": ",".join(sorted(kinds))}
        _record(session, prepared, "factor.require", (kind, own_id), detail)
        return 0


def release_command(settings: Settings, role: str, group: str) -> int:
    """Take a rule back."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        kind, own_id = _subject(session, prepared, role, group)
        gone = rules.release(session, prepared.organisation_id, kind, own_id)
        detail = {"subject": f"{kind} {own_id}", "kinds": ",".join(gone.kinds)}
        _record(session, prepared, "factor.release", (kind, own_id), detail)
        return 0


def reset_command(settings: Settings, name: str, reason: str) -> int:
    """Take a person's second factors away."""
    with opened(settings) as (core, prepared):
        account = account_of(prepared, name)
        by = command_principal(prepared)
        with core.database.write() as session:
            count = prepared.identity.factors.reset(session, prepared.organisation_id, account.id, by.name, reason)
            detail = {"count": count, "reason": reason}
            _record(session, prepared, "factor.reset", ("account", str(account.id)), detail)
        print(f"{count} second factors of {name} are gone")  # noqa: T201 -- the answer of a command
        return 0


def _subject(session: Session, prepared: Prepared, role: str, group: str) -> tuple[SubjectKind, str]:
    if role:
        return "role", role
    found = [one for one in access.groups(session, prepared.organisation_id) if one.name.casefold() == group.casefold()]
    if not found:
        raise NotFound(f"there is no group {group!r}")
    return "group", str(found[0].id)


def _record(
    session: Session, prepared: Prepared, action: str, subject: tuple[str, str], detail: Mapping[str, object]
) -> None:
    kind, own_id = subject
    event = audit.AuditRecord(action, command_principal(prepared), kind, own_id, detail=detail)
    audit.record(session, event)
