"""Links followed: each language that a link may be of is tried in order, until a portal speaks one of them.

What the portal asks is answered from what was entered; what nobody has entered is asked for. Whatever comes lands as it
is, encrypted, to be checked afterwards.
"""

from __future__ import annotations

import json
import time
import traceback
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import structlog

from radrelay.errors import RadrelayError
from radrelay.importer.browser.keeping import Keeping
from radrelay.importer.connectors.ports import Errand, Item, Lead, LiveErrand, Pending, Question, Stepping
from radrelay.importer.contents import Content
from radrelay.importer.downloading import Downloaded
from radrelay.importer.errors import HostNotAllowed, ParcelTooLarge, PortalTrouble, PortalUnclear, TooManyRedirects
from radrelay.importer.import_errors import FetchUnforeseen, ImportOutOfBounds, NothingToFollow
from radrelay.importer.sealing import Entered
from radrelay.importer.turns import Turn, TurnBroken, TurnOver
from radrelay.importer.watching import watched
from radrelay.intake.envelope import Origin
from radrelay.intake.files import clean_text
from radrelay.intake.landing import Landing
from radrelay.intake.object_writer import FileFacts, ObjectWriter

log = structlog.get_logger(__name__)
Follow = Callable[[uuid.UUID, str], Sequence[tuple[Lead, Callable[[], Errand]]]]
"""Returns what a link of an organisation may lead to, in the order in which it is tried, and what begins an errand."""

SAID_AFTER_S = 3.0
UNKNOWN = "unknown"
"""What a portal speaks that was asked in several languages and answered in none."""

