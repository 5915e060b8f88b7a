"""Every address there is, asked as nobody, as a stranger and as a user: a new one must be entered here.

The walk is by OpenAPI and by the application's own routes, so a route that is in neither list fails the test.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from radrelay.access.models import Grant
from tests.web.conftest import Login, WebSite, close_site, open_site

Operation = tuple[str, str]

OPEN: set[Operation] = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/session"),
}
ADMINISTRATION: set[Operation] = {
    ("GET", "/api/accounts"), ("POST", "/api/accounts"), ("PATCH", "/api/accounts/{account_id}"),
    ("POST", "/api/accounts/{account_id}/password"), ("DELETE", "/api/accounts/{account_id}"),
    ("GET", "/api/tokens"), ("POST", "/api/tokens"), ("DELETE", "/api/tokens/{token_id}"),
    ("POST", "/api/sources"), ("PATCH", "/api/sources/{source_id}"), ("DELETE", "/api/sources/{source_id}"),
    ("POST", "/api/destinations"), ("PATCH", "/api/destinations/{destination_id}"),
    ("DELETE", "/api/destinations/{destination_id}"), ("POST", "/api/destinations/{destination_id}/echo"),
    ("GET", "/api/audit"), ("GET", "/api/audit/proof"),
}  # fmt: skip
OWN: set[Operation] = {  # of the caller alone: there is nothing of anybody else's in the answer
    ("GET", "/api/session"), ("DELETE", "/api/session"), ("POST", "/api/session/password"), ("GET", "/metrics"),
    ("GET", "/api/events"), ("GET", "/api/system"), ("GET", "/api/sources"), ("GET", "/api/destinations"),
    ("POST", "/api/parcels"),
}  # fmt: skip
EMPTY: set[Operation] = {  # lists, which are empty for a stranger
    ("GET", "/api/studies"), ("GET", "/api/parcels"), ("GET", "/api/deliveries"),
}  # fmt: skip
ORGANISATION_WIDE: set[Operation] = {
    ("GET", "/api/quarantine"), ("GET", "/api/quarantine/{quarantined_id}"),
    ("GET", "/api/quarantine/{quarantined_id}/header"), ("POST", "/api/quarantine/{quarantined_id}/release"),
    ("DELETE", "/api/quarantine/{quarantined_id}"), ("GET", "/api/quarantine/{quarantined_id}/picture"),
    ("GET", "/api/quarantine/{quarantined_id}/content"),
}  # fmt: skip
SCOPED: set[Operation] = {
    ("GET", "/api/studies/{study_id}"), ("DELETE", "/api/studies/{study_id}"), ("POST", "/api/studies/{study_id}/hold"),
    ("DELETE", "/api/studies/{study_id}/hold"), ("GET", "/api/studies/{study_id}/archive.zip"),
    ("GET", "/api/series/{series_id}"), ("GET", "/api/series/{series_id}/thumbnail"),
    ("GET", "/api/series/{series_id}/archive.zip"), ("GET", "/api/instances/{instance_id}/frames/{number}/pixels"),
    ("GET", "/api/instances/{instance_id}/frames/{number}/rendered"), ("GET", "/api/instances/{instance_id}/thumbnail"),
    ("GET", "/api/instances/{instance_id}/file"), ("GET", "/api/instances/{instance_id}/document"),
    ("GET", "/api/attachments/{attachment_id}/file"), ("POST", "/api/attachments/{attachment_id}/dicom"),
    ("GET", "/api/parcels/{parcel_id}"), ("PUT", "/api/parcels/{parcel_id}/files"),
    ("POST", "/api/parcels/{parcel_id}/done"), ("POST", "/api/deliveries"), ("GET", "/api/deliveries/{delivery_id}"),
    ("POST", "/api/deliveries/{delivery_id}/cancel"), ("POST", "/api/deliveries/{delivery_id}/retry"),
}  # fmt: skip
KNOWN = OPEN | ADMINISTRATION | OWN | EMPTY | ORGANISATION_WIDE | SCOPED
OUTSIDE_OPENAPI: set[Operation] = {
    ("GET", "/api/openapi.json"), ("GET", "/api/docs"), ("GET", "/api/docs.css"), ("GET", "/{path:path}"),
    ("HEAD", "/{path:path}"),
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    made = open_site(tmp_path_factory.mktemp("routes"))
    made.account("root", "admin")
    made.account("stranger")
    with made.database.write() as session:  # users see nothing; only administrators have what the roles start with
        session.query(Grant).filter(Grant.grantee_kind == "role", Grant.grantee_id == "user").delete()
    yield made
    close_site(made)


def operations(site: WebSite) -> set[Operation]:
    document: dict[str, Any] = site.app.openapi()
    return {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
    }


def rest(site: WebSite) -> set[Operation]:
    return {operation for operation in operations(site) if not operation[1].startswith("/dicom-web")}


def ask(login: Login, operation: Operation) -> tuple[int, dict[str, Any]]:
    method, path = operation
    address = path.replace("{number}", "1").replace("{path:path}", "some/page")
    address = re.sub(r"\{[a-z_]+_uid\}", "1.2.3", address)
    address = re.sub(r"\{[a-z_]+\}", str(uuid.uuid4()), address)
    body = BODIES.get(operation)
    params = {"name": "a.dcm"} if path.endswith("/files") else None
    answer = login.http.request(method, address, json=body, params=params, headers=login.headers)
    kind = answer.headers.get("content-type", "")
    return answer.status_code, answer.json() if "json" in kind else {}


BODIES: dict[Operation, dict[str, object]] = {
    ("POST", "/api/accounts"): {"username": "new"},
    ("PATCH", "/api/accounts/{account_id}"): {"role": "user"},
    ("POST", "/api/tokens"): {"name": "new"},
    ("POST", "/api/sources"): {"name": "new", "kind": "upload"},
    ("PATCH", "/api/sources/{source_id}"): {"name": "new"},
    ("POST", "/api/destinations"): {"name": "new", "ae_title": "NEW", "host": "localhost", "port": 104},
    ("PATCH", "/api/destinations/{destination_id}"): {"name": "new"},
    ("POST", "/api/session/password"): {"current_password": "x", "new_password": "y"},
    ("POST", "/api/quarantine/{quarantined_id}/release"): {"as": "as-received"},
    ("POST", "/api/studies/{study_id}/hold"): {},
    ("POST", "/api/parcels"): {"name": "new"},
    ("POST", "/api/deliveries"): {"study_id": str(uuid.uuid4()), "destination_id": str(uuid.uuid4())},
}


def test_no_route_is_new_to_this_test(site: WebSite) -> None:
    assert rest(site) == KNOWN, "enter the route above, where it belongs"


def _flat(routes: list[BaseRoute], prefix: str = "") -> Iterator[Operation]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            context = getattr(route, "include_context", None)
            yield from _flat(inner.routes, prefix + str(getattr(context, "prefix", "") or ""))
        elif isinstance(route, APIRoute):
            for method in route.methods or ():
                yield method, prefix + route.path
        else:
            yield "?", str(getattr(route, "path", route))


def test_no_route_hides_from_openapi(site: WebSite) -> None:
    hidden = set(_flat(site.app.router.routes)) - operations(site)
    hidden = {operation for operation in hidden if not operation[1].startswith("/dicom-web")}
    assert hidden == OUTSIDE_OPENAPI


def test_nobody_gets_anywhere(site: WebSite) -> None:
    nobody = Login(site.client("203.0.113.1"))
    for operation in sorted(operations(site) - OPEN):
        status, problem = ask(nobody, operation)
        assert status == 401, (operation, status, problem)
        assert problem["code"] == "unauthenticated"
    for path in ("/api/docs", "/api/openapi.json"):
        assert nobody.http.get(path).status_code == 401


def test_a_forged_cookie_gets_nobody_anywhere(site: WebSite) -> None:
    nobody = Login(site.client("203.0.113.1"))
    nobody.http.cookies.set("radrelay_session", "A" * 43)
    for operation in sorted(operations(site) - OPEN):
        assert ask(nobody, operation)[0] == 401, operation


def test_a_stranger_who_is_logged_in_finds_nothing(site: WebSite) -> None:
    stranger = site.login("stranger")
    for operation in sorted(rest(site) - OPEN - OWN):
        status, problem = ask(stranger, operation)
        if operation in EMPTY:
            assert status == 200, (operation, problem)
            assert [] in problem.values(), (operation, problem)
        elif operation in ADMINISTRATION:
            assert (status, problem["code"]) == (403, "administrators-only"), (operation, problem)
        elif operation in ORGANISATION_WIDE:
            assert (status, problem["code"]) == (403, "organisation-wide"), (operation, problem)
        else:
            assert status == 404, (operation, status, problem)


def test_a_stranger_finds_nothing_by_dicomweb(site: WebSite) -> None:
    stranger = site.login("stranger")
    for operation in sorted(operations(site) - rest(site)):
        status, _ = ask(stranger, operation)
        assert status in (200, 204, 400, 403, 404, 405, 406, 409, 411, 415), (operation, status)


def test_nothing_changes_without_the_csrf_token(site: WebSite) -> None:
    root = site.login("root")
    for operation in sorted(operations(site) - OPEN):
        if operation[0] in ("GET", "HEAD"):
            continue
        status, problem = ask(Login(root.http), operation)
        assert (status, problem.get("code")) == (403, "csrf"), (operation, problem)


def test_every_page_and_problem_carries_the_policy(site: WebSite) -> None:
    nobody = site.client()
    for path in ("/", "/api/studies", "/healthz", "/api/nothing", "/assets/nothing.js", "/api/docs.css"):
        headers = nobody.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        assert "unsafe-inline" not in policy
        assert "worker-src 'self' blob:" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert re.fullmatch(r"[0-9a-f]{32}", headers["x-correlation-id"])


def test_what_is_unknown_is_a_problem_document(site: WebSite, tmp_path: Path) -> None:
    del tmp_path
    nobody = site.client()
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("PATCH", "/api/session", 405),
        ("GET", "/dicom-web/x/y", 404),
    ):
        answer = nobody.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        assert answer.json()["status"] == status
