"""Every address there is, asked as nobody, as a stranger and as a user: a new one must be entered here.

The walk is by OpenAPI and by the application's own routes, so a route that is in neither list fails the test.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from radrelay.access.models import Grant
from radrelay.identity.models import Session as LoginSession
from radrelay.web import api, dicomweb
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.short_way import NotPlain, short_routes
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, only_study, upload

Operation = tuple[str, str]

OPEN: set[Operation] = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/session"),
    ("POST", "/api/session/challenge"),
    ("POST", "/api/password-links/forgotten"),
    ("POST", "/api/password-links/open"),
    ("POST", "/api/password-links/use"),
    ("GET", "/api/password-rules"),
    ("GET", "/api/password-breaches/{prefix}"),
    ("POST", "/api/shared"),
    ("POST", "/api/shared/code"),
    ("POST", "/api/shared/code/state"),
    ("POST", "/api/launches/open"),
    ("GET", "/api/oidc"),
    ("GET", "/api/oidc/start"),
    ("GET", "/api/oidc/callback"),
    ("POST", "/api/oidc/backchannel-logout"),
    ("POST", "/api/session/passkey"),
    ("POST", "/api/session/passkey/challenge"),
    ("GET", "/api/privacy/notice"),
    ("GET", "/api/sign-up"),
    ("POST", "/api/sign-up"),
    ("POST", "/api/sign-up/open"),
    ("POST", "/api/sign-up/use"),
    ("POST", "/api/address-confirmations"),
    ("GET", "/api/privacy/facts"),
    ("POST", "/api/statistics/events"),
    ("POST", "/api/statistics/withdrawals"),
    ("GET", "/dlx/v1/api_info"),
    ("GET", "/dlx/v1/token/{value}"),
    ("POST", "/dlx/v1/tokentfa/{value}"),
    ("OPTIONS", "/shl/{address}"),
    ("POST", "/shl/{address}"),
    ("GET", "/shl/{address}/{ticket}"),
    ("GET", "/api/bringing"),
    ("POST", "/api/bringing"),
    ("POST", "/api/bringing/look"),
    ("POST", "/api/bringing/answers"),
    ("POST", "/api/bringing/withdrawal"),
}
TICKETED: set[Operation] = {  # for programs that a link let in, with their ticket alone (dlx/test_providing)
    ("GET", "/dlx/v1/list"), ("GET", "/dlx/v1/download/{id}"), ("GET", "/dlx/v1/downloadall"),
}  # fmt: skip
ENTERING: set[Operation] = {  # of a login that awaits its second factor; nothing else is
    ("GET", "/api/session"), ("DELETE", "/api/session"), ("GET", "/api/session/factor"),
    ("POST", "/api/session/factor"), ("POST", "/api/session/factor/passkey"), ("POST", "/api/session/factor/pin"),
}  # fmt: skip
SETTING_UP: set[Operation] = ENTERING | {  # of a login that has to set one up first
    ("POST", "/api/session/password"), ("POST", "/api/session/proof"), ("GET", "/api/me/factors"),
    ("POST", "/api/me/factors/totp"), ("POST", "/api/me/factors/email"), ("POST", "/api/me/factors/codes"),
    ("POST", "/api/me/factors/passkey"), ("POST", "/api/me/factors/passkey/challenge"),
    ("POST", "/api/me/factors/{factor_id}/confirm"), ("PATCH", "/api/me/factors/{factor_id}"),
    ("DELETE", "/api/me/factors/{factor_id}"), ("PUT", "/api/me/factors/reset/read"),
}  # fmt: skip
ADMINISTRATION: set[Operation] = {
    ("GET", "/api/sign-up/group"), ("GET", "/api/gateway"), ("PUT", "/api/gateway/certificate"),
    ("PUT", "/api/gateway/acme"), ("DELETE", "/api/gateway/acme"),
    ("GET", "/api/accounts"), ("POST", "/api/accounts"), ("PATCH", "/api/accounts/{account_id}"),
    ("POST", "/api/accounts/{account_id}/password-link"), ("GET", "/api/accounts/{account_id}/sessions"),
    ("DELETE", "/api/accounts/{account_id}/sessions"), ("DELETE", "/api/accounts/{account_id}/sessions/{session_id}"),
    ("GET", "/api/accounts/{account_id}/closing"), ("POST", "/api/accounts/{account_id}/closing"),
    ("GET", "/api/password-links"), ("DELETE", "/api/password-links/{link_id}"),
    ("GET", "/api/mail"), ("POST", "/api/mail/test"),
    ("POST", "/api/accounts/{account_id}/password"), ("DELETE", "/api/accounts/{account_id}"),
    ("DELETE", "/api/accounts/{account_id}/password"), ("GET", "/api/directory"), ("POST", "/api/directory/check"),
    ("POST", "/api/directory/runs"), ("GET", "/api/directory/runs/{run_id}"), ("GET", "/api/directory/reach"),
    ("GET", "/api/oidc/state"), ("GET", "/api/oidc/people"), ("POST", "/api/oidc/people"),
    ("PUT", "/api/oidc/people/{sign_on_id}"), ("DELETE", "/api/oidc/people/{sign_on_id}"),
    ("GET", "/api/groups"), ("POST", "/api/groups"), ("PATCH", "/api/groups/{group_id}"),
    ("DELETE", "/api/groups/{group_id}"), ("GET", "/api/groups/{group_id}/members"),
    ("PUT", "/api/groups/{group_id}/members/{kind}/{member_id}"),
    ("DELETE", "/api/groups/{group_id}/members/{kind}/{member_id}"),
    ("GET", "/api/grants"), ("POST", "/api/grants"), ("DELETE", "/api/grants/{grant_id}"),
    ("PATCH", "/api/grants/{grant_id}"), ("GET", "/api/people/sight"),
    ("GET", "/api/tokens"), ("POST", "/api/tokens"), ("DELETE", "/api/tokens/{token_id}"),
    ("POST", "/api/sources"), ("PATCH", "/api/sources/{source_id}"), ("DELETE", "/api/sources/{source_id}"),
    ("POST", "/api/destinations"), ("PATCH", "/api/destinations/{destination_id}"),
    ("DELETE", "/api/destinations/{destination_id}"), ("POST", "/api/destinations/{destination_id}/echo"),
    ("POST", "/api/destinations/{destination_id}/pause"), ("POST", "/api/destinations/{destination_id}/resume"),
    ("POST", "/api/destinations/{destination_id}/test"),
    ("POST", "/api/pacs"), ("PATCH", "/api/pacs/{pacs_id}"), ("DELETE", "/api/pacs/{pacs_id}"),
    ("POST", "/api/pacs/{pacs_id}/echo"), ("GET", "/api/schedules"), ("POST", "/api/schedules"),
    ("POST", "/api/schedules/try"), ("PUT", "/api/schedules/{schedule_id}"),
    ("DELETE", "/api/schedules/{schedule_id}"), ("GET", "/api/schedules/{schedule_id}/runs"),
    ("POST", "/api/schedules/{schedule_id}/runs"), ("GET", "/api/schedules/{schedule_id}/runs/{fetch_run_id}"),
    ("POST", "/api/schedules/{schedule_id}/runs/{fetch_run_id}/stop"),
    ("GET", "/api/hl7"), ("GET", "/api/hl7/messages"), ("GET", "/api/hl7/messages/{message_id}"),
    ("POST", "/api/hl7/messages/replay"), ("POST", "/api/hl7/try"),
    ("POST", "/api/pseudonyms/projects"), ("PUT", "/api/pseudonyms/projects/{project_id}"),
    ("DELETE", "/api/pseudonyms/projects/{project_id}"),
    ("PUT", "/api/preferences/{name}"), ("GET", "/api/restrictions"), ("POST", "/api/restrictions"),
    ("GET", "/api/restrictions/people"),
    ("DELETE", "/api/restrictions/{restriction_id}"), ("GET", "/api/prior-rule"), ("PUT", "/api/prior-rule"),
    ("GET", "/api/release-rules"), ("POST", "/api/release-rules"), ("PUT", "/api/release-rules/{rule_id}"),
    ("DELETE", "/api/release-rules/{rule_id}"), ("POST", "/api/release-rules/preview"),
    ("GET", "/api/routing-rules"), ("POST", "/api/routing-rules"), ("GET", "/api/routing-rules/kinds"),
    ("PUT", "/api/routing-rules/order"), ("PUT", "/api/routing-rules/{routing_rule_id}"),
    ("PUT", "/api/routing-rules/{routing_rule_id}/enabled"), ("DELETE", "/api/routing-rules/{routing_rule_id}"),
    ("GET", "/api/routing-rules/{routing_rule_id}/revisions"), ("POST", "/api/routing-rules/try"),
    ("POST", "/api/studies/{study_id}/rules"),
    ("GET", "/api/devices"), ("PUT", "/api/devices/{ae_title}"), ("DELETE", "/api/devices/{ae_title}"),
    ("GET", "/api/displays"), ("DELETE", "/api/displays/{display_id}"),
    ("GET", "/api/factors"), ("PUT", "/api/factors/{subject_kind}/{subject_id}"),
    ("DELETE", "/api/factors/{subject_kind}/{subject_id}"), ("POST", "/api/accounts/{account_id}/factors/reset"),
    ("PUT", "/api/privacy/texts/{kind}/draft"), ("POST", "/api/privacy/texts/{kind}/versions"),
    ("GET", "/api/bringing/page"), ("PUT", "/api/bringing/page"),
    ("GET", "/api/portals"), ("GET", "/api/recipes"), ("PUT", "/api/portals"), ("GET", "/api/portal-reports"),
    ("POST", "/api/imports/{case_id}/recipe"),
    ("GET", "/api/portal-reports/{report_id}"), ("POST", "/api/portal-reports/{report_id}/solved"),
    ("PUT", "/api/organisation"), ("PUT", "/api/analyses/{kind}"), ("GET", "/api/analyses/usage"),
}  # fmt: skip
AUDITORS: set[Operation] = {  # for administrators and the data protection officer
    ("GET", "/api/organisation"), ("POST", "/api/organisation/agreements"),
    ("POST", "/api/organisation/agreements/{agreement_id}/end"),
    ("GET", "/api/audit"), ("GET", "/api/audit/proof"), ("GET", "/api/audit/export"), ("GET", "/api/audit/state"),
    ("GET", "/api/privacy/volume"), ("POST", "/api/privacy/volume/{alarm_id}"),
    ("GET", "/api/promises"), ("GET", "/api/privacy/texts"), ("GET", "/api/privacy/texts/{kind}/versions/{version}"),
    ("GET", "/api/privacy/requests"), ("GET", "/api/privacy/requests/{request_id}/data"),
    ("GET", "/api/privacy/requests/{request_id}/export.zip"),
    ("GET", "/api/privacy/acceptances"), ("GET", "/api/privacy/contacts"), ("PUT", "/api/privacy/contacts"),
    ("GET", "/api/privacy/processors"), ("POST", "/api/privacy/processors"),
    ("PUT", "/api/privacy/processors/{processor_id}"), ("DELETE", "/api/privacy/processors/{processor_id}"),
    ("GET", "/api/privacy/transfers"), ("GET", "/api/statistics"),
}  # fmt: skip
OFFICER: set[Operation] = {  # for the data protection officer, not for administrators either
    ("GET", "/api/audit/seen"), ("GET", "/api/audit/disclosures"), ("GET", "/api/audit/people"),
    ("PUT", "/api/audit/retention"), ("GET", "/api/broken-glass"), ("PUT", "/api/broken-glass/{broken_id}/review"),
    ("POST", "/api/privacy/requests"), ("PUT", "/api/privacy/requests/{request_id}"),
    ("POST", "/api/privacy/requests/{request_id}/erasure"), ("POST", "/api/privacy/requests/{request_id}/restriction"),
    ("POST", "/api/privacy/requests/{request_id}/correction"),
    ("GET", "/api/privacy/requests/{request_id}/letter"), ("POST", "/api/privacy/requests/{request_id}/passing"),
    ("GET", "/api/privacy/restrictions"), ("POST", "/api/privacy/restrictions/{restriction_id}/lifting"),
    ("GET", "/api/privacy/clinics"), ("PUT", "/api/privacy/clinics/{source_id}"),
    ("POST", "/api/privacy/transfers"), ("POST", "/api/privacy/transfers/find"),
    ("POST", "/api/privacy/transfers/{transfer_id}/withdrawal"),
    ("GET", "/api/privacy/suspects"), ("GET", "/api/privacy/incidents"), ("POST", "/api/privacy/incidents"),
    ("PUT", "/api/privacy/incidents/{incident_id}"), ("GET", "/api/privacy/incidents/{incident_id}/report"),
    ("GET", "/api/privacy/incidents/{incident_id}/report.csv"),
    ("GET", "/api/privacy/incidents/{incident_id}/report.html"),
}  # fmt: skip
OWN: set[Operation] = {  # of the caller alone: there is nothing of anybody else's in the answer
    ("GET", "/api/session"), ("DELETE", "/api/session"), ("POST", "/api/session/password"), ("GET", "/metrics"),
    ("POST", "/api/session/use"), ("GET", "/api/me"), ("PATCH", "/api/me"), ("GET", "/api/me/sessions"),
    ("DELETE", "/api/me/sessions"), ("DELETE", "/api/me/sessions/{session_id}"), ("POST", "/api/me/lost"),
    ("GET", "/api/me/closing"), ("POST", "/api/me/closing"),
    ("GET", "/api/events"), ("GET", "/api/system"), ("GET", "/api/sources"), ("GET", "/api/destinations"),
    ("POST", "/api/parcels"),
    ("GET", "/api/displays/rules"), ("GET", "/api/displays/here"), ("POST", "/api/displays"),
    ("GET", "/api/me/preferences/{name}"), ("PUT", "/api/me/preferences/{name}"),
    ("GET", "/api/preferences/{name}"), ("GET", "/api/pseudonyms/projects"),
    ("GET", "/api/shared"), ("DELETE", "/api/shared"), ("PUT", "/api/links/notices/read"),
    *SETTING_UP,
    ("GET", "/api/analyses"),
    ("GET", "/api/me/notices"), ("DELETE", "/api/me/notices/{notice_id}"),
    ("GET", "/api/privacy/owed"), ("POST", "/api/privacy/acceptances"),
}  # fmt: skip
EMPTY: set[Operation] = {  # lists, which are empty for a stranger
    ("GET", "/api/studies"), ("GET", "/api/parcels"), ("GET", "/api/deliveries"), ("GET", "/api/links"),
    ("GET", "/api/waiting"),
    ("GET", "/api/pacs"), ("GET", "/api/fetches"), ("GET", "/api/hl7/receivers"), ("GET", "/api/pseudonyms/held"),
    ("GET", "/api/step-deliveries"), ("GET", "/api/analysis-runs"), ("GET", "/api/imports"),
    ("GET", "/api/worklist/today"),
}  # fmt: skip
ORGANISATION_WIDE: set[Operation] = {
    ("GET", "/api/quarantine"), ("GET", "/api/quarantine/{quarantined_id}"),
    ("GET", "/api/quarantine/{quarantined_id}/header"), ("POST", "/api/quarantine/{quarantined_id}/release"),
    ("DELETE", "/api/quarantine/{quarantined_id}"), ("GET", "/api/quarantine/{quarantined_id}/picture"),
    ("GET", "/api/quarantine/{quarantined_id}/content"), ("GET", "/api/pseudonyms/aliases"),
}  # fmt: skip
GLASS: set[Operation] = {("POST", "/api/broken-glass")}  # for who was given the right to break it
LAUNCHES: set[Operation] = {("POST", "/api/launches")}  # for programs whose token may
SCOPED: set[Operation] = {
    ("GET", "/api/waiting/{awaiting_id}/picture"), ("POST", "/api/waiting/release"), ("POST", "/api/waiting/reject"),
    ("GET", "/api/studies/{study_id}/rules"),
    *((method, "/api/studies/{study_id}/restrictions") for method in ("GET", "PUT", "DELETE")),
    ("GET", "/api/studies/{study_id}/releases"), ("POST", "/api/studies/{study_id}/releases"),
    ("GET", "/api/studies/{study_id}/releases/receivers"),
    ("DELETE", "/api/studies/{study_id}/releases/{release_id}"),
    ("GET", "/api/studies/{study_id}/owners"), ("POST", "/api/studies/{study_id}/owners"),
    ("DELETE", "/api/studies/{study_id}/owners/{owner_id}"),
    ("GET", "/api/studies/{study_id}"), ("DELETE", "/api/studies/{study_id}"), ("POST", "/api/studies/{study_id}/hold"),
    ("DELETE", "/api/studies/{study_id}/hold"), ("GET", "/api/studies/{study_id}/archive.zip"),
    ("GET", "/api/studies/{study_id}/opening"), ("GET", "/api/studies/{study_id}/glimpse"),
    ("GET", "/api/studies/{study_id}/drawings"), ("GET", "/api/instances/{instance_id}/drawing"),
    ("GET", "/api/instances/{instance_id}/drawing/masks/{segment}"),
    ("GET", "/api/series/{series_id}"), ("GET", "/api/series/{series_id}/thumbnail"),
    ("GET", "/api/instances/{instance_id}/frames/{number}/stream"), ("GET", "/api/instances/{instance_id}/planes"),
    ("GET", "/api/instances/{instance_id}/frames/{number}/tables"),
    ("GET", "/api/view"), ("GET", "/api/studies/{study_id}/priors"),
    ("GET", "/api/series/{series_id}/archive.zip"), ("GET", "/api/instances/{instance_id}/frames/{number}/pixels"),
    ("GET", "/api/instances/{instance_id}/frames/{number}/rendered"), ("GET", "/api/instances/{instance_id}/thumbnail"),
    ("GET", "/api/instances/{instance_id}/file"), ("GET", "/api/instances/{instance_id}/document"),
    ("GET", "/api/instances/{instance_id}/report"), ("GET", "/api/instances/{instance_id}/header"),
    ("GET", "/api/instances/{instance_id}/header/value"), ("GET", "/api/instances/{instance_id}/waveform"),
    ("GET", "/api/instances/{instance_id}/waveform/{group}/samples"),
    ("GET", "/api/instances/{instance_id}/waveform/{group}/sound"), ("GET", "/api/instances/{instance_id}/pages"),
    ("GET", "/api/series/{series_id}/slide"), ("GET", "/api/instances/{instance_id}/film"),
    ("GET", "/api/instances/{instance_id}/film/file"),
    ("GET", "/api/instances/{instance_id}/video"),
    ("POST", "/api/studies/{study_id}/exports"),
    ("GET", "/api/instances/{instance_id}/pages/{number}"), ("GET", "/api/instances/{instance_id}/pages/{number}/text"),
    ("GET", "/api/attachments/{attachment_id}/file"), ("POST", "/api/attachments/{attachment_id}/dicom"),
    ("GET", "/api/parcels/{parcel_id}"), ("PUT", "/api/parcels/{parcel_id}/files"),
    ("POST", "/api/parcels/{parcel_id}/done"), ("POST", "/api/deliveries"), ("GET", "/api/deliveries/{delivery_id}"),
    ("POST", "/api/deliveries/{delivery_id}/cancel"), ("POST", "/api/deliveries/{delivery_id}/retry"),
    ("POST", "/api/deliveries/{delivery_id}/priority"),
    ("POST", "/api/step-deliveries/{step_delivery_id}/cancel"),
    ("POST", "/api/step-deliveries/{step_delivery_id}/retry"),
    ("PUT", "/api/displays/{display_id}"), ("PUT", "/api/displays/{display_id}/checks/{check_id}"),
    ("GET", "/api/displays/{display_id}/checks"), ("GET", "/api/displays/{display_id}/checks.csv"),
    ("GET", "/api/studies/{study_id}/marks"), ("PUT", "/api/studies/{study_id}/marks/{mark_id}"),
    ("DELETE", "/api/studies/{study_id}/marks/{mark_id}"), ("POST", "/api/studies/{study_id}/marks/file"),
    ("GET", "/api/studies/{study_id}/marks/report.dcm"), ("GET", "/api/studies/{study_id}/marks/key-objects.dcm"),
    ("GET", "/api/studies/{study_id}/marks/presentation.dcm"),
    ("POST", "/api/worklists/search"), ("POST", "/api/pacs/search"), ("POST", "/api/pacs/{pacs_id}/series"),
    ("POST", "/api/fetches"),
    ("POST", "/api/fetches/{fetch_id}/cancel"), ("POST", "/api/fetches/{fetch_id}/retry"),
    ("POST", "/api/links"), ("GET", "/api/links/{link_id}"), ("DELETE", "/api/links/{link_id}"),
    ("POST", "/api/links/{link_id}/sheet"), ("POST", "/api/hl7/reports"),
    ("GET", "/api/studies/{study_id}/reports"),
    ("GET", "/api/studies/{study_id}/handouts"), ("POST", "/api/pseudonyms/lookups"),
    ("POST", "/api/pseudonyms/aliases/{alias_id}/identity"), ("POST", "/api/pseudonyms/held/{held_id}/release"),
    ("GET", "/api/pseudonyms/held/{held_id}/proposal"),
    *((method, "/api/studies/{study_id}/analyses") for method in ("GET", "POST")),
    *(("GET", f"/api/analysis-runs/{{analysis_run_id}}{end}") for end in ("", "/findings")),
    *(("POST", f"/api/analysis-runs/{{analysis_run_id}}/{act}") for act in ("cancel", "retry", "rerun")),
    ("POST", "/api/imports"), *((method, "/api/imports/{case_id}") for method in ("GET", "DELETE")),
    *(("PUT", f"/api/imports/{{case_id}}/{end}") for end in ("files", "birth-date", "people/{number}/patient")),
    ("PUT", "/api/imports/{case_id}/uploads/{key}"),
    ("PUT", "/api/imports/{case_id}/people/{number}/papers"),
    *(("POST", f"/api/imports/{{case_id}}/{act}") for act in ("done", "answers", "by-hand", "check", "retry")),
    ("POST", "/api/imports/{case_id}/after-withdrawal"),
    ("GET", "/api/bringing/imports/{case_id}"), ("POST", "/api/bringing/imports/{case_id}/withdrawal"),
    ("POST", "/api/imports/{case_id}/confirmations"),
    *(("POST", f"/api/imports/{{case_id}}/people/{{number}}/{act}") for act in ("file", "send-on", "take-back")),
    *(("GET", f"/api/imports/{{case_id}}/people/{{number}}/{end}") for end in ("differences", "orders")),
    *(("GET", f"/api/imports/{{case_id}}/{end}") for end in ("guide", "papers", "picture")),
    *((method, "/api/imports/{case_id}/report") for method in ("GET", "POST")),
}  # fmt: skip
OF_VISITORS: set[Operation] = {
    ("GET", "/api/session"), ("GET", "/api/shared"), ("DELETE", "/api/shared"),
    ("GET", "/api/privacy/owed"), ("POST", "/api/privacy/acceptances"),  # nothing for who has no account
    ("GET", "/api/events"),  # endless; that it is over is all that they hear (test_suspension)
}  # fmt: skip
TO_VISITORS: set[Operation] = {  # what a link opens of what it shows; everything else is closed to it
    *(("GET", f"/api/studies/{{study_id}}{end}") for end in ("", "/opening", "/glimpse", "/archive.zip", "/drawings")),
    *(("GET", f"/api/series/{{series_id}}{end}") for end in ("", "/thumbnail", "/archive.zip", "/slide")),
    *(("GET", path) for method, path in SCOPED if method == "GET" and path.startswith("/api/instances/{instance_id}/")),
    ("POST", "/api/studies/{study_id}/exports"),
}
OF_LAUNCHED: set[Operation] = {  # of the person whom a program has brought, alone
    *((method, "/api/session") for method in ("GET", "DELETE")), ("POST", "/api/session/use"), ("GET", "/api/events"),
    ("GET", "/api/me/preferences/{name}"), ("PUT", "/api/me/preferences/{name}"), ("GET", "/api/preferences/{name}"),
    ("GET", "/api/displays/rules"), ("GET", "/api/displays/here"),
    ("GET", "/api/privacy/owed"), ("POST", "/api/privacy/acceptances"),
}  # fmt: skip
TO_LAUNCHED: set[Operation] = TO_VISITORS | {  # what a launch opens, of what its program asked for
    ("GET", "/api/view"), ("GET", "/api/studies/{study_id}/priors"),
    *((method, path) for method, path in SCOPED if path.startswith("/api/studies/{study_id}/marks")),
}  # fmt: skip
KNOWN = (
    OPEN | TICKETED | ADMINISTRATION | AUDITORS | OFFICER | OWN | EMPTY | ORGANISATION_WIDE | SCOPED | GLASS | LAUNCHES
)
OUTSIDE_OPENAPI: set[Operation] = {
    ("GET", "/api/openapi.json"), ("GET", "/api/docs"), ("GET", "/api/docs.css"), ("GET", "/{path:path}"),
    ("HEAD", "/{path:path}"), ("GET", "/.well-known/security.txt"), ("GET", "/s"),
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    made = open_site(tmp_path_factory.mktemp("routes"), statistics={"enabled": True})
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
    address = path.replace("{number}", "1").replace("{group}", "1").replace("{segment}", "1")
    address = address.replace("{subject_kind}", "role")
    address = address.replace("/texts/{kind}", "/texts/terms").replace("{version}", "1")
    address = address.replace("{path:path}", "some/page").replace("{name}", "hanging")
    address = re.sub(r"\{[a-z_]+_uid\}", "1.2.3", address)
    address = re.sub(r"\{[a-z_]+\}", str(uuid.uuid4()), address)
    body = BODIES.get(operation)
    params = PARAMETERS.get(path)
    answer = login.http.request(method, address, json=body, params=params, headers=login.headers)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return answer.status_code, answer.json() if kind.endswith("json") and answer.content else {}


PARAMETERS = {
    "/api/studies/{study_id}/marks/presentation.dcm": {"series": str(uuid.uuid4())},
    "/api/audit/seen": {"study": "1.2.3"},
    "/api/restrictions/people": {"value": "4711"},
    "/api/privacy/suspects": {"kind": "account"},
    "/api/audit/disclosures": {"patient_id": "4711"},
    "/api/audit/people": {"patient_id": "4711"},
    "/api/parcels/{parcel_id}/files": {"name": "a.dcm"},
    "/api/imports/{case_id}/files": {"name": "a.dcm"},
    "/api/imports/{case_id}/papers": {"name": "a.pdf"},
    "/api/instances/{instance_id}/header/value": {"path": "00100010"},
    "/api/view": {"accession": "A1"},  # without any, it is no address at all
    "/api/instances/{instance_id}/drawing/masks/{segment}": {"frames": "1"},
}
DISPLAY: dict[str, object] = {
    "name": "left", "room": "2", "room_class": "RK1", "use": "ct", "columns": 1920, "rows": 1200, "pixel_um": 270,
    "css_width": 1920, "css_height": 1200,
}  # fmt: skip
PROCESSOR: dict[str, object] = {"name": "Host", "purpose": "keeps the machines", "country": "DE"}
AGREEMENT: dict[str, object] = {"kind": "dpa", "party": "Host", "purpose": "machines", "signed_on": "2026-01-01"}
INCIDENT: dict[str, object] = {
    "title": "lost phone", "kind": "device", "subject": "SCANNER", "began_at": "2026-02-01T00:00:00Z",
    "ended_at": "2026-02-02T00:00:00Z", "noticed_at": "2026-02-03T00:00:00Z",
}  # fmt: skip
ROUTING_RULE: dict[str, object] = {"name": "n", "actions": [{"kind": "hold"}]}
PROJECT: dict[str, object] = {"name": "LUNG", "pattern": "{project}-{number:04}"}
BODIES: dict[Operation, dict[str, object]] = {
    ("POST", "/api/pseudonyms/projects"): PROJECT,
    ("PUT", "/api/pseudonyms/projects/{project_id}"): PROJECT | {"revision": 1},
    ("POST", "/api/pseudonyms/aliases/{alias_id}/identity"): {"reason": "the trial asks"},
    ("POST", "/api/pseudonyms/lookups"): {"patient_id": "4711", "reason": "the trial asks"},
    ("POST", "/api/pseudonyms/held/{held_id}/release"): {"note": "looked at"},
    ("POST", "/api/waiting/release"): {"ids": [str(uuid.uuid4())]},
    ("POST", "/api/waiting/reject"): {"ids": [str(uuid.uuid4())]},
    ("POST", "/api/restrictions"): {"kind": "patient", "value": "4711"},
    ("PUT", "/api/prior-rule"): {"reach": "none"},
    ("POST", "/api/release-rules"): {"name": "n", "group_id": str(uuid.uuid4()), "conditions": {"modality": "MR"}},
    ("POST", "/api/release-rules/preview"): {"modality": "MR"},
    ("PUT", "/api/release-rules/{rule_id}"): {
        "name": "n",
        "group_id": str(uuid.uuid4()),
        "conditions": {"modality": "MR"},
        "revision": 1,
    },
    ("POST", "/api/routing-rules"): ROUTING_RULE,
    ("POST", "/api/routing-rules/try"): ROUTING_RULE,
    ("PUT", "/api/routing-rules/{routing_rule_id}"): ROUTING_RULE | {"revision": 1},
    ("PUT", "/api/routing-rules/{routing_rule_id}/enabled"): {"enabled": False},
    ("PUT", "/api/routing-rules/order"): {"ids": []},
    ("PUT", "/api/devices/{ae_title}"): {"addresses": ["192.0.2.7"]},
    ("PUT", "/api/studies/{study_id}/restrictions"): {},
    ("POST", "/api/broken-glass"): {"patient_id": "4711", "kind": "emergency", "reason": "unconscious, no relatives"},
    ("POST", "/api/privacy/volume/{alarm_id}"): {"note": "asked", "let_in": True},
    ("POST", "/api/privacy/requests"): {"kind": "access", "patient_id": "P1", "requester": "A. Meier"},
    ("PUT", "/api/privacy/requests/{request_id}"): {"revision": 1},
    ("POST", "/api/privacy/requests/{request_id}/erasure"): {"revision": 1},
    ("POST", "/api/privacy/transfers"): {
        "patient_id": "P1",
        "giver": "A. Meier",
        "text_version": "Consent 3",
        "studies": [{"study_id": str(uuid.uuid4()), "source_id": str(uuid.uuid4())}],
    },
    ("POST", "/api/privacy/transfers/find"): {"patient_id": "P1"},
    ("POST", "/api/privacy/transfers/{transfer_id}/withdrawal"): {"how": "by letter", "revision": 1},
    ("POST", "/api/privacy/requests/{request_id}/restriction"): {
        "revision": 1,
        "ground": "accuracy",
        "reason": "the name is doubted",
    },
    ("POST", "/api/privacy/requests/{request_id}/correction"): {
        "revision": 1,
        "studies": [str(uuid.uuid4())],
        "values": {"sex": "F"},
    },
    ("POST", "/api/privacy/requests/{request_id}/passing"): {
        "revision": 1,
        "source_id": str(uuid.uuid4()),
        "how": "by post",
    },
    ("POST", "/api/privacy/restrictions/{restriction_id}/lifting"): {"reason": "proven", "told_how": "by post"},
    ("PUT", "/api/privacy/clinics/{source_id}"): {"name": "Clinic"},
    ("POST", "/api/privacy/incidents"): INCIDENT,
    ("PUT", "/api/privacy/incidents/{incident_id}"): INCIDENT | {"revision": 1},
    ("PUT", "/api/privacy/contacts"): {"controller": "Clinic"},
    ("PUT", "/api/organisation"): {"region": "DE"},
    ("POST", "/api/organisation/agreements"): AGREEMENT,
    ("POST", "/api/organisation/agreements/{agreement_id}/end"): {"ended_on": "2026-03-01", "why": "moved"},
    ("POST", "/api/privacy/processors"): PROCESSOR,
    ("PUT", "/api/privacy/processors/{processor_id}"): PROCESSOR,
    ("PUT", "/api/privacy/texts/{kind}/draft"): {"english": "a", "german": "b", "revision": 0},
    ("POST", "/api/privacy/texts/{kind}/versions"): {"revision": 1},
    ("POST", "/api/privacy/acceptances"): {
        "texts": [{"id": str(uuid.uuid4()), "sha256": "0" * 64}],
        "language": "en",
    },
    ("POST", "/api/studies/{study_id}/releases"): {"kind": "group", "id": str(uuid.uuid4())},
    ("POST", "/api/studies/{study_id}/owners"): {"kind": "group", "id": str(uuid.uuid4())},
    ("POST", "/api/me/closing"): {},
    ("PUT", "/api/me/preferences/{name}"): {"value": None, "revision": 0},
    ("PUT", "/api/preferences/{name}"): {"value": None, "revision": 0},
    ("PUT", "/api/audit/retention"): {"patient_days": 4000, "usage_days": 4000},
    ("POST", "/api/accounts"): {"username": "new"},
    ("PATCH", "/api/accounts/{account_id}"): {"role": "user"},
    ("POST", "/api/tokens"): {"name": "new"},
    ("POST", "/api/directory/runs"): {"kind": "preview"},
    ("POST", "/api/oidc/people"): {"subject": "s", "account_id": str(uuid.uuid4())},
    ("PUT", "/api/oidc/people/{sign_on_id}"): {"account_id": str(uuid.uuid4())},
    ("POST", "/api/sources"): {"name": "new", "kind": "upload"},
    ("PATCH", "/api/sources/{source_id}"): {"name": "new"},
    ("POST", "/api/pacs"): {
        "name": "new",
        "ae_title": "NEW",
        "host": "localhost",
        "port": 104,
        "source_id": str(uuid.uuid4()),
    },
    ("PATCH", "/api/pacs/{pacs_id}"): {"name": "new"},
    ("POST", "/api/pacs/search"): {"patient_id": "4711"},
    ("POST", "/api/schedules"): {"name": "new", "pacs": [str(uuid.uuid4())], "times": "30 5 * * 1-5"},
    ("PUT", "/api/schedules/{schedule_id}"): {"name": "n", "pacs": [str(uuid.uuid4())], "times": "30 5 * * 1-5"},
    ("POST", "/api/schedules/try"): {"plan": {"name": "n", "pacs": [str(uuid.uuid4())], "times": "30 5 * * 1-5"}},
    ("POST", "/api/worklists/search"): {"patient_id": "4711"},
    ("POST", "/api/hl7/messages/replay"): {"ids": [str(uuid.uuid4())]},
    ("POST", "/api/hl7/try"): {"text": "MSH|^~\\&|"},
    ("POST", "/api/hl7/reports"): {"receiver": "KIS", "instance_id": str(uuid.uuid4())},
    ("POST", "/api/pacs/{pacs_id}/series"): {"study_uid": "1.2.3"},
    ("POST", "/api/fetches"): {"fetches": [{"pacs_id": str(uuid.uuid4()), "study_uid": "1.2.3"}]},
    ("POST", "/api/destinations"): {"name": "new", "ae_title": "NEW", "host": "localhost", "port": 104},
    ("PATCH", "/api/destinations/{destination_id}"): {"name": "new"},
    ("POST", "/api/destinations/{destination_id}/test"): {"probe": False},
    ("POST", "/api/deliveries/{delivery_id}/priority"): {"priority": 1},
    ("POST", "/api/session/password"): {"current_password": "x", "new_password": "y"},
    ("POST", "/api/quarantine/{quarantined_id}/release"): {"as": "as-received"},
    ("POST", "/api/studies/{study_id}/hold"): {},
    ("POST", "/api/parcels"): {"name": "new"},
    ("PUT", "/api/studies/{study_id}/marks/{mark_id}"): {
        "kind": "key",
        "instance_id": str(uuid.uuid4()),
        "frame": 1,
        "points": [],
        "revision": 0,
    },
    ("POST", "/api/displays"): DISPLAY | {"workstation": "PC"},
    ("PUT", "/api/displays/{display_id}"): DISPLAY,
    ("PUT", "/api/displays/{display_id}/checks/{check_id}"): {
        "kind": "visual",
        "columns": 1,
        "rows": 1,
        "pixel_um": 1,
        "answers": {},
    },
    ("POST", "/api/studies/{study_id}/exports"): {"form": "png", "named": True, "instance_ids": [str(uuid.uuid4())]},
    ("POST", "/api/session/factor"): {"kind": "totp", "code": "000000"},
    ("POST", "/api/session/proof"): {"kind": "totp", "code": "000000"},
    ("POST", "/api/me/factors/totp"): {"name": "new"},
    ("POST", "/api/me/factors/passkey"): {"name": "new", "challenge": "", "credential": {}},
    ("POST", "/api/me/factors/{factor_id}/confirm"): {"code": "000000"},
    ("PATCH", "/api/me/factors/{factor_id}"): {"name": "new"},
    ("PUT", "/api/factors/{subject_kind}/{subject_id}"): {"kinds": ["totp"]},
    ("POST", "/api/accounts/{account_id}/factors/reset"): {"reason": "lost"},
    ("POST", "/api/links"): {"studies": [str(uuid.uuid4())], "ends_at": "2026-03-02T00:00:00Z"},
    ("POST", "/api/links/{link_id}/sheet"): {"address": "https://x/s#x"},
    ("POST", "/api/shared"): {"token": "x"},
    ("POST", "/shl/{address}"): {"recipient": "x"},
    ("POST", "/dlx/v1/tokentfa/{value}"): {"tfaAnswer": [{"questionId": "1", "answer": "x"}]},
    ("POST", "/api/launches/open"): {"token": "x"},
    ("POST", "/api/launches"): {"user": "anna", "study": str(uuid.uuid4())},
    ("POST", "/api/shared/code"): {"token": "x"},
    ("POST", "/api/shared/code/state"): {"asked": "x"},
    ("PUT", "/api/analyses/{kind}"): {"enabled": False},
    ("POST", "/api/imports"): {"basis": "treatment"},
    ("PUT", "/api/bringing/page"): {"is_open": False},
    ("POST", "/api/imports/{case_id}/after-withdrawal"): {"keep": True, "why": "x"},
    ("POST", "/api/imports/{case_id}/answers"): {"answers": {"1": "2"}},
    ("POST", "/api/imports/{case_id}/confirmations"): {"keys": ["x"]},
    ("POST", "/api/imports/{case_id}/people/{number}/file"): {},
    ("POST", "/api/imports/{case_id}/people/{number}/send-on"): {"destination_id": str(uuid.uuid4())},
    ("POST", "/api/imports/{case_id}/report"): {"text": "x"},
    ("PUT", "/api/imports/{case_id}/birth-date"): {"birth_date": None},
    ("PUT", "/api/imports/{case_id}/uploads/{key}"): {"files": 1, "bytes": 1},
    ("PUT", "/api/imports/{case_id}/people/{number}/patient"): {"patient": None},
    ("PUT", "/api/imports/{case_id}/people/{number}/papers"): {"files": ["x"], "filed": False},
    ("PUT", "/api/portals"): {"host": "portal.example", "confirm": True},
    ("POST", "/api/studies/{study_id}/analyses"): {"kind": "perfusion"},
    ("POST", "/api/analysis-runs/{analysis_run_id}/rerun"): {"parameters": {}},
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
        elif operation in AUDITORS:
            assert (status, problem["code"]) == (403, "auditors-only"), (operation, problem)
        elif operation in OFFICER:
            assert (status, problem["code"]) == (403, "officer-only"), (operation, problem)
        elif operation in ORGANISATION_WIDE:
            assert (status, problem["code"]) == (403, "organisation-wide"), (operation, problem)
        elif operation in GLASS:
            assert (status, problem["code"]) == (403, "no-glass"), (operation, problem)
        elif operation in LAUNCHES:
            assert (status, problem["code"]) == (403, "launch-right"), (operation, problem)
        elif operation in TICKETED:
            assert (status, problem["code"]) == (401, "ticket-wanted"), (operation, problem)
        else:
            assert status == 404, (operation, status, problem)


def test_an_administrator_is_no_officer_and_an_officer_no_administrator(site: WebSite) -> None:
    site.account("officer", "dpo")
    site.account("machine", "service")
    root, officer, machine = (site.login(name) for name in ("root", "officer", "machine"))
    for operation in sorted(OFFICER):
        assert ask(root, operation)[1]["code"] == "officer-only", operation
    for operation in sorted(AUDITORS | OFFICER):
        status = ask(officer, operation)[0]
        names_another = "{" in operation[1] or operation == ("POST", "/api/privacy/transfers")
        assert status in ((200, 201, 404) if names_another else (200, 201)), operation
        assert ask(machine, operation)[0] == 403, operation
    for login in (officer, machine):
        for operation in sorted(ADMINISTRATION):
            assert ask(login, operation)[1]["code"] == "administrators-only", operation
        for operation in sorted(SCOPED):
            assert ask(login, operation)[0] == 404, operation


def test_who_comes_with_a_link_finds_what_it_shows_and_every_other_route_closed(site: WebSite) -> None:
    root = site.login("root")
    upload(site, root, CT)
    study = only_study(root)["id"]
    ends_at = (site.clock.now() + timedelta(days=1)).isoformat()
    made = root.http.post("/api/links", json={"studies": [study], "ends_at": ends_at}, headers=root.headers)
    visitor = Login(site.client("203.0.113.1"))
    token = made.json()["address"].partition("#")[2]
    assert visitor.http.post("/api/shared", json={"token": token}).status_code == 200
    visitor.csrf = visitor.http.get("/api/session").json()["csrf_token"]
    assert visitor.http.get(f"/api/studies/{study}").status_code == 200
    for operation in sorted(operations(site) - OPEN - OF_VISITORS):
        status, problem = ask(visitor, operation)
        if operation in TO_VISITORS:
            assert status == 404, (operation, status, problem)
        else:
            assert (status, problem["code"]) == (403, "not-by-link"), (operation, status, problem)
    for path in ("/api/docs", "/api/openapi.json", "/metrics"):
        assert visitor.http.get(path).status_code == 403


def test_whom_a_program_has_brought_finds_what_it_opened_and_every_other_route_closed(site: WebSite) -> None:
    root = site.login("root")
    upload(site, root, CT)
    study = only_study(root)["id"]
    with site.database.write() as session:
        made = site.identity.create_token(session, site.organisation_id, name="RIS", role="service", may_launch=True)
    program = {"Authorization": f"Bearer {made.secret}"}
    asked = site.client().post("/api/launches", json={"user": "root", "study": study}, headers=program).json()
    brought = Login(site.client("203.0.113.1"))
    token = asked["address"].partition("#")[2]
    assert brought.http.post("/api/launches/open", json={"token": token}).status_code == 200
    brought.csrf = brought.http.get("/api/session").json()["csrf_token"]
    assert brought.http.get(f"/api/studies/{study}").status_code == 200
    for operation in sorted(operations(site) - OPEN - OF_LAUNCHED):
        status, problem = ask(brought, operation)
        if operation in TO_LAUNCHED:
            assert status == 404, (operation, status, problem)
        else:
            assert (status, problem["code"]) == (403, "not-by-launch"), (operation, status, problem)
    for path in ("/api/docs", "/api/openapi.json", "/metrics"):
        assert brought.http.get(path).status_code == 403


def test_a_login_that_has_not_come_all_the_way_reaches_what_it_needs_alone(site: WebSite) -> None:
    cases = (("factor", ENTERING, "factor-wanted"), ("set-up", SETTING_UP, "factor-set-up-wanted"))
    for stage, needed, code in cases:
        login = site.login("root", "203.0.113.5")
        with site.database.write() as session:
            session.query(LoginSession).filter(LoginSession.ended_at.is_(None)).update({"stage": stage})
        for operation in sorted(operations(site) - OPEN - needed):
            status, problem = ask(login, operation)
            assert (status, problem["code"]) == (403, code), (stage, operation, status, problem)
        for path in ("/api/docs", "/api/openapi.json", "/metrics"):
            assert login.http.get(path).status_code == 403, path
        for operation in sorted(needed - {("DELETE", "/api/session")}):
            assert ask(login, operation)[1].get("code") != code, operation
        with site.database.write() as session:
            session.query(LoginSession).update({"stage": "open"})


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


NO_STUDIES: dict[str, Any] = {"studies": [], "next_cursor": None, "total": 0, "total_capped": False}


def hot() -> set[Operation]:
    return {("GET", short.path) for short in [*dicomweb.hot_routes(), *api.hot_routes()]}


def asked_both_ways(login: Login, operation: Operation) -> list[tuple[int, Any, dict[str, str]]]:
    """Ask by the short way, and by FastAPI's: a request that announces a body, even an empty one, goes there."""
    answers = []
    for further in ({}, {"Content-Length": "0"}):
        path = operation[1].replace("{numbers}", "1").replace("{number}", "1")
        path = re.sub(r"\{(study|series|instance)\}", "1.2.3", path)
        path = re.sub(r"\{[a-z_]+\}", "0198a000-0000-7000-8000-000000000001", path)
        answer = login.http.get(path, params=PARAMETERS.get(path), headers={**login.headers, **further})
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        kept = {name: value for name, value in answer.headers.items() if name != "x-correlation-id"}
        if isinstance(body, dict):
            assert body.pop("correlation_id", answer.headers["x-correlation-id"]) == answer.headers["x-correlation-id"]
        answers.append((answer.status_code, body, kept))
    return answers


