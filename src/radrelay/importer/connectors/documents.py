"""Documents as entered links: a FHIR ImagingStudy or Bundle, a manifest in DICOM (IHE RAD MADO), a ZIP or a PDF.

The address is asked once; what comes is told by its bytes. What is neither (a page for browsers, mostly) is another
language. This module also reads the documents that other connectors meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from radrelay.errors import Unavailable
from radrelay.importer import watching
from radrelay.importer.connectors.dlx import nobody_watches
from radrelay.importer.connectors.fhir import Context, Resource, led_to_by, left_out, next_page, resource_in
from radrelay.importer.connectors.health_links import is_health_link
from radrelay.importer.connectors.kept_whole import Document, NoDocument
from radrelay.importer.connectors.key_objects import studies_in_key_objects
from radrelay.importer.connectors.led_to import FileThere, Named, Nowhere, by_id, nowhere, reached
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.connectors.wado import Pause, refusal
from radrelay.importer.contents import HEAD, Content
from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.errors import NothingListed, ParcelTooLarge, PortalTrouble, PortalUnclear
from radrelay.importer.outgoing import Outgoing, Request, Session
from radrelay.importer.places import target_of
from radrelay.importer.secret import Secret

ACCEPT = "application/fhir+json, application/dicom;q=0.9, application/json;q=0.8, */*;q=0.1"
DOCUMENTS: frozenset[Content] = frozenset({"json", "dicom"})
AS_FILES: frozenset[Content] = frozenset({"zip", "pdf"})
MOST_NAMED, MOST_PAGES, MOST_PAGED = 1000, 500, 64 << 20
OK = 200


def read(session: Session, url: str, credentials: Mapping[str, str]) -> bytes:
    """Return a document; raises `NoDocument` for what is none, `PortalTrouble`."""
    with session.answering(Request("GET", url, {"Accept": ACCEPT}, credentials)) as reply:
        if reply.status != OK:
            raise refusal(reply.status, reply.target.name, reply.headers)
        held = Document(reply.target.name, DOCUMENTS)
        for piece in reply.pieces:
            held.write(piece)
        return held.finish()


def led_to_from(
    session: Session, content: bytes, host: str, base: str, credentials: Mapping[str, str]
) -> list[Named] | None:
    """Return what a document leads to, none if it is of no kind that leads anywhere; all pages of it are read."""
    manifest = None if content[:1] in b"{[" else studies_in_key_objects(content)
    if manifest is not None:
        return list(manifest)
    resource = resource_in(content)
    if resource is None:
        return None
    clear = session.outgoing.judge.loopback
    context = Context(host, base, credentials, Naming(session, base, credentials), clear_loopback=clear)
    pages = _pages(session, resource, len(content), context)
    entries = [{"resource": one} for one in pages]
    led = led_to_by({"resourceType": "Bundle", "entry": entries} if len(entries) > 1 else resource, context)
    lacking = left_out(pages)
    return [*led, nowhere(files=lacking)] if lacking else led


def _pages(session: Session, resource: Resource, size: int, context: Context) -> list[Resource]:
    """Return a resource and the pages on which it goes on; raises `PortalTrouble` for one that is not to be had.

    A login goes to the origin that the first page is of, and to no other.
    """
    pages, led, seen = [resource], next_page(resource), {context.base}
    while led:
        url = urljoin(context.base, led) if led.startswith("?") else context.address(led)
        if url in seen:
            break
        if len(pages) >= MOST_PAGES or size > MOST_PAGED:
            words = f"{context.host} lists more than {MOST_PAGES} pages or {MOST_PAGED} bytes"
            raise ParcelTooLarge(words, host=context.host, limit=MOST_PAGED)
        seen.add(url)
        try:
            content = read(session, url, context.credentials if context.same_origin(url) else {})
        except NoDocument:
            content = b""
        page = resource_in(content)
        if page is None:
            raise PortalUnclear(f"{context.host} does not go on with its list", host=context.host)
        pages.append(page)
        size, led = size + len(content), next_page(page)
    return pages


class Naming:
    """Fetches resources that a document names, of its own origin alone, each once and not too many."""

    def __init__(self, session: Session, base: str, credentials: Mapping[str, str]) -> None:
        self._session, self._base, self._credentials = session, base, credentials
        self._known: dict[str, Resource | None] = {}

    def __call__(self, url: str) -> Resource | None:
        """Return a resource, none if it is not to be had; raises `PortalTrouble` for what may pass."""
        if url not in self._known and len(self._known) < MOST_NAMED:
            self._known[url] = self._read(url)
        return self._known.get(url)

    def _read(self, url: str) -> Resource | None:
        clear = self._session.outgoing.judge.loopback
        try:
            here, there = (target_of(one, clear_loopback=clear) for one in (self._base, url))
            if here.origin != there.origin:
                return None
            return resource_in(read(self._session, url, self._credentials))
        except Unavailable:
            raise
        except (PortalTrouble, NoDocument):  # what it would lead to is told as missing
            return None


class DocumentConnector:
    """Recognises any address: only what it answers tells."""

    name = "document"

    def __init__(self, outgoing: Outgoing, *, pause: Pause = watching.pause) -> None:
        self._outgoing, self._pause = outgoing, pause

    def recognise(self, text: str) -> Lead | None:
        """Return the lead of an address that is no health link."""
        if is_health_link(text):
            return None
        try:
            target = target_of(text.partition("#")[0], clear_loopback=self._outgoing.judge.loopback)
        except PortalTrouble:
            return None
        return Lead(self.name, target.name, Secret(""), Secret(text.partition("#")[0]))

    def open(self, lead: Lead) -> DocumentErrand:
        """Begin an errand."""
        return DocumentErrand(self._outgoing, lead, self._pause)


class DocumentErrand:
    """One document, followed."""

    def __init__(self, outgoing: Outgoing, lead: Lead, pause: Pause) -> None:
        self._session, self._lead, self._pause = outgoing.session(), lead, pause
        self._found: dict[str, Named] | None = None

    def ask(self) -> tuple[Question, ...]:
        """Fetch the document; raises `PortalUnclear` for what is none, others."""
        url, host = self._lead.address.value, self._lead.host
        try:
            content = read(self._session, url, {})
        except NoDocument as other:
            if other.content not in AS_FILES:
                raise PortalUnclear(f"{host} answers with nothing that leads to images", host=host) from None
            led: list[Named] | None = [FileThere(Item(url), url)]
        else:
            led = led_to_from(self._session, content, host, url, {})
            if led is None and content[:HEAD][128:132] == b"DICM":
                led = [FileThere(Item(url, "application/dicom"), url)]
        if led is None:
            raise PortalUnclear(f"{host} answers with nothing that leads to images", host=host)
        self._found = by_id(led)
        return ()

    def answer(self, answers: Mapping[str, str]) -> None:
        """Answer nothing: nothing is asked."""
        del answers
        if self._found is None:
            self.ask()

    def items(self) -> tuple[Item, ...]:
        """Return what the document leads to; raises `NothingListed`."""
        if not self._found or all(isinstance(one, Nowhere) for one in self._found.values()):
            raise NothingListed(host=self._lead.host)
        return tuple(one.item for one in self._found.values())

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Bring one study or file."""
        return reached((self._found or {})[item.id]).bring(self._session, sink, tell, self._pause)
