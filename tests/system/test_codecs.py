"""Every transfer syntax is stored as sent and comes back byte for byte; what can be decoded is also given decoded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config

from tests.system.installation import Installation, running
from tests.system.samples import Sample, data_set_of, distinct, has_uids

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns: real files break rules

PYDICOM = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "JPEG-lossy.dcm", "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm", "rtplan.dcm", "reportsi.dcm",
    "SC_rgb_jpeg_gdcm.dcm", "693_J2KR.dcm", "examples_palette.dcm", "examples_ybr_color.dcm", "waveform_ecg.dcm",
)  # fmt: skip
LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203)}
FILMS = ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102")


@pytest.fixture(scope="module", params=["shared", "pydicom"])
def collection(request: pytest.FixtureRequest) -> list[Path]:
    """Give the files of a collection."""
    if request.param == "shared":
        folder = request.getfixturevalue("shared_data") / "codecs"
        return [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [Path(found) for name in PYDICOM if isinstance(found := get_testdata_file(name, download=False), str)]


@pytest.fixture(scope="module")
def radrelay(collection: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation for each collection: they share objects."""
    del collection
    with running(tmp_path_factory.mktemp("radrelay")) as made:
        yield made


@pytest.fixture(scope="module")
def kept(collection: list[Path], radrelay: Installation, tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Send a collection, data sets untouched, and return what must be there."""
    samples = distinct([path for path in collection if has_uids(path)], tmp_path_factory.mktemp("distinct"))
    assert len({item.transfer_syntax for item in samples}) >= 5
    store(radrelay, samples)
    for study in {item.study for item in samples}:
        radrelay.wait_study(study, sum(item.study == study for item in samples))
    return samples


def store(radrelay: Installation, samples: list[Sample]) -> None:
    """Send each object in its own syntax, the encoded data set as it is."""
    pairs = {(class_of(item), item.transfer_syntax) for item in samples}
    ae = AE("CODECS")
    for sop_class, syntax in sorted(pairs):
        ae.add_requested_context(sop_class, [syntax])
    association = ae.associate("127.0.0.1", radrelay.dicom_port)
    assert association.is_established
    assert not association.rejected_contexts
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        statuses = {item.path.name: association.send_c_store(item.path).Status for item in samples}
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = False
    association.release()
    assert {name: status for name, status in statuses.items() if status} == {}


def class_of(item: Sample) -> str:
    return str(dcmread(item.path, stop_before_pixels=True).file_meta.MediaStorageSOPClassUID)


def in_syntax(http: httpx2.Client, item: Sample, syntax: str) -> httpx2.Response:
    path = f"/dicom-web/studies/{item.study}/series/{item.series}/instances/{item.sop}"
    return http.get(path, headers={"Accept": f"application/dicom; transfer-syntax={syntax}"})


def test_every_syntax_comes_back_as_it_was_sent(radrelay: Installation, kept: list[Sample]) -> None:
    wrong: dict[str, str] = {}
    with radrelay.http() as http:
        for item in kept:
            answer = in_syntax(http, item, "*")
            if answer.status_code != 200:
                wrong[item.path.name] = f"{answer.status_code} {answer.text[:100]}"
                continue
            meta = dcmread(BytesIO(answer.content), stop_before_pixels=True).file_meta
            if (meta.TransferSyntaxUID, data_set_of(answer.content)) != (item.transfer_syntax, item.data_set):
                wrong[item.path.name] = f"{len(answer.content)} bytes in {meta.TransferSyntaxUID}"
    assert wrong == {}


def test_explicit_little_endian_holds_the_pixels_that_pydicom_decodes(
    radrelay: Installation, kept: list[Sample]
) -> None:
    wrong: dict[str, str] = {}
    compared = 0
    with radrelay.http() as http:
        for item in kept:
            wanted = pixels(dcmread(item.path))
            if wanted is None:
                continue
            answer = in_syntax(http, item, ExplicitVRLittleEndian)
            if answer.status_code != 200:
                wrong[item.path.name] = f"{answer.status_code} {answer.text[:100]}"
                continue
            found = pixels(dcmread(BytesIO(answer.content)))
            compared += 1
            if found is None or found.shape != wanted.shape:
                wrong[item.path.name] = f"{None if found is None else found.shape}, not {wanted.shape}"
            elif difference(found, wanted) > (3 if item.transfer_syntax in LOSSY else 0):
                wrong[item.path.name] = f"differs by {difference(found, wanted)} in {item.transfer_syntax}"
    assert compared >= 5
    assert wrong == {}


def pixels(data_set: Dataset) -> np.ndarray | None:
    """Return what pydicom decodes; nothing if it cannot, or if there is nothing to decode."""
    if not any(name in data_set for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return data_set.pixel_array
        except (AttributeError, NotImplementedError, RuntimeError, ValueError, TypeError):
            return None


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference of two pixels."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


def test_films_are_given_as_stored_or_not_at_all(radrelay: Installation, kept: list[Sample]) -> None:
    with radrelay.http() as http:
        for item in kept:
            if item.transfer_syntax in FILMS:
                assert in_syntax(http, item, ExplicitVRLittleEndian).status_code == 406
                assert in_syntax(http, item, item.transfer_syntax).status_code == 200
