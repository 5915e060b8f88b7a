"""The machine a run is made on: versions, noise, what its disk takes to sync, what a process takes of memory."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

MIB = 1 << 20


def versions() -> list[str]:
    """Return one line for each thing whose version matters."""
    packages = ("radrelay", "cryptography", "fastapi", "uvicorn", "sqlalchemy", "sqlcipher3", "imagecodecs", "numpy")
    return [
        f"{platform.platform()}, {os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {metadata.version(name)}" for name in packages),
        f"Orthanc {_first_line('Orthanc', '--version')}, {_package('orthanc-dicomweb')}, {_package('dcmtk')}",
    ]


def _first_line(*command: str) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return found[0].removeprefix("Orthanc ") if found else "absent"


def _package(name: str) -> str:
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", name], capture_output=True, text=True, check=False
    )
    return f"{name} {found.stdout or 'absent'}"


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def load_average() -> float:
    """Return how many processes wanted to run over the last minute: the noise, when taken before a run."""
    return os.getloadavg()[0]


def sync_latency_ms(folder: Path, size: int, times: int = 100) -> tuple[float, float]:
    """Return p50 and p95 milliseconds of writing `size` bytes to a laid-out file and syncing them."""
    path = folder / "sync-probe"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        places = 16 * MIB // size
        for _ in range(16):
            os.write(handle, bytes(MIB))
        os.fsync(handle)
        data, taken = os.urandom(size), []
        for number in range(times):
            began = time.perf_counter()
            os.pwrite(handle, data, number % places * size)
            os.fdatasync(handle)
            taken.append(1000 * (time.perf_counter() - began))
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def memory_mib(pid: int, entry: str = "VmRSS") -> float:
    """Return a process' resident memory, or with `VmHWM` its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(entry + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def own_memory_mib(pid: int) -> float:
    """Return a process' proportional set size: memory that it shares counts in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def forget_peak(pid: int) -> None:
    """Start a process' `VmHWM` anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def children(pid: int) -> Iterator[tuple[int, str]]:
    """Yield process id and last word of the title of each child."""
    for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        title = Path(f"/proc/{number}/cmdline").read_bytes().decode().strip("\0")
        yield int(number), title.rpartition(" ")[2]
