"""Which series of a study is what: perfusion, diffusion, ADC, native scan; what may be two things is not guessed.

In: frames. Out: `Recognised`. The images decide first (a perfusion has many time points of the same slices); a site's
rules, a readable file, choose where several would do (`rules.toml`).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radrelay.analysis.images.errors import (
    NothingToAnalyse,
    RulesInvalid,
    SeriesAmbiguous,
    SeriesUnknown,
    SeveralPatients,
)
from radrelay.analysis.images.frames import Frame
from radrelay.analysis.images.stacking import points_in_time
from radrelay.analysis.study import SeriesRole

SHIPPED = Path(__file__).with_name("rules.toml")
LEAST_TIME_POINTS = 10
MODALITIES = ("CT", "MR")
TRACE_LEAST_B = 500.0
Pattern = re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a series' words and image type are to say; `role` is empty for what is left out."""

    role: str
    modality: str
    series: Pattern | None
    image_type: Pattern | None

    def fits(self, frame: Frame) -> bool:
        """Say whether a series fits, by one of its frames."""
        words = f"{frame.series.description}\n{frame.series.protocol}" if self.role else frame.series.description
        return (
            self.modality in ("", frame.series.modality)
            and (self.series is None or bool(self.series.search(words.replace("_", " "))))
            and (self.image_type is None or bool(self.image_type.search(" ".join(frame.image_type).replace("_", " "))))
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """A site's rules, in their order."""

    leave_out: tuple[Rule, ...]
    series: tuple[Rule, ...]

    def role(self, frame: Frame) -> str:
        """Return what the first fitting rule says, '' where none fits."""
        return next((one.role for one in self.series if one.fits(frame)), "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Frames that may be one acquisition over time: of one series, or of several."""

    frames: tuple[Frame, ...]
    slices: int
    points: int

    @property
    def uids(self) -> tuple[str, ...]:
        """The series' UIDs."""
        return tuple(sorted({one.series.uid for one in self.frames}))

    @property
    def told(self) -> str:
        """What a person chooses it by."""
        first = self.frames[0].series
        more = f" and {len(self.uids) - 1} more" if len(self.uids) > 1 else ""
        return f"{first.description or 'no description'} ({self.slices} × {self.points}) {self.uids[0]}{more}"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The series of a study by their part in an analysis."""

    modality: str
    perfusion: tuple[Frame, ...]
    diffusion: tuple[Frame, ...] = ()
    adc: tuple[Frame, ...] = ()
    native: tuple[Frame, ...] = ()

    def told(self) -> tuple[SeriesRole, ...]:
        """Return each series that has a part, for a reader to see what was taken for what."""
        parts = {
            "perfusion": self.perfusion, "diffusion": self.diffusion, "adc": self.adc, "native": self.native
        }  # fmt: skip
        found = []
        for role, frames in parts.items():
            for one, count in Counter(one.series for one in frames).items():
                found.append(SeriesRole(role, one.uid, one.number, count))
        return tuple(found)


def read_rules(path: Path | None = None) -> Rules:
    """Read a site's rules, or those shipped; raises `RulesInvalid`."""
    path = path or SHIPPED
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {"leave_out", "series"}
        if set(said) - known:
            raise RulesInvalid(f"{path.name}: {', '.join(sorted(set(said) - known))} is unknown")
        return Rules(_rules(path, said.get("leave_out", ())), _rules(path, said.get("series", ())))
    except (OSError, tomllib.TOMLDecodeError, re.error, TypeError, AttributeError) as error:
        raise RulesInvalid(f"{path.name}: {error}") from error


def _rules(path: Path, said: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    found = []
    for number, one in enumerate(said, 1):
        wrong = set(one) - {"role", "modality", "series", "image_type"}
        if wrong or not (one.get("series") or one.get("image_type")):
            raise RulesInvalid(f"{path.name}, rule {number}: needs `series` or `image_type`; no {', '.join(wrong)}")
        series, image_type = (
            re.compile(str(one[key]), re.IGNORECASE) if one.get(key) else None for key in ("series", "image_type")
        )
        found.append(Rule(str(one.get("role", "")), str(one.get("modality", "")), series, image_type))
    return tuple(found)


def recognise(frames: Sequence[Frame], rules: Rules, chosen: Sequence[str] = ()) -> Recognised:
    """Say what the series of a study are; `chosen` are UIDs of the perfusion's series, where a person chose.

    Raises NothingToAnalyse, SeriesAmbiguous, SeriesUnknown, SeveralPatients.
    """
    whose = {(one.series.study_uid, one.series.patient_id) for one in frames}
    if len(whose) > 1:
        raise SeveralPatients(studies=len(whose))
    _require_one_person(frames)
    usable = [one for one in frames if one.samples == 1 and one.series.modality in MODALITIES]
    if chosen:
        picked = [one for one in usable if one.series.uid in chosen]
        missing = set(chosen) - {one.series.uid for one in picked}
        if missing:
            raise SeriesUnknown(series=", ".join(sorted(missing)))
    else:
        kept = [one for one in usable if not any(rule.fits(one) for rule in rules.leave_out)]
        picked = list(_choose(_candidates(kept, rules), rules).frames)
    modality = picked[0].series.modality
    rest = [one for one in usable if one.series.uid not in {frame.series.uid for frame in picked}]
    if modality != "MR":
        return Recognised(modality, tuple(picked), native=_native(rest))
    diffusion, adc = _diffusion(rest, rules), [one for one in rest if rules.role(one) == "adc"]
    taken = {one.series.uid for one in (*diffusion, *adc)}
    plain = [one for one in rest if one.series.uid not in taken and not rules.role(one)]
    return Recognised(modality, tuple(picked), tuple(diffusion), tuple(adc), _native(plain))


def _require_one_person(frames: Sequence[Frame]) -> None:
    """Refuse images under one ID, or none, whose names and birth dates are of several; raises SeveralPatients.

    A name alone may be written otherwise by another device; within a series it is not.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for one in {frame.series for frame in frames}:
        names[one.uid].add(one.patient_name)
    births = {one.series.birth_date for one in frames} - {""}
    people = max(len(births), *(len(own) for own in names.values()))
    if people > 1:
        raise SeveralPatients(patients=people)


def _choose(candidates: Sequence[Candidate], rules: Rules) -> Candidate:
    if not candidates:
        raise NothingToAnalyse(least=LEAST_TIME_POINTS)
    named = [one for one in candidates if rules.role(one.frames[0]) == "perfusion"] or candidates
    if len(named) > 1:
        raise SeriesAmbiguous(
            "several series could be the perfusion: choose by --series UID", series="; ".join(one.told for one in named)
        )
    return named[0]


def _candidates(frames: Sequence[Frame], rules: Rules) -> list[Candidate]:
    """Return what has many time points: series by themselves, else series that are one acquisition together."""
    by_series: dict[str, list[Frame]] = defaultdict(list)
    for one in frames:
        if rules.role(one) not in ("adc", "diffusion") and not one.plane.b_value:
            by_series[one.series.uid].append(one)
    over_time: list[Candidate] = []
    single: list[Candidate] = []
    for own in by_series.values():
        slices, points = points_in_time(own)
        (over_time if points >= LEAST_TIME_POINTS else single).append(Candidate(tuple(own), slices, points))
    return _joined_slabs(over_time) + _joined_points(single)


def _key(frame: Frame) -> tuple[object, ...]:
    plane = frame.plane
    orientation = tuple(round(value, 3) for value in plane.orientation or ())
    spacing = tuple(round(value, 4) for value in plane.spacing or ())
    return frame.series.modality, frame.rows, frame.columns, orientation, spacing, frame.frame_of_reference_uid


def _places(one: Candidate) -> set[tuple[float, ...]]:
    return {tuple(round(value, 1) for value in frame.plane.position or ()) for frame in one.frames}


def _joined_slabs(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Join series over time that lie beside each other and were scanned in turns: two places of the table."""
    left, found = list(candidates), []
    while left:
        own = left.pop(0)
        for other in [one for one in left if _key(one.frames[0]) == _key(own.frames[0])]:
            if not _places(own) & _places(other) and _overlap(own, other):
                left.remove(other)
                own = Candidate(own.frames + other.frames, own.slices + other.slices, min(own.points, other.points))
        found.append(own)
    return found


def _overlap(one: Candidate, other: Candidate) -> bool:
    spans = []
    for candidate in (one, other):
        told = [moment for frame in candidate.frames if (moment := _moment(frame)) is not None]
        if not told:
            return False
        spans.append((min(told), max(told)))
    (begin, end), (begin_too, end_too) = spans
    return begin < end_too and begin_too < end


def _moment(frame: Frame) -> float | None:
    times = frame.times
    return times.acquired_at if times.acquired_at is not None else times.acquisition


def _joined_points(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Join series of one time point each: an acquisition that was sent as a series for each."""
    groups: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    for one in candidates:
        words = re.sub(r"[\d.,]+\s*(s|ms|%)?", "#", one.frames[0].series.description.lower())
        groups[*_key(one.frames[0]), words].extend(one.frames)
    found = []
    for frames in groups.values():
        slices, points = points_in_time(frames)
        if points >= LEAST_TIME_POINTS:
            found.append(Candidate(tuple(frames), slices, points))
    return found


def _diffusion(frames: Sequence[Frame], rules: Rules) -> list[Frame]:
    weighted = [one for one in frames if one.plane.b_value is not None and rules.role(one) != "adc"]
    series = {one.series.uid for one in weighted if (one.plane.b_value or 0) >= TRACE_LEAST_B}
    return [one for one in weighted if one.series.uid in series]


def _native(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return the longest series that nothing else was found in: the scan without contrast, or before it."""
    by_series: dict[str, list[Frame]] = defaultdict(list)
    for one in frames:
        if "LOCALIZER" not in one.image_type:
            by_series[one.series.uid].append(one)
    longest: list[Frame] = []
    for own in by_series.values():
        longest = own if len(own) > len(longest) else longest
    return tuple(longest)
