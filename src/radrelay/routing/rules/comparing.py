"""How a rule compares values: each comparison ends after a number of steps that its lengths bound.

There are no regular expressions: `like` knows `*` and `?` alone and never tries a position of the value twice for the
same star, so that no pattern and no value makes it run long. Values longer than `LONGEST` are compared by their
beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from radrelay.dicom.names import spellings

Test = Literal["is", "is-not", "contains", "begins", "like", "at-least", "at-most", "between", "present", "absent"]
TESTS: tuple[Test, ...] = get_args(Test)
WITHOUT_VALUE: frozenset[str] = frozenset({"present", "absent"})
ORDERED: frozenset[str] = frozenset({"at-least", "at-most", "between"})
LONGEST = 4096
_AGES = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}

Values = tuple[str, ...]
Holds = Callable[[Values], bool]


def plain(text: str) -> str:
    """Return a value as codes, titles and UIDs are compared: with accents and umlauts, in whatever case."""
    return " ".join(text[:LONGEST].casefold().split())


def forms(text: str) -> frozenset[str]:
    """Return a value as texts are compared: `Müller` is `mueller`, `MULLER` and `müller`."""
    return spellings(text[:LONGEST]) | {plain(text)}


def number(text: str) -> float | None:
    """Return what a value counts: decimals, days (2026-03-01, 20260301), times (22:30, 223000), ages (045Y: years)."""
    clean = text.strip()
    if clean[4:5] == "-":
        clean = clean.replace("-", "", 2)
    elif ":" in clean:
        clean = clean.replace(":", "", 2).ljust(6, "0")
    if len(clean) == 4 and clean[:3].isdigit() and clean[3] in _AGES:
        return int(clean[:3]) / _AGES[clean[3]]
    try:
        found = float(clean)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def globbed(pattern: str, text: str) -> bool:
    """Say whether `text` is like `pattern` (`*` any letters, `?` one), in at most len(pattern) × len(text) steps."""
    at = back = here = 0
    star = -1
    while here < len(text):
        if at < len(pattern) and (pattern[at] == "?" or pattern[at] == text[here]) and pattern[at] != "*":
            at, here = at + 1, here + 1
        elif at < len(pattern) and pattern[at] == "*":
            star, back, at = at, here, at + 1
        elif star >= 0:
            back += 1
            at, here = star + 1, back
        else:
            return False
    return all(letter == "*" for letter in pattern[at:])


def comparison(test: Test, wanted: Sequence[str], *, as_text: bool, round_the_clock: bool = False) -> Holds:
    """Return the test of an attribute's values: whether any is, or of `is-not` and `absent` that none is.

    `as_text`: compared by spellings. `round_the_clock`: what lies between 22:00 and 06:00 is the night.
    """
    if test == "present":
        return lambda values: any(value.strip() for value in values)
    if test == "absent":
        return lambda values: not any(value.strip() for value in values)
    if test in ORDERED:
        return _ordered(test, [found for one in wanted if (found := number(one)) is not None], round_the_clock)
    if test == "like":
        patterns = [plain(one) for one in wanted]
        return lambda values: any(globbed(pattern, plain(value)) for value in values for pattern in patterns)
    holds = _worded(test, wanted, forms if as_text else lambda text: frozenset({plain(text)}))
    return holds if test != "is-not" else lambda values: not holds(values)


def _worded(test: Test, wanted: Sequence[str], fold: Callable[[str], frozenset[str]]) -> Holds:
    asked = {form for one in wanted for form in fold(one) if form}
    if test == "contains":
        return lambda values: any(one in form for value in values for form in fold(value) for one in asked)
    if test == "begins":
        starts = tuple(asked)
        return lambda values: any(form.startswith(starts) for value in values for form in fold(value))
    return lambda values: any(not asked.isdisjoint(fold(value)) for value in values)


def _ordered(test: Test, bounds: Sequence[float], round_the_clock: bool) -> Holds:
    low, high = bounds[0], bounds[-1]
    if test == "at-least":
        return lambda values: any(found >= low for found in _numbers(values))
    if test == "at-most":
        return lambda values: any(found <= low for found in _numbers(values))
    if round_the_clock and low > high:
        return lambda values: any(found >= low or found < high for found in _numbers(values))
    if round_the_clock:
        return lambda values: any(low <= found < high for found in _numbers(values))
    return lambda values: any(low <= found <= high for found in _numbers(values))


def _numbers(values: Values) -> list[float]:
    return [found for value in values if (found := number(value)) is not None]
