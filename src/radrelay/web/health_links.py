"""Links as SMART Health Links (HL7 SMART Health Cards and Links 1.0.0): `shlink:/…`, its manifest, its file.

The address of the manifest and the key are made of the link's token (`access.LinkKeys`). Behind a passcode, which is
the link's PIN or date of birth, stands one sealed file: a FHIR Bundle with a patient and an ImagingStudy for each
study, and an Endpoint that says where its objects are retrieved by WADO-RS, and with which ticket. Browsers of other
sites may ask, since viewers of health links are such: nothing here goes by cookies.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from joserfc import jwe
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy.orm import Session
from starlette.responses import Response

from radrelay import access
from radrelay.access import LinkTry, Principal, Visit
from radrelay.access.errors import LinkEnded, LinkLooksOnly, LinkRefused
from radrelay.archive.models import Study
from radrelay.errors import NotFound
from radrelay.web import study_rows
from radrelay.web.answering import MEDIA_TYPE, encoded
from radrelay.web.api.shared import attempt_of
from radrelay.web.authentication import Services
from radrelay.web.connection import own_address, peer_address
from radrelay.web.dlx.asking import AnswersWrong, let_in
from radrelay.web.dlx.handing_out import handed_out
from radrelay.web.problems import RESPONSES, answers
from radrelay.web.program_links import MANIFESTS
from radrelay.web.services import WebServices
from radrelay.web.tickets import secret_of, ticket_for

router = APIRouter(prefix=MANIFESTS, tags=["health-links"], responses=RESPONSES)
FHIR = "application/fhir+json;fhirVersion=4.0.1"
JOSE = "application/jose"
LASTS = timedelta(hours=1)
"""How long a ticket counts that stands in a file: addresses in a manifest may count for an hour at most."""
ANYBODY = {"Access-Control-Allow-Origin": "*"}
DCM = "http://dicom.nema.org/resources/ontology/DCM"
CONNECTION = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
GENDERS = {"M": "male", "F": "female", "O": "other"}
Address = Annotated[str, Path(max_length=100, description="The last part of the manifest's address.")]


class NoHealthLink(NotFound):
    """This link opens nothing, or nothing any more."""

    code = "no-health-link"


class ManifestWanted(BaseModel):
    """Who asks, and with which passcode."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    recipient: str = Field(max_length=500)
    passcode: str | None = Field(None, max_length=100)
    embedded_length_max: int | None = Field(None, ge=0)


