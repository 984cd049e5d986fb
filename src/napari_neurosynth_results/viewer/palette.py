"""Colors for clusters that stay the same while a threshold moves, and for studies.

A cluster is known by its peak, which stays where it is until a stronger cluster
swallows it. So colors belong to peaks. A study is known by its place in the list.
"""

from __future__ import annotations

import colorsys
from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Voxel

Colors = npt.NDArray[np.float32]

N_COLORS = 24
#: Neighbors in the sequence differ most when hues go on by the golden ratio.
_GOLDEN = 0.6180339887
#: From green over blue to pink: red, orange and yellow are the colors of the maps.
_HUES = (0.24, 0.92)
#: Darker than brain tissue, which it would be lost in.
GRAY = (0.2, 0.2, 0.2, 1.0)
CHOSEN = (1.0, 1.0, 1.0, 1.0)
#: Okabe and Ito's colors for all kinds of color vision, without black.
_FOR_ALL = ("e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "cc79a7")
#: After one round the same hues come lighter, then darker.
_TOWARDS = ((1.0, 0.0), (0.5, 0.5), (0.6, 0.0))


def cluster_colors(
    peaks: Sequence[Voxel],
    remembered: MutableMapping[Voxel, int],
    significant: npt.NDArray[np.bool_],
) -> Colors:
    """Color clusters, those that are not significant gray.

    Parameters
    ----------
    peaks : sequence of tuple
        Voxel of each cluster's peak.
    remembered : mapping
        Peak -> number of its color; new peaks are added, with the color that the fewest
        of these clusters have.
    significant : ndarray of bool
        Which clusters are.

    Returns
    -------
    ndarray of float32, shape (n + 1, 4)
        Color of each label; 0 is transparent.
    """
    known = [remembered[peak] for peak in peaks if peak in remembered]
    used = np.bincount(known, minlength=N_COLORS)
    for peak in peaks:
        if peak not in remembered:
            remembered[peak] = int(np.argmin(used))
            used[remembered[peak]] += 1
    # Two rows at least: napari cycles through all but the first.
    colors = np.zeros((max(len(peaks), 1) + 1, 4), np.float32)
    colors[1 : len(peaks) + 1] = _PALETTE[[remembered[peak] for peak in peaks]]
    colors[1 : len(peaks) + 1][~significant] = GRAY
    return colors


def study_colors(numbers: npt.NDArray[np.integer[Any]]) -> Colors:
    """Color studies: 21 are told apart, whatever colors one sees.

    Parameters
    ----------
    numbers : ndarray of int
        Places of studies in their list, from 0.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        Their colors; the 22nd study has that of the first.
    """
    colors: Colors = _STUDIES[numbers % len(_STUDIES)]
    return colors


def _study_palette() -> Colors:
    base = np.array([list(bytes.fromhex(code)) for code in _FOR_ALL]) / 255
    rounds = [share * base + white for share, white in _TOWARDS]
    colors = np.concatenate(rounds)
    return np.column_stack([colors, np.ones(len(colors))]).astype(np.float32)


def _palette() -> Colors:
    rows = []
    for index in range(N_COLORS):
        first, last = _HUES
        hue = first + (last - first) * ((0.18 + index * _GOLDEN) % 1)
        saturation = (0.95, 0.6)[index % 2]
        rows.append((*colorsys.hsv_to_rgb(hue, saturation, 1.0), 1.0))
    return np.array(rows, np.float32)


_PALETTE = _palette()
_STUDIES = _study_palette()
