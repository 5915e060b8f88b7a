"""An import of 1,000 slices from a provider on this machine: from the link to the checked page, and to the archive.

The peer is what a person would do by hand with tools that look at nothing: curl fetches the same ZIP, unzip unpacks it
to the disk in the clear, and dcmftest says of each file whether it is DICOM.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port

from benchmarks import machine
from benchmarks.fetch import Client
from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.servers import Radrelay
from benchmarks.table import OURS, Aim, Line, line

PART = "imports"
PEER = "curl, unzip, dcmftest"
CHECKED_S, MEMORY_MIB = 15, 200
TOKEN, BORN = "ABC-S1Z-98A", "1970-01-01"
JSON = {"Content-Type": "application/json"}


class Importing(Radrelay):
    """`radrelay serve`, for which this machine's provider is a portal."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "RADRELAY_IMPORTER__TRIAL": "true",
            "RADRELAY_IMPORTER__HOSTS": "[]",
        }


def run(plan: Plan) -> list[Line]:
    """Import a study, and have the peer fetch it, in turns."""
    folder = plan.folder / PART
    slices = plan.pick(1000, 100)
    files = write_ct(folder / "ct", slices)
    ours = Importing(folder / "radrelay")
    checked: list[float] = []
    filed: list[float] = []
    peer: list[float] = []
    memory: list[float] = []
    try:
        ours.start()
        client = Client.of(ours)
        with provider(files[0].parent) as link:
            host = link.partition("//")[2].partition("/")[0]
            _ask(client, "/api/portals", {"host": host, "confirm": True}, "PUT")
            for number in range(plan.rounds):
                peer.append(_by_hand(link, folder / f"peer-{number}"))
                with watched(ours.roles()["work"]) as peak:
                    case, took = _checked(client, link, slices)
                memory.append(peak[0])
                checked.append(took)
                if number == 0:
                    filed.append(_filed(client, case, slices))
                _ask(client, f"/api/imports/{case['id']}", None, "DELETE")
        lines = plan.tell([
            line(PART, f"a link to the checked page, {slices} slices of 512²", "s", {OURS: checked, PEER: peer},
                 Aim(CHECKED_S, below=True), better="lower"),
            line(PART, "memory of the role that works, at its peak beyond where it stood", "MiB", {OURS: memory},
                 Aim(MEMORY_MIB, below=True), better="lower"),
            line(PART, "from the click to all of it in the archive", "s", {OURS: filed}, better="lower"),
        ])  # fmt: skip
    finally:
        ours.stop()
    shutil.rmtree(folder)
    return lines


@contextmanager
def provider(folder: Path) -> Iterator[str]:
    """Hand out a folder by DLX; gives a link to it once all of it is packed."""
    port = free_port()
    command = [sys.executable, "-m", "radrelay", "dlx", "serve", str(folder), "--port", str(port)]
    server = subprocess.Popen([*command, "--birth-date", BORN], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        _fetched(link, Path("/dev/null"))  # packs it
        yield link
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Give how much memory of its own a process takes at its peak, beyond where it stood."""
    before, peak, over = machine.own_memory_mib(pid), [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], machine.own_memory_mib(pid) - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _checked(client: Client, link: str, slices: int) -> tuple[dict[str, Any], float]:
    """Return an import that a person decides on, and how long that took."""
    began = time.perf_counter()
    case = _ask(client, "/api/imports", {"link": link, "birth_date": BORN, "basis": "treatment"})
    while case["state"] != "open":
        if case["state"] not in ("fetching", "checking"):
            raise RuntimeError(f"the import is {case['state']}: {case['error']}")
        time.sleep(0.1)
        case = _ask(client, f"/api/imports/{case['id']}", None, "GET")
    took = time.perf_counter() - began
    if case["objects"] != slices:
        raise RuntimeError(f"{case['objects']} of {slices} objects arrived")
    return case, took


def _filed(client: Client, case: dict[str, Any], slices: int) -> float:
    """Decide, file, and return how long the filing took."""
    here = f"/api/imports/{case['id']}"
    person = case["persons"][0]["person"]
    born = person["birth_date"].replace("-", "")
    if born != BORN.replace("-", ""):
        case = _ask(client, f"{here}/birth-date", {"birth_date": person["birth_date"]}, "PUT")
        while case["state"] != "open":
            time.sleep(0.1)
            case = _ask(client, here, None, "GET")
    patient = {"name": person["name"], "patient_id": "4711", "issuer": "KH"}
    case = _ask(client, f"{here}/people/0/patient", {"patient": patient}, "PUT")
    for number, found in ((None, case["findings"]), (0, case["persons"][0]["findings"])):
        keys = [one["key"] for one in found if one["level"] == "look"]
        if keys:
            _ask(client, f"{here}/confirmations", {"number": number, "keys": keys})
    began = time.perf_counter()
    case = _ask(client, f"{here}/people/0/file", {})
    while case["state"] != "filed":
        if case["state"] != "filing":
            raise RuntimeError(f"the import is {case['state']}: {case['error']}")
        time.sleep(0.1)
        case = _ask(client, here, None, "GET")
    took = time.perf_counter() - began
    if case["persons"][0]["studies"][0]["becomes"] != {"new": slices}:
        raise RuntimeError("not all of it was filed")
    return took


def _by_hand(link: str, folder: Path) -> float:
    """Fetch, unpack and look at a study with the tools of a Debian machine; returns how long that took."""
    folder.mkdir()
    began = time.perf_counter()
    _fetched(link, folder / "study.zip")
    subprocess.run(["unzip", "-q", "-d", str(folder / "files"), str(folder / "study.zip")], check=True)
    files = [str(one) for one in sorted((folder / "files" / "DICOM").rglob("*")) if one.is_file()]
    for start in range(0, len(files), 500):
        subprocess.run(["dcmftest", *files[start : start + 500]], check=True, capture_output=True)
    took = time.perf_counter() - began
    shutil.rmtree(folder)
    return took


def _fetched(link: str, into: Path) -> None:
    """Download the first study of a link with curl."""
    base = link.partition("/portal")[0] + "/dlx/v1"
    answers = json.dumps({"tfaAnswer": [{"questionId": "1", "answer": BORN.replace("-", "")}]})
    login = ["-X", "POST", "-H", "Content-Type: application/json", "-d", answers, f"{base}/tokentfa/{TOKEN}"]
    bearer = ["-H", f"Authorization: Bearer {_curl(*login)}"]
    item = json.loads(_curl(*bearer, f"{base}/list"))["dataItem"][0]
    _curl(*bearer, "-o", str(into), f"{base}/download/{item['id']}")


def _curl(*arguments: str) -> str:
    made = subprocess.run(["curl", "-sSf", *arguments], check=True, capture_output=True, text=True)
    return made.stdout


def _ask(client: Client, path: str, body: object, method: str = "POST") -> dict[str, Any]:
    sent = None if body is None else json.dumps(body).encode()
    answer = client.request(path, method=method, body=sent, headers=JSON if sent else {})
    told: dict[str, Any] = json.loads(answer) if answer else {}
    return told
