"""Imports as the page is told of them."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from radrelay.importer import cases
from radrelay.importer.acts import Act, What
from radrelay.importer.announced import Announced
from radrelay.importer.endings import ending_of
from radrelay.importer.findings import NOTHING_CAME, Finding, LocalKey
from radrelay.importer.models import ImportCase, ImportConsent, ImportPerson
from radrelay.importer.parting import ArrivedStudy
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.standing import Standing, key_of
from radrelay.importer.written_down import CheckedObject, chosen_of, findings_of, order_of
from radrelay.web.import_candidates import CandidateShown, PatientKey, PersonShown, StudyHere, candidates_shown
from radrelay.web.import_papers import Papers, PaperShown
from radrelay.web.problems import Trouble


class QuestionShown(BaseModel):
    """What the portal asks; `texts` by language."""

    id: str
    kind: str
    form: str
    texts: dict[str, str]


class FindingShown(BaseModel):
    """A finding; one to be looked at is confirmed by its key."""

    key: str
    level: str
    code: str
    facts: dict[str, str | int]
    study_uid: str
    confirmed_by: str = ""
    confirmed_at: datetime | None = None


class StudyShown(BaseModel):
    """A study in the parcel, and what is done with how many of its objects, by why."""

    study_uid: str
    study_date: date | None
    description: str
    modalities: list[str]
    accession: str
    series: int
    objects: int
    becomes: dict[str, int]
    study_id: uuid.UUID | None = None
    expires_at: datetime | None = None
    """Until when the study is here; none where who asks may not see it, and where it has no end."""


class StudyKept(NamedTuple):
    """A study that is here, and until when; none where it has no end."""

    id: uuid.UUID
    expires_at: datetime | None


class PatientChosen(BaseModel):
    """Whose it becomes: the birth date as YYYYMMDD, sex as DICOM has it; what is not known leaves what is there."""

    name: str
    patient_id: str
    issuer: str = ""
    birth_date: str = ""
    sex: str = ""


class OrderChosen(BaseModel):
    """A local import order."""

    accession: str
    study_id: str = ""
    procedure_id: str = ""
    procedure: str = ""
    step_id: str = ""
    step: str = ""


class ImportedPerson(BaseModel):
    """Somebody in the parcel, and how it stands with them."""

    number: int
    state: str
    person: PersonShown
    studies: list[StudyShown]
    findings: list[FindingShown]
    candidates: list[CandidateShown]
    chosen: PatientChosen | None
    unseen: bool
    """A colleague has chosen somebody whom who asks may not see."""
    order: OrderChosen | None
    papers: list[PaperShown]
    destination_id: uuid.UUID | None
    unsent: str
    """Why what was filed did not go on to there, by a code; empty: it did, or nowhere."""
    filed_at: datetime | None
    filed_by: str
    left: int
    """So many findings are still to be looked at."""
    stopped: bool


class EndingShown(BaseModel):
    """When an import's time is up, and what ends then: what its link says of itself, the files that came, all of it."""

    at: datetime
    what: Literal["link", "files", "import"]


class FiledUnder(BaseModel):
    """A local patient under whom somebody's studies are filed; empty where who asks may not see them."""

    name: str
    patient_id: str


class ConsentShown(BaseModel):
    """What a patient agreed to who brought an import; what staff decided after a withdrawal."""

    model_config = ConfigDict(from_attributes=True)

    text_version: int
    text_sha256: str
    language: str
    given_at: datetime
    withdrawn_at: datetime | None
    decision: str
    decided_by: str
    decided_at: datetime | None
    decided_why: str


class CameShown(BaseModel):
    """Which studies came: how many, and what the newest of them says."""

    studies: int
    study_date: date | None
    modalities: list[str]
    description: str


