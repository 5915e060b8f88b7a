"""What stands before every route: TLS or loopback, security headers, and a limit on bodies that are held in memory.

Pure ASGI. The policy allows no inline script or style and nothing from elsewhere; WebAssembly (the codecs) and
workers from blobs are the viewer's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radrelay.web.connection import came_by_loopback, is_secure
from radrelay.web.problems import problem

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self' blob:",
        "manifest-src 'self'",
        "object-src 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}
FRAMED = frozenset({"/view", "/launch"})
"""Pages that other sites may show in a frame, where the settings name them: the viewer, and the way into it."""
HSTS = "max-age=31536000; includeSubDomains"
TLS_WANTED = (
    "Radrelay answers plain HTTP on this machine's loopback addresses alone. Its administrator gives it a certificate "
    "(web.tls_certificate, web.tls_key), or puts a proxy that ends TLS before it (web.behind_proxy)."
)
BODY_BYTES = 1 << 20
STREAMED = re.compile(r"/api/parcels/[^/]+/files|/api/imports/[^/]+/(?:files|recipe)|/dicom-web(?:/.*)?")


class SecurityHeaders:
    """Adds the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp, behind_proxy: bool, frame_ancestors: Sequence[str] = ()) -> None:
        self.app = app
        self.behind_proxy = behind_proxy
        self.framed = framed_by(frame_ancestors) if frame_ancestors else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        secure = is_secure(scope, self.behind_proxy)
        wanted = self.framed if scope["path"] in FRAMED else HEADERS

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
                if secure:
                    headers.setdefault("strict-transport-security", HSTS)
            await send(message)

        await self.app(scope, receive, send_guarded)


def framed_by(sites: Sequence[str]) -> dict[str, str]:
    """Return the headers of a page that these sites may show in a frame.

    X-Frame-Options knows no list, so it is left out: browsers go by the policy (CSP 3, 6.4.2).
    """
    policy = POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(sites)}")
    kept = {name: value for name, value in HEADERS.items() if name != "x-frame-options"}
    return {**kept, "content-security-policy": policy}


class TlsBeyondLoopback:
    """Refuses plain HTTP that did not come by a loopback address of this machine, unless a proxy ends TLS before us.

    Passwords' proofs and pictures are for nobody on the way. The health check says nothing of either and is open.
    """

    def __init__(self, app: ASGIApp, behind_proxy: bool) -> None:
        self.app = app
        self.behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if self._allows(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "TLS wanted"})
        elif "text/html" in Headers(scope=scope).get("accept", ""):
            await PlainTextResponse(f"{TLS_WANTED}\n", 403)(scope, receive, send)
        else:
            await problem(403, "tls-wanted", TLS_WANTED, "")(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        if scope["type"] not in ("http", "websocket") or self.behind_proxy:
            return True
        return scope.get("scheme") in ("https", "wss") or came_by_loopback(scope) or scope["path"] == "/healthz"


class _TooLong(Exception):
    """The body is longer than it may be."""


class BodyLimit:
    """Refuses bodies above 1 MiB with 413, except where they are streamed to their place (uploads, DICOMweb)."""

    def __init__(self, app: ASGIApp, limit: int = BODY_BYTES) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or STREAMED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not (announced.isascii() and announced.isdigit() and len(announced) < 19) or int(announced) > self.limit:
            await self._refuse(scope, receive, send)
            return
        taken, over, begun = 0, False, False

        async def receive_counted() -> Message:
            nonlocal taken, over
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                over = True
                raise _TooLong
            return message

        async def send_unless_over(message: Message) -> None:
            nonlocal begun
            if over and not begun:
                return  # whoever read the body made an error of its own of it; ours names the limit
            begun = True
            await send(message)

        with suppress(_TooLong):
            await self.app(scope, receive_counted, send_unless_over)
        if over and not begun:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        correlation_id = str(scope.get("state", {}).get("correlation_id", ""))
        text = f"the body of this request may have at most {self.limit} bytes"
        await problem(413, "too-large", text, correlation_id, headers={"Connection": "close"})(scope, receive, send)
