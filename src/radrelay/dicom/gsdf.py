"""The Grayscale Standard Display Function (PS3.14): which luminance makes equal steps of grey look equal.

Luminances are in cd/m² and contain what the room reflects (PS3.14 6): the sum of what the display emits and of the
ambient luminance. JND indices count just noticeable differences from 0.05 cd/m². Grey values are 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

LOWEST_INDEX, HIGHEST_INDEX = 1.0, 1023.0
LOWEST_LUMINANCE, HIGHEST_LUMINANCE = 0.05, 3993.4
WHITE = 255

# PS3.14 7.1: log10 L(j) is a fraction of two polynomials in ln j, by rising powers
_NUMERATOR = np.array([-1.3011877, 8.0242636e-2, 1.3646699e-1, -2.5468404e-2, 1.3635334e-3])
_DENOMINATOR = np.array([1.0, -2.5840191e-2, -1.0320229e-1, 2.8745620e-2, -3.1978977e-3, 1.2992634e-4])
# PS3.14 7.1, note 1: j(L) is a polynomial in log10 L, by rising powers
_INVERSE = np.array(
    [71.498068, 94.593053, 41.912053, 9.8247004, 0.28175407, -1.1878455, -0.18014349, 0.14710899, -0.017046845]
)


class ResponseUnusable(ValueError):
    """The luminances do not rise with the greys, or leave the function's range: no display function fits them."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a display answers to grey values: `luminances[i]` (cd/m², with ambient) is what `greys[i]` looks like.

    Raises `ResponseUnusable` unless greys 0 and 255 are among them, and each is brighter than the one before.
    """

    greys: tuple[int, ...]
    luminances: tuple[float, ...]

    def __post_init__(self) -> None:
        steps = zip(self.greys, self.greys[1:], self.luminances, self.luminances[1:], strict=False)
        rising = all(before < after and dark < bright for before, after, dark, bright in steps)
        whole = len(self.greys) == len(self.luminances) and self.greys[:1] == (0,) and self.greys[-1:] == (WHITE,)
        if not rising or not whole or len(self.greys) < 2:
            raise ResponseUnusable("the luminances do not rise from grey 0 to grey 255")
        if self.luminances[0] < LOWEST_LUMINANCE or self.luminances[-1] > HIGHEST_LUMINANCE:
            raise ResponseUnusable(f"the luminances leave {LOWEST_LUMINANCE} to {HIGHEST_LUMINANCE} cd/m² (PS3.14 7)")

    def indices(self) -> Numbers:
        """Return the JND indices of the luminances."""
        return index_of(np.array(self.luminances))


def luminance_of(index: float | Numbers) -> Numbers:
    """Return the luminance in cd/m² of JND indices 1 to 1023 (PS3.14 7.1)."""
    logarithm = np.log(np.asarray(index, np.float64))
    powers = np.polynomial.polynomial.polyval
    fraction: Numbers = powers(logarithm, _NUMERATOR) / powers(logarithm, _DENOMINATOR)
    return np.asarray(10.0**fraction)


def index_of(luminance: float | Numbers) -> Numbers:
    """Return the JND index of luminances of 0.05 to 3993.4 cd/m² (PS3.14 7.1, note 1)."""
    logarithm = np.log10(np.asarray(luminance, np.float64))
    return np.asarray(np.polynomial.polynomial.polyval(logarithm, _INVERSE))


def expected(darkest: float, brightest: float, greys: Sequence[int]) -> Numbers:
    """Return the luminances that greys should have between those of black and white: equal steps of JND (PS3.14 7.1).

    `darkest` and `brightest` are in cd/m² and contain the ambient luminance.
    """
    low, high = index_of(darkest), index_of(brightest)
    return luminance_of(low + np.asarray(greys, np.float64) / WHITE * (high - low))


def contrasts(luminances: Numbers, indices: Numbers) -> Numbers:
    """Return dL/L for each JND of each step: 2 (L' - L) / ((L' + L) (J' - J)) (AAPM TG18, luminance response)."""
    rise = 2 * np.diff(luminances) / (luminances[1:] + luminances[:-1])
    return np.asarray(rise / np.diff(indices))


def deviations(response: Response) -> tuple[float, ...]:
    """Return how far the contrast of each step is from the function's own, in percent.

    The steps are those between neighbouring greys. As AAPM TG18 does it, both contrasts are taken over the same
    JND indices, those that the greys should have.
    """
    low, high = response.indices()[[0, -1]]
    indices = low + np.array(response.greys, np.float64) / WHITE * (high - low)
    wanted = contrasts(luminance_of(indices), indices)
    found = contrasts(np.array(response.luminances), indices)
    return tuple(float(value) for value in (found - wanted) / wanted * 100)


def correction(response: Response) -> tuple[int, ...]:
    """Return for each grey 0 to 255 the grey to send so that the display follows the function as near as it can.

    The table never falls, and leaves black black and white white. Between the measured greys the JND index is
    interpolated by a rising cubic (Fritsch and Carlson, SIAM J Numer Anal 17, 1980).
    """
    indices = _rising_cubic(np.array(response.greys, np.float64), response.indices(), np.arange(WHITE + 1.0))
    wanted = np.linspace(indices[0], indices[-1], WHITE + 1)
    above = np.clip(np.searchsorted(indices, wanted), 1, WHITE)
    nearer_below = wanted - indices[above - 1] <= indices[above] - wanted
    table = np.where(nearer_below, above - 1, above)
    table[0], table[-1] = 0, WHITE
    return tuple(int(grey) for grey in table)


def corrected(response: Response, table: Sequence[int]) -> Response:
    """Return what the same display should answer behind a correction table: a forecast, no measurement."""
    indices = _rising_cubic(np.array(response.greys, np.float64), response.indices(), np.arange(WHITE + 1.0))
    luminances = luminance_of(indices[[table[grey] for grey in response.greys]])
    return Response(response.greys, tuple(float(value) for value in luminances))


def _rising_cubic(places: Numbers, values: Numbers, wanted: Numbers) -> Numbers:
    """Interpolate rising values by cubics that rise, too."""
    widths = np.diff(places)
    slopes = np.diff(values) / widths
    tangents = np.empty_like(values)
    tangents[0], tangents[-1] = slopes[0], slopes[-1]
    tangents[1:-1] = 2 / (1 / slopes[1:] + 1 / slopes[:-1])  # the harmonic mean never makes a cubic turn back
    at = np.clip(np.searchsorted(places, wanted, side="right") - 1, 0, len(widths) - 1)
    width = widths[at]
    share = (wanted - places[at]) / width
    rest = 1 - share
    return np.asarray(
        values[at] * (1 + 2 * share) * rest**2
        + values[at + 1] * share**2 * (3 - 2 * share)
        + width * share * rest * (tangents[at] * rest - tangents[at + 1] * share)
    )
