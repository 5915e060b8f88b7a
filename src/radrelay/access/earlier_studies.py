"""The rule of earlier studies, as SQL: who sees a study sees others of one person, beyond doubt (see `visibility`)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.access.visibility import RESTRICTED, SERIES, STUDY, IdColumn, Openness, Reached, there_is


def of_one_person(one: Any, other: Any) -> ColumnElement[bool]:
    """Return the condition that two studies, given by their columns, are "same" as `archive.persons` has it.

    A row of a patient is one issuer's ID. Names agree where one's spellings stand in the other's.
    """
    born, again = one.patient_birth_date, other.patient_birth_date
    name, named = one.patient_spellings, other.patient_spellings
    sexes = ("M", "F")
    return sa.and_(
        one.patient_id == other.patient_id,
        one.patient_id_value != "",
        sa.or_(born == again, born.is_(None), again.is_(None)),
        sa.or_(
            one.patient_sex == other.patient_sex, one.patient_sex.not_in(sexes), other.patient_sex.not_in(sexes)
        ),
        sa.or_(
            sa.and_(sa.or_(name == "", named == ""), born == again),
            sa.and_(name == "", named == "", one.patient_issuer != ""),
            sa.and_(name != "", named != "", sa.or_(
                name == named,
                sa.func.replace(name, named, "") != name,
                sa.func.replace(named, name, "") != named,
            )),
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Priors:
    """The rule by which who sees a study sees the patient's others; `since` none: however old."""

    led_by: Reached
    same_body_part: bool
    since: date | None
    openness: Openness | None

    def study(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that another study of the same patient, which is seen, leads to this one."""
        prior, seen = STUDY.alias(), STUDY.alias()
        found = sa.select(sa.literal(1)).where(prior.c.id == study_id, *self._of_one(prior, seen))
        leading = [self.led_by.study(seen.c.id)]
        if self.openness is not None:
            leading.append(self.openness.study(seen.c.id))
        return there_is(found.where(*leading))

    def row(self, row: Any) -> ColumnElement[bool]:
        """Return the same condition on a row of `row`, the table itself, by its columns: on a walk by patients."""
        seen = STUDY.alias()
        found = sa.select(sa.literal(1)).select_from(seen).where(*self._of_one(row, seen), self.led_by.study(seen.c.id))
        if self.openness is not None:
            found = found.where(self.openness.study(seen.c.id))
        return there_is(found.correlate(row))

    def among(self, row: Any, of_some: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
        """Return the same condition on rows of some patients: most of them are gone through once, not row by row.

        `of_some` says of a column of ids that the patient is one of them.
        """
        asked_each = self.row(row)
        if self.same_body_part:
            return asked_each
        plain = row.c.patient_id.in_(self._led_as_one(of_some))
        if self.since is not None:
            plain = sa.and_(row.c.study_date >= self.since, plain)
        return sa.or_(sa.func.coalesce(plain, sa.false()), asked_each)

    def _led_as_one(self, of_some: Callable[[Any], ColumnElement[bool]]) -> sa.Select[Any]:
        """Return those of some patients of whom a study is seen, and whose studies all tell the same of whom they are.

        All of such a patient's are of one person, as `of_one_person` has it of any two of them.
        """
        seen = STUDY.alias()
        one = seen.c
        leads = [sa.or_(one.expires_at.is_(None), one.expires_at > self.led_by.asked.now), self.led_by.study(one.id)]
        if self.openness is not None:  # one that a grant shows in spite of its restriction is asked of row by row
            hidden = sa.select(RESTRICTED.study_id).where(
                RESTRICTED.organisation_id == self._organisation, RESTRICTED.barred.is_(False)
            )
            leads.append(sa.not_(sa.func.coalesce(one.id.in_(hidden), sa.false())))
        least, most, count = sa.func.min, sa.func.max, sa.func.count
        same = [least(column) == most(column) for column in (one.patient_spellings, one.patient_sex)]
        born = sa.or_(
            count(one.patient_birth_date) == 0,
            sa.and_(
                count(one.patient_birth_date) == count(), least(one.patient_birth_date) == most(one.patient_birth_date)
            ),
        )
        return (
            sa.select(one.patient_id)
            .where(of_some(one.patient_id), one.organisation_id == self._organisation)
            .group_by(one.patient_id)
            .having(
                most(sa.case((sa.and_(*leads), 1), else_=0)) == 1, *same, born,
                least(one.patient_issuer) != "", least(one.patient_id_value) != "",
            )
        )  # fmt: skip

    @property
    def _organisation(self) -> uuid.UUID:
        return self.led_by.asked.principal.organisation_id

    def ids(self) -> sa.Select[Any]:
        """Return the ids of all studies that the few that are seen lead to.

        From them to their patients by one index, and among a patient's studies by another: no row is read.
        """
        lead, prior, seen = STUDY.alias(), STUDY.alias(), STUDY.alias()
        ids = self.led_by.ids()
        if not ids:
            return sa.select(prior.c.id).where(sa.false())
        few = lead.c.id.in_(sa.union_all(*ids))
        same = sa.and_(seen.c.patient_id == lead.c.patient_id, seen.c.id == sa.func.coalesce(lead.c.id, lead.c.id))
        found = sa.select(prior.c.id).where(few, same, *self._of_one(prior, seen))
        return found if self.openness is None else found.where(self.openness.study(seen.c.id))

    def _of_one(self, prior: Any, seen: Any) -> list[ColumnElement[bool]]:
        """Return that both are of one person beyond doubt, under an issuer's ID, and not over.

        What is asked of `seen` stands in one index, and so does that of `prior`.
        """
        organisation, now = self._organisation, self.led_by.asked.now
        found: list[ColumnElement[bool]] = [
            of_one_person(prior.c, seen.c),
            seen.c.id != prior.c.id,
            prior.c.organisation_id == organisation,
            seen.c.organisation_id == organisation,
            prior.c.patient_issuer != "",
            sa.or_(seen.c.expires_at.is_(None), seen.c.expires_at > now),
        ]
        if self.since is not None:
            found.append(prior.c.study_date >= self.since)
        if self.same_body_part:
            one, another = SERIES.alias(), SERIES.alias()
            both = sa.select(sa.literal(1)).where(
                one.c.study_id == prior.c.id, one.c.organisation_id == organisation,
                another.c.study_id == seen.c.id, another.c.organisation_id == organisation,
                one.c.body_part != "", one.c.body_part == another.c.body_part,
            )  # fmt: skip
            found.append(there_is(both.correlate(prior, seen)))
        return found
