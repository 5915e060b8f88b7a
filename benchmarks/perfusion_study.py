"""Analyse one study in a process of its own: prints the seconds of each step, processor time and peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from radrelay.analysis.perfusion import Options, analyse


def main() -> None:
    """Analyse the array that is named, with motion correction or without."""
    path, moved = sys.argv[1:]
    volume = np.load(path)
    spacing = (8.0, 220 / volume.shape[2], 220 / volume.shape[3])
    began = time.process_time()
    found = analyse(volume, np.arange(len(volume)) * 1.5, spacing, Options(correct_motion=moved == "moved"))
    told = {
        "seconds": found.seconds,
        "processor_s": time.process_time() - began,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
