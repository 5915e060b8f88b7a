"""A PostgreSQL server of the tests' own, from Debian's package, as a user other than root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.ports import free_port

VERSIONS = Path("/usr/lib/postgresql")
START_S = 30.0
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 << 30


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed, none if there is none."""
    found = sorted(VERSIONS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a free loopback port in a folder of its own; gives the URL of its first database."""
    bin_dir = binaries()
    if bin_dir is None:
        raise FileNotFoundError(f"no PostgreSQL server under {VERSIONS}")
    folder = Path(tempfile.mkdtemp(prefix="radrelay-postgres-", dir=_in_memory()))
    before = _drop_privileges(folder)
    data = folder / "data"
    port = free_port()
    options = ["-D", str(data), "-U", "radrelay", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([*before, str(bin_dir / "initdb"), *options], check=True, capture_output=True, cwd=folder)
    arguments = ["-D", str(data), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    tuned = ["-c", "fsync=off", "-c", "max_connections=400", "-c", "shared_buffers=256MB"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*before, str(bin_dir / "postgres"), *arguments, *tuned], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    url = f"postgresql://radrelay@127.0.0.1:{port}/postgres"
    try:
        _wait(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(START_S)
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """Return a folder in memory that has room for many small databases, none if there is none."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    return str(MEMORY) if roomy else None


def new_database(url: str, template: str = "template1", name: str | None = None) -> str:
    """Create an empty database (or a copy of `template`) on the server of `url`; returns its URL."""
    name = name or f"radrelay_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    return f"{url.rsplit('/', 1)[0]}/{name}"


def drop_database(url: str) -> None:
    """Drop the database of `url`, whoever is still connected."""
    base, name = url.rsplit("/", 1)
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _drop_privileges(folder: Path) -> list[str]:
    """Return what to put before the server's commands, which refuse to run as root."""
    if os.getuid() != 0:
        return []
    name = "postgres" if _exists("postgres") else "nobody"
    entry = pwd.getpwnam(name)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return
