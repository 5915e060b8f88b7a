"""The study list of people who see a part: 1,000,000 studies, 2,000 people, 300 groups, 50,000 grants, two databases.

Each question is a page of the list with its count, as the web page asks it, and what somebody may see is judged anew
each time: the newest by arrival (the page's own order), a page from the middle, other orders, and filters; without
and with 1,000 restricted studies and the rule of earlier studies, by all grants or by marked ones. Seven people who
see very unequal parts ask each of them; then all 2,000 ask what people ask most, and one time in ten one of the seven.

python -m benchmarks.sight [--studies 1000000] [--rounds 60] [--only sqlite|postgresql] [--keep FOLDER]
                           [--postgresql URL]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks import search, sight_rows, study_rows
from benchmarks.plan import Plan
from benchmarks.search import Question, Timing
from benchmarks.sight_rows import ASKED, GRANTS, PEOPLE, uid
from benchmarks.study_rows import FIRST_DAY, NOW, ORGANISATION
from benchmarks.table import OURS, Aim, Line, line
from radrelay.access import models as access_models
from radrelay.access.models import Grant, Restricted
from radrelay.access.principal import Principal, Right
from radrelay.access.prior_rules import PriorRuleView, set_prior_rule
from radrelay.access.scope import scope
from radrelay.archive import folding, models, search_index
from radrelay.archive.cursors import Place, write_cursor
from radrelay.archive.models import Study
from radrelay.archive.query import DateRange, Sort, StudyQuery, Window
from radrelay.archive.search import find_studies
from radrelay.archive.sort_key import sort_key
from radrelay.settings import DatabaseSettings
from radrelay.storage import columns
from radrelay.storage.columns import Base
from radrelay.storage.database import Database

PART = "sight"
LIMIT_MS = 50.0
RESTRICTED = 1_000
MOSTLY = {"newest": 60, "name": 15, "patient ID": 10, "modality": 10, "a later page": 5}
"""What people ask of a list, in per cent: a guess. Whoever opens the page asks for the newest."""
EVERYBODY = "everybody"
SHARE_OF_THE_SEVEN = 0.1
RULES = {
    "": PriorRuleView(),
    ", earlier studies": PriorRuleView("all"),
    ", earlier studies by marked grants": PriorRuleView("all", marked_only=True),
}
SHAPING = (
    search, sight_rows, study_rows, folding, models, search_index, columns, access_models,
)  # fmt: skip
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def questions(name: str) -> dict[str, Question]:  # noqa: C901  # a list of questions
    """Return what somebody asks of the list."""
    who = Principal("account", name, name, ORGANISATION, "user")

    def asked(session: Session, query: StudyQuery, sort: Sort = "received", cursor: str = "") -> object:
        visible = scope(session, who, Right.SEE, now=NOW).listed(session, Study.id)
        window = Window(sort, sort != "name", limit=50, cursor=cursor)
        return find_studies(session, ORGANISATION, query, visible, NOW, window)

    def by(sort: Sort) -> Question:
        return lambda session, rng: asked(session, StudyQuery(), sort)

    def middle(session: Session, rng: random.Random) -> object:
        day = FIRST_DAY + timedelta(days=rng.randrange(400, study_rows.DAYS))
        place = Place(datetime.combine(day, clock_time(12), UTC), sort_key(day, clock_time(12)))
        return asked(session, StudyQuery(), cursor=write_cursor(Window("received"), place))

    def modality(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(modalities=(rng.choice(study_rows.MODALITIES),)))

    def named(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(name_words=rng.choice(study_rows.FAMILIES)))

    def described(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(description_words=rng.choice(study_rows.DESCRIPTIONS).split()[-1]))

    def patient(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(patient_id=f"{rng.randrange(300_000):07d}"))

    def a_year(session: Session, rng: random.Random) -> object:
        first = FIRST_DAY + timedelta(days=rng.randrange(study_rows.DAYS - 400))
        return asked(session, StudyQuery(dates=DateRange(first, first + timedelta(days=365))), "date")

    def modality_by_date(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(modalities=(rng.choice(study_rows.MODALITIES),)), "date")

    def named_by_date(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(name_words=rng.choice(study_rows.FAMILIES)), "date")

    return {
        "newest": by("received"), "a later page": middle, "by study date": by("date"), "by name": by("name"),
        "modality": modality, "name": named, "description": described, "patient ID": patient,
        "a year, by date": a_year, "modality, by date": modality_by_date, "name, by date": named_by_date,
    }  # fmt: skip


def as_people_ask(session: Session, rng: random.Random) -> object:
    """Ask what people ask most, as anybody."""
    one_of_seven = rng.random() < SHARE_OF_THE_SEVEN
    name = rng.choice(list(ASKED)) if one_of_seven else f"person-{rng.randrange(PEOPLE)}"
    (what,) = rng.choices(list(MOSTLY), list(MOSTLY.values()))
    return questions(name)[what](session, rng)


def set_rules(database: Database, rule: PriorRuleView) -> None:
    """Let the rule be this one; with any rule 1,000 studies are restricted."""
    with database.write() as session:
        session.execute(sa.delete(Restricted))
        set_prior_rule(session, ORGANISATION, rule)
        most = 0 if rule.reach == "none" else RESTRICTED
        ids = session.scalars(sa.select(Study.id).order_by(Study.study_uid).limit(most)).all()
        rows = [{"study_id": one, "restriction_id": uid(7, 0), "organisation_id": ORGANISATION} for one in ids]
        if rows:
            session.execute(sa.insert(Restricted), rows)


def measure(database: Database, rounds: int, people: dict[str, str] = ASKED) -> Iterator[tuple[str, str, list[Timing]]]:
    """Ask all questions `rounds` times, interleaved; gives person, rules, and the questions' times."""
    for rules, rule in RULES.items():
        set_rules(database, rule)
        mix = {(name, what): ask for name in people for what, ask in questions(name).items()}
        asked = search.timed(database, {f"{name}: {what}": ask for (name, what), ask in mix.items()}, rounds)
        for name in people:
            mine = [one for (whose, _), one in zip(mix, asked, strict=True) if whose == name]
            yield name, rules, mine
        yield EVERYBODY, rules, search.timed(database, {f"{EVERYBODY}: what is asked most": as_people_ask}, 20 * rounds)


