"""A run's own process: limited in memory, cores and time, watched, told from outside to stop, and read line by line.

It says how far it is by lines of JSON on its standard output (`{"step": "motion", "share": 0.4}`), and why it does not
go on by a line of JSON or plain text on its standard error. Exit status 0: there is a result; 3: it refuses the study;
all else: it failed. It is killed, with all that it has started, once nobody wants it any more.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from radrelay import confinement
from radrelay.analysis.errors import AnalysisFailed, OutOfMemory, OutputInvalid, OutputTooLarge, TookTooLong
from radrelay.analysis.kinds import Limits
from radrelay.analysis.perfusion.refusals import AnalysisRefused
from radrelay.errors import Fact, Trouble

LOOK_S = 0.2
REFUSED = 3
LONGEST_LINE = 4096
KEPT_BYTES = 8192
ENTRY_BYTES = 1024  # what a name costs, however little lies under it
_LAUNCHER = Path(confinement.__file__).with_name("launcher.py")
_NO_MEMORY = ("MemoryError", "Cannot allocate memory", "std::bad_alloc")
Progress = Callable[[str, float], None]


class Stopped(Exception):
    """Nobody wants the run any more."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of a run: what it is given, what it writes, its values as a file of JSON, what it may not read."""

    root: Path
    images: Path
    output: Path
    parameters: Path
    hidden: tuple[Path, ...] = ()


class Refused(AnalysisRefused):
    """The analysis refuses this study for the reason that it gives."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.detail)  # facts are named by the program: no names of arguments
        self.trouble = trouble


def run(
    command: Sequence[str], place: Place, limits: Limits, nice: int, wanted: Callable[[], bool], progress: Progress,
    environment: Mapping[str, str], readable: Sequence[Path] = (),
) -> None:  # fmt: skip
    """Run a command to its end; raises `Stopped`, `Refused`, `AnalysisFailed` and its kin.

    `wanted` is asked several times a second; `readable` may be read although it lies in what is hidden.
    """
    said = {
        "parent": os.getpid(), "nice": nice, "memory_bytes": limits.memory_bytes, "cores": limits.cores,
        "output_bytes": limits.output_bytes, "root": str(place.root.resolve()),
        "hidden": [str(one) for one in place.hidden], "readable": [str(one) for one in readable],
    }  # fmt: skip
    whole = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(said), *command]
    process = subprocess.Popen(  # noqa: S603 -- the operator's own program
        whole, cwd=place.root, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, close_fds=True,
    )  # fmt: skip
    heard = _Heard(process, progress)
    try:
        _watch(process, place, limits, wanted)
    finally:
        _kill(process)
        heard.close()
    _answer(process.returncode, heard.errors, limits)


def _watch(process: subprocess.Popen[bytes], place: Place, limits: Limits, wanted: Callable[[], bool]) -> None:
    """Wait for the end; raises where it is to end before."""
    until = time.monotonic() + limits.seconds
    given = written_bytes(place.root)
    over = False
    while not over:
        over = _ended(process.pid, LOOK_S)
        if not wanted():
            raise Stopped
        if not over and time.monotonic() > until:
            raise TookTooLong(f"the analysis took longer than {limits.seconds:g} s", seconds=limits.seconds)
        if written_bytes(place.root) - given > limits.output_bytes:
            raise OutputTooLarge(f"the analysis wrote more than {limits.output_bytes} bytes", bytes=limits.output_bytes)


def _ended(pid: int, within_s: float) -> bool:
    """Say whether a process ends within a time; it is not taken leave of."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], within_s)[0])
    finally:
        os.close(descriptor)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process and of those that it has started; until now its number is no other's."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answer(status: int, errors: str, limits: Limits) -> None:
    """Raise what an exit status and the words on standard error say."""
    if status == 0:
        return
    if any(one in errors for one in _NO_MEMORY):
        raise OutOfMemory(f"the analysis needed more than {limits.memory_bytes} bytes", bytes=limits.memory_bytes)
    trouble = _reason(errors)
    if status == REFUSED:
        raise Refused(trouble)
    if status == -signal.SIGXFSZ or "File too large" in errors:
        raise OutputTooLarge(f"the analysis wrote more than {limits.output_bytes} bytes", bytes=limits.output_bytes)
    raise AnalysisFailed(f"the analysis ended with status {status}: {trouble.detail}", status=status)


def _reason(errors: str) -> Trouble:
    """Return the reason in the last line that says one."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = lines[-1] if lines else "it gave no reason"
    try:
        said = json.loads(last)
        facts: dict[str, Fact] = {
            printable(str(name))[:32]: printable(value)[:200] if isinstance(value, str) else value
            for name, value in dict(said.get("facts") or {}).items()
            if isinstance(value, str | int | float) and math.isfinite(0 if isinstance(value, str) else value)
        }  # fmt: skip
        return Trouble(printable(str(said["code"]))[:64], printable(str(said["message"]))[:500], facts)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Trouble(AnalysisRefused.code, printable(last)[:500])


def printable(text: str) -> str:
    """Return a text on one line that shows as it is."""
    return "".join(one if one.isprintable() else " " for one in text)


def written_bytes(folder: Path) -> int:
    """Return how much lies in a folder and those in it, names included; links are not followed.

    Raises `OutputInvalid` where there is what cannot be looked at.
    """
    total, left = 0, [os.fspath(folder)]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for one in entries:
                    if one.is_dir(follow_symlinks=False):
                        left.append(one.path)
                    total += ENTRY_BYTES + one.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
        except OSError as error:  # a folder that may not be listed, or a path too long to be named
            raise OutputInvalid(f"a folder that cannot be looked into: {error.strerror}") from error
    return total


class _Heard:
    """Reads both outputs to their ends, so that the process never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes], progress: Progress) -> None:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 -- both are pipes
        self._progress = progress
        self._errors = b""
        self._pipes = (process.stdout, process.stderr)
        self._threads = [
            threading.Thread(target=self._hear, args=(process.stdout,), name="analysis progress", daemon=True),
            threading.Thread(target=self._keep, args=(process.stderr,), name="analysis errors", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def errors(self) -> str:
        """The end of what was written to standard error."""
        return self._errors.decode(errors="replace")

    def close(self) -> None:
        """Wait for the ends; what was started apart from the process and lives on is not waited for."""
        for thread in self._threads:
            thread.join(2)

    def _hear(self, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(LONGEST_LINE):
                try:
                    said = json.loads(line)
                    step, share = str(said["step"]), float(said["share"])
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
                self._progress(printable(step)[:64], min(1.0, max(0.0, share)))

    def _keep(self, pipe: IO[bytes]) -> None:
        with pipe:
            while piece := pipe.read1(KEPT_BYTES):  # type: ignore[attr-defined]
                self._errors = (self._errors + piece)[-KEPT_BYTES:]
