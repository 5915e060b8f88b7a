"""Who was given what of a million studies: 2,000 people, 300 groups, 50,000 grants, 20 sources of very unequal size.

Most grants are on single studies, to people and to groups; 200 give a source to a group, 10,000 were given to one group
by a rule as studies arrived. Half of the grants are marked for the rule of earlier studies.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from benchmarks import search
from benchmarks.study_rows import NOW, ORGANISATION
from radrelay.access.grants import Grantee, Target, join_rights
from radrelay.access.models import Grant, Group, Member
from radrelay.access.principal import Right
from radrelay.archive.models import Study
from radrelay.archive.tables import HOLDING
from radrelay.storage import planner
from radrelay.storage.database import Database

PEOPLE, GROUPS, GRANTS, OF_SOURCES, BY_RULE = 2_000, 300, 50_000, 200, 10_000
SHARES = (40, 20, 10, 8, 6, 5, 3, 2, 2, 1, 1, 0.5, 0.5, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05)  # of sources, in per cent
LARGE, SMALL = (0, 1, 2), (13, 14, 15, 16, 17, 18, 19)
OF_TWO_PERCENT, OF_TWO_THOUSAND = 191, 190  # groups that were given such a source
RULED_GROUP = GROUPS - 1
FEW, SOME, RULED, PART, MANY, NONE, ALL = "few", "some", "ruled", "part", "many", "nobody", "all"
ASKED = {
    FEW: "who was given 1,000 studies",
    SOME: "who was given a source of 2,000 and 1,000 studies",
    RULED: "whose group a rule gave 10,000 studies",
    PART: "who was given a source of 20,000 and 700 studies",
    MANY: "who was given sources of 700,000 and 1,000 studies",
    NONE: "who was given nothing",
    ALL: "who was given all",
}
_GROUPS_OF = {
    FEW: (210, 211, 212),
    SOME: (OF_TWO_THOUSAND, 220, 221),
    RULED: (RULED_GROUP,),
    PART: (OF_TWO_PERCENT, 240, 241),
    MANY: (0, 1, 2, 230, 231),
}


class Named(NamedTuple):
    """A study and whose it is."""

    study_id: uuid.UUID
    patient_id: uuid.UUID


def uid(kind: int, number: int) -> uuid.UUID:
    """Return the id of a source, group or person by its number."""
    return uuid.UUID(int=kind << 64 | number)


def give(database: Database, seed: int = 5) -> None:
    """Write sources' holdings, people's memberships and grants beside the studies that are there."""
    rng = random.Random(seed)
    with database.read() as session:
        ids = [Named(*row) for row in session.execute(sa.select(Study.id, Study.patient_id).order_by(Study.sort_key))]
    with database.engine.connect().execution_options(radrelay_write=True) as connection:
        for table, rows in ((HOLDING, _holdings(ids, rng)), (Group.__table__, _groups()),
                            (Member.__table__, _members(rng)), (Grant.__table__, _grants(ids, rng))):  # fmt: skip
            while chunk := list(islice(rows, search.CHUNK)):
                with connection.begin():
                    columns = list(chunk[0])
                    search.insert(connection, str(table), columns, [tuple(row.values()) for row in chunk])
        if database.dialect == "postgresql":
            connection.exec_driver_sql("ANALYZE")
        planner.tell(connection)
        connection.commit()


def _holdings(ids: Sequence[Named], rng: random.Random) -> Iterator[dict[str, object]]:
    for number, one in enumerate(ids):
        source = rng.choices(range(len(SHARES)), SHARES)[0]
        yield {
            "id": uid(9, number), "organisation_id": ORGANISATION, "study_id": one.study_id,
            "patient_id": one.patient_id, "source_id": uid(2, source), "received_at": NOW, "last_received_at": NOW,
            "hold_reason": "",
            "ends_at": None if rng.random() < 0.5 else NOW + timedelta(days=rng.randint(1, 300)),
        }  # fmt: skip


def _groups() -> Iterator[dict[str, object]]:
    for number in range(GROUPS):
        key = uid(3, number)
        yield {
            "id": key, "organisation_id": ORGANISATION, "key": str(key), "name": f"Group {number}",
            "name_folded": f"group {number}", "description": "", "created_at": NOW,
            "sees_restricted": False,
        }  # fmt: skip


def _members(rng: random.Random) -> Iterator[dict[str, object]]:
    """Put everybody into three groups; those who see by sources into the groups that were given some."""
    for number in range(PEOPLE):
        for group in rng.sample(range(OF_SOURCES, RULED_GROUP), 3):
            yield _member(group, f"person-{number}")
    for name, groups in _GROUPS_OF.items():
        yield from (_member(group, name) for group in groups)


def _member(group: int, name: str) -> dict[str, object]:
    return {
        "group_id": str(uid(3, group)), "member_kind": "account", "member_id": name,
        "organisation_id": ORGANISATION, "origin": "hand",
    }  # fmt: skip


def _grants(ids: Sequence[Named], rng: random.Random) -> Iterator[dict[str, object]]:
    yield _grant(Grantee("account", ALL), Target("organisation"), 0)
    for number in range(OF_SOURCES):  # each of these groups has one source; the last ones a small one
        source = LARGE[number] if number < len(LARGE) else SMALL[number % len(SMALL)]
        source = {OF_TWO_THOUSAND: 14, OF_TWO_PERCENT: 7}.get(number, source)
        yield _grant(Grantee("group", str(uid(3, number))), Target("source", uid(2, source)), 1 + number)
    released = Grantee("group", str(uid(3, RULED_GROUP)))
    for number in range(1 + OF_SOURCES, 1 + OF_SOURCES + BY_RULE):
        yield _grant(released, rng.choice(ids), number) | {"origin": "rule"}
    for number in range(1 + OF_SOURCES + BY_RULE, GRANTS):
        if number % 3:
            grantee = Grantee("group", str(uid(3, rng.randrange(OF_SOURCES, RULED_GROUP))))
        else:
            grantee = Grantee("account", f"person-{rng.randrange(PEOPLE)}")
        if number % 2_500 == 0:
            grantee = Grantee("account", (FEW, SOME, MANY)[number // 2_500 % 3])
        yield _grant(grantee, rng.choice(ids), number)


def _grant(grantee: Grantee, named: Target | Named, number: int) -> dict[str, object]:
    target = named if isinstance(named, Target) else Target("study", named.study_id)
    return {
        "id": uid(5, number), "organisation_id": ORGANISATION, "grantee_kind": grantee.kind,
        "grantee_id": grantee.id, "target_kind": target.kind, "target_id": target.id,
        "patient_id": None if isinstance(named, Target) else named.patient_id,
        "rights": join_rights([Right.SEE, Right.DOWNLOAD]), "identity": "clear", "ends_at": None, "created_at": NOW,
        "revision": 1, "origin": "hand", "priors": number % 2 == 0,
    }  # fmt: skip
