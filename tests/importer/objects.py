"""Objects from elsewhere for the importer's tests: small, with what reconciliation touches."""

from __future__ import annotations

import io
import warnings
from functools import cache
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

from radrelay.dicom import phantoms
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.dicom.syntaxes import EXPLICIT_BE, EXPLICIT_LE
from tests.dicom.objects import CT

NO_PREAMBLE = len(file_meta("", "", ""))


@cache
def _file() -> bytes:
    return next(iter(phantoms.study("mr-head", slices=1, size=8)))


def foreign(ts: str = EXPLICIT_LE, **values: Any) -> tuple[bytes, str]:
    """Return a slice with other values as data set and transfer syntax; None takes an attribute out."""
    data = pydicom.dcmread(io.BytesIO(_file()))
    for name, value in values.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data_set_of(data, ts), ts


def data_set_of(data: Dataset, ts: str) -> bytes:
    """Return a pydicom data set as bytes without file meta information."""
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(ts)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(
            out, data, implicit_vr=data.file_meta.TransferSyntaxUID.is_implicit_VR, little_endian=ts != EXPLICIT_BE
        )
    whole = out.getvalue()
    return whole[parse_preamble(whole).dataset_offset :]


def header_of(found: tuple[bytes, str]) -> Header:
    return parse(*found)


def read(data_set: bytes, ts: str) -> Dataset:
    """Return a data set as pydicom reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(file_meta(CT, "1.2.3", ts) + data_set), force=True)


def item(**values: Any) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def sequence(*items: Dataset) -> Sequence:
    return Sequence(items)
