"""Two machines over one PostgreSQL and one S3 store: each sees what landed on the other, and does without it."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest

from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.node_tls import client_context
from tests.ports import free_port
from tests.postgres import drop_database, new_database
from tests.system.installation import Installation, children, until
from tests.system.peers import Storescp
from tests.system.samples import Sample, digests, phantom_files, received
from tests.system.stores import S3
from tests.system.test_outages import all_there, send

AWAY = 503


@dataclass
class Site:
    """Machines A and B, their database and their store; studies stay unpacked until `pack_after` is lowered."""

    folder: Path
    a: Installation
    b: Installation
    url: str
    s3: S3

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
def site(folder: Path, url: str, s3: S3, of_a: Mapping[str, str] | None = None, **further: str) -> Iterator[Site]:
    """Run both machines; `of_a` are settings of the first alone."""
    settings = {**s3.settings, "RADRELAY_DATABASE__URL": url, "RADRELAY_RETENTION__QUIET_S": "600", **further}
    a, b = machine(folder, "a", {**settings, **(of_a or {})}), machine(folder, "b", settings)
    try:
        a.start()
        b.start()
        b.token = a.command("token", "add", "tests", "--role", "admin").stdout.strip()
        a.token = b.token
        yield Site(folder, a, b, url, s3)
    finally:
        with ThreadPoolExecutor(2) as both:  # each waits for its own processes
            list(both.map(Installation.stop, (a, b)))


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
    tmp_path: Path, url: str, s3: S3, receiver: Storescp
) -> None:
    with site(
        tmp_path, url, s3, RADRELAY_RETENTION__QUIET_S="25", RADRELAY_STORAGE__LARGE_OBJECT_BYTES="100000"
    ) as both:
        small = phantom_files(tmp_path / "files", "ct-head", seed=611, slices=6, size=96)
        large = phantom_files(tmp_path / "large", "mr-head", seed=612, slices=2, size=512)
        send(both.a, [*small, *large])
        all_there(both.b, small)
        all_there(both.b, large)
        assert both.s3.packs() == 0
        assert frames_status(both.b, small[0])[0] == 200
        assert download(both.b, small[0].study).status_code == 200
        until(lambda: both.s3.packs() >= 2, "packs in the bucket")
        until(lambda: both.ask("SELECT count(*) FROM landing_record")[0][0] == 0, "landing records to be given up")
        all_there(both.b, small)
        all_there(both.a, large)
        assert sorted(both.b.instance_uids()) == sorted(item.sop for item in [*small, *large])


@pytest.mark.soak
def test_a_machine_without_power_takes_only_what_it_alone_holds_with_it(tmp_path: Path, url: str, s3: S3) -> None:
    with site(tmp_path, url, s3) as both:
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


@pytest.mark.soak
def test_a_study_deleted_on_one_machine_is_erased_on_the_disk_of_the_other(tmp_path: Path, url: str, s3: S3) -> None:
    with site(tmp_path, url, s3) as both:
        first, second = (phantom_files(tmp_path / str(n), "ct-head", seed=630 + n, slices=3) for n in (1, 2))
        send(both.a, [*first, *second])
        for samples in (first, second):
            both.b.wait_study(samples[0].study, len(samples))
        remove(both.b, first[0].study)
        assert both.a.study(first[0].study) is None
        until(lambda: records(both) == len(second), "the landing records of the first study to be erased", 60)
        kill_all(both.a)
        remove(both.b, second[0].study)
        assert both.b.studies() == []
        assert records(both) == len(second)
        both.a.start()
        until(lambda: records(both) == 0, "what was deleted while the machine was away to be erased", 60)
        assert both.a.instance_uids() == []


def remove(machine: Installation, study_uid: str) -> None:
    row = machine.study(study_uid)
    assert row is not None
    machine.send("DELETE", f"/api/studies/{row['id']}")


def records(both: Site) -> int:
    return int(str(both.ask("SELECT count(*) FROM landing_record")[0][0]))


@pytest.mark.soak
def test_what_landed_on_one_machine_is_delivered_from_the_other(
    tmp_path: Path, url: str, s3: S3, receiver: Storescp
) -> None:
    with site(tmp_path, url, s3) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=641, slices=5)
        send(both.a, samples)
        listed = both.b.wait_study(samples[0].study, len(samples))
        wanted = {"name": "R", "ae_title": "RECEIVER", "host": "127.0.0.1", "port": receiver.port}
        destination = both.b.send("POST", "/api/destinations", wanted)
        both.a.kill("work")  # what it holds is shown again as soon as it is back; the other's `work` delivers
        order = {"study_id": listed["id"], "destination_id": destination["id"]}
        asked = both.b.send("POST", "/api/deliveries", order)
        until(lambda: both.b.get(f"/api/deliveries/{asked['id']}")["state"] == "done", "the delivery")
        assert received(receiver.folder) == digests(item.data_set for item in samples)


def ask(host: str, port: int, context: ssl.SSLContext | None, path: str) -> int:
    """Return the status with which an endpoint answers, by TLS if there is a context."""
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=10)
    else:
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
    try:
        connection.request("GET", path, headers={"Range": "bytes=0-4095"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_stranger_learns_nothing_from_the_internal_endpoint(tmp_path: Path, url: str, s3: S3) -> None:
    with site(tmp_path, url, s3) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=651)
        send(both.a, samples)
        both.b.wait_study(samples[0].study, len(samples))
        node, address = both.ask("SELECT node, address FROM node_lease WHERE name = 'machine-a'")[0]
        [(owner, segment)] = both.ask("SELECT DISTINCT owner, segment FROM landing_record")
        host, _, port = str(address).rpartition(":")
        there = f"/landing/{node}/1/{str(owner).rpartition('/')[2]}/seg-{int(str(segment)):010d}.seg"
        stranger = Keyring.open(Settings(data_dir=tmp_path / "stranger" / "data"), create=True)
        anonymous = ssl.create_default_context()
        anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
        of_another = client_context(stranger, str(node), tmp_path)
        careless = client_context(stranger, str(node), tmp_path)
        careless.verify_mode = ssl.CERT_NONE
        for path in (there, there.replace("seg-", "seg-9")):
            for context in (anonymous, of_another, careless, None):
                with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
                    ask(host, int(port), context, path)
        known = Keyring.open(Settings.model_validate({
            "data_dir": both.b.data_dir, "database": {"url": url}, "keys": {"master_file": tmp_path / "master-key"},
        }))  # fmt: skip
        connection = http.client.HTTPSConnection(
            host, int(port), context=client_context(known, str(node), tmp_path), timeout=10
        )
        for path, status in ((there, 206), (there.replace("seg-", "seg-9"), 404), (f"{there}/../../../node-id", 400)):
            connection.request("GET", path, headers={"Range": "bytes=0-4095"})
            answer = connection.getresponse()
            assert (answer.status, len(answer.read())) == (status, 4096 if status == 206 else 0), path
        connection.request("GET", there.replace("/1/", "/2/"), headers={"Range": "bytes=0-4095"})
        assert connection.getresponse().status == 409
        connection.close()


@pytest.mark.soak
def test_a_machine_with_another_master_key_is_refused(tmp_path: Path, url: str, s3: S3) -> None:
    with site(tmp_path, url, s3) as both:
        c = machine(tmp_path, "c", {**both.a.settings, "RADRELAY_WORK__CONCURRENCY": "1"})
        c.settings["RADRELAY_KEYS__MASTER_FILE"] = str(tmp_path / "another-key")
        (tmp_path / "another-key").write_text("ab" * 32)
        (tmp_path / "another-key").chmod(0o600)
        c.folder.mkdir()
        refused = c.command("serve", check=False)
        assert refused.returncode == 1
        assert "master key" in refused.stderr
        assert "database.url" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert both.ask("SELECT count(*) FROM node_lease") == [(2,)]


@pytest.mark.soak
def test_a_disk_moved_to_another_machine_is_served_there_and_the_old_one_is_fenced(
    tmp_path: Path, url: str, s3: S3
) -> None:
    with site(tmp_path, url, s3) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=661, slices=3)
        send(both.a, samples)
        both.b.wait_study(samples[0].study, len(samples))
        old = both.a.process
        assert old is not None
        frozen = [old.pid, *children(old.pid)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        c = machine(tmp_path, "c", {**both.b.settings})
        c.token = both.b.token
        try:
            shutil.copytree(both.a.data_dir, c.data_dir)
            c.start()
            until(lambda: frames_status(both.b, samples[0])[0] == 200, "the disk to be read from where it is now", 60)
            all_there(both.b, samples)
            all_there(c, samples)
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            until(lambda: "taken this data directory over" in both.a.output, "the old machine to find out", 60)
            until(lambda: not [p for p in frozen[1:] if Path(f"/proc/{p}").exists()], "its roles to end", 60)
            all_there(both.b, samples)
            assert both.ask("SELECT epoch FROM node_lease WHERE name = 'machine-c'") == [(2,)]
        finally:
            c.stop()


@pytest.mark.soak
def test_a_machine_that_only_listens_looks_after_what_has_landed_on_it(tmp_path: Path, url: str, s3: S3) -> None:
    with site(tmp_path, url, s3) as both:
        both.a.stop()
        both.a.start("listen")
        until(lambda: not statuses_fail(both.a), "the listener to answer", 60)
        samples = phantom_files(tmp_path / "files", "ct-head", seed=671, slices=3)
        send(both.a, samples)
        all_there(both.b, samples)


def statuses_fail(machine: Installation) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", machine.dicom_port)) != 0


@pytest.mark.soak
def test_an_archive_that_landed_on_a_machine_that_dies_is_unpacked_once_it_is_back_by_whoever_takes_it(
    tmp_path: Path, url: str, s3: S3
) -> None:
    with site(tmp_path, url, s3) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=681, slices=8)
        with zipfile.ZipFile(tmp_path / "disc.zip", "w") as disc:
            for item in samples:
                disc.write(item.path, item.path.name)
        parcel = both.a.send("POST", "/api/parcels", {"name": "disc"})["id"]
        with both.a.http() as http:
            answer = http.put(
                f"/api/parcels/{parcel}/files",
                params={"name": "disc.zip"},
                content=(tmp_path / "disc.zip").read_bytes(),
            )
            assert answer.is_success, answer.text
        both.a.send("POST", f"/api/parcels/{parcel}/done")
        kill_all(both.a)
        both.b.studies()
        both.a.start()
        both.b.wait_study(samples[0].study, len(samples))
        until(lambda: both.b.get(f"/api/parcels/{parcel}")["state"] == "done", "the parcel to be done")
        assert sorted(both.b.instance_uids()) == sorted(item.sop for item in samples)
        told = both.b.get(f"/api/parcels/{parcel}")
        assert (told["objects"], told["duplicates"]) == (len(samples), 0)


@pytest.mark.soak
def test_a_machine_lost_for_good_is_forgotten_and_what_it_alone_held_can_be_sent_again(
    tmp_path: Path, url: str, s3: S3
) -> None:
    with site(tmp_path, url, s3) as both:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=691, slices=4)
        others = phantom_files(tmp_path / "others", "mr-head", seed=692, slices=2)
        gone = phantom_files(tmp_path / "gone", "ct-head", seed=693, slices=2)
        send(both.a, samples)
        send(both.a, gone)
        send(both.b, others)
        for sent in (samples, gone, others):
            both.b.wait_study(sent[0].study, len(sent))
        serving = both.b.command("nodes", "forget", "machine-a", "--yes", check=False)
        assert (serving.returncode, "stop it first" in serving.stderr) == (1, True), serving.stderr
        kill_all(both.a)
        until(lambda: "is away" in both.b.command("nodes").stdout, "the lease to end", 60)
        told = both.b.command("nodes", "forget", "machine-a", check=False)
        assert told.returncode == 1
        assert f"4 of 4 images of study {samples[0].study}" in told.stdout
        assert others[0].study not in told.stdout
        assert both.b.study(samples[0].study) is not None
        assert _away(both.b, gone[0])
        send(both.b, samples)  # what nobody can read comes again, and takes its place
        until(lambda: not any(_away(both.b, one) for one in samples), "the second copies to be in place", 60)
        assert both.b.command("nodes", "forget", "machine-a", "--yes").returncode == 0
        all_there(both.b, samples)
        assert both.b.study(gone[0].study) is None
        send(both.b, gone)
        all_there(both.b, gone)
        all_there(both.b, others)
        assert "machine-a" not in both.b.command("doctor", check=False).stdout
        refused = both.a.command("serve", check=False)
        assert (refused.returncode, "given up" in refused.stderr) == (1, True), refused.stderr
        all_there(both.b, samples)
        assert sorted(both.b.instance_uids()) == sorted(item.sop for item in [*samples, *gone, *others])
