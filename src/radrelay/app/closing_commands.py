"""The command that closes an account: it says what goes and what stays, and does it when the operator is sure."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console

from radrelay import audit
from radrelay.app.commands import command_principal, opened
from radrelay.errors import NotFound
from radrelay.identity import PasswordLinks
from radrelay.identity.posting import open_post
from radrelay.privacy import closing
from radrelay.privacy.closing import Outlook
from radrelay.settings import Settings

GOES = {
    "logins": "logins", "tokens": "API tokens", "factors": "second factors", "settings": "settings",
    "letters": "letters that wait", "links": "links that open", "groups": "memberships of groups",
    "studies_ending": "studies that are kept for this person alone",
}  # fmt: skip
STAYS = {"studies_kept": "studies that others own or hold", "marks": "measurements and annotations"}


def close_command(settings: Settings, name: str, *, sure: bool) -> int:
    """Close an account if the operator is `sure`; returns 1 if he was only told."""
    told = Console(soft_wrap=True, highlight=False)
    with opened(settings) as (core, prepared):
        account = prepared.identity.account_named(name)
        if account is None:
            raise NotFound(f"there is no account {name!r}")
        now = core.clock.now()
        with core.database.read() as session:
            view = closing.outlook(session, prepared.identity, account, now)
        _tell(told, name, view)
        if not sure:
            told.print("Nothing was done. With --yes the account is closed for good.")
            return 1
        post = open_post(settings, core.clock, core.keyring.metadata_key)
        links = PasswordLinks(core.clock, settings.identity, post, core.keyring.metadata_key)
        with core.database.write() as session:
            before, ended = closing.close(session, prepared.organisation_id, account.id, now)
            links.tell_gone(session, before)
            detail = {"by": "command", "studies": ended}
            by = command_principal(prepared)
            audit.record(session, audit.AuditRecord("account.close", by, "account", account.id, detail=detail))
        told.print(f"{name} is closed", markup=False)
        return 0


def _tell(told: Console, name: str, view: Outlook) -> None:
    counts = asdict(view)
    told.print(f"With the account {name} goes:", markup=False)
    for field, words in GOES.items():
        told.print(f"  {counts[field]:>6} {words}")
    told.print("What stays:")
    for field, words in STAYS.items():
        told.print(f"  {counts[field]:>6} {words}")
    told.print("         the record, by its own retention, under the account's id")
    if view.comes_back:
        told.print("The directory or single sign-on makes a new account unless the person is taken out there.")
