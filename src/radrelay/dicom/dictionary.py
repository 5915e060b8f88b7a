"""The data dictionary of PS3.6, a tag's VR and keyword, and its registry of UIDs, read once from pydicom's tables.

Each is loaded from its own file, because importing pydicom as a whole takes a hundred times as long and a
process that only receives has no use for it.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

_NEWER_UIDS: dict[str, tuple[str, ...]] = {  # PS3.6 2025c, of which pydicom's table does not know yet
    "1.2.840.10008.1.2.4.110": ("JPEG XL Lossless", "Transfer Syntax", "", "", "JPEGXLLossless"),
    "1.2.840.10008.1.2.4.111": ("JPEG XL JPEG Recompression", "Transfer Syntax", "", "", "JPEGXLJPEGRecompression"),
    "1.2.840.10008.1.2.4.112": ("JPEG XL", "Transfer Syntax", "", "", "JPEGXL"),
    "1.2.840.10008.1.2.8.1": (
        "Deflated Image Frame Compression", "Transfer Syntax", "", "", "DeflatedImageFrameCompression",
    ),
}  # fmt: skip
_REPEATING_GROUPS = (0x0020, 0x0028, 0x1000, 0x1010)


@cache
def _load() -> tuple[dict[int, tuple[str, str, str, str, str]], list[tuple[int, int, tuple[str, str, str, str, str]]]]:
    """Return the table of single tags and that of repeating groups as (mask, value, entry)."""
    module = _module("_dicom_dict")
    single: dict[int, tuple[str, str, str, str, str]] = module.DicomDictionary
    repeating = [
        (int("".join("0" if digit == "x" else "F" for digit in mask), 16), int(mask.replace("x", "0"), 16), entry)
        for mask, entry in module.RepeatersDictionary.items()
    ]
    return single, repeating


def _module(table: str) -> Any:
    """Return one of pydicom's tables without importing pydicom around it."""
    name = f"pydicom.{table}"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("pydicom")
    for folder in (package.submodule_search_locations or ()) if package else ():
        spec = importlib.util.spec_from_file_location(f"radrelay{table}", Path(folder) / f"{table}.py")
        if spec and spec.loader:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise ImportError(f"pydicom/{table}.py is not installed")


def _entry(tag: int) -> tuple[str, str, str, str, str] | None:
    single, repeating = _load()
    found = single.get(tag)
    if found is None and (tag >> 16 in _REPEATING_GROUPS or tag >> 24 in (0x50, 0x60, 0x7F)):
        for mask, value, entry in repeating:
            if tag & mask == value:
                return entry
    return found


def vr_of(tag: int) -> str:
    """Return the dictionary's VR of `tag`, `UN` when it has none; ambiguous ones as `US or SS` and the like.

    Group lengths are UL, private creators LO (PS3.5 7.2, 7.8.1).
    """
    if not tag & 0xFFFF:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    entry = _entry(tag)
    return entry[0] if entry else "UN"


def keyword_of(tag: int) -> str:
    """Return the dictionary's keyword of `tag`, empty when it has none."""
    entry = None if tag & 0x10000 else _entry(tag)
    return entry[4] if entry else ""


def name_of(tag: int) -> str:
    """Return the dictionary's name of `tag`, such as Patient's Name; empty when it has none."""
    if not tag & 0xFFFF:
        return "Group Length"
    if tag & 0x10000:
        return "Private Creator" if 0x10 <= tag & 0xFFFF <= 0xFF else ""
    entry = _entry(tag)
    return entry[2] if entry else ""


@cache
def _private() -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = _module("_private_dict").private_dictionaries
    return found


def private_name_of(tag: int, creator: str) -> str:
    """Return the name that `creator` gives a private `tag` (PS3.5 7.8.1), as far as it is known; else empty."""
    own = _private().get(creator, {})
    entry = own.get(f"{tag >> 16:04x}xx{tag & 0xFF:02x}") or own.get(f"{tag >> 16:04X}xx{tag & 0xFF:02X}")
    return entry[2] if entry else ""


@cache
def uid_registry() -> dict[str, tuple[str, ...]]:
    """Return the registry of UIDs (PS3.6 Annex A): name, type (`SOP Class`, `Transfer Syntax`, …) and more of each."""
    found: dict[str, tuple[str, ...]] = _module("_uid_dict").UID_dictionary
    return {**found, **_NEWER_UIDS}


def uid_name(uid: str) -> str:
    """Return the registry's name of a UID (PS3.6 Annex A), such as CT Image Storage; empty when it has none."""
    entry = uid_registry().get(uid)
    return entry[0] if entry else ""


@cache
def _by_keyword() -> dict[str, int]:
    return {entry[4]: tag for tag, entry in _load()[0].items() if entry[4]}


def tag_of(keyword: str) -> int | None:
    """Return the tag that `keyword` names, none when there is none."""
    return _by_keyword().get(keyword)
