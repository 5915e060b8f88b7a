"""The one search of the archive: study list, QIDO-RS and C-FIND ask here.

Every query is bound to one organisation, to what the caller may see (a condition from `access.scope`) and to studies
whose time is not over. The way to the rows is chosen by what is asked for: a caller who sees few studies is answered
from those; a text from the text index, a modality from its index, both in the order of dates; else the index of
the sort order is walked. So the first page comes without looking at all matches.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access import Listed, count_up_to
from radrelay.archive.cursors import Place, place_condition, read_cursor, write_cursor
from radrelay.archive.models import Patient
from radrelay.archive.query import AnsweredStudy, IndexedStudy, StudyPage, StudyQuery, Window
from radrelay.archive.routes import SORTED_OF_FEW, WALKS, Route, choose_route, find_rare, walked_route
from radrelay.archive.study_conditions import StudyConditions, conditions_of
from radrelay.archive.tables import MODALITY, STUDY

COUNT_CAP = 5_000
TEXT_COUNT_CAP = 500  # what the text index finds lies scattered: each costs a page of its own
SCOPED_COUNT_CAP = 1_000  # of who sees a part: each study that is counted is looked up among the grants
WALKED = 3_000  # studies that counting goes through for them, or who sees little of much would wait for all of it
LOOKED_AT = 200  # of the newest, to know whether somebody sees much
SEEN = 30_000  # ids that are gathered before a long walk for who sees so few
WALKED_SCATTERED = 400  # the same where each costs a page of its own, or a look at the patient's other studies
SORTED_OF_PART = 6_000  # that match and are gathered for who sees a part: most are passed by in the index
FEW = 2_000
_BLANK = ("name", "expires")  # orders that some studies have no value for: who has no name comes last, either way
_SORTED = {
    "date": STUDY.c.sort_key,
    "received": STUDY.c.last_received_at,
    "name": STUDY.c.patient_name_order,
    "expires": STUDY.c.expires_at,
}


Visible = Listed | ColumnElement[bool]
"""What the caller may see: as `Scope.listed` says it, or a condition on `Study.id`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with who asks and when."""

    organisation_id: uuid.UUID
    visible: ColumnElement[bool]  # on study.id
    now: datetime
    conditions: StudyConditions
    few: bool | None = None  # whether `visible` names few studies; none: it is found out
    surely: Callable[[], ColumnElement[bool]] | None = None  # this and the next three: see `Listed`
    in_hand: Callable[[Any, int], ColumnElement[bool] | None] | None = None
    ids: Callable[[int], sa.CompoundSelect[Any] | None] | None = None
    by_patient: bool = False
    led: bool = False  # by patients that were gathered
    sparse: bool = False  # little of what is walked is seen: the rest is not gone through to count it

    @classmethod
    def of(cls, organisation_id: uuid.UUID, query: StudyQuery, visible: Visible, now: datetime) -> Asked:
        """Return what is asked by somebody who sees what `visible` says."""
        listed = visible if isinstance(visible, Listed) else Listed(visible, few=None)
        conditions = conditions_of(query)
        if conditions.selective and listed.each is not None:
            return cls(organisation_id, listed.each(), now, conditions, few=False)
        return cls(
            organisation_id,
            listed.condition,
            now,
            conditions,
            listed.few,
            listed.surely,
            listed.in_hand,
            listed.ids,
            listed.by_patient,
            listed.led,
        )

    @property
    def sees_all(self) -> bool:
        """Say whether no study is out of reach."""
        return isinstance(self.visible, sa.True_)


def find_studies(
    session: Session,
    organisation_id: uuid.UUID,
    query: StudyQuery,
    visible: Visible,
    now: datetime,
    window: Window | None = None,
    *,
    count_cap: int = COUNT_CAP,
) -> StudyPage[IndexedStudy]:
    """Return a page of the studies that match; raises `CursorInvalid`.

    The total is counted up to `count_cap`, of texts up to `TEXT_COUNT_CAP`, of who sees a part up to
    `SCOPED_COUNT_CAP`; 0 leaves it out.
    """
    asked = Asked.of(organisation_id, query, visible, now)
    return _found(session, asked, window or Window(), _SHOWN, count_cap)


def find_answers(
    session: Session,
    organisation_id: uuid.UUID,
    query: StudyQuery,
    visible: Visible,
    now: datetime,
    window: Window,
) -> StudyPage[AnsweredStudy]:
    """Return the same page, uncounted and with no more columns than DICOM's answers are made of."""
    return _found(session, Asked.of(organisation_id, query, visible, now), window, _ANSWERED, 0)


