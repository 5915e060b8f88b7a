"""Rules by which studies are released to a group as they arrive, and the grants that come of them.

Whoever changes or asks them holds the archive's lock: a rule counts for what is indexed after it, whole. What a rule
has released to a group stands in `RuleRelease`: it is released once, however often the study is looked at, and not
again when somebody has taken it back.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.asked import BY_RULE
from radrelay.access.errors import RuleChanged, RuleHasReleases
from radrelay.access.grants import Grantee, Target, grant
from radrelay.access.groups import require_group
from radrelay.access.models import Grant, Group, ReleaseRule, RuleRelease
from radrelay.access.principal import Right
from radrelay.access.rule_matching import TEXTS, Conditions, StudyFacts, cleaned, fits
from radrelay.errors import Invalid, NotFound
from radrelay.storage.ids import new_id

FROM_THE_FIRST = uuid.UUID(int=0)
LONGEST_NAME = 200
MOST_DAYS = 36_500
Fate = Literal["keep", "end"]
"""What becomes of a rule's releases when it is changed or deleted."""


@dataclass(frozen=True, slots=True)
class WantedRule:
    """A rule as somebody wants it: to which group, which studies, what the group may do and for how long."""

    name: str
    group_id: uuid.UUID
    conditions: Conditions
    may_download: bool = False
    identity: Literal["clear", "alias"] = "clear"
    days: int | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule, who made it, how many of its releases count, and whether it still goes through what is here."""

    id: uuid.UUID
    wanted: WantedRule
    group_name: str
    made_by: str
    created_at: datetime
    revision: int
    releases: int
    applying: bool


@dataclass(frozen=True, slots=True)
class RuleReleased:
    """A study that a rule has released now, or whose release ended with it."""

    rule_id: uuid.UUID
    study_id: uuid.UUID
    group_key: str
    grant_id: uuid.UUID
    rights: tuple[Right, ...] = ()
    identity: str = "clear"
    ends_at: datetime | None = None


def release_rules(session: Session, organisation_id: uuid.UUID, now: datetime) -> list[RuleView]:
    """Return the organisation's rules by name."""
    mine = sa.select(ReleaseRule).where(ReleaseRule.organisation_id == organisation_id)
    return _views(session, session.scalars(mine.order_by(ReleaseRule.name, ReleaseRule.id)).all(), now)


def release_rule(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, now: datetime) -> RuleView:
    """Return one rule; raises `NotFound`."""
    return _views(session, [_row(session, organisation_id, rule_id)], now)[0]


