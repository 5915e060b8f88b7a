"""What a provider that is told to fail does to its ZIPs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

BOMB_BYTES = 64 << 20
PAGE = b"<!DOCTYPE html><html><head><title>Portal</title></head><body>Please log in again.</body></html>"
PROGRAM = b"MZ\x90\x00" + bytes(252)
ZIP_FAULTS = frozenset({"bare-zip", "missing-file", "unsafe-paths", "bomb"})


def spoiled(path: Path, faults: frozenset[str]) -> Path:
    """Return a copy of a ZIP with such faults, or the ZIP itself."""
    wanted = sorted(faults & ZIP_FAULTS)
    if not wanted:
        return path
    goal = path.with_name(f"{path.stem}-{'-'.join(wanted)}.zip")
    if goal.exists():
        return goal
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(goal, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name in _names(source, faults):
            made.writestr(
                f"../../{name}" if "unsafe-paths" in faults and name != "DICOMDIR" else name, source.read(name)
            )
        if "bomb" in faults:
            with made.open("DICOM/BOMB", "w") as file:
                for _ in range(BOMB_BYTES >> 20):
                    file.write(bytes(1 << 20))
    return goal


def _names(source: zipfile.ZipFile, faults: frozenset[str]) -> Iterator[str]:
    left_out = "missing-file" in faults
    for name in source.namelist():
        if left_out and name.startswith("DICOM/"):
            left_out = False
            continue
        if not ("bare-zip" in faults and name == "DICOMDIR"):
            yield name
