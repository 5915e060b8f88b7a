"""The application: middleware, routes and errors put together over the services that it is handed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from radrelay import __version__, audit
from radrelay.archive.naming import study_named
from radrelay.web import api, dicomweb, dlx, health, health_links, live, pages, problems, reference
from radrelay.web.cookies import HostCookies
from radrelay.web.correlation import Correlation
from radrelay.web.guards import BodyLimit, SecurityHeaders, TlsBeyondLoopback
from radrelay.web.services import WebServices
from radrelay.web.short_way import ShortWay
from radrelay.web.standing import Standing

DESCRIPTION = (
    "Studies, parcels, destinations and the rest of Radrelay as JSON. DICOMweb (PS3.18) is under /dicom-web. "
    "Errors are problem documents (RFC 9457)."
)


def create(services: WebServices) -> FastAPI:
    """Return the ASGI application of the web role."""
    feed = live.LiveFeed(services)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with feed.running():
            yield

    app = FastAPI(
        title="Radrelay",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.feed = feed
    audit.install(services.database, "web", services.clock, services.metadata_key, study_named)
    problems.install(app)
    app.add_middleware(BodyLimit)
    settings = services.settings
    remote = settings.database.url is not None or (settings.storage.url or "").startswith("s3:")
    app.add_middleware(ShortWay, routes=[*dicomweb.hot_routes(), *api.hot_routes()], remote=remote)
    app.add_middleware(TlsBeyondLoopback, behind_proxy=settings.web.behind_proxy)
    app.add_middleware(Standing)
    app.add_middleware(Correlation, measurements=services.measurements, tally=services.tally)
    app.add_middleware(HostCookies, behind_proxy=settings.web.behind_proxy)
    app.add_middleware(
        SecurityHeaders, behind_proxy=settings.web.behind_proxy, frame_ancestors=settings.web.frame_ancestors
    )  # outermost: errors too
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return all routes, whose shapes are worked out once in a process: they ask the application for its services."""
    made = APIRouter(generate_unique_id_function=_operation_id, redirect_slashes=False)
    for one in (
        health.router,
        reference.router,
        api.router(),
        live.router,
        dicomweb.router,
        dlx.router,
        health_links.router,
        pages.router,
    ):
        made.include_router(one)
    return tuple(made.routes)


def _operation_id(route: APIRoute) -> str:
    return f"{(route.tags or ['other'])[0]}.{route.name}".replace("-", "_")
