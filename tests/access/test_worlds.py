"""Every way to ask who sees what says the same as the rule in plain Python, on random worlds."""

from __future__ import annotations

import random
import sys
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Principal, Right, scope
from radrelay.archive import search_index
from radrelay.archive.models import Series, Study
from radrelay.archive.query import Sort, StudyQuery, Window
from radrelay.archive.search import find_studies
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from tests.access.test_scope import NOW, ORGANISATION, by_link, principal
from tests.access.worlds import MODALITIES, WORDS, World, build, forget, series_seen, studies_seen
from tests.backends import open_database

WORLDS = 12
LIMITS = [  # where one way to a list ends and another begins
    ("radrelay.access.scope", "FEW", [0, 3, 5_000]),
    ("radrelay.access.scope", "GATHERED", [0, 30_000]),
    ("radrelay.access.scope", "SOME", [0, 1_200]),
    ("radrelay.archive.search", "SEEN", [0, 30_000]),
    ("radrelay.archive.search", "WALKED_SOONER", [1, 8_000]),
    ("radrelay.archive.routes", "KNOWN_OF_FEW", [1, 1_000]),
    ("radrelay.archive.search", "LOOKED_AT", [1, 200]),
    ("radrelay.archive.search", "WALKED", [1, 3_000]),
    ("radrelay.archive.asked", "FEW", [0, 3, 2_000]),
    ("radrelay.archive.counting", "WALKED", [1, 3_000]),
    ("radrelay.archive.counting", "WALKED_SCATTERED", [1, 400]),
    ("radrelay.archive.search", "SORTED_OF_FEW", [0, 8_000]),
    ("radrelay.archive.search", "SORTED_OF_PART", [0, 6_000]),
    ("radrelay.archive.routes", "SORTED", [0, 1_000]),
    ("radrelay.archive.routes", "SORTED_ON_SERVER", [0, 5_000]),
    ("radrelay.archive.routes", "MOST_KNOWN", [2, 30_000]),
    ("radrelay.archive.routes", "TRIED", [1, 1_500]),
]
ORDERS: tuple[Sort, ...] = ("date", "received", "name", "expires")
ASKING = [principal(), principal("bert"), by_link(principal()), principal("carl", role="admin")]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = open_database(tmp_path_factory.mktemp("worlds"))
    Base.metadata.create_all(opened.engine)
    with opened.write() as session:
        search_index.create(session.connection())
    yield opened
    opened.close()


def test_every_way_to_ask_shows_what_the_rule_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = hidden = 0
    for number in range(WORLDS):
        rng = random.Random(number)
        with database.write() as session:
            world = build(session, rng)
            for who in ASKING:
                for right in (Right.SEE, Right.SHARE):
                    expected = studies_seen(world, who, right)
                    shown, hidden = shown + len(expected), hidden + len(world.studies) - len(expected)
                    told = f"world {number}, {who.kind} {who.id}, {right.value}"
                    _asked_of_one_row(session, world, who, right, told)
                    for module, name, limits in LIMITS:
                        monkeypatch.setattr(sys.modules[module], name, rng.choice(limits))
                    _asked_of_a_list(session, world, rng, who, right, told)
            forget(session, world)
    assert min(shown, hidden) > 150, "worlds in which all or nothing is seen prove nothing"


def _asked_of_one_row(session: Session, world: World, who: Principal, right: Right, told: str) -> None:
    found = scope(session, who, right, now=NOW)
    studies = set(session.scalars(sa.select(Study.id).where(found.study_filter(Study.id))))
    assert studies == studies_seen(world, who, right), told
    series = set(session.scalars(sa.select(Series.id).where(found.series_filter(Series.study_id, Series.id))))
    assert series == series_seen(world, who, right), told


def _asked_of_a_list(
    session: Session, world: World, rng: random.Random, who: Principal, right: Right, told: str
) -> None:
    seen = studies_seen(world, who, right)
    listed = scope(session, who, right, now=NOW).listed(session, Study.id)
    assert set(session.scalars(sa.select(Study.id).where(listed.condition))) == seen, told
    modality = rng.choice([*MODALITIES, ""])
    word = rng.choice(WORDS)
    query = StudyQuery(modalities=(modality,) if modality else (), name_words=word)
    of_it = {one["study_id"] for one in world.series if modality in (one["modality"], "")}
    of_it &= {key for key, row in world.studies.items() if word in row["patient_name_folded"]}
    living = {key for key, row in world.studies.items() if row["expires_at"] is None or row["expires_at"] > NOW}
    window = Window(rng.choice(ORDERS), rng.random() < 0.5, limit=rng.choice([2, 50]))
    found: list[uuid.UUID] = []
    while True:
        page = find_studies(session, ORGANISATION, query, listed, NOW, window)
        found += [one.id for one in page.studies]
        assert page.total == len(seen & of_it & living) or page.total_is_least, told
        if page.next_cursor is None:
            break
        window = Window(window.sort, window.descending, window.limit, cursor=page.next_cursor)
    assert sorted(found) == sorted(seen & of_it & living), f"{told}, {query}, by {window.sort}"
