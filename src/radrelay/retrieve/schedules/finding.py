"""What a schedule would fetch: the archives are asked, what does not belong is left out, limits are applied.

Whoever carries a run out and whoever only tries one see the same. What is left says why: it is `here`; the archives
name different patients (`disagree`) or it is not beyond doubt that person's (`person`); the archive does not say on
which `ward`; it is of another body `part`; or a limit is reached (`each` patient, `studies`,
`instances`, `bytes`).
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase

from radrelay.archive import persons
from radrelay.errors import Trouble
from radrelay.retrieve import searching
from radrelay.retrieve.errors import Broken
from radrelay.retrieve.ports import Archive, Connector, FoundStudy, Order, PacsNode, Person, Wanted, Whereabouts
from radrelay.retrieve.schedules.plan import OF_PATIENTS, WIDEST_DAYS, Plan
from radrelay.retrieve.schedules.sizes import Guesses, Sizes
from radrelay.retrieve.schedules.times import moment_of
from radrelay.settings import RetrieveSettings

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
MOST_PATIENTS = 500
MOST_ASKED_FOR_SERIES = 200


@dataclass(frozen=True, slots=True)
class Candidate:
    """A study that was found; `left_by` says why it is not fetched, empty: it is."""

    study: FoundStudy
    pacs_id: uuid.UUID
    left_by: str = ""
    expected_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for a schedule brought, in the order of fetching, and what stood against it."""

    candidates: tuple[Candidate, ...] = ()
    more: bool = False
    troubles: Mapping[uuid.UUID, Trouble] = field(default_factory=dict)

    @property
    def wanted(self) -> tuple[Candidate, ...]:
        """Return what is to be fetched."""
        return tuple(one for one in self.candidates if not one.left_by)

    @property
    def left(self) -> dict[str, int]:
        """Return why how many are left, but for what is here."""
        return dict(Counter(one.left_by for one in self.candidates if one.left_by not in ("", "here")))


@dataclass(frozen=True, slots=True)
class Origin:
    """What priors are looked for of: a person, and the study or the order that came."""

    person: Person
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    study_uid: str = ""