def _found(session: Session, asked: Asked, window: Window, columns: sa.Select[Any], count_cap: int) -> StudyPage[Any]:
    organisation_id = asked.organisation_id
    route = choose_route(session, organisation_id, asked.conditions, _sees_few(session, asked), window.sort)
    if asked.by_patient:
        route = route.by_patient()
    place = read_cursor(window) if window.cursor else None
    rows, counted = None, None
    if _counts_on_the_way(asked, route, window, count_cap):
        rows, counted = _newest_counted(session, asked, route, window)
    elif route.tries:
        rows = _newest(session, asked, route, window, place)
    if rows is None:
        by_other_order = asked.conditions.texts or asked.conditions.modalities
        if window.sort == "received" and by_other_order and not route.sorts_itself:
            asked, route = _by_arrival(session, asked)
        rows = _page(session, asked, route, window, place)
    more = len(rows) > window.limit
    total, capped = counted or _total(session, asked, route, window, rows, count_cap)
    rows = rows[: window.limit]
    studies = _studies(session, columns, [row.sort_key for row in rows])
    cursor = write_cursor(window, Place(rows[-1].value, rows[-1].sort_key)) if more and rows else None
    return StudyPage(studies, cursor, total, capped)


def _total(
    session: Session, asked: Asked, route: Route, window: Window, rows: Sequence[sa.Row[Any]], cap: int
) -> tuple[int, bool]:
    """Return how many studies match, given a page and one row more, and whether there may be more than that."""
    found, more = min(len(rows), window.limit), len(rows) > window.limit
    first = not window.cursor and not window.offset
    if not cap:
        return found, more
    if route.sorts_itself and first:
        counted = rows[0].counted if rows else 0
        return min(counted, cap), counted > cap
    if asked.sparse or (first and not more):
        return min(found, cap), more or not first or found > cap
    if not route.sorts_itself and window.sort != "date":
        route = choose_route(session, asked.organisation_id, asked.conditions, False, "date")
    total, capped = _count(session, asked, route, cap)
    return (max(total, min(found, cap)), True) if capped else (total, False)


def _by_arrival(session: Session, asked: Asked) -> tuple[Asked, Route]:
    """Return the way by arrival to what matches a text or has a modality, and what is seen in the form for it."""
    rare = find_rare(session, asked.organisation_id, asked.conditions)
    if rare.few or (asked.led and rare.known and rare.count <= SORTED_OF_PART):
        return asked, rare.gathered
    on_server = session.get_bind().dialect.name == "postgresql"  # where a walk is as short, and its index has no ids
    if rare.known and not asked.conditions.texts and asked.ids is not None and not on_server:
        ids = asked.ids(SEEN)
        if ids is not None:
            return asked, rare.of_studies(ids)
    seen = None if asked.in_hand is None or _sees_much(session, asked) else asked.in_hand(STUDY.c.id, SEEN)
    if seen is None:
        return asked, walked_route(asked.conditions, rare)
    asked = replace(asked, visible=seen, sparse=True)
    if rare.known and rare.count <= SORTED_OF_FEW:
        return asked, rare.gathered
    return asked, walked_route(asked.conditions, rare)


