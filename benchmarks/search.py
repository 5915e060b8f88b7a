"""Study search over generated rows: p50 and p95 of each kind of question, on SQLCipher and on PostgreSQL.

python -m benchmarks.search [--studies 1000000] [--rounds 100] [--only sqlite|postgresql] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement
from tests.postgres import server

import radrelay.access.models  # registers its tables
import radrelay.storage.models  # noqa: F401  # registers its tables
from benchmarks import study_rows
from benchmarks.study_rows import FIRST_DAY, NOW, ORGANISATION
from radrelay.access.grants import Grantee, Target, grant
from radrelay.access.principal import Principal, Right
from radrelay.access.scope import scope
from radrelay.app.role import settle
from radrelay.archive import search_index
from radrelay.archive.folding import short_tokens
from radrelay.archive.models import Study
from radrelay.archive.query import DateRange, StudyQuery, Window
from radrelay.archive.search import count_studies, find_studies
from radrelay.archive.tables import MODALITY, STUDY, TOKEN
from radrelay.settings import DatabaseSettings
from radrelay.storage import planner
from radrelay.storage.columns import Base
from radrelay.storage.database import Database

CHUNK = 20_000
LIMIT_MS = 50.0
WARMING = 3  # rounds
PLAIN = frozenset({"study_token", "study_text"})  # texts and integers only
BOUND: dict[type, Callable[[Any], object]] = {
    uuid.UUID: lambda value: value.bytes,
    datetime: lambda value: value.isoformat(" ", "microseconds")[:26],
    date: lambda value: value.isoformat(),
    clock_time: lambda value: value.isoformat("microseconds"),
}
Question = Callable[[Session, random.Random], object]


@dataclass(frozen=True)
class Timing:
    """How long one kind of question took, in milliseconds."""

    question: str
    p50_ms: float
    p95_ms: float
    p95_cpu_ms: float  # what of it this process computed: the part that other load does not blur (SQLite only)


def fill(database: Database, count: int) -> float:
    """Write `count` studies; returns the seconds it took."""
    started = time.perf_counter()
    tables = [STUDY, MODALITY, TOKEN]
    indexes = [index for table in tables for index in table.indexes]
    with database.engine.connect().execution_options(radrelay_write=True) as connection:
        Base.metadata.create_all(connection)
        for index in indexes:
            index.drop(connection)
        if database.dialect == "sqlite":
            search_index.create(connection)
        connection.commit()
        generated = study_rows.rows(count)
        while chunk := list(islice(generated, CHUNK)):
            with connection.begin():
                _write(connection, [row.columns for row in chunk], [row.modality for row in chunk])
        for index in indexes:
            index.create(connection)
        if database.dialect == "postgresql":
            search_index.create(connection)
        connection.commit()
        if database.dialect == "postgresql":
            connection.exec_driver_sql("ANALYZE")
        planner.tell(connection)
        connection.commit()
    return time.perf_counter() - started


def _write(connection: sa.Connection, studies: list[dict[str, object]], modalities: list[str]) -> None:
    keys = [study["sort_key"] for study in studies]
    tokens = [(token, s["sort_key"]) for s in studies for token in _tokens(str(s["patient_name_folded"]))]
    of_study = [
        (study["id"], modality, ORGANISATION, key)
        for study, modality, key in zip(studies, modalities, keys, strict=True)
    ]
    insert(connection, "study", list(studies[0]), [tuple(study.values()) for study in studies])
    insert(connection, "study_modality", ["study_id", "modality", "organisation_id", "sort_key"], of_study)
    insert(connection, "study_token", ["token", "sort_key"], tokens)
    if connection.dialect.name == "sqlite":
        text = sorted(search_index.entry(study) for study in studies)
        insert(connection, "study_text", ["rowid", "name", "rest"], text)


def insert(connection: sa.Connection, table: str, columns: list[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows past SQLAlchemy's binding, which would take most of the time."""
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        bound = rows if table in PLAIN else [[_bound(value) for value in row] for row in rows]
        connection.connection.cursor().executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", bound)
        return
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]  # psycopg's
        for row in rows:
            copy.write_row(row)


def _bound(value: object) -> object:
    """Return a value as SQLAlchemy's types write it on SQLite."""
    convert = BOUND.get(type(value))
    return value if convert is None else convert(value)


@lru_cache(maxsize=100_000)
def _tokens(name_folded: str) -> list[str]:
    return sorted(short_tokens(name_folded))


