"""The `radrelay` command: parses and calls, nothing else."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from pydantic import ValidationError

from radrelay import __version__
from radrelay.cli_access import access_commands
from radrelay.cli_analyses import analysis_app
from radrelay.cli_audit import audit_app
from radrelay.cli_dlx import dlx_commands
from radrelay.cli_gateway import gateway_commands
from radrelay.cli_grants import grant_app, group_app
from radrelay.cli_organisation import act_for_one, chosen_settings, for_one_organisation, organisation_app
from radrelay.cli_people import people_commands, token_app, user_app
from radrelay.cli_perfusion import perfusion, perfusion_phantom
from radrelay.cli_privacy import privacy_commands
from radrelay.cli_recipes import recipe_commands
from radrelay.cli_rules import rule_app
from radrelay.cli_schedules import schedule_app
from radrelay.cli_waiting import waiting_app
from radrelay.errors import RadrelayError
from radrelay.settings import Settings

NEW_OBJECTS = 50_000

app = typer.Typer(name="radrelay", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
link_app = typer.Typer(no_args_is_help=True, help="links to studies and series")
config_app = typer.Typer(no_args_is_help=True, help="settings")
keys_app = typer.Typer(no_args_is_help=True, help="encryption keys")
expiry_app = typer.Typer(no_args_is_help=True, help="expiry of studies")
nodes_app = typer.Typer(help="machines of one installation")
app.add_typer(user_app, name="user")
for _name, _commands in people_commands.items():
    app.add_typer(_commands, name=_name)
app.add_typer(token_app, name="token")
app.add_typer(group_app, name="group")
app.add_typer(grant_app, name="grant")
app.add_typer(rule_app, name="rule")
app.add_typer(schedule_app, name="schedule")
app.add_typer(analysis_app, name="analysis")
app.add_typer(waiting_app, name="waiting")
app.command("perfusion")(perfusion)
app.command("perfusion-phantom")(perfusion_phantom)
app.add_typer(link_app, name="link")
app.add_typer(config_app, name="config")
app.add_typer(keys_app, name="keys")
app.add_typer(expiry_app, name="expiry")
app.add_typer(nodes_app, name="nodes")
app.add_typer(audit_app, name="audit")
app.add_typer(organisation_app, name="organisation")
for _name, _commands in (privacy_commands | gateway_commands | dlx_commands | recipe_commands).items():
    app.add_typer(_commands, name=_name)


def main() -> None:
    """Run the command; errors are told in plain words on standard error.

    What is imported stays, and looking for garbage in it every 700 objects would be a tenth of a start.
    """
    gc.set_threshold(NEW_OBJECTS)
    try:
        app()
    except ValidationError as error:
        for problem in error.errors():
            name = "RADRELAY_" + "__".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"setting {name}: {problem['msg']}", err=True)
        sys.exit(2)
    except RadrelayError as error:
        typer.echo(f"radrelay: {error.message}", err=True)
        sys.exit(1)


def _settings() -> Settings:
    return chosen_settings()


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


access_app = access_commands(chosen_settings, _leave)
app.add_typer(access_app, name="access")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve() -> None:
    """Start the roles listen, web and work on this machine."""
    from radrelay.app.serve import serve as run

    _leave(run(_settings(), demo=False))


@app.command()
def demo() -> None:
    """Start with sample studies loaded, in a data directory of their own."""
    from radrelay.app.demo import demo_settings
    from radrelay.app.serve import serve as run

    _leave(run(demo_settings(_settings()), demo=True))


@app.command()
def listen() -> None:
    """Run the DICOM listener alone."""
    from radrelay.app.listen import run

    _leave(run(_settings()))


@app.command()
def web() -> None:
    """Run the pages, DICOMweb and REST alone."""
    from radrelay.app.web import run

    _leave(run(_settings()))


@app.command()
def work() -> None:
    """Run the durable work alone."""
    from radrelay.app.work import run

    _leave(run(_settings()))


@app.command("import")
@for_one_organisation
def import_(
    path: Annotated[Path, typer.Argument(exists=True, help="a file, a folder, a CD or a ZIP")],
    source: Annotated[str, typer.Option(help="the source that it counts as")] = "Import",
) -> None:
    """Take in what lies at PATH."""
    from radrelay.app.commands import import_command

    _leave(import_command(_settings(), path, source))


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="admin, user, dpo, service or guest")] = "user",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
    full_name: Annotated[str, typer.Option(help="as shown")] = "",
) -> None:
    """Add a person; without --password-stdin a one-time password is printed."""
    from radrelay.app.commands import user_add_command

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    _leave(user_add_command(_settings(), name, role, password, full_name))


@user_app.command("password")
def user_password(
    name: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
) -> None:
    """Give a person a new password; without --password-stdin a one-time password is printed."""
    from radrelay.app.commands import user_password_command

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    _leave(user_password_command(_settings(), name, password))


@user_app.command("close")
def user_close(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="close it; without, it is only said what would go")] = False,
) -> None:
    """Close a person's account for good: what hangs on it goes; says what, and what stays."""
    from radrelay.app.closing_commands import close_command

    _leave(close_command(_settings(), name, sure=yes))


@token_app.command("add")
def token_add(
    name: str,
    role: Annotated[str, typer.Option(help="user, admin, dpo or service")] = "user",
    days: Annotated[int | None, typer.Option(help="valid for so many days; without: until revoked")] = None,
    launch: Annotated[bool, typer.Option("--launch", help="may open the viewer in people's names")] = False,
) -> None:
    """Make a key for a machine and print it, once: `Authorization: Bearer …`."""
    from radrelay.app.commands import token_add_command

    _leave(token_add_command(_settings(), name, role, days, may_launch=launch))


