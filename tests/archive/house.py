"""A whole archive in a folder: objects land, are indexed, packed, deleted and erased as in the roles."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from radrelay.archive.compaction import Compactor
from radrelay.archive.erasing import Eraser
from radrelay.archive.instances import InstanceRef, PackPlace, find_instances
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceReader
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.files import FileLander
from radrelay.storage.segments import RecordLocation
from tests.web.conftest import WebSite, close_site, open_site

WHEEL = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent


def wheel_file(name: str) -> bytes:
    """Return a file that pydicom's wheel brings."""
    return (WHEEL / name).read_bytes()


def made(name: str, **changes: Any) -> bytes:
    """Return one of pydicom's files with other attributes, UIDs among them."""
    data = pydicom.dcmread(WHEEL / name, force=True)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPInstanceUID = UID(data.SOPInstanceUID)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.setdefault("TransferSyntaxUID", "1.2.840.10008.1.2")
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def slices(count: int, first: int = 1, name: str = "CT_small.dcm", study: str = "1.2.9") -> list[bytes]:
    """Return files of one series, all different."""
    return [
        made(
            name,
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.1",
            SOPInstanceUID=f"{study}.1.{number}",
            InstanceNumber=number,
        )
        for number in range(first, first + count)
    ]


def data_set_of(file: bytes) -> bytes:
    """Return a file's data set, as it is kept."""
    return file[parse_preamble(file).dataset_offset :]


@dataclass
class House:
    """An archive under test."""

    site: WebSite
    reader: InstanceReader
    executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))

    def compactor(self, **other: Any) -> Compactor:
        parts = self.site.parts
        chosen = {"reader": self.reader, "packs": parts.packs, "keys": parts.keys, "executor": self.executor, **other}
        return Compactor(parts.database, parts.clock, **chosen)

    def eraser(self) -> Eraser:
        parts = self.site.parts
        compactor = self.compactor()
        return Eraser(
            parts.database, parts.clock, parts.keys, parts.segments, parts.packs,
            rewrite=lambda pack_id, _: compactor.rewrite_pack(pack_id),
        )  # fmt: skip

    def bring(self, files: Sequence[bytes], source: str = "stow") -> None:
        origin = self.site.services.sources.resolve(
            source,
            organisation_id=self.site.organisation_id,
        ).origin(peer="127.0.0.1", correlation_id="test")
        lander = FileLander(self.site.landing, origin)
        for number, file in enumerate(files):
            lander.land(f"{number}.dcm", [file])
        self.site.index()

    def refs(self, **conditions: Any) -> list[InstanceRef]:
        with self.site.database.read() as session:
            return find_instances(
                session, self.site.clock.now(), organisation_id=self.site.organisation_id, **conditions
            )

    def studies(self) -> list[uuid.UUID]:
        with self.site.database.read() as session:
            return list(session.scalars(sa.select(Study.id)))

    def compact(self) -> int:
        return sum(self.compactor().compact_study(self.site.organisation_id, study) for study in self.studies())

    def packs(self) -> set[uuid.UUID]:
        return {ref.place.ref.pack_id for ref in self.refs() if isinstance(ref.place, PackPlace)}

    def landed(self) -> int:
        return sum(isinstance(ref.place, RecordLocation) for ref in self.refs())

    def contents(self) -> dict[str, bytes]:
        """Return every instance's data set by SOP Instance UID, read with nothing remembered."""
        parts = self.site.parts
        fresh = InstanceReader(parts.database, parts.clock, parts.segments, parts.packs)
        return {ref.sop_uid: fresh.data_set(ref) for ref in self.refs()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A new archive."""
    site = open_site(tmp_path)
    opened = House(site, site.services.reader)
    yield opened
    opened.executor.shutdown()
    close_site(site)
