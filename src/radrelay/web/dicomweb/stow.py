"""STOW-RS (PS3.18 10.5): DICOM files in one part or many, or metadata as JSON with bulk data beside it.

Each instance is durable before it is named in the answer; one that is refused does not hinder its neighbours.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from email.message import Message
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from radrelay.access import Principal
from radrelay.dicom.multipart import BadMultipart, PartEnded, PartEvent, PartStarted, read_parts
from radrelay.errors import RadrelayError, Unavailable
from radrelay.intake.stow import CANNOT_UNDERSTAND, StowIntake, StowOutcome
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.composing import BadMetadata, compose
from radrelay.web.dicomweb.negotiation import DICOM, DICOM_JSON, MULTIPART
from radrelay.web.dicomweb.reaching import base_url
from radrelay.web.problems import correlation_of
from radrelay.web.services import WebServices
from radrelay.web.uploads import BodyPieces, announced_bytes

router = APIRouter(tags=["dicomweb"])

COMPOSED_LIMIT = 512 << 20  # metadata and its bulk data are put together in memory
METADATA_LIMIT = 32 << 20  # read as JSON it takes some twenty times as much
COMPOSING_WAIT_S = 10.0
_composing = threading.BoundedSemaphore(2)  # so that a crowd of them does not take the machine's memory

_BODY = {"requestBody": {"required": True, "content": {MULTIPART: {}, DICOM: {}, DICOM_JSON: {}}}}


class UnsupportedStowMedia(RadrelayError):
    """STOW-RS takes application/dicom, application/dicom+json, or multipart/related of these."""

    code = "unsupported-media-type"
    http_status = 415


@router.post("/studies", openapi_extra=_BODY)
async def store(request: Request, services: Services, principal: Authenticated) -> Response:
    """Take instances of any study."""
    return await _store(request, services, principal, "")


@router.post("/studies/{study}", openapi_extra=_BODY)
async def store_into_study(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Take instances of one study; others are refused."""
    return await _store(request, services, principal, study)


async def _store(request: Request, services: WebServices, principal: Principal, study: str) -> Response:
    limit = services.settings.web.upload_limit_bytes
    announced_bytes(request, limit)
    pieces = BodyPieces(request, limit)
    media, parameters = _content_type(request.headers.get("content-type", ""))
    inner = parameters.get("type", DICOM).lower() if media == MULTIPART else media
    if inner not in (DICOM, DICOM_JSON):
        raise UnsupportedStowMedia
    if media == MULTIPART and not parameters.get("boundary"):
        raise BadMultipart("multipart/related needs a boundary")
    take = partial(_take, services, principal, study, correlation_of(request))
    body = _single(pieces, media) if media != MULTIPART else read_parts(iter(pieces), parameters["boundary"])
    outcomes = await services.upload_threads.run(partial(take, body, composed=inner == DICOM_JSON))
    services.measurements.uploaded_bytes.inc(pieces.taken)
    return await services.upload_threads.run(partial(_answer, request, services, principal, outcomes))


