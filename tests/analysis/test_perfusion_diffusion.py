"""Coefficients of diffusion: computed or taken, in their unit, and brought to where the perfusion lies."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from radrelay.analysis.images import diffusing
from radrelay.analysis.images.frames import read_frames
from radrelay.analysis.images.onto import onto
from radrelay.analysis.images.phantom_files import datasets, lesion
from radrelay.analysis.images.reading import files_in, read_stack, read_study
from radrelay.analysis.images.stacking import stack
from radrelay.analysis.perfusion import Constants, Options
from radrelay.analysis.perfusion.phantom import make
from radrelay.analysis.study import Slab
from radrelay.app.perfusion_commands import analysed


def test_mr_has_its_echo_time_and_coefficients_of_diffusion(tmp_path: Path) -> None:
    recipe = lesion(modality="MR", noise=2.0, seed=4, pixels=48, slices=4, frames=24)
    for number, one in enumerate(datasets(recipe)):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    study, truth = read_study(files_in(tmp_path)).study, make(recipe).truth
    assert study.te_s == pytest.approx(0.03)
    assert study.diffusion is not None
    adc = np.asarray(study.diffusion.values, dtype=np.float64)
    assert np.median(adc[truth.core]) == pytest.approx(420, abs=5)
    assert np.median(adc[truth.brain & ~truth.core]) == pytest.approx(820, abs=5)


def test_diffusion_that_is_no_stack_takes_nothing_from_the_perfusion(tmp_path: Path) -> None:
    recipe = lesion(modality="MR", noise=2.0, seed=4, pixels=32, slices=4, frames=20)
    own = list(datasets(recipe))
    for one in own:
        if one.get("DiffusionBValue") == 1000:  # as after the head moved
            one.ImagePositionPatient = [*one.ImagePositionPatient[:2], float(one.ImagePositionPatient[2]) + 5]
    for number, one in enumerate(own):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    moved = read_study(files_in(tmp_path)).study
    assert (moved.diffusion is None, moved.diffusion_weighted is None) == (True, False)
    own[-1].ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    own[-1].save_as(tmp_path / f"{len(own) - 1}.dcm", enforce_file_format=True)
    turned = read_study(files_in(tmp_path)).study
    assert (turned.diffusion, turned.diffusion_weighted) == (None, None)
    assert turned.perfusion.values.shape == (20, 4, 32, 32)


def test_a_scanners_own_map_comes_before_one_that_is_computed(tmp_path: Path) -> None:
    recipe = lesion(modality="MR", noise=2.0, seed=4, pixels=32, slices=4, frames=20)
    for number, one in enumerate(datasets(recipe)):
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        if one.get("DiffusionBValue") == 0:
            one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.5", f"1.2.5.{number}"
            one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
            one.SeriesDescription, one.RescaleSlope, one.RescaleIntercept = "dADC map", "0.001", "0"
            one.PixelData = np.full((32, 32), 750, dtype="<u2").tobytes()
            one.save_as(tmp_path / f"adc{number}.dcm", enforce_file_format=True)
    study = read_study(files_in(tmp_path)).study
    assert study.diffusion is not None
    np.testing.assert_allclose(np.asarray(study.diffusion.values, dtype=np.float32), 750.0, rtol=1e-5)
    assert study.diffusion_weighted is not None


def test_coefficients_of_a_philips_scan_are_those_of_its_pixels(shared_data: Path, tmp_path: Path) -> None:
    """Two slices of a classic export, b in the vendor's place with 0.001 to 0.004 for those without weighting."""
    packed = sorted((shared_data / "perfusion/dcm_qa_philips_dwi/In/cl/DICOM").glob("IM_*.gz"))[:34]
    logs: dict[bool, list[np.ndarray[Any, Any]]] = {False: [], True: []}
    for number, one in enumerate(packed):
        (tmp_path / f"{number}.dcm").write_bytes(gzip.decompress(one.read_bytes()))
        own = pydicom.dcmread(tmp_path / f"{number}.dcm")
        if number < 17:
            signal = own.pixel_array * float(own.RescaleSlope) + float(own.RescaleIntercept)
            logs[own.DiffusionBValue > 500].append(np.log(np.maximum(signal, 1e-3)))
    frames, _ = read_frames(files_in(tmp_path))
    found, weighted = diffusing.diffusion_of(frames, (), lambda some: read_stack(stack(some))[0])
    assert found is not None
    assert weighted is not None
    wanted = np.maximum((np.mean(logs[False], axis=0) - np.mean(logs[True], axis=0)) * 1000, 0)
    there = wanted[wanted < 4000]
    assert found.values.shape == (2, 112, 112)
    np.testing.assert_allclose(found.values[0][wanted < 4000], there, atol=0.5)
    assert 500 < np.median(there[np.exp(np.mean(logs[True], axis=0))[wanted < 4000] > 200]) < 1100


