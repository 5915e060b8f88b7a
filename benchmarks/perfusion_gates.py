"""Accuracy of brain perfusion on digital phantoms whose truth is known: one number for each gate and method."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.perfusion import motion, pipeline, rigid
from radrelay.analysis.perfusion.constants import Constants, Method
from radrelay.analysis.perfusion.maps import values_of
from radrelay.analysis.perfusion.morphology import grown
from radrelay.analysis.perfusion.phantom import Phantom, Recipe, make
from radrelay.analysis.perfusion.phantom_anatomy import Head, Kind, Lesion
from radrelay.analysis.perfusion.phantom_curves import Bolus, Residue, Tissue
from radrelay.analysis.perfusion.pipeline import Options, Result
from radrelay.analysis.perfusion.sampling import weights

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]
CBV = (1.0, 2.0, 3.0, 4.0, 5.0)
MTT_S = (24.0, 12.0, 8.0, 6.0, 4.8, 4.0, 3.43)
FINE_SHAPE, FINE_SPACING = (4, 256, 256), (8.0, 0.85, 0.85)
STILL = Options(correct_motion=False)
EDGE_MM = 2.0  # where tissues are mixed by the scanner's resolution, a voxel has no one true value


@dataclass(frozen=True)
class Agreement:
    """How maps agree with the truth, over the voxels inside of their tissue."""

    cbf_r: float
    cbv_r: float
    mtt_r: float
    cbv_error: float  # per cent, median


@dataclass(frozen=True)
class Overlap:
    """How a lesion's outline agrees with the truth: mL too much, and Dice."""

    core_ml: float
    core_dice: float
    late_ml: float
    late_dice: float


def tiles(kind: Residue, delay_s: float = 0.0) -> tuple[Tissue, ...]:
    return tuple(Tissue(cbv / mtt * 60, mtt, delay_s, kind) for cbv in CBV for mtt in MTT_S)


def field(kind: Residue, noise: float, seed: int, delay_s: float = 0.0) -> Recipe:
    """Return a head whose brain is a field of 5 × 7 tiles of known CBV and MTT."""
    return Recipe(
        FINE_SHAPE,
        FINE_SPACING,
        head=Head(tiles=(len(CBV), len(MTT_S))),
        tiles=tiles(kind, delay_s),
        noise=noise,
        seed=seed,
    )


def analysed(phantom: Phantom, method: Method, options: Options = STILL) -> Result:
    return pipeline.analyse(phantom.volume, phantom.times, phantom.spacing, options, Constants(method=method))


def inner(kinds: NDArray[np.int16], pixel_mm: float) -> Mask:
    edge = np.zeros(kinds.shape, dtype=np.bool_)
    for first, second in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :, 1:], np.s_[:, :, :-1])):
        differs = kinds[first] != kinds[second]
        edge[first] |= differs
        edge[second] |= differs
    return ~grown(edge, max(1, round(EDGE_MM / pixel_mm)))


def agreement(kind: Residue, noise: float, seed: int, method: Method) -> Agreement:
    phantom = make(field(kind, noise, seed))
    found, truth = analysed(phantom, method), phantom.truth
    over = found.tissue & (truth.kinds >= Kind.TILE) & inner(truth.kinds, phantom.spacing[1])
    maps = {name: picture[over] for name, picture in found.maps.items()}
    r = [
        float(np.corrcoef(maps[name], true[over])[0, 1])
        for name, true in (("CBF", truth.cbf), ("CBV", truth.cbv), ("MTT", truth.mtt_s))
    ]
    return Agreement(r[0], r[1], r[2], float(100 * np.median(np.abs(maps["CBV"] / truth.cbv[over] - 1))))


