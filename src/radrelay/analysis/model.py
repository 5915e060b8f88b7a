"""A local ONNX model as an analysis: a series in, a segmentation of it out. Run in the child, which alone loads ONNX.

`python -m radrelay.analysis.model DESCRIPTION IN OUT`, with steps, reason and status as `running` reads them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from radrelay.analysis.kinds import Description, Model, Segment, description_at
from radrelay.errors import RadrelayError

REFUSED = 3
UNEVEN_MM = 0.1
FEWEST_SLICES = 1
Volume = NDArray[np.float32]
Labels = NDArray[np.uint8]


class NoVolume(RadrelayError):
    """No series of the study is a volume of even slices."""

    code = "analysis-no-volume"


def main(description: Path, given: Path, made: Path) -> None:
    """Segment the largest volume."""
    said = description_at(description)
    assert said.model is not None  # noqa: S101 -- it is the description of a model
    _tell("reading", 0.1)
    images = largest(given)
    volume, spacing = stacked(images)
    _tell("computing", 0.3)
    labels = segmented(volume, spacing, said.model, description.parent)
    _tell("writing", 0.9)
    write(labels, images, spacing, said, made)


def largest(folder: Path) -> list[Dataset]:
    """Return the images of the largest series of plain slices, in order along its normal; raises `NoVolume`."""
    series: dict[tuple[str, ...], list[Dataset]] = {}
    for path in sorted(folder.iterdir()):
        image = dcmread(path)
        if "PixelData" not in image or "ImagePositionPatient" not in image or image.SamplesPerPixel != 1:
            continue
        key = (image.SeriesInstanceUID, str(image.ImageOrientationPatient), str(image.Rows), str(image.Columns))
        series.setdefault(key, []).append(image)
    if not series:
        raise NoVolume
    found = max(series.values(), key=len)
    normal = np.cross(*np.asarray(found[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3))
    found.sort(key=lambda image: float(np.dot(normal, image.ImagePositionPatient)))
    places = np.asarray([np.dot(normal, image.ImagePositionPatient) for image in found])
    steps = np.diff(places)
    if len(found) < FEWEST_SLICES or (len(steps) > 1 and np.ptp(steps) > UNEVEN_MM):
        raise NoVolume
    return found


def stacked(images: list[Dataset]) -> tuple[Volume, tuple[float, float, float]]:
    """Return the images' values as (slices, rows, columns), and the distances of those in mm."""
    volume = np.stack([
        image.pixel_array.astype(np.float32) * np.float32(image.get("RescaleSlope", 1))
        + np.float32(image.get("RescaleIntercept", 0))
        for image in images
    ])  # fmt: skip
    first = images[0]
    between = float(first.get("SliceThickness") or 1)
    if len(images) > 1:
        apart = np.subtract(images[1].ImagePositionPatient, first.ImagePositionPatient)
        between = float(np.linalg.norm(apart.astype(np.float64)))
    rows, columns = (float(one) for one in first.PixelSpacing)
    return volume, (between, rows, columns)


def segmented(volume: Volume, spacing: tuple[float, float, float], model: Model, folder: Path) -> Labels:
    """Return the label of each voxel."""
    import onnxruntime  # noqa: PLC0415 -- the extra `onnx`, which nothing else needs

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("RADRELAY_ANALYSIS_CORES", "1"))
    session = onnxruntime.InferenceSession(str(folder / model.file), options, providers=["CPUExecutionProvider"])
    wanted = volume.shape
    if model.spacing_mm is not None:
        shape = [
            max(1, round(n * own / to)) for n, own, to in zip(volume.shape, spacing, model.spacing_mm, strict=True)
        ]
        volume = resampled(volume, shape)
    if model.least is not None or model.most is not None:
        volume = np.clip(volume, model.least, model.most)
    volume = ((volume - np.float32(model.subtract)) / np.float32(model.divide)).astype(np.float32)
    [answer, *_] = session.run(None, {session.get_inputs()[0].name: volume[None, None]})
    scores = np.asarray(answer)[0]
    if model.output == "labels":
        labels = scores.argmax(axis=0).astype(np.uint8)
    else:
        labels = (scores[0] >= model.threshold).astype(np.uint8)
    return labels if labels.shape == wanted else nearest(labels, wanted)


