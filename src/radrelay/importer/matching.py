"""Whose a parcel's studies are here: proposed where nothing is open, else put side by side for a person to decide.

In: somebody as the parcel names them, the birth date that was entered, and local patients that may be them: from the
worklist, HL7, the PACS. Out: each compared attribute by attribute, and the one proposed: birth date in the header =
entered = local, name the same after folding, no conflict of sex, and nobody else who may be meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from radrelay.importer.arrived import SEXES, Person, sexed
from radrelay.importer.folding import NameVerdict, Reason, compare
from radrelay.importer.parting import ArrivedPerson, contradict
from radrelay.importer.placeholders import is_no_birth_date, is_no_id
from radrelay.importer.reconciling import Authority

Origin = Literal["worklist", "hl7", "pacs", "archive"]
Field = Literal["name", "birth-date", "sex", "patient-id"]
Said = Literal["same", "compatible", "other", "unsaid"]
Fit = Literal["fits", "perhaps", "not"]
UNTOLD = Authority()
LEADING: tuple[Origin, ...] = ("hl7", "worklist")
"""Whose spelling of a name counts, the first first, where places here tell of one patient."""


NO_ODDS: frozenset[Reason] = frozenset(("unsaid", "middle-names", "initials"))
"""What places here may write differently of one ID: one leaves out a second given name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A local patient as one place tells of them.

    A place that names no issuer means the house's own, which is filled in before. `authority` is who issues the ID as
    an archive tells it beside the name; what HL7 and the worklist tell of that is kept elsewhere.
    """

    origin: Origin
    person: Person
    authority: Authority = UNTOLD


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute side by side: in the parcel, as entered, here; how they go together, and of names why."""

    field: Field
    parcel: str
    entered: str
    local: str
    verdict: Said
    reason: Reason | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """A local patient beside somebody in the parcel. `at_odds`: places here tell of them differently."""

    person: Person
    told: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    fit: Fit
    at_odds: bool

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Return where they are known."""
        return tuple(sorted({one.origin for one in self.told}))

    @property
    def key(self) -> tuple[str, str]:
        """Return issuer and ID."""
        return self.person.issuer, self.person.patient_id

    def row(self, field: Field) -> Row:
        """Return one attribute's row."""
        return next(one for one in self.rows if one.field == field)


@dataclass(frozen=True, slots=True)
class Matched:
    """Who somebody in the parcel may be here, the likeliest first, and who is proposed."""

    compared: tuple[Compared, ...]
    proposed: Compared | None


def match(arrived: ArrivedPerson, entered: date | None, candidates: Iterable[Candidate]) -> Matched:
    """Compare somebody in a parcel with local patients; one in a mixed study is never proposed anybody."""
    compared = [_compared(arrived, entered, some) for some in _by_patient(candidates)]
    order: tuple[Fit, ...] = ("fits", "perhaps", "not")
    compared.sort(key=lambda one: (order.index(one.fit), one.person.name, one.person.issuer, one.person.patient_id))
    possible = [one for one in compared if one.fit != "not"]
    certain = len(possible) == 1 and possible[0].fit == "fits" and not arrived.mixed
    return Matched(tuple(compared), possible[0] if certain else None)