_ENDINGS: Mapping[Content, tuple[str, str]] = {
    "zip": ("zip", "application/zip"), "dicom": ("dcm", "application/dicom"), "pdf": ("pdf", "application/pdf"),
    "jpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png"), "tiff": ("tif", "image/tiff"),
    "gif": ("gif", "image/gif"), "xml": ("xml", "application/xml"), "text": ("txt", "text/plain"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an errand came to: what the portal listed; or the questions that only a person can answer.

    `pending`: one of them is asked while a browser waits at the portal.
    """

    lead: Lead
    items: tuple[Item, ...] = ()
    questions: tuple[Question, ...] = ()
    asks: bool = False
    pending: Pending | None = field(default=None, repr=False)
    trouble: PortalTrouble | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched, with what, and where it lands."""

    entered: Entered
    birth_date: date | None
    origin: Origin


@dataclass(slots=True)
class Walk:
    """Where a fetch is: with which language or recipe, at which portal, at which step."""

    connector: str = ""
    host: str = ""
    errand: object = field(default=None, repr=False)
    doing: Literal["ask", "answer", "list", "download"] = "ask"

    @property
    def step(self) -> str:
        """Return the step: a recipe's own, else what was being done."""
        own = self.errand.step if isinstance(self.errand, Stepping) else ""
        return own or self.doing


def fetch(follow: Follow, wanted: Wanted, landing: Landing, turn: Turn, keeping: Keeping, walk: Walk) -> Fetched:
    """Fetch all that a link leads to; `walk` tells where that is. Raises `NothingToFollow`, `PortalTrouble`."""
    kept = keeping.take(turn.case_id)
    if kept is not None:
        walk.connector, walk.host, walk.errand, walk.doing = kept.lead.connector, kept.lead.host, kept.errand, "answer"
        with _sent_once(walk):
            return _live(kept.lead, kept.errand, (), wanted, landing, turn, keeping, walk)
    with watched(turn.look):
        lead, errand, questions = _speaking(follow, wanted, walk)
    answers = {one.id: told for one in questions if (told := _answer(one, wanted)) is not None}
    if len(answers) < len(questions):
        return Fetched(lead, questions=questions, asks=True)
    walk.doing = "answer"
    with _sent_once(walk) if answers else nullcontext():
        with watched(turn.look):
            errand.answer(answers)
        if isinstance(errand, LiveErrand):
            return _live(lead, errand, questions, wanted, landing, turn, keeping, walk)
        return Fetched(lead, _brought(errand, wanted, landing, turn, walk), questions)


@contextmanager
def _sent_once(walk: Walk) -> Iterator[None]:
    """Have nothing that nobody foresaw repeat what was sent to a portal; raises `FetchUnforeseen`."""
    try:
        yield
    except (RadrelayError, TurnOver, TurnBroken):
        raise
    except Exception as error:  # whatever a page or a list of a portal makes a library raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = {"host": walk.host, "error": type(error).__name__, "at": f"{where.name}:{where.lineno}"}
        log.error("a fetch broke off in a way that nobody foresaw", **told)  # what it says may hold what was sent
        raise FetchUnforeseen from error


def _live(
    lead: Lead, errand: LiveErrand, questions: tuple[Question, ...], wanted: Wanted, landing: Landing, turn: Turn,
    keeping: Keeping, walk: Walk,
) -> Fetched:  # fmt: skip
    """Go on with an errand that lives on while a person is asked, and close it in any other case."""
    waits = False
    try:
        with watched(turn.look):
            pending = errand.carry_on(wanted.entered.answers, turn.look)
        if pending is not None:
            keeping.keep(turn.case_id, lead, errand, pending.within_s)
            waits = True
            return Fetched(lead, questions=(pending.question,), asks=True, pending=pending)
        return Fetched(lead, _brought(errand, wanted, landing, turn, walk), questions)
    finally:
        if not waits:
            errand.close()


def _brought(errand: Errand, wanted: Wanted, landing: Landing, turn: Turn, walk: Walk) -> tuple[Item, ...]:
    """Bring all that there is; returns what the portal lists."""
    walk.doing = "list"
    with watched(_Waits(turn).look):
        items = errand.items()
    walk.doing = "download"
    have, brought = 0, set[str]()
    for number, item in enumerate(items, 1):
        if not item.reachable or item.id in brought:
            continue
        landed = _Landed(landing, wanted.origin, turn, have)
        try:
            with watched(landed.waits.look):
                came = errand.download(item, landed, landed.tell)
            landed.finish(item, came, number)
        except ImportOutOfBounds as error:
            error.listed = _listed_as_it_came(items, brought)
            error.facts |= {"host": walk.host, "came": len(brought), "of": len({one.id for one in items})}
            raise
        finally:
            landed.forget()
        brought.add(item.id)
        have += came.size
    return items


def _listed_as_it_came(items: Sequence[Item], brought: Collection[str]) -> str:
    """Return what is told of a list of which not all came; nothing where none of it did."""
    return (
        listed_text([one if one.id in brought else replace(one, reachable=False) for one in items]) if brought else ""
    )


def _speaking(follow: Follow, wanted: Wanted, walk: Walk) -> tuple[Lead, Errand, tuple[Question, ...]]:
    """Return the first errand whose portal speaks the language; raises why none does, in words of the most use."""
    troubles: list[PortalTrouble] = []
    for lead, begin in follow(wanted.origin.organisation_id, wanted.entered.link):
        errand = begin()
        walk.connector, walk.host, walk.errand = lead.connector, lead.host, errand
        try:
            return lead, errand, errand.ask()
        except PortalTrouble as error:
            if not _of_another_language(error, lead.host):
                raise
            troubles.append(error)
    if len(troubles) > 1:
        walk.connector, walk.errand = UNKNOWN, None  # of several languages none was spoken
    raise next((one for one in troubles if not isinstance(one, PortalUnclear)), None) or (
        troubles[-1] if troubles else NothingToFollow()
    )


def _of_another_language(error: PortalTrouble, host: str) -> bool:
    """Tell whether a portal may speak another language: it does not answer in this one, or as pages for browsers do."""
    if isinstance(error, HostNotAllowed):
        return error.facts.get("host") != host
    return isinstance(error, PortalUnclear | ParcelTooLarge | TooManyRedirects)


def _answer(question: Question, wanted: Wanted) -> str | None:
    """Return what was entered for a question, none if only a person knows."""
    told = wanted.entered.answers.get(question.id)
    if told is None and question.kind == "birth-date" and wanted.birth_date is not None:
        return wanted.birth_date.isoformat()
    return told


def listed_text(items: Sequence[Item]) -> str:
    """Return what a portal's list promises, as JSON."""
    return json.dumps([
        {
            "study_uid": one.study_uid, "files": one.files, "name": one.patient_name, "sex": one.sex,
            "birth_date": one.birth_date.isoformat() if one.birth_date else "", "reachable": one.reachable,
            "description": "" if one.reachable else one.description,
        }
        for one in items
    ])  # fmt: skip


def questions_text(questions: Sequence[Question]) -> str:
    """Return questions as JSON."""
    return json.dumps([
        {"id": one.id, "kind": one.kind, "form": one.form, "texts": dict(one.texts)} for one in questions
    ])  # fmt: skip


class _Waits:
    """A wait for a portal: told to whoever waits once it has taken a moment, until something comes."""

    def __init__(self, turn: Turn) -> None:
        self._turn, self._began, self._since = turn, turn.clock.now(), time.monotonic()
        self.came = False

    def look(self) -> None:
        """Say since when it is waited for; raises when that is not wanted any more."""
        waits = not self.came and time.monotonic() - self._since >= SAID_AFTER_S
        self._turn.look(packs_since=self._began if waits else None)


class _Landed:
    """One download on its way into the landing."""

    def __init__(self, landing: Landing, origin: Origin, turn: Turn, before: int) -> None:
        self._writer, self._origin = ObjectWriter(landing, origin), origin
        self._turn, self._before, self._size, self.waits = turn, before, 0, _Waits(turn)
        self._writer.begin("", "", "")

    def begin(self) -> None:
        """Forget what came before."""
        self._writer.begin("", "", "")
        self._size = 0

    def forget(self) -> None:
        """Leave nothing of what was not finished, however its download ended."""
        self._writer.abort()

    def write(self, piece: bytes) -> None:
        """Take the next piece; raises `ImportTooLarge` where it is more than the import may bring."""
        self._size += len(piece)
        if self._turn.bounds is not None:
            self._turn.bounds.require_room(self._before + self._size)
        self._writer.write(piece)
        self._writer.raise_failure()

    def tell(self, have: int, size: int | None) -> None:
        """Write down how far it is; raises when it is not wanted any more."""
        if have == 0:
            return self.waits.look()
        self.waits.came = True
        return self._turn.look(self._before + have, None if size is None else self._before + size)

    def finish(self, item: Item, came: Downloaded, number: int) -> None:
        """Have it kept; what came in an earlier turn with the same bytes is kept once, packed anew it counts once."""
        ending, media_type = _ENDINGS.get(came.content, ("bin", "application/octet-stream"))
        name = clean_text(came.name or f"{number:02}.{ending}")[:200]
        same = uuid.uuid5(self._turn.case_id, f"{item.id} {came.sha256}")
        thing = uuid.uuid5(self._turn.case_id, f"thing {item.id}")
        self._writer.finish_as("raw", FileFacts(name, came.size, media_type, same, thing))
