"""Names of sources as they are read: the one that is given by itself in the reader's language, others as they are.

It is kept in English, since it is by that it is found again; whoever calls the source otherwise reads their own word.
The pages do the same (`parts/source-name.ts`).
"""

from __future__ import annotations

import re
from typing import Literal

PORTALS = "Portals"
"""What the source of portals is called that is made by itself; a further one is numbered."""
_GIVEN = re.compile(rf"{PORTALS}(?=( \d+)?\Z)")
_WORDS = {"en": PORTALS, "de": "Portale"}


def source_name(name: str, language: Literal["en", "de"]) -> str:
    """Return a source's name in a language."""
    return _GIVEN.sub(_WORDS[language], name) if _GIVEN.match(name) else name
