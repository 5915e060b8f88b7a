"""What a checked parcel comes to: findings, each passed, to be looked at, or a stop.

In: what arrived, what was promised, what was entered, who it may be here, and what is here already. Out: findings with
codes and facts; words are the page's. A person confirms each that is to be looked at; while anything stops, nothing of
that person is filed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from radrelay.importer.alike import may_be_one, pairs_alike
from radrelay.importer.arrived import Person
from radrelay.importer.completeness import Came, by_study
from radrelay.importer.duplicates import Decision, Why
from radrelay.importer.folding import compare
from radrelay.importer.left_out import first_names
from radrelay.importer.matching import Matched, Row
from radrelay.importer.parting import ArrivedPerson, ArrivedStudy
from radrelay.importer.placeholders import is_no_birth_date, is_no_id
from radrelay.importer.promises import Promise, plain_path, tails

Level = Literal["passed", "look", "stop"]
Fact = str | int
LocalKey = tuple[str, str]
"""A local patient: issuer and ID."""
LEVELS: tuple[Level, ...] = ("passed", "look", "stop")
_OF_DUPLICATES: Mapping[Why, Level] = {
    "new": "passed", "same-content": "passed", "same-object": "passed", "twice-in-parcel": "passed",
    "same-pixels": "look", "content-unknown": "look",
    "other-pixels": "stop", "other-encoding": "stop", "other-content": "stop", "other-study": "stop",
    "differs-in-parcel": "stop", "no-identity": "stop", "study-of-another": "stop",
}  # fmt: skip
PAIRS_TOLD = 5
"""So many pairs of people who may be one are named; of further ones it is told how many they are."""
PAPERS_ALONE = "papers-alone"
NOTHING_CAME = frozenset({"list-empty", "parcel-empty", PAPERS_ALONE})
"""Stops that nobody undoes: there is nobody in the parcel whose images could be filed."""
NOT_WRITABLE, NOT_READABLE = "not-writable", "not-readable"
FLAWS = frozenset({NOT_WRITABLE, NOT_READABLE})
"""Why an object cannot be filed under whom was chosen, as was found when it was tried."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: about the parcel, or about the person with this number in it, or one study of theirs.

    `about` are the local patients of whom it tells: of others it is another finding, and not everybody may see them.
    """

    level: Level
    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    person: int | None = None
    study_uid: str = ""
    about: tuple[LocalKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """What came: people, files that could not be read (path, and why by its code), papers beside them."""

    people: tuple[ArrivedPerson, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    papers: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()
    listed: bool = False  # a list was asked for, however long it is
    counts_objects: bool = False  # the list counts objects alone; else files, whatever they are
    paths: frozenset[str] = frozenset()  # of all that came, hints and what is left out among them
    left: tuple[str, ...] = ()  # files of kinds that are not taken over
    viewers: tuple[str, ...] = ()  # those of a disc's viewer and of operating systems
    guessed: tuple[str, ...] = ()  # objects whose texts are in no declared character set, or not in it
    doubtful: tuple[str, ...] = ()  # papers that may be a viewer's own
    endless: tuple[str, ...] = ()  # documents that do not end as their form does
    unread: Mapping[str, str] = field(default_factory=dict)  # birth dates of objects that are none, by file
    within: Mapping[str, str] = field(default_factory=dict)  # who else is named in an object, by file
    earlier: frozenset[str] = frozenset()  # files of downloads that came once more, packed anew


@dataclass(frozen=True, slots=True)
class Local:
    """What is known here of one person in the parcel: whom they match, what is done with their objects.

    `accessions`: studies here by accession number. `unwritable`: objects that cannot be read and written under the
    patient who is chosen (file and why), once that was tried.
    """

    matched: Matched
    decisions: tuple[Decision, ...] = ()
    accessions: Mapping[str, Collection[str]] = field(default_factory=dict)
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
            Finding("stop", NOT_WRITABLE, {"objects": len(local.unwritable), "names": _names(local.unwritable)})
        )
    for study in arrived.studies:
        found += _study(study, local.accessions)
    return each_once(replace(one, person=number) for one in found)


def each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings each once, with all the local patients of whom it tells."""
    found: dict[tuple[str, str, str], Finding] = {}
    for one in findings:
        key = one.code, one.study_uid, repr(sorted(one.facts.items()))
        before = found.setdefault(key, one)
        found[key] = replace(before, about=tuple(sorted({*before.about, *one.about})))
    return tuple(found.values())