def _sees_much(session: Session, asked: Asked) -> bool:
    """Say whether of the newest so many are seen that a walk is short."""
    last = _after(session, asked, Window("received"), None, LOOKED_AT)
    if last is None:
        return False
    newest = sa.select(STUDY.c.id).where(asked.visible, STUDY.c.organisation_id == asked.organisation_id)
    newest = newest.where(STUDY.c.last_received_at > last.value).with_hint(STUDY, WALKS["received"], "sqlite")
    return count_up_to(session, [newest], LOOKED_AT) >= LOOKED_AT // 10


def count_studies(
    session: Session,
    organisation_id: uuid.UUID,
    query: StudyQuery,
    visible: Visible,
    now: datetime,
    cap: int = COUNT_CAP,
) -> tuple[int, bool]:
    """Return how many studies match, and whether counting stopped at `cap`."""
    asked = Asked.of(organisation_id, query, visible, now)
    return _count(
        session, asked, choose_route(session, organisation_id, asked.conditions, _sees_few(session, asked), "date"), cap
    )


def find_patients(
    session: Session,
    organisation_id: uuid.UUID,
    query: StudyQuery,
    visible: Visible,
    now: datetime,
    limit: int = 1000,
    offset: int = 0,
) -> Sequence[Patient]:
    """Return the patients of the studies that match, by name."""
    matching = sa.select(STUDY.c.patient_id).where(*study_filters(session, organisation_id, query, visible, now))
    return session.scalars(
        sa.select(Patient)
        .where(Patient.id.in_(matching))
        .order_by(Patient.name_folded, Patient.id)
        .limit(limit)
        .offset(offset)
    ).all()


def study_filters(
    session: Session, organisation_id: uuid.UUID, query: StudyQuery, visible: Visible, now: datetime
) -> list[ColumnElement[bool]]:
    """Return all conditions of `query` on the table study, for statements of other shapes."""
    asked = Asked.of(organisation_id, query, visible, now)
    return [*_base(asked), *asked.conditions.in_place(session.get_bind().dialect.name)]


def _base(asked: Asked) -> list[ColumnElement[bool]]:
    living = sa.or_(STUDY.c.expires_at.is_(None), STUDY.c.expires_at > asked.now)
    base: list[ColumnElement[bool]] = [STUDY.c.organisation_id == asked.organisation_id, living]
    if not asked.sees_all:
        base.append(asked.visible)
    return base


