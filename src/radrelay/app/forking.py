"""Processes that begin as copies of this one: what it has imported is there at once and lies in memory once.

A copy inherits no threads and no open database, so whoever forks must have neither; `apart` runs what would open
some in a copy of its own and hands back the result.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

from radrelay.errors import RadrelayError

Result = TypeVar("Result")
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Copy:
    """A forked process that runs one function to its exit code."""

    def __init__(self, run: Callable[[], int]) -> None:
        self._code: int | None = None
        _flush()
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            _end(run)

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), none while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def apart(function: Callable[[], Result]) -> Result:
    """Return what `function` returns in a copy of this process; its `RadrelayError` is raised here."""
    reader, writer = os.pipe()

    def run() -> int:
        os.close(reader)
        try:
            answer = pickle.dumps((function(), None))
        except RadrelayError as error:
            answer = pickle.dumps((None, error))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer)
        return 0

    _flush()
    pid = os.fork()
    if not pid:
        _end(run)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise RadrelayError("a process ended before its work was done; what it said stands above")
    result, error = pickle.loads(answer)  # noqa: S301 -- from this program's own copy
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]  # what `function` returned


def _end(run: Callable[[], int]) -> None:
    """Run and leave the copy at once: what its original would do at its end is not for it to do."""
    code = 1
    try:
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        code = run()
    except RadrelayError as error:
        sys.stderr.write(f"radrelay: {error.message}\n")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # why: nothing above this frame belongs to the copy
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