@link_app.command("make")
def link_make(
    targets: Annotated[list[str], typer.Argument(help="studies and series, by id or by UID")],
    user: Annotated[str, typer.Option(help="in whose name: the link shows what that person may share")],
    days: Annotated[int, typer.Option(help="open for so many days")] = 7,
    uses: Annotated[int | None, typer.Option(help="opens so many times; without: as often as one likes")] = None,
    pin: Annotated[bool, typer.Option("--pin", help="ask for a PIN, which is printed")] = False,
    birth_date: Annotated[bool, typer.Option("--birth-date", help="ask for the patient's date of birth")] = False,
    email: Annotated[str, typer.Option(help="ask for a code that is sent to this address each time")] = "",
    download: Annotated[bool, typer.Option("--download", help="let images be saved")] = False,
    note: Annotated[str, typer.Option(help="for whom it is, as its maker sees it")] = "",
) -> None:
    """Make a link and print its address, once."""
    from radrelay.app.sharing import LinkOptions, link_make_command

    if pin + birth_date + bool(email) > 1:
        raise typer.BadParameter("a link asks for a PIN, for the date of birth, or for a code by e-mail")
    asks: Literal["none", "pin", "birth-date", "email"] = (
        "pin" if pin else "birth-date" if birth_date else "email" if email else "none"
    )
    options = LinkOptions(days, uses, asks, download, note, email)
    _leave(link_make_command(_settings(), user, targets, options))


@link_app.command("list")
def link_list(
    everything: Annotated[bool, typer.Option("--all", help="those that open nothing any more, too")] = False,
) -> None:
    """Print the links: until when, how often opened, by whom made."""
    from radrelay.app.sharing import link_list_command

    _leave(link_list_command(_settings(), everything=everything))


@link_app.command("revoke")
def link_revoke(link: str) -> None:
    """Revoke a link; what it opened is closed at once."""
    from radrelay.app.sharing import link_revoke_command

    _leave(link_revoke_command(_settings(), link))


@config_app.command("show")
def config_show() -> None:
    """Explain every setting: its value, where that comes from, what it does."""
    from radrelay.app.config import show

    _leave(show(_settings()))


@app.command()
def doctor(
    verify: Annotated[bool, typer.Option(help="read and check every stored object, too")] = False,
) -> None:
    """Check keys, database, storage, ports, clock, codecs and disk, and say what to do."""
    from radrelay.app.doctor import doctor as run

    _leave(run(_settings(), verify=verify))


@app.command()
@for_one_organisation
def promises() -> None:
    """Say what is promised of people's data and whether it is kept; exit status 1 if a promise is broken."""
    from radrelay.app.privacy_commands import promises_command

    _leave(promises_command(_settings()))


@app.command()
def unusual(
    settle: Annotated[str, typer.Option(help="the id of an alarm that somebody has looked into")] = "",
    note: Annotated[str, typer.Option(help="what came of it")] = "",
    let_in: Annotated[bool, typer.Option(help="let in again whom it has shut out")] = False,
) -> None:
    """List who fetched far more than usual, exit status 1 if nobody has looked into one of them; or settle an alarm."""
    from radrelay.app.volume_commands import list_alarms, settle_alarm

    if settle:
        _leave(settle_alarm(_settings(), settle, note, let_in=let_in))
    _leave(list_alarms(_settings()))


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="a folder; an older backup in it is brought up to date")],
) -> None:
    """Write a consistent, encrypted backup while running. It holds no key of a study."""
    from radrelay.app.backup import backup as run

    _leave(run(_settings(), target))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(exists=True, help="a backup's folder")],
    check: Annotated[bool, typer.Option("--check", help="verify the backup, restore nothing")] = False,
) -> None:
    """Restore a backup into an empty data directory; every expiry and erasure since is applied again."""
    from radrelay.app.restore import restore as run

    _leave(run(_settings(), source, check=check))


@keys_app.command("rotate")
def keys_rotate(
    master: Annotated[bool, typer.Option(help="replace the master key, too")] = False,
) -> None:
    """Begin a new image key; what is stored stays readable and is wrapped anew."""
    from radrelay.app.commands import keys_rotate_command

    _leave(keys_rotate_command(_settings(), master=master))


@nodes_app.callback(invoke_without_command=True)
def nodes(context: typer.Context) -> None:
    """List the machines of the installation and what each alone holds, or FORGET one whose disk is lost."""
    if context.invoked_subcommand is None:
        from radrelay.app.commands import nodes_command

        _leave(nodes_command(_settings()))


@nodes_app.command("forget")
def nodes_forget(
    name: Annotated[str, typer.Argument(help="the machine's name, or its node's id")],
    yes: Annotated[bool, typer.Option("--yes", help="its disk is lost for good; give up what it alone holds")] = False,
) -> None:
    """Say what is lost with a machine's disk; with --yes give it up, so that it can be sent again."""
    from radrelay.app.commands import nodes_forget_command

    _leave(nodes_forget_command(_settings(), name, sure=yes))


@expiry_app.command("resume")
def expiry_resume() -> None:
    """Let expiry go on after a jump of the clock suspended it and the clock was found right."""
    from radrelay.app.commands import expiry_resume_command

    _leave(expiry_resume_command(_settings()))


act_for_one([user_app, token_app, group_app, grant_app, link_app, audit_app, access_app, people_commands["factor"]])
