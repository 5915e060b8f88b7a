"""DICOM files and archives made for the tests from pydicom's own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import UID


def ct_file(sop: str = "", patient_id: str = "", note: str = "", pixel_bytes: int = 0) -> bytes:
    """Return CT_small.dcm as a file, with another SOP instance UID, patient ID, comment or size of pixel data."""
    path = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    data = pydicom.dcmread(path)
    if sop:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = UID(sop)
    if patient_id:
        data.PatientID = patient_id
    if note:
        data.ImageComments = note
    if pixel_bytes:
        data.PixelData = bytes(pixel_bytes)
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP of members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()