def run(plan: Plan) -> list[Line]:
    """Ask on both databases; of each person's questions the slowest is told."""
    lines = []
    for kind, database_name in DATABASES.items():
        folder = _folder(plan) if kind == "sqlite" else plan.folder / PART
        folder.mkdir(parents=True, exist_ok=True)
        with search.opened(kind, folder) as database:
            _prepare(database, _studies(plan))
            (folder / "filled").touch()
            for name, rules, found in measure(database, plan.pick(20, 5)):
                worst = max(found, key=lambda one: one.p95_ms)
                who = ASKED.get(name, f"{PEOPLE:,} people")
                which = f"slowest of {len(found)} lists (" if len(found) > 1 else "("
                told = f"{database_name}, {who}{rules}: {which}{worst.question.partition(': ')[2]}), p95"
                lines.append(line(PART, told, "ms", {OURS: [worst.p95_ms]}, Aim(LIMIT_MS, below=True)))
    return plan.tell(lines)


def is_filled(plan: Plan) -> bool:
    """Return whether an earlier run has filled the embedded database, which takes some five minutes."""
    return (_folder(plan) / "filled").exists()


def _studies(plan: Plan) -> int:
    return plan.pick(1_000_000, 20_000)


def _folder(plan: Plan) -> Path:
    digest = hashlib.sha256()
    for module in SHAPING:
        digest.update(Path(module.__file__ or "").read_bytes())
    return plan.cache / f"sight-{_studies(plan)}-{digest.hexdigest()[:12]}"


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--who", choices=tuple(ASKED), action="append", help="only these people; may be repeated")
    parser.add_argument("--keep", type=Path, help="folder of the embedded database, used again if it is filled")
    parser.add_argument("--postgresql", help="URL of a database to fill, or to use again if it is filled")
    options = parser.parse_args()
    people = {name: ASKED[name] for name in options.who or ASKED}
    for kind in (options.only,) if options.only else tuple(DATABASES):
        folder = options.keep or Path(tempfile.mkdtemp(prefix="radrelay-sight-"))
        try:
            with _opened(kind, folder, options.postgresql) as database:
                _prepare(database, options.studies)
                for _, rules, found in measure(database, options.rounds, people):
                    for t in found:
                        mark = "" if t.p95_ms <= LIMIT_MS else "  <- above"
                        figures = f"{t.p50_ms:9.1f}{t.p95_ms:9.1f}{t.p95_cpu_ms:9.1f} ms{mark}"
                        print(f"{kind:12}{t.question + rules:64}{figures}", flush=True)
        finally:
            if options.keep is None:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(kind: str, folder: Path, url: str | None) -> Iterator[Database]:
    if kind == "sqlite" or url is None:
        with search.opened(kind, folder) as database:
            yield database
        return
    database = Database.open(DatabaseSettings.model_validate({"url": url}), folder, b"")
    yield database
    database.close()


def _prepare(database: Database, studies: int) -> None:
    began = time.perf_counter()
    if not sa.inspect(database.engine).has_table("study"):
        search.fill(database, studies)
    with database.write() as session:
        Base.metadata.create_all(session.connection())
    with database.read() as session:
        given = session.scalar(sa.select(sa.func.count()).select_from(Grant.__table__)) or 0
    if given < GRANTS:
        sight_rows.give(database)
    print(f"filled in {time.perf_counter() - began:.0f} s; p50, p95, p95 of CPU alone")


if __name__ == "__main__":
    main()
