"""The one rule: what a grant lets see, and nothing besides; by series, by source, by study, until its end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import (
    Grantee,
    Principal,
    Right,
    Target,
    add_member,
    change_group,
    create_group,
    delete_group,
    ensure_default_grants,
    follow_directory,
    grant,
    groups,
    groups_of,
    members_of,
    remove_member,
    revoke,
    scope,
    system_principal,
)
from radrelay.access.errors import GroupExists
from radrelay.access.models import Grant
from radrelay.archive.models import Holding, Instance, InstanceHolding, Series, Study
from radrelay.errors import Invalid, NotFound
from radrelay.storage.columns import Base, Id, Instant
from tests.backends import open_database
from tests.schema import lay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORGANISATION = uuid.UUID(int=1)
CT_SOURCE, MR_SOURCE = uuid.UUID(int=11), uuid.UUID(int=12)
HEAD, KNEE = uuid.UUID(int=21), uuid.UUID(int=22)
HEAD_CT, HEAD_MR, KNEE_MR = uuid.UUID(int=31), uuid.UUID(int=32), uuid.UUID(int=33)


def principal(name: str = "anna", kind: str = "account", role: str = "user") -> Principal:
    return Principal(kind, name, name, ORGANISATION, role)  # type: ignore[arg-type]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The head has a CT and an MR series of two sources, the knee an MR series."""
    database = open_database(tmp_path)
    lay(database)
    with database.write() as opened:
        for study in (HEAD, KNEE):
            insert(opened, Study, id=study)
        tables = [(HEAD, HEAD_CT, CT_SOURCE), (HEAD, HEAD_MR, MR_SOURCE), (KNEE, KNEE_MR, MR_SOURCE)]
        for number, (study, series, source) in enumerate(tables):
            holding, instance = uuid.UUID(int=100 + number), uuid.UUID(int=200 + number)
            insert(opened, Holding, id=holding, study_id=study, source_id=source)
            insert(opened, Series, id=series, study_id=study)
            insert(opened, Instance, id=instance, study_id=study, series_id=series, holding_id=holding)
        yield opened
    database.close()


def anything(kind: sa.types.TypeEngine[Any]) -> object:
    if isinstance(kind, Id):
        return uuid.uuid4()
    if isinstance(kind, Instant):
        return NOW
    if isinstance(kind, sa.Integer):
        return uuid.uuid4().int % 10**9
    return b"x" if isinstance(kind, sa.LargeBinary) else uuid.uuid4().hex[:16]


def insert(session: Session, model: type[Base], **given: object) -> None:
    """Insert a row with what matters here; the rest is filled with anything."""
    row: dict[str, object] = dict(given)
    if "organisation_id" in model.__table__.columns:
        row["organisation_id"] = ORGANISATION
    if model is Holding:
        row["patient_id"] = session.scalar(sa.select(Study.patient_id).where(Study.id == row["study_id"]))
    for column in model.__table__.columns:
        if column.name not in row and not column.nullable and column.default is None and column.computed is None:
            row[column.name] = anything(column.type)
    session.execute(sa.insert(model), [row])


def seen(
    session: Session, who: Principal, right: Right = Right.SEE, now: datetime = NOW
) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    found = scope(session, who, right, now=now)
    studies = session.scalars(sa.select(Study.id).where(found.study_filter(Study.id)))
    series = session.scalars(sa.select(Series.id).where(found.series_filter(Series.study_id, Series.id)))
    told = set(studies), set(series)
    listed = found.listed(session, Study.id)
    for condition in [listed.condition, *(make() for make in (listed.each, listed.sooner) if make is not None)]:
        assert set(session.scalars(sa.select(Study.id).where(condition))) == told[0]
    return told


def give(session: Session, target: Target, *rights: Right, who: Grantee | None = None, **more: object) -> uuid.UUID:
    return grant(session, ORGANISATION, who or Grantee("account", "anna"), target, rights, now=NOW, **more)  # type: ignore[arg-type]


def test_without_a_grant_there_is_nothing(session: Session) -> None:
    assert seen(session, principal()) == (set(), set())
    assert scope(session, principal(), Right.SEE).nothing


