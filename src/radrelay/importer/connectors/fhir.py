"""FHIR documents that lead to images: ImagingStudy alone or in a Bundle, R4 and R5, and the files that come with it.

ImagingStudy names endpoints of the type `dicom-wado-rs` whose address is the service's root (Argonaut SMART Imaging
Access, SMART WADO-RS Endpoint; IHE RAD MADO, FHIR imaging manifest); a series' own endpoint goes before the study's.
What opens an endpoint is said by its `header` (FHIR Endpoint.header), or is the login that the document was fetched
with, where the endpoint says so (`requires-access-token`) or has the same origin. PDFs and others come from
DocumentReference, DiagnosticReport, Media and Binary.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urljoin

from radrelay.importer.connectors.addresses import uid_of
from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.connectors.led_to import FileThere, FileWithin, Named, Nowhere, StudyThere, by_id, nowhere
from radrelay.importer.connectors.ports import Item
from radrelay.importer.connectors.wado import StudyAt
from radrelay.importer.errors import PortalTrouble
from radrelay.importer.json_read import count_of, read_json, text_of
from radrelay.importer.places import target_of

Resource = Mapping[str, Any]
Fetch = Callable[[str], Resource | None]
WADO_RS, DICOM_UID = "dicom-wado-rs", "urn:dicom:uid"
ACCESS_TOKEN = "http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token"  # noqa: S105  # a name
IN_ERROR = "entered-in-error"
NOT_USED = ("off", "entered-in-error", "error", "test")
SEXES = {"male": "M", "female": "F", "other": "O"}
TAKEN = ("application/pdf", "application/zip", "application/dicom", "image/jpeg", "image/png", "image/tiff")
_WITHIN = re.compile(r"/(?:ImagingStudy|Bundle|Binary|DocumentReference|DiagnosticReport|Media)(?=/|$)")
_STUDIES = re.compile(r"(.*?)/studies(?:/[^?#]*)?")


@dataclass(frozen=True, slots=True)
class Context:
    """Where a document came from, what it was fetched with, and what fetches a resource that it names by address."""

    host: str
    base: str = field(default="", repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    fetch: Fetch = field(default=lambda url: None, repr=False)
    clear_loopback: bool = False

    def address(self, reference: str) -> str:
        """Return where a reference leads, from the root of the FHIR server that the document is of (FHIR 2.3.0.1).

        Nothing where it is no address.
        """
        root = _WITHIN.split(self.base.partition("?")[0], maxsplit=1)[0]
        try:
            return urljoin(f"{root.rstrip('/')}/", reference)
        except ValueError:
            return ""

    def same_origin(self, address: str) -> bool:
        """Tell whether an address is of the origin that the document is of."""
        try:
            here, there = (target_of(one, clear_loopback=self.clear_loopback) for one in (self.base, address))
        except PortalTrouble:
            return False
        return here.origin == there.origin


def resource_in(content: bytes) -> Resource | None:
    """Return the resource that a document is, none if it is no FHIR in JSON."""
    try:
        told = read_json(content)
    except ValueError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("resourceType"), str) else None


def next_page(resource: Resource) -> str:
    """Return where a Bundle goes on (FHIR Bundle.link, RFC 5988 next), nothing if it does not."""
    links = _objects(resource.get("link")) if resource.get("resourceType") == "Bundle" else ()
    found = (one.get("url") for one in links if one.get("relation") == "next")
    return next((one for one in found if isinstance(one, str)), "")


def left_out(pages: Sequence[Resource]) -> int:
    """Return how many matches a search says that it has (FHIR Bundle.total) beyond those on its pages."""
    total = count_of(pages[0].get("total"))
    if total is None:
        return 0
    modes = [_objects(entry.get("search")) for page in pages for entry in _objects(page.get("entry"))]
    besides = sum(any(one.get("mode") in ("include", "outcome") for one in mode) for mode in modes)
    return max(0, total - len(modes) + besides)


def led_to_by(resource: Resource, context: Context) -> list[Named]:
    """Return what a resource leads to, each study and file once; what it names without a way there is `Nowhere`."""
    return list(by_id(_Reading(resource, context).found()).values())


class _Reading:
    """One document, being read."""

    def __init__(self, resource: Resource, context: Context) -> None:
        self._context = context
        self._resources = list(_resources(resource))
        self._by_name: dict[str, Resource] = {}
        self._within: Resource = {}
        self._contained: Mapping[str, Resource] = {}
        for url, one in self._resources:
            self._by_name.setdefault(f"{one.get('resourceType')}/{one.get('id')}", one)
            if url:
                self._by_name.setdefault(url, one)

    def found(self) -> Iterator[Named]:
        """Yield the studies, and then the files; what was entered in error is nobody's, and may be another's."""
        meant = [one for _, one in self._resources if IN_ERROR not in (one.get("status"), one.get("docStatus"))]
        for one in meant:
            if one.get("resourceType") == "ImagingStudy":
                yield from self._study(one)
        attachments = [attachment for one in meant for attachment in _attachments(one)]
        for number, attachment in enumerate(attachments, 1):
            file = self._file(attachment, number)
            if file is not None:
                yield file

    def _study(self, study: Resource) -> Iterator[Named]:
        """Yield a study, and what of it cannot be fetched: all of it, or series without a service of their own."""
        uid = _study_uid(study)
        series = list(_objects(study.get("series")))
        whole, item = self._endpoint(study, study), self._item(uid, study, series)
        places, rest = dict[tuple[str, str], list[str]](), list[Resource]()
        known: dict[tuple[str, str], StudyAt] = {}
        for one in series:
            series_uid, own = _uid(one.get("uid")), self._endpoint(one, study)
            if own is not None and series_uid:
                key = (own[0], repr(sorted(own[1].items())))
                known[key] = StudyAt(own[0], uid, (), own[1])
                places.setdefault(key, []).append(series_uid)
            else:
                rest.append(one)
        found = [StudyAt(known[key].base, uid, tuple(uids), known[key].credentials) for key, uids in places.items()]
        if whole is not None and not found:
            found, rest = [StudyAt(whole[0], uid, (), whole[1])], []
        elif whole is not None and (named := tuple(filter(None, (_uid(one.get("uid")) for one in rest)))):
            found.append(StudyAt(whole[0], uid, named, whole[1]))
            rest = [one for one in rest if not _uid(one.get("uid"))]
        if not uid or not found:
            yield nowhere(study=item, files=item.files)
            return
        yield StudyThere(item, tuple(found))
        if rest:
            yield nowhere(study=item, files=sum(_count(one) or 1 for one in rest))

    def _endpoint(self, holder: Resource, study: Resource) -> tuple[str, Mapping[str, str]] | None:
        """Return root and login of the first WADO-RS service that is named."""
        for reference in _objects(holder.get("endpoint")):
            endpoint = self._named(text_of(reference.get("reference")), study)
            if endpoint is None or WADO_RS not in _codes(endpoint.get("connectionType")):
                continue
            address = endpoint.get("address")
            if not isinstance(address, str) or endpoint.get("status") in NOT_USED:
                continue
            shortened = _STUDIES.fullmatch(address.strip())
            base = (shortened[1] if shortened else address.strip()).rstrip("/")
            return base, self._opens(endpoint, base)
        return None

    def _opens(self, endpoint: Resource, base: str) -> Mapping[str, str]:
        said = [one.partition(":") for one in _texts(endpoint.get("header"))]
        own = next((value.strip() for name, _, value in said if name.strip().lower() == "authorization"), "")
        if own and own.isascii() and own.isprintable():
            return {"Authorization": own}
        extensions = [one for one in _objects(endpoint.get("extension")) if one.get("url") == ACCESS_TOKEN]
        given = extensions[0].get("valueBoolean") is True if extensions else self._context.same_origin(base)
        return self._context.credentials if given else {}

    def _named(self, reference: str, within: Resource) -> Resource | None:
        if reference.startswith("#"):
            return self._contained_in(within).get(reference[1:])
        found = self._by_name.get(reference) or self._by_name.get("/".join(reference.split("/")[-2:]))
        if found is not None or not reference or reference.startswith("urn:") or not self._context.base:
            return found
        return self._context.fetch(self._context.address(reference))

    def _contained_in(self, within: Resource) -> Mapping[str, Resource]:
        """Return what a resource contains, the first of each id; it is kept while that resource is read."""
        if self._within is not within:
            found: dict[str, Resource] = {}
            for one in _objects(within.get("contained")):
                if isinstance(key := one.get("id"), str):
                    found.setdefault(key, one)
            self._within, self._contained = within, found
        return self._contained

    def _item(self, uid: str, study: Resource, series: Sequence[Resource]) -> Item:
        patient = self._patient(study)
        codes = [code for one in (study, *series) for code in _codes(one.get("modality"))]
        return Item(
            uid,
            "application/dicom",
            text_of(study.get("description"))[:500],
            uid,
            _day(study.get("started")),
            tuple(dict.fromkeys(one[:16] for one in codes))[:50],
            _name(patient),
            _day(patient.get("birthDate")),
            SEXES.get(text_of(patient.get("gender")), ""),
            _count(study),
        )

    def _patient(self, study: Resource) -> Resource:
        subject = study.get("subject") or study.get("patient")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        found = self._named(reference, study) if isinstance(reference, str) and not _absolute(reference) else None
        return found or {}

    def _file(self, attachment: Resource, number: int) -> FileWithin | FileThere | Nowhere | None:
        """Return the file of an attachment or a Binary; of a kind that is not taken in it is `Nowhere`."""
        kind = text_of(attachment.get("contentType")).partition(";")[0].strip().lower()
        title = text_of(attachment.get("title"))[:500]
        data, url = attachment.get("data"), attachment.get("url")
        if not isinstance(data, str) and (not isinstance(url, str) or url in self._by_name):
            return None  # it names nothing, or a Binary of the Bundle, which is met by itself
        if kind not in TAKEN:
            return nowhere(title or kind)
        if isinstance(data, str):
            try:
                content = base64.b64decode(data, validate=False)
            except ValueError:  # no base64, or letters that are no ASCII
                return nowhere(title or kind)
            return FileWithin(Item(f"file-{number}", kind, title), content, self._context.host)
        address = self._context.address(url) if isinstance(url, str) else ""
        if not _absolute(address):
            return nowhere(title or kind)
        login = self._context.credentials if self._context.same_origin(address) else {}
        return FileThere(Item(address, kind, title), address, login)


def _resources(resource: Resource, depth: int = 0) -> Iterator[tuple[str, Resource]]:
    """Yield a resource and all within it, each with the address that a Bundle gives it."""
    yield "", resource
    if resource.get("resourceType") != "Bundle" or depth > 2:
        return
    for entry in _objects(resource.get("entry")):
        within = entry.get("resource")
        if isinstance(within, dict):
            url = entry.get("fullUrl")
            yield url if isinstance(url, str) else "", within
            yield from list(_resources(within, depth + 1))[1:]


def _attachments(resource: Resource) -> Iterator[Resource]:
    kind = resource.get("resourceType")
    if kind == "Binary":
        yield resource
    elif kind == "DocumentReference":
        for content in _objects(resource.get("content")):
            yield from _objects(content.get("attachment"))
    elif kind == "DiagnosticReport":
        yield from _objects(resource.get("presentedForm"))
    elif kind == "Media":
        yield from _objects(resource.get("content"))


def _study_uid(study: Resource) -> str:
    named = [one.get("value") for one in _objects(study.get("identifier")) if one.get("system") == DICOM_UID]
    return next((uid for one in (*named, study.get("uid")) if (uid := _uid(one))), "")


def _uid(told: object) -> str:
    return uid_of(told.strip().removeprefix("urn:oid:")) if isinstance(told, str) else ""


def _count(told: Resource) -> int | None:
    """Return how many objects a study or a series says that it has."""
    return count_of(told.get("numberOfInstances")) or None


def _codes(told: object) -> list[str]:
    """Return the codes of a Coding (R4), a CodeableConcept (R5), or several."""
    found: list[str] = []
    for one in _objects(told):
        codings = [*_objects(one.get("coding"))] or [one]
        found += [code for coding in codings if isinstance(code := coding.get("code"), str)]
    return found


def _name(patient: Resource) -> str:
    name = next(_objects(patient.get("name")), None)
    if name is None:
        return ""
    given = _texts(name.get("given"))
    return "^".join([text_of(name.get("family")), *([" ".join(given)] if given else [])])[:200]


def _day(told: object) -> date | None:
    return date_of(told[:10]) if isinstance(told, str) else None


def _texts(told: object) -> list[str]:
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def _absolute(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))


def _objects(told: object) -> Iterator[Resource]:
    listed = told if isinstance(told, list) else [told]
    return (one for one in listed if isinstance(one, dict))
