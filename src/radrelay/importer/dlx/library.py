"""What a provider hands out: the studies and reports of a folder, each study as a ZIP of IHE PDI."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from radrelay.archive.export import stream_copies
from radrelay.dicom import phantoms
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer.contents import HEAD, Content, content_of
from radrelay.importer.dlx.contract import PDF, ZIP

READ = 1 << 20
BESIDE = 3  # DICOMDIR, README.TXT and INDEX.HTM
REPORTS: dict[Content, str] = {"pdf": PDF, "jpeg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class Held:
    """A DICOM file; what an export wants of an object."""

    path: Path
    offset: int
    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str

    @property
    def data_set(self) -> bytes:
        """Read the data set."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read()


@dataclass(slots=True)
class Offered:
    """One item of the list: a study, or a file that came along."""

    id: str
    media_type: str
    description: str
    study_uid: str = ""
    date: str = ""
    modalities: list[str] = field(default_factory=list)
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    objects: list[Held] = field(default_factory=list)
    file: Path | None = None

    @property
    def files(self) -> int:
        """Return the number of files in its ZIP, or 1."""
        return len(self.objects) + BESIDE if self.objects else 1


class Library:
    """The items of a folder; ZIPs are made once, in a folder of its own that `close` removes."""

    def __init__(self, folder: Path | None) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="radrelay-dlx-")
        self._within = Path(self._made.name)
        found = _files(folder) if folder is not None else _phantom(self._within)
        self.items = list(_items(found))

    def close(self) -> None:
        """Remove what was made."""
        self._made.cleanup()

    def file(self, item: Offered) -> Path:
        """Return what is handed out for an item."""
        if item.file is not None:
            return item.file
        return self._zip(f"{item.id}.zip", item.objects)

    def all(self) -> Path:
        """Return all studies in one ZIP."""
        return self._zip("all.zip", [one for item in self.items for one in item.objects])

    def _zip(self, name: str, objects: list[Held]) -> Path:
        path = self._within / name
        if not path.exists():
            being = path.with_suffix(".being-made")
            with ThreadPoolExecutor(1) as executor, being.open("wb") as file:
                for piece in stream_copies(objects, executor, datetime.now(UTC)):
                    file.write(piece)
            being.replace(path)
        return path


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _phantom(within: Path) -> Iterator[Path]:
    """Yield the files of a small phantom study, its name in Cyrillic, for trials without images at hand."""
    for number, file in enumerate(phantoms.study("ct-head", patient=PATIENTS[6], slices=4, size=64)):
        path = within / f"phantom-{number}.dcm"
        path.write_bytes(file)
        yield path


def _items(paths: Iterable[Path]) -> Iterator[Offered]:
    studies: dict[str, Offered] = {}
    reports: list[Offered] = []
    for path in paths:
        with path.open("rb") as file:
            head = file.read(READ)
        content = content_of(head[:HEAD])
        if content in REPORTS:
            name = hashlib.sha256(path.name.encode()).hexdigest()[:32]
            reports.append(Offered(name, REPORTS[content], path.stem, file=path))
        if content == "dicom":
            _add(studies, path, head)
    yield from studies.values()
    first = next(iter(studies.values()), None)
    for report in reports:
        if first is not None:
            report.patient_name, report.birth_date, report.sex = first.patient_name, first.birth_date, first.sex
        yield report


def _add(studies: dict[str, Offered], path: Path, head: bytes) -> None:
    try:
        known = parse_preamble(head)
        header = parse(head[known.dataset_offset :], known.transfer_syntax_uid)
    except Malformed:
        return
    study_uid = header.text(0x0020000D)
    if not study_uid or path.name == "DICOMDIR":
        return
    item = studies.get(study_uid)
    if item is None:
        item = studies[study_uid] = _study(study_uid, header)
    modality = header.text(0x00080060)
    if modality and modality not in item.modalities:
        item.modalities.append(modality)
    sop_class, sop = header.text(0x00080016) or known.sop_class_uid, header.text(0x00080018) or known.sop_uid
    item.objects.append(Held(path, known.dataset_offset, sop_class, sop, known.transfer_syntax_uid))


def _study(study_uid: str, header: Header) -> Offered:
    return Offered(
        hashlib.sha256(study_uid.encode()).hexdigest()[:32],
        ZIP,
        header.text(0x00081030) or "Study",
        study_uid,
        header.text(0x00080020),
        patient_name=header.person_name(0x00100010),
        birth_date=header.text(0x00100030),
        sex=header.text(0x00100040),
    )
