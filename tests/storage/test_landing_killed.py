"""A process that lands objects is killed at any moment; another takes over what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest

from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentReader
from tests.backends import EMBEDDED
from tests.storage.landed import whole_records

WRITER = """
import sys, threading
from pathlib import Path
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentLog
from tests.storage.conftest import settings_in
from tests.storage.landed import land, payload_of

settings = settings_in(Path(sys.argv[1]), large_object_bytes=200_000)
log = SegmentLog.open(settings.landing_dir, "listen", Keyring.open(settings), settings.storage)
said = threading.Lock()

def work(seed):
    number = 0
    while True:
        number += 1
        ticket = land(log, payload_of((0, 3_000, 34_000, 90_000, 300_000)[number % 5], seed * 10_000 + number))
        log.wait_durable(ticket)
        with said:
            print(ticket.location.record_id, flush=True)

for seed in range(3):
    threading.Thread(target=work, args=(seed,)).start()
"""


def start_writer(folder: Path) -> subprocess.Popen[str]:
    """Start a process that lands objects; it needs no servers, and, killed, would leave those of its own running."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "RADRELAY_TEST_BACKEND": EMBEDDED},
    )


@pytest.mark.parametrize("lives_s", [0.2, 0.5, 0.9])
def test_killed_writer_loses_nothing_acknowledged(
    settings: Settings, keyring: Keyring, tmp_path: Path, lives_s: float
) -> None:
    promised: set[UUID] = set()
    reader = SegmentReader(settings.landing_dir, keyring)
    for _ in range(2):
        process = start_writer(tmp_path)
        assert process.stdout is not None
        promised.add(UUID(process.stdout.readline().strip()))
        assert not reader.recover("listen"), "the owner lives"
        threading.Timer(lives_s, process.kill).start()
        promised |= {UUID(line.strip()) for line in process.stdout if line.endswith("\n")}
        process.wait()
        process.stdout.close()
        seen_before = whole_records(reader).keys()
        assert reader.recover("listen")
        found = whole_records(reader).keys()
        assert promised <= found
        assert seen_before <= found
        assert all(segment.sealed for segment in reader.segments("listen"))
    assert len(promised) > 10


def test_a_reader_follows_a_writer_in_another_process(settings: Settings, keyring: Keyring, tmp_path: Path) -> None:
    process = start_writer(tmp_path)
    try:
        assert process.stdout is not None
        reader = SegmentReader(settings.landing_dir, keyring)
        for _ in range(5):
            said = {UUID(process.stdout.readline().strip()) for _ in range(10)}
            assert said <= whole_records(reader).keys()
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
