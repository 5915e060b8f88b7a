"""Hatchling's hook: the wheel carries the built front end.

RADRELAY_SKIP_FRONTEND=1 leaves it out; an editable install builds it only when it is missing or older than its sources.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is of no concern here
    """Builds the bundle before the wheel is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless told otherwise, and name the bundle as an artifact: version control ignores it."""
        if self.target_name != "wheel":
            return
        build_data["artifacts"].append("/src/radrelay/web/static/**")
        if os.environ.get("RADRELAY_SKIP_FRONTEND") == "1":
            return
        bundle = runpy.run_path(str(Path(self.root) / "frontend" / "bundle.py"))
        if version == "editable" and bundle["is_fresh"]():
            return
        bundle["build"](bundle["find_node"]())
