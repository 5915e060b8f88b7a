"""What is held of a person: of a patient studies, marks, files, deliveries, links, imports, what is kept aside; of an
account its login, groups, links, marks and acceptances. Nothing of it is an image.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access.models import Grant, ShareLink
from radrelay.archive import persons
from radrelay.archive.models import Attachment, Holding, Source, Study
from radrelay.archive.uncorrected import open_objects
from radrelay.errors import NotFound
from radrelay.identity.models import Account, Organisation, Preference
from radrelay.identity.models import Session as Login
from radrelay.importer.models import ImportCase, ImportPerson
from radrelay.importer.written_down import chosen_of
from radrelay.intake.models import Quarantined
from radrelay.marks.models import Mark
from radrelay.privacy.models import PrivacyAcceptance
from radrelay.privacy.passing import clinics
from radrelay.privacy.requests import SeveralPeople, Subject
from radrelay.routing.models import Delivery


@dataclass(frozen=True, slots=True)
class HeldBy:
    """By which source a study is held since and until when, and whether a person keeps it longer, and why.

    `clinic` is who decides, where the source brings a clinic's patients; empty: the organisation itself.
    """

    source: str
    source_id: uuid.UUID
    received_at: datetime
    ends_at: datetime | None
    hold_until: datetime | None
    hold_reason: str
    clinic: str = ""


@dataclass(frozen=True, slots=True)
class HeldStudy:
    """A study of a patient, and what hangs on it."""

    id: uuid.UUID
    study_uid: str
    study_date: date | None
    accession_number: str
    description: str
    modalities: str
    name: str
    birth_date: date | None
    sex: str
    referring_physician: str
    institution: str
    series: int
    objects: int
    bytes: int
    received_at: datetime
    files: int
    marks: int
    deliveries: int
    links: int
    held_by: tuple[HeldBy, ...]
    person: int = 0
    """Whose it is: devices without an issuer give the same ID to different people (`archive.persons`)."""
    barred: bool = False
    """Its processing is restricted."""
    uncorrected: int = 0
    """So many of its objects are still to be written with corrected values."""

    @property
    def clinics(self) -> tuple[str, ...]:
        """Return the clinics that decide about it."""
        return tuple(dict.fromkeys(one.clinic for one in self.held_by if one.clinic))

    @property
    def own(self) -> bool:
        """Say whether the organisation holds it for itself, too."""
        return any(not one.clinic for one in self.held_by)

    def hold(self, now: datetime) -> HeldBy | None:
        """Return the hold that keeps a study, none if there is none."""
        return next((one for one in self.held_by if one.hold_until is not None and one.hold_until > now), None)


@dataclass(frozen=True, slots=True)
class HeldAside:
    """An object that is kept aside under a patient's ID; whose it is, nobody has said yet."""

    id: uuid.UUID
    code: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class HeldImport:
    """A parcel from elsewhere of which a person has said that it is this patient's; it ends with all in it."""

    id: uuid.UUID
    host: str
    state: str
    created_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """What is held of somebody with an account; `affiliation` is what they said of where they work."""

    id: uuid.UUID
    username: str
    full_name: str
    email: str
    affiliation: str
    organisation: str
    role: str
    language: str
    created_at: datetime
    disabled_at: datetime | None
    groups: tuple[str, ...]
    logins: int
    links: int
    marks: int
    settings: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Held:
    """All that is held of a person; `other_issuers` have somebody by the same patient ID, the same person or not."""

    studies: tuple[HeldStudy, ...] = ()
    aside: tuple[HeldAside, ...] = ()
    imports: tuple[HeldImport, ...] = ()
    account: HeldAccount | None = None
    other_issuers: tuple[str, ...] = ()

    @property
    def people(self) -> int:
        """Of how many people the studies are, beyond doubt not of the same."""
        return len({study.person for study in self.studies})

    @property
    def clinic_sources(self) -> set[uuid.UUID]:
        """Return the sources by which something is held for a clinic."""
        return {by.source_id for study in self.studies for by in study.held_by if by.clinic}

    def to_hand_out(self) -> Held:
        """Return it without the studies that clinics alone decide about."""
        return replace(self, studies=tuple(study for study in self.studies if study.own))

    def to_erase(self) -> Held:
        """Return it without the studies that a clinic decides about, though others hold them too."""
        return replace(self, studies=tuple(study for study in self.studies if not study.clinics))

    def of_one(self, study_id: uuid.UUID | None) -> Held:
        """Return what is held of one person: whose study `study_id` is, or of the only one.

        Objects kept aside and imports are left out where several people have the ID. Raises `SeveralPeople`, or
        `NotFound`.
        """
        if study_id is None:
            if self.people > 1:
                raise SeveralPeople(people=self.people)
            return self
        person = next((study.person for study in self.studies if study.id == study_id), None)
        if person is None:
            raise NotFound("there is no such study under this patient ID")
        own = tuple(study for study in self.studies if study.person == person)
        alone = self.people == 1
        return replace(
            self, studies=own, aside=self.aside if alone else (), imports=self.imports if alone else ()
        )  # fmt: skip


