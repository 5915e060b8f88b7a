"""How fast frames are decoded, kept as HTJ2K with proof, and drawn, on one core.

Run ``python benchmarks/pixel_codecs.py [FOLDER]``: FOLDER holds DICOM files of any kind (the collection that
RADRELAY_TEST_DATA names by default); without one, slices are made here. Decoding is set beside pydicom's
``pixel_array`` on the same files, in the same run, as a ratio; the best of several rounds counts.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pydicom

from radrelay.dicom import writing
from radrelay.dicom.decode import decode_frame
from radrelay.dicom.elements import DataElements
from radrelay.dicom.encapsulated import FrameRanges, frame_ranges, locate, reader_of
from radrelay.dicom.htj2k import encode_frame, restore, split
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.pixels import FrameDescriptor, describe
from radrelay.dicom.render import render, thumbnail
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.errors import RadrelayError

ROUNDS = 5


@dataclass(frozen=True)
class Slice:
    """One file, opened."""

    path: Path
    data_set: bytes
    elements: DataElements
    descriptor: FrameDescriptor
    ranges: FrameRanges


def best(work: Callable[[], object]) -> float:
    """Return the least seconds of processor time over some rounds."""
    least = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        least = min(least, time.process_time() - begun)
    return max(least, 1e-9)


def slices(folder: Path) -> Iterator[Slice]:
    """Yield the files of a folder that hold frames."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > 8 << 20:
            continue
        whole = path.read_bytes()
        try:
            head = parse_preamble(whole)
            data_set, ts = whole[head.dataset_offset :], head.transfer_syntax_uid
            if syntax_of(ts).deflated:
                continue
            elements = DataElements.of(data_set, syntax_of(ts))
            read = reader_of(data_set)
            location = locate(elements, read)
            descriptor = describe(elements, ts, location.vr)
            ranges = frame_ranges(descriptor, location, read, len(data_set))
            decode_frame(descriptor, ranges[0].read(read), ranges[0].bit_offset)
        except RadrelayError:
            continue
        yield Slice(path, data_set, elements, descriptor, ranges)


def decode_all(files: list[Slice]) -> None:
    for file in files:
        read = reader_of(file.data_set)
        for item in file.ranges:
            decode_frame(file.descriptor, item.read(read), item.bit_offset)


def with_pydicom(file: Slice) -> pydicom.Dataset | None:
    dataset = pydicom.dcmread(file.path, force=True)
    try:
        dataset.pixel_array  # noqa: B018 - the attribute decodes
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        return None
    return dataset


def report_decoding(files: list[Slice]) -> None:
    by_syntax: dict[str, list[Slice]] = defaultdict(list)
    for file in files:
        by_syntax[file.descriptor.ts].append(file)
    print(f"{'decoding':<48}{'files':>6}{'Mpixel/s':>10}{'of pydicom':>12}")
    for ts, group in sorted(by_syntax.items()):
        pairs = [(file, with_pydicom(file)) for file in group]
        both = [(file, dataset) for file, dataset in pairs if dataset is not None]
        pixels = sum(f.descriptor.rows * f.descriptor.columns * len(f.ranges) for f in group)
        speed = pixels / best(partial(decode_all, group)) / 1e6
        ratio = "no decoder"
        if both:
            theirs = _cold([dataset for _, dataset in both])
            ours = best(partial(decode_all, [file for file, _ in both]))
            ratio = f"{theirs / ours:.2f} ×"
        print(f"{syntax_of(ts).name[:46]:<48}{len(group):>6}{speed:>10.0f}{ratio:>12}")


def _cold(datasets: list[pydicom.Dataset]) -> float:
    def work() -> None:
        for dataset in datasets:
            dataset._pixel_array, dataset._pixel_id = None, {}
            dataset.pixel_array  # noqa: B018 - the attribute decodes

    return best(work)