@dataclass(frozen=True)
class Finder:
    """Asks archives for schedules. `hidden` says which studies nobody may process (UID, patient ID)."""

    connector: Connector
    archive: Archive
    whereabouts: Whereabouts
    settings: RetrieveSettings
    zone: tzinfo | None = None
    sizes: Sizes = field(default_factory=Guesses)

    def find(
        self, organisation_id: uuid.UUID, plan: Plan, nodes: Sequence[PacsNode], issuers: Mapping[uuid.UUID, str],
        now: datetime, hidden: Callable[[str, str], bool], *, origin: Origin | None = None,
        done: Collection[str] = (),
    ) -> Found:  # fmt: skip
        """Return what a schedule would fetch now.

        `issuers` are those of the archives' sources; `done` were fetched by this schedule before, which counts where
        an archive does not tell how many objects a study has.
        """
        today = now.astimezone(self.zone).date()
        search = _Search(self, plan, nodes, issuers, hidden)
        if plan.kind == "priors":
            if origin is None:
                return Found()
            search.of_person(origin.person, today - timedelta(days=round(plan.years * 365.25)), today)
        elif plan.kind == "timed" and plan.whose in OF_PATIENTS:
            self._of_patients(search, organisation_id, plan, today)
        else:
            search.of_days(*_span(plan, now, today, self.zone))
        kept = [one for one in search.found if self._fits(plan, one.study, now, origin)]
        kept.sort(key=lambda one: (one.study.study_date, one.study.study_time, one.study.study_uid), reverse=True)
        told = [self._told(organisation_id, one, done) for one in kept]
        if plan.same_body_part and origin is not None and origin.body_parts:
            told = self._of_part(plan, told, nodes, origin.body_parts)
        means = self.sizes.means(organisation_id, [node.id for node in nodes])
        told = [replace(one, expected_bytes=means.expected(one.study)) for one in told]
        return Found(tuple(_limited(plan, told)), search.more, search.troubles)

    def _of_patients(self, search: _Search, organisation_id: uuid.UUID, plan: Plan, today: date) -> None:
        if plan.whose == "worklist":
            people = self.whereabouts.due_on(organisation_id, today)
        else:
            people = self.whereabouts.on_wards(organisation_id, [one.strip() for one in plan.wards])
        search.more = len(people) > MOST_PATIENTS
        since, until = today - timedelta(days=plan.since_days), today - timedelta(days=plan.until_days)
        for person in people[:MOST_PATIENTS]:
            search.of_person(person, since, until)

    def _fits(self, plan: Plan, study: FoundStudy, now: datetime, origin: Origin | None) -> bool:
        """Say whether a study is what was asked for: an archive that does not know a key answers with more."""
        modalities = plan.modalities or (origin.modalities if origin is not None and plan.same_modality else ())
        if modalities and study.modalities and not set(modalities) & set(study.modalities):
            return False
        if plan.description and study.description and not _like(plan.description, study.description):
            return False
        if origin is not None and study.study_uid == origin.study_uid:
            return False
        return plan.last_hours is None or plan.kind != "timed" or self._is_since(study, now, plan.last_hours)

    def _is_since(self, study: FoundStudy, now: datetime, hours: int) -> bool:
        digits = study.study_time.replace(":", "")[:6]
        if not digits.isdigit() or len(digits) < 4:
            return True  # its day is within
        try:
            wall = datetime.strptime(study.study_date + digits[:4], "%Y%m%d%H%M")  # noqa: DTZ007 -- the site's wall
        except ValueError:
            return True
        return moment_of(wall, self.zone) >= now - timedelta(hours=hours)

    def _told(self, organisation_id: uuid.UUID, one: Candidate, done: Collection[str]) -> Candidate:
        """Mark what is here already."""
        if one.left_by:
            return one
        here = self.archive.here(organisation_id, one.study.study_uid)
        count, expected = len(here.kept) + len(here.aside), one.study.instances
        whole = count >= expected if expected is not None else one.study.study_uid in done
        return replace(one, left_by="here") if count and whole else one

    def _of_part(
        self, plan: Plan, found: Sequence[Candidate], nodes: Sequence[PacsNode], parts: Sequence[str]
    ) -> list[Candidate]:
        """Leave what is of another body part. A study none of whose series says of which it is may be of any."""
        by_id, asked, fitting, told = {node.id: node for node in nodes}, 0, 0, []
        enough = plan.most_each or MOST_ASKED_FOR_SERIES
        for one in found:
            if not one.left_by and fitting < enough and asked < MOST_ASKED_FOR_SERIES:
                asked += 1
                order = Order(one.study.study_uid, patient_id=one.study.patient_id)
                try:
                    series = self.connector.series(by_id[one.pacs_id], order)
                except Broken:
                    series = ()
                known = {part.body_part.upper() for part in series if part.body_part}
                one = replace(one, left_by="part") if known and not known & set(parts) else one  # noqa: PLW2901
                fitting += not one.left_by
            told.append(one)
        return told


