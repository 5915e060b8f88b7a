"""REST under /api: one module per noun, each with its routes and the shapes of its answers."""

from fastapi import APIRouter

from radrelay.web.api import (
    accounts,
    attachments,
    audit_events,
    audit_reports,
    broken_glass,
    contents,
    deliveries,
    destinations,
    devices,
    directory,
    displays,
    documents,
    drawings,
    exports,
    factor_login,
    factors,
    films,
    grants,
    groups,
    instances,
    links,
    mail,
    marks,
    me,
    oidc,
    openings,
    parcels,
    password_links,
    people,
    planes,
    preferences,
    priors,
    privacy_contacts,
    privacy_incidents,
    privacy_measures,
    privacy_promises,
    privacy_requests,
    privacy_texts,
    quarantine,
    release_rules,
    releases,
    restrictions,
    series,
    session,
    shared,
    slides,
    sources,
    studies,
    system,
    tokens,
    view,
)
from radrelay.web.problems import RESPONSES
from radrelay.web.short_way import ShortRoute, short_routes

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    factor_login.router,
    factors.router,
    accounts.router,
    password_links.router,
    password_links.rules_router,
    me.router,
    mail.router,
    tokens.router,
    groups.router,
    grants.router,
    directory.router,
    oidc.router,
    people.router,
    releases.router,
    release_rules.router,
    restrictions.router,
    broken_glass.router,
    devices.router,
    studies.router,
    openings.router,
    series.router,
    instances.router,
    planes.router,
    preferences.router,
    priors.router,
    view.router,
    marks.router,
    drawings.studies_router,
    drawings.instances_router,
    contents.router,
    documents.router,
    films.router,
    slides.router,
    exports.router,
    attachments.router,
    parcels.router,
    quarantine.router,
    sources.router,
    destinations.router,
    deliveries.router,
    audit_events.router,
    audit_reports.router,
    privacy_promises.router,
    privacy_texts.router,
    privacy_contacts.router,
    privacy_requests.router,
    privacy_measures.router,
    privacy_incidents.router,
    system.router,
    displays.router,
    links.router,
    shared.router,
)


PREFIX = "/api"


def hot_routes() -> list[ShortRoute]:
    """Return the routes that are asked most often, for the short way."""
    return [
        *short_routes(PREFIX, instances.router, (instances.pixels, instances.stream, instances.thumbnail)),
        *short_routes(PREFIX, studies.router, (studies.list_studies, studies.study), "search"),
        *short_routes(PREFIX, view.router, (view.view,), "search"),
        *short_routes(PREFIX, planes.router, (planes.planes,)),
        *short_routes(PREFIX, openings.router, (openings.opening, openings.glimpse)),
        *short_routes(PREFIX, series.router, (series.series, series.thumbnail)),
    ]


def router() -> APIRouter:
    """Return all routes of the REST interface."""
    everything = APIRouter(prefix=PREFIX, responses=RESPONSES)
    for part in ROUTERS:
        everything.include_router(part)
    return everything
