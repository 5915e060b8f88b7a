"""Objects as they arrive: attributes with sensible defaults, a source to bring them, a moment to start from."""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from radrelay.archive.arrivals import Arrival, Terms, Verdict
from radrelay.archive.indexing import upsert_batch
from radrelay.archive.models import Study
from radrelay.dicom.index import IndexAttributes
from radrelay.storage.database import Database
from radrelay.storage.ids import new_id
from radrelay.storage.segments import RecordLocation

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOUR_S = 3600
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

_offsets = itertools.count(4096, 4096)


def attributes(**changes: Any) -> IndexAttributes:
    """Return the attributes of one CT slice; `changes` override."""
    made = IndexAttributes(
        patient_id="4711",
        issuer="",
        patient_name="Müller^Jörg",
        birth_date=date(1970, 5, 17),
        sex="M",
        study_uid="1.2.3",
        study_date=date(2026, 2, 28),
        study_time=time(14, 30),
        accession="A-100",
        study_id="1",
        study_description="CT Schädel",
        referring="Weiß^Eva",
        institution="Klinikum",
        series_uid="1.2.3.1",
        modality="CT",
        series_number=1,
        series_description="axial",
        body_part="HEAD",
        laterality="",
        series_date=date(2026, 2, 28),
        series_time=time(14, 31),
        sop_uid="1.2.3.1.1",
        sop_class=CT,
        instance_number=1,
        rows=512,
        columns=512,
        frames=1,
        transfer_syntax=EXPLICIT_LITTLE,
        study_json=json.dumps({"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}),
        series_json="{}",
    )
    return msgspec.structs.replace(made, **changes)


def terms(**changes: Any) -> Terms:
    """Return a source's terms: retention 48 hours, no ceiling."""
    made = Terms(id=new_id(), organisation_id=new_id(), retention_s=48 * HOUR_S, quiet_s=30)
    return replace(made, **changes)


def arrival(source: Terms, at: datetime = START, content: str = "", **changes: Any) -> Arrival:
    """Return one object that arrived by `source`; the same `content` is the same data set."""
    made = attributes(**changes)
    digest = hashlib.sha256((content or made.sop_uid).encode()).digest()
    location = RecordLocation(uuid.uuid4(), "listen", 1, 1, next(_offsets), 1000)
    return Arrival(source, made, location, EXPLICIT_LITTLE, digest, 1000, at, file_name="a.dcm", file_size=1300)


class Door:
    """A source and the database that its objects arrive in."""

    def __init__(self, database: Database, source: Terms | None = None) -> None:
        self.database = database
        self.source = source or terms()

    @property
    def organisation_id(self) -> uuid.UUID:
        return self.source.organisation_id

    def other(self, **changes: Any) -> Door:
        """Return another source of the same organisation."""
        return Door(self.database, replace(self.source, id=new_id(), **changes))

    def bring(self, at: datetime = START, content: str = "", **changes: Any) -> Verdict:
        """Let one object arrive."""
        return self.bring_all([arrival(self.source, at, content, **changes)])[0]

    def bring_all(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        """Let a batch arrive in one transaction."""
        with self.database.write() as session:
            return upsert_batch(session, arrivals)

    def slices(self, count: int, at: datetime = START, **changes: Any) -> list[Arrival]:
        """Return `count` slices of one series, not yet brought."""
        series = changes.get("series_uid", "1.2.3.1")
        return [
            arrival(self.source, at + timedelta(milliseconds=n), sop_uid=f"{series}.{n}", instance_number=n, **changes)
            for n in range(1, count + 1)
        ]

    def study(self, study_uid: str = "1.2.3") -> Study:
        """Return a study's row."""
        with self.database.read() as session:
            found = session.scalar(
                sa.select(Study).where(Study.organisation_id == self.organisation_id, Study.study_uid == study_uid)
            )
        assert found is not None
        return found

    def rows(self, model: type[Any], **equal: Any) -> list[Any]:
        """Return all rows of a table, or those with these values."""
        with self.database.read() as session:
            return list(session.scalars(sa.select(model).filter_by(**equal)))
