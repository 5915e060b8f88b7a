"""Many rules asked of a study at once, and why one rule was met.

In: rules with their conditions, and a study's values. Out: the rules that fit, in their order. Rules are compiled once:
for each field a value's answer is the set of rules that it rules out, as the bits of one number, looked up by the value
and remembered, so that a study costs one look per field, however many rules there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import Literal, Protocol

from radrelay.routing.rules.comparing import Holds, Values, comparison, forms, globbed, number, plain
from radrelay.routing.rules.conditions import Condition, Level

Match = Literal["all", "any"]
REMEMBERED = 8192
NOTHING: Values = ()
Part = Mapping[str, Values]
"""Values by field: of a study, of one sender or of one series. A field that is not there has none."""


class Asking(Protocol):
    """A rule as it is matched."""

    @property
    def match(self) -> Match: ...  # noqa: D102  # whether all conditions must hold or any is enough
    @property
    def when(self) -> tuple[Condition, ...]: ...  # noqa: D102  # none: it fits every study


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules look at of a study: its own values, those of its senders and of its series."""

    study: Part
    senders: tuple[Part, ...] = ()
    series: tuple[Part, ...] = ()

    def parts(self, level: Level) -> Sequence[Part]:
        """Return the parts of a level, of which any may fit; one without values where there is none."""
        found = {"study": (self.study,), "sender": self.senders, "series": self.series}[level]
        return found or ({},)


@dataclass(frozen=True, slots=True)
class Answered:
    """A condition, whether it held, and the values that it was asked of."""

    condition: Condition
    held: bool
    seen: Values

    def told(self) -> dict[str, object]:
        """Return it as it is kept with a study."""
        return self.condition.told() | {"held": self.held, "seen": list(self.seen)}


def holds_of(one: Condition) -> Holds:
    """Return the test of one condition."""
    return comparison(one.test, one.values, as_text=one.as_text, round_the_clock=one.field == "time")


def why(rule: Asking, facts: Facts) -> tuple[Answered, ...]:
    """Return a rule's conditions with what they were asked of: the sender and the series of which most held."""
    chosen: dict[Level, Part] = {}
    tests = [(one, holds_of(one)) for one in rule.when]
    levels: tuple[Level, ...] = ("study", "sender", "series")
    for level in levels:
        asked = [(one, holds) for one, holds in tests if one.level == level]
        chosen[level] = max(
            facts.parts(level), key=lambda part: sum(holds(part.get(one.field, NOTHING)) for one, holds in asked)
        )
    seen = [(one, holds, chosen[one.level].get(one.field, NOTHING)) for one, holds in tests]
    return tuple(Answered(one, holds(values), values) for one, holds, values in seen)


def fits(rule: Asking, facts: Facts) -> bool:
    """Say whether one rule fits a study."""
    return Compiled((rule,)).fitting(facts) == [0]


class _Worded:
    """One kind of test by words: which rules a form of a value fulfils."""

    def __init__(self) -> None:
        self.rules = 0
        self.by_form: dict[str, int] = {}
        self.lengths: tuple[int, ...] = ()

    def add(self, bit: int, asked: Iterable[str]) -> None:
        """Take a rule in, with the forms of which any is enough."""
        self.rules |= bit
        for form in asked:
            self.by_form[form] = self.by_form.get(form, 0) | bit
        self.lengths = tuple(sorted({len(form) for form in self.by_form}))

    def equal(self, given: Collection[str]) -> int:
        """Return the rules that ask for just one of the given forms."""
        return reduce(or_, (self.by_form.get(form, 0) for form in given), 0)

    def begun(self, given: Collection[str]) -> int:
        """Return the rules that ask for a beginning of one."""
        return reduce(or_, (self.by_form.get(form[:length], 0) for form in given for length in self.lengths), 0)

    def contained(self, given: Collection[str]) -> int:
        """Return the rules that ask for a part of one."""
        return reduce(or_, (bits for part, bits in self.by_form.items() if any(part in form for form in given)), 0)

    def alike(self, given: Collection[str]) -> int:
        """Return the rules that ask for a pattern of one."""
        found = (bits for pattern, bits in self.by_form.items() if any(globbed(pattern, form) for form in given))
        return reduce(or_, found, 0)


class _Bounds:
    """At-least or at-most tests, searched in their order."""

    def __init__(self, *, upper: bool) -> None:
        self.upper = upper
        self.found: list[tuple[float, int]] = []

    def seal(self) -> None:
        """Put the bounds in order."""
        self.found.sort(reverse=self.upper)
        self._at = [-bound if self.upper else bound for bound, _ in self.found]
        self._held = [0, *accumulate((bit for _, bit in self.found), or_)]
        self._failed = [*accumulate((bit for _, bit in reversed(self.found)), or_, initial=0)][::-1]

    def look(self, numbers: Sequence[float]) -> tuple[int, int]:
        """Return the rules whose bound fails, and those whose bound holds, for any of some numbers."""
        if not self.found:
            return 0, 0
        best = max((-one if self.upper else one for one in numbers), default=float("-inf"))
        at = bisect_right(self._at, best)
        return self._failed[at], self._held[at]


