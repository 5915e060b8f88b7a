"""How many studies match: counted as far as it costs little."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.asked import Asked, selected
from radrelay.archive.routes import Route
from radrelay.archive.tables import MODALITY, STUDY

TEXT_COUNT_CAP = 500  # what the text index finds lies scattered: each costs a page of its own
SCOPED_COUNT_CAP = 1_000  # of who sees a part: each study that is counted is looked up among the grants
WALKED = 3_000  # studies that counting goes through for them, or who sees little of much would wait for all of it
WALKED_SCATTERED = 400  # the same where each costs a page of its own, or a look at the patient's other studies


def count_found(session: Session, asked: Asked, route: Route, cap: int) -> tuple[int, bool]:
    """Return how many match up to `cap`, and whether there may be more."""
    if route.scattered:
        cap = min(cap, TEXT_COUNT_CAP)
    if not asked.sees_all and not route.sorts_itself:
        return _count_walking(session, asked, route, min(cap, SCOPED_COUNT_CAP))
    if route.alone and asked.sees_all:
        statement = sa.select(MODALITY.c.sort_key).where(*route.alone, MODALITY.c.sort_key.not_in(_over(asked)))
    else:
        statement = selected(asked, route, STUDY.c.id)
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
        walked = selected(replace(asked, visible=sa.true()), route, route.key.label("key"))
    last = session.scalar(walked.order_by(route.key.desc()).limit(1).offset(goes))
    statement = selected(asked, route, STUDY.c.id)
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
