"""To whom a patient's data went, who has seen a study, and the files that say so."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import timedelta

from radrelay import audit
from radrelay.audit.disclosures import COLUMNS, PERIOD, Disclosure, disclosure_of, left_of, seen_by
from radrelay.audit.export import ENTRY_COLUMNS, flat_entry, written
from radrelay.clock import FixedClock
from radrelay.storage.database import Database
from tests.audit.recording import HUBER, MEIER, ORGANISATION, OTHER, Who, note

STUDY = uuid.UUID(int=11)


def test_what_left_of_a_patient_is_told_and_nothing_else(database: Database, clock: FixedClock) -> None:
    of_study = ("study", STUDY)
    note(database, "study.download", of_study, patient=MEIER)
    clock.advance(PERIOD)
    note(database, "study.view", of_study, patient=MEIER)
    note(database, "study.download", of_study, patient=HUBER)
    note(database, "study.download", of_study, Who(organisation_id=OTHER), patient=MEIER)
    note(database, "study.forward", of_study, patient=MEIER)
    sent = {"destination": "PRACTICE", "kept": 3}
    note(database, "delivery.end", of_study, patient=MEIER, detail=sent)
    note(database, "delivery.end", of_study, patient=MEIER, detail=sent, outcome="failure")
    note(database, "hl7.send", of_study, patient=MEIER, detail={"receiver": "RIS", "link": False})
    note(database, "delivery.step", ("step_delivery", STUDY), patient=MEIER, detail={"destination": "RIS_MPPS"})
    note(database, "study.notify", of_study, patient=MEIER, detail={"grantee": "group 1", "letters": 2})
    note(database, "study.open", of_study, Who(kind="link", id="l-1", name="Link: Anna"), patient=MEIER)

    def told(issuer: str) -> list[Disclosure]:
        return [disclosure_of(one) for one in left_of(database, ORGANISATION, issuer, "4711", (), clock.now())]

    found = told("clinic")
    sent_on = [("share", "Link: Anna"), ("forward", "RIS_MPPS"), ("forward", "RIS"), ("forward", "PRACTICE")]
    assert [(one.kind, one.recipient) for one in found] == [*sent_on, ("download", "Anna")]
    assert (found[0].study_uid, found[0].description) == (f"2.25.{STUDY.int}", "CT/SR CT Thorax")
    clock.advance(timedelta(seconds=1))
    assert len(told("clinic")) == 4, "six years"
    assert told("elsewhere") == []


def test_who_has_seen_a_study_is_told_by_its_uid_too(database: Database) -> None:
    note(database, "study.view", ("study", STUDY), patient=MEIER)
    note(database, "study.open", ("study", STUDY), Who(id="a-2", name="Bert"), patient=MEIER)
    note(database, "study.open", ("study", STUDY), Who(id="a-3", name="Carl"), patient=MEIER, outcome="refused")
    note(database, "study.hold", ("study", STUDY), Who(id="a-4", name="Dora"), patient=MEIER)
    for study in (STUDY, f"2.25.{STUDY.int}"):
        assert [entry.actor_name for entry in seen_by(database, ORGANISATION, study)] == ["Bert", "Anna"]
    assert list(seen_by(database, ORGANISATION, "1.2.3")) == []


def test_a_file_holds_no_formula_that_a_spreadsheet_would_run(database: Database) -> None:
    note(
        database, "study.view", ("study", STUDY), Who(name='=HYPERLINK("http://evil")'), patient=("", "-1", "@Meier^Ä")
    )
    rows = [flat_entry(entry) for entry in audit.every(database, ORGANISATION, audit.AuditQuery())]
    text = b"".join(written(rows, "csv", ENTRY_COLUMNS)).decode("utf-8-sig")
    header, row = csv.reader(io.StringIO(text))
    cells = dict(zip(header, row, strict=True))
    assert cells["actor_name"] == '\'=HYPERLINK("http://evil")'
    assert (cells["patient_id"], cells["patient_name"]) == ("'-1", "'@Meier^Ä")
    (line,) = b"".join(written(rows, "jsonl", ENTRY_COLUMNS)).splitlines()
    assert json.loads(line)["patient_id"] == "-1", "a program gets it as it is"


def test_a_file_of_nothing_has_its_header(database: Database) -> None:
    del database
    assert b"".join(written([], "csv", COLUMNS)).decode("utf-8-sig").startswith("at,kind,action,recipient")
    assert b"".join(written([], "jsonl", COLUMNS)) == b""


def test_a_search_goes_on_page_by_page_by_person_and_time(database: Database, clock: FixedClock) -> None:
    for number in range(12):
        with database.write() as session:
            who = Who(id=f"a-{number % 2}", name="Anna Ärzte" if number % 2 else "Bert 100%")
            audit.record_many(session, [audit.AuditRecord("login", who) for _ in range(100)])
        clock.advance(timedelta(days=1))
    named = audit.AuditQuery(actor="anna ä", since=clock.now() - timedelta(days=6))
    assert len(list(audit.every(database, ORGANISATION, named))) == 300
    assert len(list(audit.every(database, ORGANISATION, audit.AuditQuery(actor="a-0")))) == 600
    assert len(list(audit.every(database, ORGANISATION, audit.AuditQuery(actor="100%")))) == 600
    assert list(audit.every(database, ORGANISATION, audit.AuditQuery(actor="%"))) != [], "a sign like any other"
    assert list(audit.every(database, ORGANISATION, audit.AuditQuery(actor="_nna"))) == []
