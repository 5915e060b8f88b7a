"""Restricted studies, the glass that may be broken, and earlier studies that are seen by rule."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import (
    Arrived,
    Grantee,
    PriorRuleView,
    Right,
    Target,
    WantedRestriction,
    Why,
    add_member,
    break_glass,
    create_group,
    fall_under,
    follow_to_patient,
    lift,
    notices,
    restrict,
    review,
    scope,
    set_prior_rule,
)
from radrelay.access.broken_glass import broken, put_away
from radrelay.access.models import Group
from radrelay.archive.models import Holding, Series, Study
from radrelay.errors import Invalid
from tests.access.test_scope import (
    HEAD,
    HEAD_CT,
    HEAD_MR,
    KNEE,
    KNEE_MR,
    LINK,
    MR_SOURCE,
    NOW,
    ORGANISATION,
    by_link,
    give,
    insert,
    principal,
    seen,
    session,
)

__all__ = ["session"]
ANNA = uuid.UUID(int=71)
OLD, OTHER = uuid.UUID(int=23), uuid.UUID(int=24)


def uid_of(session: Session, study: uuid.UUID) -> str:
    return str(session.scalar(sa.select(Study.study_uid).where(Study.id == study)))


def hide(session: Session, study: uuid.UUID = HEAD) -> uuid.UUID:
    return restrict(session, ORGANISATION, WantedRestriction("study", uid_of(session, study)), "root", NOW).id


def listed(session: Session, who: object, now: object = NOW) -> set[uuid.UUID]:
    """Return what a list shows; it is what the filter of a single study lets through."""
    found = scope(session, who, Right.SEE, now=now)  # type: ignore[arg-type]
    one = set(session.scalars(sa.select(Study.id).where(found.study_filter(Study.id))))
    all_of_them = set(session.scalars(sa.select(Study.id).where(found.listed(session, Study.id).condition)))
    assert one == all_of_them
    return one


def test_a_restricted_study_is_shown_by_no_grant_but_its_own(session: Session) -> None:
    for who, target in (("all", Target("organisation")), ("source", Target("source", MR_SOURCE))):
        give(session, target, *Right, who=Grantee("account", who))
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("role", "user"))
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("account", "*"))
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("account", "own"))
    give(session, Target("series", HEAD_CT), Right.SEE, who=Grantee("account", "part"))
    restriction = hide(session)
    assert listed(session, principal("all")) == {KNEE}
    assert seen(session, principal("all")) == ({KNEE}, {KNEE_MR})
    assert not scope(session, principal("all"), Right.SEE).everything
    assert listed(session, principal("source")) == {KNEE}
    assert seen(session, principal("nobody")) == (set(), set()), "neither a role nor anybody"
    assert seen(session, principal("own"))[1] == {HEAD_CT, HEAD_MR}
    assert seen(session, principal("part")) == ({HEAD}, {HEAD_CT})
    for right in set(Right) - {Right.SEE, Right.BREAK_GLASS}:
        assert seen(session, principal("all"), right)[0] == {KNEE}, right
    lift(session, ORGANISATION, restriction)
    assert scope(session, principal("all"), Right.SEE).everything


def test_a_group_that_may_sees_restricted_studies_by_its_grants(session: Session) -> None:
    board = create_group(session, ORGANISATION, "Works council's doctor", now=NOW)
    add_member(session, ORGANISATION, board.id, "account", "anna")
    give(session, Target("source", MR_SOURCE), Right.SEE, who=Grantee("group", str(board.id)))
    hide(session)
    assert listed(session, principal()) == {KNEE}
    session.execute(sa.update(Group).where(Group.id == board.id).values(sees_restricted=True))
    assert seen(session, principal()) == ({HEAD, KNEE}, {HEAD_MR, KNEE_MR})
    give(session, Target("organisation"), Right.SEE, who=Grantee("group", str(board.id)))
    assert scope(session, principal(), Right.SEE).everything


def test_links_made_before_are_bounded_and_a_patient_is_not_named_by_way_of_the_whole(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE, who=LINK)
    give(session, Target("organisation"), Right.SEE, Right.SHARE)
    assert seen(session, by_link(principal()))[0] == {HEAD}
    hide(session)
    assert seen(session, by_link(principal())) == (set(), set())
    give(session, Target("study", HEAD), Right.SEE, identity="alias")
    assert scope(session, principal(), Right.SEE, now=NOW).identity == "alias"


def test_what_arrives_is_restricted_by_patient_source_and_its_own_uid(session: Session) -> None:
    give(session, Target("organisation"), Right.SEE)
    for wanted in (
        WantedRestriction("patient", "4711", "HOSPITAL"),
        WantedRestriction("source", str(MR_SOURCE)),
        WantedRestriction("study", "1.2.3"),
    ):
        rule = restrict(session, ORGANISATION, wanted, "root", NOW)
        assert restrict(session, ORGANISATION, wanted, "root", NOW).id == rule.id, "once"
        assert listed(session, principal()) == (set() if wanted.kind == "source" else {HEAD, KNEE})
        lift(session, ORGANISATION, rule.id)
        rule = restrict(session, ORGANISATION, wanted, "root", NOW)
        session.execute(sa.text("DELETE FROM access_restricted"))
        same = Arrived(HEAD, "1.2.3", "HOSPITAL", "4711", frozenset({MR_SOURCE}))
        other = Arrived(KNEE, "1.2.4", "PRACTICE", "4711", frozenset())
        assert [fall_under(session, ORGANISATION, [same, other]) for _ in range(2)] == [1, 0], "of another issuer: no"
        assert listed(session, principal()) == {KNEE}
        lift(session, ORGANISATION, rule.id)
    with pytest.raises(Invalid):
        restrict(session, ORGANISATION, WantedRestriction("patient", " "), "root", NOW)


def test_glass_is_broken_for_a_reason_and_a_time_and_told(session: Session) -> None:
    hide(session)
    anna = principal(str(ANNA))
    give(session, Target("organisation"), Right.BREAK_GLASS, Right.SEE, who=Grantee("account", str(ANNA)))
    assert seen(session, anna, Right.BREAK_GLASS)[0] == {HEAD, KNEE}, "to break glass is to reach what is restricted"
    assert seen(session, anna)[0] == {KNEE}
    officer, later = uuid.UUID(int=72), NOW + timedelta(hours=4)
    for wrong in ("", "  because   ", "12345678901"):
        with pytest.raises(Invalid):
            break_glass(session, anna, HEAD, Why("emergency", wrong), now=NOW, lasts=timedelta(hours=4),
                        identity="clear", told=[officer])  # fmt: skip
    opened = [
        break_glass(session, anna, HEAD, Why("emergency", "unconscious, on the table"), now=NOW,
                    lasts=timedelta(hours=4), identity="clear", told=[officer, ANNA])
        for _ in range(2)
    ]  # fmt: skip
    assert [new for _, new in opened] == [True, False]
    assert seen(session, anna)[0] == {HEAD, KNEE}
    assert seen(session, anna, Right.DOWNLOAD)[0] == set()
    assert seen(session, anna, now=later)[0] == {KNEE}, "it ends by itself"
    [notice] = notices(session, ORGANISATION, officer)
    assert (notice.broken.reason, notices(session, ORGANISATION, ANNA)) == ("unconscious, on the table", [])
    put_away(session, ANNA, notice.id, NOW)
    assert len(notices(session, ORGANISATION, officer)) == 1, "nobody puts another's notice away"
    put_away(session, officer, notice.id, NOW)
    assert notices(session, ORGANISATION, officer) == []
    review(session, ORGANISATION, opened[0][0].id, "officer", NOW)
    review(session, ORGANISATION, opened[0][0].id, "another", later)
    [one] = broken(session, ORGANISATION)
    assert (one.reviewed_by, one.reviewed_at) == ("officer", NOW)


@pytest.fixture
def history(session: Session) -> Session:
    """HEAD of last week, an older head and a knee of the same patient, and another issuer's patient of that ID."""
    mine: dict[str, Any] = {"patient_id": uuid.UUID(int=5), "patient_id_value": "77", "patient_issuer": "HOSPITAL"}
    for study in (OLD, OTHER):
        insert(session, Study, id=study)
        insert(session, Series, id=uuid.UUID(int=study.int + 900), study_id=study, body_part="HEAD")
    for study, day in ((HEAD, date(2026, 2, 22)), (OLD, date(2015, 5, 5)), (KNEE, date(2025, 1, 1))):
        born = {"patient_birth_date": date(1970, 1, 1), "study_date": day, "patient_spellings": "=meier anna="}
        session.execute(sa.update(Study).where(Study.id == study).values(**mine, **born))
        follow_to_patient(session, study, mine["patient_id"])
    other = {"patient_id": uuid.UUID(int=6), "patient_id_value": "77", "patient_issuer": "PRACTICE"}
    session.execute(sa.update(Study).where(Study.id == OTHER).values(**other))
    parts = {HEAD_CT: "HEAD", HEAD_MR: "HEAD", KNEE_MR: "KNEE"}
    for series, part in parts.items():
        session.execute(sa.update(Series).where(Series.id == series).values(body_part=part))
    return session


