"""Over TLS every cookie of ours has the prefix `__Host-` (RFC 6265bis, 4.1.3.2), whoever sets it.

A browser takes such a cookie from this very host over TLS alone, for all of its paths: no neighbouring host name and
no page that came in the clear can plant one, and what was planted without the prefix is not read. Routes know their
cookies by the plain names. Those stay over plain HTTP, which is answered on loopback alone, where browsers would
refuse the prefix.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radrelay.web.connection import is_secure

OURS = b"radrelay_"
PREFIX = b"__Host-"


class HostCookies:
    """Gives cookies that go out their prefix, and takes it from those that come back."""

    def __init__(self, app: ASGIApp, behind_proxy: bool) -> None:
        self.app = app
        self.behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not is_secure(scope, self.behind_proxy):
            await self.app(scope, receive, send)
            return

        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, prefixed(value) if name.lower() == b"set-cookie" else value)
                    for name, value in message.get("headers", ())
                ]
                message = {**message, "headers": headers}
            await send(message)

        headers = [(name, plain(value) if name == b"cookie" else value) for name, value in scope["headers"]]
        await self.app({**scope, "headers": headers}, receive, send_prefixed)


def prefixed(set_cookie: bytes) -> bytes:
    """Return a Set-Cookie of ours with the prefix and what belongs to it: Secure, Path=/ and no Domain."""
    pair, *attributes = set_cookie.split(b";")
    if not pair.lstrip().startswith(OURS):
        return set_cookie
    kept = [one for one in attributes if _name(one) not in (b"path", b"domain", b"secure")]
    return b";".join([PREFIX + pair.strip(), *kept, b" Path=/", b" Secure"])


def plain(cookies: bytes) -> bytes:
    """Return a Cookie header with our cookies under their plain names; ours that came without the prefix are left out.

    The prefix is compared without case, as browsers do.
    """
    if OURS not in cookies:
        return cookies
    taken = []
    for pair in cookies.split(b";"):
        name = pair.strip()
        if name.startswith(OURS):
            continue
        ours = name[: len(PREFIX)].lower() == PREFIX.lower() and name[len(PREFIX) :].startswith(OURS)
        taken.append(name[len(PREFIX) :] if ours else name)
    return b"; ".join(taken)


def _name(attribute: bytes) -> bytes:
    return attribute.partition(b"=")[0].strip().lower()
