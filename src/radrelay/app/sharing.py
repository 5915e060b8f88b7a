"""The commands of links: made for a person who may share, listed, revoked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from radrelay import access, audit
from radrelay.access import LinkKeys, Principal, Protection
from radrelay.app.commands import account_of, command_principal, open_command
from radrelay.archive.models import Series, Study
from radrelay.errors import NotFound
from radrelay.mail.errors import MailNotSet
from radrelay.settings import Settings
from radrelay.web.program_links import addresses_for_programs
from radrelay.web.sharing import Sharing, address_in, made_events, share, told
from radrelay.web.trail import Patient


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """What a link is to be like."""

    days: int
    max_uses: int | None = None
    protection: Protection = "none"
    may_download: bool = False
    label: str = ""
    email: str = ""


def link_make_command(settings: Settings, username: str, named: list[str], options: LinkOptions) -> int:
    """Make a link in the name of a person to studies or series, named by id or UID; prints its address, and its PIN.

    Of one that hands images out, its addresses for DICOM Link Exchange and as a SMART Health Link follow.
    """
    if options.email and settings.mail.host is None:
        raise MailNotSet
    core, prepared = open_command(settings)
    try:
        account = account_of(prepared, username)
        if account.disabled_at is not None:
            raise NotFound(f"there is no account {username!r} that can log in")
        maker = Principal(
            "account", str(account.id), account.full_name or account.username, account.organisation_id, account.role
        )
        now = core.clock.now()
        with core.database.write() as session:
            studies, series = _targets(session, account.organisation_id, named)
            asked = Sharing(
                studies, series, now + timedelta(days=options.days), options.max_uses, options.protection,
                may_download=options.may_download, label=options.label, email=options.email,
            )  # fmt: skip
            made, reached = share(session, LinkKeys(core.keyring.metadata_key), maker, asked, now)

            def event(detail: dict[str, object], patient: Patient) -> audit.AuditRecord:
                who, whole = command_principal(prepared), detail | {"name": username}
                return audit.AuditRecord("link.make", who, "link", made.link.id, whole, patient=patient)

            audit.record_many(session, made_events(event, made.link, reached))
        web = settings.web
        site, keys = web.address or f"http://{web.host}:{web.port}", LinkKeys(core.keyring.metadata_key)
        print(address_in(site, made.token))  # noqa: T201 -- seen this once
        if made.pin:
            print(f"PIN {made.pin}")  # noqa: T201
        for address in filter(None, addresses_for_programs(keys, site, made.link, made.token)):
            print(address)  # noqa: T201
        return 0
    finally:
        core.close()


def _targets(
    session: sa.orm.Session, organisation_id: uuid.UUID, named: list[str]
) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Return the ids of the studies and of the series that are named by id or UID; raises `NotFound`."""
    studies: list[uuid.UUID] = []
    series: list[uuid.UUID] = []
    for name in named:
        for into, table, uid in ((studies, Study, Study.study_uid), (series, Series, Series.series_uid)):
            is_named = table.id == uuid.UUID(name) if "-" in name else uid == name
            found = session.scalars(sa.select(table.id).where(table.organisation_id == organisation_id, is_named)).all()
            into.extend(found)
            if found:
                break
        else:
            raise NotFound(f"there is no study and no series {name!r}")
    return studies, series


def link_list_command(settings: Settings, *, everything: bool) -> int:
    """Print the links that open something, or all of them."""
    core, prepared = open_command(settings)
    try:
        with core.database.read() as session:
            found = access.listed_links(session, prepared.organisation_id, core.clock.now())
        table = Table("link", "state", "until", "uses", "asks for", "download", "made by", "note")
        for one in found:
            if everything or one.state in ("open", "closed"):
                uses = str(one.uses) if one.max_uses is None else f"{one.uses} of {one.max_uses}"
                until = one.ends_at.astimezone().strftime("%Y-%m-%d %H:%M")
                row = (str(one.id), one.state, until, uses, _asks(one.protection))
                table.add_row(*row, "yes" if one.may_download else "no", one.maker_name, one.label)
        Console().print(table)
        return 0
    finally:
        core.close()


def _asks(protection: Protection) -> str:
    return {"none": "-", "pin": "PIN", "birth-date": "birth date", "email": "code by e-mail"}[protection]


def link_revoke_command(settings: Settings, link_id: str) -> int:
    """Revoke a link; what it opened is closed at once."""
    core, prepared = open_command(settings)
    try:
        try:
            wanted = uuid.UUID(link_id)
        except ValueError as error:
            raise NotFound(f"there is no link {link_id!r}; `radrelay link list` has their ids") from error
        with core.database.write() as session:
            link = access.link_of(session, prepared.organisation_id, wanted, core.clock.now())
            access.revoke_link(session, prepared.organisation_id, wanted, core.clock.now())
            if link.revoked_at is None:
                record = audit.AuditRecord("link.revoke", command_principal(prepared), "link", wanted, told(link))
                audit.record(session, record)
        print("revoked")  # noqa: T201
        return 0
    finally:
        core.close()
