"""Schedules run when the clock on the site's wall says so, once on the days when it is set."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from radrelay.retrieve.errors import ScheduleInvalid
from radrelay.retrieve.schedules.times import clock_after, read_times

BERLIN = ZoneInfo("Europe/Berlin")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def following(times: str, since: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        since = read_times(times).after(since, BERLIN) or pytest.fail("never")
        found.append(since.astimezone(BERLIN).strftime("%a %d %H:%M %Z"))
    return found


def test_each_weekday_at_half_past_five() -> None:
    assert following("30 5 * * 1-5", wall("2026-03-05T05:30"), 3) == [
        "Fri 06 05:30 CET", "Mon 09 05:30 CET", "Tue 10 05:30 CET",
    ]  # fmt: skip


def test_a_time_that_the_clock_leaps_over_counts_once_at_the_leap() -> None:
    assert following("30 2 * * *", wall("2026-03-28T12:00"), 2) == ["Sun 29 03:00 CEST", "Mon 30 02:30 CEST"]
    assert following("*/30 2 * * *", wall("2026-03-29T01:59"), 2) == ["Sun 29 03:00 CEST", "Mon 30 02:00 CEST"]


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    assert following("30 2 * * *", wall("2026-10-24T12:00"), 2) == ["Sun 25 02:30 CEST", "Mon 26 02:30 CET"]
    assert following("*/30 * * * *", wall("2026-10-25T02:00"), 2) == ["Sun 25 02:30 CEST", "Sun 25 03:00 CET"]


def test_days_lists_and_steps_are_as_cron_has_them() -> None:
    assert following("0 6,18 1 * *", wall("2026-01-31T00:00"), 2) == ["Sun 01 06:00 CET", "Sun 01 18:00 CET"]
    assert following("0 0 13 * 5", wall("2026-02-05T12:00"), 3) == [
        "Fri 06 00:00 CET", "Fri 13 00:00 CET", "Fri 20 00:00 CET",
    ]  # fmt: skip
    assert following("0 0 29 2 *", wall("2026-01-01T00:00"), 1) == ["Tue 29 00:00 CET"]
    assert following("0 0 * * 7", wall("2026-03-04T00:00"), 1) == ["Sun 08 00:00 CET"]


@pytest.mark.parametrize("times", ["", "5 30", "60 5 * * *", "0 5 * * 8", "0 5 31 2 *", "a b c d e", "*/0 * * * *"])
def test_what_is_no_time_is_refused(times: str) -> None:
    with pytest.raises(ScheduleInvalid):
        read_times(times)


def test_the_end_of_a_window_is_the_next_time_that_the_wall_says_so() -> None:
    assert clock_after("06:30", wall("2026-03-28T22:00"), BERLIN) == wall("2026-03-29T06:30")
    assert clock_after("06:30", wall("2026-03-28T06:30"), BERLIN) == wall("2026-03-29T06:30")
    with pytest.raises(ScheduleInvalid):
        clock_after("6:30", wall("2026-03-28T22:00"), BERLIN)