def of_nobody(papers: Sequence[str]) -> Finding:
    """Return the finding about papers of which nobody can tell whose they are: they stay behind."""
    return Finding("look", "papers-of-nobody", {"papers": len(papers), "left": first_names(papers)})


def not_brought(names: Sequence[str]) -> Finding:
    """Return the finding about files that somebody wanted to bring, which did not come, and went on without."""
    return Finding("look", "files-not-brought", {"files": len(names), "lost": first_names(names)})


def broken_upload(missing: int, announced: int, came: int) -> Finding:
    """Return the finding about files that an upload announced, which did not come and which nobody names."""
    return Finding("look", "upload-broken-off", {"missing": missing, "announced": announced, "came": came})


def _contents(parcel: Parcel) -> Iterator[Finding]:
    if parcel.listed and not parcel.promises:
        yield Finding("stop", "list-empty")
    elif not parcel.people:
        yield (
            Finding("stop", PAPERS_ALONE, {"papers": len(parcel.papers)})
            if parcel.papers
            else Finding("stop", "parcel-empty")
        )
    for why in dict.fromkeys(why for _, why in parcel.unreadable):
        files = [one for one in parcel.unreadable if one[1] == why]
        yield Finding("look", "unreadable", {"files": len(files), "names": _names(files), "why": why})
    yield from _doubted(parcel)
    yield from _beside(parcel)
    if len(parcel.people) > 1:
        yield Finding("look", "several-people", {"people": len(parcel.people)})
        alike, whole = pairs_alike([one.person for one in parcel.people])
        for pair in alike[:PAIRS_TOLD]:
            yield Finding("look", "perhaps-one-person", _pair(*pair))
        if len(alike) > PAIRS_TOLD:
            yield Finding("look", "more-perhaps-one-person", {"pairs": len(alike) - PAIRS_TOLD})
        if not whole:
            yield Finding("look", "people-not-compared", {"people": len(parcel.people)})


def _pair(one: Person, other: Person) -> dict[str, Fact]:
    """Return two people as a finding names them, so that they can be compared."""
    return {
        f"{which}_{what}": value
        for which, who in (("one", one), ("other", other))
        for what, value in (
            ("name", who.name), ("born", who.birth_date.isoformat() if who.birth_date else ""),
            ("id", who.patient_id), ("issuer", who.issuer),
        )
    }  # fmt: skip


def _doubted(parcel: Parcel) -> Iterator[Finding]:
    """Tell of objects that say something which a person has to look at."""
    for code, told in (("birth-date-unread", parcel.unread), ("named-otherwise-within", parcel.within)):
        if told:
            yield Finding("look", code, {"files": len(told), "names": first_names(sorted(set(told.values())))})
    if parcel.guessed:
        yield Finding("look", "texts-guessed", {"files": len(parcel.guessed), "left": first_names(parcel.guessed)})


def _beside(parcel: Parcel) -> Iterator[Finding]:
    """Tell of files of kinds that are not filed, of a viewer's, and of documents without an end."""
    if parcel.left:
        yield Finding("look", "not-taken-over", {"files": len(parcel.left), "left": first_names(parcel.left)})
    if parcel.endless:
        yield Finding("look", "papers-cut-off", {"files": len(parcel.endless), "left": first_names(parcel.endless)})
    if parcel.doubtful:
        yield Finding("look", "perhaps-viewers", {"files": len(parcel.doubtful), "left": first_names(parcel.doubtful)})
    if parcel.viewers:
        yield Finding("passed", "viewer-files", {"files": len(parcel.viewers), "left": first_names(parcel.viewers)})


def _names(files: Sequence[tuple[str, str]]) -> str:
    return first_names([name for name, _ in files])


