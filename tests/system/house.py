"""A whole installation inside the test's process, by a clock that the test moves: listener, pages, and work by hand."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from pydicom import dcmread

from radrelay import audit
from radrelay.app import listen, web
from radrelay.app.core import Core, open_core
from radrelay.app.prepare import prepare
from radrelay.app.work import Workshop, open_workshop
from radrelay.archive import indexing
from radrelay.clock import FixedClock
from radrelay.settings import Settings
from tests.backends import settings_for
from tests.ports import free_port
from tests.system.installation import until
from tests.system.samples import Sample

STEP = timedelta(hours=5)


@dataclass
class House:
    """The roles, each with parts of its own over one data directory, and the clock that all go by."""

    settings: Settings
    clock: FixedClock
    core: Core
    shop: Workshop
    http: httpx2.Client

    @property
    def dicom_port(self) -> int:
        return self.settings.dicom.port

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def source(self, name: str, **change: Any) -> dict[str, Any]:
        """Change a source's terms."""
        [found] = [row for row in self.get("/api/sources")["sources"] if row["name"] == name]
        answer = self.http.patch(f"/api/sources/{found['id']}", json=change)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    def send(self, samples: list[Sample]) -> None:
        """Send by C-STORE and take it into the list."""
        paths = [str(item.path) for item in samples]
        subprocess.run(
            ["storescu", "localhost", str(self.dicom_port), *paths],
            check=True,
            env={"TCP_NODELAY": "1", "PATH": "/usr/bin"},
        )
        self.index()

    def stow(self, sample: Sample) -> None:
        """Send by STOW-RS and take it into the list."""
        answer = self.http.post(
            "/dicom-web/studies", content=sample.path.read_bytes(), headers={"Content-Type": "application/dicom"}
        )
        assert answer.status_code == 200, answer.text
        self.index()

    def index(self) -> None:
        """Index until nothing is left."""
        while self.shop.indexer.run_once():
            pass

    def pack(self) -> None:
        """Let studies become complete, and compact them."""
        self.pass_time(timedelta(minutes=1))
        with self.core.database.write() as session:
            indexing.complete_quiet(session, self.clock.now())
        for organisation_id, study_id in self.shop.compactor.pending():
            self.shop.compactor.compact_study(organisation_id, study_id)
        self.shop.retention.expire()

    def pass_time(self, span: timedelta) -> None:
        """Let time pass as a running server sees it."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.advance(min(STEP, end - self.clock.now()))
            self.shop.retention.expire()

    def study(self, study_uid: str) -> dict[str, Any] | None:
        """Return the study's row in the list."""
        return next(iter(self.get("/api/studies", study_uid=study_uid)["studies"]), None)

    def read(self, sample: Sample) -> bytes:
        """Return one object's pixel data by WADO-RS."""
        answer = self.http.get(
            f"/dicom-web/studies/{sample.study}/series/{sample.series}/instances/{sample.sop}",
            headers={"Accept": "application/dicom; transfer-syntax=*"},
        )
        assert answer.status_code == 200, answer.text[:500]
        pixels: bytes = dcmread(BytesIO(answer.content)).PixelData
        return pixels


@contextmanager
def open_house(folder: Path, **sections: dict[str, Any]) -> Iterator[House]:
    """Give a new house; its clock starts at the present."""
    settings = settings_for(
        folder / "data",
        web={"port": free_port()},
        dicom={"port": free_port()},
        storage={"segment_bytes": 16 << 20, "min_free_bytes": 1 << 20, "ballast_bytes": 1 << 20},
        **sections,
    )
    clock = FixedClock(datetime.now(UTC))
    cores = [open_core(settings, clock) for _ in range(3)]
    prepared = prepare(cores[0], leading=True)
    audit.install(cores[0].database, "work", clock, cores[0].keyring.metadata_key)
    stop = threading.Event()
    threads = [
        threading.Thread(target=listen.serve, args=(cores[1], stop)),
        threading.Thread(target=web.serve, args=(cores[2], stop)),
    ]
    for thread in threads:
        thread.start()
    with cores[0].database.write() as session:
        token = prepared.identity.create_token(session, prepared.organisation_id, name="tests", role="admin").secret
    shop = open_workshop(cores[0], prepared.lease)
    http = httpx2.Client(
        base_url=f"http://127.0.0.1:{settings.web.port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    )
    try:
        until(lambda: http.get("/healthz").status_code == 200, "the pages")
        shop.retention.expire()
        yield House(settings, clock, cores[0], shop, http)
    finally:
        http.close()
        stop.set()
        for thread in threads:
            thread.join(30)
        shop.landing.close()
        for core in cores:
            core.close()
