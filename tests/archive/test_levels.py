"""Searches below the study and the lookup of instances, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from radrelay.access import Principal, Right, Scope, ensure_default_grants, scope
from radrelay.archive import deletion, levels
from radrelay.archive.instances import find_instances
from radrelay.archive.matching import BadMatchingKey, Json, Level, level_queries
from radrelay.archive.models import Holding, Instance
from radrelay.archive.nameless import TOLD
from radrelay.settings import Settings
from tests.archive.arriving import HOUR_S, START, Door

STUDY, SERIES, SOP = 0x0020000D, 0x0020000E, 0x00080018


def reach_of(door: Door) -> Scope:
    principal = Principal("system", "test", "test", door.organisation_id, role="system")
    with door.database.read() as session:
        return scope(session, principal, Right.SEE, now=START)


def found(door: Door, level: Level, keys: dict[int, str], limit: int = 100, offset: int = 0) -> list[Json]:
    with door.database.read() as session:
        return levels.find(
            session, reach_of(door), level, level_queries(keys, level), START, limit=limit, offset=offset
        )


def uids(rows: list[Json], tag: int) -> list[str]:
    return [row[f"{tag:08X}"]["Value"][0] for row in rows]


@pytest.fixture
def filled(door: Door) -> Door:
    door.bring_all(door.slices(5))
    door.bring_all(door.slices(2, series_uid="1.2.3.2", modality="MR", series_number=None, series_description="T2 tra"))
    door.bring_all(door.slices(1, study_uid="1.2.4", series_uid="1.2.4.1", patient_id="4712", patient_name="Ng^An"))
    return door


def test_series_and_instances_match_by_their_own_keys_and_those_above(filled: Door) -> None:
    assert len(found(filled, "SERIES", {})) == 3
    assert uids(found(filled, "SERIES", {STUDY: "1.2.3"}), SERIES) == ["1.2.3.1", "1.2.3.2"]
    assert uids(found(filled, "SERIES", {0x00080060: "MR"}), SERIES) == ["1.2.3.2"]
    assert uids(found(filled, "SERIES", {0x0008103E: "t2*"}), SERIES) == ["1.2.3.2"]
    assert uids(found(filled, "SERIES", {0x00100010: "ng*"}), SERIES) == ["1.2.4.1"]
    assert len(found(filled, "IMAGE", {})) == 8
    assert uids(found(filled, "IMAGE", {SERIES: "1.2.3.1"}, limit=2, offset=1), SOP) == ["1.2.3.1.2", "1.2.3.1.3"]
    assert uids(found(filled, "IMAGE", {SOP: "1.2.3.1.5\\1.2.4.1.1\\9"}), SOP) == ["1.2.3.1.5", "1.2.4.1.1"]
    assert found(filled, "IMAGE", {0x00200013: "9"}) == []
    (one,) = found(filled, "IMAGE", {SOP: "1.2.4.1.1"})
    assert one["00100010"]["Value"] == [{"Alphabetic": "Ng^An"}]
    assert (one["00280010"]["Value"], one["00200013"]["Value"]) == ([512], [1])


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_pages_hold_what_one_search_finds(filled: Door, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "PAGE", 2)
    monkeypatch.setattr(levels, "PATIENT_PAGE", 1)
    pages = list(levels.pages(filled.database, reach_of(filled), level, level_queries({}, level), START))
    assert [row for page in pages for row in page] == found(filled, level, {})
    assert all(len(page) <= 2 for page in pages)


def test_who_may_not_see_names_gets_none(filled: Door) -> None:
    queries = level_queries({})
    below: tuple[Level, ...] = ("STUDY", "SERIES", "IMAGE")
    for level in below:
        for page in levels.pages(filled.database, reach_of(filled), level, queries, START, clear=False):
            assert all(TOLD.issuperset(row) for row in page)
    assert list(levels.pages(filled.database, reach_of(filled), "PATIENT", queries, START, clear=False)) == []


def test_a_scope_hides_series_at_every_level(filled: Door) -> None:
    with filled.database.write() as session:
        ensure_default_grants(session, filled.organisation_id, Settings().dicom.query_callers, START)
    nobody = Principal("account", "x", "x", filled.organisation_id, role="stranger")
    every: tuple[Level, ...] = ("PATIENT", "STUDY", "SERIES", "IMAGE")
    with filled.database.read() as session:
        reach = scope(session, nobody, Right.SEE, now=START)
        for level in every:
            assert levels.find(session, reach, level, level_queries({}), START, limit=9) == []


def test_instances_are_found_by_every_way_and_only_while_they_live(filled: Door) -> None:
    def sops(at: object = START, **how: object) -> list[str]:
        with filled.database.read() as session:
            refs = find_instances(session, at, organisation_id=filled.organisation_id, **how)  # type: ignore[arg-type]
        return [ref.sop_uid for ref in refs]

    instance = filled.rows(Instance, sop_uid="1.2.3.1.3")[0]
    assert sops(series_id=instance.series_id) == [f"1.2.3.1.{n}" for n in range(1, 6)]
    assert len(sops(study_id=instance.study_id)) == 7
    assert sops(instance_ids=[instance.id]) == ["1.2.3.1.3"]
    assert sops(instance_ids=[]) == []
    assert sops(series_id=instance.series_id, sop_uid="1.2.3.1.2") == ["1.2.3.1.2"]
    assert len(sops(within=sa.true())) == 8
    assert sops(within=Instance.number == 4) == ["1.2.3.1.4"]
    assert sops(START + timedelta(seconds=49 * HOUR_S)) == []
    with filled.database.write() as session:
        session.execute(sa.update(Holding).values(ends_at=None))
    assert len(sops(START + timedelta(days=900))) == 8
    with filled.database.write() as session:
        deletion.delete_instance(session, instance.id, START)
    assert sops(instance_ids=[instance.id]) == []


def test_superseded_versions_are_found_only_when_asked_for(door: Door) -> None:
    source = door.other(duplicate_policy="supersede")
    source.bring(content="one")
    source.bring(content="two")
    with door.database.read() as session:
        now = find_instances(session, START, organisation_id=door.organisation_id)
        ever = find_instances(session, START, organisation_id=door.organisation_id, current=False)
    assert (len(now), len(ever)) == (1, 2)
    assert ever[0].id == now[0].id  # the newest first


def test_keys_below_the_level_are_named_and_not_matched() -> None:
    queries = level_queries({0x0008103E: "x", SOP: "1", 0x00280301: "NO", 0x00080060: "CT"}, "STUDY")
    assert set(queries.unmatched) == {0x0008103E, SOP, 0x00280301}
    assert queries.study.modalities == ("CT",)
    assert (queries.series.description, queries.instance.sop_uids) == ("", ())
    assert level_queries({SOP: "1"}, "SERIES").unmatched == (SOP,)
    assert level_queries({SOP: "1", 0x00100010: "", 0x00100020: "*"}).unmatched == ()
    for tag, text in ((0x00200013, "one"), (0x00080020, "2024-01-01x"), (0x00080030, "25")):
        with pytest.raises(BadMatchingKey):
            level_queries({tag: text})
