"""Facts about the other side of a connection: its address, whether TLS is on the way, which site it thinks this is.

Forwarded headers count only where the settings say that a proxy sets them.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

TUNNEL = "radrelay.tunnel"
"""Extension of the scope of what came through a relay: its address is known from there."""


def came_by_tunnel(scope: Scope) -> bool:
    """Say whether a connection came through a relay."""
    return TUNNEL in scope.get("extensions", ())


def peer_address(scope: Scope, behind_proxy: bool) -> str:
    """Return the client's address; behind a proxy the last that it appended to X-Forwarded-For.

    A proxy may add a line of its own (HAProxy does): what stands in the lines before it is the client's.
    """
    if behind_proxy:
        forwarded = Headers(scope=scope).getlist("x-forwarded-for")
        last = forwarded[-1].rsplit(",", 1)[-1].strip() if forwarded else ""
        if last:
            return last[:64]
    client = scope.get("client")
    return str(client[0])[:64] if client else ""


def is_secure(scope: Scope, behind_proxy: bool) -> bool:
    """Say whether the browser speaks TLS to us or to the proxy before us."""
    if behind_proxy and Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip() == "https":
        return True
    return scope.get("scheme") == "https"


def came_by_loopback(scope: Scope) -> bool:
    """Say whether a connection reached us at a loopback address, or at none (a socket of this machine's)."""
    server = scope.get("server")
    host = str(server[0]) if server else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def own_address(scope: Scope, behind_proxy: bool) -> str:
    """Return scheme and host under which a request came, such as https://pictures.example."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if behind_proxy and headers.get("x-forwarded-host"):
        host = headers["x-forwarded-host"].split(",")[0].strip()
    return f"{'https' if is_secure(scope, behind_proxy) else 'http'}://{host}"


def is_own_origin(scope: Scope, origin: str, behind_proxy: bool) -> bool:
    """Say whether `origin` (scheme://host:port) is the site that the request was sent to."""
    headers = Headers(scope=scope)
    hosts = {headers.get("host", "").lower()}
    if behind_proxy and headers.get("x-forwarded-host"):
        hosts.add(headers["x-forwarded-host"].split(",")[0].strip().lower())
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if not parts.netloc or parts.netloc.lower() not in hosts:
        return False
    return parts.scheme == "https" or not is_secure(scope, behind_proxy)


def is_from_this_machine(scope: Scope, behind_proxy: bool) -> bool:
    """Say whether a program on this machine asks this machine by a loopback name, with no proxy between."""
    headers = Headers(scope=scope)
    if behind_proxy or came_by_tunnel(scope) or "x-forwarded-for" in headers or "forwarded" in headers:
        return False
    host = urlsplit("//" + headers.get("host", "")).hostname or ""
    return _is_loopback(peer_address(scope, behind_proxy=False)) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