def test_a_study_is_seen_with_all_its_series_and_with_that_right_alone(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE)
    assert seen(session, principal()) == ({HEAD}, {HEAD_CT, HEAD_MR})
    assert seen(session, principal(), Right.DOWNLOAD) == (set(), set())
    assert seen(session, principal("bert")) == (set(), set())


def test_a_series_shows_its_study_and_not_its_neighbours(session: Session) -> None:
    give(session, Target("series", HEAD_MR), Right.SEE)
    assert seen(session, principal()) == ({HEAD}, {HEAD_MR})


def test_a_source_shows_what_it_brought(session: Session) -> None:
    give(session, Target("source", MR_SOURCE), Right.SEE)
    assert seen(session, principal()) == ({HEAD, KNEE}, {HEAD_MR, KNEE_MR})
    insert(
        session, InstanceHolding, instance_id=uuid.UUID(int=200), holding_id=uuid.UUID(int=101), organisation_id=None
    )
    assert seen(session, principal())[1] == {HEAD_CT, HEAD_MR, KNEE_MR}, "the MR source brought the CT as well"


def test_a_source_shows_nothing_of_a_study_that_only_others_still_hold(session: Session) -> None:
    give(session, Target("source", MR_SOURCE), Right.SEE)
    over = sa.update(Holding).where(Holding.source_id == MR_SOURCE, Holding.study_id == HEAD).values(ends_at=NOW)
    session.execute(over)
    assert seen(session, principal()) == ({KNEE}, {KNEE_MR})
    assert seen(session, principal(), now=NOW - timedelta(seconds=1))[0] == {HEAD, KNEE}


def test_grants_add_up(session: Session) -> None:
    give(session, Target("series", HEAD_CT), Right.SEE)
    give(session, Target("study", KNEE), Right.SEE)
    assert seen(session, principal()) == ({HEAD, KNEE}, {HEAD_CT, KNEE_MR})


def test_a_grant_ends_at_its_moment_and_when_it_is_revoked(session: Session) -> None:
    given = give(session, Target("study", HEAD), Right.SEE, ends_at=NOW + timedelta(hours=1))
    assert seen(session, principal())[0] == {HEAD}
    assert seen(session, principal(), now=NOW + timedelta(hours=1))[0] == set()
    revoke(session, uuid.UUID(int=99), given)
    assert seen(session, principal())[0] == {HEAD}, "another organisation revokes nothing here"
    revoke(session, ORGANISATION, given)
    assert seen(session, principal())[0] == set()


def test_devices_and_roles_and_anybody(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("ae", "WORKSTATION"))
    give(session, Target("study", KNEE), Right.SEE, who=Grantee("role", "admin"))
    assert seen(session, principal("WORKSTATION", "ae", ""))[0] == {HEAD}
    assert seen(session, principal("OTHER", "ae", ""))[0] == set()
    assert seen(session, principal("WORKSTATION", "account", "user"))[0] == set(), "a name is not an AE title"
    assert seen(session, principal(role="admin"))[0] == {KNEE}
    give(session, Target("study", KNEE), Right.SEE, who=Grantee("ae", "*"))
    assert seen(session, principal("OTHER", "ae", ""))[0] == {KNEE}


def test_another_organisations_principal_has_no_grants_here(session: Session) -> None:
    give(session, Target("organisation"), *Right)
    stranger = Principal("account", "anna", "anna", uuid.UUID(int=2), "user")
    assert scope(session, stranger, Right.SEE).nothing


def test_who_has_anything_by_alias_sees_all_by_alias_unless_the_whole_is_clear(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE)
    assert scope(session, principal(), Right.SEE, now=NOW).identity == "clear"
    give(session, Target("study", KNEE), Right.SEE, identity="alias")
    assert scope(session, principal(), Right.SEE, now=NOW).identity == "alias"
    give(session, Target("organisation"), Right.SEE)
    assert scope(session, principal(), Right.SEE, now=NOW).identity == "clear"


def test_the_programs_own_work_sees_everything(session: Session) -> None:
    assert seen(session, system_principal(ORGANISATION)) == ({HEAD, KNEE}, {HEAD_CT, HEAD_MR, KNEE_MR})


