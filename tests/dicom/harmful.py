"""Pictures that harm their decoder, and a pool of decoders that lets them."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from radrelay.dicom import decoder_pool
from radrelay.dicom.decoder_pool import DecoderLimits, DecoderPool

ROOT = Path(__file__).parents[2]
DEADLINE_S = 1.5


@contextmanager
def hostile_pool(patch: pytest.MonkeyPatch, limits: DecoderLimits | None = None) -> Iterator[DecoderPool]:
    """Let this process use decoders that do what their bytes say (`hostile_codecs`)."""
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    limits = limits or DecoderLimits(deadline_s=DEADLINE_S, processes=2)
    pool = DecoderPool(limits, codecs="tests.dicom.hostile_codecs")
    patch.setattr(decoder_pool, "_pool", pool)
    try:
        yield pool
    finally:
        pool.close()


def harmful_file(harm: bytes, sop_uid: str = "", frames: int = 1) -> bytes:
    """Return pydicom's JPEG-LS file with frames that do `harm`."""
    path = get_testdata_file("MR_small_jpeg_ls_lossless.dcm", download=False)
    assert isinstance(path, str)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([harm] * frames)
        dataset["PixelData"].is_undefined_length = True
        if frames > 1:
            dataset.NumberOfFrames = frames
        if sop_uid:
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
        dataset.save_as(out)
    return out.getvalue()
