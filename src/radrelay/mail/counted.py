"""Counts among words: a number with its noun, one or many, as pages of paper and letters say them.

A text holds `{n|time|times}` for what `{n}` counts; other places are filled as `str.format` does. The pages in the
browser write the same.
"""

from __future__ import annotations

import re

_PLACE = re.compile(r"\{(\w+)\|([^{}|]*)\|([^{}|]*)\}")


def filled(text: str, /, **values: object) -> str:
    """Return a text with its places filled, a counted noun in the form of its number."""

    def noun(place: re.Match[str]) -> str:
        name, one, many = place.groups()
        return f"{{{name}}} {one if str(values[name]) == '1' else many}"

    return _PLACE.sub(noun, text).format(**values)