class _Search:
    """What archives answer to one schedule."""

    def __init__(
        self, finder: Finder, plan: Plan, nodes: Sequence[PacsNode], issuers: Mapping[uuid.UUID, str],
        hidden: Callable[[str, str], bool],
    ) -> None:  # fmt: skip
        self._finder = finder
        self._plan = plan
        self._nodes = nodes
        self._issuers = issuers
        self._hidden = hidden
        self._seen: set[str] = set()
        self.found: list[Candidate] = []
        self.more = False
        self.troubles: dict[uuid.UUID, Trouble] = {}

    def of_person(self, person: Person, since: date, until: date) -> None:
        """Ask for a patient's studies; only what is theirs beyond doubt is fetched."""
        for merged in self._ask(Wanted(patient_id=person.patient_id, since=since, until=until)):
            issuers = ((pacs, merged.study.issuer or self._issuers.get(pacs, "")) for pacs in merged.pacs)
            pacs = next((pacs for pacs, issuer in issuers if is_same(person, merged.study, issuer)), None)
            if pacs is None:
                self._take(merged, merged.pacs[0], "person")
            else:
                self._take(merged, pacs)

    def of_days(self, since: date, until: date) -> None:
        """Ask for each day's studies, of each ward."""
        wards = [one.strip() for one in self._plan.wards] if self._plan.whose == "ward" else [""]
        for back in range(min((until - since).days + 1, WIDEST_DAYS + 1)):
            day = until - timedelta(days=back)
            for ward in wards:
                for merged in self._ask(Wanted(since=day, until=day, ward=ward)):
                    if ward and merged.study.ward and not fnmatchcase(merged.study.ward, ward):
                        continue  # an archive that does not know the key answers with everybody's
                    self._take(merged, merged.pacs[0], "" if not ward or merged.study.ward else "ward")

    def _take(self, merged: searching.Merged, pacs: uuid.UUID, left_by: str = "") -> None:
        study = merged.study
        if study.study_uid in self._seen or self._hidden(study.study_uid, study.patient_id):
            return
        if not _UID.fullmatch(study.study_uid) or len(study.study_uid) > 64:
            return
        self._seen.add(study.study_uid)
        self.found.append(Candidate(study, pacs, "disagree" if merged.disagree else left_by))

    def _ask(self, wanted: Wanted) -> Iterator[searching.Merged]:
        settings, plan = self._finder.settings, self._plan
        wanted = replace(wanted, modalities=plan.modalities, description=plan.description)
        nodes = [one for one in self._nodes if one.id not in self.troubles]
        if not nodes:
            return
        within_s = settings.search_timeout_s + settings.connect_timeout_s
        connector = self._finder.connector
        result = searching.search(nodes, lambda one: connector.search(one, wanted, settings.search_limit), within_s)
        for asked in result.asked:
            self.more = self.more or asked.more
            if asked.trouble is not None:
                self.troubles[asked.pacs] = asked.trouble
        yield from result.studies


@dataclass(frozen=True, slots=True)
class _Told:
    patient_id: tuple[str, str]
    patient_id_value: str
    patient_issuer: str
    patient_name: str
    patient_birth_date: date | None
    patient_sex: str


def is_same(person: Person, study: FoundStudy, issuer: str) -> bool:
    """Say whether a study elsewhere is a person's beyond doubt: ID and issuer, and nothing that contradicts."""
    mine = _Told(
        (person.issuer, person.patient_id), person.patient_id, person.issuer, person.name, person.birth_date,
        person.sex,
    )  # fmt: skip
    born = _date(study.birth_date)
    theirs = _Told((issuer, study.patient_id), study.patient_id, issuer, study.patient_name, born, study.sex)
    return persons.likeness(mine, theirs) == "same"


def _limited(plan: Plan, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield candidates with what is above the limits left."""
    studies = instances = size = 0
    each: Counter[tuple[str, str]] = Counter()
    for one in found:
        if one.left_by:
            if one.left_by == "here":  # it counts as one of the patient's
                each[one.study.issuer, one.study.patient_id] += 1
            yield one
            continue
        patient = (one.study.issuer, one.study.patient_id)
        count = one.study.instances or 0
        if plan.most_each is not None and each[patient] >= plan.most_each:
            yield replace(one, left_by="each")
        elif studies >= plan.most_studies:
            yield replace(one, left_by="studies")
        elif plan.most_instances is not None and instances + count > plan.most_instances:
            yield replace(one, left_by="instances")
        elif plan.most_bytes is not None and size + one.expected_bytes > plan.most_bytes:
            yield replace(one, left_by="bytes")
        else:
            studies, instances, size = studies + 1, instances + count, size + one.expected_bytes
            each[patient] += 1
            yield one


def _span(plan: Plan, now: datetime, today: date, zone: tzinfo | None) -> tuple[date, date]:
    if plan.kind == "cache":
        return today - timedelta(days=plan.keep_days - 1), today
    if plan.last_hours is not None:
        return (now - timedelta(hours=plan.last_hours)).astimezone(zone).date(), today
    return today - timedelta(days=plan.since_days), today - timedelta(days=plan.until_days)


def _like(pattern: str, text: str) -> bool:
    wanted = pattern.strip().casefold()
    return fnmatchcase(text.casefold(), wanted if "*" in wanted or "?" in wanted else f"*{wanted}*")


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def study_date_of(study: FoundStudy) -> date | None:
    """Return a study's date, None if it tells none that is one."""
    return _date(study.study_date)
