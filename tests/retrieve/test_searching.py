"""What is asked of archives, and what their answers become: merged, bounded, never lost to another's rubbish."""

from __future__ import annotations

import time
import uuid
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.network.errors import NobodyListens
from radrelay.network.ports import Key
from radrelay.retrieve import asking, searching
from radrelay.retrieve.errors import Broken, SearchTooWide
from radrelay.retrieve.ports import Answer, FoundStudy, PacsNode, Wanted


def node(name: str) -> PacsNode:
    return PacsNode(
        uuid.uuid4(), uuid.uuid4(), name, name, "127.0.0.1", 104, "", tls=False, model="study", method="get",
        source_id=uuid.uuid4(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("müller", "müller*"),
        ("Müller, Anna", "Müller^Anna*"),
        ("van der Berg Jan", "van^der Berg Jan*"),
        ("Mül*", "Mül*"),
        ("山田^太郎", "山田^太郎*"),
        ("  ", ""),
    ],
)
def test_names_are_asked_for_as_archives_match_them(typed: str, asked: str) -> None:
    assert asking.person(typed) == asked


@pytest.mark.parametrize(
    ("wanted", "dates"),
    [
        (Wanted(since=date(2026, 3, 28), until=date(2026, 3, 29)), "20260328-20260329"),
        (Wanted(since=date(2026, 3, 29), until=date(2026, 3, 29)), "20260329"),
        (Wanted(patient_id="1", since=date(2026, 3, 29)), "20260329-"),
        (Wanted(patient_id="1", until=date(2026, 3, 29)), "-20260329"),
        (Wanted(patient_id="1"), ""),
    ],
)
def test_dates_are_asked_for_as_a_range(wanted: Wanted, dates: str) -> None:
    keys = {tag: value for tag, _, value in asking.study_keys(wanted)}
    assert keys[asking.STUDY_DATE] == dates


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(patient_name="*"), Wanted(patient_name="m"), Wanted(patient_id="**"),
        Wanted(modalities=("CT",)), Wanted(since=date(2026, 1, 1)), Wanted(until=date(2026, 1, 1)),
        Wanted(since=date(2026, 1, 1), until=date(2026, 1, 8)), Wanted(description="head"),
    ],
)  # fmt: skip
def test_search_for_everything_is_refused(wanted: Wanted) -> None:
    with pytest.raises(SearchTooWide):
        asking.study_keys(wanted)


def test_studies_of_several_archives_are_one_line_each() -> None:
    one, two = node("ONE"), node("TWO")
    answers = {
        one.id: Answer((FoundStudy("1.1", patient_name="A^B", birth_date="19700101", study_date="20260101"),
                        FoundStudy("1.2", study_date="20260301"))),
        two.id: Answer((FoundStudy("1.1", patient_name="a b", birth_date="19700101", instances=7),
                        FoundStudy("1.3", study_date="garbage")), more=True, unreadable=2),
    }  # fmt: skip
    found = searching.search([one, two], lambda asked: answers[asked.id], 5)
    assert [merged.study.study_uid for merged in found.studies] == ["1.3", "1.2", "1.1"]
    both = found.studies[-1]
    assert (both.pacs, both.disagree, both.study.instances) == ((one.id, two.id), False, 7)
    assert [(said.found, said.more, said.unreadable) for said in found.asked] == [(2, False, 0), (2, True, 2)]


def test_archives_that_name_different_patients_are_told_of() -> None:
    one, two = node("ONE"), node("TWO")
    named = {one.id: "A^B", two.id: "C^D"}

    def ask(asked: PacsNode) -> Answer:
        return Answer((FoundStudy("1.1", patient_name=named[asked.id]),))

    assert searching.search([one, two], ask, 5).studies[0].disagree


def test_archive_that_is_down_or_slow_costs_the_others_nothing() -> None:
    good, down, slow = node("GOOD"), node("DOWN"), node("SLOW")

    def ask(asked: PacsNode) -> Answer:
        if asked is down:
            raise Broken(NobodyListens("nothing listens there"))
        if asked is slow:
            time.sleep(0.6)
        return Answer((FoundStudy("1.1"),))

    found = searching.search([slow, down, good], ask, 0.2)
    assert [merged.pacs for merged in found.studies] == [(good.id,)]
    codes = [said.trouble.code if said.trouble else "" for said in found.asked]
    assert codes == ["search-timed-out", "nobody-listens", ""]


texts = st.text(max_size=30)


@given(st.lists(st.tuples(st.sampled_from([tag for tag, _ in asking.STUDY_KEYS]), texts), max_size=20))
def test_any_match_becomes_a_study_or_nothing(told: list[tuple[int, str]]) -> None:
    match = [Key(tag, "LO", text) for tag, text in told]
    study = asking.study_of(match)
    assert study is None or study.study_uid
    asking.series_of(match)
    asking.held_of(match, "1.2")