def _promised(parcel: Parcel) -> Iterator[Finding]:
    objects = [one for person in parcel.people for study in person.studies for one in study.objects]
    unreadable = [name for name, _ in parcel.unreadable]
    came = Came.of(parcel.people, parcel.paths, unreadable, parcel.earlier)
    uids = {one.sop_uid for one in objects}
    named = (*(one.file for one in objects), *parcel.papers, *unreadable, *parcel.paths)
    wanted = frozenset[str]().union(*(one.paths for one in parcel.promises))
    there = _there(wanted, {plain_path(one) for one in named})
    yield from _listed(parcel, came)
    for one in parcel.promises:
        if one.by != "list":
            yield from _kept(one, came.objects, uids, there)
    yield from _of_others(parcel)
    promised = {one.study_uid for one in parcel.promises if one.study_uid}
    for study_uid in sorted(set(came.objects) - promised if promised else ()):
        yield Finding("look", "study-not-promised", {"arrived": came.objects[study_uid]}, study_uid=study_uid)


def _listed(parcel: Parcel, came: Came) -> Iterator[Finding]:
    """Tell of each study on a list whether it came: nothing of another study or download counts for it."""
    listed = by_study(one for one in parcel.promises if one.by == "list")
    for study_uid, counts in listed.items():
        if study_uid and study_uid not in came.objects:
            yield Finding("look", "study-missing", {"by": "list", "study": study_uid}, study_uid=study_uid)
        elif study_uid:
            yield from _counted(came, study_uid, counts, by_objects=parcel.counts_objects)
    unnamed = [one for one in listed.get("", ()) if one is not None]
    beside = came.beside(listed.keys() - {""})
    files = sum(came.files[at] for at in beside) + sum(came.loose.elements())
    if unnamed and not came.keeps(unnamed, beside):
        objects = sum(sum(came.held[at].values()) for at in beside)
        yield _lacking(sum(unnamed), objects, files, "")


def _counted(came: Came, study_uid: str, told: Sequence[int | None], *, by_objects: bool) -> Iterator[Finding]:
    """Compare what came of a study with the numbers that were promised of it."""
    counts = [one for one in told if one is not None]
    promised, objects, held = sum(counts), came.objects[study_uid], came.of_study(study_uid)
    if not counts:
        return
    if by_objects or held is None:
        whole = objects >= promised
    elif 1 < len(held) <= len(counts):  # thing by thing: one's surplus is not what another lacks
        whole = came.keeps(counts, held)
    else:
        whole = objects >= promised or came.keeps(counts, held)
    if not whole:
        files = objects if by_objects else sum(came.files[at] for at in held) if held is not None else None
        yield _lacking(promised, objects, files, study_uid)
    elif len(counts) == len(told):
        facts: Mapping[str, Fact] = {"by": "list", "promised": promised, "arrived": max(objects, promised)}
        yield Finding("passed", "complete", facts, study_uid=study_uid)


def _lacking(promised: int, objects: int, files: int | None, study_uid: str) -> Finding:
    """Return the finding about what lacks objects: files were too few, or many, of which nobody knows what they are."""
    facts: dict[str, Fact] = {"by": "list", "promised": promised}
    if files is not None and files < promised:
        return Finding("look", "fewer-than-promised", {**facts, "arrived": files}, study_uid=study_uid)
    return Finding("look", "perhaps-incomplete", {**facts, "arrived": objects}, study_uid=study_uid)


def _kept(promise: Promise, of_study: Mapping[str, int], uids: set[str], there: set[str]) -> Iterator[Finding]:
    """Tell whether a promise was kept: by the objects and files that it names, of which those files are `there`."""
    named = len(promise.sop_uids) + len(promise.paths) + promise.unreached
    lacking = len(promise.sop_uids - uids) + len(promise.paths - there) + promise.unreached
    arrived = of_study.get(promise.study_uid, 0) if promise.study_uid else 0
    facts: dict[str, Fact] = {"by": promise.by, "promised": promise.files or named, "arrived": arrived}
    if lacking:
        yield Finding("look", "files-missing", {**facts, "missing": lacking}, study_uid=promise.study_uid)
    elif named:
        yield Finding("passed", "complete", facts, study_uid=promise.study_uid)


