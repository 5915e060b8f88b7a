"""The rule of earlier studies, as SQL: who sees a study sees others of one person, beyond doubt (see `visibility`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.access.listed import is_among
from radrelay.access.placeholders import SINCE
from radrelay.access.tables import SERIES, STUDY, IdColumn
from radrelay.access.visibility import Openness, Reached, is_restricted, there_is

UNBORN = date(1, 1, 1)  # who has this birth date, and who has none, contradict each other no more than any with none


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


def _telling(one: Any, *, in_one: bool) -> list[ColumnElement[Any]]:
    """Return what two studies with the same issuer's ID are of one person by, where all of it is the same.

    `in_one`: as a number that stands in the index (see `archive.telling`).
    """
    if in_one:
        return [one.patient_id, one.patient_telling]
    born = sa.func.coalesce(one.patient_birth_date, sa.literal(UNBORN, sa.Date))
    return [one.patient_id, one.patient_spellings, one.patient_sex, born]


def _is_in(some: Any, found: sa.CompoundSelect[Any]) -> ColumnElement[bool]:
    """Return whether several columns are among rows that are gathered once.

    A CASE takes what is not known for untrue. Asked to tell one from the other, as in a coalesce, SQLite compares each
    of the gathered rows for every row that is not among them.
    """
    return sa.case((some.in_(found), sa.true()), else_=sa.false())


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

    def among(self, row: Any, *, on_server: bool) -> ColumnElement[bool]:
        """Return the same condition on rows of some patients: most are judged by all that lead, read once.

        A study that tells of its patient just what one that is seen tells is of the same person. Others are asked of
        row by row: on PostgreSQL by their id, so that of the others no more than the index is read.
        """
        asked_each = self.study(row.c.id) if on_server else self.row(row)
        asked_each = sa.and_(is_among(row.c.patient_id, self.led_by.patients()), asked_each)
        if self.same_body_part:
            return asked_each
        one = row.c
        alike = sa.and_(
            one.patient_issuer != "", one.patient_id_value != "",
            _is_in(sa.tuple_(*_telling(one, in_one=on_server)), self._leading(in_one=on_server)),
        )  # fmt: skip
        if self.since is not None:
            alike = sa.and_(row.c.study_date >= self._from, alike)
        return sa.or_(sa.func.coalesce(alike, sa.false()), asked_each)

    def _leading(self, *, in_one: bool) -> sa.CompoundSelect[Any]:
        """Return what the studies that lead to others tell of whose they are; of one person, as `of_one_person` has it.

        Whose they are is known where they are named, so that they are found beside their patients' others.
        """
        found: list[sa.Select[Any]] = []
        for pairs in self.led_by.pairs():
            named, seen = pairs.subquery(), STUDY.alias()
            its_own = sa.and_(seen.c.patient_id == named.c.patient_id, seen.c.id == named.c.study_id)
            found.append(self._telling_of(seen, in_one=in_one).select_from(named.join(seen, its_own)))
        for ids in self.led_by.unpaired():
            seen = STUDY.alias()
            found.append(self._telling_of(seen, in_one=in_one).where(seen.c.id.in_(ids)))
        return sa.union_all(*found)

    def _telling_of(self, seen: Any, *, in_one: bool) -> sa.Select[Any]:
        one = seen.c
        found = sa.select(*_telling(one, in_one=in_one)).where(
            one.organisation_id == self._organisation,
            sa.or_(one.expires_at.is_(None), one.expires_at > self.led_by.asked.at),
        )
        if self.openness is None:
            return found
        return found.where(  # one that a grant shows all the same is asked of row by row
            sa.not_(is_restricted(one.id, self._organisation))
        )

    @property
    def _organisation(self) -> Any:
        return self.led_by.asked.organisation

    @property
    def _from(self) -> Any:
        return SINCE if self.led_by.asked.blank else self.since

    def blanked(self) -> Priors:
        """Return the same for whoever asks like this: equal for all of them (see `written`)."""
        openness = self.openness and self.openness.blanked()
        since = self.since and date.min
        return replace(self, led_by=self.led_by.blanked(), since=since, openness=openness)

    def values(self) -> dict[str, Any]:
        """Return the values of the names."""
        return {**self.led_by.values(), SINCE.key: self.since}

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
        organisation, now = self._organisation, self.led_by.asked.at
        found: list[ColumnElement[bool]] = [
            of_one_person(prior.c, seen.c),
            seen.c.id != prior.c.id,
            prior.c.organisation_id == organisation,
            seen.c.organisation_id == organisation,
            prior.c.patient_issuer != "",
            sa.or_(seen.c.expires_at.is_(None), seen.c.expires_at > now),
        ]
        if self.since is not None:
            found.append(prior.c.study_date >= self._from)
        if self.same_body_part:
            one, another = SERIES.alias(), SERIES.alias()
            both = sa.select(sa.literal(1)).where(
                one.c.study_id == prior.c.id, one.c.organisation_id == organisation,
                another.c.study_id == seen.c.id, another.c.organisation_id == organisation,
                one.c.body_part != "", one.c.body_part == another.c.body_part,
            )  # fmt: skip
            found.append(there_is(both.correlate(prior, seen)))
        return found
