"""ADT messages keep patient data true, and studies follow as it is set: merges, old news, others' IDs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radrelay.archive.models import Correction
from radrelay.audit.models import AuditEvent
from radrelay.hl7.models import Hl7Patient
from radrelay.hl7.patients import find_patient, survivor
from tests.hl7.hospital import ISSUER, Hospital, hospital
from tests.hl7.samples import adt, merge

BOTH = ("merges", "demographics")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path, coerce=BOTH) as opened:
        yield opened


def known(there: Hospital, patient_id: str = "4711", issuer: str = ISSUER) -> Hl7Patient:
    with there.database.read() as session:
        row = find_patient(session, there.org, (issuer, patient_id))
        session.expunge_all()
    assert row is not None
    return row


def becomes(there: Hospital, patient_id: str) -> str:
    with there.database.read() as session:
        row = find_patient(session, there.org, (ISSUER, patient_id))
        assert row is not None
        return survivor(session, row).patient_id


def test_patient_is_kept_as_the_newest_message_says_whatever_the_order_and_where_they_are(there: Hospital) -> None:
    assert there.tell(
        adt("A01", "1", at="20260301080000", place="CHI^302^2^IN", visit="V1"),
        adt("A08", "2", at="20260301100000", name="Maier^Anna"),
        adt("A08", "3", at="20260301090000", name="Alt^Anna"),
        adt("A02", "4", at="20260301110000", name="Maier^Anna", place="ITS^1^1^IN"),
        adt("A02", "5", at="20260301093000", name="Maier^Anna", place="URO^1^1^IN"),
    ) == ["done"] * 5  # fmt: skip
    row = known(there)
    assert (row.name, row.ward, row.bed, row.discharged_at) == ("Maier^Anna", "ITS", "1", None)
    there.tell(adt("A12", "6", at="20260301111000", place="CHI^302^2^IN", name="Maier^Anna"))
    assert known(there).ward == "CHI"
    there.tell(adt("A03", "7", at="20260301112000", visit="V1", name="Maier^Anna"))
    assert known(there).discharged_at is not None
    there.tell(adt("A13", "8", at="20260301113000", visit="V1", name="Maier^Anna"))
    assert known(there).discharged_at is None
    there.tell(adt("A11", "9", at="20260301114000", visit="V2"))
    assert known(there).ward == "CHI", "another visit is cancelled"
    there.tell(adt("A11", "10", at="20260301115000", visit="V1"))
    assert (known(there).ward, known(there).visit_number) == ("", "")
    there.tell(adt("A31", "11", at="20260301115500", name='""', born='""'))
    assert (known(there).name, known(there).birth_date) == ("", None), 'what is "" is to be deleted'


def test_times_without_a_zone_are_the_ports_and_what_was_entered_last_counts(tmp_path: Path) -> None:
    with hospital(tmp_path, coerce=BOTH, zone="Europe/Berlin") as there:
        there.scan()  # at 12:00 UTC, 13:00 on the wall
        there.finish()
        assert there.tell(
            adt("A08", "1", at="20260301130100", name="Müller-Schön^Anna"),
            adt("A08", "2", at="20260301130000", name="Veraltet^Anna"),
        ) == ["done"] * 2  # fmt: skip
        assert there.studies()["1.2.3"][1] == "Müller-Schön^Anna"
        later = adt("A08", "3", at="20260301130200", name="Müller-Klein^Anna")
        assert (there.tell(later), known(there).name) == (["done"], "Müller-Klein^Anna")


def test_clock_that_is_ahead_keeps_the_order_and_is_told_of_and_years_ahead_stop_nothing(there: Hospital) -> None:
    assert there.tell(
        adt("A08", "1", at="20260301130100", name="Neu^Anna"),
        adt("A08", "2", at="20260301130000", name="Veraltet^Anna"),
    ) == ["hl7-times-ahead"] * 2  # fmt: skip
    assert known(there).name == "Neu^Anna"
    there.clock.advance(timedelta(minutes=10))
    assert there.tell(adt("A08", "3", at="20260301121000", name="Partner^Anna"), port="Partner") == ["done"]
    assert known(there).name == "Partner^Anna", "the clock of one sender keeps no other from being heard"
    assert there.tell(adt("A08", "4", at="20360301120000", name="Fern^Anna")) == ["hl7-times-ahead"]
    there.clock.advance(timedelta(minutes=10))
    assert there.tell(adt("A08", "5", at="20260301122000", name="Danach^Anna")) == ["done"]
    assert known(there).name == "Danach^Anna"


def test_hour_that_comes_twice_is_told_apart_by_when_messages_come(tmp_path: Path) -> None:
    with hospital(tmp_path, zone="Europe/Berlin") as there:
        for control_id, came, wall, name in (
            ("1", datetime(2026, 10, 25, 0, 50, tzinfo=UTC), "20261025025000", "Sommer^Anna"),
            ("2", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "20261025023000", "Winter^Anna"),
            ("3", datetime(2026, 10, 25, 2, 1, tzinfo=UTC), "20261025030000", "Danach^Anna"),
            ("4", datetime(2027, 3, 28, 1, 30, tzinfo=UTC), "20270328023000", "Sprung^Anna"),
        ):
            there.clock.advance(came - there.clock.now())
            assert there.tell(adt("A08", control_id, at=wall, name=name)) == ["done"]
            assert known(there).name == name


def test_studies_follow_a_new_name_their_originals_kept_and_devices_that_do_not_know_it_yet(there: Hospital) -> None:
    there.tell(adt("A01", "1", at="20260301080000"))
    first = there.scan()
    assert there.tell(adt("A08", "2", at="20260301090000", name="Schmidt^Anna")) == ["done"]
    assert there.studies() == {"1.2.3": ("4711", "Schmidt^Anna")}
    second, third = there.scan(), there.scan(name="Schmidt^Anna")
    there.finish()
    assert there.quarantined() == 0
    objects = there.objects()
    assert {str(one.PatientName) for one in objects.values()} == {"Schmidt^Anna"}
    for uid in (first, second):
        (item,) = objects[uid].OriginalAttributesSequence
        assert item.ModifiedAttributesSequence[0].PatientName == "Müller^Anna"
        assert item.ModifyingSystem == "Radrelay, HL7, KIS"
    assert "OriginalAttributesSequence" not in objects[third]
    there.scan(study="1.2.4")
    there.finish()
    assert there.studies()["1.2.4"] == ("4711", "Schmidt^Anna"), "a later study of the same person, too"
    there.tell(adt("A08", "2", at="20260301090000", name="Schmidt^Anna"))
    with there.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Correction)) == 2, "the same twice adds nothing"
        events = list(session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action == "study.coerce")))
    assert len(events) == 2


def test_merge_while_a_study_arrives_takes_all_of_it_and_what_comes_later(there: Hospital) -> None:
    there.tell(adt("A01", "1", "N17", name="Unbekannt^Siebzehn", born="19000101", at="20260301080000"))
    unknown = {"patient_id": "N17", "name": "Unbekannt^Siebzehn", "PatientBirthDate": "19000101"}
    first = there.scan(**unknown)
    assert there.tell(merge("2", "4711", "N17", at="20260301090000")) == ["done"]
    second = there.scan(**unknown)
    third = there.scan()
    there.finish()
    fourth = there.scan(**unknown)
    there.scan(study="1.2.5", **unknown)
    there.finish()
    assert there.studies() == dict.fromkeys(("1.2.3", "1.2.5"), ("4711", "Müller^Anna"))
    assert there.quarantined() == 0
    objects = there.objects()
    assert {(one.PatientID, str(one.PatientName), one.PatientBirthDate) for one in objects.values()} == {
        ("4711", "Müller^Anna", "19800229")
    }
    for uid in (first, second, fourth):
        (item,) = objects[uid].OriginalAttributesSequence
        assert item.ModifiedAttributesSequence[0].PatientID == "N17"
    assert "OriginalAttributesSequence" not in objects[third]


def test_what_came_under_the_new_id_before_the_merge_was_told_comes_out_of_the_quarantine(there: Hospital) -> None:
    there.tell(adt("A01", "1", "N17", name="Unbekannt^Siebzehn", born="19000101", at="20260301080000"))
    unknown = {"patient_id": "N17", "name": "Unbekannt^Siebzehn", "PatientBirthDate": "19000101"}
    first = there.scan(**unknown)
    early, others = there.scan(), there.scan(name="Huber^Ute", PatientBirthDate="19990909")
    assert there.quarantined() == 2
    assert there.recheck() == 0
    there.tell(merge("2", "4711", "N17", at="20260301090000"))
    assert (there.recheck(), there.quarantined()) == (1, 1), "who is somebody else stays aside"
    there.finish()
    assert set(there.objects()) == {first, early}
    assert others not in there.objects()
    assert there.studies() == {"1.2.3": ("4711", "Müller^Anna")}
    with there.database.read() as session:
        events = list(session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.action == "quarantine.release")))
    assert ["correction" in one for one in events] == [True]


def test_other_people_and_other_issuers_are_never_touched(there: Hospital) -> None:
    there.tell(adt("A01", "1", "A", name="Huber^Max", born="19500101", at="20260301080000"))
    there.scan("A", "Huber^Max", "1.1", PatientBirthDate="19500101", IssuerOfPatientID="ELSEWHERE")
    there.scan("A", "Wagner^Ute", "1.2", PatientBirthDate="19990909")  # sent under A by a slip
    there.scan("A", "Huber^Max", "1.3", PatientBirthDate="19500101")
    before = there.studies()
    left = there.tell(merge("2", "B", "A", at="20260301090000", name="Huber^Maximilian"))
    assert left == ["hl7-studies-left"]
    assert there.studies() == before | {"1.3": ("B", "Huber^Maximilian")}
    (message,) = [one for one in there.messages() if one.control_id == "2"]
    assert (message.state, message.error_facts) == ("done", '{"studies": 1}')
    there.finish()
    assert there.studies() == before | {"1.3": ("B", "Huber^Maximilian")}


def test_id_that_is_given_to_somebody_else_takes_no_study_along(there: Hospital) -> None:
    there.tell(adt("A01", "1", at="20260301080000"))
    there.scan()
    assert there.tell(adt("A08", "2", at="20260301090000", name="Huber^Max", born="19500101")) == ["hl7-studies-left"]
    there.finish()
    assert there.studies() == {"1.2.3": ("4711", "Müller^Anna")}
    assert there.tell(adt("A08", "3", at="20260301100000", name="Huber^Anna")) == ["done"], "she has married"
    assert there.studies() == {"1.2.3": ("4711", "Huber^Anna")}


def test_id_that_nobody_vouches_for_is_not_merged(there: Hospital) -> None:
    there.tell(adt("A01", "1", "A"), adt("A01", "2", "B"))
    there.scan("A", study="1.1")
    there.scan("A", study="1.2", IssuerOfPatientID="")
    before = there.studies()
    assert there.tell(
        merge("3", "B", "A", prior_issuer=""), merge("4", "B", "A", issuer="", prior_issuer=""),
        merge("5", "B", "A", prior_issuer="ELSEWHERE"), adt("A08", "6", "A", issuer="", name="Neu^Anna"),
    ) == ["hl7-issuer-missing", "hl7-issuer-missing", "hl7-issuers-differ", "hl7-issuer-missing"]  # fmt: skip
    assert there.tell(merge("7", "B", "A"), port="Partner") == ["done"]
    there.finish()
    assert there.studies() == before, "this sender's word is noted, and nothing follows from it"


def test_patient_of_a_message_that_failed_is_kept_by_the_next_in_the_same_turn(there: Hospital) -> None:
    there.tell(merge("1", "4711", "4712", at="20260301110000"))
    assert there.tell(merge("2", "4799", "4712", at="20260301100000"), adt("A01", "3", "4799")) == [
        "hl7-merge-older", "done"
    ]  # fmt: skip
    assert there.tell(adt("A08", "4", "4799", name="Meier^Anna")) == ["done"]
    with there.database.read() as session:
        kept = session.scalars(sa.select(Hl7Patient.name).where(Hl7Patient.patient_id == "4799")).all()
    assert kept == ["Meier^Anna"]


def test_older_merge_does_not_undo_a_newer_one_and_chains_lead_to_their_end(there: Hospital) -> None:
    there.scan("A", study="1.1")
    assert there.tell(
        merge("1", "B", "A", at="20260301090000"), merge("2", "C", "B", at="20260301100000", event="A47"),
        merge("3", "A", "B", at="20260301080000"), merge("4", "D", "A", at="20260301083000"),
    ) == ["done", "done", "hl7-merge-older", "hl7-merge-older"]  # fmt: skip
    assert [becomes(there, one) for one in "ABC"] == ["C", "C", "C"]
    there.scan("A", study="1.2")
    there.finish()
    assert {one[0] for one in there.studies().values()} == {"C"}
    assert there.tell(merge("5", "A", "C", at="20260301110000")) == ["done"]
    assert [becomes(there, one) for one in "ABC"] == ["A", "A", "A"], "the other way round, said later"
    there.finish()
    assert {one[0] for one in there.studies().values()} == {"A"}


@pytest.mark.parametrize(("coerce", "after"), [((), "Müller^Anna"), (("merges",), "Müller^Anna")])
def test_studies_stay_as_they_came_unless_it_is_set(tmp_path: Path, coerce: tuple[str, ...], after: str) -> None:
    with hospital(tmp_path, coerce=coerce, issuers=[ISSUER]) as there:
        there.scan()
        assert there.tell(adt("A08", "1", name="Neu^Anna"), adt("A08", "2", issuer="OTHER")) == [
            "done", "hl7-issuer-foreign",
        ]  # fmt: skip
        there.finish()
        assert there.studies() == {"1.2.3": ("4711", after)}
        assert known(there).name == "Neu^Anna"