def test_what_goes_the_short_way_is_registered_for_everybody_to_read(site: WebSite) -> None:
    assert hot()
    assert hot() <= operations(site)


def test_the_short_way_refuses_whom_the_long_way_refuses(site: WebSite) -> None:
    nobody = Login(site.client("203.0.113.1"))
    forged = Login(site.client("203.0.113.1"))
    forged.http.cookies.set("radrelay_session", "A" * 43)
    stranger = site.login("stranger")
    for operation in sorted(hot()):
        for login, expected in ((nobody, {401}), (forged, {401}), (stranger, {200, 404})):
            short, long = asked_both_ways(login, operation)
            assert short == long, operation
            assert short[0] in expected, (operation, short)
            assert short[0] != 200 or short[1] in ([], {}, NO_STUDIES), (operation, short)


def test_the_list_reads_its_query_alike_on_both_ways(site: WebSite) -> None:
    root = site.login("root")
    wanted = {"": 200, "?limit=1&modality=CT&modality=MR&sort=name": 200, "?name=%C3%84rzt*&date_from=2026-01-31": 200}
    wrong = {"?limit=0": 422, "?limit=1&limit=x": 422, "?unknown=1": 422, "?date_from=31.1.2026": 422, "?sort=uid": 422}
    for query, expected in (wanted | wrong).items():
        short, long = asked_both_ways(root, ("GET", f"/api/studies{query}"))
        assert short == long, query
        assert short[0] == expected, (query, short)


