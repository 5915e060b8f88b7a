"""Objects arrive: what becomes of them, and what the study's row says after."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from radrelay.archive import corrections, deletion, uncorrected
from radrelay.archive.indexing import complete_quiet
from radrelay.archive.models import (
    Holding,
    Instance,
    InstanceHolding,
    Modality,
    Patient,
    Series,
    ShortToken,
    Study,
    Tombstone,
)
from radrelay.storage.models import Erasure, LandingRecord, OutboxEvent
from tests.archive.arriving import START, Door, arrival

HOUR = timedelta(hours=1)


def test_first_object_makes_patient_study_series_instance_and_holding(door: Door) -> None:
    verdict = door.bring()
    study = door.study()
    assert (verdict.kind, verdict.study_id) == ("new", study.id)
    assert (study.series_count, study.instance_count, study.bytes, study.modalities) == (1, 1, 1000, "CT")
    assert study.patient_name_folded == "=muller jorg=mueller joerg="
    assert study.expires_at == START + 48 * HOUR
    assert (study.state, study.quiet_at) == ("arriving", START + timedelta(seconds=30))
    assert [len(door.rows(model)) for model in (Patient, Series, Instance, Holding, LandingRecord)] == [1] * 5


def test_a_batch_of_several_series_and_studies_is_counted_rightly(door: Door) -> None:
    batch = [
        *door.slices(30),
        *door.slices(20, series_uid="1.2.3.2", modality="SR"),
        *door.slices(10, study_uid="1.9", series_uid="1.9.1", patient_id="99", patient_name="Yamada^Tarou=山田^太郎"),
    ]
    assert {verdict.kind for verdict in door.bring_all(batch)} == {"new"}
    first, second = door.study(), door.study("1.9")
    assert (first.series_count, first.instance_count, first.modalities) == (2, 50, "CT\\SR")
    assert (second.series_count, second.instance_count) == (1, 10)
    assert sorted(series.instance_count for series in door.rows(Series)) == [10, 20, 30]
    assert len(door.rows(Modality)) == 3
    assert {row.token for row in door.rows(ShortToken, sort_key=second.sort_key)} >= {"山", "山田", "太郎", "ya", "=y"}


def test_same_content_again_is_a_duplicate_and_waits_to_be_erased(door: Door) -> None:
    first = door.bring()
    second = door.bring(START + HOUR)
    assert (second.kind, second.instance_id) == ("duplicate", first.instance_id)
    assert door.study().instance_count == 1
    [erasure] = door.rows(Erasure)
    assert (erasure.kind, erasure.instance_id, len(door.rows(LandingRecord))) == ("duplicate", first.instance_id, 2)
    assert door.study().expires_at == START + 49 * HOUR  # the retention runs from the last arrival


def test_duplicates_within_one_batch_are_seen(door: Door) -> None:
    one = arrival(door.source)
    verdicts = door.bring_all([one, arrival(door.source), arrival(door.source, content="other")])
    assert [verdict.kind for verdict in verdicts] == ["new", "duplicate", "quarantine"]
    assert len(door.rows(Instance)) == 1


def test_another_source_with_the_same_object_gets_a_holding_of_its_own(door: Door) -> None:
    first = door.bring()
    other = door.other(retention_s=None)
    assert other.bring().kind == "duplicate"
    assert len(door.rows(Holding)) == 2
    [further] = door.rows(InstanceHolding)
    assert further.instance_id == first.instance_id
    assert door.study().expires_at is None
    assert other.bring().kind == "duplicate"
    assert len(door.rows(InstanceHolding)) == 1


@pytest.mark.parametrize(
    "contradiction",
    [
        {"patient_id": "4712"},
        {"issuer": "ELSEWHERE"},
        {"birth_date": date(1970, 5, 18)},
        {"patient_name": "Meier^Jörg"},
        {"patient_id": ""},
    ],
)
def test_an_object_of_another_patient_is_quarantined(door: Door, contradiction: dict[str, Any]) -> None:
    door.bring(issuer="HOSPITAL")
    changes = {"issuer": "HOSPITAL", "sop_uid": "1.2.3.1.2", **contradiction}
    verdict = door.bring(**changes)
    assert (verdict.kind, verdict.code) == ("quarantine", "patient-mismatch")
    assert door.study().instance_count == 1
    assert len(door.rows(LandingRecord)) == 2  # its bytes are kept for the person who decides


@pytest.mark.parametrize(
    "agreement",
    [
        {"patient_name": "MUELLER^JOERG^^DR."},
        {"patient_name": "Müller^Jörg=山田^太郎"},
        {"patient_name": ""},
        {"birth_date": None},
        {"issuer": ""},
    ],
)
def test_other_spellings_and_absent_values_contradict_nobody(door: Door, agreement: dict[str, Any]) -> None:
    door.bring(issuer="HOSPITAL")
    changes = {"issuer": "HOSPITAL", "sop_uid": "1.2.3.1.2", **agreement}
    assert door.bring(**changes).kind == "new"


def test_the_sources_issuer_stands_in_for_an_absent_one(door: Door) -> None:
    door.source = replace(door.source, issuer_of_patient_id="PRAXIS")
    door.bring()
    assert door.rows(Patient)[0].issuer == "PRAXIS"
    assert door.study().patient_issuer == "PRAXIS"


def test_two_studies_without_patient_id_have_two_patients(door: Door) -> None:
    door.bring(patient_id="")
    door.bring(patient_id="", study_uid="1.9", series_uid="1.9.1", sop_uid="1.9.1.1")
    assert len(door.rows(Patient)) == 2
    assert door.study().patient_issuer == ""


def test_a_series_of_another_study_is_quarantined(door: Door) -> None:
    door.bring()
    verdict = door.bring(study_uid="1.9", sop_uid="1.9.1.1")
    assert (verdict.kind, verdict.code) == ("quarantine", "series-elsewhere")
    with pytest.raises(AssertionError):
        door.study("1.9")


def test_an_instance_of_another_study_is_quarantined_whatever_the_policy(door: Door) -> None:
    door.bring()
    keeps = door.other(duplicate_policy="keep-both")
    verdict = keeps.bring(content="other", study_uid="1.9", series_uid="1.9.1")
    assert (verdict.kind, verdict.code) == ("quarantine", "instance-elsewhere")


def test_other_content_follows_the_sources_policy(door: Door) -> None:
    first = door.bring()
    refused = door.bring(content="b")
    assert (refused.code, refused.instance_id) == ("other-content", first.instance_id)

    superseding = door.other(duplicate_policy="supersede")
    assert superseding.bring(content="c", frames=3).kind == "superseded"
    assert door.study().instance_count == 1
    assert door.rows(Series)[0].frame_count == 3
    assert sorted((i.version, i.current) for i in door.rows(Instance)) == [(1, False), (2, True)]

    both = door.other(duplicate_policy="keep-both")
    assert both.bring(content="d").kind == "kept-both"
    assert sorted((i.version, i.current) for i in door.rows(Instance)) == [(1, False), (2, True), (3, True)]
    assert door.study().instance_count == 2


def test_superseding_within_one_batch_leaves_one_current(door: Door) -> None:
    source = replace(door.source, duplicate_policy="supersede")
    verdicts = door.bring_all([arrival(source), arrival(source, content="b"), arrival(source, content="c")])
    assert [verdict.kind for verdict in verdicts] == ["new", "superseded", "superseded"]
    assert sorted((i.version, i.current) for i in door.rows(Instance)) == [(1, False), (2, False), (3, True)]
    assert door.study().instance_count == 1


@pytest.mark.parametrize(
    "flaw",
    [{"study_uid": ""}, {"series_uid": ""}, {"sop_uid": ""}, {"sop_class": ""}, {"sop_uid": "1" * 65}],
)
def test_an_object_without_its_uids_has_no_identity(door: Door, flaw: dict[str, Any]) -> None:
    verdict = door.bring(**flaw)
    assert (verdict.kind, verdict.code) == ("quarantine", "no-identity")
    assert verdict.reason


def test_values_beyond_their_columns_do_no_harm(door: Door) -> None:
    wild: dict[str, Any] = {
        "accession": "A" * 200,
        "modality": "X" * 40,
        "series_number": 10**15,
        "study_description": "a\0b",
    }
    assert door.bring(**wild).kind == "new"
    assert len(door.study().accession_number) == 64


def test_the_longest_texts_that_an_object_may_have_are_taken(door: Door) -> None:
    signs = [chr(0x4E00 + 7919 * place % 20_000) for place in range(3_000)]  # which nothing makes shorter
    long: dict[str, Any] = {
        "patient_name": "".join(signs[:400]),
        "patient_id": "".join(signs[400:464]),
        "issuer": "".join(signs[464:528]),
        "accession": "".join(signs[528:592]),
        "study_description": "".join(signs[600:1600]),
        "referring": "".join(signs[1600:2000]),
        "institution": "".join(signs[2000:]),
    }
    assert door.bring(**long).kind == "new"
    assert door.study().description == long["study_description"]


def test_a_study_completes_after_its_quiet_time_and_arrives_again_with_a_late_object(door: Door) -> None:
    door.bring()
    with door.database.write() as session:
        assert complete_quiet(session, START + timedelta(seconds=29)) == []
    with door.database.write() as session:
        assert complete_quiet(session, START + timedelta(seconds=30)) == [door.study().id]
    [event] = door.rows(OutboxEvent)
    assert (event.kind, event.subject_id) == ("study.completed", door.study().id)
    assert door.study().state == "complete"
    assert door.bring(START + HOUR).kind == "duplicate"
    assert door.study().state == "complete"
    door.bring(START + HOUR, sop_uid="1.2.3.1.2")
    assert door.study().state == "arriving"
    with door.database.write() as session:
        assert complete_quiet(session, START + 2 * HOUR) == [door.study().id]


def test_retention_runs_from_the_last_arrival_and_the_ceiling_from_the_first(door: Door) -> None:
    door.source = replace(door.source, retention_s=2 * 3600, max_age_s=3 * 3600)
    door.bring()
    assert door.study().expires_at == START + 2 * HOUR
    door.bring(START + HOUR / 2, sop_uid="1.2.3.1.2")
    assert door.study().expires_at == START + 2.5 * HOUR
    door.bring(START + 2 * HOUR, sop_uid="1.2.3.1.3")
    study = door.study()
    assert (study.expires_at, study.ceiling_at) == (START + 3 * HOUR, START + 3 * HOUR)


def test_what_arrives_after_the_end_is_a_fresh_study(door: Door) -> None:
    door.source = replace(door.source, retention_s=3600)
    old = door.bring()
    door.bring(sop_uid="1.2.3.1.2")
    again = door.bring(START + 2 * HOUR)
    assert again.kind == "new"
    assert again.study_id != old.study_id
    assert [study.id for study in door.rows(Study)] == [again.study_id]
    assert len(door.rows(Instance)) == 1
    assert len(door.rows(Erasure)) == 2
    [tombstone] = door.rows(Tombstone)
    assert (tombstone.kind, tombstone.reason) == ("holding", "expired")
    assert door.study().expires_at == START + 3 * HOUR


def test_a_ceiling_that_passed_starts_anew_with_new_bytes_only(door: Door) -> None:
    door.source = replace(door.source, retention_s=None, max_age_s=3600)
    other = door.other(max_age_s=None)
    door.bring()
    other.bring(sop_uid="1.2.3.1.2")
    assert door.bring(START + 2 * HOUR).kind == "new"  # not a duplicate of bytes whose age is over
    assert len(door.rows(Instance)) == 2
    assert door.study().ceiling_at is None


def test_an_object_released_from_quarantine_has_its_record_already(door: Door) -> None:
    door.bring()
    stranger = arrival(door.source, sop_uid="1.2.3.1.2", patient_name="Meier^Eva")
    [verdict] = door.bring_all([stranger])
    assert verdict.code == "patient-mismatch"
    released = replace(stranger, recorded=True, overlook=frozenset({"patient-mismatch"}))
    assert door.bring_all([released])[0].kind == "new"


def test_organisations_never_meet(door: Door) -> None:
    elsewhere = Door(door.database)
    door.bring()
    assert elsewhere.bring(content="other", patient_id="other").kind == "new"
    assert len(door.rows(Study)) == 2


def test_two_organisations_in_one_batch_keep_their_order(door: Door) -> None:
    elsewhere = Door(door.database)
    batch = [
        arrival(door.source), arrival(elsewhere.source), arrival(door.source), arrival(elsewhere.source, content="x"),
    ]  # fmt: skip
    assert [verdict.kind for verdict in door.bring_all(batch)] == ["new", "new", "duplicate", "quarantine"]


def test_what_comes_to_a_corrected_study_or_back_into_it_opens_its_correction_again(door: Door) -> None:
    door.bring(content="a")
    study = door.study()

    def written() -> None:
        with door.database.write() as session:
            for _, _, instance_id, _ in uncorrected.pending(session, 10):
                uncorrected.note_conforming(session, instance_id, 1)
            assert uncorrected.settled(session) == [study.id]
            uncorrected.settle(session, START)
            assert (uncorrected.any_open(session), uncorrected.settled(session)) == (False, [])

    with door.database.write() as session:
        corrections.correct(
            session, door.organisation_id, [study.id], {"accession_number": "A-9"}, by="eva", reason="a slip",
            request_id=None, now=START, follows=True,
        )  # fmt: skip
    passing = door.other(duplicate_policy="supersede")
    assert passing.bring(content="b").kind == "superseded"
    written()
    assert passing.bring(content="b").kind == "duplicate"
    with door.database.read() as session:
        assert not uncorrected.any_open(session), "nothing new came"
    door.bring(sop_uid="1.2.3.1.9")
    with door.database.read() as session:
        assert uncorrected.is_open(session, study.id)
        assert uncorrected.any_open(session), "also under the time of a receipt before"
    written()
    holding = next(one for one in door.rows(Holding) if one.source_id == passing.source.id)
    with door.database.write() as session:
        deletion.end_holdings(session, [holding.id], START)
        assert len(uncorrected.pending(session, 10)) == 1, "the version that was replaced is shown again"
    written()
