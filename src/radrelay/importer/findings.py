"""What a checked parcel comes to: findings, each passed, to be looked at, or a stop.

In: what arrived, what was promised, what was entered, who it may be here, and what is here already. Out: findings with
codes and facts; words are the page's. A person confirms each that is to be looked at; what stops goes to the
quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations
from typing import Literal

from radrelay.importer.arrived import Person
from radrelay.importer.duplicates import Decision, Why
from radrelay.importer.folding import compare
from radrelay.importer.matching import Matched
from radrelay.importer.parting import ArrivedPerson, ArrivedStudy
from radrelay.importer.promises import Promise, plain_path

Level = Literal["passed", "look", "stop"]
Fact = str | int
LEVELS: tuple[Level, ...] = ("passed", "look", "stop")
_OF_DUPLICATES: Mapping[Why, Level] = {
    "new": "passed", "same-content": "passed", "same-object": "passed", "twice-in-parcel": "passed",
    "same-pixels": "look", "content-unknown": "look",
    "other-pixels": "stop", "other-encoding": "stop", "other-content": "stop", "other-study": "stop",
    "differs-in-parcel": "stop", "no-identity": "stop", "study-of-another": "stop",
}  # fmt: skip
NAMES_TOLD = 5
"""So many names of files a finding tells."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: about the parcel, or about the person with this number in it, or one study of theirs."""

    level: Level
    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    person: int | None = None
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What came: people, files that could not be read (path and why), and documents and pictures beside them."""

    people: tuple[ArrivedPerson, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    papers: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()
    listed: bool = False  # a list was asked for, however long it is


@dataclass(frozen=True, slots=True)
class Local:
    """What is known here of one person in the parcel: whom they match, what is done with their objects.

    `accessions`: studies here by accession number. `unwritable`: objects that cannot be written under the patient who
    is chosen (file and why).
    """

    matched: Matched
    decisions: tuple[Decision, ...] = ()
    accessions: Mapping[str, str] = field(default_factory=dict)
    unwritable: tuple[tuple[str, str], ...] = ()


def worst(findings: Iterable[Finding]) -> Level:
    """Return what all of it comes to."""
    return LEVELS[max((LEVELS.index(one.level) for one in findings), default=0)]


def of_parcel(parcel: Parcel) -> tuple[Finding, ...]:
    """Return the findings about the parcel as a whole: what came, and what was promised."""
    return (*_contents(parcel), *_promised(parcel))


def of_person(number: int, arrived: ArrivedPerson, entered: date | None, local: Local) -> tuple[Finding, ...]:
    """Return the findings about one person in a parcel."""
    found = [*_named(arrived), *_born(arrived, entered), *_matched(local.matched)]
    found += _here(local.decisions)
    if local.unwritable:
        found.append(
            Finding("stop", "not-writable", {"objects": len(local.unwritable), "names": _told(local.unwritable)})
        )
    for study in arrived.studies:
        found += _study(study, local.accessions)
    return tuple(Finding(one.level, one.code, one.facts, number, one.study_uid) for one in found)


def _contents(parcel: Parcel) -> Iterator[Finding]:
    if parcel.listed and not parcel.promises:
        yield Finding("stop", "list-empty")
    elif not parcel.people:
        yield (
            Finding("stop", "papers-alone", {"papers": len(parcel.papers)})
            if parcel.papers
            else Finding("stop", "parcel-empty")
        )
    if parcel.unreadable:
        yield Finding("look", "unreadable", {"files": len(parcel.unreadable), "names": _told(parcel.unreadable)})
    if len(parcel.people) > 1:
        yield Finding("look", "several-people", {"people": len(parcel.people)})
        alike = sum(_may_be_one(one.person, other.person) for one, other in combinations(parcel.people, 2))
        if alike:
            yield Finding("look", "perhaps-one-person", {"pairs": alike})


def _told(files: Sequence[tuple[str, str]]) -> str:
    return "; ".join(name for name, _ in files[:NAMES_TOLD])


def _may_be_one(one: Person, other: Person) -> bool:
    born = one.birth_date is None or other.birth_date is None or one.birth_date == other.birth_date
    return born and compare(one.name, other.name).degree != "other"


def _promised(parcel: Parcel) -> Iterator[Finding]:
    objects = [one for person in parcel.people for study in person.studies for one in study.objects]
    of_study = Counter(one.study_uid for one in objects)
    uids = {one.sop_uid for one in objects}
    paths = {
        plain_path(one) for one in (*(one.file for one in objects), *parcel.papers, *(n for n, _ in parcel.unreadable))
    }
    promised = {one.study_uid for one in parcel.promises if one.study_uid}
    for one in parcel.promises:
        yield from _kept(one, of_study, uids, paths)
        yield from _of_another(one, parcel.people)
    for study_uid in sorted(set(of_study) - promised if promised else ()):
        yield Finding("look", "study-not-promised", {"arrived": of_study[study_uid]}, study_uid=study_uid)


def _kept(promise: Promise, of_study: Counter[str], uids: set[str], paths: set[str]) -> Iterator[Finding]:
    """Tell whether a promise was kept: by the objects and files that it names, else by number."""
    named = len(promise.sop_uids) + len(promise.paths)
    lacking = len(promise.sop_uids - uids) + sum(not _is_there(path, paths) for path in promise.paths)
    arrived = of_study[promise.study_uid] if promise.study_uid else 0
    facts: dict[str, Fact] = {"by": promise.by, "promised": promise.files or named, "arrived": arrived}
    if lacking:
        yield Finding("look", "files-missing", {**facts, "missing": lacking}, study_uid=promise.study_uid)
    elif named:
        yield Finding("passed", "complete", facts, study_uid=promise.study_uid)
    elif promise.files is not None and promise.study_uid:
        code = "complete" if arrived == promise.files else "study-missing" if not arrived else "fewer-than-promised"
        code = "more-than-promised" if arrived > promise.files else code
        yield Finding("passed" if code == "complete" else "look", code, facts, study_uid=promise.study_uid)


def _is_there(path: str, paths: set[str]) -> bool:
    return path in paths or any(one.endswith(f"/{path}") for one in paths)


def _of_another(promise: Promise, people: Sequence[ArrivedPerson]) -> Iterator[Finding]:
    """Stop where a promise names somebody who is not whom the study's objects name."""
    told = promise.person
    if not told.said:
        return
    for number, one in enumerate(people):
        theirs = any(study.study_uid == promise.study_uid for study in one.studies) if promise.study_uid else False
        if (theirs or (not promise.study_uid and len(people) == 1)) and not _may_be_one(told, one.person):
            yield Finding("stop", "promised-of-another", {"by": promise.by}, number, promise.study_uid)


