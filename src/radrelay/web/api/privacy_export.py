"""A person's export: all that is held of them as a ZIP, for the requester of a data subject's request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from radrelay.access import Principal
from radrelay.archive.export import ExtraFile, stream_zip
from radrelay.audit.disclosures import COLUMNS, seen_by
from radrelay.audit.export import written
from radrelay.privacy import requests
from radrelay.privacy.contacts import contacts_of
from radrelay.privacy.holdings_of import Held
from radrelay.privacy.notice import Language
from radrelay.web import trail
from radrelay.web.api.privacy_requests import note
from radrelay.web.authentication import Auditor, Services
from radrelay.web.problems import answers
from radrelay.web.request_data import RequestData, data_of
from radrelay.web.request_sheet import Seen, request_sheet
from radrelay.web.services import WebServices

router = APIRouter(prefix="/privacy/requests", tags=["privacy"])


@router.get("/{request_id}/export.zip", response_class=StreamingResponse, responses=answers("application/zip"))
def export(
    request: Request, services: Services, principal: Auditor, request_id: uuid.UUID, language: Language = "en",
    person: uuid.UUID | None = None, *, instructed: bool = False,
) -> StreamingResponse:  # fmt: skip
    """Return what is held as a ZIP: pages to be read (PDF), JSON, to whom data went (CSV), DICOM objects, other files.

    The requester must have been verified. Images that the caller may not download are named, not included. 409
    `several-people` where the ID is of several, unless `person` is a study of the one who is meant. Studies that only
    clinics decide about are left out unless they have `instructed` us.
    """
    with services.database.read() as session:
        one = requests.request_of(session, principal.organisation_id, request_id)
    one.require_verified()

    def meant(found: Held) -> Held:
        return found.of_one(person) if instructed else found.of_one(person).to_hand_out()

    data = data_of(services, principal, one, meant)
    seen = {str(study.id): _seen(services, principal, study.id) for study in data.shown.studies}
    with services.database.write() as session:
        note(session, request, principal, "request.export", one, {"objects": len(data.refs), "instructed": instructed})
        for study in (each for each in data.shown.studies if each.included):
            patient = (one.subject.issuer, one.subject.patient_id, study.name)
            detail = {"recipient": one.requester, "purpose": "GDPR Art. 15"}
            event = trail.event(
                request, principal, "study.download", ("study", study.id), detail=detail, patient=patient
            )
            trail.write(session, event)
        house = contacts_of(session, principal.organisation_id)
    sheet = request_sheet(data.shown.model_dump(), data.rows, data.went, seen, one.requester, house, language)
    extras = [_extra("person.pdf", sheet), *_tables(data, seen), *data.files]
    services.reader.require(data.refs)
    pieces = stream_zip(services.reader, data.refs, services.workers, services.clock.now(), extras=extras)
    headers = {"Content-Disposition": f'attachment; filename="request-{one.id}.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def _tables(data: RequestData, seen: dict[str, list[Seen]]) -> list[ExtraFile]:
    """Return what is held as tables for computers: JSON, `rows` by table among it, and to whom data went as CSV."""
    told = {study: [asdict(who) for who in whom] for study, whom in seen.items()}
    shown = data.shown.model_dump(mode="json", exclude={"other_issuers"})  # which is about others
    whole = {**shown, "seen": told, "rows": data.rows}
    text = json.dumps(whole, ensure_ascii=False, indent=1, default=str).encode()
    return [_extra("person.json", text), _extra("disclosures.csv", b"".join(written(data.went, "csv", COLUMNS)))]


def _seen(services: WebServices, principal: Principal, study_id: uuid.UUID) -> list[Seen]:
    """Return who has seen a study or taken it away, the last first."""
    found: dict[tuple[str, bool], Seen] = {}
    for entry in seen_by(services.database, principal.organisation_id, study_id):
        who = (entry.actor_name, entry.actor_kind == "link")
        known = found.get(who) or Seen(*who, 0, entry.at)
        found[who] = Seen(*who, known.times + 1, known.last_at)
    return list(found.values())


def _extra(name: str, content: bytes) -> ExtraFile:
    def pieces() -> Iterable[bytes]:
        return [content]

    return ExtraFile(name, len(content), pieces)
