"""Studies reach a group by rule as they are indexed: once, however often, and on record."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Conditions, Principal, Right, WantedRestriction, WantedRule, add_member, create_group, scope
from radrelay.access.errors import RuleHasReleases
from radrelay.access.models import Grant, Member, RuleRelease
from radrelay.archive import rule_facts
from radrelay.archive.deletion import delete_study
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Sender, Study
from radrelay.archive.senders import NOTHING_NEW
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from tests.archive.arriving import START, Door, arrival

KNEE: dict[str, Any] = {"study_uid": "1.2.4", "series_uid": "1.2.4.1", "sop_uid": "1.2.4.1.1", "body_part": "KNEE"}


@pytest.fixture
def door(door: Door) -> Door:
    audit.install(door.database, "work", FixedClock(START), bytes(32))
    return door


def group(door: Door, name: str = "Ward 3", *, sees_restricted: bool = False) -> uuid.UUID:
    with door.database.write() as session:
        made = create_group(session, door.organisation_id, name, now=START)
        add_member(session, door.organisation_id, made.id, "account", f"of {name}")
        if sees_restricted:
            access.change_group(session, door.organisation_id, made.id, sees_restricted=True)
        return made.id


def rule(door: Door, to: uuid.UUID, *, to_all: bool = False, days: int | None = None, **asked: Any) -> access.RuleView:
    with door.database.write() as session:
        lock_archive(session)
        wanted = WantedRule("a rule", to, Conditions(**asked), days=days)
        return access.add_release_rule(session, door.organisation_id, wanted, "root", START, to_all=to_all)


def crash_after(door: Door, doing: Callable[[Session], object]) -> object:
    """Do something in a transaction that is lost before it ends, and return what it answered."""

    class PowerLost(Exception):
        pass

    def lose() -> None:
        with door.database.write() as session:
            answers.append(doing(session))
            raise PowerLost

    answers: list[object] = []
    with pytest.raises(PowerLost):
        lose()
    return answers[0]


def catch_up(door: Door) -> int:
    rounds = 0
    while True:
        with door.database.write() as session:
            if not rule_facts.catch_up(session, START):
                return rounds
        rounds += 1


def sees(door: Door, name: str = "Ward 3", after: timedelta = timedelta(), right: Right = Right.SEE) -> set[str]:
    who = Principal("account", f"of {name}", name, door.organisation_id, "user")
    with door.database.read() as session:
        found = scope(session, who, right, now=START + after)
        return set(session.scalars(sa.select(Study.study_uid).where(found.study_filter(Study.id))))


def given(door: Door) -> int:
    return len(door.rows(Grant, origin="rule"))


def events(door: Door, action: str) -> list[AuditEvent]:
    return door.rows(AuditEvent, action=action)


def test_a_study_is_released_as_it_arrives_and_once_however_often_it_is_looked_at(door: Door) -> None:
    rule(door, group(door), body_part="knee", days=1)
    door.bring()
    door.bring(**KNEE)
    assert sees(door) == {"1.2.4"}
    assert sees(door, right=Right.DOWNLOAD) == set()
    assert (sees(door, after=timedelta(days=1)), given(door)) == (set(), 1)
    door.bring(at=START + timedelta(seconds=5), **KNEE)  # the same again
    door.bring(at=START + timedelta(hours=30), **KNEE | {"series_uid": "1.2.4.2", "sop_uid": "1.2.4.2.1"})
    assert given(door) == 1, "what was released for a day does not begin again with a later series"
    [event] = events(door, "release.give")
    assert (event.actor_kind, json.loads(event.detail)["by"], event.patient_ref is not None) == ("system", "rule", True)
    assert event.study_id == door.study("1.2.4").id


def test_what_comes_later_may_bring_a_study_under_a_rule(door: Door) -> None:
    rule(door, group(door), modality="MR", department="Orthopadie")
    other = door.other()
    by_other = group(door, "Practice")
    rule(door, by_other, source_id=other.source.id, calling_ae="MR_SUED")
    department = json.dumps({"00081040": {"vr": "LO", "Value": ["Orthopädie Nord"]}})
    door.bring()
    assert sees(door) == set()
    door.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.1", modality="MR", series_json=department)
    assert sees(door) == {"1.2.3"}
    other.bring_all([arrival(other.source, START)])
    assert sees(door, "Practice") == set(), "the same object, from elsewhere, but by another device"
    again = [arrival(other.source, START) for _ in range(2)]
    other.bring_all([replace(one, calling_ae="MR_SUED", called_ae="RADRELAY") for one in again])
    assert sees(door, "Practice") == {"1.2.3"}
    door.bring()  # what it brought before is nothing new
    series = [(one.calling_ae, one.series_id == NOTHING_NEW) for one in door.rows(Sender)]
    assert sorted(series) == [("", False), ("", False), ("", True), ("MR_SUED", True)]


def test_a_crash_or_two_at_once_release_once_and_what_was_taken_back_stays_back(door: Door) -> None:
    rule(door, group(door), body_part="KNEE")
    crash_after(door, lambda session: upsert_batch(session, [arrival(door.source, **KNEE)]))
    assert (given(door), door.rows(Study)) == (0, [])

    def bring(number: int) -> None:
        door.bring(**KNEE | {"series_uid": f"1.2.4.{number}", "sop_uid": f"1.2.4.{number}.1"})

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (given(door), len(events(door, "release.give")), door.study("1.2.4").series_count) == (1, 1, 4)
    [one] = door.rows(Grant, origin="rule")
    with door.database.write() as session:
        access.revoke(session, door.organisation_id, one.id)
    bring(7)
    assert (given(door), sees(door)) == (0, set())
    with door.database.write() as session:
        delete_study(session, door.study("1.2.4").id, START)
    assert (door.rows(RuleRelease), door.rows(Sender)) == ([], [])
    bring(1)
    assert given(door) == 1, "what comes again is a new study"


def test_a_rule_opens_no_restricted_study_but_to_a_group_that_sees_them(door: Door) -> None:
    ward, doctor = group(door), group(door, "Works doctor", sees_restricted=True)
    rule(door, ward, body_part="KNEE")
    rule(door, doctor, body_part="KNEE")
    with door.database.write() as session:
        lock_archive(session)
        hidden = access.restrict(session, door.organisation_id, WantedRestriction("study", "1.2.4"), "root", START)
    door.bring(**KNEE)
    assert (sees(door), sees(door, "Works doctor")) == (set(), {"1.2.4"})
    with door.database.write() as session:
        access.lift(session, door.organisation_id, hidden.id)
    assert sees(door) == {"1.2.4"}


def test_a_rule_goes_through_what_is_here_and_goes_on_after_a_crash(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_facts, "CHUNK", 2)
    for number in range(5):
        uid = f"1.3.{number}"
        door.bring(study_uid=uid, series_uid=f"{uid}.1", sop_uid=f"{uid}.1.1", body_part="KNEE" if number else "HEAD")
    rule(door, group(door), to_all=True, body_part="KNEE")
    later = rule(door, group(door, "Later"), body_part="KNEE")
    with door.database.write() as session:
        assert rule_facts.catch_up(session, START)
    crash_after(door, lambda session: rule_facts.catch_up(session, START))
    assert catch_up(door) == 2
    assert (sees(door), given(door)) == ({"1.3.1", "1.3.2", "1.3.3", "1.3.4"}, 4)
    assert sees(door, "Later") == set(), "only what arrives from now on"
    assert not later.applying


def test_a_rule_that_goes_is_asked_about_its_releases_and_a_group_takes_its_rules_along(door: Door) -> None:
    ward = group(door)
    first = rule(door, ward, body_part="KNEE")
    door.bring(**KNEE)

    def delete(session: Session, fate: access.Fate | None) -> int:
        return len(access.delete_release_rule(session, door.organisation_id, first.id, START, fate=fate)[1])

    with pytest.raises(RuleHasReleases), door.database.write() as session:
        delete(session, None)
    kept = crash_after(door, lambda session: (delete(session, "keep"), len(session.scalars(sa.select(Grant)).all())))
    assert kept == (0, 1)
    with door.database.write() as session:
        moved = WantedRule("moved", ward, Conditions(body_part="HEAD"))
        _, ended = access.change_release_rule(
            session, door.organisation_id, first.id, 1, moved, START, fate="end", to_all=False
        )
        rule_facts.note_ended(session, door.organisation_id, ended, access.system_principal(door.organisation_id))
    assert (sees(door), given(door), len(events(door, "release.end"))) == (set(), 0, 1)
    door.bring()
    assert sees(door) == {"1.2.3"}
    with door.database.write() as session:
        access.delete_group(session, door.organisation_id, ward)
        assert access.release_rules(session, door.organisation_id, START) == []
    assert (door.rows(Member), given(door)) == ([], 0)
