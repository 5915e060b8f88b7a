"""Where the pixels of a pane of a volume lie in the patient, worked out from what the page says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def points_of(pane: dict[str, Any]) -> NDArray[np.float64]:
    """Return the points (mm) at the middles of a pane's pixels, shape (height, width, 3).

    Parameters
    ----------
    pane
        `width` and `height` in pixels, `size` on the page, `view` with its directions, the `cursor`.
    """
    view = pane["view"]
    right, down, normal, centre = (np.array(view[key]) for key in ("right", "down", "normal", "centre"))
    middle = centre + normal * ((np.array(pane["cursor"]) - centre) @ normal)
    y, x = np.mgrid[0 : pane["height"], 0 : pane["width"]] + 0.5
    pixel_mm = pane["size"]["width"] / pane["width"] / view["scale"]
    points = middle + ((x - pane["width"] / 2) * pixel_mm)[..., None] * right
    found: NDArray[np.float64] = points + ((y - pane["height"] / 2) * pixel_mm)[..., None] * down
    return found
