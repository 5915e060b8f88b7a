"""The vault: who stands behind which alias, and what turns results back; sealed by a key of its own.

One vault serves one organisation. In: a patient and a project. Out: always the same alias, also where two ask at
once. The way from an alias to a patient (`original_of`) is for what came back; a person goes it by `identity_of` alone,
whose caller has put the look on record in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.dicom.deidentify import Alias, Original, Subject, shift_days
from radrelay.dicom.deidentify.options import Option
from radrelay.pseudonyms.errors import AliasUnknown, ProjectUnknown
from radrelay.pseudonyms.forgetting import forget_aliases
from radrelay.pseudonyms.models import PseudonymAlias, PseudonymProject, PseudonymStudy, PseudonymUids
from radrelay.pseudonyms.projects import engine_project, next_alias
from radrelay.pseudonyms.sealing import VaultSeal
from radrelay.storage.database import Database

NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX = 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040
OF_PATIENT = (NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX)
ACCESSION, REFERRER, DESCRIPTION = 0x00080050, 0x00080090, 0x00081030
OF_STUDY = (ACCESSION, REFERRER, DESCRIPTION)
Values = Mapping[int, str]


class _Who(msgspec.Struct, frozen=True):
    """What is sealed with an alias."""

    issuer: str
    patient_id: str
    values: dict[int, str]


class _Study(msgspec.Struct, frozen=True):
    """What is sealed with a study under an alias."""

    uid: str
    new_uid: str
    values: dict[int, str]


@dataclass(frozen=True, slots=True)
class ListedAlias:
    """An alias as everybody who manages projects may see it: it names nobody."""

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    alias: str
    used_on: date
    studies: int


@dataclass(frozen=True, slots=True)
class Unveiled:
    """Who stands behind an alias, for who may re-identify."""

    alias: str
    project: str
    patient_name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str
    study_uids: tuple[str, ...]


class StoredVault:
    """The vault of one organisation; thread-safe. Fulfils `dicom.deidentify.Vault`."""

    def __init__(self, database: Database, clock: Clock, seal: VaultSeal, organisation_id: uuid.UUID) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal
        self._organisation_id = organisation_id

    def alias_of(self, project: str, subject: Subject, values: Values | None = None) -> Alias:
        """Return the patient's alias in a project, a new one when there is none; `values` say who it is."""
        with self._database.read() as session:
            row = self._project(session, project)
            found = self._find(session, row.id, subject)
            if found is not None and found.used_on == self._today():
                return Alias(found.alias)
        with self._database.write() as session:
            row = self._project(session, project, locked=True)
            found = self._find(session, row.id, subject)
            if found is None:
                found = self._add(session, row, subject, values or {PATIENT_ID: subject.patient_id})
            found.used_on = self._today()
            return Alias(found.alias)

    def remember(self, project: str, alias: Alias, uids: Mapping[str, str]) -> None:
        """Keep which new UIDs (values) stand for which original ones (keys), of no study in particular."""
        self.note(project, alias, _Study("", "", {}), uids)

    def hand_out(
        self, project: str, alias: Alias, study: tuple[str, str], values: Values, *, inward: bool = False
    ) -> uuid.UUID:
        """Note that a study (original and new UID) goes under an alias, once; returns its row."""
        return self.note(project, alias, _Study(*study, dict(values)), {}, inward=inward)

    def note(
        self, project: str, alias: Alias, study: _Study, uids: Mapping[str, str], *, inward: bool = False
    ) -> uuid.UUID:
        """Keep a study under an alias and UIDs of its objects; returns the study's row."""
        with self._database.write() as session:
            owner = self._alias(session, self._project(session, project).id, alias.patient_id)
            new = self._digest_of(study.new_uid)
            row_id = session.scalar(
                sa.select(PseudonymStudy.id).where(
                    PseudonymStudy.organisation_id == self._organisation_id, PseudonymStudy.new == new,
                    PseudonymStudy.alias_id == owner.id,
                )
            )  # fmt: skip
            if row_id is None:
                row_id = uuid.uuid4()
                sealed = self._seal.close(row_id, msgspec.to_builtins(study, str_keys=True))
                row = PseudonymStudy(
                    id=row_id, organisation_id=self._organisation_id, project_id=owner.project_id, alias_id=owner.id,
                    new=new, inward=inward, sealed=sealed,
                )  # fmt: skip
                session.add(row)
                session.flush()
            if uids:
                self._keep(session, row_id, uids)
            return row_id

    def keep_uids(self, study_id: uuid.UUID, uids: Mapping[str, str]) -> None:
        """Keep further UIDs of a study's objects: new ones (values) by original ones (keys)."""
        if uids:
            with self._database.write() as session:
                self._keep(session, study_id, uids)

    def known_uids(self, study_id: uuid.UUID) -> dict[str, str]:
        """Return which UIDs of a study are kept already: new ones by original ones."""
        with self._database.read() as session:
            return self._uids(session, [study_id])

    def original_of(self, project: str, alias: str) -> Original | None:
        """Return whose alias it is and what turns results back, none when it is nobody's."""
        with self._database.read() as session:
            row = self._project(session, project)
            try:
                owner = self._alias(session, row.id, alias)
            except AliasUnknown:
                return None
            return self._original(session, row, owner, None)

    def original_of_study(self, study_uid: str, alias: str) -> Original | None:
        """Return what turns a result back that came under a handed-out study's UID and that study's alias."""
        with self._database.read() as session:
            found = session.execute(_handed_out(self._organisation_id, [self._digest_of(study_uid)])).all()
            for row in found:
                if row.alias == alias:
                    owner = session.get_one(PseudonymAlias, row.alias_id)
                    project = session.get_one(PseudonymProject, row.project_id)
                    return self._original(session, project, owner, row.id)
        return None

    def returned(self, session: Session, asked: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which pairs of study UID and patient ID are those of studies that were handed out under an alias."""
        wanted = {self._digest_of(uid): uid for uid, _ in asked}
        rows = session.execute(_handed_out(self._organisation_id, list(wanted))).all()
        known = {(wanted[bytes(row.new)], row.alias) for row in rows}
        return known.intersection(asked)

    def identity_of(self, session: Session, alias_id: uuid.UUID) -> Unveiled:
        """Return who stands behind an alias; the caller records the look in the same transaction.

        Raises `AliasUnknown`, `VaultDamaged`.
        """
        owner = session.get(PseudonymAlias, alias_id)
        if owner is None or owner.organisation_id != self._organisation_id:
            raise AliasUnknown
        who = self._who(owner)
        studies = session.scalars(sa.select(PseudonymStudy).where(PseudonymStudy.alias_id == owner.id)).all()
        uids = tuple(sorted(filter(None, (self._study(row).uid for row in studies))))
        project = session.get_one(PseudonymProject, owner.project_id)
        told = {tag: who.values.get(tag, "") for tag in OF_PATIENT}
        return Unveiled(
            owner.alias, project.name, told[NAME], told[PATIENT_ID], told[ISSUER] or who.issuer, told[BIRTH_DATE],
            told[SEX], uids,
        )  # fmt: skip

    def search(
        self, session: Session, project_id: uuid.UUID | None, text: str, after: str, limit: int
    ) -> list[ListedAlias]:
        """Return aliases that begin with `text`, in their order, those behind `after`."""
        studies = (
            sa.select(sa.func.count())
            .where(PseudonymStudy.alias_id == PseudonymAlias.id)
            .correlate(PseudonymAlias)
            .scalar_subquery()
        )
        wanted = (
            sa.select(
                PseudonymAlias.id, PseudonymAlias.project_id, PseudonymProject.name, PseudonymAlias.alias,
                PseudonymAlias.used_on, studies,
            )
            .join(PseudonymProject, PseudonymProject.id == PseudonymAlias.project_id)
            .where(PseudonymAlias.organisation_id == self._organisation_id, PseudonymAlias.alias > after)
        )  # fmt: skip
        if project_id is not None:
            wanted = wanted.where(PseudonymAlias.project_id == project_id)
        if text:
            wanted = wanted.where(PseudonymAlias.alias.istartswith(text, autoescape=True))
        return [ListedAlias(*row) for row in session.execute(wanted.order_by(PseudonymAlias.alias).limit(limit))]

    def aliases_of(self, session: Session, issuer: str, patient_id: str) -> list[ListedAlias]:
        """Return the aliases of a patient; for who may re-identify, with the look on record."""
        person = self._person(Subject(issuer, patient_id))
        found = session.execute(
            sa.select(PseudonymAlias, PseudonymProject.name)
            .join(PseudonymProject, PseudonymProject.id == PseudonymAlias.project_id)
            .where(PseudonymAlias.organisation_id == self._organisation_id, PseudonymAlias.person == person)
            .order_by(PseudonymAlias.alias)
        )
        return [ListedAlias(row.id, row.project_id, name, row.alias, row.used_on, 0) for row, name in found]

    def forget_patient(self, session: Session, issuer: str, patient_id: str) -> int:
        """Forget a patient's aliases for good, in the caller's transaction; no backup brings them back."""
        person = self._person(Subject(issuer, patient_id))
        ids = session.scalars(
            sa.select(PseudonymAlias.id).where(
                PseudonymAlias.organisation_id == self._organisation_id, PseudonymAlias.person == person
            )
        ).all()
        forget_aliases(session, self._organisation_id, ids)
        return len(ids)

    def _project(self, session: Session, name: str, *, locked: bool = False) -> PseudonymProject:
        query = sa.select(PseudonymProject).where(
            PseudonymProject.organisation_id == self._organisation_id, PseudonymProject.name == name
        )
        row = session.scalar(query.with_for_update() if locked else query)
        if row is None:
            raise ProjectUnknown
        return row

    def _find(self, session: Session, project_id: uuid.UUID, subject: Subject) -> PseudonymAlias | None:
        return session.scalar(
            sa.select(PseudonymAlias).where(
                PseudonymAlias.project_id == project_id, PseudonymAlias.person == self._person(subject)
            )
        )

    def _alias(self, session: Session, project_id: uuid.UUID, alias: str) -> PseudonymAlias:
        found = session.scalar(
            sa.select(PseudonymAlias).where(PseudonymAlias.project_id == project_id, PseudonymAlias.alias == alias)
        )
        if found is None:
            raise AliasUnknown
        return found

    def _add(self, session: Session, row: PseudonymProject, subject: Subject, values: Values) -> PseudonymAlias:
        engine = engine_project(session, self._seal, self._organisation_id, row.id, enabled=False)
        alias = next_alias(row, engine)
        row.next_number += 1
        row_id = uuid.uuid4()
        who = _Who(subject.issuer, subject.patient_id, dict(values))
        made = PseudonymAlias(
            id=row_id, organisation_id=self._organisation_id, project_id=row.id, alias=alias,
            person=self._person(subject), sealed=self._seal.close(row_id, msgspec.to_builtins(who, str_keys=True)),
            used_on=self._today(),
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made

    def _keep(self, session: Session, study_id: uuid.UUID, uids: Mapping[str, str]) -> None:
        row_id = uuid.uuid4()
        sealed = self._seal.close(row_id, dict(uids))
        session.add(PseudonymUids(id=row_id, organisation_id=self._organisation_id, study_id=study_id, sealed=sealed))
        session.flush()

    def _uids(self, session: Session, study_ids: Sequence[uuid.UUID]) -> dict[str, str]:
        found: dict[str, str] = {}
        for row in session.scalars(sa.select(PseudonymUids).where(PseudonymUids.study_id.in_(study_ids))):
            found.update(self._seal.open(row.id, row.sealed))
        return found

    def _original(
        self, session: Session, project: PseudonymProject, owner: PseudonymAlias, study_id: uuid.UUID | None
    ) -> Original:
        """Return what turns results of an alias back; a result may refer to any of its studies."""
        rows = session.scalars(sa.select(PseudonymStudy).where(PseudonymStudy.alias_id == owner.id)).all()
        who, studies = self._who(owner), {row.id: self._study(row) for row in rows}
        uids = {new: old for old, new in self._uids(session, list(studies)).items()}
        uids |= {study.new_uid: study.uid for study in studies.values() if study.new_uid}
        values = {tag: text for tag, text in who.values.items() if text or tag in (NAME, PATIENT_ID)}
        if study_id is not None:
            values |= {tag: text for tag, text in studies[study_id].values.items() if text}
        engine = engine_project(session, self._seal, self._organisation_id, project.id, enabled=False)
        days = None
        if Option.MODIFIED_DATES in engine.options:
            days = shift_days(engine, Subject(who.issuer, who.patient_id))
        return Original(owner.alias, values, uids, days)

    def _who(self, owner: PseudonymAlias) -> _Who:
        return msgspec.convert(self._seal.open(owner.id, owner.sealed), _Who, strict=False)

    def _study(self, row: PseudonymStudy) -> _Study:
        return msgspec.convert(self._seal.open(row.id, row.sealed), _Study, strict=False)

    def _person(self, subject: Subject) -> bytes:
        return self._seal.digest("person", self._organisation_id, subject.issuer, subject.patient_id)

    def _digest_of(self, study_uid: str) -> bytes:
        return self._seal.digest("study", self._organisation_id, study_uid)

    def _today(self) -> date:
        return self._clock.now().date()


def _handed_out(
    organisation_id: uuid.UUID, digests: Sequence[bytes]
) -> sa.Select[uuid.UUID, bytes, uuid.UUID, uuid.UUID, str]:
    return (
        sa.select(
            PseudonymStudy.id, PseudonymStudy.new, PseudonymStudy.alias_id, PseudonymStudy.project_id,
            PseudonymAlias.alias,
        )
        .join(PseudonymAlias, PseudonymAlias.id == PseudonymStudy.alias_id)
        .where(
            PseudonymStudy.organisation_id == organisation_id, PseudonymStudy.new.in_(digests),
            PseudonymStudy.inward.is_(False),
        )
    )  # fmt: skip