def _by_patient(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return what places tell of each local patient; who has no ID here is nobody's neighbour."""
    found: dict[tuple[object, ...], list[Candidate]] = {}
    for one in candidates:
        person = one.person
        key = (
            (person.issuer, person.patient_id)
            if person.patient_id
            else (person.name, person.birth_date, person.sex, "")
        )
        found.setdefault(key, []).append(one)
    return list(found.values())


def _compared(arrived: ArrivedPerson, entered: date | None, told: Sequence[Candidate]) -> Compared:
    people, local = [one.person for one in told], _local(told)
    rows = _rows(arrived, entered, people, local)
    at_odds = any(_at_odds(one, other) for one in people for other in people)
    fit = _fit(rows, local, at_odds=at_odds)
    if fit == "not" and at_odds:  # by what one place tells they may be it: nobody knows which of them is right
        alone = (_fit(_rows(arrived, entered, [one], one), one, at_odds=False) for one in people)
        fit = "not" if all(one == "not" for one in alone) else "perhaps"
    return Compared(local, tuple(told), rows, fit, at_odds)


def _local(told: Sequence[Candidate]) -> Person:
    """Return a local patient as one place tells most of them, with the name as who leads writes it.

    An archive keeps the spelling of a device for good. The ID is one by then; the birth date has to be, too.
    """
    local = max((one.person for one in told), key=lambda one: one.said)
    if is_no_id(local.patient_id) or local.birth_date is None:
        return local
    for origin in LEADING:
        for one in told:
            if one.origin == origin and one.person.name and one.person.birth_date == local.birth_date:
                return replace(local, name=one.person.name)
    return local


def _rows(arrived: ArrivedPerson, entered: date | None, people: Sequence[Person], local: Person) -> tuple[Row, ...]:
    return (
        _name(arrived, people),
        _birth_date(arrived, entered, people),
        _sex(arrived, people),
        _patient_id(arrived.person, local),
    )


def _fit(rows: Sequence[Row], local: Person, *, at_odds: bool) -> Fit:
    name, born, sex = rows[:3]
    if born.verdict == "other" or sex.verdict == "other" or (name.verdict == "other" and name.reason == "names"):
        return "not"
    told = name.verdict == born.verdict == "same" and not is_no_id(local.patient_id)
    return "fits" if told and not at_odds else "perhaps"


def _name(arrived: ArrivedPerson, local: Sequence[Person]) -> Row:
    """Compare every spelling of the parcel with the nearest one here: the weakest counts."""
    spelt = sorted({one.name for one in arrived.people if one.name}) or [""]
    here = sorted({one.name for one in local if one.name}) or [""]
    nearest = [min((compare(mine, theirs) for theirs in here), key=_weakness) for mine in spelt]
    weakest = max(nearest, key=_weakness)
    verdict: Said = "unsaid" if weakest.reason == "unsaid" else weakest.degree
    return Row("name", "; ".join(spelt), "", "; ".join(here), verdict, weakest.reason)


def _weakness(found: NameVerdict) -> tuple[int, str]:
    return ("same", "compatible", "other").index(found.degree), found.reason


def _birth_date(arrived: ArrivedPerson, entered: date | None, local: Sequence[Person]) -> Row:
    parcel, here = {one.birth_date for one in arrived.people} - {None}, {one.birth_date for one in local} - {None}
    days = {day for day in parcel | here | {entered} if day is not None}
    told = parcel and here and entered is not None and not is_no_birth_date(entered)
    verdict: Said = "other" if len(days) > 1 else "same" if told else "unsaid"
    return Row("birth-date", _days(parcel), _days({entered}), _days(here), verdict)


def _sex(arrived: ArrivedPerson, local: Sequence[Person]) -> Row:
    parcel, here = {one.sex for one in arrived.people} - {""}, {one.sex for one in local} - {""}
    both = {sexed(one) for one in parcel | here}
    if set(SEXES) <= both:
        verdict: Said = "other"
    elif parcel and here:
        verdict = "same" if len(both) == 1 else "compatible"
    else:
        verdict = "unsaid"
    return Row("sex", "; ".join(sorted(parcel)), "", "; ".join(sorted(here)), verdict)


def _patient_id(parcel: Person, local: Person) -> Row:
    """Say whether the parcel's ID is one of here; another one is what is expected of another house."""
    mine, theirs = (f"{one.patient_id} ({one.issuer})" if one.issuer else one.patient_id for one in (parcel, local))
    if not parcel.patient_id or not local.patient_id:
        verdict: Said = "unsaid"
    elif parcel.patient_id != local.patient_id or (parcel.issuer and local.issuer and parcel.issuer != local.issuer):
        verdict = "other"
    else:
        verdict = "same" if parcel.issuer == local.issuer else "compatible"
    return Row("patient-id", mine, "", theirs, verdict)


def _at_odds(one: Person, other: Person) -> bool:
    """Say whether two places tell of a local patient what cannot both be so."""
    names = compare(one.name, other.name)
    differ = one.name != other.name and names.degree != "same" and names.reason not in NO_ODDS
    return contradict(one, other) or differ


def _days(days: Iterable[date | None]) -> str:
    return "; ".join(f"{day:%Y%m%d}" for day in sorted(day for day in days if day is not None))
