"""Brain perfusion: maps against phantoms of known truth, each gate for each method, and what a whole study costs.

Seeds, places, sizes and shapes of lesions, vessels and bolus are drawn for each phantom. The whole study (512² × 16
slices × 45 time points) is analysed in a process of its own, so that its memory is seen.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import perfusion_gates as gates
from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, line
from radrelay.analysis.perfusion import METHODS, STEPS, Method
from radrelay.analysis.perfusion.phantom import make
from radrelay.analysis.perfusion.phantom_curves import RESIDUES

PART = "perfusion"
SEEDS, FEW = 6, 2
ROOT = Path(__file__).parent.parent
ARRIVALS_S = (7.0, 8.3, 10.6)


def run(plan: Plan) -> list[Line]:
    """Measure every gate, then the speed."""
    lines: list[Line] = []
    for method in METHODS:
        for group in (_agreements, _delays, _lesions, _samplings, _osipi):
            lines += plan.tell(group(plan, method))
    for once in (_vessels, _motion, _speed):
        lines += plan.tell(once(plan))
    return lines


def _row(what: str, unit: str, found: list[float], aim: Aim | None = None, method: str = "") -> Line:
    told = f"{what}; {method}" if method else what
    return line(PART, told, unit, {OURS: found}, *(() if aim is None else (aim,)))


def _agreements(plan: Plan, method: Method) -> list[Line]:
    clean = gates.agreement("exponential", 0.0, 1, method)
    lines = [
        _row("no noise, exponential: CBF", "r", [clean.cbf_r], Aim(0.99), method),
        _row("no noise, exponential: CBV error, median", "%", [clean.cbv_error], Aim(2, below=True), method),
        _row("no noise, exponential: MTT", "r", [clean.mtt_r], Aim(0.99), method),
    ]
    for kind in RESIDUES:
        found = [gates.agreement(kind, 4.0, 40 + seed, method) for seed in range(plan.pick(SEEDS, FEW))]
        worst = f"4 HU, {kind}, worst of {len(found)}"
        lines.append(_row(f"{worst}: CBF", "r", [min(one.cbf_r for one in found)], Aim(0.96), method))
        lines.append(_row(f"{worst}: CBV", "r", [min(one.cbv_r for one in found)], Aim(0.95), method))
    return lines


def _delays(plan: Plan, method: Method) -> list[Line]:
    found = [gates.delays(method, arrival) for arrival in ARRIVALS_S[: plan.pick(3, 1)]]
    return [
        _row("delays −2…8 s: worst change of CBF", "%", [max(one[0] for one in found)], Aim(3, below=True), method),
        _row("delays −2…8 s: Tmax, least slope", "", [min(one[1] for one in found)], Aim(0.97), method),
        _row("delays −2…8 s: Tmax, largest slope", "", [max(one[2] for one in found)], Aim(1.03, below=True), method),
    ]


def _lesions(plan: Plan, method: Method) -> list[Line]:
    lines = []
    for noise, least in ((6.0, 0.9), (12.0, 0.85)):
        found = [
            gates.overlap(gates.lesion_recipe(noise, 20 + seed, (10, 256, 256)), method)
            for seed in range(plan.pick(SEEDS, FEW))
        ]
        worst, ml = f"lesion, {noise:g} HU, worst of {len(found)}", Aim(4, below=True)
        core, late = max(abs(one.core_ml) for one in found), max(abs(one.late_ml) for one in found)
        lines.append(_row(f"{worst}: core off by", "mL", [core], ml if noise < 7 else None, method))
        lines.append(_row(f"{worst}: core Dice", "", [min(one.core_dice for one in found)], Aim(least), method))
        lines.append(
            _row(f"{worst}: Tmax > 6 s off by", "mL", [late], Aim(5, below=True) if noise < 7 else None, method)
        )
        dice = [min(one.late_dice for one in found)]
        lines.append(_row(f"{worst}: Tmax > 6 s Dice", "", dice, Aim(0.95) if noise < 7 else None, method))
    return lines


def _samplings(plan: Plan, method: Method) -> list[Line]:
    found = [gates.late_volumes(60 + seed, method, 6.0) for seed in range(plan.pick(2, 1))]
    return [
        _row(
            f"6 HU, sampling {name}: Tmax > 6 s off by, worst of {len(found)}",
            "%",
            [max(abs(one[name]) for one in found)],
            Aim(5, below=True),
            method,
        )
        for name in found[0]
    ]


def _osipi(plan: Plan, method: Method) -> list[Line]:
    named = os.environ.get("RADRELAY_TEST_DATA")
    path = Path(named or "/nonexistent") / "perfusion/osipi_dsc_dro/dsc_data.csv"
    if not path.is_file():
        sys.stdout.write("OSIPI's reference is left out: RADRELAY_TEST_DATA names no folder that holds it\n")
        return []
    cbf, error, cbv = gates.osipi(path, method)
    return [
        _row("OSIPI's DSC reference: CBF", "r", [cbf], Aim(0.99), method),
        _row("OSIPI's DSC reference: CBF error, median", "%", [error], Aim(10, below=True), method),
        _row("OSIPI's DSC reference: CBV", "r", [cbv], Aim(0.98), method),
    ]


def _vessels(plan: Plan) -> list[Line]:
    count = plan.pick(200, 10)
    right = [gates.vessels_right(seed) for seed in range(count)]
    wrong = [seed for seed, one in enumerate(right) if not one]
    if wrong:
        sys.stdout.write(f"vessels missed with seeds {wrong}\n")
    return [
        _row(
            f"artery and vein inside the true ones, {count} phantoms, 0–12 HU",
            "%",
            [100 * sum(right) / count],
            Aim(100),
        )
    ]


def _motion(plan: Plan) -> list[Line]:
    found = [gates.motion_left(30 + seed) for seed in range(plan.pick(SEEDS, FEW))]
    below = Aim(0.5, below=True)
    return [
        _row("motion of up to 3° and 5 mm: most that is left", "mm", [max(one[0] for one in found)], below),
        _row("motion of up to 3° and 5 mm: most that is left", "°", [max(one[1] for one in found)], below),
        _row("motion of up to 3° and 5 mm: frames dropped", "", [float(sum(one[2] for one in found))]),
    ]


def _speed(plan: Plan) -> list[Line]:
    study = plan.folder / "study.npy"
    _write_study(study, plan.pick(512, 256), plan.pick(16, 4))
    size = "512² × 16 × 45" if not plan.quick else "256² × 4 × 45"
    lines = []
    for moved, seconds in ((False, 12), (True, 90)):
        told = f"{size}, {'with' if moved else 'without'} motion correction"
        found = [_one_study(study, moved) for _ in range(plan.rounds)]
        took = [sum(one.seconds.values()) for one in found]
        lines.append(_row(told, "s", took, Aim(seconds, below=True)))
        lines.append(_row(f"{told}: processor time", "s", [one.processor_s for one in found]))
        lines.append(_row(f"{told}: peak memory", "MiB", [one.peak_mib for one in found], Aim(2048, below=True)))
        for step in STEPS:
            share = [100 * one.seconds[step] / whole for one, whole in zip(found, took, strict=True)]
            if statistics.median(share) >= 1:
                lines.append(_row(f"{told}: share of {step}", "%", share))
    study.unlink()
    return lines


def _write_study(path: Path, pixels: int, slices: int) -> None:
    """Write a study with a lesion, 3 HU of noise after joining, and small motion in most frames."""
    rng, half = np.random.default_rng(0), pixels // 2
    poses = np.zeros((45, 6))
    poses[8:, :3] = np.radians(rng.normal(size=(37, 3)))
    poses[8:, 3:] = 1.5 * rng.normal(size=(37, 3))
    recipe = replace(
        gates.lesion_recipe(6.0, 1, (slices, half, half)), spacing=(8.0, 220 / half, 220 / half),
        times=np.arange(45, dtype=np.float64) * 1.5, poses=poses,
    )  # fmt: skip
    small = make(recipe).volume.astype(np.int16)
    np.save(path, small.repeat(2, axis=2).repeat(2, axis=3))


@dataclass(frozen=True)
class _Cost:
    seconds: dict[str, float]
    processor_s: float
    peak_mib: float


def _one_study(path: Path, moved: bool) -> _Cost:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", "benchmarks.perfusion_study", str(path), "moved" if moved else "still"]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    return _Cost(**json.loads(done.stdout))