class Import(BaseModel):
    """An import and how far it is; `people` are the names in it. `ending`: nothing once it is filed or over."""

    id: uuid.UUID
    state: str
    waits_turn: bool
    """It is worked on once others are through, and once it is its portal's turn."""
    resumes: str
    connector: str
    host: str
    birth_date: date | None
    questions: list[QuestionShown]
    asks_until: datetime | None
    """So long a browser waits at the portal for the answer; there is a picture of its page then."""
    bytes_received: int
    bytes_expected: int | None
    packs_since: datetime | None
    """Since then the portal is waited for: it packs first, or does not answer."""
    last_came_at: datetime | None
    """When somebody brought its last file."""
    objects: int
    came: CameShown | None
    """None before it was looked at, where nothing came, and once it names nobody any more."""
    nothing_came: str
    """Why there is nothing that could be filed: the code of the finding that stops all of it; empty where there is."""
    error: Trouble | None
    asked_kind: str
    asked_by: str
    basis: str
    created_at: datetime
    changed_at: datetime
    checked_at: datetime | None
    finished_at: datetime | None
    link_ends_at: datetime | None
    ends_at: datetime
    ending: EndingShown | None
    people: list[PersonShown]
    filed_under: list[FiledUnder]
    consent: ConsentShown | None
    """None where no patient has brought it."""


class Imports(BaseModel):
    """Imports, in the order that was asked for. `may`: the caller may begin some."""

    may: bool
    imports: list[Import]


class AnnouncedShown(BaseModel):
    """What the uploads of an import announced, and what of it has come."""

    model_config = ConfigDict(from_attributes=True)

    files: int
    bytes: int
    came_files: int
    came_bytes: int


class ActShown(BaseModel):
    """What somebody did of late: chose a patient, filed, gave up. `turn` counts on; `mine`: it was who asks."""

    turn: int
    what: What
    by: str
    at: datetime
    number: int | None
    mine: bool

    @classmethod
    def of(cls, one: Act, who: str) -> ActShown:
        """Return it as somebody is told of it."""
        return cls(turn=one.turn, what=one.what, by=one.by, at=one.at, number=one.number, mine=one.by_id == who)


class ImportDetail(Import):
    """An import with all that a check found. `files_here`: what came is not erased yet; `files_until`: when it is."""

    files_here: bool
    files_until: datetime | None = None
    announced: AnnouncedShown | None
    """None where no upload announced itself."""
    findings: list[FindingShown]
    persons: list[ImportedPerson]
    papers: list[PaperShown]
    acts: list[ActShown] = []


_PLAIN = (
    "id", "state", "resumes", "connector", "host", "birth_date", "bytes_received", "bytes_expected",
    "packs_since", "last_came_at", "objects",
    "asked_kind", "asked_by", "basis", "created_at", "changed_at", "checked_at", "finished_at", "link_ends_at",
    "ends_at", "asks_until",
)  # fmt: skip


def shown(
    row: ImportCase,
    people: Sequence[ImportPerson],
    files_end: datetime | None,
    consent: ImportConsent | None = None,
    hidden: Collection[LocalKey] = (),
) -> dict[str, Any]:
    """Return the members of an import as it is listed; `files_end`: when the first file that came is erased.

    `hidden` are patients here whom who asks may not see: they are not named.
    """
    told = {name: getattr(row, name) for name in _PLAIN}
    named = [
        PersonShown(
            name=one.patient_name, patient_id=one.patient_id_value, issuer=one.patient_issuer,
            birth_date=one.patient_birth_date, sex=one.patient_sex,
        )
        for one in people
    ]  # fmt: skip
    filed = [one for one in (chosen_of(one) for one in people if one.state == cases.FILED) if one is not None]
    questions = [QuestionShown(**one) for one in json.loads(row.questions or "[]")]
    ending = ending_of(row, files_end)
    return told | {
        "people": named, "filed_under": [_filed_under(one, hidden) for one in filed],
        "questions": questions, "error": Trouble.shown(cases.trouble_of(row)),
        "ending": None if ending is None else EndingShown(at=ending.at, what=ending.what),
        "waits_turn": cases.waits_turn(row),
        "came": CameShown(**json.loads(row.came)) if row.came else None,
        "nothing_came": _nothing_came(row),
        "consent": None if consent is None else ConsentShown.model_validate(consent),
    }  # fmt: skip


def _filed_under(one: LocalPatient, hidden: Collection[LocalKey]) -> FiledUnder:
    if (one.issuer, one.patient_id) in hidden:
        return FiledUnder(name="", patient_id="")
    return FiledUnder(name=one.name, patient_id=one.patient_id)


def _nothing_came(row: ImportCase) -> str:
    if row.state != cases.OPEN or row.came:
        return ""
    return next((one.code for one in findings_of(row) if one.code in NOTHING_CAME), "")


