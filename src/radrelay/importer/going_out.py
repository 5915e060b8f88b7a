"""The way out as the settings say: limits, the proxy, authorities, this installation's own addresses, allowed hosts."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from radrelay.errors import Misconfigured
from radrelay.importer.errors import AddressRefused, HostInside, PortalUnreachable
from radrelay.importer.judging import Judge, Resolver, own_addresses, resolve
from radrelay.importer.line import Limits, Proxy
from radrelay.importer.outgoing import Allows, Outgoing
from radrelay.importer.places import target_of
from radrelay.network.web_service import trusting
from radrelay.settings import ImporterSettings, Settings


def nobody_confirmed(host: str) -> bool:
    """Confirm no host."""
    del host
    return False


def outgoing_of(settings: Settings, confirmed: Allows = nobody_confirmed) -> Outgoing:
    """Return the way out; `confirmed` tells whether an administrator has allowed a host besides those that are set."""
    importer = settings.importer

    @cache
    def context() -> ssl.SSLContext:
        return trusting(importer.ca_file)

    return Outgoing(
        lambda host: is_listed(host, importer.hosts) or confirmed(host),
        judge_of(settings),
        context,
        limits_of(importer),
        proxy_of(importer),
    )


def judge_of(settings: Settings, resolver: Resolver = resolve) -> Judge:
    """Return what judges addresses here."""
    return Judge(
        resolver, own=lambda: _own(settings.web.address), own_name=urlsplit(settings.web.address or "").hostname or ""
    )


def require_confirmable(settings: Settings, host: str, resolver: Resolver = resolve) -> None:
    """Raise `HostInside` for what is inside this house and so no portal, by its name or by where that leads.

    A name that is not known just now, or that the proxy alone resolves, is judged once it is asked.
    """
    judge, importer = replace(judge_of(settings, resolver), loopback=settings.importer.trial), settings.importer
    try:
        target = target_of(f"https://{host}/")
        judge.require_outside(target.host)
        if importer.proxy is None or not importer.proxy_resolves:
            judge.addresses(target.host, target.port)
    except AddressRefused as error:
        raise HostInside(host=host) from error
    except PortalUnreachable:
        return


def is_listed(host: str, listed: Sequence[str]) -> bool:
    """Tell whether a host is on a list: as it is, or below a `*.`."""
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in listed)


def limits_of(importer: ImporterSettings) -> Limits:
    """Return the limits of requests."""
    return Limits(
        connect_s=importer.connect_timeout_s,
        idle_s=importer.idle_timeout_s,
        answer_s=importer.answer_timeout_s,
        head_s=importer.packing_timeout_s,
        whole_s=importer.whole_timeout_s,
        most_bytes=importer.largest_bytes,
    )


def proxy_of(importer: ImporterSettings) -> Proxy | None:
    """Return the site's proxy, none if there is none; raises `Misconfigured`."""
    if importer.proxy is None:
        return None
    login = "" if importer.proxy_login_file is None else _login(importer.proxy_login_file)
    return Proxy(importer.proxy.replace("http://", f"http://{login}", 1), resolves=importer.proxy_resolves)


def _login(file: Path) -> str:
    try:
        name, found, password = file.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"importer.proxy_login_file {file} cannot be read") from error
    if not found:
        raise Misconfigured(f"importer.proxy_login_file {file} holds no name:password")
    return f"{quote(name, safe='')}:{quote(password, safe='')}@"


def _own(address: str | None) -> frozenset[str]:
    """Return this machine's addresses, and those under which people outside reach the pages."""
    host = urlsplit(address or "").hostname
    return own_addresses() | (frozenset(_found(host, resolve)) if host else frozenset())


def _found(host: str, lookup: Callable[[str, int], Sequence[str]]) -> Sequence[str]:
    try:
        return lookup(host, 443)
    except PortalUnreachable:
        return ()