def test_a_revoked_token_ends_on_the_short_way_at_once(site: WebSite) -> None:
    client = site.client()
    with site.database.write() as session:
        made = site.identity.create_token(session, site.organisation_id, name="a machine", role="admin")
    client.headers["Authorization"] = f"Bearer {made.secret}"
    assert client.get("/dicom-web/studies").status_code == 200
    with site.database.write() as session:
        site.identity.revoke_token(session, site.organisation_id, made.token.id)
    assert client.get("/dicom-web/studies").status_code == 401


def test_the_short_way_is_measured_under_its_route(site: WebSite) -> None:
    asked_both_ways(site.login("root"), ("GET", "/api/instances/{instance_id}/frames/{number}/pixels"))
    measured = site.client().get("/metrics").text
    template = 'route="/api/instances/{instance_id}/frames/{number}/pixels",status="4xx"'
    assert re.search(re.escape(template) + r"\} [1-9]", measured)


def test_a_route_that_wants_more_cannot_go_the_short_way() -> None:
    router = APIRouter()

    @router.get("/things/{thing}")
    def thing(thing: str, request: Request, services: Services, principal: Administrator) -> Response:
        raise AssertionError

    @router.get("/rows/{row}")
    def row(
        row: str, request: Request, services: Services, principal: Authenticated, x_limit: Annotated[int, Header()] = 5
    ) -> Response:
        raise AssertionError

    for endpoint in (thing, row):
        with pytest.raises(NotPlain):
            short_routes("/x", router, [endpoint])