def report_recipe(files: list[tuple[bytes, str]], name: str) -> None:
    digests = [hashlib.sha256(data).digest() for data, _ in files]
    parted = [split(data, ts, sha256=digest) for (data, ts), digest in zip(files, digests, strict=True)]
    kept = [part for part in parted if part is not None]
    if not kept:
        return
    seconds = best(lambda: [split(data, ts, sha256=digest) for (data, ts), digest in zip(files, digests, strict=True)])
    back = best(lambda: [restore(part) for part in kept])
    received, stored = sum(len(data) for data, _ in files), sum(part.stored_bytes for part in kept)
    print(
        f"{name:<32}{len(files) / seconds:>7.0f} slices/s split and proven{len(kept) / back:>8.0f} slices/s restored"
        f"{received / stored:>7.2f}:1"
    )


def report_codec_alone(files: list[Slice]) -> None:
    """Print what the codec takes of the recipe: encoding and decoding without walking, hashing and joining."""
    frames = [decode_frame(f.descriptor, f.ranges[0].read(reader_of(f.data_set))) for f in files]
    encoded = [encode_frame(frame) for frame in frames]
    descriptors = [f.descriptor.stored_as_htj2k() for f in files]
    out = best(lambda: [encode_frame(frame) for frame in frames]) / len(frames)
    back = best(lambda: [decode_frame(d, e) for d, e in zip(descriptors, encoded, strict=True)]) / len(frames)
    print(f"{'codec alone':<32}{out * 1e3:>7.2f} ms encode{back * 1e3:>8.2f} ms decode")


def report_pictures(files: list[Slice]) -> None:
    samples = [decode_frame(f.descriptor, f.ranges[0].read(reader_of(f.data_set))) for f in files]
    whole = best(lambda: [render(f.elements, s, descriptor=f.descriptor) for f, s in zip(files, samples, strict=True)])
    parted = [(f, part) for f in files if (part := split(f.data_set, f.descriptor.ts)) is not None]
    small = best(lambda: [thumbnail(f.elements, part.descriptor, part.frames[0], edge=128) for f, part in parted])
    print(f"{'JPEG of a whole frame':<32}{whole / len(files) * 1e3:>7.2f} ms")
    print(f"{'thumbnail of a stored frame':<32}{small / max(1, len(parted)) * 1e3:>7.2f} ms")


def made_slices(count: int = 20) -> list[tuple[bytes, str]]:
    """Make CT-like slices where no collection is at hand."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    made = []
    for number in range(count):
        body = np.where(x**2 + (y * 1.3) ** 2 < 0.6 + number / 100, 40.0, -1000.0) + rng.normal(0, 12, (512, 512))
        words = ((0x00280002, 1), (0x00280010, 512), (0x00280011, 512), (0x00280100, 16), (0x00280101, 16))
        elements = {
            tag: writing.element(tag, "US", value) for tag, value in (*words, (0x00280102, 15), (0x00280103, 1))
        }
        elements[0x00280004] = writing.element(0x00280004, "CS", "MONOCHROME2")
        elements[0x7FE00010] = writing.element(0x7FE00010, "OW", body.astype("<i2").tobytes())
        made.append((writing.join(elements), EXPLICIT_LE))
    return made


def main() -> None:
    warnings.simplefilter("ignore")
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("RADRELAY_TEST_DATA", "")
    report_recipe(made_slices(), "made CT, 512²")
    if not named:
        return
    files = list(slices(Path(named)))
    native = [
        f for f in files if not f.descriptor.syntax.encapsulated and f.descriptor.rows == 512 == f.descriptor.columns
    ]
    ct = [f for f in native if f.descriptor.bits_allocated == 16 and f.descriptor.samples == 1]
    report_recipe([(f.data_set, f.descriptor.ts) for f in ct], f"{len(ct)} files, 512², 16 bit")
    report_codec_alone(ct)
    report_pictures(ct)
    report_decoding(files)


if __name__ == "__main__":
    main()
