"""Archives that speak DICOMweb: QIDO-RS to search them, WADO-RS to fetch from them (PS3.18 10.4, 10.6).

Answers are read as streams, never held: a search ends after as many matches as were wanted, and an object lands piece
by piece as it comes. Only the address that was entered is asked; redirects are not followed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from radrelay.dicom.multipart import BadMultipart, read_parts
from radrelay.errors import RadrelayError, TooLarge
from radrelay.network.errors import WebTrouble
from radrelay.network.ports import Element
from radrelay.network.web_service import open_client, refusal_of, trouble_of
from radrelay.retrieve.asking import (
    MODALITIES,
    SERIES_KEYS,
    SOP_CLASS_UID,
    SOP_UID,
    STUDY_KEYS,
    held_of,
    series_of,
    study_keys,
    study_of,
)
from radrelay.retrieve.dicom import MOST_OBJECTS, MOST_SERIES, Landing, breaking
from radrelay.retrieve.errors import SearchTimedOut
from radrelay.retrieve.json_matches import matches_of
from radrelay.retrieve.paging import USUAL, Listing, Match, Page, PageRefused
from radrelay.retrieve.ports import (
    Answer,
    Came,
    FoundSeries,
    FoundStudy,
    Held,
    Inventory,
    Order,
    PacsNode,
    Stop,
    Tell,
    Wanted,
)
from radrelay.retrieve.taking import Taking
from radrelay.settings import RetrieveSettings

JSON = "application/dicom+json"
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
PAGE = 1_000
GONE = (404, 410)
NOTHING = 204
NO_SUCH_PAGE, NO_OFFSET = (400, 413, 416, 422, 501), (404, 405, 410)
MORE = "additional results"
"""What a service says that gives fewer matches than it has (PS3.18 8.3.4.4)."""

Params = list[tuple[str, str | int | float | bool | None]]


class DicomWebConnector:
    """Fulfils `retrieve.ports.Connector` over DICOMweb.

    `secret` opens what is sealed, `context` says which authorities are believed.
    """

    def __init__(
        self,
        settings: RetrieveSettings,
        landing: Landing,
        secret: Callable[[PacsNode], str],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self._settings = settings
        self._landing = landing
        self._secret = secret
        self._context = context

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        """Return studies that match, at most so many; raises `Broken`, `SearchTooWide`.

        Modalities are asked for one after the other, for QIDO-RS knows no list of them.
        """
        keys, listing = study_keys(wanted), Listing(_study_named, most, patient=True)
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            within = _Deadline(self._settings.search_timeout_s)
            for modality in wanted.modalities or ("",):
                params = _matching([*keys, (MODALITIES, "CS", modality)], STUDY_KEYS)
                listing.take(partial(_asked, client, f"{_base(node)}/studies", params, within))
        return Answer(tuple(listing.found.values()), listing.more, listing.unreadable)

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        """Return the series of a study; raises `Broken`."""
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            return self._series(client, node, order)

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        """Return what the archive has of an order; raises `Broken`."""
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            series = self._series(client, node, order)
            listed = [self._objects_of(client, node, order, one) for one in series]
        told = {held.sop_uid: held for of_series in listed for held in of_series or ()}
        if None in listed or (not told and any(one.instances != 0 for one in series)):
            return Inventory(tuple(series))
        return Inventory(tuple(series), tuple(told.values()))

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        """Bring an order here, or of it only the `missing` objects; raises `Broken`."""
        del inventory
        storage = self._landing.storage(node.organisation_id, node.source_id, order.correlation_id)
        taking = Taking(storage, node.address, order, tell, stop)
        with breaking(), self._client(node, self._settings.retrieve_timeout_s) as client:
            for url in _objects(node, order, missing):
                if taking.stopped():
                    break
                self._take(client, url, taking)
        return taking.came()

    def _take(self, client: httpx2.Client, url: str, taking: Taking) -> None:
        """Take what one address gives; one that is gone is told of, and is what the next attempt counts as missing."""
        headers = {"Accept": OBJECTS}
        with _streamed(client, url, [], headers) as reply:
            if reply.status_code in GONE:
                taking.failed(f"HTTP {reply.status_code}")
                return
            _require(reply, url)
            body = reply.iter_raw()
            try:
                taking.take(read_parts(body, _boundary(reply, url)))
            except (BadMultipart, TooLarge) as error:
                raise WebTrouble(f"{url}: {error.message}", address=url, reason=error.message) from error
            next(body, None)  # what was read to its end leaves the connection open for the next

    def _series(self, client: httpx2.Client, node: PacsNode, order: Order) -> list[FoundSeries]:
        params: Params = [("includefield", _tag(tag)) for tag, _ in SERIES_KEYS]
        listing = Listing(_series_named, MOST_SERIES)
        self._list(client, f"{_of(node, order.study_uid)}/series", params, listing)
        return [one for uid, one in listing.found.items() if order.series_uid in ("", uid)]

    def _objects_of(
        self, client: httpx2.Client, node: PacsNode, order: Order, series: FoundSeries
    ) -> list[Held] | None:
        """Return the objects of a series; none where the service may have listed only some of them."""
        listing = Listing(partial(_object_named, series.series_uid), MOST_OBJECTS)
        url = f"{_of(node, order.study_uid, series.series_uid)}/instances"
        self._list(client, url, [("includefield", _tag(SOP_CLASS_UID))], listing)
        if listing.more and (series.instances is None or len(listing.found) < series.instances):
            return None
        return [one for one in listing.found.values() if one is not None]

    def _list(self, client: httpx2.Client, url: str, params: Params, listing: Listing[Any]) -> None:
        """Read a list to its end, each page within the time of a search."""

        def ask(page: Page) -> Iterator[Match | None]:
            within, begun = _Deadline(self._settings.search_timeout_s), [] if page.offset else [("offset", 0)]
            return _asked(client, url, [*params, *begun], within, page, none_if_gone=True)

        listing.take(ask, (PAGE, USUAL))

    def _client(self, node: PacsNode, within_s: float) -> httpx2.Client:
        """Return a client that signs in as was entered; `identity`, for a small answer may unpack to a large one."""
        timeout = httpx2.Timeout(within_s, connect=self._settings.connect_timeout_s)
        headers = {"Accept-Encoding": "identity"}
        return open_client(node.username, self._secret(node), self._context(), timeout, headers)


class _Deadline:
    """Ends an answer that comes, but too slowly."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._until = time.monotonic() + within_s

    def over(self, body: Iterator[bytes]) -> Iterator[bytes]:
        """Yield a body's pieces; raises `SearchTimedOut`."""
        for piece in body:
            if time.monotonic() > self._until:
                raise SearchTimedOut(f"no answer within {self._within_s:g} s", seconds=int(self._within_s))
            yield piece


