"""One of two machines loses its power in the middle of `keys rotate`: nothing is lost, and it is finished later."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.system.installation import Installation, until
from tests.system.samples import phantom_files
from tests.system.stores import S3
from tests.system.test_machines import Site, kill_all, site, url
from tests.system.test_outages import all_there, send

__all__ = ["url"]


@contextmanager
def keyring_held(both: Site) -> Iterator[Callable[[], bool]]:
    """Stop a rotation before the nodes are told of the new key; gives the question whether it stands there."""
    with psycopg.connect(both.url) as connection:
        connection.execute("SELECT content FROM radrelay_keys.keyring FOR UPDATE")
        yield lambda: _waits(both)


@contextmanager
def keys_held(both: Site) -> Iterator[Callable[[], bool]]:
    """Stop it after that, before any study key is wrapped anew."""
    with psycopg.connect(both.url) as connection:
        connection.execute("LOCK TABLE radrelay_keys.study_key IN EXCLUSIVE MODE")
        yield lambda: _waits(both) and _has_second_version(both.a.data_dir / "keys")


@contextmanager
def segments_held(both: Site) -> Iterator[Callable[[], bool]]:
    """Stop it once all study keys are wrapped anew, before any landing segment's is."""
    handle = os.open(both.a.data_dir / "landing" / "listen" / "erase.lock", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield lambda: _wrapped_under(both) == {2} and _has_second_version(both.folder / "mirror-a")
    finally:
        os.close(handle)


def _waits(both: Site) -> bool:
    return bool(both.ask("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'"))


def _has_second_version(folder: Path) -> bool:
    return '"current":2' in (folder / "keyring.json").read_text()


def _wrapped_under(both: Site) -> set[int]:
    rows = both.ask("SELECT DISTINCT substr(wrapped, 1, 4) FROM radrelay_keys.study_key")
    return {int.from_bytes(bytes(row[0]), "big") for row in rows}  # type: ignore[call-overload]  # a row's columns are objects


def rotation(machine: Installation) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "radrelay", "keys", "rotate"],
        env=machine.environment(),
        cwd=machine.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("held", "finisher"),
    [
        pytest.param(keyring_held, "the same", marks=pytest.mark.soak),
        pytest.param(keys_held, "the other meanwhile", marks=pytest.mark.soak),
        pytest.param(segments_held, "the same", marks=pytest.mark.soak),
    ],
)
def test_a_rotation_cut_off_on_one_machine_costs_neither_anything(
    tmp_path: Path,
    url: str,
    s3: S3,
    held: Callable[[Site], object],
    finisher: str,
) -> None:
    with site(tmp_path, url, s3, {"RADRELAY_KEYS__MIRROR": str(tmp_path / "mirror-a")}) as both:
        packed, on_a, on_b = (
            phantom_files(tmp_path / name, "ct-head", seed=700 + n, slices=2) for n, name in enumerate("pab")
        )
        send(both.a, packed)
        both.b.wait_study(packed[0].study, len(packed))
        both.b.command("backup", str(tmp_path / "backup"))
        assert both.s3.packs() == 1
        send(both.a, on_a)
        send(both.b, on_b)
        for samples in (on_a, on_b):
            both.b.wait_study(samples[0].study, len(samples))
        with held(both) as stands_there:  # type: ignore[attr-defined]  # a context manager
            begun = rotation(both.a)
            until(stands_there, "the rotation to stand", 120)
            begun.send_signal(signal.SIGKILL)
            begun.wait()
            kill_all(both.a)
        for samples in (packed, on_b):
            all_there(both.b, samples)
        if finisher == "the other meanwhile":
            both.b.command("keys", "rotate")
        both.a.start()
        if finisher == "the same":
            both.a.command("keys", "rotate")
        for machine in (both.a, both.b):
            for samples in (packed, on_a, on_b):
                all_there(machine, samples)
            found = machine.command("doctor", "--verify", check=False).stdout
            assert not [line for line in found.splitlines() if line.startswith("bad")], found
        assert len(_wrapped_under(both)) == 1
        assert both.a.command("keys", "rotate").returncode == 0
        for machine in (both.a, both.b):
            all_there(machine, on_a)
