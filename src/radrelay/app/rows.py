"""All rows of one moment as a stream of msgpack, the same for both databases, and back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import models as access_models
from radrelay.analysis import models as analysis_models
from radrelay.app.backup_folder import Stored
from radrelay.app.held_back import HeldBack, hold_back
from radrelay.app.restored import UNFINISHED
from radrelay.archive import models as archive_models
from radrelay.archive import search_index
from radrelay.audit import models as audit_models
from radrelay.displays import models as displays_models
from radrelay.hl7 import models as hl7_models
from radrelay.identity import models as identity_models
from radrelay.identity.factors import models as factors_models
from radrelay.importer import models as importer_models
from radrelay.intake import models as intake_models
from radrelay.mail import models as mail_models
from radrelay.marks import models as marks_models
from radrelay.privacy import consent_models
from radrelay.privacy import models as privacy_models
from radrelay.pseudonyms import models as pseudonyms_models
from radrelay.routing import models as routing_models
from radrelay.routing.rules import models as rule_models
from radrelay.storage import append_only
from radrelay.storage import models as storage_models
from radrelay.storage.columns import Base, Id, Instant
from radrelay.storage.database import Database

ROOMS = (
    access_models,
    analysis_models,
    archive_models,
    audit_models,
    consent_models,
    displays_models,
    factors_models,
    hl7_models,
    identity_models,
    importer_models,
    intake_models,
    mail_models,
    marks_models,
    privacy_models,
    pseudonyms_models,
    routing_models,
    rule_models,
    storage_models,
)
"""Every room with tables; naming them here makes their tables known to `Base`."""

LEFT_OUT = frozenset(
    {
        "session", "login_attempt", "landing_cursor", "node_lease", "node_state", "study_token",
        "mail_letter", "password_link", "mailed_pin", "forgotten_password", "sign_up", "address_change",
        "usage_event", "usage_withdrawal",
    }
)  # fmt: skip
"""What a restored installation begins anew, or makes itself. Letters would be sent, and links open, a second time;
what was counted of usage would outlast its withdrawal."""

CHUNK = 1000


def dump_rows(database: Database, write: Callable[[bytes], object]) -> tuple[list[Stored], list[dict[str, object]]]:
    """Write every row as of one moment; returns the packs and the landing records that they name.

    Records that are to be erased are left out: nothing needs them any more.
    """
    packs: list[Stored] = []
    records: list[dict[str, object]] = []
    erased: set[object] = set()
    with database.read() as session:
        if database.dialect == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for table in _tables():
            for chunk in _chunks(session, table):
                _frame(write, [str(table.name), [str(column.name) for column in table.columns], chunk])
                for row in chunk:
                    named = dict(zip((column.name for column in table.columns), row, strict=True))
                    if table.name == "pack":
                        packs.append(
                            Stored(
                                named["id"],
                                named["name"],
                                named["plain_bytes"],
                                named["toc_offset"],
                                named["toc_length"],
                            )
                        )
                    elif table.name == "erasure":
                        erased.add(named["id"])
                    elif table.name == "landing_record":
                        named["record_id"] = named.pop("id")
                        named.pop("organisation_id")
                        records.append(named)
    return packs, [record for record in records if record["record_id"] not in erased]


def load_rows(database: Database, pieces: Iterator[bytes], now: datetime) -> HeldBack:
    """Replace every row by the dumped ones, in one transaction, and make the text index anew.

    Deliveries and HL7 messages that were to go out are held, and schedules switched off, in the same transaction, so
    that no crash lets a restored copy send or ask, and the restore is noted as `UNFINISHED`. Returns what is held.
    """
    tables = {table.name: table for table in _tables()}
    with database.write() as session:
        connection = session.connection()
        append_only.lift(connection)
        for table in reversed(list(tables.values())):
            connection.execute(sa.delete(table))
        for name, columns, rows in _frames(pieces):
            table = tables[name]
            known = [
                (place, table.c[column])
                for place, column in enumerate(columns)
                if column in table.c and table.c[column].computed is None  # which the database works out itself
            ]
            connection.execute(
                sa.insert(table), [{c.name: thaw(c.type, row[place]) for place, c in known} for row in rows]
            )
        append_only.hold(connection)
        _index_text(session)
        session.merge(storage_models.NodeState(name=UNFINISHED, value=b""))
        return hold_back(session, now)


def _tables() -> list[sa.Table]:
    return [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


def _chunks(session: Session, table: sa.Table) -> Iterator[list[tuple[Any, ...]]]:
    result = session.execute(sa.select(table).execution_options(yield_per=CHUNK))
    for rows in result.partitions(CHUNK):
        yield [tuple(row) for row in rows]


def _frame(write: Callable[[bytes], object], content: list[Any]) -> None:
    encoded = msgspec.msgpack.encode(content)
    write(len(encoded).to_bytes(4, "big") + encoded)


def _frames(pieces: Iterator[bytes]) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= 4 and len(buffer) >= 4 + (size := int.from_bytes(buffer[:4], "big")):
            name, columns, rows = msgspec.msgpack.decode(bytes(buffer[4 : 4 + size]))
            del buffer[: 4 + size]
            yield name, columns, rows


def thaw(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    """Return a value as its column takes it; msgpack knows no dates, times and UUIDs but as text."""
    if value is None:
        return None
    if isinstance(kind, Id):
        return uuid.UUID(value) if isinstance(value, str) else value
    if isinstance(kind, Instant | sa.DateTime):
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(kind, sa.Date):
        return date.fromisoformat(value)
    if isinstance(kind, sa.Time):
        return time.fromisoformat(value)
    return value


def _index_text(session: Session) -> None:
    session.execute(sa.delete(archive_models.ShortToken))
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("INSERT INTO study_text(study_text) VALUES ('delete-all')")
    study = archive_models.Study
    columns = (study.sort_key, study.patient_name_folded, study.search_text)
    for rows in session.execute(sa.select(*columns).execution_options(yield_per=CHUNK)).partitions(CHUNK):
        search_index.add(session, [search_index.Entry(*row) for row in rows])
