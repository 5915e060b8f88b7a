"""A folder as a crash would leave it: copied while processes write in it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def copy_alive(source: Path, target: Path) -> None:
    """Copy a folder in use; a file that was renamed or removed after it was listed is left out, as if just gone."""
    target.mkdir(parents=True)
    for path in list(source.iterdir()):
        with suppress(FileNotFoundError):
            if path.is_dir():
                copy_alive(path, target / path.name)
            else:
                shutil.copy2(path, target / path.name)
