"""Decoders that misbehave as damaged code streams make real ones do: for decoder processes in tests only."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np

from radrelay.dicom.codecs import DECODERS
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import FrameDescriptor
from radrelay.dicom.samples import Decoded

HANGS, SPINS, CRASHES, SWALLOWS, LIES, ENDS = b"hangs", b"spins", b"crashes", b"swallows", b"lies", b"ends"
genuine = DECODERS["jpeg-ls"]


def misbehave(descriptor: FrameDescriptor, data: Buffer) -> Decoded:
    """Do what the code stream says."""
    asked = bytes(data).rstrip(b"\0")
    if asked == HANGS:
        time.sleep(3600)
    if asked == SPINS:
        while True:  # with the interpreter's lock held, as pyjpegls does
            pass
    if asked == CRASHES:
        ctypes.string_at(0)
    if asked == SWALLOWS:
        np.ones(8 << 30, np.uint8)
    if asked == ENDS:
        os._exit(3)
    if asked == LIES:
        os.write(4, b"\xff" * 64)
        os.write(5, b"\xff" * 64)
        os.write(6, b"\xff" * 64)
    return genuine(descriptor, data)


codecs = {"jpeg-ls": misbehave}
