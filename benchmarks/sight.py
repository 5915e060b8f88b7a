"""The study list of people who see a part: 1,000,000 studies, 2,000 people, 300 groups, 50,000 grants.

Most grants are on single studies, to people and to groups; 200 give a source to a group. Who sees few has grants of
their own and those of three groups; who sees many is in groups that were given sources which brought most studies.
Each question is a page of the list with its count, as the web page asks it: the newest, a modality, a name, an older
time; and all of it once more with 1,000 restricted studies and the rule of earlier studies.

python -m benchmarks.sight [--studies 1000000] [--rounds 60] [--only sqlite|postgresql] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks import search, study_rows
from benchmarks.search import Question, Timing
from benchmarks.study_rows import FIRST_DAY, NOW, ORGANISATION
from radrelay.access.grants import Grantee, Target, join_rights
from radrelay.access.models import Grant, Group, Member, Restricted
from radrelay.access.principal import Principal, Right
from radrelay.access.prior_rules import PriorRuleView, set_prior_rule
from radrelay.access.scope import scope
from radrelay.archive.models import Study
from radrelay.archive.query import DateRange, StudyQuery, Window
from radrelay.archive.search import find_studies
from radrelay.archive.tables import HOLDING
from radrelay.storage.columns import Base
from radrelay.storage.database import Database

PEOPLE, GROUPS, GRANTS, OF_SOURCES = 2_000, 300, 50_000, 200
SHARES = (40, 20, 10, 8, 6, 5, 3, 2, 2, 1, 1, 0.5, 0.5, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05)  # of sources, in per cent
LARGE, SMALL = (0, 1, 2), (13, 14, 15, 16, 17, 18, 19)
FEW, SOME, MANY, NONE, ALL = "few", "some", "many", "nobody", "all"
ASKED = {
    FEW: "who was given 1,000 studies",
    SOME: "who was given a source of 1,000 and 700 studies",
    MANY: "who was given sources of 700,000 and 700 studies",
    NONE: "who was given nothing",
    ALL: "who was given all",
}
LIMIT_MS = 50.0
RESTRICTED = 1_000


def uid(kind: int, number: int) -> uuid.UUID:
    """Return the id of a source, group or person by its number."""
    return uuid.UUID(int=kind << 64 | number)


def give(database: Database, seed: int = 5) -> None:
    """Write sources' holdings, people's memberships and grants beside the studies that are there."""
    rng = random.Random(seed)
    with database.read() as session:
        ids = list(session.scalars(sa.select(Study.id).order_by(Study.sort_key)))
    with database.engine.connect().execution_options(radrelay_write=True) as connection:
        for table, rows in ((HOLDING, _holdings(ids, rng)), (Group.__table__, _groups()),
                            (Member.__table__, _members(rng)), (Grant.__table__, _grants(ids, rng))):  # fmt: skip
            while chunk := list(islice(rows, search.CHUNK)):
                with connection.begin():
                    columns = list(chunk[0])
                    search.insert(connection, str(table), columns, [tuple(row.values()) for row in chunk])
        connection.exec_driver_sql("ANALYZE" if database.dialect == "postgresql" else "PRAGMA optimize=0x10002")
        connection.commit()


def _holdings(ids: Sequence[uuid.UUID], rng: random.Random) -> Iterator[dict[str, object]]:
    for number, study_id in enumerate(ids):
        source = rng.choices(range(len(SHARES)), SHARES)[0]
        yield {
            "id": uid(9, number), "organisation_id": ORGANISATION, "study_id": study_id, "source_id": uid(2, source),
            "received_at": NOW, "last_received_at": NOW, "hold_reason": "",
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
        for group in rng.sample(range(OF_SOURCES, GROUPS), 3):
            yield _member(group, f"person-{number}")
    for name, groups in ((FEW, (210, 211, 212)), (SOME, (190, 220, 221)), (MANY, (0, 1, 2, 230, 231))):
        yield from (_member(group, name) for group in groups)


def _member(group: int, name: str) -> dict[str, object]:
    return {
        "group_id": str(uid(3, group)), "member_kind": "account", "member_id": name,
        "organisation_id": ORGANISATION, "origin": "hand",
    }  # fmt: skip


def _grants(ids: Sequence[uuid.UUID], rng: random.Random) -> Iterator[dict[str, object]]:
    yield _grant(Grantee("account", ALL), Target("organisation"), 0)
    for number in range(OF_SOURCES):  # each of these groups has one source; the last ones a small one
        source = LARGE[number] if number < len(LARGE) else SMALL[number % len(SMALL)]
        source = 14 if number == 190 else source
        yield _grant(Grantee("group", str(uid(3, number))), Target("source", uid(2, source)), 1 + number)
    for number in range(1 + OF_SOURCES, GRANTS):
        if number % 3:
            grantee = Grantee("group", str(uid(3, rng.randrange(OF_SOURCES, GROUPS))))
        else:
            grantee = Grantee("account", f"person-{rng.randrange(PEOPLE)}")
        if number % 2_500 == 0:
            grantee = Grantee("account", (FEW, SOME, MANY)[number // 2_500 % 3])
        yield _grant(grantee, Target("study", rng.choice(ids)), number)


def _grant(grantee: Grantee, target: Target, number: int) -> dict[str, object]:
    return {
        "id": uid(5, number), "organisation_id": ORGANISATION, "grantee_kind": grantee.kind,
        "grantee_id": grantee.id, "target_kind": target.kind, "target_id": target.id,
        "rights": join_rights([Right.SEE, Right.DOWNLOAD]), "identity": "clear", "ends_at": None, "created_at": NOW,
        "revision": 1, "origin": "hand", "priors": False,
    }  # fmt: skip


def questions(name: str) -> dict[str, Question]:
    """Return what somebody asks of the list, judging anew each time what they may see."""
    who = Principal("account", name, name, ORGANISATION, "user")

    def asked(session: Session, query: StudyQuery, window: Window) -> object:
        visible = scope(session, who, Right.SEE, now=NOW).listed(session, Study.id)
        return find_studies(session, ORGANISATION, query, visible, NOW, window)

    def newest(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(), Window(limit=50))

    def modality(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(modalities=(rng.choice(study_rows.MODALITIES),)), Window(limit=50))

    def named(session: Session, rng: random.Random) -> object:
        return asked(session, StudyQuery(name_words=rng.choice(study_rows.FAMILIES)), Window(limit=50))

    def older(session: Session, rng: random.Random) -> object:
        first = FIRST_DAY + timedelta(days=rng.randrange(study_rows.DAYS - 400))
        return asked(session, StudyQuery(dates=DateRange(first, first + timedelta(days=365))), Window(limit=50))

    return {"newest": newest, "modality": modality, "name": named, "a year": older}


def set_rules(database: Database, *, on: bool) -> None:
    """Restrict 1,000 studies and let who sees a study see the patient's others; or take that back."""
    with database.write() as session:
        session.execute(sa.delete(Restricted))
        set_prior_rule(session, ORGANISATION, PriorRuleView("all" if on else "none"))
        ids = session.scalars(sa.select(Study.id).order_by(Study.study_uid).limit(RESTRICTED if on else 0)).all()
        rows = [{"study_id": one, "restriction_id": uid(7, 0), "organisation_id": ORGANISATION} for one in ids]
        if rows:
            session.execute(sa.insert(Restricted), rows)