def add_release_rule(
    session: Session, organisation_id: uuid.UUID, wanted: WantedRule, made_by: str, now: datetime, *, to_all: bool
) -> RuleView:
    """Make a rule for what arrives from now on, and with `to_all` for what is here; the caller has the archive's lock.

    Raises `Invalid`, or `NotFound` for the group.
    """
    row = ReleaseRule(
        id=new_id(), organisation_id=organisation_id, made_by=made_by[:200], created_at=now, revision=1,
        catching_up=FROM_THE_FIRST if to_all and wanted.enabled else None, **_columns(session, organisation_id, wanted),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _views(session, [row], now)[0]


def change_release_rule(
    session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, revision: int, wanted: WantedRule,
    now: datetime, *, fate: Fate | None, to_all: bool,
) -> tuple[RuleView, list[RuleReleased]]:  # fmt: skip
    """Change the rule that was seen at `revision`, and return it and what of its releases ended.

    Raises `RuleChanged` if it is another one now, `RuleHasReleases` where `fate` does not say what becomes of them,
    and what `add_release_rule` raises.
    """
    row = _row(session, organisation_id, rule_id)
    if row.revision != revision:
        raise RuleChanged
    ended = _settle(session, row, now, fate)
    for name, value in _columns(session, organisation_id, wanted).items():
        setattr(row, name, value)
    row.revision += 1
    again = to_all or row.catching_up is not None  # what it has not come to yet is looked at by what it is now
    row.catching_up = FROM_THE_FIRST if again and wanted.enabled else None
    session.flush()
    return _views(session, [row], now)[0], ended


def delete_release_rule(
    session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID, now: datetime, *, fate: Fate | None
) -> tuple[RuleView, list[RuleReleased]]:
    """Delete a rule, and return it as it was and what of its releases ended; raises `NotFound`, `RuleHasReleases`."""
    row = _row(session, organisation_id, rule_id)
    view = _views(session, [row], now)[0]
    ended = _settle(session, row, now, fate)
    session.delete(row)
    session.flush()
    return view, ended


def end_for_group(
    session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID, now: datetime
) -> tuple[list[RuleView], list[RuleReleased]]:
    """Delete the rules that release to a group, and whatever rules released to it; for a group that is deleted."""
    key = require_group(session, organisation_id, str(group_id))
    mine = sa.select(ReleaseRule).where(ReleaseRule.organisation_id == organisation_id, ReleaseRule.group_key == key)
    rows = session.scalars(mine).all()
    views = _views(session, rows, now)
    ended = _end(session, RuleRelease.group_key == key, now)
    for row in rows:
        session.delete(row)
    session.flush()
    return views, ended


def told_of_rule(rule: RuleView) -> dict[str, object]:
    """Return what the record tells of a rule: it may be all that is left of it."""
    wanted = rule.wanted
    asked = {name: str(value) for name, value in asdict(wanted.conditions).items() if value}
    return {
        "name": wanted.name, "grantee": f"group {wanted.group_id}", "asks": asked, "identity": wanted.identity,
        "may_download": wanted.may_download, "days": wanted.days, "enabled": wanted.enabled,
    }  # fmt: skip


def is_anything_asked(session: Session, organisation_id: uuid.UUID) -> bool:
    """Say whether any rule counts: without one, nobody needs to look at what has arrived."""
    found = sa.select(ReleaseRule.id).where(ReleaseRule.organisation_id == organisation_id, ReleaseRule.enabled)
    return session.scalar(found.limit(1)) is not None


def release_by_rules(
    session: Session, organisation_id: uuid.UUID, studies: Sequence[StudyFacts], at: datetime,
    only: uuid.UUID | None = None,
) -> list[RuleReleased]:  # fmt: skip
    """Release studies as all rules say, or `only` one; what a rule has released before, it does not again.

    A release for some days counts them from `at`.
    """
    rules = sa.select(ReleaseRule).where(ReleaseRule.organisation_id == organisation_id, ReleaseRule.enabled)
    rows = session.scalars(rules if only is None else rules.where(ReleaseRule.id == only)).all()
    asked = [(row, _conditions(row)) for row in rows]
    wanted = {(row.id, one.id): row for one in studies for row, conditions in asked if fits(conditions, one)}
    if not wanted:
        return []
    there = session.execute(
        sa.select(RuleRelease.rule_id, RuleRelease.study_id, RuleRelease.group_key).where(
            RuleRelease.study_id.in_({study_id for _, study_id in wanted})
        )
    )
    before = {tuple(one) for one in there}
    found = [
        _release(session, row, study_id, at)
        for (rule_id, study_id), row in wanted.items()
        if (rule_id, study_id, row.group_key) not in before
    ]
    if found:
        session.execute(
            sa.insert(RuleRelease),
            [
                {
                    "rule_id": one.rule_id, "study_id": one.study_id, "group_key": one.group_key,
                    "organisation_id": organisation_id, "grant_id": one.grant_id,
                }
                for one in found
            ],
        )  # fmt: skip
    return found


def catching_up(session: Session) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID] | None:
    """Return a rule that goes through what is here: organisation, rule, the last study looked at; none: no such."""
    found = sa.select(ReleaseRule.organisation_id, ReleaseRule.id, ReleaseRule.catching_up)
    row = session.execute(found.where(ReleaseRule.catching_up.is_not(None)).limit(1)).one_or_none()
    return None if row is None or row[2] is None else (row[0], row[1], row[2])


def caught_up(session: Session, rule_id: uuid.UUID, last: uuid.UUID | None) -> None:
    """Note the last study that a rule has looked at; none: it is through."""
    session.execute(
        sa.update(ReleaseRule)
        .where(ReleaseRule.id == rule_id)
        .values(catching_up=last)
        .execution_options(synchronize_session=False)
    )