def _there(wanted: Collection[str], paths: Iterable[str]) -> set[str]:
    """Return which of the wanted paths are there, in whichever folder of the parcel they begin."""
    return {tail for path in paths for tail in tails(path) if tail in wanted} if wanted else set()


def _of_others(parcel: Parcel) -> Iterator[Finding]:
    """Stop where a promise names somebody who is not whom the study's objects name."""
    numbers: dict[str, list[int]] = {}
    for number, somebody in enumerate(parcel.people):
        for study_uid in {study.study_uid for study in somebody.studies}:
            numbers.setdefault(study_uid, []).append(number)
    only = [0] if len(parcel.people) == 1 else []
    for one in {(one.by, one.study_uid, one.person): one for one in parcel.promises}.values():
        if not one.person.said:
            continue
        for number in numbers.get(one.study_uid, ()) if one.study_uid else only:
            if not may_be_one(one.person, parcel.people[number].person):
                yield Finding("stop", "promised-of-another", {"by": one.by}, number, one.study_uid)


def _named(arrived: ArrivedPerson) -> Iterator[Finding]:
    names = sorted({one.name for one in arrived.people if one.name})
    if not names and not arrived.person.patient_id:
        yield Finding("stop", "nobody-named")
    elif any(compare(names[0], other).degree != "same" for other in names[1:]):
        yield Finding("look", "names-differ", {"names": "; ".join(names)})
    else:
        yield Finding("passed", "named", {"studies": len(arrived.studies), "objects": _objects(arrived)})


def _objects(arrived: ArrivedPerson) -> int:
    return sum(one.images for one in arrived.studies)


def _born(arrived: ArrivedPerson, entered: date | None) -> Iterator[Finding]:
    told = {one.birth_date for one in arrived.people} - {None}
    if entered is None:
        yield Finding("look", "birth-date-not-entered")
    elif not told or (told == {entered} and is_no_birth_date(entered)):
        yield Finding("look", "birth-date-unsaid")
    elif told == {entered}:
        yield Finding("passed", "birth-date-agrees")
    else:
        yield Finding("stop", "birth-date-differs")


def _matched(matched: Matched) -> Iterator[Finding]:
    possible = [one for one in matched.compared if one.fit != "not"]
    if matched.proposed is not None:
        yield Finding(
            "passed", "proposed", {"origins": ", ".join(matched.proposed.origins)}, about=(matched.proposed.key,)
        )
    elif not matched.compared:
        yield Finding("look", "nobody-here")
    elif not possible:
        yield Finding("stop", "nobody-fits", {"candidates": len(matched.compared)})
    elif len(possible) > 1:
        yield Finding(
            "look", "several-fit", {"candidates": len(possible)}, about=tuple(sorted(one.key for one in possible))
        )
    else:
        (one,) = possible
        if one.at_odds:
            yield Finding("look", "told-differently-here", about=(one.key,))
        if is_no_id(one.person.patient_id):
            yield Finding("look", "no-id-here", about=(one.key,))
        yield from of_rows(one.rows[:3], one.key)


def of_rows(rows: Iterable[Row], whose: LocalKey) -> Iterator[Finding]:
    """Yield what of a local patient does not say the same as the parcel."""
    for row in rows:
        if row.verdict not in ("same", "unsaid") or (row.verdict == "unsaid" and row.field != "sex"):
            facts = {"reason": row.reason} if row.reason else {}
            yield Finding("look", f"{row.field}-{row.verdict}", facts, about=(whose,))


def _here(decisions: Sequence[Decision]) -> Iterator[Finding]:
    counts = Counter((one.arrived.study_uid, one.why) for one in decisions)
    for (study_uid, why), number in sorted(counts.items()):
        yield Finding(_OF_DUPLICATES[why], why, {"objects": number}, study_uid=study_uid)


def _study(study: ArrivedStudy, accessions: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    uid = study.study_uid
    if study.mixed:
        yield Finding("stop", "study-mixed", study_uid=uid)
    if not study.accession:
        return
    taken = any(one != uid for one in accessions.get(study.accession, ()))
    yield Finding("look" if taken else "passed", "accession-taken" if taken else "accession-foreign", study_uid=uid)
