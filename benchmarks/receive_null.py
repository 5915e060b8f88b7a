"""The upper layer alone: Radrelay's listener with a sink that forgets, against dcmtk's storescp, interleaved.

    python -m benchmarks.receive_null [--rounds 5] [--folder DIR] [--serve PORT]

`storescp --fork` writes plain files, never synced, below --folder (the system's temporary one) and runs with
TCP_NODELAY=1. The table shows medians of objects a second and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import structlog

from benchmarks.sender import Load, Result, send
from radrelay.network.listener import DicomListener
from radrelay.network.ports import STORED, Peer, Rejection, Services, StoreOutcome
from radrelay.settings import DicomSettings


class NullWriter:
    """Takes objects and forgets them; copies each once, as any real sink must."""

    def __init__(self) -> None:
        self._buffer = bytearray(1 << 20)
        self._view = memoryview(self._buffer)
        self._length = 0

    def begin(self, sop_class_uid: str, sop_uid: str, transfer_syntax: str) -> None:
        self._length = 0

    def write(self, fragment: memoryview) -> None:
        end = self._length + len(fragment)
        if end > len(self._buffer):
            self._length = 0
            end = len(fragment)
        self._view[self._length : end] = fragment
        self._length = end

    def finish(self) -> StoreOutcome:
        return STORED

    def abort(self) -> None:
        self._length = 0


class NullStorage:
    def open_writer(self, peer: Peer) -> NullWriter:
        return NullWriter()


class Everyone:
    def admit(self, peer: Peer) -> Rejection | None:
        return None


def serve(port: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    listener = DicomListener(DicomSettings.model_validate({"port": port}), Services(NullStorage(), Everyone()))
    listener.start()
    sys.stdout.write(f"{listener.addresses[0].port}\n")
    sys.stdout.flush()
    threading.Event().wait()  # until the process is told to end


def peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def storescp(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = ["storescp", "--fork", "-od", str(folder), "--max-pdu", "131072", str(port)]
    return subprocess.Popen(
        command, env={**os.environ, "TCP_NODELAY": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def compare(rounds: int, folder: Path | None) -> None:
    root = Path(tempfile.mkdtemp(dir=folder))
    dcmtk_port = 21112
    ours = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receive_null", "--serve", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert ours.stdout is not None
    our_port = int(ours.stdout.readline())
    theirs = storescp(root, dcmtk_port)
    time.sleep(0.5)
    try:
        for size, count in ((526_000, 800), (34_000, 3000)):
            for associations in (1, 4):
                loads = [Load(count=count // associations, size=size, seed=i) for i in range(associations)]
                us: list[Result] = []
                them: list[Result] = []
                for _ in range(rounds):
                    them.append(send("127.0.0.1", dcmtk_port, "ANY", loads))
                    for path in root.iterdir():
                        path.unlink()
                    us.append(send("127.0.0.1", our_port, "RADRELAY", loads))
                mine = statistics.median(one.objects_per_s for one in us)
                other = statistics.median(one.objects_per_s for one in them)
                ratio = statistics.median(a.objects_per_s / b.objects_per_s for a, b in zip(us, them, strict=True))
                failures = sum(one.failures for one in us + them)
                sys.stdout.write(
                    f"{size:7d} B  {associations} associations: radrelay {mine:6.0f}/s  storescp {other:6.0f}/s  "
                    f"ratio {ratio:.2f}  p95 {us[-1].percentile_ms(95):.2f} ms  "
                    f"failures {failures}  peak {peak_mib(ours.pid):.0f} MiB\n"
                )
                sys.stdout.flush()
    finally:
        theirs.terminate()
        theirs.wait()
        ours.terminate()
        ours.wait()
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where storescp writes; /dev/shm is its best case")
    parser.add_argument("--serve", type=int, metavar="PORT", help="only serve the null sink")
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
    else:
        compare(arguments.rounds, arguments.folder)


if __name__ == "__main__":
    main()
