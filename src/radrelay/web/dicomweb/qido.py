"""QIDO-RS (PS3.18 10.6): studies, series and instances by attributes, named by keyword or tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from radrelay import access
from radrelay.access import Principal, Right
from radrelay.archive import levels, matching
from radrelay.archive.matching import Json, Level
from radrelay.dicom.dictionary import tag_of
from radrelay.dicom.multipart import Part
from radrelay.errors import Invalid
from radrelay.web import trail
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.answering import compressed, multipart
from radrelay.web.dicomweb.native_model import to_xml
from radrelay.web.dicomweb.negotiation import DICOM_JSON, DICOM_XML, accepted, wants_xml
from radrelay.web.dicomweb.reaching import base_url
from radrelay.web.services import WebServices

router = APIRouter(tags=["dicomweb"])

LIMIT = 5_000
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_CONTROLS = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept", "charset"})

_STUDY = (
    "00080005", "00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00080201", "00081030",
    "00081190", "00100010", "00100020", "00100021", "00100030", "00100040", "0020000D", "00200010", "00201206",
    "00201208",
)  # fmt: skip
_SERIES = (
    "00080005", "00080021", "00080031", "00080056", "00080060", "00080201", "0008103E", "00081190", "0020000E",
    "00200011", "00201209", "00400244", "00400245", "00400275",
)  # fmt: skip
_INSTANCE = (
    "00080005", "00080016", "00080018", "00080056", "00080201", "00081190", "00083002", "00200013", "00280008",
    "00280010", "00280011", "00280100",
)  # fmt: skip
DEFAULTS: dict[Level, tuple[str, ...]] = {
    "STUDY": _STUDY,
    "SERIES": (*_SERIES, "0020000D"),
    "IMAGE": (*_INSTANCE, "0020000D", "0020000E"),
}
"""What each level's answer holds unasked (PS3.18 tables 10.6.3-3 to -5)."""


class BadQuery(Invalid):
    """The query's parameters cannot be understood."""

    code = "bad-query"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was asked; `unknown` are parameters that no attribute is called by."""

    keys: Mapping[int, str]
    include: frozenset[str]
    everything: bool
    fuzzy: bool
    limit: int
    offset: int
    unknown: tuple[str, ...]


@router.get("/studies")
def search_studies(request: Request, services: Services, principal: Authenticated) -> Response:
    """Find studies."""
    return _search(request, services, principal, "STUDY", {})


@router.get("/series")
def search_all_series(request: Request, services: Services, principal: Authenticated) -> Response:
    """Find series of any study."""
    return _search(request, services, principal, "SERIES", {}, relational=True)


@router.get("/instances")
def search_all_instances(request: Request, services: Services, principal: Authenticated) -> Response:
    """Find instances of any study."""
    return _search(request, services, principal, "IMAGE", {}, relational=True)


@router.get("/studies/{study}/series")
def search_series(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Find series of a study."""
    return _search(request, services, principal, "SERIES", {0x0020000D: study})


@router.get("/studies/{study}/instances")
def search_study_instances(study: str, request: Request, services: Services, principal: Authenticated) -> Response:
    """Find instances of a study."""
    return _search(request, services, principal, "IMAGE", {0x0020000D: study}, relational=True)


@router.get("/studies/{study}/series/{series}/instances")
def search_instances(
    study: str, series: str, request: Request, services: Services, principal: Authenticated
) -> Response:
    """Find instances of a series."""
    return _search(request, services, principal, "IMAGE", {0x0020000D: study, 0x0020000E: series})


def parse_query(items: list[tuple[str, str]]) -> Asked:
    """Read the parameters; raises `BadQuery` for numbers that are none."""
    keys: dict[int, str] = {}
    include: set[str] = set()
    unknown: list[str] = []
    everything = False
    for name, value in items:
        if name == "includefield":
            for field in value.split(","):
                everything = everything or field.strip().lower() == "all"
                tag = _tag(field)
                if tag is not None:
                    include.add(f"{tag:08X}")
        elif name.lower() not in _CONTROLS:
            tag = _tag(name)
            if tag is None:
                unknown.append(name)
            else:
                keys[tag] = f"{keys[tag]}\\{value}" if keys.get(tag) else value
    found = dict(items)
    return Asked(
        keys,
        frozenset(include),
        everything,
        found.get("fuzzymatching", "").lower() == "true",
        min(_number(found, "limit", LIMIT), LIMIT),
        _number(found, "offset", 0),
        tuple(unknown),
    )


