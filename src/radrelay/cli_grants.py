"""Commands of groups and grants: parse and call, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

if TYPE_CHECKING:
    from radrelay.app.grant_commands import Named

group_app = typer.Typer(no_args_is_help=True, help="groups of people and tokens")
grant_app = typer.Typer(no_args_is_help=True, help="grants: who may do what with which studies")
User = Annotated[str, typer.Option(help="a person, by user name; * is everybody with an account")]
Group = Annotated[str, typer.Option(help="a group, by name or id")]
Role = Annotated[str, typer.Option(help="admin, user, dpo, service or guest; * is any")]
Ae = Annotated[str, typer.Option(help="a DICOM device, by its calling AE title; * is any")]
Token = Annotated[str, typer.Option(help="an API token, by name or id; * is any")]
Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="its end, local time")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


def _one_of(**given: str) -> Named | None:
    """Return whom the options name; none if nobody."""
    from radrelay.app.grant_commands import Named

    named = [Named(kind, name) for kind, name in given.items() if name]
    if len(named) > 1:
        raise typer.BadParameter("name one: " + ", ".join(f"--{one}" for one in given))
    return named[0] if named else None


def _somebody(**given: str) -> Named:
    named = _one_of(**given)
    if named is None:
        raise typer.BadParameter("name one: " + ", ".join(f"--{one}" for one in given).replace("account", "user"))
    return named


@group_app.command("list")
def group_list() -> None:
    """List the groups."""
    from radrelay.app.grant_commands import groups_command

    _leave(groups_command(chosen_settings()))


@group_app.command("add")
def group_add(name: str, description: Annotated[str, typer.Option(help="as shown")] = "") -> None:
    """Make a group; it sees nothing until it is granted something."""
    from radrelay.app.grant_commands import group_add_command

    _leave(group_add_command(chosen_settings(), name, description))


@group_app.command("join")
def group_join(group: Annotated[str, typer.Argument(help="name or id")], user: User = "", token: Token = "") -> None:
    """Put a person or a token into a group."""
    from radrelay.app.grant_commands import join_command

    _leave(join_command(chosen_settings(), group, _somebody(account=user, token=token)))


@group_app.command("leave")
def group_leave(group: Annotated[str, typer.Argument(help="name or id")], user: User = "", token: Token = "") -> None:
    """Take a person or a token out of a group; what only the group gave them ends at once."""
    from radrelay.app.grant_commands import leave_command

    _leave(leave_command(chosen_settings(), group, _somebody(account=user, token=token)))


@grant_app.command("list")
def grant_list(user: User = "", group: Group = "", role: Role = "", ae: Ae = "", token: Token = "") -> None:
    """List the newest 1,000 grants, or those to one."""
    from radrelay.app.grant_commands import grants_command

    _leave(grants_command(chosen_settings(), _one_of(account=user, group=group, role=role, ae=ae, token=token)))


@grant_app.command("give")
def grant_give(
    rights: Annotated[str, typer.Argument(help="with commas between: see, download, share, forward, annotate, delete, "
                                               "reidentify, fetch, worklist, break-glass")],
    user: User = "", group: Group = "", role: Role = "", ae: Ae = "", token: Token = "",
    source: Annotated[str, typer.Option(help="on what a source brings, by its name or id; else on everything")] = "",
    study: Annotated[str, typer.Option(help="on one study, by its Study Instance UID or id")] = "",
    until: Moment = None,
    alias: Annotated[bool, typer.Option("--alias", help="without the patients' names")] = False,
    priors: Annotated[bool, typer.Option("--priors", help="marked for the rule of earlier studies")] = False,
) -> None:  # fmt: skip
    """Give a grant; it counts from now on."""
    from radrelay.app.grant_commands import Asked, give_command

    to = _somebody(account=user, group=group, role=role, ae=ae, token=token)
    _leave(give_command(chosen_settings(), Asked(to, source, study, rights, alias, until, priors)))


@grant_app.command("end")
def grant_end(
    grant: Annotated[str, typer.Argument(help="its id, as the list has it")],
    yes: Annotated[bool, typer.Option("--yes", help="though nobody could see anything afterwards")] = False,
) -> None:
    """End a grant; it counts no more from now on."""
    from radrelay.app.grant_commands import end_command

    _leave(end_command(chosen_settings(), grant, sure=yes))
