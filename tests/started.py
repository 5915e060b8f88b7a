"""`radrelay …` as a copy of a process that has imported it already: a start then costs what it does, not what it reads.

Hundreds of starts are most of what the tests of whole installations wait for. Those that are about starting or about
memory start the program itself (`Installation.fresh`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

LONGEST_S = 300.0
_copies = multiprocessing.get_context("forkserver")
_copies.set_forkserver_preload(["tests.imported"])


class Started:
    """A process of the program; as much of `subprocess.Popen` as tests use."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, output: Path,
        errors: Path | None = None, given: Path | None = None,
    ) -> None:  # fmt: skip
        told = (list(arguments), dict(environment), str(folder), str(output), str(errors or ""), str(given or ""))
        self._process = _copies.Process(target=_run, args=told, daemon=True)  # ends with the tests, come what may
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, none while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), none while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code; raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("radrelay", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def ran(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; raises `subprocess.TimeoutExpired` after five minutes."""
    with TemporaryDirectory() as name:
        given, output, errors = (Path(name) / part for part in ("given", "output", "errors"))
        given.write_text(stdin or "")
        output.touch()
        process = Started(
            arguments, environment=environment, folder=folder, output=output, errors=errors, given=given
        )  # fmt: skip
        try:
            code = process.wait(LONGEST_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(list(arguments), code, output.read_text(), errors.read_text())


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str, output: str, errors: str, given: str
) -> NoReturn:
    """Be `radrelay` with these arguments, in the copy."""
    from radrelay.cli import main  # noqa: PLC0415 -- the tests themselves need not import it

    multiprocessing.current_process().daemon = False  # it may have processes of its own
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _become(0, os.open(given or os.devnull, os.O_RDONLY))
    _become(1, os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
    _become(2, os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666) if errors else os.dup(1))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- ends with the process
    sys.argv = ["radrelay", *arguments]
    main()
    sys.exit(0)


def _become(number: int, opened: int) -> None:
    os.dup2(opened, number)
    if opened != number:
        os.close(opened)
