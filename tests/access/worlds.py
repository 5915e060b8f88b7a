"""Small random worlds of studies, grants and rules, and the rule of who sees what in plain Python, row by row.

It is written from the rule's words (`docs/administration.md`), slowly and without SQL, so that the fast queries have
something to be compared with.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Principal, PriorRuleView, Right, set_prior_rule
from radrelay.access.grants import join_rights
from radrelay.access.models import Grant, Group, Member, Restricted
from radrelay.access.prior_rules import PriorReach
from radrelay.archive import search_index
from radrelay.archive.models import Holding, Instance, InstanceHolding, Modality, Series, Study
from tests.access.test_scope import NOW, ORGANISATION, insert

SOURCES = [uuid.UUID(int=n) for n in range(11, 14)]
GROUPS = [uuid.UUID(int=n) for n in range(41, 44)]
NAMES = ["", "=meier anna=", "=meier anna=山田 花=", "=schulz bert="]
REACHES: list[PriorReach] = ["none", "all", "all", "body-part"]
RIGHTS = [[Right.SEE], [Right.SEE, Right.SHARE], [Right.SEE, Right.SHARE], [Right.DOWNLOAD]]
WORDS = ["", "", "meier", "schulz", "an"]  # that are looked for; the last one is too short for the index of texts
MODALITIES = ["CT", "MR", "US"]


@dataclass
class World:
    """Rows of one world, as they stand in the database."""

    rule: PriorRuleView
    studies: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    series: list[dict[str, Any]] = field(default_factory=list)
    instances: list[dict[str, Any]] = field(default_factory=list)
    holdings: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    further: list[dict[str, Any]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)  # of groups, by account
    trusted: set[str] = field(default_factory=set)  # groups that see restricted studies
    restricted: set[uuid.UUID] = field(default_factory=set)
    texts: list[search_index.Entry] = field(default_factory=list)


def build(session: Session, rng: random.Random) -> World:
    """Write a world."""
    world = World(PriorRuleView(rng.choice(REACHES), rng.choice([None, None, 5]), rng.random() < 0.3))
    set_prior_rule(session, ORGANISATION, world.rule)
    numbers = count(1000)
    for place in range(rng.randint(6, 14)):
        _study(session, world, rng, place, numbers)
    search_index.add(session, world.texts)
    for key in GROUPS:
        sees = rng.random() < 0.3
        insert(session, Group, id=key, key=str(key), name=str(key), name_folded=str(key), sees_restricted=sees)
        if sees:
            world.trusted.add(str(key))
    for name in ("anna", "bert"):
        world.members[name] = {str(key) for key in GROUPS if rng.random() < 0.5}
        for group in world.members[name]:
            insert(session, Member, group_id=group, member_kind="account", member_id=name, origin="hand")
    for _ in range(rng.randint(6, 30)):
        _grant(session, world, rng)
    return world


def _study(session: Session, world: World, rng: random.Random, place: int, numbers: Any) -> None:
    patient = rng.randint(1, 3)
    day = date(2026, 2, 1) - timedelta(days=rng.choice([0, 10, 400, 3000]))
    row: dict[str, Any] = {
        "id": uuid.UUID(int=100 + place), "sort_key": 10_000 + 10 * place + rng.randint(0, 9),
        "patient_id": uuid.UUID(int=patient), "patient_id_value": "" if patient == 3 else str(patient),
        "patient_issuer": rng.choice(["HOSPITAL", "HOSPITAL", ""]), "patient_spellings": rng.choice(NAMES),
        "patient_birth_date": rng.choice([None, date(1970, 1, 1), date(1970, 1, 1), date(1980, 2, 2)]),
        "patient_sex": rng.choice(["M", "F", "F", ""]), "study_date": rng.choice([day, day, None]),
        "last_received_at": NOW - timedelta(minutes=rng.randint(0, 4)), "patient_name_order": rng.choice("abc"),
        "expires_at": rng.choice([None, None, NOW, NOW + timedelta(days=1)]),
    }  # fmt: skip
    row["patient_name_folded"] = row["patient_spellings"]
    modalities = sorted(rng.sample(MODALITIES, rng.randint(1, 2)))
    row["modalities"] = "\\".join(modalities)
    world.studies[row["id"]] = row
    insert(session, Study, search_text="", **row)
    world.texts.append(search_index.Entry(row["sort_key"], row["patient_name_folded"], ""))
    for source in rng.sample(SOURCES, rng.randint(1, 2)):
        held: dict[str, Any] = {
            "id": uuid.UUID(int=next(numbers)), "study_id": row["id"], "source_id": source,
            "ends_at": rng.choice([None, None, NOW, NOW + timedelta(days=1)]),
        }  # fmt: skip
        world.holdings[held["id"]] = held
        insert(session, Holding, **held)
    own = [key for key, held in world.holdings.items() if held["study_id"] == row["id"]]
    for modality in modalities:
        body_part = rng.choice(["", "HEAD", "KNEE"])
        part: dict[str, Any] = {"id": uuid.UUID(int=next(numbers)), "study_id": row["id"], "body_part": body_part}
        world.series.append(part | {"modality": modality})
        insert(session, Series, modality=modality, **part)
        insert(session, Modality, study_id=row["id"], modality=modality, sort_key=row["sort_key"])
        first, *others = rng.sample(own, len(own))
        one: dict[str, Any] = {"id": uuid.UUID(int=next(numbers)), "series_id": part["id"], "holding_id": first}
        world.instances.append(one)
        insert(session, Instance, study_id=row["id"], **one)
        if others and rng.random() < 0.5:
            also: dict[str, Any] = {"instance_id": one["id"], "holding_id": others[0]}
            world.further.append(also)
            insert(session, InstanceHolding, **also)
    if rng.random() < 0.25:
        world.restricted.add(row["id"])
        insert(session, Restricted, study_id=row["id"], restriction_id=uuid.UUID(int=1))


def _grant(session: Session, world: World, rng: random.Random) -> None:
    kind, name = rng.choice(
        [("account", "anna"), ("account", "bert"), ("account", "*"), ("role", "user"), ("role", "*"), ("link", "l1")]
        + [("group", str(key)) for key in GROUPS] * 2
    )
    target = rng.choice(["source", "source", "study", "study", "study", "series", "organisation"])
    named: dict[str, Any] = {
        "source": rng.choice(SOURCES), "study": rng.choice(list(world.studies)),
        "series": rng.choice(world.series)["id"], "organisation": None,
    }  # fmt: skip
    if target == "organisation" and (kind == "link" or rng.random() < 0.6):
        target = "study"
    row: dict[str, Any] = {
        "grantee_kind": kind, "grantee_id": name, "target_kind": target, "target_id": named[target],
        "rights": join_rights(rng.choice(RIGHTS)),
        "ends_at": rng.choice([None, None, NOW, NOW + timedelta(days=1)]),
        "origin": rng.choice(["hand", "hand", "rule", "break-glass"]), "priors": rng.random() < 0.5,
        "identity": rng.choice(["clear", "clear", "alias"]),
    }  # fmt: skip
    world.grants.append(row)
    whose = {part["id"]: part["study_id"] for part in world.series}
    study = world.studies.get(whose.get(row["target_id"], row["target_id"]), {})
    told = study.get("patient_id") if rng.random() < 0.8 else None  # a grant need not say it
    insert(session, Grant, patient_id=told, **row)


def series_seen(world: World, who: Principal, right: Right) -> set[uuid.UUID]:
    """Return the series that the rule shows."""
    if who.kind == "link":
        if who.sharer is None:
            return set()
        bounds = [_series(world, who.sharer, needed) for needed in (right, Right.SHARE)]
        return _series(world, who, right).intersection(*bounds)
    return _series(world, who, right)


def studies_seen(world: World, who: Principal, right: Right) -> set[uuid.UUID]:
    """Return the studies that the rule shows at least in part."""
    if who.kind == "link":
        seen = series_seen(world, who, right)
        return {one["study_id"] for one in world.series if one["id"] in seen}
    return {study for study in world.studies if _sees_study(world, _grants(world, who, right), study, who, right)}


def _grants(world: World, who: Principal, right: Right) -> list[dict[str, Any]]:
    whom: set[tuple[str, str]] = {(who.kind, who.id), (who.kind, "*")}
    if who.role:
        whom |= {("role", who.role), ("role", "*")}
    whom |= {("group", key) for key in world.members.get(who.id, set()) if who.kind == "account"}
    return [
        one for one in world.grants
        if (one["grantee_kind"], one["grantee_id"]) in whom and f",{right.value}," in one["rights"]
        and (one["ends_at"] is None or one["ends_at"] > NOW)
    ]  # fmt: skip


def _series(world: World, who: Principal, right: Right) -> set[uuid.UUID]:
    grants = _grants(world, who, right)
    found = set()
    for part in world.series:
        study = part["study_id"]
        reached = any(_covers_series(world, one, part) for one in grants)
        if not reached and not _is_prior(world, grants, study, who, right):
            continue
        admitting = _admitting(world, grants)
        if study not in world.restricted or any(_covers_series(world, one, part) for one in admitting):
            found.add(part["id"])
    return found


def _sees_study(world: World, grants: list[dict[str, Any]], study: uuid.UUID, who: Principal, right: Right) -> bool:
    reached = any(_covers(world, one, study) for one in grants)
    return (reached or _is_prior(world, grants, study, who, right)) and _is_open(world, grants, study)


def _is_open(world: World, grants: list[dict[str, Any]], study: uuid.UUID) -> bool:
    return study not in world.restricted or any(_covers(world, one, study) for one in _admitting(world, grants))


def _admitting(world: World, grants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the grants that show a restricted study: a person's on itself or a series, a trusted group's."""
    return [
        one for one in grants
        if (one["grantee_kind"] == "group" and one["grantee_id"] in world.trusted)
        or (one["target_kind"] in ("study", "series") and one["grantee_kind"] != "role" and one["grantee_id"] != "*"
            and one["origin"] != "rule")
    ]  # fmt: skip


