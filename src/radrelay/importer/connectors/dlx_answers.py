"""What DLX providers answer, read with patience: apiInfo, questions, logins and lists, as published and as met."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from radrelay.importer.connectors.ports import AnswerForm, Item, Question, QuestionKind
from radrelay.importer.dlx.contract import VERSIONS
from radrelay.importer.errors import AnswerUnusable, PortalUnclear
from radrelay.importer.json_read import count_of, read_json, text_of
from radrelay.importer.outgoing import Reply

MOST_QUESTIONS, MOST_ITEMS, MOST_TEXT, MOST_JWT = 20, 2000, 500, 8000
UNNAMED_LAST = (*VERSIONS, "")
USUAL_LIFE_S = 600.0
DATE_FORMS = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y")
_KINDS: dict[str, QuestionKind] = {"PAT_BIRTH_DATE": "birth-date", "STUDY_DATE": "study-date", "PASSWORD": "password"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_JWT = re.compile(r"[A-Za-z0-9_.~+/=-]+")
_VERSION = re.compile(r"v?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: the questions, under which ids they are answered, and where the provider says that it is."""

    questions: tuple[Question, ...]
    ids: Mapping[str, Any]
    base: str = field(default="", repr=False)
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """A JWT and how long it counts from when it came."""

    jwt: str = field(repr=False)
    life_s: float


def asked_of(reply: Reply) -> Asked | None:
    """Return what an answer asks, none if it is not DLX; raises `PortalUnclear` for DLX that cannot be followed."""
    told = _loaded(reply.body)
    if not isinstance(told, dict) or not isinstance(told.get("tfaQuestion"), list):
        return None
    host = reply.target.name
    raw = told["tfaQuestion"]
    if len(raw) > MOST_QUESTIONS or not all(isinstance(one, dict) for one in raw):
        raise PortalUnclear(f"{host} asks questions that are none", host=host)
    given = [one.get("questionId", place) for place, one in enumerate(raw, 1)]
    ids = {str(one): one for one in given if one is None or isinstance(one, str | int | float)}
    if len(ids) != len(raw):
        raise PortalUnclear(f"{host} asks two questions under one id", host=host)
    questions = tuple(_question(key, one) for key, one in zip(ids, raw, strict=True))
    known = [one for one in _objects(told.get("apiInfo")) if _version(one) in UNNAMED_LAST]
    versions = tuple(_text(one.get("dlxVersion"), 40) for one in _objects(told.get("apiInfo")))
    if versions and not known:
        raise PortalUnclear(f"{host} speaks DLX {', '.join(versions)} only", host=host)
    best = min(known, key=lambda one: UNNAMED_LAST.index(_version(one)), default={})
    return Asked(questions, ids, _text(best.get("apiBasePath"), 2000), versions)


def login_of(reply: Reply, now: float) -> Login:
    """Return the login that right answers opened; `now` is Unix time; raises `PortalUnclear`."""
    found = _jwt(reply)
    if not found or len(found) > MOST_JWT or not _JWT.fullmatch(found):
        host = reply.target.name
        raise PortalUnclear(
            f"{host} accepts the answers but gives no login", host=host, reason="no token in the answer"
        )
    return Login(found, _life_s(found, now))


def items_of(reply: Reply) -> tuple[Item, ...]:
    """Return what is listed; raises `PortalUnclear`.

    What is listed twice is there once. Without an id that can be asked for it is not reachable; two things under one id
    both stay, and come in one download.
    """
    told, host = reply.json(), reply.target.name
    listed = told.get("dataItem") if isinstance(told, dict) else told
    if not isinstance(listed, list) or len(listed) > MOST_ITEMS or not all(isinstance(one, dict) for one in listed):
        raise PortalUnclear(f"{host} lists nothing that can be read", host=host)
    ids = [_id(one.get("id")) for one in _listed_as_written(reply.body)]
    items = dict.fromkeys(_item(key, one) for key, one in zip(ids, listed, strict=True))
    if items and not any(one.reachable for one in items):
        raise PortalUnclear(f"{host} lists things without an id", host=host)
    return tuple(items)


def written_answer(question: Question, given: str) -> str:
    """Return an answer as the portal wants it: dates as YYYYMMDD; raises `AnswerUnusable`."""
    text = unicodedata.normalize("NFC", given).strip()
    if question.form == "text" and text and len(text) <= MOST_TEXT:
        return text
    found = date_of(text) if question.form == "date" else None
    if found is None:
        raise AnswerUnusable(form=question.form)
    return f"{found:%Y%m%d}"


