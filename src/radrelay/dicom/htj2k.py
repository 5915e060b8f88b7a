"""The lossless recipe: native pixel data kept as HTJ2K, the data set restored byte for byte.

In: a data set as received. Out: prefix + HTJ2K frames + suffix + recipe (byte order, planes, what is left over),
proven by reassembling it before it is handed out; None where the bytes are better kept as they came (PS3.5 8.2.16).
The codec works outside the interpreter's lock, so that an executor of threads uses all cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import imagecodecs
import msgspec
import numpy as np

from radrelay.dicom import openjph
from radrelay.dicom.codestreams import name_precision
from radrelay.dicom.elements import Buffer, DataElements
from radrelay.dicom.encapsulated import locate, reader_of
from radrelay.dicom.errors import Malformed
from radrelay.dicom.pixels import BrokenPixels, FrameDescriptor, NotViewable, Pixels, PixelsTooLarge, describe
from radrelay.dicom.samples import precision_of
from radrelay.dicom.syntaxes import syntax_of

RESOLUTIONS = 5
RESOLUTIONS_ABOVE_2048 = 6
SMALLEST_FRAME = 1024
"""Frames of fewer bytes gain nothing: a code stream's own header takes about 250."""


class NotProven(BrokenPixels):
    """The recipe does not give the received bytes back."""

    code = "not-proven"


class Recipe(msgspec.Struct, frozen=True, array_like=True):
    """How decoded frames become the received bytes again. Kept beside the frames (msgpack)."""

    rows: int
    columns: int
    samples: int
    word_bytes: int
    signed: bool
    big_endian: bool
    planar: bool
    word_swapped: bool
    frames: int
    data_set_bytes: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """A data set in parts: `prefix` ends where the pixel data's value begins, `suffix` begins after its frames.

    `descriptor` tells how the stored frames are to be read: RPCL HTJ2K, planes interleaved.
    """

    prefix: bytes
    frames: list[bytes]
    suffix: bytes
    recipe: Recipe
    descriptor: FrameDescriptor
    sha256: bytes

    @property
    def stored_bytes(self) -> int:
        """Return the bytes of all parts."""
        return len(self.prefix) + len(self.suffix) + sum(map(len, self.frames))


def resolutions_for(rows: int, columns: int) -> int:
    """Return the number of wavelet decompositions for a frame of this size."""
    return RESOLUTIONS_ABOVE_2048 if max(rows, columns) > 2048 else RESOLUTIONS


def encode_frame(samples: Pixels, *, colour_transform: bool = True, precision: int | None = None) -> bytes:
    """Encode samples, shape (rows, columns[, 3]), as lossless HTJ2K: RPCL, TLM, a tile-part per resolution.

    `colour_transform` applies RCT to three samples (YBR_RCT); leave it off for YBR and palettes. `precision` is the
    number of bits that the code stream names, all of the word's if not given; every sample has to fit into it.

    The encoder only knows whole words. The level shift of an unsigned stream is half of its range (T.800 G.1): shifted
    by the difference, samples of fewer bits make the same coefficients, and only the SIZ marker has to be changed.
    """
    bits = precision or samples.dtype.itemsize * 8
    if bits <= samples.dtype.itemsize * 4:  # why: a stream made of wider words names more bit planes than some read
        samples = samples.astype(f"{samples.dtype.kind}{1 if bits <= 8 else 2}")
    width = samples.dtype.itemsize * 8
    if bits < width and samples.dtype.kind == "u":
        samples = samples + samples.dtype.type((1 << width - 1) - (1 << bits - 1))
    coloured = samples.ndim == 3
    encoded = openjph.encode(
        samples,
        reversible=True,
        tlm=True,
        tilepart=imagecodecs.HTJ2K.TILEPART.RESOLUTIONS,
        resolutions=resolutions_for(*samples.shape[:2]),
        rgb=coloured and colour_transform,
        planar=False if coloured else None,
    )
    return encoded if bits == width else name_precision(encoded, bits)


def split(data_set: Buffer, ts: str, *, sha256: bytes | None = None, executor: Executor | None = None) -> Split | None:
    """Part a data set and encode its frames, or return None when it is to be kept as received.

    Parameters
    ----------
    data_set
        The data set without preamble and file meta information.
    ts
        Its transfer syntax.
    sha256
        The digest of the data set at receipt (32 bytes); computed when not given.
    executor
        Threads for the frames of a multi-frame object.

    Returns
    -------
    Split or None
        None for compressed, deflated, 1-bit, float, 4:2:2, short or tiny data, when HTJ2K does not take it or make it
        smaller, or when the reassembled data set's SHA-256 is not the received one's.
    """
    parts = _parts(data_set, ts)
    if parts is None:
        return None
    recipe, descriptor, begin, end = parts
    view = memoryview(data_set)
    step = descriptor.frame_bytes
    stored = descriptor.stored_as_htj2k()
    transform = stored.photometric == "YBR_RCT"

    def work(start: int) -> tuple[bytes, bytes]:
        frame = view[start : start + step]
        samples = _samples(frame, recipe)
        encoded = encode_frame(samples, colour_transform=transform, precision=_precision(samples, descriptor))
        return encoded, _received(encoded, recipe)

    starts = range(begin, end, step)
    digest = hashlib.sha256(view[:begin])
    frames: list[bytes] = []
    budget = len(view)
    try:
        for encoded, received in _map(work, starts, executor):
            digest.update(received)
            frames.append(encoded)
            budget -= len(encoded)
    except (RuntimeError, ValueError):  # the codec does not take these samples: what is received is kept
        return None
    digest.update(view[end:])
    expected = sha256 or hashlib.sha256(view).digest()
    if digest.digest() != expected or budget <= begin + (len(view) - end):
        return None
    return Split(bytes(view[:begin]), frames, bytes(view[end:]), recipe, stored, expected)


