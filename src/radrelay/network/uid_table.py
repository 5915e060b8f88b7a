"""The standard's registry of UIDs (PS3.6 annex A), read from pydicom's table.

The table is loaded from its own file: importing pydicom around it would cost a listener that only receives
a quarter of a second and twenty megabytes.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path


@cache
def registry() -> dict[str, tuple[str, str]]:
    """Return name and type (`SOP Class`, `Transfer Syntax`, …) by UID."""
    package = importlib.util.find_spec("pydicom")
    for folder in (package.submodule_search_locations or ()) if package else ():
        spec = importlib.util.spec_from_file_location("radrelay_uid_registry", Path(folder) / "_uid_dict.py")
        if spec and spec.loader:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return {uid: (entry[0], entry[1]) for uid, entry in module.UID_dictionary.items()}
    raise ImportError("pydicom/_uid_dict.py is not installed")
