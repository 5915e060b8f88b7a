"""Archives that make what they like of `limit` and `offset`: all is found, or it is said that there may be more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from radrelay.retrieve.errors import Broken
from radrelay.retrieve.ports import Answer, Order, Wanted
from tests.retrieve.test_dicomweb import SERIES, STUDY, connector, reply, service, study

Given = Callable[[int | None, int], tuple[int, int]]
"""Returns from which match to which one a service gives, by `limit` and `offset`."""


@dataclass
class Archive:
    """Has so many studies, and gives them in its own way."""

    given: Given
    total: int = 250
    most_asked: int | None = None
    no_offset: int = 0
    hints: bool = False
    asked: list[tuple[int | None, int]] = field(default_factory=list)

    def __call__(self, to: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(to.path).query)
        limit = int(query["limit"][0]) if "limit" in query else None
        offset = int(query.get("offset", ["0"])[0])
        self.asked.append((limit, offset))
        if self.most_asked is not None and (limit or 0) > self.most_asked:
            reply(to, b"", status=400)
        elif self.no_offset and offset:
            reply(to, b"", status=self.no_offset)
        else:
            begin, end = self.given(limit, offset)
            told = [study(number) for number in range(begin, min(end, self.total))]
            warning = {"Warning": '299 PACS: "There are 9 additional results that can be requested"'}
            more = warning if self.hints and end < self.total else {}
            reply(to, json.dumps(told).encode(), status=200 if told else 204, **more)

    def search(self, most: int = 500) -> Answer:
        with service(self) as node:
            return connector().search(node, Wanted(patient_id="4711"), most)


def obedient(limit: int | None, offset: int) -> tuple[int, int]:
    return offset, offset + (limit or 1 << 30)


def capped(at: int) -> Given:
    return lambda limit, offset: (offset, offset + min(at, limit or at))


def all_at_once(limit: int | None, offset: int) -> tuple[int, int]:
    del limit
    return offset, 1 << 30


def from_the_first(at: int) -> Given:
    return lambda limit, offset: (0, min(at, limit or at))


@pytest.mark.parametrize(
    ("archive", "found", "more"),
    [
        (Archive(obedient), 250, False),
        (Archive(obedient, total=3), 3, False),
        (Archive(obedient, total=0), 0, False),
        (Archive(capped(50)), 250, False),
        (Archive(capped(7)), 250, False),
        (Archive(all_at_once), 250, False),
        (Archive(obedient, most_asked=20), 250, False),
        (Archive(from_the_first(1 << 30)), 100, True),
        (Archive(from_the_first(50)), 50, True),
        (Archive(from_the_first(1 << 30), total=43), 43, False),
        (Archive(from_the_first(43), hints=True), 43, True),
        (Archive(obedient, no_offset=400), 100, True),
        (Archive(obedient, no_offset=500), 100, True),
        (Archive(obedient, total=43, no_offset=400), 43, False),
        (Archive(lambda limit, offset: (offset, min(offset + (limit or 0), 200))), 200, True),
    ],
)
def test_a_search_finds_all_or_says_that_there_may_be_more(archive: Archive, found: int, more: bool) -> None:
    answer = archive.search()
    uids = [one.study_uid for one in answer.studies]
    assert (len(uids), len(set(uids)), answer.more, answer.unreadable) == (found, found, more, 0)
    assert all(limit is not None and limit <= 100 for limit, _ in archive.asked), "of a usual size"
    assert len(archive.asked) <= 2 + 250 // 7 + 1


def test_a_search_ends_with_as_many_as_were_wanted() -> None:
    archive = Archive(obedient)
    answer = archive.search(most=120)
    assert (len(answer.studies), answer.more) == (120, True)
    assert archive.asked == [(100, 0), (100, 100)]
    exactly = Archive(obedient, total=120).search(most=120)
    assert (len(exactly.studies), exactly.more) == (120, False)


def test_studies_of_two_modalities_are_one_each() -> None:
    archive = Archive(obedient, total=130)
    with service(archive) as node:
        answer = connector().search(node, Wanted(patient_id="4711", modalities=("CT", "MR")), 500)
    assert (len(answer.studies), answer.more) == (130, False)
    assert [offset for _, offset in archive.asked] == [0, 100, 130, 0, 100, 130]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_in_every_size_is_told(status: int) -> None:
    with service(lambda to: reply(to, b"", status=status)) as node, pytest.raises(Broken) as broken:
        connector().search(node, Wanted(patient_id="4711"), 500)
    assert str(status) in str(broken.value)


def listing(count: int, told: int | None, given: Given) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer as an archive whose one series has so many objects, and says so where it is `told`."""

    def answering(to: BaseHTTPRequestHandler) -> None:
        if "/instances" not in to.path:
            one: dict[str, Any] = {"0020000E": {"vr": "UI", "Value": [SERIES]}}
            if told is not None:
                one["00201209"] = {"vr": "IS", "Value": [told]}
            reply(to, json.dumps([one]).encode())
            return
        query = parse_qs(urlsplit(to.path).query)
        begin, end = given(int(query["limit"][0]), int(query.get("offset", ["0"])[0]))
        objects = [{"00080018": {"vr": "UI", "Value": [f"9.{n}"]}} for n in range(begin, min(end, count))]
        reply(to, json.dumps(objects).encode(), status=200 if objects else 204)

    return answering


@pytest.mark.parametrize(
    ("told", "given", "expected", "listed"),
    [
        (1500, obedient, 1500, 1500),
        (1500, capped(100), 1500, 1500),
        (1500, from_the_first(100), 1500, None),
        (None, from_the_first(100), None, None),
        (100, from_the_first(100), 100, 100),
    ],
)
def test_a_list_of_objects_that_may_be_a_part_counts_as_none(
    told: int | None, given: Given, expected: int | None, listed: int | None
) -> None:
    count = told or 1500
    with service(listing(count, told, given)) as node:
        found = connector().inventory(node, Order(STUDY))
    assert found.expected == expected
    assert (None if found.listed is None else len(found.listed)) == listed
