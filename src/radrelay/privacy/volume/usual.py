"""What is usual for an access, and from where on it is far more than that: by median and spread, which a few wild days
do not move (Hampel's identifier: the median absolute deviation in the place of the standard deviation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from radrelay.privacy.volume.counting import MEASURES, Counts, Measure, SubjectKind
from radrelay.settings import VolumeLimits, VolumeSettings

NORMAL = 1.4826  # median absolute deviation to standard deviation, where chance decides


@dataclass(frozen=True, slots=True)
class Limit:
    """From above which number on there is an alarm, and what is usual on a day; none: too little is known."""

    most: int
    usual: int | None = None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A measure that is above its limit."""

    measure: Measure
    counted: int
    limit: Limit

    @property
    def times(self) -> float:
        """How many times the limit it is."""
        return self.counted / self.limit.most


def limits_for(settings: VolumeSettings, kind: SubjectKind) -> VolumeLimits:
    """Return the limits for a kind of access that nobody is below."""
    found: VolumeLimits = getattr(settings, "device" if kind == "ae" else kind)
    return found


def above_floor(settings: VolumeSettings, kind: SubjectKind, found: Counts) -> bool:
    """Say whether anything is above what is allowed to everybody: only then is it asked what is usual."""
    floors = limits_for(settings, kind)
    return any(found.of(measure) > getattr(floors, measure) for measure in MEASURES)


def limit_of(settings: VolumeSettings, floor: int, days: Sequence[int]) -> Limit:
    """Return the limit of a measure; `days` are what was counted on earlier days, none of them zero."""
    if len(days) < settings.least_days:
        return Limit(floor)
    usual = median(days)
    spread = NORMAL * median(abs(one - usual) for one in days)
    most = max(floor, math.ceil(usual * settings.times_usual), math.ceil(usual + spread * settings.spreads))
    return Limit(most, round(usual))


def exceeded(settings: VolumeSettings, kind: SubjectKind, found: Counts, earlier: Sequence[Counts]) -> Exceeded | None:
    """Return the measure that is furthest above its limit, none where all is usual."""
    floors = limits_for(settings, kind)
    judged = []
    for measure in MEASURES:
        days = [n for one in earlier if (n := one.of(measure))]
        limit = limit_of(settings, getattr(floors, measure), days)
        judged.append(Exceeded(measure, found.of(measure), limit))
    worst = max(judged, key=lambda one: one.times)
    return worst if worst.counted > worst.limit.most else None
