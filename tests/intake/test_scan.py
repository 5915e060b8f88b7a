"""Virus scan: nothing is seen before it is clean, nothing is lost while the scanner is away."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from radrelay.archive.models import Attachment, Instance
from radrelay.errors import Misconfigured
from radrelay.intake.errors import ScannerUnavailable
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.scan import Finding, Scanner
from tests.intake.conftest import MakeSite
from tests.intake.samples import ct_file, zipped
from tests.intake.test_landing_to_list import push, wait_for

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
LIMIT = 1 << 20


class FakeClamd(socketserver.BaseRequestHandler):
    """Speaks INSTREAM as clamd does, on the bytes of the EICAR test file."""

    def handle(self) -> None:
        command = self._line()
        if command == b"zVERSION":
            self.request.sendall(b"ClamAV fake\0")
            return
        assert command == b"zINSTREAM"
        data = bytearray()
        while size := int.from_bytes(self._exactly(4), "big"):
            data += self._exactly(size)
            if len(data) > LIMIT:
                self.request.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.request.sendall(b"stream: Eicar FOUND\0" if EICAR.encode() in data else b"stream: OK\0")

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\0"):
            line += self._exactly(1)
        return bytes(line[:-1])

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.request.recv(size - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return bytes(data)


class QuietServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Hang up without a word."""


@contextmanager
def fake_clamd(path: Path) -> Iterator[str]:
    with QuietServer(str(path), FakeClamd) as server:
        runner = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        runner.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            runner.join()
            path.unlink()


def test_the_protocol_is_spoken(tmp_path: Path) -> None:
    with fake_clamd(tmp_path / "s") as address:
        scanner = Scanner(address)
        assert scanner.ping() == "ClamAV fake"
        assert scanner.scan([b"a" * 700_000, b"b"]).finding is Finding.CLEAN
        assert scanner.scan([]).finding is Finding.CLEAN
        infected = scanner.scan([b"xx", EICAR.encode()])
        assert (infected.finding, infected.detail) == (Finding.INFECTED, "Eicar")
        assert scanner.scan([bytes(LIMIT)] * 30).finding is Finding.NOT_SCANNED


