"""The commands of DICOM Link Exchange: a provider that can be told to fail, and the kit that tests providers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

dlx_app = typer.Typer(no_args_is_help=True, help="DICOM Link Exchange: a provider for tests, and a test of providers")
dlx_commands = {"dlx": dlx_app}


@dlx_app.command("serve")
def dlx_serve(
    folder: Annotated[Path | None, typer.Argument(exists=True, file_okay=False, help="DICOM files and reports")] = None,
    port: Annotated[int, typer.Option(help="port on this machine; 0: a free one")] = 8188,
    token: Annotated[str, typer.Option(help="the token that opens it")] = "ABC-S1Z-98A",  # noqa: S107
    expired_token: Annotated[str, typer.Option(help="a token that has expired")] = "OLD-S1Z-98A",  # noqa: S107
    birth_date: Annotated[str, typer.Option(help="the right answer; without: that of the first study")] = "",
    study_date: Annotated[str, typer.Option(help="ask for it, too")] = "",
    password: Annotated[str, typer.Option(help="ask for it, too")] = "",
    fault: Annotated[list[str] | None, typer.Option(help="fail in this way; may be given again")] = None,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of chain and key; without: http")
    ] = None,
    host: Annotated[str, typer.Option(help="name in the addresses that it tells, as in the certificate")] = "127.0.0.1",
    list_faults: Annotated[bool, typer.Option("--faults", help="list the ways of failing, and leave")] = False,
) -> None:
    """Hand out a folder by DLX on this machine, until interrupted: for tests of importers, never for patients."""
    from radrelay.app.dlx_commands import Serving, faults_command, serve_command

    if list_faults:
        raise typer.Exit(faults_command())
    answers = {"PAT_BIRTH_DATE": birth_date, "STUDY_DATE": study_date, "PASSWORD": password}
    raise typer.Exit(
        serve_command(Serving(folder, port, token, expired_token, answers, frozenset(fault or []), certificate, host))
    )


@dlx_app.command("check")
def dlx_check(
    url: Annotated[str, typer.Argument(help="the link, as the patient has it; -: read it from standard input")],
    birth_date: Annotated[str, typer.Option(help="the answer, if it is asked for")] = "",
    study_date: Annotated[str, typer.Option(help="the answer, if it is asked for")] = "",
    password: Annotated[str, typer.Option(help="the answer, if it is asked for; -: read it from standard input")] = "",
    custom: Annotated[str, typer.Option(help="the answer to a question of another kind")] = "",
    expired: Annotated[str, typer.Option(help="a link that has expired, with the same answers")] = "",
    allow: Annotated[list[str] | None, typer.Option(help="another host that it may use; may be given again")] = None,
    authorities: Annotated[
        Path | None, typer.Option("--ca", exists=True, dir_okay=False, help="PEM of authorities that are believed")
    ] = None,
    proxy: Annotated[str, typer.Option(help="http://host:port, the way out")] = "",
    inside: Annotated[bool, typer.Option("--inside", help="the provider is in this house's own network")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Test a provider of DLX clause by clause and explain each failure; exit status 1 if a clause is broken."""
    from radrelay.app.dlx_commands import Checking, check_command

    given = sys.stdin.readline().strip() if url == "-" else url
    secret = sys.stdin.readline().strip() if password == "-" else password  # noqa: S105  # the sign for standard input
    answers = {"birth-date": birth_date, "study-date": study_date, "password": secret, "custom": custom}
    told = {kind: answer for kind, answer in answers.items() if answer}
    raise typer.Exit(
        check_command(Checking(given, told, expired, allow or [], authorities, proxy, inside), as_json=as_json)
    )
