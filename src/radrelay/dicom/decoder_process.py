"""A decoder process: takes compressed frames from its role, one after the other, and gives samples back.

It holds no key and no database, has as much memory as the frame's size allows for, and ends with its role.
Run as `python -m radrelay.dicom.decoder_process <file> [<module>]`: the file in memory, and in tests a module whose
`codecs` are used beside ours.
"""

from __future__ import annotations

import importlib
import math
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec
import numpy as np

from radrelay.dicom.codecs import DECODERS, decode_here, reduce_here, said
from radrelay.dicom.decoder_protocol import READY, Answer, Gone, Job, put, receive, send, take, write_all
from radrelay.dicom.pdf_pages import UnreadableDocument, draw_page, list_pages, text_of_page
from radrelay.dicom.pictures import UnreadablePicture, read_pictures
from radrelay.dicom.pixels import BrokenPixels
from radrelay.dicom.samples import Decoded

_STATM = Path("/proc/self/statm")
_LONGEST = 2000


def main(arguments: list[str]) -> None:
    """Work until the role closes its end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # why: libraries print what they think of a code stream
        os.dup2(nowhere, standard)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's picture
    if len(arguments) > 1:
        DECODERS.update(importlib.import_module(arguments[1]).codecs)
    file = int(arguments[0])
    write_all(answers, READY)
    while True:
        try:
            job = msgspec.msgpack.decode(receive(jobs), type=Job)
        except Gone:
            return
        send(answers, _answer(job, file))


def _answer(job: Job, file: int) -> Answer:
    _limit_memory(job.memory_bytes)
    _limit_time(job.cpu_s)
    try:
        data = np.empty(job.length, np.uint8)
        take(file, data)
        return _worked(job, data.tobytes(), file)
    except BrokenPixels as error:
        return Answer("broken-pixels", error.message[:_LONGEST])
    except UnreadablePicture as error:
        return Answer("unreadable-picture", error.message[:_LONGEST])
    except UnreadableDocument as error:
        return Answer("unreadable-document", error.message[:_LONGEST])
    except MemoryError:
        return Answer("broken-pixels", "Decoding took more memory than a picture of this size may.")
    except Exception as error:  # why: a fault that nobody foresaw is the picture's, too; the asker is told
        return Answer("broken-pixels", f"The picture cannot be decoded: {said(error)}"[:_LONGEST])


def _worked(job: Job, data: bytes, file: int) -> Answer:
    if job.kind == "pictures":
        return Answer(length=put(file, msgspec.msgpack.encode(read_pictures(data))))
    if job.kind == "pages":
        return Answer(length=put(file, msgspec.msgpack.encode(list_pages(data))))
    if job.kind == "page":
        return Answer(length=put(file, draw_page(data, job.page, job.width)))
    if job.kind == "page-text":
        return Answer(length=put(file, text_of_page(data, job.page).encode("utf-8", "replace")))
    if job.descriptor is None:
        raise BrokenPixels
    if job.kind == "frame":
        decoded = decode_here(job.descriptor, data, masked=job.masked)
    else:
        decoded = reduce_here(job.descriptor, data, job.levels)
    return _samples(decoded, file)


def _samples(decoded: Decoded, file: int) -> Answer:
    samples = np.ascontiguousarray(decoded.samples)
    length = put(file, samples.reshape(-1).view(np.uint8).data)
    return Answer(
        length=length,
        shape=samples.shape,
        dtype=samples.dtype.str,
        photometric=decoded.photometric,
        precision=decoded.precision,
    )


def _limit_memory(more_bytes: int) -> None:
    """Let this process take `more_bytes` beside the address space that it has."""
    has = int(_STATM.read_text().split()[0]) * resource.getpagesize() if _STATM.exists() else 1 << 30
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + more_bytes, hard))


def _limit_time(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + seconds, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
