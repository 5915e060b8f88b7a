"""Folders of their own for programs that are held: made for a time, entered by nobody else, removed with all in them.

Their process holds them (flock) as long as it lives; what a crash has left is removed at the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def prefix_of(data_dir: Path, kind: str) -> str:
    """Return how the names of folders of this data directory begin."""
    digest = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    return f"{kind}-{digest}-"


def clean(places: Sequence[Path], prefix: str) -> int:
    """Remove what earlier processes have left; returns how many folders."""
    left = 0
    for one in (one for place in places for one in place.glob(f"{prefix}*")):
        with contextlib.suppress(OSError):
            if not one.is_symlink():
                one.chmod(0o700)  # whatever a program has made of it
        with contextlib.suppress(OSError), _held(one):
            _end_in(one)
            _remove(one)
            left += 1
    return left


@contextmanager
def folder(root: Path) -> Iterator[Path]:
    """Have a folder for the length of the block."""
    root.parent.mkdir(mode=0o700, exist_ok=True)
    _remove(root)
    root.mkdir(mode=0o700)
    with _held(root):
        try:
            yield root
        finally:
            _end_in(root)
            _remove(root)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder, so that no other process of this node takes it for left; raises `BlockingIOError` if held."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    """Remove a folder with all in it, whatever rights a program gave that and however deep it nested it."""
    if not os.path.lexists(folder):
        return
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        for command in (("chmod", "-R", "u+rwx"), ("rm", "-rf")):
            subprocess.run([*command, "--", folder], check=False, stderr=subprocess.DEVNULL)  # noqa: S603
    if os.path.lexists(folder):
        log.error(
            "a folder of a held program could not be removed: images of a patient may lie in it", folder=str(folder)
        )


def _end_in(folder: Path) -> None:
    """End what a run has started that outlived it: whatever still works in its folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


def free_memory() -> int:
    """Return how many bytes of memory are free, as the kernel says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def bytes_in(folder: Path) -> int:
    """Return how much lies in a folder and in those beneath it; what goes meanwhile is left out."""
    total, left = 0, [os.fspath(folder)]
    while left:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:
            for one in entries:
                with contextlib.suppress(OSError):
                    if one.is_dir(follow_symlinks=False):
                        left.append(one.path)
                    total += one.stat(follow_symlinks=False).st_blocks * 512
    return total


def memory_of(pid: int) -> int:
    """Return how many bytes of memory a process and all that it has started hold; what they share counts for each."""
    parents, pages = dict[int, int](), dict[int, int]()
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            told = (one / "stat").read_text().rpartition(")")[2].split()
            parents[int(one.name)], pages[int(one.name)] = int(told[1]), int(told[21])
    mine = {pid}
    while found := {one for one, parent in parents.items() if parent in mine} - mine:
        mine |= found
    return sum(pages.get(one, 0) for one in mine) * os.sysconf("SC_PAGE_SIZE")
