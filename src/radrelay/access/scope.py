"""The one rule of who sees what: a principal and a right become a SQL filter at series level.

Study list, QIDO-RS, WADO-RS, C-FIND, C-MOVE, exports and deliveries all put this filter into their queries. A study
is within reach by a grant on it, on its source or on the whole; where it is restricted, by a grant on itself alone (or
by a group's that sees restricted ones); and, to be seen, by the rule of earlier studies. Where its processing is
restricted (`barring`) it is within nobody's reach. `visibility` writes the SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access.asked import NO_ROLE, Asked, counts, grants_of, is_trusted, whom
from radrelay.access.earlier_studies import Priors
from radrelay.access.listed import SERVER, Form, Listed, is_among, is_one_of, said
from radrelay.access.models import PriorRule
from radrelay.access.principal import Principal, Right
from radrelay.access.tables import GRANT, HOLDING, RESTRICTED, SERIES, IdColumn
from radrelay.access.visibility import TARGETS, Openness, Reached, count_up_to, there_is, unbarred
from radrelay.clock import SystemClock
from radrelay.storage.columns import Id, Instant

__all__ = ["HOLDING", "Listed", "Scope", "matching", "scope"]
_SYSTEM_CLOCK = SystemClock()
_NONE = uuid.UUID(int=0)
_RULE = PriorRule.__table__.c
GATHERED = 30_000
"""Patients that are gathered before a list is walked: whose study is not one of theirs is not asked about further."""
SOME = 1_200
"""Of more patients the newest studies may well fill a page: these are looked at before all are gathered."""
FEW = 5_000
"""Who sees no more studies is answered from those; who sees more, by walking the list until a page is full."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one principal may reach with one right.

    Queries add `study_filter` or `series_filter` beside `organisation_id`; lists ask `listed`. `identity` says whether
    patients are shown in the clear or by alias. `everything` is true where no filter is needed within the
    organisation, `whole` where a grant is on the whole of it, though restricted studies may be left out.
    `within` are the reaches that bound this one: of a link, that of who shares.
    Of who was brought here by another program it is bounded by the studies that this one asked for.
    """

    organisation_id: uuid.UUID
    identity: Literal["clear", "alias"]
    whole: bool
    kinds: frozenset[str]
    _asked: Asked
    within: tuple[Scope, ...] = ()
    _openness: Openness | None = None  # none: nothing is restricted, or nothing of it to this principal
    _priors: Priors | None = None
    _only: frozenset[uuid.UUID] | None = None  # these studies, as far as `within` reaches them
    _barring: bool = False  # of some studies processing is restricted
    _named: int | None = None  # so many grants name a study, each saying whose it is; none: not all say it
    _read: Reached | None = None  # what is reached, once its grants are read

    @property
    def everything(self) -> bool:
        """Say whether no filter is needed within the organisation."""
        return self.sees_restricted and not self._barring

    @property
    def sees_restricted(self) -> bool:
        """Say whether every study is within reach but those of which processing is restricted."""
        return self.whole and self._openness is None and not self.within

    @property
    def nothing(self) -> bool:
        """Say whether no study at all is within reach."""
        return (not self.whole and not self.kinds) or any(one.nothing for one in self.within)

    @property
    def _reached(self) -> Reached:
        return self._read or Reached(self._asked, self.kinds, self.whole, named=self._named)

    def study_filter(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the study with id `study_id` is at least in part within reach."""
        if self.within:  # series by series: what bounds a reach may hold another part of the same study
            part = SERIES.alias()
            of_study = sa.and_(part.c.study_id == study_id, part.c.organisation_id == self.organisation_id)
            found = there_is(sa.select(sa.literal(1)).where(of_study, self.series_filter(part.c.study_id, part.c.id)))
            return found if self._only is None else sa.and_(study_id.in_(sorted(self._only)), found)
        if self._only is not None:
            return study_id.in_(sorted(self._only))
        if self.everything:
            return sa.true()
        reached = self._reached.study(study_id)
        if self._priors is not None:
            reached = sa.or_(reached, self._priors.study(study_id))
        return self._bounded(reached, study_id)

    def _bounded(
        self, reached: ColumnElement[bool], study_id: IdColumn, series_id: IdColumn | None = None
    ) -> ColumnElement[bool]:
        """Return what is within reach, without what restrictions keep from this principal, or from everybody."""
        bounds = [unbarred(study_id)] if self._barring else []
        if self._openness is not None:
            one = self._openness
            bounds.append(one.study(study_id) if series_id is None else one.series(study_id, series_id))
        return sa.and_(reached, *bounds) if bounds else reached

    def series_filter(self, study_id: IdColumn, series_id: IdColumn) -> ColumnElement[bool]:
        """Return the condition that the series `series_id` of the study `study_id` is within reach."""
        if self.within:
            both = (replace(self, within=()), *self.within)
            return sa.and_(*(one.series_filter(study_id, series_id) for one in both))
        if self._only is not None:
            return study_id.in_(sorted(self._only))
        if self.everything:
            return sa.true()
        reached = self._reached.series(study_id, series_id)
        if self._priors is not None:
            reached = sa.or_(reached, self._priors.study(study_id))
        return self._bounded(reached, study_id, series_id)

    def listed(self, session: Session, study_id: IdColumn) -> Listed:
        """Return the same condition as `study_filter` in the form that is shortest for a list of studies."""
        if self.everything:
            return Listed(sa.true(), few=False)
        if self.nothing:
            return Listed(sa.false(), few=True)
        if self._only is not None:
            return Listed(self.study_filter(study_id), few=True)
        if self.whole or self.within:
            return Listed(self.study_filter(study_id), few=False)
        return self._part(session, study_id)

    def _part(self, session: Session, study_id: IdColumn) -> Listed:
        """Return what is seen by who was given no more than sources, studies and series."""
        reached = self._reached.read(session)
        count = reached.count(session, "patients", max(FEW, GATHERED))  # as many as it has ids
        gathered = (
            count <= FEW or reached.count(session, "one by one", FEW) <= FEW
        )  # what leads to earlier studies is some of it
        priors = self._priors and replace(self._priors, led_by=self._priors.led_by.read(session, gathered=gathered))
        known = replace(self, _read=replace(reached, gathered=gathered), _priors=priors)
        if count <= FEW:
            known = replace(known, _openness=known._openness and replace(known._openness, gathered=True))
            sooner = partial(known._said, session, "led", study_id) if priors is not None and count > SOME else None
            each = partial(self._said, session, "each", study_id)
            found = known._said(session, "few", study_id)
            return Listed(found, few=True, each=each, sooner=sooner, by_patient=known._leads_on)
        in_hand = partial(known._in_hand, session)
        if priors is not None and count <= GATHERED:  # else a look at the study itself is as short
            return Listed(known._said(session, "led", study_id), few=False, in_hand=in_hand, led=True)
        surely = None if priors is None else partial(replace(known, _priors=None)._said, session, "each", study_id)
        ids = partial(known._ids, session) if priors is None else None
        found = known._said(session, "each", study_id)
        return Listed(found, few=False, surely=surely, in_hand=in_hand, ids=ids)

    def _said(self, session: Session, form: Form, study_id: IdColumn) -> ColumnElement[bool]:
        """Return a form of what is within reach; of the table's own rows written out once for all who ask alike."""
        if not isinstance(study_id.table, sa.TableClause):  # another name for it
            return self.form(form, study_id, on_server=session.get_bind().dialect.name == SERVER)
        return said(session, self._blanked(), form, self._values())

    def form(self, form: Form, study_id: IdColumn, *, on_server: bool) -> ColumnElement[bool]:
        """Return one of the forms of `listed`."""
        match form:
            case "few":
                return self._few(study_id, on_server=on_server)
            case "led":
                return self._led(study_id)
            case "in hand":
                return self._gathered(study_id)
            case _:
                return self.study_filter(study_id)

    def _blanked(self) -> Scope:
        """Return the same with names in the place of values: equal for all who ask alike."""
        return replace(
            self, organisation_id=_NONE, identity="clear", _asked=self._asked.blanked(), _named=None,
            _openness=self._openness and self._openness.blanked(), _priors=self._priors and self._priors.blanked(),
            _read=self._read and self._read.blanked(),
        )  # fmt: skip

    def _values(self) -> dict[str, Any]:
        """Return the values of the names."""
        led_by = {} if self._priors is None else self._priors.values()
        return {**led_by, **self._reached.values()}

    def _led(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return what is within reach, for a walk: whose patient is none of those seen is passed by."""
        among = is_among(study_id.table.c.patient_id, self._reached.patients())
        return sa.and_(among, self.study_filter(study_id))

    @property
    def _leads_on(self) -> bool:
        return self._priors is not None and bool(self._priors.led_by.kinds & TARGETS)

    def _few(self, study_id: IdColumn, *, on_server: bool) -> ColumnElement[bool]:
        """Return what names the few that are within reach; see `Listed`."""
        priors = self._priors
        if priors is None or not self._leads_on:
            named = self._reached.ids() + ([] if priors is None else [priors.ids()])
            return self._bounded(is_one_of(named, study_id, on_server=on_server), study_id)
        row = study_id.table
        earlier = replace(priors, led_by=priors.led_by.in_hand()).among(row, on_server=on_server)
        found = sa.or_(self._reached.in_hand().study(study_id), earlier)
        patients = is_one_of(self._reached.patients(), row.c.patient_id, on_server=on_server)
        return sa.and_(patients, self._bounded(found, study_id))

    def _in_hand(self, session: Session, study_id: IdColumn, most: int) -> ColumnElement[bool] | None:
        if self._reached.count(session, "ids", most) > most:
            return None
        return self._said(session, "in hand", study_id)

    def _gathered(self, study_id: IdColumn) -> ColumnElement[bool]:
        """Return what is within reach with all ids gathered beforehand."""
        found = replace(self, _read=self._reached.in_hand()).study_filter(study_id)
        if self._priors is None:
            return found
        return sa.and_(is_among(study_id.table.c.patient_id, self._reached.patients()), found)

    def _ids(self, session: Session, most: int) -> sa.CompoundSelect[Any] | None:
        found = self._reached.ids()
        return None if not found or count_up_to(session, found, most) > most else sa.union_all(*found)


def scope(
    session: Session, principal: Principal, right: Right, *, now: datetime | None = None, for_subject: bool = False
) -> Scope:
    """Return what `principal` may reach with `right` at `now` (default: the present).

    Someone without any matching grant gets a scope whose filters are false: an empty list, never an error.
    `for_subject`: to hand a person their own data, which a restriction of processing does not keep from them.
    """
    asked = Asked(principal, right, now or _SYSTEM_CLOCK.now())
    if principal.kind == "system":
        return Scope(principal.organisation_id, "clear", True, frozenset(), asked)
    if principal.kind == "link":
        return _of_link(session, asked)
    own = _granted(session, asked)
    if for_subject:
        own = replace(own, _barring=False)
    return own if principal.only is None else _narrowed(own, asked, principal.only)


def _narrowed(own: Scope, asked: Asked, only: frozenset[uuid.UUID]) -> Scope:
    """Return what of a reach is within some studies."""
    kinds = frozenset({"study"} if only and not own.nothing else ())
    within = () if own.everything else (own,)
    return Scope(own.organisation_id, own.identity, False, kinds, asked, within, _only=only)


def _of_link(session: Session, asked: Asked) -> Scope:
    """Return what a link holds and who shares it may still share, and do itself; in the clear where all are."""
    sharer = asked.principal.sharer
    if sharer is None or sharer.kind == "link":
        return Scope(asked.principal.organisation_id, "alias", False, frozenset(), asked)
    rights = sorted({asked.right, Right.SHARE})
    own, *bounds = (
        _granted(session, asked),
        *(_granted(session, Asked(sharer, right, asked.now)) for right in rights),
    )
    clear = all(one.identity == "clear" for one in (own, *bounds))
    within = tuple(one for one in bounds if not one.everything)  # what reaches everything bounds nothing
    return replace(own, whole=False, identity="clear" if clear else "alias", within=within)


def _granted(session: Session, asked: Asked) -> Scope:
    principal, right = asked.principal, asked.right
    values = {
        "organisation": principal.organisation_id,
        "kind": principal.kind,
        "id": principal.id,
        "role": principal.role or NO_ROLE,
        "right": f"%,{right.value},%",
        "now": asked.now,
    }
    rows = session.execute(_KINDS, values).all()
    found = {(row.target_kind, row.identity) for row in rows}
    trusted = frozenset(row.target_kind for row in rows if row.trusted)
    kinds = frozenset(kind for kind, _ in found)
    whole = "organisation" in kinds
    kinds -= {"organisation"}
    restricting = any(row.restricted for row in rows) and right is not Right.BREAK_GLASS
    openness = Openness(asked, kinds, trusted) if restricting and "organisation" not in trusted else None
    clear = all(identity == "clear" for _, identity in found)
    if not clear and ("organisation", "clear") in found:  # by alias is then only what the whole does not show
        clear = openness is None or not _by_alias(session, asked)
    priors = _priors(asked, rows[0], kinds, openness) if rows and not whole else None
    identity: Literal["clear", "alias"] = "clear" if clear else "alias"
    return Scope(
        principal.organisation_id, identity, whole, kinds, asked, _openness=openness, _priors=priors,
        _barring=any(row.barred for row in rows), _named=_named(rows),
    )  # fmt: skip


def _by_alias(session: Session, asked: Asked) -> bool:
    """Say whether a restricted study is within reach by a grant that shows aliases."""
    part = SERIES.alias()
    of = sa.or_(
        RESTRICTED.study_id == GRANT.target_id,
        RESTRICTED.study_id.in_(sa.select(part.c.study_id).where(part.c.id == GRANT.target_id)),
    )
    showing = sa.or_(replace(asked, which="personal").matching(), replace(asked, which="trusted").matching())
    found = sa.select(sa.literal(1)).where(
        showing, GRANT.target_kind.in_(("study", "series")), GRANT.identity == "alias",
        sa.select(RESTRICTED.study_id).where(of).exists(),
    )  # fmt: skip
    return session.scalar(found.limit(1)) is not None


def _priors(asked: Asked, rule: Any, kinds: frozenset[str], openness: Openness | None) -> Priors | None:
    """Return the rule of earlier studies as it counts here: for looking; a link shows what it names alone."""
    if not rule.reach or asked.right is not Right.SEE or asked.principal.kind == "link":
        return None
    led_by = Reached(replace(asked, which="marked" if rule.marked_only else "leading"), kinds)
    return Priors(led_by, rule.reach == "body-part", _years_before(asked.now.date(), rule.years), openness)


def _years_before(day: date, years: int | None) -> date | None:
    if years is None:
        return None
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year - years, day=28)


def _named(rows: Sequence[Any]) -> int | None:
    """Return how many grants name a study; none where one of them does not tell whose it is."""
    ours = [row for row in rows if row.target_kind == "study"]
    return None if any(row.told < row.grants for row in ours) else sum(row.grants for row in ours)


_ORGANISATION = sa.bindparam("organisation", type_=Id)
_WHOM = whom(
    _ORGANISATION,
    sa.bindparam("kind", type_=sa.String),
    sa.bindparam("id", type_=sa.String),
    sa.bindparam("role", type_=sa.String),
)
_EACH = (
    sa.select(
        GRANT.target_kind,
        GRANT.identity,
        sa.case((is_trusted(_ORGANISATION), 1), else_=0).label("trusted"),
        sa.select(RESTRICTED.study_id)
        .where(RESTRICTED.organisation_id == _ORGANISATION, RESTRICTED.barred.is_(False))
        .exists()
        .label("restricted"),
        sa.select(RESTRICTED.study_id)
        .where(RESTRICTED.organisation_id == _ORGANISATION, RESTRICTED.barred.is_(True))
        .exists()
        .label("barred"),
        _RULE.reach,
        _RULE.years,
        _RULE.marked_only,
        GRANT.patient_id,
    )
    .select_from(sa.outerjoin(grants_of(_WHOM), _RULE.reach.table, _RULE.organisation_id == GRANT.organisation_id))
    .where(counts(_ORGANISATION, sa.bindparam("right", type_=sa.String), sa.bindparam("now", type_=Instant)))
    .subquery()
)
_ALIKE = [column for column in _EACH.c if column.name != "patient_id"]
_KINDS = (  # built once: making the expression takes longer than asking the database
    sa.select(*_ALIKE, sa.func.count().label("grants"), sa.func.count(_EACH.c.patient_id).label("told"))
    .group_by(*_ALIKE)
)  # fmt: skip


def matching(principal: Principal, right: Right, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a grant gives `principal` the `right` at `now`."""
    return Asked(principal, right, now).matching()
