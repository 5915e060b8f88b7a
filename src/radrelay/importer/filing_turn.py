"""One turn of filing: the people of a parcel of whom a person has decided, one after the other, to the end.

Before anything lands, each object is tried: one that is gone stops it, one that cannot be written is told first. What
lands is waited for until the archive has these very bytes or has put them aside, for somebody else's study of the same
UID may have come first. What is put aside stands with its object; if that is all, nobody is filed and a person decides
anew: what was made out to whom was chosen then goes, and the parcel has it as it came. Else the person counts as filed
and the studies that are theirs are sent on, in one transaction.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.locking import lock_archive
from radrelay.errors import Trouble, Unavailable
from radrelay.importer import broken_off, cases, put_aside
from radrelay.importer.beginning import ends_of
from radrelay.importer.checking import open_parcel
from radrelay.importer.deciding import objects_of, require_decided
from radrelay.importer.duplicates import DIFFERS, Decision
from radrelay.importer.filing import TO_QUARANTINE, Filer, PaperOutcome, Under, decided, sources_text
from radrelay.importer.filing_noted import (
    PUT_ASIDE,
    aside_of,
    here_of,
    is_stopped,
    note_objects,
    note_papers,
    settled_of,
    studies_of,
)
from radrelay.importer.import_errors import ImportPutAside, ImportUndecided, NotSentOn
from radrelay.importer.models import ImportCase, ImportObject, ImportPaper, ImportPerson
from radrelay.importer.papers import LEFT_OUT
from radrelay.importer.papers_here import here_of_others
from radrelay.importer.raw_parcel import RawParcel
from radrelay.importer.reconciling import Wanted
from radrelay.importer.surroundings import Site
from radrelay.importer.turns import Turn
from radrelay.importer.written_down import arrived_of, checked_of, chosen_of, order_of, parted_of
from radrelay.intake.envelope import Origin
from radrelay.intake.raw_files import RawFileGone
from radrelay.intake.sources import get_source

if TYPE_CHECKING:
    from radrelay.importer.jobs import Parts

INDEXED_S, LOOK_S = 60.0, 0.1
CHUNK = 500


class FilingTurn:
    """Files whoever is to be filed of one import."""

    def __init__(self, parts: Parts, turn: Turn) -> None:
        self._parts, self._turn = parts, turn

    def run(self) -> None:
        """File them all; raises `ImportStopped`, `Unavailable`."""
        while True:
            with self._parts.database.read() as session:
                row = self._turn.mine(session)
                waiting = [one.number for one in cases.people_of(session, row.id) if one.state == "filing"]
            if not waiting:
                break
            self._file(waiting[0])
        with self._parts.database.write() as session:
            row = self._turn.mine(session, lock=True)
            people = cases.people_of(session, row.id)
            state = (
                cases.FILED if people and all(one.state in ("filed", "taken-back") for one in people) else cases.OPEN
            )
            unsent = any(one.state == "filed" and one.unsent for one in people)
            cases.move(session, row, state, self._parts.clock.now(), Trouble.of(NotSentOn()) if unsent else None)

    def _file(self, number: int) -> None:
        with self._parts.database.read() as session:
            case = self._turn.mine(session)
            person = _person(session, case, number)
            everything = objects_of(session, case.id)
            papers = [one for one in _papers(session, case.id, number) if one.study_uid and one.why != LEFT_OUT]
            parcel = open_parcel(session, self._parts.reader, self._parts.settings, case)
            source = get_source(session, case.organisation_id, case.source_id)
            origin = source.origin(correlation_id=case.correlation_id, account_id=case.account_id)
            session.expunge_all()
        objects = [one for one in everything if one.person_number == number]
        filer = self._filer(case, person, objects, origin)
        if not any(one.action for one in objects):
            self._decide(case, person, everything, filer, [one.file_name for one in papers], parcel)
        try:
            filed = self._land(filer, objects, papers, parcel)
        finally:
            filer.close()
            self._parts.landing.end(origin)  # durable, with all before it
        aside = self._indexed(case.organisation_id, filer)
        self._note(number, filer, filed, aside)

    def _decide(
        self, case: ImportCase, person: ImportPerson, everything: Sequence[ImportObject], filer: Filer,
        papers: Sequence[str], parcel: RawParcel,
    ) -> None:  # fmt: skip
        """Decide on each object and write that down before the first of them lands: begun anew, it stays decided."""
        objects = [one for one in everything if one.person_number == person.number]
        with self._parts.database.write() as session:
            lock_archive(session)  # who deletes from here on sees that this import may count on what is here
        known = self._parts.surroundings.known(Site.of(case), [arrived_of(one) for one in objects], [person])
        require_decided(case, person, parted_of(map(checked_of, everything)), known)
        patient = chosen_of(person)
        if patient is None:
            raise ImportUndecided
        found = decided(objects, known, (patient.issuer, patient.patient_id))
        told = {one.file_name: one.why for one in objects if one.why}
        flaws = self._tried(filer, [one for one in objects if _lands(found[one.file_name])], papers, parcel)
        if flaws != told:
            for one in objects:
                one.why = flaws.get(one.file_name, "")
            self._write_down(objects)
            require_decided(case, person, parted_of(map(checked_of, everything)), known)
        for one in objects:
            decision, flaw = found[one.file_name], flaws.get(one.file_name)
            one.action, one.why = ("quarantine", flaw) if flaw else (decision.action, decision.why)
        self._write_down(objects)

    def _tried(
        self, filer: Filer, objects: Sequence[ImportObject], papers: Sequence[str], parcel: RawParcel
    ) -> dict[str, str]:
        """Try all that is to land; returns why objects cannot be, by file. Raises `RawFileGone`, `FileChanged`."""
        rows = {one.file_name: one for one in objects}
        lacking, flaws = {*rows, *papers}, {}
        for stored in parcel:
            self._turn.look()
            lacking.discard(stored.path)
            row = rows.get(stored.path)
            if row is not None and (flaw := filer.flaw_of(row, stored)):
                flaws[stored.path] = flaw
        if lacking:
            raise RawFileGone
        return flaws

    def _write_down(self, objects: Sequence[ImportObject]) -> None:
        rows = [{"id": one.id, "action": one.action, "why": one.why} for one in objects]
        with self._parts.database.write() as session:
            self._turn.mine(session, lock=True)
            session.execute(sa.update(ImportObject), rows)

    def _filer(self, case: ImportCase, person: ImportPerson, objects: Sequence[ImportObject], origin: Origin) -> Filer:
        patient = chosen_of(person)
        if patient is None or person.filing_at is None:
            raise ImportUndecided
        source = sources_text(case.host, {arrived_of(one).person for one in objects})
        under = Under(Wanted(patient, order_of(person)), source, person.filing_at)

        def is_here(sop_uid: str) -> bool:
            with self._parts.database.read() as session:
                return bool(here_of_others(session, case, [sop_uid]))

        return Filer(self._parts.landing, origin, under, is_here)

    def _land(
        self, filer: Filer, objects: Sequence[ImportObject], papers: Sequence[ImportPaper], parcel: RawParcel
    ) -> dict[uuid.UUID, PaperOutcome]:
        """Land all that is to be filed; returns what became of the papers. Raises `RawFileGone`, `FileChanged`."""
        rows = {one.file_name: one for one in objects if _lands(one)}
        joined = {one.study_uid for one in papers}
        here = {one.file_name: one for one in objects if one.action == "skip" and one.study_uid in joined}
        lacking = {*rows, *(one.file_name for one in papers)}
        last = {file: row for file, row in rows.items() if row.why == DIFFERS}
        for stored in parcel:
            self._turn.look()
            lacking.discard(stored.path)
            if stored.path in last:
                continue
            if (row := rows.get(stored.path)) is not None:
                filer.file(row, stored)
            elif (row := here.get(stored.path)) is not None and row.study_uid not in filer.contexts:
                filer.look_at(row, stored)
        if lacking:
            raise RawFileGone
        self._land_last(filer, last, parcel)
        return self._land_papers(filer, papers, parcel)

    def _land_last(self, filer: Filer, rows: Mapping[str, ImportObject], parcel: RawParcel) -> None:
        """Land what differs from an object of its UID that has landed by now, so that this is what is set aside."""
        for stored in parcel if rows else ():
            self._turn.look()
            if stored.path in rows:
                filer.file(rows[stored.path], stored)

    def _land_papers(
        self, filer: Filer, papers: Sequence[ImportPaper], parcel: RawParcel
    ) -> dict[uuid.UUID, PaperOutcome]:
        """Land documents and pictures, which carry what an object of their study says."""
        wanted = {one.file_name: one for one in papers}
        if not wanted:
            return {}
        filed = {}
        for stored in parcel:
            self._turn.look()
            paper = wanted.get(stored.path)
            if paper is not None:
                filed[paper.id] = filer.paper(paper.file_name, stored, paper.study_uid, paper.digest)
        return filed

    def _indexed(self, organisation_id: uuid.UUID, filer: Filer) -> dict[str, str]:
        """Wait until the archive has each object that landed, these very bytes, or has put it aside.

        Returns the codes of what it put aside, by SOP Instance UID. Raises `Unavailable` when that takes too long.
        """
        waiting, until = set(filer.landed), time.monotonic() + INDEXED_S
        beside = dict(filer.beside)
        aside: dict[str, str] = {}
        while waiting or beside:
            with self._parts.database.read() as session:
                waiting -= here_of(session, organisation_id, {uid: filer.landed[uid] for uid in waiting})
                records = {record: uid for record, uid in filer.records.items() if uid in waiting}
                aside |= aside_of(session, organisation_id, records)
                settled = settled_of(session, organisation_id, beside)
            waiting -= aside.keys()
            beside = {record: one for record, one in beside.items() if record not in settled}
            if (waiting or beside) and time.monotonic() > until:
                raise Unavailable("what was filed is not in the index yet")
            if waiting or beside:
                self._turn.look()
                time.sleep(LOOK_S)
        return aside

    def _note(
        self, number: int, filer: Filer, papers: Mapping[uuid.UUID, PaperOutcome], aside: Mapping[str, str]
    ) -> None:
        """Note what became of each object, and send on what was filed; raises `ImportPutAside` where nothing was."""
        now = self._parts.clock.now()
        with self._parts.database.write() as session:
            if papers or aside:  # what was put aside may go, and papers may be handed over just now (`counted_on`)
                lock_archive(session)
            case = self._turn.mine(session, lock=True)
            person = _person(session, case, number)
            rows = _objects(session, case.id, number)
            stopped = is_stopped(rows, filer.outcomes, aside)
            if stopped:
                for row in rows:
                    row.action, row.why, row.written = "", "", ""
                studies, but = {row.study_uid for row in rows}, broken_off.filed_of(session, case)
                put_aside.drop_of(session, case, studies, now, "import-stopped", but=but)
            else:
                note_objects(rows, filer.outcomes, aside)
                note_papers(session, papers, aside)
                person.state, person.filed_at = "filed", now
                source = get_source(session, case.organisation_id, case.source_id)
                case.ends_at = max(case.ends_at, ends_of(source, now))  # taken back as long as the study is here
                broken_off.keep_filed(session, case)
                self._parts.surroundings.send_on(session, case, person, studies_of(session, rows, chosen_of(person)))
        if stopped:
            raise ImportPutAside(finding=PUT_ASIDE)


def _lands(one: ImportObject | Decision) -> bool:
    return one.action == "file" or one.why in TO_QUARANTINE


def _person(session: Session, case: ImportCase, number: int) -> ImportPerson:
    asked = sa.select(ImportPerson).where(ImportPerson.case_id == case.id, ImportPerson.number == number)
    return session.scalars(asked).one()


def _objects(session: Session, case_id: uuid.UUID, number: int) -> list[ImportObject]:
    mine = (ImportObject.case_id == case_id, ImportObject.person_number == number)
    return list(session.scalars(sa.select(ImportObject).where(*mine).order_by(ImportObject.file_name)))


def _papers(session: Session, case_id: uuid.UUID, number: int) -> list[ImportPaper]:
    mine = (ImportPaper.case_id == case_id, ImportPaper.person_number == number)
    return list(session.scalars(sa.select(ImportPaper).where(*mine).order_by(ImportPaper.file_name)))