def test_a_new_organisation_shares_everything_and_devices_follow_the_setting(session: Session) -> None:
    ensure_default_grants(session, ORGANISATION, ["*"], NOW)
    for who in (principal(), principal(role="admin"), principal("t", "token", "user"), principal("ANY", "ae", "")):
        assert scope(session, who, Right.SEE).everything
    assert scope(session, principal("ANY", "ae", ""), Right.DELETE).nothing
    ensure_default_grants(session, ORGANISATION, ["WORKSTATION"], NOW)
    assert scope(session, principal("ANY", "ae", ""), Right.SEE).nothing
    assert scope(session, principal("WORKSTATION", "ae", ""), Right.SEE).everything
    session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role", Grant.grantee_id == "user"))
    ensure_default_grants(session, ORGANISATION, ["WORKSTATION"], NOW)
    assert scope(session, principal(), Right.SEE).nothing, "what an administrator took away stays away"


def test_what_an_administrator_did_to_devices_stays_when_radrelay_starts_again(session: Session) -> None:
    ensure_default_grants(session, ORGANISATION, ["*"], NOW)
    session.execute(sa.delete(Grant).where(Grant.grantee_kind == "ae"))
    grant(session, ORGANISATION, Grantee("ae", "READING"), Target("organisation"), [Right.SEE], now=NOW)
    ensure_default_grants(session, ORGANISATION, ["*"], NOW)
    assert scope(session, principal("ANY", "ae", ""), Right.SEE).nothing, "what was taken away stays away"
    assert scope(session, principal("READING", "ae", ""), Right.SEE).everything, "and what was given is there"
    ensure_default_grants(session, ORGANISATION, ["WORKSTATION"], NOW)
    assert scope(session, principal("WORKSTATION", "ae", ""), Right.SEE).everything, "the setting has changed"
    assert scope(session, principal("READING", "ae", ""), Right.SEE).everything, "which another's grant is not of"
    ensure_default_grants(session, ORGANISATION, ["*"], NOW)
    assert scope(session, principal("WORKSTATION", "ae", ""), Right.DOWNLOAD).everything


def test_who_was_given_grants_of_their_own_does_not_see_everything_after_a_restart(session: Session) -> None:
    ensure_default_grants(session, ORGANISATION, [], NOW)
    session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role"))
    give(session, Target("study", HEAD), Right.SEE)
    ensure_default_grants(session, ORGANISATION, [], NOW)
    assert seen(session, principal())[0] == {HEAD}


def test_when_every_grant_was_taken_away_a_restart_gives_none_back(session: Session) -> None:
    ensure_default_grants(session, ORGANISATION, [], NOW)
    session.execute(sa.delete(Grant))
    ensure_default_grants(session, ORGANISATION, [], NOW)
    assert scope(session, principal(), Right.SEE).nothing
    assert scope(session, principal(role="admin"), Right.SEE).nothing


def test_members_of_a_group_see_what_it_was_granted_and_nobody_else_does(session: Session) -> None:
    ward, other = (create_group(session, ORGANISATION, name, now=NOW) for name in ("Ward 3", "Ward 4"))
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("group", str(ward.id)))
    give(session, Target("study", KNEE), Right.SEE, who=Grantee("group", str(other.id)))
    assert add_member(session, ORGANISATION, ward.id, "account", "anna") is True
    assert add_member(session, ORGANISATION, ward.id, "account", "anna") is False
    assert seen(session, principal())[0] == {HEAD}
    assert seen(session, principal("bert"))[0] == set()
    assert seen(session, principal("anna", "token"))[0] == set(), "an account's id is no token's"
    assert seen(session, principal(str(ward.id)))[0] == set(), "a group is not an account"
    stranger = Principal("account", "anna", "anna", uuid.UUID(int=2), "user")
    assert scope(session, stranger, Right.SEE).nothing
    assert remove_member(session, ORGANISATION, ward.id, "account", "anna") is True
    assert seen(session, principal())[0] == set()


def test_a_deleted_group_leaves_no_grant_behind(session: Session) -> None:
    ward = create_group(session, ORGANISATION, "Ward 3", now=NOW)
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("group", str(ward.id)))
    add_member(session, ORGANISATION, ward.id, "account", "anna")
    with pytest.raises(NotFound):
        delete_group(session, uuid.UUID(int=2), ward.id)
    delete_group(session, ORGANISATION, ward.id)
    assert seen(session, principal())[0] == set()
    assert session.scalars(sa.select(Grant.id)).all() == []
    assert groups(session, ORGANISATION) == []


