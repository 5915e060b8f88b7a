"""A house whose links others fetch by: a site on a port of this machine, with a study of images and a report."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
import uvicorn

from radrelay.access.models import ShareLink
from radrelay.dicom import phantoms
from radrelay.dicom.encapsulate import Placing, StudyContext, pdf_file
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.ports import Lead
from radrelay.importer.dlx.kit import Finding, Subject, check
from radrelay.importer.outgoing import Outgoing
from tests.importer.portal import outgoing
from tests.importer.test_papers import PDF
from tests.web.conftest import START, Login, WebSite, close_site, open_site
from tests.web.test_studies import upload_bytes

PIN = "481516"


def report_of(image: bytes) -> bytes:
    """Return a report on the study that an image is of, as an object of it."""
    known = pydicom.dcmread(io.BytesIO(image), stop_before_pixels=True)
    born, day = (date.fromisoformat(str(one)) for one in (known.PatientBirthDate, known.StudyDate))
    study = StudyContext(
        known.StudyInstanceUID, str(known.PatientName), known.PatientID, birth_date=born, sex=known.PatientSex,
        study_date=day,
    )  # fmt: skip
    return pdf_file(PDF, study, Placing(START, "1.2.3", "1.2.3.4", title="Befund"))


@dataclass
class Provider:
    """The house, where it listens, and what it holds."""

    site: WebSite
    anna: Login
    base: str
    study: dict[str, Any]
    images: list[bytes]

    @property
    def born(self) -> str:
        return str(self.study["patient"]["birth_date"])

    def link(self, maker: Login | None = None, **wanted: Any) -> dict[str, Any]:
        """Make a link that may be downloaded."""
        ends_at = (self.site.clock.now() + timedelta(days=7)).isoformat()
        body = {"studies": [self.study["id"]], "ends_at": ends_at, "may_download": True, **wanted}
        maker = maker or self.anna
        headers = {**maker.headers, "Host": self.base.removeprefix("http://")}
        answer = maker.http.post("/api/links", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        token = answer.json()["address"].partition("#")[2]
        return {**answer.json(), "token": token}

    def revoke(self, made: dict[str, Any]) -> None:
        answer = self.anna.http.delete(f"/api/links/{made['link']['id']}", headers=self.anna.headers)
        assert answer.status_code == 204

    def end(self, made: dict[str, Any]) -> dict[str, Any]:
        """Let a link's time be over."""
        with self.site.database.write() as session:
            over = {"ends_at": self.site.clock.now() - timedelta(seconds=1)}
            session.execute(sa.update(ShareLink).where(ShareLink.id == uuid.UUID(made["link"]["id"])).values(over))
        return made

    def detail(self, made: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = self.anna.http.get(f"/api/links/{made['link']['id']}").json()
        return told

    def check(self, made: dict[str, Any], answers: dict[str, str], old: dict[str, Any] | None = None) -> list[Finding]:
        way = reaching()
        lead, expired = self.lead(way, made), None if old is None else self.lead(way, old)
        return check(way, Subject(lead, answers, expired))

    def lead(self, way: Outgoing, made: dict[str, Any]) -> Lead:
        lead = DlxConnector(way, AttemptsInMemory()).recognise(made["exchange"])
        assert lead is not None
        return lead


def payload(made: dict[str, Any]) -> dict[str, Any]:
    text = made["health"].removeprefix("shlink:/")
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return told


def reaching() -> Outgoing:
    return outgoing(allows=lambda host: host.startswith("127.0.0.1"))


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    site = open_site(tmp_path_factory.mktemp("provider"))
    site.services.static_dir.mkdir()
    (site.services.static_dir / "index.html").write_text("<!doctype html><html lang=en><title>Radrelay</title></html>")
    site.clock.advance(datetime.now(UTC) - START)  # health links say when they end, to who goes by his own clock
    site.account("anna")
    anna = site.login("anna")
    images = list(phantoms.study("ct-head", patient=PATIENTS[6], slices=4, size=64))
    files = {f"{number}.dcm": one for number, one in enumerate([*images, report_of(images[0])])}
    upload_bytes(site, anna, files)
    [listed] = anna.http.get("/api/studies").json()["studies"]
    server = uvicorn.Server(uvicorn.Config(site.app, "127.0.0.1", 0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Provider(site, anna, f"http://127.0.0.1:{port}", listed, images)
    server.should_exit = True
    thread.join(20)
    close_site(site)


@dataclass
class Program:
    """An importer without the ways of a browser: asks, answers, and shows its ticket."""

    provider: Provider
    made: dict[str, Any]
    address: str = "198.51.100.9"
    name: str = "an importer/1"
    ticket: str = ""

    def __post_init__(self) -> None:
        self.http = self.provider.site.client(self.address)
        self.http.headers["User-Agent"] = self.name

    def questions(self, token: str = "") -> dict[str, Any]:
        answer = self.http.get(f"/dlx/v1/token/{token or self.made['token']}")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def answer(self, given: str, token: str = "") -> int:
        body = {"tfaAnswer": [{"questionId": "1", "answer": given}]}
        answer = self.http.post(f"/dlx/v1/tokentfa/{token or self.made['token']}", json=body)
        self.said = "" if answer.status_code == 200 else answer.json().get("code", "")
        self.ticket = answer.text if answer.status_code == 200 else self.ticket
        return answer.status_code

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(f"/dlx/v1/{path}", headers={"Authorization": f"Bearer {self.ticket}", **headers})

    def items(self) -> list[dict[str, Any]]:
        answer = self.get("list")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["dataItem"]
        return found
