"""Who somebody in a parcel may be in the PACS: asked by C-FIND or QIDO-RS for all who are born on that day.

An archive matches names letter by letter, and tells maiden names, particles and titles in an order of its own: whether
it is the same person is folded and compared here. Only an archive that has more of that day than it may tell, or that
does not answer a question without a name, is asked for names, too: for what the words of a name begin with in every way
of writing it. One that does not answer in time, or never whole, is told of by its name. Who has an ID is asked while a
person waits at a page: only for seconds.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from threading import Lock
from time import monotonic
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.dicom.values import parse_date
from radrelay.importer.arrived import Person
from radrelay.importer.folding import compare
from radrelay.importer.local_values import authority_held, tidied
from radrelay.importer.matching import Candidate
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import Authority
from radrelay.importer.surroundings import Candidates
from radrelay.retrieve.errors import Broken
from radrelay.retrieve.models import Pacs
from radrelay.retrieve.nodes import node_of
from radrelay.retrieve.ports import Answer, Connector, FoundStudy, PacsNode, Wanted
from radrelay.retrieve.searching import Asked, search
from radrelay.settings import RetrieveSettings

KINDS = ("dicom", "dicomweb")
MOST_STARTS = 12
"""So many beginnings of names an archive is asked for; of longer names its answer is not whole."""
MOST_PEOPLE, MOST_QUESTIONS, LONGEST_S = 50, 200, 300.0
"""Of so many people of a parcel archives are asked, so many questions each, and so long in all."""
_WANT_NAMES = frozenset({"query-refused", "web-trouble", "search-too-wide"})
"""How archives refuse a question that names nobody; of others it is of no use to ask again."""
HOLDER_S = 5.0
"""Whose an ID is has to be answered within so many seconds; somebody waits for it at a page, and may ask again."""
RESTS_S = 20.0
"""One that has not answered in time is not asked again for so long who somebody is: a parcel may name many."""
_WANT_LESS = frozenset({"query-refused", "web-trouble", "web-refused", "peer-aborted", "peer-gone"})
"""How archives refuse a question for more than they know."""
_HUNG = frozenset({"search-timed-out", "node-unreachable", "node-silent", "peer-silent", "peer-too-slow"})
_WORDS = re.compile(r"[\s^=,;.\-]+")
_COMMON = re.compile(r"(?:(?!ss)[b-np-tv-z])+", re.IGNORECASE | re.ASCII)


class Resting:
    """Archives that have not answered in time a moment ago; thread-safe."""

    def __init__(self) -> None:
        self._until: dict[uuid.UUID, float] = {}
        self._lock = Lock()

    def note(self, pacs: uuid.UUID) -> None:
        """Note that one has not answered."""
        with self._lock:
            self._until[pacs] = monotonic() + RESTS_S

    def awake(self, nodes: Sequence[PacsNode]) -> list[PacsNode]:
        """Return those that are worth asking."""
        with self._lock:
            return [one for one in nodes if self._until.get(one.id, 0.0) <= monotonic()]


class Told(NamedTuple):
    """Of whom archives told, and how each has answered."""

    people: tuple[Person, ...]
    asked: tuple[Asked, ...]

    @property
    def hung(self) -> set[uuid.UUID]:
        """Return those that have not answered in time."""
        return {one.pacs for one in self.asked if one.trouble is not None and one.trouble.code in _HUNG}


@dataclass(slots=True)
class Asking:
    """What one check has asked archives, and what they told: a parcel may name a thousand people, and each has days.

    Of whom is beyond `MOST_PEOPLE`, or comes after so many questions or so long, no archive is asked.
    """

    people: int = 0
    questions: int = 0
    silent: set[uuid.UUID] = field(default_factory=set)
    told: dict[tuple[Wanted, frozenset[uuid.UUID]], Told] = field(default_factory=dict)
    _until: float = field(default_factory=lambda: monotonic() + LONGEST_S)

    def ask(
        self, connector: Connector, some: Sequence[PacsNode], wanted: Wanted, settings: RetrieveSettings
    ) -> Told | None:  # fmt: skip
        """Ask some archives, or return what they told before; none where nothing more is asked."""
        key = wanted, frozenset(one.id for one in some)
        if key not in self.told:
            if self.people > MOST_PEOPLE or self.questions >= MOST_QUESTIONS or monotonic() >= self._until:
                return None
            self.questions += 1
            within_s = settings.search_timeout_s + settings.connect_timeout_s
            result = search(some, partial(_asked, connector, wanted, settings.search_limit), within_s)
            people = dict.fromkeys(_person(one.study) for one in result.studies)
            self.told[key] = Told(tuple(people), result.asked)
            self.silent.update(self.told[key].hung)
        return self.told[key]


def archives_of(session: Session, organisation_id: uuid.UUID) -> list[PacsNode]:
    """Return the archives of an organisation that are switched on."""
    asked = sa.select(Pacs).where(Pacs.organisation_id == organisation_id, Pacs.enabled, Pacs.kind.in_(KINDS))
    return [node_of(row) for row in session.scalars(asked.order_by(Pacs.name))]


def archived_candidates(
    connector: Connector,
    nodes: Sequence[PacsNode],
    settings: RetrieveSettings,
    arrived: ArrivedPerson,
    entered: date | None,
    resting: Resting | None = None,
    asking: Asking | None = None,
) -> Candidates:
    """Return patients of archives who may be somebody; asks all that are not `resting` at once, each within its time.

    `asking` is what the check of the parcel has asked so far: one that hangs costs it its time once, the same is asked
    once, and what goes beyond all of it is not asked. Whoever was not asked is told as silent.
    """
    resting, asking = resting or Resting(), asking or Asking()
    born = {one.birth_date for one in arrived.people} | {entered}
    if not nodes or not any(one.name for one in arrived.people):
        return Candidates()
    asking.people += 1
    found: dict[Person, None] = {}
    silent: set[uuid.UUID] = set()

    def ask(some: Sequence[PacsNode], wanted: Wanted) -> Mapping[uuid.UUID, Asked | None]:
        """Ask, keep who may be meant, and return how those have answered that did not tell all; none: not asked."""
        answer = asking.ask(connector, some, wanted, settings)
        if answer is None:
            return dict.fromkeys(one.id for one in some)
        found.update((person, None) for person in answer.people if _may_be(arrived, person))
        for pacs in answer.hung:
            resting.note(pacs)
        return {one.pacs: one for one in answer.asked if one.trouble is not None or one.more}

    for day in sorted(one for one in born if one is not None):
        awake = [one for one in resting.awake(nodes) if one.id not in asking.silent]
        silent |= {one.id for one in nodes} - {one.id for one in awake}
        short = ask(awake, Wanted(birth_date=day)) if awake else {}
        by_name = [one for one in awake if (how := short.get(one.id)) is not None and _may_tell_names(how)]
        starts, whole = _starts(arrived)
        silent |= short.keys() - {one.id for one in by_name} if whole else short.keys()
        for start in starts if by_name else ():
            silent |= ask(by_name, Wanted(patient_name=f"{start}*", birth_date=day)).keys()
    names = sorted(one.name for one in nodes if one.id in silent)
    return Candidates(tuple(Candidate("pacs", one) for one in found), tuple(names))


def archived_holders(
    connector: Connector, nodes: Sequence[PacsNode], settings: RetrieveSettings, patient_id: str
) -> Candidates:
    """Return whom archives know by a patient ID, of any issuer; asks all at once, for `HOLDER_S` at most."""
    if not nodes or not patient_id or set(patient_id) & set("*?\\"):  # those mean something else in a question
        return Candidates()
    within_s = min(HOLDER_S, settings.search_timeout_s + settings.connect_timeout_s)
    result = search(nodes, partial(_issuers_asked, connector, patient_id, settings.search_limit), within_s)
    found = dict.fromkeys(
        Candidate("pacs", tidied(_person(one.study)), _authority(one.study)) for one in result.studies
    )
    names = {one.id: one.name for one in nodes}
    silent = sorted(names[one.pacs] for one in result.asked if one.trouble is not None or one.more)
    return Candidates(tuple(one for one in found if one.person.patient_id == patient_id), tuple(silent))


def _asked(connector: Connector, wanted: Wanted, most: int, node: PacsNode) -> Answer:
    return connector.search(node, wanted, most)


def _issuers_asked(connector: Connector, patient_id: str, most: int, node: PacsNode) -> Answer:
    """Ask whose an ID is and who issues it; an archive that does not take that is asked without the issuer."""
    wanted = Wanted(patient_id=patient_id, issuers=True)
    try:
        return connector.search(node, wanted, most)
    except Broken as broken:
        if broken.trouble.code not in _WANT_LESS:
            raise
        return connector.search(node, replace(wanted, issuers=False), most)


def _authority(study: FoundStudy) -> Authority:
    return replace(authority_held(Authority(study.issuer_id, study.issuer_id_type)), namespace="")


def _may_tell_names(asked: Asked) -> bool:
    return asked.more or (asked.trouble is not None and asked.trouble.code in _WANT_NAMES)


def _starts(arrived: ArrivedPerson) -> tuple[Sequence[str], bool]:
    """Return what each word of the family names begins with, as in the images and in capitals; whether that is all.

    It is not where a name is in no Latin script, for then it may be transliterated here, or has too many words.
    """
    families = {group.partition("^")[0] for one in arrived.people for group in one.name.split("=")[:1]}
    words = {word for family in families for word in _WORDS.split(family) if word}
    found = [_start(word) for word in words]
    told = sorted({made for some in found for one in some for made in (one, one.upper())})
    return told[:MOST_STARTS], bool(found) and all(found) and len(told) <= MOST_STARTS


def _start(word: str) -> tuple[str, ...]:
    """Return the letters that a word begins with however it is written: up to an accent, a, o, u or ss.

    An umlaut may have been left out where the images come from, and stands in the names here, or the other way round:
    of a word that begins with one of these letters both are asked for.
    """
    start = _COMMON.match(word)
    if start is not None:
        return (start[0],)
    plain = unicodedata.normalize("NFD", word)[0]
    if not (plain.isascii() and plain.isalpha()):
        return ()
    return tuple(sorted({plain, word[0], unicodedata.normalize("NFC", f"{plain}\u0308")[:1]}))


def _person(study: FoundStudy) -> Person:
    return Person(study.patient_name, study.patient_id, study.issuer, parse_date(study.birth_date), study.sex)


def _may_be(arrived: ArrivedPerson, local: Person) -> bool:
    return any(compare(one.name, local.name).degree != "other" for one in arrived.people)


def together(parts: Iterable[Candidates]) -> Candidates:
    """Return what several places tell, as one."""
    every = list(parts)
    return Candidates(
        tuple(one for part in every for one in part.found), tuple(one for part in every for one in part.silent)
    )
