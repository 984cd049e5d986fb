"""Colors for clusters that stay the same while a threshold moves, and for studies.

A cluster is known by its peak, which stays where it is until a stronger cluster
swallows it. So colors belong to peaks. A study is known by its place in the list.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Voxel

Colors = npt.NDArray[np.float32]

#: Colors of clusters: with deuteranopia, too, any two of them and each of them and any
#: color of the maps are at least 20 apart (CIE 1976), most visible ones first.
_CLUSTERS = (
    (0.25, 0.75, 0.3),
    (0.0, 0.0, 1.0),
    (0.65, 1.0, 0.75),
    (0.85, 0.5, 0.55),
    (0.05, 0.7, 0.7),
    (0.6, 0.0, 0.45),
    (0.95, 1.0, 0.6),
    (0.0, 0.3, 0.65),
    (0.65, 0.0, 0.25),
)
N_COLORS = len(_CLUSTERS)
#: So many clusters get the color that is farthest away; later ones any.
_MOST_APART = 300
#: Darker than brain tissue, which it would be lost in.
GRAY = (0.2, 0.2, 0.2, 1.0)
CHOSEN = (1.0, 1.0, 1.0, 1.0)
#: Of lines around parts of clusters, on the colors of maps: no cluster has it.
PART = (0.0, 0.0, 0.0, 1.0)
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
        Peak -> number of its color; new peaks are added, each with the color whose
        nearest cluster is the farthest away.
    significant : ndarray of bool
        Which clusters are.

    Returns
    -------
    ndarray of float32, shape (n + 1, 4)
        Color of each label; 0 is transparent.
    """
    _remember_colors(peaks, remembered)
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


def _remember_colors(
    peaks: Sequence[Voxel], remembered: MutableMapping[Voxel, int]
) -> None:
    """Give new peaks colors that no neighbor has."""
    new = [peak for peak in peaks if peak not in remembered]
    if not new:
        return
    known = [peak for peak in peaks if peak in remembered]
    places = np.array([*known, *new], np.float64)
    colors = np.full(len(places), -1)
    colors[: len(known)] = [remembered[peak] for peak in known]
    for number in range(len(known), len(places)):
        if number >= _MOST_APART:
            colors[number] = number % N_COLORS
            continue
        away = np.linalg.norm(places[:number] - places[number], axis=1)
        nearest = np.full(N_COLORS, np.inf)
        np.minimum.at(nearest, colors[:number], away)
        if number:
            # Rows that follow each other in a table are told apart, too.
            nearest[colors[number - 1]] = -1
        colors[number] = np.argmax(nearest)
    remembered.update(zip(new, colors[len(known) :].tolist(), strict=True))


_PALETTE = np.column_stack([_CLUSTERS, np.ones(N_COLORS)]).astype(np.float32)
_STUDIES = _study_palette()
