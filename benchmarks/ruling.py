"""Rules asked of studies: 1,000 rules of ten thousand series, with what the index says in hand, and read for it.

The rules ask each of two to three things, as sites do: modality with source, AE title, description, institution, size,
time of day, patient ID. Every series is of a study of its own, so that nothing is asked once for several. Processor
time counts, so that other work on the machine tells little.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, interleaved, line
from radrelay.app.role import settle
from radrelay.archive.arrivals import Arrival, Terms
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.models import Study
from radrelay.dicom.index import IndexAttributes
from radrelay.routing.rules.conditions import Condition, condition
from radrelay.routing.rules.facts import facts_of
from radrelay.routing.rules.matching import Compiled, Facts, Match
from radrelay.settings import DatabaseSettings
from radrelay.storage import migrate
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.segments import RecordLocation

PART = "rules"
RULES = 1_000
PIECE = 500  # studies that are read at once: what was read of earlier ones is let go, as it is where rules work
EXPLICIT_LE = "1.2.840.10008.1.2.1"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
MODALITIES = ("CT", "MR", "US", "CR", "DX", "MG", "PT", "NM")
WORDS = ("Schädel", "Thorax", "Abdomen", "Knie", "Hüfte", "Becken", "HWS", "LWS", "Angio", "nativ", "KM", "axial")


@dataclass(frozen=True)
class _Rule:
    when: tuple[Condition, ...]
    match: Match = "all"


def run(plan: Plan) -> list[Line]:
    """Ask the rules of all series, anew each round."""
    folder, count = plan.folder / PART, plan.pick(10_000, 500)
    folder.mkdir()
    chance = random.Random(7)
    terms = [Terms(new_id(), uuid.UUID(int=1), retention_s=None) for _ in range(20)]
    rules = [_rule(chance, number, terms) for number in range(RULES)]
    database = Database.open(DatabaseSettings(), folder, bytes(32))
    try:
        migrate.migrate(database)
        _fill(database, chance, terms, count)
        with database.read() as session:
            ids = list(session.scalars(sa.select(Study.id)))
        fields = Compiled(rules).fields
        known = _read(database, ids, fields)
        settle()  # as a role does before it works
        alone = interleaved(plan.rounds, {OURS: lambda _: _per_second(rules, known)})
        read = interleaved(plan.rounds, {OURS: lambda _: _read_and_asked(database, rules, ids)})
    finally:
        database.close()
        shutil.rmtree(folder)
    what = f"{RULES:,} rules asked of {count:,} series of as many studies"
    return plan.tell(
        [
            line(PART, f"{what}, compiling them and each value met for the first time", "series/s", alone, Aim(10_000)),
            line(PART, f"{what}, with reading the index (embedded database)", "series/s", read, Aim(10_000)),
        ]
    )


def _rule(chance: random.Random, number: int, terms: Sequence[Terms]) -> _Rule:
    when = [condition("Modality", "is", chance.sample(MODALITIES, 2))]
    kind = number % 5
    if kind == 0:
        when.append(condition("source", "is", [str(chance.choice(terms).id)]))
    elif kind == 1:
        when.append(condition("StudyDescription", "contains", [" ".join(chance.sample(WORDS, 2))]))
    elif kind == 2:
        when.append(condition("calling_ae", "like", [f"DEV{number % 37}*"]))
        when.append(condition("megabytes", "at-least", [str(number)]))
    elif kind == 3:
        when.append(condition("PatientID", "begins", [f"{number:04d}"]))
        when.append(condition("time", "between", ["22:00", "06:00"]))
    else:
        when.append(condition("InstitutionName", "is-not", [f"Haus {number % 100}"]))
        when.append(condition("SeriesDescription", "contains", [chance.choice(WORDS)]))
    return _Rule(tuple(when), "any" if number % 50 == 0 else "all")


def _fill(database: Database, chance: random.Random, terms: Sequence[Terms], count: int) -> None:
    for start in range(0, count, 500):
        arrivals = [_arrival(chance, terms, number) for number in range(start, min(count, start + 500))]
        with database.write() as session:
            upsert_batch(session, arrivals)


def _arrival(chance: random.Random, terms: Sequence[Terms], number: int) -> Arrival:
    study, patient = f"1.2.3.{number}", f"{chance.randrange(10**7):07d}"
    described, told = " ".join(chance.sample(WORDS, 2)), f"{chance.choice(WORDS)} {number % 10}"
    modality, institution = chance.choice(MODALITIES), f"Haus {chance.randrange(100)}"
    of_study = {"00081030": described, "00100020": patient, "0020000D": study}
    of_series = {"00080060": modality, "00080080": institution, "0008103E": told, "0020000E": f"{study}.1"}
    attributes = IndexAttributes(
        patient_id=patient, issuer="", patient_name=f"Name{number}^A", birth_date=None, sex="", study_uid=study,
        study_date=None, study_time=None, accession="", study_id="", study_description=described, referring="",
        institution=institution, series_uid=f"{study}.1", modality=modality, series_number=1,
        series_description=told, body_part="", laterality="", series_date=None, series_time=None,
        sop_uid=f"{study}.1.1", sop_class="1.2.840.10008.5.1.4.1.1.2", instance_number=1, rows=1, columns=1, frames=1,
        transfer_syntax=EXPLICIT_LE, study_json=_json(of_study), series_json=_json(of_series),
    )  # fmt: skip
    made = Arrival(
        chance.choice(terms), attributes, RecordLocation(uuid.uuid4(), "listen", 1, 1, number * 4096, 1000),
        EXPLICIT_LE, hashlib.sha256(study.encode()).digest(), chance.randrange(1_500_000_000), NOW,
    )  # fmt: skip
    return replace(made, calling_ae=f"DEV{chance.randrange(60)}", called_ae="RADRELAY")


def _json(values: dict[str, str]) -> str:
    return json.dumps({tag: {"vr": "LO", "Value": [value]} for tag, value in values.items()})


def _read(database: Database, ids: Sequence[uuid.UUID], fields: Collection[str]) -> list[Facts]:
    with database.read() as session:
        return list(facts_of(session, uuid.UUID(int=1), ids, NOW, UTC, fields).values())


def _per_second(rules: Sequence[_Rule], known: Sequence[Facts]) -> float:
    begun = time.process_time()
    compiled = Compiled(rules)
    met = sum(len(compiled.fitting(facts)) for facts in known)
    spent = time.process_time() - begun
    if not met:
        raise RuntimeError("no rule has met anything")
    return len(known) / spent


def _read_and_asked(database: Database, rules: Sequence[_Rule], ids: Sequence[uuid.UUID]) -> float:
    begun = time.process_time()
    compiled = Compiled(rules)
    for start in range(0, len(ids), PIECE):
        for facts in _read(database, ids[start : start + PIECE], compiled.fields):
            compiled.fitting(facts)
    return len(ids) / (time.process_time() - begun)
