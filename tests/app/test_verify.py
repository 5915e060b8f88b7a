"""`radrelay doctor --verify` finds what does not fit together, and finds nothing where all does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.app.verify import verify_objects
from radrelay.archive.models import Attachment, Instance
from radrelay.archive.tables import KEPT_KEY
from radrelay.settings import Settings
from radrelay.storage.ids import new_id
from radrelay.storage.key_tables import study_key
from radrelay.storage.keystore import LedgerEntry
from radrelay.storage.models import LandingRecord, Pack
from tests.app.house import House, house, settings_in
from tests.archive.house import slices

PDF = b"%PDF-1.7\n" + b"letter " * 2000


def filled(there: House) -> None:
    """Fill an installation with packed and landed objects, and an attachment."""
    there.land(*slices(3))
    there.compact()
    there.land(*slices(2, study="1.2.10"))
    there.land(PDF, kind="upload")


def findings(settings: Settings, state: str) -> dict[str, str]:
    return {found.subject: found.text for found in verify_objects(settings) if found.state == state}


def test_an_installation_in_order_has_no_findings(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        filled(there)
        assert findings(settings, "bad") == {}
        assert findings(settings, "look") == {}
        assert findings(settings, "good")["objects"].startswith("5 objects")
        assert findings(settings, "good")["landed records"].startswith("1 ")


def pack_without_key(there: House) -> None:
    with there.core.database.read() as session:
        there.core.keys.destroy(list(session.scalars(sa.select(Pack.id))))


def pack_cut_off(there: House) -> None:
    (path,) = [path for path in (there.core.settings.data_dir / "packs").rglob("*") if path.is_file()]
    path.write_bytes(path.read_bytes()[:-100])


def pack_missing(there: House) -> None:
    for name, _, _ in list(there.core.packs.names()):
        there.core.packs.delete(name)


def places_swapped(there: House) -> None:
    with there.core.database.write() as session:
        session.execute(
            sa.update(Instance).where(Instance.pack_id.is_not(None)).values(pack_entry=2 - Instance.pack_entry)
        )


def place_lost(there: House) -> None:
    with there.core.database.write() as session:
        session.execute(
            sa.delete(LandingRecord).where(LandingRecord.id.in_(sa.select(Instance.record_id))),
            execution_options={"synchronize_session": False},
        )


def overwrite_attachment(there: House, at: int, count: int) -> None:
    """Overwrite `count` bytes from byte `at` of the record that holds the attachment."""
    with there.core.database.read() as session:
        record = session.scalars(
            sa.select(LandingRecord).join(Attachment, Attachment.record_id == LandingRecord.id)
        ).one()
    path = there.core.settings.landing_dir / record.owner.rpartition("/")[2] / f"seg-{record.segment:010d}.seg"
    with path.open("r+b") as file:
        file.seek(record.offset + at)
        file.write(b"\xff" * count)


def attachment_damaged(there: House) -> None:
    overwrite_attachment(there, 8000, 100)


def envelope_damaged(there: House) -> None:
    overwrite_attachment(there, 140, 20)


def mirror_spoilt(there: House) -> None:
    mirror = there.core.keys._mirror
    assert mirror is not None
    with mirror._write() as connection:
        connection.execute(sa.update(study_key).values(wrapped=bytes(64)))


def ledger_ahead(there: House) -> None:
    now = there.core.clock.now()
    there.core.keys.append_ledger([LedgerEntry(now, there.prepared.organisation_id, "study", uuid.uuid4(), "deleted")])


def kept_too_long(there: House) -> None:
    row = {
        "id": new_id(),
        "organisation_id": there.prepared.organisation_id,
        "bound_to": new_id(),
        "kind": "pack",
        "name": "",
        "instance_ids": b"",
        "until": there.core.clock.now() - timedelta(hours=2),
    }
    with there.core.database.write() as session:
        session.execute(sa.insert(KEPT_KEY), [row])


@pytest.mark.parametrize(
    ("fault", "subject", "words"),
    [
        (pack_without_key, "keys", "1 packs have no key"),
        pytest.param(pack_cut_off, "pack", "bytes", marks=pytest.mark.embedded(reason="a pack's file is cut")),
        (pack_missing, "pack", "is missing"),
        (places_swapped, "pack", "does not hold 2 of the instances"),
        (place_lost, "index", "no place"),
        (attachment_damaged, "landed record", "cannot be read"),
        (envelope_damaged, "landing segment", "1 records"),
        (mirror_spoilt, "key mirror", "lacks 1"),
        (ledger_ahead, "deletions", "older than the deletion ledger"),
        (kept_too_long, "keys", "more than an hour ago"),
    ],
)
def test_what_does_not_fit_together_is_found(
    tmp_path: Path, fault: Callable[[House], None], subject: str, words: str
) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        filled(there)
        fault(there)
        assert words in findings(settings, "bad")[subject]


def test_what_is_not_finished_is_pointed_at(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        filled(there)
        there.core.keyring.rotate()
        there.core.keys.create(new_id(), new_id())
        found = findings(settings, "look")
        assert "not finished" in found["image key"]
        assert found["keys"].startswith("1 keys belong to nothing")
        assert findings(settings, "bad") == {}