def _map(
    work: Callable[[int], tuple[bytes, bytes]], starts: Sequence[int], executor: Executor | None
) -> Iterator[tuple[bytes, bytes]]:
    """Work frames off in order, at most a few dozen ahead, so that a long multi-frame object stays small."""
    if executor is None or len(starts) == 1:
        yield from map(work, starts)
        return
    ahead = 32
    for at in range(0, len(starts), ahead):
        yield from executor.map(work, starts[at : at + ahead])


def _parts(data_set: Buffer, ts: str) -> tuple[Recipe, FrameDescriptor, int, int] | None:
    """Return the recipe, the received frames' descriptor and where frames begin and end; None if unfit."""
    syntax = syntax_of(ts)
    if syntax.encapsulated or syntax.deflated:
        return None
    try:
        elements = DataElements.of(data_set, syntax)
        descriptor = describe(elements, ts)
        location = locate(elements, reader_of(data_set))
    except (Malformed, NotViewable, PixelsTooLarge):
        return None
    step = descriptor.frame_bytes
    declared = elements.integers(0x00280008)
    frames = declared[0] if declared else 1
    unfit = (
        descriptor.kind != "integer"
        or descriptor.bits_allocated not in (8, 16, 32)
        or descriptor.samples not in (1, 3)
        or descriptor.subsampled
        or step < SMALLEST_FRAME
        or (descriptor.word_swapped and step % 2)
    )
    there = min(location.length or 0, len(data_set) - location.offset)
    if unfit or frames < 1 or there < frames * step:
        return None
    recipe = Recipe(
        rows=descriptor.rows,
        columns=descriptor.columns,
        samples=descriptor.samples,
        word_bytes=descriptor.bits_allocated // 8,
        signed=descriptor.signed,
        big_endian=not syntax.little_endian,
        planar=descriptor.planar == 1,
        word_swapped=descriptor.word_swapped,
        frames=frames,
        data_set_bytes=len(data_set),
    )
    return recipe, descriptor, location.offset, location.offset + frames * step


def _precision(samples: Pixels, descriptor: FrameDescriptor) -> int:
    """Return the bits that a frame's code stream names (PS3.5 8.2.16): Bits Stored, where that tells all of its words.

    It does not where other bits are in use (old overlays, values beyond the range) or the values stand higher up.
    """
    low = descriptor.high_bit == descriptor.bits_stored - 1
    return precision_of(samples, descriptor) if low else descriptor.bits_allocated


def _samples(frame: Buffer, recipe: Recipe) -> Pixels:
    """Return received bytes as samples in machine order, shape (rows, columns[, samples])."""
    stored = np.frombuffer(frame, _word(recipe))
    if recipe.word_swapped:
        stored = stored.reshape(-1, 2)[:, ::-1].reshape(-1)
    samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if recipe.planar:
        planes = samples.reshape(recipe.samples, recipe.rows, recipe.columns)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    return samples.reshape((recipe.rows, recipe.columns, recipe.samples)[: 2 if recipe.samples == 1 else 3])


def _word(recipe: Recipe) -> np.dtype[np.generic]:
    """Return the type of one sample as it stands in the data set."""
    return np.dtype(f"{'>' if recipe.big_endian else '<'}{'i' if recipe.signed else 'u'}{recipe.word_bytes}")


def _received(encoded: bytes, recipe: Recipe) -> bytes:
    """Return the bytes of one frame as they were received."""
    samples = openjph.decode(encoded, planar=False)
    if recipe.planar:
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    # why: samples of 8 bits or fewer are decoded to bytes, whatever the words that they came in
    samples = samples.astype(_word(recipe), copy=False)
    if recipe.word_swapped:
        samples = samples.reshape(-1, 2)[:, ::-1]
    return bytes(samples.tobytes())


def restore_frames(frames: Iterable[bytes], recipe: Recipe) -> Iterator[bytes]:
    """Yield each frame's bytes as received, one at a time, so that a stream never holds the whole object."""
    for encoded in frames:
        yield _received(encoded, recipe)


def restore(parted: Split) -> bytes:
    """Return the data set as received.

    Raises
    ------
    NotProven
        When the bytes do not have the digest noted at receipt.
    """
    whole = b"".join([parted.prefix, *restore_frames(parted.frames, parted.recipe), parted.suffix])
    if hashlib.sha256(whole).digest() != parted.sha256:
        raise NotProven
    return whole