def held(session: Session, organisation_id: uuid.UUID, subject: Subject) -> Held:
    """Return what is held of a person; raises `NotFound` for an account that never was."""
    if subject.kind == "account":
        return Held(account=_account(session, organisation_id, subject.account_id))
    rows = session.scalars(
        sa.select(Study)
        .where(
            Study.organisation_id == organisation_id,
            Study.patient_id_value == subject.patient_id,
            Study.patient_issuer == subject.issuer,
        )
        .order_by(Study.first_received_at, Study.id)
    ).all()
    aside = session.scalars(
        sa.select(Quarantined)
        .join(Source, Source.id == Quarantined.source_id)
        .where(Quarantined.organisation_id == organisation_id, Quarantined.patient_id_value == subject.patient_id)
        .where(Source.issuer_of_patient_id == subject.issuer)
        .order_by(Quarantined.received_at, Quarantined.id)
    )
    people = persons.parted(rows)
    whose = {source: clinic.name for source, clinic in clinics(session, organisation_id).items()}
    return Held(
        tuple(_study(session, row, person, whose) for row, person in zip(rows, people, strict=True)),
        tuple(HeldAside(one.id, one.code, one.received_at) for one in aside),
        tuple(_imports(session, organisation_id, subject)),
        other_issuers=tuple(session.scalars(_issuers(organisation_id, subject))),
    )


def _imports(session: Session, organisation_id: uuid.UUID, subject: Subject) -> Iterator[HeldImport]:
    """Yield the imports that a person has said to be of this patient, the oldest first."""
    asked = (
        sa.select(ImportCase, ImportPerson)
        .join(ImportPerson, ImportPerson.case_id == ImportCase.id)
        .where(ImportCase.organisation_id == organisation_id, ImportPerson.chosen != "")
        .order_by(ImportCase.created_at, ImportCase.id)
    )
    found = {}
    for row, person in session.execute(asked):
        chosen = chosen_of(person)
        if chosen is not None and (chosen.issuer, chosen.patient_id) == (subject.issuer, subject.patient_id):
            found[row.id] = HeldImport(row.id, row.host, row.state, row.created_at, row.ends_at)
    yield from found.values()


def _issuers(organisation_id: uuid.UUID, subject: Subject) -> sa.Select[Any]:
    return (
        sa.select(Study.patient_issuer)
        .where(Study.organisation_id == organisation_id, Study.patient_id_value == subject.patient_id)
        .where(Study.patient_issuer != subject.issuer)
        .distinct()
        .order_by(Study.patient_issuer)
    )


def _count(session: Session, *conditions: sa.ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.count()).where(*conditions)) or 0


def _study(session: Session, row: Study, person: int, whose: Mapping[uuid.UUID, str]) -> HeldStudy:
    held_by = session.execute(
        sa.select(Source.name, Source.id, Holding.received_at, Holding.ends_at, Holding.hold_until, Holding.hold_reason)
        .join(Source, Source.id == Holding.source_id)
        .where(Holding.study_id == row.id)
        .order_by(Source.name)
    )
    by_link = sa.and_(Grant.grantee_kind == "link", Grant.target_kind == "study", Grant.target_id == row.id)
    return HeldStudy(
        id=row.id, study_uid=row.study_uid, study_date=row.study_date, accession_number=row.accession_number,
        description=row.description, modalities=row.modalities, name=row.patient_name,
        birth_date=row.patient_birth_date, sex=row.patient_sex, referring_physician=row.referring_physician,
        institution=row.institution, series=row.series_count, objects=row.instance_count, bytes=row.bytes,
        received_at=row.first_received_at, files=_count(session, Attachment.study_id == row.id),
        marks=_count(session, Mark.study_id == row.id, Mark.deleted_at.is_(None)),
        deliveries=_count(session, Delivery.study_id == row.id), links=_count(session, by_link),
        held_by=tuple(HeldBy(*one, clinic=whose.get(one[1], "")) for one in held_by), person=person,
        barred=access.is_barred(session, row.id), uncorrected=open_objects(session, [row.id]),
    )  # fmt: skip


def _account(session: Session, organisation_id: uuid.UUID, account_id: uuid.UUID | None) -> HeldAccount:
    row = None if account_id is None else session.get(Account, account_id)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound("there is no such account")
    groups = access.groups_of(session, organisation_id, "account", str(row.id))
    return HeldAccount(
        id=row.id, username=row.username, full_name=row.full_name, email=row.email or "",
        affiliation=row.affiliation, organisation=session.get_one(Organisation, row.organisation_id).name,
        role=row.role, language=row.language, created_at=row.created_at,
        disabled_at=row.disabled_at, groups=tuple(one.name for one in groups),
        logins=_count(session, Login.account_id == row.id), links=_count(session, ShareLink.maker_id == row.id),
        marks=_count(session, Mark.author_id == str(row.id), Mark.deleted_at.is_(None)),
        settings=_count(session, Preference.owner_id == row.id),
        accepted=_count(session, PrivacyAcceptance.account_id == row.id),
    )  # fmt: skip
