"""The colors of maps and comparisons: one meaning on the screen and on paper."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[float, float, float]

#: Dark to light, ending in colors that stand out from white matter.
WARM: tuple[Rgb, ...] = (
    (0.55, 0.0, 0.0),
    (0.9, 0.1, 0.0),
    (1.0, 0.5, 0.0),
    (1.0, 0.8, 0.0),
    (1.0, 1.0, 0.4),
)
COLD: tuple[Rgb, ...] = (
    (0.0, 0.1, 0.6),
    (0.0, 0.3, 0.95),
    (0.0, 0.6, 1.0),
    (0.2, 0.85, 1.0),
    (0.6, 1.0, 1.0),
)


@dataclass(frozen=True)
class Hue:
    """One color for one of several maps.

    Attributes
    ----------
    name : str
        For people.
    rgb : tuple of float
        0 to 1.
    """

    name: str
    rgb: Rgb


#: Colors that are told apart with any color vision (Okabe and Ito 2008), those first
#: that stand out from gray and from each other most.
HUES = (
    Hue("orange", (0.9, 0.6, 0.0)),
    Hue("sky blue", (0.34, 0.71, 0.91)),
    Hue("reddish purple", (0.8, 0.47, 0.65)),
    Hue("bluish green", (0.0, 0.62, 0.45)),
    Hue("yellow", (0.94, 0.89, 0.26)),
    Hue("vermilion", (0.84, 0.37, 0.0)),
)
#: Two maps above their thresholds: with the same sign, and with opposite signs.
BOTH = Hue("both", (1.0, 1.0, 1.0))
OPPOSITE = Hue("both, with opposite signs", (0.84, 0.37, 0.0))