def test_coefficients_are_those_of_the_formula_and_maps_come_in_any_unit() -> None:
    base = np.array([[1000.0, 500.0, 0.0]])
    found = diffusing.coefficients_of(base, base * np.exp(-1000 * 0.0007), 0.0, 1000.0)
    np.testing.assert_allclose(found, [[700.0, 700.0, 0.0]], rtol=1e-5)
    for factor in (1.0, 1e-3, 1e-6):
        given = np.array([0.0, 700.0, 900.0], dtype=np.float32) * np.float32(factor)
        taken = diffusing.in_um2_per_s(given)
        assert taken is not None
        np.testing.assert_allclose(taken, [0, 700, 900], rtol=1e-5)


def test_a_volume_lies_where_it_lay_on_the_voxels_of_another() -> None:
    fine = Slab(8, 8, tuple((0.0, 0.0, 2.0 * z) for z in range(6)), (1, 0, 0, 0, 1, 0), (1.0, 1.0), 2.0, "1.2")
    coarse = Slab(4, 4, tuple((0.5, 0.5, 1.0 + 4.0 * z) for z in range(3)), (1, 0, 0, 0, 1, 0), (2.0, 2.0), 4.0, "1.2")
    z, y, x = np.meshgrid(2.0 * np.arange(6), np.arange(8.0), np.arange(8.0), indexing="ij")
    found = onto(x + 10 * y + 100 * z, fine, coarse)
    wanted = np.meshgrid(1 + 4.0 * np.arange(3), 0.5 + 2 * np.arange(4.0), 0.5 + 2 * np.arange(4.0), indexing="ij")
    assert found is not None
    np.testing.assert_allclose(found, wanted[2] + 10 * wanted[1] + 100 * wanted[0], rtol=1e-5)
    assert onto(x, replace(fine, frame_of_reference_uid="1.3"), coarse) is None


def test_a_map_in_no_known_unit_tells_no_core_instead_of_an_empty_one() -> None:
    assert diffusing.in_um2_per_s(np.array([0.0, 7e7, 9e7], dtype=np.float32)) is None
    assert diffusing.in_um2_per_s(np.zeros(3, dtype=np.float32)) is None


@pytest.mark.parametrize(
    ("left_away", "warned", "known"),
    [
        ("none", [], True),
        ("all of diffusion", ["no-diffusion"], False),
        ("upper half of diffusion", ["diffusion-elsewhere"], False),
        ("one image", ["images-left-out"], True),
        ("one of diffusion", ["images-left-out", "no-diffusion"], False),
    ],
)
def test_a_core_is_told_only_where_diffusion_was_scanned(
    left_away: str, warned: list[str], known: bool, tmp_path: Path
) -> None:
    recipe = lesion(modality="MR", noise=2.0, seed=4, pixels=64, slices=6, frames=30)
    for number, one in enumerate(datasets(recipe)):
        weighted = "DiffusionBValue" in one
        if weighted and left_away == "all of diffusion":
            continue
        if weighted and left_away == "upper half of diffusion" and float(one.SliceLocation) > 0:
            continue
        if number == (50 if left_away == "one image" else 188 if left_away == "one of diffusion" else -1):
            one.PixelData = one.PixelData[:100]
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    result = analysed(read_study(files_in(tmp_path)), Options(correct_motion=False), Constants())
    told = [one.code for one in result.warnings]
    assert [code for code in told if code in ("no-diffusion", "diffusion-elsewhere", "images-left-out")] == warned
    assert result.lesions.core_known is known
    assert (result.lesions.core_ml > 5) is known
