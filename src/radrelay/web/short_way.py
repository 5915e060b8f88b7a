"""The short way: what is asked most often (frames, thumbnails, metadata, searches) is answered in one turn of a thread.

FastAPI finds a route through every router that stands before it, and gives each dependency a thread of its own; for a
frame that takes longer than the frame. Here one table of patterns leads to the very functions that FastAPI has
registered. Only plain requests go this way: GET without a body, to an address whose parts are certainly what the
route takes. All others, and all that is wrong, go on to FastAPI.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Literal

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from radrelay.errors import RadrelayError
from radrelay.web.authentication import provide_services, require_caller, require_principal, services_of
from radrelay.web.lanes import Lane
from radrelay.web.problems import problem_of

Endpoint = Callable[..., Response]
Work = Literal["search", "read"]

THREADS: Mapping[Work, int] = {"search": 3, "read": 8}
"""Together about as many as the embedded database keeps connections for: more would wait for the interpreter's lock.
Searches have their own, so that an object store that does not answer holds up reading alone."""
BODIES = frozenset({b"content-length", b"transfer-encoding", b"expect"})
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FORMS: dict[object, tuple[str, Callable[[str], object]]] = {
    uuid.UUID: (_UUID, uuid.UUID),
    int: (r"[1-9][0-9]{0,5}", int),
    str: (r"[^/]+", str),
}


class NotPlain(TypeError):
    """A route cannot be answered by the short way."""


@dataclass(frozen=True, slots=True)
class ShortRoute:
    """A route and how its address is read."""

    route: APIRoute
    path: str
    pattern: re.Pattern[str]
    readers: Mapping[str, Callable[[str], object]]
    work: Work

    def values(self, path: str, query: bytes) -> dict[str, object] | None:
        """Return the values that stand in `path` and `query`, none if they are not this route's or are wrong."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: read(found[name]) for name, read in self.readers.items()}
        wanted = self.route.dependant.query_params
        if wanted:
            given, wrong = request_params_to_args(wanted, QueryParams(query))
            if wrong:
                return None  # FastAPI says what is
            values |= given
        return values


def short_routes(
    prefix: str, router: APIRouter, endpoints: Sequence[Endpoint], work: Work = "read"
) -> list[ShortRoute]:
    """Return the routes of `endpoints`, which `router` has registered and the application under `prefix`.

    Raises `NotPlain` for a route that wants more than the address with its query, the services and the principal:
    what FastAPI would check beyond that must not be passed by.
    """
    if router.dependencies:
        raise NotPlain(f"the routes under {prefix} depend on more than their own functions say")
    registered = {route.endpoint: route for route in router.routes if isinstance(route, APIRoute)}
    return [_short(prefix, registered[endpoint], work) for endpoint in endpoints]


def _short(prefix: str, route: APIRoute, work: Work) -> ShortRoute:
    wanted = route.dependant
    plain = {one.call for one in wanted.dependencies} == {require_principal, provide_services} and _no_more(wanted)
    if not plain or route.methods != {"GET"} or asyncio.iscoroutinefunction(route.endpoint):
        raise NotPlain(f"{prefix}{route.path} wants more than the short way gives")
    if wanted.request_param_name != "request":
        raise NotPlain(f"{prefix}{route.path} calls its request by another name")
    readers: dict[str, Callable[[str], object]] = {}
    pattern = re.escape(prefix + route.path).replace(r"\{", "{").replace(r"\}", "}")
    for one in wanted.path_params:
        form, readers[one.name] = _FORMS[one.field_info.annotation]
        pattern = pattern.replace(f"{{{one.name}}}", f"(?P<{one.name}>{form})")
    if "{" in re.sub(r"\{\d+(,\d*)?\}", "", pattern):
        raise NotPlain(f"{prefix}{route.path} has parts that are not its function's")
    return ShortRoute(route, prefix + route.path, re.compile(pattern), readers, work)


def _no_more(wanted: Dependant) -> bool:
    beyond = (wanted.header_params, wanted.cookie_params, wanted.body_params)
    return not any(beyond) and not wanted.response_param_name and not wanted.background_tasks_param_name


class ShortWay:
    """Answers plain requests for `routes` in one turn of a thread."""

    def __init__(self, app: ASGIApp, routes: Sequence[ShortRoute], *, remote: bool = False) -> None:
        """`remote` says that rows or bytes come from other machines, so that threads mostly wait."""
        self.app = app
        self.routes = tuple(routes)
        self._lanes = {work: Lane(work, count, count if remote else 1) for work, count in THREADS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        found = self._find(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        short, values = found
        scope["route"] = short.route
        scope["endpoint"] = short.route.endpoint
        scope["path_params"] = values
        request = Request(scope, receive, send)
        within = copy_context()  # the log's correlation id
        work = partial(within.run, _answer, short.route, request, values)
        response = await self._lanes[short.work].run(work)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[ShortRoute, dict[str, object]] | None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
            return None
        if any(name in BODIES for name, _ in scope["headers"]):
            return None
        path = scope["path"]
        for short in self.routes:
            values = short.values(path, scope["query_string"])
            if values is not None:
                return short, values
        return None


def _answer(route: APIRoute, request: Request, values: Mapping[str, object]) -> Response:
    """Do what FastAPI does: who asks, then what is asked; Radrelay's own errors become problem documents."""
    try:
        principal = require_caller(request).principal
        response = route.endpoint(request=request, services=services_of(request), principal=principal, **values)
    except RadrelayError as error:
        return problem_of(request, error)
    if not isinstance(response, Response):
        raise NotPlain(f"{route.path} does not give a response")
    return response
