"""Objects, projects and ways to look at results, for tests of de-identification."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from radrelay.dicom.deidentify import Alias, Deidentified, Option, Project, Refused, deidentify
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import EXPLICIT_LE
from tests.dicom.objects import opened

KEY = bytes(range(32))
CT, SC, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.33"
US = "1.2.840.10008.5.1.4.1.1.6.1"


def project(*options: Option, **more: object) -> Project:
    """Return a project with these options."""
    return Project("trial", KEY, frozenset(options), **more)  # type: ignore[arg-type]


def a_study(sop_class: str = CT, **attributes: object) -> Dataset:
    """Return a data set of a person, to which attributes are added by keyword."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = UID(sop_class), UID("1.3.6.1.4.1.99.1.2.3")
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.3.6.1.4.1.99.1", "1.3.6.1.4.1.99.1.2"
    made.FrameOfReferenceUID = "1.3.6.1.4.1.99.7"
    made.PatientName, made.PatientID, made.IssuerOfPatientID = "Quastenflosser^Zyprian", "PK-774411", "KLINIKUM"
    made.PatientBirthDate, made.PatientSex, made.PatientAge = "19540312", "M", "068Y"
    made.StudyDate, made.StudyTime, made.Modality = "20220504", "101112", "CT"
    made.AccessionNumber, made.StudyID, made.ReferringPhysicianName = "ACC998877", "ST1", "Obermoser^Kunigunde"
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def encoded(data_set: Dataset, ts: str = EXPLICIT_LE) -> bytes:
    """Return the bytes of a data set without file meta information."""
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(ts)
    data_set.file_meta.MediaStorageSOPClassUID = data_set.get("SOPClassUID", "1.2")
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.get("SOPInstanceUID", "1.2.3")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(buffer, data_set, enforce_file_format=True)
    whole = buffer.getvalue()
    return whole[parse_preamble(whole).dataset_offset :]


def result_of(source: Dataset | Path | tuple[bytes, str], ours: Project, alias: Alias | None = None) -> Deidentified:
    """De-identify something that passes."""
    made = outcome_of(source, ours, alias)
    assert isinstance(made, Deidentified), made
    return made


def outcome_of(
    source: Dataset | Path | tuple[bytes, str], ours: Project, alias: Alias | None = None
) -> Deidentified | Refused:
    """De-identify a data set, a file, or bytes with their transfer syntax."""
    if isinstance(source, Dataset):
        data_set, ts = encoded(source), EXPLICIT_LE
    else:
        data_set, ts = opened(source) if isinstance(source, Path) else source
    return deidentify(data_set, ts, ours, alias)


def read(made: Deidentified) -> Dataset:
    """Read a result with pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(made.file))