def date_of(text: object) -> date | None:
    """Return a date as portals and people write it (some as `[2024, 4, 19]`), none for anything else."""
    if isinstance(text, list) and len(text) == 3 and all(isinstance(one, int) for one in text):
        text = "{:04d}-{:02d}-{:02d}".format(*text)
    for form in DATE_FORMS if isinstance(text, str | int) else ():
        try:
            return datetime.strptime(str(text).strip(), form).date()  # noqa: DTZ007  # a day, in no zone
        except ValueError:
            continue
    return None


def name_of(text: str) -> str:
    """Return a name in DICOM's form: portals write `Family,Given` for `Family^Given` (PS3.5 6.2.1)."""
    if "^" in text or "," not in text:
        return text
    family, _, given = text.partition(",")
    return f"{family.strip()}^{given.strip()}"


def _question(key: str, told: dict[str, Any]) -> Question:
    kind = _KINDS.get(text_of(told.get("questionType")), "custom")
    dated = told.get("answerFormat") == "DATE" or (told.get("answerFormat") is None and kind.endswith("date"))
    form: AnswerForm = "date" if dated else "text"
    raw = told.get("question")
    if isinstance(raw, str):
        return Question(key, kind, form, {"": _text(raw)})
    texts = {_text(one.get("language"), 10).lower().replace("_", "-"): _text(one.get("text")) for one in _objects(raw)}
    return Question(key, kind, form, texts)


def _item(key: str, told: dict[str, Any]) -> Item:
    uid = _text(told.get("studyInstanceUID"), 64)
    listed = told.get("modalities")
    written = map(_text, listed) if isinstance(listed, list) else re.split(r"[\\,;/\s]+", _text(listed))
    return Item(
        key,
        _text(told.get("mimeType"), 100).partition(";")[0].strip().lower(),
        _text(told.get("description")),
        uid if _UID.fullmatch(uid) else "",
        date_of(told.get("date")),
        tuple(one[:16] for one in written if one)[:50],
        name_of(_text(told.get("patientsName"))),
        date_of(told.get("patientsBirthdate")),
        _text(told.get("patientsSex"), 1).upper(),
        count_of(told.get("fileCount")),
        bool(key),
    )


def _listed_as_written(body: bytes) -> list[dict[str, Any]]:
    """Return what is listed with its numbers as they are written: an id of 7.0 is asked for as 7.0."""
    told = read_json(body, numbers=str)
    listed: list[dict[str, Any]] = told["dataItem"] if isinstance(told, dict) else told
    return listed


def _jwt(reply: Reply) -> str:
    """Return the JWT of an answer: raw, in quotes, in an object, or in a header; nothing if there is none."""
    text = reply.body.decode("utf-8", "replace").strip().strip('"')
    if text.startswith("{"):
        told = _loaded(reply.body)
        names = ("token", "jwt", "access_token", "accessToken", "jwtToken")
        text = next((one for name in names if isinstance(told, dict) and isinstance(one := told.get(name), str)), "")
    if not text:
        text = reply.headers.get("authorization", "")
    return text.removeprefix("Bearer ").strip()


def _life_s(jwt: str, now: float) -> float:
    """Return how long a JWT counts (RFC 7519 4.1), by its own clock where it says when it was made."""
    try:
        body = jwt.split(".")[1]
        told = read_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        ends = float(told["exp"])
        begins = float(told.get("iat", now))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error):
        return USUAL_LIFE_S
    return min(max(0.0, ends - begins), 86_400.0)


def _version(info: Mapping[str, Any]) -> str:
    found = _VERSION.match(text_of(info.get("dlxVersion")))
    return found[1] if found else ""


def _objects(told: object) -> Iterator[dict[str, Any]]:
    listed = told if isinstance(told, list) else [told]
    return (one for one in listed if isinstance(one, dict))


def _id(told: object) -> str:
    return told if isinstance(told, str) and 0 < len(told) <= 500 else ""


def _text(told: object, most: int = MOST_TEXT) -> str:
    if not isinstance(told, str | int):
        return ""
    return "".join(c if c.isprintable() else " " for c in str(told))[:most].strip()


def _loaded(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError:
        return None