def test_groups_have_names_of_their_own(session: Session) -> None:
    create_group(session, ORGANISATION, " Ward   3 ", now=NOW)
    with pytest.raises(GroupExists):
        create_group(session, ORGANISATION, "WARD 3", now=NOW)
    create_group(session, uuid.UUID(int=2), "Ward 3", now=NOW)
    other = create_group(session, ORGANISATION, "Ward 4", now=NOW)
    with pytest.raises(GroupExists):
        change_group(session, ORGANISATION, other.id, name="ward 3")
    for wrong in ("", " ", "--", "x" * 201):
        with pytest.raises(Invalid):
            create_group(session, ORGANISATION, wrong, now=NOW)
    assert [one.name for one in groups(session, ORGANISATION)] == ["Ward 3", "Ward 4"]


def test_the_directory_moves_its_own_members_and_leaves_those_put_there_by_hand(session: Session) -> None:
    ward = create_group(session, ORGANISATION, "Ward 3", now=NOW)
    add_member(session, ORGANISATION, ward.id, "account", "by-hand")
    assert follow_directory(session, ORGANISATION, ward.id, {"anna", "bert"}) == (["anna", "bert"], [])
    add_member(session, ORGANISATION, ward.id, "account", "bert")
    assert follow_directory(session, ORGANISATION, ward.id, {"carl"}) == (["carl"], ["anna"])
    assert {one.id for one in members_of(session, ORGANISATION, ward.id)} == {"bert", "by-hand", "carl"}
    assert [one.name for one in groups_of(session, ORGANISATION, "account", "bert")] == ["Ward 3"]
    [row] = groups(session, ORGANISATION)
    assert (row.members, row.grants) == (3, 0)


def test_a_grant_on_the_whole_names_no_part(session: Session) -> None:
    with pytest.raises(ValueError, match="organisation"):
        give(session, Target("organisation", HEAD), Right.SEE)
    with pytest.raises(ValueError, match="study"):
        give(session, Target("study"), Right.SEE)


def by_link(sharer: Principal | None) -> Principal:
    return Principal("link", "l1", "Link: anna", ORGANISATION, sharer=sharer)


LINK = Grantee("link", "l1")


def test_a_link_reaches_what_it_holds_as_far_as_its_maker_may_share_it(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE, Right.DOWNLOAD, who=LINK)
    for sharer in (None, principal(), by_link(principal())):
        assert seen(session, by_link(sharer)) == (set(), set()), "nobody may share it"
    give(session, Target("organisation"), Right.SEE)
    assert seen(session, by_link(principal())) == (set(), set()), "to see is not to share"
    shared = give(session, Target("organisation"), Right.SHARE)
    assert seen(session, by_link(principal())) == ({HEAD}, {HEAD_CT, HEAD_MR})
    assert seen(session, by_link(principal()), Right.DOWNLOAD) == (set(), set()), "its maker may not download"
    assert not scope(session, by_link(principal()), Right.SEE).everything
    revoke(session, ORGANISATION, shared)
    assert seen(session, by_link(principal())) == (set(), set())
    assert scope(session, by_link(principal()), Right.SEE).nothing


def test_a_link_and_its_maker_meet_series_by_series(session: Session) -> None:
    give(session, Target("series", HEAD_CT), Right.SEE, who=LINK)
    give(session, Target("source", MR_SOURCE), Right.SEE, Right.SHARE)
    assert seen(session, by_link(principal())) == (set(), set()), "both reach the study, and no series of it both"
    give(session, Target("source", CT_SOURCE), Right.SEE, Right.SHARE)
    assert seen(session, by_link(principal())) == ({HEAD}, {HEAD_CT})


def test_a_link_names_no_patient_whom_its_maker_may_not_know(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE, who=LINK)
    give(session, Target("organisation"), Right.SEE)
    share = give(session, Target("organisation"), Right.SHARE, identity="alias")
    assert scope(session, by_link(principal()), Right.SEE).identity == "alias"
    revoke(session, ORGANISATION, share)
    give(session, Target("organisation"), Right.SHARE)
    assert scope(session, by_link(principal()), Right.SEE).identity == "clear"