class ManifestFile(BaseModel):
    """A sealed file: itself, or where it is."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    content_type: str
    embedded: str | None = None
    location: str | None = None


class Manifest(BaseModel):
    """The files of a link; a link that has ended has none."""

    status: Literal["can-change", "no-longer-valid"]
    files: list[ManifestFile]


@router.options("/{address}")
def may_ask(address: Address) -> Response:
    """Let viewers on other sites ask for a manifest (Fetch, CORS preflight)."""
    del address
    allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type"}
    return Response(status_code=204, headers={**ANYBODY, **allowed, "Access-Control-Max-Age": "600"})


@router.post("/{address}", response_model=Manifest)
def manifest(request: Request, services: Services, address: Address, wanted: ManifestWanted) -> Response:
    """Give the manifest of a link. A wrong passcode is counted, and answered by 401 with `remainingAttempts`."""
    here = attempt_of(request, services, "")
    attempt = LinkTry("", here.address, wanted.passcode, user_agent=here.user_agent, health=address)
    try:
        visit = let_in(request, services, attempt)
    except AnswersWrong as wrong:
        left = wrong.facts.get("left")
        if left is None:  # there is no such link, or none any more
            return _said(404, {"code": NoHealthLink.code})
        return _said(401, {"remainingAttempts": left})
    except LinkEnded:
        return _said(200, {"status": "no-longer-valid", "files": []})
    except (LinkLooksOnly, LinkRefused):
        return _said(404, {"code": NoHealthLink.code})
    ticket = ticket_for(services.link_keys, visit.secret, services.clock.now(), LASTS)
    sealed = _sealed(request, services, visit, address, ticket)
    file: dict[str, str] = {"contentType": FHIR}
    if wanted.embedded_length_max is None or len(sealed) <= wanted.embedded_length_max:
        file["embedded"] = sealed
    else:
        file["location"] = f"{_site(request, services)}{router.prefix}/{address}/{ticket}"
    return _said(200, {"status": "can-change", "files": [file]})


@router.get("/{address}/{ticket}", response_class=Response, responses=answers(JOSE))
def sealed_file(request: Request, services: Services, address: Address, ticket: str) -> Response:
    """Give the file that a manifest names by its address."""
    peer = peer_address(request.scope, services.settings.web.behind_proxy)
    now = services.clock.now()
    secret = secret_of(services.link_keys, ticket, now)
    with services.database.read() as session:
        visit = access.visit_of(session, secret, peer, now)
        if not access.is_health_address(session, visit.link.id, address):
            raise NoHealthLink
    return Response(_sealed(request, services, visit, address, ticket), media_type=JOSE, headers=ANYBODY)


def _said(status: int, told: Mapping[str, object]) -> Response:
    return Response(encoded(told), status, ANYBODY, MEDIA_TYPE)


def _site(request: Request, services: WebServices) -> str:
    web = services.settings.web
    return web.address or own_address(request.scope, web.behind_proxy)


def _sealed(request: Request, services: WebServices, visit: Visit, address: str, ticket: str) -> str:
    """Return the Bundle as a compact JWE (RFC 7516 7.1; `dir`, A256GCM)."""
    with services.database.read() as session:
        bundle = _bundle(services, session, visit.principal, f"{_site(request, services)}/dicom-web", ticket)
    key = OctKey.import_key(services.link_keys.health_key(address))
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM", "cty": "application/fhir+json"}, encoded(bundle), key)


def _bundle(services: WebServices, session: Session, principal: Principal, root: str, ticket: str) -> dict[str, object]:
    """Return what the link hands out, as FHIR R4."""
    reach = handed_out(services, session, principal)
    rows = reach.newest_studies((), access.MOST_TARGETS) if reach.scope.identity == "clear" else []
    endpoint = {
        "resourceType": "Endpoint",
        "id": "wado-rs",
        "status": "active",
        "connectionType": {"system": CONNECTION, "code": "dicom-wado-rs"},
        "payloadType": [{"text": "DICOM"}],
        "payloadMimeType": ["application/dicom"],
        "address": root,
        "header": [f"Authorization: Bearer {ticket}"],
    }
    studies = ((row, study_rows.series_rows(session, row.id, reach.scope)) for row in rows)
    found = [one for row, series in studies for one in (_patient(row), _imaging_study(row, series))]
    entries = [
        {"fullUrl": _name(str(one["resourceType"]), str(one["id"])), "resource": one} for one in (*found, endpoint)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _name(kind: str, own: str) -> str:
    """Return the name of a resource within the Bundle."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{own}").urn


def _patient(row: Study) -> dict[str, Any]:
    family, given, middle = [*row.patient_name.partition("=")[0].split("^"), "", "", ""][:3]
    names = [one for part in (given, middle) for one in part.split()]
    name = {"text": " ".join([*names, family]).strip(), "family": family, "given": names}
    return {
        "resourceType": "Patient",
        "id": f"of-{row.id}",
        **({"name": [{key: value for key, value in name.items() if value}]} if name["text"] else {}),
        **({"birthDate": row.patient_birth_date.isoformat()} if row.patient_birth_date else {}),
        **({"gender": GENDERS[row.patient_sex]} if row.patient_sex in GENDERS else {}),
    }


def _imaging_study(row: Study, series: Sequence[Any]) -> dict[str, Any]:
    """Return a study with its series; what there is none of is left out, for FHIR knows no empty array (R4 2.6.2)."""
    modalities = sorted({one.modality for one in series if one.modality})
    return {
        "resourceType": "ImagingStudy",
        "id": str(row.id),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{row.study_uid}"}],
        "status": "available",
        **({"modality": [{"system": DCM, "code": one} for one in modalities]} if modalities else {}),
        "subject": {"reference": _name("Patient", f"of-{row.id}")},
        **({"started": row.study_date.isoformat()} if row.study_date else {}),
        "endpoint": [{"reference": _name("Endpoint", "wado-rs")}],
        "numberOfSeries": len(series),
        "numberOfInstances": sum(one.instance_count for one in series),
        **({"description": row.description} if row.description else {}),
        **({"series": [_series(one) for one in series]} if series else {}),
    }


def _series(one: Any) -> dict[str, Any]:
    return {
        "uid": one.series_uid,
        **({"number": one.number} if one.number is not None and one.number >= 0 else {}),
        "modality": {"system": DCM, "code": one.modality or "OT"},
        **({"description": one.description} if one.description else {}),
        "numberOfInstances": one.instance_count,
    }
