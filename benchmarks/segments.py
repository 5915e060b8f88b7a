"""How many objects a second landing makes durable, against one synced file per object, in one interleaved run.

    python benchmarks/segments.py [--dir DIR] [--rounds 5] [--seconds 1.5]

Both sides encrypt each object with AES-256-GCM under a key of its own and return only once it is on disk.
Prints objects/s as medians over the rounds, the ratio of each round's two sides, and the disk's sync latency.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.segments import SegmentLog, SegmentReader

SIZES = {"CT 526 kB": 525_662, "MR 34 kB": 34_114}
HEAD_BYTES = 2_000
ENVELOPE = bytes(400)


class Files:
    """One file per object: written, synced, closed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._local = threading.local()
        directory.mkdir()

    def land(self, payload: memoryview) -> None:
        out = getattr(self._local, "out", None)
        if out is None:
            out = self._local.out = memoryview(bytearray(1 << 20))
        key = os.urandom(32)
        AESGCM(key).encrypt_into(key[:12], payload, None, out[: len(payload) + 16])
        handle = os.open(self._directory / uuid4().hex, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.pwritev(handle, [key, ENVELOPE, out[: len(payload) + 16]], 0)
        os.fdatasync(handle)
        os.close(handle)

    def reset(self) -> None:
        shutil.rmtree(self._directory)
        self._directory.mkdir()


class Segments:
    """Radrelay's landing, its segments freed after each round as compaction would."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._log = SegmentLog.open(settings.landing_dir, "bench", keyring, settings.storage)
        self._reader = SegmentReader(settings.landing_dir, keyring)

    def land(self, payload: memoryview) -> None:
        ticket = self._log.append(ENVELOPE, payload[:HEAD_BYTES], payload[HEAD_BYTES:])
        self._log.wait_durable(ticket)

    def reset(self) -> None:
        for segment in self._reader.segments("bench"):
            self._reader.free("bench", segment.number, segment.epoch)

    def close(self) -> None:
        self._log.close()


def rate(land: Callable[[memoryview], None], payload: bytes, threads: int, seconds: float) -> float:
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(index: int) -> None:
        view = memoryview(payload)
        while time.perf_counter() < end:
            land(view)
            counts[index] += 1

    started = time.perf_counter()
    running = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def sync_latency_us(directory: Path) -> float:
    handle = os.open(directory / "probe", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(handle, bytes(1 << 20), 0)
    os.fsync(handle)
    taken = []
    for index in range(200):
        os.pwrite(handle, os.urandom(4096), index % 256 * 4096)
        before = time.perf_counter()
        os.fdatasync(handle)
        taken.append(time.perf_counter() - before)
    os.close(handle)
    return statistics.median(taken) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("var"), help="a folder on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-segments-", dir=options.dir))
    settings = Settings.model_validate({"data_dir": folder / "data", "storage": {"ballast_bytes": 0}})
    segments = Segments(settings, Keyring.open(settings, create=True))
    files = Files(folder / "files")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, 4 kB fdatasync {sync_latency_us(folder):.0f} µs"
    )
    print(f"{'object':<10} {'threads':>7} {'file/s':>8} {'landing/s':>10} {'MB/s':>6} {'ratio':>6}  (min…max)")
    try:
        for name, size in SIZES.items():
            payload = os.urandom(size)
            for threads in (1, 4):
                pairs = []
                for _ in range(options.rounds + 1):  # the first warms up
                    theirs = rate(files.land, payload, threads, options.seconds)
                    files.reset()
                    ours = rate(segments.land, payload, threads, options.seconds)
                    segments.reset()
                    os.sync()
                    pairs.append((theirs, ours))
                ratios = [ours / theirs for theirs, ours in pairs[1:]]
                theirs, ours = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
                print(
                    f"{name:<10} {threads:>7} {theirs:>8.0f} {ours:>10.0f} {ours * size / 1e6:>6.0f} "
                    f"{statistics.median(ratios):>6.2f}  ({min(ratios):.2f}…{max(ratios):.2f})"
                )
        print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        segments.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