def _content_type(header: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["content-type"] = header or DICOM
    parameters = {name.lower(): value for name, value in message.get_params(failobj=[])[1:]}
    return message.get_content_type(), parameters


def _single(pieces: BodyPieces, media: str) -> Iterator[PartEvent]:
    yield PartStarted({"content-type": media})
    yield from pieces
    yield PartEnded()


def _take(
    services: WebServices,
    principal: Principal,
    study: str,
    correlation_id: str,
    events: Iterator[PartEvent],
    *,
    composed: bool,
) -> list[StowOutcome]:
    source = services.sources.resolve("stow", organisation_id=principal.organisation_id)
    intake = StowIntake(services.landing, source.origin(peer=principal.peer, correlation_id=correlation_id), study)
    if composed:
        if not _composing.acquire(timeout=COMPOSING_WAIT_S):
            raise Unavailable("too many instances are put together from metadata at once; try again in a moment")
        try:
            return _take_composed(intake, events)
        finally:
            _composing.release()
    outcomes = []
    for event in events:
        if isinstance(event, PartStarted):
            media, _ = _content_type(event.headers.get("content-type", DICOM))
            content = _until_end(events)
            if media == DICOM:
                outcomes.append(intake.take_file(content))
            else:
                outcomes.append(_not_understood(f"a part is {media}, not {DICOM}"))
            for _ in content:
                pass  # what a refused part still has is passed over, so that its neighbours are found
    return outcomes


def _until_end(events: Iterator[PartEvent]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, PartEnded):
            return
        if isinstance(event, bytes):
            yield event


def _take_composed(intake: StowIntake, events: Iterator[PartEvent]) -> list[StowOutcome]:
    metadata: list[dict[str, object]] | None = None
    bulk: dict[str, tuple[str, bytes]] = {}
    room = COMPOSED_LIMIT
    for event in events:
        if not isinstance(event, PartStarted):
            continue
        content = _within(_until_end(events), METADATA_LIMIT if metadata is None else room)
        room -= len(content)
        if metadata is None:
            metadata = _read_json(content)
        else:
            location = event.headers.get("content-location", "")
            bulk[location] = (event.headers.get("content-type", ""), content)
    outcomes = []
    for found in metadata or []:
        try:
            data_set, syntax, announced = compose(found, bulk)
        except BadMetadata as error:
            outcomes.append(_not_understood(error.message))
            continue
        outcomes.append(intake.take_dataset([data_set], syntax, announced))
    return outcomes


def _within(content: Iterable[bytes], room: int) -> bytes:
    kept = bytearray()
    for piece in content:
        kept += piece
        if len(kept) > room:
            raise BadMetadata(
                f"metadata may have at most {METADATA_LIMIT} bytes, with its bulk data at most {COMPOSED_LIMIT}"
            )
    return bytes(kept)


def _read_json(content: bytes) -> list[dict[str, object]]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadMetadata(f"the metadata is no JSON: {error}") from error
    instances = found if isinstance(found, list) else [found]
    if not all(isinstance(instance, dict) for instance in instances):
        raise BadMetadata("the metadata is a list of DICOM JSON objects")
    return instances


def _not_understood(text: str) -> StowOutcome:
    return StowOutcome("", "", "", "", failure_reason=CANNOT_UNDERSTAND, error=text, http_status=400)


def _answer(request: Request, services: WebServices, principal: Principal, outcomes: list[StowOutcome]) -> Response:
    """Return the standard's response document (PS3.18 10.5.3, Annex I)."""
    base = base_url(request)
    kept = [outcome for outcome in outcomes if outcome.failure_reason is None]
    failed = [outcome for outcome in outcomes if outcome.failure_reason is not None]
    document: dict[str, object] = {}
    studies = {outcome.study_uid for outcome in kept}
    if len(studies) == 1:
        document["00081190"] = {"vr": "UR", "Value": [f"{base}/studies/{studies.pop()}"]}
    if kept:
        document["00081199"] = {"vr": "SQ", "Value": [_reference(outcome, base) for outcome in kept]}
    for tag, listed in (
        ("00081198", [outcome for outcome in failed if outcome.sop_uid]),
        ("0008119A", [outcome for outcome in failed if not outcome.sop_uid]),  # other failures: of what is unknown
    ):
        if listed:
            document[tag] = {"vr": "SQ", "Value": [_failure(outcome) for outcome in listed]}
    with services.database.write() as session:
        detail = {"kept": len(kept), "refused": len(failed)}
        trail.write(session, trail.event(request, principal, "import.stow", detail=detail))
    return JSONResponse(document, _status(kept, failed), media_type=DICOM_JSON)


def _status(kept: list[StowOutcome], failed: list[StowOutcome]) -> int:
    if not failed:
        return 200 if kept else 400
    if kept:
        return 202
    return max(outcome.http_status for outcome in failed) if all(o.http_status == 507 for o in failed) else 409


def _reference(outcome: StowOutcome, base: str) -> dict[str, object]:
    address = f"{base}/studies/{outcome.study_uid}/series/{outcome.series_uid}/instances/{outcome.sop_uid}"
    return {
        "00081150": {"vr": "UI", "Value": [outcome.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [outcome.sop_uid]},
        "00081190": {"vr": "UR", "Value": [address]},
    }


def _failure(outcome: StowOutcome) -> dict[str, object]:
    found: dict[str, object] = {}
    if outcome.sop_class_uid:
        found["00081150"] = {"vr": "UI", "Value": [outcome.sop_class_uid]}
    if outcome.sop_uid:
        found["00081155"] = {"vr": "UI", "Value": [outcome.sop_uid]}
    found["00081197"] = {"vr": "US", "Value": [outcome.failure_reason]}
    found["00000902"] = {"vr": "LO", "Value": [outcome.error[:64]]}
    return found
