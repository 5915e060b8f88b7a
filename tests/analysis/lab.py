"""A site with an external program that does what its parameter says, and the work on its runs step by step."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from radrelay.analysis.jobs import AnalysisWork
from radrelay.analysis.kinds import Kinds
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.service import ATTEMPT
from radrelay.app.analysing import sending_on
from radrelay.archive.models import Instance
from radrelay.storage.outbox import Event
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, only_study, upload

PROGRAM = '''#!{python} -IS
"""Do what the parameter says with the first image."""
import json, os, pathlib, socket, sys, time
given, made = map(pathlib.Path, sys.argv[1:3])
said = json.loads(pathlib.Path(os.environ["RADRELAY_ANALYSIS_PARAMETERS"]).read_text())
how = said["how"]
image = next(iter(sorted(given.iterdir()))).read_bytes()
def uid(tag):
    at = image.index(tag + b"UI") + 8
    return image[at : at + int.from_bytes(image[at - 2 : at], "little")].rstrip(bytes(1))
old, series = uid(b"\\x08\\0\\x18\\0"), uid(b"\\x20\\0\\x0e\\0")
own = old[:-5] + b"1%04d" % (os.getpid() % 9999)
new = image.replace(old, own).replace(series, series[:-5] + b"77777")
print(json.dumps({{"step": "copying", "share": 0.5}}), "and so on", sep="\\n", flush=True)
print(json.dumps({{"step": "copying", "share": 0.5}}), flush=True)
if how == "sleep":
    time.sleep(60)
if how == "memory":
    filled = bytearray(400 << 20)
if how == "another":
    new = new.replace(b"1CT1", b"2CT2")
if how == "rubbish":
    new = b"no image"
if how == "refuse":
    reason = {{"code": "perfusion-no-contrast", "message": "no contrast", "facts": {{"peak": 2}}}}
    print(json.dumps(reason), file=sys.stderr)
    sys.exit(3)
if how == "fail":
    print("it broke", file=sys.stderr)
    sys.exit(7)
if how == "link":
    (made / "a.dcm").symlink_to("/etc/passwd")
if how == "inside":
    for number in range(4):
        (given / f"more-{{number}}").write_bytes(bytes(2 << 20))
if how == "nonsense":
    reason = {{"code": "a\\0b", "message": "\\ud800 no", "facts": {{"message": 1, "self": 2, "far": float("inf")}}}}
    print(json.dumps(reason), file=sys.stderr)
    sys.exit(3)
if how == "flood":
    (made / "a.dcm").write_bytes(bytes(8 << 20))
    time.sleep(60)
if how != "nothing":
    (made / "copy.dcm").write_bytes(new)
    found = {{"sop_uids": [own.decode()], "environment": sorted(os.environ)}}
    if how == "leave":
        home = pathlib.Path(said["home"])
        tried = found["tried"] = {{}}
        for name, act in (
            ("write beside", lambda: (home / "left").write_text("x")),
            ("write in the images' folder's folder", lambda: (given.parent.parent / "left").write_text("x")),
            ("read", lambda: [one.read_bytes() for one in sorted((home / "data").rglob("*")) if one.is_file()]),
            ("environment", lambda: pathlib.Path("/proc", said["worker"], "environ").read_bytes()),
            ("connect", lambda: socket.create_connection(("127.0.0.1", 9), 1)),
            ("share memory", lambda: pathlib.Path("/dev/shm/left").write_text("x")),
            ("use its folder", lambda: (given.parent / "tmp" / "a").write_text("x")),
        ):
            try:
                act()
                tried[name] = 0
            except OSError as error:
                tried[name] = error.errno
        status = pathlib.Path("/proc/self/status").read_text().splitlines()
        found["powers"] = {{line[:6]: int(line[7:], 16) for line in status if line.startswith("Cap")}}
        if os.fork() == 0:
            os.setsid()
            os.closerange(0, 3)
            time.sleep(60)
    (made / "findings.json").write_text(json.dumps(found))
'''
HOWS = [
    "copy",
    "sleep",
    "memory",
    "another",
    "rubbish",
    "refuse",
    "fail",
    "link",
    "flood",
    "nothing",
    "inside",
    "nonsense",
    "leave",
]


@dataclass
class Lab:
    """A site whose program `copier` is on, and a study on it."""

    site: WebSite
    root: Login
    work: AnalysisWork
    study: str

    def start(self, how: str = "copy", **parameters: Any) -> str:
        """Ask for a run; returns its id."""
        body = {"kind": "copier", "parameters": {"how": how, **parameters}}
        asked = self.root.http.post(f"/api/studies/{self.study}/analyses", json=body, headers=self.root.headers)
        assert asked.status_code == 202, asked.text
        return str(asked.json()["id"])

    def post(self, address: str, body: object = None) -> Any:
        return self.root.http.post(f"/api/analysis-runs/{address}", json=body, headers=self.root.headers)

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.root.http.get(f"/api/analysis-runs/{run_id}").json()
        return found

    def attempt(self, run_id: str, work: AnalysisWork | None = None) -> dict[str, Any]:
        """Make one attempt, while what lands is taken into the index."""
        event = Event(uuid.uuid4(), ATTEMPT, self.site.organisation_id, uuid.UUID(run_id), {})
        with self.indexing():
            (work or self.work).attempt(event)
        return self.run(run_id)

    @contextmanager
    def indexing(self) -> Iterator[None]:
        over = threading.Event()

        def index() -> None:
            while not over.is_set():
                self.site.index()
                over.wait(0.02)

        thread = threading.Thread(target=index)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def instances(self) -> list[str]:
        with self.site.database.read() as session:
            return list(session.scalars(sa.select(Instance.sop_uid)))

    def folders(self) -> list[Path]:
        return [one for one in self.site.settings.analysis.memory_dir.iterdir() if one.is_dir()]

    def at_work(self) -> int:
        """Return how many processes of the program there are."""
        program, found = str(self.site.settings.analysis.folder).encode(), 0
        for one in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                found += program in (one / "cmdline").read_bytes()
        return found

    def other_work(self) -> AnalysisWork:
        return open_work(self.site)

    def change(self, run_id: str, **values: object) -> None:
        with self.site.database.write() as session:
            session.execute(sa.update(AnalysisRun).where(AnalysisRun.id == uuid.UUID(run_id)).values(**values))


def open_work(site: WebSite) -> AnalysisWork:
    kinds = Kinds(site.settings.analysis)
    reader = site.services.reader
    return AnalysisWork(site.settings, site.database, site.clock, kinds, reader, site.landing, sending_on(site.clock))


def describe(folder: Path) -> Path:
    """Write the program and its description; returns the folder of kinds."""
    place = folder / "kinds" / "copier"
    place.mkdir(parents=True, exist_ok=True)
    program = place / "run"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    said = {
        "name": "copier", "title": "Copier", "version": "1.2", "modalities": ["CT"], "program": ["run"],
        "parameters": [
            {"name": "how", "kind": "choice", "default": "copy", "choices": HOWS},
            {"name": "home", "kind": "choice", "default": str(folder), "choices": [str(folder)]},
            {"name": "worker", "kind": "choice", "default": str(os.getpid()), "choices": [str(os.getpid())]},
        ],
        "limits": {"memory_bytes": 200 << 20, "cores": 1, "seconds": 20, "output_bytes": 4 << 20, "at_once": 1},
    }  # fmt: skip
    (place / "analysis.json").write_text(json.dumps(said))
    return place.parent


@contextmanager
def open_lab(folder: Path) -> Iterator[Lab]:
    (folder / "memory").mkdir()
    analysis = {"folder": str(describe(folder)), "memory_dir": str(folder / "memory"), "nice": 0}
    site = open_site(folder, analysis=analysis)
    try:
        site.account("root", "admin")
        site.account("anna")
        root = site.login("root")
        upload(site, root, CT)
        lab = Lab(site, root, open_work(site), str(only_study(root)["id"]))
        switched = root.http.put("/api/analyses/copier", json={"enabled": True}, headers=root.headers)
        assert switched.status_code == 200, switched.text
        yield lab
    finally:
        close_site(site)


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to be")