def _named(arrived: ArrivedPerson) -> Iterator[Finding]:
    names = sorted({one.name for one in arrived.people if one.name})
    if not names and not arrived.person.patient_id:
        yield Finding("stop", "nobody-named")
    elif any(compare(names[0], other).degree != "same" for other in names[1:]):
        yield Finding("look", "names-differ", {"names": "; ".join(names)})
    else:
        yield Finding("passed", "named", {"studies": len(arrived.studies), "objects": _objects(arrived)})


def _objects(arrived: ArrivedPerson) -> int:
    return sum(len(one.objects) for one in arrived.studies)


def _born(arrived: ArrivedPerson, entered: date | None) -> Iterator[Finding]:
    told = {one.birth_date for one in arrived.people} - {None}
    if entered is None:
        yield Finding("look", "birth-date-not-entered")
    elif not told:
        yield Finding("look", "birth-date-unsaid")
    elif told == {entered}:
        yield Finding("passed", "birth-date-agrees")
    else:
        yield Finding("stop", "birth-date-differs")


def _matched(matched: Matched) -> Iterator[Finding]:
    possible = [one for one in matched.compared if one.fit != "not"]
    if matched.proposed is not None:
        yield Finding("passed", "proposed", {"origins": ", ".join(matched.proposed.origins)})
    elif not matched.compared:
        yield Finding("look", "nobody-here")
    elif not possible:
        yield Finding("stop", "nobody-fits", {"candidates": len(matched.compared)})
    elif len(possible) > 1:
        yield Finding("look", "several-fit", {"candidates": len(possible)})
    else:
        (one,) = possible
        if one.at_odds:
            yield Finding("look", "told-differently-here")
        if not one.person.patient_id:
            yield Finding("look", "no-id-here")
        for row in one.rows[:3]:
            if row.verdict not in ("same", "unsaid") or (row.verdict == "unsaid" and row.field != "sex"):
                yield Finding("look", f"{row.field}-{row.verdict}", {"reason": row.reason} if row.reason else {})


def _here(decisions: Sequence[Decision]) -> Iterator[Finding]:
    counts = Counter((one.arrived.study_uid, one.why) for one in decisions)
    for (study_uid, why), number in sorted(counts.items()):
        yield Finding(_OF_DUPLICATES[why], why, {"objects": number}, study_uid=study_uid)


def _study(study: ArrivedStudy, accessions: Mapping[str, str]) -> Iterator[Finding]:
    uid = study.study_uid
    if study.mixed:
        yield Finding("stop", "study-mixed", study_uid=uid)
    if not study.accession:
        return
    taken = accessions.get(study.accession, uid) != uid
    yield Finding("look" if taken else "passed", "accession-taken" if taken else "accession-foreign", study_uid=uid)