def resampled(volume: Volume, shape: list[int]) -> Volume:
    """Return a volume on a grid of other spacing over the same extent, by linear interpolation."""
    for axis, count in enumerate(shape):
        own = volume.shape[axis]
        if own == count:
            continue
        at = np.clip((np.arange(count) + 0.5) * own / count - 0.5, 0, own - 1)
        low = np.floor(at).astype(np.intp)
        high = np.minimum(low + 1, own - 1)
        weight = (at - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
        volume = volume.take(low, axis) * (1 - weight) + volume.take(high, axis) * weight
    return volume


def nearest(labels: Labels, shape: tuple[int, ...]) -> Labels:
    """Return labels on a grid of other spacing over the same extent."""
    for axis, count in enumerate(shape):
        own = labels.shape[axis]
        at = np.minimum(((np.arange(count) + 0.5) * own / count).astype(np.intp), own - 1)
        labels = labels.take(at, axis)
    return labels


def write(
    labels: Labels, images: list[Dataset], spacing: tuple[float, float, float], said: Description, made: Path
) -> None:
    """Write the segmentation, unless nothing was found, and what a page shows."""
    assert said.model is not None  # noqa: S101 -- see `main`
    found = [one for one in said.model.segments if (labels == one.value).any()]
    voxel_ml = float(np.prod(spacing)) / 1000
    volumes = [
        {"label": one.label, "ml": round(float((labels == one.value).sum()) * voxel_ml, 3)}
        for one in said.model.segments
    ]
    told = {"program": f"{said.name} {said.version}", "segments": volumes}
    (made / "findings.json").write_text(json.dumps(told))
    if found:
        _segmentation(labels, images, said, found).save_as(made / "segmentation.dcm", enforce_file_format=True)


def _segmentation(labels: Labels, images: list[Dataset], said: Description, found: list[Segment]) -> Dataset:
    from highdicom.content import AlgorithmIdentificationSequence  # noqa: PLC0415 -- it takes a second to load
    from highdicom.seg import Segmentation, SegmentDescription  # noqa: PLC0415
    from highdicom.sr.coding import CodedConcept  # noqa: PLC0415

    family = CodedConcept("123110", "DCM", "Artificial Intelligence")
    algorithm = AlgorithmIdentificationSequence(name=said.name, version=said.version, family=family)
    segments, masks = [], []
    for number, one in enumerate(found, start=1):
        segments.append(
            SegmentDescription(
                number, one.label, CodedConcept(*one.category), CodedConcept(*one.type), "AUTOMATIC", algorithm
            )
        )
        masks.append(labels == one.value)
    segmentation: Dataset = Segmentation(
        source_images=images, pixel_array=np.stack(masks, axis=-1).astype(np.uint8), segmentation_type="BINARY",
        segment_descriptions=segments, series_instance_uid=generate_uid(), series_number=900,
        sop_instance_uid=generate_uid(), instance_number=1, manufacturer="Radrelay",
        manufacturer_model_name=said.name, software_versions=said.version, device_serial_number="1",
        series_description=f"{said.title or said.name} (research use)"[:64],
    )  # fmt: skip
    return segmentation


def _tell(step: str, share: float) -> None:
    print(json.dumps({"step": step, "share": share}), flush=True)  # noqa: T201 -- whoever started this reads it


if __name__ == "__main__":
    try:
        main(*(Path(one) for one in sys.argv[1:4]))
    except RadrelayError as error:
        print(json.dumps({"code": error.code, "message": error.message, "facts": {}}), file=sys.stderr)  # noqa: T201
        sys.exit(REFUSED)
