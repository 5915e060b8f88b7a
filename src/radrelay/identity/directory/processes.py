"""The directory's processes: questions from this role go to one of a few, which is ended when it takes too long.

At most `MOST` ask at once and as many wait, so that a directory that is slow holds up neither local logins nor the
role's threads; who comes beyond that is told to come back.
"""

from __future__ import annotations

import atexit
import math
import os
import select
import ssl
import struct
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import msgspec
import structlog

from radrelay.errors import Misconfigured
from radrelay.identity.directory import ldap
from radrelay.identity.directory.errors import (
    DirectoryBusy,
    DirectoryRefusesUs,
    DirectoryUnavailable,
    DirectoryUnreadable,
    DirectoryUntrusted,
)
from radrelay.identity.directory.ldap import MOST_BYTES, Answer, Question, Target
from radrelay.settings import DirectorySettings

log = structlog.get_logger(__name__)

MOST = 4
WAITING = 4
SCRIPT = Path(ldap.__file__)
FAULTS = {
    "unreachable": DirectoryUnavailable,
    "untrusted": DirectoryUntrusted,
    "refused": DirectoryRefusesUs,
    "unreadable": DirectoryUnreadable,
}
KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_pools: weakref.WeakSet[DirectoryProcesses] = weakref.WeakSet()


class DirectoryProcesses:
    """Asks the directory, in processes that are started when they are needed. Thread-safe."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._free = threading.Condition()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._waiting = 0
        _pools.add(self)

    def target(self) -> Target:
        """Return where the directory is; raises `Misconfigured` for a password file that cannot be read."""
        settings = self._settings
        return Target(
            urls=settings.urls,
            start_tls=settings.start_tls,
            ca_file=_authorities(settings.ca_file),
            user=settings.bind_dn,
            password=_password(settings),
            timeout_s=settings.timeout_s,
        )

    def ask(self, question: Question, within_s: float) -> Answer:
        """Return the answer; raises `DirectoryUnavailable` or one of its kinds."""
        process = self._take()
        try:
            answer = process.ask(question, time.monotonic() + within_s)
        except _Late:
            self._give_back(process, broken=True)
            raise DirectoryUnavailable(f"The directory did not answer within {within_s:g} s.") from None
        except _Broken as error:
            self._give_back(process, broken=True)
            raise DirectoryUnreadable("What the directory sent ended the process that read it.") from error
        except BaseException:
            self._give_back(process, broken=True)
            raise
        self._give_back(process)
        if answer.fault:
            raise FAULTS[answer.fault](f"{_meaning(FAULTS[answer.fault])} {answer.message}", reason=answer.message)
        return answer

    def processes(self) -> list[int]:
        """Return the ids of the processes."""
        with self._free:
            return [process.pid for process in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End those that nobody waits for; the others end with their question."""
        with self._free:
            for process in self._idle:
                process.kill()
            for process in self._busy:
                process.interrupt()  # who waits for its answer lets go of it
            self._idle.clear()

    def _take(self) -> _Process:
        until = time.monotonic() + self._settings.timeout_s
        with self._free:
            if len(self._busy) >= MOST and self._waiting >= WAITING:
                raise DirectoryBusy
            self._waiting += 1
            try:
                while len(self._busy) >= MOST:
                    if not self._free.wait(max(0.0, until - time.monotonic())):
                        raise DirectoryBusy
            finally:
                self._waiting -= 1
            process = self._idle.pop() if self._idle else _Process(self._settings.timeout_s)
            self._busy.add(process)
            return process

    def _give_back(self, process: _Process, *, broken: bool = False) -> None:
        with self._free:
            self._busy.discard(process)
            if broken:
                process.kill()
            else:
                self._idle.append(process)
            self._free.notify()


def _meaning(kind: type[DirectoryUnavailable]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _authorities(own: Path | None) -> str:
    """Return the file of the authorities that are believed; raises `Misconfigured` if it is not there."""
    if own is not None:
        if not own.is_file():
            raise Misconfigured(f"directory.ca_file {own} is not there")
        return str(own.absolute())
    paths = ssl.get_default_verify_paths()
    for found in (paths.cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if found and Path(found).is_file():
            return found
    raise Misconfigured("this system has no file of authorities: name the directory's own (directory.ca_file)")


def _password(settings: DirectorySettings) -> str:
    if settings.bind_password_file is None:
        return settings.bind_password or ""
    try:
        return settings.bind_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"directory.bind_password_file cannot be read: {error}") from error


class _Late(Exception):
    """No answer came in time."""


class _Broken(Exception):
    """The process ended, or says what makes no sense."""


class _Process:
    """One process, with the pipes to it."""

    def __init__(self, timeout_s: float) -> None:
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- own interpreter and file
                [sys.executable, "-P", str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd="/",  # libldap reads settings from the folder it is started in
                env=kept | {"LDAPNETWORK_TIMEOUT": str(math.ceil(timeout_s)), "LDAPREFERRALS": "off"},
                start_new_session=True,
            )
        except OSError as error:
            raise DirectoryBusy(f"The directory's process cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def ask(self, question: Question, deadline: float) -> Answer:
        """Ask; raises `_Late` or `_Broken`, after which the process is of no more use."""
        assert self._process.stdin is not None  # noqa: S101 -- made with pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            ldap.write_message(self._process.stdin.fileno(), msgspec.msgpack.encode(question))
            source = self._process.stdout.fileno()
            (length,) = struct.unpack("<I", _read(source, 4, deadline))
            if length > MOST_BYTES:
                raise _Broken
            return msgspec.msgpack.decode(_read(source, length, deadline), type=Answer)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise _Broken from error

    def interrupt(self) -> None:
        """End the process, while another thread waits for it."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once, and let go of what leads to it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _read(fd: int, size: int, deadline: float) -> bytes:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    parts = bytearray()
    while len(parts) < size:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _Late
        part = os.read(fd, min(size - len(parts), 1 << 20))
        if not part:
            raise _Broken
        parts += part
    return bytes(parts)


@atexit.register
def close() -> None:
    """End this process's directory processes."""
    for pool in list(_pools):
        pool.close()