def _search(
    request: Request,
    services: WebServices,
    principal: Principal,
    level: Literal["STUDY", "SERIES", "IMAGE"],
    path: Mapping[int, str],
    *,
    relational: bool = False,
) -> Response:
    as_xml = wants_xml(accepted(request))
    asked = parse_query(request.query_params.multi_items())
    queries = matching.level_queries({**asked.keys, **path}, level, fuzzy=asked.fuzzy)
    with services.database.read() as session:
        reach = access.scope(session, principal, Right.SEE, now=services.clock.now())
        rows = levels.find(
            session,
            reach,
            level,
            queries,
            services.clock.now(),
            limit=asked.limit + 1,
            offset=asked.offset,
            clear=reach.identity == "clear",
        )
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    detail = {"by": "dicomweb", "level": level.lower(), "matches": len(rows)}
    trail.seen(services.database, principal, trail.event(request, principal, "study.search", detail=detail), level)
    wanted = _wanted(level, asked, queries, relational=relational)
    base = base_url(request)
    kept = None if asked.everything else sorted(wanted)
    answer = [_answer(row, level, kept, base) for row in rows]
    headers = {"Vary": "Accept, Accept-Encoding"}
    warning = _warning(queries.unmatched, asked.unknown, more=more)
    if warning:
        headers["Warning"] = f'299 radrelay "{warning}"'
    if as_xml:
        part_headers = (("Content-Type", DICOM_XML),)
        return multipart((Part(part_headers, (to_xml(one),)) for one in answer), DICOM_XML, headers=headers)
    body = compressed(request, msgspec.json.encode(answer), headers)
    return Response(body, media_type=DICOM_JSON, headers=headers)


def _wanted(level: Level, asked: Asked, queries: matching.LevelQueries, *, relational: bool) -> frozenset[str]:
    defaults = set(DEFAULTS[level])
    if relational:
        defaults |= set(_STUDY) if level == "SERIES" else {*_STUDY, *_SERIES}
    unmatched = {f"{tag:08X}" for tag in queries.unmatched}
    return frozenset(defaults | asked.include | {f"{tag:08X}" for tag in asked.keys} - unmatched)


def _answer(row: Json, level: Level, kept: Sequence[str] | None, base: str) -> Json:
    """Return the attributes of `kept` (all if none), with the address of what was found (PS3.18 10.6.3.3)."""
    address = f"{base}/studies/{_value(row, '0020000D')}"
    if level != "STUDY":
        address += f"/series/{_value(row, '0020000E')}"
    if level == "IMAGE":
        address += f"/instances/{_value(row, '00080018')}"
    row["00081190"] = {"vr": "UR", "Value": [address]}
    return {tag: row[tag] for tag in (kept if kept is not None else sorted(row)) if tag in row}


def _value(row: Json, tag: str) -> str:
    return str((row.get(tag, {}).get("Value") or [""])[0])


def _warning(unmatched: tuple[int, ...], unknown: tuple[str, ...], *, more: bool) -> str:
    said = []
    if unmatched or unknown:
        names = [f"{tag:08X}" for tag in unmatched] + ["".join(c for c in n if c.isalnum())[:32] for n in unknown]
        said.append(f"The following query attributes are not supported and were ignored: {', '.join(names)}")
    if more:
        said.append("There are additional results that can be requested")
    return ". ".join(said)


def _tag(name: str) -> int | None:
    name = name.strip()
    last = name.rsplit(".", 1)[-1]
    if last != name:
        return None
    return int(name, 16) if _TAG.fullmatch(name) else tag_of(name)


def _number(found: Mapping[str, str], name: str, default: int) -> int:
    text = found.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadQuery(f"{name} is a number from 0 to 999999999")
    return int(text)
