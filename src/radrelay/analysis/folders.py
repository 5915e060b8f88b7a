"""Where a run works: a folder in memory where there is room, else one under the data directory; removed at its end.

Nobody else may enter it. What a crash has left of one is removed at the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from radrelay.analysis.running import Place
from radrelay.settings import Settings

log = structlog.get_logger(__name__)

SHARE_OF_MEMORY = 4  # images may take a quarter of what is free


class Folders:
    """Makes and removes the folders of this data directory's runs."""

    def __init__(self, settings: Settings) -> None:
        self._in_memory = settings.analysis.memory_dir
        self._on_disk = settings.data_dir / "analysis"
        digest = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:12]
        self._prefix = f"radrelay-{digest}-"

    def clean(self) -> int:
        """Remove what earlier processes have left; returns how many folders."""
        left = [one for place in (self._in_memory, self._on_disk) for one in place.glob(f"{self._prefix}*")]
        for one in left:
            _end_in(one)
            shutil.rmtree(one, ignore_errors=True)
        return len(left)

    @contextmanager
    def one(self, run_id: uuid.UUID, size: int, output: int, parameters: Mapping[str, object]) -> Iterator[Place]:
        """Have a folder for the length of the block, for images of `size` bytes and as much output as it may be."""
        base = self._in_memory if self._has_room(size, output) else self._on_disk
        base.mkdir(mode=0o700, exist_ok=True)
        root = base / f"{self._prefix}{run_id.hex}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(mode=0o700)
        try:
            place = Place(root, root / "in", root / "out", root / "parameters.json")
            for folder in (place.images, place.output, root / "tmp"):
                folder.mkdir(mode=0o700)
            place.parameters.write_text(json.dumps(dict(parameters)))
            yield place
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def _has_room(self, size: int, output: int) -> bool:
        if not self._in_memory.is_dir():
            return False
        free = shutil.disk_usage(self._in_memory).free
        return size + min(output, size) <= free and size * SHARE_OF_MEMORY <= _free_memory()


def _end_in(folder: Path) -> None:
    """End what a run has started that outlived it: whatever still works in its folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


def _free_memory() -> int:
    """Return how many bytes of memory are free, as the kernel says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
