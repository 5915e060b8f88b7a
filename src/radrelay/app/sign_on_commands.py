"""The commands about single sign-on: whether its provider answers, and whose account is whose there."""

from __future__ import annotations

from rich.console import Console

from radrelay import audit
from radrelay.app.commands import account_of, command_principal, opened
from radrelay.clock import SystemClock
from radrelay.identity.oidc import open_single_sign_on, people
from radrelay.identity.oidc.errors import NoSignOn
from radrelay.settings import Settings


def check_command(settings: Settings) -> int:
    """Print what the provider says of itself, and what it has to know of us; returns the exit code."""
    source = open_single_sign_on(settings.oidc, settings.web.address, b"", SystemClock())
    if source is None:
        raise NoSignOn
    source.require_ready()
    reached = source.reach()
    told = Console(soft_wrap=True, highlight=False)
    for line in (
        f"{reached.issuer} answers, and has {reached.keys} keys to sign by ({', '.join(reached.algorithms)}).",
        f"redirect URI to be registered there: {source.redirect_uri}",
        f"after logging out: {source.logged_out_uri}" if reached.logs_out else "It cannot be logged out from there.",
        f"back-channel logout: {source.logout_uri}" if reached.ends_logins else "It has no back-channel logout.",
    ):
        told.print(line, markup=False)
    return 0


def link_command(settings: Settings, username: str, subject: str) -> int:
    """Make an account somebody's at the provider; returns the exit code."""
    if settings.oidc.issuer is None:
        raise NoSignOn
    with opened(settings) as (core, prepared):
        account = account_of(prepared, username)
        with core.database.write() as session:
            people.link(
                session, prepared.organisation_id, settings.oidc.issuer, subject, account.id, core.clock.now()
            )  # fmt: skip
            detail = {"subject": subject, "by": "sign-on"}
            event = audit.AuditRecord("account.link", command_principal(prepared), "account", account.id, detail)
            audit.record(session, event)
        Console().print(f"{account.username} belongs to {subject} there.", markup=False)
        return 0