def rules_behind(session: Session, grant_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the names of the rules that gave grants, by grant; empty for a rule that is no more."""
    found = (
        sa.select(RuleRelease.grant_id, ReleaseRule.name)
        .join(ReleaseRule, ReleaseRule.id == RuleRelease.rule_id, isouter=True)
        .where(RuleRelease.grant_id.in_(grant_ids))
    )
    return {grant_id: name or "" for grant_id, name in session.execute(found)}


def _release(session: Session, row: ReleaseRule, study_id: uuid.UUID, at: datetime) -> RuleReleased:
    rights = (Right.SEE, Right.DOWNLOAD) if row.may_download else (Right.SEE,)
    identity: Literal["clear", "alias"] = "alias" if row.identity == "alias" else "clear"
    ends_at = None if row.days is None else at + timedelta(days=row.days)
    made = grant(
        session, row.organisation_id, Grantee("group", row.group_key), Target("study", study_id), rights, now=at,
        identity=identity, ends_at=ends_at, origin=BY_RULE,
    )  # fmt: skip
    return RuleReleased(row.id, study_id, row.group_key, made, rights, identity, ends_at)


def _settle(session: Session, row: ReleaseRule, now: datetime, fate: Fate | None) -> list[RuleReleased]:
    """Keep or end a rule's releases as `fate` says, and return what ended; raises `RuleHasReleases` if it does not."""
    of_rule = RuleRelease.rule_id == row.id
    if fate is None and session.scalar(_counting(now).where(of_rule).limit(1)) is not None:
        raise RuleHasReleases
    return _end(session, of_rule, now) if fate == "end" else []


def _end(session: Session, which: sa.ColumnElement[bool], now: datetime) -> list[RuleReleased]:
    """End releases of rules, and return those that counted until now."""
    columns = (RuleRelease.rule_id, RuleRelease.study_id, RuleRelease.group_key, RuleRelease.grant_id)
    ended = [RuleReleased(*row) for row in session.execute(_counting(now).with_only_columns(*columns).where(which))]
    ids = sa.select(RuleRelease.grant_id).where(which)
    by_rule = sa.delete(Grant).where(Grant.origin == BY_RULE, Grant.id.in_(ids))
    for gone in (by_rule, sa.delete(RuleRelease).where(which)):
        session.execute(gone.execution_options(synchronize_session=False))
    return ended


def _counting(now: datetime) -> sa.Select[Any]:
    lasts = sa.or_(Grant.ends_at.is_(None), Grant.ends_at > now)
    return sa.select(RuleRelease.rule_id).join(Grant, Grant.id == RuleRelease.grant_id).where(lasts)


def _row(session: Session, organisation_id: uuid.UUID, rule_id: uuid.UUID) -> ReleaseRule:
    row = session.scalar(
        sa.select(ReleaseRule)
        .where(ReleaseRule.organisation_id == organisation_id, ReleaseRule.id == rule_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("there is no such rule")
    return row


def _columns(session: Session, organisation_id: uuid.UUID, wanted: WantedRule) -> dict[str, object]:
    name = " ".join(wanted.name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(f"a rule's name has 1 to {LONGEST_NAME} characters", field="name")
    if wanted.days is not None and not 0 < wanted.days <= MOST_DAYS:
        raise Invalid(f"a release lasts 1 to {MOST_DAYS} days", field="days")
    return {
        "name": name,
        "group_key": require_group(session, organisation_id, str(wanted.group_id)),
        "enabled": wanted.enabled,
        "may_download": wanted.may_download,
        "identity": wanted.identity,
        "days": wanted.days,
        **asdict(cleaned(wanted.conditions)),
    }


def _conditions(row: ReleaseRule) -> Conditions:
    return Conditions(row.source_id, **{name: getattr(row, name) for name in TEXTS})


def _views(session: Session, rows: Sequence[ReleaseRule], now: datetime) -> list[RuleView]:
    ids = [row.id for row in rows]
    counted = _counting(now).add_columns(sa.func.count()).where(RuleRelease.rule_id.in_(ids))
    releases: dict[uuid.UUID, int] = {}
    if ids:
        releases.update((row[0], row[1]) for row in session.execute(counted.group_by(RuleRelease.rule_id)))
    keys = {row.group_key for row in rows}
    named = sa.select(Group).where(Group.key.in_(keys))
    groups = {group.key: group.name for group in session.scalars(named)}
    return [
        RuleView(
            row.id, _wanted(row), groups.get(row.group_key, ""), row.made_by, row.created_at, row.revision,
            releases.get(row.id, 0), row.catching_up is not None,
        )
        for row in rows
    ]  # fmt: skip


def _wanted(row: ReleaseRule) -> WantedRule:
    plain = WantedRule(row.name, uuid.UUID(row.group_key), _conditions(row), row.may_download)
    return replace(plain, identity="alias" if row.identity == "alias" else "clear", days=row.days, enabled=row.enabled)
