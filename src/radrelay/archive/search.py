"""The one search of the archive: study list, QIDO-RS and C-FIND ask here.

Every query is bound to one organisation, to what the caller may see (a condition from `access.scope`) and to studies
whose time is not over. The way to the rows is chosen by what is asked for: a caller who sees few studies is answered
from those; a text from the text index, a modality from its index, both in the order of dates; else the index of
the sort order is walked. So the first page comes without looking at all matches.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from radrelay.access import count_up_to
from radrelay.archive.asked import Asked, Visible, base, sees_few, selected
from radrelay.archive.counting import SCOPED_COUNT_CAP, WALKED, count_found
from radrelay.archive.cursors import Place, place_condition, read_cursor, write_cursor
from radrelay.archive.models import Patient
from radrelay.archive.query import AnsweredStudy, IndexedStudy, StudyPage, StudyQuery, Window
from radrelay.archive.routes import SORTED_OF_FEW, WALKS, Route, choose_route, find_rare, walked_route
from radrelay.archive.tables import STUDY

COUNT_CAP = 5_000
WALKED_SOONER = 8_000  # the same where another way is there, for who has no page in these
LOOKED_AT = 200  # of the newest, to know whether somebody sees much
SEEN = 30_000  # ids that are gathered before a long walk for who sees so few
SORTED_OF_PART = 6_000  # that match and are gathered for who sees a part: most are passed by in the index
_BLANK = ("name", "expires")  # orders that some studies have no value for: who has no name comes last, either way
_SORTED = {
    "date": STUDY.c.sort_key,
    "received": STUDY.c.last_received_at,
    "name": STUDY.c.patient_name_order,
    "expires": STUDY.c.expires_at,
}


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
    route = choose_route(session, organisation_id, asked.conditions, sees_few(session, asked), window.sort)
    if asked.by_patient:
        route = route.by_patient()
    place = read_cursor(window) if window.cursor else None
    rows, counted = None, None
    if asked.sooner is not None and _is_bare(asked, window):
        walking = replace(asked, visible=asked.sooner(), few=False, by_patient=False, led=True, sooner=None)
        walked = Route(STUDY, STUDY.c.sort_key, (), WALKS[window.sort], tries=WALKED_SOONER)
        if _counts_on_the_way(walking, walked, window, count_cap):
            rows, counted = _newest_counted(session, walking, walked, window)
        else:
            rows = _newest(session, walking, walked, window, place)
        if rows is not None:
            asked, route = walking, walked
    elif _counts_on_the_way(asked, route, window, count_cap):
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
    if route.sorts_itself and (first or (rows and window.sort not in _BLANK)):
        counted = rows[0].counted if rows else 0
        return min(counted, cap), counted > cap
    if asked.sparse or (first and not more):
        return min(found, cap), more or not first or found > cap
    if not route.sorts_itself and window.sort != "date":
        route = choose_route(session, asked.organisation_id, asked.conditions, False, "date")
    total, capped = count_found(session, asked, route, cap)
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
    return count_found(
        session, asked, choose_route(session, organisation_id, asked.conditions, sees_few(session, asked), "date"), cap
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
    return [*base(asked), *asked.conditions.in_place(session.get_bind().dialect.name)]


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


def _is_bare(asked: Asked, window: Window) -> bool:
    """Say whether nothing is asked but the newest, in an order that all studies have a value for."""
    one = asked.conditions
    sought = one.texts or one.modalities or one.plain or one.selective or one.keys != (None, None)
    return not sought and window.sort not in _BLANK and not window.offset


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
    last = _after(session, asked, window, None, route.tries or WALKED)
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
    if route.sorts_itself and (place is None or window.sort not in _BLANK):
        counted = [sa.func.count().over().label("counted")]  # all of the few are gone through, and counted on the way
    statement = selected(asked, route, STUDY.c.sort_key, column.label("value"), *counted).where(*further)
    if place is not None and counted:
        all_of_them = statement.subquery()
        value, key = all_of_them.c.value, all_of_them.c.sort_key
        statement = sa.select(all_of_them).where(place_condition(window, value, key, place))
        order = [key] if window.sort == "date" else [value, key]
    elif place is not None:
        statement = statement.where(place_condition(window, column, route.key, place))
    statement = statement.order_by(*blank, *(item.desc() if window.descending else item.asc() for item in order))
    statement = statement.limit(window.limit + 1 - found)
    if window.offset and place is None:
        statement = statement.offset(window.offset)
    return list(session.execute(statement))


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
