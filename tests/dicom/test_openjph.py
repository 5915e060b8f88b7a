"""HTJ2K through the binding: the first use is alone, and a picture that broke off is no picture."""

from __future__ import annotations

import sys
import threading
from typing import Any

import imagecodecs
import numpy as np
import pytest

from radrelay.dicom import openjph


def noise(edge: int = 64) -> np.ndarray[Any, np.dtype[np.uint16]]:
    return np.random.default_rng(1).normal(1000, 200, (edge, edge)).astype(np.uint16)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "i4"])
@pytest.mark.parametrize("shape", [(1, 1), (17, 40), (17, 40, 3)])
def test_samples_come_back(kind: str, shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(2).integers(0, 100, shape).astype(kind)
    assert np.array_equal(openjph.decode(openjph.encode(samples, reversible=True), planar=False), samples)


def test_two_first_uses_at_once_wait_for_one_that_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most, used = 0, 0, 0
    both = threading.Barrier(6)
    real = imagecodecs.htj2k_encode

    def counted(*given: Any, **options: Any) -> Any:
        nonlocal at_work, most, used
        if options.pop("first", True):
            at_work, used = at_work + 1, used + 1
            most = max(most, at_work)
            made = real(*given, **options)
            at_work -= 1
            return made
        assert (used, at_work) == (12, 0)
        return real(*given, **options)

    openjph.encode(noise(), reversible=True)
    told = sys.unraisablehook
    openjph._fill_tables.cache_clear()
    monkeypatch.setattr(imagecodecs, "htj2k_encode", counted)
    samples, made = noise(), []

    def use() -> None:
        both.wait()
        made.append(openjph.encode(samples, reversible=True, first=False))

    threads = [threading.Thread(target=use) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    sys.unraisablehook = told
    assert most == 1
    assert len(set(made)) == 1


def test_a_picture_that_the_codec_gives_up_on_is_told_and_not_left_black() -> None:
    stream = openjph.encode(noise(256), reversible=True)
    told = 0
    for at in range(400, len(stream), len(stream) // 60):
        damaged = bytearray(stream)
        damaged[at] ^= 0x55
        try:
            openjph.decode(bytes(damaged))
        except openjph.Htj2kFault:
            told += 1
    assert told
    assert np.array_equal(openjph.decode(stream), noise(256))


def test_what_others_cannot_raise_is_still_told_to_who_listened_before() -> None:
    openjph.encode(noise(), reversible=True)
    heard: list[object] = []
    told, sys.unraisablehook = sys.unraisablehook, lambda args: heard.append(args.exc_value)
    openjph._fill_tables.cache_clear()
    try:
        openjph.encode(noise(), reversible=True)

        class Dying:
            def __del__(self) -> None:
                raise KeyError("here")

        Dying()
    finally:
        sys.unraisablehook = told
    assert [str(one) for one in heard] == ["'here'"]
