"""Commands of rules: parse and call, nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from radrelay.cli_organisation import chosen_settings

rule_app = typer.Typer(no_args_is_help=True, help="rules: what is done with studies that come")
RuleId = Annotated[str, typer.Argument(help="the rule's id, or its name")]
File = Annotated[Path, typer.Argument(help="a file with the rule as JSON, as `rule show` prints it; - is stdin")]


def _leave(code: int) -> NoReturn:
    raise typer.Exit(code)


def _text(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")


@rule_app.command("list")
def rule_list() -> None:
    """List the rules in their order, and what they have met."""
    from radrelay.app.routing_rule_commands import list_command

    _leave(list_command(chosen_settings()))


@rule_app.command("show")
def rule_show(rule: RuleId) -> None:
    """Print a rule as JSON."""
    from radrelay.app.routing_rule_commands import show_command

    _leave(show_command(chosen_settings(), rule))


@rule_app.command("add")
def rule_add(
    file: File,
    try_only: Annotated[bool, typer.Option("--try", help="only tell what it would do with the last 200")] = False,
) -> None:
    """Make a rule, the last in order."""
    from radrelay.app.routing_rule_commands import add_command

    _leave(add_command(chosen_settings(), _text(file), try_only=try_only))


@rule_app.command("change")
def rule_change(rule: RuleId, file: File) -> None:
    """Change a rule; what it was before is kept."""
    from radrelay.app.routing_rule_commands import change_command

    _leave(change_command(chosen_settings(), rule, _text(file)))


@rule_app.command("on")
def rule_on(rule: RuleId) -> None:
    """Switch a rule on."""
    from radrelay.app.routing_rule_commands import switch_command

    _leave(switch_command(chosen_settings(), rule, enabled=True))


@rule_app.command("off")
def rule_off(rule: RuleId) -> None:
    """Switch a rule off."""
    from radrelay.app.routing_rule_commands import switch_command

    _leave(switch_command(chosen_settings(), rule, enabled=False))


@rule_app.command("delete")
def rule_delete(rule: RuleId) -> None:
    """Delete a rule; what it did stays."""
    from radrelay.app.routing_rule_commands import delete_command

    _leave(delete_command(chosen_settings(), rule))


@rule_app.command("met")
def rule_met(study: Annotated[str, typer.Argument(help="Study Instance UID or id")]) -> None:
    """Print which rules met a study, why, and what they did."""
    from radrelay.app.routing_rule_commands import met_command

    _leave(met_command(chosen_settings(), study))
