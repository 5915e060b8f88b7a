"""The built front end: hashed assets for ever, the page itself never from a cache, every other path the page.

Text assets are compressed once and kept; the page's addresses are the front end's own, so an unknown path that is
not an asset gets the page.
"""

from __future__ import annotations

import gzip
import html
import mimetypes
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from radrelay.access import Right
from radrelay.errors import NotFound, RadrelayError
from radrelay.identity import organisations
from radrelay.importer.dlx import contract
from radrelay.privacy.usage import CONSENT_VERSION
from radrelay.web.authentication import require_caller, services_of
from radrelay.web.dlx.asking import questions_for
from radrelay.web.invocation import Address, find, names_something, note_search
from radrelay.web.launched import NotByLaunch
from radrelay.web.preloading import ARRIVING, LAUNCHING, Wanted, named, with_code, with_links
from radrelay.web.reach import Reach
from radrelay.web.visitors import NotByLink

IMMUTABLE = "public, max-age=31536000, immutable"
BRIEF = "public, max-age=3600"
PACKED_TYPES = frozenset(
    {"text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml",
     "application/wasm", "text/plain", "application/manifest+json"}
)  # fmt: skip
PACKED_FROM_BYTES, PACKED_UP_TO_BYTES = 1024, 16 << 20
CONTACT_LASTS = timedelta(days=180)  # RFC 9116 recommends less than a year
SHARED = "s"  # where links lead; what they open stands behind the #, which is sent to nobody
LAUNCH = "launch"  # where other programs lead, in the same way
ARRIVALS = {SHARED: ARRIVING, LAUNCH: LAUNCHING}
"""Pages that are the same for everybody, and what their code is called."""
OTHERS = ("api", "dicom-web", "dlx", "shl", "metrics", "healthz", "readyz")
NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Radrelay</title><h1>Radrelay</h1>"
    "<p>The pages are not built. Run <code>make install</code>, or install the wheel. "
    "The interfaces under <a href=/api/docs>/api</a> and /dicom-web work.</p></html>"
)
router = APIRouter(include_in_schema=False)
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("application/manifest+json", ".webmanifest")
mimetypes.add_type("font/woff2", ".woff2")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the front end."""

    path: Path
    size: int
    changed_ns: int
    media_type: str


def find_asset(root: Path, name: str) -> Asset | None:
    """Return the file `name` under `root`, or None; nothing outside of `root` is ever found."""
    if not name or "\0" in name or "\\" in name:
        return None
    path = root / name
    try:
        resolved = path.resolve()
        if not resolved.is_relative_to(root.resolve()) or not resolved.is_file():
            return None
        facts = resolved.stat()
    except OSError:
        return None
    media_type = mimetypes.guess_type(resolved.name)[0] or "application/octet-stream"
    return Asset(resolved, facts.st_size, facts.st_mtime_ns, media_type)


@lru_cache(maxsize=256)
def _packed(asset: Asset) -> bytes:
    return gzip.compress(asset.path.read_bytes(), 6)


@router.get("/.well-known/security.txt")
def security_txt(request: Request) -> Response:
    """Say whom to tell of a weakness (RFC 9116), if the site has named anybody."""
    services = services_of(request)
    web = services.settings.web
    if web.security_contact is None:
        raise NotFound("there is nothing at this address")
    expires = services.clock.now() + CONTACT_LASTS
    lines = [
        f"Contact: {web.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en, de",
    ]
    if web.address is not None:
        lines.append(f"Canonical: {web.address}/.well-known/security.txt")
    return PlainTextResponse("\n".join(lines) + "\n")


@router.get(f"/{SHARED}")
def shared(request: Request) -> Response:
    """Serve the page that opens a link; to a program that speaks DICOM Link Exchange, say what the link asks."""
    token = request.query_params.get("token")
    if token is None or contract.HEADER not in request.headers:
        return page(request, SHARED)
    asked = questions_for(request, services_of(request), token)
    return Response(asked.model_dump_json(by_alias=True), media_type=contract.JSON)


@router.get("/{path:path}")
@router.head("/{path:path}")
def page(request: Request, path: str) -> Response:
    """Serve an asset, or the page."""
    root = services_of(request).static_dir
    first = path.partition("/")[0]
    if first in OTHERS:
        raise NotFound("there is nothing at this address")
    asset = find_asset(root, path)
    if asset is not None and asset.path.name != "index.html":
        return _send(request, asset, IMMUTABLE if first == "assets" else BRIEF)
    if asset is None and (first == "assets" or "." in path.rpartition("/")[2]):
        raise NotFound("there is nothing at this address")
    index = find_asset(root, "index.html")
    if index is None:
        return HTMLResponse(NOT_BUILT, status_code=503)
    if path in ARRIVALS:
        return _shared(request, root, index, ARRIVALS[path])
    if path == "view":
        return _viewer(request, root, index)
    if _told(request):
        return HTMLResponse(_text(request, index), headers={"Cache-Control": "no-store"})
    return _send(request, index, "no-store")


def _told(request: Request) -> str:
    """Return what the page is told by attributes: whose site it is, to which version of counting one would agree, and
    whether studies can be fetched from elsewhere.

    The name is the one that the operator has set, for everybody; organisations are named to nobody here.
    """
    settings = services_of(request).settings
    told = ""
    if settings.web.organisation_name != organisations.UNNAMED:
        told += f'data-house="{html.escape(settings.web.organisation_name)}" '
    if settings.statistics.enabled:
        told += f'data-statistics="{CONSENT_VERSION}" '
    if settings.retrieve.enabled:
        told += 'data-fetching="on" '
    return told


def _text(request: Request, index: Asset) -> str:
    """Return the page with what it is told."""
    return index.path.read_text("utf-8").replace("<html ", f"<html {_told(request)}", 1)


def _shared(request: Request, root: Path, index: Asset, arriving: str) -> Response:
    """Serve the page that opens a link or a launch: the same to everybody, since nobody sends which."""
    language = request.headers.get("accept-language", "")[:2].lower()
    page = with_code(_text(request, index), root, language, arriving)
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


def _viewer(request: Request, root: Path, index: Asset) -> Response:
    language = request.headers.get("accept-language", "")[:2].lower()
    page = with_links(_text(request, index), root, _wanted(request), language, answers=_may_ask(request))
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


def _may_ask(request: Request) -> bool:
    """Return whether the page's questions would be answered: a refusal fetched ahead would outlast the login."""
    try:
        require_caller(request)
    except (NotByLink, NotByLaunch):
        return True  # the page itself is for everybody; what it asks is open to links and launches
    except RadrelayError:
        return False
    return True


