"""The servers of a run, each a process of its own with empty folders and free ports on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from tests.ports import free_port

from benchmarks import machine
from radrelay.archive.tables import INSTANCE, STUDY
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring

HOST = "127.0.0.1"
START_S = 90.0
QUIET_LONG = "3600"


class Server:
    """A process that is started, waited for and stopped; use it in a with statement."""

    ae_title = "ANY-SCP"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dicom_port = free_port()
        self.web_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def web(self) -> str:
        return f"http://{HOST}:{self.web_port}"

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TCP_NODELAY": "1"}

    def answers(self) -> bool:
        return accepts(self.dicom_port)

    def launch(self) -> None:
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self.command(), env=self.environment(), cwd=self.folder, stdout=log, stderr=log
            )

    def start(self) -> Self:
        self.launch()
        self.wait_for_answer()
        return self

    def wait_for_answer(self) -> None:
        deadline = time.monotonic() + START_S
        while not self.answers():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.command()[0]} did not start; see {self.folder / 'server.log'}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Radrelay(Server):
    """`radrelay serve` with a token; studies are packed only when their quiet time is set short."""

    ae_title = "RADRELAY"
    dicomweb = "/dicom-web"

    def __init__(self, folder: Path, quiet_s: str = QUIET_LONG) -> None:
        super().__init__(folder)
        self.quiet_s = quiet_s
        self._database: Database | None = None
        self.token = self._made_token()

    def _made_token(self) -> str:
        command = [sys.executable, "-m", "radrelay", "token", "add", "bench", "--role", "admin"]
        made = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(made.stderr)
        return made.stdout.strip()

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def command(self) -> list[str]:
        return [sys.executable, "-m", "radrelay", "serve"]

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RADRELAY_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
        return {
            **inherited,
            "RADRELAY_DATA_DIR": str(self.folder / "data"),
            "RADRELAY_WEB__PORT": str(self.web_port),
            "RADRELAY_DICOM__PORT": str(self.dicom_port),
            "RADRELAY_RETENTION__QUIET_S": self.quiet_s,
            "RADRELAY_LOG__LEVEL": "warning",
        }

    def answers(self) -> bool:
        return accepts(self.dicom_port) and responds(self.web + "/readyz")

    def roles(self) -> dict[str, int]:
        return {name: pid for pid, name in machine.children(self.pid) if name in ("listen", "web", "work")}

    def database(self) -> Database:
        if self._database is None:
            settings = Settings.model_validate({"data_dir": self.folder / "data"})
            key = Keyring.open(settings).metadata_key
            self._database = Database.open(settings.database, settings.data_dir, key)
        return self._database

    def indexed(self, *, packed: bool = False) -> int:
        """Return how many objects have their rows (and lie in packs)."""
        count = sa.select(sa.func.count()).select_from(INSTANCE)
        with self.database().read() as session:
            return session.scalar(count.where(INSTANCE.c.pack_id.is_not(None)) if packed else count) or 0

    def wait_indexed(self, count: int, *, packed: bool = False, timeout_s: float = 180.0) -> None:
        deadline = time.monotonic() + timeout_s
        while (found := self.indexed(packed=packed)) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {found} of {count} objects were {'packed' if packed else 'indexed'}")
            time.sleep(0.02)

    def end_quiet_time(self) -> None:
        """Let all studies count as complete now, so that they are packed."""
        with self.database().write() as session:
            session.execute(sa.update(STUDY).values(quiet_at=datetime.now(UTC)))

    def stop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        super().stop()


class Sink(Server):
    """A receiver that keeps nothing: what a sender reaches when the other side costs it next to nothing."""

    ae_title = "SINK"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.receive_null", "--serve", str(self.dicom_port)]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(Path(__file__).parent.parent)}


class Orthanc(Server):
    """Debian's Orthanc with DICOMweb: defaults, each file synced (`synced` false is for filling it only)."""

    ae_title = "ORTHANC"
    dicomweb = "/dicom-web"

    def __init__(self, folder: Path, *, synced: bool = True) -> None:
        super().__init__(folder)
        settings = {
            "Name": "bench",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "SyncStorageArea": synced,
            "HttpPort": self.web_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowFind": True,
            "DicomAet": self.ae_title,
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

    def command(self) -> list[str]:
        return ["Orthanc", str(self.folder / "orthanc.json")]

    def answers(self) -> bool:
        return accepts(self.dicom_port) and responds(self.web + "/system")


class Storescp(Server):
    """dcmtk's storescp, a process for each association, files written and never synced."""

    def command(self) -> list[str]:
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        return ["storescp", "--fork", "-od", str(files), "--max-pdu", "131072", str(self.dicom_port)]

    def empty(self) -> None:
        """Remove what was stored."""
        for path in (self.folder / "files").iterdir():
            path.unlink()


def accepts(port: int) -> bool:
    """Return whether something listens."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def responds(url: str) -> bool:
    """Return whether a page is given."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