def questions(few: ColumnElement[bool]) -> dict[str, Question]:  # noqa: C901  # a list of questions
    """Return the mix: what hospital people ask of a study list."""
    everything = sa.true()

    def found(session: Session, query: StudyQuery, visible: ColumnElement[bool] = everything) -> object:
        return find_studies(session, ORGANISATION, query, visible, NOW, Window(limit=50))

    def prefix(session: Session, rng: random.Random) -> object:
        family = study_rows.person(rng).split("=")[0].split("^")[0]
        return found(session, StudyQuery(name=family[: rng.randint(2, 5)] + "*"))

    def middle(session: Session, rng: random.Random) -> object:
        family = rng.choice([*study_rows.FAMILIES, "".join(rng.choices(study_rows.SYLLABLES, k=3))])
        start = rng.randint(0, max(0, len(family) - 4))
        return found(session, StudyQuery(name_words=family[start : start + 4]))

    def date_modality(session: Session, rng: random.Random) -> object:
        first = FIRST_DAY + timedelta(days=rng.randrange(study_rows.DAYS - 40))
        days = DateRange(first, first + timedelta(days=rng.choice((0, 6, 30, 365))))
        return found(session, StudyQuery(dates=days, modalities=(rng.choice(study_rows.MODALITIES),)))

    def ideographs(session: Session, rng: random.Random) -> object:
        words = [family[1] for family in study_rows.JAPANESE_FAMILY] + [g[1] for g in study_rows.CHINESE_GIVEN]
        return found(session, StudyQuery(name_words=rng.choice(words)))

    def count(session: Session, rng: random.Random) -> object:
        first = FIRST_DAY + timedelta(days=rng.randrange(study_rows.DAYS - 400))
        query = rng.choice(
            (
                StudyQuery(),
                StudyQuery(modalities=(rng.choice(study_rows.MODALITIES),)),
                StudyQuery(dates=DateRange(first, first + timedelta(days=365))),
                StudyQuery(name_words=rng.choice(study_rows.FAMILIES)),
            )
        )
        return count_studies(session, ORGANISATION, query, everything, NOW)

    def sees_few(session: Session, rng: random.Random) -> object:
        first = FIRST_DAY + timedelta(days=rng.randrange(study_rows.DAYS - 400))
        query = rng.choice(
            (
                StudyQuery(),
                StudyQuery(name_words=rng.choice(study_rows.FAMILIES)),
                StudyQuery(dates=DateRange(first, None), modalities=("CT",)),
            )
        )
        return found(session, query, few)

    def by_name(session: Session, rng: random.Random) -> object:
        return find_studies(session, ORGANISATION, StudyQuery(), everything, NOW, Window("name", False, 50))

    def free_text(session: Session, rng: random.Random) -> object:
        return found(
            session, StudyQuery(text=f"{rng.choice(study_rows.FAMILIES)} {rng.choice(('thorax', 'MRT', 'knie'))}")
        )

    def identifier(session: Session, rng: random.Random) -> object:
        return found(session, StudyQuery(patient_id=f"{rng.randrange(300_000):07d}"))

    return {
        "name prefix, by date": prefix,
        "middle of a name": middle,
        "date and modality": date_modality,
        "two ideographs": ideographs,
        "count": count,
        "a principal who sees few": sees_few,
        "all, by name": by_name,
        "free text, two words": free_text,
        "patient ID": identifier,
    }


def measure(database: Database, rounds: int) -> list[Timing]:
    """Ask each kind of question `rounds` times, interleaved."""
    with database.read() as session:
        principal = Principal("token", "few", "few", ORGANISATION, "", "")
        mix = questions(scope(session, principal, Right.SEE, now=NOW).study_filter(Study.id))
    return timed(database, mix, rounds)


def timed(database: Database, mix: Mapping[str, Question], rounds: int) -> list[Timing]:
    """Ask each question `rounds` times, interleaved, in a session of its own; the first three do not count."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in mix}
    rng = random.Random(11)
    for turn in range(rounds + WARMING):
        if turn == WARMING:
            settle()  # as a role does that is ready to serve
        for name, ask in mix.items():
            with database.read() as session:
                started, computed = time.perf_counter(), time.thread_time()
                ask(session, rng)
                elapsed = (time.perf_counter() - started) * 1000, (time.thread_time() - computed) * 1000
            if turn >= WARMING:
                spent[name].append(elapsed)
    return [_timing(name, times) for name, times in spent.items()]


def _timing(name: str, times: Sequence[tuple[float, float]]) -> Timing:
    wall, cpu = ([pair[place] for pair in times] for place in (0, 1))
    return Timing(
        name, statistics.median(wall), statistics.quantiles(wall, n=20)[-1], statistics.quantiles(cpu, n=20)[-1]
    )


def give_few(database: Database, studies: int = 200) -> None:
    """Let one principal see so many studies."""
    with database.write() as session:
        ids: Sequence[uuid.UUID] = session.scalars(sa.select(Study.id).order_by(Study.study_uid).limit(studies)).all()
        for study_id in ids:
            grant(session, ORGANISATION, Grantee("token", "few"), Target("study", study_id), [Right.SEE], now=NOW)


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """Open an embedded database in `folder`, or one on a server of its own."""
    if kind == "sqlite":
        database = Database.open(DatabaseSettings.model_validate({}), folder, bytes(32))
        yield database
        database.close()
        return
    with server() as url:
        database = Database.open(DatabaseSettings.model_validate({"url": url}), folder, b"")
        yield database
        database.close()


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--keep", type=Path, help="folder of the embedded database, used again if it is filled")
    options = parser.parse_args()
    for kind in (options.only,) if options.only else ("sqlite", "postgresql"):
        folder = options.keep or Path(tempfile.mkdtemp(prefix="radrelay-search-"))
        try:
            with opened(kind, folder) as database:
                if kind == "postgresql" or not sa.inspect(database.engine).has_table("study"):
                    print(f"{kind}: {options.studies} studies written in {fill(database, options.studies):.0f} s")
                    give_few(database)
                print(f"{'':40}{'p50':>9}{'p95':>9}{'p95 CPU':>9}")
                for t in measure(database, options.rounds):
                    mark = "" if t.p95_ms <= LIMIT_MS else "  <- above"
                    print(f"{kind:12}{t.question:28}{t.p50_ms:9.1f}{t.p95_ms:9.1f}{t.p95_cpu_ms:9.1f} ms{mark}")
        finally:
            if options.keep is None:
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