def test_who_sees_a_study_sees_the_patients_others_as_far_as_the_rule_goes(history: Session) -> None:
    give(history, Target("study", HEAD), Right.SEE, Right.DOWNLOAD)
    for rule, expected in (
        (PriorRuleView(), {HEAD}),
        (PriorRuleView("all"), {HEAD, OLD, KNEE}),
        (PriorRuleView("body-part"), {HEAD, OLD}),
        (PriorRuleView("all", years=5), {HEAD, KNEE}),
        (PriorRuleView("body-part", years=5), {HEAD}),
        (PriorRuleView("all", marked_only=True), {HEAD}),
    ):
        set_prior_rule(history, ORGANISATION, rule)
        assert listed(history, principal()) == expected, rule
    set_prior_rule(history, ORGANISATION, PriorRuleView("all", marked_only=True))
    give(history, Target("source", MR_SOURCE), Right.SEE, who=Grantee("account", "bert"), priors=True)
    assert listed(history, principal("bert")) == {HEAD, OLD, KNEE}
    set_prior_rule(history, ORGANISATION, PriorRuleView("all"))
    assert seen(history, principal(), Right.DOWNLOAD)[0] == {HEAD}, "to look, not to take away"
    assert seen(history, principal())[1] >= {KNEE_MR, uuid.UUID(int=OLD.int + 900)}
    hide(history, KNEE)
    assert listed(history, principal()) == {HEAD, OLD}, "never a restricted one"
    assert seen(history, principal("carl"))[0] == set()