def _covers(world: World, one: dict[str, Any], study: uuid.UUID) -> bool:
    match one["target_kind"]:
        case "organisation":
            return True
        case "study":
            return bool(one["target_id"] == study)
        case "series":
            return any(part["id"] == one["target_id"] and part["study_id"] == study for part in world.series)
    return any(
        held["source_id"] == one["target_id"] and _lasts(held["ends_at"])
        for held in world.holdings.values() if held["study_id"] == study
    )  # fmt: skip


def _covers_series(world: World, one: dict[str, Any], part: dict[str, Any]) -> bool:
    match one["target_kind"]:
        case "organisation":
            return True
        case "study":
            return bool(one["target_id"] == part["study_id"])
        case "series":
            return bool(one["target_id"] == part["id"])
    instances = {row["id"]: row["holding_id"] for row in world.instances if row["series_id"] == part["id"]}
    held_by = [*instances.values(), *(r["holding_id"] for r in world.further if r["instance_id"] in instances)]
    held = [world.holdings[key] for key in held_by]
    return any(row["source_id"] == one["target_id"] and _lasts(row["ends_at"]) for row in held)


def _is_prior(world: World, grants: list[dict[str, Any]], study: uuid.UUID, who: Principal, right: Right) -> bool:
    whole = any(one["target_kind"] == "organisation" for one in grants)
    if world.rule.reach == "none" or right is not Right.SEE or who.kind == "link" or whole:
        return False
    leading = [
        one for one in grants if one["origin"] != "break-glass" and (one["priors"] or not world.rule.marked_only)
    ]
    own = world.studies[study]
    if not own["patient_issuer"]:
        return False
    if world.rule.years is not None:
        since = NOW.date().replace(year=NOW.year - world.rule.years)
        if own["study_date"] is None or own["study_date"] < since:
            return False
    parts = {one["body_part"] for one in world.series if one["study_id"] == study} - {""}
    for key, seen in world.studies.items():
        if key == study or not _of_one_person(own, seen) or not _lasts(seen["expires_at"]):
            continue
        theirs = {one["body_part"] for one in world.series if one["study_id"] == key}
        if world.rule.reach == "body-part" and not parts & theirs:
            continue
        if any(_covers(world, one, key) for one in leading) and _is_open(world, grants, key):
            return True
    return False


def _of_one_person(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["patient_id"] != other["patient_id"] or not one["patient_id_value"]:
        return False
    born, again = one["patient_birth_date"], other["patient_birth_date"]
    if None not in (born, again) and born != again:
        return False
    if {one["patient_sex"], other["patient_sex"]} == {"M", "F"}:
        return False
    name, named = one["patient_spellings"], other["patient_spellings"]
    if name and named:
        return name in named or named in name
    return (born is not None and born == again) or (bool(one["patient_issuer"]) and not name and not named)


def _lasts(end: Any) -> bool:
    return end is None or end > NOW


def forget(session: Session, world: World) -> None:
    """Empty the tables for the next world."""
    search_index.remove(session, world.texts)
    tables = (Study, Holding, Series, Instance, InstanceHolding, Modality, Grant, Group, Member, Restricted)
    for model in tables:
        session.execute(sa.delete(model))
