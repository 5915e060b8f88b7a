"""Receiving takes the same memory whatever arrives: long series, large slices, and an object of 400 MB."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

from tests.system.installation import Installation, memory_mb, running

ASSOCIATIONS = 4
LIMIT_MB = 150
KB, MB = 1000, 1000_000
SLICES, SLICE_BYTES = 150, 526 * KB
LARGE_SLICES, LARGE_SLICE_BYTES = 10, 4 * MB  # just below what goes into a file of its own
MULTI_FRAME_BYTES = (400 * MB, 40 * MB, 40 * MB, 40 * MB)
NOISE = bytes(range(256)) * 4096


def write_object(path: Path, sop_class: str, study: str, number: int, pixel_bytes: int) -> None:
    """Write an object with so many bytes of pixels (256 columns and rows of 16 bits a frame), piece by piece."""
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = UID(sop_class), UID(f"{study}.1.{number}")
    found.StudyInstanceUID, found.SeriesInstanceUID = UID(study), UID(f"{study}.1")
    found.PatientID, found.PatientName, found.Modality = study, "Large^Study", "CT"
    found.Rows, found.Columns, found.BitsAllocated, found.BitsStored, found.HighBit = 256, 256, 16, 16, 15
    found.SamplesPerPixel, found.PixelRepresentation, found.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    found.InstanceNumber, found.NumberOfFrames = number, max(1, pixel_bytes >> 17)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    head = BytesIO()
    dcmwrite(head, found, enforce_file_format=True)
    length = (pixel_bytes >> 17 << 17) or (1 << 17)
    with path.open("wb") as file:
        file.write(head.getvalue())
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little"))
        for at in range(0, length, len(NOISE)):
            file.write(NOISE[: length - at])


def write_study(folder: Path, sender: int) -> str:
    """Write one association's study; returns its UID."""
    folder.mkdir()
    study = f"1.2.826.0.1.3680043.10.543.9.{sender + 1}"
    for number in range(1, SLICES + 1):
        write_object(folder / f"{number:04d}.dcm", CTImageStorage, study, number, SLICE_BYTES)
    for number in range(SLICES + 1, SLICES + LARGE_SLICES + 1):
        write_object(folder / f"{number:04d}.dcm", CTImageStorage, study, number, LARGE_SLICE_BYTES)
    last = SLICES + LARGE_SLICES + 1
    write_object(folder / f"{last:04d}.dcm", EnhancedCTImageStorage, study, last, MULTI_FRAME_BYTES[sender])
    return study


def send(radrelay: Installation, folder: Path) -> subprocess.Popen[bytes]:
    """Begin to send a folder over one association."""
    return subprocess.Popen(
        ["storescu", "+sd", "localhost", str(radrelay.dicom_port), str(folder)],
        env={"TCP_NODELAY": "1", "PATH": "/usr/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.timeout(1200)
def test_four_associations_with_large_studies_stay_below_150_mb(tmp_path: Path) -> None:
    settings = {
        "RADRELAY_STORAGE__SEGMENT_BYTES": str(64 << 20),  # what a site has that sets nothing
        "RADRELAY_RETENTION__QUIET_S": "3600",
    }
    studies = [write_study(tmp_path / f"sender-{sender}", sender) for sender in range(ASSOCIATIONS)]
    with running(tmp_path / "radrelay", settings, fresh=True) as radrelay:
        pid = radrelay.pid("listen")
        before = memory_mb(pid)
        for _ in range(2):  # what the first leaves behind must not add to the second
            senders = [send(radrelay, tmp_path / f"sender-{sender}") for sender in range(ASSOCIATIONS)]
            for sender in senders:
                _, told = sender.communicate(timeout=900)
                assert sender.returncode == 0, told[-2000:].decode(errors="replace")
            print(f"listen: {before:.0f} MB idle, {memory_mb(pid, 'VmHWM'):.0f} MB at most, {memory_mb(pid):.0f} after")
        assert radrelay.pid("listen") == pid
        assert memory_mb(pid, "VmHWM") <= LIMIT_MB
        for study in studies:
            radrelay.wait_study(study, SLICES + LARGE_SLICES + 1, 600)
