"""Importing twice changes nothing; what is here under one UID and is not the same is set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.dicom.header import parse
from radrelay.errors import RadrelayError
from radrelay.importer.arrived import ArrivedObject, header_digest
from radrelay.importer.duplicates import Decision, KeptObject, decide
from radrelay.importer.reconciling import Wanted, reconcile
from tests.dicom.objects import opened
from tests.importer.objects import foreign, header_of
from tests.importer.test_reconciling import AT, FOREIGN, ORDER, OURS, some

PATIENT = ("KH", "4711")
ONE = ArrivedObject.whole(foreign(**FOREIGN)[0], header_of(foreign(**FOREIGN)), file="a/1")


def kept_as(one: ArrivedObject) -> KeptObject:
    """An object as it is kept once it is filed."""
    return KeptObject(one.sop_uid, one.study_uid, frozenset({one.digest}), one.transfer_syntax, one.pixels, one.header)


def filed(decisions: Iterable[Decision]) -> tuple[ArrivedObject, ...]:
    return tuple(one.arrived for one in decisions if one.action == "file")


KEPT = kept_as(ONE)


def decided(one: ArrivedObject, *kept: KeptObject) -> tuple[str, str]:
    (found,) = decide([one], {one.sop_uid: kept}, {one.study_uid: {PATIENT}}, PATIENT)
    return found.action, found.why


def test_a_reconciled_object_is_known_again_by_what_was_received() -> None:
    made = reconcile(*foreign(**FOREIGN), Wanted(OURS, ORDER), "x", AT)
    assert made is not None
    here = ArrivedObject.whole(made[0], parse(*made), file="here")
    assert here.digest != ONE.digest
    assert (here.header, here.pixels) == (ONE.header, ONE.pixels)
    assert decided(ONE, KEPT) == ("skip", "same-content")
    unknown = replace(KEPT, digests=frozenset({here.digest}), header=here.header, pixels=here.pixels)
    assert decided(ONE, unknown) == ("skip", "same-object")


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({"digests": frozenset({"x"}), "pixels": "p"}, ("quarantine", "other-pixels")),
        ({"digests": frozenset({"x"}), "pixels": "p", "transfer_syntax": "1.2"}, ("quarantine", "other-encoding")),
        ({"digests": frozenset({"x"}), "header": "h"}, ("skip", "same-pixels")),
        ({"digests": frozenset({"x"}), "header": ""}, ("quarantine", "other-content")),
        ({"digests": frozenset({"x"}), "study_uid": "9"}, ("quarantine", "other-study")),
        ({"digests": frozenset(), "header": "", "pixels": ""}, ("skip", "content-unknown")),
    ],
)
def test_what_is_here_under_the_same_uid_decides(kept: dict[str, str], expected: tuple[str, str]) -> None:
    assert decided(ONE, replace(KEPT, **kept)) == expected  # type: ignore[arg-type]
    assert decided(ONE, replace(KEPT, **kept), KEPT) == ("skip", "same-content")  # type: ignore[arg-type]


def test_documents_without_pixels_differ_by_all_that_they_say() -> None:
    report = replace(ONE, pixels="", header="h", digest="d")
    other = replace(KEPT, digests=frozenset({"x"}), pixels="", header="g")
    assert decided(report, other) == ("quarantine", "other-content")
    assert decided(report, replace(other, header="h")) == ("skip", "same-object")


def test_a_study_of_somebody_else_here_is_held_back_whole() -> None:
    two = replace(ONE, sop_uid="1.9", file="a/2")
    found = decide([ONE, two], {ONE.sop_uid: [KEPT]}, {ONE.study_uid: {("KH", "4712")}}, PATIENT)
    assert {(one.action, one.why) for one in found} == {("block", "study-of-another")}


def test_of_a_study_that_is_here_in_part_the_rest_is_filed() -> None:
    two, three = replace(ONE, sop_uid="1.9", file="a/2"), replace(ONE, sop_uid="1.10", file="a/3")
    found = decide([three, two, ONE], {ONE.sop_uid: [KEPT]}, {ONE.study_uid: {PATIENT}}, PATIENT)
    assert filed(found) == (two, three)


def test_of_files_with_one_uid_in_a_parcel_what_is_here_is_skipped_and_each_other_set_aside_once() -> None:
    other, again = replace(ONE, file="a/0", digest="x", pixels="p"), replace(ONE, file="c/1", digest="x", pixels="p")
    found = decide([other, ONE, again], {ONE.sop_uid: [KEPT]}, {}, PATIENT)
    assert [(one.action, one.why) for one in found] == [
        ("quarantine", "other-pixels"), ("skip", "same-content"), ("skip", "twice-in-parcel"),
    ]  # fmt: skip


def test_files_of_one_uid_in_a_parcel_are_one_object_or_set_aside() -> None:
    again, other = replace(ONE, file="b/1"), replace(ONE, file="c/1", digest="x", pixels="p")
    nameless = replace(ONE, file="d/1", sop_uid="")
    found = decide([nameless, other, again, ONE], {}, {}, PATIENT)
    assert [(one.arrived.file, one.why) for one in found] == [
        ("a/1", "new"), ("b/1", "twice-in-parcel"), ("c/1", "differs-in-parcel"), ("d/1", "no-identity"),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("ab"), st.sampled_from("pq")), max_size=6))
def test_importing_twice_files_nothing(drawn: list[tuple[str, str, str]]) -> None:
    objects = [
        replace(ONE, file=str(at), sop_uid=uid, digest=f"{uid}{head}{pixels}", header=head, pixels=pixels)
        for at, (uid, head, pixels) in enumerate(drawn)
    ]
    first = decide(objects, {}, {}, PATIENT)
    kept = {one.sop_uid: [kept_as(one)] for one in filed(first)}
    assert len(kept) == len(filed(first))
    again = decide(objects, kept, {ONE.study_uid: {PATIENT}}, PATIENT)
    assert filed(again) == ()
    assert {one.arrived for one in first if one.action == "file"} <= {
        one.arrived for one in again if one.action == "skip"
    }


@pytest.mark.shared
def test_real_objects_are_the_same_object_after_reconciliation(shared_data: Path) -> None:
    seen: set[str] = set()
    for path in some(shared_data)[::2]:
        try:
            data_set, ts = opened(path)
            made = reconcile(data_set, ts, Wanted(OURS, ORDER), "x", AT)
            before = parse(data_set, ts)
        except RadrelayError:
            continue
        assert made is not None
        assert header_digest(parse(*made)) == header_digest(before), path
        seen.add(hashlib.sha256(data_set).hexdigest())
    assert len(seen) > 50
