"""The VR that the data dictionary gives a tag (PS3.6), from the tables that pydicom ships.

The tables alone are loaded, and only when first asked for: pydicom as a whole costs every role a large part of its
start and 35 MiB, and implicit VR is rare.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NamedTuple


class _Tables(NamedTuple):
    """VR by tag, and (bits that count, their value, VR) of tags that repeat, such as 60xx,3000."""

    single: dict[int, str]
    repeating: tuple[tuple[int, int, str], ...]


def dictionary_vr(tag: int) -> str:
    """Return the VR as the dictionary names it, "US or SS" for one; raises `KeyError` for a tag that it lacks."""
    tables = _tables()
    found = tables.single.get(tag)
    if found is not None:
        return found
    for mask, value, vr in tables.repeating:
        if tag & mask == value:
            return vr
    raise KeyError(tag)


@cache
def _tables() -> _Tables:
    package = find_spec("pydicom")
    if package is None or not package.submodule_search_locations:
        raise ImportError("pydicom is not installed", name="pydicom")
    path = Path(package.submodule_search_locations[0]) / "_dicom_dict.py"
    spec = spec_from_file_location("radrelay.dicom._pydicom_tables", path)
    if spec is None or spec.loader is None:
        raise ImportError("pydicom ships no data dictionary", name="pydicom")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    repeating = [
        (
            int("".join("0" if digit == "x" else "f" for digit in name), 16),
            int(name.replace("x", "0"), 16),
            entry[0],
        )
        for name, entry in module.RepeatersDictionary.items()
    ]
    return _Tables({tag: entry[0] for tag, entry in module.DicomDictionary.items()}, tuple(repeating))
