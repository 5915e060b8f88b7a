"""Where a run works: a folder in memory where there is room, else one under the data directory; removed at its end.

Nobody else may enter it. Its process holds it (flock) as long as it lives; what a crash has left is removed at the next
start.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from radrelay.analysis.running import Place
from radrelay.confinement import folders
from radrelay.settings import Settings, config_file

SHARE_OF_MEMORY = 4  # images may take a quarter of what is free


class Folders:
    """Makes and removes the folders of this data directory's runs."""

    def __init__(self, settings: Settings) -> None:
        self._in_memory = settings.analysis.memory_dir
        self._on_disk = settings.data_dir / "analysis"
        self._hidden = (settings.data_dir, settings.keys_dir, settings.landing_dir, self._in_memory, config_file())
        self._prefix = folders.prefix_of(settings.data_dir, "radrelay")

    def clean(self) -> int:
        """Remove what earlier processes have left; returns how many folders."""
        return folders.clean((self._in_memory, self._on_disk), self._prefix)

    @contextmanager
    def one(self, run_id: uuid.UUID, size: int, output: int, parameters: Mapping[str, object]) -> Iterator[Place]:
        """Have a folder for the length of the block, for images of `size` bytes and as much output as it may be."""
        base = self._in_memory if self._has_room(size, output) else self._on_disk
        with folders.folder(base / f"{self._prefix}{run_id.hex}") as root:
            place = Place(root, root / "in", root / "out", root / "parameters.json", self._hidden)
            for folder in (place.images, place.output, root / "tmp"):
                folder.mkdir(mode=0o700)
            place.parameters.write_text(json.dumps(dict(parameters)))
            yield place

    def _has_room(self, size: int, output: int) -> bool:
        if not self._in_memory.is_dir():
            return False
        free = shutil.disk_usage(self._in_memory).free
        return size + min(output, size) <= free and size * SHARE_OF_MEMORY <= folders.free_memory()