class _Field:
    """All that rules ask of one field: which rules a value rules out, and which it is enough for."""

    def __init__(self) -> None:
        self.worded = {test: _Worded() for test in ("is", "is-not", "begins", "contains", "like")}
        self.bounds = {"at-least": _Bounds(upper=False), "at-most": _Bounds(upper=True)}
        self.others: list[tuple[int, Holds]] = []
        self.as_text = False
        self.counts = False
        self.remembered: dict[Values, tuple[int, int]] = {}

    def add(self, bit: int, one: Condition) -> None:
        """Take a condition in: the first of its kind of a rule is looked up, all else is tried."""
        self.as_text = one.as_text
        words = self.worded.get(one.test)
        if words is not None and not words.rules & bit:
            words.add(bit, self._forms(one.values, by_spelling=one.test != "like"))
        elif one.test in self.bounds:
            self.counts = True
            self.bounds[one.test].found.append((number(one.values[0]) or 0.0, bit))
        else:
            self.others.append((bit, holds_of(one)))

    def seal(self) -> None:
        """Make ready; call it once all conditions are in."""
        for one in self.bounds.values():
            one.seal()

    def look(self, values: Values) -> tuple[int, int]:
        """Return the rules of which a condition on this field fails, and those of which one holds."""
        found = self.remembered.get(values)
        if found is None:
            found = self._answer(values)
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            self.remembered[values] = found
        return found

    def _answer(self, values: Values) -> tuple[int, int]:
        failed = held = 0
        given = self._forms(values)
        for test, words in self.worded.items():
            if words.rules:
                fulfilled = self._fulfilled(test, words, given, values)
                held |= fulfilled
                failed |= words.rules & ~fulfilled
        numbers = [found for value in values if (found := number(value)) is not None] if self.counts else []
        for bounds in self.bounds.values():
            out, within = bounds.look(numbers)
            failed, held = failed | out, held | within
        for bit, holds in self.others:
            if holds(values):
                held |= bit
            else:
                failed |= bit
        return failed, held

    def _fulfilled(self, test: str, words: _Worded, given: Collection[str], values: Values) -> int:
        if test == "is-not":
            return words.rules & ~words.equal(given)
        if test == "like":
            return words.alike(self._forms(values, by_spelling=False))
        return {"is": words.equal, "begins": words.begun, "contains": words.contained}[test](given)

    def _forms(self, values: Values, *, by_spelling: bool = True) -> set[str]:
        if self.as_text and by_spelling:
            return {form for value in values for form in forms(value) if form}
        return {form for value in values if (form := plain(value))}


@dataclass
class _Level:
    fields: dict[str, _Field] = field(default_factory=dict)

    def look(self, parts: Sequence[Part]) -> tuple[int, int]:
        """Return the rules that no part leaves in, and those that any part is enough for."""
        out, enough = -1, 0
        for part in parts:
            failed = 0
            for name, asked in self.fields.items():
                fails, holds = asked.look(part.get(name, NOTHING))
                failed |= fails
                enough |= holds
            out &= failed
        return out, enough


class Compiled:
    """Rules ready to be asked; the same ones are asked of any number of studies."""

    def __init__(self, rules: Sequence[Asking]) -> None:
        levels: dict[Level, _Level] = {"study": _Level(), "sender": _Level(), "series": _Level()}
        self._any = self._all = 0
        for place, rule in enumerate(rules):
            bit = 1 << place
            if rule.match == "any" and rule.when:
                self._any |= bit
            else:
                self._all |= bit
            for one in rule.when:
                levels[one.level].fields.setdefault(one.field, _Field()).add(bit, one)
        self._levels = {name: level for name, level in levels.items() if level.fields}
        for level in self._levels.values():
            for asked in level.fields.values():
                asked.seal()
        self.fields = frozenset(one.field for rule in rules for one in rule.when)
        tags = {one.header_tag for rule in rules for one in rule.when}
        self.header_tags = tuple(sorted(tag for tag in tags if tag is not None))

    def fitting(self, facts: Facts) -> list[int]:
        """Return the places of the rules that fit, in their order."""
        out, enough = 0, 0
        for name, level in self._levels.items():
            failed, held = level.look(facts.parts(name))
            out |= failed
            enough |= held
        left = (self._all & ~out) | (self._any & enough)
        found = []
        while left:
            lowest = left & -left
            found.append(lowest.bit_length() - 1)
            left ^= lowest
        return found
