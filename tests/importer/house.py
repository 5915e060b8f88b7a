"""A site that imports, a provider on this machine to import from, and the work step by step."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from radrelay.app.importing.work import open_importing
from radrelay.archive.models import Instance, Study
from radrelay.importer.cases import ATTEMPT
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import Key
from radrelay.importer.jobs import ImportWork
from radrelay.importer.models import ImportCase
from radrelay.storage.outbox import Event
from tests.importer.provider import TOKEN, Serving, serving
from tests.web.conftest import Login, WebSite, close_site, open_site


@dataclass
class ImportHouse:
    """A site, who works there, and a portal elsewhere."""

    site: WebSite
    root: Login
    work: ImportWork
    portal: Serving

    @property
    def link(self) -> str:
        return f"{self.portal.base}/portal?token={TOKEN}"

    def post(self, address: str, body: object = None, *, expect: int = 200) -> dict[str, Any]:
        return self._told(self.root.http.post(f"/api/imports{address}", json=body, headers=self.root.headers), expect)

    def put(self, address: str, body: object = None, *, expect: int = 200) -> dict[str, Any]:
        return self._told(self.root.http.put(f"/api/imports{address}", json=body, headers=self.root.headers), expect)

    def get(self, address: str, *, expect: int = 200) -> dict[str, Any]:
        return self._told(self.root.http.get(f"/api/imports{address}"), expect)

    def delete(self, case_id: str) -> None:
        answer = self.root.http.delete(f"/api/imports/{case_id}", headers=self.root.headers)
        assert answer.status_code == 204, answer.text

    @staticmethod
    def _told(answer: Any, expect: int) -> dict[str, Any]:
        assert answer.status_code == expect, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def begin(self, birth_date: str | None = "1970-01-01", link: str | None = None) -> str:
        body = {"link": self.link if link is None else link, "birth_date": birth_date, "basis": "treatment"}
        return str(self.post("", body, expect=201)["id"])

    def bring(self, files: dict[str, bytes], birth_date: str | None = "1970-01-01") -> str:
        """Bring files, and have them checked."""
        case_id = str(self.post("", {"birth_date": birth_date, "basis": "consent"}, expect=201)["id"])
        for name, content in files.items():
            self.put_file(case_id, name, content)
        self.post(f"/{case_id}/done", expect=202)
        return case_id

    def put_file(self, case_id: str, name: str, content: bytes) -> None:
        put = self.root.http.put(
            f"/api/imports/{case_id}/files", params={"name": name}, content=content, headers=self.root.headers
        )
        assert put.status_code == 200, put.text

    def turn(self, case_id: str, turns: int = 4) -> dict[str, Any]:
        """Work on an import until a person is to decide, while what lands is taken into the index."""
        with self.indexing():
            for _ in range(turns):
                with self.site.database.read() as session:
                    row = session.get(ImportCase, uuid.UUID(case_id))
                    if row is None or row.state not in ("fetching", "checking", "filing"):
                        break
                self.work.attempt(Event(uuid.uuid4(), ATTEMPT, self.site.organisation_id, uuid.UUID(case_id), {}))
        return self.get(f"/{case_id}")

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

    def confirm_all(self, case_id: str, number: int = 0) -> dict[str, Any]:
        """Say that all findings were looked at, as somebody would who did."""
        found = self.get(f"/{case_id}")
        looks = [one["key"] for one in found["findings"] if one["level"] == "look"]
        if looks:
            self.post(f"/{case_id}/confirmations", {"keys": looks})
        looks = [one["key"] for one in found["persons"][number]["findings"] if one["level"] == "look"]
        if looks:
            self.post(f"/{case_id}/confirmations", {"number": number, "keys": looks})
        return self.get(f"/{case_id}")

    def choose(self, case_id: str, patient: dict[str, str], number: int = 0) -> dict[str, Any]:
        told = {"name": "Test^Patient", "patient_id": "4711", "issuer": "KH"} | patient
        return self.put(f"/{case_id}/people/{number}/patient", {"patient": told})

    def file(self, case_id: str, number: int = 0, **asked: object) -> dict[str, Any]:
        self.post(f"/{case_id}/people/{number}/file", asked, expect=202)
        return self.turn(case_id)

    def studies(self) -> list[Study]:
        with self.site.database.read() as session:
            found = list(session.scalars(sa.select(Study).order_by(Study.study_uid)))
            session.expunge_all()
            return found

    def instances(self) -> list[Instance]:
        with self.site.database.read() as session:
            found = list(session.scalars(sa.select(Instance).order_by(Instance.sop_uid)))
            session.expunge_all()
            return found


@contextmanager
def open_house(
    folder: Path, library: Path | None = None, mail: dict[str, object] | None = None, **importer: object
) -> Iterator[ImportHouse]:
    with closing(Library(library)) as things, serving(things) as portal:
        portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"}),))
        told = {"trial": True, "hosts": (), **importer}
        site = open_site(folder, importer=told, mail=mail)
        try:
            site.account("root", "admin")
            root = site.login("root")
            work = open_importing(site.parts, site.services.reader, site.landing)
            yield ImportHouse(site, root, work, portal)
        finally:
            close_site(site)
