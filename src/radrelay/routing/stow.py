"""Carries studies to a DICOMweb service by STOW-RS (PS3.18 10.5), one object in each request, with its own answer.

An object goes as it is kept; where the service refuses that transfer syntax, in Explicit VR Little Endian. Who signs
in does so by a bearer token, or by name and password; certificates are verified, redirects are not followed.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from radrelay.dicom.part10 import file_meta
from radrelay.errors import RadrelayError, Trouble
from radrelay.network.sop_classes import EXPLICIT_LITTLE
from radrelay.network.web_service import open_client, refusal_of, trouble_of, trusting
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.errors import Interrupted
from radrelay.routing.models import Destination
from radrelay.routing.secrets import SecretSeal
from radrelay.settings import WorkSettings

JSON = "application/dicom+json"
HELD_BYTES = 64 << 20
"""Objects up to this size are sent with their length, larger ones in chunks."""
CONNECT_S, ANSWER_S = 10.0, 120.0
SYNTAX_REFUSED = (0x0122, 0xC122)
CANNOT_UNDERSTAND, OUT_OF_RESOURCES, PROCESSING_FAILURE = 0xC000, 0xA700, 0x0110
FAILED, STORED, REASON, WARNING = "00081198", "00081199", "00081197", "00081196"


@dataclass(frozen=True)
class StowCarrier:
    """Fulfils `routing.carriers.Carrier` for DICOMweb services."""

    settings: WorkSettings
    seal: SecretSeal
    carries: bool = True

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[_Stowing]:
        """Give a client whose connection stays open between objects; raises `Interrupted`."""
        del portion
        with self.client(errand.destination) as client:
            yield _Stowing(client, f"{errand.destination.address.rstrip('/')}/studies")

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """All go through one client."""
        yield items

    def finish(self, errand: Errand) -> None:
        """Nothing is left to do."""

    def client(self, destination: Destination) -> httpx2.Client:
        """Return a client that signs in as the destination says; raises `Interrupted`."""
        try:
            secret = self.seal.open(destination.id, destination.sealed)
            context = self.context()
        except RadrelayError as error:
            raise Interrupted(error, down=True) from error
        timeout = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
        return open_client(destination.username, secret, context, timeout, {"Accept": JSON})

    def context(self) -> ssl.SSLContext:
        """Return the authorities that are believed; raises `Misconfigured`."""
        return trusting(self.settings.web_ca)


class _Stowing:
    """Fulfils `routing.carriers.Sending`."""

    def __init__(self, client: httpx2.Client, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, item: DeliveryItem) -> Answer:
        """Store one object; raises `Interrupted` for what concerns the service as a whole."""
        answer = self._send(item, [item.transfer_syntax])
        if answer.status in SYNTAX_REFUSED and item.transfer_syntax != EXPLICIT_LITTLE:
            return self._send(item, [EXPLICIT_LITTLE])
        return answer

    def _send(self, item: DeliveryItem, accepted: Sequence[str]) -> Answer:
        try:
            syntax, pieces = item.open(accepted)
        except RadrelayError as error:
            return Answer(error.dimse_status, error.message, "", Trouble.of(error))
        boundary = uuid.uuid4().hex
        media = f'multipart/related; type="application/dicom"; boundary={boundary}'
        body = _body(boundary, file_meta(item.sop_class_uid, item.sop_uid, syntax), pieces)
        with told(self._url):
            reply = self._client.post(self._url, content=body, headers={"Content-Type": media})
        return Answer(*_status(reply, self._url, item.sop_uid), syntax)


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turn what the client raises into `Interrupted`."""
    try:
        yield
    except httpx2.HTTPError as error:
        raise _down(trouble_of(error, url)) from error


def require_service(reply: httpx2.Response, url: str) -> None:
    """Raise `Interrupted` for an answer that is not about the object: no login, busy, broken, or no such service."""
    refusal = refusal_of(reply, url)
    if refusal is not None:
        raise _down(refusal)


def _down(error: RadrelayError) -> Interrupted:
    return Interrupted(error, down=True)


def _status(reply: httpx2.Response, url: str, sop_uid: str) -> tuple[int, str]:
    """Return the DIMSE status that an answer stands for, and what was said (PS3.18 10.5.3).

    Stored is what the answer names as stored: some services answer 200 for a part that they passed over.
    """
    require_service(reply, url)
    told_of = _answer(reply)
    failed = _items(told_of, FAILED)
    if failed:
        return _number(failed[0], REASON) or PROCESSING_FAILURE, _said(reply)
    if reply.is_success:
        kept = next((one for one in _items(told_of, STORED) if _text(one, "00081155") == sop_uid), None)
        if kept is None:
            return PROCESSING_FAILURE, f"{_said(reply)}, but the answer does not name the object as stored"
        warning = _number(kept, WARNING) or 0
        return (warning if 0xB000 <= warning <= 0xBFFF else 0), ""
    by_code = {413: OUT_OF_RESOURCES, 415: SYNTAX_REFUSED[0], 507: OUT_OF_RESOURCES}
    return by_code.get(reply.status_code, CANNOT_UNDERSTAND), _said(reply)


def _answer(reply: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = reply.json()
    except ValueError:
        return {}
    if isinstance(found, list):
        found = found[0] if found else {}
    return found if isinstance(found, dict) else {}


def _items(told_of: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    element = told_of.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _first(item: Mapping[str, Any], tag: str) -> object:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _number(item: Mapping[str, Any], tag: str) -> int | None:
    found = _first(item, tag)
    return found if isinstance(found, int) and 0 <= found <= 0xFFFF else None


def _text(item: Mapping[str, Any], tag: str) -> str:
    found = _first(item, tag)
    return found if isinstance(found, str) else ""


def _said(reply: httpx2.Response) -> str:
    return f"HTTP {reply.status_code} {reply.reason_phrase}".strip()


def _body(boundary: str, meta: bytes, pieces: Iterable[bytes]) -> bytes | Iterator[bytes]:
    """Return the one-part body: whole if it is not too large, else in pieces.

    The part names no transfer syntax, which its meta information tells: Orthanc passes over a part that names one.
    """
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + meta
    tail = f"\r\n--{boundary}--\r\n".encode()
    held, size, rest = [head], len(head), iter(pieces)
    for piece in rest:
        held.append(piece)
        size += len(piece)
        if size > HELD_BYTES:
            return _chunks(held, rest, tail)
    return b"".join([*held, tail])


def _chunks(held: Sequence[bytes], rest: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    yield from held
    yield from rest
    yield tail
