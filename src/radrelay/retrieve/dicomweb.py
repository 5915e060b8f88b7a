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
from urllib.parse import quote, urlencode

import httpx2

from radrelay.dicom.multipart import BadMultipart, read_parts
from radrelay.errors import TooLarge
from radrelay.network.errors import WebTrouble
from radrelay.network.ports import Element, Key
from radrelay.network.web_service import open_client, refusal_of, trouble_of
from radrelay.retrieve.asking import (
    MODALITIES,
    SERIES_KEYS,
    SERIES_UID,
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
        keys, found, unreadable, more = study_keys(wanted), dict[str, FoundStudy](), 0, False
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            within = _Deadline(self._settings.search_timeout_s)
            for modality in wanted.modalities or ("",):
                params = _matching([*keys, (MODALITIES, "CS", modality)], STUDY_KEYS, most + 1)
                for match in _asked(client, f"{_base(node)}/studies", params, within):
                    study = None if match is None else study_of(match)
                    if len(found) + unreadable >= most and (study is None or study.study_uid not in found):
                        more = True
                        break
                    unreadable += study is None
                    if study is not None:
                        found.setdefault(study.study_uid, study)
        return Answer(tuple(found.values()), more, unreadable)

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        """Return the series of a study; raises `Broken`."""
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            return self._series(client, node, order)

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        """Return what the archive has of an order; raises `Broken`."""
        with breaking(), self._client(node, self._settings.search_timeout_s) as client:
            series = self._series(client, node, order)
            listed: dict[str, Held] = {}
            for one in series:
                url = f"{_of(node, order.study_uid, one.series_uid)}/instances"
                for match in self._pages(client, url, [("includefield", _tag(SOP_CLASS_UID))], MOST_OBJECTS, SOP_UID):
                    held = held_of(match, one.series_uid)
                    if held is not None:
                        listed.setdefault(held.sop_uid, held)
        if not listed and any(one.instances != 0 for one in series):
            return Inventory(tuple(series))
        return Inventory(tuple(series), tuple(listed.values()))

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
        url = f"{_of(node, order.study_uid)}/series"
        told = (series_of(match) for match in self._pages(client, url, params, MOST_SERIES, SERIES_UID))
        found = {one.series_uid: one for one in told if one is not None}
        return [one for uid, one in found.items() if order.series_uid in ("", uid)]

    def _pages(
        self, client: httpx2.Client, url: str, params: Params, most: int, unique: int
    ) -> Iterator[tuple[Key, ...]]:
        """Yield matches page after page, each `unique` key once and at most so many, until a page brings nothing new.

        A service may give fewer at once than it is asked for, and may know no pages: then it says the same again.
        """
        seen: set[str] = set()
        while len(seen) < most:
            before = len(seen)
            page: Params = [*params, ("limit", PAGE), ("offset", before)]
            within = _Deadline(self._settings.search_timeout_s)
            for match in _asked(client, url, page, within, none_if_gone=True):
                named = next((key.text for key in match or () if key.tag == unique), "")
                if match is None or not named or named in seen:
                    continue
                seen.add(named)
                yield match
                if len(seen) >= most:
                    return
            if len(seen) == before:
                return

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
    client: httpx2.Client, url: str, params: Params, within: _Deadline, *, none_if_gone: bool = False
) -> Iterator[tuple[Key, ...] | None]:
    """Yield the matches of one request as they come."""
    with _streamed(client, url, params, {"Accept": JSON}) as reply:
        if reply.status_code == NOTHING or (none_if_gone and reply.status_code in GONE):
            return
        _require(reply, url)
        yield from matches_of(within.over(reply.iter_raw()))


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


def _matching(keys: Sequence[Element], returned: Sequence[tuple[int, str]], limit: int) -> Params:
    """Return a query: what has a value is looked for, what does not is asked to be told."""
    asked = {tag: value for tag, _, value in keys if isinstance(value, str) and value}
    wanted: Params = [(_tag(tag), value) for tag, value in asked.items()]
    told = [tag for tag, _ in returned] + [tag for tag, vr, _ in keys if vr == "SQ"]
    return [*wanted, *(("includefield", _tag(tag)) for tag in told if tag not in asked), ("limit", limit)]


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
