"""What came is looked at: every file once, parted by people, compared with what was promised and who is here.

In: a raw parcel. Out: rows that a person decides on. Nothing is filed here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer import announced
from radrelay.importer import findings as told
from radrelay.importer.gathering import Gathered, gather
from radrelay.importer.import_errors import FilesChanged
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.paper_places import PaperPlaces
from radrelay.importer.papers import LEFT_OUT, PERHAPS_VIEWERS
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.raw_parcel import RawParcel, StoredFile
from radrelay.importer.surroundings import Candidates, Site, Surroundings
from radrelay.importer.turns import Turn
from radrelay.importer.written_down import (
    COUNT_FILES,
    Row,
    came_text,
    findings_text,
    object_row,
    person_row,
    promises_of,
    refused_of,
)
from radrelay.intake.models import RawFile
from radrelay.intake.raw_files import RawFileGone, located
from radrelay.settings import Settings
from radrelay.storage.ids import new_id
from radrelay.storage.segments import RecordLocation, SegmentReader

ROWS_AT_ONCE = 500
_UNTRACKED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a parcel holds, and who the people in it may be here: findings and rows, made before anybody else waits.

    `found` are findings about the parcel, `stray` about papers of nobody, which stand behind what was learnt since.
    """

    arrived: tuple[ArrivedPerson, ...]
    found: tuple[told.Finding, ...]
    stray: tuple[told.Finding, ...]
    came: str
    images: int
    people: list[Row]
    objects: list[Row]
    papers: list[Row]


def files_of(session: Session, case: ImportCase) -> list[tuple[RawFile, RecordLocation]]:
    """Return the files of an import in the order in which they came, but for what came too late."""
    refused = set(refused_of(case))
    return [one for one in located(session, case.parcel_id) if str(one[0].id) not in refused]


def require_same(session: Session, case: ImportCase, parcel: RawParcel) -> None:
    """Raise `FilesChanged` where a file came or went since a parcel was opened."""
    if {raw.id for raw, _ in files_of(session, case)} != parcel.record_ids:
        raise FilesChanged


def open_parcel(session: Session, reader: SegmentReader, settings: Settings, case: ImportCase) -> RawParcel:
    """Return an import's raw files; raises `RawFileGone` when there are none any more."""
    files = files_of(session, case)
    if not files:
        raise RawFileGone
    return RawParcel(reader, files, settings.intake, scratch_of(settings))


def scratch_of(settings: Settings) -> Path:
    """Return where archives within archives are read from, encrypted."""
    return settings.data_dir / "scratch"


def check(case: ImportCase, parcel: RawParcel, here: Surroundings, turn: Turn) -> Checked:
    """Look at all files of a parcel, and ask who the people in it may be here."""
    gathered = gather(_looking(parcel, turn))
    counts_objects, earlier = case.connector not in COUNT_FILES, frozenset(parcel.earlier)
    found = gathered.parcel(promises_of(case), counts_objects=counts_objects, earlier=earlier)
    people, asking = list[tuple[ArrivedPerson, Candidates]](), here.asking()
    for arrived in found.people:
        turn.look()
        people.append((arrived, here.candidates(Site.of(case), arrived, case.birth_date, asking)))
    papers = list(_papers(case, gathered, found))
    return Checked(
        found.people,
        (*told.of_parcel(found), *_not_asked(candidates for _, candidates in people)),
        tuple(_stray(papers) if people else ()),
        came_text(found.people),
        sum(study.images for arrived in found.people for study in arrived.studies),
        [person_row(case, number, one, candidates.found) for number, (one, candidates) in enumerate(people)],
        [
            object_row(case, number, one)
            for number, arrived in enumerate(found.people)
            for study in arrived.studies
            for one in study.objects
        ],
        papers,
    )


def write_down(session: Session, case: ImportCase, checked: Checked) -> None:
    """Put what a check found in the place of what an earlier one did, in the caller's transaction."""
    left = _left_out(session, case)
    for table in (ImportObject, ImportPaper, ImportPerson):
        session.execute(sa.delete(table).where(table.case_id == case.id), execution_options=_UNTRACKED)
    lacking = json.loads(case.lacking)
    since = (*([told.not_brought(lacking)] if lacking else ()), *announced.findings_of(session, case.id))
    case.findings, case.confirmed = findings_text((*checked.found, *since, *checked.stray)), "{}"
    case.came, case.objects = checked.came, checked.images
    _insert(session, ImportPerson, checked.people)
    _insert(session, ImportObject, checked.objects)
    _insert(session, ImportPaper, [_still_left(one, left) for one in checked.papers])


def _left_out(session: Session, case: ImportCase) -> frozenset[tuple[str, str]]:
    """Return the papers that a person has left out, by file and digest."""
    asked = sa.select(ImportPaper.file_name, ImportPaper.digest)
    rows = session.execute(asked.where(ImportPaper.case_id == case.id, ImportPaper.why == LEFT_OUT))
    return frozenset((name, digest) for name, digest in rows)


def _still_left(paper: Row, left: Collection[tuple[str, str]]) -> Row:
    """Return a paper that was found again: what a person left out is not filed by itself."""
    joins = paper["study_uid"] and paper["why"] in ("", PERHAPS_VIEWERS)
    return {**paper, "why": LEFT_OUT} if joins and (paper["file_name"], paper["digest"]) in left else paper


def _not_asked(asked: Iterable[Candidates]) -> Iterator[told.Finding]:
    silent = sorted({name for one in asked for name in one.silent})
    if silent:
        yield told.Finding("look", "not-asked", {"places": ", ".join(silent)[:400]})


def _stray(papers: Iterable[Row]) -> Iterator[told.Finding]:
    names = [one["file_name"] for one in papers if one["why"] not in ("", PERHAPS_VIEWERS)]
    if names:
        yield told.of_nobody(names)


def _papers(case: ImportCase, gathered: Gathered, parcel: told.Parcel) -> Iterator[Row]:
    """Yield where documents and pictures belong; other files stay with the raw parcel."""
    places, doubtful = PaperPlaces(parcel.people, gathered.documents), {*gathered.doubtful}
    for path in gathered.papers:
        place = places.of(path)
        kind = "text" if path in gathered.texts else "document" if path.lower().endswith(".pdf") else "picture"
        why = PERHAPS_VIEWERS if path in doubtful and not place.why else place.why
        yield _paper(case, path, kind, place.person, place.study_uid, why, gathered.loose[path].hex())
    viewers = frozenset(parcel.viewers)
    for path in gathered.others:
        if path not in viewers:
            yield _paper(case, path, "other", None, "", "")


def _paper(
    case: ImportCase, path: str, kind: str, person: int | None, study_uid: str, why: str, digest: str = ""
) -> Row:
    return {
        "id": new_id(), "organisation_id": case.organisation_id, "case_id": case.id, "file_name": path, "kind": kind,
        "person_number": person, "study_uid": study_uid, "why": why, "filed": False,
        "digest": digest, "written": "",
    }  # fmt: skip


def _looking(parcel: RawParcel, turn: Turn) -> Iterator[StoredFile]:
    for one in parcel:
        turn.look()
        yield one


def _insert(session: Session, table: type[ImportObject | ImportPaper | ImportPerson], rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        session.execute(sa.insert(table), rows[start : start + ROWS_AT_ONCE])