def delays(method: Method, arrival_s: float) -> tuple[float, float, float]:
    """Return the worst change of CBF (per cent) by delays of −2 to 8 s, and the least and largest slope of Tmax."""
    times, constants, steps = np.arange(60.0), Constants(method=method), np.arange(-2.0, 8.1, 0.5)
    bolus = Bolus(arrival_s=arrival_s)
    artery = bolus.at(np.arange(0, 70, 0.05))[::20][:60]
    found = []
    for delay in steps:
        curves = np.stack([one.curve(bolus, times, constants) for one in tiles("exponential", float(delay))])
        found.append(values_of(curves.astype(np.float32), artery, 1.0, constants))
    cbf, tmax = np.stack([one.cbf for one in found]), np.stack([one.tmax for one in found])
    apart = np.abs(cbf / cbf[steps == 0] - 1).max()
    slopes = [np.polyfit(steps, tmax[:, column], 1)[0] for column in range(tmax.shape[1])]
    return float(100 * apart), float(min(slopes)), float(max(slopes))


def lesion_recipe(noise: float, seed: int, shape: tuple[int, int, int] = FINE_SHAPE) -> Recipe:
    """Return a head with a lesion of random place and size, on either side."""
    rng = np.random.default_rng(seed)
    side = float(rng.choice((-1, 1)))
    size = rng.uniform(0.85, 1.15)
    lesion = Lesion(
        (side * rng.uniform(36, 43), rng.uniform(0, 14), 0.0), (18.0 * size, 30.0 * size, 40.0 * size),
        rng.uniform(0.55, 0.7), (-2.0 * side, 3.0, 0.0),
    )  # fmt: skip
    scale = rng.uniform(0.94, 1.05)
    head = Head((72.0 * scale, 90.0 * scale, 105.0 * scale), artery_radius_mm=rng.uniform(1.9, 2.6), lesion=lesion)
    bolus = Bolus(rng.uniform(7, 11), rng.uniform(220, 380), recirculation=rng.uniform(0.15, 0.3))
    return Recipe(shape, FINE_SPACING, head=head, bolus=bolus, noise=noise, seed=seed)


def overlap(recipe: Recipe, method: Method, options: Options = STILL) -> Overlap:
    phantom = make(recipe)
    found, truth = analysed(phantom, method, options), phantom.truth
    voxel_ml = float(np.prod(phantom.spacing)) / 1000
    late = found.lesions.late[6.0]
    return Overlap(
        found.lesions.core_ml - float(truth.core.sum()) * voxel_ml, dice(found.lesions.core, truth.core),
        found.lesions.late_ml[6.0] - float(truth.hypoperfused.sum()) * voxel_ml, dice(late, truth.hypoperfused),
    )  # fmt: skip


def dice(first: Mask, second: Mask) -> float:
    return float(2 * (first & second).sum() / max(1, first.sum() + second.sum()))