def measure(database: Database, rounds: int) -> list[Timing]:
    """Ask everybody's questions `rounds` times, interleaved; without and with restricted studies and a rule."""
    found = []
    for on in (False, True):
        set_rules(database, on=on)
        rules = ", with rules" if on else ""
        mix = {f"{name}: {what}{rules}": ask for name in ASKED for what, ask in questions(name).items()}
        found += search.timed(database, mix, rounds)
    return found


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--keep", type=Path, help="folder of the embedded database, used again if it is filled")
    options = parser.parse_args()
    for kind in (options.only,) if options.only else ("sqlite", "postgresql"):
        folder = options.keep or Path(tempfile.mkdtemp(prefix="radrelay-sight-"))
        try:
            with search.opened(kind, folder) as database:
                _prepare(database, kind, options.studies)
                for t in measure(database, options.rounds):
                    mark = "" if t.p95_ms <= LIMIT_MS else "  <- above"
                    print(f"{kind:12}{t.question:32}{t.p50_ms:9.1f}{t.p95_ms:9.1f}{t.p95_cpu_ms:9.1f} ms{mark}")
        finally:
            if options.keep is None:
                shutil.rmtree(folder, ignore_errors=True)


def _prepare(database: Database, kind: str, studies: int) -> None:
    began = time.perf_counter()
    if kind == "postgresql" or not sa.inspect(database.engine).has_table("study"):
        search.fill(database, studies)
    with database.write() as session:
        Base.metadata.create_all(session.connection())
    with database.read() as session:
        given = session.scalar(sa.select(sa.func.count()).select_from(Grant.__table__)) or 0
    if given < GRANTS:
        give(database)
    print(f"{kind}: filled in {time.perf_counter() - began:.0f} s; p50, p95, p95 of CPU alone")


if __name__ == "__main__":
    main()