def test_a_scanner_that_is_away_or_hangs_up_is_never_a_clean_verdict(tmp_path: Path) -> None:
    with pytest.raises(ScannerUnavailable):
        Scanner(f"unix://{tmp_path / 'nobody'}").scan([b"x"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = [b"", b"stream: gibberish\0"]

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        runner = threading.Thread(target=serve)
        runner.start()
        for _ in answers:
            with pytest.raises(ScannerUnavailable):
                Scanner(f"tcp://127.0.0.1:{server.getsockname()[1]}").scan([b"x"])
        runner.join()
    for wrong in ("localhost:3310", "http://x:1", "tcp://x", "unix://"):
        with pytest.raises(Misconfigured):
            Scanner(wrong)


def test_an_infected_object_is_quarantined_and_can_be_released(make_site: MakeSite, tmp_path: Path) -> None:
    with fake_clamd(tmp_path / "s") as address:
        site = make_site({"clamd": address})
        writer = site.landing("listen").open_object(site.origin())
        push(writer, ct_file("1.2.1"))
        push(writer, ct_file("1.2.2", note=EICAR))
        site.index()
        assert site.rows(Instance) == 1
        assert site.codes() == ["infected"]
        quarantine = Quarantine(site.database, site.reader, site.clock)
        kept = quarantine.list(site.organisation_id)[0]
        assert "Eicar" in kept.reason
        with site.database.write() as session:
            quarantine.release(session, site.organisation_id, kept.id)
        assert site.rows(Instance) == 2
        assert site.codes() == ["infected"]
        assert quarantine.list(site.organisation_id) == []


def test_members_and_attachments_are_scanned_one_by_one(make_site: MakeSite, tmp_path: Path) -> None:
    with fake_clamd(tmp_path / "s") as address:
        site = make_site({"clamd": address})
        bad = ("bad.txt", f"{EICAR}\n".encode())
        parcel = site.take(("cd.zip", zipped(("a.dcm", ct_file("1.2.1")), bad, ("b.txt", b"fine"))))
        assert (parcel.objects, parcel.attachments, parcel.quarantined) == (1, 1, 1)
        assert site.rows(Attachment) == 1
        quarantine = Quarantine(site.database, site.reader, site.clock)
        with site.database.write() as session:
            quarantine.release(session, site.organisation_id, quarantine.list(site.organisation_id)[0].id)
        assert site.rows(Attachment) == 2


def test_what_the_scanner_cannot_look_at_goes_aside(make_site: MakeSite, tmp_path: Path) -> None:
    with fake_clamd(tmp_path / "s") as address:
        site = make_site({"clamd": address})
        push(site.landing("listen").open_object(site.origin()), ct_file("1.2.1", pixel_bytes=3 * LIMIT))
        site.index()
        assert site.codes() == ["not-scanned"]


def test_while_the_scanner_is_away_things_wait_unseen_and_then_appear(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site({"clamd": f"unix://{tmp_path / 's'}"})
    push(site.landing("listen").open_object(site.origin()), ct_file("1.2.1"))
    with pytest.raises(ScannerUnavailable):
        site.indexer().run_once()
    stop = threading.Event()
    runner = threading.Thread(target=site.indexer().run, args=(stop,))
    runner.start()
    try:
        push(site.landing("web").open_object(site.origin("stow")), ct_file("1.2.2"))
        stop.wait(0.3)
        assert site.rows(Instance) == 0
        with fake_clamd(tmp_path / "s"):
            wait_for(lambda: site.rows(Instance) == 2)
    finally:
        stop.set()
        runner.join()


def test_a_source_may_be_left_unscanned(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site({"clamd": f"unix://{tmp_path / 'nobody'}"})
    trusted = msgspec.structs.replace(site.origin(), scan=False)
    push(site.landing("listen").open_object(trusted), ct_file("1.2.1"))
    assert site.index() == 1
    assert site.rows(Instance) == 1


@pytest.fixture
def clamd(tmp_path: Path) -> Iterator[str]:
    """Start Debian's clamd on a signature of our own; it needs no network."""
    program = shutil.which("clamd") or ("/usr/sbin/clamd" if Path("/usr/sbin/clamd").exists() else None)
    assert program is not None, "clamd is not installed: apt-get install clamav-daemon"
    home = tmp_path / "clamd"
    (home / "db").mkdir(parents=True)
    (home / "db" / "test.ndb").write_text(f"Test.Eicar:0:*:{EICAR.encode().hex()}\n")
    config = {
        "DatabaseDirectory": home / "db",
        "LocalSocket": home / "socket",
        "PidFile": home / "pid",
        "LogFile": home / "log",
        "Foreground": "yes",
        "StreamMaxLength": "2M",
        "MaxThreads": "2",
        "SelfCheck": "0",
    }
    if os.geteuid() == 0:
        config["User"] = "root"
    (home / "clamd.conf").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
    daemon = subprocess.Popen(
        [program, "--config-file", str(home / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: (home / "socket").exists() or daemon.poll() is not None, 60)
        assert daemon.poll() is None, (home / "log").read_text()
        yield f"unix://{home / 'socket'}"
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


def test_the_real_clamd_finds_what_is_bad(clamd: str, make_site: MakeSite) -> None:
    site = make_site({"clamd": clamd})
    assert Scanner(clamd).ping().startswith("ClamAV")
    writer = site.landing("listen").open_object(site.origin())
    push(writer, ct_file("1.2.1"))
    push(writer, ct_file("1.2.2", note=EICAR))
    push(writer, ct_file("1.2.3", pixel_bytes=5 << 20))
    site.index()
    assert site.rows(Instance) == 1
    assert sorted(site.codes()) == ["infected", "not-scanned"]
