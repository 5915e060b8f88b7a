"""Two machines over one PostgreSQL and one S3 store: each sees what landed on the other, and does without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.postgres import drop_database, new_database
from tests.system.installation import Installation, children, free_port, until
from tests.system.peers import Storescp
from tests.system.samples import Sample, phantom_files
from tests.system.test_outages import all_there, pack_count, s3, send

AWAY = 503


@dataclass
class Site:
    """Machines A and B, their database and their store; studies stay unpacked until `pack_after` is lowered."""

    folder: Path
    a: Installation
    b: Installation
    url: str
    endpoint: str

    def ask(self, question: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(question).fetchall()


def machine(folder: Path, name: str, settings: dict[str, str]) -> Installation:
    own = {
        "RADRELAY_NODE__NAME": f"machine-{name}",
        "RADRELAY_NODE__PORT": str(free_port()),
        "RADRELAY_KEYS__MASTER_FILE": str(folder / "master-key"),
    }
    return Installation(folder / name, {**settings, **own})


@contextmanager
def site(folder: Path, url: str, **further: str) -> Iterator[Site]:
    """Run both machines."""
    with s3() as (_, store):
        settings = {**store, "RADRELAY_DATABASE__URL": url, "RADRELAY_RETENTION__QUIET_S": "600", **further}
        a, b = machine(folder, "a", settings), machine(folder, "b", settings)
        try:
            a.start()
            b.start()
            b.token = a.command("token", "add", "tests", "--role", "admin").stdout.strip()
            a.token = b.token
            yield Site(folder, a, b, url, settings["RADRELAY_STORAGE__S3_ENDPOINT"])
        finally:
            a.stop()
            b.stop()


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    made = new_database(postgres_url)
    yield made
    drop_database(made)


def kill_all(machine: Installation) -> None:
    """Take the machine's power away: every process of it ends at once."""
    process = machine.process
    assert process is not None
    pids = [process.pid, *children(process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    machine.process = None
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the processes to be gone")


def frames_status(machine: Installation, item: Sample) -> tuple[int, str]:
    with machine.http() as http:
        answer = http.get(f"/dicom-web/studies/{item.study}/series/{item.series}/instances/{item.sop}/frames/1")
        return answer.status_code, answer.text if answer.status_code != 200 else ""


def download(machine: Installation, study_uid: str) -> httpx2.Response:
    row = machine.study(study_uid)
    assert row is not None
    with machine.http() as http:
        return http.get(f"/api/studies/{row['id']}/archive.zip")


def test_what_landed_on_one_machine_is_seen_on_the_other_before_and_after_packing(
    tmp_path: Path, url: str, receiver: Storescp
) -> None:
    with site(tmp_path, url, RADRELAY_RETENTION__QUIET_S="25", RADRELAY_STORAGE__LARGE_OBJECT_BYTES="100000") as both:
        small = phantom_files(tmp_path / "files", "ct-head", seed=611, slices=6, size=96)
        large = phantom_files(tmp_path / "large", "mr-head", seed=612, slices=2, size=512)
        send(both.a, [*small, *large])
        all_there(both.b, small)
        all_there(both.b, large)
        assert pack_count(both.endpoint) == 0
        assert frames_status(both.b, small[0])[0] == 200
        assert download(both.b, small[0].study).status_code == 200
        until(lambda: pack_count(both.endpoint) >= 2, "packs in the bucket")
        until(lambda: both.ask("SELECT count(*) FROM landing_record")[0][0] == 0, "landing records to be given up")
        all_there(both.b, small)
        all_there(both.a, large)
        assert sorted(both.b.instance_uids()) == sorted(item.sop for item in [*small, *large])


def test_a_machine_without_power_takes_only_what_it_alone_holds_with_it(tmp_path: Path, url: str) -> None:
    with site(tmp_path, url) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=621, slices=4)
        others = phantom_files(tmp_path / "others", "mr-head", seed=622, slices=2)
        send(both.a, samples)
        both.b.wait_study(samples[0].study, len(samples))
        kill_all(both.a)
        send(both.b, others)
        all_there(both.b, others)
        assert both.b.study(samples[0].study) is not None
        found = until(lambda: _away(both.b, samples[0]), "the trouble to be told")
        assert found is not None
        status, text = found
        assert (status, "machine-a" in text, "node-away" in text) == (AWAY, True, True), text
        answer = download(both.b, samples[0].study)
        assert answer.status_code == AWAY, answer.status_code
        assert "machine-a" in both.b.command("doctor", check=False).stdout
        both.a.start()
        all_there(both.b, samples)
        all_there(both.a, others)
        assert sorted(both.a.instance_uids()) == sorted(item.sop for item in [*samples, *others])


def _away(machine: Installation, item: Sample) -> tuple[int, str] | None:
    found = frames_status(machine, item)
    return found if found[0] == AWAY else None