def _sees_few(session: Session, asked: Asked) -> bool:
    """Say whether the caller sees so few studies that looking at each of them is the shortest way."""
    if asked.sees_all:
        return False
    if asked.few is not None:
        return asked.few
    some = sa.select(STUDY.c.id).where(asked.visible).limit(FEW + 1).subquery()
    return (session.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW


def _select(asked: Asked, route: Route, *columns: ColumnElement[Any]) -> sa.Select[Any]:
    statement = sa.select(*columns).select_from(route.source).where(*_base(asked), *route.conditions)
    if route.hint:
        statement = statement.with_hint(STUDY, route.hint, "sqlite")
    return statement


def _newest(
    session: Session, asked: Asked, route: Route, window: Window, place: Place | None
) -> list[sa.Row[Any]] | None:
    """Return a page of the first that come in the window's order; none if they do not fill one."""
    last = _after(session, asked, window, place, route.tries)
    if last is None:  # these are all
        return _page(session, asked, route, window, place)
    beyond = place_condition(window, _SORTED[window.sort], STUDY.c.sort_key, last)
    rows = _sorted_rows(session, asked, route, window, place, [sa.not_(beyond)])
    return rows if len(rows) > window.limit else None


def _counts_on_the_way(asked: Asked, route: Route, window: Window, count_cap: int) -> bool:
    """Say whether a first page and its count are one walk: on which most are passed by, in an order that all have."""
    first = not window.cursor and not window.offset
    walk = route.source is STUDY and not route.sorts_itself and asked.conditions.keys == (None, None)
    part = asked.led and count_cap > 0 and window.limit < SCOPED_COUNT_CAP
    return first and part and walk and bool(route.hint) and window.sort not in _BLANK


def _newest_counted(
    session: Session, asked: Asked, route: Route, window: Window
) -> tuple[list[sa.Row[Any]] | None, tuple[int, bool] | None]:
    """Return a page of the first that come and how many are among these; none if they do not fill one."""
    last = _after(session, asked, window, None, WALKED)
    beyond = [] if last is None else [sa.not_(place_condition(window, _SORTED[window.sort], STUDY.c.sort_key, last))]
    counting = replace(window, limit=SCOPED_COUNT_CAP)
    rows = _sorted_rows(session, asked, route, counting, None, beyond)
    if last is not None and len(rows) <= window.limit:
        return None, None
    return rows[: window.limit + 1], (
        min(len(rows), SCOPED_COUNT_CAP),
        last is not None or len(rows) > SCOPED_COUNT_CAP,
    )


def _after(session: Session, asked: Asked, window: Window, place: Place | None, count: int) -> Place | None:
    """Return where so many studies more have been gone by in the window's order, whatever they are."""
    column = _SORTED[window.sort]
    order = [item.desc() if window.descending else item.asc() for item in (column, STUDY.c.sort_key)]
    walked = sa.select(column, STUDY.c.sort_key).where(STUDY.c.organisation_id == asked.organisation_id)
    walked = walked.with_hint(STUDY, WALKS[window.sort], "sqlite")
    if place is not None:
        walked = walked.where(place_condition(window, column, STUDY.c.sort_key, place))
    last = session.execute(walked.order_by(*order).limit(1).offset(count)).one_or_none()
    return None if last is None else Place(last[0], last[1])


def _page(session: Session, asked: Asked, route: Route, window: Window, place: Place | None) -> list[sa.Row[Any]]:
    """Return one row more than the page holds, if there is one."""
    if window.sort not in _BLANK or (route.sorts_itself and place is None):
        return _sorted_rows(session, asked, route, window, place, [])
    begun_blank = None if place is None else not place.value
    parts = [True, False] if _blank_first(window) else [False, True]
    if begun_blank is not None:
        parts = parts[parts.index(begun_blank) :]
    skip = 0 if place is not None else window.offset
    wanted = replace(window, limit=window.limit + skip, offset=0)
    rows: list[sa.Row[Any]] = []
    for blank in parts:
        here = place if blank == begun_blank else None
        rows.extend(_sorted_rows(session, asked, route, wanted, here, _part(window, here, blank), len(rows)))
        if len(rows) > wanted.limit:
            break
    return rows[skip:]


def _blank_first(window: Window) -> bool:
    return window.sort == "expires" and window.descending  # endless is the latest


def _part(window: Window, place: Place | None, blank: bool) -> list[ColumnElement[bool]]:
    """Return the condition for studies with or without a value to sort by."""
    if window.sort == "expires":
        return [STUDY.c.expires_at.is_(None) if blank else STUDY.c.expires_at.is_not(None)]
    if place is not None and not blank and not window.descending:
        return []  # beyond a name all have one; a second lower bound would tempt the planner to begin at the first
    return [STUDY.c.patient_name_order == "" if blank else STUDY.c.patient_name_order > ""]


def _sorted_rows(
    session: Session,
    asked: Asked,
    route: Route,
    window: Window,
    place: Place | None,
    further: Sequence[ColumnElement[bool]],
    found: int = 0,
) -> list[sa.Row[Any]]:
    column = route.key if window.sort == "date" else _SORTED[window.sort]
    order = [column] if window.sort == "date" else [column, route.key]
    if route.sorts_itself:
        order = [sa.type_coerce(sa.func.coalesce(item, item), item.type) for item in order]
    blank: list[ColumnElement[Any]] = []
    if route.sorts_itself and place is None and not further and window.sort in _BLANK:
        [without] = _part(window, None, blank=True)
        blank = [sa.case((without, 0), else_=1) if _blank_first(window) else sa.case((without, 1), else_=0)]
    counted: list[ColumnElement[Any]] = []
    if route.sorts_itself and place is None:  # all of the few are gone through once, so they are counted on the way
        counted = [sa.func.count().over().label("counted")]
    statement = _select(asked, route, STUDY.c.sort_key, column.label("value"), *counted).where(*further)
    if place is not None:
        statement = statement.where(place_condition(window, column, route.key, place))
    statement = statement.order_by(*blank, *(item.desc() if window.descending else item.asc() for item in order))
    statement = statement.limit(window.limit + 1 - found)
    if window.offset and place is None:
        statement = statement.offset(window.offset)
    return list(session.execute(statement))


def _count(session: Session, asked: Asked, route: Route, cap: int) -> tuple[int, bool]:
    if route.scattered:
        cap = min(cap, TEXT_COUNT_CAP)
    if not asked.sees_all and not route.sorts_itself:
        return _count_walking(session, asked, route, min(cap, SCOPED_COUNT_CAP))
    if route.alone and asked.sees_all:
        statement = sa.select(MODALITY.c.sort_key).where(*route.alone, MODALITY.c.sort_key.not_in(_over(asked)))
    else:
        statement = _select(asked, route, STUDY.c.id)
    some = statement.limit(cap + 1).subquery()
    found = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return min(found, cap), found > cap


def _count_walking(session: Session, asked: Asked, route: Route, cap: int) -> tuple[int, bool]:
    """Count among the newest that match, and say whether there may be more.

    What is surely seen is counted first: where that is enough, nobody is looked for who has an earlier study.
    """
    goes = WALKED_SCATTERED if route.scattered else WALKED
    least = 0
    if asked.surely is not None:
        least, capped = _count_newest(session, replace(asked, visible=asked.surely()), route, cap, goes)
        if least == cap and capped:
            return least, True
        goes = WALKED_SCATTERED
    found, capped = _count_newest(session, asked, route, cap, goes)
    return max(least, found), capped


def _count_newest(session: Session, asked: Asked, route: Route, cap: int, goes: int) -> tuple[int, bool]:
    if route.alone:
        walked = sa.select(route.key.label("key")).where(*route.alone)
    else:
        walked = _select(replace(asked, visible=sa.true()), route, route.key.label("key"))
    last = session.scalar(walked.order_by(route.key.desc()).limit(1).offset(goes))
    statement = _select(asked, route, STUDY.c.id)
    if last is not None:
        statement = statement.where(route.key > last)
    some = statement.limit(cap + 1).subquery()
    found = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return min(found, cap), found > cap or last is not None


def _over(asked: Asked) -> sa.Select[tuple[int]]:
    """Return the sort keys of studies whose time is over and that are not removed yet: a handful."""
    return sa.select(STUDY.c.sort_key).where(
        STUDY.c.organisation_id == asked.organisation_id, STUDY.c.expires_at <= asked.now
    )


def _studies(session: Session, columns: sa.Select[Any], keys: Sequence[int]) -> list[Any]:
    """Return the rows of sort keys in their order, as plain columns: the mapper takes longer than the database."""
    if not keys:
        return []
    found = {row.sort_key: row for row in session.execute(columns, {"keys": list(keys)})}
    return [found[key] for key in keys if key in found]


def _rows_of(*names: str) -> sa.Select[Any]:
    columns = (STUDY.c[name] for name in names)
    return sa.select(*columns, STUDY.c.sort_key).where(STUDY.c.sort_key.in_(sa.bindparam("keys", expanding=True)))


_ANSWERS = (
    "study_uid", "patient_id_value", "patient_issuer", "patient_name", "study_date", "accession_number", "modalities",
    "series_count", "instance_count", "attributes",
)  # fmt: skip
_ANSWERED = _rows_of(*_ANSWERS)
_SHOWN = _rows_of(
    *_ANSWERS, "id", "organisation_id", "patient_id", "patient_birth_date", "patient_sex", "study_time",
    "study_id_value", "description", "bytes", "state", "first_received_at", "last_received_at", "expires_at",
    "ceiling_at", "held",
)  # fmt: skip
