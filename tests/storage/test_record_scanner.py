"""The scanner of records meets any bytes at all."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from radrelay.storage.keys import Keyring
from radrelay.storage.landing_format import (
    PAGE,
    parse_record_header,
    parse_segment_page,
    record_header,
)
from radrelay.storage.segments import SegmentLog, SegmentReader, Ticket
from tests.storage.conftest import settings_in
from tests.storage.landed import land, payload_of, whole_records

few = hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(st.binary(max_size=400), st.integers(0, 2**63), st.integers(0, 2**40), st.integers(0, 2**26))
def test_random_bytes_are_no_record(data: bytes, epoch: int, number: int, room: int) -> None:
    assert parse_record_header(data, epoch, number, room) is None
    assert parse_segment_page(data.ljust(PAGE, b"\0")) is None


lengths = st.integers(0, 2**32 - 1)


@given(lengths, lengths, st.integers(0, 2**64 - 1), st.integers(0, 2**26))
def test_a_record_never_reaches_beyond_its_segment(envelope: int, head: int, body: int, room: int) -> None:
    data = record_header(1, 7, 8, 9, bytes(16), (envelope, head, body)).ljust(128, b"\0")
    record = parse_record_header(data, 7, 8, room)
    if record is not None:
        assert record.stored_bytes <= room
        assert (record.envelope_length, record.head_length, record.body_length) == (envelope, head, body)


@given(st.integers(0, 67), st.integers(1, 255))
def test_a_changed_header_is_no_record(at: int, change: int) -> None:
    data = bytearray(record_header(1, 7, 8, 9, bytes(16), (10, 20, 30)).ljust(128, b"\0"))
    data[at] ^= change
    assert parse_record_header(bytes(data), 7, 8, 1 << 20) is None


@cache
def unsealed() -> tuple[Keyring, bytes, list[Ticket]]:
    """Return an open segment's bytes as a crash would leave them, and what is in it."""
    folder = Path(tempfile.mkdtemp(prefix="radrelay-scanner-"))
    settings = settings_in(folder)
    keyring = Keyring.open(settings, create=True)
    log = SegmentLog.open(settings.landing_dir, "listen", keyring, settings.storage)
    tickets = [land(log, payload_of(random.Random(seed).randrange(30_000), seed)) for seed in range(8)]
    log.wait_durable(tickets[-1])
    raw = (log.directory / f"seg-{tickets[0].location.segment:010d}.seg").read_bytes()
    log.close()
    return keyring, raw, tickets


@few
@given(st.data())
def test_recovery_of_a_torn_segment_shows_whole_records_only(data: st.DataObject) -> None:
    keyring, raw, tickets = unsealed()
    end = tickets[-1].location.offset + PAGE * 9
    damage = data.draw(
        st.lists(st.tuples(st.integers(PAGE, end), st.binary(min_size=1, max_size=600)), min_size=1, max_size=4)
    )
    content = bytearray(raw)
    for at, bytes_ in damage:
        content[at : at + len(bytes_)] = bytes_
    first_damage = min(at for at, _ in damage)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "listen"
        own.mkdir()
        (own / f"seg-{tickets[0].location.segment:010d}.seg").write_bytes(content)
        reader = SegmentReader(Path(folder), keyring)
        assert reader.recover("listen")
        found = whole_records(reader)
    ends = [ticket.location.offset for ticket in tickets[1:]] + [end]
    untouched = {ticket.location.record_id for ticket, stop in zip(tickets, ends, strict=True) if stop <= first_damage}
    assert untouched <= found.keys() <= {ticket.location.record_id for ticket in tickets}
