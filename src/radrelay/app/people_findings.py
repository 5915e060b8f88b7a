"""What `radrelay doctor` says of where people come from: the directory's servers, and single sign-on's provider."""

from __future__ import annotations

from collections.abc import Iterator

from radrelay import access
from radrelay.app.findings import Finding, State
from radrelay.clock import SystemClock
from radrelay.errors import RadrelayError
from radrelay.identity import organisations
from radrelay.identity.directory import open_directory
from radrelay.identity.oidc.provider import Provider
from radrelay.settings import Settings
from radrelay.storage.database import Database

GUARD = "an account with a password of its own gets in meanwhile"
ADVICE = {
    "directory-unavailable": f"check directory.urls and that the server answers there; {GUARD}",
    "directory-untrusted": "name the authority that signed its certificate (directory.ca_file), or renew that",
    "directory-refuses-us": "check directory.bind_dn and its password",
    "directory-unreadable": "check directory.base, and that the reading account may see it",
    "oidc-unavailable": f"check oidc.issuer and that this machine reaches it; {GUARD}",
    "oidc-untrusted": "name the authority that signed its certificate (oidc.ca_file), or renew that",
    "oidc-unreadable": "oidc.issuer has to be written exactly as the provider writes it",
}


def people_findings(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each server that people come from; nothing where none is set."""
    yield from _directory(settings)
    yield from _sign_on(settings)
    yield from _sign_up(settings)


def _directory(settings: Settings) -> Iterator[Finding]:
    directory = open_directory(settings.directory, SystemClock())
    if directory is None:
        return
    try:
        directory.require_ready()
        states = directory.reach()
    except RadrelayError as error:
        yield Finding("directory", "bad", error.message, ADVICE.get(error.code, "see docs/administration.md"))
        return
    finally:
        directory.processes.close()
    others = sum(one.trouble is None for one in states)
    for one in states:
        subject = f"directory {one.url}"
        if one.trouble is None:
            yield Finding(subject, "good", "answers, its certificate holds, we are let in, and the base can be read")
        else:
            state: State = "look" if others else "bad"
            yield Finding(subject, state, one.trouble.detail, ADVICE.get(one.trouble.code, ""))


def _sign_on(settings: Settings) -> Iterator[Finding]:
    if settings.oidc.issuer is None:
        return
    subject = f"single sign-on {settings.oidc.issuer}"
    provider = Provider(settings.oidc)
    try:
        provider.require_ready()
        keys = len(provider.keys())
    except RadrelayError as error:
        yield Finding(subject, "bad", error.message, ADVICE.get(error.code, "see docs/administration.md"))
        return
    yield Finding(subject, "good", f"answers, and has {keys} keys to sign by")


def _sign_up(settings: Settings) -> Iterator[Finding]:
    """Yield what keeps people from signing up though the setting lets them; terms are looked at by the page."""
    if not settings.sign_up.enabled:
        return
    if settings.mail.host is None:
        yield Finding("sign-up", "bad", "nobody can sign up: no mail server is set", "set mail.host and mail.sender")
        return
    first = "an administrator lets them in" if settings.sign_up.by_admin else "nobody looks at it first"
    group = f"are to join the group {settings.sign_up.group!r}" if settings.sign_up.group else "join no group"
    text = f"people may sign up once terms are published; they {group}, and {first}"
    yield Finding("sign-up", "good", text)


def group_findings(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yield that the group which people join by signing up is not there, where it is not."""
    wanted = settings.sign_up.group.strip()
    if not settings.sign_up.enabled or not wanted:
        return
    with database.read() as session:
        first = next(iter(organisations.every(session)), None)
        if first is None or access.group_named(session, first.id, wanted) is not None:
            return
    text = f"sign_up.group names {wanted!r}, and {first.name} has no such group: who signs up joins none, sees nothing"
    advice = "make that group on the page Groups, or name one that is there; then put in who has signed up meanwhile"
    yield Finding("sign-up", "bad", text, advice)