def _wanted(request: Request) -> Wanted:
    """Return what the viewer will show; what an address of another form leads to, only to whom is logged in.

    To everybody else the page is the same whether or not there is such a study.
    """
    wanted = named(request.query_params)
    if wanted.study or not names_something(request.query_params):
        return wanted
    asks = Wanted(asks=request.url.query)
    services = services_of(request)
    try:
        address = Address.model_validate(dict(request.query_params))
        principal = require_caller(request).principal  # of links NotByLink: they name what they show by ids
        note_search(request, services, principal, address)
        with services.database.read() as session:
            found = find(Reach.of(services, session, principal, Right.SEE), address)
    except (RadrelayError, ValidationError):
        return asks  # the front end asks the same, and is told why
    if found.opens is None:
        return asks
    return Wanted(str(found.opens), str(found.series or ""), asks.asks)


def _send(request: Request, asset: Asset, cache: str) -> Response:
    headers = {"Cache-Control": cache, "Vary": "Accept-Encoding"}
    plain_range = "range" in request.headers
    wanted = "gzip" in request.headers.get("accept-encoding", "")
    fits = PACKED_FROM_BYTES <= asset.size <= PACKED_UP_TO_BYTES
    if wanted and fits and not plain_range and asset.media_type in PACKED_TYPES:
        return Response(_packed(asset), media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return FileResponse(asset.path, media_type=asset.media_type, headers=headers)
