"""The commands that do one thing and end: accounts, tokens, import, keys, expiry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.status import Status

from radrelay import audit, logs
from radrelay.access import SYSTEM_NAME, Principal
from radrelay.app.core import Core, open_core
from radrelay.app.forgetting import find_node, forget, loss_lines, loss_of, show_nodes
from radrelay.app.import_report import report_import
from radrelay.app.key_keeping import finish_rotation
from radrelay.app.node_findings import lease_text
from radrelay.app.prepare import Prepared, prepare
from radrelay.archive.erasing import Eraser
from radrelay.archive.naming import study_named
from radrelay.archive.retention import Retention
from radrelay.errors import NotFound
from radrelay.identity import AccountView, organisations
from radrelay.intake.imports import ImportProgress, import_path
from radrelay.intake.sources import list_sources
from radrelay.settings import Settings
from radrelay.storage.nodes import NodeServes

WIDE = 140  # columns of a table with ids: a narrow terminal breaks its lines, and nothing is cut off


def import_command(settings: Settings, path: Path, source_name: str) -> int:
    """Land what lies at `path`; the running roles take it into the list, and what became of it is printed."""
    core, prepared = open_command(settings)
    try:
        with core.database.read() as session:
            known = {source.name: source for source in list_sources(session, prepared.organisation_id)}
        source = known.get(source_name)
        if source is None:
            raise NotFound(f"there is no source {source_name!r}; there are {', '.join(sorted(known))}")
        with Console(stderr=True).status("reading …") as status:
            done = import_path(core, path, lambda progress: _show(status, progress), source)
        return report_import(core, prepared.organisation_id, done)
    finally:
        core.close()


def user_add_command(settings: Settings, name: str, role: str, password: str | None, full_name: str) -> int:
    """Add an account; prints a one-time password if none was given."""
    core, prepared = open_command(settings)
    try:
        identity = prepared.identity
        shown, encoded = (
            ("", identity.new_verifier(name, password)) if password else identity.new_one_time_password(name)
        )
        with core.database.write() as session:
            account = identity.create_account(
                session,
                prepared.organisation_id,
                username=name,
                full_name=full_name,
                role=role,
                encoded=encoded,
                must_change_password=not password,
            )
            _record(core, prepared, session, "account.create", ("account", str(account.id)))
        print(shown or f"added {name}")  # noqa: T201 -- the one-time password goes to who asked for it
        return 0
    finally:
        core.close()


def user_password_command(settings: Settings, name: str, password: str | None) -> int:
    """Give an account a new password; prints a one-time one if none was given."""
    core, prepared = open_command(settings)
    try:
        identity = prepared.identity
        account = account_of(prepared, name)
        shown, encoded = (
            ("", identity.new_verifier(name, password)) if password else identity.new_one_time_password(name)
        )
        with core.database.write() as session:
            identity.reset_password(session, prepared.organisation_id, account.id, encoded)
            _record(core, prepared, session, "account.password", ("account", str(account.id)))
        print(shown or f"{name} has a new password")  # noqa: T201
        return 0
    finally:
        core.close()


def token_add_command(settings: Settings, name: str, role: str, days: int | None, *, may_launch: bool = False) -> int:
    """Make an API token and print it, once."""
    core, prepared = open_command(settings)
    try:
        expires_at = core.clock.now() + timedelta(days=days) if days is not None else None
        with core.database.write() as session:
            made = prepared.identity.create_token(
                session, prepared.organisation_id, name=name, role=role, expires_at=expires_at, may_launch=may_launch
            )
            _record(core, prepared, session, "token.create", ("token", str(made.token.id)))
        print(made.secret)  # noqa: T201
        return 0
    finally:
        core.close()


def users_command(settings: Settings) -> int:
    """Print the people, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for one in prepared.identity.accounts(session, prepared.organisation_id):
            state = "  disabled" if one.disabled_at else ""
            print(f"{one.username}  {one.role}  {one.full_name or '-'}{state}")  # noqa: T201
    return 0


