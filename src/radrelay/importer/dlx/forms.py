"""What is wrong with a provider's answers, in words that name no token, answer, patient or UID."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from radrelay.importer.connectors.dlx_answers import asked_of, date_of
from radrelay.importer.contents import Content
from radrelay.importer.dlx import contract
from radrelay.importer.errors import PortalTrouble
from radrelay.importer.outgoing import Answering, Reply

_AS_TO = {
    contract.UNAUTHORISED: ", as to a wrong answer: look whether the one that was given is right",
    contract.EXPIRED: ", as for an expired link: look whether this one still counts",
}
"""Why right answers may be refused that is the tester's doing and not the provider's."""


def asks(reply: Reply) -> bool:
    """Tell whether an answer asks as DLX does."""
    try:
        return reply.status == contract.OK and asked_of(reply) is not None
    except PortalTrouble:
        return False


def parts_of(address: str) -> SplitResult:
    """Return an address in parts, all empty if it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def is_host(place: str) -> bool:
    """Tell whether the place in an address may be a host, and not what stands for one (`<server>`, `{host}`)."""
    return bool(place) and not set(place) & set("<>{}$ ")


def told_base(told: Mapping[str, Any]) -> str:
    """Return the base that an answer names, if it is a whole address."""
    infos = told.get("apiInfo")
    first = infos[0] if isinstance(infos, list) and infos and isinstance(infos[0], dict) else {}
    base = str(first.get("apiBasePath", ""))
    return base.rstrip("/") if base.startswith(("https://", "http://")) else ""


def answers_body(told: list[dict[str, Any]]) -> bytes:
    """Return what is sent to answer."""
    return json.dumps({"tfaAnswer": told}).encode()


def other_than(reply: Reply, status: int) -> str:
    """Return what is wrong if the status is another."""
    return "" if reply.status == status else f"it answers HTTP {reply.status}"


def question_faults(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a question."""
    texts = raw.get("question")
    worded = isinstance(texts, list) and texts and all(isinstance(one, dict) for one in texts)
    if not worded or not all(one.get("text") and one.get("language") for one in texts or []):
        yield "a question has no text with its language"
    if not isinstance(raw.get("questionId"), str):
        yield "questionId is no text"
    if raw.get("questionType") not in contract.QUESTION_TYPES:
        yield "questionType is none of the known"
    if raw.get("answerFormat") not in contract.FORMATS:
        yield "answerFormat is none of the known"


def login_faults(reply: Reply) -> Iterator[str]:
    """Yield what is wrong with the answer to right answers."""
    if reply.status != contract.OK:
        yield f"it answers HTTP {reply.status}{_AS_TO.get(reply.status, '')}"
        return
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = reply.body.decode("utf-8", "replace").strip()
    if not body:
        yield "the answer is empty"
    elif body.count(".") != 2 or not body.isascii() or any(c in body for c in '{" '):
        yield "the body is not a raw JWT"
    if media != contract.JWT:
        yield f"the content type is {media[:60] or 'not given'}"


def item_faults(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with an item of the list."""
    for name in ("date", "patientsBirthdate"):
        value = str(raw.get(name) or "")
        if value and not (value.isdigit() and date_of(value)):
            yield f"{name} is not YYYYMMDD"
    name = str(raw.get("patientsName") or "")
    if "," in name and "^" not in name:
        yield "patientsName has a comma where DICOM has ^"
    uid = str(raw.get("studyInstanceUID") or "")
    if uid and (len(uid) > 64 or not all(part.isdigit() for part in uid.split("."))):
        yield "studyInstanceUID is no UID"


def named(content: Content) -> str:
    """Return what bytes are, as it is said of them."""
    return {"page": "a web page", "unknown": "of no known kind"}.get(content, content)


def come_back_s(reply: Answering) -> float | None:
    """Return after how many seconds a busy provider wants to be asked again, none if it does not say."""
    said = b"".join(reply.pieces)[:4096]
    try:
        seconds = json.loads(said)["timeOutInSeconds"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None
