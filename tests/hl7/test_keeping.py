"""Messages kept: answered once durable, again when they come again; found, replayed, forgotten."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from radrelay.clock import FixedClock
from radrelay.hl7 import (
    Inbox,
    Keeping,
    MessageQuery,
    Reading,
    Seal,
    forget_old,
    forget_patient,
    message_bytes,
    read_mapping,
    replay,
    search_messages,
    shipped,
)
from radrelay.hl7 import keeping as module
from radrelay.hl7.errors import ContentDamaged, FieldMissing, MessageNotFound, NothingToReplay
from radrelay.hl7.mllp import Received
from radrelay.hl7.service import hold_open
from radrelay.storage.database import Database, DatabaseUnavailable
from tests.hl7.conftest import HOSPITAL, INBOX, rows
from tests.hl7.samples import adt, merge, msa, order


def take(keeping: Keeping, *frames: bytes, ended: bool = True) -> list[list[str]]:
    """Return code and control ID of each answer to each frame."""
    received = [Received("KIS", "10.0.0.1:5000", frame, ended) for frame in frames]
    return [["^".join(msa(one)[1:3]) for one in answers] for answers in keeping.take(received)]


def test_messages_are_kept_sealed_with_what_they_are_found_by(keeping: Keeping, database: Database, seal: Seal) -> None:
    raw = adt(control_id="A1")
    assert take(keeping, raw, order("A2"), merge("A3", "N", "O"), b"nonsense") == [
        ["AA^A1"], ["AA^A2"], ["AA^A3"], ["AR^"],
    ]  # fmt: skip
    first, second, third, fourth = rows(database)
    assert (first.type, first.sender, first.control_id, first.patient_id) == ("ADT^A01", "KIS|ADT", "A1", "4711")
    assert (first.patient_issuer, first.state, first.answer, first.peer) == (
        "HOSPITAL",
        "waiting",
        "AA",
        "10.0.0.1:5000",
    )
    assert (second.type, second.accession_number) == ("OMI^O23", "ACC1")
    assert json.loads(third.lanes) == [["HOSPITAL", "N"], ["HOSPITAL", "O"]]
    assert (fourth.state, fourth.answer, fourth.error_code, fourth.type) == ("refused", "AR", "hl7-no-header", "")
    assert b"4711" not in first.sealed
    assert b"ller" not in first.sealed
    with database.read() as session:
        assert message_bytes(session, seal, HOSPITAL, first.id) == raw.rstrip(b"\r")
        with pytest.raises(MessageNotFound):
            message_bytes(session, seal, uuid.UUID(int=8), first.id)
    with pytest.raises(ContentDamaged):
        seal.open(second.id, first.sealed)


def test_message_that_comes_again_is_answered_again_and_kept_once(keeping: Keeping, database: Database) -> None:
    raw = adt(control_id="A1")
    assert take(keeping, raw, raw) == [["AA^A1"], ["AA^A1"]]
    assert take(keeping, raw) == [["AA^A1"]]
    (row,) = rows(database)
    assert row.repeats == 2


def test_other_bytes_under_the_same_control_id_are_another_message(keeping: Keeping, database: Database) -> None:
    assert take(keeping, adt(control_id="1"), adt(control_id="1", patient_id="4712")) == [["AA^1"], ["AA^1"]]
    assert [row.patient_id for row in rows(database)] == ["4711", "4712"]
    nameless = adt(control_id="")
    take(keeping, nameless, nameless)
    take(keeping, nameless)
    assert len(rows(database)) == 5


def test_refused_message_is_looked_at_anew_when_it_comes_again(
    keeping: Keeping, database: Database, clock: FixedClock, seal: Seal
) -> None:
    raw = adt(patient_id="").replace(b"PID|1||", b"PID|1|0815|")
    assert take(keeping, raw) == [["AE^1"]]
    assert take(keeping, raw) == [["AE^1"]]
    mended = replace(INBOX, mapping=read_mapping("[patient]\nidentifier = 'PID-2'", shipped()))
    later = Keeping(database, clock, seal, {"KIS": mended})
    assert take(later, raw) == [["AA^1"]]
    (row,) = rows(database)
    assert (row.state, row.answer, row.patient_id, row.error, row.repeats) == ("waiting", "AA", "0815", "", 2)
    assert take(keeping, raw) == [["AA^1"]], "taken is taken"


def test_two_messages_and_batches_in_one_frame_are_answered_each(keeping: Keeping, database: Database) -> None:
    assert take(keeping, adt(control_id="1") + adt(control_id="2", patient_id="")) == [["AA^1", "AE^2"]]
    batch = b"BHS|^~\\&|KIS\r" + adt(control_id="3") + adt(control_id="4") + b"BTS|2\r"
    ((answer,),) = keeping.take([Received("KIS", "x", batch)])
    lines = answer.split(b"\r")
    assert [line[:8] for line in lines if line[:3] != b"MSH"] == [b"BHS|^~\\&", b"MSA|AA|3", b"MSA|AA|4", b"BTS|2", b""]
    assert len(rows(database)) == 4


def test_message_that_was_broken_off_is_kept_and_refused(keeping: Keeping, database: Database) -> None:
    assert take(keeping, adt(control_id="1"), ended=False) == [["AE^1"]]
    ((answer,),) = keeping.take([Received("KIS", "x", adt(control_id="2")[:60], ended=False, too_large=True)])
    assert msa(answer)[1:3] == ["AR", "2"]
    assert [(row.state, row.error_code) for row in rows(database)] == [
        ("refused", "hl7-segment-broken"), ("refused", "hl7-too-large"),
    ]  # fmt: skip


def test_nothing_is_acknowledged_while_the_database_is_away(
    keeping: Keeping, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def away() -> Any:
        raise DatabaseUnavailable
        yield

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", away)
        assert take(keeping, adt(control_id="1"), b"nonsense") == [["AR^1"], ["AR^"]]
    assert rows(database) == []
    assert take(keeping, adt(control_id="1")) == [["AA^1"]]


def test_senders_have_their_own_character_sets(database: Database, clock: FixedClock, seal: Seal) -> None:
    reading = Reading("UTF-8", senders={"KIS": "8859/1"})
    keeping = Keeping(database, clock, seal, {"KIS": Inbox(HOSPITAL, shipped(), reading)})
    assert take(keeping, adt(control_id="1")) == [["AA^1"]]
    assert take(keeping, adt(control_id="2").replace(b"|KIS|ADT", b"|RIS|ADT")) == [["AE^2"]]
    assert [row.error_code for row in rows(database)] == ["", "hl7-characters-broken"]


def test_messages_are_found_by_what_people_know_of_them(
    keeping: Keeping, database: Database, clock: FixedClock
) -> None:
    take(keeping, adt(control_id="A1"), order("B2"), adt("A08", control_id="C3", patient_id=""))
    clock.advance(timedelta(hours=1))
    take(keeping, adt("A03", control_id="D4", patient_id="99"))

    def found(**asked: Any) -> list[str]:
        with database.read() as session:
            return [one.control_id for one in search_messages(session, HOSPITAL, MessageQuery(**asked))]

    assert found() == ["D4", "C3", "B2", "A1"]
    assert found(text="47") == ["B2", "A1"]
    assert found(text="ACC") == ["B2"]
    assert found(text="%") == []
    assert found(type="ADT", state="waiting") == ["D4", "A1"]
    assert found(type="ADT^A03") == ["D4"]
    assert found(since=clock.now() - timedelta(minutes=1)) == ["D4"]
    assert found(until=clock.now()) == ["C3", "B2", "A1"]
    with database.read() as session:
        page = search_messages(session, HOSPITAL, MessageQuery(), limit=2)
        more = search_messages(session, HOSPITAL, MessageQuery(), after=page[-1].id)
        assert [one.control_id for one in more] == ["B2", "A1"]
        assert search_messages(session, uuid.UUID(int=8), MessageQuery()) == []


def test_replay_reads_by_the_mapping_of_today(keeping: Keeping, database: Database, seal: Seal) -> None:
    take(keeping, adt(patient_id="").replace(b"PID|1||", b"PID|1|0815|"))
    (row,) = rows(database)
    with database.write() as session, pytest.raises(FieldMissing):
        replay(session, seal, {"KIS": INBOX}, HOSPITAL, [row.id])
    mended = replace(INBOX, mapping=read_mapping("[patient]\nidentifier = 'PID-2'", shipped()))
    with database.write() as session:
        replay(session, seal, {"KIS": mended}, HOSPITAL, [row.id])
    (row,) = rows(database)
    assert (row.state, row.patient_id, row.replays, row.error_code) == ("waiting", "0815", 1, "")
    with database.write() as session, pytest.raises(NothingToReplay):
        replay(session, seal, {"KIS": mended}, HOSPITAL, [row.id])


def test_messages_are_forgotten_in_time_but_none_that_waits(
    keeping: Keeping, database: Database, clock: FixedClock
) -> None:
    take(keeping, adt(control_id="1"), adt(control_id="2", patient_id=""), b"rubbish")
    clock.advance(timedelta(days=30, seconds=1))
    take(keeping, adt(control_id="3", patient_id=""))
    with database.write() as session:
        assert forget_old(session, clock.now(), 30, limit=1) == 1
        assert forget_old(session, clock.now(), 30) == 1
        assert forget_old(session, clock.now(), 30) == 0
        assert hold_open(session) == 0
    assert [row.control_id for row in rows(database)] == ["1", "3"]


def test_messages_of_a_patient_who_is_erased_go_and_others_stay(keeping: Keeping, database: Database) -> None:
    take(
        keeping,
        adt(control_id="1"),
        merge("2", "N", "4711"),
        adt(control_id="3").replace(b"^^^HOSPITAL", b"^^^CLINIC"),
        adt(control_id="4", patient_id="47"),
    )
    with database.write() as session:
        assert forget_patient(session, HOSPITAL, "HOSPITAL", "4711") == 2
        assert forget_patient(session, uuid.UUID(int=8), "HOSPITAL", "47") == 0
    assert [row.control_id for row in rows(database)] == ["3", "4"]


def test_message_that_another_process_keeps_in_the_same_moment_is_kept_once(
    keeping: Keeping, database: Database, clock: FixedClock, seal: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, looked = adt(control_id="1"), []

    def overtaken(session: Any, entries: Any) -> dict[Any, Any]:
        looked.append(1)
        return {} if len(looked) == 2 else really(session, entries)

    really = module._known
    take(keeping, raw)
    monkeypatch.setattr(module, "_known", overtaken)
    looked.append(1)
    assert take(keeping, raw, adt(control_id="2")) == [["AA^1"], ["AA^2"]]
    assert [(row.control_id, row.repeats) for row in rows(database)] == [("1", 1), ("2", 0)]


def test_zero_bytes_in_a_header_are_kept_and_answered(keeping: Keeping, database: Database) -> None:
    assert take(keeping, adt().replace(b"ADT^A01", b"AD\0^A\x001"), adt(control_id="a\0b")) == [["AR^1"], ["AA^a\0b"]]
    assert all("\0" not in row.error + row.type + row.control_id for row in rows(database))
