"""Commands of how people and machines get in: who they are, second factors, the directory, single sign-on, mail.

They parse and call, no more.
"""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings
from radrelay.settings import Settings

user_app = typer.Typer(no_args_is_help=True, help="people who can log in")
token_app = typer.Typer(no_args_is_help=True, help="keys for machines")
factor_app = typer.Typer(no_args_is_help=True, help="second factors: who needs one, and taking somebody's away")
directory_app = typer.Typer(no_args_is_help=True, help="the directory that people come from (LDAP)")
oidc_app = typer.Typer(no_args_is_help=True, help="single sign-on (OpenID Connect)")
mail_app = typer.Typer(no_args_is_help=True, help="the mail server")
people_commands = {"factor": factor_app, "directory": directory_app, "oidc": oidc_app, "mail": mail_app}


def _settings() -> Settings:
    return chosen_settings()


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


@user_app.command("list")
def user_list() -> None:
    """List the people, one a line: user name, role, name, and whether they are disabled."""
    from radrelay.app.commands import users_command

    _leave(users_command(_settings()))


@token_app.command("list")
def token_list() -> None:
    """List the keys for machines that count."""
    from radrelay.app.commands import tokens_command

    _leave(tokens_command(_settings()))


@token_app.command("revoke")
def token_revoke(token: Annotated[str, typer.Argument(help="its name, or its id as the list has it")]) -> None:
    """Refuse a machine its key from now on."""
    from radrelay.app.grant_commands import revoke_token_command

    _leave(revoke_token_command(_settings(), token))


@factor_app.command("rules")
def factor_rules() -> None:
    """Print who needs a second factor, and of which kinds."""
    from radrelay.app.factor_commands import rules_command

    _leave(rules_command(_settings()))


@factor_app.command("require")
def factor_require(
    role: Annotated[str, typer.Option(help="of people of this role")] = "",
    group: Annotated[str, typer.Option(help="of members of this group")] = "",
    kinds: Annotated[str, typer.Option(help="which kinds count: passkey, totp, email")] = "passkey,totp",
) -> None:
    """Require a second factor from the next login on."""
    from radrelay.app.factor_commands import require_command

    if bool(role) == bool(group):
        raise typer.BadParameter("name a role or a group")
    _leave(require_command(_settings(), role, group, tuple(kind.strip() for kind in kinds.split(","))))


@factor_app.command("release")
def factor_release(
    role: Annotated[str, typer.Option(help="of people of this role")] = "",
    group: Annotated[str, typer.Option(help="of members of this group")] = "",
) -> None:
    """Require no second factor of them any more."""
    from radrelay.app.factor_commands import release_command

    if bool(role) == bool(group):
        raise typer.BadParameter("name a role or a group")
    _leave(release_command(_settings(), role, group))


@factor_app.command("reset")
def factor_reset(name: str, reason: Annotated[str, typer.Option(help="what the person will read")]) -> None:
    """Take a person's second factors and recovery codes away; their logins end, and they are told at the next."""
    from radrelay.app.factor_commands import reset_command

    _leave(reset_command(_settings(), name, reason))


@directory_app.command("check")
def directory_check() -> None:
    """Say whether the directory answers and what is found in it; changes nothing."""
    from radrelay.app.directory_commands import check_command

    _leave(check_command(_settings()))


@directory_app.command("preview")
def directory_preview(
    adopt: Annotated[list[str] | None, typer.Option(help="an own account that becomes the directory's")] = None,
) -> None:
    """Say what a sync would do; changes nothing."""
    from radrelay.app.directory_commands import preview_command

    _leave(preview_command(_settings(), adopt or []))


@directory_app.command("sync")
def directory_sync(
    confirm: Annotated[str, typer.Option(help="what a preview, or a sync that asked, has printed")] = "",
    adopt: Annotated[list[str] | None, typer.Option(help="an own account that becomes the directory's")] = None,
) -> None:
    """Make accounts and groups follow the directory now; the first time it wants to be confirmed."""
    from radrelay.app.directory_commands import sync_command

    _leave(sync_command(_settings(), confirm, adopt or []))


@mail_app.command("test")
def mail_test(address: Annotated[str, typer.Argument(help="where a letter is sent to")]) -> None:
    """Send a letter at once and say what the server answered."""
    from radrelay.app.mail import mail_test_command

    _leave(mail_test_command(_settings(), address))


@oidc_app.command("check")
def oidc_check() -> None:
    """Say whether the provider answers, and what has to be registered there; changes nothing."""
    from radrelay.app.sign_on_commands import check_command

    _leave(check_command(_settings()))


@oidc_app.command("link")
def oidc_link(
    username: Annotated[str, typer.Argument(help="the account")],
    subject: Annotated[str, typer.Argument(help="who it belongs to at the provider: its `sub`")],
) -> None:
    """Make an account that of somebody at the provider."""
    from radrelay.app.sign_on_commands import link_command

    _leave(link_command(_settings(), username, subject))
