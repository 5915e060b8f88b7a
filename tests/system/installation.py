"""A whole running installation in a folder of its own: `radrelay serve` on free loopback ports, stopped by pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.backends import BACKENDS, environment_for
from tests.ports import free_port
from tests.started import Started, ran

__all__ = ["free_port"]

START_S = 240.0
SHORT_S = 180.0
PATIENCE = 9  # ends of roles before a start is given up

T = TypeVar("T")


class InVain(AssertionError):
    """What was waited for did not come."""


def until(question: Callable[[], T], what: str, seconds: float = SHORT_S) -> T:
    """Ask until the answer is true and return it; a connection that fails counts as no answer."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            answer = question()
            if answer:
                return answer
            last = answer
        except (httpx2.HTTPError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            raise InVain(f"waited {seconds:.0f} s in vain for {what}; last answer: {last!r}")
        time.sleep(0.1)


def children(pid: int) -> dict[int, str]:
    """Return the titles of a process' children, such as `radrelay listen`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes().decode().strip("\0")
        except OSError:
            continue
        if parent == pid:
            found[int(entry.name)] = command
    return found


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    """Return a process' resident memory (or its peak, VmHWM) in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise LookupError(name)


@dataclass
class Installation:
    """One data directory, its settings, and the processes that serve it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    web_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    token: str = ""
    fresh: bool = False  # its roles are the program itself, not copies of a process that has imported it
    process: Started | subprocess.Popen[bytes] | None = None
    _ends_before: int = 0  # of roles in the output, before the last start
    _kills: int = 0

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def output(self) -> str:
        """Return what the processes printed."""
        path = self.folder / "output.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def packs(self) -> list[str]:
        """Return the names of the packs that are written."""
        return BACKENDS.pack_names(self.data_dir)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RADRELAY_")}
        own = {
            "RADRELAY_DATA_DIR": str(self.data_dir),
            "RADRELAY_WEB__PORT": str(self.web_port),
            "RADRELAY_DICOM__PORT": str(self.dicom_port),
            "RADRELAY_RETENTION__QUIET_S": "2",
            "RADRELAY_STORAGE__SEGMENT_BYTES": str(16 << 20),
            "RADRELAY_STORAGE__MIN_FREE_BYTES": str(1 << 20),
            "RADRELAY_STORAGE__BALLAST_BYTES": str(1 << 20),
            "RADRELAY_WORK__RETRY_FIRST_S": "1",
            "RADRELAY_NODE__PORT": "0",
        }
        return {**kept, **own, **environment_for(self.data_dir), **self.settings}

    def start(self, *arguments: str) -> None:
        """Start `radrelay serve` (or another role) and wait until the pages answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ends_before = self._ends()
        asked = arguments or ("serve",)
        output = self.folder / "output.txt"
        if self.fresh:
            with output.open("ab") as file:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "radrelay", *asked], env=self.environment(), cwd=self.folder,
                    stdout=file, stderr=subprocess.STDOUT,
                )  # fmt: skip
        else:
            self.process = Started(asked, environment=self.environment(), folder=self.folder, output=output)
        if not arguments:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until web and listener answer."""
        try:
            until(self._ready, "the installation to be ready", START_S)
        except InVain as error:
            raise InVain(f"{error}\n{self.output[-4000:]}") from error

    def _ends(self) -> int:
        return self.output.count("role ended, starting it again")

    def _ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"radrelay ended by itself:\n{self.output[-4000:]}")
        if self._ends() - self._ends_before - self._kills >= PATIENCE:
            raise AssertionError(f"a role does not start:\n{self.output[-4000:]}")
        with socket.create_connection(("127.0.0.1", self.dicom_port), timeout=2):
            pass
        return httpx2.get(f"{self.base}/readyz", timeout=10, trust_env=False).status_code == 200

    def stop(self) -> None:
        """End it as an operator does; what is left of it is killed."""
        if self.process is None:
            return
        left = list(children(self.process.pid))
        self.process.terminate()
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in left:
            if Path(f"/proc/{pid}").exists() and "radrelay" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        self.process = None

    def pid(self, role: str) -> int:
        """Return the process id of a role, waiting until it runs."""
        process = self.process
        assert process is not None

        def running() -> int:
            return next((pid for pid, command in children(process.pid).items() if command == f"radrelay {role}"), 0)

        return until(running, f"the role {role} to run")

    def kill(self, role: str) -> None:
        """Kill a role as a lack of memory would; the supervisor starts it again."""
        os.kill(self.pid(role), signal.SIGKILL)
        self._kills += 1

    def memory(self) -> dict[str, float]:
        """Return each role's resident memory in MB."""
        return {role: memory_mb(self.pid(role)) for role in ("listen", "web", "work")}

    def command(
        self, *arguments: str, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `radrelay …` over this installation."""
        environment = {**self.environment(), "COLUMNS": "400"}
        done = ran(arguments, environment=environment, folder=self.folder, stdin=stdin)
        if check and done.returncode != 0:
            raise AssertionError(
                f"radrelay {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def http(self, token: str | None = None) -> httpx2.Client:
        """Return a client that carries the token."""
        if not self.token:
            self.token = self.command("token", "add", "tests", "--role", "admin").stdout.strip()
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx2.Client(base_url=self.base, headers=headers, timeout=120, trust_env=False)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of a GET, which must succeed."""
        with self.http() as http:
            answer = http.get(path, params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def send(self, method: str, path: str, json: Any = None) -> Any:
        """Return the JSON of a request that changes something, which must succeed."""
        with self.http() as http:
            answer = http.request(method, path, json=json)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def studies(self, **query: Any) -> list[dict[str, Any]]:
        """Return the study list."""
        found: list[dict[str, Any]] = self.get("/api/studies", **{"limit": 500, **query})["studies"]
        return found

    def study(self, study_uid: str) -> dict[str, Any] | None:
        """Return the row of the study list with this UID."""
        return next(iter(self.studies(study_uid=study_uid)), None)

    def wait_study(self, study_uid: str, instances: int, seconds: float = SHORT_S) -> dict[str, Any]:
        """Wait until the list shows a study with so many instances."""

        def whole() -> dict[str, Any] | None:
            found = self.study(study_uid)
            return found if found is not None and found["instance_count"] == instances else None

        found = until(whole, f"{instances} instances of study {study_uid}", seconds)
        assert found is not None
        return found

    def instance_uids(self) -> list[str]:
        """Return the SOP Instance UIDs of all instances, as QIDO-RS tells them."""
        uids: list[str] = []
        with self.http() as http:
            while True:
                answer = http.get("/dicom-web/instances", params={"limit": 1000, "offset": len(uids)})
                assert answer.status_code == 200, answer.text[:500]
                page = [row["00080018"]["Value"][0] for row in answer.json()]
                uids += page
                if len(page) < 1000:
                    return uids

    def object(self, study: str, series: str, sop: str) -> bytes:
        """Return one instance as it is stored, by WADO-RS."""
        with self.http() as http:
            answer = http.get(
                f"/dicom-web/studies/{study}/series/{series}/instances/{sop}",
                headers={"Accept": "application/dicom; transfer-syntax=*"},
            )
        assert answer.status_code == 200, answer.text[:500] + self._logged(answer)
        return answer.content

    def _logged(self, answer: httpx2.Response) -> str:
        """Return what the log says of an answer that nobody foresaw."""
        one = answer.json().get("correlation_id", "") if answer.status_code == 500 else ""
        lines = (self.folder / "output.txt").read_text(errors="replace").splitlines() if one else []
        return "\n".join(line[:6000] for line in lines if one in line)


@contextmanager
def running(folder: Path, settings: Mapping[str, str] | None = None, *, fresh: bool = False) -> Iterator[Installation]:
    """Give a new installation that runs; `fresh`: as a program of its own, see `Installation`."""
    made = Installation(folder, dict(settings or {}), fresh=fresh)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def tool(*arguments: object, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Run a program of dcmtk or the like, without stalls for small packets."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        check=False,
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[:4000])
    return done


def keys(*pairs: str) -> Sequence[str]:
    """Return `-k` before each key of a query."""
    return [word for pair in pairs for word in ("-k", pair)]
