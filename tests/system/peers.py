"""The other end: Orthanc from Debian's package and dcmtk's storescp, each in a folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.ports import free_port
from tests.system.installation import Installation, until

PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass
class Storescp:
    """A storescp that writes what it receives, bit for bit, into `folder`."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    each_anew: bool = False
    """Whether an object that comes twice becomes two files."""

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        naming = ["+uf"] if self.each_anew else []
        self.process = subprocess.Popen(
            ["storescp", "+B", "+xa", *naming, "-od", str(self.folder), str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: _answers(self.port), "storescp to listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


@contextmanager
def storescp(folder: Path, *, each_anew: bool = False) -> Iterator[Storescp]:
    """Give a running storescp."""
    assert shutil.which("storescp"), "dcmtk's programs are not installed: apt-get install dcmtk"
    made = Storescp(folder, each_anew=each_anew)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@dataclass
class Orthanc:
    """An Orthanc with the DICOMweb plugin that knows Radrelay as modality and as DICOMweb server."""

    folder: Path
    radrelay: Installation
    web_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.radrelay.http().close()
        configuration = {
            "Name": "ORTHANC",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
            "DicomAet": "ORTHANC",
            "DicomPort": self.dicom_port,
            "HttpPort": self.web_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomModalities": {"radrelay": ["RADRELAY", "127.0.0.1", self.radrelay.dicom_port]},
            "DicomWeb": {
                "Enable": True,
                "Servers": {
                    "radrelay": {
                        "Url": f"{self.radrelay.base}/dicom-web/",
                        "HttpHeaders": {"Authorization": f"Bearer {self.radrelay.token}"},
                    }
                },
            },
            **self.more,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(configuration))
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(["Orthanc", str(path)], stdout=output, stderr=subprocess.STDOUT)
        until(lambda: _answers(self.dicom_port) and self.get("/system"), "Orthanc to answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def http(self) -> httpx2.Client:
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.web_port}", timeout=120, trust_env=False)

    def get(self, path: str) -> Any:
        with self.http() as http:
            answer = http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def post(self, path: str, content: Any) -> Any:
        """Post JSON (or a file's bytes); the answer must be a success."""
        with self.http() as http:
            answer = http.post(path, content=content if isinstance(content, bytes) else json.dumps(content))
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text[:1000]}\n{self.output[-1500:]}"
        return answer.json()

    def files(self) -> list[bytes]:
        """Return every instance's file."""
        with self.http() as http:
            return [http.get(f"/instances/{name}/file").content for name in http.get("/instances").json()]

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text(errors="replace")


@contextmanager
def orthanc(folder: Path, radrelay: Installation) -> Iterator[Orthanc]:
    """Give a running Orthanc."""
    there = shutil.which("Orthanc") and PLUGINS.exists()
    assert there, "Orthanc is not installed: apt-get install orthanc orthanc-dicomweb"
    made = Orthanc(folder, radrelay)
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Line:
    """A TCP line to a server that can be cut and mended."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = free_port()
        self._target = target
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def __enter__(self) -> Line:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections and take no more."""
        if self._listener is not None:
            _hang_up(self._listener)
        while self._open:
            _hang_up(self._open.pop())

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        _hang_up(source)
        _hang_up(sink)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