def samplings(slices: int) -> dict[str, Doubles]:
    """Return times (frames × slices) of the ways scanners sample; jog: two halves of the slab in turns."""
    found = {f"{step:g} s": np.repeat(np.arange(0, 60, step)[:, None], slices, axis=1) for step in (1.0, 1.5, 2.0, 3.0)}
    mixed = np.concatenate([np.arange(0, 40, 1.5), np.arange(40, 60, 3.0)])
    found["mixed 1.5 and 3 s"] = np.repeat(mixed[:, None], slices, axis=1)
    second = (np.arange(slices) >= slices // 2) * 1.5
    found["jog 3 s, halves 1.5 s apart"] = np.arange(0, 60, 3.0)[:, None] + second[None, :]
    return found


def late_volumes(seed: int, method: Method, noise: float) -> dict[str, float]:
    """Return by how many per cent the volume of Tmax > 6 s differs from the truth, for each sampling."""
    recipe, found = lesion_recipe(noise, seed), {}
    for name, times in samplings(recipe.shape[0]).items():
        phantom = make(replace(recipe, times=times))
        true = float(phantom.truth.hypoperfused.sum())
        found[name] = 100 * (float(analysed(phantom, method).lesions.late[6.0].sum()) / true - 1)
    return found


def vessel_recipe(seed: int) -> Recipe:
    """Return a small phantom, random in noise, bolus, geometry, vessels and lesion; some arteries are late."""
    rng = np.random.default_rng(10_000 + seed)
    base = lesion_recipe(rng.uniform(0, 12), seed, (3, 128, 128))
    side = float(rng.choice((-1, 1)))
    head = replace(
        base.head, middle_mm=(rng.uniform(22, 32), rng.uniform(-28, -8)), artery_radius_mm=rng.uniform(2.2, 3.2),
        sinus_radius_mm=rng.uniform(4.2, 6.0), lesion=base.head.lesion if rng.random() < 0.7 else None,
        late_artery_mm=(side * rng.uniform(45, 50), rng.uniform(-30, -10)) if rng.random() < 0.5 else None,
    )  # fmt: skip
    step = float(rng.choice((1.0, 1.5, 2.0)))
    return replace(
        base, spacing=(8.0, 1.7, 1.7), head=head, times=np.arange(0, rng.uniform(50, 65), step, dtype=np.float64),
        sinus_delay_s=rng.uniform(4.5, 8), late_artery_s=rng.uniform(2, 6), artery_share=rng.uniform(0.7, 1),
    )  # fmt: skip


def vessels_right(seed: int) -> bool:
    """Say whether every voxel of the artery and the vein that were found lies in the true one."""
    phantom = make(vessel_recipe(seed))
    found = analysed(phantom, "fixed-threshold")
    if found.vein is None:
        return False
    inside = phantom.truth.arteries[tuple(found.artery.voxels.T)].all()
    return bool(inside and phantom.truth.veins[tuple(found.vein.voxels.T)].all())


def motion_left(seed: int, shape: tuple[int, int, int] = (12, 128, 128), frames: int = 30) -> tuple[float, float, int]:
    """Return the most that is left of motion of up to 3° and 5 mm (mm, degrees), and how many frames were dropped."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((frames, 6))
    for frame in np.flatnonzero(rng.random(frames) < 0.5):
        turn, shift = rng.normal(size=3), rng.normal(size=3)
        poses[frame, :3] = np.radians(rng.uniform(0, 3)) * turn / np.linalg.norm(turn)
        poses[frame, 3:] = rng.uniform(0, 5) * shift / np.linalg.norm(shift)
    recipe = lesion_recipe(6.0, seed, shape)
    phantom = make(
        replace(
            recipe,
            spacing=(8.0, 1.7, 1.7),
            times=np.arange(0, 2 * frames, 2, dtype=np.float64),
            poses=poses,
            subslices=3,
        )
    )
    found = motion.estimate(phantom.volume, phantom.spacing, "CT", Constants())
    base = poses[found.reference]
    left = np.array([
        rigid.between(found.poses[frame], rigid.undone_first(pose, base)) for frame, pose in enumerate(poses)
    ])[~found.lost]  # fmt: skip
    return float(left[:, 0].max()), float(left[:, 1].max()), int(found.lost.sum())


def osipi(path: Path, method: Method) -> tuple[float, float, float]:
    """Return r of CBF, its median error (per cent), and r of CBV on OSIPI's digital reference curves."""
    constants = Constants(method=method, density_g_per_ml=1.0, haematocrit_factor=1.0)
    found = []
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tissue, artery = (np.array(row[name].split(), dtype=np.float64) for name in ("C_tis", "C_aif"))
            own = np.arange(tissue.size) * float(row["tr"])
            matrix = weights(own, np.arange(0, own[-1]))
            values = values_of((matrix @ tissue)[None].astype(np.float32), matrix @ artery, 1.0, constants)
            found.append((float(row["cbf"]), values.cbf[0], float(row["cbv"]), values.cbv[0]))
    cbf, own_cbf, cbv, own_cbv = np.array(found).T
    error = 100 * float(np.median(np.abs(own_cbf / cbf - 1)))
    return float(np.corrcoef(cbf, own_cbf)[0, 1]), error, float(np.corrcoef(cbv, own_cbv)[0, 1])
