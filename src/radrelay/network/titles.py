"""What an AE title looks like (PS3.5 6.2, VR AE)."""

from __future__ import annotations

import re

AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
"""One to sixteen printable ASCII characters without a backslash, no spaces before or after."""