def tokens_command(settings: Settings) -> int:
    """Print the tokens that were not revoked, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for one in prepared.identity.tokens(session, prepared.organisation_id):
            until = f"  until {one.expires_at.astimezone():%Y-%m-%d %H:%M}" if one.expires_at else ""
            if one.revoked_at is None:
                print(f"{one.id}  {one.name}  {one.role}{until}")  # noqa: T201
    return 0


def keys_rotate_command(settings: Settings, *, master: bool) -> int:
    """Begin a new image key (and master key), wrap all anew; destroy older ones, except on PostgreSQL."""
    core, prepared = open_command(settings)
    try:
        version = core.keyring.rotate()
        if master:
            core.keyring.rotate_master()
        gone = finish_rotation(core)
        with core.database.write() as session:
            _record(core, prepared, session, "keys.rotate", ("keyring", "keyring"))
        if core.keyring.is_shared:
            print(f"image key version {version}; older versions are kept on PostgreSQL, for other nodes")  # noqa: T201
        else:
            destroyed = ", ".join(map(str, gone)) or "none"
            print(f"image key version {version}; older versions destroyed: {destroyed}")  # noqa: T201
        if master:
            print(  # noqa: T201
                f"new master key in {core.keyring.master_path}: copy it to the safe, and to the installation's other "
                "machines before they start again"
            )
        return 0
    finally:
        core.close()


def nodes_command(settings: Settings) -> int:
    """Print the installation's machines and what each alone holds."""
    core, _ = open_command(settings)
    try:
        show_nodes(core, Console(soft_wrap=True))
        return 0
    finally:
        core.close()


def nodes_forget_command(settings: Settings, name: str, *, sure: bool) -> int:
    """Say what is lost with a machine; give it up if the operator is `sure`. Returns 1 if he was only told."""
    core, prepared = open_command(settings)
    console = Console(soft_wrap=True)
    try:
        view = find_node(core, name)
        if view.alive:
            raise NodeServes(f"the machine {view.name!r} serves; stop it first")
        lines = list(loss_lines(loss_of(core, view.node)))
        console.print(f"With the disk of {view.name!r} ({view.node}, {lease_text(view)}) is lost:")
        for line in lines or ["nothing that the index knows of"]:
            console.print(f"    {line}")
        console.print(
            "Objects that it took in its last seconds may be missing without a trace here: let the sources send again "
            f"what they sent to it shortly before {view.beat_at:%Y-%m-%d %H:%M} UTC."
        )
        if not sure:
            console.print("Nothing was changed. If the disk will not come back, say so with --yes.")
            return 1
        forget(core, view, command_principal(prepared))
        console.print(f"{view.name!r} is forgotten; what was lost can be sent again.")
        return 0
    finally:
        core.close()


def expiry_resume_command(settings: Settings) -> int:
    """Say that the clock is right after all."""
    core, prepared = open_command(settings)
    try:
        keep = core.settings.keys.keep_replaced
        eraser = Eraser(core.database, core.clock, core.keys, core.segments, core.packs, keep_keys=keep)
        retention = Retention(core.database, core.clock, settings.retention, eraser)
        if retention.suspended_at() is None:
            print("expiry is not suspended")  # noqa: T201
            return 0
        retention.confirm_clock()
        with core.database.write() as session:
            _record(core, prepared, session, "expiry.resume", ("installation", "expiry"))
        print("expiry goes on")  # noqa: T201
        return 0
    finally:
        core.close()


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Core, Prepared]]:
    """Hold an installation open for one command."""
    core, prepared = open_command(settings)
    try:
        yield core, prepared
    finally:
        if prepared.identity.directory is not None:
            prepared.identity.directory.processes.close()
        core.close()


def open_command(settings: Settings) -> tuple[Core, Prepared]:
    """Open the installation for one command, which the record names as `command`."""
    logs.configure(settings.log.model_copy(update={"level": "warning"}), "command", None)
    core = open_core(settings)
    try:
        prepared = prepare(core)
        if settings.organisation:
            with core.database.read() as session:
                meant = organisations.named(session, settings.organisation)
            prepared = replace(prepared, organisation_id=meant.id)
    except BaseException:
        core.close()
        raise
    audit.install(core.database, "command", core.clock, core.keyring.metadata_key, study_named)
    return core, prepared


def account_of(prepared: Prepared, name: str) -> AccountView:
    """Return the account of a user name in the organisation that a command acts for; raises `NotFound`."""
    account = prepared.identity.account_named(name)
    if account is None or account.organisation_id != prepared.organisation_id:
        raise NotFound(f"there is no account {name!r} in this organisation; of another, say --organisation NAME")
    return account


def _record(core: Core, prepared: Prepared, session: sa.orm.Session, action: str, subject: tuple[str, str]) -> None:
    audit.record(session, audit.AuditRecord(action, command_principal(prepared), subject[0], subject[1]))


def command_principal(prepared: Prepared) -> Principal:
    """Return who the record names for what is done at the command line."""
    return Principal("system", "command", f"{SYSTEM_NAME} command", prepared.organisation_id, role="system")


def _show(status: Status, progress: ImportProgress) -> None:
    status.update(f"{progress.files} files read, {progress.bytes / 1e6:.0f} MB")