def _asked(
    client: httpx2.Client, url: str, params: Params, within: _Deadline, page: Page, *, none_if_gone: bool = False
) -> Iterator[Match | None]:
    """Yield the matches of one page as they come."""
    of_page: Params = [*params, ("limit", page.limit), *([("offset", page.offset)] if page.offset else [])]
    with _streamed(client, url, of_page, {"Accept": JSON}) as reply:
        if reply.status_code == NOTHING or (none_if_gone and reply.status_code in GONE):
            return
        page.hinted = MORE in reply.headers.get("Warning", "")
        try:
            _require(reply, url)
        except RadrelayError as refusal:
            if reply.status_code in NO_SUCH_PAGE or (page.offset and reply.status_code in NO_OFFSET):
                raise PageRefused(refusal) from refusal
            raise
        yield from matches_of(within.over(reply.iter_raw()))


def _study_named(match: Match) -> tuple[str, FoundStudy] | None:
    study = study_of(match)
    return None if study is None else (study.study_uid, study)


def _series_named(match: Match) -> tuple[str, FoundSeries] | None:
    series = series_of(match)
    return None if series is None else (series.series_uid, series)


def _object_named(series_uid: str, match: Match) -> tuple[str, Held | None] | None:
    """Return an object by its name; one of another series has a name, too, for a list may hold those."""
    named = next((key.text for key in match if key.tag == SOP_UID), "")
    return (named, held_of(match, series_uid)) if named else None


@contextmanager
def _streamed(client: httpx2.Client, url: str, params: Params, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
    try:
        with client.stream("GET", f"{url}?{_query(params)}" if params else url, headers=headers) as reply:
            yield reply
    except httpx2.HTTPError as error:
        raise trouble_of(error, url) from error


def _query(params: Params) -> str:
    """Return a query with wildcards as they are (RFC 3986 3.4), for services that do not decode them (Orthanc 1.10)."""
    return urlencode(params, safe="*", quote_via=quote)


def _require(reply: httpx2.Response, url: str) -> None:
    """Raise for an answer that is not what was asked for."""
    refusal = refusal_of(reply, url)
    if refusal is not None:
        raise refusal
    if not reply.is_success:
        status = f"HTTP {reply.status_code}"
        raise WebTrouble(f"{url} answers {status}", address=url, reason=status)
    packed = reply.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        raise WebTrouble(f"{url} answers packed ({packed})", address=url, reason=f"Content-Encoding: {packed}")


def _boundary(reply: httpx2.Response, url: str) -> str:
    message = Message()
    message["Content-Type"] = reply.headers.get("Content-Type", "")
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str) or not boundary.isascii():
        media = message.get_content_type()
        raise WebTrouble(f"{url} answers with {media}", address=url, reason=media)
    return boundary


def _matching(keys: Sequence[Element], returned: Sequence[tuple[int, str]]) -> Params:
    """Return a query: what has a value is looked for, what does not is asked to be told."""
    asked = {tag: value for tag, _, value in keys if isinstance(value, str) and value}
    wanted: Params = [(_tag(tag), value) for tag, value in asked.items()]
    told = [tag for tag, _ in returned] + [tag for tag, vr, _ in keys if vr == "SQ"]
    return [*wanted, *(("includefield", _tag(tag)) for tag in told if tag not in asked)]


def _tag(tag: int) -> str:
    return f"{tag:08X}"


def _base(node: PacsNode) -> str:
    return node.address.rstrip("/")


def _of(node: PacsNode, study_uid: str, series_uid: str = "", sop_uid: str = "") -> str:
    """Return the address of a study, series or object; what an archive gives for a UID leads nowhere else."""
    named = [("studies", study_uid), ("series", series_uid), ("instances", sop_uid)]
    for _, uid in named:
        if uid.strip("0123456789."):
            raise WebTrouble(
                f"{node.address} names a UID that is none", address=node.address, reason="a UID that is none"
            )
    return "/".join([_base(node), *(f"{name}/{uid}" for name, uid in named if uid)])


def _objects(node: PacsNode, order: Order, missing: Sequence[Held] | None) -> Iterator[str]:
    """Yield what is to be fetched: the whole order at once, or its missing objects by name."""
    if missing is None:
        yield _of(node, order.study_uid, order.series_uid)
        return
    for one in missing:
        yield _of(node, order.study_uid, one.series_uid, one.sop_uid)