def test_the_rule_goes_by_no_doubtful_match_and_not_by_links_or_broken_glass(history: Session) -> None:
    set_prior_rule(history, ORGANISATION, PriorRuleView("all"))
    give(history, Target("study", HEAD), Right.SEE, who=LINK)
    give(history, Target("study", HEAD), Right.SEE, Right.SHARE)
    assert seen(history, by_link(principal()))[0] == {HEAD}, "a link shows what it names"
    give(history, Target("study", HEAD), Right.SEE, who=Grantee("account", "b"), origin="break-glass")
    assert listed(history, principal("b")) == {HEAD}
    born = sa.update(Study).where(Study.id == OLD).values(patient_birth_date=date(1971, 1, 1))
    history.execute(born)
    assert listed(history, principal()) == {HEAD, KNEE}, "another date of birth"
    other = sa.update(Study).where(Study.id == KNEE).values(patient_spellings="=schulz anna=")
    history.execute(other)
    assert listed(history, principal()) == {HEAD}, "another name"
    history.execute(sa.update(Study).values(patient_issuer=""))
    assert listed(history, principal()) == {HEAD}, "a bare patient ID"
    history.execute(sa.update(Study).values(patient_issuer="HOSPITAL"))
    over = sa.update(Holding).where(Holding.source_id == MR_SOURCE).values(ends_at=NOW)
    history.execute(over)
    give(history, Target("source", MR_SOURCE), Right.SEE, who=Grantee("account", "c"))
    assert listed(history, principal("c")) == set()


def test_earlier_studies_show_no_more_of_a_patient_than_the_study_that_leads_to_them(history: Session) -> None:
    set_prior_rule(history, ORGANISATION, PriorRuleView("all"))
    give(history, Target("study", HEAD), Right.SEE, identity="alias")
    found = scope(history, principal(), Right.SEE, now=NOW)
    assert (found.identity, listed(history, principal())) == ("alias", {HEAD, OLD, KNEE})
