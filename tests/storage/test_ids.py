from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from radrelay.storage.ids import MOST_AHEAD_MS, IdMaker, new_id

MS = 1_000_000


def test_ids_grow_within_a_millisecond_and_are_never_the_same() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert abs((made[-1].int >> 80) - time.time_ns() // MS) < MOST_AHEAD_MS
    with ThreadPoolExecutor(4) as pool:
        assert (
            len({one for many in pool.map(lambda _: [new_id() for _ in range(2_000)], range(8)) for one in many})
            == 16_000
        )


def test_ids_grow_where_the_clock_goes_back_a_little_and_follow_it_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [1_800_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: at[0] * MS)
    maker = IdMaker()
    first = maker()
    at[0] -= 500
    second = maker()
    assert (second > first, second.int >> 80) == (True, first.int >> 80)
    at[0] -= 2 * MOST_AHEAD_MS
    assert maker().int >> 80 == at[0]


def test_an_id_does_not_tell_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000 * MS)
    maker = IdMaker()
    made = [maker().int for _ in range(100)]
    assert len({b - a for a, b in itertools.pairwise(made)}) == 99
