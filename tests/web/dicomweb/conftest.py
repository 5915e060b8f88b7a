"""A client of DICOMweb with a token, and what it stored: once as it landed, once packed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from radrelay.archive.compaction import Compactor
from radrelay.archive.erasing import Eraser
from radrelay.archive.models import Study
from tests.archive.house import wheel_file
from tests.web.conftest import WebSite

DICOM = 'multipart/related; type="application/dicom"'
ANY_SYNTAX = DICOM + "; transfer-syntax=*"


@dataclass(frozen=True)
class Parts:
    """A multipart answer, taken apart."""

    types: list[str]
    bodies: list[bytes]


def parts_of(answer: Any) -> Parts:
    found = re.search(r'boundary="?([^";]+)', answer.headers["content-type"])
    assert found, answer.headers["content-type"]
    types, bodies = [], []
    for piece in answer.content.split(b"--" + found.group(1).encode())[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        types.append(re.search(rb"(?i)content-type: ([^\r]+)", head).group(1).decode())  # type: ignore[union-attr]
        bodies.append(body[:-2])
    return Parts(types, bodies)


@dataclass
class Dicomweb:
    """What a program sees of an installation."""

    site: WebSite
    http: TestClient

    def get(self, path: str, accept: str = "", **more: Any) -> Any:
        headers = {**({"Accept": accept} if accept else {}), **more.pop("headers", {})}
        return self.http.get(f"/dicom-web{path}", headers=headers, **more)

    def store(self, *files: bytes) -> Any:
        body = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
        answer = self.http.post(
            "/dicom-web/studies", content=body + b"--x--\r\n", headers={"Content-Type": f"{DICOM}; boundary=x"}
        )
        self.site.index()
        return answer

    def store_named(self, *names: str) -> None:
        answer = self.store(*map(wheel_file, names))
        assert answer.status_code == 200, answer.text

    def compact(self) -> None:
        parts = self.site.parts
        with ThreadPoolExecutor(2) as executor:
            compactor = Compactor(
                parts.database, parts.clock, self.site.services.reader, parts.packs, parts.keys, executor
            )
            with self.site.database.read() as session:
                studies = list(session.scalars(sa.select(Study.id)))
            assert sum(compactor.compact_study(self.site.organisation_id, study) for study in studies)
            Eraser(parts.database, parts.clock, parts.keys, parts.segments, parts.packs).finish()

    def instances(self, **query: Any) -> list[str]:
        """Return the paths of all instances that match."""
        rows = self.get("/instances", params=query).json()
        return [row["00081190"]["Value"][0].partition("/dicom-web")[2] for row in rows]


def client(site: WebSite, role: str = "user") -> Dicomweb:
    http = site.client()
    http.headers["Authorization"] = f"Bearer {site.token(role)}"
    return Dicomweb(site, http)


@pytest.fixture
def dicomweb(site: WebSite) -> Dicomweb:
    """A program with a token that may do everything."""
    return client(site)


@pytest.fixture(params=["landed", "packed"])
def kept(request: pytest.FixtureRequest) -> str:
    """Where what was stored lies."""
    return str(request.param)


def settle(dicomweb: Dicomweb, kept: str, files: Sequence[str]) -> None:
    """Store files and pack them, if they shall be."""
    dicomweb.store_named(*files)
    if kept == "packed":
        dicomweb.compact()
