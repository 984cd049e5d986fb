"""Kernels of ALE, MKDA and KDA, and the voxels that foci belong to.

Gaussians by sample size: Eickhoff et al. 2009, Hum Brain Mapp 30, 2907-2926; 2012,
NeuroImage 59, 2349-2361. Spheres: Wager et al. 2007, Soc Cogn Affect Neurosci 2,
150-158. As NiMARE 0.0.12 to 0.22.1 draws them, right or not: a meta-analysis is rebuilt
as it was made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float32Array, Float64Array
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.results import ResultSet

#: NiMARE draws an ALE kernel into a cube of so many voxels, and leaves out what is less
#: than the distance between 1 and the next float64.
_CUBE = 31
_LEAST = np.spacing(1.0)
#: Mean distances in mm between templates and between people (Eickhoff et al. 2009).
_BETWEEN_TEMPLATES, _BETWEEN_PEOPLE = 5.7, 11.6
_USUAL_RADIUS = 10.0
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_TOLD = {
    "radius": re.compile(rf"sphere with a radius of {_NUMBER}"),
    "fwhm": re.compile(rf"full-width at half max of {_NUMBER}"),
    "participants": re.compile(
        rf"half max corresponding to a sample size of {_NUMBER}"
    ),
}
_ARGUMENTS = {
    **{"kernel__r": "radius", "kernel__fwhm": "fwhm"},
    "kernel__sample_size": "participants",
}


class Method(StrEnum):
    """How an experiment's foci become its modeled activation, and those a statistic."""

    ALE = "ALE"
    MKDA = "MKDA"
    KDA = "KDA"


@dataclass(frozen=True)
class Kernel:
    """What a meta-analysis says of its kernel.

    Attributes
    ----------
    radius : float
        Of the spheres of MKDA and KDA, in mm.
    fwhm : float or None
        Full width at half maximum of all Gaussians of an ALE, in mm; None where it
        follows from sample sizes.
    participants : float or None
        One sample size for all experiments of an ALE.
    """

    radius: float = _USUAL_RADIUS
    fwhm: float | None = None
    participants: float | None = None

    @classmethod
    def told_by(cls, results: ResultSet) -> Kernel:
        """Read what the specification on Compose says, else the methods text."""
        found: dict[str, float] = {}
        for name, pattern in _TOLD.items():
            if (match := pattern.search(results.methods)) is not None:
                found[name] = float(match[1])
        estimator = results.about.specification.get("estimator")
        stated = estimator.get("args") if isinstance(estimator, Mapping) else None
        if isinstance(stated, Mapping):
            for key, name in _ARGUMENTS.items():
                value = stated.get(key)
                if isinstance(value, int | float) and value > 0:
                    found[name] = float(value)
        return cls(**found)


@dataclass(frozen=True)
class FociConvention:
    """What releases of NiMARE do differently, and what a file does not say.

    Attributes
    ----------
    rounds : bool
        Whether a focus belongs to the nearest voxel (half to even, NiMARE 0.22.0 and
        later); releases before cut the part of a voxel off.
    mirrored : bool
        Whether voxels were counted from the right: the mask's file ran that way.
    by_study : bool
        Whether the analyses of one study are one experiment, as Compose merges them.
    people : str
        Whose sample size a merged experiment has: ``last``, ``first``, ``mean`` or
        ``largest``.
    weighted : bool
        Whether experiments of an MKDA count by the root of their sample size (NiMARE
        0.22).
    """

    rounds: bool = True
    mirrored: bool = False
    by_study: bool = True
    people: str = "last"
    weighted: bool = False

    def __str__(self) -> str:
        """Say how foci became voxels, and what else is not NiMARE's way of today."""
        parts = ["rounded to voxels" if self.rounds else "cut to voxels"]
        parts += [] if self.by_study else ["each analysis an experiment"]
        parts += ["weighted by sample size"] if self.weighted else []
        return ", ".join(parts)


def fwhm_of(participants: float) -> float:
    """Return the width of the ALE kernel of an experiment.

    Parameters
    ----------
    participants : float
        Its sample size.

    Returns
    -------
    float
        Full width at half maximum, in mm.

    Examples
    --------
    >>> [round(fwhm_of(n), 4) for n in (5, 20, 100)]
    [11.3733, 9.2412, 8.5837]
    """
    scale = math.sqrt(8 * math.log(2)) / (2 * math.sqrt(2 / math.pi))
    between_people = _BETWEEN_PEOPLE * scale / math.sqrt(participants)
    return math.sqrt(between_people**2 + (_BETWEEN_TEMPLATES * scale) ** 2)


def draw_gaussian(fwhm: float, voxel_size: Sequence[float]) -> Float32Array:
    """Draw an ALE kernel as NiMARE does, shape (n, n, n); its sum is 1.

    NiMARE takes the root of a voxel's volume over the root of 2 for its size, which is
    right at 2 mm and at no other: what it did is rebuilt, not what it meant.
    """
    from scipy import ndimage

    zooms = np.asarray(voxel_size, np.float32)
    # A float64 over a float32 root, as there: it matters in the last digit.
    in_voxels = np.float64(fwhm) / np.sqrt(np.prod(zooms))
    sigma = in_voxels * np.sqrt(2.0) / (np.sqrt(2.0 * np.log(2.0)) * 2.0)
    impulse = np.zeros((_CUBE,) * 3)
    impulse[(_CUBE // 2,) * 3] = 1.0
    drawn = ndimage.gaussian_filter(impulse, float(sigma), mode="constant")
    inside = np.flatnonzero(drawn.max(axis=(1, 2)) > _LEAST)
    cut = slice(inside[0], inside[-1] + 1)
    return np.asarray(drawn[cut, cut, cut], np.float32)


def draw_sphere(radius: float, voxel_size: Sequence[float]) -> Float32Array:
    """Draw a sphere: 1 where the center of a voxel is within the radius."""
    reach = [int(radius // size) for size in voxel_size]
    steps = np.ix_(
        *(
            np.arange(-n, n + 1) * size
            for n, size in zip(reach, voxel_size, strict=True)
        )
    )
    distance = np.sqrt(sum(step**2 for step in steps))
    return np.asarray(distance <= radius, np.float32)


def nearest_voxels(
    places: Float64Array, grid: Grid, convention: FociConvention
) -> npt.NDArray[np.int64]:
    """Find the voxel of each place, shape (n, 3), by the arithmetic of NiMARE."""
    affine = grid.affine.copy()
    last = grid.shape[0] - 1
    if convention.mirrored:
        affine[0, 3] += affine[0, 0] * last
        affine[0, 0] *= -1
    back = np.linalg.inv(affine)
    at = np.dot(places, back[:3, :3].T) + back[:3, 3]
    voxels = (np.round(at) if convention.rounds else at).astype(np.int64)
    if convention.mirrored:
        voxels[:, 0] = last - voxels[:, 0]
    return np.asarray(voxels)
