"""What `radrelay dlx …` does: serve a folder as a provider that can fail, and test a provider."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import typer

from radrelay.errors import Invalid
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.connectors.ports import Lead
from radrelay.importer.dlx import contract
from radrelay.importer.dlx.kit import Finding, Subject, check
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import Key, Provider
from radrelay.importer.dlx.serving import ProviderServer
from radrelay.importer.judging import Judge, resolve
from radrelay.importer.line import Limits, Proxy
from radrelay.importer.outgoing import Outgoing
from radrelay.importer.places import target_of
from radrelay.network.web_service import trusting

BIRTH_DATE, UNKNOWN_BIRTH_DATE = "PAT_BIRTH_DATE", "19700101"
OPENS_WITH = {BIRTH_DATE: "the birth date", "STUDY_DATE": "the study date", "PASSWORD": "the password"}
LOOPBACK, WIDTH = "127.0.0.1", 100
SIGNS = {"passed": "✓ passed", "failed": "✗ FAILED", "advice": "! advice", "untested": "– untested"}
LIMITS = Limits(connect_s=10, idle_s=30, answer_s=30, head_s=120, whole_s=1800, window_s=60)


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and how it fails."""

    folder: Path | None
    port: int
    token: str
    expired_token: str
    answers: Mapping[str, str] = field(repr=False)
    faults: frozenset[str]
    certificate: Path | None
    host: str


@dataclass(frozen=True, slots=True)
class Checking:
    """What is tested, and from where."""

    url: str = field(repr=False)
    answers: Mapping[str, str] = field(repr=False)
    expired: str = field(repr=False)
    allow: Sequence[str]
    authorities: Path | None
    proxy: str = field(repr=False)
    inside: bool


def faults_command() -> int:
    """List the ways of failing."""
    for one in contract.FAULTS:
        typer.echo(f"{one.name}\t{one.text}\t{one.breaks or '(allowed)'}")
    return 0


def serve_command(serving: Serving) -> int:
    """Serve until interrupted."""
    server, library, url, answers = open_provider(serving)
    typer.echo(f"{url}/portal?token={serving.token}")
    typer.echo(f"{url}{contract.BASE}/token/{serving.token}")
    for kind, answer in answers.items():
        typer.echo(f"opens with {OPENS_WITH[kind]} {answer}")
    for name in sorted(serving.faults):
        typer.echo(f"fails: {contract.FAULTS_BY_NAME[name].text}", err=True)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was made goes, however it is ended
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
        library.close()
    return 0


def open_provider(serving: Serving) -> tuple[ProviderServer, Library, str, Mapping[str, str]]:
    """Return a server that listens, what it hands out, its address, and what opens it; raises `Invalid`."""
    library = Library(serving.folder)
    try:
        if not library.items:
            raise Invalid("there is no DICOM file in this folder")
        born = library.items[0].birth_date or UNKNOWN_BIRTH_DATE
        given = {**serving.answers, BIRTH_DATE: serving.answers.get(BIRTH_DATE) or born}
        answers = {kind: _answer(kind, answer) for kind, answer in given.items() if answer}
        keys = (Key(serving.token, answers), Key(serving.expired_token, answers, expired=True))
        server = ProviderServer(Provider(library, keys, serving.faults), (LOOPBACK, serving.port), serving.certificate)
    except OSError as error:
        library.close()
        raise Invalid(f"port {serving.port} on this machine cannot be used: {error.strerror or error}") from error
    except BaseException:
        library.close()
        raise
    url = f"{'https' if serving.certificate else 'http'}://{serving.host}:{server.port}"
    server.provider = Provider(library, keys, serving.faults, url)
    return server, library, url, answers


def check_command(checking: Checking, *, as_json: bool) -> int:
    """Test a provider; 1 if a clause is broken."""
    outgoing = _outgoing(checking)
    lead = _lead(outgoing, checking.url)
    expired = _lead(outgoing, checking.expired) if checking.expired else None
    found = check(outgoing, Subject(lead, checking.answers, expired))
    broken = sum(one.outcome == "failed" for one in found)
    if as_json:
        typer.echo(
            json.dumps({"host": lead.host, "failed": broken, "findings": [_told(one) for one in found]}, indent=2)
        )
    else:
        untested = [one.detail for one in found if one.outcome == "untested"]
        for one in found:
            if one.outcome != "untested" or untested.count(one.detail) == 1:
                _print(one)
        for why in dict.fromkeys(one for one in untested if untested.count(one) > 1):
            _print_together(why, [one.clause.id for one in found if (one.outcome, one.detail) == ("untested", why)])
        typer.echo(f"\n{lead.host}: {_counted(found)}")
    return 1 if broken else 0


def _outgoing(checking: Checking) -> Outgoing:
    """Return a way out to the host of the link, and to those that are allowed besides."""
    hosts = {target_of(one, clear_loopback=True).name for one in (checking.url, checking.expired) if one}
    hosts |= {one.lower() for one in checking.allow}

    @cache
    def context() -> ssl.SSLContext:
        return trusting(checking.authorities)

    proxy = Proxy(checking.proxy) if checking.proxy else None
    judge = Judge(resolve, loopback=True, inside=checking.inside)
    return Outgoing(hosts.__contains__, judge, context, _bounded(), proxy)


def _bounded() -> Limits:
    """Return limits that leave room here: two downloads lie side by side, and a provider may send without end."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return replace(LIMITS, most_bytes=min(LIMITS.most_bytes, free // 4))


def _lead(outgoing: Outgoing, url: str) -> Lead:
    lead = DlxConnector(outgoing, AttemptsInMemory()).recognise(url)
    if lead is None:
        raise Invalid("this is no link with a token: …/token/VALUE, or the portal's own address with ?token=VALUE")
    return lead


def _answer(kind: str, given: str) -> str:
    """Return an answer as importers send it; raises `Invalid`."""
    found = date_of(given)
    if kind.endswith("DATE") and found is None:
        raise Invalid(f"{given} is no date")
    return f"{found:%Y%m%d}" if kind.endswith("DATE") and found else given


def _print(one: Finding) -> None:
    typer.echo(f"{SIGNS[one.outcome]:<11} {one.clause.id}: {one.clause.text}")
    told = [one.detail] if one.detail else []
    told += [one.clause.why] if one.outcome in ("failed", "advice") else []
    for line in told:
        typer.echo(textwrap.fill(line, WIDTH, initial_indent=" " * 12, subsequent_indent=" " * 12))


def _print_together(why: str, clauses: Sequence[str]) -> None:
    """Name clauses that one and the same thing kept from being tested: what failed is not lost among them."""
    told = f"{SIGNS['untested']:<11} {why}: {', '.join(clauses)}"
    typer.echo(textwrap.fill(told, WIDTH, subsequent_indent=" " * 12))


def _told(one: Finding) -> dict[str, str]:
    return {
        "clause": one.clause.id,
        "force": one.clause.force,
        "outcome": one.outcome,
        "text": one.clause.text,
        "seen": one.detail,
        "why": one.clause.why,
    }


def _counted(found: Sequence[Finding]) -> str:
    counts = {name: sum(one.outcome == name for one in found) for name in SIGNS}
    return ", ".join(f"{count} {name}" for name, count in counts.items())