def detail(
    row: ImportCase, people: Sequence[tuple[ImportPerson, Standing]], objects: Mapping[int, Sequence[CheckedObject]],
    papers: Papers, here: Mapping[str, StudyKept], files_end: datetime | None,
    consent: ImportConsent | None = None, announced: Announced | None = None,
    apart: Mapping[PatientKey, list[StudyHere]] | None = None, hidden: Collection[LocalKey] = (),
) -> ImportDetail:  # fmt: skip
    """Return an import with how it stands; `here` are the studies that the caller may see.

    `apart` are studies that tell patients apart who may be meant; `hidden` patients whom the caller may not see.
    """
    persons = [_person(one, standing, objects, papers, here, apart or {}, hidden) for one, standing in people]
    done = json.loads(row.confirmed)
    return ImportDetail(
        **shown(row, [one for one, _ in people], files_end, consent, hidden),
        files_here=files_end is not None,
        announced=None if announced is None else AnnouncedShown.model_validate(announced),
        findings=[_finding(one, done) for one in findings_of(row)],
        persons=persons,
        papers=papers.get(None, []),
    )


def _person(
    row: ImportPerson, standing: Standing, objects: Mapping[int, Sequence[CheckedObject]], papers: Papers,
    here: Mapping[str, StudyKept], apart: Mapping[PatientKey, list[StudyHere]],
    hidden: Collection[LocalKey],
) -> ImportedPerson:  # fmt: skip
    patient = chosen_of(row)
    unseen = patient is not None and (patient.issuer, patient.patient_id) in hidden
    done = json.loads(row.confirmed)
    mine = objects.get(row.number, ())
    return ImportedPerson(
        number=row.number,
        state=row.state,
        person=PersonShown.of(standing.arrived.person),
        studies=[_study(one, mine, standing, here) for one in standing.arrived.studies],
        findings=[_finding(one, done) for one in standing.findings],
        candidates=candidates_shown(standing.matched.compared, standing.matched.proposed, apart),
        chosen=None if unseen else _chosen(patient),
        unseen=unseen,
        order=None if unseen else _order(order_of(row)),
        papers=papers.get(row.number, []),
        destination_id=row.destination_id,
        unsent=row.unsent,
        filed_at=row.filed_at,
        filed_by=row.filed_by,
        left=len(standing.open),
        stopped=bool(standing.stops),
    )


def _study(
    study: ArrivedStudy, objects: Collection[CheckedObject], standing: Standing, here: Mapping[str, StudyKept]
) -> StudyShown:
    filed = Counter(one.why for one in objects if one.action and one.arrived.study_uid == study.study_uid)
    found = {
        one.code: int(one.facts["objects"])
        for one in standing.findings
        if one.study_uid == study.study_uid and "objects" in one.facts
    }
    kept = here.get(study.study_uid)
    return StudyShown(
        study_uid=study.study_uid, study_date=study.date, description=study.description,
        modalities=list(study.modalities), accession=study.accession, series=study.series,
        objects=study.images, becomes=dict(filed) or found, study_id=kept.id if kept else None,
        expires_at=kept.expires_at if kept else None,
    )  # fmt: skip


def _finding(one: Finding, done: Mapping[str, Mapping[str, str]]) -> FindingShown:
    key = key_of(one)
    confirmed = done.get(key, {})
    return FindingShown(
        key=key, level=one.level, code=one.code, facts=dict(one.facts), study_uid=one.study_uid,
        confirmed_by=confirmed.get("by", ""),
        confirmed_at=datetime.fromisoformat(confirmed["at"]) if confirmed else None,
    )  # fmt: skip


def _chosen(patient: LocalPatient | None) -> PatientChosen | None:
    if patient is None:
        return None
    return PatientChosen(
        name=patient.name, patient_id=patient.patient_id, issuer=patient.issuer, birth_date=patient.birth_date,
        sex=patient.sex,
    )  # fmt: skip


def _order(order: Order | None) -> OrderChosen | None:
    return None if order is None else order_shown(order)


def order_shown(order: Order) -> OrderChosen:
    """Return an order as it is shown, and chosen."""
    return OrderChosen(
        accession=order.accession, study_id=order.study_id, procedure_id=order.procedure_id,
        procedure=order.procedure, step_id=order.step_id, step=order.step,
    )  # fmt: skip
